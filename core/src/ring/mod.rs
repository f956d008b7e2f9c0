//! The ring: equal, self-checking slots over any byte region.
//!
//! Any slot can be given up, none depends on another, and there is no head or tail to lose: after a
//! crash each slot is judged alone. What orders records is their sequence; what ends them is one
//! number, the sequence up to which everything was delivered, so a batch of any size is forgotten
//! by one write.
//!
//! ```text
//!            admit                    pin(upto)              consume
//!  (free) ──────────► waiting ───────────────────► in flight ─────────► dead ──reclaim──► (free)
//!    ▲                   │  ▲ merge: count += 1        │ unpin: not sent
//!    └──────evict────────┘  └──────────────────────────┘
//! ```
//!
//! Order of stores when a record is written, each a [`Memory::put`]: the slot's check is cleared,
//! the text, the header, the check; then the displaced record's check is cleared. The header names
//! the slot it displaced and carries the number of all events evicted so far: the same store that
//! makes the record valid makes the eviction count. A crash before it loses neither.

mod index;
mod slot;

pub use index::Node;
pub use slot::SLOT;

use crate::event::{Entry, Record};
use crate::memory::Memory;
use index::{Index, NIL};
use slot::{Stamp, View};

pub(crate) use slot::word;

/// Bytes before the first slot: two state blocks and the ledger.
pub const OVERHEAD: usize = 2 * STATE + SLOT;
/// Size of one of the two state blocks.
pub(crate) const STATE: usize = 1024;
/// Where the ledger stands: the count of events lost at the door, in two cells like a record's.
pub(crate) const LEDGER: usize = 2 * STATE;
/// Where the launch mark stands, in the ledger.
const LAUNCH: usize = LEDGER + 128;
/// Where it stands which half of storage is next, in the ledger.
const HALF: usize = LAUNCH + 8;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Admission {
    /// It has a record of its own.
    Stored,
    /// An equal event was waiting; its count went up by one.
    Merged,
    /// Below the threshold, muted or scrubbed away; counted.
    Suppressed,
    /// The ring is full of graver ones, or the event could not be taken; counted.
    Lost,
}

/// How many events were lost, for good or perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Losses {
    /// Turned away at the door: everything kept was graver.
    pub(crate) turned_away: u32,
    /// Evicted while waiting.
    pub(crate) evicted: u32,
    /// Evicted while in flight.
    pub(crate) evicted_pinned: u32,
}

/// The slots and their index.
#[derive(Debug)]
pub(crate) struct Ring<'a, M> {
    memory: M,
    index: Index<'a>,
    next_seq: u64,
    /// Records up to here are dead.
    consumed: u64,
    /// Records up to here are in flight: not merged into.
    pinned: u64,
    losses: Losses,
    ledger_dirty: bool,
    /// Slots from here on may still hold dead records to reclaim; NIL: none.
    reclaim: u16,
}

/// What recovery found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    /// Slots that held neither a valid record nor nothing.
    pub(crate) damaged: u16,
}

impl<'a, M: Memory> Ring<'a, M> {
    /// Takes over whatever `memory` holds: every record that checks and lies beyond `consumed`.
    /// Any bytes at all are accepted.
    pub(crate) fn recover(
        memory: M,
        nodes: &'a mut [Node],
        consumed: u64,
        next_seq: u64,
        counted: Losses,
    ) -> (Ring<'a, M>, Found) {
        let slots = memory.bytes().len().saturating_sub(OVERHEAD) / SLOT;
        let usable = nodes.len().min(slots);
        let nodes = nodes.split_at_mut_checked(usable).map_or(&mut [][..], |(front, _)| front);
        let mut ring = Ring {
            losses: Losses {
                turned_away: counted.turned_away.max(ledger_count(memory.bytes())),
                ..counted
            },
            memory,
            index: Index::new(nodes),
            next_seq: next_seq.max(consumed.saturating_add(1)),
            consumed,
            pinned: consumed,
            ledger_dirty: false,
            reclaim: NIL,
        };
        let found = ring.adopt_slots();
        (ring, found)
    }

