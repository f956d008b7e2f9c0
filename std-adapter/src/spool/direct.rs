//! Writes from the thread that logs, where no memory survives the program.
//!
//! One `pwrite`, no sync, and no lock held while it runs: the only thing shared with the worker is
//! which file takes writes, handed over in a moment. If the worker happens to be changing that, the
//! call does without. A log call must not wait for a disk, so once one of these writes was slow
//! there are no more until the worker has seen the disk write fast again.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use super::sys;

/// A write that takes longer disturbs the program.
const TOO_SLOW: Duration = Duration::from_millis(20);
/// So many fast writes of the worker make up for a slow one.
const FAST_ONES: u8 = 3;

/// Where direct writes go, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Target {
    file: Mutex<Option<Arc<OwnedFd>>>,
    begun: AtomicU32,
    ended: AtomicU32,
    failed: AtomicBool,
    /// Fast writes of the worker still to be seen before the disk counts as fast again.
    distrust: AtomicU8,
}

impl Target {
    pub(super) fn aim(&self, file: Option<Arc<OwnedFd>>) {
        *self.file.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = file;
    }

    /// How many writes have begun so far.
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many of them are over.
    pub(super) fn ended(&self) -> u32 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Does a write of the worker, and learns from it how fast the disk is.
    pub(super) fn observe<R>(&self, write: impl FnOnce() -> R) -> R {
        let distrust = self.distrust.load(Ordering::Relaxed);
        if distrust == 0 {
            return write();
        }
        let (result, slow) = timed(write);
        let distrust = if slow { FAST_ONES } else { distrust - 1 };
        self.distrust.store(distrust, Ordering::Relaxed);
        result
    }

    pub(super) fn take_failure(&self) -> bool {
        self.failed.swap(false, Ordering::SeqCst)
    }
}

/// What became of a direct write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direct {
    /// The bytes are with the kernel: the end of the program no longer matters.
    Written,
    /// There is no file to write to just now, or the disk is too slow; the worker will write.
    Skipped,
    /// The disk refused; the worker will find out and write everything again.
    Failed,
}

/// Writes a few bytes of the region from any thread.
///
/// The worker must still be told to write the same bytes: it may be about to overwrite them with
/// older ones, and only it syncs.
#[derive(Debug, Clone)]
pub(crate) struct DirectWriter {
    target: Arc<Target>,
    capacity: usize,
}

impl DirectWriter {
    pub(super) fn new(target: Arc<Target>, capacity: usize) -> DirectWriter {
        DirectWriter { target, capacity }
    }

    /// One write, no sync.
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Direct {
        let in_bounds = at.checked_add(bytes.len()).is_some_and(|end| end <= self.capacity);
        let file = match self.target.file.try_lock() {
            Ok(file) => file.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        };
        let fast = self.target.distrust.load(Ordering::Relaxed) == 0;
        let Some(file) = file.filter(|_| in_bounds && fast) else { return Direct::Skipped };
        self.target.begun.fetch_add(1, Ordering::SeqCst);
        // A lowered `ulimit -f` would answer with a signal.
        let (written, slow) = timed(|| {
            sys::file_size_limit_below(self.capacity).is_none()
                && sys::write_at(&*file, bytes, at as u64).is_ok()
        });
        if slow {
            self.target.distrust.store(FAST_ONES, Ordering::Relaxed);
        }
        if !written {
            self.target.failed.store(true, Ordering::SeqCst);
        }
        self.target.ended.fetch_add(1, Ordering::SeqCst);
        if written { Direct::Written } else { Direct::Failed }
    }
}

fn timed<R>(write: impl FnOnce() -> R) -> (R, bool) {
    let start = Instant::now();
    let result = write();
    (result, sys::is_longer(start.elapsed(), TOO_SLOW))
}
