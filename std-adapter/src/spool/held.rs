//! Locked descriptors that a forked child can let go of.
//!
//! The worker owns the locks, and in a forked child there is no worker: nobody would ever drop its
//! copies, and the parent's slot would count as held for as long as the child lives. So each lock's
//! descriptor sits in a cell that others may empty.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use rustix::io::Errno;

/// A descriptor that holds a lock, until it is let go.
#[derive(Debug, Clone, Default)]
pub(super) struct HeldFd(Arc<Mutex<Option<OwnedFd>>>);

impl HeldFd {
    pub(super) fn new(fd: OwnedFd) -> HeldFd {
        HeldFd(Arc::new(Mutex::new(Some(fd))))
    }

    /// Does something with the descriptor; `BADF` if it has been let go.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&OwnedFd) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        match &*self.cell() {
            Some(fd) => work(fd),
            None => Err(Errno::BADF),
        }
    }

    /// Holds what `other` held from now on; what was held before is let go.
    pub(super) fn take_over(&self, other: HeldFd) {
        let fd = other.cell().take();
        *self.cell() = fd;
    }

    fn cell(&self) -> MutexGuard<'_, Option<OwnedFd>> {
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