    fn adopt_slots(&mut self) -> Found {
        let mut found = Found::default();
        for slot in 0..self.index.len() {
            let Some(view) = view(&self.memory, slot) else { break };
            if view.is_free() {
                continue;
            }
            if !view.is_valid() {
                found.damaged += 1;
                self.memory.put(at(slot), &[0; 4]);
                continue;
            }
            self.losses.evicted = self.losses.evicted.max(view.evicted());
            self.losses.evicted_pinned = self.losses.evicted_pinned.max(view.evicted_pinned());
            self.next_seq = self.next_seq.max(view.seq().saturating_add(1));
        }
        for slot in 0..self.index.len() {
            let displaced = self.live_seq(slot).and_then(|(seq, victim)| {
                let (old, _) = self.live_seq(victim?)?;
                (old < seq).then_some(victim?)
            });
            // The crash came between the new record's check and the old one's end: it is counted.
            if let Some(victim) = displaced {
                self.memory.put(at(victim), &[0; 4]);
            }
        }
        // In order of arrival, so that a group's first is its first. Quadratic in the worst case,
        // once a start; no memory to sort in.
        let mut last = self.consumed;
        while let Some((seq, slot)) = self.next_in_order(last) {
            last = seq;
            let Some(view) = view(&self.memory, slot) else { break };
            let (key, group, level) = (view.key(), view.group(), view.level());
            self.index.take_exact(slot);
            let head = self.index.group(&self.memory, group);
            self.index.insert(slot, key, group, level, head);
        }
        // Only bytes that this ring did not write can fill every slot.
        while self.index.free_count() == 0 {
            let Some(victim) = self.index.victim(&self.memory, u8::MAX, NIL) else { break };
            self.count_evicted(victim);
            self.evict(victim);
        }
        found
    }

    fn evict(&mut self, victim: u16) {
        self.memory.put(at(victim), &[0; 4]);
        self.index.remove(&self.memory, victim);
    }

    fn live_seq(&self, slot: u16) -> Option<(u64, Option<u16>)> {
        let view = view(&self.memory, slot)?;
        (!view.is_free() && view.seq() > self.consumed).then(|| (view.seq(), view.victim()))
    }

    fn next_in_order(&self, after: u64) -> Option<(u64, u16)> {
        let mut best: Option<(u64, u16)> = None;
        for slot in 0..self.index.len() {
            if let Some((seq, _)) = self.live_seq(slot)
                && seq > after
                && best.is_none_or(|(least, _)| seq < least)
            {
                best = Some((seq, slot));
            }
        }
        best
    }

    /// Admits one event: merges it, stores it, or turns it away. Touches at most two slots.
    #[inline]
    pub(crate) fn admit(&mut self, entry: &Entry, tick: u32) -> Admission {
        let pinned = self.pinned;
        let equal = self
            .index
            .find(&self.memory, entry.key, |view| view.seq() > pinned && view.holds(entry));
        match equal {
            Some(slot) => self.merge(slot, 1),
            None => self.store(entry, tick),
        }
    }

    /// Admits an event that was reported `count` times before it came here.
    pub(crate) fn admit_counted(&mut self, entry: &Entry, tick: u32, count: u32) -> Admission {
        let admission = self.admit(entry, tick);
        if admission == Admission::Lost {
            return self.turn_away(count.saturating_sub(1));
        }
        let pinned = self.pinned;
        let slot = self
            .index
            .find(&self.memory, entry.key, |view| view.seq() > pinned && view.holds(entry));
        if let (Some(slot), Some(more)) = (slot, count.checked_sub(1).filter(|more| *more > 0)) {
            self.merge(slot, more);
        }
        admission
    }

    fn merge(&mut self, slot: u16, more: u32) -> Admission {
        let Some(view) = view(&self.memory, slot) else { return Admission::Lost };
        // Only an odd step changes cells; the cell of the old count must stay.
        let last = u32::from(more.is_multiple_of(2));
        let (seq, old) = (view.seq(), view.count());
        let count = old.checked_add(more - last).unwrap_or(old);
        if count > old {
            self.memory.put(at(slot) + slot::cell_at(count), &slot::cell(seq, count));
            self.index.set_dirty(slot, true);
        }
        if last > 0 && more > 0 {
            return self.merge(slot, last);
        }
        Admission::Merged
    }

