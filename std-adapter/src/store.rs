//! One ring's memory and disk: opened once, used by the worker alone.
//!
//! What a run does with them, in order; `docs/spool.md` has the files and the rules:
//!
//! ```text
//!  open ──► alerter made ──► write, sync ... ──► end
//!                              │  ▲
//!                              │  │ round: hourly, while idle
//!                              ▼  │   is the file still ours? is the disk back?
//!          orphans: rings whose programs are dead, each with a store of its own
//! ```

mod start;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use annunciator_core::ring::{Identity, region_len_of, slots_of};
use annunciator_core::time::{self, Instant};

use crate::config::{OFF, Place};
use crate::health::SpoolHealth;
use crate::spool::{
    self, DestinationFile, DestinationKey, DirectWriter, ForkCopies, Found, MemoryKeeper, Opened,
    Region, RuntimeDirs, Spool, SpoolError, Survival, TEXT,
};
pub(crate) use start::{Ring, RingMaker};

/// What all rings of a destination have in common.
pub(crate) struct Context {
    /// What each of them is opened with.
    wanted: spool::Wanted,
    /// Why there is no disk and will be none, and whether one is wanted.
    no_disk: Option<(String, bool)>,
    /// All destinations that are configured, this one included: rings of others expire.
    configured: Vec<DestinationKey>,
    /// The destination's state.
    pub(crate) destination: DestinationFile,
}

/// What the configuration says of a destination.
pub(crate) struct Settings<'a> {
    pub(crate) place: &'a Place,
    /// The program's.
    pub(crate) name: &'a str,
    pub(crate) prefix: String,
    /// Who is to be reached.
    pub(crate) destination: &'a str,
    /// All that are configured, this one included.
    pub(crate) configured: &'a [&'a str],
    /// Bytes.
    pub(crate) size: usize,
    pub(crate) dirs: RuntimeDirs,
}

impl Context {
    pub(crate) fn new(settings: Settings<'_>) -> Context {
        let (directory, no_disk) = match settings.place {
            Place::Directory(directory) => (directory.clone(), None),
            Place::Nowhere(why) => (nowhere(settings.name), Some((why.clone(), true))),
            Place::Off => (nowhere(settings.name), Some((OFF.to_owned(), false))),
        };
        let key = DestinationKey::of(settings.destination);
        let destination = DestinationFile::new(&directory, no_disk.is_none(), key, &settings.dirs);
        let configured =
            settings.configured.iter().map(|other| DestinationKey::of(other)).collect();
        let wanted = spool::Wanted {
            directory,
            key,
            prefix: settings.prefix,
            size: region_len_of::<TEXT>(slots_of::<TEXT>(settings.size)),
            boot: spool::boot(&settings.dirs),
            dirs: settings.dirs,
        };
        Context { wanted, no_disk, configured, destination }
    }
}

/// A directory that cannot be, for programs without one.
fn nowhere(name: &str) -> PathBuf {
    Path::new("/dev/null/annunciator").join(name)
}

/// The worker's side of it.
pub(crate) struct Store {
    context: Arc<Context>,
    disk: Disk,
    keeper: MemoryKeeper,
    ring_id: u64,
    after_crash: bool,
    /// What the start found wrong, in words.
    notice: Option<String>,
    /// What the last look at orphans found wrong, in words.
    orphan_trouble: Option<String>,
    /// The spool was opened late, and nobody knows yet.
    attached: bool,
    relocked: bool,
    ended: bool,
    next_round: Instant,
    next_expiry: Instant,
}

enum Disk {
    Ready(Box<Spool>),
    /// It could not be opened; to be tried again.
    Missing {
        error: String,
        again: Option<StdInstant>,
    },
    /// No directory is known for one, or none is wanted.
    None,
}

impl Disk {
    fn ready(&mut self) -> Option<&mut Spool> {
        match self {
            Disk::Ready(spool) => Some(spool),
            _ => None,
        }
    }
}

/// How long a directory that could not be opened is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// How often the worker looks after disk, memory and what others left.
const ROUND: time::Duration = time::Duration::from_hours(1);
/// How often unclaimed rings are looked at.
const EXPIRY_ROUND: time::Duration = time::Duration::from_hours(24);

/// Opens memory and disk for a destination.
///
/// # Errors
/// Only if there is no memory at all.
pub(crate) fn open(context: &Arc<Context>) -> Result<(Store, Region, Found), SpoolError> {
    let opened = spool::open(&context.wanted)?;
    Ok(Store::new(context, opened))
}

