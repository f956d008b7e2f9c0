//! Taking over what an earlier run left.

use super::commit::Commit;
use super::{Alerter, Buffers, NEVER, PREFIX_MAX, Phase, Policy};
use crate::digest::Digest;
use crate::event::{Entry, Level, head};
use crate::memory::Memory;
use crate::retry::Retry;
use crate::ring::Ring;
use crate::state::{self, Attempt, State};
use crate::time::Instant;
use heapless::String;

/// Where the bytes in the ring memory come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The memory itself kept them: the program ended, power did not. Also for fresh memory.
    Memory,
    /// They were read from storage: they may be older than what happened last.
    Storage,
}

/// What an alerter is told when it is made.
#[derive(Debug, Clone, Copy)]
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
            storage: true,
        }
    }
}

impl<'a, M: Memory> Alerter<'a, M> {
    /// Takes over whatever `memory` holds: records that still wait, an attempt whose fate is
    /// unknown, the budget. Any bytes at all are accepted; what cannot be trusted is counted.
    pub fn new(memory: M, buffers: Buffers<'a>, setup: &Setup<'_>) -> Alerter<'a, M> {
        let place = state::find(memory.bytes());
        let mut state = place.map_or_else(State::default, |at| State::read(memory.bytes(), at));
        let (consumed, next_seq) = (state.consumed, state.next_seq);
        let counted = state.tally.ring;
        let (ring, found) = Ring::recover(memory, buffers.nodes, consumed, next_seq, counted);
        state.tally.damaged = state.tally.damaged.saturating_add(u32::from(found.damaged));
        rebase(&mut state, setup);

        let mut prefix = String::<PREFIX_MAX>::new();
        // Cut to fit, so it cannot fail.
        let _ = prefix.push_str(head(setup.prefix, PREFIX_MAX));
        let mut alerter = Alerter {
            ring,
            groups: buffers.groups,
            digest: Digest::new(),
            policy: setup.policy,
            prefix,
            state,
            place,
            retry: Retry::new(setup.seed),
            commit: Commit::new(setup.storage, 0),
            phase: Phase::Survey { slot: 0 },
            due: NEVER,
            gathering: setup.now,
            gathered: 0,
            gravest: Level::Trace,
            broke_until: Instant::ZERO,
            stirred: None,
            token: setup.seed,
            counters: Default::default(),
        };
        // The state must not be written over the newest block that storage has.
        let half = match setup.origin {
            Origin::Memory => alerter.ring.marked_half(),
            Origin::Storage => place.map(|place| 1 - place.half),
        };
        alerter.commit = Commit::new(setup.storage, half.unwrap_or(0));
        alerter.ring.mark_half(half.unwrap_or(0));
        let now = alerter.kept(setup.now);
        alerter.resume_attempt(now, setup.origin);
        if setup.origin == Origin::Memory {
            for slot in 0..alerter.ring.len() {
                alerter.ring.set_dirty(slot);
            }
        }
        if place.is_some() {
            alerter.state.boots = alerter.state.boots.saturating_add(1);
            alerter.save();
            alerter.schedule_commit(now, Level::Warn);
        }
        alerter
    }

    /// Takes over what the bytes of another ring still hold, as if it were reported now; returns
    /// the number of events. Losses that no text of that ring has told are told by this one.
    pub fn adopt(&mut self, now: Instant, bytes: &[u8]) -> u32 {
        let other = state::find(bytes).map_or_else(State::default, |at| State::read(bytes, at));
        let mut events = 0_u32;
        Ring::<M>::read_foreign(bytes, other.consumed, |record| {
            events = events.saturating_add(record.count);
            let entry = Entry::of_record(&record);
            self.admit_counted(now, &entry, record.count);
        });
        events
    }

    /// An attempt was noted and its answer was not: it may have been sent.
    fn resume_attempt(&mut self, now: Instant, origin: Origin) {
        let Some(attempt) = self.state.attempt else { return };
        self.ring.pin_upto(attempt.upto);
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
        let mut events = 0_u32;
        let mut level = 0;
        for slot in 0..self.ring.len() {
            if let Some(record) = self.ring.record(slot, attempt.upto) {
                events = events.saturating_add(record.count);
                level = level.max(record.level as u8);
            }
        }
        self.give_up_as_unconfirmed(&attempt, events, level);
        self.remind(now);
    }
}

/// Joins this boot's time to the time kept: within a boot it goes on, across boots the time powered
/// off counts as zero.
fn rebase(state: &mut State, setup: &Setup<'_>) {
    let clock = &mut state.clock;
    if clock.boot != setup.boot || clock.last == Instant::ZERO {
        clock.offset = clock.last.as_millis().wrapping_sub(setup.now.as_millis());
        clock.boot = setup.boot;
    }
}
