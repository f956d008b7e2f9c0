//! Whatever the bytes: a valid ring comes up, what can be trusted is told, what cannot is counted.

use annunciator_core::alerter::Origin;
use annunciator_core::drive::{repair, restore};
use annunciator_core::event::{Event, Level};
use annunciator_core::ring::{Admission, OVERHEAD, SLOT, region_len};
use annunciator_core::testing::{CutStorage, Device};
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};
use proptest::prelude::*;

const SLOTS: usize = 8;
const NAMES: [&str; 7] = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf"];

fn blocked(device: &mut Device) {
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code(1))));
}

fn open(device: &mut Device) {
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
}

fn record(device: &mut Device, name: &str) -> Admission {
    let line = name.len() as u32 * 100 + u32::from(name.as_bytes()[0]);
    device.record(&Event::new(Level::Error, name).at("a.rs", line))
}

/// A full ring, one text behind it, two events each, both blocks of state written.
fn full() -> Device {
    let mut device = Device::new(SLOTS);
    device.policy.segments = 6;
    record(&mut device, "told long ago");
    device.run(Duration::from_mins(10));
    blocked(&mut device);
    for name in NAMES {
        record(&mut device, name);
        record(&mut device, name);
    }
    device.run(Duration::from_secs(20));
    device
}

/// Times each name stands in accepted texts since `from`, its count taken.
fn told(device: &Device, from: usize) -> Vec<u32> {
    let texts = || device.transport.sent.iter().skip(from).filter(|sent| sent.accepted());
    let count = |name: &str| {
        let of = |text: &str| {
            let (_, rest) = text.split_once(name)?;
            let twice = rest.strip_prefix(" (x").and_then(|rest| rest.split(')').next());
            Some(twice.map_or(1, |count| count.parse::<u32>().unwrap()))
        };
        texts().filter_map(|sent| of(&sent.text)).sum()
    };
    NAMES.iter().map(|name| count(name)).collect()
}

fn end(device: &mut Device) {
    open(device);
    device.run(Duration::from_hours(30));
    assert_eq!(device.alerter().stats().waiting, 0);
    assert_eq!(record(device, "afterwards"), Admission::Stored);
    device.run(Duration::from_hours(1));
    let last = device.transport.sent.last().expect("it is told");
    assert!(last.text.contains("afterwards"), "{}", last.text);
    assert_eq!(device.alerter().stats().waiting, 0);
}

#[test]
fn every_flipped_bit_costs_at_most_the_record_it_is_in() {
    let mut original = full();
    let memory = original.memory();
    let mut noticed = [0; 2];
    for bit in 0..memory.len() * 8 {
        let mut bytes = memory.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let mut device = Device::new(SLOTS);
        device.policy = original.policy;
        device.clock.set(original.clock.now());
        device.start_with(bytes, Origin::Memory);
        end(&mut device);
        let told = told(&device, 0);
        let lost = device.alerter().stats().lost;
        let hurt: Vec<usize> = (0..NAMES.len()).filter(|n| told[*n] != 2).collect();
        assert!(told.iter().all(|told| *told <= 2), "bit {bit}: {told:?}");
        if bit / 8 < OVERHEAD {
            assert!(hurt.is_empty() && lost == 0, "bit {bit}: {told:?}, {lost} lost");
        } else {
            assert!(hurt.len() <= 1, "bit {bit}: {told:?}");
            assert_eq!(told.iter().sum::<u32>() + lost, 14, "bit {bit}: {told:?}");
        }
        noticed[usize::from(!hurt.is_empty())] += 1;
    }
    println!("{} bits flipped, {} of them cost a record or a count", memory.len() * 8, noticed[1]);
    assert!(noticed[1] > 7 * 8 * 40);
}

