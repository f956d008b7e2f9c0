//! What a process must know and do after a fork.
//!
//! A forked child has a copy of everything and none of the threads. It must not touch its parent's
//! ring, and it must give up its copies of the parent's locks: nobody else would ever drop them, and
//! the parent's instance would count as locked for as long as the child lives. So each lock's
//! descriptor sits in a cell that others may empty.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::map::WipedOnFork;

/// Knows whether the process that made it is the one that asks.
///
/// A forked child inherits the parent's ring, a copy of its lock and perhaps a mutex that no thread
/// of the child will ever unlock, so before a log call touches any of them it asks here. The answer
/// comes from a page that the kernel empties in a child (`MADV_WIPEONFORK`): one load, no system
/// call. Where there is none, process ids are compared.
///
/// The ring's own mapping is left as `fork` leaves it. Keeping it from the child
/// (`MADV_DONTFORK`) would turn any oversight into a SIGSEGV of the application.
#[derive(Debug)]
pub(crate) struct ForkGuard {
    page: Option<WipedOnFork>,
    maker: u32,
}

impl ForkGuard {
    /// A guard of the calling process.
    pub(crate) fn new() -> ForkGuard {
        ForkGuard { page: WipedOnFork::new(), maker: std::process::id() }
    }

    /// Whether the caller is a forked child of the process that made the guard.
    #[inline]
    pub(crate) fn in_child(&self) -> bool {
        match &self.page {
            Some(page) => page.is_wiped(),
            None => self.maker != std::process::id(),
        }
    }
}

/// A descriptor that holds a lock, until it is closed.
#[derive(Debug, Clone, Default)]
pub(super) struct LockedFd(Arc<Mutex<Option<Owned>>>);

/// Unlocks when dropped by the process that locked. Closing would not do at once: a child that
/// another thread has just forked holds a copy until it executes something, and the lock with it.
#[derive(Debug)]
struct Owned {
    fd: Arc<OwnedFd>,
    owner: u32,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A forked child only closes its copy.
        if self.owner == std::process::id() {
            let _ = rustix::fs::flock(&*self.fd, FlockOperation::Unlock);
        }
    }
}

impl LockedFd {
    pub(super) fn new(fd: OwnedFd) -> LockedFd {
        LockedFd::shared(Arc::new(fd))
    }

    /// Of a descriptor that others use as well; they must be done with it before this is dropped.
    pub(super) fn shared(fd: Arc<OwnedFd>) -> LockedFd {
        let owner = std::process::id();
        LockedFd(Arc::new(Mutex::new(Some(Owned { fd, owner }))))
    }

    /// Does something with the descriptor; `BADF` if it was closed.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&OwnedFd) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        match &*self.cell() {
            Some(locked) => work(&locked.fd),
            None => Err(Errno::BADF),
        }
    }

    /// Keeps what `other` has locked from now on; what was locked before is free.
    pub(super) fn take_over(&self, other: LockedFd) {
        let locked = other.cell().take();
        *self.cell() = locked;
    }

    fn cell(&self) -> MutexGuard<'_, Option<Owned>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Closes this process's copy. Gives up rather than wait: in a child the cell may have been in
    /// use when it was forked, and then stays so.
    fn close_copy(&self) {
        let copy = match self.0.try_lock() {
            Ok(mut cell) => cell.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        drop(copy);
    }
}

/// The copies of our locks that every forked child gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForkCopies(Vec<LockedFd>);

impl ForkCopies {
    pub(super) fn new(held: Vec<LockedFd>) -> ForkCopies {
        ForkCopies(held)
    }

    /// All of these.
    pub(crate) fn join(copies: impl Iterator<Item = ForkCopies>) -> ForkCopies {
        ForkCopies(copies.flat_map(|copies| copies.0).collect())
    }

    /// To be called in the child only: closes its copies, which leaves the parent's locks as they
    /// are. In the parent it would unlock them.
    pub(crate) fn give_up(&self) {
        for held in &self.0 {
            held.close_copy();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::path::Path;

    fn lock(path: &Path) -> Result<OwnedFd, Errno> {
        let fd = OwnedFd::from(File::options().read(true).write(true).open(path).unwrap());
        super::super::sys::lock(&fd).map(|()| fd)
    }

    #[test]
    fn a_lock_is_free_at_once_though_a_child_has_a_copy_and_a_childs_end_frees_nothing() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let fd = lock(file.path()).unwrap();
        // What a fork leaves in the child.
        let copy = fd.try_clone().unwrap();
        let held = LockedFd::new(fd);
        assert!(lock(file.path()).is_err());
        drop(held);
        let ours = lock(file.path()).unwrap();
        drop(copy);

        let childs =
            Owned { fd: Arc::new(ours.try_clone().unwrap()), owner: std::process::id() + 1 };
        drop(childs);
        assert!(lock(file.path()).is_err(), "the parent still holds it");
    }
}
