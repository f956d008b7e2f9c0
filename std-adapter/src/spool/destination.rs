//! The state that all instances of a destination share: one small file of two banks.
//!
//! It holds what was spent and what was reported when, so that there is one bound on money and one
//! rhythm whatever starts, ends or dies. It is read and written under a lock that is held for a few
//! steps of an alerter: before an attempt, and after its answer.
//!
//! ```text
//!  KEY.state in the spool directory ── no disk ──► dHASH.state in a runtime directory
//!                                                    └── none ──► memory of the process
//! ```
//!
//! A copy that took a write while the disk did not is newer than the disk's: of all copies the one
//! with the greatest generation counts, and the next write that reaches the disk ends the others.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use annunciator_core::alerter::{DESTINATION_LEN, destination_generation};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::dir::SpoolDir;
use super::lock::LockedFd;
use super::names::{DestinationKey, SpoolIdentity};
use super::runtime_dirs::{OwnDir, RuntimeDirs};
use super::sys;

/// How long another process is waited for. One that was stopped may hold the lock for ever.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(5);

type Bytes = [u8; DESTINATION_LEN];

/// The state of one destination.
#[derive(Debug, Clone)]
pub(crate) struct DestinationFile {
    /// `None`: no disk is wanted.
    directory: Option<PathBuf>,
    key: DestinationKey,
    identity: SpoolIdentity,
    dirs: RuntimeDirs,
}

/// A file that was opened for an exchange, and what is in it.
struct Copy {
    fd: Arc<OwnedFd>,
    /// In which runtime directory; `None`: on the disk.
    dir: Option<Arc<OwnDir>>,
    bytes: Bytes,
    /// Unlocks when dropped.
    lock: Option<LockedFd>,
}

impl DestinationFile {
    /// The state of `key` in `directory`, or beside it where there is no disk.
    pub(crate) fn new(
        directory: &Path,
        on_disk: bool,
        key: DestinationKey,
        dirs: &RuntimeDirs,
    ) -> DestinationFile {
        DestinationFile {
            directory: on_disk.then(|| directory.to_path_buf()),
            key,
            identity: SpoolIdentity::of(directory, key),
            dirs: dirs.clone(),
        }
    }

    /// Hands the state to `work` and keeps the bank that it returns, with its offset. Other
    /// processes and other threads that do the same come before or after.
    ///
    /// `sync` says whether to wait for the disk.
    pub(crate) fn exchange<R, const BANK: usize>(
        &self,
        sync: bool,
        work: impl FnOnce(&Bytes) -> (R, Option<(usize, [u8; BANK])>),
    ) -> R {
        let deadline = Instant::now() + PATIENCE;
        let cell = in_process(self.identity);
        let mut own = lock_until(&cell, deadline);
        let runtime = self.dirs.existing().filter_map(|dir| self.in_runtime(&dir, false));
        let mut copies: Vec<Copy> = self.on_disk().into_iter().chain(runtime).collect();
        // Each of them: for another process one may be all that it can reach.
        let locked = copies.iter_mut().all(|copy| copy.lock_until(deadline));
        let newest = copies.iter().map(|copy| copy.bytes).chain(own.as_deref().copied());
        let newest = newest.reduce(newer).unwrap_or([0; DESTINATION_LEN]);
        let (result, bank) = work(&newest);
        let Some((at, bank)) = bank else { return result };
        let mut bytes = newest;
        let written = bytes.get_mut(at..at + BANK).unwrap_or_default();
        written.iter_mut().zip(bank).for_each(|(to, from)| *to = from);
        if let Some(own) = &mut own {
            **own = bytes;
        }
        // Without the lock, what others have written stays; ours is the newer for us alone.
        if locked {
            self.write(&copies, &bytes, sync);
        }
        result
    }

    /// Writes to the disk and ends the other copies, or to all others if the disk takes no writes.
    fn write(&self, copies: &[Copy], bytes: &Bytes, sync: bool) {
        let on_disk = copies.iter().find(|copy| copy.dir.is_none());
        let kept = on_disk.is_some_and(|copy| copy.write(bytes, sync).is_ok());
        let mut written = kept;
        for copy in copies {
            match &copy.dir {
                Some(dir) if kept => _ = sys::unlink(&**dir, &self.identity.state_file()),
                Some(_) => written |= copy.write(bytes, false).is_ok(),
                None => {}
            }
        }
        if !written {
            let made = self.dirs.made().flatten().find_map(|dir| self.in_runtime(&dir, true));
            let _ = made.map(|copy| copy.write(bytes, false));
        }
    }

