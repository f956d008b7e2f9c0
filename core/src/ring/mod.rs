//! The ring: equal, self-checking slots over any byte region.
//!
//! Any slot can be dropped, none depends on another, and there is no head or tail to lose: after a
//! crash each slot is judged alone.
//!
//! ```text
//!            admit                    pin                   consume
//!  (free) ──────────► waiting ───────────────────► in flight ─────────► dead ──reclaim──► (free)
//!    ▲                   │  ▲ merge: count += 1        │ unpin: not sent
//!    └──────evict────────┘  └──────────────────────────┘
//! ```
//!
//! Every event takes a number when it comes, whether it gets a record, is merged into one or is
//! turned away. A record's sequence is the number of its first event; each count cell carries the
//! number of the latest. Three things follow:
//!
//! * What ends records is one number, the event up to which everything was settled, so a batch of
//!   any size is forgotten by one write.
//! * Losses are not counted but worked out: `last number - settled - waiting`. Whatever destroys
//!   a record, an eviction, a torn sector or a flipped bit, needs no second store to count it. A
//!   record that turns out to be there after all is not lost. So no crash between two stores, and
//!   no unsynced write that arrives while another does not, can lose a count or invent one.
//! * What a crash tore before it was whole was never numbered, and is not counted.
//!
//! Order of stores when a record is written, each a [`Memory::put`]: the slot's check is cleared,
//! the text, the header, the check; then the check of the record it displaces is cleared.

#[cfg(test)]
mod tests;

mod fold;
mod identity;
mod index;
mod label;
mod recover;
mod slot;

pub use identity::{Identity, identity, is_empty, waiting};
pub use index::Node;
pub use label::{PREFIX_MAX, label};
pub use slot::SLOT;

use crate::event::{Entry, Record, TEXT_256};
use crate::memory::Memory;
use crate::time::Instant;
use fold::Folds;
use index::{Index, NIL};
use slot::View;

pub(crate) use recover::Limits;
pub(crate) use slot::{CELL, SEQ_LIMIT, word};

/// Bytes before the first slot: two banks of state and the header.
pub const OVERHEAD: usize = LEDGER + HEADER;
/// Size of the header behind the banks: ledger, label and marks.
const HEADER: usize = 256;
pub(crate) use crate::state::BANK;
/// Where the ledger stands: two cells written in turn, as a record's, with the number of the last
/// event. In memory it is written when no record carries that: an event was turned away, a record
/// expired. In storage it is written by every commit.
pub(crate) const LEDGER: usize = 2 * BANK;
/// Bytes from one cell of the ledger to the next.
const PITCH: usize = 16;
const BANKS_MARK: u8 = 0xA4;
/// Where the launch mark stands; in memory alone.
const SENDING: usize = LEDGER + 128;
/// Where it stands that these bytes are a memory that an alerter has served; in memory alone.
const INITIALIZED: usize = SENDING + PITCH;
/// Where it stands which banks of storage are next: one byte, which no crash tears; in memory
/// alone.
const BANKS: usize = INITIALIZED + PITCH;
/// Where the label stands.
const LABEL: usize = LEDGER + 2 * PITCH;
/// Where a keeper of the ring may note whether a program has it open: one byte, which the ring
/// neither reads nor writes, in memory or in storage.
pub const OPEN_AT: usize = BANKS + PITCH;
/// Where a keeper of the ring may note how long nobody has claimed it: 16 bytes, likewise.
pub const UNCLAIMED_AT: usize = OPEN_AT + PITCH;

const _: () = assert!(LABEL + label::LEN <= SENDING && UNCLAIMED_AT + 16 <= OVERHEAD);

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
    /// The ring is full of more severe ones, or the event could not be taken; counted.
    Lost,
}

/// The slots, their index, and the numbers that each start works out anew from the bytes. One event
/// moves several of the numbers, so they stand side by side.
#[derive(Debug)]
pub(crate) struct Ring<'a, M, const TEXT: usize> {
    memory: M,
    index: Index<'a, TEXT>,
    /// The number of the next event.
    next_seq: u64,
    /// Records up to here are dead.
    consumed: u64,
    /// Records up to here are in flight.
    pinned: u64,
    /// Records up to here are not merged into.
    closed: u64,
    /// Events that wait, that are in flight, and that were evicted while in flight: these are lost
    /// unless the send succeeds.
    waiting: u64,
    flight: u64,
    evicted_in_flight: u64,
    /// The next number that storage has.
    ledger_seq: u64,
    /// Slots from here on may still hold dead records to reclaim; NIL: none.
    reclaim: u16,
    /// The slot that the last event went to; NIL: none.
    touched: u16,
    /// How far storage needs the slots of folded records.
    folds: Folds,
    /// Storage has the label.
    label_kept: bool,
}

