//! What is not yet reported survives here: the program's death in a memory file, the loss of power
//! in a spool file.
//!
//! The ring of the core is plain bytes. This module gives it a region of memory that outlives the
//! program ([`Region`], looked after by a [`MemoryKeeper`]) and a file to mirror it to ([`Spool`],
//! a [`Storage`](annunciator_core::storage::Storage)). Of the bytes' meaning it knows what the ring
//! says of itself: its name, how often it was started, and whether anything waits in it. [`open`]
//! fetches both; it waits for no disk to finish anything and fails only for want of memory.
//!
//! ```text
//!   log call ──► Region ═══ memory file on a tmpfs        program dies: still there
//!                  │
//!   worker ────────┴─────► Spool: pwrite, fdatasync       power is lost: still there
//! ```
//!
//! Files, names, modes, locks and what is synced when: `docs/spool.md`.

mod boot;
mod choose;
mod destination;
mod dir;
mod direct;
mod error;
mod file;
mod fork;
mod instance;
mod keeper;
mod lock;
mod map;
mod memory;
mod names;
mod orphans;
mod runtime_dirs;
mod sys;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use annunciator_core::alerter::is_damaged;
use annunciator_core::ring::{self, PREFIX_MAX, UNCLAIMED_AT};
use annunciator_core::time::Instant;

use choose::{Fate, Serve, choose, is_empty};
use dir::SpoolDir;
use file::OpenMark;
use instance::take_free;
use lock::InstanceLock;
use memory::{Finder, MemoryFile};
use names::{InstanceName, MAX_INSTANCES};
use orphans::Observer;

pub(crate) use crate::event::TEXT;
pub(crate) use boot::{boot, now};
pub(crate) use destination::DestinationFile;
pub(crate) use direct::DirectWriter;
pub(crate) use error::SpoolError;
pub(crate) use fork::{ForkCopies, ForkGuard};
pub(crate) use instance::Spool;
pub(crate) use keeper::{MemoryKeeper, Survival};
pub(crate) use map::Region;
pub(crate) use names::{DestinationKey, SpoolIdentity, random};
pub(crate) use runtime_dirs::RuntimeDirs;

/// What is to be opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) key: DestinationKey,
    /// What the texts begin with. A ring in which something waits under another prefix is another
    /// program's.
    pub(crate) prefix: &'a str,
    /// Of the region, in bytes.
    pub(crate) size: usize,
    pub(crate) dirs: &'a RuntimeDirs,
    pub(crate) boot: u64,
}

/// What was found and made.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The ring's memory. Its length is the wanted one, unless it or the file had another.
    pub(crate) region: Region,
    /// Looks after that memory.
    pub(crate) keeper: MemoryKeeper,
    /// The instance of the spool directory, or why there is none; then [`attach`] may succeed later.
    pub(crate) spool: Result<Spool, SpoolError>,
    pub(crate) found: Found,
}

/// What the region holds, and what is known of those who worked on it before.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) source: Source,
    /// The ring's name, which is new if it had none.
    pub(crate) ring_id: u64,
    /// The last program that had it ended without a word in this boot.
    pub(crate) crashed: bool,
    /// Its memory file is gone: what it had not written to the disk is lost.
    pub(crate) lost_memory: bool,
    /// The spool file could not be read. It is kept as `.damaged` where possible.
    pub(crate) unreadable: Option<SpoolError>,
}

/// Where the region's bytes come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// They are zero.
    Nothing,
    /// A memory file, as the last program of this boot left it.
    Memory,
    /// The spool file.
    File,
}

/// Opens memory and spool for one destination: the lowest instance that nobody has and whose ring
/// is empty or bears our prefix.
///
/// # Errors
/// Only if there is no memory at all. Without a usable directory the alerter runs from memory.
pub(crate) fn open(wanted: &Wanted<'_>) -> Result<Opened, SpoolError> {
    let dir = SpoolDir::open(wanted.directory).map(Arc::new);
    let trouble = match dir.and_then(|dir| open_any(wanted, Some(&dir))) {
        Ok(Some(opened)) => return Ok(opened),
        Ok(None) => SpoolError::Busy { path: wanted.directory.to_path_buf() },
        Err(error) => error,
    };
    let opened = match open_any(wanted, None)? {
        Some(opened) => opened,
        // Even every memory file is somebody's.
        None => Candidate::nothing(0).begin(wanted, &wanted.finder())?,
    };
    Ok(Opened { spool: Err(trouble), ..opened })
}

