//! What follows from an outcome.

use super::notices::LEADING;
use super::{Alerter, Done, Phase, Step, Token};
use crate::memory::Memory;
use crate::state::{Attempt, Unconfirmed};
use crate::time::{Duration, Instant};
use crate::transport::{Code, Outcome, Receipt, Refusal, RefusalClass, Retry, RetryCause};

/// Answers that nobody recognises, in a row, after which the text is tried without its messages.
const REDUCES: u8 = 3;
/// And after which it is dropped, so that it does not hold up all others for ever: with the backoff
/// of a failure, a quarter of an hour and more. What is wrong for minutes is not the text.
const GIVES_UP: u8 = 16;

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// What became of a piece of work. A token that is not under way any more is ignored.
    pub fn done(&mut self, now: Instant, token: Token, result: Done) {
        self.moved = true;
        match (result, self.phase) {
            (Done::Sent(outcome), Phase::Sending { token: sent, segments, events }) => {
                if sent == token.0 {
                    self.phase = Phase::Answered { outcome, segments, events };
                }
            }
            (Done::Sent(_), _) => {}
            (stored, _) => self.piece_done(self.to_persistent(now), token, stored),
        }
    }

    /// The driver has lost track of its work (its thread ended, its task was dropped): what was
    /// being written counts as failed, what was being sent as unknown.
    pub fn abandon(&mut self, now: Instant) {
        self.moved = true;
        let kept = self.to_persistent(now);
        self.piece_lost(kept);
        if let Phase::Sending { segments, events, .. } = self.phase {
            let outcome = Outcome::Unknown(Code::NONE);
            self.phase = Phase::Answered { outcome, segments, events };
        } else if let Phase::Composing { .. } = self.phase {
            // A text half written is written anew.
            self.phase = Phase::Noted;
        }
    }

    /// Draws the consequence of an answer.
    pub(super) fn answered(&mut self, now: Instant, outcome: Outcome, segments: u8, events: u32) {
        self.phase = Phase::Scan { slot: 0 };
        let Some(attempt) = self.state.attempt else { return };
        self.destination_changed();
        self.schedule.on_outcome();
        match outcome {
            Outcome::Accepted(receipt) => self.accepted(now, &attempt, receipt, segments, events),
            Outcome::Retry(retry) => self.not_sent(now, &attempt, retry, events),
            Outcome::Unknown(code) => self.unknown(now, &attempt, code, events),
            Outcome::Refused(refusal) => self.refused(now, &attempt, refusal, events),
        }
        self.save();
        self.commit_now(now);
    }

    fn accepted(
        &mut self,
        now: Instant,
        attempt: &Attempt,
        receipt: Receipt,
        segments: u8,
        events: u32,
    ) {
        self.destination.budget.refund(attempt.charged.saturating_sub(segments));
        self.phase = Phase::Settling { group: 0 };
        self.destination.log.text_accepted(&self.policy, now);
        // What found no room comes with the next text.
        let mut notices = self.digest.notices() >> (LEADING + 3);
        for place in &mut self.state.unconfirmed {
            if notices & 1 != 0 {
                *place = Default::default();
            }
            notices >>= 1;
        }
        if notices & 1 != 0 {
            self.state.tally.reported = attempt.losses;
        }
        if let Some(price) = receipt.price {
            self.destination.price = self.destination.price.plus(price);
        }
        self.destination.balance = receipt.balance.or(self.destination.balance);
        self.notices_accepted();
        self.settle(events);
        self.retry.accepted();
        self.counters.accepted(segments, events, receipt.code);
    }

    /// Notes of one group of the accepted text that it was reported, and looks anew at what waits once
    /// all are noted. A crash before that is over costs no more than their intervals.
    pub(super) fn settle_group(&mut self, now: Instant, number: u16) -> Step {
        let groups = self.digest.groups(self.groups);
        if let Some(group) = groups.get(usize::from(number)) {
            if group.is_named() {
                let at = self.destination.log.last_text.unwrap_or(now);
                let level = group.level() as u8;
                self.destination.log.group_accepted(&self.policy, at, group.key(), level);
            }
            self.phase = Phase::Settling { group: number.saturating_add(1) };
            return Step::Again;
        }
        self.mark_recovered();
        self.destination_changed();
        // What came while the text was under way knew nothing of it.
        self.schedule.forget_due();
        self.phase = Phase::Scan { slot: 0 };
        self.save();
        self.commit_now(now);
        Step::Again
    }

    /// The batch is over; `events` of it are named or counted by a text that was, or may have been,
    /// accepted. The rest is lost.
    pub(super) fn settle(&mut self, events: u32) {
        self.state.settled = self.state.settled.saturating_add(u64::from(events));
        self.ring.consume();
        self.commit.needs_order();
        self.state.attempt = None;
    }

    fn not_sent(&mut self, now: Instant, attempt: &Attempt, retry: Retry, events: u32) {
        self.counters.retried(retry.code);
        let offline = retry.cause != RetryCause::Throttled;
        if offline && self.destination.notices.outage == Instant::ZERO {
            self.destination.notices.outage = now;
        }
        self.retry.failed(&self.policy, now, retry.cause, retry.after);
        let patience = if attempt.style == 0 { REDUCES } else { GIVES_UP };
        if self.retry.is_unrecognised(patience) {
            let refusal = Refusal::new(RefusalClass::Message, retry.code);
            return self.refused(now, attempt, refusal, events);
        }
        self.give_back(now, attempt);
    }

    /// Certainly not sent: the money is there again, and so are the records, unless an earlier
    /// attempt binds them.
    fn give_back(&mut self, now: Instant, attempt: &Attempt) {
        self.destination.budget.refund(attempt.charged);
        if attempt.unknowns > 0 || attempt.style > 0 {
            self.state.attempt = Some(Attempt { charged: 0, ..*attempt });
            return;
        }
        self.state.attempt = None;
        self.ring.unpin();
        self.schedule.on_not_sent(now);
    }

    fn unknown(&mut self, now: Instant, attempt: &Attempt, code: Code, events: u32) {
        self.counters.unclear(code);
        self.retry.unclear(&self.policy, now);
        self.destination.log.arrived(&self.policy, now);
        let unknowns = attempt.unknowns.saturating_add(1);
        if unknowns < 2 {
            self.notices_unknown();
            self.state.attempt = Some(Attempt { unknowns, charged: 0, ..*attempt });
            return;
        }
        self.notices_given_up();
        let level = self.digest.groups(self.groups).iter().map(|group| group.level() as u8).max();
        self.give_up_as_unconfirmed(attempt, events, level.unwrap_or(0));
    }

    /// Twice unknown: from now on one line stands for the whole batch.
    pub(super) fn give_up_as_unconfirmed(&mut self, attempt: &Attempt, events: u32, level: u8) {
        if events > 0 {
            let entry = Unconfirmed { reference: attempt.reference, events, level };
            let free = self.state.unconfirmed.iter_mut().find(|place| place.events == 0);
            match free {
                Some(place) => *place = entry,
                None => {
                    if let Some(last) = self.state.unconfirmed.last_mut() {
                        last.events = last.events.saturating_add(events);
                        last.level = last.level.max(level);
                    }
                }
            }
        }
        self.settle(events);
    }

    fn refused(&mut self, now: Instant, attempt: &Attempt, refusal: Refusal, events: u32) {
        self.counters.refused(refusal);
        if refusal.class == RefusalClass::Channel {
            self.retry.refused(now, refusal);
            return self.give_back(now, attempt);
        }
        // The channel answers; it is this text that it will not have. Twice is a failure: what was
        // lost by it is reported less and less often, should that be refused too.
        let cause = if attempt.style == 0 { RetryCause::Throttled } else { RetryCause::Failure };
        self.retry.failed(&self.policy, now, cause, Some(Duration::from_secs(1)));
        self.destination.budget.refund(attempt.charged);
        if attempt.style == 0 {
            self.state.attempt = Some(Attempt { style: 1, charged: 0, ..*attempt });
            return;
        }
        self.notices_given_up();
        let tally = &mut self.state.tally;
        tally.refused = tally.refused.saturating_add(events);
        self.settle(0);
    }
}