impl<'a, M: Memory, const TEXT: usize> Ring<'a, M, TEXT> {
    /// Admits an event: merges it, stores it, or turns it away. Touches at most two slots.
    #[inline]
    pub(crate) fn admit(&mut self, entry: &Entry<TEXT>, now: Instant) -> Admission {
        let bucket = self.index.bucket(entry.key);
        let closed = self.closed;
        let latest = self.index.find(&self.memory, bucket, entry.key, |view| view.seq() > closed);
        // Of different events with one key, which are rare, only the latest is merged into.
        match latest.filter(|slot| self.view(*slot).is_some_and(|view| view.holds(entry))) {
            Some(slot) => self.merge(slot, now),
            None => self.store(bucket, entry, now),
        }
    }

    #[inline]
    fn merge(&mut self, slot: u16, now: Instant) -> Admission {
        let Some(view) = self.view(slot) else { return self.turn_away(1) };
        let (check, first, old) = (view.check(), view.first(), view.tally());
        // A count at its limit stays there; the number goes on, so the rest counts as lost.
        let count = old.count.saturating_add(1);
        let last = self.take_numbers(1);
        let lasted = millis_between(first, now).max(old.lasted);
        let cell = slot::cell(check, [count, last as u32, lasted]);
        self.memory.put(Self::at(slot) + old.next, &cell);
        self.index.set_dirty(slot, true);
        self.touched = slot;
        self.waiting += u64::from(count - old.count);
        Admission::Merged
    }

    /// `bucket` is the key's.
    #[inline]
    fn store(&mut self, bucket: u16, entry: &Entry<TEXT>, now: Instant) -> Admission {
        // One slot stays free, so that the newcomer is whole before the displaced one goes.
        let mut displaced = NIL;
        if self.index.free_count() < 2 {
            match self.displaced_by(entry) {
                Some(victim) => displaced = victim,
                None => return self.turn_away(1),
            }
        }
        let Some(slot) = self.index.take() else { return self.turn_away(1) };
        let seq = self.next_seq;
        self.take_numbers(1);
        slot::write(&mut self.memory, Self::at(slot), entry, seq, now);
        self.touched = slot;
        self.waiting += 1;
        if displaced != NIL {
            self.evict(displaced);
        }
        // Not before now: the displaced record may have been the head.
        let head = self.index.group(&self.memory, entry.group);
        self.index.insert(slot, bucket, entry.group, entry.level as u8, head);
        Admission::Stored
    }

    /// The record that `entry` displaces: [`NIL`] if dead ones make room, `None` if it is itself
    /// the one to turn away.
    #[cold]
    fn displaced_by(&mut self, entry: &Entry<TEXT>) -> Option<u16> {
        while self.index.free_count() < 2 {
            // Before storage has its count: what a loss of power would lose by that is less than
            // what the ring would.
            if !self.reclaim_next() && !self.index.release_folded() {
                let head = self.index.group(&self.memory, entry.group);
                return self.index.victim(&self.memory, entry.level as u8, head);
            }
        }
        Some(NIL)
    }

    /// Gives out numbers and returns the last of them.
    #[inline]
    fn take_numbers(&mut self, events: u32) -> u64 {
        self.next_seq += u64::from(events);
        self.next_seq - 1
    }

    fn evict(&mut self, victim: u16) {
        let Some(view) = self.view(victim) else { return };
        let (seq, count) = (view.seq(), u64::from(view.count()));
        if seq > self.pinned {
            self.waiting = self.waiting.saturating_sub(count);
        } else if seq > self.consumed {
            self.flight = self.flight.saturating_sub(count);
            self.evicted_in_flight += count;
        }
        self.memory.put(Self::at(victim), &[0; 4]);
        self.index.remove(&self.memory, victim);
        self.index.set_dirty(victim, true);
    }

    /// Gives numbers to events that could not be taken: they are lost.
    #[cold]
    pub(crate) fn turn_away(&mut self, events: u32) -> Admission {
        self.take_numbers(events);
        self.keep_number();
        self.touched = NIL;
        Admission::Lost
    }

