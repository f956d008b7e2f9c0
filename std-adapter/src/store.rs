//! One destination's memory and disk: opened once, used by its worker alone.
//!
//! What a session does with them, in order; `docs/spool.md` has the files and the rules:
//!
//! ```text
//!  open ──► inherited ──► write, sync ... ──► end_session
//!            │  (taken over    │  ▲
//!            │   by the worker)│  │ round: hourly, while idle
//!            ▼                 ▼  │   is the file still ours? is the disk back?
//!          estates: slots and memory files whose processes are dead
//! ```

mod estates;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as StdInstant};

use annunciator_core::event::TEXT_256;
use annunciator_core::alerter::{After, Origin, is_damaged};
use annunciator_core::ring::{region_len, slots};
use annunciator_core::storage::Storage;
use annunciator_core::time::{self, Instant};

use crate::config::{OFF, Place};
use crate::health::SpoolHealth;
use crate::spool::{
    self, BootId, DirectWriter, ForkCopies, Inherited, LastEnd, MemoryFound, MemoryKeeper, Opened,
    Places, RecipientKey, Spool, SpoolError, Survival,
};
use estates::Estates;
pub(crate) use estates::Parcel;

/// The ring's memory, as the core changes it. Mapped for the life of the process: a log call may
/// come as late as from a destructor of a static.
pub(crate) type RingMemory = &'static mut [u8];

/// What is to be opened.
pub(crate) struct Wanted<'a> {
    pub(crate) place: &'a Place,
    /// Whose events are kept.
    pub(crate) identity: &'a str,
    /// All that are configured, this one included: slots of others expire.
    pub(crate) configured: &'a [&'a str],
    /// Bytes.
    pub(crate) size: usize,
    pub(crate) places: Places,
}

/// What was found at the start.
pub(crate) struct Found {
    pub(crate) memory: RingMemory,
    pub(crate) origin: Origin,
    /// How the run before this one ended, if that is worth telling.
    pub(crate) after: After,
    /// Something of an earlier run is there.
    pub(crate) inherits: bool,
    /// The spool file has nothing of the memory yet: everything is to be written to it.
    pub(crate) rewrite: bool,
}

/// The worker's side of it.
pub(crate) struct Store {
    disk: Disk,
    keeper: MemoryKeeper,
    after_crash: bool,
    /// What the start found wrong, in words.
    notice: Option<String>,
    /// Bytes of an earlier run that the spool brought beside what is in memory, to be taken over.
    inherited: Option<Vec<u8>>,
    estates: Estates,
    /// The spool was opened late, and nobody has been told yet.
    attached: bool,
    /// A place that lost the memory file, to be noted.
    lost_place: Option<PathBuf>,
    ended: bool,
    next_round: Instant,
    configured: Vec<RecipientKey>,
    next_expiry: Instant,
}

enum Disk {
    Ready(Box<Spool>),
    /// It could not be opened; to be tried again.
    Missing {
        directory: PathBuf,
        key: RecipientKey,
        error: String,
        again: Option<StdInstant>,
    },
    /// No place is known for one, or none is `wanted`.
    None {
        why: String,
        wanted: bool,
    },
}

impl Disk {
    fn quarantine(&self, bytes: &[u8]) {
        if let Disk::Ready(spool) = self {
            // Worth having, not worth a word.
            let _ = spool.quarantine(bytes);
        }
    }
}

/// How long a directory that could not be opened is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// How often the worker looks after disk, memory and what others left.
const ROUND: time::Duration = time::Duration::from_hours(1);
/// How often slots of recipients that are no longer configured are looked at.
const EXPIRY_ROUND: time::Duration = time::Duration::from_hours(24);
/// How long such a slot has been seen unclaimed when it is given up. Long, because it may belong
/// to a program that runs once a month.
const EXPIRY: time::Duration = time::Duration::from_hours(35 * 24);