#[test]
fn without_any_state_records_are_told_as_possible_repeats() {
    let mut device = full();
    let mut bytes = device.memory();
    bytes[..2 * 512].fill(0x5A);
    device.start_with(bytes, Origin::Memory);
    let from = device.transport.sent.len();
    end(&mut device);
    assert_eq!(told(&device, from), [2; 7]);
    let texts = || device.transport.sent.iter().skip(from);
    for sent in texts().filter(|sent| !sent.text.contains("afterwards")) {
        assert!(sent.repeat && sent.text.contains("(repeat "), "{}", sent.text);
    }
    assert!(!texts().last().unwrap().repeat);
    assert_eq!(device.alerter().stats().lost, 0, "nothing is invented");
}

#[test]
fn a_slot_damaged_in_memory_is_mended_from_storage() {
    let mut original = full();
    let memory = original.memory();
    for slot in 0..SLOTS {
        for bytes_hurt in [1, SLOT] {
            let mut bytes = memory.clone();
            let at = OVERHEAD + slot * SLOT;
            bytes[at + 70..][..bytes_hurt.min(SLOT - 70)].fill(0xFF);
            let mut storage = original.storage.clone();
            let free = bytes[at..at + 4] == [0; 4];
            let mended = repair(&mut storage, &mut bytes).unwrap();
            assert!(mended <= u16::from(!free), "slot {slot}");
            let mut device = Device::new(SLOTS);
            device.policy = original.policy;
            device.clock.set(original.clock.now());
            device.start_with(bytes, Origin::Memory);
            end(&mut device);
            assert_eq!(told(&device, 0), [2; 7], "slot {slot}");
            assert_eq!(device.alerter().stats().lost, 0);
        }
    }
}

#[test]
fn the_state_lost_in_memory_is_mended_from_storage() {
    let mut device = full();
    let mut bytes = device.memory();
    bytes[..2 * 512].fill(0xFF);
    assert_eq!(repair(&mut device.storage, &mut bytes).unwrap(), 1);
    device.start_with(bytes, Origin::Memory);
    let from = device.transport.sent.len();
    end(&mut device);
    assert_eq!(told(&device, from), [2; 7]);
    assert!(device.transport.sent.iter().skip(from).all(|sent| !sent.repeat));
}

#[test]
fn sound_memory_is_not_mended() {
    let mut device = full();
    let sound = device.memory();
    let mut bytes = sound.clone();
    let mut other = CutStorage::with_bytes(vec![0x77; region_len(SLOTS)]);
    assert_eq!(repair(&mut other, &mut bytes).unwrap(), 0);
    assert!(bytes == sound);
}

#[test]
fn a_chip_that_cannot_tell_how_it_ended_restores_from_where_more_is() {
    // Nothing anywhere: a first start.
    let mut empty = CutStorage::with_bytes(vec![0; region_len(SLOTS)]);
    let fresh = restore(&mut empty, &mut vec![0x3C; region_len(SLOTS)]);
    assert_eq!((fresh.origin, fresh.boot, fresh.trouble.is_some()), (Origin::Storage, 1, false));

    let mut device = full();
    let memory = device.memory();
    // A reset: memory is newer, and only what it has lost comes from storage.
    let mut bytes = memory.clone();
    bytes[OVERHEAD + SLOT + 70] ^= 1;
    let survived = restore(&mut device.storage, &mut bytes);
    assert_eq!(survived.origin, Origin::Memory);
    // Power was lost: memory is noise.
    let mut noise = vec![0x3C; region_len(SLOTS)];
    let lost = restore(&mut device.storage, &mut noise);
    assert_eq!(lost.origin, Origin::Storage);
    for (bytes, restored) in [(bytes, survived), (noise, lost)] {
        assert_eq!(restored.boot, 2, "differs from the boot that wrote");
        let mut device = Device::new(SLOTS);
        device.policy.segments = 6;
        device.start_with(bytes, restored.origin);
        end(&mut device);
        assert_eq!(told(&device, 0), [2; 7]);
    }
}

