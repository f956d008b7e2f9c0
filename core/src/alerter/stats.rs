//! What an alerter can say about itself.

use super::{Alerter, Phase};
use crate::memory::Memory;
use crate::time::Instant;
use crate::transport::{Code, Decimal, Refusal};

/// Counts since this alerter was made, kept as they happen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counters {
    /// The number that the next event would have, had none been recorded yet.
    next_number: u64,
    suppressed: u32,
    texts: u32,
    segments: u32,
    delivered: u32,
    retries: u32,
    unknown: u32,
    refused: u32,
    last_code: Code,
    last_refusal: Option<Refusal>,
    pub(super) commits: u32,
    pub(super) storage_failures: u32,
}

impl Counters {
    pub(super) fn new(next_number: u64) -> Counters {
        Counters { next_number, ..Counters::default() }
    }

    /// Events that could not be recorded took numbers all the same. Those that are recorded are not
    /// counted here: their numbers are their count.
    #[cold]
    pub(super) fn turned_away(&mut self, events: u32) {
        self.next_number += u64::from(events);
    }

    pub(super) fn suppressed(&mut self, events: u32) {
        self.suppressed = self.suppressed.saturating_add(events);
    }

    pub(super) fn accepted(&mut self, segments: u8, events: u32, code: Code) {
        self.texts = self.texts.saturating_add(1);
        self.segments = self.segments.saturating_add(u32::from(segments));
        self.delivered = self.delivered.saturating_add(events);
        self.last_code = code;
        self.last_refusal = None;
    }

    pub(super) fn retried(&mut self, code: Code) {
        self.retries = self.retries.saturating_add(1);
        self.last_code = code;
    }

    pub(super) fn unclear(&mut self, code: Code) {
        self.unknown = self.unknown.saturating_add(1);
        self.last_code = code;
    }

    pub(super) fn refused(&mut self, refusal: Refusal) {
        self.refused = self.refused.saturating_add(1);
        self.last_code = refusal.code;
        self.last_refusal = Some(refusal);
    }
}

/// What the alerter is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// Nothing waits.
    Idle,
    /// Events wait until this instant.
    Waiting(Instant),
    /// A text is being prepared or is under way.
    Sending,
    /// The last attempts failed; the next one is at this instant.
    BackingOff(Instant),
    /// The service refuses everything until somebody acts; the next probe is at this instant.
    Latched(Instant, Refusal),
    /// The budget is used up until this instant.
    OutOfBudget(Instant),
}

/// Events lost over the life of the ring, by reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LostEvents {
    /// Given up, or not taken, because the ring was full of more severe ones.
    pub evicted: u32,
    /// Too old to be reported.
    pub expired: u32,
    /// Refused by the service for their content, twice.
    pub refused: u32,
    /// Found damaged at a start.
    pub damaged: u32,
    /// Counted by [`Alerter::count_lost`].
    pub unrecorded: u32,
}

/// A snapshot; counts saturate. It is flat, because each field is a line of a report by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What it is doing.
    pub activity: Activity,
    /// Events recorded since this alerter was made, each in a record of its own or counted with an
    /// equal one.
    pub recorded: u32,
    /// Events below the threshold, likewise.
    pub suppressed: u32,
    /// Events named or counted by accepted texts, likewise.
    pub delivered: u32,
    /// Texts accepted, likewise.
    pub texts: u32,
    /// Billed segments of accepted texts, likewise.
    pub segments: u32,
    /// Attempts that were certainly not sent, likewise.
    pub retries: u32,
    /// Attempts whose fate is unknown, likewise.
    pub unknown: u32,
    /// Refusals, likewise.
    pub refused: u32,
    /// Commit rounds that became durable, likewise.
    pub commits: u32,
    /// Storage operations that failed, likewise.
    pub storage_failures: u32,
    /// Whether the last storage operations failed and are being retried.
    pub storage_failing: bool,
    /// Events lost over the life of the ring, for whatever reason.
    pub lost: u32,
    /// The same by reason.
    pub losses: LostEvents,
    /// Of all lost, those that no accepted text has reported yet.
    pub lost_unreported: u32,
    /// Events that wait or are in flight now.
    pub waiting: u32,
    /// Starts on this ring, this one included.
    pub starts: u32,
    /// Segments spent in the present hour's window.
    pub spent_hour: u16,
    /// Segments spent in the present day's window.
    pub spent_day: u16,
    /// Sum of the prices that the service named for this destination, in the account's currency.
    pub price: Decimal,
    /// The account's balance that the service named last, in its currency; `None` if it never did.
    pub balance: Option<Decimal>,
    /// The transport's last code.
    pub last_code: Code,
    /// The last refusal, until a text is accepted.
    pub last_refusal: Option<Refusal>,
}

#[inline]
fn saturate(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// A snapshot.
    pub fn stats(&self) -> Stats {
        let counters = &self.counters;
        let lost = self.losses();
        let tally = &self.state.tally;
        let (spent_hour, spent_day) = self.destination.budget.spent(self.state.clock.last);
        let told_apart = [tally.expired, tally.refused, tally.damaged, tally.unrecorded];
        let losses = LostEvents {
            evicted: told_apart.into_iter().fold(lost, u32::saturating_sub),
            expired: tally.expired,
            refused: tally.refused,
            damaged: tally.damaged,
            unrecorded: tally.unrecorded,
        };
        Stats {
            activity: self.activity(),
            recorded: saturate(self.ring.next_seq() - counters.next_number),
            suppressed: counters.suppressed,
            delivered: counters.delivered,
            texts: counters.texts,
            segments: counters.segments,
            retries: counters.retries,
            unknown: counters.unknown,
            refused: counters.refused,
            commits: counters.commits,
            storage_failures: counters.storage_failures,
            storage_failing: self.commit.failures() > 0,
            lost,
            losses,
            lost_unreported: lost.saturating_sub(self.state.tally.reported),
            waiting: saturate(self.ring.events()),
            starts: self.state.starts,
            spent_hour,
            spent_day,
            price: self.destination.price,
            balance: self.destination.balance,
            last_code: counters.last_code,
            last_refusal: counters.last_refusal,
        }
    }

    fn activity(&self) -> Activity {
        let send_at = self.send_at();
        let at = self.to_boot_time(send_at);
        match self.phase {
            Phase::Noting
            | Phase::Noted
            | Phase::Composing { .. }
            | Phase::Sending { .. }
            | Phase::Answered { .. } => Activity::Sending,
            _ => match self.retry.latched() {
                Some(refusal) => Activity::Latched(self.to_boot_time(self.retry.until()), refusal),
                None if send_at == Instant::FAR_FUTURE => Activity::Idle,
                None if self.retry.failures() > 0 => Activity::BackingOff(at),
                None if self.schedule.is_out_of_budget(self.state.clock.last) => {
                    Activity::OutOfBudget(at)
                }
                None => Activity::Waiting(at),
            },
        }
    }
}
