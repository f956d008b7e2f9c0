//! The ring's memory, where it outlives the program.
//!
//! A file on a memory-backed file system, mapped shared: what a log call stored there is still
//! there after SIGKILL, without any system call at the time of the call. It is allocated in full
//! before it is mapped, so that no later store can fail.
//!
//! Where there is no place for such a file the ring lives in memory of the process, and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::boot::BootId;
use super::error::SpoolError;
use super::exit::mark_at_exit;
use super::header::{
    self, BASE_AT, CLEAN, Header, MADE, RUNNING, SESSION_AT, SLOT_AT, STATE_AT, TAKEN_AT,
};
use super::held::HeldFd;
use super::identity::{MAX_SLOTS, SpoolIdentity, token};
use super::map::{Mapping, Region};
use super::memfile::{Look, MemoryFile, look, make, our_directory, peek, place_of};
use super::note::{Note, State};
use super::places::Places;
use super::slots::Spool;
use super::sys;

/// What a start found in the place of the ring's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemoryFound {
    /// Nothing, and nothing was to be expected. The region is zero.
    Fresh,
    /// The region as the last session of this boot left it: newer than the spool file.
    Survived {
        /// Whether that session ended as it should.
        clean: bool,
    },
    /// The last session died in this boot, and its memory file is gone: what it had not yet written
    /// to the disk is lost. The region is zero.
    Lost {
        /// Where the file was.
        path: PathBuf,
    },
}

/// Whether the ring's memory outlives the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Survival {
    /// It does, until the next boot.
    Program,
    /// It does, but not the end of the container that the program runs in.
    Container {
        /// By what the container was recognised.
        sign: &'static str,
    },
    /// It does not.
    Nothing {
        /// Why not, in words.
        why: String,
    },
}

/// What is asked of [`open`].
pub(super) struct Wanted<'a> {
    pub(super) identity: SpoolIdentity,
    /// The spool directory.
    pub(super) home: PathBuf,
    /// The spool slot, or `None` without a spool: then the lowest that is free.
    pub(super) number: Option<u8>,
    /// What that slot's last session left.
    pub(super) note: Note,
    pub(super) size: usize,
    pub(super) boot: BootId,
    pub(super) session: u64,
    pub(super) places: &'a Places,
}

/// Looks after the ring's memory: is it still where a next start finds it?
#[derive(Debug)]
pub(crate) struct MemoryKeeper {
    mapping: Arc<Mapping>,
    backing: Backing,
    /// The file's descriptor, for forked children to let go of; stays the same when the file does
    /// not.
    held: HeldFd,
    places: Places,
    header: Header,
    number: u8,
    owner: u32,
}

#[derive(Debug)]
enum Backing {
    File(MemoryFile),
    Process { why: String },
}