/// What befalls bytes that once were a ring.
#[derive(Debug, Clone)]
enum Harm {
    Noise(usize, Vec<u8>),
    Fill(usize, usize, u8),
    /// One slot's bytes over another's.
    Copy(usize, usize),
    Swap(usize, usize),
    /// The halves of the state change places, or one covers the other.
    Halves(bool),
    Old(usize, usize),
    Truncated(usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    let len = region_len(SLOTS);
    let at = 0..len;
    prop_oneof![
        3 => (at.clone(), proptest::collection::vec(any::<u8>(), 1..40))
            .prop_map(|(at, noise)| Harm::Noise(at, noise)),
        2 => (at.clone(), 1..900_usize, any::<u8>()).prop_map(|(at, len, b)| Harm::Fill(at, len, b)),
        2 => (0..SLOTS, 0..SLOTS).prop_map(|(from, to)| Harm::Copy(from, to)),
        2 => (0..SLOTS, 0..SLOTS).prop_map(|(from, to)| Harm::Swap(from, to)),
        1 => any::<bool>().prop_map(Harm::Halves),
        2 => (at.clone(), 1..2000_usize).prop_map(|(at, len)| Harm::Old(at, len)),
        1 => at.prop_map(Harm::Truncated),
    ]
}

fn hurt(bytes: &mut [u8], old: &[u8], harm: &Harm) {
    let slot = |number: usize| OVERHEAD + number * SLOT;
    match harm {
        Harm::Noise(at, noise) => {
            bytes.iter_mut().skip(*at).zip(noise).for_each(|(byte, noise)| *byte = *noise);
        }
        Harm::Fill(at, len, with) => bytes.iter_mut().skip(*at).take(*len).for_each(|b| *b = *with),
        Harm::Copy(from, to) => bytes.copy_within(slot(*from)..slot(*from) + SLOT, slot(*to)),
        Harm::Swap(from, to) => {
            for at in 0..SLOT {
                bytes.swap(slot(*from) + at, slot(*to) + at);
            }
        }
        Harm::Halves(true) => (0..1024).for_each(|at| bytes.swap(at, at + 1024)),
        Harm::Halves(false) => bytes.copy_within(0..1024, 1024),
        Harm::Old(at, len) => {
            let old = old.iter().copied().skip(*at).take(*len);
            bytes.iter_mut().skip(*at).zip(old).for_each(|(byte, old)| *byte = old);
        }
        Harm::Truncated(at) => bytes[*at..].fill(0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn harmed_rings_come_up_and_work(
        harms in proptest::collection::vec(harm(), 1..6),
        storage in any::<bool>(),
    ) {
        let mut device = full();
        let old = device.memory();
        open(&mut device);
        device.run(Duration::from_mins(3));
        record(&mut device, "after it");
        device.run(Duration::from_millis(500));
        let mut bytes = device.memory();
        for harm in &harms {
            hurt(&mut bytes, &old, harm);
        }
        let origin = if storage { Origin::Storage } else { Origin::Memory };
        device.start_with(bytes, origin);
        end(&mut device);
        let before = device.alerter().stats().lost;
        device.kill();
        device.run(Duration::from_hours(1));
        prop_assert_eq!(device.alerter().stats().lost, before);
    }

    #[test]
    fn any_bytes_come_up_and_work(
        bytes in proptest::collection::vec(any::<u8>(), 0..region_len(SLOTS) + 300),
        storage in any::<bool>(),
    ) {
        let mut device = Device::new(SLOTS);
        let origin = if storage { Origin::Storage } else { Origin::Memory };
        let usable = bytes.len() >= region_len(2);
        device.start_with(bytes, origin);
        open(&mut device);
        device.run(Duration::from_hours(1));
        let admission = record(&mut device, "afterwards");
        let expected = if usable { Admission::Stored } else { Admission::Lost };
        prop_assert_eq!(admission, expected);
        device.run(Duration::from_hours(1));
        prop_assert_eq!(device.alerter().stats().waiting, 0);
    }
}
