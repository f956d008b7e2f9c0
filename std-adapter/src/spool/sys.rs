//! The few system calls the spool makes, with short writes and interruptions dealt with, and a hook
//! where unit tests let them fail.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
#[cfg(not(test))]
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::Resource;

#[cfg(test)]
use super::tests::faults;

/// Page size assumed for zero-filling and for the memory file's header.
pub(super) const BLOCK: usize = 4096;

/// The flags every open of ours carries. `NONBLOCK` so that a planted FIFO cannot hang us.
pub(super) const GUARDED: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Mode of our files.
pub(super) const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);
/// Mode of our directories.
pub(super) const DIR_MODE: Mode = Mode::RWXU;

/// The parts of a `stat` that matter here, in the same types on every architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) dev: u64,
    pub(super) ino: u64,
    pub(super) links: u64,
    pub(super) size: u64,
    pub(super) owner: u32,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) kind: FileType,
    /// Seconds and nanoseconds of the last change of content.
    pub(super) modified: (i64, i64),
}

impl Meta {
    /// Whether both describe one and the same file.
    pub(super) fn same_file(&self, other: &Meta) -> bool {
        self.dev == other.dev && self.ino == other.ino
    }

    pub(super) fn is_private_file(&self) -> bool {
        self.kind == FileType::RegularFile && self.links == 1
    }
}

impl From<Stat> for Meta {
    #[allow(clippy::unnecessary_cast, reason = "the fields have other types on other processors")]
    fn from(stat: Stat) -> Meta {
        Meta {
            dev: stat.st_dev as u64,
            ino: stat.st_ino as u64,
            links: stat.st_nlink as u64,
            size: stat.st_size as u64,
            owner: stat.st_uid as u32,
            mode: stat.st_mode as u32 & 0o7777,
            kind: FileType::from_raw_mode(stat.st_mode as _),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        }
    }
}

pub(super) fn meta(fd: impl AsFd) -> Result<Meta, Errno> {
    rustix::fs::fstat(fd).map(Meta::from)
}

/// Of the entry itself, not of what a link points to.
pub(super) fn meta_at(dir: impl AsFd, name: impl rustix::path::Arg) -> Result<Meta, Errno> {
    rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).map(Meta::from)
}

pub(super) fn meta_path(path: &Path) -> Result<Meta, Errno> {
    rustix::fs::lstat(path).map(Meta::from)
}

pub(super) fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(super) fn open_at(
    dir: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    #[cfg(test)]
    if flags.contains(OFlags::CREATE) {
        faults::check(faults::Op::Create)?;
    }
    retry_on_intr(|| rustix::fs::openat(dir.as_fd(), name, GUARDED | flags, FILE_MODE))
}

/// Writes all of `bytes`, however often the system takes only a part.
pub(super) fn write_at(fd: impl AsFd, mut bytes: &[u8], mut at: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        let chunk = bytes;
        #[cfg(test)]
        let chunk = faults::shorten(chunk)?;
        let taken = retry_on_intr(|| rustix::io::pwrite(fd.as_fd(), chunk, at))?;
        if taken == 0 {
            return Err(Errno::IO);
        }
        bytes = bytes.get(taken..).unwrap_or_default();
        at += taken as u64;
    }
    Ok(())
}

/// Fills `buf` as far as the file reaches; returns how far.
pub(super) fn read_at(fd: impl AsFd, buf: &mut [u8], at: u64) -> Result<usize, Errno> {
    #[cfg(test)]
    faults::check(faults::Op::Read)?;
    let mut done = 0;
    while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
        let taken = retry_on_intr(|| rustix::io::pread(fd.as_fd(), &mut *rest, at + done as u64))?;
        if taken == 0 {
            break;
        }
        done += taken;
    }
    Ok(done)
}

