//! The memory file: what it survives, where it may live, who may have it.

use super::child::Child;
use super::*;
use crate::spool::sys::faults;

fn open_at(home: &Home, shm: &Shm) -> Opened {
    start(&home.spool(), SIZE, &shm.places())
}

#[test]
fn a_first_start_finds_zeros_in_a_private_file() {
    let (home, shm) = (Home::new(), Shm::new());
    let opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Fresh);
    assert_eq!(opened.last_end, LastEnd::Unknown);
    assert_eq!(opened.keeper.survival(), Survival::Program);
    assert_eq!(opened.region.len(), SIZE);
    assert!(opened.region.iter().all(|&byte| byte == 0));
    assert_eq!(mode(&shm.directory()), 0o700);
    let [file] = &shm.files()[..] else { panic!("{:?}", shm.files()) };
    assert_eq!(opened.keeper.path(), Some(file.as_path()));
    assert_eq!(mode(file), 0o600);
    let meta = std::fs::metadata(file).unwrap();
    assert_eq!(meta.len(), (SIZE + 4096) as u64);
    assert!(meta.blocks() * 512 >= meta.len(), "no store may ever need a new page");
}

#[test]
fn a_crash_leaves_every_byte() {
    let (home, shm) = (Home::new(), Shm::new());
    for round in 1..4u8 {
        let mut opened = open_at(&home, &shm);
        if round > 1 {
            assert_eq!(opened.found, MemoryFound::Survived { clean: false });
            assert_eq!(opened.last_end, LastEnd::Crash);
            assert!(opened.region.iter().all(|&byte| byte == round - 1));
        }
        opened.region.fill(round);
        crash(opened);
    }
    assert_eq!(shm.files().len(), 1);
}

#[test]
fn sigkill_amid_stores_leaves_what_was_stored() {
    let (home, shm) = (Home::new(), Shm::new());
    for round in 0..5 {
        let mut child = Child::count(&home.spool(), shm.temp.path());
        assert_eq!(child.line(), "counting");
        assert_eq!(child.line(), "counted");
        child.kill();
        let opened = open_at(&home, &shm);
        assert_eq!(opened.found, MemoryFound::Survived { clean: false }, "round {round}");
        assert_eq!(opened.last_end, LastEnd::Crash);
        let word = |at: usize| u64::from_le_bytes(opened.region[at..at + 8].try_into().unwrap());
        let (first, last) = (word(0), word(SIZE - 8));
        assert!(first >= 100_000);
        // Stores of one thread are seen in their order.
        assert!(first == last || first == last + 1, "{first} {last}");
        crash(opened);
    }
}

#[test]
fn a_clean_end_with_nothing_left_removes_it() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = open_at(&home, &shm);
    opened.region.fill(7);
    opened.spool.as_mut().unwrap().end_session().unwrap();
    opened.keeper.end(true);
    crash(opened);
    assert!(shm.files().is_empty());
    let opened = open_at(&home, &shm);
    assert_eq!((opened.found, opened.last_end), (MemoryFound::Fresh, LastEnd::Clean));
    assert!(opened.region.iter().all(|&byte| byte == 0));
}

#[test]
fn a_clean_end_with_something_left_keeps_it() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = open_at(&home, &shm);
    opened.region.fill(7);
    opened.spool.as_mut().unwrap().end_session().unwrap();
    opened.keeper.end(false);
    crash(opened);
    let opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: true });
    assert_eq!(opened.last_end, LastEnd::Clean);
    assert!(opened.region.iter().all(|&byte| byte == 7));
}

