//! What a text says beside the events: of the budget, an outage, the account, the alerter itself.
//!
//! ```text
//!  prefix │ budget used up until 14:00 │ 23 alerts while offline 02:10-03:40 │
//!           restarted after a crash: │ events ... │
//!           balance 0.93 │ recovered: ... │ alive 7 d, 0 errors │ unconfirmed ... │ 12 lost
//! ```
//!
//! Times of day are what the wall clock said. Where it was not set, spans stand in their place.

use super::{Alerter, Phase, StartReason};
use crate::digest::{Digest, Group, Piece};
use crate::event::Level;
use crate::memory::Memory;
use crate::notification_log::Due;
use crate::policy::DAY_MINUTES;
use crate::state::{Attempt, UNCONFIRMED};
use crate::time::{Duration, Instant};
use crate::transport::{Decimal, Reference};
use heapless::Vec;

/// Notices before the events: the budget, an outage, a crash.
pub(super) const LEADING: u8 = 3;
/// Notices behind them: balance, recovery, heartbeat, unconfirmed attempts, losses.
pub(super) const TRAILING: u8 = 3 + UNCONFIRMED as u8 + 1;

/// An outage shorter than this is not worth words.
const OUTAGE: Duration = Duration::from_mins(5);
/// Heartbeats are not closer than this.
const QUICKEST: Duration = Duration::from_mins(1);
/// So many events are reported without any.
const FEW: u32 = 3;

/// What the text under way says of it: reported once it is accepted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notices {
    /// The budget is used up until then, or zero; and for the most severe levels too.
    pub(super) notice: Instant,
    pub(super) all_levels: bool,
    /// Since when and until when there was no way to the service; zero: there was.
    outage: (Instant, Instant),
    low: bool,
    beat: Duration,
    recovered: u32,
    /// Starts after an unclean end, or zero.
    crashes: u32,
    at: Instant,
}

impl Notices {
    /// Whether it is worth a text without events.
    pub(super) fn is_news(&self) -> bool {
        let account = self.notice > Instant::ZERO || self.low;
        account || self.beat > Duration::ZERO || self.recovered > 0 || self.crashes > 0
    }
}

/// The wall clock of the place where the owner is.
#[derive(Debug, Clone, Copy)]
pub(super) struct WallClock {
    at: Instant,
    /// Second of the local day at that instant.
    second: u32,
}

impl WallClock {
    pub(super) fn new(at: Instant, unix_secs: u64, utc_offset_minutes: i16) -> WallClock {
        // 86,400 is 128 times 675: so the division is one of 32 bits.
        let second = ((unix_secs >> 7) as u32 % 675) * 128 + (unix_secs & 127) as u32;
        let offset = (i32::from(utc_offset_minutes) * 60).rem_euclid(86_400) as u32;
        WallClock { at, second: (second + offset) % 86_400 }
    }

    /// Minute of the local day at another instant, however far away: a device may be given the
    /// time once, and its quiet hours must end years later too.
    pub(super) fn minute(&self, at: Instant) -> u32 {
        let (after, before) = (of_day(at.since(self.at)), of_day(self.at.since(at)));
        (self.second + after + 86_400 - before) % 86_400 / 60
    }
}

/// Hundredths in so many units of a [`Decimal`]; [`u32::MAX`] if there are more. The divisor, 10⁶,
/// is 64 times 15,625, which is divided by as on paper, 16 bits a digit: the division of 64-bit
/// numbers that a small chip would have to carry along is larger than all of a notice.
fn hundredths(units: u64) -> u32 {
    const _: () = assert!(Decimal::ONE.0 == 100 * 64 * 15_625);
    let (mut digits, mut rest, mut quotient) = (units >> 6, 0, 0);
    for _ in 0..4 {
        rest = rest << 16 | (digits >> 48) as u32;
        digits <<= 16;
        quotient = quotient << 16 | u64::from(rest / 15_625);
        rest %= 15_625;
    }
    u32::try_from(quotient).unwrap_or(u32::MAX)
}

/// Whole seconds beyond whole days. A day's milliseconds are 1,024 times 84,375: so the divisions
/// are of 32 bits.
fn of_day(span: Duration) -> u32 {
    let millis = span.as_millis();
    (((millis >> 10) as u32 % 84_375) << 10 | (millis & 1023) as u32) / 1000
}

