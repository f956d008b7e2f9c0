//! The store on real files, with the clock in the tests' hand.

use std::fs;

use annunciator_core::alerter::Policy;
use annunciator_core::event::{Event, Level};
use annunciator_core::memory::Memory;
use annunciator_core::ring::OVERHEAD;
use tempfile::TempDir;

use super::*;
use crate::event::Entry;
use crate::spool::Source;

const DESTINATION: &str = "447700900000";

struct Home {
    disk: TempDir,
    memory: TempDir,
    place: Place,
}

/// A store and the alerter on its ring.
struct Run {
    store: Store,
    ring: Ring,
    found: (Source, bool),
}

impl Home {
    fn new() -> Home {
        let disk = tempfile::tempdir().unwrap();
        let place = Place::Directory(disk.path().join("spool"));
        Home { disk, memory: tempfile::tempdir_in("/dev/shm").unwrap(), place }
    }

    fn context(&self, destination: &str, slots: usize, dirs: RuntimeDirs) -> Arc<Context> {
        Arc::new(Context::new(Settings {
            place: &self.place,
            name: "pump",
            prefix: "[Rust Logger pump] ".to_owned(),
            destination,
            configured: &[destination],
            size: region_len_of::<TEXT>(slots),
            dirs,
        }))
    }

    fn open_as(&self, destination: &str, slots: usize, dirs: RuntimeDirs) -> Run {
        let opened = open(&self.context(destination, slots, dirs)).unwrap();
        run(opened)
    }

    fn open(&self) -> Run {
        self.open_as(DESTINATION, 8, self.dirs())
    }

    fn dirs(&self) -> RuntimeDirs {
        RuntimeDirs::only(vec![self.memory.path().to_path_buf()])
    }

    fn files(&self, end: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.disk.path().join("spool")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_str().is_some_and(|path| path.ends_with(end))).collect()
    }
}

fn maker() -> RingMaker {
    RingMaker { policy: Policy::default(), report_crashes: true, seed: 1 }
}

fn run((store, region, found): (Store, Region, Found)) -> Run {
    let ring = maker().own(&store, region, &found);
    Run { store, ring, found: (found.source, found.crashed) }
}

impl Run {
    fn record(&mut self, message: &str) {
        let event = Event::new(Level::Error, message);
        self.ring.admit(spool::now(), &Entry::sized(&event));
    }

    /// Writes all but what is the adapter's own.
    fn commit(&mut self) {
        let bytes = self.ring.memory().bytes();
        self.store.write(0, &bytes[..annunciator_core::ring::OPEN_AT]).unwrap();
        self.store.write(OVERHEAD, &bytes[OVERHEAD..]).unwrap();
        self.store.sync().unwrap();
    }

    fn holds(&self, text: &str) -> bool {
        String::from_utf8_lossy(self.ring.memory().bytes()).contains(text)
    }
}

#[test]
fn a_round_finds_a_file_that_was_removed_and_then_all_is_well_again() {
    let home = Home::new();
    let mut run = home.open();
    run.commit();
    let now = spool::now();
    assert!(!run.store.round_is_due(now));
    let later = now + ROUND + ROUND;
    assert!(run.store.round_is_due(later));
    run.store.round(later).unwrap();

    fs::remove_file(&home.files(".spool")[0]).unwrap();
    let trouble = run.store.round(later + ROUND).unwrap_err();
    assert!(trouble.contains("was removed by somebody else"), "{trouble}");
    run.commit();
    run.store.round(later + ROUND + ROUND).unwrap();
}

#[test]
fn an_idle_store_writes_nothing() {
    let home = Home::new();
    let mut run = home.open();
    run.commit();
    let used = || (home.files(".spool"), fs::read(&home.files(".spool")[0]).unwrap());
    let before = (used(), run.store.health(None).disk);
    let mut now = spool::now();
    for _ in 0..48 {
        now = now + ROUND;
        run.store.round(now).unwrap();
        assert_eq!(run.store.expire(now), 0);
        assert!(!run.store.wants_memory() && run.store.orphans().is_empty());
    }
    assert_eq!((used(), run.store.health(None).disk), before);
}

#[test]
fn a_ring_of_a_destination_that_is_no_longer_configured_goes_by_age_and_is_counted() {
    let home = Home::new();
    let mut other = home.open_as("447700900111", 8, home.dirs());
    other.record("for nobody");
    other.commit();
    drop(other);
    let mut run = home.open();
    assert_eq!(run.found, (Source::Nothing, false), "it is not ours");
    let start = spool::now();
    let mut now = start;
    let days = |now: Instant| now.since(start).as_millis() / 86_400_000;
    let lost = loop {
        let lost = run.store.expire(now);
        if lost > 0 || days(now) > 40 {
            break lost;
        }
        now = now + EXPIRY_ROUND;
    };
    assert_eq!((lost, days(now)), (1, 35));
    assert_eq!(home.files(".lock").len(), 1);
    assert_eq!(home.files(".spool").len(), 0);
    assert_eq!(home.files(".state").len(), 1, "its state went with it");
}

