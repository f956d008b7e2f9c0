//! What an adapter does around the ring: hands it what others left, writes a slot by itself, has
//! everything written again.

use annunciator_core::alerter::{Adoption, Estate, Origin, is_damaged};
use annunciator_core::event::{Event, Level, TEXT_256};
use annunciator_core::storage::Storage;
use annunciator_core::testing::{CutStorage, Device, Fault};
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome, Receipt};

fn error(message: &str) -> Event<'_> {
    Event::new(Level::Error, message).target("app")
}

fn texts(device: &Device) -> Vec<&str> {
    device.transport.sent.iter().map(|sent| sent.text.as_str()).collect()
}

/// The memory of a device that died with these waiting.
fn left(messages: &[&str]) -> Vec<u8> {
    let mut device = Device::new(8);
    for message in messages {
        device.record(&error(message));
    }
    device.memory()
}

fn adopt(device: &mut Device, bytes: &[u8], token: u64) -> Adoption {
    let now = device.clock.now();
    let mut estate = Estate::survey(bytes, Origin::Memory, token);
    for _ in 0..100 {
        let adoption = device.alerter().adopt(now, bytes, &mut estate);
        if adoption != Adoption::More {
            return adoption;
        }
    }
    panic!("no end of it");
}

fn write_off(device: &mut Device, bytes: &[u8], token: u64) -> Adoption {
    let now = device.clock.now();
    device.alerter().write_off(now, &mut Estate::survey(bytes, Origin::Memory, token))
}

#[test]
fn an_estate_is_told_once_however_often_it_is_offered() {
    let bytes = left(&["one", "two", "one"]);
    let mut device = Device::new(8);
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Pending);
    let other = left(&["three"]);
    assert_eq!(adopt(&mut device, &other, 8), Adoption::Busy);
    device.drive();
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Durable);
    device.power_loss(0);
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Pending);
    device.run(Duration::from_mins(5));
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Durable);
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: one (x2), ERROR: two"]);
}

#[test]
fn what_is_written_off_is_counted_as_too_old_and_named_by_nobody() {
    let bytes = left(&["one", "two", "one"]);
    let mut device = Device::new(8);
    assert_eq!(write_off(&mut device, &bytes, 7), Adoption::Pending);
    device.drive();
    assert_eq!(write_off(&mut device, &bytes, 7), Adoption::Durable);
    let stats = device.alerter().stats();
    assert_eq!((stats.losses.expired, stats.lost, stats.waiting), (3, 3, 0));
    device.record(&error("mine"));
    device.run(Duration::from_mins(5));
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: mine, 3 lost"]);
}

#[test]
fn what_comes_between_the_records_of_an_estate_survives_its_undoing() {
    let bytes = left(&["one", "two", "three"]);
    // Killed after so many records of it: undone, and taken wholly when it is offered again.
    for records in 0..=4 {
        let mut device = Device::new(12);
        device.record(&error("mine"));
        let mut estate = Estate::survey(&bytes, Origin::Memory, 7);
        for _ in 0..records {
            let now = device.clock.now();
            let _ = device.alerter().adopt(now, &bytes, &mut estate);
            // Not merged into what may have to go.
            device.record(&error("one"));
            device.record(&error("mine"));
            device.run(Duration::from_millis(200));
        }
        let copied = records == 4;
        assert_eq!(texts(&device), [""; 0]);
        device.kill();
        let now = device.clock.now();
        device.alerter().commit(now);
        device.drive();
        assert!(matches!(adopt(&mut device, &bytes, 7), Adoption::Pending | Adoption::Durable));
        device.run(Duration::from_mins(5));
        let said = texts(&device).concat();
        let mine = if records == 0 { "mine".into() } else { format!("mine (x{})", records + 1) };
        assert!(said.contains(&format!("ERROR: {mine},")), "{records}: {said}");
        assert_eq!(said.matches("ERROR: two").count(), 1, "{records}, {copied}: {said}");
        let stats = device.alerter().stats();
        let all = 4 + 2 * records;
        assert_eq!((stats.delivered, stats.lost, stats.waiting), (all, 0, 0), "{records}: {said}");
    }
}

#[test]
fn what_an_estate_displaces_is_counted_though_the_program_dies() {
    let bytes = left(&["one", "two", "three"]);
    let mut device = Device::new(4);
    let mut estate = Estate::survey(&bytes, Origin::Memory, 7);
    let now = device.clock.now();
    assert_eq!(device.alerter().adopt(now, &bytes, &mut estate), Adoption::More);
    device.record(&error("mine"));
    // It has the last number of all, and the next of the estate takes its place.
    device.record(&Event::new(Level::Warn, "mine too").target("app"));
    assert_eq!(device.alerter().adopt(now, &bytes, &mut estate), Adoption::More);
    device.kill();
    let stats = device.alerter().stats();
    assert_eq!((stats.waiting, stats.lost), (1, 1), "what was copied is offered again");
}

#[test]
fn no_text_leaves_between_the_records_of_an_estate() {
    let bytes = left(&["one", "two", "three"]);
    let mut device = Device::new(12);
    device.record(&error("mine"));
    let mut estate = Estate::survey(&bytes, Origin::Memory, 7);
    let now = device.clock.now();
    assert_eq!(device.alerter().adopt(now, &bytes, &mut estate), Adoption::More);
    device.run(Duration::from_secs(5));
    assert_eq!(texts(&device), [""; 0]);
    // A survey of its own goes on where the other stood.
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Pending);
    device.run(Duration::from_secs(5));
    let said = texts(&device).concat();
    assert_eq!(said, "[Rust Logger night] ERROR: mine, ERROR: one, ERROR: two, ERROR: three");
}