    /// Keeps the last number where no record carries it.
    fn keep_number(&mut self) {
        let next = ledger(self.memory.bytes()).1;
        self.memory.put(next, &slot::cell(0, halves_of(self.next_seq - 1)));
    }

    /// Notes in memory alone that the attempt's bytes are about to leave. A crash before it, in a
    /// boot whose memory survives, needs no repeat.
    pub(crate) fn mark_sending(&mut self, reference: u32) {
        self.memory.put(SENDING, &slot::cell(reference, [1, 0, 0]));
    }

    /// Takes the mark back: the attempt is noted anew, and has not left yet.
    pub(crate) fn clear_sending(&mut self) {
        self.memory.put(SENDING, &[0; CELL]);
    }

    /// Whether the attempt was launched, as far as this memory knows.
    pub(crate) fn was_sending(&self, reference: u32) -> bool {
        was_sending(self.memory.bytes(), reference)
    }

    /// Notes in memory alone which banks of storage the next state and ledger go to.
    pub(crate) fn mark_banks(&mut self, banks: u8) {
        self.memory.put(BANKS, &[BANKS_MARK | banks]);
    }

    /// The banks noted last, if this memory knows.
    pub(crate) fn marked_banks(&self) -> Option<u8> {
        let mark = self.memory.bytes().get(BANKS)?;
        (mark & !3 == BANKS_MARK).then_some(mark & 3)
    }

    /// Notes in memory alone that it is more than a copy of storage.
    pub(crate) fn mark_initialized(&mut self) {
        if !was_initialized(self.memory.bytes()) {
            self.memory.put(INITIALIZED, &slot::cell(0, [3, 0, 0]));
        }
    }

    /// The half of the ledger that a copy of this memory does not hold its last number in.
    pub(crate) fn older_ledger_bank(&self) -> u8 {
        u8::from(ledger(self.memory.bytes()).1 != LEDGER)
    }

    /// Drops a waiting record that will not be reported.
    pub(crate) fn expire(&mut self, slot: u16) {
        if self.index.is_live(slot) {
            self.keep_number();
            self.evict(slot);
        }
    }

    /// Marks everything that is waiting now as in flight and returns the last number of it.
    pub(crate) fn pin(&mut self) -> u64 {
        self.pinned = self.next_seq - 1;
        self.closed = self.pinned;
        self.flight += core::mem::take(&mut self.waiting);
        self.evicted_in_flight = 0;
        self.pinned
    }

