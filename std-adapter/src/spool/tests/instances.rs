//! Instances: who has what, what waits for others, what goes in the end.

use super::child::Child;
use super::faults;
use super::*;

#[test]
fn each_process_has_an_instance_of_its_own() {
    let home = Home::new();
    let first = home.open();
    let second = home.open();
    let dirs = RuntimeDirs::only(Vec::new());
    let key = DestinationKey::of("491700000000");
    let wanted = Wanted { key, ..super::wanted(&home.spool(), &dirs) };
    let other = open(&wanted).unwrap().spool.unwrap();
    assert_eq!([first.name(), second.name()], [instance(0), instance(1)]);
    assert_eq!(other.name().number, 0);
    crash(first);
    assert_eq!(home.open().name(), instance(0));
}

#[test]
fn more_processes_than_instances_is_an_error_and_not_a_wait() {
    let home = Home::new();
    let held: Vec<Spool> = (0..MAX_INSTANCES).map(|_| home.open()).collect();
    assert_eq!(refused(&home.spool()).trouble, Trouble::Busy);
    crash(held);
}

#[test]
fn a_lock_on_a_file_that_has_just_been_removed_does_not_count() {
    let home = Home::new();
    let keeper = home.open();
    // Between our opening of lock file 1 and its locking, somebody removes it as that of an
    // unclaimed instance, and somebody else takes the instance anew.
    crash(home.open());
    let (path, spool) = (home.file("k217feda2-1.lock"), home.spool());
    assert!(path.exists());
    let other = std::rc::Rc::new(std::cell::RefCell::new(None));
    let theirs = std::rc::Rc::clone(&other);
    // Lock file 0 is tried first.
    faults::before_locking(move || {
        faults::before_locking(move || {
            std::fs::remove_file(path).unwrap();
            *theirs.borrow_mut() = Some(open_sized(&spool, SIZE));
        });
    });
    let ours = home.open();
    let other = other.take().unwrap();
    assert_eq!([keeper.name(), other.name(), ours.name()], [instance(0), instance(1), instance(2)]);
}

#[test]
fn a_lock_file_removed_under_us_is_made_anew_and_the_instance_kept() {
    let home = Home::new();
    let mut spool = home.open();
    spool.write(0, b"old").unwrap();
    spool.sync().unwrap();
    let lock = home.file("k217feda2-0.lock");
    for commit in [false, true] {
        std::fs::remove_file(&lock).unwrap();
        let noticed = if commit { spool.write(0, b"new") } else { spool.sync() };
        let error = noticed.unwrap_err();
        assert!(error.trouble == Trouble::Removed && error.path == lock, "{error}");
        spool.write(0, b"new").unwrap();
        spool.sync().unwrap();
        assert_eq!(spool.name(), instance(0));
        assert_eq!(home.open().name(), instance(1), "held again");
        crash(());
    }
    // Unless somebody was quicker.
    std::fs::remove_file(&lock).unwrap();
    let quicker = home.open();
    assert_eq!(quicker.name(), instance(0));
    assert!(spool.write(0, b"new").is_err());
    spool.write(0, b"new").unwrap();
    assert_eq!(spool.name(), instance(1));
}

#[test]
fn other_processes_are_excluded_until_they_die() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut child = Child::hold(&home.spool());
    assert_eq!(child.line(), "held k217feda2-0");
    let mut ours = home.start(&shm);
    assert_eq!(ours.number(), 1);
    assert!(orphan(&ours, &home, &shm, 0).is_none(), "never one that somebody has");
    child.kill();
    let found = orphan(&ours, &home, &shm, 0).unwrap();
    assert!(texts(&found.region).contains("held"));
    assert!(found.found.crashed && found.waits());
    ours.close(true);
}

/// LogAlert: a lock file that a killed program had left kept every later one from its queue.
#[test]
fn a_lock_left_behind_is_no_obstacle() {
    let home = Home::new();
    let mut child = Child::hold(&home.spool());
    assert_eq!(child.line(), "held k217feda2-0");
    child.kill();
    assert!(home.file("k217feda2-0.lock").exists());
    assert_eq!(std::fs::metadata(home.file("k217feda2-0.lock")).unwrap().len(), 0);
    let ours = home.open();
    assert_eq!(ours.name(), instance(0));
    assert!(texts(&ours.file.read_all().unwrap()).contains("held"));
}

