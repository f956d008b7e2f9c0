//! Bad disks, for real: a full one, a read-only one, a lowered file size limit. Played by a process
//! of its own, in a mount namespace of its own where one is needed.

use std::process::Command;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::child::Child;
use super::*;

/// Whether this user may have a mount namespace. Where they are required, as in `.ci/run`, it is a
/// failure to have none.
#[track_caller]
fn namespaces() -> bool {
    let works = Command::new("unshare")
        .args(["-rm", "sh", "-c", "mount -t tmpfs none /mnt"])
        .output()
        .is_ok_and(|output| output.status.success());
    let required = std::env::var_os("ANNUNCIATOR_TESTS_NAMESPACES").is_some();
    assert!(works || !required, "no mount namespaces for this user");
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
    // The directory and the lock file can still be made.
    let mut spool = open_sized(&directory, SIZE);
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
    spool.file.start_over();
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
    let none = RuntimeDirs::only(Vec::new());
    let open = || start(&directory, &none);

    // Nothing there yet, and nothing can be made.
    remount("ro");
    let error = open().spool.unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    remount("rw");
    let mut opened = open();
    opened.serve(&["old"]);
    opened.commit();
    crash(opened);

    // What waits there is read, and exclusively so.
    remount("ro");
    let mut opened = open();
    assert_eq!(opened.number(), 0);
    assert!(opened.found.crashed && texts(&opened.region).contains("old"));
    assert!(open().spool.is_err(), "instance 0 is locked and no other can be made");
    let error = opened.spool().write(0, b"new").unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    opened.close(false);
    assert!(texts(&opened.spool().file.read_all().unwrap()).contains("old"));
    crash(opened);

    // Each start there finds the same file and cannot note that it did; what the start before
    // had of it in memory is newer.
    let shm = Shm::new();
    let mut opened = start(&directory, &shm.dirs());
    assert_eq!(opened.found.source, Source::File);
    opened.serve(&["meanwhile"]);
    crash(opened);
    let mut opened = start(&directory, &shm.dirs());
    assert_eq!((opened.found.source, opened.found.crashed), (Source::Memory, true));
    assert_eq!(texts(&opened.region).matches("old").count(), 1);

    // It comes back.
    remount("rw");
    opened.commit();
    opened.close(true);
    crash((opened, shm));
    let opened = open();
    assert_eq!((opened.number(), opened.found.source), (0, Source::File));
    assert!(!opened.found.crashed && texts(&opened.region).contains("meanwhile"));
}

#[test]
fn a_full_runtime_directory_is_passed_over_for_the_next() {
    play_in_a_namespace("full runtime directory");
}

pub(super) fn play_full_runtime(mount: &Path) {
    let (small, large) = (mount.join("small"), mount.join("large"));
    for (dir, options) in [(&small, "size=8k"), (&large, "size=1m")] {
        std::fs::create_dir(dir).unwrap();
        mount_tmpfs(dir, options);
    }
    let dirs = RuntimeDirs::only(vec![small.clone(), large.clone()]);
    let opened = start(&mount.join("spool"), &dirs);
    assert!(opened.keeper.path().unwrap().starts_with(&large));
    let dirs = RuntimeDirs::only(vec![small.clone()]);
    let opened = start(&mount.join("spool"), &dirs);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("allocate"), "{why}");
    let left = std::fs::read_dir(small.join(format!("annunciator-{}", sys::effective_user())));
    assert_eq!(left.unwrap().count(), 0, "no half file stays");
    // An unmounted directory takes the file out of reach though it still has its name.
    let dirs = RuntimeDirs::only(vec![large.clone()]);
    let opened = start(&mount.join("spool"), &dirs);
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

pub(super) fn play_limited(directory: &Path, dirs: &RuntimeDirs) {
    let limit = |bytes| {
        let unlimited = rustix::process::getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current: bytes, maximum: unlimited }).unwrap();
    };
    let mut before = open_sized(directory, SIZE);
    before.prepare().unwrap();
    // A ring that nobody claims, which grows old.
    let other = InstanceName { key: DestinationKey::of("491700000000"), number: 0 };
    let unclaimed = directory.join(other.spool());
    std::fs::write(&unclaimed, Ring::new(0xC).record("for nobody").bytes()).unwrap();
    chmod(&unclaimed, 0o600);
    limit(Some(512));
    let error = before.write(SIZE - 1, b"x").unwrap_err();
    assert!(error.to_string().contains("ulimit -f"), "{error}");
    assert_eq!(before.direct_writer().write(SIZE - 1, b"x"), Some(false));

    let opened = start(directory, dirs);
    let Survival::Nothing { why } = opened.keeper.survival() else { panic!() };
    assert!(why.contains("ulimit -f"), "{why}");
    let mut spool = opened.spool.unwrap();
    assert_eq!(spool.write(0, b"x").unwrap_err().trouble, Trouble::FileSizeLimit(512));
    assert!(spool.file.quarantine(&[0; 4096]).is_err());
    let wanted = wanted(directory, dirs);
    let now = Instant::from_secs(1);
    assert_eq!(expire(Some(&spool), &opened.keeper, &wanted, &[key()], now), 0);
    let none = directory.join("no-boot-id");
    let dirs = dirs.clone().with_boot_id(&none);
    limit(Some(0));
    assert_ne!(boot(&dirs), boot(&dirs), "no file is made for it");

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