/// What was told from memory while storage failed may be settled in storage before the adoption is
/// over there. To undo it then would take its events for settled twice, and hide as many losses.
#[test]
fn an_estate_told_while_storage_failed_hides_no_loss_when_power_goes() {
    const OWN: [&str; 5] = ["a", "b", "c", "d", "e"];
    const LEFT: [&str; 4] = ["one", "two", "three", "four"];
    let bytes = left(&LEFT);
    let mut settled = 0;
    for failing in 1..8 {
        for cut in 1..12 {
            let mut device = Device::new(8);
            for message in OWN {
                device.record(&error(message));
            }
            let now = device.clock.now();
            device.alerter().commit(now);
            device.drive();
            assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Pending);
            let first = device.storage.operations() + 2;
            (first..first + failing).for_each(|number| device.storage.fault(number, Fault::Fail));
            device.storage.fault(first + failing + cut, Fault::Cut(40));
            device.run(Duration::from_secs(90));
            device.power_loss(0);
            settled += u32::from(device.alerter().stats().waiting == 0);
            for _ in 0..4 {
                let _ = adopt(&mut device, &bytes, 7);
                device.run(Duration::from_mins(30));
            }
            let stats = device.alerter().stats();
            assert_eq!((adopt(&mut device, &bytes, 7), stats.waiting), (Adoption::Durable, 0));
            let said = texts(&device).join("\n");
            let untold = |name: &&&str| !said.contains(&format!("ERROR: {name}"));
            let missing = OWN.iter().chain(&LEFT).filter(untold).count() as u32;
            assert!(missing <= stats.lost, "{failing}, {cut}: {} lost\n{said}", stats.lost);
        }
    }
    assert!(settled > 0, "no cut came after the text was settled");
}

#[test]
fn a_repeat_does_not_tell_as_lost_what_is_yet_to_be_copied() {
    let bytes = left(&["one", "two", "three"]);
    let mut device = Device::new(12);
    device.record(&error("mine"));
    device.transport.rule(|_, _| Outcome::Unknown(Code::NONE));
    for _ in 0..100 {
        if device.transport.sent.is_empty() {
            device.run(Duration::from_millis(50));
        }
    }
    assert_eq!(device.transport.sent.len(), 1);
    let mut estate = Estate::survey(&bytes, Origin::Memory, 7);
    let now = device.clock.now();
    assert_eq!(device.alerter().adopt(now, &bytes, &mut estate), Adoption::More);
    device.transport.rule(|_, _| Outcome::Accepted(Receipt::new(1)));
    device.run(Duration::from_mins(10));
    assert_eq!(device.transport.sent.len(), 1, "not between its records");
    assert_eq!(adopt(&mut device, &bytes, 7), Adoption::Pending);
    device.run(Duration::from_mins(10));
    let said = texts(&device);
    assert_eq!(said[1], "[Rust Logger night] (repeat 0000) ERROR: mine");
    assert_eq!(said[2], "[Rust Logger night] ERROR: one, ERROR: two, ERROR: three");
}

#[test]
fn a_slot_written_by_the_caller_is_recovered_without_a_commit() {
    let mut device = Device::new(8);
    let now = device.clock.now();
    device.alerter().commit(now);
    device.drive();
    for message in ["one", "two", "one"] {
        device.record(&error(message));
        let (at, slot) =
            device.alerter().last_slot().map(|(at, slot)| (at, slot.to_vec())).unwrap();
        device.storage.write(at, &slot).unwrap();
    }
    device.power_loss(u64::MAX);
    device.run(Duration::from_mins(5));
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: one (x2), ERROR: two"]);
}

#[test]
fn no_slot_is_handed_out_that_would_hide_what_was_settled() {
    let mut device = Device::new(8);
    device.record(&error("told"));
    device.run(Duration::from_secs(1));
    assert_eq!(device.transport.sent.len(), 1);
    assert!(device.alerter().last_slot().is_none(), "its record is settled");
    device.run(Duration::from_secs(1));
    device.record(&error("next"));
    assert!(device.alerter().last_slot().is_some());
    let now = device.clock.now();
    device.alerter().count_lost(now, 1);
    assert!(device.alerter().last_slot().is_none(), "the last was turned away");
}

#[test]
fn storage_that_turned_out_empty_gets_everything_again_in_one_go() {
    let mut device = Device::new(8);
    for message in ["one", "two"] {
        device.record(&error(message));
    }
    device.run(Duration::from_millis(200));
    let size = device.storage.capacity();
    device.storage = CutStorage::new(size);
    let now = device.clock.now();
    device.alerter().rewrite(now);
    // Until its only sync the old content is still what a start would find.
    let mut operations = 0;
    while device.storage.after_power_loss(0).iter().all(|byte| *byte == 0) {
        operations += 1;
        assert!(operations < 100);
        device.drive();
    }
    assert!(!device.alerter().stats().storage_failing);
    device.power_loss(0);
    device.run(Duration::from_mins(5));
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: one, ERROR: two"]);
}

#[test]
fn damage_is_seen_before_recovery_clears_it() {
    let sound = left(&["one", "two"]);
    assert!(!is_damaged::<TEXT_256>(&sound));
    assert!(!is_damaged::<TEXT_256>(&[0; 4096]));
    assert!(!is_damaged::<TEXT_256>(&[]));
    let at = sound.windows(3).position(|bytes| bytes == b"two").unwrap();
    let mut torn = sound.clone();
    torn[at] ^= 1;
    assert!(is_damaged::<TEXT_256>(&torn));
    let mut stateless = sound;
    stateless[..2048].fill(0);
    assert!(is_damaged::<TEXT_256>(&stateless));
}
