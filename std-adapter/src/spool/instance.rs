//! One process's instance of the spool directory: its lock and its file.

use std::path::Path;
use std::sync::Arc;

use crate::health::DiskUse;

use super::dir::SpoolDir;
use super::direct::DirectWriter;
use super::error::{SpoolError, Trouble};
use super::file::SpoolFile;
use super::lock::{InstanceLock, LockedFd};
use super::marks::OpenMark;
use super::memory_file::Finder;
use super::names::{InstanceName, MAX_INSTANCES};
use super::sys;

/// An instance of a spool directory, locked exclusively.
///
/// Whatever is written to the file goes through here, so that it is written only while the instance
/// is ours. If the directory has been removed meanwhile, it is made anew by the first write after
/// the error; how long to wait before that is the caller's decision.
#[derive(Debug)]
pub(crate) struct Spool {
    lock: InstanceLock,
    pub(super) file: SpoolFile,
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
        let file = SpoolFile::open(dir, lock.name(), size, lock.read_only())?;
        Ok(Spool { lock, file, finder, owner: std::process::id() })
    }

    /// The instance's name: the stem of its file names.
    pub(crate) fn name(&self) -> InstanceName {
        self.file.name()
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.file.dir().path()
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

    /// Whether everything has to be written before anything counts as kept: after an error, and
    /// when the file was made in another size.
    pub(crate) fn needs_rewrite(&self) -> bool {
        self.file.needs_rewrite()
    }

    /// Removes the file, has `beside` remove what else there is of the instance, and then its lock.
    pub(super) fn remove(self, beside: impl FnOnce()) -> Result<(), SpoolError> {
        self.file.remove()?;
        beside();
        self.lock.remove(self.file.dir())
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

    /// Writes to the file. After an error everything has to be written again.
    ///
    /// # Errors
    /// If the disk refuses, or the instance or the file is no longer as we left it.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), SpoolError> {
        if self.file.is_to_be_made() {
            self.settle()?;
        } else if self.file.is_at_rest() {
            self.check_settled()?;
        }
        self.file.write(at, bytes)
    }

    /// Makes durable what was written; after an error exactly what was written since.
    ///
    /// # Errors
    /// As a write.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolError> {
        if self.file.is_at_rest() {
            self.check_settled()?;
        }
        self.file.sync()
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

    /// What was asked of the disk so far.
    pub(crate) fn used(&self) -> DiskUse {
        self.file.used()
    }

    /// Whether directory and lock file are still the ones we have; if not, others may take the
    /// instance.
    fn is_settled(&self) -> bool {
        let dir = self.file.dir();
        dir.still_there() && self.lock.is_linked(dir)
    }

    fn check_settled(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        self.file.start_over();
        let path = self.file.dir().path_of(&self.name().lock());
        Err(Trouble::Removed.at(path))
    }

    /// Before everything is written again: makes sure of an instance. Its number may become
    /// another.
    fn settle(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        let own = self.name();
        let dir = self.file.dir();
        if dir.still_there() {
            // Only the lock file is gone. The spool file is still ours if nobody was quicker.
            if let Some(lock) = InstanceLock::take(dir, own)? {
                self.lock.replace(lock);
                return Ok(());
            }
        }
        let dir = Arc::new(SpoolDir::open(dir.path())?);
        let again = match is_free(&dir, own) {
            true => InstanceLock::take(&dir, own)?.filter(|_| is_free(&dir, own)),
            false => None,
        };
        let lock = match again {
            Some(lock) => lock,
            None => take_free(&dir, own, &self.finder)?,
        };
        self.file.move_to(dir, lock.name());
        self.lock.replace(lock);
        Ok(())
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
    Err(Trouble::Busy.at(dir.path()))
}