    /// Nothing is in flight any more.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn unpin(&mut self) {
        self.pinned = self.consumed;
        self.closed = self.pinned;
        self.waiting += core::mem::take(&mut self.flight);
        self.evicted_in_flight = 0;
    }

    /// What was evicted from the batch in flight will not be reported by its repeat: it is lost.
    pub(crate) fn lose_evicted(&mut self) {
        self.evicted_in_flight = 0;
    }

    /// Settles what is in flight. The records become free one by one; see [`reclaim_one`].
    ///
    /// [`reclaim_one`]: Ring::reclaim_one
    pub(crate) fn consume(&mut self) {
        self.consumed = self.pinned;
        self.flight = 0;
        self.evicted_in_flight = 0;
        self.reclaim = 0;
    }

    /// Looks at one slot that may be dead and frees it. `false` when there is none left to look at.
    pub(crate) fn reclaim_one(&mut self) -> bool {
        if self.folds == Folds::Kept && self.index.release_folded() {
            return true;
        }
        let slot = self.reclaim;
        if slot >= self.index.len() {
            self.reclaim = NIL;
            return false;
        }
        self.reclaim = slot + 1;
        let dead = self.view(slot).is_some_and(|view| view.seq() <= self.consumed);
        if dead && self.index.is_live(slot) {
            self.index.remove(&self.memory, slot);
        }
        true
    }

    /// Frees the next dead record, however many slots it takes to find it.
    fn reclaim_next(&mut self) -> bool {
        let dead = self.index.settled(&self.memory, self.reclaim, self.consumed);
        if let Some(slot) = dead {
            self.index.remove(&self.memory, slot);
        }
        self.reclaim = dead.map_or(NIL, |slot| slot + 1);
        dead.is_some()
    }

    /// Whether dead records wait to be freed.
    pub(crate) fn reclaims(&self) -> bool {
        self.reclaim != NIL || (self.folds == Folds::Kept && self.index.has_folded())
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
        let record = self.view(slot)?.record()?;
        (record.seq > self.consumed && record.seq <= upto).then_some(record)
    }

    /// The bytes of a slot whose storage copy is older, and marks it clean. Of a free slot that is
    /// its check, so that storage does not bring back what was dropped.
    pub(crate) fn take_dirty(&mut self, slot: u16) -> Option<(usize, &[u8])> {
        if !self.index.is_dirty(slot) {
            return None;
        }
        self.index.set_dirty(slot, false);
        let (at, len) = (Self::at(slot), if self.index.is_live(slot) { Self::SIZE } else { 4 });
        Some((at, self.memory.bytes().get(at..)?.get(..len)?))
    }

    /// The slot that the last event went to, its offset and its bytes; `None` if it was turned
    /// away or settled since.
    pub(crate) fn touched(&self) -> Option<(usize, &[u8])> {
        if !self.index.is_live(self.touched) {
            return None;
        }
        let at = Self::at(self.touched);
        Some((at, self.memory.bytes().get(at..)?.get(..Self::SIZE)?))
    }

    /// The cell of storage's ledger that is due in this bank, if there are numbers it lacks.
    pub(crate) fn take_ledger(&mut self, bank: u8) -> Option<(usize, [u8; CELL])> {
        if self.ledger_seq == self.next_seq {
            return None;
        }
        self.ledger_seq = self.next_seq;
        let at = LEDGER + PITCH * usize::from(bank & 1);
        Some((at, slot::cell(0, halves_of(self.next_seq - 1))))
    }

    /// The state in storage carries this next number; its ledger need not.
    pub(crate) fn number_kept(&mut self, next_seq: u64) {
        self.ledger_seq = next_seq;
    }

    /// Marks one slot as differing from storage, unless nothing unsettled ever stood in it; and the
    /// ledger.
    pub(crate) fn set_dirty(&mut self, slot: u16) {
        if self.view(slot).is_some_and(|view| view.seq() > self.consumed) {
            self.index.set_dirty(slot, true);
        }
        self.ledger_seq = 0;
    }

    /// Gives the ring the prefix of its texts, cut to what is kept, unless it has that already.
    pub(crate) fn set_label(&mut self, prefix: &str) {
        label::write(&mut self.memory, prefix, Self::SIZE);
    }

    /// The prefix of the ring's texts.
    pub(crate) fn prefix(&self) -> &str {
        label(self.memory.bytes())
    }

    /// The bytes of the label, if storage may have another.
    pub(crate) fn take_label(&mut self) -> Option<(usize, &[u8])> {
        if core::mem::replace(&mut self.label_kept, true) {
            return None;
        }
        Some((LABEL, self.memory.bytes().get(LABEL..)?.get(..label::LEN)?))
    }

    /// Storage may have lost everything.
    pub(crate) fn doubt_label(&mut self) {
        self.label_kept = false;
    }

    /// Size of a slot.
    const SIZE: usize = slot::size::<TEXT>();

    #[inline]
    fn at(slot: u16) -> usize {
        at::<TEXT>(slot)
    }

    #[inline]
    fn view(&self, slot: u16) -> Option<View<'_, TEXT>> {
        view(&self.memory, slot)
    }

    pub(crate) fn into_parts(self) -> (M, &'a mut [Node]) {
        (self.memory, self.index.into_nodes())
    }

    pub(crate) fn memory(&self) -> &M {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    /// Events lost so far, given how many of all were settled: reported, or handed on.
    pub(crate) fn lost(&self, settled: u64) -> u64 {
        [settled, self.waiting, self.flight, self.evicted_in_flight]
            .into_iter()
            .fold(self.next_seq - 1, u64::saturating_sub)
    }

    /// Events that wait or are in flight.
    pub(crate) fn events(&self) -> u64 {
        self.waiting + self.flight
    }

    /// Events in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.flight
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

/// Number of slots of 256 bytes that a region of `len` bytes holds.
pub const fn slots(len: usize) -> usize {
    slots_of::<TEXT_256>(len)
}

/// Number of slots with so many bytes of text that a region of `len` bytes holds.
pub const fn slots_of<const TEXT: usize>(len: usize) -> usize {
    len.saturating_sub(OVERHEAD) / slot_size::<TEXT>()
}

/// Size of a slot with so many bytes of text: 256 for
/// [`TEXT_256`], 512 for [`TEXT_512`](crate::event::TEXT_512).
pub const fn slot_size<const TEXT: usize>() -> usize {
    slot::size::<TEXT>()
}

/// Size of a region with `slots` slots of 256 bytes.
pub const fn region_len(slots: usize) -> usize {
    region_len_of::<TEXT_256>(slots)
}

/// Size of a region with `slots` slots of so many bytes of text.
pub const fn region_len_of<const TEXT: usize>(slots: usize) -> usize {
    OVERHEAD + slots * slot_size::<TEXT>()
}

/// Milliseconds from one instant to a later one, at most what 32 bits hold.
fn millis_between(first: Instant, now: Instant) -> u32 {
    u32::try_from(now.since(first).as_millis()).unwrap_or(u32::MAX)
}

/// Whether a region holds anything, and whether anything in it is no record.
pub(crate) fn condition<const TEXT: usize>(bytes: &[u8]) -> (bool, bool) {
    let slots = slots_of::<TEXT>(bytes.len()).min(usize::from(NIL)) as u16;
    let slots = (0..slots).filter_map(|slot| view::<_, TEXT>(bytes, slot));
    let used = |view: &View<'_, TEXT>| !view.is_free();
    slots.filter(used).fold((false, false), |(_, damaged), view| (true, damaged | !view.is_valid()))
}

/// Whether a slot holds no record although it is not free.
pub(crate) fn is_damaged<const TEXT: usize>(piece: &[u8]) -> bool {
    View::<TEXT>::of(piece).is_some_and(|view| !view.is_free() && !view.is_valid())
}

/// Whether a slot holds a record.
pub(crate) fn holds_record<const TEXT: usize>(slot: &[u8]) -> bool {
    View::<TEXT>::of(slot).is_some_and(|view| !view.is_free() && view.is_valid())
}

/// Makes `slot` a record of its own, beside any ring.
#[cfg(feature = "shared")]
pub(crate) fn write_alone<M: Memory + ?Sized, const TEXT: usize>(
    slot: &mut M,
    entry: &Entry<TEXT>,
) {
    slot::write(slot, 0, entry, 1, Instant::ZERO);
}

/// The record that [`write_alone`] has left.
#[cfg(feature = "shared")]
pub(crate) fn read_alone<const TEXT: usize>(slot: &[u8]) -> Option<Record<'_>> {
    if holds_record::<TEXT>(slot) { View::<TEXT>::of(slot)?.record() } else { None }
}

