//! Bad disks, for real: a full one, a read-only one, a lowered file size limit. Played by a process
//! of its own, in a mount namespace of its own where one is needed.

use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::child::Child;
use super::*;

/// Whether this user may have a mount namespace; says so if not.
fn namespaces() -> bool {
    let works = Command::new("unshare")
        .args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("no mount namespaces for this user: left out");
    }
    works
}

/// Has a child play the part in a mount namespace, with a directory to mount over; leaves it out
/// where this user may have none.
#[track_caller]
fn play_in_a_namespace(part: &str) {
    if namespaces() {
        let home = Home::new();
        assert_eq!(Child::in_namespace(part, home.temp.path()).line(), "done");
    }
}

#[test]
fn a_full_disk_is_an_error_and_is_taken_up_again() {
    play_in_a_namespace("full disk");
}

pub(super) fn play_full_disk(mount: &Path) {
    mount_tmpfs(mount, "size=64k");
    let directory = mount.join("spool");
    let fill = |len: usize| {
        let full = std::fs::write(mount.join("filler"), vec![1; len]);
        assert!(full.is_err(), "room for {len} bytes");
    };
    // Full from the start.
    fill(1 << 20);
    let mut spool = match Spool::open(&directory, key(), SIZE) {
        // The directory could still be made, but no lock file written.
        Ok(spool) => spool,
        Err(error) => panic!("{error}"),
    };
    assert!(spool.begin_session(BootId::current(), 1, None, None).is_err());
    let error = spool.write(0, b"new").unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    // Room again.
    std::fs::remove_file(mount.join("filler")).unwrap();
    spool.write(0, b"one").unwrap();
    spool.sync().unwrap();
    // Full again: what is allocated can still be overwritten.
    fill(1 << 20);
    spool.write(0, b"two").unwrap();
    spool.sync().unwrap();
    // But not replaced, and then the old file stays.
    let file = directory.join("k217feda2-0.spool");
    spool.start_over();
    assert!(spool.write(0, b"new").is_err());
    assert_eq!(&std::fs::read(&file).unwrap()[..3], b"two");
    assert!(!directory.join("k217feda2-0.new").exists());
    std::fs::remove_file(mount.join("filler")).unwrap();
    spool.write(0, b"new").unwrap();
    spool.sync().unwrap();
    assert_eq!(&std::fs::read(&file).unwrap()[..3], b"new");
}

#[test]
fn a_read_only_disk_is_read_and_taken_up_again() {
    play_in_a_namespace("read-only disk");
}

pub(super) fn play_read_only_disk(mount: &Path) {
    mount_tmpfs(mount, "size=256k");
    let remount = |mode: &str| mount_tmpfs(mount, &format!("remount,{mode}"));
    let directory = mount.join("spool");
    let open = || Spool::open(&directory, key(), SIZE);

    // Nothing there yet, and nothing can be made.
    remount("ro");
    let error = open().unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    remount("rw");
    let mut spool = open().unwrap();
    spool.begin_session(BootId::current(), 1, None, None).unwrap();
    spool.write(0, b"old").unwrap();
    spool.sync().unwrap();
    crash(spool);

    // What waits there is read, and exclusively so.
    remount("ro");
    let mut spool = open().unwrap();
    assert_eq!(spool.slot(), slot(0));
    assert_eq!(read(&mut spool, 0, 3), b"old");
    assert_eq!(spool.last_end(BootId::current()), LastEnd::Crash);
    assert!(open().is_err(), "slot 0 is held and no other can be made");
    let error = spool.write(0, b"new").unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert!(spool.end_session().is_err());
    assert_eq!(read(&mut spool, 0, 3), b"old");

    // Each start there finds the same file and cannot note that it did; what is in the region of
    // the start before is not handed over again.
    crash(spool);
    let shm = Shm::new();
    let opened = start(&directory, SIZE, &shm.places());
    assert!(matches!(opened.inherited, Inherited::Filled), "{:?}", opened.inherited);
    crash(opened);
    let opened = start(&directory, SIZE, &shm.places());
    assert_eq!(opened.found, MemoryFound::Survived { clean: false });
    assert!(matches!(opened.inherited, Inherited::Older), "{:?}", opened.inherited);
    crash((opened, shm));
    let mut spool = open().unwrap();

    // It comes back.
    remount("rw");
    spool.write(0, b"new").unwrap();
    spool.sync().unwrap();
    spool.end_session().unwrap();
    assert_eq!(open().unwrap().slot(), slot(1));
    crash(spool);
    let mut spool = open().unwrap();
    assert_eq!(spool.last_end(BootId::current()), LastEnd::Clean);
    assert_eq!(read(&mut spool, 0, 3), b"new");
}

#[test]
fn a_full_place_is_passed_over_for_the_next() {
    play_in_a_namespace("full place");
}

pub(super) fn play_full_place(mount: &Path) {
    let (small, large) = (mount.join("small"), mount.join("large"));
    for (place, options) in [(&small, "size=8k"), (&large, "size=1m")] {
        std::fs::create_dir(place).unwrap();
        mount_tmpfs(place, options);
    }
    let places = Places::only(vec![small.clone(), large.clone()]);
    let opened = start(&mount.join("spool"), SIZE, &places);
    assert!(opened.keeper.path().unwrap().starts_with(&large));
    let places = Places::only(vec![small.clone()]);
    let opened = start(&mount.join("spool"), SIZE, &places);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("allocate"), "{why}");
    let left = std::fs::read_dir(small.join(format!("annunciator-{}", sys::effective_user())));
    assert_eq!(left.unwrap().count(), 0, "no half file stays");
    // An unmounted place takes the file out of reach though it still has its name.
    let places = Places::only(vec![large.clone()]);
    let opened = start(&mount.join("spool"), SIZE, &places);
    assert!(opened.keeper.still_linked());
    let status = Command::new("umount").arg("-l").arg(&large).status().unwrap();
    assert!(status.success());
    assert!(!opened.keeper.still_linked());
}

#[test]
fn a_lowered_file_size_limit_is_an_error_and_no_signal() {
    let (home, shm) = (Home::new(), Shm::new());
    assert_eq!(Child::limited(&home.spool(), shm.temp.path()).line(), "done");
}

pub(super) fn play_limited(directory: &Path, places: &Places) {
    let limit = |bytes| {
        let unlimited = rustix::process::getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: unlimited }).unwrap();
    };
    let mut before = Spool::open(directory, key(), SIZE).unwrap();
    before.prepare().unwrap();
    limit(Some(512));
    let error = before.write(SIZE - 1, b"x").unwrap_err();
    assert!(error.to_string().contains("ulimit -f"), "{error}");
    assert_eq!(before.direct_writer().write(SIZE - 1, b"x"), Some(Direct::Failed));

    let opened = start(directory, SIZE, places);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("ulimit -f"), "{why}");
    let mut spool = opened.spool.unwrap();
    assert!(spool.begin_session(BootId::current(), 1, None, None).is_err());
    assert!(matches!(spool.write(0, b"x"), Err(SpoolError::FileSizeLimit { limit: 512, .. })));
    assert!(spool.quarantine(&[0; 4096]).is_err());

    limit(None);
    spool.write(0, b"x").unwrap();
    spool.sync().unwrap();
}

/// Mounts one, or with the option `remount` changes it.
fn mount_tmpfs(mount: &Path, options: &str) {
    // With source and target given, `mount` adds no options of its own.
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "-o", "mode=700", "none"])
        .arg(mount)
        .status()
        .unwrap();
    assert!(status.success());
}
