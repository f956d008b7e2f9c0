//! Key, secret and number appear where they have to, and nowhere else: not at the most talkative
//! level, not in any refusal, not on any disk.

use std::ffi::OsString;
use std::fs;

use annunciator_simulator::{Answer, Certificate, Simulator};
use annunciator_tests::{Harness, Proxy, files_below, holds, run, side_by_side, text};

use crate::PROGRAM;

const KEY: &str = "k3yPump7";
const SECRET: &str = "Geheim-W0rt-7";
/// Base64 of `k3yPump7:Geheim-W0rt-7`.
const BASIC: &str = "azN5UHVtcDc6R2VoZWltLVcwcnQtNw==";
/// Base64 of `me:Geheim-W0rt-7`.
const PROXY_BASIC: &str = "bWU6R2VoZWltLVcwcnQtNw==";

/// One way a run can go; each makes the program talk of something else.
struct Run {
    name: &'static str,
    answer: fn(&Simulator),
    variables: &'static [(&'static str, &'static str)],
    /// Whether the program starts at all.
    starts: bool,
}

const RUNS: &[Run] = &[
    Run { name: "sent", answer: |_| {}, variables: &[], starts: true },
    Run {
        name: "sent, credentials in the body",
        answer: |_| {},
        variables: &[("IN_BODY", "1")],
        starts: true,
    },
    Run {
        name: "renewed",
        answer: |sim| sim.set_secret("Another-Secret-8"),
        variables: &[],
        starts: true,
    },
    Run {
        name: "renewed, credentials in the body",
        answer: |sim| sim.set_secret("Another-Secret-8"),
        variables: &[("IN_BODY", "1")],
        starts: true,
    },
    Run {
        name: "redirected",
        answer: |sim| sim.otherwise(Answer::redirect(307)),
        variables: &[],
        starts: true,
    },
    Run {
        name: "expired",
        answer: |sim| sim.set_certificate(Certificate::Expired),
        variables: &[],
        starts: true,
    },
    Run { name: "away", answer: |sim| sim.stop(), variables: &[], starts: true },
    Run {
        name: "echo",
        // A service, or something in its place, that repeats what it was sent.
        answer: |sim| {
            let page = format!("you said {KEY} {SECRET} {BASIC} 447700900777");
            sim.otherwise(Answer::http(404).body("text/plain", page));
        },
        variables: &[],
        starts: true,
    },
    Run {
        name: "level that is none",
        answer: |_| {},
        variables: &[("ALERT_LEVEL", "loud")],
        starts: false,
    },
    Run {
        name: "address with a name in it",
        answer: |_| {},
        variables: &[("VONAGE_SMS_URL", "https://k3yPump7:Geheim-W0rt-7@127.0.0.1/sms/json")],
        starts: false,
    },
    Run {
        name: "secret that cannot be one",
        answer: |_| {},
        variables: &[("VONAGE_API_SECRET", "Geheim-W0rt-7\n")],
        starts: false,
    },
    Run {
        name: "proxy with a password",
        answer: |_| {},
        variables: &[
            // Not by its address: this machine needs no proxy to itself.
            ("VONAGE_SMS_URL", "https://localhost:9/sms/json"),
            ("HTTPS_PROXY", "http://k3yPump7:Geheim-W0rt-7@127.0.0.1:bad"),
        ],
        starts: false,
    },
];