impl MemoryKeeper {
    /// Where the memory file is; `None` if there is none.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.backing {
            Backing::File(file) => Some(file.path()),
            Backing::Process { .. } => None,
        }
    }

    /// Length of the region in bytes.
    pub(crate) fn region_len(&self) -> usize {
        self.mapping.region_len()
    }

    pub(super) fn session(&self) -> u64 {
        self.header.session
    }

    /// Whether the memory outlives the program.
    pub(crate) fn survival(&self) -> Survival {
        match (&self.backing, self.places.container()) {
            (Backing::Process { why }, _) => Survival::Nothing { why: why.clone() },
            (Backing::File(_), Some(sign)) => Survival::Container { sign },
            (Backing::File(_), None) => Survival::Program,
        }
    }

    /// Whether a start after a crash would find the file: one `lstat`. Looks by path, because a
    /// directory can be unmounted with the file in it.
    pub(crate) fn still_linked(&self) -> bool {
        match &self.backing {
            Backing::File(file) => file.is_linked(),
            Backing::Process { .. } => true,
        }
    }

    /// Makes the file anew, in the first place that will do, and puts it under the region. Also
    /// worth a try when there never was one.
    ///
    /// `region` is the whole region as handed out, borrowed exclusively; its bytes do not change.
    /// Takes about as long as writing it once.
    ///
    /// # Errors
    /// If `region` is not the region, or no place will do; the memory is then that of the process.
    pub(crate) fn recreate(&mut self, region: &mut [u8]) -> Result<(), SpoolError> {
        // A place that lost it once is the last to be trusted with it again.
        let lost = self.path().and_then(place_of).map(Path::to_path_buf);
        let made = make(&self.places, lost.as_deref(), &self.header, self.number);
        let exchanged = made.and_then(|file| {
            file.exchange(&self.mapping, &self.header, region)?;
            Ok(file)
        });
        match exchanged {
            Ok(file) => {
                self.backing = Backing::File(file.held_by(&self.held));
                Ok(())
            }
            Err(why) => {
                let error = no_place(&why);
                self.held.take_over(HeldFd::default());
                self.backing = Backing::Process { why };
                Err(error)
            }
        }
    }

    /// The place that the file was lost from, if it is lost: for the note.
    pub(crate) fn lost_place(&self) -> Option<&Path> {
        if self.still_linked() { None } else { self.path().and_then(place_of) }
    }

    /// Ends the session as it should. With nothing left to tell the file is removed; otherwise it
    /// stays, marked, for the next start. Does nothing in a forked child.
    pub(crate) fn end(&mut self, nothing_left: bool) {
        if self.owner != std::process::id() {
            return;
        }
        self.header.state = CLEAN;
        self.publish();
        if let Backing::File(file) = &self.backing
            && nothing_left
            && file.is_linked()
        {
            file.remove();
        }
    }

    /// Memory files that dead processes of this boot left for the same directory and recipient,
    /// and that no slot's note leads to: their disk was unusable. Ask [`Spool::abandoned`] first,
    /// and have done with what it returns.
    ///
    /// [`Spool::abandoned`]: super::Spool::abandoned
    pub(crate) fn abandoned(&self) -> Vec<MemoryOrphan> {
        let mut orphans = Vec::new();
        for number in 0..MAX_SLOTS {
            let name = self.header.identity.memory_file(number);
            for place in self.places.in_order(None) {
                let path = place.join(our_directory()).join(&name);
                // Not locked before it is known to be one: a slot's own process may be starting.
                if peek(&path).is_some_and(|header| self.is_orphan(&header))
                    && let Look::Ours(file, header) = look(&path)
                    && self.is_orphan(&header)
                {
                    orphans.push(MemoryOrphan { file, header });
                }
            }
        }
        orphans
    }

    /// To be called when the [`Inherited::Bytes`](super::Inherited) of this spool are in the region
    /// and have been committed or can be recovered from it. Without it they are handed over again
    /// after a crash.
    pub(crate) fn took_over(&mut self, spool: &Spool) {
        self.header.taken = self.header.session;
        self.header.base = spool.last_note().token().unwrap_or(0);
        self.publish();
    }

    /// The region is filled: from now on it counts.
    pub(super) fn filled(&mut self) {
        self.header.state = RUNNING;
        self.publish();
    }

    /// Whether the spool file is but an older copy of what is in the region.
    pub(super) fn contains(&self, spool: &Spool) -> bool {
        let last = spool.last_note();
        let noted = last.is_of(self.header.boot)
            && last.memory.is_some()
            && last.memory.as_deref() == self.path();
        // By the note; or, where the disk took no note, by what was taken from it before.
        (noted && self.header.taken >= last.session)
            || last.token().is_some_and(|token| token == self.header.base)
    }

    /// Puts the header's changeable words into the file. The state last: it makes the rest count.
    fn publish(&self) {
        let header = &self.header;
        for (at, word) in
            [(SESSION_AT, header.session), (TAKEN_AT, header.taken), (BASE_AT, header.base)]
        {
            if let Some(cell) = self.mapping.header_u64(at) {
                cell.store(word.to_le(), Ordering::Release);
            }
        }
        for (at, word) in [(SLOT_AT, header::slot_word(header.slot)), (STATE_AT, header.state)] {
            if let Some(cell) = self.mapping.header_u32(at) {
                cell.store(word.to_le(), Ordering::Release);
            }
        }
    }

    fn is_orphan(&self, header: &Header) -> bool {
        header.identity == self.header.identity
            && header.boot == self.header.boot
            && header.state != MADE
            && header.slot.is_none()
    }

    #[cfg(test)]
    pub(super) fn sweep_as_of(&self, now: u64) {
        if let Backing::File(file) = &self.backing {
            file.sweep(&Header { session: now, ..self.header.clone() });
        }
    }

    /// Tells the memory file which slot it mirrors, from now on.
    pub(super) fn mirror(&mut self, slot: u8) {
        self.header.slot = Some(slot);
        self.publish();
    }

    pub(super) fn held(&self) -> HeldFd {
        self.held.clone()
    }
}

/// A memory file that nobody holds and no slot leads to, now locked by us.
#[derive(Debug)]
pub(crate) struct MemoryOrphan {
    file: MemoryFile,
    header: Header,
}

impl MemoryOrphan {
    /// As [`Orphan::token`](super::Orphan::token); the same content has the same in both.
    pub(crate) fn token(&self) -> u64 {
        token(&[self.header.boot.as_bytes(), &self.header.session.to_le_bytes()])
    }

    /// The region's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.file.region_bytes(&self.header).unwrap_or_default()
    }

    /// Removes it: its content has been taken over.
    pub(crate) fn remove(self) {
        self.file.remove();
    }
}

