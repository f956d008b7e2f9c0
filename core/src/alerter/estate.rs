//! What another ring left, surveyed once and then read record by record.
//!
//! None of it needs the alerter, so a lock around that need not be held: [`Estate::survey`] and
//! [`Estate::look`] walk over all slots, [`Alerter::adopt`](super::Alerter::adopt) takes what was
//! found.

use super::Origin;
use super::adopt::{held, undo_adoption};
use crate::event::{Record, TEXT_256};
use crate::ring::{Held, foreign, next_foreign};
use crate::state::{self, State};

/// What is to be taken over of another ring, and how far that is. Small; its bytes stay with the
/// caller.
#[derive(Debug, Clone, Copy)]
pub struct Estate {
    pub(super) token: u64,
    origin: Origin,
    held: Held,
    /// Records up to this number may have been told before.
    pub(super) doubtful: u64,
    /// Events that wait there, of which those up to `skipped` may have been told twice.
    pub(super) waiting: u64,
    skipped: u64,
    /// Events that it had lost and not told.
    pub(super) lost: u64,
    /// The last record taken.
    pub(super) taken: u64,
    /// The slot of the next one, if it was looked for; `Some(None)`: there is none.
    next: Option<Option<u16>>,
}

impl Estate {
    /// Surveys the region of another ring: any bytes at all. `origin` says where they come from;
    /// `token` identifies this content: the same whenever it is offered, different from any
    /// other's, and not 0. Walks over all of it several times.
    pub fn survey(bytes: &[u8], origin: Origin, token: u64) -> Estate {
        let place = state::find(bytes);
        let mut other = State::read(bytes, place);
        let held = held(&other, origin);
        let attempt = other.attempt.unwrap_or_default();
        let found = foreign::<TEXT_256>(bytes, &held, attempt.reference);
        undo_adoption(&mut other, origin, found.last + 1);
        let left = attempt.charged > 0 && (found.launched || origin == Origin::Storage);
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
        let skipped = if tries > 1 { attempt.upto } else { 0 };
        Estate {
            token,
            origin,
            held,
            doubtful,
            waiting: found.waiting.min(1 << 48),
            skipped,
            lost: lost.min(u64::from(u32::MAX)),
            taken: 0,
            next: None,
        }
    }

    /// What identifies its content.
    pub fn token(&self) -> u64 {
        self.token
    }

    /// Where its bytes come from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Looks for the next record: what [`adopt`](super::Alerter::adopt) otherwise does itself.
    pub fn look(&mut self, bytes: &[u8]) {
        if self.next.is_none() {
            let after = self.taken.max(self.skipped);
            self.next = Some(next_foreign::<TEXT_256>(bytes, &self.held, after));
        }
    }

    /// The next record.
    pub(super) fn record<'b>(&mut self, bytes: &'b [u8]) -> Option<Record<'b>> {
        self.look(bytes);
        crate::ring::view::<_, TEXT_256>(bytes, self.next??)?.record()
    }

    /// It has been taken.
    pub(super) fn took(&mut self, seq: u64) {
        self.taken = self.taken.max(seq);
        self.next = None;
    }

    /// Whoever takes it knows better how far that is.
    pub(super) fn skip(&mut self, taken: u64) {
        if taken > self.taken {
            self.took(taken);
        }
    }
}
