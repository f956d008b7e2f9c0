//! Taking over the slots that an earlier run left.

use super::fold::Folds;
use super::index::{Index, NIL};
use super::slot::{CELLS, NO_CELLS};
use super::{Node, OVERHEAD, Ring, SEQ_LIMIT, ledger, slots_of};
use crate::event::{Level, Record};
use crate::memory::Memory;

const _: () = assert!(OVERHEAD.is_multiple_of(super::SLOT));

/// What the state says about the slots.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Everything up to this number is settled.
    pub(crate) consumed: u64,
    /// The number of the next event when the block was written; slots may know of more.
    pub(crate) next_seq: u64,
}

impl<'a, M: Memory, const TEXT: usize> Ring<'a, M, TEXT> {
    /// Takes over whatever `memory` holds: every record that checks and is not settled. Any bytes
    /// at all are accepted. Returns also how many slots were neither valid nor free.
    pub(crate) fn recover(
        memory: M,
        nodes: &'a mut [Node],
        limits: &Limits,
    ) -> (Ring<'a, M, TEXT>, u16) {
        let usable = nodes.len().min(slots_of::<TEXT>(memory.bytes().len()));
        let nodes = nodes.split_at_mut_checked(usable).map_or(&mut [][..], |(front, _)| front);
        let consumed = limits.consumed.min(SEQ_LIMIT);
        let numbered = ledger(memory.bytes()).0.max(consumed);
        let mut ring = Ring {
            memory,
            index: Index::new(nodes),
            next_seq: limits.next_seq.min(SEQ_LIMIT).max(numbered + 1),
            consumed,
            pinned: consumed,
            closed: consumed,
            waiting: 0,
            flight: 0,
            evicted_in_flight: 0,
            ledger_seq: 0,
            reclaim: NIL,
            touched: NIL,
            folds: Folds::New,
            label_kept: false,
        };
        let damaged = ring.take_over();
        (ring, damaged)
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn take_over(&mut self) -> u16 {
        let mut damaged = 0;
        for slot in 0..self.index.len() {
            let Some(view) = self.view(slot) else { break };
            if view.is_free() {
                continue;
            }
            if view.is_valid() {
                self.next_seq = self.next_seq.max(view.tally().last.saturating_add(1));
            } else {
                damaged += 1;
                self.memory.put(Self::at(slot), &[0; 4]);
            }
        }
        // In order of arrival, so that a group's first is its first. Quadratic, once a start; no
        // memory to sort in.
        let mut last = self.consumed;
        while let Some((seq, slot)) = self.next_in_order(last) {
            last = seq;
            let Some(view) = self.view(slot) else { break };
            let (key, group, level) = (view.key(), view.group(), view.level());
            if self.equal_before(slot, true).is_some() {
                self.memory.put(Self::at(slot), &[0; 4]);
                continue;
            }
            self.waiting += u64::from(view.count());
            self.index.take_exact(slot);
            let head = self.index.group(&self.memory, group);
            self.index.insert(slot, self.index.bucket(key), group, level, head);
        }
        // What is left of the unsettled are copies of what was taken over; this ring makes none.
        for slot in 0..self.index.len() {
            if !self.index.is_live(slot) && self.unsettled(slot).is_some() {
                self.memory.put(Self::at(slot), &[0; 4]);
            }
        }
        // The crash came between a record and the end of the one it displaced, or storage still
        // had that one.
        while self.index.free_count() == 0 {
            let Some(victim) = self.index.victim(&self.memory, u8::MAX, NIL) else { break };
            self.expire(victim);
        }
        for slot in 0..self.index.len() {
            if !self.index.is_live(slot) {
                self.clear_cells(slot);
            }
            // Storage may still hold what was dropped, and must not bring it back.
            self.set_dirty(slot);
        }
        damaged
    }

    /// Clears the counts of a slot without a record. A number that was given just before the power
    /// went may be given again, and they would count for the event that gets it.
    fn clear_cells(&mut self, slot: u16) {
        let cells = Self::at(slot) + CELLS;
        if self.memory.bytes().get(cells..).is_some_and(|rest| !rest.starts_with(&NO_CELLS)) {
            self.memory.put(cells, &NO_CELLS);
        }
    }

    /// The slot of the latest severe record, settled or not, and its sequence: what was going on
    /// when the program or the device ended. Its slot is used last, so that it can be reported a while.
    /// For recovery.
    pub(crate) fn last_severe(&mut self) -> Option<(u16, u64)> {
        let mut last: Option<(u16, u64)> = None;
        for slot in 0..self.index.len() {
            if let Some(view) = self.view(slot)
                && !view.is_free()
                && view.level() >= Level::Error as u8
                && last.is_none_or(|(_, seq)| view.seq() > seq)
            {
                last = Some((slot, view.seq()));
            }
        }
        if let Some((slot, _)) = last
            && !self.index.is_live(slot)
        {
            self.index.use_last(slot);
        }
        last
    }

    /// The record of this sequence, if the slot still holds it, settled or not.
    pub(crate) fn remains(&self, slot: u16, seq: u64) -> Option<Record<'_>> {
        let view = self.view(slot).filter(|view| !view.is_free() && view.seq() == seq)?;
        view.record()
    }

    /// The sequence of the valid record in `slot`, if it is not settled. For recovery: damaged
    /// slots have been cleared.
    fn unsettled(&self, slot: u16) -> Option<u64> {
        let view = self.view(slot)?;
        (!view.is_free() && view.seq() > self.consumed).then_some(view.seq())
    }

    fn next_in_order(&self, after: u64) -> Option<(u64, u16)> {
        let mut best: Option<(u64, u16)> = None;
        for slot in 0..self.index.len() {
            if let Some(seq) = self.unsettled(slot)
                && seq > after
                && best.is_none_or(|(least, _)| seq < least)
            {
                best = Some((seq, slot));
            }
        }
        best
    }

    /// Marks the records up to `upto` as in flight and returns the number that holds: never one
    /// that is yet to be given. For recovery.
    pub(crate) fn pin_upto(&mut self, upto: u64) -> u64 {
        self.unpin();
        // Not `clamp`, which panics where the bounds are crossed.
        self.pinned = upto.min(self.next_seq - 1).max(self.consumed);
        self.closed = self.pinned;
        for slot in 0..self.index.len() {
            if let Some(record) = self.record(slot, self.pinned) {
                self.flight += u64::from(record.count);
            }
        }
        self.waiting = self.waiting.saturating_sub(self.flight);
        self.pinned
    }
}
