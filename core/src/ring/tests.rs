//! The ring against a model that is a plain list.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::{Admission, Limits, Node, Ring, SLOT, at, region_len};
use crate::event::{Entry, Event, Level, TEXT_256};
use crate::memory::Memory;
use crate::testing::CuttingMemory;
use crate::time::Instant;

const SLOTS: usize = 7;

/// Admits an event so many times.
fn admit<M: Memory>(ring: &mut Ring<'_, M, TEXT_256>, entry: &Entry, times: u32) -> Admission {
    let admission = ring.admit(entry, Instant::ZERO);
    for _ in 1..times {
        ring.admit(entry, Instant::ZERO);
    }
    admission
}

/// A record of the model: `(sequence, level, group, name, count)`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    seq: u64,
    level: Level,
    group: u8,
    name: u8,
    count: u64,
}

/// What the ring must be, in as few words as can be.
#[derive(Debug, Default)]
struct Model {
    kept: Vec<Kept>,
    next: u64,
    consumed: u64,
    pinned: u64,
    settled: u64,
}

impl Model {
    /// Admits, giving up `gone` if one has to go.
    fn admit(&mut self, new: (Level, u8, u8), count: u64, gone: Option<u64>) -> Admission {
        let (level, group, name) = new;
        let seq = self.next;
        self.next += count;
        let pinned = self.pinned;
        let equal = |kept: &&mut Kept| {
            kept.seq > pinned && (kept.level, kept.group, kept.name) == (level, group, name)
        };
        // The newest of them; there is never more than one that is not in flight.
        if let Some(kept) = self.kept.iter_mut().rev().find(equal) {
            kept.count += count;
            return Admission::Merged;
        }
        if self.kept.len() == SLOTS - 1 {
            let victims = self.victims(level, group);
            if victims.is_empty() {
                return Admission::Lost;
            }
            let gone = gone.expect("one has to go");
            assert!(victims.contains(&gone), "{gone} went, not one of {victims:?}");
            self.kept.retain(|kept| kept.seq != gone);
        }
        self.kept.push(Kept { seq, level, group, name, count });
        Admission::Stored
    }

    /// Adds the record to the one of its kind before it, and says which that is.
    fn fold(&mut self, seq: u64) -> Option<u64> {
        let at = self.kept.iter().position(|kept| kept.seq == seq)?;
        let young = self.kept[at].clone();
        let kind = |kept: &Kept| (kept.level, kept.group, kept.name);
        let pinned = self.pinned;
        let equal = |kept: &&mut Kept| kept.seq > pinned && kind(kept) == kind(&young);
        let old = self.kept[..at].iter_mut().rev().find(equal)?;
        old.count += young.count;
        let into = old.seq;
        self.kept.remove(at);
        Some(into)
    }

    /// Lowest level first; in it the largest group gives its second, or of two the first; a lone
    /// record goes last. Of equals the group with the oldest head, or the newcomer's own.
    fn victims(&self, newcomer: Level, own: u8) -> Vec<u64> {
        let Some(lowest) = self.kept.iter().map(|kept| kept.level).min() else { return vec![] };
        if newcomer < lowest {
            return vec![];
        }
        let of = |group: u8| -> Vec<u64> {
            let ours = self.kept.iter().filter(|kept| (kept.level, kept.group) == (lowest, group));
            ours.map(|kept| kept.seq).collect()
        };
        let lowest_ones = self.kept.iter().filter(|kept| kept.level == lowest);
        let groups: Vec<Vec<u64>> = lowest_ones.map(|kept| of(kept.group)).collect();
        let widest = groups.iter().map(Vec::len).max().unwrap_or(0);
        let oldest = groups.iter().find(|group| group.len() == widest);
        let own = of(own);
        let own = (newcomer == lowest && own.len() == widest && widest > 2).then_some(&own);
        let given = |group: &Vec<u64>| group[usize::from(group.len() > 2)];
        oldest.into_iter().chain(own).map(given).collect()
    }

    fn lost(&self) -> u64 {
        self.next - 1 - self.settled - self.kept.iter().map(|kept| kept.count).sum::<u64>()
    }
}

#[derive(Debug, Clone)]
enum Op {
    Admit(Level, u8, u8, u32),
    Pin,
    Unpin,
    Consume,
    Fold(u8),
    FreeFolds,
    Expire(u8),
    TurnAway(u8),
    Reclaim,
    Recover,
}

