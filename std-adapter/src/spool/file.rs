//! The spool file: the region's bytes on a disk that may fail.
//!
//! Bytes are overwritten in place in a file that was allocated in full before, so that a commit
//! needs no new blocks, no new metadata and one `fdatasync`. After a failed write or sync nobody
//! knows what is in the file: kernels drop the pages they could not write and report success the
//! next time. From then on everything goes to a new file. It takes the old one's name only when it
//! is whole and synced. The same way the file comes into being.
//!
//! ```text
//!                 write: zero-filled NAME.new          sync: fsync, rename, fsync directory
//!   ABSENT ──────────────────────────────────► FRESH ─────────────────────────────────► CURRENT
//!                                                │ ▲                                       │
//!                          any error: NAME.new   ▼ │ write                                 │
//!                                 is removed   DOUBTFUL ◄──────────────────────────────────┘
//!                                                        any error; changed by somebody else
//! ```

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use annunciator_core::ring::{OPEN_AT, OVERHEAD, UNCLAIMED_AT};
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::health::DiskUse;

use super::dir::SpoolDir;
use super::direct::{DirectWriter, Target};
use super::error::{SpoolError, Trouble};
use super::marks::{OpenMark, UNCLAIMED_LEN};
use super::names::InstanceName;
use super::sys::{self, Meta};

/// No spool file is read beyond this, whatever its size.
pub(super) const MAX_LEN: usize = 16 << 20;

/// One instance's ring in its file.
///
/// After an error the next successful [`sync`](SpoolFile::sync) makes durable exactly the bytes
/// written since; all others are zero from then on. Until then the file of before stays under its
/// name, for a start that comes first.
#[derive(Debug)]
pub(super) struct SpoolFile {
    dir: Arc<SpoolDir>,
    name: InstanceName,
    capacity: usize,
    state: State,
    used: DiskUse,
    /// The file could only be opened for reading.
    read_only: bool,
    /// What the file says of a program that works on it.
    mark: OpenMark,
    direct: Arc<Target>,
    /// Direct writes that the last sync is known to have covered.
    direct_synced: u32,
}

#[derive(Debug)]
enum State {
    Absent,
    Current {
        file: Arc<OwnedFd>,
        /// Something was written since the last sync.
        dirty: bool,
        /// The file after our last sync, and how many direct writes had begun by then: if it looks
        /// otherwise and there were no more, it was not us.
        seen: Option<(Meta, u32)>,
    },
    Fresh {
        file: Arc<OwnedFd>,
    },
    Doubtful {
        /// The file of before, as far as it can be read.
        old: Option<Arc<OwnedFd>>,
    },
}

impl State {
    /// Of a file that may be written: it goes on in place if it has the right size.
    fn of(file: Arc<OwnedFd>, capacity: usize) -> State {
        match sys::meta(&file) {
            Ok(meta) if meta.size == capacity as u64 => {
                State::Current { file, dirty: false, seen: Some((meta, 0)) }
            }
            _ => State::Doubtful { old: Some(file) },
        }
    }
}

impl SpoolFile {
    /// The instance's file, if there is one. Writes and syncs nothing.
    pub(super) fn open(
        dir: Arc<SpoolDir>,
        name: InstanceName,
        capacity: usize,
        read_only: bool,
    ) -> Result<SpoolFile, SpoolError> {
        let file_name = name.spool();
        let state = if read_only {
            State::Doubtful { old: dir.open_file(&file_name, OFlags::RDONLY)?.map(Arc::new) }
        } else {
            // Left over from a crash within a rewrite; the instance is locked, so nobody is at it.
            dir.remove(&name.fresh())?;
            let file = dir.open_file(&file_name, OFlags::RDWR)?;
            file.map_or(State::Absent, |file| State::of(Arc::new(file), capacity))
        };
        let mut opened = SpoolFile {
            dir,
            name,
            capacity,
            state,
            used: DiskUse::default(),
            read_only,
            mark: OpenMark::Closed,
            direct: Arc::default(),
            direct_synced: 0,
        };
        opened.aim();
        Ok(opened)
    }

    pub(super) fn dir(&self) -> &Arc<SpoolDir> {
        &self.dir
    }