    fn on_disk(&self) -> Option<Copy> {
        let dir = SpoolDir::open(self.directory.as_deref()?).ok()?;
        let name = self.key.state();
        let fd = dir.make_file(&name, OFlags::empty()).ok();
        // A disk that cannot be written can still be read.
        let fd = fd.or_else(|| dir.open_file(&name, OFlags::RDONLY).ok().flatten());
        fd.map(|fd| Copy::new(fd, None))
    }

    fn in_runtime(&self, dir: &Arc<OwnDir>, make: bool) -> Option<Copy> {
        let flags = if make { OFlags::RDWR | OFlags::CREATE } else { OFlags::RDWR };
        let (fd, _) = dir.open_file(&self.identity.state_file(), flags)?;
        Some(Copy::new(fd, Some(Arc::clone(dir))))
    }
}

impl Copy {
    fn new(fd: OwnedFd, dir: Option<Arc<OwnDir>>) -> Copy {
        let fd = Arc::new(fd);
        let bytes = read(&fd);
        Copy { fd, dir, bytes, lock: None }
    }

    fn lock_until(&mut self, deadline: Instant) -> bool {
        loop {
            match sys::lock(&*self.fd) {
                Ok(()) => {
                    self.lock = Some(LockedFd::shared(Arc::clone(&self.fd)));
                    // It may have changed before it was locked.
                    self.bytes = read(&self.fd);
                    return true;
                }
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return false,
                // A file system without locks is not shared by anybody who could be waited for.
                Err(_) => return true,
            }
        }
    }

    /// Writes all that differs: the bank that is new, and more only if this copy was behind.
    fn write(&self, bytes: &Bytes, sync: bool) -> Result<(), Errno> {
        if sys::file_size_limit_below(bytes.len()).is_some() {
            return Err(Errno::FBIG);
        }
        let (front, back) = bytes.split_at(DESTINATION_LEN / 2);
        let (old_front, old_back) = self.bytes.split_at(DESTINATION_LEN / 2);
        if back != old_back {
            sys::write_at(&*self.fd, back, front.len() as u64)?;
        }
        if front != old_front {
            sys::write_at(&*self.fd, front, 0)?;
        }
        if sync { sys::sync_data(&*self.fd) } else { Ok(()) }
    }
}

fn read(fd: &OwnedFd) -> Bytes {
    let mut bytes = [0; DESTINATION_LEN];
    // What cannot be read is no state.
    let _ = sys::read_at(fd, &mut bytes, 0);
    bytes
}

/// The copy with the greater generation, or the first.
fn newer(first: Bytes, second: Bytes) -> Bytes {
    if destination_generation(&second) > destination_generation(&first) { second } else { first }
}

type Cell = Arc<Mutex<Bytes>>;

static CELLS: Mutex<Vec<(SpoolIdentity, Cell)>> = Mutex::new(Vec::new());

/// This process's own copy of a destination's state.
fn in_process(identity: SpoolIdentity) -> Cell {
    let Some(mut cells) = lock_until(&CELLS, Instant::now() + PATIENCE) else {
        return fresh();
    };
    if let Some((_, cell)) = cells.iter().find(|(other, _)| *other == identity) {
        return Arc::clone(cell);
    }
    let cell = fresh();
    cells.push((identity, Arc::clone(&cell)));
    cell
}

fn fresh() -> Cell {
    Arc::new(Mutex::new([0; DESTINATION_LEN]))
}

/// Locks, but gives up in the end: in a forked child a lock may stay taken for ever.
fn lock_until<T>(mutex: &Mutex<T>, deadline: Instant) -> Option<MutexGuard<'_, T>> {
    loop {
        match mutex.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => {
                return Some(PoisonError::into_inner(poisoned));
            }
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => return None,
        }
    }
}