/// Whole seconds; spans beyond 49 days count as those.
fn seconds(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX) / 1000
}

impl<M: Memory, const TEXT: usize> Alerter<'_, M, TEXT> {
    /// Says what the wall clock shows: seconds since 1970 in UTC, and how many minutes local time
    /// is ahead of UTC. To be repeated after a change of either, once a day as a rule. Without it
    /// texts name spans instead of times of day, and there are no quiet hours.
    pub fn set_wall_clock(&mut self, now: Instant, unix_secs: u64, utc_offset_minutes: i16) {
        self.moved = true;
        self.wall = Some(WallClock::new(self.to_persistent(now), unix_secs, utc_offset_minutes));
    }

    /// The end of the quiet hours, if `at` is within and what waits is not severe enough.
    pub(super) fn after_quiet_hours(&self, at: Instant) -> Instant {
        let (Some(quiet), Some(wall)) = (self.policy.quiet, self.wall) else { return at };
        if at == Instant::FAR_FUTURE || self.severity() >= quiet.level {
            return at;
        }
        let at = at.max(self.state.clock.last);
        at + quiet.wait(wall.minute(at))
    }

    fn heartbeat(&self) -> Option<Duration> {
        self.policy.heartbeat.map(|span| span.max(QUICKEST))
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn is_low(&self) -> bool {
        match (self.policy.low_balance, self.destination.balance) {
            (Some(limit), Some(balance)) => balance < limit,
            _ => false,
        }
    }

    /// When there is something to say without any event.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn news_at(&self, now: Instant) -> Instant {
        let news = &self.destination.notices;
        let mut at = Instant::FAR_FUTURE;
        if self.is_low() && !news.low_balance {
            at = now;
        }
        if let Some(span) = self.heartbeat() {
            at = at.min(news.heartbeat + span);
        }
        if let Some(quiet) = self.policy.recovered {
            at = at.min(self.destination.log.recovers(quiet));
        }
        if self.has_unclean_end() {
            at = at.min(self.destination.crashes.due(&self.policy));
        }
        if at == Instant::FAR_FUTURE {
            at
        } else {
            at.max(self.destination.log.gap_end(&self.policy))
        }
    }

    /// Schedules a text if events were lost or a delivery is unconfirmed while no other event waits.
    /// It keeps the reporting interval of repeated trouble.
    pub(super) fn schedule_loss_report(&mut self, now: Instant) {
        // A loss beside what waits is reported with that, at its pace.
        let alone = self.ring.events() <= self.ring.in_flight();
        let lost = alone && self.losses() > self.state.tally.reported;
        if !lost && !self.state.has_unconfirmed() {
            return;
        }
        let pause = self.policy.gap.grown(self.retry.failures(), self.policy.gap_max);
        let earliest = self.destination.log.gap_end(&self.policy).max(now);
        self.schedule.by(Due { earliest, held: earliest.max(now + pause) });
    }

    /// Whether an unclean end of this ring's program is to be reported: of a neighbour's, its own
    /// ring speaks. All ends of one series are reported by one text, whoever's it is.
    pub(super) fn has_unclean_end(&self) -> bool {
        self.state.unclean != 0 && self.destination.crashes.is_unreported()
    }

    /// An unclean end that another alerter has reported with its own is no news any more. Returns
    /// whether there was one.
    pub(super) fn forget_reported_end(&mut self) -> bool {
        let reported = self.state.unclean != 0 && !self.destination.crashes.is_unreported();
        if reported {
            self.state.unclean = 0;
        }
        reported
    }

    /// Decides what the text to come says beside the events.
    pub(super) fn carry(&mut self, now: Instant) {
        let news = &self.destination.notices;
        let offline = news.outage > Instant::ZERO && now.since(news.outage) >= OUTAGE;
        self.notices.outage = if offline { (news.outage, now) } else { Default::default() };
        self.notices.low = self.is_low() && !news.low_balance;
        self.notices.beat = match self.heartbeat() {
            Some(span) if now >= news.heartbeat + span => now.since(news.heartbeat),
            _ => Duration::ZERO,
        };
        self.notices.recovered = match self.policy.recovered {
            Some(quiet) => self.destination.log.recovered(quiet, now, false),
            None => 0,
        };
        let starts = self.destination.crashes.starts;
        self.notices.crashes = if self.has_unclean_end() { starts } else { 0 };
        self.notices.at = now;
    }

    /// The text was accepted: what it said is no news any more.
    pub(super) fn notices_accepted(&mut self) {
        let low = self.is_low();
        // Taken by `mark_recovered`, when the groups of this text are noted.
        let Alerter { notices, destination, policy, .. } = self;
        if notices.crashes > 0 {
            destination.crashes.report(policy, notices.at, notices.crashes);
        }
        let news = &mut destination.notices;
        news.budget = news.budget.max(notices.notice);
        news.outage = Instant::ZERO;
        news.low_balance = low && (news.low_balance || notices.low);
        if notices.beat > Duration::ZERO {
            news.heartbeat = notices.at;
            news.errors = 0;
        }
        self.forget_reported_end();
    }

    /// The text was accepted, and the groups it names are noted: those that it called quiet are
    /// reported as recovered.
    pub(super) fn mark_recovered(&mut self) {
        let notices = core::mem::take(&mut self.notices);
        if let Some(quiet) = self.policy.recovered.filter(|_| notices.recovered > 0) {
            self.destination.log.recovered(quiet, notices.at, true);
        }
    }

    /// The text may have arrived; its notice has cost what was kept for it and is not repeated.
    pub(super) fn notices_unknown(&mut self) {
        let notice = core::mem::take(&mut self.notices).notice;
        self.destination.notices.budget = self.destination.notices.budget.max(notice);
    }

    /// The text may have arrived twice, or was refused twice: nothing is tried a third time. News
    /// that stayed news would be reported again at once, for ever.
    pub(super) fn notices_given_up(&mut self) {
        self.notices_accepted();
        // Recovered groups are a walk, and that comes with the next step. None is noted before it.
        self.phase = Phase::Settling { group: u16::MAX };
    }
}