impl Store {
    fn new(context: &Arc<Context>, opened: Opened) -> (Store, Region, Found) {
        let Opened { region, keeper, spool, found } = opened;
        let notice = match &found.unreadable {
            Some(error) => Some(format!("{error}; it is kept as .damaged")),
            None if found.lost_memory => {
                let lost =
                    "the memory file was gone after a crash: what had not been committed is lost";
                Some(lost.to_owned())
            }
            None => None,
        };
        let disk = match (&context.no_disk, spool) {
            (Some(_), _) => Disk::None,
            (None, Ok(spool)) => Disk::Ready(Box::new(spool)),
            (None, Err(error)) => Disk::Missing { error: error.to_string(), again: None },
        };
        let now = spool::now();
        let mut store = Store {
            context: Arc::clone(context),
            disk,
            keeper,
            ring_id: found.ring_id,
            after_crash: found.crashed,
            notice,
            orphan_trouble: None,
            attached: false,
            relocked: false,
            ended: false,
            next_round: now + ROUND,
            next_expiry: now,
        };
        store.prepare_for_direct_writes();
        (store, region, found)
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Whether the spool file lacks what is in memory: everything is to be written to it.
    pub(crate) fn needs_rewrite(&self) -> bool {
        self.ready().is_some_and(Spool::needs_rewrite)
    }

    /// Why there is no disk and will be none, if one is wanted.
    pub(crate) fn lacks_disk(&self) -> Option<&str> {
        let (why, wanted) = self.context.no_disk.as_ref()?;
        wanted.then_some(why.as_str())
    }

    /// Whether writes have somewhere to go, now or later.
    pub(crate) fn wants_commits(&self) -> bool {
        !matches!(self.disk, Disk::None)
    }

    /// Writes to the spool file; an error comes in words.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), String> {
        let result = self.spool()?.write(at, bytes).map_err(|error| error.to_string());
        if let Disk::Ready(spool) = &self.disk {
            spool::follow(&mut self.keeper, spool);
        }
        result
    }

    /// Makes what was written durable; an error comes in words.
    pub(crate) fn sync(&mut self) -> Result<(), String> {
        self.spool()?.sync().map_err(|error| error.to_string())
    }

    /// A way for callers to write by themselves, if memory does not outlive the program or its
    /// container.
    pub(crate) fn direct_writer(&self) -> Option<DirectWriter> {
        match &self.disk {
            Disk::Ready(spool) if self.keeper.survival() != Survival::Program => {
                Some(spool.direct_writer())
            }
            _ => None,
        }
    }

    /// What a forked child has to close.
    pub(crate) fn fork_copies(&self) -> ForkCopies {
        spool::fork_copies(&self.keeper, self.ready())
    }

    /// Whether the spool has been opened late since this was asked last: everything is to be
    /// written to it.
    pub(crate) fn take_attached(&mut self) -> bool {
        std::mem::take(&mut self.attached)
    }

    /// Whether it has other locks than when this was asked last.
    pub(crate) fn take_relocked(&mut self) -> bool {
        std::mem::take(&mut self.relocked)
    }

    /// Whether the memory file is where a next start finds it.
    pub(crate) fn memory_is_linked(&self) -> bool {
        self.keeper.still_linked()
    }

    /// Whether there is no memory file, so that one is worth a try.
    pub(crate) fn wants_memory(&self) -> bool {
        !self.memory_is_linked() || matches!(self.keeper.survival(), Survival::Nothing { .. })
    }

    /// Makes a memory file that was removed anew. Touches no disk;
    /// [`note_memory`](Store::note_memory) does.
    pub(crate) fn recreate_memory(&mut self, memory: &mut [u8]) {
        self.keeper.recreate(memory);
    }

    /// Notes on disk whether there is a memory file now.
    pub(crate) fn note_memory(&mut self) {
        if let Some(spool) = self.disk.ready().filter(|_| !self.ended) {
            spool::mark_file_open(spool, &self.keeper);
        }
        self.prepare_for_direct_writes();
    }

    /// Whether it is time for a [`round`](Store::round).
    pub(crate) fn round_is_due(&self, now: Instant) -> bool {
        self.next_round <= now
    }

    /// When that is.
    pub(crate) fn next_round(&self) -> Instant {
        self.next_round
    }

    /// Looks after the disk. While all is well it reads only.
    ///
    /// # Errors
    /// If the spool file is not as it was left, in words: everything is to be written again.
    pub(crate) fn round(&mut self, now: Instant) -> Result<(), String> {
        self.next_round = now + ROUND;
        match self.disk {
            Disk::None => Ok(()),
            _ => self.spool()?.verify().map_err(|error| error.to_string()),
        }
    }

