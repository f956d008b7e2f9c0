//! A spool directory that cannot be had, or goes away: the alert goes out all the same, and the
//! health report says what is wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use annunciator_tests::{Harness, error, flush_all, health, scratch, text, wait_for};

#[track_caller]
fn sent_without(harness: &Harness, directory: PathBuf, words: &str) {
    let alerts = harness.builder().spool(directory).start().expect("a start all the same");
    error(&alerts, "no pressure");
    // It does not wait for a disk that fails again and again.
    let handle = alerts.handle();
    let flush = std::thread::spawn(move || handle.flush(Duration::from_secs(3600)));
    wait_for("the end of the flush", || flush.is_finished());
    assert!(flush.join().unwrap().is_complete(), "{}", alerts.health());
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    let spool = health(&alerts).spool;
    let trouble = spool.trouble.unwrap_or_default();
    assert!(trouble.contains(words), "{trouble}");
    assert!(!spool.survives_power_cut);
    assert!(!alerts.health().is_good());
}

#[test]
fn a_file_in_the_place_of_the_directory() {
    let harness = Harness::new();
    let file = scratch("file");
    fs::write(&file, "").unwrap();
    sent_without(&harness, file.clone(), "is not a directory");
    fs::remove_file(file).unwrap();
}

#[test]
fn a_place_where_nobody_may_make_a_directory() {
    // Not even root.
    sent_without(&Harness::new(), "/proc/annunciator".into(), "/proc/annunciator");
}

#[test]
fn a_place_beside_everybody_elses() {
    let harness = Harness::new();
    let open = scratch("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    sent_without(&harness, open.join("spool"), "may be written by everybody");
    fs::remove_dir_all(open).unwrap();
}

#[test]
fn a_directory_that_is_missing_is_made_for_us_alone() {
    let harness = Harness::new();
    let deep = harness.spool().join("deep").join("down");
    let alerts = harness.builder().spool(&deep).start().expect("a start");
    error(&alerts, "no pressure");
    flush_all(&alerts);
    assert!(alerts.health().is_good(), "{}", alerts.health());
    assert_eq!(fs::metadata(&deep).unwrap().permissions().mode() & 0o777, 0o700);
    let files: Vec<PathBuf> = fs::read_dir(&deep).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
    }
}

#[test]
fn a_directory_that_is_deleted_under_the_program() {
    let harness = Harness::new();
    let alerts = harness.start();
    error(&alerts, "no pressure");
    flush_all(&alerts);
    fs::remove_dir_all(harness.spool()).unwrap();
    error(&alerts, "no flow");
    flush_all(&alerts);
    assert_eq!(harness.texts()[1], text("ERROR: no flow"));
    // And it is taken up again.
    error(&alerts, "no pump");
    flush_all(&alerts);
    wait_for("a new directory", || harness.spool().exists());
    assert_eq!(harness.texts().len(), 3);
}

#[test]
fn a_spool_file_that_is_cut_short_or_written_over_under_the_program() {
    let harness = Harness::new();
    let alerts = harness.start();
    let file = || {
        let files = fs::read_dir(harness.spool()).into_iter().flatten();
        let mut files = files.map(|entry| entry.unwrap().path());
        files.find(|file| file.extension() == Some("spool".as_ref()))
    };
    error(&alerts, "no pressure");
    flush_all(&alerts);
    wait_for("the file", || file().is_some());
    let whole = fs::metadata(file().unwrap()).unwrap().len();
    for (harm, words) in [(10, "no flow"), (0, "no pump")] {
        // What the wait below recorded last may not have gone out yet.
        flush_all(&alerts);
        let spoiled = fs::OpenOptions::new().write(true).open(file().unwrap()).unwrap();
        spoiled.set_len(harm).unwrap();
        fs::write(file().unwrap(), "somebody else's").unwrap();
        error(&alerts, words);
        flush_all(&alerts);
        assert_eq!(harness.texts().last().unwrap(), &text(&format!("ERROR: {words}")));
        // Noticed by a commit; written anew after the pause that follows an error.
        wait_for("a whole file again", || {
            error(&alerts, words);
            let len = file().and_then(|file| fs::metadata(file).ok()).map_or(0, |meta| meta.len());
            len == whole && health(&alerts).spool.trouble.is_none()
        });
    }
}
