//! The spool on real files, across real processes.

mod child;
mod disks;
mod file;
mod inherit;
mod measure;
mod memory;
mod model;
mod slots;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use annunciator_core::storage::Storage;
use tempfile::TempDir;

use super::direct::Direct;
use super::error::Change;
use super::identity::{MAX_SLOTS, SlotName};
use super::*;
use crate::health::DiskUse;

const SIZE: usize = 16 << 10;

/// Held while a process is started: until it is up it has copies of all descriptors of all tests,
/// locks included.
static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// As SIGKILL would: nothing is ended, only descriptors close, copies in newborn processes included.
fn crash<T>(victim: T) {
    drop(victim);
    drop(STARTING.lock().unwrap());
}

fn start(directory: &Path, size: usize, places: &Places) -> Opened {
    open(directory, key(), size, places).unwrap()
}

fn key() -> RecipientKey {
    RecipientKey::of("447700900000")
}

fn slot(number: u8) -> SlotName {
    SlotName { key: key(), number }
}

/// A spool directory to be made, in a private one on the disk.
struct Home {
    temp: TempDir,
}

impl Home {
    fn new() -> Home {
        Home { temp: tempfile::tempdir().unwrap() }
    }

    /// In memory, for tests that sync by the thousand and ask nothing of a real disk.
    fn in_memory() -> Home {
        Home { temp: tempfile::tempdir_in("/dev/shm").unwrap() }
    }

    fn spool(&self) -> PathBuf {
        self.temp.path().join("spool")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.spool().join(name)
    }

    fn open(&self) -> Spool {
        Spool::open(&self.spool(), key(), SIZE).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.spool())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Places on a memory-backed file system.
struct Shm {
    temp: TempDir,
}

impl Shm {
    fn new() -> Shm {
        Shm { temp: tempfile::tempdir_in("/dev/shm").unwrap() }
    }

    fn places(&self) -> Places {
        Places::only(vec![self.temp.path().to_path_buf()])
    }

    fn directory(&self) -> PathBuf {
        self.temp.path().join(format!("annunciator-{}", sys::effective_user()))
    }

    fn files(&self) -> Vec<PathBuf> {
        match std::fs::read_dir(self.directory()) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        }
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn chown(path: &Path, owner: u32) {
    std::os::unix::fs::chown(path, Some(owner), None).unwrap();
}

/// Some tests need another user's files, which only root can make.
fn is_root() -> bool {
    let root = sys::effective_user() == 0;
    if !root {
        eprintln!("not root: the part with another user's files is left out");
    }
    root
}

fn read(spool: &mut Spool, at: usize, len: usize) -> Vec<u8> {
    let mut bytes = vec![0xee; len];
    spool.read(at, &mut bytes).unwrap();
    bytes
}
