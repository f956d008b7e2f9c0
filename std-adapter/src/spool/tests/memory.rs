//! The memory file: what it survives, where it may live, who may have it.

use super::child::Child;
use super::faults;
use super::*;

fn survived(opened: &Opened) -> bool {
    opened.found.source == Source::Memory
}

#[test]
fn a_first_start_finds_zeros_in_a_private_file() {
    let (home, shm) = (Home::new(), Shm::new());
    let opened = home.start(&shm);
    let Found { source, crashed, lost_memory, .. } = opened.found;
    assert_eq!((source, crashed, lost_memory), (Source::Nothing, false, false));
    assert_eq!(opened.keeper.survival(), Survival::Program);
    assert_eq!(opened.region.len(), SIZE);
    assert!(opened.region.iter().all(|&byte| byte == 0));
    assert_eq!(mode(&shm.directory()), 0o700);
    let [file] = &shm.files()[..] else { panic!("{:?}", shm.files()) };
    assert_eq!(opened.keeper.path().as_ref(), Some(file));
    assert_eq!(mode(file), 0o600);
    let meta = std::fs::metadata(file).unwrap();
    assert_eq!(meta.len(), (SIZE + 4096) as u64);
    assert!(meta.blocks() * 512 >= meta.len(), "no store may ever need a new page");
}

#[test]
fn a_crash_leaves_every_byte() {
    let (home, shm) = (Home::new(), Shm::new());
    for round in 1..4u8 {
        let mut opened = home.start(&shm);
        if round > 1 {
            assert!(survived(&opened) && opened.found.crashed);
            assert!(opened.region[ring::OVERHEAD..].iter().all(|&byte| byte == round - 1));
        }
        opened.region[ring::OVERHEAD..].fill(round);
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
        let opened = home.start(&shm);
        assert!(survived(&opened) && opened.found.crashed, "round {round}");
        let word = |at: usize| u64::from_le_bytes(opened.region[at..at + 8].try_into().unwrap());
        let (first, last) = (word(SIZE - 512), word(SIZE - 8));
        assert!(first >= 100_000);
        // Stores of one thread are seen in their order.
        assert!(first == last || first == last + 1, "{first} {last}");
        crash(opened);
    }
}

#[test]
fn an_orderly_end_with_nothing_left_removes_it() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = home.start(&shm);
    opened.serve(&[]);
    opened.close(true);
    crash(opened);
    assert!(shm.files().is_empty());
    let opened = home.start(&shm);
    assert_eq!((opened.found.source, opened.found.crashed), (Source::Nothing, false));
}

#[test]
fn a_file_of_somebody_else_or_cut_short_means_none() {
    // Another version; another spool; another user's; cut short.
    type Spoil = fn(&mut Vec<u8>);
    let spoilers: [Spoil; 4] = [
        |bytes| bytes[8] = 99,
        |bytes| bytes[24] ^= 1,
        |bytes| bytes[32] ^= 1,
        |bytes| bytes.truncate(5000),
    ];
    for spoil in spoilers {
        let (home, shm) = (Home::new(), Shm::new());
        let mut opened = home.start(&shm);
        opened.serve(&["theirs"]);
        crash(opened);
        let file = &shm.files()[0];
        let mut bytes = std::fs::read(file).unwrap();
        spoil(&mut bytes);
        std::fs::write(file, bytes).unwrap();
        let opened = home.start(&shm);
        assert_eq!(opened.found.source, Source::Nothing);
        assert!(opened.region.iter().all(|&byte| byte == 0));
        assert!(opened.keeper.still_linked());
    }
}

#[test]
fn a_file_that_somebody_else_may_reach_is_not_taken_for_ours() {
    let spoil = |spoil: fn(&Path, &Path)| {
        let (home, shm) = (Home::new(), Shm::new());
        let mut opened = home.start(&shm);
        opened.serve(&["ours"]);
        crash(opened);
        spoil(&shm.files()[0], &shm.temp.path().join("elsewhere"));
        let opened = home.start(&shm);
        assert_eq!(opened.found.source, Source::Nothing);
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
    let mut opened = home.start(&shm);
    opened.serve(&["gone"]);
    crash(opened);
    let file = shm.files()[0].clone();
    // The lock of the instance comes first, that of the memory file second.
    faults::before_locking(move || {
        faults::before_locking(move || std::fs::remove_file(file).unwrap());
    });
    let opened = home.start(&shm);
    assert_eq!(opened.found.source, Source::Nothing);
    assert!(opened.keeper.still_linked());
}

#[test]
fn it_keeps_its_size_as_long_as_it_survives() {
    let (home, shm) = (Home::new(), Shm::new());
    crash(home.start(&shm));
    let mut opened =
        open(&Wanted { size: 2 * SIZE, ..wanted(&home.spool(), &shm.dirs()) }).unwrap();
    assert!(survived(&opened));
    assert_eq!(opened.region.len(), SIZE);
    opened.commit();
    assert_eq!(home.get(0).len(), SIZE);
}

#[test]
fn a_lost_file_is_made_anew_under_the_same_bytes() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    let dirs = [&one, &two].map(|shm| shm.temp.path().to_path_buf());
    let dirs = RuntimeDirs::only(dirs.into());
    let mut opened = start(&home.spool(), &dirs);
    opened.serve(&["before"]);
    assert!(opened.keeper.still_linked());
    std::fs::remove_dir_all(one.temp.path()).unwrap();
    assert!(!opened.keeper.still_linked());

    opened.keeper.recreate(&mut opened.region);
    assert!(opened.keeper.still_linked());
    assert!(opened.keeper.path().unwrap().starts_with(two.temp.path()), "the next that will do");
    opened.serve(&["after"]);
    crash(opened);
    let opened = start(&home.spool(), &dirs);
    assert!(survived(&opened) && opened.found.crashed);
    assert!(texts(&opened.region).contains("before") && texts(&opened.region).contains("after"));
}