/// Whether these bytes are a memory that an alerter has served.
pub(crate) fn was_initialized(bytes: &[u8]) -> bool {
    slot::read_cell(bytes, INITIALIZED, 0).is_some_and(|cell| cell == [3, 0, 0])
}

fn was_sending(bytes: &[u8], reference: u32) -> bool {
    slot::read_cell(bytes, SENDING, reference).is_some_and(|cell| cell == [1, 0, 0])
}

#[inline]
fn at<const TEXT: usize>(slot: u16) -> usize {
    OVERHEAD + usize::from(slot) * slot_size::<TEXT>()
}

/// The sequence in a slot, read without a look at anything else.
#[inline(always)]
fn seq_of<M: Memory + ?Sized, const TEXT: usize>(memory: &M, slot: u16) -> u64 {
    let bytes =
        memory.bytes().get(at::<TEXT>(slot) + slot::SEQ..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
pub(crate) fn view<M: Memory + ?Sized, const TEXT: usize>(
    memory: &M,
    slot: u16,
) -> Option<View<'_, TEXT>> {
    View::of(memory.bytes().get(at::<TEXT>(slot)..)?)
}

fn halves_of(number: u64) -> [u32; 3] {
    [number as u32, (number >> 32) as u32, 0]
}

/// The number kept in the ledger, 0 if there is none, and where the next cell goes.
fn ledger(bytes: &[u8]) -> (u64, usize) {
    let cell = |at| {
        let [low, high, _] = slot::read_cell(bytes, at, 0)?;
        Some(slot::pair(low, high)).filter(|number| *number < SEQ_LIMIT)
    };
    let (first, second) = (cell(LEDGER).unwrap_or(0), cell(LEDGER + PITCH).unwrap_or(0));
    if first > second { (first, LEDGER + PITCH) } else { (second, LEDGER) }
}