/// The whole file, but no more than `limit` bytes of it.
pub(super) fn read_all(fd: impl AsFd, limit: usize) -> Result<Vec<u8>, Errno> {
    let size = usize::try_from(meta(fd.as_fd())?.size).unwrap_or(usize::MAX).min(limit);
    let mut bytes = vec![0; size];
    let read = read_at(fd, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Gives an empty file `len` bytes of zeros, really allocated.
///
/// In single blocks: one large write gives the page cache large folios, and then every small write
/// into them costs 2.6 times as much. Not `fallocate`: extents it leaves unwritten make the first
/// sync after each first write a journal commit.
pub(super) fn zero_fill(fd: impl AsFd, len: usize) -> Result<(), Errno> {
    let zeros = [0; BLOCK];
    let mut at = 0;
    while at < len {
        let block = zeros.get(..len - at).unwrap_or(&zeros);
        write_at(fd.as_fd(), block, at as u64)?;
        at += block.len();
    }
    Ok(())
}

/// Content, and what is needed to read it back.
pub(super) fn sync_data(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    faults::check(faults::Op::Sync)?;
    retry_on_intr(|| platform::sync_data(fd.as_fd()))
}

/// Content and all metadata.
pub(super) fn sync_all(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    faults::check(faults::Op::Sync)?;
    retry_on_intr(|| platform::sync_all(fd.as_fd()))
}

/// Names in a directory. File systems that cannot sync a directory say so by `EINVAL`.
pub(super) fn sync_dir(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    faults::check(faults::Op::SyncDir)?;
    match retry_on_intr(|| rustix::fs::fsync(fd.as_fd())) {
        Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
        other => other,
    }
}

pub(super) fn rename(dir: impl AsFd, from: &str, to: &str) -> Result<(), Errno> {
    #[cfg(test)]
    faults::check(faults::Op::Rename)?;
    rustix::fs::renameat(dir.as_fd(), from, dir.as_fd(), to)
}

/// Takes an exclusive lock, or `WOULDBLOCK` if somebody has it.
pub(super) fn lock(fd: impl AsFd) -> Result<(), Errno> {
    #[cfg(test)]
    faults::just_before_locking();
    rustix::fs::flock(fd, rustix::fs::FlockOperation::NonBlockingLockExclusive)
}

/// Removes a name; one that is not there is as good as removed.
pub(super) fn unlink(dir: impl AsFd, name: &str) -> Result<(), Errno> {
    #[cfg(test)]
    faults::check(faults::Op::Unlink)?;
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}

/// The largest file this process may write, if that is less than `len`. Writing beyond it raises
/// SIGXFSZ, so it is asked before, not after.
pub(super) fn file_size_limit_below(len: usize) -> Option<u64> {
    rustix::process::getrlimit(Resource::Fsize).current.filter(|&limit| limit < len as u64)
}

/// Whether something took longer than it may.
#[cfg(not(test))]
pub(super) fn is_longer(elapsed: Duration, limit: Duration) -> bool {
    elapsed > limit
}
#[cfg(test)]
pub(super) use faults::is_longer;

pub(super) use platform::{LOOK_ONLY, is_memory_backed, link_nameless, open_nameless};

#[cfg(any(target_os = "linux", target_os = "android"))]
mod platform {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

    use rustix::fs::{AtFlags, CWD, OFlags};
    use rustix::io::Errno;

    const TMPFS: u32 = 0x0102_1994;
    const RAMFS: u32 = 0x8584_58f6;

    /// A directory only to be looked at and passed through: it need not be readable.
    pub(in super::super) const LOOK_ONLY: OFlags = OFlags::PATH;

    pub(super) fn sync_data(fd: BorrowedFd<'_>) -> Result<(), Errno> {
        rustix::fs::fdatasync(fd)
    }

    pub(super) fn sync_all(fd: BorrowedFd<'_>) -> Result<(), Errno> {
        rustix::fs::fsync(fd)
    }

    /// Whether a file system keeps its files in memory, so that no store into them can fail for
    /// want of a disk.
    pub(in super::super) fn is_memory_backed(fd: impl AsFd) -> Result<bool, Errno> {
        // Width and sign of the type differ between architectures; magic numbers have 32 bits.
        let kind = rustix::fs::fstatfs(fd)?.f_type as u32;
        Ok(kind == TMPFS || kind == RAMFS)
    }

    /// A file without a name.
    pub(in super::super) fn open_nameless(dir: impl AsFd) -> Result<OwnedFd, Errno> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        rustix::fs::openat(dir, ".", flags, super::FILE_MODE)
    }

    /// Gives a nameless file its name; `EXIST` if there is one of that name.
    pub(in super::super) fn link_nameless(
        fd: &OwnedFd,
        dir: impl AsFd,
        name: &str,
    ) -> Result<(), Errno> {
        let dir = dir.as_fd();
        let by_proc = format!("/proc/self/fd/{}", fd.as_raw_fd());
        match rustix::fs::linkat(CWD, by_proc.as_str(), dir, name, AtFlags::SYMLINK_FOLLOW) {
            // Without /proc; needs a privilege or a recent kernel.
            Err(Errno::NOENT) => rustix::fs::linkat(fd, "", dir, name, AtFlags::EMPTY_PATH),
            other => other,
        }
    }
}

/// Other Unixes: the spool works, the ring's memory is that of the process.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod platform {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::fs::OFlags;
    use rustix::io::Errno;

    pub(in super::super) const LOOK_ONLY: OFlags = OFlags::RDONLY;

    pub(super) fn sync_data(fd: BorrowedFd<'_>) -> Result<(), Errno> {
        sync_all(fd)
    }

    pub(super) fn sync_all(fd: BorrowedFd<'_>) -> Result<(), Errno> {
        // `fsync` alone leaves it in the drive's cache there.
        #[cfg(target_vendor = "apple")]
        if rustix::fs::fcntl_fullfsync(fd).is_ok() {
            return Ok(());
        }
        rustix::fs::fsync(fd)
    }

    pub(in super::super) fn is_memory_backed(_fd: impl AsFd) -> Result<bool, Errno> {
        Ok(false)
    }

    pub(in super::super) fn open_nameless(_dir: impl AsFd) -> Result<OwnedFd, Errno> {
        Err(Errno::NOTSUP)
    }

    pub(in super::super) fn link_nameless(
        _fd: &OwnedFd,
        _dir: impl AsFd,
        _name: &str,
    ) -> Result<(), Errno> {
        Err(Errno::NOTSUP)
    }
}
