//! What texts may cost: billed segments in fixed windows, a part of them kept for the most severe.
//!
//! Windows of an hour and of a day begin with the first segment spent in them. Segments are charged
//! when an attempt is noted, before it is made, and given back only when it was certainly not sent:
//! a crash can waste some but never spend one twice.

use crate::time::{Duration, Instant};

/// Segments spent in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Window {
    pub(crate) start: Instant,
    pub(crate) spent: u16,
}

impl Window {
    fn spent(&self, now: Instant, length: Duration) -> u16 {
        if now.since(self.start) < length { self.spent } else { 0 }
    }

    fn charge(&mut self, now: Instant, length: Duration, segments: u16) {
        let spent = self.spent(now, length);
        if spent == 0 {
            self.start = now;
        }
        self.spent = spent.saturating_add(segments);
    }
}

/// The windows of one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Budget {
    pub(crate) hour: Window,
    pub(crate) day: Window,
}

/// Limits of a budget, in billed segments of one destination.
///
/// ```
/// # use annunciator_core::budget::Limits;
/// assert_eq!(Limits::default(), Limits::new(10, 40));
/// assert_eq!(Limits::default().worst_month(), 1280);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Segments an hour, all levels together. Default 10.
    pub hour: u16,
    /// Segments a day, all levels together. Default 40.
    pub day: u16,
}

impl Limits {
    /// So many segments an hour and a day.
    pub const fn new(hour: u16, day: u16) -> Limits {
        Limits { hour, day }
    }

    /// The most that any 31 days can cost, in segments.
    pub const fn worst_month(self) -> u32 {
        // Windows are fixed and follow each other, so 31 days see parts of 32: a day's limit can be
        // spent at the end of the first and at the beginning of the next.
        let by_day = self.day as u32 * 32;
        let by_hour = self.hour as u32 * (31 * 24 + 1);
        if by_day < by_hour { by_day } else { by_hour }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::new(10, 40)
    }
}

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

impl Budget {
    /// Segments that may be spent now. A quarter of each window is kept for severe levels, and one
    /// segment for the notice that the rest is gone; once that is reported, it is the reserve's.
    pub(crate) fn available(
        &self,
        limits: Limits,
        now: Instant,
        severe: bool,
        reported: bool,
    ) -> u16 {
        let left = |window: Window, length: Duration, limit: u16| {
            let reserve = if severe { 0 } else { limit.div_ceil(4) };
            // However small the limit, something is left for every level.
            let notice = u16::from(limit > 1 && !(severe && reported));
            let usable = limit.saturating_sub(reserve + notice).max(limit.min(1));
            usable.saturating_sub(window.spent(now, length))
        };
        left(self.hour, HOUR, limits.hour).min(left(self.day, DAY, limits.day))
    }

    /// Segments spent in the present windows of an hour and of a day.
    pub(crate) fn spent(&self, now: Instant) -> (u16, u16) {
        (self.hour.spent(now, HOUR), self.day.spent(now, DAY))
    }

    /// Segments that are left, those kept for a purpose included.
    pub(crate) fn left(&self, limits: Limits, now: Instant) -> u16 {
        let (hour, day) = self.spent(now);
        limits.hour.saturating_sub(hour).min(limits.day.saturating_sub(day))
    }

    /// When something will be available again: after `now`, and never if a limit is zero.
    pub(crate) fn renewed(&self, limits: Limits, now: Instant, severe: bool) -> Instant {
        let (hour, day) = (self.hour.start + HOUR, self.day.start + DAY);
        let ends = [hour.min(day), hour.max(day)];
        let mut ends = ends.into_iter().filter(|end| *end > now);
        ends.find(|end| self.available(limits, *end, severe, false) > 0)
            .unwrap_or(Instant::FAR_FUTURE)
    }

    pub(crate) fn charge(&mut self, now: Instant, segments: u8) {
        self.hour.charge(now, HOUR, u16::from(segments));
        self.day.charge(now, DAY, u16::from(segments));
    }

    /// Gives back what was charged for an attempt that was certainly not made.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn refund(&mut self, segments: u8) {
        self.hour.spent = self.hour.spent.saturating_sub(u16::from(segments));
        self.day.spent = self.day.spent.saturating_sub(u16::from(segments));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_is_kept_for_the_grave_and_one_for_the_notice() {
        let (mut budget, limits) = (Budget::default(), Limits::default());
        let now = Instant::from_secs(5);
        assert_eq!(budget.available(limits, now, false, false), 6);
        assert_eq!(budget.available(limits, now, true, false), 9);
        budget.charge(now, 6);
        assert_eq!(budget.available(limits, now, false, false), 0);
        assert_eq!(budget.available(limits, now, true, false), 3);
        budget.charge(now, 1);
        assert_eq!(budget.available(limits, now, false, true), 0);
        assert_eq!(budget.available(limits, now, true, true), 3);
        assert_eq!(budget.renewed(limits, now, false), now + HOUR);
        assert_eq!(budget.available(limits, now + HOUR, false, false), 6);
    }

    #[test]
    fn the_day_holds_when_the_hours_would_allow_more() {
        let (mut budget, limits) = (Budget::default(), Limits::default());
        let mut now = Instant::from_secs(5);
        let mut spent = 0;
        for _ in 0..23 {
            let take = budget.available(limits, now, true, false).min(9) as u8;
            budget.charge(now, take);
            spent += u32::from(take);
            now = now + HOUR;
        }
        assert_eq!(spent, 39);
        assert_eq!(budget.renewed(limits, now, true), Instant::from_secs(5) + DAY);
    }

    #[test]
    fn the_worst_month_is_never_exceeded_even_by_windows_that_straddle_its_ends() {
        let limits = Limits::default();
        let mut budget = Budget::default();
        let begin = Instant::from_secs(5);
        budget.charge(begin, 1);
        // Silence to the last hours of that day, then as much as goes.
        let month = begin + Duration::from_hours(19);
        let mut spent = 0;
        for hour in 0..31 * 24 {
            let now = month + Duration::from_hours(hour);
            let take = budget.available(limits, now, true, false) as u8;
            budget.charge(now, take);
            spent += u32::from(take);
        }
        assert!(spent > 31 * u32::from(limits.day), "not the worst case: {spent}");
        assert!(spent <= limits.worst_month(), "{spent}");
        assert_eq!(Limits { hour: 1, day: 40 }.worst_month(), 745);
    }

    #[test]
    fn the_smallest_limits_leave_something_for_every_level_and_end_in_the_future() {
        for (hour, day) in (0..5).flat_map(|hour| (0..5).map(move |day| (hour, day))) {
            let limits = Limits { hour, day };
            for severe in [false, true] {
                let (mut budget, mut now) = (Budget::default(), Instant::from_secs(5));
                for _ in 0..100 {
                    let available = budget.available(limits, now, severe, false);
                    if available == 0 {
                        let renewed = budget.renewed(limits, now, severe);
                        assert!(renewed > now, "{limits:?}");
                        assert_eq!(renewed == Instant::FAR_FUTURE, hour == 0 || day == 0);
                        if renewed == Instant::FAR_FUTURE {
                            break;
                        }
                        now = renewed;
                    } else {
                        budget.charge(now, available as u8);
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_not_sent_is_given_back() {
        let (mut budget, limits) = (Budget::default(), Limits::default());
        budget.charge(Instant::ZERO, 2);
        budget.refund(2);
        assert_eq!(budget.available(limits, Instant::ZERO, true, false), 9);
    }
}