fn open_any(
    wanted: &Wanted<'_>,
    dir: Option<&Arc<SpoolDir>>,
) -> Result<Option<Opened>, SpoolError> {
    let finder = wanted.finder();
    for number in 0..MAX_INSTANCES {
        if let Some(candidate) = Candidate::take(wanted, &finder, dir, number)?
            && candidate.suits(wanted)
        {
            let opened = candidate.begin(wanted, &finder)?;
            // Without a disk nothing but its name keeps another from the same number.
            let beaten = opened.keeper.path().is_none() && finder.exists(number);
            if !beaten || dir.is_some() {
                return Ok(Some(opened));
            }
        }
    }
    Ok(None)
}

/// The instances of the destination that look as if they were orphans; see [`open_orphan`].
pub(crate) fn orphans(
    spool: Option<&Spool>,
    keeper: &MemoryKeeper,
    wanted: &Wanted<'_>,
) -> Vec<u8> {
    let own = InstanceName { key: wanted.key, number: keeper.number() };
    orphans::scan(spool.map(|spool| &**spool.dir()), keeper.finder(), own, wanted.boot)
}

/// Opens an instance that nobody has, if something waits there or a program ended there without a
/// word in this boot. `beside` is the ring it would be served beside: an older copy of that is
/// removed.
///
/// # Errors
/// If it cannot be read or there is no memory.
pub(crate) fn open_orphan(
    wanted: &Wanted<'_>,
    number: u8,
    spool: Option<&Spool>,
    beside: Option<ring::Identity>,
) -> Result<Option<Opened>, SpoolError> {
    let finder = wanted.finder();
    let dir = spool.map(Spool::dir);
    let Some(candidate) = Candidate::take(wanted, &finder, dir, number)? else { return Ok(None) };
    let Some(bytes) = candidate.served() else { return Ok(None) };
    let older = matches!((beside, ring::identity(bytes)), (Some(ours), Some(theirs))
        if ours.id == theirs.id && theirs.starts < ours.starts);
    if older {
        candidate.discard();
        return Ok(None);
    }
    if is_empty(bytes) && !candidate.crashed(wanted.boot) {
        return Ok(None);
    }
    candidate.begin(wanted, &finder).map(Some)
}

/// Opens the spool for memory that has done without so far: the disk has come back.
///
/// Everything is then to be written, as after an error. Another ring that lies in our instance's
/// file moves to an instance of its own; an older copy of ours stays until the new one is synced.
///
/// # Errors
/// If the directory or the file is not to be had.
pub(crate) fn attach(
    wanted: &Wanted<'_>,
    keeper: &mut MemoryKeeper,
    ring_id: u64,
) -> Result<Spool, SpoolError> {
    let dir = Arc::new(SpoolDir::open(wanted.directory)?);
    let mut name = InstanceName { key: wanted.key, number: keeper.number() };
    let finder = keeper.finder().clone();
    let lock = match InstanceLock::take(&dir, name)? {
        Some(lock) => lock,
        None => take_free(&dir, name, &finder)?,
    };
    name = lock.name();
    let size = keeper.region_len();
    let mut spool = Spool::new(Arc::clone(&dir), lock, finder, size)?;
    match spool.read_all() {
        Ok(bytes) if is_copy_of(&bytes, ring_id) || is_empty(&bytes) => {}
        Ok(_) => {
            let free = take_free(&dir, name, keeper.finder())?;
            spool.give_away(free.name())?;
        }
        Err(_) => spool.set_aside(),
    }
    follow(keeper, &spool);
    spool.start_over();
    mark_open(&mut spool, keeper);
    Ok(spool)
}

/// Has the memory file bear the number of the spool's instance, which may have become another.
pub(crate) fn follow(keeper: &mut MemoryKeeper, spool: &Spool) {
    if keeper.number() != spool.name().number {
        keeper.move_to(spool.name().number);
    }
}

/// Marks file and memory as open: by a start, or again after [`close`].
pub(crate) fn mark_open(spool: &mut Spool, keeper: &MemoryKeeper) {
    let in_memory = keeper.path().is_some();
    spool.set_mark(if in_memory { OpenMark::OpenInMemory } else { OpenMark::Open });
}

/// Marks file and memory as closed: the program ends in an orderly way. With nothing left to report
/// the memory file is removed.
pub(crate) fn close(spool: Option<&mut Spool>, keeper: &MemoryKeeper, nothing_left: bool) {
    if let Some(spool) = spool {
        spool.set_mark(OpenMark::Closed);
    }
    keeper.end(nothing_left);
}

