//! Who has an instance: an exclusive `flock` on its lock file, which is empty.
//!
//! `flock` and not a record lock: record locks of one process do not exclude each other and vanish
//! when any descriptor of the file is closed; open-file-description locks behave as `flock` does
//! but are Linux's alone. The kernel drops the lock with the last copy of the descriptor, whatever
//! ended the process, so a lock file left behind is no obstacle. The lock file is opened for
//! writing, which is what NFS needs to turn `flock` into a lock on the server.
//!
//! Whoever gives an instance up unlocks it: closing leaves the lock with a child that was forked a
//! moment ago and has not executed anything yet. A forked child has a copy of the descriptor. It
//! must *close* it: unlocking would unlock the parent. Until it does, or executes something (the
//! descriptor is close-on-exec), the instance of a parent that died counts as locked; nothing is
//! lost by that, its ring is served later.
//!
//! Removal is safe against races by the usual rule: a lock counts only if, once locked, the file
//! still bears its name.
//!
//! A forked child has none of the threads, and must not touch its parent's ring. [`ForkGuard`] says
//! whether this is one.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::dir::SpoolDir;
use super::error::{SpoolError, Trouble};
use super::map::WipedOnFork;
use super::names::InstanceName;
use super::sys::{self, Meta};

/// An instance that is ours until this is dropped or the process ends.
#[derive(Debug)]
pub(super) struct InstanceLock {
    fd: LockedFd,
    name: InstanceName,
    read_only: bool,
}

impl InstanceLock {
    /// Takes an instance unless somebody has it, making its lock file if it is missing. Never waits.
    pub(super) fn take(
        dir: &SpoolDir,
        name: InstanceName,
    ) -> Result<Option<InstanceLock>, SpoolError> {
        let file = name.lock();
        // Each round but the last means that somebody removed the file between open and lock.
        for _ in 0..100 {
            let (fd, read_only) = match dir.make_file(&file, OFlags::empty()) {
                // What waits on a read-only disk can still be sent.
                Err(e) if matches!(e.trouble, Trouble::Io { errno: Errno::ROFS, .. }) => {
                    (dir.open_file(&file, OFlags::RDONLY)?.ok_or(e)?, true)
                }
                other => (other?, false),
            };
            match sys::lock(&fd) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(dir.failed("lock", &file, e)),
            }
            let lock = InstanceLock { fd: LockedFd::new(fd), name, read_only };
            if lock.is_linked(dir) {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    pub(super) fn name(&self) -> InstanceName {
        self.name
    }

    /// Whether only reading is possible: the file system is mounted read-only.
    pub(super) fn read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the locked file still bears its name; if not, others may take the instance.
    pub(super) fn is_linked(&self, dir: &SpoolDir) -> bool {
        self.fd.is(sys::meta_at(dir, self.name.lock().as_str()))
    }

    /// The descriptor, for a forked child to close its copy.
    pub(super) fn cell(&self) -> LockedFd {
        self.fd.clone()
    }

    /// Goes on with another lock in place of this one.
    pub(super) fn replace(&mut self, other: InstanceLock) {
        // The cell stays the same, since a handle may know it.
        self.fd.take_over(other.fd);
        self.name = other.name;
        self.read_only = other.read_only;
    }

    /// Removes the lock file and gives the instance up.
    pub(super) fn remove(self, dir: &SpoolDir) -> Result<(), SpoolError> {
        dir.remove(&self.name.lock())
    }
}

/// A descriptor that holds a lock, until it is closed: in a cell, which others may empty. A forked
/// child must give up its copies of the parent's locks. Nobody else would ever drop them, and the
/// parent's instance would count as locked for as long as the child lives.
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

    /// Whether it is of the file that was looked at.
    pub(super) fn is(&self, there: Result<Meta, Errno>) -> bool {
        let ours = self.with(|fd| sys::meta(fd));
        matches!((ours, there), (Ok(ours), Ok(there)) if ours.same_file(&there))
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

/// Knows whether the process that made it is the one that asks.
///
/// A forked child inherits the parent's ring, a copy of its lock and perhaps a mutex that no thread
/// of the child will ever unlock. Before a log call touches any of them it asks here. The answer
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
