//! Several people to text, several programs on one machine: none holds another up.

use std::time::Duration;

use annunciator::State;
use annunciator_simulator::{Answer, Simulator};
use annunciator_tests::{
    OTHER_PHONE, PATIENCE, PHONE_DIGITS, Stage, ends, error, says, text, wait_for,
};

use crate::PROGRAM;

/// The texts that one number got.
fn texts_to(sim: &Simulator, digits: &str) -> Vec<String> {
    sim.messages().into_iter().filter(|m| m.to == digits).map(|m| m.text).collect()
}

#[test]
fn a_barred_number_does_not_hold_up_the_other() {
    let stage = Stage::new();
    stage.sim.when(|request| (request.to != PHONE_DIGITS).then(|| Answer::status(7)));
    let alerts = stage.builder().to(OTHER_PHONE).start().expect("a start");
    error(&alerts, "no pressure");
    let report = alerts.flush(PATIENCE);
    assert_eq!((report.kept, report.volatile), (1, 0), "{}", alerts.health());
    error(&alerts, "no flow");
    alerts.flush(PATIENCE);

    let told = [text("ERROR: no pressure"), text("ERROR: no flow")];
    assert_eq!(texts_to(&stage.sim, PHONE_DIGITS), told);
    assert_eq!(stage.sim.requests().len(), 3, "one probe of the barred number is enough");
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
    let stage = Stage::new();
    let builder = stage.builder().to(OTHER_PHONE).sender("+1 415 555 0100");
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    assert!(alerts.flush(PATIENCE).is_complete(), "{}", alerts.health());
    assert_eq!(stage.texts(), [text("ERROR: no pressure"), text("ERROR: no pressure")]);
    assert_eq!(stage.sim.requests().len(), 2, "whoever has to wait does so without asking");
    assert!(alerts.health().is_good(), "{}", alerts.health());
}

#[test]
fn a_number_given_twice_is_texted_once() {
    let stage = Stage::new();
    let alerts = stage.builder().to("+44-7700-900000").start().expect("a start");
    error(&alerts, "no pressure");
    assert!(alerts.flush(PATIENCE).is_complete());
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn a_slow_answer_for_one_does_not_hold_up_the_other() {
    let stage = Stage::new();
    stage.sim.when(|request| (request.to != PHONE_DIGITS).then(Answer::hang));
    let builder = stage.builder().to(OTHER_PHONE).drop_timeout(Duration::ZERO);
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    wait_for("the first", || texts_to(&stage.sim, PHONE_DIGITS).len() == 1);
    error(&alerts, "no flow");
    wait_for("the second", || texts_to(&stage.sim, PHONE_DIGITS).len() == 2);
    // Lets go of what hangs, so that the spool can be removed.
    stage.sim.stop();
    wait_for("the end of the attempt", || {
        alerts.health().destinations.iter().all(|one| one.state != State::Sending)
    });
}

#[test]
fn two_programs_on_one_directory_lose_and_double_nothing() {
    let stage = Stage::new();
    let start = |words: &[&str]| {
        stage.program(PROGRAM, "log and flush").args(words).spawn().expect("a program")
    };
    let pair = [start(&["a valve", "a pump"]), start(&["the clock", "one lamp"])];
    for child in pair {
        let said = ends(child);
        assert!(said.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{said:?}");
    }
    let told = stage.texts().join(" ");
    for word in ["a valve", "a pump", "the clock", "one lamp"] {
        assert_eq!(told.matches(word).count(), 1, "{word}: {told}");
    }
    stage.sim.assert_clean();
}

#[test]
fn two_programs_that_died_during_an_outage_are_told_by_their_next_starts() {
    let stage = Stage::new();
    stage.sim.stop();
    let start = |story: &str, words: &[&str]| {
        stage.program(PROGRAM, story).args(words).spawn().expect("a program")
    };
    let pair = [start("log", &["a valve"]), start("log", &["the clock"])];
    pair.into_iter().map(ends).for_each(drop);
    stage.service_is_back();
    // The first to start again holds its slot of the directory while the second starts.
    let mut first = start("log nothing and wait", &[]);
    says(&mut first, "logged");
    let second = ends(start("log nothing", &[]));
    assert!(second.status.success(), "{second:?}");
    let told = || stage.texts().join(" ");
    wait_for("both", || told().contains("a valve") && told().contains("the clock"));
    for word in ["a valve", "the clock"] {
        assert_eq!(told().matches(word).count(), 1, "{word}: {}", told());
    }
    first.kill().unwrap();
    ends(first);
}
