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
mod places;
mod slots;
mod sys;

#[cfg(test)]
mod tests;

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
pub use places::Places;
pub use slots::{LastEnd, Orphan, Spool};

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
    /// How the slot's last session ended.
    pub last_end: LastEnd,
}

/// What a forked child has to let go of, given what its parent opened.
pub fn fork_copies(keeper: &MemoryKeeper, spool: Option<&Spool>) -> ForkCopies {
    ForkCopies::new(spool.map(Spool::held).into_iter().chain([keeper.held()]).collect())
}

/// Opens memory and spool for one destination.
///
/// `size` is that of the region in bytes. A region that survived keeps its own, and the spool
/// follows it; if the spool file has yet another, it is there to be read
/// ([`Spool::read_all`]) and will be written in the new size.
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
    let (keeper, region, found) = memory::open(memory::Wanted {
        identity: SpoolIdentity::of(directory, key),
        number: spool.as_ref().ok().map(|spool| spool.slot().number),
        note: spool.as_ref().map(|spool| spool.last_note().clone()).unwrap_or_default(),
        size,
        boot,
        session,
        places,
    })?;
    let mut last_end = LastEnd::Unknown;
    if let Ok(spool) = &mut spool {
        last_end = spool.last_end(boot);
        spool.resize(region.len());
        let avoid = match &found {
            MemoryFound::Lost { path } => memfile::place_of(path),
            _ => None,
        };
        // The next start would know less; this one does not mind.
        let _ = spool.begin_session(boot, session, keeper.path(), avoid);
    }
    Ok(Opened { region, keeper, found, spool, last_end })
}

/// What a spool that was opened late holds.
#[derive(Debug)]
#[non_exhaustive]
pub enum Inherited {
    /// Nothing.
    Nothing,
    /// An older copy of what is in the region already.
    Older,
    /// Somebody's bytes, to be taken over into the ring.
    Bytes(Vec<u8>),
}

/// Opens the spool for memory that has done without so far: the disk has come back.
///
/// Everything is then to be written, as after an error; what the slot held stays on the disk until
/// that is synced.
///
/// # Errors
/// As [`Spool::open`], or if what the slot holds cannot be read.
pub fn attach(
    directory: &Path,
    key: RecipientKey,
    keeper: &mut MemoryKeeper,
) -> Result<(Spool, Inherited), SpoolError> {
    let boot = BootId::current();
    let mut spool = Spool::open(directory, key, keeper.region_len())?;
    let last = spool.last_note();
    let inherited = if !spool.holds_data() {
        Inherited::Nothing
    } else if last.is_of(boot) && last.memory.is_some() && last.memory.as_deref() == keeper.path() {
        Inherited::Older
    } else {
        Inherited::Bytes(spool.read_all()?)
    };
    spool.start_over();
    keeper.mirror(spool.slot().number);
    let _ = spool.begin_session(boot, keeper.session(), keeper.path(), None);
    Ok((spool, inherited))
}
