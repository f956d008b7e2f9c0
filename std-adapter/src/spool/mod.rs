//! What is not yet told survives here: the program's death in a memory file, the loss of power in a
//! spool file.
//!
//! The ring of the core is plain bytes. This module gives it a region of memory that outlives the
//! program ([`Region`], looked after by a [`MemoryKeeper`]) and a file to mirror it to ([`Spool`],
//! a [`Storage`](annunciator_core::storage::Storage)). It knows nothing of the bytes' meaning.
//! [`open`] fetches both; it waits for no disk to finish anything and fails only for want of
//! memory.
//!
//! ```text
//!   log call ──► Region ═══ memory file on a tmpfs        program dies: still there
//!                  │
//!   worker ────────┴─────► Spool: pwrite, fdatasync       power is lost: still there
//! ```
//!
//! Files, names, modes, locks and what is synced when: `docs/spool.md`.

mod boot;
mod clock;
mod dir;
mod direct;
mod error;
mod exit;
mod file;
mod fork;
mod header;
mod held;
mod identity;
mod lock;
mod map;
mod memfile;
mod memory;
mod note;
mod orphan;
mod places;
mod slots;
mod sys;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

pub(crate) use boot::BootId;
pub(crate) use clock::now;
pub(crate) use direct::DirectWriter;
pub(crate) use error::SpoolError;
pub(crate) use fork::ForkGuard;
pub(crate) use held::ForkCopies;
pub(crate) use identity::{RecipientKey, SpoolIdentity};
pub(crate) use map::Region;
pub(crate) use memory::{MemoryFound, MemoryKeeper, MemoryOrphan, Survival};
pub(crate) use note::LastEnd;
pub(crate) use orphan::Orphan;
pub(crate) use places::Places;
pub(crate) use slots::Spool;

/// What [`open`] found and made.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The ring's memory. Its length is the configured one, unless it survived with another.
    pub(crate) region: Region,
    /// Looks after that memory.
    pub(crate) keeper: MemoryKeeper,
    /// What the region holds.
    pub(crate) found: MemoryFound,
    /// The slot of the spool directory, or why there is none; then [`attach`] may succeed later.
    pub(crate) spool: Result<Spool, SpoolError>,
    /// What the slot's file held.
    pub(crate) inherited: Inherited,
    /// How the slot's last session ended.
    pub(crate) last_end: LastEnd,
}

/// What the spool file holds, seen from the region.
pub(crate) enum Inherited {
    /// There is no file.
    Nothing,
    /// An older copy of what survived in the region.
    Older,
    /// The region's content: nothing had survived, so it was filled from the file.
    Filled,
    /// Bytes that have nothing to do with those of the region, or are more than it holds: to be
    /// taken over into it as from another slot. Say [`MemoryKeeper::took_over`] then.
    Bytes(Vec<u8>),
    /// It could not be read. It is written anew; where possible the old one is kept as `.damaged`.
    Unreadable(SpoolError),
}

impl fmt::Debug for Inherited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inherited::Nothing => f.write_str("Nothing"),
            Inherited::Older => f.write_str("Older"),
            Inherited::Filled => f.write_str("Filled"),
            // Never the bytes: they are somebody's error messages.
            Inherited::Bytes(bytes) => write!(f, "Bytes({} of them)", bytes.len()),
            Inherited::Unreadable(error) => f.debug_tuple("Unreadable").field(error).finish(),
        }
    }
}

/// Opens memory and spool for one destination.
///
/// `size` is that of the region in bytes. A region that survived keeps its own, and the spool
/// follows it; a spool file of another size is handed over and will be written anew.
///
/// # Errors
/// Only if there is no memory at all. Without a usable directory the alerter runs from memory.
pub(crate) fn open(
    directory: &Path,
    key: RecipientKey,
    size: usize,
    places: &Places,
) -> Result<Opened, SpoolError> {
    let boot = BootId::current();
    let session = clock::nanos_since_boot();
    let mut spool = Spool::open(directory, key, size);
    let (mut keeper, mut region, found) = memory::open(memory::Wanted {
        identity: SpoolIdentity::of(directory, key),
        home: std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf()),
        number: spool.as_ref().ok().map(|spool| spool.slot().number),
        note: spool.as_ref().map(|spool| spool.last_note().clone()).unwrap_or_default(),
        size,
        boot,
        session,
        places,
    })?;
    let mut last_end = LastEnd::Unknown;
    let mut inherited = Inherited::Nothing;
    if let Ok(spool) = &mut spool {
        last_end = spool.last_end(boot);
        spool.resize(region.len());
        inherited = inherit(spool, &keeper);
        match (&found, &inherited) {
            (MemoryFound::Fresh | MemoryFound::Lost { .. }, Inherited::Bytes(bytes))
                if bytes.len() <= region.len() =>
            {
                region.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                keeper.took_over(spool);
                inherited = Inherited::Filled;
            }
            // Offsets of the one mean nothing in the other, or they do not fit.
            (_, Inherited::Bytes(_)) => spool.start_over(),
            _ => keeper.took_over(spool),
        }
        let avoid = match &found {
            MemoryFound::Lost { path } => memfile::place_of(path),
            _ => None,
        };
        // The next start would know less; this one does not mind.
        let _ = spool.begin_session(boot, session, keeper.path(), avoid);
    }
    // Only now: had we died before, the file would count and the region would not.
    keeper.filled();
    Ok(Opened { region, keeper, found, spool, inherited, last_end })
}

/// Opens the spool for memory that has done without so far: the disk has come back.
///
/// Everything is then to be written, as after an error; what the slot held stays on the disk until
/// that is synced.
///
/// # Errors
/// As [`Spool::open`].
pub(crate) fn attach(
    directory: &Path,
    key: RecipientKey,
    keeper: &mut MemoryKeeper,
) -> Result<(Spool, Inherited), SpoolError> {
    let mut spool = Spool::open(directory, key, keeper.region_len())?;
    let inherited = inherit(&mut spool, keeper);
    if !matches!(inherited, Inherited::Bytes(_)) {
        keeper.took_over(&spool);
    }
    spool.start_over();
    keeper.mirror(spool.slot().number);
    let _ = spool.begin_session(BootId::current(), keeper.session(), keeper.path(), None);
    Ok((spool, inherited))
}

/// Begins the session once more that [`MemoryKeeper::end`] and [`Spool::end_session`] have ended.
pub(crate) fn resume(keeper: &mut MemoryKeeper, spool: Option<&mut Spool>) {
    keeper.filled();
    if let Some(spool) = spool {
        let _ = spool.begin_session(BootId::current(), keeper.session(), keeper.path(), None);
    }
}

/// What a forked child has to let go of, given what its parent opened.
pub(crate) fn fork_copies(keeper: &MemoryKeeper, spool: Option<&Spool>) -> ForkCopies {
    ForkCopies::new(spool.map(Spool::held).into_iter().chain([keeper.held()]).collect())
}

fn inherit(spool: &mut Spool, keeper: &MemoryKeeper) -> Inherited {
    if !spool.holds_data() {
        return Inherited::Nothing;
    }
    if keeper.contains(spool) {
        return Inherited::Older;
    }
    match spool.read_all() {
        Ok(bytes) => Inherited::Bytes(bytes),
        Err(error) => {
            spool.set_aside();
            Inherited::Unreadable(error)
        }
    }
}
