//! The store on real files, with the clock in the tests' hand.

use std::fs;

use annunciator_core::ring::region_len;
use tempfile::TempDir;

use super::*;

const IDENTITY: &str = "pump\n447700900000";

struct Home {
    disk: TempDir,
    memory: TempDir,
    place: Place,
}

impl Home {
    fn new() -> Home {
        let disk = tempfile::tempdir().unwrap();
        let place = Place::Directory(disk.path().join("spool"));
        Home { disk, memory: tempfile::tempdir_in("/dev/shm").unwrap(), place }
    }

    fn open_as(&self, identity: &str, places: Places) -> (Store, Found) {
        let configured = [identity];
        let wanted = Wanted {
            place: &self.place,
            identity,
            configured: &configured,
            size: region_len(8),
            places,
        };
        open(&wanted).unwrap()
    }

    fn open(&self) -> (Store, Found) {
        self.open_as(IDENTITY, self.places())
    }

    fn places(&self) -> Places {
        Places::only(vec![self.memory.path().to_path_buf()])
    }

    fn files(&self, end: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.disk.path().join("spool")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end))).collect()
    }
}

fn commit(store: &mut Store) {
    store.write(0, b"something").unwrap();
    store.sync().unwrap();
}

#[test]
fn a_round_finds_a_file_that_was_removed_and_then_all_is_well_again() {
    let home = Home::new();
    let (mut store, _) = home.open();
    commit(&mut store);
    let now = spool::now();
    assert!(store.round_is_due(now), "for slots that may expire");
    store.round(now).unwrap();
    assert!(!store.round_is_due(now));
    let later = now + ROUND + ROUND;
    assert!(store.round_is_due(later));
    store.round(later).unwrap();

    fs::remove_file(&home.files(".spool")[0]).unwrap();
    let trouble = store.round(later + ROUND).unwrap_err();
    assert!(trouble.contains("was removed by somebody else"), "{trouble}");
    commit(&mut store);
    store.round(later + ROUND + ROUND).unwrap();
}

#[test]
fn an_idle_store_writes_nothing() {
    let home = Home::new();
    let (mut store, _) = home.open();
    commit(&mut store);
    let used = || (home.files(".spool"), fs::read(&home.files(".lock")[0]).unwrap());
    let before = (used(), store.health(None).disk);
    let mut now = spool::now();
    for _ in 0..48 {
        now = now + ROUND;
        store.round(now).unwrap();
        assert!(!store.wants_memory() && !store.has_unopened());
    }
    assert_eq!((used(), store.health(None).disk), before);
}

#[test]
fn a_slot_of_a_recipient_that_is_no_longer_configured_is_written_off_by_age() {
    let home = Home::new();
    let (mut other, _) = home.open_as("pump\n447700900111", home.places());
    commit(&mut other);
    drop(other);
    let (mut store, found) = home.open();
    assert!(!found.inherits, "it is not ours");
    let start = spool::now();
    let day = EXPIRY_ROUND;
    let mut now = start;
    while !store.has_unopened() {
        assert!(now.since(start) <= EXPIRY + day, "never written off");
        now = now + day;
        store.round(now).unwrap();
    }
    assert!(now.since(start) >= EXPIRY, "too early");
    store.open_estate();
    let parcel = store.parcel().unwrap();
    assert!(!parcel.tell && !parcel.bytes.is_empty());
    store.settle_parcel(now);
    assert_eq!(home.files(".lock").len(), 1);
    assert!(home.files(".spool").is_empty());
}

#[test]
fn of_a_dead_neighbour_memory_comes_first_and_the_file_only_beside_it() {
    for beside in [false, true] {
        let home = Home::new();
        let (mut first, _) = home.open();
        let (mut second, found) = home.open();
        found.memory[..4].copy_from_slice(b"both");
        second.write(0, b"bo").unwrap();
        second.sync().unwrap();
        drop(second);
        if beside {
            // As if that memory had been born while the disk was away.
            let path = fs::read_dir(home.memory.path()).unwrap().next().unwrap().unwrap().path();
            let path = path.join(memory_file(&path, "-1.ring"));
            let mut bytes = fs::read(&path).unwrap();
            bytes[72..80].fill(0);
            fs::write(&path, bytes).unwrap();
        }
        first.round(spool::now() + ROUND).unwrap();
        first.open_estate();
        let parcel = first.parcel().unwrap();
        assert_eq!((&parcel.bytes[..4], parcel.estate.origin()), (&b"both"[..], Origin::Memory));
        let token = parcel.estate.token();
        first.settle_parcel(spool::now());
        if beside {
            let parcel = first.parcel().unwrap();
            assert_eq!(
                (&parcel.bytes[..4], parcel.estate.origin()),
                (&b"bo\0\0"[..], Origin::Storage)
            );
            assert_ne!(parcel.estate.token(), token);
            first.settle_parcel(spool::now());
        }
        assert!(first.parcel().is_none() && !first.has_unopened());
        assert_eq!(home.files(".lock").len(), 1, "removed");
    }
}

fn memory_file(directory: &Path, end: &str) -> std::ffi::OsString {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    names.into_iter().find(|name| name.to_str().unwrap().ends_with(end)).unwrap()
}

#[test]
fn callers_write_themselves_only_where_memory_does_not_outlive_the_program() {
    let home = Home::new();
    let (store, _) = home.open();
    let health = store.health(None);
    assert!(store.direct_writer().is_none());
    assert!(health.survives_crash && !health.direct_writes);
    for places in [Places::only(Vec::new()), home.places().in_container("a test")] {
        let home = Home::new();
        let (store, _) = home.open_as(IDENTITY, places);
        assert!(store.direct_writer().is_some());
        let health = store.health(None);
        assert!(!health.survives_crash && health.direct_writes && health.survives_power_cut);
        assert_eq!(home.files(".spool").len(), 1, "there is a file to write to");
        assert!(!store.health(Some("an error")).direct_writes);
    }
}

#[test]
fn a_session_that_is_taken_up_again_is_a_running_one() {
    let home = Home::new();
    let (mut store, _) = home.open();
    store.end_session(true);
    store.resume_session();
    drop(store);
    let (store, _) = home.open();
    assert!(store.health(None).after_crash);
}

#[test]
fn a_file_larger_than_the_ring_is_to_be_written_again_and_taken_over_whole() {
    let home = Home::new();
    let configured = [IDENTITY];
    let wanted = |size| Wanted {
        place: &home.place,
        identity: IDENTITY,
        configured: &configured,
        size,
        places: home.places(),
    };
    let (mut store, _) = open(&wanted(region_len(32))).unwrap();
    commit(&mut store);
    store.end_session(true);
    drop(store);
    let (mut store, found) = open(&wanted(region_len(8))).unwrap();
    assert!(found.rewrite && found.inherits && found.origin == Origin::Memory);
    assert_eq!(store.take_inherited().unwrap().len(), region_len(32));
    store.took_over();
    drop(store);
    let (mut store, found) = open(&wanted(region_len(8))).unwrap();
    assert!(found.inherits && found.rewrite);
    assert!(store.take_inherited().is_none(), "the region has it now");
}
