//! Writes from the thread that logs, where no memory survives the program.
//!
//! One `pwrite`, no sync, and nothing waited for. Two writes to one place must arrive in the order
//! in which their bytes were copied from the ring. So there is a gate that is passed while the ring
//! is still locked:
//!
//! ```text
//!  caller   ring locked: change, begin (gate tried; held by another: skipped), copy
//!           ring free:   pwrite, gate let go
//!  worker   ring locked: worker_copies, copy        ring free: gate waited for; pwrite, unless a
//!                                                   caller began here since: its bytes are newer
//! ```
//!
//! What is skipped or left to a caller's bytes is dirty in the ring, and the worker comes to it. A
//! log call must not wait for a disk. Once one of these writes was slow there are no more until the
//! worker has seen the disk write fast again.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use annunciator_core::ring::slots_of;

use super::{TEXT, sys};

/// A write that takes longer disturbs the program.
const TOO_SLOW: Duration = Duration::from_millis(20);
/// So many fast writes of the worker make up for a slow one.
const FAST_ONES: u8 = 3;

/// Where direct writes go, and what became of them.
#[derive(Debug, Default)]
pub(super) struct Target {
    file: Mutex<Option<Arc<OwnedFd>>>,
    /// Held while a write runs: where direct writes went, and in which of the worker's turns.
    gate: Mutex<Vec<(usize, u32)>>,
    /// How often the worker has copied bytes of the ring.
    turn: AtomicU32,
    begun: AtomicU32,
    ended: AtomicU32,
    failed: AtomicBool,
    /// Fast writes of the worker still to be seen before the disk counts as fast again.
    distrust: AtomicU8,
}

impl Target {
    pub(super) fn aim(&self, file: Option<Arc<OwnedFd>>) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        // What callers wrote to another file is not in this one.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many writes have begun so far.
    pub(super) fn begun(&self) -> u32 {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many of them are over.
    pub(super) fn ended(&self) -> u32 {
        self.ended.load(Ordering::SeqCst)
    }

    /// Does a write of the worker at this place, unless a caller has put newer bytes there.
    pub(super) fn write_after<E>(
        &self,
        at: usize,
        write: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = self.turn.load(Ordering::SeqCst);
        gate.retain(|(_, begun)| *begun == turn);
        if gate.iter().any(|(place, _)| *place == at) {
            return Ok(());
        }
        self.observe(write)
    }

    /// Does a write of the worker, and learns from it how fast the disk is.
    fn observe<R>(&self, write: impl FnOnce() -> R) -> R {
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

/// Writes a few bytes of the region from any thread.
///
/// The worker must still write the same bytes: it may be about to overwrite them with
/// older ones, and only it syncs.
#[derive(Debug, Clone)]
pub(crate) struct DirectWriter {
    target: Arc<Target>,
    capacity: usize,
}

impl DirectWriter {
    pub(super) fn new(target: Arc<Target>, capacity: usize) -> DirectWriter {
        // Room for all that it will ever hold, so that no log call allocates. Who holds it now has
        // a writer, so it was made then.
        if let Ok(mut gate) = target.gate.try_lock() {
            let missing = slots_of::<TEXT>(capacity).saturating_sub(gate.len());
            gate.reserve_exact(missing);
        }
        DirectWriter { target, capacity }
    }

    /// To be called under the ring's lock, before the worker copies from it.
    pub(crate) fn worker_copies(&self) {
        self.target.turn.fetch_add(1, Ordering::SeqCst);
    }

    /// Both at once, for what is in no ring; `None`: skipped.
    #[cfg(test)]
    pub(crate) fn write(&self, at: usize, bytes: &[u8]) -> Option<bool> {
        Some(self.begin(at, bytes.len())?.write(bytes))
    }

    /// To be called under the ring's lock, before so many bytes for this place are copied from it.
    /// Nothing if there is no file to write to just now, the disk is too slow, or another caller is
    /// writing: then the worker will.
    pub(crate) fn begin(&self, at: usize, len: usize) -> Option<Permit<'_>> {
        let target = &*self.target;
        at.checked_add(len).filter(|end| *end <= self.capacity)?;
        let file = match target.file.try_lock() {
            Ok(file) => file.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        };
        let fast = target.distrust.load(Ordering::Relaxed) == 0;
        let file = file.filter(|_| fast)?;
        let mut gate = match target.gate.try_lock() {
            Ok(gate) => gate,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        let turn = target.turn.load(Ordering::SeqCst);
        // One for each place, so there are never more than the ring has slots.
        match gate.iter_mut().find(|(place, _)| *place == at) {
            Some(place) => place.1 = turn,
            None => gate.push((at, turn)),
        }
        Some(Permit { target, capacity: self.capacity, file, at, _gate: gate })
    }
}

/// One write that may be made; nobody else writes as long as it lives.
pub(crate) struct Permit<'a> {
    target: &'a Target,
    capacity: usize,
    file: Arc<OwnedFd>,
    at: usize,
    _gate: MutexGuard<'a, Vec<(usize, u32)>>,
}

impl Permit<'_> {
    /// One write, no sync. Whether the bytes are with the kernel, so that the end of the program no
    /// longer matters; if not, the worker will find out and write everything again.
    pub(crate) fn write(self, bytes: &[u8]) -> bool {
        let Permit { target, capacity, ref file, at, .. } = self;
        target.begun.fetch_add(1, Ordering::SeqCst);
        // A lowered `ulimit -f` would answer with a signal.
        let (written, slow) = timed(|| {
            sys::file_size_limit_below(capacity).is_none()
                && sys::write_at(&**file, bytes, at as u64).is_ok()
        });
        if slow {
            target.distrust.store(FAST_ONES, Ordering::Relaxed);
        }
        if !written {
            target.failed.store(true, Ordering::SeqCst);
        }
        target.ended.fetch_add(1, Ordering::SeqCst);
        written
    }
}

fn timed<R>(write: impl FnOnce() -> R) -> (R, bool) {
    let start = Instant::now();
    let result = write();
    (result, sys::is_longer(start.elapsed(), TOO_SLOW))
}
