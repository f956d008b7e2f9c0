//! Memory files: finding, making and naming them where only we can.
//!
//! A place is a directory on a memory-backed file system that belongs to the system or to us and
//! that others may write to only if it is sticky. In it lies a directory of our own, 0700, opened
//! without following links. A new file gets its name by a hard link, when it is allocated in full,
//! has its header and is locked: nobody ever finds half a one.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, OFlags};
use rustix::io::Errno;

use super::boot::BootId;
use super::dir::{check_directory, open_directory};
use super::error::SpoolError;
use super::header::{Header, MADE};
use super::held::HeldFd;
use super::identity::MAX_SLOTS;
use super::map::{HEADER_LEN, Mapping};
use super::places::Places;
use super::sys::{self, Meta};

/// Files of vanished spool directories that are left alone for a day.
const MAX_UNCLAIMED: usize = 32;
const UNCLAIMED_FOR_NANOS: u64 = 24 * 3600 * 1_000_000_000;

const STICKY: u32 = 0o1000;
const OTHERS_ANY: u32 = 0o077;

/// A memory file, locked.
#[derive(Debug)]
pub(super) struct MemoryFile {
    fd: HeldFd,
    dir: OwnedFd,
    name: String,
    path: PathBuf,
}

impl MemoryFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether its path still leads to it.
    pub(super) fn is_linked(&self) -> bool {
        match (self.fd.with(|fd| sys::meta(fd)), sys::meta_path(&self.path)) {
            (Ok(ours), Ok(there)) => ours.same_file(&there),
            _ => false,
        }
    }

    /// Takes its name away.
    pub(super) fn remove(&self) {
        let _ = sys::unlink(&self.dir, &self.name);
    }

    /// Maps header and region.
    pub(super) fn map(&self, region_len: usize) -> Result<Mapping, String> {
        self.another_descriptor()
            .and_then(|fd| Mapping::of_file(fd, region_len))
            .map_err(|e| SpoolError::io(&self.path, "map", e).to_string())
    }

    /// Puts it under a mapping, in place of what is there.
    pub(super) fn exchange(
        &self,
        mapping: &Mapping,
        header: &Header,
        region: &mut [u8],
    ) -> Result<(), String> {
        self.another_descriptor()
            .and_then(|fd| mapping.exchange(&header.format(), region, fd))
            .map_err(|e| SpoolError::io(&self.path, "map", e).to_string())
    }

    /// The same file opened once more. A mapping keeps what it was made from open, lock included,
    /// in every forked child; made from the descriptor with the lock, it could never be let go.
    fn another_descriptor(&self) -> Result<OwnedFd, Errno> {
        let fd = sys::open_at(&self.dir, self.name.as_str(), OFlags::RDWR)?;
        let there = sys::meta(&fd)?;
        let ours = self.fd.with(|fd| sys::meta(fd))?;
        if ours.same_file(&there) { Ok(fd) } else { Err(Errno::STALE) }
    }

    /// The region's bytes, without mapping it.
    pub(super) fn region_bytes(&self, header: &Header) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(header.region_len).ok()?];
        self.fd.with(|fd| sys::read_at(fd, &mut bytes, HEADER_LEN as u64)).ok()?;
        Some(bytes)
    }

    /// Removes files in the same directory that nobody will ever claim: nobody holds them, their
    /// spool directory is gone, and they are a day old or there are many newer ones. Test runs and
    /// programs that were tried once leave such files, and memory is all they take up.
    pub(super) fn sweep(&self, ours: &Header) {
        let Ok(entries) = Dir::read_from(&self.dir) else { return };
        let Some(directory) = self.path.parent() else { return };
        // By age, the oldest first.
        let mut unclaimed: Vec<(u64, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == self.name || !name.ends_with(".ring") {
                continue;
            }
            let path = directory.join(name);
            let Some(header) = peek(&path) else { continue };
            let known = !header.home.as_os_str().is_empty();
            let gone = known && sys::meta_path(&header.home) == Err(Errno::NOENT);
            if header.identity != ours.identity && header.boot == ours.boot && gone {
                let at = unclaimed.partition_point(|(session, _)| *session < header.session);
                unclaimed.insert(at, (header.session, path));
            }
        }
        let many = unclaimed.len().saturating_sub(MAX_UNCLAIMED);
        for (index, (session, path)) in unclaimed.into_iter().enumerate() {
            let old = ours.session.saturating_sub(session) > UNCLAIMED_FOR_NANOS;
            if (old || index < many)
                && let Look::Ours(file, _) = look(&path)
            {
                file.remove();
            }
        }
    }

    pub(super) fn held(&self) -> HeldFd {
        self.fd.clone()
    }

    /// The same file, its descriptor in a cell that others know.
    pub(super) fn held_by(self, cell: &HeldFd) -> MemoryFile {
        cell.take_over(self.fd);
        MemoryFile { fd: cell.clone(), dir: self.dir, name: self.name, path: self.path }
    }
}

