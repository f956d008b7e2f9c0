//! The directory and its slots: who may use it, who holds what, who inherits.

use annunciator_core::time::{Duration, Instant};

use super::child::Child;
use super::*;
use crate::spool::sys::faults;

fn refusal(path: &Path) -> SpoolError {
    match Spool::open(path, key(), SIZE) {
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(path.file_name().unwrap().to_str().unwrap()), "{text}");
            error
        }
        Ok(_) => panic!("{} was accepted", path.display()),
    }
}

#[test]
fn missing_directories_are_made_private() {
    let home = Home::new();
    let deep = home.temp.path().join("a/b/spool");
    let mut spool = Spool::open(&deep, key(), SIZE).unwrap();
    for path in ["a", "a/b", "a/b/spool"] {
        assert_eq!(mode(&home.temp.path().join(path)), 0o700, "{path}");
    }
    spool.write(0, b"x").unwrap();
    spool.sync().unwrap();
}

#[test]
fn links_in_place_of_directory_or_files_are_refused() {
    let home = Home::new();
    let real = home.temp.path().join("real");
    std::fs::create_dir(&real).unwrap();
    chmod(&real, 0o700);
    std::os::unix::fs::symlink(&real, home.spool()).unwrap();
    assert!(matches!(refusal(&home.spool()), SpoolError::Link { .. }));
    std::fs::remove_file(home.spool()).unwrap();

    // A link above it is the administrator's business.
    let above = home.temp.path().join("above");
    std::os::unix::fs::symlink(&real, &above).unwrap();
    crash(Spool::open(&above.join("spool"), key(), SIZE).unwrap());

    let victim = home.temp.path().join("victim");
    std::fs::write(&victim, b"precious").unwrap();
    for file in ["k217feda2-0.lock", "k217feda2-0.spool"] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), 0o700);
        std::os::unix::fs::symlink(&victim, home.file(file)).unwrap();
        assert!(matches!(
            Spool::open(&home.spool(), key(), SIZE),
            Err(SpoolError::Link { path }) if path.ends_with(file)
        ));
        std::fs::remove_file(home.file(file)).unwrap();
        std::fs::hard_link(&victim, home.file(file)).unwrap();
        assert!(matches!(
            Spool::open(&home.spool(), key(), SIZE),
            Err(SpoolError::NotAFile { path }) if path.ends_with(file)
        ));
    }
    // A planted new file is replaced, never followed.
    std::os::unix::fs::symlink(&victim, above.join("spool/k217feda2-0.new")).unwrap();
    let mut spool = Spool::open(&above.join("spool"), key(), SIZE).unwrap();
    spool.write(0, b"x").unwrap();
    std::fs::remove_file(above.join("spool/k217feda2-0.new")).unwrap();
    std::os::unix::fs::symlink(&victim, above.join("spool/k217feda2-0.new")).unwrap();
    assert!(matches!(spool.sync(), Err(SpoolError::Changed { .. })));
    assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
}

#[test]
fn a_fifo_does_not_hang_us() {
    let home = Home::new();
    crash(home.open());
    let path = home.file("k217feda2-0.spool");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(matches!(Spool::open(&home.spool(), key(), SIZE), Err(SpoolError::NotAFile { .. })));
}

#[test]
fn directories_that_others_may_write_are_refused() {
    for bits in [0o770, 0o720, 0o702, 0o777, 0o1777] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), bits);
        let error = refusal(&home.spool());
        assert!(matches!(error, SpoolError::LooseMode { mode, .. } if mode == bits), "{error}");
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
    for bits in [0o700, 0o755, 0o750] {
        let home = Home::new();
        std::fs::create_dir(home.spool()).unwrap();
        chmod(&home.spool(), bits);
        crash(home.open());
    }
}

#[test]
fn a_place_that_everybody_may_write_is_none_for_a_spool() {
    let home = Home::new();
    for bits in [0o777, 0o1777] {
        chmod(home.temp.path(), bits);
        for below in ["spool", "a/spool"] {
            let path = home.temp.path().join(below);
            match Spool::open(&path, key(), SIZE) {
                Err(SpoolError::OpenParent { path }) => assert_eq!(path, home.temp.path()),
                other => panic!("{other:?}"),
            }
        }
    }
    chmod(home.temp.path(), 0o700);
}

#[test]
fn what_belongs_to_others_is_refused() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    crash(home.open());
    chown(&home.file("k217feda2-0.lock"), 12345);
    match Spool::open(&home.spool(), key(), SIZE) {
        Err(SpoolError::ForeignOwner { owner, .. }) => assert_eq!(owner, 12345),
        other => panic!("{other:?}"),
    }
    chown(&home.spool(), 12345);
    let error = refusal(&home.spool());
    assert!(error.to_string().contains("12345"), "{error}");
}

