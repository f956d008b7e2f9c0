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

pub use boot::BootId;
pub use clock::now;
pub use direct::{Direct, DirectWriter};
pub use error::{Change, SpoolError};
pub use file::DiskUse;
pub use fork::ForkGuard;
pub use held::ForkCopies;
pub use identity::{MAX_SLOTS, RecipientKey, SlotName, SpoolIdentity};
pub use map::Region;
pub use memory::{MemoryFound, MemoryKeeper, MemoryOrphan, Survival};
pub use note::LastEnd;
pub use orphan::{Orphan, OrphanMemory};
pub use places::Places;
pub use slots::Spool;

/// What [`open`] found and made.
#[derive(Debug)]
#[non_exhaustive]
pub struct Opened {
    /// The ring's memory. Its length is the configured one, unless it survived with another.
    pub region: Region,
    /// Looks after that memory.
    pub keeper: MemoryKeeper,
    /// What the region holds.
    pub found: MemoryFound,
    /// The slot of the spool directory, or why there is none; then [`attach`] may succeed later.
    pub spool: Result<Spool, SpoolError>,
    /// What the slot's file held.
    pub inherited: Inherited,
    /// How the slot's last session ended.
    pub last_end: LastEnd,
}

/// What the spool file holds, seen from the region.
#[non_exhaustive]
pub enum Inherited {
    /// There is no file.
    Nothing,
    /// An older copy of what survived in the region.
    Older,
    /// The region's content: nothing had survived, so it was filled from the file, as far as both
    /// reach.
    Filled,
    /// Bytes that have nothing to do with those of the region: to be taken over into it as from
    /// another slot. Say [`MemoryKeeper::took_over`] then.
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
pub fn open(
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
            // Offsets of the one mean nothing in the other.
            (MemoryFound::Survived { .. }, Inherited::Bytes(_)) => spool.start_over(),
            (_, Inherited::Bytes(bytes)) => {
                region.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                keeper.took_over(spool);
                inherited = Inherited::Filled;
            }
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
pub fn attach(
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

/// What a forked child has to let go of, given what its parent opened.
pub fn fork_copies(keeper: &MemoryKeeper, spool: Option<&Spool>) -> ForkCopies {
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
