//! Budget, quiet hours and what the alerter reports about itself, through the real client. The
//! core's tests go through the long spans, on virtual time.

use std::time::{Duration, SystemTime};

use annunciator::scrub;
use annunciator::transport::Decimal;
use annunciator::{Event, Level};
use annunciator_simulator::Simulator;
use annunciator_tests::{Harness, PATIENCE, error, flush_all, health, text, wait_for};

#[test]
fn what_each_answer_costs_is_added_up_and_a_low_balance_is_reported_once() {
    let sim = Simulator::builder().balance(5.05, 0.0333).start().expect("a simulator");
    let harness = Harness::with(sim);
    let builder = harness.builder().low_balance(Decimal::parse("5"));
    let alerts = builder.start().expect("a start");
    let tell = |message| {
        error(&alerts, message);
        flush_all(&alerts);
    };
    tell("one");
    tell("two");
    // A text of its own, and a flush waits for events alone.
    wait_for("the balance", || health(&alerts).counters.texts == 3);
    tell("three");
    let sent =
        [text("ERROR: one"), text("ERROR: two"), text("balance low: 4.98"), text("ERROR: three")];
    assert_eq!(harness.texts(), sent);
    let health = health(&alerts);
    assert_eq!(health.spent.to_string(), "0.13320000", "{health}");
    assert_eq!(health.balance, Decimal::parse("4.9168"), "{health}");
}

#[test]
fn a_used_up_budget_is_reported_once_and_later_events_are_kept() {
    let harness = Harness::new();
    let builder = harness.builder().budget(3, 40).segments_per_text(1);
    let alerts = builder.start().expect("a start");
    for message in ["one", "two", "three", "four", "five"] {
        error(&alerts, message);
        // Ends at once when there is no money left.
        alerts.flush(PATIENCE);
    }
    let texts = harness.texts();
    let [first, second, last] = texts.as_slice() else { panic!("{texts:?}") };
    assert_eq!((first, second), (&text("ERROR: one"), &text("ERROR: two")));
    assert!(last.starts_with(&text("budget used up for ")), "{last}");
    assert!(last.ends_with(", ERROR: three"), "{last}");
    let health = health(&alerts);
    assert_eq!(health.waiting, 2, "{health}");
    assert_eq!(health.segments_a_month, 32 * 40, "{health}");
}

#[test]
fn in_quiet_hours_only_a_panic_gets_through_and_takes_along_what_waits() {
    let harness = Harness::new();
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let minute = (since.as_secs() / 60 % 1440) as u16;
    let (from, to) = ((minute + 1320) % 1440, (minute + 120) % 1440);
    let builder = harness.builder().utc_offset(0).quiet_hours(from, to);
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    alerts.flush(Duration::from_millis(300));
    assert_eq!(harness.texts(), [""; 0]);
    assert_eq!(health(&alerts).waiting, 1);
    alerts.record(&Event::new(Level::Panic, "out of memory"));
    alerts.flush(PATIENCE);
    assert_eq!(harness.texts(), [text("ERROR: no pressure, PANIC: out of memory")]);
}

#[test]
fn recovery_is_reported_the_same_way() {
    let harness = Harness::new();
    let builder = harness.builder().recovered_after(Duration::from_millis(1));
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    let sent = [text("ERROR: no pressure"), text("recovered: 1 kind of ERROR, quiet for 1 min")];
    assert_eq!(harness.wait_for_texts(2), sent);
}

#[test]
fn a_text_that_is_to_stay_in_the_gsm_alphabet_does() {
    let harness = Harness::new();
    let alerts = harness.builder().gsm_only().start().expect("a start");
    error(&alerts, "“Łódź” is cold: ☃");
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: \"Lodz\" is cold: ?")]);
    harness.sim.assert_clean();
}

#[test]
fn what_the_hook_hides_is_nowhere_and_what_it_drops_is_counted() {
    let harness = Harness::new();
    let builder = harness.builder().scrub(|draft| {
        scrub::secrets(draft);
        draft.target() != "chatty"
    });
    let alerts = builder.start().expect("a start");
    error(&alerts, "login failed: password=hunter2");
    alerts.record(&Event::new(Level::Error, "hunter2 again").target("chatty"));
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: login failed: password=***")]);
    assert_eq!(health(&alerts).counters.suppressed, 1);
    for file in annunciator_tests::files_below(harness.spool()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(7).any(|seven| seven == b"hunter2"), "{}", file.display());
    }
}