/// What another instance has left, if it is ours to serve.
fn orphan(ours: &Opened, home: &Home, shm: &Shm, number: u8) -> Option<Opened> {
    let wanted = wanted(&home.spool(), &shm.dirs());
    let spool = ours.spool.as_ref().ok();
    let listed = orphans(spool, &ours.keeper, &wanted).contains(&number);
    let opened = open_orphan(&wanted, number, spool, ring::identity(&ours.region)).unwrap();
    assert!(listed || opened.is_none(), "what is not listed is never opened");
    opened
}

#[test]
fn a_program_takes_the_lowest_instance_that_is_empty_or_its_own() {
    let (home, shm) = (Home::new(), Shm::new());
    home.put(0, &Ring::new(0xA).prefix("[other] ").record("theirs").bytes());
    home.put(1, &Ring::new(0xB).prefix("[other] ").bytes());
    home.put(2, &Ring::new(0xC).record("ours").bytes());
    let first = home.start(&shm);
    assert_eq!((first.number(), first.found.ring_id), (1, 0xB), "empty is free");
    assert_eq!((first.found.source, first.waits()), (Source::File, false));
    let second = home.start(&shm);
    assert_eq!((second.number(), second.found.ring_id), (2, 0xC));
    assert!(second.waits() && texts(&second.region).contains("ours"));
    // The other program's is an orphan, with its own prefix.
    let theirs = orphan(&first, &home, &shm, 0).unwrap();
    assert_eq!(ring::label(&theirs.region), "[other] ");
    assert!(!theirs.found.crashed, "its mark says so");
    assert!(orphan(&first, &home, &shm, 2).is_none(), "somebody has it");
}

#[test]
fn a_prefix_that_was_cut_is_still_ours() {
    const LONG: &str = "[Rust Logger a program with a name that is much too long for a text] ";
    let (home, shm) = (Home::new(), Shm::new());
    home.put(0, &Ring::new(0xA).prefix(LONG).record("ours").bytes());
    let opened =
        open(&Wanted { prefix: LONG.to_owned(), ..wanted(&home.spool(), &shm.dirs()) }).unwrap();
    assert_eq!(opened.number(), 0);
}

#[test]
fn an_orphan_is_served_through_its_memory_and_free_afterwards() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut gone = home.start(&shm);
    let ours = home.start(&shm);
    gone.serve(&["committed"]);
    gone.commit();
    gone.serve(&["and not"]);
    crash(gone);

    let mut found = orphan(&ours, &home, &shm, 0).unwrap();
    assert_eq!(found.found.source, Source::Memory);
    assert!(found.found.crashed && texts(&found.region).contains("and not"));
    assert!(orphan(&ours, &home, &shm, 0).is_none(), "locked while it is served");
    assert_eq!(home.start(&shm).number(), 2, "nor can anybody else have it");
    // Served, all reported, and committed.
    let id = found.found.ring_id;
    found.region.fill(0);
    found.region.copy_from_slice(&Ring::new(id).starts(9).slots(31).bytes());
    found.commit();
    found.close(true);
    crash(found);
    assert!(orphan(&ours, &home, &shm, 0).is_none());
    let names = shm.files().into_iter().filter(|file| file.to_str().unwrap().ends_with("-0.ring"));
    assert_eq!(names.count(), 0, "its memory file is gone");
    let next = home.start(&shm);
    assert_eq!((next.number(), next.found.ring_id), (0, id), "the next one goes on with its ring");
}

#[test]
fn an_end_without_a_word_is_an_orphan_though_nothing_waits() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut gone = home.start(&shm);
    let ours = home.start(&shm);
    gone.serve(&[]);
    gone.commit();
    crash(gone);
    assert!(orphan(&ours, &home, &shm, 0).unwrap().found.crashed);
    // Its memory is lost as well: the mark in the file tells.
    crash(());
    shm.files().iter().filter(|file| file.to_str().unwrap().ends_with("-0.ring")).for_each(
        |file| {
            std::fs::remove_file(file).unwrap();
        },
    );
    let mut found = orphan(&ours, &home, &shm, 0).unwrap();
    assert!(found.found.crashed && found.found.lost_memory);
    found.close(true);
    crash(found);
    assert!(orphan(&ours, &home, &shm, 0).is_none());
}

