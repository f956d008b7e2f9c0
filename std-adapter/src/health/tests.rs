//! Tests of the report's text and of what the callback is called for.

use super::*;

#[test]
fn the_report_says_what_is_done_lost_and_kept() {
    let mut one = DestinationHealth::new("+44..00");
    one.state = State::Latched {
        refusal: "status 4, wrong credentials: renew VONAGE_API_SECRET".to_owned(),
        due: Duration::from_secs(300),
    };
    one.waiting = 2;
    one.counters = Counters {
        recorded: 15,
        delivered: 9,
        suppressed: 1,
        lost: Lost { evicted: 3, unrecorded: 1, ..Lost::default() },
        texts: 2,
        segments: 4,
        unknown: 1,
        ..Counters::default()
    };
    one.balance = Decimal::parse("3.5");
    one.spent = Decimal::parse("0.1332").unwrap();
    one.spool = SpoolHealth {
        directory: Some("/var/lib/annunciator/pump".into()),
        trouble: None,
        survives_crash: true,
        survives_power_cut: true,
        ..SpoolHealth::default()
    };
    one.segments_a_month = 1240;
    let mut two = DestinationHealth::new("gateway");
    two.segments_a_month = 40;
    two.state = State::Waiting { due: Duration::from_millis(850) };
    two.spool.trouble = Some("no HOME".to_owned());
    two.last_trouble = Some("connection refused".to_owned());
    let health = Health { name: "pump".to_owned(), disabled: None, destinations: vec![one, two] };
    assert!(!health.is_good());
    assert_eq!(
        health.to_string(),
        "pump\n\
         +44..00: REFUSED: status 4, wrong credentials: renew VONAGE_API_SECRET; next probe \
         in 5 min\n  \
           events: 15 recorded, 9 delivered, 2 waiting, 1 suppressed\n  \
           lost: 3 evicted, 1 unrecorded\n  \
           texts: 2 accepted, 4 segments, 1 unconfirmed; at most 1240 segments a month\n  \
           spent: 0.13320000 EUR\n  \
           balance: 3.50000000 EUR\n  \
           spool: /var/lib/annunciator/pump; events survive a crash and a power cut\n\
         gateway: next text in 850 ms\n  \
           events: 0 recorded, 0 delivered, 0 waiting\n  \
           texts: 0 accepted, 0 segments; at most 40 segments a month\n  \
           spool: none: no HOME; events end with the program\n  \
           last trouble: connection refused\n\
         all: at most 1280 segments a month"
    );
}

#[test]
fn a_trouble_that_lasts_is_reported_once_and_one_that_is_over_is_still_named() {
    let mut one = DestinationHealth::new("x");
    let count = |one: &DestinationHealth| one.to_string().matches("no route").count();
    one.last_trouble = Some("no route".to_owned());
    assert!(one.to_string().ends_with("last trouble: no route"), "{one}");
    let due = Duration::from_secs(1);
    one.state = State::BackingOff { cause: "no route".to_owned(), due };
    assert_eq!(count(&one), 1, "{one}");
    one.state = State::Latched { refusal: "no route".to_owned(), due };
    assert_eq!(count(&one), 1, "{one}");
    one.state = State::Idle;
    one.spool.trouble = Some("no route".to_owned());
    assert_eq!(count(&one), 1, "{one}");
}

#[test]
fn memory_that_a_container_takes_along_does_not_end_with_the_program() {
    let mut spool = SpoolHealth::default();
    assert_eq!(spool.to_string(), "none; events end with the program");
    spool.survives_restart = true;
    assert_eq!(spool.to_string(), "none; events end with the container");
    spool.survives_crash = true;
    assert_eq!(spool.to_string(), "none; events survive a crash");
}

#[test]
fn health_is_good_while_trouble_ends_by_itself_and_bad_when_somebody_must_act() {
    let with = |state: State| {
        let mut one = DestinationHealth::new("x");
        one.state = state;
        Health { destinations: vec![one], ..Health::default() }
    };
    let due = Duration::from_secs(1);
    assert!(with(State::Idle).is_good());
    assert!(with(State::BackingOff { cause: "no route".into(), due }).is_good());
    assert!(!with(State::Latched { refusal: "no credit".into(), due }).is_good());
    assert!(!with(State::Disabled { why: "x".into() }).is_good());
    let off = Health { disabled: Some("not set: X".into()), ..Health::default() };
    assert!(!off.is_good());
    assert_eq!(off.to_string(), "texts are off: not set: X");
}

#[test]
fn the_callback_hears_of_changes_only_and_may_panic() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let callback: OnError = Arc::new(move |trouble| {
        notes.lock().unwrap().push(trouble.to_string());
        if trouble.what == Some("bang") {
            std::panic::resume_unwind(Box::new("in the callback"));
        }
    });
    let reporter = Reporter::new("+44..00", Some(callback));
    for what in [None, Some("no route"), Some("no route"), Some("401"), None, None, Some("401")] {
        reporter.report(None, what);
    }
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "annunciator: +44..00: no route",
            "annunciator: +44..00: 401",
            "annunciator: +44..00: well again",
            "annunciator: +44..00: 401",
        ]
    );
    heard.clear_poison();
    reporter.report(None, Some("bang"));
    heard.clear_poison();
    reporter.report(None, None);
    assert_eq!(heard.lock().unwrap().len(), 6, "it is called after its panic as before");
    Reporter::new("x", None).report(None, Some("nobody listens"));
}

#[test]
fn the_callback_hears_once_of_attempts_that_fail_alike() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&heard);
    let callback: OnError = Arc::new(move |t| notes.lock().unwrap().push(t.to_string()));
    let reporter = Reporter::new("x", Some(callback));
    for (code, what) in [
        (Code(5), "server error; trace 1"),
        (Code(5), "server error; trace 2"),
        (Code(1503), "server error; trace 3"),
    ] {
        reporter.report(Some(code), Some(what));
    }
    let heard = heard.lock().unwrap();
    let said = ["server error; trace 1", "server error; trace 3"];
    assert_eq!(*heard, said.map(|words| format!("annunciator: x: {words}")));
}

#[test]
fn losses_add_up_without_overflow() {
    let lost = Lost { evicted: u32::MAX, expired: 1, ..Lost::default() };
    assert_eq!(lost.total(), u32::MAX);
}
