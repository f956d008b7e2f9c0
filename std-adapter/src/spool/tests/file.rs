//! The spool file: commits, failures, interference.

use rustix::io::Errno;

use super::faults::{self, Op};
use super::*;

/// A spool with `old` in its first bytes, committed.
fn committed(home: &Home) -> Spool {
    let mut spool = home.open();
    spool.write(0, b"old").unwrap();
    spool.write(4096, b"old too").unwrap();
    spool.sync().unwrap();
    spool
}

fn on_disk(home: &Home) -> Vec<u8> {
    std::fs::read(home.file("k217feda2-0.spool")).unwrap()
}

/// Everything again, with `new` in front, as the alerter does after an error.
fn rewrite(spool: &mut Spool) {
    spool.write(0, b"new").unwrap();
    spool.write(8192, b"new too").unwrap();
    spool.sync().unwrap();
}

fn assert_rewritten(home: &Home) {
    let bytes = on_disk(home);
    assert_eq!(bytes.len(), SIZE);
    assert_eq!(&bytes[..3], b"new");
    assert_eq!(&bytes[8192..8199], b"new too");
    assert!(bytes[4096..8192].iter().all(|&byte| byte == 0), "not written since, so zero");
    assert_eq!(home.names(), ["k217feda2-0.lock", "k217feda2-0.spool"], "nothing left over");
}

#[test]
fn opening_writes_no_spool_file_and_the_first_sync_makes_a_whole_one() {
    let home = Home::new();
    let mut spool = home.open();
    assert_eq!(home.names(), ["k217feda2-0.lock"]);
    assert!(!spool.file.holds_data());
    spool.sync().unwrap();
    assert_eq!(home.names(), ["k217feda2-0.lock"], "nothing to keep, nothing to do");

    spool.write(100, b"hello").unwrap();
    assert!(!home.file("k217feda2-0.spool").exists(), "not before it is whole");
    spool.sync().unwrap();
    let bytes = on_disk(&home);
    assert_eq!(bytes.len(), SIZE);
    assert_eq!(&bytes[100..105], b"hello");
    assert_eq!(bytes[ring::OPEN_AT], 1, "somebody works on it");
    assert_eq!(bytes.iter().filter(|&&byte| byte != 0).count(), 6);
    assert_eq!(mode(&home.file("k217feda2-0.spool")), 0o600);
    assert_eq!(mode(&home.file("k217feda2-0.lock")), 0o600);
    assert_eq!(mode(&home.spool()), 0o700);
    let blocks = std::fs::metadata(home.file("k217feda2-0.spool")).unwrap().blocks();
    assert!(blocks * 512 >= SIZE as u64, "allocated in full: {blocks} blocks");
}

#[test]
fn what_was_synced_is_there_for_the_next() {
    let home = Home::new();
    crash(committed(&home));
    let mut spool = home.open();
    assert!(spool.file.holds_data() && !spool.needs_rewrite());
    assert_eq!(read(&spool, 0, 5), b"old\0\0");
    assert_eq!(spool.file.read_all().unwrap().len(), SIZE);
    spool.write(0, b"in place").unwrap();
    spool.sync().unwrap();
    assert_eq!(spool.used(), {
        let mut used = DiskUse::default();
        (used.writes, used.bytes, used.syncs) = (1, 8, 1);
        used
    });
}

#[test]
fn a_sync_without_writes_asks_nothing_of_the_disk() {
    let home = Home::new();
    let mut spool = committed(&home);
    let before = spool.used();
    spool.sync().unwrap();
    assert_eq!(spool.used(), before);
}

#[test]
fn accesses_beyond_the_end_are_refused() {
    let home = Home::new();
    let mut spool = committed(&home);
    for at in [SIZE - 1, SIZE, usize::MAX] {
        assert_eq!(spool.write(at, b"xx").unwrap_err().trouble, Trouble::BeyondEnd);
    }
    assert!(!spool.needs_rewrite(), "a mistake of ours says nothing about the disk");
}

