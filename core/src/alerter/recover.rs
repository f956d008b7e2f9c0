//! Taking over what an earlier run left.

use super::commit::Commit;
use super::exchange::Exchange;
use super::schedule::Schedule;
use super::stats::Counters;
use super::{Alerter, Buffers, Phase, Policy};
use crate::destination::DestinationState;
use crate::digest::Digest;
use crate::event::Level;
use crate::hash;
use crate::memory::Memory;
use crate::policy::setters;
use crate::retry::Retry;
use crate::ring::{self, Limits, Ring, was_initialized};
use crate::state::{self, Attempt, State};
use crate::time::{Duration, Instant};

/// Where the bytes in the ring memory come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The memory itself kept them: the program ended, power did not. Also for fresh memory.
    Memory,
    /// They were read from storage: they may be older than what happened last.
    Storage,
}

/// Whether something in these bytes of a ring was destroyed: worth a copy before they are handed to
/// [`Alerter::new`], which keeps what can be trusted and clears the rest.
pub fn is_damaged<const TEXT: usize>(bytes: &[u8]) -> bool {
    let (used, damaged) = ring::condition::<TEXT>(bytes);
    damaged || (used && state::find(state::RING, bytes).is_none())
}

/// How the program or the device came to start, as far as the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StartReason {
    /// For the first time, after an orderly end, or nothing is known.
    #[default]
    Ordinary,
    /// The program died without its orderly end. A text says `restarted after a crash: ` and its
    /// last severe event.
    Crash,
    /// The device was reset by its watchdog or by a fault. The text also counts the boots:
    /// `restarted after a reset, boot 4: ...`.
    Reset,
    /// Not at all: the ring is that of a neighbour that ended without a word. A text says so, and
    /// its last severe event.
    Vanished,
}

impl StartReason {
    /// As it is kept with the ring.
    fn word(self) -> u8 {
        match self {
            StartReason::Ordinary => 0,
            StartReason::Crash => 1,
            StartReason::Reset => 2,
            StartReason::Vanished => 3,
        }
    }

    fn kept(word: u8) -> StartReason {
        match word {
            1 => StartReason::Crash,
            2 => StartReason::Reset,
            3 => StartReason::Vanished,
            _ => StartReason::Ordinary,
        }
    }
}

/// What an alerter is made with.
///
/// ```
/// use annunciator_core::alerter::{Origin, Policy, Setup};
/// use annunciator_core::time::Duration;
///
/// let policy = Policy::default().hold_other(Duration::from_secs(30));
/// let setup = Setup::new("[Rust Logger pump] ").origin(Origin::Storage).policy(policy).seed(4711);
/// # let _ = setup;
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Setup<'a> {
    /// What every text begins with, such as `[Rust Logger sampleapp] `; cut at
    /// [`PREFIX_MAX`](crate::ring::PREFIX_MAX) bytes. It is kept with the ring. `None`: what is kept
    /// there, for a ring that another program has left.
    pub prefix: Option<&'a str>,
    /// The choices of the owner.
    pub policy: Policy,
    /// The present time.
    pub now: Instant,
    /// Identifies this boot; two boots differ. Within one, times are comparable.
    pub boot: u64,
    /// Any number, different for different devices: it spreads their retries.
    pub seed: u32,
    /// Names the ring if it has no name yet: two rings differ. 0: a number made of `boot` and
    /// `seed`.
    pub ring_id: u64,
    /// Where the bytes in memory come from.
    pub origin: Origin,
    /// The bytes of the destination's file, if several alerters share the destination: see
    /// [`wants_destination`](Alerter::wants_destination). To be read under a lock that is held
    /// until [`store_destination`](Alerter::store_destination) was called and its bytes are
    /// written. `None`: the ring keeps its destination's state.
    pub destination: Option<&'a [u8]>,
    /// How it came to this start. An unclean end is reported once, with what waits; three within ten
    /// minutes become one text with their count, and a loop of them is reported less and less often.
    pub reason: StartReason,
    /// Whether [`Step::Write`](super::Step::Write) has somewhere to go.
    pub storage: bool,
}