/// A notice in the making; what does not fit is left out.
struct Notice<'a>(Vec<Piece<'a>, 16>);

impl<'a> Notice<'a> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn text(&mut self, words: &'a str) -> &mut Self {
        let _ = self.0.push(Piece::Text(words));
        self
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn number(&mut self, number: u32) -> &mut Self {
        let _ = self.0.push(Piece::Number(number));
        self
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn two(&mut self, number: u32) -> &mut Self {
        let _ = self.0.push(Piece::Two((number % 100) as u8));
        self
    }

    /// `14:05`
    fn time(&mut self, minute: u32) -> &mut Self {
        self.two(minute / 60).text(":").two(minute % 60)
    }

    /// `43 min`, `1 h 30 min`, `7 d`
    fn span(&mut self, span: Duration) -> &mut Self {
        let minutes = seconds(span) / 60;
        let (days, hours) = (minutes / DAY_MINUTES, minutes / 60 % 24);
        let first = match (days, hours) {
            (0, 0) => return self.number(minutes.max(1)).text(" min"),
            (0, _) => self.number(hours).text(" h"),
            _ => self.number(days).text(" d"),
        };
        match (days, hours, minutes % 60) {
            (0, _, 0) | (1.., 0, _) => first,
            (0, _, rest) => first.text(" ").number(rest).text(" min"),
            (_, hours, _) => first.text(" ").number(hours).text(" h"),
        }
    }
}

/// Builds notice `number` and hands it on with the parts that its receiver needs.
pub(super) fn notice<M: Memory, const TEXT: usize>(
    alerter: &mut Alerter<'_, M, TEXT>,
    attempt: &Attempt,
    number: u8,
    give: impl FnOnce(&mut Digest, &mut [Group], &[Piece<'_>]),
) {
    let (digest, groups) = (&mut alerter.digest, &mut *alerter.groups);
    let (notices, wall) = (&alerter.notices, &alerter.wall);
    // Lives as long as the notice.
    let ascii;
    let mut notice = Notice(Vec::new());
    match number {
        0 if notices.notice > Instant::ZERO => {
            notice.text("budget used up ");
            match wall {
                Some(wall) => notice.text("until ").time(wall.minute(notices.notice)),
                None => notice.text("for ").span(notices.notice.since(notices.at)),
            };
            if !notices.all_levels {
                notice.text(" but for ERROR");
            }
        }
        1 if notices.outage.0 > Instant::ZERO && digest.events() > FEW => {
            let (from, to) = notices.outage;
            notice.number(digest.events()).text(" alerts while offline ");
            match wall {
                Some(wall) => notice.time(wall.minute(from)).text("-").time(wall.minute(to)),
                None => notice.span(to.since(from)),
            };
        }
        2 if notices.crashes > 0 => {
            let series = &alerter.destination.crashes;
            let (first, one, many) = match alerter.reason {
                StartReason::Reset => ("restarted after ", "a reset", " resets"),
                StartReason::Vanished => ("", "ended without a word", " ends without a word"),
                _ => ("restarted after ", "a crash", " crashes"),
            };
            notice.text(first);
            if notices.crashes == 1 {
                notice.text(one);
            } else {
                notice.number(notices.crashes).text(many);
                // Both are kept in whole ticks: the span may be short by one.
                let tick = Duration::from_millis(1024);
                notice.text(" in ").span(series.last.since(series.first) + tick);
            }
            if alerter.reason == StartReason::Reset {
                notice.text(", boot ").number(alerter.state.starts);
            }
            let cause = alerter.cause.and_then(|(slot, seq)| alerter.ring.remains(slot, seq));
            match cause {
                // It is reported with the events.
                Some(cause) if cause.seq > alerter.ring.consumed() && digest.events() > 0 => {
                    notice.text(":");
                }
                // It was reported before, and is not to be taken for one of these events.
                Some(cause) if alerter.ring.consumed() >= cause.seq && attempt.style == 0 => {
                    let (open, close) = if digest.events() > 0 { (" (", ")") } else { (": ", "") };
                    notice.text(open).text(cause.level.name()).text(": ").text(cause.message);
                    notice.text(close);
                }
                _ => {}
            }
        }
        3 if notices.low => {
            let balance = alerter.destination.balance.unwrap_or_default();
            let size = hundredths(balance.0.unsigned_abs());
            let negative = balance.0 < 0 && size > 0;
            notice.text("balance low: ").text(if negative { "-" } else { "" });
            notice.number(size / 100).text(".").two(size % 100);
        }
        4 if notices.recovered > 0 => {
            let quiet = alerter.policy.recovered.unwrap_or_default();
            let kinds = if notices.recovered == 1 { " kind" } else { " kinds" };
            notice.text("recovered: ").number(notices.recovered).text(kinds);
            notice.text(" of ERROR, quiet for ").span(quiet);
        }
        5 if notices.beat > Duration::ZERO => {
            let errors = alerter.destination.notices.errors;
            notice.text("alive ").span(notices.beat).text(", ").number(errors);
            notice.text(if errors == 1 { " error" } else { " errors" });
        }
        _ => {}
    }
    let lost = attempt.losses.saturating_sub(alerter.state.tally.reported);
    let first = LEADING + 3;
    match alerter.state.unconfirmed.get(usize::from(number.wrapping_sub(first))) {
        Some(unknown) if unknown.events > 0 => {
            ascii = Reference(unknown.reference).to_ascii();
            let reference = core::str::from_utf8(&ascii).unwrap_or("");
            let level = Level::from_byte(unknown.level).map_or("", Level::name);
            notice.text("unconfirmed ").text(reference).text(": ");
            notice.number(unknown.events).text(" ").text(level);
        }
        None if number >= first && lost > 0 => {
            notice.number(lost).text(" lost");
        }
        _ => {}
    }
    give(digest, groups, &notice.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_are_those_of_a_division() {
        let mut random: u64 = 1;
        for bits in 0..64 {
            for _ in 0..100 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let units = random >> bits;
                let all = u32::try_from(units / 1_000_000).unwrap_or(u32::MAX);
                assert_eq!(hundredths(units), all, "{units}");
            }
        }
    }

    #[test]
    fn the_wall_clock_shows_local_minutes_before_and_after() {
        // 2024-02-29 23:30:15 UTC, in Kathmandu.
        let at = Instant::from_secs(500_000);
        let wall = WallClock::new(at, 1_709_249_415, 345);
        assert_eq!(wall.minute(at), 5 * 60 + 15);
        assert_eq!(wall.minute(at + Duration::from_hours(30)), 11 * 60 + 15);
        assert_eq!(wall.minute(at - Duration::from_hours(6)), 23 * 60 + 15);
        let west = WallClock::new(at, 1_709_249_415, -720);
        assert_eq!(west.minute(at), 11 * 60 + 30);
    }
}
