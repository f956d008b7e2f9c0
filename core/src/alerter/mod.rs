//! The state machine: from a recorded event to a text that was accepted.
//!
//! A scan finds when what is due. An attempt is noted and made durable; then its text is composed, a
//! piece a step, and sent. The outcome decides: settled, given back, repeated or latched.
//! [ARCHITECTURE.md](https://github.com/annunciator-rs/annunciator/blob/main/ARCHITECTURE.md#states)
//! has the chart.
//!
//! Beside it runs the commit: slots and state that storage does not have yet are written one a
//! step, then synced. An attempt waits for the commit that notes it; nothing else does.
//!
//! Every call touches at most one slot or one buffer beyond a few words, so a lock around it is
//! held shortly. Time comes in as an argument; the same calls give the same results.

mod commit;
mod done;
mod exchange;
mod notices;
mod recover;
mod schedule;
mod send;
mod stats;

pub use crate::destination::{DESTINATION_LEN, destination_generation};
pub use crate::policy::{Policy, Quiet};
pub use recover::{Origin, Setup, StartReason, is_damaged};
pub use stats::{Activity, LostEvents, Stats};

use crate::destination::DestinationState;
use crate::digest::{Digest, Group};
use crate::event::{Entry, Event, Level, TEXT_256};
use crate::memory::Memory;
use crate::retry::Retry;
use crate::ring::{Admission, Node, Ring};
use crate::state::{BankId, State};
use crate::time::Instant;
use crate::transport::{Message, Outcome, Reference};
use commit::Commit;
use exchange::Exchange;
use notices::{Notices, WallClock};
use schedule::Schedule;
use stats::Counters;

/// Memory the alerter works with, lent by the caller.
#[derive(Debug)]
pub struct Buffers<'a> {
    /// One for each slot of the region; see [`ring::slots`](crate::ring::slots). Slots beyond the
    /// nodes are not used.
    pub nodes: &'a mut [Node],
    /// Scratch of the digest: groups that one text can tell apart; 16 to 32 serve.
    pub groups: &'a mut [Group],
}

/// Serves one destination. See the [module](self) for its states.
///
/// `TEXT` is the number of bytes of text in a slot: 184 in slots of 256 bytes, the default;
/// [`TEXT_512`](crate::event::TEXT_512) where there is room for longer messages.
///
/// Its fields are parts with a duty each; they stand side by side because a step borrows several.
#[derive(Debug)]
pub struct Alerter<'a, M, const TEXT: usize = TEXT_256> {
    ring: Ring<'a, M, TEXT>,
    groups: &'a mut [Group],
    digest: Digest,
    policy: Policy,
    state: State,
    place: Option<BankId>,
    destination: DestinationState,
    exchange: Exchange,
    retry: Retry,
    commit: Commit,
    phase: Phase,
    schedule: Schedule,
    /// Events may have moved what is due since [`clear_moved`](Alerter::clear_moved).
    moved: bool,
    token: u32,
    counters: Counters,
    /// What the caller's wall clock showed, if it was set.
    wall: Option<WallClock>,
    /// What the text under way says beside the events.
    notices: Notices,
    /// How it came to this start, and the slot and sequence of the last severe event before.
    reason: StartReason,
    cause: Option<(u16, u64)>,
}

/// Where the alerter stands; `ARCHITECTURE.md` has the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Looking through the slots, one a step, for when what is due.
    Scan { slot: u16 },
    /// Waiting for a due time.
    Idle,
    /// An attempt is decided upon and is to be kept.
    Noting,
    /// An attempt is noted; the commit that makes it durable is under way.
    Noted,
    /// The digest is being written, a piece a step; `slot` is where its walk stands.
    Composing { slot: u16 },
    /// Noting, one a step, which groups the accepted text has reported.
    Settling { group: u16 },
    /// Handed to the transport.
    Sending { token: u32, segments: u8, events: u32 },
    /// The transport has answered; the consequence is yet to be drawn.
    Answered { outcome: Outcome, segments: u8, events: u32 },
}

/// Identifies a piece of work between [`Alerter::step`] and [`Alerter::done`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(u32);

/// The next thing the driver has to do. Exhaustive on purpose: a driver that does not know a step
/// cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Nothing before `until`, unless an event moves [`Alerter::poll_at`] or something is done.
    /// Earlier calls are harmless; later ones delay alerts.
    Idle {
        /// When to call again.
        until: Instant,
    },
    /// There is more to do at once: release whatever lock is held, then call again, with the
    /// buffer untouched.
    Again,
    /// Write the first `len` bytes of the buffer to storage at offset `at`, and hand the result to
    /// [`Alerter::done`] before the next step.
    Write {
        /// To hand to [`Alerter::done`].
        token: Token,
        /// Offset in the storage region.
        at: usize,
        /// Number of bytes.
        len: usize,
    },
    /// Make the writes so far durable, and hand the result to [`Alerter::done`] before the next step:
    /// a step between them could have the newest state in storage written over.
    Sync {
        /// To hand to [`Alerter::done`].
        token: Token,
    },
    /// Send the text in the buffer. Further steps may be taken meanwhile (they keep storage up to
    /// date) but overwrite the buffer.
    Send(Ticket),
}

