//! Where a memory file can live, and whether it outlives the program there.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What the choice of a place depends on. Given, not asked for, so that tests give it.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    candidates: Vec<PathBuf>,
    container: Option<&'static str>,
}

impl Places {
    /// The places of this process: `RUNTIME_DIRECTORY`, `XDG_RUNTIME_DIR`, `/run`, `/dev/shm`.
    pub(crate) fn from_env() -> Places {
        let env = |name: &str| std::env::var_os(name);
        Places {
            candidates: Places::candidates_of(env),
            container: container_sign(Path::new("/"), env),
        }
    }

    /// Exactly these places, outside of any container.
    #[cfg(test)]
    pub(crate) fn only(candidates: Vec<PathBuf>) -> Places {
        Places { candidates, container: None }
    }

    /// The same places, said to be in a container for `sign`.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn in_container(mut self, sign: &'static str) -> Places {
        self.container = Some(sign);
        self
    }

    fn candidates_of(env: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
        let mut candidates: Vec<PathBuf> = Vec::new();
        // systemd lists all of a unit's runtime directories; the first is as good as any.
        let runtime = env("RUNTIME_DIRECTORY")
            .and_then(|list| list.as_bytes().split(|&byte| byte == b':').next().map(to_path));
        let user = env("XDG_RUNTIME_DIR").map(PathBuf::from);
        for place in [runtime, user, Some("/run".into()), Some("/dev/shm".into())] {
            let place = place.filter(|place| place.is_absolute());
            candidates.extend(place.filter(|place| !candidates.contains(place)));
        }
        candidates
    }

    /// The places in the order of trial; the one to avoid comes last.
    pub(super) fn in_order(&self, avoid: Option<&Path>) -> impl Iterator<Item = &Path> {
        let trusted = self.candidates.iter().filter(move |place| Some(place.as_path()) != avoid);
        let doubted = self.candidates.iter().filter(move |place| Some(place.as_path()) == avoid);
        trusted.chain(doubted).map(PathBuf::as_path)
    }

    /// By what a container was recognised, if the process runs in one.
    pub(super) fn container(&self) -> Option<&'static str> {
        self.container
    }
}

/// Signs of a container, which takes its memory file with it when it ends. There is no sure way to
/// tell; these are what the common ones leave.
fn container_sign(root: &Path, env: impl Fn(&str) -> Option<OsString>) -> Option<&'static str> {
    if env("KUBERNETES_SERVICE_HOST").is_some() {
        return Some("KUBERNETES_SERVICE_HOST is set");
    }
    // podman, lxc, nspawn
    if env("container").is_some_and(|kind| !kind.is_empty()) {
        return Some("the variable `container` is set");
    }
    for (path, sign) in [
        (".dockerenv", "/.dockerenv exists"),
        ("run/.containerenv", "/run/.containerenv exists"),
        ("run/systemd/container", "/run/systemd/container exists"),
    ] {
        if root.join(path).exists() {
            return Some(sign);
        }
    }
    let cgroup = std::fs::read(root.join("proc/1/cgroup")).unwrap_or_default();
    let cgroup = String::from_utf8_lossy(&cgroup);
    ["docker", "kubepods", "containerd", "libpod", "/lxc/"]
        .iter()
        .any(|word| cgroup.contains(word))
        .then_some("/proc/1/cgroup names a container")
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
        let candidates = Places::candidates_of(env(&[
            ("RUNTIME_DIRECTORY", "/run/app:/run/other"),
            ("XDG_RUNTIME_DIR", "/run/user/1000"),
        ]));
        let expected = ["/run/app", "/run/user/1000", "/run", "/dev/shm"];
        assert_eq!(candidates, expected.map(PathBuf::from));
    }

    #[test]
    fn relative_and_repeated_places_are_left_out() {
        let candidates = Places::candidates_of(env(&[
            ("RUNTIME_DIRECTORY", "run/app"),
            ("XDG_RUNTIME_DIR", "/dev/shm"),
        ]));
        assert_eq!(candidates, ["/dev/shm", "/run"].map(PathBuf::from));
    }

    #[test]
    fn the_place_to_avoid_is_tried_last() {
        let places = Places::only(["/a", "/b", "/c"].map(PathBuf::from).into());
        let order: Vec<_> = places.in_order(Some(Path::new("/a"))).collect();
        assert_eq!(order, ["/b", "/c", "/a"].map(Path::new));
        let order: Vec<_> = places.in_order(None).collect();
        assert_eq!(order, ["/a", "/b", "/c"].map(Path::new));
    }

    #[test]
    fn the_common_containers_are_recognised() {
        let host = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(host.path().join("proc/1")).unwrap();
        std::fs::write(host.path().join("proc/1/cgroup"), "0::/init.scope\n").unwrap();
        assert_eq!(container_sign(host.path(), env(&[])), None);
        assert!(container_sign(host.path(), env(&[("container", "podman")])).is_some());
        assert!(
            container_sign(host.path(), env(&[("KUBERNETES_SERVICE_HOST", "10.0.0.1")])).is_some()
        );
        let old = "12:cpu:/docker/0123\n";
        std::fs::write(host.path().join("proc/1/cgroup"), old).unwrap();
        assert!(container_sign(host.path(), env(&[])).is_some());
        std::fs::write(host.path().join("proc/1/cgroup"), "0::/\n").unwrap();
        std::fs::write(host.path().join(".dockerenv"), "").unwrap();
        assert!(container_sign(host.path(), env(&[])).is_some());
    }
}