#[test]
fn after_a_failed_sync_exactly_what_is_written_again_counts() {
    let home = Home::new();
    let mut spool = committed(&home);
    spool.write(0, b"bad").unwrap();
    faults::fail(Op::Sync, 0, Errno::IO);
    let error = spool.sync().unwrap_err();
    assert!(error.to_string().contains("failing"), "{error}");
    assert!(spool.needs_rewrite());
    assert_eq!(
        spool.sync().unwrap_err().trouble,
        Trouble::NothingRewritten,
        "the next sync must not report success for what the first one lost"
    );
    rewrite(&mut spool);
    assert!(faults::all_struck() && !spool.needs_rewrite());
    assert_rewritten(&home);
}

#[test]
fn after_a_torn_write_exactly_what_is_written_again_counts() {
    let home = Home::new();
    let mut spool = committed(&home);
    faults::fail(Op::TornWrite, 0, Errno::NOSPC);
    let error = spool.write(0, b"torn").unwrap_err();
    assert!(error.to_string().contains("free some space"), "{error}");
    assert_eq!(&on_disk(&home)[..4], b"to\x64\0", "half of it arrived");
    rewrite(&mut spool);
    assert!(faults::all_struck());
    assert_rewritten(&home);
}

#[test]
fn the_old_file_stays_until_the_new_one_is_whole_and_safe() {
    for op in [Op::Create, Op::Write, Op::TornWrite, Op::Sync, Op::Rename, Op::SyncDir] {
        let home = Home::new();
        let mut spool = committed(&home);
        spool.file.start_over();
        faults::fail(op, 0, Errno::NOSPC);
        let failed = spool.write(0, b"new").is_err();
        if !failed {
            assert_eq!(&on_disk(&home)[..3], b"old", "{op:?}");
            spool.sync().unwrap_err();
        }
        assert!(faults::all_struck(), "{op:?}");
        let kept = &on_disk(&home)[..3];
        // After the rename it is the new one that stands there, in doubt but whole.
        assert_eq!(kept, if op == Op::SyncDir { b"new" } else { b"old" }, "{op:?}");
        assert_eq!(home.names(), ["k217feda2-0.lock", "k217feda2-0.spool"], "{op:?}");
        rewrite(&mut spool);
        assert_rewritten(&home);
    }
}

#[test]
fn repeated_failures_change_nothing_about_that() {
    let home = Home::new();
    let mut spool = committed(&home);
    for _ in 0..5 {
        spool.file.start_over();
        spool.write(12, b"lost").unwrap();
        faults::fail(Op::Sync, 0, Errno::IO);
        spool.sync().unwrap_err();
    }
    rewrite(&mut spool);
    assert_rewritten(&home);
    assert_eq!(&on_disk(&home)[12..16], [0; 4]);
}

#[test]
fn interference_is_noticed_by_the_next_commit_and_repaired() {
    let file = "k217feda2-0.spool";
    type Meddle = fn(&std::path::Path);
    let meddlers: [(Trouble, Meddle); 4] = [
        (Trouble::Removed, |path| std::fs::remove_file(path).unwrap()),
        (Trouble::Replaced, |path| {
            std::fs::remove_file(path).unwrap();
            std::fs::write(path, vec![0x55; SIZE]).unwrap();
        }),
        (Trouble::Truncated, |path| {
            std::fs::File::options().write(true).open(path).unwrap().set_len(100).unwrap();
        }),
        (Trouble::Overwritten, |path| {
            use std::os::unix::fs::FileExt;
            let meddled = std::fs::File::options().write(true).open(path).unwrap();
            meddled.write_all_at(b"scrawl", 200).unwrap();
            // Times advance with the kernel's tick; do not depend on one having passed.
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
            meddled.set_modified(later).unwrap();
        }),
    ];
    for (change, meddle) in meddlers {
        // Between two commits.
        let home = Home::new();
        let mut spool = committed(&home);
        meddle(&home.file(file));
        assert_eq!(spool.write(0, b"new").unwrap_err().trouble, change);
        rewrite(&mut spool);
        assert_rewritten(&home);

        // Between write and sync. An overwriter cannot be told from ourselves then.
        if change != Trouble::Overwritten {
            spool.write(0, b"bad").unwrap();
            meddle(&home.file(file));
            assert_eq!(spool.sync().unwrap_err().trouble, change);
            rewrite(&mut spool);
            assert_rewritten(&home);
        }
    }
}

