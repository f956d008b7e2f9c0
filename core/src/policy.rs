//! Every choice an owner may make, with its default.

use crate::budget::Limits;
use crate::digest::Fallback;
use crate::event::Level;
use crate::time::Duration;

/// How one destination is served. Start from [`Policy::default`] and change fields.
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
    /// A group that was told counts as new again only after it was quiet for twice its interval,
    /// and for at least this long. Default 2 h.
    pub fade: Duration,
    /// How often new kinds of ERROR may break the gap in an hour, each time in a text of one
    /// segment and after a hold eight times as long as before. Default 3.
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
        }
    }
}
