//! Directories whose files live in memory: where the ring's memory outlives the program.
//!
//! A runtime directory is on a memory-backed file system, belongs to the system or to us, and others
//! may write to it only if it is sticky. In it lies a directory of our own, 0700, opened without
//! following links.

use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;

use super::dir::{OTHERS_WRITE, check_directory, names_in, open_directory};
use super::error::{SpoolError, Trouble};
use super::sys::{self, Meta};

const STICKY: u32 = 0o1000;
const OTHERS_ANY: u32 = 0o077;

/// The runtime directories of a process, and what else depends on the system. Given, not asked for,
/// so that tests give it.
#[derive(Debug, Clone)]
pub(crate) struct RuntimeDirs {
    candidates: Vec<PathBuf>,
    in_container: bool,
    /// Where the kernel names the running boot.
    boot_id: PathBuf,
}

impl RuntimeDirs {
    /// Those of this process: `RUNTIME_DIRECTORY`, `XDG_RUNTIME_DIR`, `/run`, `/dev/shm`.
    pub(crate) fn from_env() -> RuntimeDirs {
        let env = |name: &str| std::env::var_os(name);
        RuntimeDirs {
            candidates: RuntimeDirs::candidates_of(env),
            in_container: is_container(Path::new("/"), env),
            boot_id: BOOT_ID.into(),
        }
    }

    /// Exactly these, outside of any container.
    #[cfg(test)]
    pub(crate) fn only(candidates: Vec<PathBuf>) -> RuntimeDirs {
        RuntimeDirs { candidates, in_container: false, boot_id: BOOT_ID.into() }
    }

    /// The same, said to be in a container.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn within_container(mut self) -> RuntimeDirs {
        self.in_container = true;
        self
    }

    /// The same, with another file that names the boot.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn with_boot_id(mut self, file: &Path) -> RuntimeDirs {
        self.boot_id = file.to_path_buf();
        self
    }

    fn candidates_of(env: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
        let mut candidates: Vec<PathBuf> = Vec::new();
        // systemd lists all of a unit's runtime directories; the first is as good as any.
        let runtime = env("RUNTIME_DIRECTORY")
            .and_then(|list| list.as_bytes().split(|&byte| byte == b':').next().map(to_path));
        let user = env("XDG_RUNTIME_DIR").map(PathBuf::from);
        for dir in [runtime, user, Some("/run".into()), Some("/dev/shm".into())] {
            let dir = dir.filter(|dir| dir.is_absolute());
            candidates.extend(dir.filter(|dir| !candidates.contains(dir)));
        }
        candidates
    }

    /// Whether the process runs in a container.
    pub(super) fn in_container(&self) -> bool {
        self.in_container
    }

    pub(super) fn boot_id(&self) -> &Path {
        &self.boot_id
    }

    /// Our own directories, as far as there are any, in the order of trial.
    pub(super) fn existing(&self) -> impl Iterator<Item = Arc<OwnDir>> {
        self.candidates.iter().filter_map(|base| OwnDir::open(base).ok().map(Arc::new))
    }

    /// The same, made where they are missing.
    pub(super) fn made(&self) -> impl Iterator<Item = Result<Arc<OwnDir>, SpoolError>> {
        self.candidates.iter().map(|base| OwnDir::make(base).map(Arc::new))
    }
}

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Our own directory in a runtime directory: ours alone, and really in memory.
#[derive(Debug)]
pub(super) struct OwnDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl OwnDir {
    fn open(base: &Path) -> Result<OwnDir, SpoolError> {
        let path = base.join(own_name());
        let failed = |doing, e| SpoolError::io(&path, doing, e);
        let fd = open_directory(CWD, path.as_os_str()).map_err(|e| failed("open", e))?;
        let meta = sys::meta(&fd).map_err(|e| failed("look at", e))?;
        check_directory(&meta, &path, OTHERS_ANY)?;
        check_memory_backed(&fd, &path)?;
        Ok(OwnDir { fd, path })
    }