#[test]
fn a_deleted_directory_is_made_anew() {
    let home = Home::new();
    let mut spool = committed(&home);
    std::fs::remove_dir_all(home.spool()).unwrap();
    assert!(spool.write(0, b"new").is_err());
    rewrite(&mut spool);
    assert_rewritten(&home);
    assert_eq!(mode(&home.spool()), 0o700);
    assert!(home.open().name() == instance(1), "and its slot is held again");
}

#[test]
fn a_directory_deleted_between_write_and_sync_is_made_anew() {
    let home = Home::new();
    let mut spool = committed(&home);
    spool.write(0, b"bad").unwrap();
    std::fs::remove_dir_all(home.spool()).unwrap();
    assert!(spool.sync().is_err());
    rewrite(&mut spool);
    assert_rewritten(&home);
}

#[test]
fn a_rewrite_in_a_directory_made_anew_spares_what_others_left_there() {
    let home = Home::new();
    let mut spool = committed(&home);
    std::fs::remove_dir_all(home.spool()).unwrap();
    // Another process makes the directory first, and dies leaving something in our slot.
    crash(committed(&home));
    assert!(spool.write(0, b"new").is_err());
    rewrite(&mut spool);
    assert_eq!(spool.name(), instance(1));
    assert_eq!(&on_disk(&home)[..3], b"old");
    assert_eq!(&std::fs::read(home.file("k217feda2-1.spool")).unwrap()[..3], b"new");
}

#[test]
fn leftovers_of_a_crash_within_a_rewrite_are_cleaned() {
    let home = Home::new();
    crash(committed(&home));
    std::fs::write(home.file("k217feda2-0.new"), b"half").unwrap();
    let spool = home.open();
    assert_eq!(home.names(), ["k217feda2-0.lock", "k217feda2-0.spool"]);
    assert_eq!(read(&spool, 0, 3), b"old");
}

#[test]
fn a_file_of_another_size_can_be_read_and_is_then_written_anew() {
    for len in [0, 100, SIZE - 1, SIZE + 4096] {
        let home = Home::new();
        crash(committed(&home));
        let path = home.file("k217feda2-0.spool");
        std::fs::File::options().write(true).open(&path).unwrap().set_len(len as u64).unwrap();
        let mut spool = home.open();
        assert!(spool.needs_rewrite() && spool.file.holds_data());
        let bytes = spool.file.read_all().unwrap();
        assert!(bytes.len() == len && (len == 0 || bytes.starts_with(b"old")), "{len}");
        rewrite(&mut spool);
        assert_rewritten(&home);
    }
}

#[test]
fn a_file_beyond_what_32_bits_count_is_read_in_part_and_written_anew() {
    let home = Home::new();
    crash(committed(&home));
    let path = home.file("k217feda2-0.spool");
    // Sparse: it takes no room.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len((5 << 30) + 100).unwrap();
    drop(file);
    let mut spool = home.open();
    assert!(spool.needs_rewrite() && spool.file.holds_data());
    let len = spool.file.read_all().unwrap().len();
    assert!((SIZE..=16 << 20).contains(&len), "{len} bytes in memory");
    rewrite(&mut spool);
    assert_rewritten(&home);
}

#[test]
fn a_damaged_file_is_kept_aside_once() {
    let home = Home::new();
    let spool = committed(&home);
    spool.file.quarantine(b"first, longer").unwrap();
    spool.file.quarantine(b"second").unwrap();
    let damaged = home.file("k217feda2-0.damaged");
    assert_eq!(std::fs::read(&damaged).unwrap(), b"second");
    assert_eq!(mode(&damaged), 0o600);
    assert_eq!(home.names().len(), 3);
}

#[test]
fn the_mark_is_in_each_file_that_a_start_may_find_and_is_no_interference() {
    let home = Home::new();
    let mut spool = home.open();
    let mark = |home: &Home| on_disk(home)[ring::OPEN_AT];
    spool.set_mark(OpenMark::Closed);
    spool.write(0, b"old").unwrap();
    spool.set_mark(OpenMark::OpenInMemory);
    spool.sync().unwrap();
    assert_eq!(mark(&home), 2, "set while it was being made");
    for (wanted, byte) in [(OpenMark::Closed, 0), (OpenMark::Open, 1)] {
        let before = spool.used();
        spool.set_mark(wanted);
        spool.verify().unwrap();
        assert_eq!(mark(&home), byte);
        assert_eq!(spool.used(), before, "no sync");
    }
    // A file that is in doubt may still be what a start finds; so is the one after it.
    spool.file.start_over();
    spool.set_mark(OpenMark::Closed);
    assert_eq!(mark(&home), 0);
    rewrite(&mut spool);
    assert_eq!(mark(&home), 0);
}