/// A text ready to be sent: its shape; the bytes are in the driver's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// To hand to [`Alerter::done`].
    pub token: Token,
    len: u16,
    encoding: crate::gsm7::Encoding,
    segments: u8,
    reference: Reference,
    repeat: bool,
}

impl Ticket {
    /// The message, given the buffer that was handed to [`Alerter::step`].
    pub fn message<'b>(&self, buf: &'b [u8]) -> Message<'b> {
        let bytes = buf.get(..usize::from(self.len)).unwrap_or(&[]);
        Message {
            text: core::str::from_utf8(bytes).unwrap_or(""),
            encoding: self.encoding,
            segments: self.segments,
            reference: self.reference,
            repeat: self.repeat,
        }
    }
}

/// What became of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A [`Step::Write`] or [`Step::Sync`] succeeded.
    Stored,
    /// A [`Step::Write`] or [`Step::Sync`] failed. Everything will be written again.
    StorageFailed,
    /// What the transport said of a [`Step::Send`].
    Sent(Outcome),
}

impl<'a, M: Memory, const TEXT: usize> Alerter<'a, M, TEXT> {
    /// Admits one event. Touches at most two slots; callable under a critical section, though
    /// [`admit`](Alerter::admit) keeps that shorter.
    pub fn record(&mut self, now: Instant, event: &Event<'_>) -> Admission {
        if event.level < self.policy.level {
            return self.suppress();
        }
        self.admit(now, &Entry::sized(event))
    }

    /// Admits one event made ready beforehand, outside any lock.
    #[inline]
    pub fn admit(&mut self, now: Instant, entry: &Entry<TEXT>) -> Admission {
        if entry.level < self.policy.level {
            return self.suppress();
        }
        let now = self.to_persistent(now);
        let admission = self.ring.admit(entry, now);
        self.admitted(now, entry, admission)
    }

    #[inline]
    fn admitted(&mut self, now: Instant, entry: &Entry<TEXT>, admission: Admission) -> Admission {
        self.schedule_commit(now, entry.level);
        if admission == Admission::Lost {
            self.counters.turned_away(1);
            return admission;
        }
        if entry.level >= Level::Error {
            self.exchange.new_errors = self.exchange.new_errors.saturating_add(1);
        }
        let Alerter { schedule, destination, policy, .. } = self;
        if schedule.on_event(policy, &mut destination.log, now, entry.group, entry.level) {
            self.moved = true;
        }
        admission
    }

    #[cold]
    fn suppress(&mut self) -> Admission {
        self.count_suppressed(1);
        Admission::Suppressed
    }