#[test]
fn something_else_in_its_place_is_named() {
    let home = Home::new();
    std::fs::write(home.spool(), b"").unwrap();
    assert!(matches!(refusal(&home.spool()), SpoolError::NotADirectory { .. }));
    let below = home.spool().join("deeper");
    assert!(matches!(Spool::open(&below, key(), SIZE), Err(SpoolError::NotADirectory { .. })));
}

#[test]
fn each_holder_has_a_slot_of_its_own() {
    let home = Home::new();
    let first = home.open();
    let second = home.open();
    let other = Spool::open(&home.spool(), RecipientKey::of("491700000000"), SIZE).unwrap();
    assert_eq!([first.slot(), second.slot()], [slot(0), slot(1)]);
    assert_eq!(other.slot().number, 0);
    crash(first);
    assert_eq!(home.open().slot(), slot(0));
}

#[test]
fn more_holders_than_slots_is_an_error_and_not_a_wait() {
    let home = Home::new();
    let held: Vec<Spool> = (0..MAX_SLOTS).map(|_| home.open()).collect();
    assert!(matches!(Spool::open(&home.spool(), key(), SIZE), Err(SpoolError::Busy { .. })));
    crash(held);
}

#[test]
fn other_processes_are_excluded_until_they_die() {
    let home = Home::new();
    let mut child = Child::hold(&home.spool());
    assert_eq!(child.line(), "held k217feda2-0");
    let ours = home.open();
    assert_eq!(ours.slot(), slot(1));
    assert!(ours.abandoned().unwrap().is_empty(), "never a slot that somebody holds");
    child.kill();
    let orphans = ours.abandoned().unwrap();
    assert_eq!(orphans.len(), 1);
    assert_eq!(orphans[0].slot(), slot(0));
    assert_eq!(&orphans[0].spool_bytes().unwrap()[..4], b"held");
}

/// LogAlert: a lock file that a killed program had left kept every later one from its queue.
#[test]
fn a_lock_left_behind_is_no_obstacle() {
    let home = Home::new();
    let mut child = Child::hold(&home.spool());
    assert_eq!(child.line(), "held k217feda2-0");
    child.kill();
    assert!(home.file("k217feda2-0.lock").exists());
    let ours = home.open();
    assert_eq!(ours.slot(), slot(0));
    assert_eq!(&ours.read_all().unwrap()[..4], b"held");
}

#[test]
fn an_orphan_is_offered_once_and_removed_whole() {
    let home = Home::new();
    let mut gone = home.open();
    let ours = home.open();
    gone.write(0, b"inheritance").unwrap();
    gone.sync().unwrap();
    crash(gone);

    let mut orphans = ours.abandoned().unwrap();
    let orphan = orphans.pop().unwrap();
    assert!(ours.abandoned().unwrap().is_empty(), "locked while we look at it");
    assert_eq!(home.open().slot(), slot(2), "nor can anybody else have it");
    let token = orphan.token();
    crash(orphan);
    let orphan = ours.abandoned().unwrap().pop().unwrap();
    assert_eq!(orphan.token(), token);
    assert_eq!(&orphan.spool_bytes().unwrap()[..11], b"inheritance");
    orphan.remove().unwrap();
    assert!(ours.abandoned().unwrap().is_empty());
    assert!(!home.names().iter().any(|name| name.starts_with("k217feda2-0")), "{:?}", home.names());
}

#[test]
fn a_removal_cut_short_is_finished_and_not_offered_again() {
    let home = Home::new();
    let mut gone = home.open();
    let ours = home.open();
    gone.write(0, b"told already").unwrap();
    gone.sync().unwrap();
    // What a crash right after the first step of `remove` leaves.
    gone.mark_adopted();
    crash(gone);
    assert!(home.file("k217feda2-0.spool").exists());
    assert!(ours.abandoned().unwrap().is_empty());
    assert!(!home.file("k217feda2-0.spool").exists());
}

#[test]
fn empty_slots_leave_nothing_behind() {
    let home = Home::new();
    let gone = home.open();
    let ours = home.open();
    crash(gone);
    assert!(ours.abandoned().unwrap().is_empty());
    assert_eq!(home.names(), ["k217feda2-1.lock"]);
}

