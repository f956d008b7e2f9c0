//! Memory files: a header page and the ring's bytes, in a file that lives in memory.
//!
//! A new file gets its name by a hard link, when it is allocated in full, has all its bytes and is
//! locked: nobody ever finds half a one.
//!
//! | bytes | content (little-endian) |
//! |---|---|
//! | 0..8 | `ANNUNMEM` |
//! | 8..12 | version, 1; another version is not touched |
//! | 12..16 | length of this header, 4096 |
//! | 16..24 | length of the region behind it |
//! | 24..32 | identity: a hash of spool directory and destination |
//! | 32..36 | user id |
//! | 36..40 | the open mark: 1 while a program works on it, 0 after an orderly end |

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::error::{SpoolError, Trouble};
use super::file::MAX_LEN;
use super::lock::LockedFd;
use super::map::{HEADER_LEN, Mapping, Region};
use super::names::SpoolIdentity;
use super::runtime_dirs::{OwnDir, RuntimeDirs};
use super::sys;

const MAGIC: &[u8; 8] = b"ANNUNMEM";
const VERSION: u32 = 1;
/// Where the open mark is, for changing it in place.
pub(super) const OPEN_MARK_AT: usize = 36;
pub(super) const OPEN: u32 = 1;
pub(super) const CLOSED: u32 = 0;

/// The first page of a memory file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) region_len: usize,
    pub(super) identity: SpoolIdentity,
    pub(super) user: u32,
    pub(super) open: bool,
}

