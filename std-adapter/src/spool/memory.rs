//! The ring's memory, where it outlives the program.
//!
//! A file on a memory-backed file system, mapped shared: what a log call stored there is still
//! there after SIGKILL, without any system call at the time of the call. It is allocated in full
//! before it is mapped, so that no later store can fail; it lives in a directory of our own, 0700,
//! opened without following links, in the first place that will do. It appears under its name only
//! when it is complete and locked, so nobody ever finds half a one.
//!
//! Where there is no such place the ring lives in memory of the process, and says so.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{AtFlags, CWD, FlockOperation, OFlags};
use rustix::io::Errno;

use super::boot::BootId;
use super::dir::{check_directory, open_directory};
use super::error::SpoolError;
use super::header::{CLEAN, Header, RUNNING, SESSION_AT, STATE_AT};
use super::identity::{MAX_SLOTS, SpoolIdentity};
use super::map::{HEADER_LEN, Mapping, Region};
use super::note::{Note, State};
use super::places::Places;
use super::sys::{self, Meta};

const TMPFS: u64 = 0x0102_1994;
const RAMFS: u64 = 0x8584_58f6;
const STICKY: u32 = 0o1000;
const OTHERS_ANY: u32 = 0o077;

/// What a start found in the place of the ring's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryFound {
    /// Nothing, and nothing was to be expected. The region is zero.
    Fresh,
    /// The region as the last session of this boot left it: newer than the spool file.
    Survived {
        /// Whether that session ended as it should.
        clean: bool,
    },
    /// The last session died in this boot, and its memory file is gone: what it had not yet written
    /// to the disk is lost. The region is zero.
    Lost {
        /// Where the file was.
        path: PathBuf,
    },
}

/// Whether the ring's memory outlives the program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Survival {
    /// It does, until the next boot.
    Program,
    /// It does, but not the end of the container that the program runs in.
    Container {
        /// By what the container was recognised.
        sign: &'static str,
    },
    /// It does not.
    Nothing {
        /// Why not, in words.
        why: String,
    },
}

/// What is asked of [`open`].
pub(super) struct Wanted<'a> {
    pub(super) identity: SpoolIdentity,
    /// The spool slot, or `None` without a spool: then the lowest that is free.
    pub(super) number: Option<u8>,
    /// What that slot's last session left.
    pub(super) note: Note,
    pub(super) size: usize,
    pub(super) boot: BootId,
    pub(super) session: u64,
    pub(super) places: &'a Places,
}

/// Looks after the ring's memory: is it still where a next start finds it?
#[derive(Debug)]
pub struct MemoryKeeper {
    mapping: Arc<Mapping>,
    backing: Backing,
    places: Places,
    header: Header,
    number: u8,
    owner: u32,
}

#[derive(Debug)]
enum Backing {
    File(MemoryFile),
    Process { why: String },
}

/// A memory file, locked.
#[derive(Debug)]
struct MemoryFile {
    fd: OwnedFd,
    dir: OwnedFd,
    name: String,
    path: PathBuf,
}

impl MemoryKeeper {
    /// Where the memory file is; `None` if there is none.
    pub fn path(&self) -> Option<&Path> {
        match &self.backing {
            Backing::File(file) => Some(&file.path),
            Backing::Process { .. } => None,
        }
    }

    /// Length of the region in bytes.
    pub fn region_len(&self) -> usize {
        self.mapping.region_len()
    }

    pub(super) fn session(&self) -> u64 {
        self.header.session
    }

    /// Whether the memory outlives the program.
    pub fn survival(&self) -> Survival {
        match (&self.backing, self.places.container()) {
            (Backing::Process { why }, _) => Survival::Nothing { why: why.clone() },
            (Backing::File(_), Some(sign)) => Survival::Container { sign },
            (Backing::File(_), None) => Survival::Program,
        }
    }

    /// Whether a start after a crash would find the file: one `lstat`. Looks by path, because a
    /// directory can be unmounted with the file in it.
    pub fn still_linked(&self) -> bool {
        match &self.backing {
            Backing::File(file) => file.is_linked(),
            Backing::Process { .. } => true,
        }
    }

