//! One destination's memory and disk: opened once, used by its worker alone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use annunciator_core::alerter::Origin;
use annunciator_core::ring::region_len;
use annunciator_core::storage::Storage;

use crate::config::Place;
use crate::health::SpoolHealth;
use crate::spool::{
    self, BootId, Inherited, MemoryFound, MemoryKeeper, Places, RecipientKey, Spool, SpoolError,
    Survival,
};

/// The ring's memory, as the core changes it. Mapped for the life of the process: a log call may
/// come as late as from a destructor of a static.
pub(crate) type RingMemory = &'static mut [u8];

/// What was found at the start.
pub(crate) struct Found {
    pub(crate) memory: RingMemory,
    pub(crate) origin: Origin,
    /// Something of an earlier run is there.
    pub(crate) inherits: bool,
}

/// The worker's side of it.
pub(crate) struct Store {
    disk: Disk,
    keeper: MemoryKeeper,
    lost_memory: Option<PathBuf>,
    /// Bytes of an earlier run that the spool brought beside what is in memory, to be taken over.
    inherited: Option<Vec<u8>>,
}

enum Disk {
    Ready(Spool),
    /// It could not be opened; to be tried again.
    Missing {
        directory: PathBuf,
        key: RecipientKey,
        error: String,
        again: Option<Instant>,
    },
    /// None is wanted, or no place is known for one.
    None {
        why: String,
    },
}

/// How long a directory that could not be opened is left alone.
const PAUSE: Duration = Duration::from_secs(30);

/// Opens memory and disk for the destination called `identity`.
///
/// # Errors
/// Only if there is no memory at all.
pub(crate) fn open(
    place: &Place,
    identity: &str,
    size: usize,
) -> Result<(Store, Found), SpoolError> {
    let key = RecipientKey::of(identity);
    let places = Places::from_env();
    // Without a directory the memory file alone carries the ring from run to run; it is named as
    // if the spool stood in the root.
    let directory = match place {
        Place::Directory(directory) => directory.as_path(),
        Place::Nowhere(_) => Path::new("/nonexistent/annunciator"),
    };
    let size = region_len(annunciator_core::ring::slots(size));
    let opened = spool::open(directory, key, size, &places)?;
    let survived = matches!(opened.found, MemoryFound::Survived { .. });
    let (origin, inherited) = match opened.inherited {
        Inherited::Filled => (Origin::Storage, None),
        // Beside what the memory has: the worker takes it over.
        Inherited::Bytes(bytes) => (Origin::Memory, Some(bytes)),
        _ => (Origin::Memory, None),
    };
    let inherits = survived || origin == Origin::Storage || inherited.is_some();
    let disk = match (place, opened.spool) {
        (Place::Nowhere(why), _) => Disk::None { why: why.clone() },
        (Place::Directory(_), Ok(spool)) => Disk::Ready(spool),
        (Place::Directory(directory), Err(error)) => {
            let error = error.to_string();
            Disk::Missing { directory: directory.clone(), key, error, again: None }
        }
    };
    let lost_memory = match opened.found {
        MemoryFound::Lost { path } => Some(path),
        _ => None,
    };
    let store = Store { disk, keeper: opened.keeper, lost_memory, inherited };
    Ok((store, Found { memory: opened.region.leak(), origin, inherits }))
}

/// Identifies the running boot; 0 is no boot in particular.
pub(crate) fn boot() -> u64 {
    let id = *BootId::current().as_bytes();
    let (front, back) = id.split_at(8);
    let half = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    half(front) ^ half(back)
}

impl Store {
    /// Whether writes have somewhere to go, now or later.
    pub(crate) fn wants_commits(&self) -> bool {
        !matches!(self.disk, Disk::None { .. })
    }

    /// Writes to the spool file; an error comes in words.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), String> {
        self.spool()?.write(at, bytes).map_err(|error| error.to_string())
    }

    /// Makes what was written durable; an error comes in words.
    pub(crate) fn sync(&mut self) -> Result<(), String> {
        self.spool()?.sync().map_err(|error| error.to_string())
    }

    /// The spool, opened late if it could not be opened at the start.
    fn spool(&mut self) -> Result<&mut Spool, String> {
        if let Disk::Missing { directory, key, error, again } = &mut self.disk {
            let now = Instant::now();
            if again.is_some_and(|again| now < again) {
                return Err(error.clone());
            }
            match spool::attach(directory, *key, &mut self.keeper) {
                Ok((spool, inherited)) => {
                    if let Inherited::Bytes(bytes) = inherited {
                        self.inherited = Some(bytes);
                    }
                    self.disk = Disk::Ready(spool);
                }
                Err(new) => {
                    *error = new.to_string();
                    *again = Some(now + PAUSE);
                }
            }
        }
        match &mut self.disk {
            Disk::Ready(spool) => Ok(spool),
            Disk::Missing { error, .. } => Err(error.clone()),
            Disk::None { why } => Err(why.clone()),
        }
    }

    /// What the spool brought of an earlier run beside what is in memory.
    pub(crate) fn take_inherited(&mut self) -> Option<Vec<u8>> {
        self.inherited.take()
    }

    /// Notes that all the spool brought is in memory now.
    pub(crate) fn inherited_is_in_memory(&mut self) {
        if let Disk::Ready(spool) = &self.disk {
            self.keeper.took_over(spool);
        }
    }

    /// Whether the memory file is where a next start finds it.
    pub(crate) fn memory_is_linked(&self) -> bool {
        self.keeper.still_linked()
    }

    /// Makes a memory file that was removed anew.
    pub(crate) fn recreate_memory(&mut self, memory: &mut [u8]) -> Result<(), SpoolError> {
        self.keeper.recreate(memory)
    }

    /// Ends the session as it should be ended; a next start knows that nothing crashed.
    pub(crate) fn end_session(&mut self, nothing_left: bool) {
        self.keeper.end(nothing_left);
        if let Disk::Ready(spool) = &mut self.disk {
            // The next start takes the end for a crash, and finds everything all the same.
            let _ = spool.end_session();
        }
    }

    /// How the store is doing; `failing` says that its last use failed, and how.
    pub(crate) fn health(&self, failing: Option<&str>) -> SpoolHealth {
        let survival = self.keeper.survival();
        let (directory, trouble) = match &self.disk {
            Disk::Ready(spool) => {
                (Some(spool.directory().to_path_buf()), failing.map(str::to_owned))
            }
            Disk::Missing { error, .. } => (None, Some(error.clone())),
            Disk::None { why } => (None, Some(why.clone())),
        };
        let mut health = SpoolHealth::default();
        health.survives_crash = survival == Survival::Program;
        health.survives_power_cut = self.is_ready() && failing.is_none();
        health.file = directory;
        health.trouble = trouble.or_else(|| {
            let path = self.lost_memory.as_ref()?;
            Some(format!(
                "the memory file {} was gone after a crash: what had not been committed is lost",
                path.display()
            ))
        });
        health
    }

    /// Whether what is recorded outlives the program, one way or the other.
    pub(crate) fn keeps(&self) -> bool {
        !matches!(self.keeper.survival(), Survival::Nothing { .. }) || self.is_ready()
    }

    fn is_ready(&self) -> bool {
        matches!(self.disk, Disk::Ready(_))
    }
}