#[test]
fn a_loss_after_a_crash_is_told_and_the_place_is_avoided() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    let places = Places::only(vec![one.temp.path().into(), two.temp.path().into()]);
    let open = || start(&home.spool(), SIZE, &places);
    let opened = open();
    let path = opened.keeper.path().unwrap().to_path_buf();
    assert!(path.starts_with(one.temp.path()));
    crash(opened);
    // systemd removes a unit's RuntimeDirectory with the unit.
    std::fs::remove_dir_all(one.directory()).unwrap();

    let opened = open();
    assert_eq!(opened.found, MemoryFound::Lost { path });
    assert_eq!(opened.last_end, LastEnd::Crash);
    assert!(opened.keeper.path().unwrap().starts_with(two.temp.path()));
    crash(opened);
    // And it stays avoided while the other one does its duty.
    let mut opened = open();
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    opened.spool.as_mut().unwrap().end_session().unwrap();
    opened.keeper.end(true);
    crash(opened);
    assert!(open().keeper.path().unwrap().starts_with(two.temp.path()));
}

#[test]
fn it_is_found_where_the_last_session_had_it_whatever_the_environment_says_now() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    let mut opened = open_at(&home, &one);
    opened.region.fill(7);
    crash(opened);
    let opened = open_at(&home, &two);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(opened.region.iter().all(|&byte| byte == 7));
    assert!(two.files().is_empty());
}

#[test]
fn a_copy_that_a_later_session_did_not_know_of_is_out_of_date() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    let mut opened = open_at(&home, &one);
    opened.region.fill(7);
    crash(opened);
    // A session that cannot see it: it finds the spool only, and tells what is there.
    let hidden = home.temp.path().join("hidden");
    let directory = one.directory();
    let hide = std::fs::read(&one.files()[0]).unwrap();
    std::fs::write(&hidden, hide).unwrap();
    let file = one.files()[0].clone();
    std::fs::remove_file(&file).unwrap();
    let mut opened = open_at(&home, &two);
    assert!(matches!(opened.found, MemoryFound::Lost { .. }));
    opened.spool.as_mut().unwrap().end_session().unwrap();
    opened.keeper.end(true);
    crash(opened);

    assert!(directory.exists());
    std::fs::copy(&hidden, &file).unwrap();
    chmod(&file, 0o600);
    let opened = open_at(&home, &one);
    assert_eq!(opened.found, MemoryFound::Fresh, "told already, so not told again");
    assert!(opened.region.iter().all(|&byte| byte == 0));
}

#[test]
fn another_boot_or_another_owner_of_the_bytes_means_none() {
    // Of another boot; another version; another spool; cut short.
    type Spoil = fn(&mut Vec<u8>);
    let spoilers: [Spoil; 4] = [
        |bytes| bytes[40] ^= 1,
        |bytes| bytes[8] = 99,
        |bytes| bytes[24] ^= 1,
        |bytes| bytes.truncate(5000),
    ];
    for spoil in spoilers {
        let (home, shm) = (Home::new(), Shm::new());
        let mut opened = open_at(&home, &shm);
        opened.region.fill(7);
        crash(opened);
        let file = &shm.files()[0];
        let mut bytes = std::fs::read(file).unwrap();
        spoil(&mut bytes);
        std::fs::write(file, bytes).unwrap();
        let opened = open_at(&home, &shm);
        assert!(matches!(opened.found, MemoryFound::Lost { .. }), "{:?}", opened.found);
        assert!(opened.region.iter().all(|&byte| byte == 0));
        assert_eq!(opened.keeper.survival(), Survival::Program);
        assert!(opened.keeper.still_linked());
    }
}

#[test]
fn a_file_that_somebody_else_may_reach_is_not_taken_for_ours() {
    let spoil = |spoil: fn(&Path, &Path)| {
        let (home, shm) = (Home::new(), Shm::new());
        let opened = open_at(&home, &shm);
        crash(opened);
        spoil(&shm.files()[0], &shm.temp.path().join("elsewhere"));
        let opened = open_at(&home, &shm);
        assert!(matches!(opened.found, MemoryFound::Lost { .. }), "{:?}", opened.found);
        assert!(opened.keeper.still_linked());
        assert_eq!(std::fs::metadata(opened.keeper.path().unwrap()).unwrap().nlink(), 1);
    };
    spoil(|file, elsewhere| std::fs::hard_link(file, elsewhere).unwrap());
    spoil(|file, elsewhere| {
        std::fs::rename(file, elsewhere).unwrap();
        std::os::unix::fs::symlink(elsewhere, file).unwrap();
    });
    if is_root() {
        spoil(|file, _| chown(file, 12345));
    }
}

