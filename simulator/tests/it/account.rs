//! The three ways to prove an account, and every way to get them wrong.

use crate::client::{BASIC, Client, FORM, Response, broken, request, values};
use annunciator_simulator::{Auth, Outcome, Rule, SignatureMethod, Simulator};
use std::time::{SystemTime, UNIX_EPOCH};

const KEYS: &str = "api_key=abcd1234&api_secret=Dummy-Secret-0";
const SIGNATURE_SECRET: &str = "my_signature_secret";

fn post(sim: &Simulator, form: &str, headers: &[&str]) -> Response {
    Client::connect(sim).unwrap().exchange(&request(form, headers)).unwrap()
}

fn last(sim: &Simulator) -> (Auth, Outcome) {
    let request = sim.requests().pop().unwrap();
    (request.auth, request.outcome)
}

fn signed(method: SignatureMethod, timestamp: u64, secret: &str, text: &str) -> String {
    let pairs = [
        ("from", "AcmeInc".to_owned()),
        ("to", "447700900000".to_owned()),
        ("text", text.to_owned()),
        ("api_key", "abcd1234".to_owned()),
        ("timestamp", timestamp.to_string()),
    ];
    let mut fields: Vec<_> = pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    fields.push(("sig".to_owned(), method.sign(&fields, secret)));
    let encoded: Vec<_> =
        fields.iter().map(|(n, v)| format!("{n}={}", crate::client::encode(v))).collect();
    encoded.join("&")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn header_and_body_are_both_good() {
    let sim = Simulator::start().unwrap();
    post(&sim, FORM, &[BASIC]);
    assert_eq!(last(&sim), (Auth::Basic, Outcome::Accepted));
    post(&sim, &format!("{FORM}&{KEYS}"), &[]);
    assert_eq!(last(&sim), (Auth::Body, Outcome::Accepted));
    sim.assert_clean();
}

#[test]
fn signatures_of_both_methods_are_good_in_either_case() {
    for method in [SignatureMethod::Md5Hash, SignatureMethod::Sha256] {
        let sim = Simulator::builder().signature(method, SIGNATURE_SECRET).start().unwrap();
        let form = signed(method, now(), SIGNATURE_SECRET, "a=b & c?");
        post(&sim, &form, &[]);
        assert_eq!(last(&sim), (Auth::Signature, Outcome::Accepted));
        let (rest, sig) = form.split_once("sig=").unwrap();
        let upper = sig.split('%').skip(1).map(|hex| {
            let byte = u8::from_str_radix(hex, 16).unwrap();
            (byte as char).to_ascii_uppercase()
        });
        post(&sim, &format!("{rest}sig={}", upper.collect::<String>()), &[]);
        assert_eq!(last(&sim), (Auth::Signature, Outcome::Accepted));
        sim.assert_clean();
    }
}

#[test]
fn wrong_signatures_are_refused() {
    let method = SignatureMethod::Sha256;
    let sim = Simulator::builder().signature(method, SIGNATURE_SECRET).start().unwrap();
    let good = signed(method, now(), SIGNATURE_SECRET, "text");
    let forms = [
        signed(method, now(), "another_secret", "text"),
        signed(SignatureMethod::Md5Hash, now(), SIGNATURE_SECRET, "text"),
        signed(method, now() - 1000, SIGNATURE_SECRET, "text"),
        signed(method, now() + 1000, SIGNATURE_SECRET, "text"),
        format!("{good}&client-ref=unsigned"),
        good.replace("timestamp", "time"),
    ];
    for form in forms {
        let json = post(&sim, &form, &[]).text();
        assert_eq!(values(&json, "status"), ["14"], "{form}");
        assert!(broken(&sim).contains(&Rule::Signature), "{form}");
    }
    let (key, other) = (crate::client::encode("abcd1234"), crate::client::encode("abcd1235"));
    post(&sim, &good.replace(&key, &other), &[]);
    assert_eq!(broken(&sim), [Rule::Credentials, Rule::Signature]);

    let patient = Simulator::builder()
        .signature(method, SIGNATURE_SECRET)
        .signature_tolerance(None)
        .start()
        .unwrap();
    post(&patient, &signed(method, 1_540_924_779, SIGNATURE_SECRET, "text"), &[]);
    patient.assert_clean();

    let unset = Simulator::start().unwrap();
    post(&unset, &good, &[]);
    assert_eq!(last(&unset), (Auth::Signature, Outcome::Refused(14)));
}

#[test]
fn wrong_credentials_are_refused_with_http_200() {
    let sim = Simulator::start().unwrap();
    let forms = [
        ("", "Authorization: Basic YWJjZDEyMzQ6d3Jvbmdfc2VjcmV0"),
        ("&api_key=abcd1234&api_secret=wrong_secret", "X: y"),
        ("&api_key=abcd1235&api_secret=Dummy-Secret-0", "X: y"),
    ];
    for (form, header) in forms {
        let response = post(&sim, &format!("{FORM}{form}"), &[header]);
        assert_eq!(response.status, 200);
        assert_eq!(values(&response.text(), "error-text"), ["Bad Credentials"]);
        assert_eq!(broken(&sim), [Rule::Credentials]);
    }
    let malformed = ["Basic abcd1234:Dummy-Secret-1", "Bearer YWJjZDEyMzQ6", "Basic YWJjZA=="];
    for value in malformed {
        post(&sim, FORM, &[&format!("Authorization: {value}")]);
        assert_eq!(broken(&sim), [Rule::AuthMode], "{value}");
        assert_eq!(last(&sim).1, Outcome::Refused(4));
    }
    let strict = Simulator::builder().bad_credentials_as_401().start().unwrap();
    assert_eq!(post(&strict, FORM, &[forms[0].1]).status, 401);
}

#[test]
fn none_and_several_at_once_are_violations() {
    let sim = Simulator::start().unwrap();
    let json = post(&sim, FORM, &[]).text();
    assert_eq!(values(&json, "error-text"), ["Missing api_key"]);
    assert_eq!(last(&sim), (Auth::None, Outcome::Refused(2)));

    post(&sim, &format!("{FORM}&{KEYS}"), &[BASIC]);
    assert_eq!((last(&sim).0, broken(&sim)), (Auth::Several, vec![Rule::AuthMode]));

    post(&sim, &format!("{FORM}&{KEYS}&sig=0123456789abcdef&timestamp=1"), &[]);
    assert_eq!(last(&sim), (Auth::Several, Outcome::Refused(32)));

    post(&sim, &format!("{FORM}&api_key=abcd1234"), &[BASIC]);
    assert_eq!(broken(&sim), [Rule::AuthMode]);

    post(&sim, &format!("{FORM}&api_secret=Dummy-Secret-0"), &[]);
    assert_eq!((last(&sim).1, broken(&sim)), (Outcome::Refused(2), vec![Rule::MissingField]));

    post(&sim, &format!("{FORM}&timestamp=1"), &[BASIC]);
    assert_eq!(broken(&sim), [Rule::AuthMode]);
}

#[test]
fn one_way_can_be_made_the_only_one() {
    let sim = Simulator::builder().only(Auth::Basic).start().unwrap();
    post(&sim, FORM, &[BASIC]);
    sim.assert_clean();
    post(&sim, &format!("{FORM}&{KEYS}"), &[]);
    assert_eq!(last(&sim).1, Outcome::Refused(4));
    assert_eq!(broken(&sim), [Rule::AuthMode]);
}

#[test]
fn secrets_can_be_rotated_while_it_runs() {
    let sim = Simulator::builder().credentials("zyxw9876", "First-Secret-1").start().unwrap();
    let accepted = |secret: &str| {
        post(&sim, &format!("{FORM}&api_key=zyxw9876&api_secret={secret}"), &[]);
        last(&sim).1 == Outcome::Accepted
    };
    assert!(accepted("First-Secret-1") && !accepted("Second-Secret-2"));
    sim.add_secret("Second-Secret-2");
    assert!(accepted("First-Secret-1") && accepted("Second-Secret-2"));
    sim.set_secret("Second-Secret-2");
    assert!(!accepted("First-Secret-1") && accepted("Second-Secret-2"));
}

#[test]
fn a_secret_is_found_wherever_it_does_not_belong() {
    let sim = Simulator::start().unwrap();
    let leaks = |form: &str, headers: &[&str], from: &str, to: &str| {
        let bytes = String::from_utf8(request(form, headers)).unwrap().replacen(from, to, 1);
        Client::connect(&sim).unwrap().exchange(bytes.as_bytes()).unwrap();
        broken(&sim).contains(&Rule::SecretExposed)
    };
    let encoded = "YWJjZDEyMzQ6RHVtbXktU2VjcmV0LTA=";
    assert!(!leaks(FORM, &[BASIC], "", ""));
    assert!(!leaks(&format!("{FORM}&{KEYS}"), &[], "", ""));
    assert!(leaks(FORM, &[BASIC], "/sms/json", "/sms/json?api_secret=Dummy-Secret-0"));
    assert!(leaks(FORM, &[BASIC], "/sms/json", "/sms/json?x=Dummy%2DSecret%2D0"));
    assert!(leaks(FORM, &[BASIC], "/sms/json", "/sms/json?api_key=abcd1234"));
    assert!(leaks(FORM, &[BASIC, "User-Agent: app/Dummy-Secret-0"], "", ""));
    assert!(leaks(FORM, &[BASIC, &format!("Proxy-Authorization: Basic {encoded}")], "", ""));
    assert!(leaks(&format!("{FORM}+Dummy-Secret-0"), &[BASIC], "", ""));
    assert!(leaks(&format!("{FORM}&client-ref=Dummy-Secret-0"), &[BASIC], "", ""));
}