#[test]
fn an_older_copy_of_ones_own_ring_is_no_orphan() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut ours = home.start(&shm);
    ours.serve(&["once"]);
    home.put(3, &Ring::new(ours.found.ring_id).record("once").starts(0).bytes());
    ours.serve(&[]);
    let copy = Ring::new(ours.found.ring_id).record("once").bytes();
    home.put(3, &copy);
    assert!(orphan(&ours, &home, &shm, 3).is_none());
    assert!(!home.file("k217feda2-3.spool").exists(), "it was not sent twice, and it is gone");
    // One that was started as often is another program's by now.
    home.put(3, &Ring::new(ours.found.ring_id).record("once").starts(5).bytes());
    assert!(orphan(&ours, &home, &shm, 3).is_some());
}

#[test]
fn an_older_copy_does_not_take_another_ring_with_it() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut ours = home.start(&shm);
    ours.serve(&["ours"]);
    ours.serve(&[]);
    home.unplug();
    let mut theirs = home.start(&shm);
    assert_eq!(theirs.keeper.number(), 1);
    theirs.serve(&["theirs"]);
    crash(theirs);
    home.plug();
    home.put(1, &Ring::new(ours.found.ring_id).record("ours").bytes());
    assert!(orphan(&ours, &home, &shm, 1).is_none());
    assert!(!home.file("k217feda2-1.spool").exists());
    let found = orphan(&ours, &home, &shm, 1).unwrap();
    assert!(texts(&found.region).contains("theirs"));
}

#[test]
fn what_died_without_a_disk_is_found_by_others() {
    let (home, shm) = (Home::new(), Shm::new());
    home.unplug();
    let mut one = home.start(&shm);
    let mut two = home.start(&shm);
    assert_eq!([one.keeper.number(), two.keeper.number()], [0, 1]);
    one.serve(&["first"]);
    two.serve(&["second"]);
    assert!(orphan(&one, &home, &shm, 1).is_none(), "somebody has it");
    crash(two);
    let found = orphan(&one, &home, &shm, 1).unwrap();
    assert!(texts(&found.region).contains("second") && found.found.crashed);
    crash(found);
    // With the disk it is found as well, and gets a file.
    home.plug();
    let three = home.start(&shm);
    assert_eq!(three.number(), 1, "its own by now");
    assert!(texts(&three.region).contains("second"));
}

struct Days<'a> {
    home: &'a Home,
    shm: &'a Shm,
    ours: Opened,
    configured: Vec<DestinationKey>,
    boot: u64,
}

impl Days<'_> {
    fn expire(&self, hours: u64) -> u32 {
        let wanted = Wanted { boot: self.boot, ..wanted(&self.home.spool(), &self.shm.dirs()) };
        let now = Instant::from_secs(hours * 3600);
        expire(self.ours.spool.as_ref().ok(), &self.ours.keeper, &wanted, &self.configured, now)
    }
}

#[test]
fn what_nobody_claims_goes_after_35_days_of_observed_time() {
    let (home, shm) = (Home::new(), Shm::new());
    let other = DestinationKey::of("491700000000");
    let ours = home.start(&shm);
    let theirs = InstanceName { key: other, number: 0 };
    home.put(1, &Ring::new(0xA).bytes());
    home.put(2, &Ring::new(0xB).record("for us").bytes());
    let bytes = Ring::new(0xC).record("for nobody").record("nor this").bytes();
    std::fs::write(home.file(&theirs.spool()), bytes).unwrap();
    chmod(&home.file(&theirs.spool()), 0o600);
    std::fs::write(home.file(&other.state()), [0; 1024]).unwrap();
    std::fs::write(home.file("k217feda2-4.lock"), "").unwrap();
    // However old a file looks.
    std::fs::File::options()
        .write(true)
        .open(home.file(&theirs.spool()))
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();

    let mut days = Days { home: &home, shm: &shm, ours, configured: vec![key()], boot: BOOT };
    assert_eq!(days.expire(1000), 0);
    assert!(!home.file("k217feda2-4.lock").exists(), "of nothing there is nothing to observe");
    let exist = |home: &Home| {
        [instance(1), instance(2), theirs].map(|name| home.file(&name.spool()).exists())
    };
    assert_eq!(days.expire(1000 + 800), 0, "33 days");
    days.boot = 2;
    assert_eq!(days.expire(5000), 0, "another boot's hours do not count");
    assert_eq!(days.expire(5000 + 39), 0, "839 hours");
    assert_eq!(exist(&home), [true, true, true]);
    days.configured.push(other);
    assert_eq!(days.expire(9000), 0, "configured");
    days.configured.pop();
    assert_eq!(exist(&home), [false, true, true], "nothing waits in the first");
    assert_eq!(days.expire(9001), 2, "its events are counted");
    assert_eq!(exist(&home), [false, true, false], "what waits is served, however old");
    assert!(!home.file(&other.state()).exists() && !home.file(&theirs.lock()).exists());
}

