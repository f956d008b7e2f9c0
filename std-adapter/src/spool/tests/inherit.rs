//! Which of the two copies counts: every way in which they can differ.

use rustix::io::Errno;

use super::*;
use crate::spool::sys::faults::{self, Op};

/// A session that has `bytes` in region and file, and dies.
fn session(home: &Home, shm: &Shm, bytes: &[u8]) -> PathBuf {
    let mut opened = start(&home.spool(), SIZE, &shm.places());
    opened.region[..bytes.len()].copy_from_slice(bytes);
    commit(&mut opened);
    let path = opened.keeper.path().unwrap().to_path_buf();
    crash(opened);
    path
}

fn commit(opened: &mut Opened) {
    let spool = opened.spool.as_mut().unwrap();
    spool.write(0, &opened.region).unwrap();
    spool.sync().unwrap();
}

fn open_again(home: &Home, shm: &Shm) -> Opened {
    open(&home.spool(), key(), SIZE, &shm.places()).unwrap()
}

/// The disk goes away, with all that is on it.
fn unplug(home: &Home) {
    std::fs::rename(home.spool(), home.temp.path().join("away")).unwrap();
    std::fs::write(home.spool(), b"in the way").unwrap();
}

fn plug(home: &Home) {
    std::fs::remove_file(home.spool()).unwrap();
    std::fs::rename(home.temp.path().join("away"), home.spool()).unwrap();
}

fn inherited_bytes(inherited: Inherited) -> Vec<u8> {
    match inherited {
        Inherited::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_crash_the_file_is_the_older_copy() {
    let (home, shm) = (Home::new(), Shm::new());
    session(&home, &shm, b"both");
    let opened = open_again(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(matches!(opened.inherited, Inherited::Older));
    assert!(!opened.spool.unwrap().needs_rewrite());
}

#[test]
fn when_the_memory_is_lost_the_file_is_all_there_is() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = session(&home, &shm, b"both");
    std::fs::remove_file(path).unwrap();
    let opened = open_again(&home, &shm);
    assert!(matches!(opened.found, MemoryFound::Lost { .. }));
    assert!(matches!(opened.inherited, Inherited::Filled), "{:?}", opened.inherited);
    assert_eq!(&opened.region[..4], b"both");
    assert!(!opened.spool.unwrap().needs_rewrite(), "the same bytes go on in place");
}

#[test]
fn a_region_that_was_never_filled_does_not_hide_the_file() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = session(&home, &shm, b"both");
    std::fs::remove_file(path).unwrap();
    // Dies within `open`, with half of it copied.
    let mut opened = open_again(&home, &shm);
    opened.region.fill(0);
    opened.region[..2].copy_from_slice(b"bo");
    crash(opened);
    let mut bytes = std::fs::read(&shm.files()[0]).unwrap();
    bytes[36] = 0;
    std::fs::write(&shm.files()[0], bytes).unwrap();

    let opened = open_again(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Fresh, "nothing was lost with it");
    assert_eq!(opened.last_end, LastEnd::Crash);
    assert!(matches!(opened.inherited, Inherited::Filled), "{:?}", opened.inherited);
    assert_eq!(&opened.region[..4], b"both");
    assert_eq!(shm.files().len(), 1);
}

#[test]
fn a_file_of_another_size_fills_the_region_or_is_handed_over_whole() {
    for size in [SIZE / 2, 2 * SIZE] {
        let (home, shm) = (Home::new(), Shm::new());
        let path = session(&home, &shm, b"both");
        std::fs::remove_file(path).unwrap();
        let mut opened = open(&home.spool(), key(), size, &shm.places()).unwrap();
        assert_eq!(opened.region.len(), size);
        assert!(opened.spool.as_ref().unwrap().needs_rewrite());
        if size > SIZE {
            assert_eq!(&opened.region[..4], b"both");
            commit(&mut opened);
        } else {
            assert_eq!(&opened.region[..4], [0; 4]);
            commit(&mut opened);
            let bytes = inherited_bytes(opened.inherited);
            assert_eq!((&bytes[..4], bytes.len()), (&b"both"[..], SIZE));
        }
        assert_eq!(std::fs::metadata(home.file("k217feda2-0.spool")).unwrap().len(), size as u64);
    }
}

#[test]
fn a_region_born_without_the_disk_does_not_hide_what_is_on_it() {
    for late in [false, true] {
        let (home, shm) = (Home::new(), Shm::new());
        let path = session(&home, &shm, b"disk");
        std::fs::remove_file(&path).unwrap();
        unplug(&home);
        let mut opened = start(&home.spool(), SIZE, &shm.places());
        assert_eq!(opened.keeper.path(), Some(path.as_path()), "the same name, another life");
        opened.region[..6].copy_from_slice(b"memory");
        let bytes = if late {
            plug(&home);
            let (spool, inherited) = attach(&home.spool(), key(), &mut opened.keeper).unwrap();
            assert!(spool.needs_rewrite());
            inherited_bytes(inherited)
        } else {
            crash(opened);
            plug(&home);
            let opened = open_again(&home, &shm);
            assert_eq!(opened.found, MemoryFound::Survived { clean: false });
            assert_eq!(&opened.region[..6], b"memory");
            assert!(opened.spool.unwrap().needs_rewrite());
            inherited_bytes(opened.inherited)
        };
        assert_eq!(&bytes[..4], b"disk");
    }
}

#[test]
fn a_region_that_outlives_the_disk_is_known_when_it_comes_back() {
    for late in [false, true] {
        let (home, shm) = (Home::new(), Shm::new());
        session(&home, &shm, b"both");
        unplug(&home);
        // Two lives without a disk.
        crash(start(&home.spool(), SIZE, &shm.places()));
        let mut opened = start(&home.spool(), SIZE, &shm.places());
        assert_eq!(opened.found, MemoryFound::Survived { clean: false });
        let inherited = if late {
            plug(&home);
            attach(&home.spool(), key(), &mut opened.keeper).unwrap().1
        } else {
            crash(opened);
            plug(&home);
            open_again(&home, &shm).inherited
        };
        assert!(matches!(inherited, Inherited::Older), "late {late}: {inherited:?}");
    }
}

#[test]
fn a_region_on_loan_without_a_disk_stays_its_slots() {
    let (home, shm) = (Home::new(), Shm::new());
    session(&home, &shm, b"both");
    unplug(&home);
    crash(start(&home.spool(), SIZE, &shm.places()));
    plug(&home);
    let blocker = home.open();
    let opened = open_again(&home, &shm);
    assert_eq!((blocker.slot(), opened.spool.as_ref().unwrap().slot()), (slot(0), slot(1)));
    assert!(opened.keeper.abandoned().is_empty(), "the note of slot 0 leads to it");
    crash(blocker);
    let orphan = opened.spool.as_ref().unwrap().abandoned().unwrap().pop().unwrap();
    assert!(orphan.memory(BootId::current()).unwrap().whole);
}

#[test]
fn what_was_handed_over_late_is_handed_over_again_until_it_is_in_the_region() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = session(&home, &shm, b"disk");
    std::fs::remove_file(path).unwrap();
    unplug(&home);
    let mut opened = start(&home.spool(), SIZE, &shm.places());
    plug(&home);
    let (spool, inherited) = attach(&home.spool(), key(), &mut opened.keeper).unwrap();
    inherited_bytes(inherited);
    crash((opened, spool));

    let mut opened = open_again(&home, &shm);
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    let bytes = inherited_bytes(std::mem::replace(&mut opened.inherited, Inherited::Nothing));
    opened.region[..4].copy_from_slice(&bytes[..4]);
    opened.keeper.took_over(opened.spool.as_ref().unwrap());
    crash(opened);
    assert!(matches!(open_again(&home, &shm).inherited, Inherited::Older));
}

