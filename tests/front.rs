//! The front for the `log` crate, beside a console: who hears what.

use std::fs;
use std::time::Duration;

use annunciator_tests::{Stage, files_below, holds, run, tell_all, text, wait_for};
use log::{Level, Log as _, Record};

use crate::PROGRAM;

#[test]
fn the_console_gets_everything_and_the_phone_the_messages() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "console"));
    assert!(said.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{said:?}");
    // The console hears the client too; here it is about the program's own records.
    let own = |line: &&str| line.split(' ').nth(1).is_some_and(|t| t.starts_with("annunciator"));
    let shown: Vec<&str> = said.stderr.lines().filter(own).collect();
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
        said.stderr
    );
    let told = stage.texts().join("\n");
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
        assert_eq!(told.matches(word).count(), times, "{word}: {told}");
    }
}

#[test]
fn what_the_client_logs_is_shown_and_never_told_but_the_programs_own_use_of_it_is() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "everything"));
    assert_eq!(said.stdout.matches(" sent, 0 kept, 0 in memory alone\n").count(), 2, "{said:?}");
    assert_eq!(
        stage.texts(),
        [
            text("ERROR: the program's own request failed"),
            text("DEBUG: the program's own connection failed")
        ]
    );
    assert!(said.stderr.contains(" ureq"), "the console hears the client: {}", said.stderr);
}

#[test]
fn flushing_the_logger_commits_and_sends_nothing() {
    let stage = Stage::new();
    let ages = Duration::from_secs(600);
    let builder = stage.builder().hold(ages, ages).commit_within(ages, ages);
    let alerts = builder.start().expect("a start");
    let logger = alerts.logger();
    // A graver one goes to the file at once where memory dies with a container.
    logger.log(&Record::builder().level(Level::Warn).args(format_args!("no pressure")).build());
    let on_disk = || {
        let spools = files_below(stage.spool());
        spools.iter().any(|file| holds(&fs::read(file).unwrap_or_default(), "no pressure"))
    };
    assert!(!on_disk());
    logger.flush();
    wait_for("the event on the disk", on_disk);
    assert_eq!(stage.sim.counts().connections, 0);
    assert_eq!(annunciator_tests::health(&alerts).waiting, 1);
    tell_all(&alerts);
    assert_eq!(stage.texts(), [text("WARN: no pressure")]);
}

#[test]
fn an_install_that_fails_changes_nothing() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "install twice"));
    assert_eq!(
        said.stdout, "refused: true; maximum level: ERROR\n0 sent, 0 kept, 0 in memory alone\n",
        "{said:?}"
    );
    assert_eq!(said.stderr, "ERROR annunciator_tests_child: to the first logger\n");
    assert!(stage.sim.requests().is_empty());
}
