//! What a start finds and goes on with: every way in which memory and file can differ.

use rustix::io::Errno;

use super::faults::{self, Op};
use super::*;

/// A run that has these events in region and file, and dies.
fn run(home: &Home, shm: &Shm, records: &[&str]) -> PathBuf {
    let mut opened = home.start(shm);
    opened.serve(records);
    opened.commit();
    let path = opened.keeper.path().unwrap();
    crash(opened);
    path
}

#[test]
fn after_a_crash_the_file_is_the_older_copy() {
    let (home, shm) = (Home::new(), Shm::new());
    run(&home, &shm, &["both"]);
    let opened = home.start(&shm);
    let Found { source, crashed, lost_memory, .. } = opened.found;
    assert_eq!((source, crashed, lost_memory), (Source::Memory, true, false));
    assert!(!opened.spool.unwrap().needs_rewrite());
}

#[test]
fn when_the_memory_is_lost_the_file_is_all_there_is() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = run(&home, &shm, &["both"]);
    std::fs::remove_file(path).unwrap();
    let opened = home.start(&shm);
    let Found { source, crashed, lost_memory, .. } = opened.found;
    assert_eq!((source, crashed, lost_memory), (Source::File, true, true));
    assert!(texts(&opened.region).contains("both"));
    assert!(!opened.spool.unwrap().needs_rewrite(), "the same bytes go on in place");
}

#[test]
fn a_loss_of_power_is_no_crash() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = run(&home, &shm, &["both"]);
    std::fs::remove_file(path).unwrap();
    let opened = open(&Wanted { boot: BOOT + 1, ..wanted(&home.spool(), &shm.dirs()) }).unwrap();
    let Found { source, crashed, lost_memory, .. } = opened.found;
    assert_eq!((source, crashed, lost_memory), (Source::File, false, false));
}

#[test]
fn an_orderly_end_is_no_crash_whatever_is_left_of_it() {
    for (nothing_left, committed) in [(true, true), (false, true), (false, false)] {
        let (home, shm) = (Home::new(), Shm::new());
        let mut opened = home.start(&shm);
        opened.serve(&["left"]);
        if committed {
            opened.commit();
        }
        opened.close(nothing_left);
        crash(opened);
        let opened = home.start(&shm);
        let source = if nothing_left { Source::File } else { Source::Memory };
        assert_eq!((opened.found.source, opened.found.crashed), (source, false));
        assert!(texts(&opened.region).contains("left"));
    }
}

#[test]
fn what_is_taken_up_again_after_an_end_is_open_again() {
    let (home, shm) = (Home::new(), Shm::new());
    let mut opened = home.start(&shm);
    opened.serve(&["left"]);
    opened.commit();
    opened.close(false);
    let Opened { spool, keeper, .. } = &mut opened;
    mark_open(spool.as_mut().ok(), keeper);
    crash(opened);
    assert!(home.start(&shm).found.crashed);
    std::fs::remove_dir_all(shm.directory()).unwrap();
    assert!(home.start(&shm).found.crashed);
}

/// The first row of the table.
#[test]
fn two_runtime_directories_by_turns_lose_nothing_that_was_committed() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    run(&home, &one, &["first"]);
    // The next run cannot see it, and goes on with what was committed.
    let mut opened = home.start(&two);
    assert_eq!((opened.found.source, opened.found.lost_memory), (Source::File, true));
    opened.serve(&["second"]);
    opened.commit();
    crash(opened);
    // Nor this one; the first one's copy is older now.
    let mut opened = home.start(&one);
    assert_eq!(opened.found.source, Source::File);
    assert!(texts(&opened.region).contains("second") && one.files().len() == 1);
    opened.serve(&["third"]);
    crash(opened);
    // Now one that sees both, and what was not committed.
    let dirs = [&two, &one].map(|shm| shm.temp.path().to_path_buf());
    let opened = start(&home.spool(), &RuntimeDirs::only(dirs.into()));
    assert_eq!(opened.found.source, Source::Memory);
    for word in ["first", "second", "third"] {
        assert_eq!(texts(&opened.region).matches(word).count(), 1, "{word}");
    }
    assert_eq!((one.files().len(), two.files().len()), (1, 0), "older copies are removed");
}

#[test]
fn rings_that_never_met_on_the_disk_are_both_served() {
    let (home, one, two) = (Home::new(), Shm::new(), Shm::new());
    for (shm, word) in [(&one, "first"), (&two, "second")] {
        let mut opened = home.start(shm);
        opened.serve(&[word]);
        crash(opened);
    }
    let both = [&one, &two].map(|shm| shm.temp.path().to_path_buf());
    let dirs = RuntimeDirs::only(both.into());
    let opened = start(&home.spool(), &dirs);
    assert!(texts(&opened.region).contains("first"));
    let wanted = wanted(&home.spool(), &dirs);
    let spool = opened.spool.as_ref().ok();
    assert_eq!(orphans(spool, &opened.keeper, &wanted), [1]);
    let orphan = open_orphan(&wanted, 1, spool, ring::identity(&opened.region)).unwrap().unwrap();
    assert!(texts(&orphan.region).contains("second"));
}

