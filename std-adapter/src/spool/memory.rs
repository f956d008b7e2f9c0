//! The ring's memory, where it outlives the program.
//!
//! A file on a memory-backed file system, mapped shared: what a log call stored there is still
//! there after SIGKILL, without any system call at the time of the call. It is allocated in full
//! before it is mapped, so that no later store can fail.
//!
//! Where there is no directory for such a file the ring lives in memory of the process, and says
//! so.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use super::error::SpoolError;
use super::lock::LockedFd;
use super::map::{Mapping, Region, call_at_exit};
use super::memory_file::{CLOSED, Finder, MemoryFile, OPEN, OPEN_MARK_AT};

/// Whether the ring's memory outlives the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Survival {
    /// It does, until the next boot.
    Program,
    /// It does, but not the end of the container that the program runs in.
    Container,
    /// It does not.
    Nothing {
        /// Why not, in words.
        why: String,
    },
}

/// Looks after the ring's memory: is it still where a next start finds it?
#[derive(Debug)]
pub(crate) struct MemoryKeeper {
    mapping: Arc<Mapping>,
    backing: Backing,
    /// The file's descriptor, for forked children to close; stays the same when the file does not.
    cell: LockedFd,
    finder: Finder,
    number: u8,
    owner: u32,
}

#[derive(Debug)]
enum Backing {
    File(MemoryFile),
    Process { why: String },
}

impl MemoryKeeper {
    /// Goes on with a memory file, or with memory of the process that has these bytes.
    ///
    /// # Errors
    /// Only if there is no memory at all.
    pub(super) fn new(
        file: Result<MemoryFile, String>,
        bytes: &[u8],
        finder: Finder,
        number: u8,
    ) -> Result<(MemoryKeeper, Region), SpoolError> {
        let mapped = file.and_then(|file| Ok((file.map()?, file)));
        let (mapping, region, backing, cell) = match mapped {
            Ok(((mapping, region), file)) => {
                let cell = file.lock();
                (mapping, region, Backing::File(file), cell)
            }
            Err(why) => {
                let (mapping, mut region) = Mapping::anonymous(bytes.len())
                    .map_err(|e| SpoolError::io(Path::new("the ring"), "map memory for", e))?;
                region.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
                (mapping, region, Backing::Process { why }, LockedFd::default())
            }
        };
        let owner = std::process::id();
        let keeper = MemoryKeeper { mapping, backing, cell, finder, number, owner };
        mark_at_exit(&keeper.mapping);
        Ok((keeper, region))
    }

    /// Where the memory file is; `None` if there is none.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match &self.backing {
            Backing::File(file) => Some(file.path()),
            Backing::Process { .. } => None,
        }
    }

    /// Which instance's memory this is.
    pub(crate) fn number(&self) -> u8 {
        self.number
    }

    pub(super) fn finder(&self) -> &Finder {
        &self.finder
    }

    /// Length of the region in bytes.
    pub(crate) fn region_len(&self) -> usize {
        self.mapping.region_len()
    }

    /// Whether the memory outlives the program.
    pub(crate) fn survival(&self) -> Survival {
        match &self.backing {
            Backing::Process { why } => Survival::Nothing { why: why.clone() },
            Backing::File(_) if self.finder.dirs.in_container() => Survival::Container,
            Backing::File(_) => Survival::Program,
        }
    }

    /// Whether a start after a crash would find the file: one `lstat`.
    pub(crate) fn still_linked(&self) -> bool {
        match &self.backing {
            Backing::File(file) => file.is_linked(),
            Backing::Process { .. } => true,
        }
    }

    /// Makes the file anew, in the first directory that will do, and puts it under the region. Also
    /// worth a try when there never was one. If no directory will do, the memory is that of the
    /// process, which is nothing worse than before.
    ///
    /// `region` is the whole region as handed out, borrowed exclusively; its bytes do not change.
    /// Takes about as long as writing it once.
    pub(crate) fn recreate(&mut self, region: &mut [u8]) {
        let made = self.finder.make(self.number, region);
        let exchanged = made.and_then(|file| match file.exchange(&self.mapping, region) {
            Ok(()) => Ok(file),
            Err(why) => {
                file.remove();
                Err(why)
            }
        });
        self.backing = match exchanged {
            Ok(file) => Backing::File(file.in_cell(&self.cell)),
            Err(why) => {
                self.cell.take_over(LockedFd::default());
                Backing::Process { why }
            }
        };
    }

    /// Goes on as the memory of another instance, of which there must be none.
    pub(super) fn move_to(&mut self, number: u8) {
        if let Backing::File(file) = &mut self.backing {
            file.renumber(number);
        }
        self.number = number;
    }

    /// Ends in an orderly way. With nothing left to report the file is removed; otherwise it stays,
    /// closed, for the next start. Does nothing in a forked child.
    pub(super) fn end(&self, nothing_left: bool) {
        if self.owner != std::process::id() {
            return;
        }
        self.mark(CLOSED);
        if let Backing::File(file) = &self.backing
            && nothing_left
        {
            file.remove();
        }
    }

    /// Notes that somebody works on it, from the start or again after [`end`](MemoryKeeper::end).
    pub(super) fn begin(&self) {
        self.mark(OPEN);
    }

    fn mark(&self, mark: u32) {
        if let Some(cell) = self.mapping.header_u32(OPEN_MARK_AT) {
            cell.store(mark.to_le(), Ordering::Release);
        }
    }

    pub(super) fn lock(&self) -> LockedFd {
        self.cell.clone()
    }
}

/// The mappings of this process, and which process that is: a forked child has them too.
static MAPPINGS: Mutex<Vec<(Weak<Mapping>, u32)>> = Mutex::new(Vec::new());

/// Has the mapping's file closed when the process exits.
///
/// A program that calls `process::exit` without dropping its guard has not crashed. One store into
/// the mapping, no lock waited for, no file touched. A kill or an abort runs no such code, and that
/// is the difference that the next start sees.
fn mark_at_exit(mapping: &Arc<Mapping>) {
    static ONCE: Once = Once::new();
    // Without it an exit looks like a crash; no more.
    ONCE.call_once(|| _ = call_at_exit(mark_all));
    let mut mappings = MAPPINGS.lock().unwrap_or_else(PoisonError::into_inner);
    mappings.retain(|(mapping, _)| mapping.strong_count() > 0);
    mappings.push((Arc::downgrade(mapping), std::process::id()));
}

extern "C" fn mark_all() {
    // Locked at this moment: another thread starts an alerter while the program exits.
    let Ok(mappings) = MAPPINGS.try_lock() else { return };
    let own = std::process::id();
    for (mapping, _) in mappings.iter().filter(|(_, owner)| *owner == own) {
        if let Some(mapping) = mapping.upgrade()
            && let Some(mark) = mapping.header_u32(OPEN_MARK_AT)
        {
            mark.store(CLOSED.to_le(), Ordering::Release);
        }
    }
}