/// The ring's memory: the survivor of the last session if there is one, else a new one.
///
/// # Errors
/// Only if there is no memory at all.
pub(super) fn open(wanted: Wanted<'_>) -> Result<(MemoryKeeper, Region, MemoryFound), SpoolError> {
    let mut number = wanted.number.unwrap_or(0);
    let mut found = MemoryFound::Fresh;
    let mut header = Header {
        region_len: wanted.size as u64,
        identity: wanted.identity,
        user: sys::effective_user(),
        state: MADE,
        boot: wanted.boot,
        session: wanted.session,
        slot: wanted.number,
        taken: 0,
        base: 0,
        home: wanted.home.clone(),
    };
    let mut survivor = survivors(&wanted, number);
    while wanted.number.is_none() && survivor.held && number + 1 < MAX_SLOTS {
        number += 1;
        survivor = survivors(&wanted, number);
    }
    let mut avoid = wanted.note.avoid.clone();
    let kept = survivor.best.and_then(|(file, old)| {
        let len = usize::try_from(old.region_len).ok()?;
        let mapping = file.map(len).ok()?;
        found = MemoryFound::Survived { clean: old.state == CLEAN };
        (header.region_len, header.state) = (old.region_len, RUNNING);
        (header.taken, header.base) = (old.taken, old.base);
        header.slot = header.slot.or(old.slot);
        Some((mapping, Backing::File(file)))
    });
    let (mapping, backing) = match kept {
        Some(kept) => kept,
        None => {
            if wanted.note.state == State::Running
                && wanted.note.is_of(wanted.boot)
                && !survivor.unfilled
                && let Some(path) = wanted.note.memory.clone()
            {
                avoid = place_of(&path).map(Path::to_path_buf);
                found = MemoryFound::Lost { path };
            }
            match make_and_map(wanted.places, avoid.as_deref(), &header, number) {
                Ok((mapping, file)) => (mapping, Backing::File(file)),
                Err(why) => {
                    let mapping = Mapping::anonymous(wanted.size).map_err(|_| no_place(&why))?;
                    (mapping, Backing::Process { why })
                }
            }
        }
    };
    let mapping = Arc::new(mapping);
    let region = mapping.region().ok_or_else(|| no_place("the region is taken"))?;
    let places = wanted.places.clone();
    let held = match &backing {
        Backing::File(file) => file.held(),
        Backing::Process { .. } => HeldFd::default(),
    };
    let owner = std::process::id();
    let keeper = MemoryKeeper { mapping, backing, held, places, header, number, owner };
    // From here on the file is this session's; the note follows. In this order: a file newer than
    // the note is taken, an older one is not.
    keeper.publish();
    if let Backing::File(file) = &keeper.backing {
        file.sweep(&keeper.header);
    }
    mark_at_exit(&keeper.mapping);
    Ok((keeper, region, found))
}

struct Survivors {
    best: Option<(MemoryFile, Header)>,
    /// One of them belongs to a running process.
    held: bool,
    /// The last session left one that it had not filled yet: nothing is lost.
    unfilled: bool,
}

/// Looks where the note says, and in all places under the usual name; removes what is out of date.
fn survivors(wanted: &Wanted<'_>, number: u8) -> Survivors {
    let noted = wanted.note.memory.clone().filter(|_| wanted.note.is_of(wanted.boot));
    let name = wanted.identity.memory_file(number);
    let usual = wanted.places.in_order(None).map(|place| place.join(our_directory()).join(&name));
    let oldest = match wanted.note.state {
        _ if !wanted.note.is_of(wanted.boot) => 0,
        // Even the last session's is out of date.
        State::Adopted => wanted.note.session.saturating_add(1),
        _ => wanted.note.session,
    };
    let mut survivors = Survivors { best: None, held: false, unfilled: false };
    let mut seen = Vec::new();
    for path in noted.clone().into_iter().chain(usual) {
        if seen.contains(&path) {
            continue;
        }
        let (file, header) = match look(&path) {
            Look::Ours(file, header) => (file, header),
            Look::Held => {
                survivors.held = true;
                seen.push(path);
                continue;
            }
            Look::Nothing => continue,
        };
        seen.push(path);
        // One that mirrors another slot is that slot's to inherit; without a spool, anybody's.
        let by_note = noted.as_ref() == seen.last();
        let others =
            wanted.number.is_some() && header.slot.is_some() && header.slot != wanted.number;
        if header.identity != wanted.identity || (others && !by_note) {
            continue;
        }
        let current =
            header.boot == wanted.boot && header.session >= oldest && header.state != MADE;
        survivors.unfilled |= header.state == MADE && header.session == oldest;
        let better = survivors.best.as_ref().is_none_or(|(_, best)| best.session < header.session);
        if current && better {
            if let Some((older, _)) = survivors.best.replace((file, header)) {
                older.remove();
            }
        } else {
            // A copy that another session has left behind: its events are told or in the newer one.
            file.remove();
        }
    }
    survivors
}

fn make_and_map(
    places: &Places,
    avoid: Option<&Path>,
    header: &Header,
    number: u8,
) -> Result<(Mapping, MemoryFile), String> {
    let file = make(places, avoid, header, number)?;
    let len = header.region_len as usize;
    let mapping = file.map(len)?;
    Ok((mapping, file))
}

fn no_place(why: &str) -> SpoolError {
    SpoolError::NoMemoryFile { why: why.to_owned() }
}
