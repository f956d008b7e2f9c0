//! Taking over another ring: that of a program that ended, or of an earlier slot of this one.
//!
//! Its bytes stay where they are until all of it is durable here; whoever keeps them removes them
//! then. So a crash may come at any moment, between any two stores:
//!
//! ```text
//!  noted ──► copied, under numbers from..=upto ──► committed ──► token remembered ──► removed
//!    └───────────────┴─────────── a crash ────────────┘                 └── a crash: offered again,
//!               undone: these numbers are void                              and not taken again
//! ```
//!
//! Memory keeps its order of stores, so there only a crash before the end of the copying undoes it.

use super::{Alerter, Origin};
use crate::event::Entry;
use crate::memory::Memory;
use crate::ring::{Held, foreign};
use crate::state::{self, ADOPTED, State};
use crate::time::Instant;

/// What another ring left.
#[derive(Debug, Clone, Copy)]
pub struct Estate<'b> {
    /// Its region; any bytes at all.
    pub bytes: &'b [u8],
    /// Where they come from.
    pub origin: Origin,
    /// Identifies this content: the same whenever it is offered, and different from any other's.
    /// Not 0.
    pub token: u64,
}

/// What became of an offer to [`Alerter::adopt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Adoption {
    /// Another is being taken over: offer it again after the next steps.
    Busy,
    /// Taken over, but not yet durable: keep the bytes and offer them again after the next steps.
    Pending,
    /// Everything of it is durable here; its bytes may be removed.
    Durable,
}

impl<M: Memory> Alerter<'_, M> {
    /// Takes over what another ring still holds, as if it were reported now: its records, and as
    /// lost what it had lost and not told. What it may have told already is told as a repeat, and
    /// what it may have told twice is counted as lost.
    ///
    /// To be offered again, at leisure, until the answer is [`Adoption::Durable`]; nothing is taken
    /// twice. Only one ring is taken over at a time. Walks both rings: not for an interrupt.
    pub fn adopt(&mut self, now: Instant, estate: &Estate<'_>) -> Adoption {
        self.take_over(now, estate, true)
    }

    /// As [`adopt`](Alerter::adopt), but nobody is told of its records: they are counted as too
    /// old. For a ring whose owner will not come back.
    pub fn write_off(&mut self, now: Instant, estate: &Estate<'_>) -> Adoption {
        self.take_over(now, estate, false)
    }

    fn take_over(&mut self, now: Instant, estate: &Estate<'_>, tell: bool) -> Adoption {
        if self.state.adopted.contains(&estate.token) {
            if !self.commit.enabled || !(self.commit.is_pending() || self.commit.state_dirty) {
                return Adoption::Durable;
            }
            let kept = self.kept(now);
            self.commit.due = self.commit.due.min(kept);
            return Adoption::Pending;
        }
        if self.state.adoption.is_some() {
            return Adoption::Busy;
        }
        let from = self.ring.next_seq();
        let adoption = state::Adoption { token: estate.token, from, upto: u64::MAX, void: false };
        self.state.adoption = Some(adoption);
        self.save();
        self.ring.merge_from(from);
        let doubt = self.copy(now, estate, tell);
        self.ring.merge_from(0);
        self.state.doubt = self.state.doubt.max(doubt);
        self.state.adoption = Some(state::Adoption { upto: self.ring.next_seq() - 1, ..adoption });
        self.commit.needs_order();
        if !self.commit.enabled {
            self.end_adoption();
        }
        self.save();
        let kept = self.kept(now);
        self.commit_now(kept);
        if self.commit.enabled { Adoption::Pending } else { Adoption::Durable }
    }

    /// Copies the records; returns up to which number of this ring they may have been told.
    fn copy(&mut self, now: Instant, estate: &Estate<'_>, tell: bool) -> u64 {
        let bytes = estate.bytes;
        let place = state::find(bytes);
        let mut other = place.map_or_else(State::default, |place| State::read(bytes, place));
        let mut held = held(&other, estate.origin);
        let attempt = other.attempt.unwrap_or_default();
        // A dry walk: how much is there, and how far its attempt got.
        let found = foreign(bytes, &held, attempt.reference, |_| ());
        undo_adoption(&mut other, estate.origin, found.last + 1);
        let left = attempt.charged > 0 && (found.launched || estate.origin == Origin::Storage);
        let tries = attempt.unknowns.saturating_add(u8::from(left));
        let mut doubtful = other.doubt;
        if tries > 0 {
            doubtful = doubtful.max(attempt.upto);
        }
        let mut lost = found.last.saturating_sub(other.settled).saturating_sub(found.waiting);
        lost = lost.saturating_sub(u64::from(other.tally.told));
        for unknown in &other.unconfirmed {
            lost = lost.saturating_add(u64::from(unknown.events));
        }
        if place.is_none() {
            (doubtful, lost) = (u64::MAX, 0);
        }
        if !tell {
            let events = u32::try_from(lost.saturating_add(found.waiting)).unwrap_or(u32::MAX);
            self.state.tally.expired = self.state.tally.expired.saturating_add(events);
            self.ring.turn_away(events);
            return 0;
        }
        let mut doubt = 0;
        let skipped = if tries > 1 { attempt.upto } else { 0 };
        foreign(bytes, &held_beyond(&mut held, skipped), 0, |record| {
            let entry = Entry::of_record(record);
            self.admit_counted(now, &entry, record.count);
            if record.seq <= doubtful {
                doubt = self.ring.next_seq() - 1;
            }
        });
        if skipped > 0 {
            let kept = foreign(bytes, &held, 0, |_| ());
            lost = lost.saturating_add(found.waiting.saturating_sub(kept.waiting));
        }
        if lost > 0 {
            self.count_lost(now, u32::try_from(lost).unwrap_or(u32::MAX));
        }
        doubt
    }

    fn admit_counted(&mut self, now: Instant, entry: &Entry, count: u32) {
        let now = self.kept(now);
        let admission = self.ring.admit(entry, crate::told::tick(now), count);
        self.admitted(now, entry, admission);
    }

    /// What was adopted is durable, or what was undone is cleared.
    pub(super) fn end_adoption(&mut self) {
        if let Some(adoption) = self.state.adoption.take()
            && !adoption.void
        {
            self.state.adopted.rotate_right(1);
            if let Some(first) = self.state.adopted.first_mut() {
                *first = adoption.token;
            }
        }
        self.save();
    }
}

fn held_beyond(held: &mut Held, skipped: u64) -> Held {
    held.consumed = held.consumed.max(skipped);
    *held
}

/// What `state` says of the slots beside it, given where they come from.
pub(super) fn held(state: &State, origin: Origin) -> Held {
    let undone = state
        .adoption
        .filter(|adoption| adoption.void || adoption.upto == u64::MAX || origin == Origin::Storage);
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
    if !adoption.void {
        adoption.void = true;
        adoption.upto = upto.min(next_seq - 1);
        let numbers = (adoption.upto + 1).saturating_sub(from);
        state.settled = state.settled.saturating_add(numbers);
    }
}

const _: () = assert!(ADOPTED >= 2);
