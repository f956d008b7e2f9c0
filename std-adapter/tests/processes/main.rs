//! Programs that crash, fork, or find what others left: this test program, started again as a child
//! process, with a transport that writes its texts into a file.

#[path = "../common/mod.rs"]
mod common;
mod forked;
mod orphans;
mod sandbox;

use std::path::{Path, PathBuf};
use std::time::Duration;

use annunciator::Level;
use annunciator::transport::{Code, Message, Outcome, Retry, Transport};
use annunciator_core::ring::OPEN_AT;

use common::{PATIENCE, wait_for};
use sandbox::*;

#[test]
#[ignore = "what a child process runs"]
fn run_part() {
    let part = std::env::var(PART).expect("a test starts this");
    let home = PathBuf::from(std::env::var_os(HOME).unwrap());
    match part.as_str() {
        "fork" => return forked::run(&home),
        "no disk" => {
            let _alerts = diskless(&home, Barred).start().unwrap();
            std::fs::write(home.join("ready"), "").unwrap();
            return std::thread::sleep(PATIENCE);
        }
        "busy fork" => return forked::run_busy(&home),
        _ => {}
    }
    let alerts = silent(&home);
    for word in part.split(' ') {
        if word == "rest" {
            wait_for("the state on the disk", || destination(&alerts).spool.disk.syncs > 1);
            continue;
        }
        let (level, message) = word.split_once(':').unwrap();
        record(&alerts, level.parse().unwrap(), message);
    }
    std::fs::write(home.join("ready"), "").unwrap();
    if std::env::var_os(EXIT).is_some() {
        std::process::exit(0);
    }
    std::thread::sleep(PATIENCE);
}

#[test]
fn what_was_logged_survives_a_kill_in_memory_alone() {
    let home = Sandbox::new();
    home.kill(home.command("WARN:low ERROR:none ERROR:none"));
    let alerts = builder(home.0.path()).start().unwrap();
    assert!(destination(&alerts).spool.after_crash);
    wait_for("a text", || !home.texts().is_empty());
    assert_eq!(
        home.texts(),
        ["[Rust Logger processes] restarted after a crash: WARN: low, ERROR: none (x2)"]
    );
}

#[test]
fn an_error_outlives_its_container_because_the_call_wrote_it() {
    let home = Sandbox::new();
    let mut command = home.command("rest WARN:low ERROR:first ERROR:second ERROR:first");
    command.env("container", "a sign of one");
    home.kill(command);
    for memory in home.memory_files() {
        std::fs::remove_file(memory).unwrap();
    }
    let alerts = builder(home.0.path()).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    let texts = home.texts();
    assert!(texts[0].contains("ERROR: first (x2)"), "{texts:?}");
    assert!(texts[0].contains("ERROR: second"), "{texts:?}");
    assert!(!texts[0].contains("WARN: low"), "it was not committed: {texts:?}");
    let trouble = destination(&alerts).spool.trouble.unwrap_or_default();
    assert!(trouble.contains("was gone after a crash"), "{trouble}");
}
#[test]
fn a_crash_that_nobody_has_heard_of_outlives_a_clean_end_without_a_disk() {
    let home = Sandbox::new();
    home.kill(home.command("no disk"));
    // Nothing waits but that; it is refused, and this run ends as it should.
    drop(diskless(home.0.path(), Barred).start().unwrap());
    drop(diskless(home.0.path(), Phone(home.0.path().join("phone"))).start().unwrap());
    let texts = home.texts();
    assert!(texts.len() == 1 && texts[0].contains("restarted after a crash"), "{texts:?}");
}

#[test]
fn a_run_that_begins_after_an_end_has_its_memory_file_again() {
    let home = Sandbox::new();
    let alerts = diskless(home.0.path(), Phone(home.0.path().join("phone"))).start().unwrap();
    let handle = alerts.handle();
    let prefix =
        format!("[Rust Logger diskless-{}] ", home.0.path().file_name().unwrap().display());
    record(&alerts, Level::Error, "before the end");
    drop(alerts);
    assert_eq!(memory_with(&prefix), 0, "nothing is left");
    record(&handle, Level::Error, "behind the end");
    wait_for("a memory file", || memory_with(&prefix) == 1);
}

#[test]
fn a_disk_that_comes_back_is_taken_up_with_what_was_on_it() {
    let home = Sandbox::new();
    let mut command = home.command("rest ERROR:before");
    command.env("container", "a sign of one");
    home.kill(command);
    for memory in home.memory_files() {
        std::fs::remove_file(memory).unwrap();
    }
    let away = home.0.path().join("away");
    std::fs::rename(home.spool(), &away).unwrap();
    std::fs::write(home.spool(), "").unwrap();
    let alerts = builder(home.0.path()).start().unwrap();
    let trouble = destination(&alerts).spool.trouble.unwrap_or_default();
    assert!(trouble.contains("is not a directory"), "{trouble}");
    std::fs::remove_file(home.spool()).unwrap();
    std::fs::rename(&away, home.spool()).unwrap();
    record(&alerts, Level::Error, "after");
    home.wait_for_words(&["before", "after"]);
    wait_for("health", || destination(&alerts).spool.trouble.is_none());
    assert_eq!(home.texts().concat().matches("before").count(), 1);
}

#[test]
fn a_clean_end_is_no_crash_and_leaves_no_memory_file() {
    let home = Sandbox::new();
    let alerts = builder(home.0.path()).start().unwrap();
    record(&alerts, Level::Error, "told");
    let memory = home.memory_files();
    assert_eq!(memory.len(), 1);
    drop(alerts);
    assert_eq!(home.texts().len(), 1);
    assert!(!memory[0].exists());
    assert!(!destination(&builder(home.0.path()).start().unwrap()).spool.after_crash);
}