#[test]
fn a_file_removed_while_we_look_does_not_count() {
    let (home, shm) = (Home::new(), Shm::new());
    crash(open_at(&home, &shm));
    let file = shm.files()[0].clone();
    // The lock of the slot comes first, that of the memory file second.
    faults::before_locking(move || {
        faults::before_locking(move || std::fs::remove_file(file).unwrap());
    });
    let opened = open_at(&home, &shm);
    assert!(matches!(opened.found, MemoryFound::Lost { .. }), "{:?}", opened.found);
    assert!(opened.keeper.still_linked());
}

#[test]
fn files_that_nobody_will_ever_claim_do_not_pile_up() {
    let shm = Shm::new();
    let kept = Home::new();
    crash(open_at(&kept, &shm));
    let held = Home::new();
    let opened = open_at(&held, &shm);
    crash(std::fs::remove_dir_all(held.spool()));
    for _ in 0..50 {
        // Its directory goes with it.
        crash(open_at(&Home::new(), &shm));
    }
    // The last one is not swept by itself.
    assert_eq!(shm.files().len(), 2 + 33);
    assert!(opened.keeper.still_linked());
    let again = open_at(&kept, &shm);
    assert_eq!(again.found, MemoryFound::Survived { clean: false });

    // A day later they go, whatever their number; held and claimable ones stay.
    let day = 24 * 3600 * 1_000_000_000;
    let many = shm.files().len();
    again.keeper.sweep_as_of(clock::nanos_since_boot() + day / 2);
    assert_eq!(shm.files().len(), many, "not yet");
    let other = Home::new();
    let claimable = open_at(&other, &shm).keeper.path().unwrap().to_path_buf();
    crash(());
    again.keeper.sweep_as_of(clock::nanos_since_boot() + 2 * day);
    let mut left = shm.files();
    left.sort();
    let mut expected =
        [&opened, &again].map(|opened| opened.keeper.path().unwrap().to_path_buf()).to_vec();
    expected.push(claimable);
    expected.sort();
    assert_eq!(left, expected);
}

#[test]
fn it_keeps_its_size_as_long_as_it_survives() {
    let (home, shm) = (Home::new(), Shm::new());
    crash(open_at(&home, &shm));
    let opened = start(&home.spool(), 2 * SIZE, &shm.places());
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert_eq!(opened.region.len(), SIZE);
    assert_eq!(opened.spool.unwrap().capacity(), SIZE);
}

#[test]
fn a_lost_file_is_made_anew_under_the_same_bytes() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = open_at(&home, &shm);
    opened.region.fill(7);
    assert!(opened.keeper.still_linked());
    std::fs::remove_dir_all(shm.directory()).unwrap();
    assert!(!opened.keeper.still_linked());
    assert_eq!(opened.keeper.lost_place(), Some(shm.temp.path()));

    opened.keeper.recreate(&mut opened.region).unwrap();
    assert!(opened.keeper.still_linked());
    assert!(opened.region.iter().all(|&byte| byte == 7));
    opened.region[..3].copy_from_slice(b"new");
    crash(opened);
    let opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert_eq!(&opened.region[..4], b"new\x07");
}

#[test]
fn only_the_region_itself_can_be_exchanged() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = open_at(&home, &shm);
    let mut other = vec![0; SIZE];
    assert!(opened.keeper.recreate(&mut other).is_err());
    let half = SIZE / 2;
    assert!(opened.keeper.recreate(&mut opened.region[..half]).is_err());
    opened.region.fill(1);
}

