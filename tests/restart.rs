//! What was not accepted is sent by the next start, whatever ended the run before, and nothing
//! else is.

use std::fs;

use annunciator::health::State;
use annunciator_simulator::Answer;
use annunciator_tests::{
    Harness, PATIENCE, error, files_below, flush_all, health, holds, run, side_by_side, text,
    wait_for, wait_for_end, wait_for_line,
};

use crate::PROGRAM;

/// Starts the program again; it logs nothing, and leaves nothing untold.
#[track_caller]
fn next_run_sends(harness: &Harness) {
    let output = run(&mut harness.program(PROGRAM, "log nothing"));
    assert!(output.stdout.contains(" sent, 0 kept, 0 in memory alone"), "{output:?}");
}

#[test]
fn however_a_run_ends_the_next_one_sends_what_it_left_and_logs_nothing_itself() {
    side_by_side(&["log", "log and exit", "log and abort"], |ending| {
        let harness = Harness::new();
        harness.sim.stop();
        let output = run(harness.program(PROGRAM, ending).args(["no pressure", "no flow"]));
        assert_eq!(output.stderr, "", "{ending}");
        harness.service_is_back();
        next_run_sends(&harness);
        // In one text or two, and as a repeat if an attempt was under way at the end.
        let sent = harness.texts();
        for words in ["ERROR: no pressure", "ERROR: no flow"] {
            assert_eq!(sent.concat().matches(words).count(), 1, "{ending}: {sent:?}");
        }
        // Once sent, nothing is left for a third run.
        next_run_sends(&harness);
        assert_eq!(harness.sim.requests().len(), sent.len(), "{ending}");
        harness.sim.assert_clean();
    });
}

#[test]
fn a_run_that_was_killed_is_no_different() {
    let harness = Harness::new();
    harness.sim.stop();
    let mut child = harness.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    wait_for_line(&mut child, "logged");
    child.kill().unwrap();
    wait_for_end(child);
    harness.service_is_back();
    next_run_sends(&harness);
    let texts = harness.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.ends_with("ERROR: no pressure"), "{text}");
}

#[test]
fn without_its_memory_file_a_run_left_what_had_reached_the_disk() {
    // A loss of power leaves the files of the spool, and nothing in a file system in memory.
    let harness = Harness::new();
    harness.sim.stop();
    let mut child = harness.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    wait_for_line(&mut child, "logged");
    // A file gets this name when all of it is on the disk.
    let on_disk = || {
        let files = files_below(harness.spool()).into_iter();
        let mut spools = files.filter(|file| file.extension() == Some("spool".as_ref()));
        spools.any(|file| holds(&fs::read(file).unwrap_or_default(), "no pressure"))
    };
    wait_for("the event on the disk", on_disk);
    child.kill().unwrap();
    wait_for_end(child);
    let files = harness.memory_files();
    assert!(!files.is_empty(), "the killed program left a memory file");
    for file in files {
        fs::remove_file(file).unwrap();
    }
    harness.service_is_back();
    next_run_sends(&harness);
    let texts = harness.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.contains("ERROR: no pressure"), "{text}");
}

#[test]
fn a_text_under_way_at_the_end_is_repeated_once_and_marked() {
    let harness = Harness::new();
    harness.sim.script([Answer::hang().taken()]);
    let mut child = harness.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    harness.wait_for_requests(1);
    child.kill().unwrap();
    wait_for_end(child);
    next_run_sends(&harness);
    let requests = harness.wait_for_requests(2);
    let reference = requests[0].client_ref.clone().expect("a reference");
    assert_eq!(requests[0].text, text("ERROR: no pressure"));
    assert_eq!(
        requests[1].text,
        text(&format!("(repeat {reference}) restarted after a crash: ERROR: no pressure"))
    );
    assert_eq!(requests[1].client_ref, Some(reference));
    next_run_sends(&harness);
    assert_eq!(harness.sim.requests().len(), 2);
}

#[test]
fn a_text_that_was_accepted_is_not_sent_again_after_a_kill() {
    let harness = Harness::new();
    let mut child = harness.program(PROGRAM, "send and wait").arg("no pressure").spawn().unwrap();
    wait_for_line(&mut child, "1 sent, 0 kept, 0 in memory alone");
    child.kill().unwrap();
    wait_for_end(child);
    next_run_sends(&harness);
    // As the last cause it is named, and that is all.
    let sent = [text("ERROR: no pressure"), text("restarted after a crash: ERROR: no pressure")];
    assert_eq!(harness.texts(), sent);
}

#[test]
fn a_refusal_is_not_remembered_by_the_next_start() {
    let harness = Harness::new();
    harness.sim.script([Answer::status(9)]);
    let alerts = harness.start();
    error(&alerts, "no pressure");
    annunciator_tests::wait_for_latch(&alerts);
    drop(alerts);
    let alerts = harness.start();
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    assert_eq!(harness.sim.requests().len(), 2);
}

#[test]
fn a_budget_that_was_spent_is_still_spent_after_a_restart() {
    let harness = Harness::new();
    let frugal = || harness.builder().budget(4, 4).start().expect("a start");
    let mut alerts = frugal();
    let words = ["no pressure", "no flow", "no pump", "no valve", "no lamp"];
    let sent = words.iter().take_while(|word| {
        error(&alerts, word);
        alerts.flush(PATIENCE).is_complete()
    });
    let sent = sent.count();
    assert!((1..=4).contains(&sent), "{}", alerts.health());
    drop(alerts);
    alerts = frugal();
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.sent, report.kept), (0, 1), "{}", alerts.health());
    assert!(matches!(health(&alerts).state, State::OutOfBudget { .. }), "{}", alerts.health());
    assert_eq!(harness.texts().len(), sent);
    drop(alerts);
    // With credit, it is sent.
    flush_all(&harness.start());
    assert_eq!(harness.texts()[sent], text(&format!("ERROR: {}", words[sent])));
}