#[test]
fn direct_writes_reach_the_file_that_takes_writes() {
    let home = Home::new();
    let mut spool = home.open();
    let direct = spool.direct_writer();
    assert_eq!(direct.write(0, b"early"), None);
    spool.prepare().unwrap();
    assert_eq!(direct.write(0, b"now"), Some(true));
    assert_eq!(direct.write(SIZE - 1, b"xx"), None);
    assert_eq!(&on_disk(&home)[..3], b"now", "without any sync");

    // It is not taken for interference, and it is synced with the next commit.
    let before = spool.used();
    spool.sync().unwrap();
    assert_eq!(spool.used().syncs, before.syncs + 1);
    assert_eq!(direct.write(8, b"again"), Some(true));
    spool.write(100, b"worker").unwrap();
    spool.sync().unwrap();
    spool.write(100, b"worker").unwrap();
    spool.sync().unwrap();

    // In a rewrite it goes to the new file.
    spool.file.start_over();
    assert_eq!(direct.write(0, b"none"), None);
    spool.write(100, b"worker").unwrap();
    assert_eq!(direct.write(0, b"new"), Some(true));
    spool.sync().unwrap();
    assert_eq!(&on_disk(&home)[..10], b"new\0\0\0\0\0\0\0");
}

#[test]
fn a_failed_direct_write_has_everything_written_again() {
    let home = Home::new();
    let mut spool = committed(&home);
    let direct = spool.direct_writer();
    faults::fail(Op::Write, 0, Errno::IO);
    assert_eq!(direct.write(0, b"xxx"), Some(false));
    assert_eq!(spool.sync().unwrap_err().trouble, Trouble::Doubtful);
    rewrite(&mut spool);
    assert_rewritten(&home);
}

#[test]
fn a_slow_disk_is_left_to_the_worker_until_it_has_been_fast_three_times() {
    let home = Home::new();
    let mut spool = committed(&home);
    let direct = spool.direct_writer();
    faults::fail(Op::Slow, 0, Errno::AGAIN);
    assert_eq!(direct.write(0, b"slow"), Some(true));
    direct.worker_copies();
    assert_eq!(direct.write(0, b"no"), None);
    spool.write(0, b"fast").unwrap();
    spool.write(0, b"fast").unwrap();
    assert_eq!(direct.write(0, b"no"), None);
    faults::fail(Op::Slow, 0, Errno::AGAIN);
    spool.write(0, b"slow again").unwrap();
    for _ in 0..3 {
        assert_eq!(direct.write(0, b"no"), None);
        spool.write(0, b"fast").unwrap();
    }
    assert_eq!(direct.write(0, b"yes"), Some(true));
    assert!(faults::all_struck());
}

#[test]
fn of_two_writes_to_one_place_the_newer_bytes_stay() {
    let home = Home::new();
    let mut spool = home.open();
    spool.prepare().unwrap();
    let direct = spool.direct_writer();

    // The worker has copied, then a caller changes the record and writes: the worker comes late.
    direct.worker_copies();
    assert_eq!(direct.write(512, b"newer"), Some(true));
    spool.write(512, b"older").unwrap();
    spool.write(768, b"other").unwrap();
    spool.sync().unwrap();
    assert_eq!(read(&spool, 512, 5), b"newer");
    assert_eq!(read(&spool, 768, 5), b"other");

    // Copied later, the worker's are the newest.
    direct.worker_copies();
    spool.write(512, b"again").unwrap();
    assert_eq!(read(&spool, 512, 5), b"again");

    // While a caller writes, another leaves it to the worker.
    let permit = direct.begin(512, 5).unwrap();
    assert!(direct.clone().begin(512, 5).is_none());
    assert!(permit.write(b"first"));
    assert_eq!(direct.write(512, b"third"), Some(true));
    assert_eq!(read(&spool, 512, 5), b"third");
}
