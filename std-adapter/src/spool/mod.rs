//! What is not yet reported survives here: the program's death in a memory file, the loss of power
//! in a spool file.
//!
//! The ring of the core is plain bytes. This module gives it a region of memory that outlives the
//! program ([`Region`], looked after by a [`MemoryKeeper`]) and a file to mirror it to ([`Spool`]).
//! Of the bytes' meaning it knows what the ring says of itself: its name, how often it was started,
//! and whether anything waits in it. [`open`] fetches both; it waits for no disk to finish anything
//! and fails only for want of memory.
//!
//! ```text
//!   log call ──► Region ═══ memory file on a tmpfs        program dies: still there
//!                  │
//!   worker ────────┴─────► Spool: pwrite, fdatasync       power is lost: still there
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `start`, `orphans` | what a start finds and goes on with; what others left, and what nobody claims |
//! | `instance`, `lock` | the instance of one process; who has it, also after a fork |
//! | `file`, `direct` | the spool file; writes to it by the thread that logs |
//! | `memory`, `memory_file`, `map` | the ring's memory; the file it lies in; mappings, with all unsafe code |
//! | `destination` | the state that all instances of a destination share |
//! | `dir`, `runtime_dirs`, `names` | the spool directory; directories in memory; the names of files |
//! | `marks`, `boot` | what is read in a ring's bytes; which boot this is, and the time |
//! | `error`, `sys` | what can be wrong, in words; system calls |
//!
//! Files, names, modes, locks and what is synced when: `docs/spool.md`.

mod boot;
mod destination;
mod dir;
mod direct;
mod error;
mod file;
mod instance;
mod lock;
mod map;
mod marks;
mod memory;
mod memory_file;
mod names;
mod orphans;
mod runtime_dirs;
mod start;
mod sys;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use annunciator_core::ring;
use annunciator_core::time::Instant;

use dir::SpoolDir;
use error::Trouble;
use instance::take_free;
use lock::InstanceLock;
use marks::{OpenMark, id, is_empty};
use memory_file::Finder;
use names::{InstanceName, MAX_INSTANCES, SpoolIdentity};
use orphans::Observer;
use start::Candidate;

pub(crate) use crate::event::TEXT;
pub(crate) use boot::{boot, now};
pub(crate) use destination::DestinationFile;
pub(crate) use direct::DirectWriter;
pub(crate) use error::SpoolError;
pub(crate) use instance::Spool;
pub(crate) use lock::{ForkCopies, ForkGuard};
pub(crate) use map::Region;
pub(crate) use memory::{MemoryKeeper, Survival};
pub(crate) use names::DestinationKey;
pub(crate) use runtime_dirs::RuntimeDirs;
pub(crate) use start::Source;

/// What is to be opened.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Of the spool. Where there can be none, memory files are named as if it stood here.
    pub(crate) directory: PathBuf,
    pub(crate) key: DestinationKey,
    /// What the texts begin with. A ring in which something waits under another prefix is another
    /// program's.
    pub(crate) prefix: String,
    /// Of the region, in bytes.
    pub(crate) size: usize,
    pub(crate) dirs: RuntimeDirs,
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

/// Opens memory and spool for one destination: the lowest instance that nobody has and whose ring
/// is empty or bears our prefix.
///
/// # Errors
/// Only if there is no memory at all. Without a usable directory the alerter runs from memory.
pub(crate) fn open(wanted: &Wanted) -> Result<Opened, SpoolError> {
    let dir = SpoolDir::open(&wanted.directory).map(Arc::new);
    let trouble = match dir.and_then(|dir| open_any(wanted, Some(&dir))) {
        Ok(Some(opened)) => return Ok(opened),
        Ok(None) => Trouble::Busy.at(&wanted.directory),
        Err(error) => error,
    };
    let opened = match open_any(wanted, None)? {
        Some(opened) => opened,
        // Even every memory file is somebody's.
        None => Candidate::default().begin(wanted, &wanted.finder())?,
    };
    Ok(Opened { spool: Err(trouble), ..opened })
}