    fn store(&mut self, entry: &Entry, tick: u32) -> Admission {
        // One slot stays free, so that the newcomer is whole before the displaced one goes.
        while self.index.free_count() < 2 && self.reclaim_one() {}
        let head = self.index.group(&self.memory, entry.group);
        let mut displaced = None;
        if self.index.free_count() < 2 {
            match self.index.victim(&self.memory, entry.level as u8, head) {
                Some(victim) => displaced = Some(victim),
                None => return self.turn_away(1),
            }
        }
        let Some(slot) = self.index.take() else { return self.turn_away(1) };
        if let Some(victim) = displaced {
            self.count_evicted(victim);
        }
        let stamp = Stamp {
            seq: self.next_seq,
            tick,
            victim: displaced.map_or(0, |victim| victim + 1),
            evicted: self.losses.evicted,
            evicted_pinned: self.losses.evicted_pinned,
        };
        self.next_seq += 1;
        self.write(slot, entry, &stamp);
        let head = match displaced {
            Some(victim) => {
                self.evict(victim);
                // The displaced record may have been the head.
                if victim == head { self.index.group(&self.memory, entry.group) } else { head }
            }
            None => head,
        };
        self.index.insert(slot, entry.key, entry.group, entry.level as u8, head);
        Admission::Stored
    }

    fn write(&mut self, slot: u16, entry: &Entry, stamp: &Stamp) {
        let at = at(slot);
        let header = slot::header(entry, stamp);
        let (check, rest) = header.split_at(4);
        self.memory.put(at, &[0; 4]);
        self.memory.put(at + slot::text_at(), entry.text());
        self.memory.put(at + 4, rest);
        self.memory.put(at, check);
    }

    fn count_evicted(&mut self, victim: u16) {
        let Some(view) = view(&self.memory, victim) else { return };
        let (seq, count) = (view.seq(), view.count());
        let total = if seq <= self.pinned {
            &mut self.losses.evicted_pinned
        } else {
            &mut self.losses.evicted
        };
        *total = total.saturating_add(count);
    }

    /// Counts events that could not be taken.
    pub(crate) fn turn_away(&mut self, events: u32) -> Admission {
        let count = self.losses.turned_away.saturating_add(events);
        // The cells stand as in a slot; the sequence that binds them is the ledger's own, 0.
        self.memory.put(LEDGER + slot::cell_at(count), &slot::cell(0, count));
        self.losses.turned_away = count;
        self.ledger_dirty = true;
        Admission::Lost
    }

    /// Notes in memory alone that the attempt's bytes are about to leave. A crash before it, in a
    /// boot whose memory survives, needs no repeat.
    pub(crate) fn mark_launch(&mut self, reference: u32) {
        self.memory.put(LAUNCH, &slot::cell(u64::from(reference), 1));
    }

    /// Whether the attempt was launched, as far as this memory knows.
    pub(crate) fn was_launched(&self, reference: u32) -> bool {
        let mark = slot::cell(u64::from(reference), 1);
        self.memory.bytes().get(LAUNCH..).and_then(|rest| rest.first_chunk()) == Some(&mark)
    }

    /// Notes in memory alone which half of storage the next state goes to.
    pub(crate) fn mark_half(&mut self, half: u8) {
        self.memory.put(HALF, &slot::cell(u64::from(half), 2));
    }

    /// The half noted last, if this memory knows.
    pub(crate) fn marked_half(&self) -> Option<u8> {
        let mark = self.memory.bytes().get(HALF..)?.first_chunk()?;
        (0..2).find(|half| slot::cell(u64::from(*half), 2) == *mark)
    }

    /// Drops a record that nobody will be told of; the caller has counted it.
    pub(crate) fn expire(&mut self, slot: u16) {
        if self.index.is_live(slot) {
            self.evict(slot);
        }
    }

    /// Marks everything that is waiting now as in flight and returns the last sequence of it.
    pub(crate) fn pin(&mut self) -> u64 {
        self.pinned = self.next_seq - 1;
        self.pinned
    }

    /// Marks the records up to `upto` as in flight.
    pub(crate) fn pin_upto(&mut self, upto: u64) {
        self.pinned = upto.max(self.consumed);
    }

    /// Nothing is in flight any more.
    pub(crate) fn unpin(&mut self) {
        self.pinned = self.consumed;
    }

    /// Forgets the records up to `upto`. They become free one by one; see [`reclaim_one`].
    ///
    /// [`reclaim_one`]: Ring::reclaim_one
    pub(crate) fn consume(&mut self, upto: u64) {
        self.consumed = self.consumed.max(upto);
        self.pinned = self.pinned.max(self.consumed);
        self.reclaim = 0;
    }

    /// Looks at one slot that may be dead and frees it. `false` when there is none left to look at.
    pub(crate) fn reclaim_one(&mut self) -> bool {
        let slot = self.reclaim;
        if slot >= self.index.len() {
            self.reclaim = NIL;
            return false;
        }
        self.reclaim = slot + 1;
        let dead = view(&self.memory, slot).is_some_and(|view| view.seq() <= self.consumed);
        if dead && self.index.is_live(slot) {
            self.index.remove(&self.memory, slot);
        }
        true
    }

