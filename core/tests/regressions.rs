//! One test for each way in which stores like this one have been seen to break elsewhere.

use annunciator_core::alerter::{Origin, Step};
use annunciator_core::event::{Event, Level};
use annunciator_core::memory::Memory as _;
use annunciator_core::ring::{Admission, OVERHEAD, SLOT};
use annunciator_core::testing::Device;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome, Receipt, Refusal, RefusalClass, Retry};

const SLOTS: usize = 8;

fn error(device: &mut Device, name: &str) -> Admission {
    let line = name.bytes().map(u32::from).sum();
    device.record(&Event::new(Level::Error, name).at("a.rs", line))
}

fn block(device: &mut Device) {
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code(1))));
}

fn open(device: &mut Device) {
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
}

fn accepted(device: &Device) -> Vec<String> {
    let strip = |text: &str| text.trim_start_matches("[Rust Logger night] ").to_owned();
    device.transport.accepted().map(|sent| strip(&sent.text)).collect()
}

/// Where the record with this text stands in the ring's bytes.
fn slot_of(bytes: &[u8], name: &str) -> usize {
    let text = bytes.windows(name.len()).rposition(|window| window == name.as_bytes());
    let text = text.expect("the record is there");
    OVERHEAD + (text - OVERHEAD) / SLOT * SLOT
}

/// Vector: a reader that hunts on behind a torn record starts in the midst of its text.
#[test]
fn a_torn_record_hides_no_other_and_counts_for_nothing() {
    for torn in 0..SLOT {
        let mut device = Device::new(SLOTS);
        error(&mut device, "one");
        let before = device.memory();
        error(&mut device, "torn");
        let after = device.memory();
        let at = slot_of(&after, "torn");
        let mut bytes = before.clone();
        // The order of stores: text, header, check.
        let stores = [(at + 60, 11), (at + 4, 32), (at, 4)];
        let mut left = torn.min(46);
        for (from, len) in stores {
            let part = len.min(left);
            bytes[from..from + part].copy_from_slice(&after[from..from + part]);
            left -= part;
        }
        device.start_with(bytes, Origin::Memory);
        error(&mut device, "three");
        device.run(Duration::from_hours(1));
        assert_eq!(accepted(&device), ["ERROR: one, ERROR: three"], "torn after {torn} bytes");
        assert_eq!(device.alerter().stats().lost, 0);
    }
}

/// kura #47, littlefs: what stood there before comes back when the newer write did not arrive.
#[test]
fn a_stale_copy_is_not_told_again() {
    let mut device = Device::new(SLOTS);
    error(&mut device, "told");
    device.run(Duration::from_mins(5));
    error(&mut device, "new");
    // Of the commit under way, nothing arrives: the slot that is told is still there.
    device.power_loss(0);
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["ERROR: told"]);
    error(&mut device, "newer");
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["ERROR: told", "ERROR: newer"]);
}

#[test]
fn a_second_copy_of_a_record_is_not_told() {
    let mut device = Device::new(SLOTS);
    error(&mut device, "once");
    let mut bytes = device.memory();
    let at = slot_of(&bytes, "once");
    let other = if at == OVERHEAD { OVERHEAD + SLOT } else { OVERHEAD };
    bytes.copy_within(at..at + SLOT, other);
    device.start_with(bytes, Origin::Memory);
    device.run(Duration::from_hours(1));
    device.kill();
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["ERROR: once"]);
    assert_eq!(device.alerter().stats().lost, 0);
}

/// Vector #18130 and others: one bad checksum, and the start fails or all behind it is gone.
#[test]
fn a_scrambled_record_is_skipped_and_counted() {
    let mut device = Device::new(SLOTS);
    block(&mut device);
    for name in ["first", "second", "second", "second", "third"] {
        error(&mut device, name);
    }
    device.run(Duration::from_secs(5));
    let mut bytes = device.memory();
    let at = slot_of(&bytes, "second");
    bytes[at + 10..at + 200].iter_mut().for_each(|byte| *byte ^= 0x5A);
    device.start_with(bytes, Origin::Memory);
    open(&mut device);
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["ERROR: first, ERROR: third, 3 lost"]);
    assert_eq!(device.alerter().stats().losses.damaged, 1, "slots");
}

/// sequential-storage #136: new bytes behind a torn header complete a record that never was.
#[test]
fn a_phantom_record_inside_a_torn_one_is_not_found() {
    let mut device = Device::new(SLOTS);
    error(&mut device, "real");
    let mut bytes = device.memory();
    let at = slot_of(&bytes, "real");
    let image = bytes[at..at + SLOT].to_vec();
    for shift in (1..SLOT).chain([300, 511]) {
        // Somewhere in the other slots, at no slot's boundary.
        let from = OVERHEAD + 2 * SLOT + shift;
        bytes[OVERHEAD + SLOT..OVERHEAD + 5 * SLOT].fill(0);
        bytes[from..from + SLOT].copy_from_slice(&image);
        let mut device = Device::new(SLOTS);
        device.start_with(bytes.clone(), Origin::Memory);
        let waiting = device.alerter().stats().waiting;
        assert_eq!(waiting, 1, "shifted by {shift}");
        assert_eq!(device.alerter().stats().lost, 0);
    }
}

