//! The raw system call, in processes with nothing to lose.

use super::*;

unsafe extern "C" {
    fn fork() -> i32;
    fn alarm(seconds: u32) -> u32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// Runs `child` in a forked child, and returns whether it ended well. One that hangs, in a lock
/// that no thread will ever unlock, is ended by a signal.
fn in_child(child: impl FnOnce()) -> bool {
    // SAFETY: the child does what the documentation allows after a fork, and ends.
    let pid = unsafe { fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // SAFETY: asks for a signal and touches nothing of this process.
        unsafe { alarm(2 * PATIENCE.as_secs() as u32) };
        let well = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).is_ok();
        // SAFETY: nothing is to be cleaned up in a copy of the parent.
        unsafe { _exit(i32::from(!well)) };
    }
    let mut status = 0;
    // SAFETY: the status is a place to write to.
    assert_eq!(unsafe { waitpid(pid, &mut status, 0) }, pid);
    status == 0
}

pub(super) fn run(home: &Path) {
    let alerts = builder(home).start().unwrap();
    record(&alerts, Level::Error, "of the parent");
    assert!(alerts.flush(PATIENCE).is_complete());
    let well = in_child(|| {
        record(&alerts, Level::Error, "in between");
        assert!(!alerts.health().is_good());
        assert_eq!(destination(&alerts).counters.lost.unrecorded, 1);
        assert_eq!(alerts.flush(PATIENCE).sent, 0);
        let own = builder(home).start().unwrap();
        record(&own, Level::Error, "of the child");
        assert!(own.flush(PATIENCE).is_complete());
        let files = names(home);
        assert!(files.iter().any(|name| name.contains("-1.")), "{files:?}");
    });
    assert!(well);
    drop(alerts);
}

/// Forks while other threads log without a pause, so that locks are held.
pub(super) fn run_busy(home: &Path) {
    let alerts = builder(home).hold(AGES, AGES).start().unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    record(&alerts, Level::Error, "without a pause");
                }
            });
        }
        let all_well = (0..50).all(|_| {
            in_child(|| {
                record(&alerts, Level::Error, "in the child");
                alerts.health();
                alerts.flush(Duration::from_secs(1));
            })
        });
        // First end the other threads: a panic in here waits for them.
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(all_well);
    });
    std::mem::forget(alerts);
}
