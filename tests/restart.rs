//! What was not accepted is told by the next start, whatever ended the run before, and nothing
//! else is.

use std::fs;

use annunciator::State;
use annunciator_simulator::Answer;
use annunciator_tests::{
    PATIENCE, Stage, ends, error, files_below, health, holds, run, says, side_by_side, tell_all,
    text, wait_for,
};

use crate::PROGRAM;

/// Starts the program again; it logs nothing, and leaves nothing untold.
#[track_caller]
fn next_run_tells(stage: &Stage) {
    let said = run(&mut stage.program(PROGRAM, "log nothing"));
    assert!(said.stdout.contains(" sent, 0 kept, 0 in memory alone"), "{said:?}");
}

#[test]
fn however_a_run_ends_the_next_one_tells_what_it_left_and_logs_nothing_itself() {
    side_by_side(&["log", "log and exit", "log and abort"], |ending| {
        let stage = Stage::new();
        stage.sim.stop();
        let said = run(stage.program(PROGRAM, ending).args(["no pressure", "no flow"]));
        assert_eq!(said.stderr, "", "{ending}");
        stage.service_is_back();
        next_run_tells(&stage);
        // In one text or two, and as a repeat if an attempt was under way at the end.
        let told = stage.texts();
        for words in ["ERROR: no pressure", "ERROR: no flow"] {
            assert_eq!(told.concat().matches(words).count(), 1, "{ending}: {told:?}");
        }
        // Once told, nothing is left for a third run.
        next_run_tells(&stage);
        assert_eq!(stage.sim.requests().len(), told.len(), "{ending}");
        stage.sim.assert_clean();
    });
}

#[test]
fn a_run_that_was_killed_is_no_different() {
    let stage = Stage::new();
    stage.sim.stop();
    let mut child = stage.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    says(&mut child, "logged");
    child.kill().unwrap();
    ends(child);
    stage.service_is_back();
    next_run_tells(&stage);
    let told = stage.texts();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.ends_with("ERROR: no pressure"), "{told}");
}

#[test]
fn without_its_memory_file_a_run_left_what_had_reached_the_disk() {
    // What the loss of power leaves: the files of the spool, and nothing on any memory-backed place.
    let stage = Stage::new();
    stage.sim.stop();
    let mut child = stage.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    says(&mut child, "logged");
    // A file gets this name when all of it is on the disk.
    let on_disk = || {
        let files = files_below(stage.spool()).into_iter();
        let mut spools = files.filter(|file| file.extension() == Some("spool".as_ref()));
        spools.any(|file| holds(&fs::read(file).unwrap_or_default(), "no pressure"))
    };
    wait_for("the event on the disk", on_disk);
    child.kill().unwrap();
    ends(child);
    for file in stage.memory_files() {
        fs::remove_file(file).unwrap();
    }
    stage.service_is_back();
    next_run_tells(&stage);
    let told = stage.texts();
    let [told] = told.as_slice() else { panic!("{told:?}") };
    assert!(told.contains("ERROR: no pressure"), "{told}");
}

#[test]
fn a_text_under_way_at_the_end_is_repeated_once_and_marked() {
    let stage = Stage::new();
    stage.sim.script([Answer::hang().taken()]);
    let mut child = stage.program(PROGRAM, "log and wait").arg("no pressure").spawn().unwrap();
    stage.wait_for_requests(1);
    child.kill().unwrap();
    ends(child);
    next_run_tells(&stage);
    let requests = stage.wait_for_requests(2);
    let reference = requests[0].client_ref.clone().expect("a reference");
    assert_eq!(requests[0].text, text("ERROR: no pressure"));
    assert_eq!(
        requests[1].text,
        text(&format!("(repeat {reference}) restarted after a crash: ERROR: no pressure"))
    );
    assert_eq!(requests[1].client_ref, Some(reference));
    next_run_tells(&stage);
    assert_eq!(stage.sim.requests().len(), 2);
}

#[test]
fn a_text_that_was_accepted_is_not_told_again_after_a_kill() {
    let stage = Stage::new();
    let mut child = stage.program(PROGRAM, "tell and wait").arg("no pressure").spawn().unwrap();
    says(&mut child, "1 sent, 0 kept, 0 in memory alone");
    child.kill().unwrap();
    ends(child);
    next_run_tells(&stage);
    // As the last cause it is named, and that is all.
    let told = [text("ERROR: no pressure"), text("restarted after a crash: ERROR: no pressure")];
    assert_eq!(stage.texts(), told);
}

#[test]
fn a_refusal_is_not_remembered_by_the_next_start() {
    let stage = Stage::new();
    stage.sim.script([Answer::status(9)]);
    let alerts = stage.start();
    error(&alerts, "no pressure");
    annunciator_tests::wait_for_latch(&alerts);
    drop(alerts);
    let alerts = stage.start();
    tell_all(&alerts);
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
    assert_eq!(stage.sim.requests().len(), 2);
}

#[test]
fn a_budget_that_was_spent_is_still_spent_after_a_restart() {
    let stage = Stage::new();
    let frugal = || stage.builder().budget(4, 4).start().expect("a start");
    let mut alerts = frugal();
    let words = ["no pressure", "no flow", "no pump", "no valve", "no lamp"];
    let told = words.iter().take_while(|word| {
        error(&alerts, word);
        alerts.flush(PATIENCE).is_complete()
    });
    let told = told.count();
    assert!((1..=4).contains(&told), "{}", alerts.health());
    drop(alerts);
    alerts = frugal();
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.sent, report.kept), (0, 1), "{}", alerts.health());
    assert!(matches!(health(&alerts).state, State::OutOfBudget { .. }), "{}", alerts.health());
    assert_eq!(stage.texts().len(), told);
    drop(alerts);
    // With money, it is told.
    tell_all(&stage.start());
    assert_eq!(stage.texts()[told], text(&format!("ERROR: {}", words[told])));
}
