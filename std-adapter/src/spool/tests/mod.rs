//! The spool on real files, across real processes.

mod child;
mod destination;
mod directory;
mod disks;
pub(super) mod faults;
mod file;
mod instances;
mod measure;
mod memory;
mod model;
mod starts;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use annunciator_core::ring;
use tempfile::TempDir;

use super::error::Trouble;
use super::testing::{PREFIX, Ring, serve, spoil, starts_and_waiting};
use super::*;
use crate::health::DiskUse;

const SIZE: usize = ring::region_len_of::<TEXT>(31);
/// The boot of these tests.
const BOOT: u64 = 1;

/// Held while a process is started: until it is up it has copies of all descriptors of all tests,
/// locks included.
static STARTING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// As SIGKILL would: nothing is ended, only descriptors close, copies in newborn processes included.
fn crash<T>(victim: T) {
    drop(victim);
    drop(STARTING.lock().unwrap());
}

fn wanted(directory: &Path, dirs: &RuntimeDirs) -> Wanted {
    let (directory, dirs) = (directory.to_path_buf(), dirs.clone());
    Wanted { directory, key: key(), prefix: PREFIX.to_owned(), size: SIZE, dirs, boot: BOOT }
}

fn start(directory: &Path, dirs: &RuntimeDirs) -> Opened {
    open(&wanted(directory, dirs)).unwrap()
}

/// The file of an instance alone, as if no memory outlived the program.
fn open_sized(directory: &Path, size: usize) -> Spool {
    let dirs = RuntimeDirs::only(Vec::new());
    open(&Wanted { size, ..wanted(directory, &dirs) }).unwrap().spool.unwrap()
}

fn refused(directory: &Path) -> SpoolError {
    let dirs = RuntimeDirs::only(Vec::new());
    open(&wanted(directory, &dirs)).unwrap().spool.unwrap_err()
}

fn key() -> DestinationKey {
    DestinationKey::of("447700900000")
}

fn instance(number: u8) -> InstanceName {
    InstanceName { key: key(), number }
}

impl Opened {
    fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().unwrap()
    }

    fn waits(&self) -> bool {
        !is_empty(&self.region)
    }

    fn number(&self) -> u8 {
        self.spool.as_ref().unwrap().name().number
    }

    /// Serves the region, as an alerter would: one start and these events.
    fn serve(&mut self, records: &[&str]) {
        let records: Vec<String> = records.iter().map(|record| record.to_string()).collect();
        serve(&mut self.region, self.found.ring_id, BOOT, PREFIX, &records);
    }

    /// Writes all of the region to the file.
    fn commit(&mut self) {
        let Opened { region, spool, .. } = self;
        commit(spool.as_mut().unwrap(), region);
    }

    /// Ends in an orderly way.
    fn close(&mut self, nothing_left: bool) {
        close(self.spool.as_mut().ok(), &self.keeper, nothing_left);
    }
}

/// As an alerter writes: all but what is the adapter's own.
fn commit(spool: &mut Spool, region: &[u8]) {
    let len = ring::OPEN_AT;
    spool.write(0, &region[..len]).unwrap();
    spool.write(ring::OVERHEAD, &region[ring::OVERHEAD..]).unwrap();
    spool.sync().unwrap();
}

/// What waits in these bytes, in words.
fn texts(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(ring::OVERHEAD..).unwrap_or_default()).into_owned()
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
        open_sized(&self.spool(), SIZE)
    }

    fn start(&self, shm: &Shm) -> Opened {
        start(&self.spool(), &shm.dirs())
    }

    /// The disk goes away, with all that is on it.
    fn unplug(&self) {
        if self.spool().exists() {
            std::fs::rename(self.spool(), self.temp.path().join("away")).unwrap();
        }
        std::fs::write(self.spool(), b"in the way").unwrap();
    }

    fn plug(&self) {
        std::fs::remove_file(self.spool()).unwrap();
        let _ = std::fs::rename(self.temp.path().join("away"), self.spool());
    }

    /// Puts a ring into an instance's file.
    fn put(&self, number: u8, bytes: &[u8]) {
        if !self.spool().exists() {
            std::fs::create_dir(self.spool()).unwrap();
            chmod(&self.spool(), 0o700);
        }
        std::fs::write(self.file(&instance(number).spool()), bytes).unwrap();
        chmod(&self.file(&instance(number).spool()), 0o600);
    }

    fn get(&self, number: u8) -> Vec<u8> {
        std::fs::read(self.file(&instance(number).spool())).unwrap()
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

/// A runtime directory on a memory-backed file system.
struct Shm {
    temp: TempDir,
}

impl Shm {
    fn new() -> Shm {
        Shm { temp: tempfile::tempdir_in("/dev/shm").unwrap() }
    }

    fn dirs(&self) -> RuntimeDirs {
        RuntimeDirs::only(vec![self.temp.path().to_path_buf()])
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

fn read(spool: &Spool, at: usize, len: usize) -> Vec<u8> {
    spool.file.read_all().unwrap()[at..at + len].to_vec()
}
