//! Accounts that demand a signature: the secret never leaves the program.

use annunciator::{Algorithm, ConfigError};
use annunciator_simulator::{Auth, SignatureMethod, Simulator};
use annunciator_tests::{
    Harness, PHONE, error, flush_all, holds, impatient, run, side_by_side, text, wait_for_latch,
};

use crate::PROGRAM;

const SIGNATURE_SECRET: &str = "71efab63122f1d179f51c46bac838fb5";
const METHODS: [(SignatureMethod, Algorithm, &str); 2] = [
    (SignatureMethod::Md5Hash, Algorithm::Md5Hash, "md5hash"),
    (SignatureMethod::Sha256, Algorithm::HmacSha256, "sha256"),
];

fn strict(method: SignatureMethod) -> Harness {
    let sim = Simulator::builder().signature(method, SIGNATURE_SECRET).only(Auth::Signature);
    Harness::with(sim.start().expect("a simulator"))
}

#[test]
fn a_text_is_signed_if_there_is_a_signature_secret() {
    side_by_side(&METHODS, |(method, algorithm, _)| {
        let harness = strict(*method);
        // The API secret is there too, as it is in many environments; it is not used.
        let builder = harness.builder().signature(*algorithm, SIGNATURE_SECRET);
        let alerts = builder.start().expect("a start");
        error(&alerts, "p=5 & rising, 20 \u{20ac}");
        flush_all(&alerts);
        assert_eq!(harness.texts(), [text("ERROR: p=5 & rising, 20 \u{20ac}")]);
        let [request] = &harness.sim.requests()[..] else { panic!("{:?}", harness.sim.requests()) };
        assert_eq!(request.header("Authorization"), None);
        for secret in [SIGNATURE_SECRET, Simulator::SECRET] {
            assert!(!holds(format!("{request:?}").as_bytes(), secret), "{request:?}");
        }
        harness.sim.assert_clean();
    });
}

#[test]
fn the_environment_can_say_so_and_then_needs_no_api_secret() {
    side_by_side(&METHODS, |(method, _, name)| {
        let harness = strict(*method);
        let mut program = harness.program(PROGRAM, "log and flush");
        program
            .arg("no pressure")
            .env_remove("VONAGE_API_SECRET")
            .env("VONAGE_SIGNATURE_SECRET", SIGNATURE_SECRET);
        // The first is the default.
        if *name != "md5hash" {
            program.env("VONAGE_SIGNATURE_METHOD", name);
        }
        let output = run(&mut program);
        assert!(output.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
        harness.sim.assert_clean();
    });
}

#[test]
fn a_signature_by_the_wrong_secret_is_refused_in_words_and_sent_after_the_fix() {
    let harness = strict(SignatureMethod::Sha256);
    let builder = || harness.builder();
    let alerts = builder().signature(Algorithm::HmacSha256, "another").start().expect("a start");
    error(&alerts, "no pressure");
    let why = wait_for_latch(&alerts);
    assert!(why.contains("signature"), "{why}");
    assert!(!why.contains("another"), "{why}");
    drop(alerts);
    let mended = builder().signature(Algorithm::HmacSha256, SIGNATURE_SECRET);
    flush_all(&mended.start().expect("a start"));
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn settings_of_a_signature_that_cannot_be_used_are_named() {
    let start = |variables: &'static [(&'static str, &'static str)]| -> ConfigError {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        };
        let builder = impatient("pump").to(PHONE).environment(lookup);
        builder.build().map(|_| ()).expect_err("a setting that cannot be used")
    };
    let error = start(&[("VONAGE_SIGNATURE_SECRET", SIGNATURE_SECRET)]).to_string();
    assert!(error.contains("VONAGE_SIGNATURE_SECRET is set but VONAGE_API_KEY is not"), "{error}");
    let error = start(&[
        ("VONAGE_API_KEY", "abcd1234"),
        ("VONAGE_SIGNATURE_SECRET", SIGNATURE_SECRET),
        ("VONAGE_SIGNATURE_METHOD", "sha512"),
    ]);
    assert!(error.to_string().contains("VONAGE_SIGNATURE_METHOD: write md5hash or sha256"));
    let error = start(&[("VONAGE_API_KEY", "abcd1234"), ("VONAGE_SIGNATURE_SECRET", "a b")]);
    assert!(error.to_string().starts_with("VONAGE_SIGNATURE_SECRET: "), "{error}");
    assert!(!error.to_string().contains("a b"), "{error}");
}
