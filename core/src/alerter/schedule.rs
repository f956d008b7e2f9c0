//! When the next message leaves.
//!
//! All that bears on it comes in here: events as they are admitted, records as they are scanned,
//! outcomes, a flush. Nothing else keeps a time at which something is to be sent.
//!
//! ```text
//!   due (hold over, gap and repeat interval over) ─┐
//!   backoff, a service's wait, the latch ──────────┼── the latest ── quiet hours ──► next()
//!   a budget that is used up ──────────────────────┘
//! ```

use crate::event::Level;
use crate::notification_log::{Due, NotificationLog};
use crate::policy::Policy;
use crate::time::{Duration, Instant};

/// When what waits may be sent, and what that rests on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    /// Of what waits and is not in flight: with the hold, and without.
    due: Due,
    /// Since when the present batch fills, and how many events it has.
    batch_since: Instant,
    batch_len: u16,
    /// The tick at which all that waits was looked at last.
    scanned_at: u32,
    /// Somebody flushed when not all that waits had been looked at.
    flushed: bool,
    /// The most severe level that waits, and that of the batch in flight.
    waiting_level: Level,
    in_flight_level: Level,
    /// The budget allows nothing before this.
    budget_blocked_until: Instant,
    /// Group and tick of the event that was looked at last, or [`UNTOUCHED`]. The first event of a
    /// batch always finds that.
    last_touched: u64,
}

/// No group and tick: the tick is 139 years away.
const UNTOUCHED: u64 = u64::MAX;

/// Nothing is due.
const NEVER: Due = Due { earliest: Instant::FAR_FUTURE, held: Instant::FAR_FUTURE };

impl Schedule {
    pub(super) const fn new() -> Schedule {
        Schedule {
            due: NEVER,
            batch_since: Instant::ZERO,
            batch_len: 0,
            scanned_at: 0,
            flushed: false,
            waiting_level: Level::Trace,
            in_flight_level: Level::Trace,
            budget_blocked_until: Instant::ZERO,
            last_touched: UNTOUCHED,
        }
    }

    /// When the next attempt may begin, but for quiet hours. `open`: an attempt is to be repeated.
    pub(super) fn next(&self, open: bool, retry_until: Instant) -> Instant {
        let due = if open { Instant::ZERO } else { self.due.held };
        due.max(retry_until).max(self.budget_blocked_until)
    }

    /// An event was admitted. Whether that may have moved [`next`](Schedule::next).
    #[inline]
    pub(super) fn on_event(
        &mut self,
        policy: &Policy,
        log: &mut NotificationLog,
        now: Instant,
        group: u32,
        level: Level,
    ) -> bool {
        // Within one tick a second event of a group moves nothing that the first has not moved.
        let touched = now.as_millis() >> 10 << 32 | u64::from(group);
        let touches = self.last_touched != touched;
        if touches {
            self.last_touched = touched;
            self.touch(log.due(policy, now, group, level), level);
            if self.batch_len == 0 {
                self.batch_since = now;
            }
        }
        self.batch_len = self.batch_len.saturating_add(1);
        if touches || self.batch_len == policy.batch {
            self.end_hold(policy, log, now);
            return true;
        }
        false
    }

    /// Moves the due time to what an event of its group asks for.
    #[cold]
    fn touch(&mut self, due: Due, level: Level) {
        self.by(due);
        if level > self.waiting_level {
            // It may use the reserve.
            self.waiting_level = level;
            self.budget_blocked_until = Instant::ZERO;
        }
    }

    /// So many events end the hold of what waits.
    #[cold]
    fn end_hold(&mut self, policy: &Policy, log: &NotificationLog, now: Instant) {
        if self.batch_len >= policy.batch && !log.is_gap(policy, now) {
            let full = self.batch_since + policy.hold_error;
            self.due.held = self.due.held.min(full.max(self.due.earliest));
        }
    }

    /// A record that waits was scanned.
    pub(super) fn on_scanned(&mut self, due: Due, level: Level) {
        self.by(due);
        self.waiting_level = self.waiting_level.max(level);
        self.batch_len = self.batch_len.saturating_add(1);
        // The next event looks whether there are enough to end the hold.
        self.last_touched = UNTOUCHED;
    }

    /// A record in flight was scanned.
    pub(super) fn on_scanned_in_flight(&mut self, level: Level) {
        self.in_flight_level = self.in_flight_level.max(level);
    }

    /// All records were scanned.
    pub(super) fn on_scan_end(&mut self, now: Instant) {
        self.scanned_at = now.tick();
        if core::mem::take(&mut self.flushed) {
            self.flush(now);
        }
    }

    /// Something is due, with the hold and without, besides what is already.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn by(&mut self, due: Due) {
        self.due.earliest = self.due.earliest.min(due.earliest);
        self.due.held = self.due.held.min(due.held);
    }

    /// Ends the hold.
    pub(super) fn flush(&mut self, now: Instant) {
        self.due.held = self.due.held.min(self.due.earliest.max(now));
    }

    /// Ends the hold of what is found due when the scan under way, or to come, is over.
    pub(super) fn flush_after_scan(&mut self) {
        self.flushed = true;
    }

    /// All that waits belongs to an attempt now; what comes later waits for the next.
    pub(super) fn on_attempt(&mut self) {
        self.forget_due();
        self.batch_len = 0;
        self.in_flight_level = self.waiting_level;
        self.waiting_level = Level::Trace;
    }

    /// What was due is to be found anew, by a scan.
    pub(super) fn forget_due(&mut self) {
        self.due = NEVER;
        self.last_touched = UNTOUCHED;
    }

    /// The same, because another alerter has changed the destination's state.
    pub(super) fn start_over(&mut self) {
        self.forget_due();
        self.batch_len = 0;
        self.budget_blocked_until = Instant::ZERO;
        // What was due has had its hold.
        self.flushed = true;
    }

    /// An outcome came: what it concerns is looked at anew by the next event.
    pub(super) fn on_outcome(&mut self) {
        self.last_touched = UNTOUCHED;
    }

    /// The batch was not sent: what waits has waited long enough.
    pub(super) fn on_not_sent(&mut self, now: Instant) {
        self.due = Due { earliest: now, held: now };
    }

    /// The budget is used up until then.
    pub(super) fn on_budget_used_up(&mut self, until: Instant) {
        self.budget_blocked_until = until;
    }

    /// Whether the budget is what one waits for.
    pub(super) fn is_out_of_budget(&self, now: Instant) -> bool {
        self.budget_blocked_until > now
    }

    /// Whether something that waits may have grown too old since it was scanned: it had to wait for
    /// quiet hours or the budget, or the device slept.
    pub(super) fn is_stale(&self, now: Instant, expiry: Duration) -> bool {
        // Longer than an eighth of the age that counts.
        let since = u64::from(now.tick().saturating_sub(self.scanned_at)) << (10 + 3);
        since > expiry.as_millis()
    }

    /// The most severe level that the text to come reports, or that waits behind it.
    pub(super) fn severity(&self, open: bool) -> Level {
        let in_flight = if open { self.in_flight_level } else { Level::Trace };
        self.waiting_level.max(in_flight)
    }
}