    pub(super) fn name(&self) -> InstanceName {
        self.name
    }

    pub(super) fn used(&self) -> DiskUse {
        self.used
    }

    /// Whether everything has to be written again before anything counts as kept.
    pub(super) fn needs_rewrite(&self) -> bool {
        matches!(self.state, State::Doubtful { .. } | State::Fresh { .. })
    }

    /// Whether the next write starts a new file.
    pub(super) fn is_to_be_made(&self) -> bool {
        matches!(self.state, State::Doubtful { .. } | State::Absent)
    }

    /// Whether the next write is the first since a sync.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Current { dirty: false, .. })
    }

    /// Whether there is a file to read from.
    pub(super) fn holds_data(&self) -> bool {
        self.readable().is_some()
    }

    /// All bytes there are, whatever the file's length.
    pub(super) fn read_all(&self) -> Result<Vec<u8>, SpoolError> {
        match self.readable() {
            None => Ok(Vec::new()),
            Some(file) => sys::read_all(file, MAX_LEN).map_err(|e| self.failed("read", e)),
        }
    }

    /// Forgets what the file holds: everything is to be written again, as after an error.
    pub(super) fn start_over(&mut self) {
        self.discard_fresh();
        self.state = match std::mem::replace(&mut self.state, State::Absent) {
            State::Absent => State::Absent,
            State::Current { file, .. } => State::Doubtful { old: Some(file) },
            State::Fresh { .. } => State::Doubtful { old: None },
            doubtful @ State::Doubtful { .. } => doubtful,
        };
        self.aim();
    }

    /// Changes the capacity; a file of another length is to be written again.
    pub(super) fn resize(&mut self, capacity: usize) {
        if capacity == self.capacity {
            return;
        }
        self.capacity = capacity;
        self.state = match std::mem::replace(&mut self.state, State::Absent) {
            // It may have the right length now.
            State::Doubtful { old: Some(file) } | State::Current { file, .. }
                if !self.read_only =>
            {
                State::of(file, capacity)
            }
            other => other,
        };
        self.aim();
    }

    /// Continues under another directory or number, where everything is written again.
    pub(super) fn move_to(&mut self, dir: Arc<SpoolDir>, name: InstanceName) {
        self.start_over();
        self.dir = dir;
        self.name = name;
    }

    /// Marks the file as open or closed, now and whenever it is made anew. Not synced: it tells of
    /// the end of a program, which the page cache survives. That it is claimed is noted with it.
    pub(super) fn set_mark(&mut self, mark: OpenMark) {
        self.mark = mark;
        // Should it fail, the next start knows less; the next commit meets the error too.
        match &mut self.state {
            State::Current { file, seen, .. } => {
                let _ = write_mark(file, mark);
                if let Some((meta, _)) = seen
                    && let Ok(now) = sys::meta(&**file)
                {
                    *meta = now;
                }
            }
            State::Fresh { file } => _ = write_mark(file, mark),
            State::Doubtful { old: Some(file) } if !self.read_only => _ = write_mark(file, mark),
            State::Doubtful { .. } | State::Absent => {}
        }
    }

    /// A way for other threads to write a few bytes at once, without a sync.
    pub(super) fn direct_writer(&self) -> DirectWriter {
        DirectWriter::new(Arc::clone(&self.direct), self.capacity)
    }

    /// Makes the file if there is none, so that direct writes have somewhere to go.
    pub(super) fn prepare(&mut self) -> Result<(), SpoolError> {
        if matches!(self.state, State::Absent) {
            self.begin()?;
            self.sync()?;
        }
        Ok(())
    }

    /// Keeps one copy of damaged bytes aside, for people; replaces an earlier one.
    pub(super) fn quarantine(&self, bytes: &[u8]) -> Result<(), SpoolError> {
        let name = self.name.damaged();
        let failed = |doing, e| self.dir.failed(doing, &name, e);
        let bytes = bytes.get(..MAX_LEN).unwrap_or(bytes);
        self.check_limit(bytes.len())?;
        let file = self.dir.make_file(&name, OFlags::empty())?;
        // Only now that it is known to be ours.
        rustix::fs::ftruncate(&file, 0).map_err(|e| failed("shorten", e))?;
        // Not synced: worth having, not worth waiting for.
        sys::write_at(&file, bytes, 0).map_err(|e| failed("write", e))
    }

    /// Gives the file the name of a damaged one, if possible, and starts over.
    pub(super) fn set_aside(&mut self) {
        self.start_over();
        let _ = self.dir.rename(&self.name.spool(), &self.name.damaged());
        self.state = State::Absent;
        self.aim();
    }

    /// Removes the file, and what a rewrite may have left.
    pub(super) fn remove(&self) -> Result<(), SpoolError> {
        self.dir.remove(&self.name.spool())?;
        self.dir.remove(&self.name.fresh())
    }

    /// Gives the file the name of another instance's.
    pub(super) fn give_away(&mut self, to: InstanceName) -> Result<(), SpoolError> {
        self.start_over();
        self.dir.rename(&self.name.spool(), &to.spool())?;
        self.state = State::Absent;
        self.aim();
        Ok(())
    }

    /// Writes to the file, or to a new one after an error.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), SpoolError> {
        self.check_bounds(at, bytes.len())?;
        // Before the first write of a commit: an error now costs nothing yet.
        if self.is_at_rest() {
            self.check_limit(self.capacity)?;
            self.verify()?;
        }
        if self.is_to_be_made() {
            self.begin()?;
        }
        let written = match &mut self.state {
            State::Current { file, dirty, .. } => {
                *dirty = true;
                self.direct.write_after(at, || sys::write_at(&**file, bytes, at as u64))
            }
            State::Fresh { file } => {
                self.direct.write_after(at, || sys::write_at(&**file, bytes, at as u64))
            }
            State::Absent | State::Doubtful { .. } => Err(Errno::BADF),
        };
        if let Err(e) = written {
            return Err(self.fail(self.failed("write", e)));
        }
        self.used.writes += 1;
        self.used.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> Result<(), SpoolError> {
        if self.direct.take_failure() {
            return Err(self.fail(Trouble::Doubtful.at(self.path())));
        }
        // Those over by now are covered by the sync to come; those under way may not be.
        let ended = self.direct.ended();
        let direct = self.direct.begun() != self.direct_synced;
        let synced = match &self.state {
            State::Absent => return Ok(()),
            State::Doubtful { .. } => return Err(Trouble::NothingRewritten.at(self.path())),
            // Nothing to ask of the disk, but success would be a lie if it is no longer there.
            State::Current { dirty: false, .. } if !direct => return self.verify(),
            State::Current { file, .. } => sys::sync_data(file)
                .and_then(|()| sys::meta(file))
                .map(|meta| (Arc::clone(file), meta))
                .map_err(|e| self.failed("sync", e)),
            State::Fresh { file } => self.complete(file).map(|meta| (Arc::clone(file), meta)),
        };
        match synced {
            Err(e) => Err(self.fail(e)),
            Ok((file, meta)) => {
                self.used.syncs += 1;
                self.direct_synced = ended;
                let seen = (self.direct.begun() == ended).then_some((meta, ended));
                self.state = State::Current { file, dirty: false, seen };
                self.aim();
                // What was synced must also be what a start would find.
                self.verify()
            }
        }
    }

    /// Looks whether the file is still as we left it; if not, it is to be written again.
    pub(super) fn verify(&mut self) -> Result<(), SpoolError> {
        let how = match &self.state {
            State::Current { file, dirty, seen } => {
                let seen = seen.as_ref().filter(|_| !dirty);
                let how = self.changed(file, &self.name.spool(), seen.map(|(meta, _)| meta));
                // Writes of our own change its time as well, and count as begun before they do: so
                // they are counted after the look at it.
                let begun = self.direct.begun();
                let ours = seen.is_some_and(|(_, by_then)| *by_then != begun);
                how.filter(|how| !(ours && matches!(how, Trouble::Overwritten)))
            }
            State::Fresh { file } => self.changed(file, &self.name.fresh(), None),
            State::Absent | State::Doubtful { .. } => None,
        };
        match how {
            None => Ok(()),
            Some(how) => Err(self.fail(how.at(self.path()))),
        }
    }

    fn readable(&self) -> Option<&OwnedFd> {
        match &self.state {
            State::Absent => None,
            State::Current { file, .. } | State::Fresh { file } => Some(file),
            State::Doubtful { old } => old.as_deref(),
        }
    }

    /// What somebody else did to the file, if anything.
    fn changed(&self, file: &OwnedFd, name: &str, seen: Option<&Meta>) -> Option<Trouble> {
        let (Ok(ours), Ok(there)) = (sys::meta(file), sys::meta_at(&*self.dir, name)) else {
            return Some(Trouble::Removed);
        };
        if !ours.same_file(&there) {
            return Some(Trouble::Replaced);
        }
        if ours.size < self.capacity as u64 {
            return Some(Trouble::Truncated);
        }
        match seen {
            Some(seen) if seen.modified != ours.modified => Some(Trouble::Overwritten),
            _ => None,
        }
    }

    /// Starts a new file in full size.
    fn begin(&mut self) -> Result<(), SpoolError> {
        let name = self.name.fresh();
        self.check_limit(self.capacity)?;
        self.dir.remove(&name)?;
        let file = self.dir.make_file(&name, OFlags::EXCL)?;
        let filled = sys::zero_fill(&file, self.capacity);
        if let Err(e) = filled.and_then(|()| write_mark(&file, self.mark)) {
            let _ = self.dir.remove(&name);
            return Err(self.dir.failed("write", &name, e));
        }
        self.used.rewrites += 1;
        self.state = State::Fresh { file: Arc::new(file) };
        self.aim();
        Ok(())
    }

    /// The new file takes the name, for good.
    fn complete(&self, file: &OwnedFd) -> Result<Meta, SpoolError> {
        let (fresh, name) = (self.name.fresh(), self.name.spool());
        let failed = |doing, e| self.dir.failed(doing, &fresh, e);
        sys::sync_all(file).map_err(|e| failed("sync", e))?;
        self.dir.rename(&fresh, &name)?;
        self.dir.sync()?;
        sys::meta(file).map_err(|e| failed("look at", e))
    }

    fn path(&self) -> PathBuf {
        self.dir.path_of(&self.name.spool())
    }

    fn failed(&self, doing: &'static str, errno: Errno) -> SpoolError {
        self.dir.failed(doing, &self.name.spool(), errno)
    }

    /// Notes that the file can no longer be trusted; hands the error through.
    fn fail(&mut self, error: SpoolError) -> SpoolError {
        self.start_over();
        error
    }

    fn discard_fresh(&self) {
        if matches!(self.state, State::Fresh { .. }) {
            let _ = self.dir.remove(&self.name.fresh());
        }
    }

    /// Points direct writes at the file that now takes writes.
    fn aim(&mut self) {
        self.direct.aim(match &self.state {
            State::Current { file, .. } | State::Fresh { file } => Some(Arc::clone(file)),
            State::Absent | State::Doubtful { .. } => None,
        });
    }

    fn check_limit(&self, len: usize) -> Result<(), SpoolError> {
        match sys::file_size_limit_below(len) {
            None => Ok(()),
            Some(limit) => Err(Trouble::FileSizeLimit(limit).at(self.path())),
        }
    }

    fn check_bounds(&self, at: usize, len: usize) -> Result<(), SpoolError> {
        match at.checked_add(len) {
            Some(end) if end <= self.capacity => Ok(()),
            _ => Err(Trouble::BeyondEnd.at(self.path())),
        }
    }
}

fn write_mark(file: &OwnedFd, mark: OpenMark) -> Result<(), Errno> {
    // No ring that is too short for it gets longer by a mark.
    if sys::meta(file)?.size < OVERHEAD as u64 {
        return Ok(());
    }
    // A write beyond the limit would be a signal.
    if sys::file_size_limit_below(OVERHEAD).is_some() {
        return Err(Errno::FBIG);
    }
    sys::write_at(file, &[mark as u8], OPEN_AT as u64)?;
    let mut unclaimed = [0; UNCLAIMED_LEN];
    sys::read_at(file, &mut unclaimed, UNCLAIMED_AT as u64)?;
    if unclaimed != [0; UNCLAIMED_LEN] {
        sys::write_at(file, &[0; UNCLAIMED_LEN], UNCLAIMED_AT as u64)?;
    }
    Ok(())
}
