//! Brings storage up to date: the state, the slots that changed, the ledger, then a sync.
//!
//! ```text
//!  Rest ──due──► State ──► Slots ──► Ledger ──► Sync ──► Rest
//!                  │         ▲        (anything written since the last sync?)
//!                  └─ Sync ──┘
//!                   barrier: a batch was settled, or the program has just started
//! ```
//!
//! A round writes one piece a step. Every slot checks itself, and state and ledger alternate between
//! two banks each, of which one is durable, so a cut anywhere leaves what was there before. Order
//! matters in two cases. The slot of a settled record is not written over before the state that
//! settles it is durable, or a crash would find neither. And after a start the state goes first: its
//! count of starts tells which copy is newer. After a failure nothing counts as written
//! any more, and the next round writes everything, with one sync at its end: whoever makes a new
//! file of it needs no order.

use super::{Alerter, Done, Step, Token};
use crate::event::Level;
use crate::memory::Memory;
use crate::ring::BANK;
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
    /// Before any slot is written, the state has to be durable.
    barrier: bool,
    /// Bit 0: which bank of storage the next state goes to, bit 1: the next ledger. Each changes
    /// when what was written is durable.
    banks: u8,
    /// The banks written since the last sync, and whether anything was.
    written: u8,
    wrote: bool,
    round: Round,
    /// The piece that the driver has in hand.
    waiting: Option<Token>,
    failures: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    Rest,
    Save,
    State { offset: u16 },
    Slots { next: u16 },
    Ledger,
    Sync { barrier: bool },
    Syncing { barrier: bool },
}

const STATE_BANK: u8 = 1;
const LEDGER_BANK: u8 = 2;

/// The state is written in pieces of this size, which any driver's buffer holds.
const PIECE: usize = 256;
/// Slots looked at in one step.
const LOOKS: u16 = 32;

impl Commit {
    /// `banks` are those to write next. The first round makes the state durable before any slot: by
    /// the number of starts in it a later start tells which of two copies is the newer.
    pub(super) fn new(enabled: bool, banks: u8) -> Commit {
        Commit {
            enabled,
            due: Instant::FAR_FUTURE,
            blocked: Instant::ZERO,
            state_dirty: false,
            barrier: true,
            banks,
            written: 0,
            wrote: false,
            round: Round::Rest,
            waiting: None,
            failures: 0,
        }
    }

    /// The state was written anew in memory: storage must not get half of each.
    pub(super) fn state_moved(&mut self) {
        self.state_dirty = true;
        if let Round::State { offset } = &mut self.round {
            *offset = 0;
        }
    }

    /// A batch was settled.
    pub(super) fn needs_order(&mut self) {
        self.barrier = true;
    }

    /// Whether an attempt still has to wait for the round that notes it.
    pub(super) fn is_pending(&self) -> bool {
        self.round != Round::Rest
    }