#[test]
fn no_output_no_error_no_debug_no_file_and_no_address_holds_a_secret() {
    let phone = "+44 7700 900777";
    let digits = "447700900777";
    side_by_side(RUNS, |Run { name, answer, variables, starts }| {
        let sim = Simulator::builder().credentials(KEY, SECRET).start().expect("a simulator");
        let harness = Harness::with(sim);
        let mut program = harness.program(PROGRAM, "talk");
        program.env("ALERT_PHONE_NUMBER", phone);
        answer(&harness.sim);
        program.env("VONAGE_API_SECRET", SECRET).envs(variables.iter().copied());
        let output = run(&mut program);
        let whole = [output.stdout.as_str(), output.stderr.as_str()].concat();
        assert!(!whole.contains("panicked"), "{name}: {whole}");
        assert_eq!(output.status.code(), Some(if *starts { 0 } else { 2 }), "{name}: {whole}");
        let talks = whole.contains("DEBUG ureq");
        assert_eq!(talks, *starts, "{name}: {whole}");
        for secret in [KEY, SECRET, BASIC, digits, phone] {
            let lines: Vec<&str> = whole.lines().filter(|line| line.contains(secret)).collect();
            assert!(lines.is_empty(), "{name}: {secret} is shown: {lines:#?}");
        }
        // A dump of bytes in hexadecimal digits shows a secret as well, across its lines.
        let dumped = dumped(&whole);
        for secret in [KEY, SECRET, BASIC, digits] {
            assert!(!holds(&dumped, secret), "{name}: {secret} is shown as hexadecimal digits");
        }
        for file in files_below(harness.spool()).into_iter().chain(harness.memory_files()) {
            let Ok(bytes) = fs::read(&file) else { continue };
            let path = OsString::from(&file);
            for secret in [KEY, SECRET, BASIC, digits] {
                assert!(!holds(&bytes, secret), "{name}: {secret} is in {}", file.display());
                assert!(!holds(path.as_encoded_bytes(), secret), "{name}: {}", file.display());
            }
        }
        let exposed: Vec<_> = harness
            .sim
            .violations()
            .into_iter()
            .filter(|violation| violation.rule == annunciator_simulator::Rule::SecretExposed)
            .collect();
        assert!(exposed.is_empty(), "{name}: {exposed:?}");
        for request in harness.sim.requests() {
            assert_eq!(request.target, "/sms/json", "{name}");
        }
    });
}

#[test]
fn a_logger_that_knows_nothing_of_us_sees_no_secret_in_what_the_client_traces() {
    let ways: [(&str, &[(&str, &str)]); 2] = [("header", &[]), ("body", &[("IN_BODY", "1")])];
    side_by_side(&ways, |(way, variables)| {
        let sim = Simulator::builder().credentials(KEY, SECRET).start().expect("a simulator");
        let harness = Harness::with(sim);
        // Through a proxy with a password as well.
        let proxy = Proxy::start();
        let mut program = harness.program(PROGRAM, "be traced");
        program
            .env("VONAGE_API_SECRET", SECRET)
            .env("VONAGE_SMS_URL", harness.sim.named_url())
            .env("HTTPS_PROXY", proxy.url().replace("http://", &format!("http://me:{SECRET}@")))
            .envs(variables.iter().copied());
        let output = run(&mut program);
        assert!(output.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{way}: {output:?}");
        assert_eq!(harness.texts(), [text("ERROR: no pressure")], "{way}");
        harness.sim.assert_clean();
        let dumped = dumped(&output.stderr);
        assert!(holds(&dumped, "POST /sms/json HTTP/1.1"), "{way}: nothing was traced");
        for secret in [KEY, SECRET, BASIC, PROXY_BASIC] {
            assert!(!output.stderr.contains(secret), "{way}: {secret} is shown: {}", output.stderr);
            assert!(!holds(&dumped, secret), "{way}: {secret} is shown as hexadecimal digits");
        }
    });
}

/// The bytes of all that looks like a dump: groups of four hexadecimal digits.
fn dumped(output: &str) -> Vec<u8> {
    let groups = output.split([' ', '\n']).filter(|group| group.len() == 4);
    groups
        .flat_map(|group| [group.get(..2), group.get(2..)])
        .filter_map(|pair| u8::from_str_radix(pair?, 16).ok())
        .collect()
}

#[test]
fn the_check_above_would_see_a_secret_in_a_dump() {
    // `Authorization: Basic azN5`, as a client's log was seen to show it.
    let dump = "TRACE x: 4175 7468 6f72 697a 6174 696f 6e3a 2042  Authorization:.B\n\
                TRACE x: 6173 6963 2061 7a4e 35-- ---- ---- ----  asic.azN5.......";
    assert!(holds(&dumped(dump), "Authorization: Basic azN5"));
    assert!(!dump.contains("Basic"));
}
