//! What can be wrong with the spool, in words that name the path and the fix.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::sys;

/// Why the spool directory or a file in it cannot be used.
///
/// Shown to people; the only decision ever taken on it is "write everything again later".
#[derive(Debug)]
pub(crate) struct SpoolError {
    /// The directory or file.
    pub(super) path: PathBuf,
    pub(super) trouble: Trouble,
}

/// What is wrong with a directory or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A symbolic link where a directory or a file of our own is expected.
    Link,
    NotADirectory,
    /// Something other than a regular file with one name.
    NotAFile,
    /// It belongs to somebody else: to this user id.
    ForeignOwner(u32),
    /// Group or world may write where only we may: its permission bits.
    LooseMode(u32),
    /// Everybody may write there (`/tmp`), sticky or not, so nothing of ours may lie in it.
    OpenParent,
    /// Every instance of the directory belongs to a running process.
    Busy,
    /// Somebody else took its name away.
    Removed,
    /// Another file bears its name.
    Replaced,
    /// It is shorter than it was.
    Truncated,
    /// Somebody else wrote to it.
    Overwritten,
    /// A call on another thread could not write to it.
    Doubtful,
    /// A sync after a failure, before anything was written again.
    NothingRewritten,
    /// A write beyond the end of the region.
    BeyondEnd,
    /// The process may not write files as large as the spool (`ulimit -f`, `LimitFSIZE=`), but of
    /// this length at most; trying would raise SIGXFSZ, which kills.
    FileSizeLimit(u64),
    /// A runtime directory whose files would not live in memory.
    NotInMemory,
    /// The system refused.
    Io {
        /// What we were about to do with it.
        doing: &'static str,
        errno: Errno,
    },
}

impl Trouble {
    pub(super) fn at(self, path: impl Into<PathBuf>) -> SpoolError {
        SpoolError { path: path.into(), trouble: self }
    }
}

impl SpoolError {
    pub(super) fn io(path: &Path, doing: &'static str, errno: Errno) -> SpoolError {
        Trouble::Io { doing, errno }.at(path)
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.trouble {
            Trouble::Link => write!(
                f,
                "{path} is a symbolic link, which the spool does not follow; name the directory \
                 itself"
            ),
            Trouble::NotADirectory => {
                write!(f, "{path} is not a directory; remove it or choose another spool directory")
            }
            Trouble::NotAFile => {
                write!(f, "{path} is not a plain file with a single name; remove it")
            }
            Trouble::ForeignOwner(owner) => write!(
                f,
                "{path} belongs to user {owner}, the program runs as user {}; chown it or choose \
                 another spool directory",
                sys::effective_user()
            ),
            Trouble::LooseMode(mode) => write!(
                f,
                "{path} has mode {mode:04o}, so others may write to it; choose a directory of its \
                 own for the spool, or chmod 700 this one if nobody else uses it"
            ),
            Trouble::OpenParent => write!(
                f,
                "{path} may be written by everybody, which is no place for a spool; choose a \
                 directory under the state directory"
            ),
            Trouble::Busy => write!(
                f,
                "all instances in {path} belong to running programs; give each program a spool \
                 directory of its own"
            ),
            Trouble::Removed => write!(f, "{path} was removed {BY_OTHERS}"),
            Trouble::Replaced => write!(f, "{path} was replaced {BY_OTHERS}"),
            Trouble::Truncated => write!(f, "{path} was cut short {BY_OTHERS}"),
            Trouble::Overwritten => write!(f, "{path} was written to {BY_OTHERS}"),
            Trouble::Doubtful => {
                write!(f, "a write to {path} failed on another thread; all of it is written again")
            }
            Trouble::NothingRewritten => write!(
                f,
                "{path} is in doubt since the last error and has not been written again yet"
            ),
            Trouble::BeyondEnd => write!(f, "a write lies beyond the end of {path}"),
            Trouble::FileSizeLimit(limit) => write!(
                f,
                "files of this process may have at most {limit} bytes, too few for {path}; raise \
                 `ulimit -f` or LimitFSIZE=, or configure a smaller spool"
            ),
            Trouble::NotInMemory => write!(f, "{path} is not memory-backed"),
            Trouble::Io { doing, errno } => match remedy(errno) {
                Some(words) => write!(f, "cannot {doing} {path}: {words}"),
                None => write!(f, "cannot {doing} {path}: {errno}"),
            },
        }
    }
}

const BY_OTHERS: &str = "by somebody else; all of it is written again";

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