#[test]
fn only_the_region_itself_can_be_exchanged() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = home.start(&shm);
    std::fs::remove_dir_all(shm.directory()).unwrap();
    let mut other = vec![0; SIZE];
    opened.keeper.recreate(&mut other);
    assert_eq!(opened.keeper.path(), None);
    assert!(shm.files().is_empty(), "nothing half stays");
    let half = SIZE / 2;
    opened.keeper.recreate(&mut opened.region[..half]);
    assert_eq!(opened.keeper.path(), None);
    opened.region.fill(1);
}

#[test]
fn without_a_directory_the_memory_is_the_process_and_says_why() {
    let (home, shm) = (Home::new(), Shm::new());
    let disk = home.temp.path().to_path_buf();
    let dirs = RuntimeDirs::only(vec!["/nonexistent".into(), disk.clone()]);
    let mut opened = start(&home.spool(), &dirs);
    assert_eq!(opened.keeper.path(), None);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("/nonexistent"), "{why}");
    assert!(why.contains(&format!("{} is not memory-backed", disk.display())), "{why}");
    opened.keeper.recreate(&mut opened.region);
    assert_eq!(opened.keeper.path(), None);
    opened.serve(&["committed"]);
    opened.commit();
    crash(opened);
    let opened = home.start(&shm);
    let Found { source, crashed, lost_memory, .. } = opened.found;
    assert_eq!((source, crashed), (Source::File, true));
    assert!(!lost_memory, "none was promised, so none is missed");
}

#[test]
fn memory_of_the_process_moves_to_a_file_when_there_is_a_directory() {
    let (home, shm) = (Home::new(), Shm::new());
    let late = shm.temp.path().join("late");
    let dirs = RuntimeDirs::only(vec![late.clone()]);
    let mut opened = start(&home.spool(), &dirs);
    opened.serve(&["early"]);
    assert!(matches!(opened.keeper.survival(), Survival::Nothing { .. }));
    std::fs::create_dir(&late).unwrap();
    opened.keeper.recreate(&mut opened.region);
    assert_eq!(opened.keeper.survival(), Survival::Program);
    crash(opened);
    let opened = start(&home.spool(), &dirs);
    assert!(survived(&opened) && opened.found.crashed);
    assert!(texts(&opened.region).contains("early"));
}

#[test]
fn a_container_is_not_trusted_to_outlive_itself() {
    let (home, shm) = (Home::new(), Shm::new());
    let dirs = shm.dirs().within_container();
    let opened = start(&home.spool(), &dirs);
    assert_eq!(opened.keeper.survival(), Survival::Container);
    assert!(opened.keeper.path().is_some());
}

#[test]
fn directories_that_others_control_are_passed_over() {
    let home = Home::new();
    let refused = |prepare: fn(&Shm), word: &str| {
        let shm = Shm::new();
        prepare(&shm);
        let opened = home.start(&shm);
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
    // Sticky is good enough, as /dev/shm is.
    let shm = Shm::new();
    chmod(shm.temp.path(), 0o1777);
    assert_eq!(home.start(&shm).keeper.survival(), Survival::Program);
}

#[test]
fn a_region_outlives_its_file_and_its_keeper() {
    let (home, shm) = (Home::new(), Shm::new());
    let Opened { mut region, mut keeper, .. } = home.start(&shm);
    region.fill(7);
    std::fs::remove_dir_all(shm.directory()).unwrap();
    keeper.recreate(&mut region);
    crash(keeper);
    region.fill(8);
    assert_eq!(std::fs::read(&shm.files()[0]).unwrap()[4096..], vec![8; SIZE]);
}

#[test]
fn locks_can_be_closed_without_their_owner() {
    // What a forked child does with its copies, seen here on the only one.
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = home.start(&shm);
    opened.serve(&["left"]);
    let copies = fork_copies(&opened.keeper, opened.spool.as_ref().ok());
    // Also when both have changed hands since.
    std::fs::remove_dir_all(home.spool()).unwrap();
    opened.spool().write(0, b"x").unwrap();
    opened.spool().sync().unwrap();
    std::fs::remove_dir_all(shm.directory()).unwrap();
    opened.keeper.recreate(&mut opened.region);
    assert_eq!(home.open().name(), instance(1));

    copies.give_up();
    crash(());
    let next = home.start(&shm);
    assert_eq!(next.number(), 0);
    assert!(survived(&next));
}

#[test]
fn a_forked_child_knows_and_does_no_harm() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut child = Child::fork(&home.spool(), shm.temp.path());
    let mut said = [child.line(), child.line()];
    said.sort();
    assert_eq!(said, ["child", "parent"]);
    assert_eq!(shm.files().len(), 1, "the parent's file is still there");
    assert_eq!(home.open().name(), instance(1), "the parent still has its instance");
    child.kill();
    // The grandchild lives on, but has closed its copies of both locks.
    let opened = home.start(&shm);
    assert_eq!(opened.number(), 0);
    assert!(survived(&opened) && opened.found.crashed, "the parent's end is not the child's");
}
