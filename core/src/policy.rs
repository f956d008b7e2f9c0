//! Every choice an owner may make, with its default.

use crate::budget::Limits;
use crate::event::Level;
use crate::gsm7::Fallback;
use crate::time::Duration;
use crate::transport::Decimal;

pub(crate) const DAY_MINUTES: u32 = 24 * 60;

/// How one destination is served. Start from [`Policy::default`] and change what differs. It is flat:
/// each field is one choice, with one default.
///
/// ```
/// use annunciator_core::alerter::Policy;
/// use annunciator_core::event::Level;
/// use annunciator_core::time::Duration;
///
/// let policy = Policy::default()
///     .level(Level::Error)
///     .gap(Duration::from_mins(5))
///     .heartbeat(Some(Duration::from_hours(24 * 7)));
/// assert_eq!(policy.gap, Duration::from_mins(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Events below this level are not recorded. Default WARN.
    pub level: Level,
    /// How long the first ERROR after quiet waits for company. Default 1 s.
    pub hold_error: Duration,
    /// The same for lower levels. Default 5 s.
    pub hold_other: Duration,
    /// So many events end the hold of lower levels, once `hold_error` has passed. Default 10.
    pub batch: u16,
    /// Least time between two texts, and first interval of a group. Default 60 s; doubles to at
    /// most 1 h while texts keep flowing.
    pub gap: Duration,
    /// To what a group's interval grows. Default 8 h.
    pub gap_max: Duration,
    /// A group that was reported counts as new again only after it was quiet for twice its interval,
    /// and for at least this long. Default 2 h.
    pub fade: Duration,
    /// How often new kinds of ERROR may break the gap in an hour. Each time the text has one segment,
    /// and the hold before it is eight times as long as the last. Default 3.
    pub breaks_per_hour: u8,
    /// Most billed segments a text may take, 1 to 6. Default 2.
    pub segments: u8,
    /// What happens to characters outside the GSM alphabet. Default: the text becomes UCS-2.
    pub fallback: Fallback,
    /// What texts may cost. Default 10 segments an hour and 40 a day.
    pub limits: Limits,
    /// First backoff after a failure. Default 1 s.
    pub backoff_min: Duration,
    /// To what the backoff grows. Default 5 min.
    pub backoff_max: Duration,
    /// A server's own wait is obeyed up to this. Default 1 h.
    pub wait_max: Duration,
    /// Events older than this are dropped with a count. Default 3 days.
    pub expiry: Duration,
    /// How long an ERROR or PANIC may wait for storage. Default 100 ms.
    pub commit_error: Duration,
    /// The same for lower levels. Default 1 s.
    pub commit_other: Duration,
    /// A balance below this is reported, once. Default 1 (euro, for Vonage); `None`: never.
    pub low_balance: Option<Decimal>,
    /// After so much time a text says that all is well: `alive 7 d, 0 errors`; at least a minute.
    /// Default `None`.
    pub heartbeat: Option<Duration>,
    /// When a kind of ERROR that was reported has been quiet for this long, a text says so, once.
    /// Default `None`.
    pub recovered: Option<Duration>,
    /// Quiet hours; they need the wall clock, see
    /// [`Alerter::set_wall_clock`](crate::alerter::Alerter::set_wall_clock). Default
    /// `None`.
    pub quiet: Option<Quiet>,
}

/// Hours of the local day during which only more severe events are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quiet {
    /// The first minute of the local day; 22:00 is 1320.
    pub from: u16,
    /// The minute after the last; 7:00 is 420. Before `from`: on the next day.
    pub to: u16,
    /// Events of this level and above are reported all the same.
    pub level: Level,
}

impl Quiet {
    /// From one minute of the local day to another, for all but `level` and above.
    pub const fn new(from: u16, to: u16, level: Level) -> Quiet {
        Quiet { from, to, level }
    }

    /// How long a text that could leave at this minute has to wait.
    pub(crate) fn wait(&self, minute: u32) -> Duration {
        let span = |from: u16, to: u32| {
            (to + DAY_MINUTES).saturating_sub(u32::from(from) % DAY_MINUTES) % DAY_MINUTES
        };
        let to = u32::from(self.to) % DAY_MINUTES;
        let length = span(self.from, to);
        let passed = span(self.from, minute);
        let left = length.saturating_sub(passed);
        Duration::from_mins(u64::from(left))
    }
}

/// A method for each field, which sets it.
macro_rules! setters {
    ($of:ident: $($field:ident: $type:ty),* $(,)?) => {$(
        #[doc = concat!("Sets [`", stringify!($field), "`](field@", stringify!($of), "::", stringify!($field), ").")]
        #[must_use]
        pub const fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    )*};
}
pub(crate) use setters;

impl Policy {
    setters! {
        Policy:
        level: Level,
        hold_error: Duration,
        hold_other: Duration,
        batch: u16,
        gap: Duration,
        gap_max: Duration,
        fade: Duration,
        breaks_per_hour: u8,
        segments: u8,
        fallback: Fallback,
        limits: Limits,
        backoff_min: Duration,
        backoff_max: Duration,
        wait_max: Duration,
        expiry: Duration,
        commit_error: Duration,
        commit_other: Duration,
        low_balance: Option<Decimal>,
        heartbeat: Option<Duration>,
        recovered: Option<Duration>,
        quiet: Option<Quiet>,
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            level: Level::Warn,
            hold_error: Duration::from_secs(1),
            hold_other: Duration::from_secs(5),
            batch: 10,
            gap: Duration::from_secs(60),
            gap_max: Duration::from_hours(8),
            fade: Duration::from_hours(2),
            breaks_per_hour: 3,
            segments: 2,
            fallback: Fallback::Unicode,
            limits: Limits::default(),
            backoff_min: Duration::from_secs(1),
            backoff_max: Duration::from_mins(5),
            wait_max: Duration::from_hours(1),
            expiry: Duration::from_hours(72),
            commit_error: Duration::from_millis(100),
            commit_other: Duration::from_secs(1),
            low_balance: Some(Decimal::ONE),
            heartbeat: None,
            recovered: None,
            quiet: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let quiet = Quiet { from: 22 * 60, to: 7 * 60, level: Level::Panic };
        for (minute, wait) in [(1319, 0), (1320, 540), (1439, 421), (0, 420), (419, 1), (420, 0)] {
            assert_eq!(quiet.wait(minute), Duration::from_mins(wait), "{minute}");
        }
        let noon = Quiet { from: 720, to: 780, level: Level::Panic };
        assert_eq!(noon.wait(719), Duration::ZERO);
        assert_eq!(noon.wait(750), Duration::from_mins(30));
        assert_eq!(noon.wait(780), Duration::ZERO);
    }
}