#[test]
fn without_a_place_the_memory_is_the_process_and_says_why() {
    let (home, shm) = (Home::new(), Shm::new());
    let disk = home.temp.path().to_path_buf();
    let places = Places::only(vec!["/nonexistent".into(), disk.clone()]);
    let mut opened = start(&home.spool(), SIZE, &places);
    assert_eq!(opened.keeper.path(), None);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("/nonexistent"), "{why}");
    assert!(why.contains(&format!("{} is not memory-backed", disk.display())), "{why}");
    assert!(opened.keeper.recreate(&mut opened.region).is_err());
    opened.region.fill(7);
    crash(opened);
    let opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Fresh, "none was promised, so none is missed");
    assert_eq!(opened.last_end, LastEnd::Crash);
}

#[test]
fn memory_of_the_process_moves_to_a_file_when_there_is_one() {
    let (home, shm) = (Home::new(), Shm::new());
    let late = shm.temp.path().join("late");
    let places = Places::only(vec![late.clone()]);
    let mut opened = start(&home.spool(), SIZE, &places);
    opened.region.fill(7);
    assert!(matches!(opened.keeper.survival(), Survival::Nothing { .. }));
    std::fs::create_dir(&late).unwrap();
    opened.keeper.recreate(&mut opened.region).unwrap();
    assert_eq!(opened.keeper.survival(), Survival::Program);
    opened.spool.as_mut().unwrap().note_memory(opened.keeper.path(), None).unwrap();
    crash(opened);
    let opened = start(&home.spool(), SIZE, &places);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(opened.region.iter().all(|&byte| byte == 7));
}

#[test]
fn a_container_is_not_trusted_to_outlive_itself() {
    let (home, shm) = (Home::new(), Shm::new());
    let places = shm.places().in_container("a test");
    let opened = start(&home.spool(), SIZE, &places);
    assert_eq!(opened.keeper.survival(), Survival::Container { sign: "a test" });
    assert!(opened.keeper.path().is_some());
}

#[test]
fn places_that_others_control_are_passed_over() {
    let home = Home::new();
    let refused = |prepare: fn(&Shm), word: &str| {
        let shm = Shm::new();
        prepare(&shm);
        let opened = open_at(&home, &shm);
        let Survival::Nothing { why } = opened.keeper.survival() else { panic!("{word}") };
        assert!(why.contains(word), "{why}");
    };
    refused(|shm| chmod(shm.temp.path(), 0o777), "chmod 700");
    refused(
        |shm| {
            std::fs::create_dir(shm.directory()).unwrap();
            chmod(&shm.directory(), 0o750);
        },
        "chmod 700",
    );
    refused(
        |shm| {
            let real = shm.temp.path().join("real");
            std::fs::create_dir(&real).unwrap();
            chmod(&real, 0o700);
            std::os::unix::fs::symlink(&real, shm.directory()).unwrap();
        },
        "cannot open",
    );
    if is_root() {
        refused(
            |shm| {
                std::fs::create_dir(shm.directory()).unwrap();
                chmod(&shm.directory(), 0o700);
                chown(&shm.directory(), 12345);
            },
            "12345",
        );
        refused(|shm| chown(shm.temp.path(), 12345), "12345");
    }
    // Sticky is good enough for a place, as /dev/shm is.
    let shm = Shm::new();
    chmod(shm.temp.path(), 0o1777);
    assert_eq!(open_at(&home, &shm).keeper.survival(), Survival::Program);
}