/// Opens memory and disk for a destination.
///
/// # Errors
/// Only if there is no memory at all.
pub(crate) fn open(wanted: &Wanted<'_>) -> Result<(Store, Found), SpoolError> {
    let key = RecipientKey::of(wanted.identity);
    // Without a directory the memory file alone carries the ring from run to run; it is named as
    // if the spool stood in the root.
    let directory = match wanted.place {
        Place::Directory(directory) => directory.as_path(),
        Place::Nowhere(_) | Place::Off => Path::new("/dev/null/annunciator"),
    };
    let size = region_len(slots(wanted.size));
    let opened = spool::open(directory, key, size, &wanted.places)?;
    let notice = notice(&opened);
    let Opened { region, keeper, found, spool, inherited, last_end } = opened;
    // The memory knows better than the note, which may not have been written.
    let after_crash = match found {
        MemoryFound::Survived { clean } => !clean,
        _ => last_end == LastEnd::Crash,
    };
    let survived = matches!(found, MemoryFound::Survived { .. });
    let origin = match inherited {
        Inherited::Filled => Origin::Storage,
        _ => Origin::Memory,
    };
    let inherited = match inherited {
        Inherited::Bytes(bytes) => Some(bytes),
        _ => None,
    };
    let rewrite = spool.as_ref().is_ok_and(Spool::needs_rewrite);
    let disk = match (wanted.place, spool) {
        (Place::Nowhere(why), _) => Disk::None { why: why.clone(), wanted: true },
        (Place::Off, _) => Disk::None { why: OFF.to_owned(), wanted: false },
        (Place::Directory(_), Ok(spool)) => Disk::Ready(Box::new(spool)),
        (Place::Directory(directory), Err(error)) => {
            let error = error.to_string();
            Disk::Missing { directory: directory.clone(), key, error, again: None }
        }
    };
    let now = spool::now();
    let configured = wanted.configured.iter().map(|other| RecipientKey::of(other)).collect();
    let mut store = Store {
        disk,
        keeper,
        after_crash,
        notice,
        inherited,
        estates: Estates::default(),
        attached: false,
        lost_place: None,
        ended: false,
        next_round: now + ROUND,
        configured,
        next_expiry: now,
    };
    store.quarantine_if_damaged(&region);
    store.prepare_for_direct_writes();
    store.look_for_estates();
    let after = if after_crash { After::Crash } else { After::Nothing };
    let inherits = survived
        || after_crash
        || origin == Origin::Storage
        || store.inherited.is_some()
        || !store.estates.is_empty();
    Ok((store, Found { memory: region.leak(), origin, after, inherits, rewrite }))
}

/// What somebody should know of the start.
fn notice(opened: &Opened) -> Option<String> {
    match (&opened.found, &opened.inherited) {
        (MemoryFound::Lost { path }, _) => Some(format!(
            "the memory file {} was gone after a crash: what had not been committed is lost",
            path.display()
        )),
        (_, Inherited::Unreadable(error)) => Some(format!("{error}; it is kept as .damaged")),
        _ => None,
    }
}

/// Identifies the running boot; 0 is no boot in particular.
pub(crate) fn boot() -> u64 {
    let id = *BootId::current().as_bytes();
    let (front, back) = id.split_at(8);
    let half = |bytes: &[u8]| bytes.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    half(front) ^ half(back)
}

impl Store {
    /// Why there is no disk and will be none, if one is wanted.
    pub(crate) fn lacks_disk(&self) -> Option<&str> {
        match &self.disk {
            Disk::None { why, wanted: true } => Some(why),
            _ => None,
        }
    }

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

    /// What a forked child has to let go of.
    pub(crate) fn fork_copies(&self) -> ForkCopies {
        spool::fork_copies(&self.keeper, self.ready())
    }

    /// Whether the spool has been opened late since this was asked last.
    pub(crate) fn take_attached(&mut self) -> bool {
        std::mem::take(&mut self.attached)
    }

    /// What the spool brought of an earlier run beside what is in memory. To be given back by
    /// [`keep_inherited`](Store::keep_inherited) or confirmed by [`took_over`](Store::took_over).
    pub(crate) fn take_inherited(&mut self) -> Option<Vec<u8>> {
        self.inherited.take()
    }

    /// Keeps it for later.
    pub(crate) fn keep_inherited(&mut self, bytes: Vec<u8>) {
        self.inherited = Some(bytes);
    }

    /// Notes that all the spool brought is in memory now.
    pub(crate) fn took_over(&mut self) {
        if let Disk::Ready(spool) = &self.disk {
            self.keeper.took_over(spool);
        }
    }

    /// Whether the memory file is where a next start finds it.
    pub(crate) fn memory_is_linked(&self) -> bool {
        self.keeper.still_linked()
    }

    /// Makes a memory file that was removed anew. Nothing worse than before if it fails: the memory
    /// is then the process's own. Touches no disk; [`note_memory`](Store::note_memory) does.
    pub(crate) fn recreate_memory(&mut self, memory: &mut [u8]) {
        self.lost_place = self.keeper.lost_place().map(Path::to_path_buf);
        let _ = self.keeper.recreate(memory);
    }

    /// Notes on disk where the memory file now is.
    pub(crate) fn note_memory(&mut self) {
        let lost = self.lost_place.take();
        if let Disk::Ready(spool) = &mut self.disk {
            // The next start looks in all places; this merely tells it more.
            let _ = spool.note_memory(self.keeper.path(), lost.as_deref());
        }
        self.prepare_for_direct_writes();
    }

    /// Whether it is time for a [`round`](Store::round).
    pub(crate) fn round_is_due(&self, now: Instant) -> bool {
        self.next_round <= now || self.next_expiry <= now
    }

    /// Looks after the disk and after what others have left. While all is well it reads only.
    ///
    /// # Errors
    /// If the spool file is not as it was left, in words: everything is to be written again.
    pub(crate) fn round(&mut self, now: Instant) -> Result<(), String> {
        self.look_for_expired(now);
        if self.next_round > now {
            return Ok(());
        }
        self.next_round = now + ROUND;
        self.look_for_estates();
        match self.disk {
            Disk::None { .. } => Ok(()),
            _ => self.spool()?.verify().map_err(|error| error.to_string()),
        }
    }

