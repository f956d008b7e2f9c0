//! The destination's state, where several alerters share it.
//!
//! ```text
//!  wants_destination ──► lock, read ──► load_destination ──► step ... ──► store_destination ──► write, unlock
//! ```
//!
//! The driver does that whenever the next step begins an attempt or draws the consequence of an
//! answer. So what one alerter has spent or reported is known to all others before they send.

use super::{Alerter, Phase};
use crate::destination::{DESTINATION_LEN, DestinationState};
use crate::event::Level;
use crate::memory::Memory;
use crate::state::{self, BANK, BankId, Clock};
use crate::time::Instant;

/// Where the destination's state stands, and what of it is new.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Exchange {
    /// It stands in a file of its own.
    external: bool,
    /// Which of its banks was read or written last.
    place: Option<BankId>,
    /// It has changed since.
    dirty: bool,
    /// Events of ERROR and above that it does not count yet.
    pub(super) new_errors: u32,
}

impl Exchange {
    pub(super) fn new(external: bool, place: Option<BankId>) -> Exchange {
        Exchange { external, place, dirty: true, new_errors: 0 }
    }

    pub(super) fn is_external(&self) -> bool {
        self.external
    }

    pub(super) fn collect_errors(&mut self, destination: &mut DestinationState) {
        let errors = &mut destination.notices.errors;
        *errors = errors.saturating_add(core::mem::take(&mut self.new_errors));
    }
}

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// Whether the next [`step`](Alerter::step) needs the state of a destination that stands in a
    /// file of its own: an attempt begins, or an answer is to be settled. Then read that file under
    /// a lock, hand it to [`load_destination`](Alerter::load_destination), take steps for as long
    /// as this holds, and write what [`store_destination`](Alerter::store_destination) returns.
    pub fn wants_destination(&self, now: Instant) -> bool {
        let now = self.to_persistent(now);
        let settles = matches!(self.phase, Phase::Answered { .. } | Phase::Settling { .. });
        let begins = self.phase == Phase::Idle && self.send_at() <= now && !self.is_stale(now);
        // The commit goes first, and needs none of it.
        let commits = !settles && (self.commit_at() <= now || self.ring.reclaims());
        self.exchange.external && (settles || begins) && !commits
    }

    /// Takes the destination's state from the bytes of its file, whatever they are. If another
    /// alerter has changed it, what waits is looked at anew.
    pub fn load_destination(&mut self, now: Instant, file: &[u8]) {
        let Some((mut theirs, place)) = DestinationState::read(file) else {
            self.exchange.dirty = true;
            return;
        };
        if self.exchange.place == Some(place) {
            return;
        }
        theirs.log.merge_seen(&self.destination.log);
        self.destination = theirs;
        self.exchange.place = Some(place);
        self.exchange.dirty = false;
        self.join_clocks(now);
        if self.forget_reported_end() {
            let now = self.to_persistent(now);
            self.save();
            self.schedule_commit(now, Level::Warn);
        }
        if self.phase == Phase::Idle {
            self.rescan();
        }
    }

    /// The bank of the destination's file that is to be written, and where; nothing if it has not
    /// changed.
    pub fn store_destination(&mut self) -> Option<(usize, [u8; BANK])> {
        if !core::mem::take(&mut self.exchange.dirty) {
            return None;
        }
        self.exchange.collect_errors(&mut self.destination);
        self.destination.clock = self.state.clock;
        let mut file = [0; DESTINATION_LEN];
        let place = self.destination.write(&mut file, self.exchange.place);
        self.exchange.place = Some(place);
        Some((usize::from(place.bank) * BANK, *state::block(&file, place.bank)?))
    }

    pub(super) fn destination_changed(&mut self) {
        self.exchange.dirty = true;
    }

    /// Looks anew at all that waits.
    pub(super) fn rescan(&mut self) {
        self.phase = Phase::Scan { slot: 0 };
        self.schedule.start_over();
        self.moved = true;
    }

    /// Joins the time since boot to the latest persistent time that anybody knows, so that it never
    /// goes back: across boots, across rings of one destination, and where the caller's clock
    /// begins anew within one boot.
    pub(super) fn join_clocks(&mut self, now: Instant) {
        let (ring, theirs) = (self.state.clock, self.destination.clock);
        self.state.clock = joined(ring, theirs, now);
        self.destination.clock = self.state.clock;
    }
}

/// The clock of this boot, which is that of `own`, given that of the destination.
pub(super) fn joined(own: Clock, theirs: Clock, now: Instant) -> Clock {
    let at = |clock: Clock| {
        let running = now.as_millis().saturating_add(clock.offset);
        let same_boot = clock.boot == own.boot && running < IMPLAUSIBLE;
        let last = clock.last.as_millis();
        let last = if last < IMPLAUSIBLE { last } else { 0 };
        // What was noted was rounded up to a tick.
        if same_boot && running + 1024 > last { running } else { last }
    };
    let latest = at(own).max(at(theirs)).max(now.as_millis().min(IMPLAUSIBLE));
    let offset = latest.saturating_sub(now.as_millis());
    Clock { boot: own.boot, offset, last: Instant::from_millis(latest) }
}

/// No device runs for as long as this, 69 years; a clock that said so was not right.
const IMPLAUSIBLE: u64 = 1 << 41;

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(boot: u64, offset: u64, last: u64) -> Clock {
        Clock { boot, offset, last: Instant::from_millis(last) }
    }

    #[test]
    fn persistent_time_never_goes_back() {
        let now = Instant::from_millis(100);
        let none = Clock::default();
        let kept = |own, theirs| joined(own, theirs, now).last.as_millis();
        assert_eq!(kept(clock(7, 0, 0), none), 100, "the first boot");
        assert_eq!(kept(clock(7, 50, 120), none), 150, "the same boot");
        assert_eq!(kept(clock(7, 50, 1024), none), 150, "noted in ticks, rounded up");
        assert_eq!(kept(clock(7, 50, 9999), none), 9999, "a clock that began anew");
        assert_eq!(kept(clock(7, 50, 120), clock(7, 80, 130)), 180, "one ring is ahead");
        assert_eq!(kept(clock(7, 80, 120), clock(7, 50, 130)), 180, "the other is");
        assert_eq!(kept(clock(7, 0, 0), clock(6, 900, 5000)), 5000, "another boot");
        let wild = clock(7, u64::MAX - 3, u64::MAX);
        assert_eq!(kept(wild, wild), 100, "no clock that was right");
        for (own, theirs) in [(wild, clock(7, 1, 1)), (clock(7, 3, 9), wild)] {
            let joined = joined(own, theirs, now);
            assert_eq!(now.as_millis() + joined.offset, joined.last.as_millis());
        }
    }
}
