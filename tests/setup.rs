//! A program's first minutes: no credentials, half of them, and settings that cannot be used.

use std::collections::HashMap;

use annunciator::Setup;
use annunciator_tests::{bare_program, impatient, run};

use crate::PROGRAM;

const COMPLETE: [(&str, &str); 3] = [
    ("VONAGE_API_KEY", "abcd1234"),
    ("VONAGE_API_SECRET", "Dummy-Secret-0"),
    ("ALERT_PHONE_NUMBER", "+44 7700 900000"),
];

#[test]
fn without_credentials_the_program_runs_and_says_so_in_one_line() {
    let output = run(&mut bare_program(PROGRAM, "be nobody"));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        output.stderr,
        "annunciator: no texts will be sent, not set: VONAGE_API_KEY, VONAGE_API_SECRET, \
         ALERT_PHONE_NUMBER\n"
    );
    assert!(
        output.stdout.starts_with("0 sent, 0 kept, 0 in memory alone; false; texts are off: "),
        "{output:?}"
    );
    // Empty values are what a unit file leaves of variables that are not set.
    let empty = COMPLETE.map(|(name, _)| (name, ""));
    let again = run(bare_program(PROGRAM, "be nobody").envs(empty));
    assert_eq!((again.stderr, again.stdout), (output.stderr, output.stdout));
}

#[test]
fn a_program_whose_stderr_nobody_reads_runs_all_the_same() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bare_program(PROGRAM, "be nobody").stderr(writer).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn without_a_number_likewise() {
    let output = run(bare_program(PROGRAM, "be nobody").envs([COMPLETE[0], COMPLETE[1]]));
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, "annunciator: no texts will be sent, not set: ALERT_PHONE_NUMBER\n");
}

#[test]
fn half_a_credential_is_an_error_that_names_the_other_half() {
    for (present, missing) in [(0, 1), (1, 0)] {
        let output = run(bare_program(PROGRAM, "be nobody").envs([COMPLETE[present]]));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let (present, missing) = (COMPLETE[present].0, COMPLETE[missing].0);
        assert_eq!(
            output.stderr,
            format!(
                "{present} is set but {missing} is not: set both to send, or neither to run \
                 without texts\n"
            )
        );
    }
}

#[test]
fn a_setting_that_cannot_be_used_is_named_with_the_fix() {
    for (variable, value, fix) in [
        ("ALERT_PHONE_NUMBER", "07700 900000", "write +44 20... instead of 020..."),
        ("ALERT_PHONE_NUMBER", "+44 7700 900000, pump", "number 2"),
        ("ALERT_LEVEL", "loud", "use TRACE, DEBUG, INFO, WARN, ERROR"),
        ("ALERT_SENDER", "a sender too long", "11"),
        ("ALERT_SPOOL", "spool", "write the whole path"),
        ("VONAGE_SMS_URL", "http://rest.nexmo.com/sms/json", "use https"),
        ("VONAGE_SMS_URL", "rest.nexmo.com", "https"),
        ("ALERT_CA_FILE", "/nonexistent/roots.pem", "/nonexistent/roots.pem"),
        ("HTTPS_PROXY", "socks5://proxy:1080", "http://host:port"),
    ] {
        let mut variables: HashMap<&str, &str> = COMPLETE.into_iter().collect();
        variables.insert(variable, value);
        let variables: HashMap<String, String> =
            variables.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let lookup = move |name: &str| variables.get(name).map(Into::into);
        let error = impatient("pump").environment(lookup).start().expect_err(value).to_string();
        assert!(error.starts_with(&format!("{variable}: ")), "{error}");
        assert!(error.contains(fix), "{variable}={value}: {error}");
    }
}

#[test]
fn a_north_american_number_needs_a_sender_of_digits_and_the_error_says_so() {
    let to_america = || {
        impatient("pump")
            .environment(|_| None)
            .credentials("abcd1234", "Dummy-Secret-0")
            .to("+1 202 555 0123")
    };
    let error = to_america().build().expect_err("no sender").to_string();
    assert!(error.starts_with("ALERT_SENDER: "), "{error}");
    assert!(error.contains("+1"), "{error}");
    assert!(matches!(to_america().sender("12025550199").build(), Ok(Setup::Enabled(_))));
}
