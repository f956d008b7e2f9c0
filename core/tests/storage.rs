//! Storage beside the commit: records that a caller writes by itself, storage that was lost, bytes
//! that are damaged.

use annunciator_core::alerter::is_damaged;
use annunciator_core::event::{Event, Level, TEXT_256};
use annunciator_core::storage::Storage as _;
use annunciator_core::testing::{CutStorage, Device};
use annunciator_core::time::Duration;

fn error(message: &str) -> Event<'_> {
    Event::new(Level::Error, message)
}

/// All accepted texts.
fn texts(device: &Device) -> Vec<String> {
    device.transport.sent.iter().map(|sent| sent.text.clone()).collect()
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
            device.alerter().last_written().map(|(at, slot)| (at, slot.to_vec())).unwrap();
        device.storage.write(at, &slot).unwrap();
    }
    device.power_loss(u64::MAX);
    device.run(Duration::from_mins(5));
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: one (x2), ERROR: two"]);
}

#[test]
fn no_slot_is_handed_out_that_would_hide_what_was_settled() {
    let mut device = Device::new(8);
    device.record(&error("sent"));
    device.run(Duration::from_secs(1));
    assert_eq!(device.transport.sent.len(), 1);
    assert!(device.alerter().last_written().is_none(), "its record is settled");
    device.run(Duration::from_secs(1));
    device.record(&error("next"));
    assert!(device.alerter().last_written().is_some());
    let now = device.clock.now();
    device.alerter().count_lost(now, 1);
    assert!(device.alerter().last_written().is_none(), "the last was turned away");
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
    let mut device = Device::new(8);
    device.record(&error("one"));
    device.record(&error("two"));
    let sound = device.memory();
    assert!(!is_damaged::<TEXT_256>(&sound));
    assert!(!is_damaged::<TEXT_256>(&[0; 4096]));
    assert!(!is_damaged::<TEXT_256>(&[]));
    let at = sound.windows(3).position(|bytes| bytes == b"two").unwrap();
    let mut torn = sound.clone();
    torn[at] ^= 1;
    assert!(is_damaged::<TEXT_256>(&torn));
    let mut stateless = sound;
    stateless[..1024].fill(0);
    assert!(is_damaged::<TEXT_256>(&stateless));
}
