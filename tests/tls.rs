//! Whatever is wrong between the program and a service it can trust: nothing leaves, nothing is
//! lost, and what happened is reported once when the connection works again.

use std::time::Duration;

use annunciator::{Annunciator, Builder};
use annunciator_simulator::{Answer, Certificate, Simulator, Tls};
use annunciator_tests::{
    Door, Harness, Proxy, error, flush_all, health, holds, scratch, side_by_side, text, wait_for,
};

/// `Authorization: Basic` of the simulator's account, its value.
const BASIC: &str = "YWJjZDEyMzQ6RHVtbXktU2VjcmV0LTA=";

/// An error meets a bad service: attempts fail for the reason given, and nothing is sent. Then the
/// service is fixed, and the error is sent once.
#[track_caller]
fn kept_until_fixed(harness: &Harness, builder: Builder, reason: &str, mend: impl FnOnce()) {
    let alerts = builder.start().expect("a start");
    error(&alerts, "no pressure");
    attempts_fail(&alerts, reason);
    assert!(harness.sim.requests().is_empty(), "{:?}", harness.sim.requests());
    mend();
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    assert_eq!(harness.sim.requests().len(), 1);
    assert_eq!(health(&alerts).counters.unknown, 0, "{}", alerts.health());
    harness.sim.assert_clean();
}

/// Waits until at least two attempts have failed, the last one for this reason.
#[track_caller]
fn attempts_fail(alerts: &Annunciator, reason: &str) {
    wait_for(reason, || {
        let health = health(alerts);
        let said = health.last_trouble.is_some_and(|trouble| trouble.contains(reason));
        health.counters.retries >= 2 && said
    });
    let health = health(alerts);
    assert_eq!((health.counters.texts, health.waiting), (0, 1), "{health}");
}

#[test]
fn a_certificate_that_proves_nothing_gets_nothing() {
    let certificates = [
        (Certificate::Expired, "expired"),
        (Certificate::NotYetValid, "not valid yet"),
        (Certificate::WrongHost, "not valid for name"),
        (Certificate::OtherAuthority, "BadSignature"),
    ];
    side_by_side(&certificates, |(certificate, reason)| {
        let harness =
            Harness::with(Simulator::builder().certificate(*certificate).start().unwrap());
        kept_until_fixed(&harness, harness.builder(), reason, || {
            harness.sim.set_certificate(Certificate::Good);
        });
        wait_for("the service to notice", || harness.sim.counts().failed_handshakes >= 2);
    });
}