    /// Removes rings that nobody has claimed for long, once a day; returns how many events were
    /// given up with them.
    pub(crate) fn expire(&mut self, now: Instant) -> u32 {
        if self.next_expiry > now {
            return 0;
        }
        self.next_expiry = now + EXPIRY_ROUND;
        let Context { wanted, configured, .. } = &*self.context;
        spool::expire(self.ready(), &self.keeper, wanted, configured, now)
    }

    /// The instances of this destination that look as if they were orphans.
    pub(crate) fn orphans(&self) -> Vec<u8> {
        spool::orphans(self.ready(), &self.keeper, &self.context.wanted)
    }

    /// Opens an orphan, if it is one. `own` is the ring that it would be served beside.
    ///
    /// # Errors
    /// In words, if it cannot be read.
    pub(crate) fn open_orphan(
        &self,
        number: u8,
        own: Option<Identity>,
    ) -> Result<Option<(Store, Region, Found)>, String> {
        let opened = spool::open_orphan(&self.context.wanted, number, self.ready(), own);
        let opened = opened.map_err(|error| error.to_string())?;
        Ok(opened.map(|opened| Store::new(&self.context, opened)))
    }

    /// Notes that the program means to end; a next start knows that nothing crashed, even if a text
    /// under way keeps the run from being ended in time.
    pub(crate) fn announce_end(&mut self) {
        self.end(false);
    }

    /// Whether the run goes on.
    pub(crate) fn is_open(&self) -> bool {
        !self.ended
    }

    /// Ends in an orderly way; a next start knows that nothing crashed.
    pub(crate) fn end(&mut self, nothing_left: bool) {
        let spool = self.disk.ready().filter(|_| !self.ended);
        spool::close(spool, &self.keeper, nothing_left);
        self.ended = true;
    }

    /// Takes up again what was ended.
    pub(crate) fn resume(&mut self) {
        if std::mem::take(&mut self.ended) {
            spool::mark_open(self.disk.ready(), &self.keeper);
        }
    }

    /// How the store is doing; `failing` says that its last use failed, and how.
    pub(crate) fn health(&self, failing: Option<&str>) -> SpoolHealth {
        let trouble = match &self.disk {
            Disk::Ready(_) => failing.map(str::to_owned),
            Disk::Missing { error, .. } => Some(error.clone()),
            Disk::None => self.context.no_disk.as_ref().map(|(why, _)| why.clone()),
        };
        let ready = self.ready();
        SpoolHealth {
            directory: ready.map(|spool| spool.directory().to_path_buf()),
            trouble: trouble
                .or_else(|| self.notice.clone())
                .or_else(|| self.orphan_trouble.clone()),
            survives_crash: self.keeper.survival() == Survival::Program,
            survives_restart: !matches!(self.keeper.survival(), Survival::Nothing { .. }),
            direct_writes: self.direct_writer().is_some() && failing.is_none(),
            survives_power_cut: ready.is_some() && failing.is_none(),
            after_crash: self.after_crash,
            disk: ready.map(Spool::used).unwrap_or_default(),
        }
    }

    /// Whether what is recorded outlives the program, one way or the other.
    pub(crate) fn keeps(&self) -> bool {
        !matches!(self.keeper.survival(), Survival::Nothing { .. }) || self.ready().is_some()
    }

    /// Keeps in mind why an orphan could not be opened at the last look, or that all could.
    pub(crate) fn note_orphan_trouble(&mut self, words: Option<String>) {
        self.orphan_trouble = words;
    }

    fn ready(&self) -> Option<&Spool> {
        match &self.disk {
            Disk::Ready(spool) => Some(spool),
            _ => None,
        }
    }

    /// The spool, opened late if it could not be opened at the start.
    fn spool(&mut self) -> Result<&mut Spool, String> {
        if let Disk::Missing { error, again } = &mut self.disk {
            let now = StdInstant::now();
            if again.is_some_and(|again| now < again) {
                return Err(error.clone());
            }
            match spool::attach(&self.context.wanted, &mut self.keeper, self.ring_id) {
                Ok(mut spool) => {
                    if self.ended {
                        spool::close(Some(&mut spool), &self.keeper, false);
                    }
                    self.disk = Disk::Ready(Box::new(spool));
                    (self.attached, self.relocked) = (true, true);
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
            Disk::None => Err(self.context.no_disk.as_ref().map_or("", |(why, _)| why).to_owned()),
        }
    }

    /// Direct writes need a file. Made now, since the first event may be the last.
    fn prepare_for_direct_writes(&mut self) {
        if self.direct_writer().is_some()
            && let Some(spool) = self.disk.ready()
        {
            // The first commit meets the same error and reports it.
            let _ = spool.prepare();
        }
    }
}
