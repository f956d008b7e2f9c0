//! Taking over another ring: that of a program that ended, or of an earlier slot of this one.
//!
//! One record a call, so that a lock around the alerter is held shortly and events come in between.
//! The other ring's bytes stay where they are until all of it is durable here; whoever keeps them
//! removes them then. So a crash may come at any moment, between any two stores:
//!
//! ```text
//!  noted, with numbers from..=upto set aside ──► copied ──► committed ──► token remembered ──► removed
//!    └─────────────────────┴─────────── a crash ────┘                         └── a crash: offered
//!                   undone: these numbers are void                        again, and not taken again
//! ```
//!
//! The numbers are set aside beforehand: for as many events as wait there and were lost there. Those
//! that no record gets are thereby lost here too. Events of this ring that come meanwhile have
//! later numbers, are not merged into what is being copied, and do not go when that is undone. No
//! attempt at what waits begins before the copying is over.
//!
//! Memory keeps its order of stores, so there only a crash before the end of the copying undoes it.

use super::estate::Estate;
use super::{Alerter, Origin};
use crate::event::Entry;
use crate::memory::Memory;
use crate::ring::Held;
use crate::state::{self, ADOPTED, State};
use crate::time::Instant;

/// What became of an offer to [`Alerter::adopt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Adoption {
    /// Another is being taken over: offer it again after the next steps.
    Busy,
    /// There is more: offer it again at once. Until then no text leaves.
    More,
    /// Taken over, but not yet durable: keep the bytes and offer them again after the next steps.
    Pending,
    /// Everything of it is durable here; its bytes may be removed.
    Durable,
}

