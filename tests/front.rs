//! The front for the `log` crate, beside a console: who hears what.

use std::fs;
use std::time::Duration;

use annunciator_tests::{Harness, files_below, flush_all, holds, run, text, wait_for};
use log::{Level, Log as _, Record};

use crate::PROGRAM;

#[test]
fn the_console_gets_everything_and_the_phone_the_messages() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "console"));
    assert!(output.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{output:?}");
    // The console hears the client too; here it is about the program's own records.
    let own = |line: &&str| line.split(' ').nth(1).is_some_and(|t| t.starts_with("annunciator"));
    let shown: Vec<&str> = output.stderr.lines().filter(own).collect();
    let target = "annunciator_tests_child";
    assert_eq!(
        shown,
        [
            &*format!("DEBUG {target}: for the console"),
            &*format!("WARN {target}: warm"),
            &*format!(
                "ERROR {target}: no pressure cause=the meter is silent: an error occurred when \
                 formatting an argument valve=7"
            ),
            "ERROR annunciator::worker: of the alerter itself",
            "ERROR annunciator_core::ring: of its core",
            "ERROR annunciator_like: of a namesake",
        ],
        "{}",
        output.stderr
    );
    let sent = harness.texts().join("\n");
    for (word, times) in [
        ("for the console", 0),
        ("WARN: warm", 1),
        ("ERROR: no pressure", 1),
        ("meter", 0),
        ("valve", 0),
        ("of the alerter itself", 0),
        ("of its core", 0),
        ("ERROR: of a namesake", 1),
    ] {
        assert_eq!(sent.matches(word).count(), times, "{word}: {sent}");
    }
}

#[test]
fn what_the_client_logs_is_shown_and_never_texted_but_the_programs_own_use_of_it_is() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "everything"));
    assert_eq!(
        output.stdout.matches(" sent, 0 kept, 0 in memory alone\n").count(),
        2,
        "{output:?}"
    );
    assert_eq!(
        harness.texts(),
        [
            text("ERROR: the program's own request failed"),
            text("DEBUG: the program's own connection failed")
        ]
    );
    assert!(output.stderr.contains(" ureq"), "the console hears the client: {}", output.stderr);
}

#[test]
fn flushing_the_logger_commits_and_sends_nothing() {
    let harness = Harness::new();
    let ages = Duration::from_secs(600);
    let builder = harness.builder().hold(ages, ages).commit_within(ages, ages);
    let alerts = builder.start().expect("a start");
    let logger = alerts.logger();
    // A graver one goes to the file at once where memory dies with a container.
    logger.log(&Record::builder().level(Level::Warn).args(format_args!("no pressure")).build());
    let on_disk = || {
        let spools = files_below(harness.spool());
        spools.iter().any(|file| holds(&fs::read(file).unwrap_or_default(), "no pressure"))
    };
    assert!(!on_disk());
    logger.flush();
    wait_for("the event on the disk", on_disk);
    assert_eq!(harness.sim.counts().connections, 0);
    assert_eq!(annunciator_tests::health(&alerts).waiting, 1);
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("WARN: no pressure")]);
}

#[test]
fn an_install_that_fails_changes_nothing() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "install twice"));
    assert_eq!(
        output.stdout, "refused: true; maximum level: ERROR\n0 sent, 0 kept, 0 in memory alone\n",
        "{output:?}"
    );
    assert_eq!(output.stderr, "ERROR annunciator_tests_child: to the first logger\n");
    assert!(harness.sim.requests().is_empty());
}