    /// Makes the file anew, in the first place that will do, and puts it under the region. Also
    /// worth a try when there never was one.
    ///
    /// `region` is the whole region as handed out, borrowed exclusively; its bytes do not change.
    /// Takes about as long as writing it once.
    ///
    /// # Errors
    /// If `region` is not the region, or no place will do; the memory is then that of the process.
    pub fn recreate(&mut self, region: &mut [u8]) -> Result<(), SpoolError> {
        // A place that lost it once is the last to be trusted with it again.
        let lost = self.path().and_then(place_of).map(Path::to_path_buf);
        let made = make(&self.places, lost.as_deref(), &self.header, self.number);
        let exchanged = made.and_then(|file| {
            self.mapping
                .exchange(&self.header.format(), region, &file.fd)
                .map_err(|e| SpoolError::io(&file.path, "map", e).to_string())?;
            Ok(file)
        });
        match exchanged {
            Ok(file) => {
                self.backing = Backing::File(file);
                Ok(())
            }
            Err(why) => {
                let error = no_place(&why);
                self.backing = Backing::Process { why };
                Err(error)
            }
        }
    }

    /// The place that the file was lost from, if it is lost: for the note.
    pub fn lost_place(&self) -> Option<&Path> {
        if self.still_linked() { None } else { self.path().and_then(place_of) }
    }

    /// Ends the session as it should. With nothing left to tell the file is removed; otherwise it
    /// stays, marked, for the next start. Does nothing in a forked child.
    pub fn end(&mut self, nothing_left: bool) {
        if self.owner != std::process::id() {
            return;
        }
        if let Some(state) = self.mapping.header_u32(STATE_AT) {
            state.store(CLEAN.to_le(), Ordering::Release);
        }
        if let Backing::File(file) = &self.backing
            && nothing_left
            && file.is_linked()
        {
            let _ = sys::unlink(&file.dir, &file.name);
        }
    }
}

impl MemoryFile {
    fn is_linked(&self) -> bool {
        match (sys::meta(&self.fd), sys::meta_path(&self.path)) {
            (Ok(ours), Ok(there)) => ours.same_file(&there),
            _ => false,
        }
    }
}

/// The ring's memory: the survivor of the last session if there is one, else a new one.
///
/// # Errors
/// Only if there is no memory at all.
pub(super) fn open(wanted: Wanted<'_>) -> Result<(MemoryKeeper, Region, MemoryFound), SpoolError> {
    let mut number = wanted.number.unwrap_or(0);
    let mut found = MemoryFound::Fresh;
    let mut header = Header {
        region_len: wanted.size as u64,
        identity: wanted.identity,
        user: sys::effective_user(),
        state: RUNNING,
        boot: wanted.boot,
        session: wanted.session,
    };
    let mut survivor = survivors(&wanted, number);
    while wanted.number.is_none() && survivor.held && number + 1 < MAX_SLOTS {
        number += 1;
        survivor = survivors(&wanted, number);
    }
    let mut avoid = wanted.note.avoid.clone();
    let kept = survivor.best.and_then(|(file, old)| {
        let len = usize::try_from(old.region_len).ok()?;
        let mapping = Mapping::of_file(&file.fd, len).ok()?;
        found = MemoryFound::Survived { clean: old.state == CLEAN };
        header.region_len = old.region_len;
        Some((mapping, Backing::File(file)))
    });
    let (mapping, backing) = match kept {
        Some(kept) => kept,
        None => {
            if wanted.note.state == State::Running
                && wanted.note.is_of(wanted.boot)
                && let Some(path) = wanted.note.memory.clone()
            {
                avoid = place_of(&path).map(Path::to_path_buf);
                found = MemoryFound::Lost { path };
            }
            match make_and_map(wanted.places, avoid.as_deref(), &header, number) {
                Ok((mapping, file)) => (mapping, Backing::File(file)),
                Err(why) => {
                    let mapping = Mapping::anonymous(wanted.size).map_err(|_| no_place(&why))?;
                    (mapping, Backing::Process { why })
                }
            }
        }
    };
    // From here on the file is this session's; the note follows. In this order: a file newer than
    // the note is taken, an older one is not.
    if let Some(session) = mapping.header_u64(SESSION_AT) {
        session.store(wanted.session.to_le(), Ordering::Release);
    }
    if let Some(state) = mapping.header_u32(STATE_AT) {
        state.store(RUNNING.to_le(), Ordering::Release);
    }
    let mapping = Arc::new(mapping);
    let region = mapping.region().ok_or_else(|| no_place("the region is taken"))?;
    let places = wanted.places.clone();
    let owner = std::process::id();
    Ok((MemoryKeeper { mapping, backing, places, header, number, owner }, region, found))
}

/// The region's bytes in a memory file that nobody holds, if it is of this boot and not older than
/// `session`.
pub(super) fn read_survivor(path: &Path, boot: BootId, session: u64) -> Option<Vec<u8>> {
    let Look::Ours(file, header) = look(path) else { return None };
    if header.boot != boot || header.session < session {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(header.region_len).ok()?];
    sys::read_at(&file.fd, &mut bytes, HEADER_LEN as u64).ok()?;
    Some(bytes)
}

/// What became of an orphan's memory file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    Removed,
    /// There is none, as far as we can see.
    NotSeen,
}