    fn make(base: &Path) -> Result<OwnDir, SpoolError> {
        let failed = |doing, e| SpoolError::io(base, doing, e);
        let flags = sys::LOOK_ONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd =
            rustix::fs::openat(CWD, base, flags, sys::FILE_MODE).map_err(|e| failed("open", e))?;
        let meta = sys::meta(&fd).map_err(|e| failed("look at", e))?;
        check_base(&meta, base)?;
        check_memory_backed(&fd, base)?;
        match rustix::fs::mkdirat(&fd, own_name(), sys::DIR_MODE) {
            Ok(()) | Err(Errno::EXIST) => OwnDir::open(base),
            Err(e) => Err(failed("create a directory in", e)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file that is ours alone, if there is one.
    pub(super) fn open_file(&self, name: &str, flags: OFlags) -> Option<(OwnedFd, Meta)> {
        let fd = sys::open_at(self, name, flags).ok()?;
        let meta = sys::meta(&fd).ok()?;
        let ours = meta.is_private_file() && meta.owner == sys::effective_user();
        ours.then_some((fd, meta))
    }

    pub(super) fn names(&self) -> Vec<String> {
        names_in(&self.fd).unwrap_or_default()
    }
}

impl AsFd for OwnDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Our directory's name in a directory that many users may share.
fn own_name() -> String {
    format!("annunciator-{}", sys::effective_user())
}

fn check_base(meta: &Meta, path: &Path) -> Result<(), SpoolError> {
    if meta.owner != 0 && meta.owner != sys::effective_user() {
        return Err(Trouble::ForeignOwner(meta.owner).at(path));
    }
    if meta.mode & OTHERS_WRITE != 0 && meta.mode & STICKY == 0 {
        return Err(Trouble::LooseMode(meta.mode).at(path));
    }
    Ok(())
}

fn check_memory_backed(dir: impl AsFd, path: &Path) -> Result<(), SpoolError> {
    match sys::is_memory_backed(dir) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Trouble::NotInMemory.at(path)),
        Err(e) => Err(SpoolError::io(path, "look at", e)),
    }
}

/// Whether this is a container, which takes its memory file with it when it ends. There is no sure
/// way to tell; these are the signs that the common ones leave.
fn is_container(root: &Path, env: impl Fn(&str) -> Option<OsString>) -> bool {
    let files = [".dockerenv", "run/.containerenv", "run/systemd/container"];
    let cgroup = std::fs::read(root.join("proc/1/cgroup")).unwrap_or_default();
    let cgroup = String::from_utf8_lossy(&cgroup);
    let cgroups = ["docker", "kubepods", "containerd", "libpod", "/lxc/"];
    env("KUBERNETES_SERVICE_HOST").is_some()
        // podman, lxc, nspawn
        || env("container").is_some_and(|kind| !kind.is_empty())
        || files.iter().any(|file| root.join(file).exists())
        || cgroups.iter().any(|word| cgroup.contains(word))
}

fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<OsString> {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into())
    }

    #[test]
    fn a_units_own_directory_comes_first() {
        let candidates = RuntimeDirs::candidates_of(env(&[
            ("RUNTIME_DIRECTORY", "/run/app:/run/other"),
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
        ]));
        let expected = ["/run/app", "/run/user/1000", "/run", "/dev/shm"];
        assert_eq!(candidates, expected.map(PathBuf::from));
    }

    #[test]
    fn relative_and_repeated_places_are_left_out() {
        let candidates = RuntimeDirs::candidates_of(env(&[
            ("RUNTIME_DIRECTORY", "run/app"),
            ("XDG_RUNTIME_DIR", "/dev/shm"),
        ]));
        assert_eq!(candidates, ["/dev/shm", "/run"].map(PathBuf::from));
    }

    #[test]
    fn the_common_containers_are_recognised() {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(host.path().join("proc/1")).unwrap();
        std::fs::write(host.path().join("proc/1/cgroup"), "0::/init.scope\n").unwrap();
        assert!(!is_container(host.path(), env(&[])));
        assert!(is_container(host.path(), env(&[("container", "podman")])));
        assert!(is_container(host.path(), env(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")])));
        let old = "12:cpu:/docker/0123\n";
        std::fs::write(host.path().join("proc/1/cgroup"), old).unwrap();
        assert!(is_container(host.path(), env(&[])));
        std::fs::write(host.path().join("proc/1/cgroup"), "0::/\n").unwrap();
        std::fs::write(host.path().join(".dockerenv"), "").unwrap();
        assert!(is_container(host.path(), env(&[])));
    }
}
