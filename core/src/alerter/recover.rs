//! Taking over what an earlier run left.

use super::adopt::{held, undo_adoption};
use super::commit::Commit;
use super::{Alerter, Buffers, NEVER, PREFIX_MAX, Phase, Policy};
use crate::digest::Digest;
use crate::event::{Level, head};
use crate::memory::Memory;
use crate::retry::Retry;
use crate::ring::{self, Ring, was_served};
use crate::state::{self, Attempt, State};
use crate::time::{Duration, Instant};
use crate::told::instant;
use heapless::String;

/// Where the bytes in the ring memory come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The memory itself kept them: the program ended, power did not. Also for fresh memory.
    Memory,
    /// They were read from storage: they may be older than what happened last.
    Storage,
}

/// Whether something in these bytes of a ring was destroyed: worth a copy before they are handed to
/// [`Alerter::new`] or [`Alerter::adopt`], which keep what can be trusted and clear the rest.
pub fn is_damaged<const TEXT: usize>(bytes: &[u8]) -> bool {
    let (used, damaged) = ring::condition::<TEXT>(bytes);
    damaged || (used && state::find(bytes).is_none())
}

/// How the program or the device came to start, as far as the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum After {
    /// For the first time, after an orderly end, or nothing is known.
    #[default]
    Nothing,
    /// The program died without its orderly end. A text says `restarted after a crash: ` and its
    /// last grave event.
    Crash,
    /// The device was reset by its watchdog or by a fault. The text also counts the boots:
    /// `restarted after a reset, boot 4: ...`.
    Reset,
}

/// What an alerter is told when it is made.
///
/// ```
/// # use annunciator_core::alerter::{Origin, Setup};
/// # use annunciator_core::time::Duration;
/// let mut setup = Setup::new("[Rust Logger pump] ");
/// setup.origin = Origin::Storage;
/// setup.policy.hold_other = Duration::from_secs(30);
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Setup<'a> {
    /// What every text begins with, such as `[Rust Logger sampleapp] `; cut at
    /// [`PREFIX_MAX`] bytes.
    pub prefix: &'a str,
    /// The choices of the owner.
    pub policy: Policy,
    /// The present time.
    pub now: Instant,
    /// Identifies this boot; two boots differ. Within one, times are comparable.
    pub boot: u64,
    /// Any number, different for different devices: it spreads their retries.
    pub seed: u32,
    /// Where the bytes in memory come from.
    pub origin: Origin,
    /// How it came to this start. An unclean end is told once, with what waits; three within ten
    /// minutes become one text with their count, and a loop of them is told ever more seldom.
    pub after: After,
    /// Whether [`Step::Write`](super::Step::Write) has somewhere to go.
    pub storage: bool,
}

impl<'a> Setup<'a> {
    /// A first boot at time zero, with the default policy and storage.
    pub fn new(prefix: &'a str) -> Setup<'a> {
        Setup {
            prefix,
            policy: Policy::default(),
            now: Instant::ZERO,
            boot: 0,
            seed: 1,
            origin: Origin::Memory,
            after: After::Nothing,
            storage: true,
        }
    }
}

/// An event longer ago than this has nothing to do with the end of the program.
const CAUSE: Duration = Duration::from_hours(1);

impl<'a, M: Memory> Alerter<'a, M> {
    /// Takes over whatever `memory` holds: records that still wait, an attempt whose fate is
    /// unknown, the budget. Any bytes at all are accepted; what cannot be trusted is counted.
    ///
    /// Slots have 256 bytes; see [`sized`](Alerter::sized) for others.
    pub fn new(memory: M, buffers: Buffers<'a>, setup: &Setup<'_>) -> Alerter<'a, M> {
        Alerter::sized(memory, buffers, setup)
    }
}

impl<'a, M: Memory, const TEXT: usize> Alerter<'a, M, TEXT> {
    /// As [`new`](Alerter::new), for slots of any size.
    pub fn sized(memory: M, buffers: Buffers<'a>, setup: &Setup<'_>) -> Alerter<'a, M, TEXT> {
        let place = state::find(memory.bytes());
        let origin = origin(memory.bytes(), setup.origin);
        let mut state = State::read(memory.bytes(), place);
        let (ring, found) = Ring::recover(memory, buffers.nodes, &held(&state, origin));
        let last = ring.next_seq() - 1;
        if place.is_none() && ring.events() > 0 {
            // Both blocks are damaged. What was told is not known: what is there may have been.
            state.settled = last.saturating_sub(ring.events());
            state.doubt = last;
        }
        if origin == Origin::Memory && state::is_damaged(ring.memory().bytes()) {
            state.doubt = last;
        }
        undo_adoption(&mut state, origin, ring.next_seq());
        if place.is_none() || state.clock.boot != setup.boot {
            rebase(&mut state, setup);
            // How long the power was off is not known.
            state.news.outage = Instant::ZERO;
        }