#[test]
fn an_orphans_memory_says_whether_its_file_is_in_it() {
    let (home, shm) = (Home::new(), Shm::new());
    let ours = Spool::open(&home.spool(), RecipientKey::of("nobody"), SIZE).unwrap();
    let path = session(&home, &shm, b"disk");
    std::fs::remove_file(path).unwrap();
    unplug(&home);
    let mut opened = start(&home.spool(), SIZE, &shm.places());
    plug(&home);
    crash(attach(&home.spool(), key(), &mut opened.keeper).unwrap());
    crash(opened);
    let adopter = {
        let blocker = home.open();
        assert_eq!(blocker.slot(), slot(0));
        let adopter = home.open();
        crash(blocker);
        adopter
    };
    let orphan = adopter.abandoned().unwrap().pop().unwrap();
    let memory = orphan.memory(BootId::current()).unwrap();
    assert!(!memory.whole, "both are to be taken over");
    assert_eq!(&orphan.spool_bytes().unwrap()[..4], b"disk");
    crash((orphan, ours));
}

#[test]
fn what_others_have_taken_over_is_not_inherited_again() {
    let (home, shm) = (Home::new(), Shm::new());
    session(&home, &shm, b"told");
    // The adopter died right after noting it.
    let mut spool = home.open();
    spool.mark_adopted();
    crash(spool);
    assert!(home.file("k217feda2-0.spool").exists() && shm.files().len() == 1);
    let opened = open_again(&home, &shm);
    assert_eq!((opened.found, opened.last_end), (MemoryFound::Fresh, LastEnd::Unknown));
    assert!(matches!(opened.inherited, Inherited::Nothing));
    assert!(opened.region.iter().all(|&byte| byte == 0));
    assert!(!home.file("k217feda2-0.spool").exists());
}

#[test]
fn a_file_that_cannot_be_read_is_kept_aside() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = session(&home, &shm, b"both");
    std::fs::remove_file(path).unwrap();
    // The first read is that of the note.
    faults::fail(Op::Read, 1, Errno::IO);
    let mut opened = open_again(&home, &shm);
    assert!(faults::all_struck());
    assert!(matches!(opened.inherited, Inherited::Unreadable(_)), "{:?}", opened.inherited);
    assert_eq!(&std::fs::read(home.file("k217feda2-0.damaged")).unwrap()[..4], b"both");
    commit(&mut opened);
    assert_eq!(home.names().len(), 3);
}

#[test]
fn bytes_of_others_do_not_show_in_debug_output() {
    let (home, shm) = (Home::new(), Shm::new());
    let path = session(&home, &shm, b"secret of somebody");
    std::fs::remove_file(path).unwrap();
    let opened = open_again(&home, &shm);
    let shown = format!("{opened:?}");
    assert!(!shown.contains("115, 101, 99") && !shown.contains("secret"), "{shown}");
    assert!(!shown.contains("447700900000"), "{shown}");
}

#[test]
fn what_is_handed_between_threads_may_be() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<Opened>();
    send::<Orphan>();
    send::<MemoryOrphan>();
    send::<DirectWriter>();
    sync::<DirectWriter>();
    sync::<ForkGuard>();
    sync::<ForkCopies>();
}
