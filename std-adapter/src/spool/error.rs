//! What can be wrong with the spool, in words that name the path and the fix.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// Why the spool directory or a file in it cannot be used.
///
/// Shown to people; the only decision ever taken on it is "write everything again later".
#[derive(Debug)]
pub(crate) enum SpoolError {
    /// The path is a symbolic link where a directory or a file of our own is expected.
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Something other than a directory stands at the directory's path.
    NotADirectory {
        /// What stands there.
        path: PathBuf,
    },
    /// Something other than a regular file with one name stands at a file's path.
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The directory or file belongs to somebody else.
    ForeignOwner {
        /// The directory or file.
        path: PathBuf,
        /// Whose it is (user id).
        owner: u32,
        /// Who we are (effective user id).
        us: u32,
    },
    /// Group or world may write where only we may.
    LooseMode {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The directory lies directly in one that everybody may write (`/tmp`), sticky or not.
    OpenParent {
        /// The parent.
        path: PathBuf,
    },
    /// Every instance of the directory belongs to a running process.
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody else changed the file under us.
    Changed {
        /// The file.
        path: PathBuf,
        /// What became of it.
        how: Change,
    },
    /// A sync after a failure, before anything was written again.
    NothingRewritten {
        /// The file.
        path: PathBuf,
    },
    /// An access beyond the end of the region.
    OutOfBounds {
        /// First byte of the access.
        at: usize,
        /// Its length.
        len: usize,
    },
    /// The process may not write files as large as the spool (`ulimit -f`, `LimitFSIZE=`); trying
    /// would raise SIGXFSZ, which kills.
    FileSizeLimit {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// No place for the ring's memory outlives the program.
    NoMemoryFile {
        /// What is wrong with each place that was tried.
        why: String,
    },
    /// The system refused.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What we were about to do with it.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

/// What somebody else did to a spool file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its name is gone.
    Removed,
    /// Another file bears its name.
    Replaced,
    /// It is shorter than it was.
    Truncated,
    /// It was written to.
    Overwritten,
    /// A call on another thread could not write to it.
    Doubtful,
}

impl SpoolError {
    pub(super) fn io(path: &Path, doing: &'static str, source: impl Into<io::Error>) -> SpoolError {
        SpoolError::Io { path: path.to_path_buf(), doing, source: source.into() }
    }

    /// The system's error number, if it was the system that refused.
    pub(super) fn errno(&self) -> Option<Errno> {
        match self {
            SpoolError::Io { source, .. } => Errno::from_io_error(source),
            _ => None,
        }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpoolError::Link { path } => write!(
                f,
                "{} is a symbolic link, which the spool does not follow; name the directory itself",
                path.display()
            ),
            SpoolError::NotADirectory { path } => write!(
                f,
                "{} is not a directory; remove it or choose another spool directory",
                path.display()
            ),
            SpoolError::NotAFile { path } => {
                write!(f, "{} is not a plain file with a single name; remove it", path.display())
            }
            SpoolError::ForeignOwner { path, owner, us } => write!(
                f,
                "{} belongs to user {owner}, the program runs as user {us}; chown it or choose \
                 another spool directory",
                path.display()
            ),
            SpoolError::LooseMode { path, mode } => write!(
                f,
                "{} has mode {mode:04o}, so others may write to it; choose a directory of its own for \
                 the spool, or chmod 700 this one if nobody else uses it",
                path.display()
            ),
            SpoolError::OpenParent { path } => write!(
                f,
                "{} may be written by everybody, which is no place for a spool; choose a directory \
                 under the state directory",
                path.display()
            ),
            SpoolError::Busy { path } => write!(
                f,
                "all instances in {} belong to running programs; give each program a spool \
                 directory of its own",
                path.display()
            ),
            SpoolError::Changed { path, how } => {
                let how = match how {
                    Change::Removed => "was removed",
                    Change::Replaced => "was replaced",
                    Change::Truncated => "was cut short",
                    Change::Overwritten => "was written to",
                    Change::Doubtful => {
                        return write!(
                            f,
                            "a write to {} failed on another thread; all of it is written again",
                            path.display()
                        );
                    }
                };
                write!(f, "{} {how} by somebody else; all of it is written again", path.display())
            }
            SpoolError::NothingRewritten { path } => write!(
                f,
                "{} is in doubt since the last error and has not been written again yet",
                path.display()
            ),
            SpoolError::OutOfBounds { at, len } => {
                write!(f, "{len} bytes at {at} lie beyond the end of the spool")
            }
            SpoolError::FileSizeLimit { path, limit } => write!(
                f,
                "files of this process may have at most {limit} bytes, too few for {}; raise \
                 `ulimit -f` or LimitFSIZE=, or configure a smaller spool",
                path.display()
            ),
            SpoolError::NoMemoryFile { why } => {
                write!(f, "the ring's memory would not outlive the program: {why}")
            }
            SpoolError::Io { path, doing, source } => {
                write!(f, "cannot {doing} {}: ", path.display())?;
                match Errno::from_io_error(source).and_then(remedy) {
                    Some(words) => f.write_str(words),
                    None => write!(f, "{source}"),
                }
            }
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SpoolError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// The usual troubles of a disk, with what helps.
fn remedy(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NOSPC => "the disk is full; free some space, the spool is then taken up again",
        Errno::DQUOT => "the disk quota is used up; raise it or free some space",
        Errno::ROFS => {
            "the file system is mounted read-only, often because the disk is failing; look at \
             dmesg, then remount it"
        }
        Errno::IO => {
            "the disk reports an input/output error and is probably failing; look at dmesg"
        }
        Errno::ACCESS | Errno::PERM => {
            "permission denied; give the program's user a directory of its own (systemd: \
             StateDirectory=)"
        }
        Errno::NOENT => "it does not exist any more; it is made anew with the next attempt",
        Errno::MFILE | Errno::NFILE => "too many open files; raise `ulimit -n` or LimitNOFILE=",
        Errno::NOLCK | Errno::OPNOTSUPP => {
            "its file system offers no locks; choose a spool directory on a local disk"
        }
        Errno::NAMETOOLONG => "the path is too long; choose a shorter one",
        Errno::STALE => "the network file system lost it; look at the mount",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_troubles_name_path_and_fix() {
        for (errno, word) in [
            (Errno::NOSPC, "free some space"),
            (Errno::ROFS, "read-only"),
            (Errno::IO, "failing"),
            (Errno::ACCESS, "StateDirectory="),
        ] {
            let text = SpoolError::io(Path::new("/var/lib/x"), "write", errno).to_string();
            assert!(text.contains("/var/lib/x") && text.contains(word), "{text}");
        }
    }
}
