//! Locked descriptors that a forked child can let go of.
//!
//! The worker owns the locks, and in a forked child there is no worker: nobody would ever drop its
//! copies, and the parent's slot would count as held for as long as the child lives. So each lock's
//! descriptor sits in a cell that others may empty.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

/// A descriptor that holds a lock, until it is let go.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldFd(Arc<Mutex<Option<Locked>>>);

/// Unlocks when dropped by the process that locked. Closing would not do at once: a child that
/// another thread has just forked holds a copy until it executes something, and the lock with it.
#[derive(Debug)]
struct Locked {
    fd: OwnedFd,
    owner: u32,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // A forked child only closes its copy.
        if self.owner == std::process::id() {
            let _ = rustix::fs::flock(&self.fd, FlockOperation::Unlock);
        }
    }
}

impl HeldFd {
    pub(super) fn new(fd: OwnedFd) -> HeldFd {
        let owner = std::process::id();
        HeldFd(Arc::new(Mutex::new(Some(Locked { fd, owner }))))
    }

    /// Does something with the descriptor; `BADF` if it has been let go.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&OwnedFd) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        match &*self.cell() {
            Some(locked) => work(&locked.fd),
            None => Err(Errno::BADF),
        }
    }

    /// Holds what `other` held from now on; what was held before is let go.
    pub(super) fn take_over(&self, other: HeldFd) {
        let locked = other.cell().take();
        *self.cell() = locked;
    }

    fn cell(&self) -> MutexGuard<'_, Option<Locked>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Closes this process's copy. Gives up rather than wait: in a child the cell may have been in
    /// use when it was forked, and then stays so.
    fn let_go(&self) {
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
pub(crate) struct ForkCopies(Vec<HeldFd>);

impl ForkCopies {
    pub(super) fn new(held: Vec<HeldFd>) -> ForkCopies {
        ForkCopies(held)
    }

    /// To be called in the child only, by its first log call or by `after_fork`: closes its copies,
    /// which leaves the parent's locks as they are. In the parent it would give them up.
    pub(crate) fn give_up(&self) {
        for held in &self.0 {
            held.let_go();
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
        let held = HeldFd::new(fd);
        assert!(lock(file.path()).is_err());
        drop(held);
        let ours = lock(file.path()).unwrap();
        drop(copy);

        let childs = Locked { fd: ours.try_clone().unwrap(), owner: std::process::id() + 1 };
        drop(childs);
        assert!(lock(file.path()).is_err(), "the parent still holds it");
    }
}
