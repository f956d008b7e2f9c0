//! Brings storage up to date: the slots that changed, the ledger, the state, then one sync.
//!
//! A round writes one piece a step, in any order the medium likes; every slot checks itself and the
//! state alternates between its two halves, so a cut anywhere leaves what was there before. After a
//! failure nothing counts as written any more, and the next round writes everything.

use super::{Alerter, Done, Step, Token};
use crate::event::Level;
use crate::memory::Memory;
use crate::ring::{SLOT, STATE};
use crate::state;
use crate::time::{Duration, Instant};

/// Where the commit stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Commit {
    /// Whether there is storage at all.
    pub(super) enabled: bool,
    /// When the next round begins.
    pub(super) due: Instant,
    /// After failures no round begins before this.
    pub(super) blocked: Instant,
    /// The state in memory is newer than in storage.
    pub(super) state_dirty: bool,
    /// Which half of storage the next state goes to; changes when it is durable.
    half: u8,
    wrote_state: bool,
    round: Round,
    /// The piece that the driver has in hand.
    waiting: Option<Token>,
    failures: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Rest,
    Slots { next: u16 },
    State { offset: u16 },
    Sync,
    Syncing,
}

/// Slots looked at in one step.
const LOOKS: u16 = 32;

impl Commit {
    pub(super) fn new(enabled: bool, half: u8) -> Commit {
        Commit {
            enabled,
            due: Instant::FAR_FUTURE,
            blocked: Instant::ZERO,
            state_dirty: false,
            half,
            wrote_state: false,
            round: Round::Rest,
            waiting: None,
            failures: 0,
        }
    }

    /// Whether an attempt still has to wait for the round that notes it.
    pub(super) fn is_pending(&self) -> bool {
        self.round != Round::Rest
    }

    pub(super) fn failures(&self) -> u8 {
        self.failures
    }
}

impl<M: Memory> Alerter<'_, M> {
    pub(super) fn schedule_commit(&mut self, now: Instant, level: Level) {
        let wait =
            if level >= Level::Error { self.policy.commit_error } else { self.policy.commit_other };
        self.commit.due = self.commit.due.min(now + wait);
    }

    /// When the next round has something to do.
    pub(super) fn commit_at(&self) -> Instant {
        match (self.commit.enabled, self.commit.round, self.commit.waiting) {
            (false, ..) | (_, _, Some(_)) => Instant::FAR_FUTURE,
            (_, Round::Rest, None) => self.commit.due.max(self.commit.blocked),
            _ => Instant::ZERO,
        }
    }

    /// Begins a round at once, unless storage has just failed.
    pub(super) fn commit_now(&mut self, now: Instant) {
        self.commit.due = now;
        if self.commit.enabled && self.commit.blocked <= now {
            self.begin_round();
        }
    }

    fn begin_round(&mut self) {
        self.commit.due = Instant::FAR_FUTURE;
        // A round under way begins anew: what it has written is clean by now.
        self.commit.round = Round::Slots { next: 0 };
    }

    /// The commit's next step, if it has one.
    pub(super) fn commit_step(&mut self, now: Instant, buf: &mut [u8]) -> Option<Step> {
        if self.commit_at() > now {
            return None;
        }
        if self.commit.round == Round::Rest {
            self.begin_round();
        }
        match self.commit.round {
            Round::Rest | Round::Syncing => None,
            Round::Slots { next } => Some(self.write_slot(next, buf)),
            Round::State { offset } => Some(self.write_state(offset, buf)),
            Round::Sync => {
                self.commit.round = Round::Syncing;
                Some(Step::Sync { token: self.wait() })
            }
        }
    }

    fn wait(&mut self) -> Token {
        let token = self.next_token();
        self.commit.waiting = Some(token);
        token
    }

    fn write_slot(&mut self, next: u16, buf: &mut [u8]) -> Step {
        let end = self.ring.len();
        for slot in next..end.min(next.saturating_add(LOOKS)) {
            if let Some(piece) = copy(self.ring.take_dirty(slot), buf) {
                self.commit.round = Round::Slots { next: slot + 1 };
                return self.write(piece);
            }
        }
        let next = next.saturating_add(LOOKS);
        if next < end {
            self.commit.round = Round::Slots { next };
            return Step::Again;
        }
        if self.commit.state_dirty {
            // Saved here once more: counters may have moved since.
            self.save();
            self.commit.state_dirty = false;
            self.commit.wrote_state = true;
            self.commit.round = Round::State { offset: 0 };
        } else {
            self.commit.round = Round::Sync;
        }
        match copy(self.ring.take_dirty_ledger(), buf) {
            Some(piece) => self.write(piece),
            None => Step::Again,
        }
    }

    /// The state goes to storage in pieces of a slot's size, to the half that storage's newest
    /// block is not in, whichever half of memory it stands in.
    fn write_state(&mut self, offset: u16, buf: &mut [u8]) -> Step {
        let half = self.commit.half;
        let from = usize::from(offset);
        let source =
            self.place.and_then(|place| state::block(self.ring.memory().bytes(), place.half));
        let bytes = source.and_then(|block| block.get(from..)?.get(..SLOT));
        let piece = copy(bytes.map(|bytes| (usize::from(half) * STATE + from, bytes)), buf);
        let offset = offset + SLOT as u16;
        self.commit.round =
            if usize::from(offset) < STATE { Round::State { offset } } else { Round::Sync };
        match piece {
            Some(piece) => self.write(piece),
            None => Step::Again,
        }
    }

    fn write(&mut self, (at, len): (usize, usize)) -> Step {
        let token = self.wait();
        Step::Write { token, at, len }
    }

    /// The driver has lost the piece it had in hand.
    pub(super) fn piece_lost(&mut self, now: Instant) {
        if let Some(token) = self.commit.waiting {
            self.piece_done(now, token, Done::StorageFailed);
        }
    }

    /// What became of a piece. Answers to pieces of an earlier round are ignored.
    pub(super) fn piece_done(&mut self, now: Instant, token: Token, result: Done) {
        if self.commit.waiting != Some(token) {
            return;
        }
        self.commit.waiting = None;
        if result == Done::Stored {
            if self.commit.round == Round::Syncing {
                self.commit.round = Round::Rest;
                self.commit.half ^= u8::from(core::mem::take(&mut self.commit.wrote_state));
                self.ring.mark_half(self.commit.half);
                self.commit.failures = 0;
                self.counters.commits = self.counters.commits.saturating_add(1);
            }
            return;
        }
        // Nothing is durable for certain now: everything is written again, after a pause that
        // grows to a minute.
        for slot in 0..self.ring.len() {
            self.ring.set_dirty(slot);
        }
        let pause = Duration::from_millis(1000 << self.commit.failures.min(6));
        self.commit.failures = self.commit.failures.saturating_add(1);
        self.commit.blocked = now + pause.min(Duration::from_mins(1));
        self.commit.state_dirty = true;
        self.commit.due = now;
        self.commit.round = Round::Rest;
        self.counters.storage_failures = self.counters.storage_failures.saturating_add(1);
    }
}

fn copy(piece: Option<(usize, &[u8])>, buf: &mut [u8]) -> Option<(usize, usize)> {
    let (at, bytes) = piece?;
    buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some((at, bytes.len()))
}