/// LogAlert: what came in while a batch was under way was deleted with it.
#[test]
fn what_comes_while_a_text_is_under_way_is_not_erased_with_it() {
    let mut device = Device::new(SLOTS);
    error(&mut device, "first");
    let mut buf = [0; 2048];
    let ticket = loop {
        let now = device.clock.now();
        match device.alerter().step(now, &mut buf) {
            Step::Send(ticket) => break ticket,
            Step::Write { token, .. } | Step::Sync { token } => {
                device.alerter().done(now, token, annunciator_core::alerter::Done::Stored);
            }
            Step::Idle { until } => device.clock.set(until),
            Step::Again => {}
        }
    };
    error(&mut device, "second");
    // Equal to the one in flight: that text does not count this.
    error(&mut device, "first");
    let now = device.clock.now();
    let outcome = Outcome::Accepted(Receipt::new(1));
    device.alerter().done(now, ticket.token, annunciator_core::alerter::Done::Sent(outcome));
    let _ = device.alerter().step(now, &mut buf);
    assert_eq!(device.alerter().stats().waiting, 2);
    device.run(Duration::from_hours(1));
    let told = accepted(&device).join(", ");
    assert!(told.contains("second") && told.contains("first"), "{told}");
    assert_eq!(device.alerter().stats().lost, 0);
}

#[test]
fn a_merge_never_goes_into_a_record_in_flight() {
    let mut device = Device::new(SLOTS);
    device.transport.queue([Outcome::Unknown(Code(0))]);
    error(&mut device, "again");
    device.run(Duration::from_secs(1));
    assert_eq!(device.transport.sent.len(), 1, "in flight, its fate unknown");
    assert_eq!(error(&mut device, "again"), Admission::Stored);
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["(repeat 0000) ERROR: again", "ERROR: again"]);
}

/// A record that the service never accepts blocks all behind it for ever.
#[test]
fn a_poisoned_head_does_not_block_the_line() {
    let mut device = Device::new(SLOTS);
    let refusal = Outcome::Refused(Refusal::new(RefusalClass::Message, Code(17)));
    device.transport.queue([refusal; 2]);
    error(&mut device, "poison");
    device.run(Duration::from_secs(1));
    error(&mut device, "behind it");
    device.run(Duration::from_hours(1));
    assert_eq!(accepted(&device), ["ERROR: behind it, 1 lost"]);
}

/// A torn counter read as a number: one event becomes millions.
#[test]
fn no_count_is_invented() {
    for noise in [0x00, 0x01, 0x7F, 0xFF] {
        let mut device = Device::new(SLOTS);
        block(&mut device);
        for _ in 0..5 {
            error(&mut device, "five times");
        }
        device.run(Duration::from_secs(5));
        let mut bytes = device.memory();
        let at = slot_of(&bytes, "five times");
        for cell in [at + 40, at + 56] {
            let mut one = bytes.clone();
            one[cell..cell + 16].fill(noise);
            device.start_with(one, Origin::Memory);
            let stats = device.alerter().stats();
            assert!((4..=5).contains(&stats.waiting), "{stats:?}");
            assert_eq!(stats.waiting + stats.lost, 5);
        }
        bytes[at + 40..at + 72].fill(noise);
        device.start_with(bytes, Origin::Memory);
        let stats = device.alerter().stats();
        assert_eq!((stats.waiting, stats.lost), (1, 4), "both cells gone");
    }
}

/// Records evicted between two commits came back from storage and were counted as lost as well.
#[test]
fn evicted_records_that_storage_still_has_are_not_counted_too() {
    for survivors in 0..256 {
        let mut device = Device::new(SLOTS);
        block(&mut device);
        for name in ["a", "b", "c", "d", "e", "f", "g"] {
            error(&mut device, name);
        }
        device.run(Duration::from_secs(1));
        for name in ["h", "i", "j", "k"] {
            error(&mut device, name);
        }
        // The commit's writes are under way, the sync is not.
        let mut buf = [0; 2048];
        device.clock.advance(Duration::from_millis(100));
        for _ in 0..40 {
            let now = device.clock.now();
            let step = device.alerter().step(now, &mut buf);
            let Step::Write { token, at, len } = step else { continue };
            use annunciator_core::storage::Storage as _;
            device.storage.write(at, &buf[..len]).unwrap();
            device.alerter().done(now, token, annunciator_core::alerter::Done::Stored);
        }
        device.power_loss(survivors);
        open(&mut device);
        device.run(Duration::from_hours(2));
        let stats = device.alerter().stats();
        let sum = stats.delivered + stats.lost;
        assert!((7..=11).contains(&sum), "survivors {survivors:08b}: {stats:?}");
        assert_eq!(stats.lost_unreported, 0);
    }
}

/// A flipped bit in the state that notes the attempt: what left may be told again, but says so.
#[test]
fn an_attempt_whose_note_is_damaged_is_repeated_with_its_mark() {
    let mut device = Device::new(SLOTS);
    error(&mut device, "before");
    device.run(Duration::from_mins(5));
    error(&mut device, "in doubt");
    let mut buf = [0; 2048];
    loop {
        let now = device.clock.now();
        match device.alerter().step(now, &mut buf) {
            Step::Send(_) => break,
            Step::Write { token, .. } | Step::Sync { token } => {
                device.alerter().done(now, token, annunciator_core::alerter::Done::Stored);
            }
            Step::Idle { until } => device.clock.set(until),
            Step::Again => {}
        }
    }
    let memory = device.alerter().memory().bytes().to_vec();
    for bit in 0..2 * 512 * 8 {
        let mut bytes = memory.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut other = Device::new(SLOTS);
        other.clock.set(device.clock.now());
        other.start_with(bytes, Origin::Memory);
        other.run(Duration::from_hours(1));
        let texts = accepted(&other);
        assert_eq!(texts.len(), 1, "bit {bit}: {texts:?}");
        assert!(texts[0].starts_with("(repeat "), "bit {bit}: {texts:?}");
        assert!(texts[0].ends_with("ERROR: in doubt"), "bit {bit}: {texts:?}");
    }
}