    /// Whether dead records wait to be freed.
    pub(crate) fn reclaims(&self) -> bool {
        self.reclaim != NIL
    }

    /// Hands every record that `bytes` of another ring still hold to `each`, in order of arrival.
    pub(crate) fn read_foreign(bytes: &[u8], consumed: u64, mut each: impl FnMut(Record<'_>)) {
        let slots = slots(bytes.len()).min(usize::from(NIL)) as u16;
        let live = |slot: u16| {
            let view = view(bytes, slot)?;
            (view.seq() > consumed && !view.is_free() && view.is_valid()).then_some(view)
        };
        let displaced = |slot: u16, seq: u64| {
            let mut all = (0..slots).filter_map(live);
            all.any(|other| other.victim() == Some(slot) && other.seq() > seq)
        };
        let mut last = consumed;
        loop {
            let next = (0..slots)
                .filter_map(|slot| Some((live(slot)?.seq(), slot)))
                .filter(|(seq, _)| *seq > last)
                .min();
            let Some((seq, slot)) = next else { return };
            last = seq;
            if let Some(record) =
                live(slot).and_then(View::record).filter(|_| !displaced(slot, seq))
            {
                each(record);
            }
        }
    }

    /// Number of slots.
    pub(crate) fn len(&self) -> u16 {
        self.index.len()
    }

    /// The live record in `slot`, if its sequence is in `(consumed, upto]`.
    pub(crate) fn record(&self, slot: u16, upto: u64) -> Option<Record<'_>> {
        if !self.index.is_live(slot) {
            return None;
        }
        let record = view(&self.memory, slot)?.record()?;
        (record.seq > self.consumed && record.seq <= upto).then_some(record)
    }

    /// The bytes of a slot whose storage copy is older, and marks it clean. Free slots are never
    /// written: the record that displaced them, or the sequence they are consumed by, ends them.
    pub(crate) fn take_dirty(&mut self, slot: u16) -> Option<(usize, &[u8])> {
        if !self.index.is_dirty(slot) {
            return None;
        }
        self.index.set_dirty(slot, false);
        let at = at(slot);
        Some((at, self.memory.bytes().get(at..)?.get(..SLOT)?))
    }

    /// The ledger's bytes if its storage copy is older, and marks it clean.
    pub(crate) fn take_dirty_ledger(&mut self) -> Option<(usize, &[u8])> {
        if !core::mem::take(&mut self.ledger_dirty) {
            return None;
        }
        Some((LEDGER, self.memory.bytes().get(LEDGER..)?.get(..SLOT)?))
    }

    /// Marks one slot as differing from storage, if a record lives there, and the ledger.
    pub(crate) fn set_dirty(&mut self, slot: u16) {
        if self.index.is_live(slot) {
            self.index.set_dirty(slot, true);
        }
        self.ledger_dirty = true;
    }

    pub(crate) fn memory(&self) -> &M {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    pub(crate) fn losses(&self) -> Losses {
        self.losses
    }

    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    pub(crate) fn consumed(&self) -> u64 {
        self.consumed
    }

    pub(crate) fn pinned(&self) -> u64 {
        self.pinned
    }
}

/// Number of slots that a region of `len` bytes holds.
pub const fn slots(len: usize) -> usize {
    len.saturating_sub(OVERHEAD) / SLOT
}

/// Size of a region with `slots` slots.
pub const fn region_len(slots: usize) -> usize {
    OVERHEAD + slots * SLOT
}

fn at(slot: u16) -> usize {
    OVERHEAD + usize::from(slot) * SLOT
}

pub(crate) fn view<M: Memory + ?Sized>(memory: &M, slot: u16) -> Option<View<'_>> {
    memory.bytes().get(at(slot)..)?.get(..SLOT).map(View)
}

/// The count kept in the ledger; 0 if there is none.
fn ledger_count(bytes: &[u8]) -> u32 {
    let ledger = bytes.get(LEDGER..).and_then(|rest| rest.get(..SLOT)).unwrap_or(&[]);
    let cell = |at: usize| {
        let count = word(ledger, at);
        if slot::cell(0, count).get(4..) == ledger.get(at + 4..at + 8) { count } else { 0 }
    };
    cell(slot::cell_at(0)).max(cell(slot::cell_at(1)))
}