impl Header {
    fn format(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields: [&[u8]; 7] = [
            MAGIC,
            &VERSION.to_le_bytes(),
            &(HEADER_LEN as u32).to_le_bytes(),
            &(self.region_len as u64).to_le_bytes(),
            &self.identity.0.to_le_bytes(),
            &self.user.to_le_bytes(),
            &u32::from(self.open).to_le_bytes(),
        ];
        bytes.iter_mut().zip(fields.concat()).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` for anything that is not a header of this version.
    fn parse(bytes: &[u8]) -> Option<Header> {
        let mut rest = bytes;
        if take::<8>(&mut rest)? != *MAGIC
            || u32::from_le_bytes(take(&mut rest)?) != VERSION
            || u32::from_le_bytes(take(&mut rest)?) != HEADER_LEN as u32
        {
            return None;
        }
        Some(Header {
            region_len: usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?,
            identity: SpoolIdentity(u64::from_le_bytes(take(&mut rest)?)),
            user: u32::from_le_bytes(take(&mut rest)?),
            open: u32::from_le_bytes(take(&mut rest)?) == OPEN,
        })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// A memory file, locked.
#[derive(Debug)]
pub(super) struct MemoryFile {
    fd: LockedFd,
    dir: Arc<OwnDir>,
    name: String,
    pub(super) header: Header,
}

/// What stands under a memory file's name.
pub(super) enum Probe {
    /// Nothing of ours.
    Nothing,
    /// Somebody has it locked.
    Locked,
    /// Nobody had; now we have.
    Ours(MemoryFile),
}

impl MemoryFile {
    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    /// Opens, checks and locks the file of this name, if it is one of ours.
    pub(super) fn probe(dir: &Arc<OwnDir>, name: &str) -> Probe {
        let Some((fd, meta)) = dir.open_file(name, OFlags::RDWR) else { return Probe::Nothing };
        if sys::lock(&fd).is_err() {
            return Probe::Locked;
        }
        let mut bytes = [0; HEADER_LEN];
        let read = sys::read_at(&fd, &mut bytes, 0);
        let fd = LockedFd::new(fd);
        let Some(header) = read.ok().and_then(|_| Header::parse(&bytes)) else {
            return Probe::Nothing;
        };
        let file = MemoryFile { fd, dir: Arc::clone(dir), name: name.to_owned(), header };
        let whole = (HEADER_LEN + header.region_len.min(2 * MAX_LEN)) as u64 == meta.size;
        if !file.is_linked() || header.user != meta.owner || !whole {
            return Probe::Nothing;
        }
        Probe::Ours(file)
    }

    /// Whether a start after a crash would find it. Looks by path, because a directory can be
    /// unmounted with the file in it.
    pub(super) fn is_linked(&self) -> bool {
        self.fd.is(sys::meta_path(&self.path()))
    }

    /// The region's bytes, without mapping it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.header.region_len];
        match self.fd.with(|fd| sys::read_at(fd, &mut bytes, HEADER_LEN as u64)) {
            Ok(len) => bytes.truncate(len),
            Err(_) => bytes.clear(),
        }
        bytes
    }

    /// Overwrites a few of the region's bytes, without mapping it.
    pub(super) fn write(&self, at: usize, bytes: &[u8]) -> Result<(), Errno> {
        self.fd.with(|fd| sys::write_at(fd, bytes, (HEADER_LEN + at) as u64))
    }

    /// Takes its name away, unless somebody else has taken it by now.
    pub(super) fn remove(&self) {
        if self.is_linked() {
            let _ = sys::unlink(&self.dir, &self.name);
        }
    }

    /// Gives it the name of another instance's, which must be free. Should that fail, a later start
    /// finds it under the old one.
    pub(super) fn renumber(&mut self, number: u8) {
        let name = self.header.identity.memory_file(number);
        if sys::rename(&self.dir, &self.name, &name).is_ok() {
            self.name = name;
        }
    }

    /// Maps header and region.
    pub(super) fn map(&self) -> Result<(Arc<Mapping>, Region), String> {
        self.another_descriptor()
            .and_then(|fd| Mapping::of_file(fd, self.header.region_len))
            .map_err(|e| SpoolError::io(&self.path(), "map", e).to_string())
    }

    /// Puts it under a mapping, in place of what is there.
    pub(super) fn exchange(&self, mapping: &Mapping, region: &mut [u8]) -> Result<(), String> {
        self.another_descriptor()
            .and_then(|fd| mapping.exchange(region, fd))
            .map_err(|e| SpoolError::io(&self.path(), "map", e).to_string())
    }

    /// The same file opened once more. A mapping keeps what it was made from open, lock included,
    /// in every forked child; made from the descriptor with the lock, it could never be closed.
    fn another_descriptor(&self) -> Result<OwnedFd, Errno> {
        let fd = sys::open_at(&self.dir, self.name.as_str(), OFlags::RDWR)?;
        if self.fd.is(sys::meta(&fd)) { Ok(fd) } else { Err(Errno::STALE) }
    }

    pub(super) fn lock(&self) -> LockedFd {
        self.fd.clone()
    }

    /// The same file, its descriptor in a cell that others know.
    pub(super) fn in_cell(self, cell: &LockedFd) -> MemoryFile {
        cell.take_over(self.fd.clone());
        MemoryFile { fd: cell.clone(), ..self }
    }
}

/// Header and region under this name, which somebody may be working on.
pub(super) fn peek(dir: &OwnDir, name: &str) -> Option<(Header, Vec<u8>)> {
    let fd = sys::open_at(dir, name, OFlags::RDONLY).ok()?;
    let mut bytes = sys::read_all(&fd, HEADER_LEN + MAX_LEN).ok()?;
    let header = Header::parse(&bytes)?;
    Some((header, bytes.split_off(HEADER_LEN.min(bytes.len()))))
}

/// The memory files of an instance, wherever they are.
#[derive(Debug, Clone)]
pub(super) struct Finder {
    pub(super) dirs: RuntimeDirs,
    pub(super) identity: SpoolIdentity,
}

impl Finder {
    /// All of this number, locked; `None` if one of them belongs to a running process.
    pub(super) fn take(&self, number: u8) -> Option<Vec<MemoryFile>> {
        let name = self.identity.memory_file(number);
        let mut files = Vec::new();
        for dir in self.dirs.existing() {
            match MemoryFile::probe(&dir, &name) {
                Probe::Ours(file) if file.header.identity == self.identity => files.push(file),
                Probe::Ours(_) | Probe::Nothing => {}
                Probe::Locked => return None,
            }
        }
        Some(files)
    }

    /// Whether there is any of this number.
    pub(super) fn exists(&self, number: u8) -> bool {
        let name = self.identity.memory_file(number);
        self.dirs.existing().any(|dir| sys::meta_at(&*dir, name.as_str()).is_ok())
    }

    /// Headers and regions of this number, without locking any.
    pub(super) fn peek(&self, number: u8) -> impl Iterator<Item = (Header, Vec<u8>)> {
        let name = self.identity.memory_file(number);
        let ours = self.identity;
        self.dirs
            .existing()
            .filter_map(move |dir| peek(&dir, &name))
            .filter(move |(header, _)| header.identity == ours)
    }

    /// A new one, open, with these bytes, in the first directory that will do; otherwise what is
    /// wrong with each.
    pub(super) fn make(&self, number: u8, region: &[u8]) -> Result<MemoryFile, String> {
        let user = sys::effective_user();
        let header = Header { region_len: region.len(), identity: self.identity, user, open: true };
        let name = self.identity.memory_file(number);
        let mut reasons = Vec::new();
        for dir in self.dirs.made() {
            match dir.and_then(|dir| make(&dir, &name, header, region)) {
                Ok(file) => return Ok(file),
                Err(error) => reasons.push(error.to_string()),
            }
        }
        Err(reasons.join("; "))
    }
}

fn make(
    dir: &Arc<OwnDir>,
    name: &str,
    header: Header,
    region: &[u8],
) -> Result<MemoryFile, SpoolError> {
    let failed = |doing, e| SpoolError::io(dir.path(), doing, e);
    let len = HEADER_LEN + header.region_len;
    if let Some(limit) = sys::file_size_limit_below(len) {
        return Err(Trouble::FileSizeLimit(limit).at(dir.path()));
    }
    let fd = sys::open_nameless(dir).map_err(|e| failed("create a file in", e))?;
    sys::zero_fill(&fd, len).map_err(|e| failed("allocate memory in", e))?;
    sys::write_at(&fd, &header.format(), 0).map_err(|e| failed("write in", e))?;
    sys::write_at(&fd, region, HEADER_LEN as u64).map_err(|e| failed("write in", e))?;
    sys::lock(&fd).map_err(|e| failed("lock a file in", e))?;
    let taken = match sys::link_nameless(&fd, dir, name) {
        // What is no memory file of ours is in the way.
        Err(Errno::EXIST) if matches!(MemoryFile::probe(dir, name), Probe::Nothing) => {
            sys::unlink(dir, name).and_then(|()| sys::link_nameless(&fd, dir, name))
        }
        other => other,
    };
    taken.map_err(|e| failed("name a file in", e))?;
    Ok(MemoryFile { fd: LockedFd::new(fd), dir: Arc::clone(dir), name: name.to_owned(), header })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let identity = SpoolIdentity(0x0123_4567_89ab_cdef);
        Header { region_len: 65536, identity, user: 1000, open: true }
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        let bytes = header().format();
        assert_eq!(&bytes[..8], b"ANNUNMEM");
        assert_eq!(bytes[16..24], 65536u64.to_le_bytes());
        assert_eq!(bytes[32..36], 1000u32.to_le_bytes());
        assert_eq!(bytes[OPEN_MARK_AT], 1);
        assert_eq!(Header::parse(&bytes), Some(header()));
        let closed = Header { open: false, ..header() };
        assert_eq!(Header::parse(&closed.format()), Some(closed));
    }

    #[test]
    fn other_versions_and_other_files_are_not_taken_for_ours() {
        for at in 0..16 {
            let mut bytes = header().format();
            bytes[at] ^= 1;
            assert_eq!(Header::parse(&bytes), None, "byte {at}");
        }
        assert_eq!(Header::parse(&header().format()[..39]), None);
        assert_eq!(Header::parse(&[]), None);
    }
}