fn op() -> impl Strategy<Value = Op> {
    let level = prop_oneof![
        1 => Just(Level::Info),
        3 => Just(Level::Warn),
        5 => Just(Level::Error),
        1 => Just(Level::Panic),
    ];
    let count = prop_oneof![8 => Just(1_u32), 1 => 2_u32..9];
    prop_oneof![
        30 => (level, 0_u8..4, 0_u8..4, count)
            .prop_map(|(level, group, name, count)| Op::Admit(level, group, name, count)),
        2 => Just(Op::Pin),
        1 => Just(Op::Unpin),
        2 => Just(Op::Consume),
        3 => any::<u8>().prop_map(Op::Fold),
        1 => Just(Op::FreeFolds),
        1 => any::<u8>().prop_map(Op::Expire),
        1 => (1_u8..5).prop_map(Op::TurnAway),
        3 => Just(Op::Reclaim),
        1 => Just(Op::Recover),
    ]
}

fn entry(level: Level, group: u8, name: u8) -> Entry {
    let name = char::from(b'a' + name).to_string();
    Entry::new(&Event::new(level, &name).at("a.rs", 10 * level as u32 + u32::from(group)))
}

fn kept(ring: &Ring<'_, Vec<u8>, TEXT_256>) -> Vec<Kept> {
    let mut all: Vec<Kept> = (0..ring.len())
        .filter_map(|slot| {
            let record = ring.record(slot, u64::MAX)?;
            Some(Kept {
                seq: record.seq,
                level: record.level,
                group: (record.site?.line % 10) as u8,
                name: record.message.bytes().next()? - b'a',
                count: u64::from(record.count),
            })
        })
        .collect();
    all.sort_by_key(|kept| kept.seq);
    all
}

