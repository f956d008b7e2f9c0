//! From what is due to a text in the driver's buffer.

use super::notices::{LEADING, TRAILING, notice};
use super::{Alerter, Phase, Step, Ticket};
use crate::budget::Budget;
use crate::digest::{Composed, Spec, Style, Supply, Want};
use crate::event::Level;
use crate::memory::Memory;
use crate::notification_log::Due;
use crate::ring::PREFIX_MAX;
use crate::state::Attempt;
use crate::time::{Duration, Instant};
use crate::transport::Reference;
use heapless::String;

/// Attempt numbers wrap within what a [`Reference`] prints.
const REFERENCES: u32 = (1 << (5 * Reference::LEN as u32)) - 1;

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// Looks at one slot: drops it if it is too old, else notes when it may be reported. Records in
    /// flight and records that wait for their repeat have their time already.
    pub(super) fn scan(&mut self, now: Instant, slot: u16) -> Step {
        if slot >= self.ring.len() {
            if !self.commit.enabled {
                self.ring.free_folds();
            }
            let news = self.news_at(now);
            self.schedule.by(Due { earliest: news, held: news });
            self.schedule_loss_report(now);
            self.phase = Phase::Idle;
            self.schedule.on_scan_end(now);
            return Step::Again;
        }
        self.phase = Phase::Scan { slot: slot + 1 };
        let pinned = self.ring.pinned();
        let Some(record) = self.ring.record(slot, u64::MAX) else { return Step::Again };
        if record.seq <= pinned {
            self.schedule.on_scanned_in_flight(record.level);
            return Step::Again;
        }
        let (group, level, count) = (record.group, record.level, record.count);
        let first = Instant::of_tick(record.tick);
        if now.since(first) >= self.policy.expiry {
            let expired = &mut self.state.tally.expired;
            *expired = expired.saturating_add(count);
            self.commit.state_dirty = true;
            self.schedule_commit(now, Level::Warn);
            self.ring.expire(slot);
            return Step::Again;
        }
        if self.fold(now, slot, level) {
            return Step::Again;
        }
        // A tick is rounded down; nothing is reported before its hold is over.
        let first = (first + Duration::from_millis(1024)).min(now);
        let due = self.destination.log.due(&self.policy, first, group, level);
        self.schedule.on_scanned(due, level);
        Step::Again
    }

    /// Adds a record to an older one of the same event, which an attempt that failed had closed to
    /// it.
    fn fold(&mut self, now: Instant, slot: u16, level: Level) -> bool {
        let Some(into) = self.ring.fold(slot) else { return false };
        if let Some(cause) = &mut self.cause
            && cause.0 == slot
        {
            *cause = into;
        }
        self.schedule_commit(now, level);
        true
    }

    /// Whether what waits is to be scanned before an attempt.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        self.state.attempt.is_none() && self.schedule.is_stale(now, self.policy.expiry)
    }

    /// When the next attempt may begin.
    pub(super) fn send_at(&self) -> Instant {
        let at = self.schedule.next(self.state.attempt.is_some(), self.retry.until());
        self.after_quiet_hours(at)
    }

    /// Whether the text to come may use the reserve.
    fn may_use_reserve(&self) -> bool {
        self.severity() >= Level::Error || self.has_unclean_end()
    }

    /// The most severe level that the text to come reports, or that waits behind it.
    pub(super) fn severity(&self) -> Level {
        self.schedule.severity(self.state.attempt.is_some())
    }

    /// Charges an attempt and decides what it covers; it is kept before anything leaves.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn note_attempt(&mut self, now: Instant) -> Step {
        let (limits, severe) = (self.policy.limits, self.may_use_reserve());
        let reported = self.destination.notices.budget > now;
        let available = self.destination.budget.available(limits, now, severe, reported);
        self.notices = Default::default();
        let nothing_left = |budget: &Budget| budget.left(limits, now) == 0;
        let silent = reported || self.state.attempt.is_some();
        if available == 0 && (silent || nothing_left(&self.destination.budget)) {
            let renewed = self.destination.budget.renewed(limits, now, severe);
            self.schedule.on_budget_used_up(renewed);
            return self.idle();
        }
        // The last segment is one by itself, so that it is known to be the last: the one kept for
        // the notice, and then the last one of the reserve.
        let spare = u16::from(reported);
        let is_last = available <= spare;
        let most = if is_last { 1 } else { available - spare };
        let share = self.destination.log.share(&self.policy, now);
        let charged = most.min(u16::from(share)) as u8;
        self.destination.budget.charge(now, charged);
        self.destination_changed();
        if is_last {
            self.notices.notice = self.destination.budget.renewed(limits, now, severe);
            self.notices.all_levels = severe;
        }
        let attempt = match self.state.attempt {
            Some(attempt) => {
                // The repeat cannot name what was evicted since.
                self.ring.lose_evicted();
                Attempt { charged, losses: self.losses(), ..attempt }
            }
            None => self.new_attempt(charged),
        };
        self.state.attempt = Some(attempt);
        self.ring.clear_sending();
        self.phase = Phase::Noting;
        Step::Again
    }

    /// Has the attempt that was decided upon kept, a step later: each of the two is work enough.
    pub(super) fn keep_attempt(&mut self, now: Instant) -> Step {
        self.save();
        self.commit_now(now);
        self.phase = Phase::Noted;
        Step::Again
    }

    /// An attempt at everything that waits now; what comes later waits for the next.
    fn new_attempt(&mut self, charged: u8) -> Attempt {
        self.schedule.on_attempt();
        let reference = self.state.batches & REFERENCES;
        self.state.batches = self.state.batches.wrapping_add(1);
        let doubtful = self.state.maybe_delivered > self.ring.consumed();
        Attempt {
            upto: self.ring.pin(),
            reference,
            losses: self.losses(),
            unknowns: u8::from(doubtful),
            style: 0,
            charged,
            channel: 0,
        }
    }

    pub(super) fn begin_digest(&mut self, now: Instant) -> Step {
        self.carry(now);
        self.digest.begin();
        self.phase = Phase::Composing { slot: 0 };
        Step::Again
    }

    /// Gives the digest one piece of what it wants.
    pub(super) fn compose(&mut self, now: Instant, slot: u16, buf: &mut [u8]) -> Step {
        let Some(attempt) = self.state.attempt else {
            self.phase = Phase::Scan { slot: 0 };
            return Step::Again;
        };
        let ascii = Reference(attempt.reference).to_ascii();
        let reference = core::str::from_utf8(&ascii).unwrap_or("");
        // Copied, since the notices change what it is borrowed from.
        let mut prefix = String::<PREFIX_MAX>::new();
        let _ = prefix.push_str(self.ring.prefix());
        let spec = self.spec(&prefix, reference, &attempt);
        match self.digest.want() {
            Want::Walk if slot < self.ring.len() => {
                self.phase = Phase::Composing { slot: slot + 1 };
                if let Some(record) = self.ring.record(slot, attempt.upto) {
                    let known =
                        self.destination.log.known(&self.policy, now, record.group).is_some();
                    self.digest.add(self.groups, slot, &record, known);
                }
            }
            Want::Walk | Want::Nothing => {
                self.phase = Phase::Composing { slot: 0 };
                self.digest.step(&spec, self.groups, Supply::Nothing, buf);
            }
            Want::Record(wanted) => {
                let record = self.ring.record(wanted, attempt.upto);
                self.digest.step(&spec, self.groups, Supply::Record(record.as_ref()), buf);
            }
            Want::Notice(number) => notice(self, &attempt, number, |digest, groups, pieces| {
                digest.step(&spec, groups, Supply::Notice(pieces), buf);
            }),
            Want::Done(composed) => return self.launch(&attempt, composed),
        }
        Step::Again
    }

    fn spec<'s>(&self, prefix: &'s str, reference: &'s str, attempt: &Attempt) -> Spec<'s> {
        let mut spec = Spec::new(prefix, attempt.charged).leading(LEADING).trailing(TRAILING);
        spec.fallback = self.policy.fallback;
        spec.repeat = (attempt.unknowns > 0).then_some(reference);
        if attempt.style > 0 {
            spec.style = Style::Reduced;
        }
        spec
    }

    /// The text is whole: hand it out, or drop the attempt if there turned out to be nothing in it.
    fn launch(&mut self, attempt: &Attempt, composed: Composed) -> Step {
        let events = composed.named.saturating_add(composed.more);
        let notices = attempt.losses > self.state.tally.reported || self.state.has_unconfirmed();
        let notices = notices || self.notices.is_news();
        if events == 0 && !notices {
            self.destination.budget.refund(attempt.charged);
            self.destination_changed();
            self.settle(0);
            self.save();
            self.phase = Phase::Scan { slot: 0 };
            return Step::Again;
        }
        self.ring.mark_sending(attempt.reference);
        let token = self.next_token();
        self.phase = Phase::Sending { token: token.0, segments: composed.segments, events };
        Step::Send(Ticket {
            token,
            len: composed.len,
            encoding: composed.encoding,
            segments: composed.segments,
            reference: Reference(attempt.reference),
            repeat: attempt.unknowns > 0,
        })
    }

    /// All events lost so far; those evicted in flight count once their text was not sent.
    pub(super) fn losses(&self) -> u32 {
        u32::try_from(self.ring.lost(self.state.settled)).unwrap_or(u32::MAX)
    }
}
