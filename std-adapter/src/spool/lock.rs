//! Who holds a slot: an exclusive `flock` on the slot's lock file.
//!
//! `flock` and not a record lock: record locks of one process do not exclude each other and vanish
//! when any descriptor of the file is closed; open-file-description locks behave as `flock` does
//! but are Linux's alone. The kernel drops the lock with the last copy of the descriptor, whatever
//! ended the process, so a lock file left behind is no obstacle. The lock file is opened for
//! writing, which is what NFS needs to turn `flock` into a lock on the server.
//!
//! Whoever gives a slot up unlocks it: closing leaves the lock with a child that was forked a moment
//! ago and has not executed anything yet. A forked child has a copy of the descriptor. It must
//! *close* it: unlocking would unlock the parent. Until it does, or executes something (the descriptor is close-on-exec), the slot of a
//! parent that died counts as held; nothing is lost by that, it is adopted later.
//!
//! Removal is safe against races by the usual rule: a lock counts only if, once locked, the file
//! still bears its name.

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::dir::SpoolDir;
use super::error::SpoolError;
use super::held::HeldFd;
use super::identity::SlotName;
use super::note::{NOTE_LEN, Note};
use super::sys;

/// A slot that is ours until this is dropped or the process ends.
#[derive(Debug)]
pub(super) struct SlotLock {
    fd: HeldFd,
    slot: SlotName,
    read_only: bool,
}

impl SlotLock {
    /// Takes a slot unless somebody holds it, making its lock file if it is missing. Never waits.
    pub(super) fn take(dir: &SpoolDir, slot: SlotName) -> Result<Option<SlotLock>, SpoolError> {
        let name = slot.lock();
        // Each round but the last means that somebody removed the file between open and lock.
        for _ in 0..100 {
            let (fd, read_only) = match dir.open_file(&name, OFlags::RDWR | OFlags::CREATE) {
                // What waits on a read-only disk can still be told.
                Err(e) if e.errno() == Some(Errno::ROFS) => {
                    (dir.open_file(&name, OFlags::RDONLY)?.ok_or(e)?, true)
                }
                other => match other? {
                    Some(fd) => (fd, false),
                    None => continue,
                },
            };
            match sys::lock(&fd) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(e) => return Err(SpoolError::io(&dir.path_of(&name), "lock", e)),
            }
            let lock = SlotLock { fd: HeldFd::new(fd), slot, read_only };
            if lock.is_linked(dir) {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    pub(super) fn slot(&self) -> SlotName {
        self.slot
    }

    /// Whether only reading is possible: the file system is mounted read-only.
    pub(super) fn read_only(&self) -> bool {
        self.read_only
    }

    /// Whether the locked file still bears its name; if not, others may take the slot.
    pub(super) fn is_linked(&self, dir: &SpoolDir) -> bool {
        match (self.fd.with(|fd| sys::meta(fd)), sys::meta_at(dir, self.slot.lock().as_str())) {
            (Ok(ours), Ok(there)) => ours.same_file(&there),
            _ => false,
        }
    }

    /// What the last session left behind.
    pub(super) fn note(&self) -> Note {
        let mut bytes = [0; NOTE_LEN];
        match self.fd.with(|fd| sys::read_at(fd, &mut bytes, 0)) {
            Ok(len) => Note::parse(bytes.get(..len).unwrap_or_default()),
            Err(_) => Note::default(),
        }
    }

    pub(super) fn write_note(&self, dir: &SpoolDir, note: &Note) -> Result<(), SpoolError> {
        let path = || dir.path_of(&self.slot.lock());
        if let Some(limit) = sys::file_size_limit_below(NOTE_LEN) {
            return Err(SpoolError::FileSizeLimit { path: path(), limit });
        }
        // If the disk has become writable since, the descriptor has not.
        let writable = match self.read_only {
            true => dir.open_file(&self.slot.lock(), OFlags::RDWR)?,
            false => None,
        };
        let bytes = note.format();
        match writable {
            Some(fd) => sys::write_at(fd, &bytes, 0),
            None => self.fd.with(|fd| sys::write_at(fd, &bytes, 0)),
        }
        .map_err(|e| SpoolError::io(&path(), "write", e))
    }

    /// The descriptor, for a forked child to close its copy.
    pub(super) fn held(&self) -> HeldFd {
        self.fd.clone()
    }

    /// Goes on with another lock in place of this one.
    pub(super) fn replace(&mut self, other: SlotLock) {
        // The cell stays the same, since a handle may know it.
        self.fd.take_over(other.fd);
        self.slot = other.slot;
        self.read_only = other.read_only;
    }

    /// Removes the lock file and gives the slot up.
    pub(super) fn remove(self, dir: &SpoolDir) -> Result<(), SpoolError> {
        let name = self.slot.lock();
        sys::unlink(dir, &name).map_err(|e| SpoolError::io(&dir.path_of(&name), "remove", e))
    }
}