fn run(ops: &[Op]) {
    let mut nodes = vec![Node::EMPTY; SLOTS];
    let mut model = Model { next: 1, ..Model::default() };
    let mut memory = vec![0; region_len(SLOTS)];
    let mut done = 0;
    // Each turn lives until the next recovery.
    while done < ops.len() {
        let limits = Limits { consumed: model.consumed, next_seq: 0 };
        let (mut ring, damaged) = Ring::<_, TEXT_256>::recover(memory.clone(), &mut nodes, &limits);
        assert_eq!(damaged, 0);
        if model.pinned > model.consumed {
            assert_eq!(ring.pin_upto(model.pinned), model.pinned);
        }
        while let Some(op) = ops.get(done) {
            done += 1;
            match *op {
                Op::Admit(level, group, name, count) => {
                    let before = kept(&ring);
                    let admission = admit(&mut ring, &entry(level, group, name), count);
                    let after = kept(&ring);
                    let is_gone = |old: &&Kept| after.iter().all(|new| new.seq != old.seq);
                    let gone = before.iter().find(is_gone).map(|kept| kept.seq);
                    let expected = model.admit((level, group, name), u64::from(count), gone);
                    assert_eq!(admission, expected, "{op:?}");
                }
                Op::Pin => {
                    ring.pin();
                    model.pinned = model.next - 1;
                }
                Op::Unpin => {
                    ring.unpin();
                    model.pinned = model.consumed;
                }
                Op::Consume => {
                    model.consumed = model.pinned;
                    let pinned = model.pinned;
                    let told = model.kept.iter().filter(|kept| kept.seq <= pinned);
                    model.settled += told.map(|kept| kept.count).sum::<u64>();
                    model.kept.retain(|kept| kept.seq > pinned);
                    ring.consume();
                }
                Op::Fold(slot) => {
                    let slot = u16::from(slot) % SLOTS as u16;
                    let seq = ring.record(slot, u64::MAX).map(|record| record.seq);
                    if let Some(seq) = seq {
                        let into = ring.fold(slot).map(|(_, seq)| seq);
                        assert_eq!(into, model.fold(seq));
                    }
                }
                Op::FreeFolds => ring.free_folds(),
                Op::Expire(slot) => {
                    let slot = u16::from(slot) % SLOTS as u16;
                    let seq = ring.record(slot, u64::MAX).map(|record| record.seq);
                    if seq.is_some_and(|seq| seq > model.pinned) {
                        ring.expire(slot);
                        model.kept.retain(|kept| Some(kept.seq) != seq);
                    }
                }
                Op::TurnAway(events) => {
                    ring.turn_away(u32::from(events));
                    model.next += u64::from(events);
                }
                Op::Reclaim => {
                    ring.reclaim_one();
                }
                Op::Recover => break,
            }
            assert_eq!(kept(&ring), model.kept, "{op:?}");
            assert_eq!(ring.next_seq(), model.next, "{op:?}");
            let waiting: u64 = model.kept.iter().map(|kept| kept.count).sum();
            assert_eq!(ring.events(), waiting, "{op:?}");
            assert_eq!(ring.lost(model.settled) + ring.evicted_in_flight, model.lost(), "{op:?}");
        }
        memory.clone_from(ring.memory());
        // Only what is gone takes its number along, and the last may be gone.
        if ops.get(done - 1).is_some_and(|op| matches!(op, Op::Recover)) {
            let last = model.kept.iter().map(|kept| kept.seq + kept.count - 1).max();
            assert!(ring.next_seq() > last.unwrap_or(0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn the_ring_does_what_a_list_would(ops in proptest::collection::vec(op(), 1..120)) {
        run(&ops);
    }
}

/// The walk of slots at a recovery is quadratic; the index must come out as it was all the same.
#[test]
fn a_storm_keeps_the_first_and_the_latest() {
    let mut nodes = vec![Node::EMPTY; SLOTS];
    let (mut ring, _) =
        Ring::<_, TEXT_256>::recover(vec![0; region_len(SLOTS)], &mut nodes, &Limits::default());
    for number in 0..10_000_u32 {
        let name = std::format!("failure {number}");
        let entry = Entry::new(&Event::new(Level::Error, &name).at("a.rs", 1));
        assert_eq!(admit(&mut ring, &entry, 1), Admission::Stored);
    }
    let seqs: Vec<u64> = kept(&ring).iter().map(|kept| kept.seq).collect();
    assert_eq!(seqs, [1, 9996, 9997, 9998, 9999, 10_000]);
    assert_eq!(ring.lost(0), 9_994);
}

fn events_in(bytes: Vec<u8>) -> u64 {
    let mut nodes = vec![Node::EMPTY; SLOTS];
    let (ring, _) = Ring::<_, TEXT_256>::recover(bytes, &mut nodes, &Limits::default());
    assert_eq!(ring.lost(0) + ring.events(), ring.next_seq() - 1);
    ring.events()
}

/// Three records of one event and one of another, and the slot of the youngest of the three.
fn three_equals(ring: &mut Ring<'_, CuttingMemory, TEXT_256>) -> u16 {
    for count in [2, 1, 3] {
        admit(ring, &entry(Level::Error, 1, 1), count);
        ring.pin();
    }
    admit(ring, &entry(Level::Error, 1, 2), 1);
    ring.unpin();
    (0..ring.len())
        .find(|slot| ring.record(*slot, 9).is_some_and(|record| record.seq == 4))
        .unwrap()
}

#[test]
fn a_fold_that_is_cut_anywhere_counts_every_event_once() {
    for cut in 0.. {
        let mut nodes = vec![Node::EMPTY; SLOTS];
        let memory = CuttingMemory::new(region_len(SLOTS));
        let (mut ring, _) = Ring::<_, TEXT_256>::recover(memory, &mut nodes, &Limits::default());
        let slot = three_equals(&mut ring);
        let stored = ring.memory().stored();
        ring.memory_mut().cut_at(stored + cut);
        let (into, seq) = ring.fold(slot).unwrap();
        assert_eq!(seq, 3);
        assert_eq!(ring.fold(into).unwrap().1, 1);
        assert_eq!(ring.fold(into), None);
        assert_eq!((ring.events(), ring.lost(0)), (7, 0));
        assert_eq!(events_in(ring.memory().survives()), 7, "{cut}");
        if !ring.memory().is_cut() {
            return assert!(cut > 20);
        }
    }
}

#[test]
fn the_slot_of_a_folded_record_in_storage_changes_nothing() {
    let mut nodes = vec![Node::EMPTY; SLOTS];
    let memory = CuttingMemory::new(region_len(SLOTS));
    let (mut ring, _) = Ring::<_, TEXT_256>::recover(memory, &mut nodes, &Limits::default());
    let slot = three_equals(&mut ring);
    let before = ring.memory().survives();
    let (into, _) = ring.fold(slot).unwrap();
    ring.fold(into).unwrap();
    let after = ring.memory().survives();
    // Whichever slots have arrived, except that of the record that went before the other's count.
    for arrived in 0..1_u32 << SLOTS {
        let mut storage = before.clone();
        for slot in (0..SLOTS).filter(|slot| arrived & 1 << slot != 0) {
            let range = at::<TEXT_256>(slot as u16)..at::<TEXT_256>(slot as u16) + SLOT;
            let frees = after[range.start..].starts_with(&[0; 4]);
            if !frees || arrived == (1 << SLOTS) - 1 {
                storage[range.clone()].copy_from_slice(&after[range]);
            }
        }
        assert_eq!(events_in(storage), 7, "{arrived:b}");
    }
}
