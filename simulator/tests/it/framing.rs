//! The rules of the request around the form.

use crate::client::{BASIC, Client, FORM, PATIENCE, assemble, broken, request, send};
use annunciator_simulator::{Answer, Outcome, Rule, Simulator};

/// A correct request, changed by `edit`, is sent alone; what was broken and what came of it.
fn judge(edit: impl Fn(String) -> String) -> (Vec<Rule>, u16, bool) {
    let sim = Simulator::start().unwrap();
    let bytes = edit(String::from_utf8(request(FORM, &[BASIC])).unwrap());
    let response = Client::connect(&sim).unwrap().exchange(bytes.as_bytes()).unwrap();
    (broken(&sim), response.status, sim.requests()[0].taken)
}

#[test]
fn the_request_line_and_the_headers_are_judged() {
    let form_type = "application/x-www-form-urlencoded";
    let table: [(&str, &str, Rule, u16); 11] = [
        ("POST /sms/json", "PUT /sms/json", Rule::Method, 405),
        ("/sms/json", "/sms/xml", Rule::Path, 404),
        ("/sms/json", "/sms/json/", Rule::Path, 404),
        ("/sms/json", "/sms/json?x=1", Rule::Path, 200),
        ("Host: 127.0.0.1:1\r\n", "", Rule::Host, 400),
        ("Host: 127.0.0.1:1\r\n", "Host: a\r\nHost: b\r\n", Rule::Host, 400),
        (form_type, "application/json", Rule::ContentType, 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", "", Rule::ContentType, 415),
        ("Accept: application/json\r\n", "", Rule::Accept, 200),
        ("application/json", "*/*", Rule::Accept, 200),
        ("application/json", "application/jsonp", Rule::Accept, 200),
    ];
    for (from, to, rule, status) in table {
        let (rules, seen, taken) = judge(|bytes| bytes.replacen(from, to, 1));
        assert_eq!((rules, seen), (vec![rule], status), "{from} -> {to}");
        assert_eq!(taken, status == 200, "{from} -> {to}");
    }
}

#[test]
fn parameters_and_case_do_not_matter() {
    for (from, to) in [
        ("-urlencoded", "-urlencoded; charset=UTF-8"),
        ("application/x-www", "Application/X-WWW"),
        ("Accept: application/json", "accept: text/html, application/json;q=0.9"),
        ("Content-Length", "content-length"),
        ("Basic ", "basic "),
    ] {
        assert_eq!(judge(|bytes| bytes.replacen(from, to, 1)), (vec![], 200, true), "{to}");
    }
}

#[test]
fn a_body_has_exactly_one_correct_length() {
    let length = format!("Content-Length: {}", FORM.len());
    let framed = |by: &str| judge(|bytes| bytes.replacen(&length, by, 1));
    let chunked = judge(|bytes| {
        let body = format!("{:x}\r\n{FORM}\r\n0\r\n\r\n", FORM.len());
        bytes.replacen(&length, "Transfer-Encoding: chunked", 1).replacen(FORM, &body, 1)
    });
    assert_eq!(chunked, (vec![Rule::Framing], 400, false));
    for by in ["X-No-Length: 1", "Content-Length: ten", "Content-Length: 99999999999"] {
        let (rules, status, taken) = framed(by);
        assert!(rules.contains(&Rule::Framing), "{by}: {rules:?}");
        assert_eq!((status, taken), (400, false), "{by}");
    }
    let (rules, ..) = framed(&format!("Content-Length: {}", FORM.len() - 3));
    assert!(rules.contains(&Rule::Framing), "three bytes too many: {rules:?}");
}

#[test]
fn a_connection_ends_with_a_badly_framed_request() {
    let sim = Simulator::start().unwrap();
    let bytes = String::from_utf8(request(FORM, &[BASIC])).unwrap();
    let twice = bytes.replacen("Content-Length", "Content-Length: 1\r\nContent-Length", 1);
    let response = Client::connect(&sim).unwrap().exchange(twice.as_bytes()).unwrap();
    assert_eq!((response.status, response.header("connection")), (400, Some("close")));
    assert_eq!(sim.violations()[0].to_string(), "Framing: Content-Length is repeated");
}

#[test]
fn a_chunked_body_is_still_read() {
    let sim = Simulator::builder().lenient().start().unwrap();
    let headers = ["Host: a", BASIC, "Accept: application/json", "Transfer-Encoding: chunked"];
    let headers: Vec<String> = headers.iter().map(|&h| h.to_owned()).collect();
    let (one, two) = FORM.split_at(20);
    let body = format!("{:x}\r\n{one}\r\n{:X}\r\n{two}\r\n0\r\n\r\n", one.len(), two.len());
    let bytes = assemble("POST /sms/json HTTP/1.1", &headers, &body);
    Client::connect(&sim).unwrap().exchange(&bytes).unwrap();
    assert_eq!(sim.requests()[0].text, "It is on fire");
}

#[test]
fn a_body_that_ends_early_is_recorded_and_not_taken() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::status(5)]);
    let bytes = request(FORM, &[BASIC]);
    let mut client = Client::connect(&sim).unwrap();
    client.write(&bytes[..bytes.len() - 5]).unwrap();
    drop(client);
    assert!(sim.wait_for(1, PATIENCE));
    assert_eq!(broken(&sim), [Rule::Framing]);
    assert_eq!(sim.requests()[0].outcome, Outcome::Unclear);
    assert!(!sim.requests()[0].taken);
    assert_eq!(sim.script_left(), 1, "no answer is spent on it");
}

#[test]
fn bytes_that_come_late_are_blamed_on_the_request_before() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    client.send(FORM).unwrap();
    sim.assert_clean();
    assert_eq!(client.exchange(b"\x00garbage\r\n\r\n").unwrap().status, 400);
    assert_eq!(broken(&sim), [Rule::Framing]);
    assert_eq!(sim.requests().len(), 1);
}

#[test]
fn a_head_that_breaks_off_is_a_trouble_and_no_request() {
    let sim = Simulator::builder().plain().start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    client.write(b"POST /sms/json HTTP/1.1\r\nHost").unwrap();
    drop(client);
    // The next connection is served after it or beside it, so ask until it has been noticed.
    while sim.troubles().is_empty() {
        send(&sim, FORM).unwrap();
    }
    assert!(sim.troubles()[0].contains("closed after 29 bytes of a head"));
}

#[test]
fn an_expected_continue_is_given() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    let bytes = request(FORM, &[BASIC, "Expect: 100-continue"]);
    let (head, body) = bytes.split_at(bytes.len() - FORM.len());
    assert_eq!(client.exchange(head).unwrap().status, 100);
    assert_eq!(client.exchange(body).unwrap().status, 200);
    assert_eq!(sim.requests()[0].outcome, Outcome::Accepted);
}