/// Removes rings that nobody has claimed for 35 days; returns how many events waited in those of
/// destinations that are no longer configured.
pub(crate) fn expire(
    spool: Option<&Spool>,
    keeper: &MemoryKeeper,
    wanted: &Wanted<'_>,
    configured: &[DestinationKey],
    now: Instant,
) -> u32 {
    let own = InstanceName { key: wanted.key, number: keeper.number() };
    let observer = Observer { dirs: wanted.dirs, own, configured, boot: wanted.boot, now };
    observer.expire_memories(wanted.directory);
    spool.map_or(0, |spool| observer.expire(spool.dir()))
}

/// What a forked child has to close, given what its parent opened.
pub(crate) fn fork_copies(keeper: &MemoryKeeper, spool: Option<&Spool>) -> ForkCopies {
    ForkCopies::new(spool.map(Spool::lock).into_iter().chain([keeper.lock()]).collect())
}

impl Wanted<'_> {
    fn finder(&self) -> Finder {
        Finder { dirs: self.dirs.clone(), identity: SpoolIdentity::of(self.directory, self.key) }
    }
}

/// An instance that we have locked, and all copies that lie there.
struct Candidate {
    number: u8,
    spool: Option<Spool>,
    file: Option<Vec<u8>>,
    unreadable: Option<SpoolError>,
    memories: Vec<MemoryFile>,
    regions: Vec<Vec<u8>>,
    serve: Serve,
    fates: Vec<Fate>,
}

impl Candidate {
    /// An instance of which there is nothing.
    fn nothing(number: u8) -> Candidate {
        Candidate {
            number,
            spool: None,
            file: None,
            unreadable: None,
            memories: Vec::new(),
            regions: Vec::new(),
            serve: Serve::Nothing,
            fates: Vec::new(),
        }
    }

    /// `None` if somebody has it.
    fn take(
        wanted: &Wanted<'_>,
        finder: &Finder,
        dir: Option<&Arc<SpoolDir>>,
        number: u8,
    ) -> Result<Option<Candidate>, SpoolError> {
        let mut candidate = Candidate::nothing(number);
        if let Some(dir) = dir {
            let name = InstanceName { key: wanted.key, number };
            let Some(lock) = InstanceLock::take(dir, name)? else { return Ok(None) };
            let spool = Spool::new(Arc::clone(dir), lock, finder.clone(), wanted.size)?;
            match spool.read_all() {
                Ok(bytes) => candidate.file = spool.holds_data().then_some(bytes),
                Err(error) => candidate.unreadable = Some(error),
            }
            candidate.spool = Some(spool);
        }
        let Some(memories) = finder.take(number) else { return Ok(None) };
        candidate.regions = memories.iter().map(MemoryFile::bytes).collect();
        candidate.memories = memories;
        let regions: Vec<&[u8]> = candidate.regions.iter().map(Vec::as_slice).collect();
        (candidate.serve, candidate.fates) = choose(candidate.file.as_deref(), &regions);
        Ok(Some(candidate))
    }

    /// The bytes that are to be served.
    fn served(&self) -> Option<&[u8]> {
        match self.serve {
            Serve::Nothing => None,
            Serve::File => self.file.as_deref(),
            Serve::Memory(index) => self.regions.get(index).map(Vec::as_slice),
        }
    }

    /// Whether a program with our prefix may go on with it.
    fn suits(&self, wanted: &Wanted<'_>) -> bool {
        let Some(bytes) = self.served() else { return true };
        let label = ring::label(bytes);
        let cut = label.len() + 4 > PREFIX_MAX && wanted.prefix.starts_with(label.trim_end());
        let ours = label == wanted.prefix || label.is_empty() || cut;
        ours || (is_empty(bytes) && !self.crashed(wanted.boot))
    }

    /// Whether the last program that had it ended without a word in this boot.
    fn crashed(&self, boot: u64) -> bool {
        match (self.serve, self.served()) {
            (Serve::Memory(index), Some(bytes)) => {
                let open = self.memories.get(index).is_some_and(|memory| memory.header.open);
                // What has no name yet is of this boot, or it would not be here.
                open && (ring::identity(bytes).is_none() || is_of_boot(bytes, boot))
            }
            (_, Some(bytes)) => OpenMark::of(bytes) != OpenMark::Closed && is_of_boot(bytes, boot),
            (_, None) => false,
        }
    }