pub(super) fn remove_orphan(path: &Path) -> Removal {
    match look(path) {
        Look::Ours(file, _) if sys::unlink(&file.dir, &file.name).is_ok() => Removal::Removed,
        _ => Removal::NotSeen,
    }
}

/// What stands at a memory file's path.
enum Look {
    Nothing,
    /// Somebody holds it.
    Held,
    /// Nobody holds it; now we do.
    Ours(MemoryFile, Header),
}

struct Survivors {
    best: Option<(MemoryFile, Header)>,
    /// One of them belongs to a running process.
    held: bool,
}

/// Looks where the note says, and in all places under the usual name; removes what is out of date.
fn survivors(wanted: &Wanted<'_>, number: u8) -> Survivors {
    let noted = wanted.note.memory.clone().filter(|_| wanted.note.is_of(wanted.boot));
    let name = wanted.identity.memory_file(number);
    let usual = wanted.places.in_order(None).map(|place| place.join(our_directory()).join(&name));
    let oldest = if wanted.note.is_of(wanted.boot) { wanted.note.session } else { 0 };
    let mut survivors = Survivors { best: None, held: false };
    let mut seen = Vec::new();
    for path in noted.into_iter().chain(usual) {
        if seen.contains(&path) {
            continue;
        }
        let (file, header) = match look(&path) {
            Look::Ours(file, header) => (file, header),
            Look::Held => {
                survivors.held = true;
                seen.push(path);
                continue;
            }
            Look::Nothing => continue,
        };
        seen.push(path);
        if header.identity != wanted.identity {
            continue;
        }
        let current = header.boot == wanted.boot && header.session >= oldest;
        let better = survivors.best.as_ref().is_none_or(|(_, best)| best.session < header.session);
        if current && better {
            if let Some((older, _)) = survivors.best.replace((file, header)) {
                let _ = sys::unlink(&older.dir, &older.name);
            }
        } else {
            // A copy that another session has left behind: its events are told or in the newer one.
            let _ = sys::unlink(&file.dir, &file.name);
        }
    }
    survivors
}

fn look(path: &Path) -> Look {
    let (Some(parent), Some(name)) =
        (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return Look::Nothing;
    };
    let Ok(dir) = open_directory(CWD, parent.as_os_str()) else { return Look::Nothing };
    if check_ours(&dir, parent).is_err() {
        return Look::Nothing;
    }
    let Ok(fd) = sys::open_at(&dir, name, OFlags::RDWR) else { return Look::Nothing };
    let Ok(meta) = sys::meta(&fd) else { return Look::Nothing };
    if !meta.is_private_file() || meta.owner != sys::effective_user() {
        return Look::Nothing;
    }
    if rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Look::Held;
    }
    let file = MemoryFile { fd, dir, name: name.to_owned(), path: path.to_path_buf() };
    if !file.is_linked() {
        return Look::Nothing;
    }
    let mut bytes = [0; HEADER_LEN];
    let header = match sys::read_at(&file.fd, &mut bytes, 0) {
        Ok(_) => Header::parse(&bytes),
        Err(_) => None,
    };
    match header {
        Some(header)
            if header.user == meta.owner
                && header.region_len.checked_add(HEADER_LEN as u64) == Some(meta.size) =>
        {
            Look::Ours(file, header)
        }
        _ => Look::Nothing,
    }
}

fn make_and_map(
    places: &Places,
    avoid: Option<&Path>,
    header: &Header,
    number: u8,
) -> Result<(Mapping, MemoryFile), String> {
    let file = make(places, avoid, header, number)?;
    let len = header.region_len as usize;
    let mapping = Mapping::of_file(&file.fd, len)
        .map_err(|e| SpoolError::io(&file.path, "map", e).to_string())?;
    Ok((mapping, file))
}

/// A new file in the first place that will do; otherwise what is wrong with each.
fn make(
    places: &Places,
    avoid: Option<&Path>,
    header: &Header,
    number: u8,
) -> Result<MemoryFile, String> {
    let mut why = String::new();
    for place in places.in_order(avoid) {
        match make_in(place, header, number) {
            Ok(file) => return Ok(file),
            Err(e) => {
                if !why.is_empty() {
                    why.push_str("; ");
                }
                why.push_str(&e);
            }
        }
    }
    if why.is_empty() {
        why.push_str("no memory-backed directory is configured");
    }
    Err(why)
}