    /// Whether storage has failed and is left alone at this time.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        self.failures > 0 && self.blocked > now
    }

    pub(super) fn failures(&self) -> u8 {
        self.failures
    }
}

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    #[inline]
    pub(super) fn schedule_commit(&mut self, now: Instant, level: Level) {
        let wait =
            if level >= Level::Error { self.policy.commit_error } else { self.policy.commit_other };
        let due = now + wait;
        if due < self.commit.due {
            self.commit.due = due;
            self.moved = true;
        }
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
        self.ring.write_folds();
        self.commit.due = Instant::FAR_FUTURE;
        // A round under way begins anew: what it has written is clean by now.
        self.commit.round =
            if self.commit.state_dirty { Round::Save } else { Round::Slots { next: 0 } };
    }

    /// The commit's next step, if it has one.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn commit_step(&mut self, now: Instant, buf: &mut [u8]) -> Option<Step> {
        if self.commit_at() > now {
            return None;
        }
        if self.commit.round == Round::Rest {
            self.begin_round();
        }
        match self.commit.round {
            Round::Rest | Round::Syncing { .. } => None,
            Round::Save => {
                // Once more: counters may have moved since it was saved last.
                self.save();
                self.commit.round = Round::State { offset: 0 };
                Some(Step::Again)
            }
            Round::State { offset } => Some(self.write_state(offset, buf)),
            Round::Slots { next } => Some(self.write_slot(next, buf)),
            Round::Ledger => Some(self.write_ledger(buf)),
            Round::Sync { barrier } => {
                self.commit.round = Round::Syncing { barrier };
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
        if let Some(piece) = copy(self.ring.take_label(), buf) {
            return self.write(piece);
        }
        let end = self.ring.len();
        for slot in next..end.min(next.saturating_add(LOOKS)) {
            if let Some(piece) = copy(self.ring.take_dirty(slot), buf) {
                self.commit.round = Round::Slots { next: slot + 1 };
                return self.write(piece);
            }
        }
        let next = next.saturating_add(LOOKS);
        self.commit.round = if next < end { Round::Slots { next } } else { Round::Ledger };
        Step::Again
    }

    /// The state goes to storage a piece a step, to the half that storage's newest
    /// block is not in, whichever bank of memory it stands in.
    fn write_state(&mut self, offset: u16, buf: &mut [u8]) -> Step {
        let half = self.commit.banks & STATE_BANK;
        let from = usize::from(offset);
        let bytes = self.ring.memory().bytes();
        let place = self.place.map_or(0, |place| place.bank);
        let piece = state::block(bytes, place).and_then(|block| block.get(from..)?.get(..PIECE));
        let piece = copy(piece.map(|piece| (usize::from(half) * BANK + from, piece)), buf);
        let next = offset.saturating_add(PIECE as u16);
        self.commit.round = if usize::from(next) < state::used(bytes, place).min(BANK) {
            Round::State { offset: next }
        } else {
            self.commit.state_dirty = false;
            self.commit.written |= STATE_BANK;
            self.ring.number_kept(self.state.next_seq);
            if self.commit.barrier && self.commit.failures == 0 {
                Round::Sync { barrier: true }
            } else {
                Round::Slots { next: 0 }
            }
        };
        match piece {
            Some(piece) => self.write(piece),
            None => Step::Again,
        }
    }

    fn write_ledger(&mut self, buf: &mut [u8]) -> Step {
        let half = (self.commit.banks & LEDGER_BANK) >> 1;
        let cell = self.ring.take_ledger(half);
        if let Some(piece) = copy(cell.as_ref().map(|(at, cell)| (*at, cell.as_slice())), buf) {
            self.commit.written |= LEDGER_BANK;
            self.commit.round = Round::Sync { barrier: false };
            return self.write(piece);
        }
        if self.commit.wrote {
            self.commit.round = Round::Sync { barrier: false };
        } else {
            self.end_round();
        }
        Step::Again
    }

    fn write(&mut self, (at, len): (usize, usize)) -> Step {
        self.commit.wrote = true;
        let token = self.wait();
        Step::Write { token, at, len }
    }

    /// The driver has lost the piece it had in hand.
    pub(super) fn piece_lost(&mut self, now: Instant) {
        if let Some(token) = self.commit.waiting {
            self.piece_done(now, token, Done::StorageFailed);
        }
    }

    /// Storage has lost what it held, or has never had it: everything is written again, and
    /// nothing counts as kept before that is done. Whoever keeps storage may call it at any time;
    /// a piece in hand is dropped.
    pub fn rewrite(&mut self, now: Instant) {
        let now = self.to_persistent(now);
        self.commit.waiting = None;
        self.doubt_storage();
        self.commit.failures = self.commit.failures.max(1);
        self.commit.due = now;
        self.moved = true;
    }

    /// What became of a piece. Answers to pieces of an earlier round are ignored.
    pub(super) fn piece_done(&mut self, now: Instant, token: Token, result: Done) {
        if self.commit.waiting != Some(token) {
            return;
        }
        self.commit.waiting = None;
        if result == Done::Stored {
            if let Round::Syncing { barrier } = self.commit.round {
                self.synced(barrier);
            }
            return;
        }
        // A pause that grows to a minute.
        self.doubt_storage();
        let pause = Duration::from_millis(1000 << self.commit.failures.min(6));
        self.commit.failures = self.commit.failures.saturating_add(1);
        self.commit.blocked = now + pause.min(Duration::from_mins(1));
        self.commit.due = now;
        self.counters.storage_failures = self.counters.storage_failures.saturating_add(1);
    }

    /// Nothing is durable for certain.
    fn doubt_storage(&mut self) {
        for slot in 0..self.ring.len() {
            self.ring.set_dirty(slot);
        }
        // The next round writes everything, in no order.
        self.ring.free_folds();
        self.ring.doubt_label();
        self.commit.state_dirty = true;
        self.commit.round = Round::Rest;
    }

    /// Where the record of the event admitted last stands in storage, and what is to stand there:
    /// for whoever cannot wait for the commit. To be written as it is, or not at all. `None` if it
    /// has no record, or if a record that storage does not know to be settled would be written
    /// over. The commit writes it once more.
    pub fn last_written(&self) -> Option<(usize, &[u8])> {
        let orderly = !self.commit.barrier || self.ring.consumed() == 0;
        if self.commit.enabled && orderly { self.ring.touched() } else { None }
    }

    fn synced(&mut self, barrier: bool) {
        self.commit.banks ^= core::mem::take(&mut self.commit.written);
        self.commit.wrote = false;
        self.ring.mark_banks(self.commit.banks);
        if barrier {
            self.commit.barrier = false;
            self.commit.round = Round::Slots { next: 0 };
        } else {
            self.end_round();
        }
    }

    /// Everything is durable.
    fn end_round(&mut self) {
        self.commit.round = Round::Rest;
        self.commit.barrier = false;
        self.commit.failures = 0;
        self.counters.commits = self.counters.commits.saturating_add(1);
        self.ring.folds_written();
    }
}

fn copy(piece: Option<(usize, &[u8])>, buf: &mut [u8]) -> Option<(usize, usize)> {
    let (at, bytes) = piece?;
    buf.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some((at, bytes.len()))
}