        let mut prefix = String::<PREFIX_MAX>::new();
        // Cut to fit, so neither can fail.
        let kept = head(setup.prefix, PREFIX_MAX);
        if kept.len() == setup.prefix.len() {
            let _ = prefix.push_str(kept);
        } else {
            // The space at its end was cut off.
            let _ = prefix.push_str(head(kept, PREFIX_MAX - 1));
            let _ = prefix.push(' ');
        }
        let mut alerter = Alerter {
            ring,
            groups: buffers.groups,
            digest: Digest::new(),
            policy: setup.policy,
            prefix,
            state,
            place,
            retry: Retry::new(setup.seed),
            commit: Commit::new(setup.storage, 0, false),
            phase: Phase::Survey { slot: 0 },
            due: NEVER,
            gathering: setup.now,
            gathered: 0,
            surveyed: 0,
            flushed: false,
            gravest: Level::Trace,
            bound: Level::Trace,
            broke_until: Instant::ZERO,
            stirred: None,
            moved: false,
            token: setup.seed,
            counters: Default::default(),
            wall: None,
            carried: Default::default(),
            after: setup.after,
            cause: None,
            copying: None,
        };
        // The state must not be written over the newest block that storage has.
        let memory = origin == Origin::Memory;
        let halves = match origin {
            Origin::Memory => alerter.ring.marked_halves().unwrap_or(0),
            Origin::Storage => {
                place.map_or(0, |place| 1 - place.half) | alerter.ring.older_ledger_half() << 1
            }
        };
        alerter.commit = Commit::new(setup.storage, halves, memory || place.is_none());
        let untold = alerter.losses().saturating_sub(alerter.state.tally.told);
        let damaged = &mut alerter.state.tally.damaged;
        *damaged = damaged.saturating_add(u32::from(found.damaged).min(untold));
        let now = alerter.kept(setup.now);
        if alerter.state.news.beat == Instant::ZERO {
            alerter.state.news.beat = now.max(Instant::from_millis(1));
        }
        alerter.resume_attempt(origin);
        alerter.count_crash(now);
        if place.is_some() {
            alerter.state.boots = alerter.state.boots.saturating_add(1);
            alerter.schedule_commit(now, Level::Warn);
        }
        if alerter.state.adoption.is_some() && !setup.storage {
            alerter.end_adoption();
        }
        alerter.commit.undoable = alerter.state.adoption.is_some();
        // Also at the first start: from now on a ring without a state is one that lost it.
        alerter.save();
        alerter.ring.mark_halves(halves);
        alerter.ring.mark_served();
        alerter
    }

    /// After an unclean end: counts the start, and looks for what was going on.
    fn count_crash(&mut self, now: Instant) {
        if self.after == After::Nothing {
            return;
        }
        self.state.crashes.count(&self.policy, now);
        self.cause = self.ring.last_grave().filter(|(slot, seq)| {
            let record = self.ring.remains(*slot, *seq);
            record.is_some_and(|record| now.since(instant(record.tick)) < CAUSE)
        });
        self.schedule_commit(now, Level::Error);
    }

    /// An attempt was noted and its answer was not: it may have been sent.
    fn resume_attempt(&mut self, origin: Origin) {
        let Some(mut attempt) = self.state.attempt else { return };
        attempt.upto = self.ring.pin_upto(attempt.upto);
        self.state.attempt = Some(attempt);
        if attempt.charged == 0 {
            return;
        }
        if origin == Origin::Memory && !self.ring.was_launched(attempt.reference) {
            self.state.budget.refund(attempt.charged);
            let bound = attempt.unknowns > 0 || attempt.style > 0;
            self.state.attempt = bound.then_some(Attempt { charged: 0, ..attempt });
            if !bound {
                self.ring.unpin();
            }
            return;
        }
        let unknowns = attempt.unknowns.saturating_add(1);
        if unknowns < 2 {
            self.state.attempt = Some(Attempt { unknowns, charged: 0, ..attempt });
            return;
        }
        let events = u32::try_from(self.ring.in_flight()).unwrap_or(u32::MAX);
        let levels = (0..self.ring.len())
            .filter_map(|slot| Some(self.ring.record(slot, attempt.upto)?.level as u8));
        let level = levels.max().unwrap_or(0);
        self.give_up_as_unconfirmed(&attempt, events, level);
    }
}

/// Where the bytes really come from. Memory that an alerter has served carries a mark that storage
/// never does: without it, a start was cut short between the copying and the first state.
fn origin(bytes: &[u8], said: Origin) -> Origin {
    if was_served(bytes) { said } else { Origin::Storage }
}

/// Joins a new boot's time to the time kept: the time powered off counts as zero.
fn rebase(state: &mut State, setup: &Setup<'_>) {
    let clock = &mut state.clock;
    clock.offset = clock.last.as_millis().wrapping_sub(setup.now.as_millis());
    clock.boot = setup.boot;
}