#[test]
fn of_a_dead_neighbour_all_is_served_once_and_its_ring_stays_for_the_next() {
    let home = Home::new();
    let mut first = home.open();
    first.record("first's");
    let mut second = home.open();
    second.record("second's");
    second.commit();
    second.record("and not committed");
    let own = annunciator_core::ring::identity(first.ring.memory().bytes());
    drop(second);
    assert_eq!(first.store.orphans(), [1]);
    let (store, region, found) = first.store.open_orphan(1, own).unwrap().unwrap();
    assert!(found.crashed && found.source == Source::Memory);
    let ring = maker().orphan(&store, region, &found, &mut Vec::new());
    let mut orphan = Run { store, ring, found: (found.source, found.crashed) };
    assert!(orphan.holds("second's") && orphan.holds("and not committed"));
    assert!(first.store.open_orphan(1, own).unwrap().is_none(), "it is locked");
    orphan.store.announce_end();
    orphan.store.end(true);
    drop(orphan);
    let next = home.open();
    assert!(!next.found.1, "no crash of its own");
    assert!(next.holds("second's"), "as this one did not send it");
}

#[test]
fn an_orphan_that_cannot_be_opened_is_a_trouble_only_until_it_can() {
    let home = Home::new();
    let mut run = home.open();
    let trouble = |run: &Run| run.store.health(None).trouble;
    run.store.note_orphan_trouble(Some("too many open files".to_owned()));
    assert_eq!(trouble(&run).as_deref(), Some("too many open files"));
    run.store.note_orphan_trouble(None);
    assert_eq!(trouble(&run), None);
    // It hides nothing that the start has found.
    run.store.notice = Some("it is kept as .damaged".to_owned());
    run.store.note_orphan_trouble(Some("too many open files".to_owned()));
    assert_eq!(trouble(&run).as_deref(), Some("it is kept as .damaged"));
}

#[test]
fn file_and_memory_move_together_if_somebody_was_quicker_in_a_directory_made_anew() {
    let home = Home::new();
    let mut run = home.open();
    run.record("moves");
    run.commit();
    fs::remove_dir_all(home.disk.path().join("spool")).unwrap();
    // It cannot see the memory file, and takes the number.
    let quicker = home.open_as(DESTINATION, 8, RuntimeDirs::only(Vec::new()));
    assert!(run.store.write(0, b"").is_err());
    run.commit();
    assert!(run.store.memory_is_linked());
    let path = run.store.keeper.path().unwrap();
    assert!(path.to_str().unwrap().ends_with("-1.ring"), "{}", path.display());
    drop((run, quicker));
    let next = home.open();
    assert!(!next.holds("moves"));
    assert_eq!(next.store.orphans(), [1], "one ring, found once");
}

#[test]
fn callers_write_themselves_only_where_memory_does_not_outlive_the_program() {
    let home = Home::new();
    let run = home.open();
    let health = run.store.health(None);
    assert!(run.store.direct_writer().is_none());
    assert!(health.survives_crash && !health.direct_writes);
    for dirs in [RuntimeDirs::only(Vec::new()), home.dirs().within_container()] {
        let home = Home::new();
        let run = home.open_as(DESTINATION, 8, dirs);
        assert!(run.store.direct_writer().is_some());
        let health = run.store.health(None);
        assert!(!health.survives_crash && health.direct_writes && health.survives_power_cut);
        assert_eq!(home.files(".spool").len(), 1, "there is a file to write to");
        assert!(!run.store.health(Some("an error")).direct_writes);
    }
}

#[test]
fn what_is_taken_up_again_after_an_end_is_open_again() {
    let home = Home::new();
    let mut run = home.open();
    run.store.end(true);
    run.store.resume();
    run.commit();
    drop(run);
    let run = home.open();
    assert!(run.store.health(None).after_crash);
}

#[test]
fn a_file_larger_than_the_ring_keeps_its_size_as_long_as_something_waits() {
    let home = Home::new();
    let mut run = home.open_as(DESTINATION, 32, home.dirs());
    for number in 0..20 {
        run.record(&format!("number {number}"));
    }
    run.commit();
    run.store.end(true);
    drop(run);
    let mut run = home.open();
    assert_eq!(run.found, (Source::File, false));
    assert!(run.store.needs_rewrite());
    assert_eq!(run.ring.stats().waiting, 20);
    run.commit();
    assert!(!run.store.needs_rewrite());
}

#[test]
fn a_program_without_a_disk_leaves_its_destinations_state_to_the_next_start() {
    let home = Home { place: Place::Off, ..Home::new() };
    let spent = |run: &Run| {
        run.store.context().destination.exchange(false, |bytes| {
            (bytes.iter().any(|byte| *byte != 0), None::<(usize, [u8; 512])>)
        })
    };
    let run = home.open();
    assert!(spent(&run), "a start is noted");
    assert!(run.store.lacks_disk().is_none() && !run.store.wants_commits());
    let mut run = run;
    run.store.end(true);
    drop(run);
    assert!(spent(&home.open()), "money and rhythm outlive a clean end");
}