    /// Counts events that were kept out on purpose before they came here.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn count_suppressed(&mut self, events: u32) {
        let suppressed = &mut self.state.tally.suppressed;
        *suppressed = suppressed.saturating_add(events);
        self.counters.suppressed(events);
    }

    /// Counts events that never reached [`record`](Alerter::record): dropped by a path that must
    /// not wait, or turned down before. They are reported as lost.
    pub fn count_lost(&mut self, now: Instant, events: u32) {
        let now = self.to_persistent(now);
        self.state.tally.unrecorded = self.state.tally.unrecorded.saturating_add(events);
        self.ring.turn_away(events);
        self.counters.turned_away(events);
        self.commit.state_dirty = true;
        self.schedule_commit(now, Level::Warn);
        self.schedule_loss_report(now);
        self.moved = true;
    }

    /// Ends the hold: what may be sent now is sent now. Interval, budget, backoff and latch stand.
    pub fn flush(&mut self, now: Instant) {
        let now = self.to_persistent(now);
        self.schedule.flush(now);
        if self.phase != Phase::Idle {
            // It ends in a scan, which finds anew when what is due.
            self.schedule.flush_after_scan();
        }
        self.commit.due = self.commit.due.min(now);
        self.moved = true;
    }

    /// Has what is recorded committed to storage now. Sends nothing.
    pub fn commit(&mut self, now: Instant) {
        self.commit.due = self.commit.due.min(self.to_persistent(now));
        self.moved = true;
    }

    /// The next thing the driver has to do. Texts and slots to write are copied into `buf`, which
    /// must hold [`text_bytes`](crate::gsm7::text_bytes) of the policy's segments: 320 bytes or
    /// more, so that a slot fits as well. In a shorter one texts are cut, and slots do not reach
    /// storage. Spurious calls are harmless.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub fn step(&mut self, now: Instant, buf: &mut [u8]) -> Step {
        let kept = self.to_persistent(now);
        self.state.clock.last = self.state.clock.last.max(kept);
        if !matches!(
            self.phase,
            Phase::Composing { .. } | Phase::Settling { .. } | Phase::Answered { .. }
        ) && let Some(step) = self.commit_step(kept, buf)
        {
            return step;
        }
        if self.ring.reclaims() {
            self.ring.reclaim_one();
            return Step::Again;
        }
        match self.phase {
            Phase::Scan { slot } => self.scan(kept, slot),
            Phase::Idle if self.send_at() <= kept && self.is_stale(kept) => {
                self.phase = Phase::Scan { slot: 0 };
                Step::Again
            }
            Phase::Idle if self.send_at() <= kept => self.note_attempt(kept),
            Phase::Noting => self.keep_attempt(kept),
            Phase::Noted if self.commit.is_pending() => self.idle(),
            Phase::Noted => self.begin_digest(kept),
            Phase::Composing { slot } => self.compose(kept, slot, buf),
            Phase::Settling { group } => self.settle_group(kept, group),
            Phase::Answered { outcome, segments, events } => {
                self.answered(kept, outcome, segments, events);
                Step::Again
            }
            Phase::Idle | Phase::Sending { .. } => self.idle(),
        }
    }

    /// When [`step`](Alerter::step) has something to do next. Only a call after which
    /// [`has_moved`](Alerter::has_moved) is true makes it earlier, and `step` itself.
    pub fn poll_at(&self) -> Instant {
        let send = match self.phase {
            Phase::Sending { .. } => Instant::FAR_FUTURE,
            Phase::Noted if self.commit.is_pending() => Instant::FAR_FUTURE,
            Phase::Idle => self.send_at(),
            _ => Instant::ZERO,
        };
        self.to_boot_time(send.min(self.commit_at()))
    }

    /// Whether [`poll_at`](Alerter::poll_at) may be earlier than it was at
    /// [`clear_moved`](Alerter::clear_moved): then whoever sleeps until then is to be woken. Cheaper
    /// to ask than the time itself.
    #[inline]
    pub fn has_moved(&self) -> bool {
        self.moved
    }

    /// The caller knows [`poll_at`](Alerter::poll_at) as it is now.
    pub fn clear_moved(&mut self) {
        self.moved = false;
    }

    /// Whether nothing is under way and nothing will be before `until`: what a flush waits for.
    /// Events may still wait, for their interval, the budget or the service; storage that has
    /// failed is tried again at its own pace, and nobody waits for that.
    pub fn is_settled(&self, until: Instant) -> bool {
        let rests = matches!(self.phase, Phase::Idle) && !self.ring.reclaims();
        let committed = self.commit.is_failing(self.state.clock.last)
            || self.to_boot_time(self.commit_at()) > until;
        rests && committed && !self.commit.is_pending() && self.to_boot_time(self.send_at()) > until
    }

    fn idle(&self) -> Step {
        Step::Idle { until: self.poll_at() }
    }

    /// Ends its work and gives back what it was lent. The memory holds all that it knew, but for
    /// what belongs to a destination with a file of its own.
    pub fn into_parts(self) -> (M, Buffers<'a>) {
        let (memory, nodes) = self.ring.into_parts();
        (memory, Buffers { nodes, groups: self.groups })
    }

    /// The ring memory, for whoever keeps it in its place. Its bytes must not change.
    pub fn memory_mut(&mut self) -> &mut M {
        self.ring.memory_mut()
    }

    /// The ring memory, to look at.
    pub fn memory(&self) -> &M {
        self.ring.memory()
    }

    /// The policy in force.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Time as it is kept: goes on across boots.
    #[inline]
    fn to_persistent(&self, now: Instant) -> Instant {
        Instant::from_millis(now.as_millis().wrapping_add(self.state.clock.offset))
    }

    /// Kept time as the caller's clock shows it.
    fn to_boot_time(&self, kept: Instant) -> Instant {
        if kept == Instant::FAR_FUTURE || kept == Instant::ZERO {
            return kept;
        }
        let clock = self.state.clock;
        let given = kept.as_millis().wrapping_sub(clock.offset);
        // Kept times of before this boot lie before its beginning.
        let wrapped = given > u64::MAX / 2;
        Instant::from_millis(if wrapped { 0 } else { given })
    }

    fn next_token(&mut self) -> Token {
        self.token = self.token.wrapping_add(1);
        Token(self.token)
    }

    /// Puts the state into memory, where it survives the program; storage follows by commit.
    fn save(&mut self) {
        self.state.next_seq = self.ring.next_seq();
        self.state.consumed = self.ring.consumed();
        let external = self.exchange.is_external();
        if !external {
            self.exchange.collect_errors(&mut self.destination);
        }
        let destination = (!external).then_some(&self.destination);
        self.place = Some(self.state.write(destination, self.ring.memory_mut(), self.place));
        self.commit.state_moved();
    }
}
