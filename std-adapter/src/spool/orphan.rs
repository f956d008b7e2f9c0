//! Slots that nobody holds any more: inheritances and ruins.
//!
//! Whoever holds an [`Orphan`] holds its lock. Its content is read, taken over, committed in the
//! adopter's own slot, and only then removed; the removal starts with a note that says so, and a
//! token tells the same content offered twice, so that a crash anywhere in between doubles nothing.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use annunciator_core::time::{Duration, Instant};

use super::boot::BootId;
use super::dir::SpoolDir;
use super::error::SpoolError;
use super::file::MAX_LEN;
use super::identity::{SlotName, token};
use super::lock::SlotLock;
use super::memfile;
use super::note::{Note, State};
use super::sys;

/// What an [`Orphan`]'s memory file holds.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct OrphanMemory {
    /// The region's bytes.
    pub(crate) bytes: Vec<u8>,
    /// They are newer than those of the spool file and contain them; otherwise the two have
    /// nothing to do with each other.
    pub(crate) whole: bool,
}

impl fmt::Debug for OrphanMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes: they are somebody's error messages.
        let len = self.bytes.len();
        f.debug_struct("OrphanMemory").field("len", &len).field("whole", &self.whole).finish()
    }
}

/// A slot that nobody held, now locked by us: an inheritance or a ruin.
#[derive(Debug)]
pub(crate) struct Orphan {
    dir: Arc<SpoolDir>,
    lock: SlotLock,
    note: Note,
}

impl Orphan {
    pub(super) fn take(dir: &Arc<SpoolDir>, slot: SlotName) -> Result<Option<Orphan>, SpoolError> {
        let Some(lock) = SlotLock::take(dir, slot)? else { return Ok(None) };
        let note = lock.note();
        Ok(Some(Orphan { dir: Arc::clone(dir), lock, note }))
    }

    /// The slot's name.
    pub(crate) fn slot(&self) -> SlotName {
        self.lock.slot()
    }

    /// A number that stays the same however often this content is offered, and that no other
    /// content has: whoever has taken it over need not take it again if the removal fails.
    pub(crate) fn token(&self) -> u64 {
        self.note.token().unwrap_or_else(|| {
            // Without a note the file itself tells, as long as nobody touches it.
            let file = sys::meta_at(&*self.dir, self.slot().spool().as_str());
            let (ino, (secs, nanos)) = file.map_or((0, (0, 0)), |file| (file.ino, file.modified));
            token(&[&ino.to_le_bytes(), &secs.to_le_bytes(), &nanos.to_le_bytes()])
        })
    }

    /// The bytes of its spool file; empty if there is none.
    ///
    /// # Errors
    /// If the file is not ours or cannot be read.
    pub(crate) fn spool_bytes(&self) -> Result<Vec<u8>, SpoolError> {
        let name = self.slot().spool();
        match self.dir.open_file(&name, rustix::fs::OFlags::RDONLY)? {
            None => Ok(Vec::new()),
            Some(file) => sys::read_all(&file, MAX_LEN)
                .map_err(|e| SpoolError::io(&self.dir.path_of(&name), "read", e)),
        }
    }

    /// What its memory file holds, if the session left one in this boot.
    pub(crate) fn memory(&self, boot: BootId) -> Option<OrphanMemory> {
        let path = self.memory_path(boot)?;
        let (bytes, whole) = memfile::read_survivor(&path, boot, self.note.session)?;
        Some(OrphanMemory { bytes, whole })
    }

    fn memory_path(&self, boot: BootId) -> Option<PathBuf> {
        self.note.memory.clone().filter(|_| self.note.is_of(boot))
    }

    /// Removes the slot: its content has been taken over or given up. A `.damaged` copy stays.
    ///
    /// # Errors
    /// If a file cannot be removed. The content is not offered again unless that, too, could not be
    /// noted; [`token`](Orphan::token) tells then.
    pub(crate) fn remove(mut self) -> Result<(), SpoolError> {
        let noted = match std::mem::replace(&mut self.note.state, State::Adopted) {
            State::Adopted => Ok(()),
            _ => self.lock.write_note(&self.dir, &self.note),
        };
        let slot = self.slot();
        for name in [slot.spool(), slot.fresh()] {
            sys::unlink(&*self.dir, &name)
                .map_err(|e| SpoolError::io(&self.dir.path_of(&name), "remove", e))?;
        }
        let memory = self.memory_path(BootId::current());
        if memory.is_some_and(|path| memfile::remove_orphan(&path) == memfile::Removal::NotSeen) {
            // It may exist where we cannot see it (another mount namespace). Only this note tells
            // whoever finds it that it is old.
            return noted;
        }
        self.lock.remove(&self.dir)
    }

    /// Nothing in it and nothing to come.
    pub(super) fn is_spent(&self) -> bool {
        let has_spool = sys::meta_at(&*self.dir, self.slot().spool().as_str()).is_ok();
        match self.note.state {
            State::Adopted => true,
            _ if has_spool => false,
            State::Clean => self.memory(BootId::current()).is_none(),
            State::None => true,
            // Its crash at least is worth telling.
            State::Running => false,
        }
    }

    /// Adds the time since it was last looked at; returns how long it has been unclaimed.
    pub(super) fn grow_older(&mut self, boot: BootId, now: Instant) -> Duration {
        if let Some((then, at)) = self.note.seen
            && then.same_as(&boot)
        {
            let more = now.since(Instant::from_millis(at)).as_millis();
            self.note.orphan_ms = self.note.orphan_ms.saturating_add(more);
        }
        self.note.seen = Some((boot, now.as_millis()));
        // Should this fail, it merely grows old more slowly.
        let _ = self.lock.write_note(&self.dir, &self.note);
        Duration::from_millis(self.note.orphan_ms)
    }
}