#[test]
fn crashes_are_reported_once_and_in_a_loop_with_their_count() {
    let home = Sandbox::new();
    for _ in 0..3 {
        home.kill(home.command("WARN:low"));
    }
    let alerts = builder(home.0.path()).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    drop(alerts);
    drop(builder(home.0.path()).start().unwrap());
    let texts = home.texts();
    assert!(
        texts[0].starts_with("[Rust Logger processes] restarted after 3 crashes in "),
        "{texts:?}"
    );
    assert!(texts[0].ends_with(" min, WARN: low (x3)"), "{texts:?}");
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[test]
fn an_exit_without_a_drop_is_no_crash() {
    let home = Sandbox::new();
    ends_well(home.command("WARN:low").env(EXIT, "1").spawn().unwrap());
    let alerts = builder(home.0.path()).start().unwrap();
    assert!(!destination(&alerts).spool.after_crash);
    wait_for("a text", || !home.texts().is_empty());
    assert_eq!(home.texts(), ["[Rust Logger processes] WARN: low"]);
}

#[test]
fn an_owner_who_does_not_want_to_hear_of_crashes_does_not() {
    let home = Sandbox::new();
    home.kill(home.command("WARN:low"));
    let alerts = builder(home.0.path()).tell_crashes(false).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    drop(alerts);
    assert_eq!(home.texts(), ["[Rust Logger processes] WARN: low"]);
}

#[test]
fn an_end_while_a_text_is_under_way_is_no_crash() {
    struct Slow(std::sync::mpsc::Receiver<()>);
    impl Transport for Slow {
        fn send(&mut self, _: &Message<'_>) -> Outcome {
            let _ = self.0.recv_timeout(PATIENCE);
            Outcome::Unknown(Code::NONE)
        }
    }
    let home = Sandbox::new();
    let (answer, slow) = std::sync::mpsc::channel();
    let alerts = with(home.0.path(), Slow(slow)).drop_timeout(Duration::ZERO).start().unwrap();
    let handle = alerts.handle();
    record(&alerts, Level::Error, "the service does not answer");
    wait_for("a text to leave", || format!("{:?}", destination(&handle).state) == "Sending");
    drop(alerts);
    wait_for("the mark", || {
        let mark = std::fs::read(home.file(".spool")).unwrap()[OPEN_AT];
        assert!(mark == 2 || mark == 0, "open, or closed");
        mark == 0
    });
    // With the answer its worker ends, and the ring is free for a start.
    drop((answer, handle));
    wait_for("the repeat", || {
        drop(builder(home.0.path()).start().unwrap());
        home.texts().concat().contains("the service does not answer")
    });
    assert!(!home.texts().concat().contains("restarted"), "{:?}", home.texts());
}

#[test]
fn a_memory_file_removed_under_the_program_is_made_anew() {
    let home = Sandbox::new();
    let alerts = builder(home.0.path()).hold(AGES, AGES).start().unwrap();
    let memory = home.memory_files().remove(0);
    std::fs::remove_file(&memory).unwrap();
    record(&alerts, Level::Error, "after");
    wait_for("a memory file with what was logged", || {
        let files = home.memory_files();
        let bytes = files.first().and_then(|file| std::fs::read(file).ok()).unwrap_or_default();
        position(&bytes, "after").is_some()
    });
}

#[test]
fn of_a_damaged_spool_one_copy_is_kept_and_the_rest_is_reported() {
    let home = Sandbox::new();
    let alerts = with(home.0.path(), Barred).start().unwrap();
    record(&alerts, Level::Error, "sound");
    record(&alerts, Level::Error, "spoiled");
    assert_eq!(alerts.flush(PATIENCE).kept, 2);
    let mut bytes = std::fs::read(home.file(".spool")).unwrap();
    // As after a loss of power, in another directory: this process still locks the instance here.
    let other = Sandbox::new();
    std::fs::create_dir(other.spool()).unwrap();
    let at = position(&bytes, "spoiled").unwrap();
    bytes[at + 2] ^= 0x40;
    bytes[OPEN_AT] = 0;
    let name = home.file(".spool").file_name().unwrap().to_owned();
    std::fs::write(other.spool().join(&name), &bytes).unwrap();

    let alerts = builder(other.0.path()).start().unwrap();
    wait_for("the text", || !other.texts().is_empty());
    assert_eq!(other.texts(), ["[Rust Logger processes] ERROR: sound, 1 lost"]);
    assert_eq!(destination(&alerts).counters.lost.damaged, 1);
    assert_eq!(std::fs::read(other.file(".damaged")).unwrap(), bytes);
}

fn position(bytes: &[u8], word: &str) -> Option<usize> {
    bytes.windows(word.len()).position(|part| part == word.as_bytes())
}

#[test]
fn a_forked_child_counts_until_it_has_an_instance_of_its_own() {
    let home = Sandbox::new();
    ends_well(home.spawn("fork"));
    let texts = home.texts().concat();
    for word in ["of the parent", "of the child"] {
        assert_eq!(texts.matches(word).count(), 1, "{word} in {texts}");
    }
    assert!(!texts.contains("in between"), "{texts}");
}

#[test]
fn a_child_of_a_busy_parent_does_not_wait_for_its_locks() {
    let home = Sandbox::new();
    ends_well(home.spawn("busy fork"));
}
