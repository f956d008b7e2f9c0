//! One process's slot of the spool directory, and those that nobody holds any more.
//!
//! A process takes the lowest slot of its recipient that is free, and keeps it until it ends. What
//! it finds there is its inheritance. Slots that nobody holds are handed out, locked, to whoever
//! asks: those of the same recipient to be taken over at once, those of other recipients once they
//! have been seen unclaimed for long enough.

use std::path::Path;
use std::sync::Arc;

use annunciator_core::storage::Storage;
use annunciator_core::time::{Duration, Instant};

use crate::health::DiskUse;

use super::boot::BootId;
use super::dir::SpoolDir;
use super::direct::DirectWriter;
use super::error::{Change, SpoolError};
use super::file::SpoolFile;
use super::held::HeldFd;
use super::identity::{MAX_SLOTS, RecipientKey, SlotName};
use super::lock::SlotLock;
use super::note::{LastEnd, Note, State};
use super::orphan::Orphan;
use super::sys;

/// A slot of a spool directory, held exclusively.
///
/// As a [`Storage`] it is the slot's file. After an error everything has to be written again; the
/// next successful sync makes durable exactly what was written since, and all other bytes read as
/// zero. If the directory has been removed meanwhile, it is made anew by the first write after the
/// error; how long to wait before that is the caller's decision.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: Arc<SpoolDir>,
    lock: SlotLock,
    file: SpoolFile,
    note: Note,
    last: Note,
    key: RecipientKey,
    /// The process that holds the slot; a forked copy of this value must not act.
    owner: u32,
}

impl Spool {
    /// Takes the lowest free slot of `key` in `directory`, which is made if it is missing.
    ///
    /// Nothing is synced and no spool file made yet: the first write does that.
    ///
    /// # Errors
    /// If the directory or a file in it is not safely ours, cannot be reached, or all slots are
    /// held.
    pub(crate) fn open(
        directory: &Path,
        key: RecipientKey,
        size: usize,
    ) -> Result<Spool, SpoolError> {
        let dir = Arc::new(SpoolDir::open(directory)?);
        let lock = take_lowest(&dir, key, |_| true)?;
        let last = lock.note();
        if last.state == State::Adopted && !lock.read_only() {
            // Somebody took it over and could not finish the removal.
            let name = lock.slot().spool();
            sys::unlink(&*dir, &name)
                .map_err(|e| SpoolError::io(&dir.path_of(&name), "remove", e))?;
        }
        let file = SpoolFile::open(Arc::clone(&dir), lock.slot(), size, lock.read_only())?;
        let note = last.clone();
        Ok(Spool { dir, lock, file, note, last, key, owner: std::process::id() })
    }

    /// The slot's name: the stem of its file names.
    pub(crate) fn slot(&self) -> SlotName {
        self.file.slot()
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.dir.path()
    }

    /// How the slot's last session ended, seen from `boot`.
    pub(crate) fn last_end(&self, boot: BootId) -> LastEnd {
        self.last.last_end(boot)
    }

    #[cfg(test)]
    pub(super) fn mark_adopted(&mut self) {
        self.note.state = State::Adopted;
        self.lock.write_note(&self.dir, &self.note).unwrap();
    }

    /// Changes the capacity before anything was written.
    pub(super) fn resize(&mut self, capacity: usize) {
        self.file.resize(capacity);
    }

    pub(super) fn held(&self) -> HeldFd {
        self.lock.held()
    }

    pub(super) fn last_note(&self) -> &Note {
        &self.last
    }

    /// Notes that a session is under way, where its memory file is, and which place not to trust.
    ///
    /// # Errors
    /// If the note cannot be written. The session goes on all the same; the next start then knows
    /// less.
    pub(crate) fn begin_session(
        &mut self,
        boot: BootId,
        session: u64,
        memory: Option<&Path>,
        avoid: Option<&Path>,
    ) -> Result<(), SpoolError> {
        self.note = Note {
            boot: Some(boot),
            session,
            state: State::Running,
            memory: memory.map(Path::to_path_buf),
            avoid: avoid.map(Path::to_path_buf).or_else(|| self.note.avoid.take()),
            ..Note::default()
        };
        self.lock.write_note(&self.dir, &self.note)
    }

    /// Notes that the memory file has moved.
    ///
    /// # Errors
    /// As [`begin_session`](Spool::begin_session).
    pub(crate) fn note_memory(
        &mut self,
        memory: Option<&Path>,
        avoid: Option<&Path>,
    ) -> Result<(), SpoolError> {
        self.note.memory = memory.map(Path::to_path_buf);
        if let Some(avoid) = avoid {
            self.note.avoid = Some(avoid.to_path_buf());
        }
        self.lock.write_note(&self.dir, &self.note)
    }

