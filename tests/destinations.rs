//! Several people to text, several programs on one machine: none holds another up.

use std::time::Duration;

use annunciator::health::State;
use annunciator_simulator::{Answer, Simulator};
use annunciator_tests::{
    Harness, OTHER_PHONE, PATIENCE, PHONE_DIGITS, error, text, wait_for, wait_for_end,
    wait_for_line,
};

use crate::PROGRAM;

/// The texts that one number got.
fn texts_to(sim: &Simulator, digits: &str) -> Vec<String> {
    sim.messages().into_iter().filter(|m| m.to == digits).map(|m| m.text).collect()
}

#[test]
fn a_barred_number_does_not_hold_up_the_other() {
    let harness = Harness::new();
    harness.sim.when(|request| (request.to != PHONE_DIGITS).then(|| Answer::status(7)));
    let alerts = harness.builder().to(OTHER_PHONE).start().expect("a start");
    error(&alerts, "no pressure");
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.kept, report.volatile), (1, 0), "{}", alerts.health());
    error(&alerts, "no flow");
    alerts.flush(PATIENCE);

    let sent = [text("ERROR: no pressure"), text("ERROR: no flow")];
    assert_eq!(texts_to(&harness.sim, PHONE_DIGITS), sent);
    assert_eq!(harness.sim.requests().len(), 3, "one probe of the barred number is enough");
    let health = alerts.health();
    let [good, barred] = health.destinations.as_slice() else { panic!("{health}") };
    assert_eq!((&good.state, good.waiting), (&State::Idle, 0), "{health}");
    assert!(matches!(&barred.state, State::Latched { refusal, .. } if refusal.contains("barred")));
    assert_eq!(barred.waiting, 2, "{health}");
    assert!(!health.is_good());
    assert_ne!(good.label, barred.label);
}

#[test]
fn a_sender_with_a_pace_texts_one_after_the_other_and_each_once() {
    let harness = Harness::new();
    let builder = harness.builder().to(OTHER_PHONE).sender("+1 415 555 0100");
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    assert!(alerts.flush(PATIENCE).is_complete(), "{}", alerts.health());
    assert_eq!(harness.texts(), [text("ERROR: no pressure"), text("ERROR: no pressure")]);
    assert_eq!(harness.sim.requests().len(), 2, "whoever has to wait does so without asking");
    assert!(alerts.health().is_good(), "{}", alerts.health());
}

#[test]
fn a_number_given_twice_is_texted_once() {
    let harness = Harness::new();
    let alerts = harness.builder().to("+44-7700-900000").start().expect("a start");
    error(&alerts, "no pressure");
    assert!(alerts.flush(PATIENCE).is_complete());
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn a_slow_answer_for_one_does_not_hold_up_the_other() {
    let harness = Harness::new();
    harness.sim.when(|request| (request.to != PHONE_DIGITS).then(Answer::hang));
    let builder = harness.builder().to(OTHER_PHONE).drop_timeout(Duration::ZERO);
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    wait_for("the first", || texts_to(&harness.sim, PHONE_DIGITS).len() == 1);
    error(&alerts, "no flow");
    wait_for("the second", || texts_to(&harness.sim, PHONE_DIGITS).len() == 2);
    // Lets go of what hangs, so that the spool can be removed.
    harness.sim.stop();
    wait_for("the end of the attempt", || {
        alerts.health().destinations.iter().all(|one| one.state != State::Sending)
    });
}

#[test]
fn two_programs_on_one_directory_lose_and_double_nothing() {
    let harness = Harness::new();
    let start = |words: &[&str]| {
        harness.program(PROGRAM, "log and flush").args(words).spawn().expect("a program")
    };
    let pair = [start(&["a valve", "a pump"]), start(&["the clock", "one lamp"])];
    for child in pair {
        let output = wait_for_end(child);
        assert!(output.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{output:?}");
    }
    let sent = harness.texts().join(" ");
    for word in ["a valve", "a pump", "the clock", "one lamp"] {
        assert_eq!(sent.matches(word).count(), 1, "{word}: {sent}");
    }
    harness.sim.assert_clean();
}

#[test]
fn the_next_starts_send_what_two_programs_left_that_died_during_an_outage() {
    let harness = Harness::new();
    harness.sim.stop();
    let start = |scenario: &str, words: &[&str]| {
        harness.program(PROGRAM, scenario).args(words).spawn().expect("a program")
    };
    let pair = [start("log", &["a valve"]), start("log", &["the clock"])];
    pair.into_iter().map(wait_for_end).for_each(drop);
    harness.service_is_back();
    // The first to start again locks its instance of the spool while the second starts.
    let mut first = start("log nothing and wait", &[]);
    wait_for_line(&mut first, "logged");
    let second = wait_for_end(start("log nothing", &[]));
    assert!(second.status.success(), "{second:?}");
    let sent = || harness.texts().join(" ");
    wait_for("both", || sent().contains("a valve") && sent().contains("the clock"));
    for word in ["a valve", "the clock"] {
        assert_eq!(sent().matches(word).count(), 1, "{word}: {}", sent());
    }
    first.kill().unwrap();
    wait_for_end(first);
}