#[test]
fn an_entry_that_cannot_be_looked_at_keeps_no_other_from_going_or_from_being_counted() {
    let (home, shm) = (Home::new(), Shm::new());
    let ours = home.start(&shm);
    let put = |destination: &str| {
        let name = InstanceName { key: DestinationKey::of(destination), number: 0 };
        std::fs::write(home.file(&name.spool()), Ring::new(0xC).record("lost").bytes()).unwrap();
        chmod(&home.file(&name.spool()), 0o600);
        // One with a directory in its place, before or behind the other.
        std::fs::create_dir(home.file(&InstanceName { number: 1, ..name }.spool())).unwrap();
        std::fs::create_dir(home.file(&InstanceName { number: 2, ..name }.lock())).unwrap();
    };
    put("491700000000");
    put("491700000001");
    let days = Days { home: &home, shm: &shm, ours, configured: vec![key()], boot: BOOT };
    assert_eq!([0, 800, 850].map(|hours| days.expire(hours)), [0, 0, 2]);
}

#[test]
fn a_start_claims_its_ring_again() {
    let (home, shm) = (Home::new(), Shm::new());
    home.put(1, &Ring::new(0xB).bytes());
    let days = Days {
        home: &home,
        shm: &shm,
        ours: home.start(&shm),
        configured: vec![key()],
        boot: BOOT,
    };
    days.expire(0);
    days.expire(800);
    assert_ne!(home.get(1)[ring::UNCLAIMED_AT..][..16], [0; 16]);
    let mut claimed = home.start(&shm);
    assert_eq!((claimed.number(), claimed.found.ring_id), (1, 0xB));
    assert_eq!(claimed.region[ring::UNCLAIMED_AT..][..16], [0; 16]);
    assert_eq!(home.get(1)[ring::UNCLAIMED_AT..][..16], [0; 16]);
    claimed.spool().verify().unwrap();
    claimed.close(true);
    crash(claimed);
    days.expire(900);
    days.expire(1600);
    assert!(home.file("k217feda2-1.spool").exists(), "700 hours");
    days.expire(1800);
    assert!(!home.file("k217feda2-1.spool").exists());
}

#[test]
fn memory_files_of_directories_that_nobody_comes_for_go_as_well() {
    let (home, shm) = (Home::new(), Shm::new());
    let (vanished, running) = (Home::new(), Home::new());
    let mut lost = vanished.start(&shm);
    lost.serve(&["for nobody"]);
    let path = lost.keeper.path().unwrap();
    crash(lost);
    drop(vanished);
    let running = running.start(&shm);
    let ours = home.start(&shm);
    let days = Days { home: &home, shm: &shm, ours, configured: vec![key()], boot: BOOT };
    days.expire(0);
    days.expire(800);
    assert!(path.exists());
    assert_eq!(days.expire(850), 0, "not ours to count");
    assert!(!path.exists());
    assert!(running.keeper.still_linked() && days.ours.keeper.still_linked());
}

#[test]
fn two_removers_and_a_newcomer_never_share_an_instance() {
    // A lock file removed while somebody waits for it must not give two owners.
    let (home, shm) = (Home::new(), Shm::new());
    let ours = home.start(&shm);
    let spool = home.spool();
    let days = Days { home: &home, shm: &shm, ours, configured: vec![key()], boot: BOOT };
    let busy = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let dirs = RuntimeDirs::only(Vec::new());
                let key = DestinationKey::of("1");
                let wanted = Wanted { key, ..wanted(&spool, &dirs) };
                for _ in 0..200 {
                    let held = open(&wanted).unwrap().spool.unwrap();
                    let bit = 1u32 << held.name().number;
                    let before = busy.fetch_or(bit, std::sync::atomic::Ordering::SeqCst);
                    assert_eq!(before & bit, 0, "instance {} has two owners", held.name());
                    busy.fetch_and(!bit, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..400 {
                // Instances of which there is nothing are removed on sight.
                assert_eq!(days.expire(0), 0);
            }
        });
    });
}
