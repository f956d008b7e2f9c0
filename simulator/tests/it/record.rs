//! What is remembered, and how it reads.

use crate::client::{BASIC, Client, FORM, encode, request, send};
use annunciator_simulator::{Auth, Encoding, Simulator};

#[test]
fn a_request_is_taken_apart() {
    let sim = Simulator::start().unwrap();
    let form = format!("{FORM}&client-ref=k7&ttl=90000000");
    Client::connect(&sim).unwrap().exchange(&request(&form, &[BASIC, "X-Extra: yes"])).unwrap();
    let received = sim.requests().pop().unwrap();
    assert_eq!(received.method, "POST");
    assert_eq!(received.target, "/sms/json");
    assert_eq!(received.from, "AcmeInc");
    assert_eq!(received.to, "447700900000");
    assert_eq!(received.text, "It is on fire");
    assert_eq!(received.kind, "text");
    assert_eq!(received.client_ref.as_deref(), Some("k7"));
    assert_eq!(received.field("ttl"), Some("90000000"));
    assert_eq!(received.header("x-extra"), Some("yes"));
    assert_eq!(received.auth, Auth::Basic);
    assert_eq!(received.body, form.as_bytes());
    assert_eq!((received.encoding, received.segments, received.units), (Encoding::Gsm7, 1, 13));
}

#[test]
fn the_summary_is_one_line() {
    let sim = Simulator::start().unwrap();
    let line = |form: String| {
        send(&sim, &form).unwrap();
        sim.requests().pop().unwrap().summary()
    };
    let text = "[Rust Logger sampleapp] WARN: You've been warned!";
    assert_eq!(
        line(format!("from=sampleapp&to=447700900000&text={}", encode(text))),
        format!("SMS to 447700900000 from sampleapp, GSM-7, 1 segment: {text}")
    );
    let long = "ж".repeat(71);
    assert_eq!(
        line(format!("from=AcmeInc&to=447700900000&type=unicode&text={}", encode(&long))),
        format!("SMS to 447700900000 from AcmeInc, UCS-2, 2 segments: {long}")
    );
    assert_eq!(
        line("from=AcmeInc&to=447700900000&text=a%0Ab".to_owned()),
        "SMS to 447700900000 from AcmeInc, GSM-7, 1 segment: a\\nb"
    );
    sim.assert_clean();
}

#[test]
fn plain_text_sent_as_unicode_is_counted_as_it_is_billed() {
    let sim = Simulator::start().unwrap();
    send(&sim, &format!("{FORM}{}&type=unicode", "a".repeat(60))).unwrap();
    let received = sim.requests().pop().unwrap();
    assert_eq!((received.encoding, received.segments), (Encoding::Ucs2, 2));
}

#[test]
fn debug_output_and_violations_hide_the_secret() {
    let sim = Simulator::start().unwrap();
    let secret = Simulator::SECRET;
    let form = format!("{FORM}&api_key=abcd1234&api_secret={secret}&sig=0123456789abcdef");
    let bytes = String::from_utf8(request(&form, &[BASIC])).unwrap();
    let bytes = bytes.replace("/sms/json", &format!("/sms/json?api_secret={secret}"));
    Client::connect(&sim).unwrap().exchange(bytes.as_bytes()).unwrap();
    let received = sim.requests().pop().unwrap();
    assert_eq!(received.field("api_secret"), Some(secret), "the test itself may look");
    let printed = format!("{received:?} {:?} {sim:?} {received}", sim.violations());
    assert!(!received.violations.is_empty());
    for hidden in [secret, "RHVtbXktU2VjcmV0", "0123456789abcdef"] {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
}

#[test]
fn the_environment_leads_here() {
    let sim = Simulator::start().unwrap();
    let env = sim.env();
    assert_eq!(env[0], ("VONAGE_SMS_URL", sim.url()));
    assert_eq!(env[1], ("ALERT_CA_FILE", sim.ca_file().to_str().unwrap().to_owned()));
    assert_eq!(env[2], ("VONAGE_API_KEY", "abcd1234".to_owned()));
    assert_eq!(env[3], ("VONAGE_API_SECRET", "Dummy-Secret-0".to_owned()));
}

#[test]
fn clearing_forgets_requests_and_not_counts() {
    let sim = Simulator::start().unwrap();
    send(&sim, FORM).unwrap();
    sim.clear();
    assert!(sim.requests().is_empty());
    assert_eq!(sim.counts().requests, 1);
    send(&sim, FORM).unwrap();
    assert_eq!(sim.take_requests().len(), 1);
    assert!(sim.requests().is_empty());
}

#[test]
#[should_panic(expected = "2 violations:\n  request 1: UnknownField: client_ref\n  request 2: ")]
fn unclean_requests_are_listed() {
    let sim = Simulator::start().unwrap();
    send(&sim, &format!("{FORM}&client_ref=1")).unwrap();
    send(&sim, "from=AcmeInc&to=447700900000").unwrap();
    sim.assert_clean();
}