#[test]
fn a_backup_put_back_is_an_older_copy_and_is_written_over() {
    let (home, shm) = (Home::new(), Shm::new());
    run(&home, &shm, &["old"]);
    let backup = home.get(0);
    run(&home, &shm, &["new"]);
    home.put(0, &backup);
    let opened = home.start(&shm);
    assert_eq!(opened.found.source, Source::Memory);
    assert!(texts(&opened.region).contains("new"));
    crash(opened);
    // After a loss of power it is all there is.
    std::fs::remove_dir_all(shm.directory()).unwrap();
    let opened = home.start(&shm);
    assert_eq!((opened.found.source, starts_and_waiting(&opened.region)), (Source::File, (1, 1)));
}

#[test]
fn one_image_on_ten_devices_makes_no_trouble() {
    let shm = Shm::new();
    let image = Ring::new(0xA).record("in the image").slots(31).bytes();
    let homes: Vec<Home> = (0..10).map(|_| Home::new()).collect();
    let opened: Vec<Opened> = homes
        .iter()
        .map(|home| {
            home.put(0, &image);
            home.start(&shm)
        })
        .collect();
    for (home, opened) in homes.iter().zip(&opened) {
        assert_eq!((opened.found.ring_id, opened.number()), (0xA, 0));
        assert!(opened.keeper.still_linked());
        let wanted = wanted(&home.spool(), &shm.dirs());
        assert_eq!(orphans(opened.spool.as_ref().ok(), &opened.keeper, &wanted), []);
    }
    assert_eq!(shm.files().len(), 10);
    crash(opened);
    for home in &homes {
        assert_eq!(home.start(&shm).found.source, Source::Memory);
    }
}

#[test]
fn a_boot_id_that_changes_or_is_missing_costs_no_event() {
    let (home, shm) = (Home::new(), Shm::new());
    for boot in 1..20_u64 {
        let mut opened = open(&Wanted { boot, ..wanted(&home.spool(), &shm.dirs()) }).unwrap();
        let known = (1..boot).map(|boot| format!("<{boot}>"));
        for word in known {
            assert_eq!(texts(&opened.region).matches(&word).count(), 1, "{word} in boot {boot}");
        }
        assert!(!opened.found.crashed, "nothing is known of the one before");
        let id = opened.found.ring_id;
        serve(&mut opened.region, id, boot, PREFIX, &[format!("<{boot}>")]);
        match boot % 3 {
            0 => opened.commit(),
            1 => opened.close(false),
            _ => {}
        }
        crash(opened);
    }
}

#[test]
fn a_damaged_file_gives_way_to_memory_and_is_kept_aside() {
    let (home, shm) = (Home::new(), Shm::new());
    run(&home, &shm, &["both"]);
    let damaged = spoil(home.get(0));
    home.put(0, &damaged);
    let opened = home.start(&shm);
    assert_eq!(opened.found.source, Source::Memory);
    assert!(opened.spool.as_ref().unwrap().needs_rewrite());
    assert_eq!(std::fs::read(home.file("k217feda2-0.damaged")).unwrap(), damaged);
    crash(opened);
    // Without memory what is sound in it goes on.
    std::fs::remove_dir_all(shm.directory()).unwrap();
    home.put(0, &damaged);
    let opened = home.start(&shm);
    assert!(opened.found.source == Source::File && opened.waits());
    assert!(texts(&opened.region).contains("both"));
}

#[test]
fn a_file_of_another_size_keeps_what_waits_in_it() {
    for (slots, waits, len) in [
        (15, true, SIZE),
        (15, false, SIZE),
        (63, false, SIZE),
        (63, true, ring::region_len_of::<TEXT>(42)),
    ] {
        let (home, shm) = (Home::new(), Shm::new());
        let mut ring = Ring::new(0xA).slots(slots);
        // One slot is always kept free.
        let waiting = if waits { (slots - 1).min(41) } else { 0 };
        for number in 0..waiting {
            ring = ring.record(&format!("number {number} of them"));
        }
        home.put(0, &ring.bytes());
        let mut opened = home.start(&shm);
        assert_eq!(opened.region.len(), len, "{slots} slots");
        assert_eq!(starts_and_waiting(&opened.region), (1, waiting as u32));
        assert!(opened.spool().needs_rewrite());
        opened.commit();
        assert_eq!(home.get(0).len(), len);
    }
}

#[test]
fn a_disk_that_comes_back_with_a_copy_is_written_over() {
    for (records, late) in [(&["both"][..], true), (&[][..], true), (&["both"][..], false)] {
        let (home, shm) = (Home::new(), Shm::new());
        run(&home, &shm, records);
        home.unplug();
        // Two runs without a disk.
        crash(home.start(&shm));
        let mut opened = home.start(&shm);
        assert_eq!(opened.found.source, Source::Memory);
        assert_eq!(opened.spool.as_ref().unwrap_err().trouble, Trouble::NotADirectory);
        opened.serve(&["meanwhile"]);
        home.plug();
        if late {
            let spool = attach_to(&home, &shm, &mut opened);
            assert!(spool.needs_rewrite() && spool.name() == instance(0));
            opened.spool = Ok(spool);
            opened.commit();
        } else {
            crash(opened);
            opened = home.start(&shm);
        }
        assert!(texts(&opened.region).contains("meanwhile"));
        let wanted = wanted(&home.spool(), &shm.dirs());
        assert_eq!(orphans(opened.spool.as_ref().ok(), &opened.keeper, &wanted), []);
    }
}