/// A ring that is being copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copying {
    /// The next of the numbers set aside.
    next: u64,
    /// The sequence, there, of the last record copied.
    taken: u64,
}

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// Takes over what another ring still holds, as if it were reported now: its records, and as
    /// lost what it had lost and not told. What it may have told already is told as a repeat, and
    /// what it may have told twice is counted as lost.
    ///
    /// `bytes` are those that were surveyed. Takes one record a call: to be called again, at once
    /// while there is [`More`](Adoption::More), then at leisure, until the answer is
    /// [`Adoption::Durable`]. Nothing is taken twice. Only one ring is taken over at a time.
    pub fn adopt(&mut self, now: Instant, bytes: &[u8], estate: &mut Estate) -> Adoption {
        self.begin_adoption(now, estate)
            .unwrap_or_else(|| self.copy_next(now, bytes, estate).unwrap_or(Adoption::More))
    }

    /// As [`adopt`](Alerter::adopt), but nobody is told of its records: they are counted as too
    /// old. For a ring whose owner will not come back.
    pub fn write_off(&mut self, now: Instant, estate: &mut Estate) -> Adoption {
        self.begin_adoption(now, estate).unwrap_or_else(|| {
            let events = estate.lost.saturating_add(estate.waiting);
            let expired = &mut self.state.tally.expired;
            *expired = expired.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
            self.end_copying(now)
        })
    }

    /// Notes that the ring is about to be copied, unless that is done. `None`: it may be copied.
    fn begin_adoption(&mut self, now: Instant, estate: &mut Estate) -> Option<Adoption> {
        if self.state.adopted.contains(&estate.token) {
            if !self.commit.enabled || !(self.commit.is_pending() || self.commit.state_dirty) {
                return Some(Adoption::Durable);
            }
            let kept = self.kept(now);
            self.commit.due = self.commit.due.min(kept);
            return Some(Adoption::Pending);
        }
        if let Some(adoption) = self.state.adoption {
            let copying = self.copying.filter(|_| adoption.token == estate.token);
            return match copying {
                Some(copying) => {
                    estate.skip(copying.taken);
                    None
                }
                None if adoption.token == estate.token && !adoption.void => Some(Adoption::Pending),
                None => Some(Adoption::Busy),
            };
        }
        let from = self.ring.set_aside(estate.waiting.saturating_add(estate.lost));
        let upto = self.ring.next_seq() - 1;
        self.copying = Some(Copying { next: from, taken: 0 });
        self.state.adoption =
            Some(state::Adoption { token: estate.token, from, upto, void: false, copying: true });
        self.save();
        // Nothing of it is written to storage before this is known there.
        self.commit.needs_order();
        self.commit.undoable = true;
        let kept = self.kept(now);
        self.commit_now(kept);
        None
    }

    /// Copies one record. `None`: there may be more.
    fn copy_next(&mut self, now: Instant, bytes: &[u8], estate: &mut Estate) -> Option<Adoption> {
        let copying = self.copying?;
        let upto = self.state.adoption.map_or(0, |adoption| adoption.upto);
        let Some(record) = estate.record(bytes) else {
            // Whatever number is left stands for a loss.
            let lost = upto.saturating_add(1).saturating_sub(copying.next);
            let aside = &mut self.state.tally.aside;
            *aside = aside.saturating_add(u32::try_from(lost).unwrap_or(u32::MAX));
            return Some(self.end_copying(now));
        };
        let (seq, count) = (record.seq, record.count);
        estate.took(seq);
        let next = copying.next.saturating_add(u64::from(count));
        if next > upto.saturating_add(1) {
            // These are not the bytes that were surveyed.
            return None;
        }
        self.copying = Some(Copying { next, taken: seq });
        let kept = self.kept(now);
        let entry = Entry::<TEXT>::of_record(&record);
        let admission = self.ring.admit_as(&entry, kept, count, copying.next);
        self.admitted(kept, &entry, admission);
        if seq <= estate.doubtful {
            self.state.doubt = self.state.doubt.max(next - 1);
        }
        None
    }

    fn end_copying(&mut self, now: Instant) -> Adoption {
        self.copying = None;
        self.ring.end_aside();
        if let Some(adoption) = &mut self.state.adoption {
            adoption.copying = false;
        }
        self.commit.needs_order();
        if !self.commit.enabled {
            self.end_adoption();
            self.commit.undoable = false;
        }
        self.save();
        let kept = self.kept(now);
        self.commit_now(kept);
        self.expect_reckoning(kept);
        self.moved = true;
        if self.commit.enabled { Adoption::Pending } else { Adoption::Durable }
    }

    /// What was adopted is durable, or what was undone is cleared.
    pub(super) fn end_adoption(&mut self) {
        if let Some(adoption) = self.state.adoption.take()
            && !adoption.void
        {
            let mut token = adoption.token;
            for place in &mut self.state.adopted {
                token = core::mem::replace(place, token);
            }
        }
        self.save();
    }
}

/// What `state` says of the slots beside it, given where they come from.
///
/// Storage may lack what was copied, unless a text that was accepted has told all of it: then there
/// is nothing left to lack, and the numbers are settled once.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(super) fn held(state: &State, origin: Origin) -> Held {
    let lacking = |upto| origin == Origin::Storage && state.consumed < upto;
    let undone = state
        .adoption
        .filter(|adoption| adoption.void || adoption.copying || lacking(adoption.upto));
    Held {
        consumed: state.consumed,
        next_seq: state.next_seq,
        void: undone.map(|adoption| (adoption.from, adoption.upto)),
    }
}

/// Undoes an adoption that a crash cut short: its numbers count for nothing.
pub(super) fn undo_adoption(state: &mut State, origin: Origin, next_seq: u64) {
    let Some((from, upto)) = held(state, origin).void else { return };
    let Some(adoption) = &mut state.adoption else { return };
    adoption.copying = false;
    if !adoption.void {
        adoption.void = true;
        adoption.upto = upto.min(next_seq - 1);
        let numbers = (adoption.upto + 1).saturating_sub(from);
        state.settled = state.settled.saturating_add(numbers);
    }
}

const _: () = assert!(ADOPTED >= 2);