/// The region's bytes in a memory file that nobody holds, if it is filled, of this boot and not
/// older than `session`; and whether all of the spool file of that session is in them.
pub(super) fn read_survivor(path: &Path, boot: BootId, session: u64) -> Option<(Vec<u8>, bool)> {
    let Look::Ours(file, header) = look(path) else { return None };
    if header.boot != boot || header.session < session || header.state == MADE {
        return None;
    }
    Some((file.region_bytes(&header)?, header.taken >= session))
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
        Look::Ours(file, _) => {
            file.remove();
            Removal::Removed
        }
        Look::Nothing | Look::Held => Removal::NotSeen,
    }
}

/// What stands at a memory file's path.
pub(super) enum Look {
    Nothing,
    /// Somebody holds it.
    Held,
    /// Nobody holds it; now we do.
    Ours(MemoryFile, Header),
}

/// The header of a file that somebody may hold.
pub(super) fn peek(path: &Path) -> Option<Header> {
    let fd = sys::open_at(CWD, path, OFlags::RDONLY).ok()?;
    let mut bytes = [0; HEADER_LEN];
    let len = sys::read_at(&fd, &mut bytes, 0).ok()?;
    Header::parse(bytes.get(..len)?)
}

/// Opens, checks and locks the file at a path, if it is one of ours.
pub(super) fn look(path: &Path) -> Look {
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
    if sys::lock(&fd).is_err() {
        return Look::Held;
    }
    let mut bytes = [0; HEADER_LEN];
    let header = match sys::read_at(&fd, &mut bytes, 0) {
        Ok(_) => Header::parse(&bytes),
        Err(_) => None,
    };
    let (name, path) = (name.to_owned(), path.to_path_buf());
    let file = MemoryFile { fd: HeldFd::new(fd), dir, name, path };
    if !file.is_linked() {
        return Look::Nothing;
    }
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

/// A new file in the first place that will do; otherwise what is wrong with each.
pub(super) fn make(
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
    let flags = sys::LOOK_ONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
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
    let fd = sys::open_nameless(&dir).map_err(|e| failed("create a file in", e))?;
    sys::zero_fill(&fd, len).map_err(|e| failed("allocate memory in", e))?;
    sys::write_at(&fd, &header.format(), 0).map_err(|e| failed("write in", e))?;
    sys::lock(&fd).map_err(|e| failed("lock a file in", e))?;
    for number in (number..MAX_SLOTS).chain(0..number) {
        let name = header.identity.memory_file(number);
        let file_path = path.join(&name);
        // A second try after removing what is in the way.
        for _ in 0..2 {
            match sys::link_nameless(&fd, &dir, &name) {
                Ok(()) => {
                    return Ok(MemoryFile { fd: HeldFd::new(fd), dir, name, path: file_path });
                }
                Err(Errno::EXIST) if is_wanted(&file_path, header) => break,
                Err(Errno::EXIST) => {
                    sys::unlink(&dir, &name).map_err(|e| failed("remove a file in", e))?;
                }
                Err(e) => return Err(failed("name a file in", e)),
            }
        }
    }
    Err(failed("name a file in", Errno::EXIST))
}

/// Whether a file may have to be inherited by somebody: a complete one of this boot, or one that is
/// held. Anything else under such a name is out of date or none of ours.
fn is_wanted(path: &Path, ours: &Header) -> bool {
    // Looked at before it is locked: a slot's own process may be starting.
    match peek(path) {
        Some(header) if header.identity == ours.identity && header.boot == ours.boot => true,
        _ => matches!(look(path), Look::Held),
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
    match sys::is_memory_backed(dir) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!("{} is not memory-backed", path.display())),
        Err(e) => Err(SpoolError::io(path, "look at", e).to_string()),
    }
}

/// Our directory's name in a place that many users may share.
pub(super) fn our_directory() -> String {
    format!("annunciator-{}", sys::effective_user())
}

/// The place a memory file is in: two levels up.
pub(super) fn place_of(path: &Path) -> Option<&Path> {
    path.parent()?.parent()
}