fn attach_to(home: &Home, shm: &Shm, opened: &mut Opened) -> Spool {
    attach(&wanted(&home.spool(), &shm.dirs()), &mut opened.keeper, opened.found.ring_id).unwrap()
}

/// The second row of the table.
#[test]
fn a_disk_that_comes_back_with_another_ring_makes_an_orphan_of_one_of_them() {
    for late in [false, true] {
        let (home, shm) = (Home::new(), Shm::new());
        let path = run(&home, &shm, &["on the disk"]);
        std::fs::remove_file(path).unwrap();
        home.unplug();
        let mut opened = home.start(&shm);
        assert_eq!(opened.found.source, Source::Nothing);
        opened.serve(&["in memory"]);
        home.plug();
        let (own, other) = if late {
            opened.spool = Ok(attach_to(&home, &shm, &mut opened));
            opened.commit();
            ("in memory", "on the disk")
        } else {
            crash(opened);
            opened = home.start(&shm);
            ("on the disk", "in memory")
        };
        assert_eq!(opened.number(), 0);
        assert!(texts(&opened.region).contains(own) && !texts(&opened.region).contains(other));
        let wanted = wanted(&home.spool(), &shm.dirs());
        let spool = opened.spool.as_ref().ok();
        assert_eq!(orphans(spool, &opened.keeper, &wanted), [1]);
        let mut orphan =
            open_orphan(&wanted, 1, spool, ring::identity(&opened.region)).unwrap().unwrap();
        assert!(texts(&orphan.region).contains(other));
        // It has a file of its own.
        orphan.commit();
        assert!(texts(&home.get(1)).contains(other) && texts(&home.get(0)).contains(own));
    }
}

#[test]
fn a_disk_that_comes_back_when_the_number_is_taken_gives_another() {
    let (home, shm, theirs) = (Home::new(), Shm::new(), Shm::new());
    home.unplug();
    let mut opened = home.start(&shm);
    opened.serve(&["in memory"]);
    home.plug();
    let quicker = home.start(&theirs);
    assert_eq!((quicker.number(), opened.keeper.number()), (0, 0));
    opened.spool = Ok(attach_to(&home, &shm, &mut opened));
    assert_eq!((opened.number(), opened.keeper.number()), (1, 1));
    opened.commit();
    assert!(shm.files()[0].to_str().unwrap().ends_with("-1.ring") && opened.keeper.still_linked());
    crash((opened, quicker));
    let next = home.start(&theirs);
    assert_eq!(next.number(), 0);
    let next = home.start(&shm);
    assert_eq!((next.number(), next.found.source), (1, Source::Memory));
}

#[test]
fn without_a_disk_a_number_is_free_if_no_memory_file_is_locked() {
    let (home, shm) = (Home::new(), Shm::new());
    home.unplug();
    let mut first = home.start(&shm);
    let second = home.start(&shm);
    assert_eq!(second.found.source, Source::Nothing, "the first is alive");
    assert_ne!(second.keeper.path(), first.keeper.path());
    first.serve(&["left"]);
    crash(first);
    let again = home.start(&shm);
    assert_eq!((again.found.source, again.found.crashed), (Source::Memory, true));
    // With a disk by now, the one that lacked it still has its number.
    home.plug();
    assert_eq!(home.start(&shm).number(), 2);
    crash((again, second));
}

#[test]
fn a_file_that_cannot_be_read_is_kept_aside() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = run(&home, &shm, &["both"]);
    std::fs::remove_file(path).unwrap();
    faults::fail(Op::Read, 0, Errno::IO);
    let mut opened = home.start(&shm);
    assert!(faults::all_struck());
    assert!(opened.found.unreadable.is_some() && opened.found.source == Source::Nothing);
    assert!(texts(&std::fs::read(home.file("k217feda2-0.damaged")).unwrap()).contains("both"));
    opened.serve(&[]);
    opened.commit();
    assert_eq!(home.names().len(), 3);
}

#[test]
fn bytes_of_others_do_not_show_in_debug_output() {
    let (home, shm) = (Home::new(), Shm::new());
    run(&home, &shm, &["secret of somebody"]);
    let shown = format!("{:?}", home.start(&shm));
    assert!(!shown.contains("115, 101, 99") && !shown.contains("secret"), "{shown}");
    assert!(!shown.contains("447700900000"), "{shown}");
}

#[test]
fn what_is_handed_between_threads_may_be() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Opened>();
    send::<DirectWriter>();
    sync::<DirectWriter>();
    sync::<ForkGuard>();
    sync::<ForkCopies>();
    sync::<DestinationFile>();
}
