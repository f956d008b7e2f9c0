//! Starts after an unclean end: reported once, and in a crash loop less and less often.
//!
//! ```text
//!  start ──► at once: "restarted after a crash: ..."
//!  start     (10 min ──────────────── or the third, if that comes first)
//!  start ──► "restarted after 3 crashes in 2 min: ..."
//!  starts    (20 min) ──► "restarted after 90 crashes in 23 min: ..."   (40 min) ──►  ... 8 h
//! ```
//!
//! They are counted in the destination's state, since nothing else outlives each of them. A series ends
//! with quiet for twice the interval.

use crate::policy::Policy;
use crate::time::{Duration, Instant};

/// Starts within this, so many, become one text.
const WINDOW: Duration = Duration::from_mins(10);
const MANY: u32 = 3;

/// The present series of such starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Crashes {
    /// The first and the last start of the series.
    pub(crate) first: Instant,
    pub(crate) last: Instant,
    /// When a text that counted them was accepted last.
    pub(crate) reported_at: Instant,
    /// Starts in the series, and those that such a text has counted.
    pub(crate) starts: u32,
    pub(crate) reported: u32,
    /// How often the interval has doubled.
    pub(crate) step: u8,
}

impl Crashes {
    /// Counts a start.
    pub(crate) fn count(&mut self, policy: &Policy, now: Instant) {
        let interval = self.interval(policy);
        let quiet = now >= self.last + interval + interval;
        if self.starts == 0 || quiet && !self.is_unreported() {
            *self = Crashes { first: now, ..Crashes::default() };
        }
        self.last = now;
        self.starts = self.starts.saturating_add(1);
    }

    /// Whether a start has not been reported yet.
    pub(crate) fn is_unreported(&self) -> bool {
        self.starts > self.reported
    }

    /// When what is not reported yet is worth a text of its own.
    pub(crate) fn due(&self, policy: &Policy) -> Instant {
        if !self.is_unreported() {
            Instant::FAR_FUTURE
        } else if self.reported == 0 || self.reported < MANY && self.starts >= MANY {
            self.last + policy.hold_error
        } else {
            self.reported_at + self.interval(policy)
        }
    }

    /// Notes that a text which counted so many may have arrived.
    pub(crate) fn report(&mut self, policy: &Policy, now: Instant, starts: u32) {
        if starts >= MANY && now >= self.due(policy) {
            self.step = self.step.saturating_add(1).min(15);
        }
        self.reported = self.reported.max(starts);
        self.reported_at = now;
    }

    fn interval(&self, policy: &Policy) -> Duration {
        WINDOW.grown(self.step.min(15), policy.gap_max.max(WINDOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes at which texts leave that count starts at these minutes, and how many.
    fn reports(starts: impl Iterator<Item = u64>) -> std::vec::Vec<(u64, u32)> {
        let policy = Policy::default();
        let mut crashes = Crashes::default();
        let mut texts = std::vec::Vec::new();
        let mut starts = starts.peekable();
        for second in 60_000..60_000 + 48 * 3600 {
            let now = Instant::from_secs(second);
            let minute = (second - 60_000) / 60;
            if (second - 60_000) % 60 == 0 && starts.next_if_eq(&minute).is_some() {
                crashes.count(&policy, now);
            }
            if crashes.due(&policy) <= now {
                texts.push((minute, crashes.starts));
                crashes.report(&policy, now, crashes.starts);
            }
        }
        texts
    }

    #[test]
    fn the_first_is_told_at_once_and_three_within_ten_minutes_in_one() {
        assert_eq!(reports([5].into_iter()), [(5, 1)]);
        assert_eq!(reports([5, 7, 9].into_iter()), [(5, 1), (9, 3)]);
        assert_eq!(reports([5, 7].into_iter()), [(5, 1), (15, 2)], "two: when the ten are over");
    }

    #[test]
    fn an_endless_loop_is_told_ever_more_seldom() {
        let texts = reports(0..48 * 60);
        assert!(texts.len() <= 12, "{texts:?}");
        assert_eq!(texts[..4], [(0, 1), (2, 3), (22, 23), (62, 63)]);
        assert!(texts.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 8 * 60 + 1), "{texts:?}");
    }

    #[test]
    fn a_series_begins_with_its_first_start() {
        let mut crashes = Crashes::default();
        crashes.count(&Policy::default(), Instant::from_secs(5));
        assert_eq!((crashes.first, crashes.last), (Instant::from_secs(5), Instant::from_secs(5)));
    }

    #[test]
    fn after_quiet_a_crash_is_the_first_again() {
        assert_eq!(reports([0, 60, 120].into_iter()), [(0, 1), (60, 1), (120, 1)]);
    }
}
