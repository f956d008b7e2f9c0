use super::testing::{Ear, Pad};
use super::*;
use std::fmt;
use std::sync::atomic::Ordering;

fn logger(ear: &Arc<Ear>) -> Logger {
    Logger::new(Some(Arc::clone(ear) as Arc<dyn Sink>))
}

fn say(logger: &dyn Log, level: log::Level, target: &str, args: fmt::Arguments<'_>) {
    logger.log(&Record::builder().level(level).target(target).args(args).build());
}

#[test]
fn records_of_the_level_are_reported_with_target_and_place() {
    let ear = Ear::new(Level::Warn);
    let logger = logger(&ear);
    logger.log(
        &Record::builder()
            .level(log::Level::Error)
            .target("pump")
            .file(Some("src/pump.rs"))
            .line(Some(7))
            .args(format_args!("pressure {} bar", 3))
            .build(),
    );
    say(&logger, log::Level::Warn, "pump", format_args!("a plain literal"));
    say(&logger, log::Level::Info, "pump", format_args!("all is well"));
    assert_eq!(
        ear.heard(),
        ["ERROR [pump] pressure 3 bar src/pump.rs:7", "WARN [pump] a plain literal"]
    );
}

#[test]
fn each_level_is_reported_from_its_own_threshold_on() {
    for (threshold, heard) in Level::ALL.into_iter().zip([5, 4, 3, 2, 1, 0]) {
        let ear = Ear::new(threshold);
        let logger = logger(&ear);
        for level in log::Level::iter() {
            say(&logger, level, "x", format_args!("y"));
            let metadata = Metadata::builder().level(level).target("x").build();
            assert_eq!(logger.enabled(&metadata), level <= logger.level);
        }
        assert_eq!(ear.heard().len(), heard, "{threshold}");
    }
}

#[test]
fn the_inner_logger_gets_what_it_wants_unchanged() {
    let ear = Ear::new(Level::Warn);
    let pad = Pad::new(LevelFilter::Info);
    let logger = logger(&ear).wrap(pad.clone());
    let pairs = [("cause", "division by zero")];
    logger.log(
        &Record::builder()
            .level(log::Level::Error)
            .target("app")
            .args(format_args!("failed {}", 1))
            .key_values(&pairs)
            .build(),
    );
    say(&logger, log::Level::Info, "app", format_args!("started"));
    say(&logger, log::Level::Debug, "app", format_args!("detail"));
    assert_eq!(pad.lines(), ["ERROR failed 1 cause=division by zero", "INFO started"]);
    assert_eq!(ear.heard(), ["ERROR [app] failed 1"], "key-values are for the console");
    let debug = Metadata::builder().level(log::Level::Debug).build();
    let info = Metadata::builder().level(log::Level::Info).build();
    assert!(logger.enabled(&info) && !logger.enabled(&debug));
}

#[test]
fn an_inner_logger_that_wants_less_than_the_sms_is_not_bothered() {
    let ear = Ear::new(Level::Warn);
    let pad = Pad::new(LevelFilter::Error);
    let logger = logger(&ear).wrap(pad.clone());
    say(&logger, log::Level::Warn, "app", format_args!("warm"));
    assert!(pad.lines().is_empty());
    assert_eq!(ear.heard(), ["WARN [app] warm"]);
}

#[test]
fn a_tee_asks_each_logger_for_itself_and_flushes_all() {
    let (ear, console, file) =
        (Ear::new(Level::Error), Pad::new(LevelFilter::Debug), Pad::new(LevelFilter::Warn));
    let logger = logger(&ear).wrap(Tee::new().and(console.clone()).and(file.clone()));
    say(&logger, log::Level::Debug, "app", format_args!("d"));
    say(&logger, log::Level::Warn, "app", format_args!("w"));
    say(&logger, log::Level::Error, "app", format_args!("e"));
    assert_eq!(console.lines(), ["DEBUG d", "WARN w", "ERROR e"]);
    assert_eq!(file.lines(), ["WARN w", "ERROR e"]);
    assert_eq!(ear.heard(), ["ERROR [app] e"]);
    logger.flush();
    for flushed in [&ear.flushed, &*console.flushed, &*file.flushed] {
        assert_eq!(flushed.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn our_own_targets_are_muted_for_the_sms_only() {
    let ear = Ear::new(Level::Warn);
    let pad = Pad::new(LevelFilter::Trace);
    let logger = logger(&ear).wrap(pad.clone());
    let targets = [
        ("annunciator", false),
        ("annunciator::worker", false),
        ("annunciator_core", false),
        ("annunciator_core::ring", false),
        ("annunciators", true),
        ("annunciator_panel::lamp", true),
        ("annunciator_cores", true),
        ("ureq::run", true),
        ("rustls::client", true),
        ("", true),
    ];
    for (target, _) in targets {
        say(&logger, log::Level::Error, target, format_args!("from {target}"));
    }
    let heard: Vec<String> = targets
        .iter()
        .filter(|(_, heard)| *heard)
        .map(|(target, _)| format!("ERROR [{target}] from {target}"))
        .collect();
    assert_eq!(ear.heard(), heard);
    assert_eq!(pad.lines().len(), targets.len());
}

#[test]
fn a_muted_thread_is_kept_from_the_sms_only() {
    let ear = Ear::new(Level::Warn);
    let pad = Pad::new(LevelFilter::Trace);
    let logger = logger(&ear).wrap(pad.clone());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            mute_this_thread();
            say(&logger, log::Level::Error, "rustls", format_args!("from the worker"));
            say(&logger, log::Level::Debug, "ureq", format_args!("from its client"));
            say(&logger, log::Level::Trace, "ureq", format_args!("the bytes of a request"));
        });
    });
    say(&logger, log::Level::Error, "rustls", format_args!("from the program"));
    say(&logger, log::Level::Trace, "ureq", format_args!("the program's own bytes"));
    assert_eq!(ear.heard(), ["ERROR [rustls] from the program"]);
    let lines = pad.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("the bytes of a request")), "{lines:?}");
}