#[test]
fn tokens_tell_sessions_apart() {
    let home = Home::new();
    let ours = Spool::open(&home.spool(), key(), SIZE).unwrap();
    let mut tokens = Vec::new();
    for session in 1..3 {
        let mut gone = home.open();
        gone.begin_session(BootId::current(), session, None, None).unwrap();
        gone.write(0, b"x").unwrap();
        gone.sync().unwrap();
        crash(gone);
        let orphan = ours.abandoned().unwrap().pop().unwrap();
        tokens.push(orphan.token());
        orphan.remove().unwrap();
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn unconfigured_recipients_expire_by_observed_time_only() {
    let home = Home::new();
    let other = RecipientKey::of("491700000000");
    let mut gone = Spool::open(&home.spool(), other, SIZE).unwrap();
    let ours = home.open();
    gone.write(0, b"for nobody").unwrap();
    gone.sync().unwrap();
    let boot = BootId::from_bytes([1; 16]);
    let at = |hours| Instant::ZERO + Duration::from_hours(hours);
    let week = Duration::from_hours(168);
    let expired = |boot, now| ours.expired(&[], boot, now, week).unwrap().len();

    assert_eq!(expired(boot, at(1000)), 0, "held");
    crash(gone);
    // However old the file looks.
    std::fs::File::options()
        .write(true)
        .open(home.spool().join(format!("{other}-0.spool")))
        .unwrap()
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(expired(boot, at(1001)), 0, "first seen");
    assert_eq!(expired(boot, at(1101)), 0, "100 hours");
    let next = BootId::from_bytes([2; 16]);
    assert_eq!(expired(next, at(5000)), 0, "another boot's hours do not count");
    assert_eq!(expired(next, at(5067)), 0, "167 hours");
    assert_eq!(ours.expired(&[other], next, at(6000), week).unwrap().len(), 0, "configured");
    assert!(ours.abandoned().unwrap().is_empty(), "not ours to tell");
    let orphans = ours.expired(&[], next, at(5068), week).unwrap();
    assert_eq!(orphans.len(), 1);
    assert_eq!(orphans[0].slot().key, other);
}

#[test]
fn a_lock_on_a_file_that_has_just_been_removed_does_not_count() {
    let home = Home::new();
    let keeper = home.open();
    // Between our opening of lock file 1 and its locking, somebody removes it as that of an empty
    // slot, and somebody else takes the slot anew.
    crash(home.open());
    let (path, spool) = (home.file("k217feda2-1.lock"), home.spool());
    assert!(path.exists());
    let other = std::rc::Rc::new(std::cell::RefCell::new(None));
    let theirs = std::rc::Rc::clone(&other);
    // Lock file 0 is tried first.
    faults::before_locking(move || {
        faults::before_locking(move || {
            std::fs::remove_file(path).unwrap();
            *theirs.borrow_mut() = Some(Spool::open(&spool, key(), SIZE).unwrap());
        });
    });
    let ours = home.open();
    let other = other.take().unwrap();
    assert_eq!([keeper.slot(), other.slot(), ours.slot()], [slot(0), slot(1), slot(2)]);
}

#[test]
fn a_lock_file_removed_under_us_is_made_anew_and_the_slot_kept() {
    let home = Home::new();
    let mut spool = home.open();
    spool.write(0, b"old").unwrap();
    spool.sync().unwrap();
    let lock = home.file("k217feda2-0.lock");
    for commit in [false, true] {
        std::fs::remove_file(&lock).unwrap();
        let noticed = if commit { spool.write(0, b"new") } else { spool.sync() };
        match noticed {
            Err(SpoolError::Changed { path, how: Change::Removed }) => assert_eq!(path, lock),
            other => panic!("{other:?}"),
        }
        spool.write(0, b"new").unwrap();
        spool.sync().unwrap();
        assert_eq!(spool.slot(), slot(0));
        assert_eq!(home.open().slot(), slot(1), "held again");
        crash(());
    }
    // Unless somebody was quicker.
    std::fs::remove_file(&lock).unwrap();
    let quicker = home.open();
    assert_eq!(quicker.slot(), slot(0));
    assert!(spool.write(0, b"new").is_err());
    spool.write(0, b"new").unwrap();
    assert_eq!(spool.slot(), slot(1));
}

#[test]
fn a_removal_that_fails_is_finished_later_and_not_offered_again() {
    let home = Home::new();
    let mut gone = home.open();
    let ours = home.open();
    gone.begin_session(BootId::current(), 1, None, None).unwrap();
    gone.write(0, b"told already").unwrap();
    gone.sync().unwrap();
    crash(gone);
    let orphan = ours.abandoned().unwrap().pop().unwrap();
    faults::fail(faults::Op::Unlink, 0, rustix::io::Errno::IO);
    orphan.remove().unwrap_err();
    assert!(home.file("k217feda2-0.spool").exists());
    assert!(ours.abandoned().unwrap().is_empty());
    assert!(!home.file("k217feda2-0.spool").exists());
}

#[test]
fn two_removers_and_a_newcomer_never_share_a_slot() {
    // A lock file removed while somebody waits for it must not give two holders.
    let home = Home::new();
    let ours = home.open();
    let spool = home.spool();
    let busy = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let held = Spool::open(&spool, RecipientKey::of("1"), SIZE).unwrap();
                    let bit = 1u32 << held.slot().number;
                    let before = busy.fetch_or(bit, std::sync::atomic::Ordering::SeqCst);
                    assert_eq!(before & bit, 0, "slot {} has two holders", held.slot());
                    busy.fetch_and(!bit, std::sync::atomic::Ordering::SeqCst);
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..400 {
                // Empty slots are removed on sight.
                let found = ours.expired(&[], BootId::UNKNOWN, Instant::ZERO, Duration::MAX);
                assert!(found.unwrap().is_empty());
            }
        });
    });
}
