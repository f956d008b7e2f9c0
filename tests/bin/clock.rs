//! A wall clock that can be wrong, for this process alone.
//!
//! Every reader of the time of day in the process, TLS included, asks the C library by
//! `clock_gettime`; a function of that name in the program itself is taken in its place. Other
//! clocks, and with them every wait and deadline, are right all the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use annunciator_tests::{PATIENCE, error, health};

use crate::{say, start};

/// Seconds that the wall clock is ahead of the right time.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// A device without a battery for its clock: the time comes from the network, some time later.
pub(crate) fn wake_up_in_1970() {
    stand_at(600);
    let alerts = start();
    error(&alerts, "no pressure");
    let deadline = Instant::now() + PATIENCE;
    while health(&alerts).counters.retries < 2 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    say(&alerts.health().to_string());
    say("the clock is set");
    set_right();
    say(&format!("{}\n{}", alerts.flush(PATIENCE), alerts.health()));
}

/// From now on it is so many seconds after the beginning of 1970, and time goes on from there.
fn stand_at(seconds: i64) {
    AHEAD.store(seconds - read(libc::CLOCK_REALTIME).tv_sec, Ordering::SeqCst);
}

/// From now on it is as late as it is.
fn set_right() {
    AHEAD.store(0, Ordering::SeqCst);
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the system call writes one `timespec`, and nothing if it fails.
    unsafe { libc::syscall(libc::SYS_clock_gettime, clock, &raw mut time) };
    time
}

/// In place of the C library's.
///
/// # Safety
/// As there: `time` points to a `timespec` that may be written.
#[unsafe(no_mangle)]
#[expect(unreachable_pub, reason = "std reaches it")]
pub unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> i32 {
    // SAFETY: by this function's own contract.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE) {
        // SAFETY: it has just been written.
        unsafe { (*time).tv_sec += AHEAD.load(Ordering::SeqCst) };
    }
    result as i32
}
