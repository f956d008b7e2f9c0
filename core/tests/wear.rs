//! What is asked of storage, at worst: per event, per text, in a storm, in a day of nothing. Prints
//! the table of `docs/figures.md`: `cargo test --all-features --test wear -- --nocapture`.

use annunciator_core::event::{Event, Level};
use annunciator_core::ring::SLOT;
use annunciator_core::testing::Device;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome, Retry};

/// Slots of a large chip's ring, of 63 KiB.
const SLOTS: usize = 247;
/// The most that a state block takes.
const STATE: usize = 512;

/// Writes, bytes and syncs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Wear {
    writes: usize,
    bytes: usize,
    syncs: usize,
}

fn during(device: &mut Device, work: impl FnOnce(&mut Device)) -> Wear {
    let before = device.storage.lengths().len();
    work(device);
    let lengths = &device.storage.lengths()[before..];
    let writes = lengths.iter().filter(|len| **len > 0).count();
    Wear { writes, bytes: lengths.iter().sum(), syncs: lengths.len() - writes }
}

fn event(device: &mut Device, number: u32) {
    let message = format!("unit {number} does not answer: bus timeout");
    device.record(&Event::new(Level::Error, &message).target("plant").at("src/plant.rs", number));
}

/// One whose first start and first commit are over.
fn device() -> Device {
    let mut device = Device::new(SLOTS);
    event(&mut device, 0);
    device.run(Duration::from_hours(30));
    device
}

fn blocked(device: &mut Device) {
    device.transport.rule(|_, _| {
        let wait = Duration::from_hours(1);
        Outcome::Retry(Retry::throttled(wait, Code(1)))
    });
}

fn row(what: &str, wear: Wear) {
    println!("{what:44} {:>7} {:>9} {:>6}", wear.writes, wear.bytes, wear.syncs);
}

#[test]
fn storage_is_spared() {
    println!("{:44} {:>7} {:>9} {:>6}", "", "writes", "bytes", "syncs");

    let mut device = device();
    let day = Duration::from_hours(24);
    let idle = during(&mut device, |device| device.run(day));
    row("a day of nothing", idle);
    assert_eq!(idle, Wear::default());

    let one = during(&mut device, |device| {
        event(device, 1);
        device.run(Duration::from_millis(200));
    });
    row("one ERROR, committed", one);
    assert!(one.writes <= 2 && one.bytes <= SLOT + 16 && one.syncs <= 1, "{one:?}");

    let text = during(&mut device, |device| device.run(Duration::from_hours(1)));
    row("its text: noted, accepted", text);
    assert!(text.bytes <= 2 * (STATE + SLOT) && text.syncs <= 4, "{text:?}");

    blocked(&mut device);
    event(&mut device, 2);
    device.run(Duration::from_secs(30));
    let merged = during(&mut device, |device| {
        for _ in 0..10_000 {
            event(device, 2);
            device.run(Duration::from_millis(6));
        }
    });
    row("10,000 equal ones in a minute, no way out", merged);
    // A commit each 100 ms, of one slot and the ledger.
    assert!(merged.syncs <= 601 && merged.bytes <= 601 * (SLOT + 16), "{merged:?}");

    let storm = during(&mut device, |device| {
        for number in 0..10_000 {
            event(device, 10 + number);
            device.run(Duration::from_millis(6));
        }
    });
    row("10,000 of a kind each in a minute, no way out", storm);
    // The same, of all slots that changed: as many as events came, at most all.
    assert!(storm.syncs <= 601 && storm.bytes <= 10_000 * (2 * SLOT) + 601 * 16, "{storm:?}");

    let worst = during(&mut device, |device| {
        for number in 0..1_000_000 {
            event(device, 100_000 + number);
            if number % 10_000 == 9_999 {
                device.run(Duration::from_millis(100));
            }
        }
    });
    row("1,000,000 of a kind each in 10 s, no way out", worst);
    assert!(worst.syncs <= 101 && worst.bytes <= 101 * (SLOTS * SLOT + 16), "{worst:?}");
}