    /// Notes that the session ended as it should. Does nothing in a forked child.
    ///
    /// # Errors
    /// As [`begin_session`](Spool::begin_session).
    pub(crate) fn end_session(&mut self) -> Result<(), SpoolError> {
        if self.owner != std::process::id() {
            return Ok(());
        }
        self.note.state = State::Clean;
        self.lock.write_note(&self.dir, &self.note)
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

    /// Has everything written again, as after an error: what the file held has been taken over.
    pub(crate) fn start_over(&mut self) {
        self.file.start_over();
    }

    /// Keeps a file that cannot be read under another name; everything is to be written anew.
    pub(super) fn set_aside(&mut self) {
        self.file.set_aside();
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

    /// Slots of the same recipient that nobody holds and that hold something, each locked until
    /// dropped.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(crate) fn abandoned(&self) -> Result<Vec<Orphan>, SpoolError> {
        let mut orphans = Vec::new();
        for slot in self.unheld()?.into_iter().filter(|slot| slot.key == self.key) {
            if let Some(orphan) = Orphan::take(&self.dir, slot)? {
                if orphan.is_spent() {
                    orphan.remove()?;
                } else {
                    orphans.push(orphan);
                }
            }
        }
        Ok(orphans)
    }

    /// Slots of recipients that are no longer configured and have been unclaimed for `age`, each
    /// locked until dropped.
    ///
    /// Age is observed time, told by calls of this function: the wall clock of a device may jump
    /// by decades, so file times prove nothing. Each call writes one note per such slot; daily is
    /// often enough.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(crate) fn expired(
        &self,
        configured: &[RecipientKey],
        boot: BootId,
        now: Instant,
        age: Duration,
    ) -> Result<Vec<Orphan>, SpoolError> {
        let mut expired = Vec::new();
        for slot in self.unheld()? {
            if slot.key == self.key || configured.contains(&slot.key) {
                continue;
            }
            let Some(mut orphan) = Orphan::take(&self.dir, slot)? else { continue };
            if orphan.is_spent() {
                orphan.remove()?;
            } else if orphan.grow_older(boot, now) >= age {
                expired.push(orphan);
            }
        }
        Ok(expired)
    }

    /// All slots that appear in the directory, but for our own.
    fn unheld(&self) -> Result<Vec<SlotName>, SpoolError> {
        let mut slots: Vec<SlotName> = Vec::new();
        for name in self.dir.names()? {
            let Some((slot, "lock" | "spool" | "new")) = SlotName::parse(&name) else { continue };
            if slot == self.slot() {
                continue;
            }
            // There are few; a sort for any number of them would be five kilobytes of code.
            if let Err(at) = slots.binary_search(&slot) {
                slots.insert(at, slot);
            }
        }
        Ok(slots)
    }

    /// Whether directory and lock file are still the ones we hold; if not, others may take the slot.
    fn is_settled(&self) -> bool {
        self.dir.still_there() && self.lock.is_linked(&self.dir)
    }

    fn check_settled(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        self.file.start_over();
        let path = self.dir.path_of(&self.slot().lock());
        Err(SpoolError::Changed { path, how: Change::Removed })
    }

    /// Before everything is written again: makes sure of a slot.
    fn settle(&mut self) -> Result<(), SpoolError> {
        if self.is_settled() {
            return Ok(());
        }
        if self.dir.still_there() {
            // Only the lock file is gone. The spool file is still ours if nobody was quicker.
            if let Some(lock) = SlotLock::take(&self.dir, self.slot())? {
                self.lock.replace(lock);
                return self.lock.write_note(&self.dir, &self.note);
            }
        }
        let dir = Arc::new(SpoolDir::open(self.dir.path())?);
        let lock = take_lowest(&dir, self.key, |slot| {
            // Somebody's inheritance is not to be written over.
            sys::meta_at(&*dir, slot.spool().as_str()).is_err()
        })?;
        self.file.move_to(Arc::clone(&dir), lock.slot());
        self.dir = dir;
        self.lock.replace(lock);
        self.lock.write_note(&self.dir, &self.note)
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

fn take_lowest(
    dir: &SpoolDir,
    key: RecipientKey,
    suits: impl Fn(SlotName) -> bool,
) -> Result<SlotLock, SpoolError> {
    for number in 0..MAX_SLOTS {
        let slot = SlotName { key, number };
        if suits(slot)
            && let Some(lock) = SlotLock::take(dir, slot)?
        {
            // Looked at again under the lock.
            if suits(slot) {
                return Ok(lock);
            }
        }
    }
    Err(SpoolError::Busy { path: dir.path().to_path_buf() })
}