fn make_in(place: &Path, header: &Header, number: u8) -> Result<MemoryFile, String> {
    let failed = |doing, e: Errno| SpoolError::io(place, doing, e).to_string();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let base =
        rustix::fs::openat(CWD, place, flags, sys::FILE_MODE).map_err(|e| failed("open", e))?;
    let meta = sys::meta(&base).map_err(|e| failed("look at", e))?;
    check_base(&meta, place)?;
    check_memory_backed(&base, place)?;
    let name = our_directory();
    match rustix::fs::mkdirat(&base, &name, sys::DIR_MODE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(failed("create a directory in", e)),
    }
    let path = place.join(&name);
    let dir = open_directory(&base, name.as_ref())
        .map_err(|e| SpoolError::io(&path, "open", e).to_string())?;
    check_ours(&dir, &path)?;

    let failed = |doing, e: Errno| SpoolError::io(&path, doing, e).to_string();
    let len = HEADER_LEN + header.region_len as usize;
    if let Some(limit) = sys::file_size_limit_below(len) {
        return Err(SpoolError::FileSizeLimit { path, limit }.to_string());
    }
    let nameless = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&dir, ".", nameless, sys::FILE_MODE)
        .map_err(|e| failed("create a file in", e))?;
    sys::zero_fill(&fd, len).map_err(|e| failed("allocate memory in", e))?;
    sys::write_at(&fd, &header.format(), 0).map_err(|e| failed("write in", e))?;
    rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive)
        .map_err(|e| failed("lock a file in", e))?;
    for number in (number..MAX_SLOTS).chain(0..number) {
        let name = header.identity.memory_file(number);
        let file_path = path.join(&name);
        // A second try after removing what is in the way.
        for _ in 0..2 {
            match link(&fd, &dir, &name) {
                Ok(()) => return Ok(MemoryFile { fd, dir, name, path: file_path }),
                Err(Errno::EXIST) if is_held(&dir, &name) => break,
                Err(Errno::EXIST) => {
                    sys::unlink(&dir, &name).map_err(|e| failed("remove a file in", e))?;
                }
                Err(e) => return Err(failed("name a file in", e)),
            }
        }
    }
    Err(failed("name a file in", Errno::EXIST))
}

/// Gives a nameless file its name.
fn link(fd: &OwnedFd, dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let by_proc = format!("/proc/self/fd/{}", fd.as_raw_fd());
    match rustix::fs::linkat(CWD, by_proc.as_str(), dir, name, AtFlags::SYMLINK_FOLLOW) {
        // Without /proc; needs a privilege or a recent kernel.
        Err(Errno::NOENT) => rustix::fs::linkat(fd, "", dir, name, AtFlags::EMPTY_PATH),
        other => other,
    }
}

/// Whether a running process holds the file. One that cannot even be opened counts as held.
fn is_held(dir: &OwnedFd, name: &str) -> bool {
    match sys::open_at(dir, name, OFlags::RDWR) {
        Ok(fd) => rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_err(),
        Err(e) => e != Errno::NOENT,
    }
}

/// A place must belong to the system or to us; if others may write there, only with a sticky bit.
fn check_base(meta: &Meta, place: &Path) -> Result<(), String> {
    let us = sys::effective_user();
    if meta.owner != 0 && meta.owner != us {
        let path = place.to_path_buf();
        return Err(SpoolError::ForeignOwner { path, owner: meta.owner, us }.to_string());
    }
    if meta.mode & 0o022 != 0 && meta.mode & STICKY == 0 {
        let path = place.to_path_buf();
        return Err(SpoolError::LooseMode { path, mode: meta.mode }.to_string());
    }
    Ok(())
}

/// Our own directory: ours alone, and really in memory.
fn check_ours(dir: &OwnedFd, path: &Path) -> Result<(), String> {
    let meta = sys::meta(dir).map_err(|e| SpoolError::io(path, "look at", e).to_string())?;
    check_directory(&meta, path, OTHERS_ANY).map_err(|e| e.to_string())?;
    check_memory_backed(dir, path)
}

fn check_memory_backed(dir: impl AsFd, path: &Path) -> Result<(), String> {
    let kind = rustix::fs::fstatfs(dir)
        .map_err(|e| SpoolError::io(path, "look at", e).to_string())?
        .f_type;
    // The type's width and sign differ between architectures.
    #[allow(clippy::unnecessary_cast)]
    match kind as u32 as u64 {
        TMPFS | RAMFS => Ok(()),
        _ => Err(format!("{} is not memory-backed", path.display())),
    }
}

/// Our directory's name in a place that many users may share.
fn our_directory() -> String {
    format!("annunciator-{}", sys::effective_user())
}

/// The place a memory file is in: two levels up.
pub(super) fn place_of(path: &Path) -> Option<&Path> {
    path.parent()?.parent()
}

fn no_place(why: &str) -> SpoolError {
    SpoolError::NoMemoryFile { why: why.to_owned() }
}