    /// Goes on with what was chosen, and sees to the rest.
    fn begin(mut self, wanted: &Wanted<'_>, finder: &Finder) -> Result<Opened, SpoolError> {
        let unreadable = self.unreadable.take();
        let served = self.served().unwrap_or_default();
        let identity = ring::identity(served);
        let from_file = self.serve == Serve::File;
        let crashed = self.crashed(wanted.boot);
        let found = Found {
            source: match self.serve {
                Serve::Nothing => Source::Nothing,
                Serve::File => Source::File,
                Serve::Memory(_) => Source::Memory,
            },
            ring_id: identity.map_or_else(random, |identity| identity.id),
            crashed,
            lost_memory: from_file && crashed && OpenMark::of(served) == OpenMark::OpenInMemory,
            unreadable,
        };
        let bytes = match self.serve {
            Serve::Memory(_) => served.to_vec(),
            Serve::File | Serve::Nothing => fitted(served, wanted.size),
        };
        let same = self.file.as_ref().is_none_or(|file| is_copy_of(file, found.ring_id));
        if let Some(spool) = &mut self.spool {
            // Worth having, not worth a word.
            let file = self.file.as_deref().unwrap_or_default();
            if let Some(damaged) =
                [&bytes, file].into_iter().find(|bytes| is_damaged::<TEXT>(bytes))
            {
                let _ = spool.quarantine(damaged);
            }
            spool.resize(bytes.len());
            if found.unreadable.is_some() {
                spool.set_aside();
            } else if !same && !from_file {
                spool.start_over();
            }
        }
        let survivor = self.settle_memories(finder);
        let memory = survivor.map_or_else(|| finder.make(self.number, &bytes), Ok);
        let (keeper, mut region) =
            MemoryKeeper::begin(memory, &bytes, finder.clone(), self.number)?;
        if let Some(unclaimed) = region.get_mut(UNCLAIMED_AT..UNCLAIMED_AT + orphans::UNCLAIMED_LEN)
        {
            unclaimed.fill(0);
        }
        let spool = match self.spool {
            Some(mut spool) => {
                mark_open(&mut spool, &keeper);
                Ok(spool)
            }
            None => Err(SpoolError::Busy { path: wanted.directory.to_path_buf() }),
        };
        Ok(Opened { region, keeper, spool, found })
    }

    /// Removes what is out of date and moves other rings away; returns the memory file to go on
    /// with, if it is one.
    fn settle_memories(&mut self, finder: &Finder) -> Option<MemoryFile> {
        let mut survivor = None;
        for (mut memory, fate) in std::mem::take(&mut self.memories).into_iter().zip(&self.fates) {
            match fate {
                Fate::Served => survivor = Some(memory),
                Fate::Removed => memory.remove(),
                Fate::Orphan => self.move_away(&mut memory, finder),
            }
        }
        survivor
    }

    /// Gives a memory file with another ring the number of a free instance. If there is none it
    /// stays, and a later start finds it again.
    fn move_away(&self, memory: &mut MemoryFile, finder: &Finder) {
        let renamed = |number: u8| finder.identity.memory_file(number);
        match &self.spool {
            Some(spool) => {
                if let Ok(lock) = take_free(spool.dir(), spool.name(), finder) {
                    let _ = memory.rename(renamed(lock.name().number));
                }
            }
            None => {
                let mut numbers = (0..MAX_INSTANCES).filter(|&number| number != self.number);
                if let Some(number) = numbers.find(|&number| !finder.exists(number)) {
                    let _ = memory.rename(renamed(number));
                }
            }
        }
    }

    /// Removes all of it but the lock: it is an older copy of what is served elsewhere.
    fn discard(self) {
        self.memories.iter().for_each(MemoryFile::remove);
        if let Some(spool) = self.spool {
            let _ = spool.remove_file();
        }
    }
}

fn is_copy_of(bytes: &[u8], ring_id: u64) -> bool {
    ring::identity(bytes).is_some_and(|identity| identity.id == ring_id)
}

/// Whether the last start on this ring was in this boot.
fn is_of_boot(bytes: &[u8], boot: u64) -> bool {
    ring::identity(bytes).is_some_and(|identity| identity.boot == boot)
}

/// The bytes of a region for what a spool file of another size held: it keeps its own as long as
/// something waits beyond the size that is wanted.
fn fitted(file: &[u8], size: usize) -> Vec<u8> {
    let used =
        if is_empty(file) { 0 } else { file.iter().rposition(|&byte| byte != 0).unwrap_or(0) };
    // One slot beyond the last that is used, since a ring always has a free one.
    let slots = used.saturating_sub(ring::OVERHEAD) / ring::slot_size::<TEXT>() + 2;
    let len = if used < size { size } else { ring::region_len_of::<TEXT>(slots) };
    let mut bytes = file.to_vec();
    bytes.resize(len, 0);
    bytes
}