fn open_any(wanted: &Wanted, dir: Option<&Arc<SpoolDir>>) -> Result<Option<Opened>, SpoolError> {
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
pub(crate) fn orphans(spool: Option<&Spool>, keeper: &MemoryKeeper, wanted: &Wanted) -> Vec<u8> {
    let own = InstanceName { key: wanted.key, number: keeper.number() };
    orphans::scan(spool.map(|spool| &**spool.file.dir()), keeper.finder(), own, wanted.boot)
}

/// Opens an instance that nobody has, if something waits there or a program ended there without a
/// word in this boot. `beside` is the ring it would be served beside: an older copy of that is
/// removed.
///
/// # Errors
/// If it cannot be read or there is no memory.
pub(crate) fn open_orphan(
    wanted: &Wanted,
    number: u8,
    spool: Option<&Spool>,
    beside: Option<ring::Identity>,
) -> Result<Option<Opened>, SpoolError> {
    let finder = wanted.finder();
    let dir = spool.map(|spool| spool.file.dir());
    let Some(candidate) = Candidate::take(wanted, &finder, dir, number)? else { return Ok(None) };
    let Some(bytes) = candidate.served() else { return Ok(None) };
    let older = matches!((beside, ring::identity(bytes)), (Some(ours), Some(theirs))
        if ours.id == theirs.id && theirs.starts < ours.starts);
    if older {
        // Should that fail, it is found and known again.
        let _ = candidate.remove();
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
    wanted: &Wanted,
    keeper: &mut MemoryKeeper,
    ring_id: u64,
) -> Result<Spool, SpoolError> {
    let dir = Arc::new(SpoolDir::open(&wanted.directory)?);
    let mut name = InstanceName { key: wanted.key, number: keeper.number() };
    let finder = keeper.finder().clone();
    let lock = match InstanceLock::take(&dir, name)? {
        Some(lock) => lock,
        None => take_free(&dir, name, &finder)?,
    };
    name = lock.name();
    let size = keeper.region_len();
    let mut spool = Spool::new(Arc::clone(&dir), lock, finder, size)?;
    match spool.file.read_all() {
        Ok(bytes) if id(&bytes) == Some(ring_id) || is_empty(&bytes) => {}
        Ok(_) => {
            let free = take_free(&dir, name, keeper.finder())?;
            spool.file.give_away(free.name())?;
        }
        Err(_) => spool.file.set_aside(),
    }
    follow(keeper, &spool);
    spool.file.start_over();
    mark_file_open(&mut spool, keeper);
    Ok(spool)
}

/// Has the memory file bear the number of the spool's instance, which may have become another.
pub(crate) fn follow(keeper: &mut MemoryKeeper, spool: &Spool) {
    if keeper.number() != spool.name().number {
        keeper.move_to(spool.name().number);
    }
}

/// Marks file and memory as open: by a start, or again after [`close`].
pub(crate) fn mark_open(spool: Option<&mut Spool>, keeper: &MemoryKeeper) {
    keeper.begin();
    if let Some(spool) = spool {
        mark_file_open(spool, keeper);
    }
}

/// Marks the file alone: the memory's mark may say already that the program has ended.
pub(crate) fn mark_file_open(spool: &mut Spool, keeper: &MemoryKeeper) {
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
    wanted: &Wanted,
    configured: &[DestinationKey],
    now: Instant,
) -> u32 {
    let own = InstanceName { key: wanted.key, number: keeper.number() };
    let observer = Observer { wanted, own, configured, now };
    observer.expire_memories();
    spool.map_or(0, |spool| observer.expire(spool.file.dir()))
}

/// What a forked child has to close, given what its parent opened.
pub(crate) fn fork_copies(keeper: &MemoryKeeper, spool: Option<&Spool>) -> ForkCopies {
    ForkCopies::new(spool.map(Spool::lock).into_iter().chain([keeper.lock()]).collect())
}

impl Wanted {
    fn finder(&self) -> Finder {
        Finder { dirs: self.dirs.clone(), identity: SpoolIdentity::of(&self.directory, self.key) }
    }
}