#[test]
fn without_a_spool_directory_it_still_survives() {
    let (home, shm) = (Home::new(), Shm::new());
    std::fs::write(home.spool(), b"in the way").unwrap();
    let mut opened = open_at(&home, &shm);
    assert!(opened.spool.is_err());
    opened.region.fill(7);
    let second = open_at(&home, &shm);
    assert_eq!(second.found, MemoryFound::Fresh, "the first is alive");
    assert_ne!(second.keeper.path(), opened.keeper.path());
    crash(opened);
    crash(second);

    let mut opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(opened.region.iter().all(|&byte| byte == 7));

    // The disk comes back.
    std::fs::remove_file(home.spool()).unwrap();
    let (mut spool, inherited) = attach(&home.spool(), key(), &mut opened.keeper).unwrap();
    assert!(matches!(inherited, Inherited::Nothing));
    spool.write(0, &opened.region).unwrap();
    spool.sync().unwrap();
    crash(opened);
    crash(spool);
    let opened = open_at(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(opened.region.iter().all(|&byte| byte == 7));
}

#[test]
fn a_spool_that_comes_late_hands_over_what_it_holds() {
    let (home, shm) = (Home::new(), Shm::new());
    // An earlier run of before the memory's time.
    let mut earlier = home.open();
    earlier.write(0, b"earlier").unwrap();
    earlier.sync().unwrap();
    crash(earlier);
    let away = home.temp.path().join("away");
    std::fs::rename(home.spool(), &away).unwrap();
    std::fs::write(home.spool(), b"in the way").unwrap();
    let mut opened = open_at(&home, &shm);
    assert!(opened.spool.is_err());
    std::fs::remove_file(home.spool()).unwrap();
    std::fs::rename(&away, home.spool()).unwrap();

    let (mut spool, inherited) = attach(&home.spool(), key(), &mut opened.keeper).unwrap();
    let Inherited::Bytes(bytes) = inherited else { panic!("{inherited:?}") };
    assert_eq!(&bytes[..7], b"earlier");
    assert!(spool.needs_rewrite());
    let file = home.file("k217feda2-0.spool");
    assert_eq!(&std::fs::read(&file).unwrap()[..7], b"earlier", "until the rewrite is safe");
    spool.write(0, b"taken over").unwrap();
    spool.sync().unwrap();
    assert_eq!(&std::fs::read(&file).unwrap()[..10], b"taken over");
}

#[test]
fn an_orphans_memory_comes_with_its_slot() {
    let (home, shm) = (Home::new(), Shm::new());
    let ours = Spool::open(&home.spool(), RecipientKey::of("other"), SIZE).unwrap();
    crash(ours);
    let mut gone = open_at(&home, &shm);
    let opened = open_at(&home, &shm);
    assert_eq!(opened.spool.as_ref().unwrap().slot(), slot(1));
    gone.region.fill(7);
    crash(gone);

    let ours = opened.spool.as_ref().unwrap();
    let orphan = ours.abandoned().unwrap().pop().unwrap();
    assert_eq!(orphan.spool_bytes().unwrap(), b"", "it never got to the disk");
    let memory = orphan.memory(BootId::current()).unwrap();
    assert_eq!((memory.bytes, memory.whole), (vec![7; SIZE], true));
    assert_eq!(orphan.memory(BootId::from_bytes([1; 16])), None);
    orphan.remove().unwrap();
    assert_eq!(shm.files(), [opened.keeper.path().unwrap()]);
    assert!(ours.abandoned().unwrap().is_empty());
}

#[test]
fn a_region_can_be_had_for_good() {
    let (home, shm) = (Home::new(), Shm::new());
    let Opened { region, mut keeper, .. } = open_at(&home, &shm);
    let bytes = region.leak();
    bytes.fill(7);
    std::fs::remove_dir_all(shm.directory()).unwrap();
    keeper.recreate(bytes).unwrap();
    crash(keeper);
    bytes.fill(8);
    assert_eq!(std::fs::read(&shm.files()[0]).unwrap()[4096..], vec![8; SIZE]);
}

#[test]
fn what_died_without_a_disk_is_found_by_others() {
    let (home, shm) = (Home::new(), Shm::new());
    std::fs::write(home.spool(), b"in the way").unwrap();
    let mut one = open_at(&home, &shm);
    let mut two = open_at(&home, &shm);
    one.region.fill(1);
    two.region.fill(2);
    assert!(one.keeper.abandoned().is_empty(), "held");
    crash(two);
    let mut orphans = one.keeper.abandoned();
    assert_eq!(orphans.len(), 1);
    let orphan = orphans.pop().unwrap();
    assert_eq!(orphan.bytes(), vec![2; SIZE]);
    let token = orphan.token();
    crash(orphan);
    let orphan = one.keeper.abandoned().pop().unwrap();
    assert_eq!(orphan.token(), token);
    orphan.remove();
    assert!(one.keeper.abandoned().is_empty());
    assert_eq!(shm.files(), [one.keeper.path().unwrap()]);
}

#[test]
fn a_memory_file_that_mirrors_a_slot_is_left_to_that_slot() {
    let (home, shm) = (Home::new(), Shm::new());
    // Without a disk the first process has number 0, so slot 0's is named 1.
    std::fs::write(home.spool(), b"in the way").unwrap();
    let diskless = open_at(&home, &shm);
    std::fs::remove_file(home.spool()).unwrap();
    let mut zero = open_at(&home, &shm);
    assert_eq!(zero.spool.as_ref().unwrap().slot(), slot(0));
    assert!(zero.keeper.path().unwrap().to_str().unwrap().ends_with("-1.ring"));
    zero.region.fill(7);
    let blocker = home.open();
    crash(zero);
    let again = home.open();
    crash(blocker);
    let one = open_at(&home, &shm);
    assert_eq!(one.spool.as_ref().unwrap().slot(), slot(1));
    assert_eq!(one.found, MemoryFound::Fresh);
    assert!(one.keeper.abandoned().is_empty());
    crash((again, diskless));
    let zero = open_at(&home, &shm);
    assert_eq!(zero.spool.as_ref().unwrap().slot(), slot(0));
    assert_eq!(zero.found, MemoryFound::Survived { clean: false });
    assert!(zero.region.iter().all(|&byte| byte == 7));
}

#[test]
fn locks_can_be_let_go_without_their_owner() {
    // What a forked child does with its copies, seen here on the only one.
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = open_at(&home, &shm);
    let copies = fork_copies(&opened.keeper, opened.spool.as_ref().ok());
    // Also when both have changed hands since.
    std::fs::remove_dir_all(home.spool()).unwrap();
    let spool = opened.spool.as_mut().unwrap();
    spool.write(0, b"x").unwrap();
    spool.sync().unwrap();
    std::fs::remove_dir_all(shm.directory()).unwrap();
    opened.keeper.recreate(&mut opened.region).unwrap();
    let spool = opened.spool.as_mut().unwrap();
    spool.note_memory(opened.keeper.path(), None).unwrap();
    assert_eq!(home.open().slot(), slot(1));

    copies.give_up();
    crash(());
    let next = open_at(&home, &shm);
    assert_eq!(next.spool.as_ref().unwrap().slot(), slot(0));
    assert_eq!(next.found, MemoryFound::Survived { clean: false });
}

#[test]
fn a_forked_child_knows_and_does_no_harm() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut child = Child::fork(&home.spool(), shm.temp.path());
    let mut said = [child.line(), child.line()];
    said.sort();
    assert_eq!(said, ["child", "parent"]);
    assert_eq!(shm.files().len(), 1, "the parent's file is still there");
    let note = std::fs::read_to_string(home.file("k217feda2-0.lock")).unwrap();
    assert!(note.contains("state running"), "{note}");
    assert_eq!(home.open().slot(), slot(1), "the parent still holds its slot");
    child.kill();
    // The grandchild lives on, but has let go of its copies of both locks.
    let opened = open_at(&home, &shm);
    assert_eq!(opened.spool.unwrap().slot(), slot(0));
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
}
