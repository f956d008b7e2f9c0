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

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::dir::SpoolDir;
use super::error::{SpoolError, Trouble};
use super::fork::LockedFd;
use super::names::InstanceName;
use super::sys;

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
            let (fd, read_only) = match dir.open_file(&file, OFlags::RDWR | OFlags::CREATE) {
                // What waits on a read-only disk can still be sent.
                Err(e) if matches!(e.trouble, Trouble::Io { errno: Errno::ROFS, .. }) => {
                    (dir.open_file(&file, OFlags::RDONLY)?.ok_or(e)?, true)
                }
                other => match other? {
                    Some(fd) => (fd, false),
                    None => continue,
                },
            };
            match sys::lock(&fd) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(SpoolError::io(&dir.path_of(&file), "lock", e)),
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
        match (self.fd.with(|fd| sys::meta(fd)), sys::meta_at(dir, self.name.lock().as_str())) {
            (Ok(ours), Ok(there)) => ours.same_file(&there),
            _ => false,
        }
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
        let name = self.name.lock();
        sys::unlink(dir, &name).map_err(|e| SpoolError::io(&dir.path_of(&name), "remove", e))
    }
}