#[test]
fn a_display_that_panics_harms_its_caller_only() {
    struct Bomb;
    impl fmt::Display for Bomb {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("bomb")
        }
    }
    let ear = Ear::new(Level::Warn);
    let logger = logger(&ear);
    for _ in 0..5 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            say(&logger, log::Level::Error, "app", format_args!("{Bomb}"));
        }));
        assert!(outcome.is_err());
    }
    say(&logger, log::Level::Error, "app", format_args!("after {}", 5));
    assert_eq!(ear.heard(), ["ERROR [app] after 5"]);
    assert_eq!(ear.suppressed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_display_that_logs_itself_comes_to_an_end() {
    struct Mirror<'a>(&'a dyn Log);
    impl fmt::Display for Mirror<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            say(self.0, log::Level::Error, "mirror", format_args!("again: {}", Mirror(self.0)));
            f.write_str("seen")
        }
    }
    let ear = Ear::new(Level::Warn);
    let logger = logger(&ear);
    say(&logger, log::Level::Error, "app", format_args!("first: {}", Mirror(&logger)));
    assert_eq!(ear.heard(), ["ERROR [mirror] again: seen", "ERROR [app] first: seen"]);
    assert_eq!(ear.suppressed.load(Ordering::Relaxed), 1);
    say(&logger, log::Level::Error, "app", format_args!("second: {}", Mirror(&logger)));
    assert_eq!(ear.heard().len(), 4, "the count of nestings came back to zero");
}

#[test]
fn a_display_that_gives_up_leaves_what_it_wrote() {
    struct Half;
    impl fmt::Display for Half {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("half")?;
            Err(fmt::Error)
        }
    }
    let ear = Ear::new(Level::Warn);
    say(&logger(&ear), log::Level::Error, "app", format_args!("a {Half} b"));
    assert_eq!(ear.heard(), ["ERROR [app] a half"]);
}

#[test]
fn without_a_sink_the_logger_only_passes_on() {
    let pad = Pad::new(LevelFilter::Info);
    let logger = Logger::new(None).wrap(pad.clone()).inner_level(LevelFilter::Info);
    say(&logger, log::Level::Error, "app", format_args!("e"));
    logger.flush();
    assert_eq!(pad.lines(), ["ERROR e"]);
    assert_eq!(logger.max_level(), LevelFilter::Info);
    assert_eq!(Logger::new(None).max_level(), LevelFilter::Off);
}

#[test]
fn the_maximum_level_serves_whoever_wants_more() {
    let ear = Ear::new(Level::Warn);
    assert_eq!(logger(&ear).max_level(), LevelFilter::Warn);
    let pad = || Pad::new(LevelFilter::Error);
    assert_eq!(logger(&ear).wrap(pad()).max_level(), LevelFilter::Trace, "not said: everything");
    let wrapped = |level| logger(&ear).wrap(pad()).inner_level(level).max_level();
    assert_eq!(wrapped(LevelFilter::Error), LevelFilter::Warn);
    assert_eq!(wrapped(LevelFilter::Debug), LevelFilter::Debug);
}

/// The only test that installs: a process has one logger.
#[test]
fn installing_raises_the_level_and_failing_to_leaves_it_alone() {
    let ear = Ear::new(Level::Warn);
    let console = Pad::new(LevelFilter::Info);
    log::set_max_level(LevelFilter::Off);
    logger(&ear).wrap(console).inner_level(LevelFilter::Info).install().unwrap();
    assert_eq!(log::max_level(), LevelFilter::Info);
    let error = std::io::Error::other("disk gone");
    log::error!(target: "app", cause:% = crate::chain(&error); "cannot save {}", "log");
    assert_eq!(ear.heard().len(), 1);
    assert!(ear.heard()[0].starts_with("ERROR [app] cannot save log "), "{:?}", ear.heard());

    let second = Ear::new(Level::Trace);
    assert!(logger(&second).install().is_err());
    assert_eq!(log::max_level(), LevelFilter::Info);
}