#[test]
fn the_built_in_roots_do_not_know_a_private_authority_and_no_setting_turns_that_off() {
    let harness = Harness::new();
    let other = Simulator::start().unwrap();
    // Roots are taken from the other's file, and then, in the next run, from the right one.
    let builder = harness.builder().ca_file(other.ca_file()).drop_timeout(Duration::from_secs(3));
    let alerts = builder.start().unwrap();
    error(&alerts, "no pressure");
    attempts_fail(&alerts, "ALERT_CA_FILE");
    drop(alerts);
    assert!(harness.sim.requests().is_empty());
    // The drop gave up waiting, so its worker may hold the spool for another moment.
    wait_for("a start that finds it", || {
        flush_all(&harness.start());
        !harness.texts().is_empty()
    });
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn a_service_too_old_for_safe_tls_gets_nothing() {
    side_by_side(&[Tls::Old, Tls::OldAlert], |old| {
        let harness = Harness::with(Simulator::builder().tls(*old).start().unwrap());
        kept_until_fixed(&harness, harness.builder(), "no secure connection", || {
            harness.sim.set_tls(Tls::Modern);
        });
    });
}

#[test]
fn both_safe_versions_of_tls_serve() {
    side_by_side(&[Tls::Only12, Tls::Only13], |tls| {
        let harness = Harness::with(Simulator::builder().tls(*tls).start().unwrap());
        let alerts = harness.start();
        error(&alerts, "no pressure");
        flush_all(&alerts);
        assert_eq!(harness.texts(), [text("ERROR: no pressure")], "{tls:?}");
    });
}

#[test]
fn a_port_that_speaks_no_tls_gets_nothing() {
    let plain = Simulator::builder().plain().start().unwrap();
    let harness = Harness::new();
    let door = Door::to(plain.address());
    kept_until_fixed(&harness, harness.builder().url(door.url()), "no secure connection", || {
        door.lead_to(harness.sim.address());
    });
    assert_eq!(plain.counts().requests, 0);
}

#[test]
fn without_tls_only_this_very_machine_is_spoken_to() {
    let harness = Harness::with(Simulator::builder().plain().start().unwrap());
    let alerts = harness.start();
    error(&alerts, "no pressure");
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    // A name could lead anywhere.
    let error = harness.builder().url(harness.sim.named_url()).start().expect_err("a name");
    assert!(error.to_string().contains("use https"), "{error}");
}

#[test]
fn an_error_during_an_outage_is_sent_when_the_service_is_back() {
    let harness = Harness::new();
    harness.sim.stop();
    let mend = || harness.service_is_back();
    kept_until_fixed(&harness, harness.builder(), "could not be reached", mend);
}

#[test]
fn a_handshake_that_hangs_or_breaks_sends_nothing() {
    let answers = [
        (Answer::hang_in_handshake(), "did not respond in time; nothing was sent"),
        (Answer::close_in_handshake(), "before anything was sent"),
    ];
    side_by_side(&answers, |(bad, reason)| {
        let harness = Harness::new();
        harness.sim.script([bad.clone(), bad.clone()]);
        let builder = harness.builder().connect_timeout(Duration::from_secs(1));
        let alerts = builder.start().expect("a start");
        error(&alerts, "no pressure");
        flush_all(&alerts);
        assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
        assert_eq!(harness.sim.requests().len(), 1);
        let health = health(&alerts);
        assert!(health.counters.retries >= 2 && health.counters.unknown == 0, "{health}");
        assert!(health.last_trouble.is_some_and(|trouble| trouble.contains(reason)));
        harness.sim.assert_clean();
    });
}

#[test]
fn a_black_hole_sends_nothing() {
    let harness = Harness::new();
    harness.sim.pause_accepting();
    let builder = harness.builder().connect_timeout(Duration::from_millis(500));
    let mend = || harness.sim.resume_accepting();
    kept_until_fixed(&harness, builder, "nothing was sent", mend);
}

#[test]
fn a_connection_that_dies_after_the_request_is_repeated_once_and_says_so() {
    let answers = [Answer::close(), Answer::reset_after_request(), Answer::hang()];
    side_by_side(&answers, |bad| {
        let harness = Harness::new();
        harness.sim.script([bad.clone().taken()]);
        let alerts = harness.builder().request_timeout(Duration::from_secs(6)).start().unwrap();
        error(&alerts, "no pressure");
        flush_all(&alerts);
        let texts = harness.texts();
        let [first, second] = texts.as_slice() else { panic!("{texts:?}") };
        assert_eq!(*first, text("ERROR: no pressure"));
        assert!(second.starts_with(&text("(repeat ")), "{second}");
        let health = health(&alerts);
        assert_eq!((health.counters.unknown, health.counters.retries), (1, 0), "{health}");
        let trouble = health.last_trouble.unwrap_or_default();
        assert!(trouble.contains("the text may have been sent"), "{trouble}");
    });
}

#[test]
fn a_proxy_sees_where_the_tunnel_leads_and_nothing_else() {
    let harness = Harness::new();
    let proxy = Proxy::start();
    // As the environment of a machine names it. By name: an address of this very machine needs no
    // proxy.
    let variables = [
        ("HTTPS_PROXY", proxy.url()),
        ("VONAGE_SMS_URL", harness.sim.named_url()),
        ("VONAGE_API_KEY", Simulator::KEY.to_owned()),
        ("VONAGE_API_SECRET", Simulator::SECRET.to_owned()),
        ("ALERT_PHONE_NUMBER", "447700900000".to_owned()),
        ("ALERT_CA_FILE", harness.sim.ca_file().display().to_string()),
        ("ALERT_SPOOL", harness.spool().display().to_string()),
    ];
    let alerts = annunciator_tests::impatient("pump")
        .environment(move |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
        .start()
        .unwrap();
    error(&alerts, "no pressure");
    flush_all(&alerts);
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    harness.sim.assert_clean();

    let port = harness.sim.address().port();
    let [head] = &proxy.heads()[..] else { panic!("{:?}", proxy.heads()) };
    assert!(head.starts_with(&format!("CONNECT localhost:{port} HTTP/1.1\r\n")), "{head}");
    assert!(!head.to_ascii_lowercase().contains("authorization"), "{head}");
    for secret in [Simulator::KEY, Simulator::SECRET, BASIC, "447700900000", "no pressure"] {
        assert!(!holds(&proxy.bytes(), secret), "{secret} went through the proxy in the clear");
    }
}

#[test]
fn a_proxy_that_opens_no_tunnel_sends_nothing_and_is_named() {
    let answers = ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"];
    side_by_side(&answers, |status| {
        let harness = Harness::new();
        let proxy = Proxy::start();
        proxy.refuse(Some(status));
        let builder = harness.builder().proxy(proxy.url());
        kept_until_fixed(&harness, builder, "check HTTPS_PROXY", || proxy.refuse(None));
        assert!(!holds(&proxy.bytes(), BASIC));
    });
}

#[test]
fn a_proxy_cannot_pose_as_the_service() {
    // It answers CONNECT and then speaks for the service, with a certificate of its own making.
    let harness = Harness::new();
    let impostor = Simulator::start().unwrap();
    let door = Door::to(impostor.address());
    kept_until_fixed(&harness, harness.builder().url(door.url()), "no secure connection", || {
        door.lead_to(harness.sim.address());
    });
    assert!(impostor.requests().is_empty());
}

#[test]
fn a_root_file_that_is_none_is_an_error_of_the_start() {
    let harness = Harness::new();
    let file = scratch("roots");
    std::fs::write(&file, "not a certificate").unwrap();
    let error = harness.builder().ca_file(&file).start().expect_err("no such roots");
    std::fs::remove_file(&file).unwrap();
    let words = error.to_string();
    assert!(words.contains("ca_file") && words.contains("BEGIN CERTIFICATE"), "{words}");
    assert!(harness.sim.requests().is_empty());
    assert_eq!(harness.sim.counts().connections, 0);
}