impl<'a> Setup<'a> {
    /// A first boot at time zero, with the default policy and storage.
    pub fn new(prefix: &'a str) -> Setup<'a> {
        Setup {
            prefix: Some(prefix),
            policy: Policy::default(),
            now: Instant::ZERO,
            boot: 0,
            seed: 1,
            origin: Origin::Memory,
            reason: StartReason::Ordinary,
            ring_id: 0,
            destination: None,
            storage: true,
        }
    }

    setters! {
        Setup:
        prefix: Option<&'a str>,
        policy: Policy,
        now: Instant,
        boot: u64,
        seed: u32,
        ring_id: u64,
        origin: Origin,
        destination: Option<&'a [u8]>,
        reason: StartReason,
        storage: bool,
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
        let place = state::find(state::RING, memory.bytes());
        let origin = origin(memory.bytes(), setup.origin);
        let (mut state, mut destination) = State::read(memory.bytes(), place);
        let limits = Limits { consumed: state.consumed, next_seq: state.next_seq };
        let (ring, damaged_slots) = Ring::recover(memory, buffers.nodes, &limits);
        let last = ring.next_seq() - 1;
        if place.is_none() && ring.events() > 0 {
            // Both banks are damaged. What was reported is not known: what is there may have been.
            state.settled = last.saturating_sub(ring.events());
            state.maybe_delivered = last;
        }
        if origin == Origin::Memory && state::is_damaged(ring.memory().bytes()) {
            state.maybe_delivered = last;
        }
        state.starts = state.starts.saturating_add(1);
        if state.ring_id == 0 {
            let made =
                hash::mix(hash::mix(state::RING.0.into(), setup.seed.into()), setup.boot) | 1;
            state.ring_id = if setup.ring_id == 0 { made } else { setup.ring_id };
            // So that the references of two rings of one destination differ.
            state.batches = setup.ring_id as u32;
        }
        let mut exchange = Exchange::new(setup.destination.is_some(), None);
        if let Some(file) = setup.destination {
            let (read, place) = DestinationState::read(file).unzip();
            exchange = Exchange::new(true, place);
            destination = read.unwrap_or_default();
        }
        let rebooted = place.is_none() || state.clock.boot != setup.boot;
        if rebooted {
            state.clock.boot = setup.boot;
            state.clock.offset = 0;
        }
        if !exchange.is_external() {
            destination.clock = state.clock;
        }
        if destination.clock.boot != setup.boot || rebooted && !exchange.is_external() {
            // How long the power was off is not known.
            destination.notices.outage = Instant::ZERO;
        }

        let mut alerter = Alerter {
            ring,
            groups: buffers.groups,
            digest: Digest::new(),
            policy: setup.policy,
            state,
            place,
            destination,
            exchange,
            retry: Retry::new(setup.seed),
            commit: Commit::new(setup.storage, 0),
            phase: Phase::Scan { slot: 0 },
            schedule: Schedule::new(),
            moved: false,
            token: setup.seed,
            counters: Counters::new(last + 1),
            wall: None,
            notices: Default::default(),
            reason: setup.reason,
            cause: None,
        };
        alerter.join_clocks(setup.now);
        if let Some(prefix) = setup.prefix {
            alerter.ring.set_label(prefix);
        }
        // The state must not be written over the newest bank that storage has.
        let banks = match origin {
            Origin::Memory => alerter.ring.marked_banks().unwrap_or(0),
            Origin::Storage => {
                place.map_or(0, |place| 1 - place.bank) | alerter.ring.older_ledger_bank() << 1
            }
        };
        alerter.commit = Commit::new(setup.storage, banks);
        let unreported = alerter.losses().saturating_sub(alerter.state.tally.reported);
        let damaged = &mut alerter.state.tally.damaged;
        *damaged = damaged.saturating_add(u32::from(damaged_slots).min(unreported));
        let now = alerter.to_persistent(setup.now);
        if alerter.destination.notices.heartbeat == Instant::ZERO {
            alerter.destination.notices.heartbeat = now.max(Instant::of_tick(1));
        }
        alerter.resume_attempt(origin);
        alerter.count_crash(now);
        if place.is_some() {
            alerter.schedule_commit(now, Level::Warn);
        }
        // Also at the first start: from now on a ring without a state is one that lost it.
        alerter.save();
        alerter.ring.mark_banks(banks);
        alerter.ring.mark_initialized();
        alerter
    }

    /// After an unclean end: counts the start, and looks for what was going on.
    fn count_crash(&mut self, now: Instant) {
        if self.reason == StartReason::Ordinary {
            // One of before may still be to be reported, unless another alerter has done so.
            self.forget_reported_end();
            self.reason = StartReason::kept(self.state.unclean);
        } else {
            self.destination.crashes.count(&self.policy, now);
            self.state.unclean = self.reason.word();
        }
        if self.reason == StartReason::Ordinary {
            return;
        }
        self.cause = self.ring.last_severe().filter(|(slot, seq)| {
            let record = self.ring.remains(*slot, *seq);
            record.is_some_and(|record| now.since(Instant::of_tick(record.tick)) < CAUSE)
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
        if origin == Origin::Memory && !self.ring.was_sending(attempt.reference) {
            self.destination.budget.refund(attempt.charged);
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
    if was_initialized(bytes) { said } else { Origin::Storage }
}
