//! Time since boot, as the core wants it.

use annunciator_core::time::Instant;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds since boot, time asleep included (`CLOCK_BOOTTIME`).
///
/// Read through the vDSO: no system call on the architectures and kernels that matter. Steps of the
/// wall clock do not touch it.
#[inline]
pub(crate) fn now() -> Instant {
    let time = boottime();
    // Whole milliseconds without a 64-bit division; both parts are never negative.
    Instant::from_millis(time.tv_sec as u64 * 1000 + u64::from(time.tv_nsec as u32 / 1_000_000))
}

/// Nanoseconds since boot: fine enough that no two sessions of one slot start at the same.
pub(super) fn nanos_since_boot() -> u64 {
    let time = boottime();
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

#[inline]
fn boottime() -> Timespec {
    clock_gettime(CLOCK)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
// The nearest thing elsewhere; on some systems it stands still while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_kernels_own_account() {
        // /proc/uptime has the same clock in seconds.
        let before = now().as_millis();
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let after = now().as_millis();
        let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
        let uptime = (seconds * 1000.0) as u64;
        assert!(before <= uptime + 10 && uptime <= after, "{before} {uptime} {after}");
    }

    #[test]
    fn never_goes_back() {
        let mut last = now();
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }
}
