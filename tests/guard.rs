//! The guard: it flushes at the end, within its deadline, and reports what it achieved.

use std::time::Duration;

use annunciator::Annunciator;
use annunciator::health::State;
use annunciator_simulator::Answer;
use annunciator_tests::{
    Harness, PATIENCE, error, flush_all, health, impatient, run, side_by_side, text, wait_for,
    wait_for_end,
};

use crate::PROGRAM;

/// Longer than any test may take: a drop that waits for it is killed, and its test fails.
const AGES: Duration = Duration::from_secs(600);

#[test]
fn the_drop_sends_what_was_still_held() {
    let harness = Harness::new();
    let alerts = harness.builder().hold(AGES, AGES).start().expect("a start");
    error(&alerts, "no pressure");
    assert_eq!(harness.sim.counts().connections, 0);
    drop(alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn the_drop_ends_though_the_service_never_answers() {
    // Accepts the connection, reads the request, says nothing; and not even a handshake.
    let hang: fn(&Harness) = |harness| harness.sim.script([Answer::hang()]);
    let black_hole: fn(&Harness) = |harness| harness.sim.pause_accepting();
    side_by_side(&[hang, black_hole], |break_it| {
        let harness = Harness::new();
        break_it(&harness);
        let patient = || harness.builder().connect_timeout(AGES).request_timeout(AGES);
        let alerts = patient().drop_timeout(Duration::from_millis(500)).start().expect("a start");
        error(&alerts, "no pressure");
        let sending = || health(&alerts).state == State::Sending;
        wait_for("an attempt", sending);
        let handle = alerts.handle();
        let dropped = std::thread::spawn(move || drop(alerts));
        wait_for("the end of the drop", || dropped.is_finished());
        assert_eq!(health(&handle).state, State::Sending, "{}", handle.health());
        assert!(harness.texts().is_empty());
        // Lets go of what hangs, so that the spool can be removed.
        harness.sim.stop();
        wait_for("the end of the attempt", || health(&handle).state != State::Sending);
    });
}

#[test]
fn a_program_ends_though_the_service_never_answers_and_its_next_run_sends() {
    let harness = Harness::new();
    harness.sim.script([Answer::hang()]);
    let mut child =
        harness.program(PROGRAM, "log and end when asked").arg("no pressure").spawn().unwrap();
    harness.wait_for_requests(1);
    drop(child.stdin.take());
    // The request's own deadline is 20 s, the guard's 300 ms.
    let output = wait_for_end(child);
    assert_eq!(output.stdout, "ended\n");
    assert_eq!(harness.sim.requests().len(), 1, "no second attempt: it ended during the first");
    let output = run(&mut harness.program(PROGRAM, "log nothing"));
    assert!(output.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{output:?}");
    let texts = harness.texts();
    assert!(texts.len() == 1 && texts[0].contains("(repeat "), "{texts:?}");
}

#[test]
fn a_flush_says_what_was_sent_and_what_is_kept() {
    let harness = Harness::new();
    // Nothing is sent but by a flush.
    let start = || harness.builder().hold(AGES, AGES).start().expect("a start");
    let alerts = start();
    let report = alerts.flush(PATIENCE);
    assert!(report.is_complete());
    assert_eq!(report.to_string(), "0 sent, 0 kept, 0 in memory alone");

    harness.sim.otherwise(Answer::status(8));
    error(&alerts, "no pressure");
    error(&alerts, "no flow");
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.sent, report.kept, report.volatile), (0, 2, 0), "{}", alerts.health());
    assert!(!report.is_complete());
    drop(alerts);

    harness.sim.otherwise(Answer::accepted());
    let alerts = start();
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.sent, report.kept, report.volatile), (2, 0, 0), "{}", alerts.health());
    assert_eq!(harness.texts(), [text("ERROR: no pressure, ERROR: no flow")]);
}

#[test]
fn a_flush_ends_the_hold_but_not_the_interval() {
    let harness = Harness::new();
    let alerts = harness.builder().hold(AGES, AGES).interval(AGES, AGES).start().expect("a start");
    error(&alerts, "no pressure");
    assert_eq!(alerts.flush(PATIENCE).to_string(), "1 sent, 0 kept, 0 in memory alone");
    // The same again: its time has not come.
    error(&alerts, "no pressure");
    assert_eq!(alerts.flush(PATIENCE).to_string(), "0 sent, 1 kept, 0 in memory alone");
    assert!(matches!(health(&alerts).state, State::Waiting { .. }), "{}", alerts.health());
    assert_eq!(harness.texts().len(), 1);
}

#[test]
fn a_detached_handle_goes_on_without_a_guard() {
    let harness = Harness::new();
    let handle = harness.start().detach();
    error(&handle, "no pressure");
    assert_eq!(harness.wait_for_texts(1), [text("ERROR: no pressure")]);
    // The clones are one.
    let clone = handle.clone();
    drop(handle);
    error(&clone, "no flow");
    assert_eq!(harness.wait_for_texts(2)[1], text("ERROR: no flow"));
    flush_all(&clone);
}

#[test]
fn a_handle_that_outlives_the_guard_still_sends() {
    let harness = Harness::new();
    let alerts = harness.start();
    let handle = alerts.handle();
    error(&alerts, "no pressure");
    drop(alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    error(&handle, "no flow");
    flush_all(&handle);
    assert_eq!(harness.texts()[1], text("ERROR: no flow"));
}

#[test]
fn a_program_without_credentials_gets_a_handle_that_does_nothing() {
    let builder: fn() -> annunciator::Builder = || impatient("pump").environment(|_| None);
    let alerts: Annunciator = builder().start().expect("no error");
    assert!(!alerts.is_enabled());
    error(&alerts, "nobody hears this");
    assert_eq!(alerts.flush(PATIENCE).to_string(), "0 sent, 0 kept, 0 in memory alone");
    assert!(!alerts.health().is_good());
    let why = alerts.health().to_string();
    for variable in ["VONAGE_API_KEY", "VONAGE_API_SECRET", "ALERT_PHONE_NUMBER"] {
        assert!(why.contains(variable), "{why}");
    }
}