    /// Whether there is no memory file, so that one is worth a try.
    pub(crate) fn wants_memory(&self) -> bool {
        !self.memory_is_linked() || matches!(self.keeper.survival(), Survival::Nothing { .. })
    }

    /// What another process left, to be offered to the alerter until it has it durably.
    pub(crate) fn parcel(&mut self) -> Option<&mut Parcel> {
        self.estates.parcel()
    }

    /// Whether something another process left waits to be read.
    pub(crate) fn has_unopened(&self) -> bool {
        self.estates.has_unopened()
    }

    /// Reads what another process left.
    pub(crate) fn open_estate(&mut self) {
        if let Some(error) = self.estates.open_next() {
            self.notice = Some(error.to_string());
        }
        let Store { disk, estates, .. } = self;
        if let Some(parcel) = estates.parcel().filter(|parcel| is_damaged::<TEXT_256>(&parcel.bytes)) {
            disk.quarantine(&parcel.bytes);
        }
    }

    /// The parcel is durable here: it is removed there.
    pub(crate) fn settle_parcel(&mut self, now: Instant) {
        match self.estates.settle_parcel() {
            // Memory files are looked for when there are no slots left.
            Ok(true) if self.estates.is_empty() => self.next_round = now,
            Ok(_) => {}
            Err(error) => self.notice = Some(error.to_string()),
        }
    }

    /// Notes that the program means to end; a next start knows that nothing crashed, even if a text
    /// under way keeps the session from being ended in time.
    pub(crate) fn announce_end(&mut self) {
        self.end_session(false);
    }

    /// Whether the session goes on.
    pub(crate) fn is_open(&self) -> bool {
        !self.ended
    }

    /// Ends the session as it should be ended; a next start knows that nothing crashed.
    pub(crate) fn end_session(&mut self, nothing_left: bool) {
        self.keeper.end(nothing_left);
        if self.ended {
            return;
        }
        if let Disk::Ready(spool) = &mut self.disk {
            // The next start takes the end for a crash, and finds everything all the same.
            let _ = spool.end_session();
        }
        self.ended = true;
    }

    /// Takes the session up again if it has been ended.
    pub(crate) fn resume_session(&mut self) {
        if std::mem::take(&mut self.ended) {
            let spool = match &mut self.disk {
                Disk::Ready(spool) => Some(&mut **spool),
                _ => None,
            };
            spool::resume(&mut self.keeper, spool);
        }
    }

    /// How the store is doing; `failing` says that its last use failed, and how.
    pub(crate) fn health(&self, failing: Option<&str>) -> SpoolHealth {
        let trouble = match &self.disk {
            Disk::Ready(_) => failing.map(str::to_owned),
            Disk::Missing { error, .. } => Some(error.clone()),
            Disk::None { why, .. } => Some(why.clone()),
        };
        let ready = self.ready();
        SpoolHealth {
            file: ready.map(|spool| spool.directory().to_path_buf()),
            trouble: trouble.or_else(|| self.notice.clone()),
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

    fn ready(&self) -> Option<&Spool> {
        match &self.disk {
            Disk::Ready(spool) => Some(spool),
            _ => None,
        }
    }

    /// The spool, opened late if it could not be opened at the start.
    fn spool(&mut self) -> Result<&mut Spool, String> {
        if let Disk::Missing { directory, key, error, again } = &mut self.disk {
            let now = StdInstant::now();
            if again.is_some_and(|again| now < again) {
                return Err(error.clone());
            }
            match spool::attach(directory, *key, &mut self.keeper) {
                Ok((spool, inherited)) => {
                    if let Inherited::Bytes(bytes) = inherited {
                        self.inherited = Some(bytes);
                    }
                    self.disk = Disk::Ready(Box::new(spool));
                    self.attached = true;
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
            Disk::None { why, .. } => Err(why.clone()),
        }
    }

    fn look_for_estates(&mut self) {
        let Store { disk, estates, keeper, .. } = self;
        let spool = match disk {
            Disk::Ready(spool) => Some(&**spool),
            _ => None,
        };
        estates.look(spool, keeper);
    }

    fn look_for_expired(&mut self, now: Instant) {
        if self.next_expiry > now {
            return;
        }
        self.next_expiry = now + EXPIRY_ROUND;
        let Disk::Ready(spool) = &self.disk else { return };
        // What cannot be listed now is no older tomorrow.
        let expired = spool.expired(&self.configured, BootId::current(), now, EXPIRY);
        self.estates.write_off(expired.unwrap_or_default());
    }

    fn quarantine_if_damaged(&self, region: &[u8]) {
        if is_damaged::<TEXT_256>(region) {
            self.disk.quarantine(region);
        }
    }

    /// Direct writes need a file. Made now, since the first event may be the last.
    fn prepare_for_direct_writes(&mut self) {
        if self.direct_writer().is_some()
            && let Disk::Ready(spool) = &mut self.disk
        {
            // The first commit meets the same error and reports it.
            let _ = spool.prepare();
        }
    }
}
