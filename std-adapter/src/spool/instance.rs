//! One process's instance of the spool directory: its lock and its file.

use std::path::Path;
use std::sync::Arc;

use annunciator_core::storage::Storage;

use crate::health::DiskUse;

use super::dir::SpoolDir;
use super::direct::DirectWriter;
use super::error::{Change, SpoolError};
use super::file::{OpenMark, SpoolFile};
use super::fork::LockedFd;
use super::lock::InstanceLock;
use super::memory::Finder;
use super::names::{InstanceName, MAX_INSTANCES};
use super::sys;

/// An instance of a spool directory, locked exclusively.
///
/// As a [`Storage`] it is the instance's file. After an error everything has to be written again;
/// the next successful sync makes durable exactly what was written since, and all other bytes read
/// as zero. If the directory has been removed meanwhile, it is made anew by the first write after
/// the error; how long to wait before that is the caller's decision.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: Arc<SpoolDir>,
    lock: InstanceLock,
    file: SpoolFile,
    finder: Finder,
    /// The process that has the instance; a forked copy of this value must not act.
    owner: u32,
}

impl Spool {
    /// Goes on with an instance that was taken. Writes and syncs nothing.
    pub(super) fn new(
        dir: Arc<SpoolDir>,
        lock: InstanceLock,
        finder: Finder,
        size: usize,
    ) -> Result<Spool, SpoolError> {
        let file = SpoolFile::open(Arc::clone(&dir), lock.name(), size, lock.read_only())?;
        Ok(Spool { dir, lock, file, finder, owner: std::process::id() })
    }

    /// The instance's name: the stem of its file names.
    pub(crate) fn name(&self) -> InstanceName {
        self.file.name()
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn dir(&self) -> &Arc<SpoolDir> {
        &self.dir
    }

    pub(super) fn lock(&self) -> LockedFd {
        self.lock.cell()
    }

    /// Marks the file, if there is one, now and whenever it is made anew. Does nothing in a forked
    /// child.
    pub(super) fn set_mark(&mut self, mark: OpenMark) {
        if self.owner == std::process::id() {
            self.file.set_mark(mark);
        }
    }

    /// All bytes of the file as it is, for recovery: none if there is no file, and more or fewer
    /// than the capacity if it was made by another configuration.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read_all(&self) -> Result<Vec<u8>, SpoolError> {
        self.file.read_all()
    }

    /// Whether there is a file to recover from.
    pub(crate) fn holds_data(&self) -> bool {
        self.file.holds_data()
    }

    /// Whether everything has to be written before anything counts as kept: after an error, and
    /// when the file was made in another size.
    pub(crate) fn needs_rewrite(&self) -> bool {
        self.file.needs_rewrite()
    }

    /// Has everything written again, as after an error.
    pub(super) fn start_over(&mut self) {
        self.file.start_over();
    }

    /// Keeps a file that cannot be read under another name; everything is to be written anew.
    pub(super) fn set_aside(&mut self) {
        self.file.set_aside();
    }

    /// Gives the file to another instance, whose lock the caller has: it holds another ring.
    pub(super) fn give_away(&mut self, to: InstanceName) -> Result<(), SpoolError> {
        self.file.give_away(to)
    }

    /// Removes the file.
    pub(super) fn remove_file(&self) -> Result<(), SpoolError> {
        let name = self.name().spool();
        sys::unlink(&*self.dir, &name)
            .map_err(|e| SpoolError::io(&self.dir.path_of(&name), "remove", e))
    }

    /// Changes the capacity before anything was written.
    pub(super) fn resize(&mut self, capacity: usize) {
        self.file.resize(capacity);
    }

    /// Makes the file and syncs it, if there is none. For direct writes, which need one.
    ///
    /// # Errors
    /// As a write.
    pub(crate) fn prepare(&mut self) -> Result<(), SpoolError> {
        self.file.prepare()
    }

    /// A way to write from any thread, without a sync.
    pub(crate) fn direct_writer(&self) -> DirectWriter {
        self.file.direct_writer()
    }

    /// Looks whether everything is still as we left it. Worth calling now and then while idle;
    /// every commit does it anyway.
    ///
    /// # Errors
    /// If not. Everything is then to be written again.
    pub(crate) fn verify(&mut self) -> Result<(), SpoolError> {
        if self.file.is_at_rest() {
            self.check_settled()?;
        }
        self.file.verify()
    }

    /// Keeps one copy of damaged bytes aside in `NAME.damaged`, at most 16 MiB.
    ///
    /// # Errors
    /// If it cannot be written; nothing else suffers.
    pub(crate) fn quarantine(&self, bytes: &[u8]) -> Result<(), SpoolError> {
        self.file.quarantine(bytes)
    }

    /// What was asked of the disk so far.
    pub(crate) fn used(&self) -> DiskUse {
        self.file.used()
    }

    /// Whether directory and lock file are still the ones we have; if not, others may take the
    /// instance.
    fn is_settled(&self) -> bool {
        self.dir.still_there() && self.lock.is_linked(&self.dir)
    }

    fn check_settled(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        self.file.start_over();
        let path = self.dir.path_of(&self.name().lock());
        Err(SpoolError::Changed { path, how: Change::Removed })
    }

    /// Before everything is written again: makes sure of an instance. Its number may become
    /// another.
    fn settle(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        let own = self.name();
        if self.dir.still_there() {
            // Only the lock file is gone. The spool file is still ours if nobody was quicker.
            if let Some(lock) = InstanceLock::take(&self.dir, own)? {
                self.lock.replace(lock);
                return Ok(());
            }
        }
        let dir = Arc::new(SpoolDir::open(self.dir.path())?);
        let again = match is_free(&dir, own) {
            true => InstanceLock::take(&dir, own)?.filter(|_| is_free(&dir, own)),
            false => None,
        };
        let lock = match again {
            Some(lock) => lock,
            None => take_free(&dir, own, &self.finder)?,
        };
        self.file.move_to(Arc::clone(&dir), lock.name());
        self.dir = dir;
        self.lock.replace(lock);
        Ok(())
    }
}

impl Storage for Spool {
    type Error = SpoolError;

    fn capacity(&self) -> usize {
        self.file.capacity()
    }

    fn read(&mut self, at: usize, buf: &mut [u8]) -> Result<(), SpoolError> {
        self.file.read(at, buf)
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), SpoolError> {
        if self.file.is_to_be_made() {
            self.settle()?;
        } else if self.file.is_at_rest() {
            self.check_settled()?;
        }
        self.file.write(at, bytes)
    }

    fn sync(&mut self) -> Result<(), SpoolError> {
        if self.file.is_at_rest() {
            self.check_settled()?;
        }
        self.file.sync()
    }
}

/// Whether nothing lies in an instance's file: it is not to be written over.
fn is_free(dir: &SpoolDir, name: InstanceName) -> bool {
    sys::meta_at(dir, name.spool().as_str()).is_err()
}

/// Takes the lowest instance other than `own` of which there is nothing but perhaps a lock file.
pub(super) fn take_free(
    dir: &SpoolDir,
    own: InstanceName,
    finder: &Finder,
) -> Result<InstanceLock, SpoolError> {
    let suits = |name: InstanceName| is_free(dir, name) && !finder.exists(name.number);
    for number in (0..MAX_INSTANCES).filter(|&number| number != own.number) {
        let name = InstanceName { key: own.key, number };
        if suits(name)
            && let Some(lock) = InstanceLock::take(dir, name)?
        {
            // Looked at again under the lock.
            if suits(name) {
                return Ok(lock);
            }
        }
    }
    Err(SpoolError::Busy { path: dir.path().to_path_buf() })
}
