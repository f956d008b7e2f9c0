//! The spool directory: ours alone, reached without surprises.
//!
//! The directory is opened once and everything in it is reached relative to that descriptor, so
//! that nobody who can rename a parent can lead us elsewhere. A symbolic link in its place, a
//! foreign owner, and write permission for group or world are refused. So is a directory that lies
//! directly in one that everybody may write to. Missing directories are made 0700.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{CWD, Dir, FileType, OFlags};
use rustix::io::Errno;

use super::error::{SpoolError, Trouble};
use super::sys::{self, Meta};

/// Group or world may write.
pub(super) const OTHERS_WRITE: u32 = 0o022;
const WORLD_WRITES: u32 = 0o002;

/// An open spool directory.
#[derive(Debug)]
pub(super) struct SpoolDir {
    fd: OwnedFd,
    path: PathBuf,
    /// Parents that got a new entry from us which is not known to be on the disk. Synced with the
    /// first commit and not when opening, which must not wait for a slow disk.
    unsynced: Mutex<Vec<OwnedFd>>,
}

impl SpoolDir {
    /// Opens the directory, making it and missing parents if need be.
    pub(super) fn open(path: &Path) -> Result<SpoolDir, SpoolError> {
        let path = std::path::absolute(path).map_err(|e| {
            SpoolError::io(path, "find", Errno::from_io_error(&e).unwrap_or(Errno::INVAL))
        })?;
        let (Some(parent_path), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Trouble::NotADirectory.at(path));
        };
        let mut unsynced = Vec::new();
        let parent = open_parent(parent_path, &mut unsynced)?;
        let fd = open_or_make(&parent, name, &path, &mut unsynced)?;
        let meta = sys::meta(&fd).map_err(|e| SpoolError::io(&path, "look at", e))?;
        check_directory(&meta, &path, OTHERS_WRITE)?;
        Ok(SpoolDir { fd, path, unsynced: Mutex::new(unsynced) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of the directory is, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the directory's path still leads here.
    pub(super) fn still_there(&self) -> bool {
        match (sys::meta(&self.fd), sys::meta_path(&self.path)) {
            (Ok(ours), Ok(there)) => ours.same_file(&there),
            _ => false,
        }
    }

    /// Makes the names in the directory durable, and the directory's own name if it is new.
    pub(super) fn sync(&self) -> Result<(), SpoolError> {
        let failed = |e| SpoolError::io(&self.path, "sync", e);
        let mut unsynced = self.unsynced.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        while let Some(parent) = unsynced.last() {
            sys::sync_dir(parent).map_err(failed)?;
            unsynced.pop();
        }
        sys::sync_dir(&self.fd).map_err(failed)
    }

    /// The names in the directory, in no order.
    pub(super) fn names(&self) -> Result<Vec<String>, SpoolError> {
        names_in(&self.fd).map_err(|e| SpoolError::io(&self.path, "list", e))
    }

    /// An error of the system about a file of the directory.
    pub(super) fn failed(&self, doing: &'static str, name: &str, errno: Errno) -> SpoolError {
        SpoolError::io(&self.path_of(name), doing, errno)
    }

    /// Removes a file; one that is not there is as good as removed.
    pub(super) fn remove(&self, name: &str) -> Result<(), SpoolError> {
        sys::unlink(&self.fd, name).map_err(|e| self.failed("remove", name, e))
    }

    /// Gives a file another name; what had that name is gone.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), SpoolError> {
        sys::rename(&self.fd, from, to).map_err(|e| self.failed("rename", from, e))
    }

    /// Opens a file of ours for reading and writing, made if it is missing, with all checks.
    pub(super) fn make_file(&self, name: &str, flags: OFlags) -> Result<OwnedFd, SpoolError> {
        self.open_checked(name, OFlags::RDWR | OFlags::CREATE | flags)
    }

    /// Opens a file of ours that may or may not be there, with all checks.
    pub(super) fn open_file(
        &self,
        name: &str,
        flags: OFlags,
    ) -> Result<Option<OwnedFd>, SpoolError> {
        match self.open_checked(name, flags) {
            Err(SpoolError { trouble: Trouble::Io { errno: Errno::NOENT, .. }, .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    fn open_checked(&self, name: &str, flags: OFlags) -> Result<OwnedFd, SpoolError> {
        let path = self.path_of(name);
        let fd = match sys::open_at(&self.fd, name, flags) {
            Ok(fd) => fd,
            Err(Errno::LOOP) => return Err(Trouble::Link.at(path)),
            Err(Errno::ISDIR | Errno::NXIO) => return Err(Trouble::NotAFile.at(path)),
            Err(e) => return Err(SpoolError::io(&path, "open", e)),
        };
        let meta = sys::meta(&fd).map_err(|e| SpoolError::io(&path, "look at", e))?;
        if meta.kind != FileType::RegularFile || meta.links > 1 {
            return Err(Trouble::NotAFile.at(path));
        }
        if meta.owner != sys::effective_user() {
            return Err(Trouble::ForeignOwner(meta.owner).at(path));
        }
        if meta.mode & 0o077 != 0 && flags.intersects(OFlags::RDWR) {
            // It is ours, so close it; a file system without modes may refuse, and that is that.
            let _ = rustix::fs::fchmod(&fd, sys::FILE_MODE);
        }
        Ok(fd)
    }
}

impl AsFd for SpoolDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Opens a directory by path, following links, making what is missing.
fn open_parent(path: &Path, unsynced: &mut Vec<OwnedFd>) -> Result<OwnedFd, SpoolError> {
    // A path descriptor: a parent need not be readable, and some (`/var/lib/private`) are not.
    let flags = sys::LOOK_ONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, flags, sys::FILE_MODE) {
        Ok(fd) => Ok(fd),
        Err(Errno::NOENT) => {
            let (Some(above_path), Some(name)) = (path.parent(), path.file_name()) else {
                return Err(SpoolError::io(path, "open", Errno::NOENT));
            };
            let above = open_parent(above_path, unsynced)?;
            open_or_make(&above, name, path, unsynced)
        }
        Err(Errno::NOTDIR) => Err(Trouble::NotADirectory.at(path)),
        Err(e) => Err(SpoolError::io(path, "open", e)),
    }
}

/// Opens `name` in `parent`, which must not be everybody's, without following a link, making it
/// first if it is missing.
fn open_or_make(
    parent: &OwnedFd,
    name: &OsStr,
    path: &Path,
    unsynced: &mut Vec<OwnedFd>,
) -> Result<OwnedFd, SpoolError> {
    let above = path.parent().unwrap_or(path);
    let meta = sys::meta(parent).map_err(|e| SpoolError::io(above, "look at", e))?;
    if meta.mode & WORLD_WRITES != 0 {
        return Err(Trouble::OpenParent.at(above));
    }
    let open = || open_directory(parent, name);
    match open() {
        Ok(fd) => return Ok(fd),
        Err(Errno::NOENT) => {}
        Err(e) => return Err(why_not_a_directory(parent, name, path, e)),
    }
    match rustix::fs::mkdirat(parent, name, sys::DIR_MODE) {
        // Somebody else was quicker; what they made is judged like any other.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(e) => return Err(SpoolError::io(path, "create", e)),
    }
    let readable = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(fd) = rustix::fs::openat(parent, ".", readable, sys::FILE_MODE) {
        unsynced.push(fd);
    }
    open().map_err(|e| why_not_a_directory(parent, name, path, e))
}

/// Opens a directory entry without following a link.
pub(super) fn open_directory(parent: impl AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, sys::FILE_MODE)
}

/// The names in a directory, in no order.
pub(super) fn names_in(fd: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(fd)? {
        // Names of ours are ASCII; whatever else lies here is not for us.
        if let Ok(name) = entry?.file_name().to_str() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// An open that refuses links and other things reports both alike; look which it was.
fn why_not_a_directory(parent: &OwnedFd, name: &OsStr, path: &Path, errno: Errno) -> SpoolError {
    let path = path.to_path_buf();
    match sys::meta_at(parent, name).map(|meta| meta.kind) {
        Ok(FileType::Symlink) => Trouble::Link.at(path),
        Ok(FileType::Directory) | Err(_) => SpoolError::io(&path, "open", errno),
        Ok(_) => Trouble::NotADirectory.at(path),
    }
}

/// Whether a directory is ours and nobody else may do with it what `forbidden` says.
pub(super) fn check_directory(meta: &Meta, path: &Path, forbidden: u32) -> Result<(), SpoolError> {
    if meta.owner != sys::effective_user() {
        return Err(Trouble::ForeignOwner(meta.owner).at(path));
    }
    if meta.mode & forbidden != 0 {
        return Err(Trouble::LooseMode(meta.mode).at(path));
    }
    Ok(())
}
