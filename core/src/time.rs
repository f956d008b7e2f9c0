//! Time as the core sees it: milliseconds since boot, handed in by the caller.
//!
//! The core has no clock. Every entry point takes the [`Instant`] it happens at. So a whole night
//! of outages is replayed on a laptop in milliseconds, and a device without a calendar works as
//! well as one with. Of the time of day it asks only for quiet hours and for what a text says.

use core::ops::{Add, Sub};

/// A point in time: milliseconds since the device booted, suspended time included.
///
/// On Linux that is `CLOCK_BOOTTIME`; on a microcontroller a 64-bit tick count. It must not go
/// back within one boot: what was due at a time that never comes would wait for the next event.
/// Instants of different boots are not comparable: what is kept across a boot is rebased when it
/// is recovered.
///
/// A counter of 32 bits goes round, after 49.7 days if it counts milliseconds. It is to be extended,
/// and read at least once in each round:
///
/// ```
/// # use annunciator_core::time::Instant;
/// /// In a critical section, if interrupts read it too.
/// struct Uptime(u64);
///
/// impl Uptime {
///     fn read(&mut self, counter: u32) -> Instant {
///         let passed = counter.wrapping_sub(self.0 as u32);
///         self.0 += u64::from(passed);
///         Instant::from_millis(self.0)
///     }
/// }
///
/// let mut uptime = Uptime(0);
/// let before = uptime.read(u32::MAX);
/// assert_eq!(uptime.read(1).since(before).as_millis(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The moment of boot.
    pub const ZERO: Instant = Instant(0);
    /// Later than any instant that occurs: "never".
    pub const FAR_FUTURE: Instant = Instant(u64::MAX);

    /// The instant `millis` milliseconds after boot.
    pub const fn from_millis(millis: u64) -> Instant {
        Instant(millis)
    }

    /// The instant `secs` seconds after boot.
    pub const fn from_secs(secs: u64) -> Instant {
        Instant(secs.saturating_mul(1000))
    }

    /// Milliseconds since boot.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The unit in which instants are kept in slots and in the state: 1,024 ms in 32 bits reach 139
    /// years, and the conversion is a shift. Rounded down: nobody waits for one that is kept longer
    /// than for the one that was. All ones: never.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) const fn tick(self) -> u32 {
        let ticks = self.0 >> 10;
        if ticks < u32::MAX as u64 { ticks as u32 } else { u32::MAX }
    }

    /// The same, rounded up: what is bounded by it is not over too early.
    pub(crate) const fn tick_up(self) -> u32 {
        Instant(self.0.saturating_add(1023)).tick()
    }

    /// The first instant of a tick.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) const fn of_tick(tick: u32) -> Instant {
        if tick == u32::MAX { Instant::FAR_FUTURE } else { Instant((tick as u64) << 10) }
    }

    /// Time passed from `earlier` to here; zero if `earlier` is not earlier.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at [`Instant::FAR_FUTURE`].
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(rhs.0))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    /// Saturates at [`Instant::ZERO`].
    fn sub(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_sub(rhs.0))
    }
}

/// A span of time in milliseconds.
///
/// `core::time::Duration` carries nanoseconds that no decision here needs, and its conversions
/// cost a 128-bit division on a microcontroller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// Longer than any span that occurs.
    pub const MAX: Duration = Duration(u64::MAX);

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> Duration {
        Duration(millis)
    }

    /// A span of `secs` seconds, saturating.
    pub const fn from_secs(secs: u64) -> Duration {
        Duration(secs.saturating_mul(1000))
    }

    /// A span of `mins` minutes, saturating.
    pub const fn from_mins(mins: u64) -> Duration {
        Duration(mins.saturating_mul(60_000))
    }

    /// A span of `hours` hours, saturating.
    pub const fn from_hours(hours: u64) -> Duration {
        Duration(hours.saturating_mul(3_600_000))
    }

    /// The span in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The span doubled so many times, at most `limit`.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn grown(self, doublings: u8, limit: Duration) -> Duration {
        let mut grown = self.0.min(limit.0);
        for _ in 0..doublings {
            grown = grown.saturating_mul(2).min(limit.0);
        }
        Duration(grown)
    }
}

impl Add for Duration {
    type Output = Duration;

    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

impl From<core::time::Duration> for Duration {
    /// Rounds down to whole milliseconds; saturates.
    fn from(span: core::time::Duration) -> Duration {
        let whole = span.as_secs().saturating_mul(1000);
        Duration(whole.saturating_add(u64::from(span.subsec_millis())))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(span: Duration) -> core::time::Duration {
        core::time::Duration::from_millis(span.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        assert_eq!(Instant::FAR_FUTURE + Duration::from_secs(1), Instant::FAR_FUTURE);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO.since(Instant::from_secs(3)), Duration::ZERO);
        assert_eq!(Duration::from_hours(u64::MAX), Duration::MAX);
    }
}
