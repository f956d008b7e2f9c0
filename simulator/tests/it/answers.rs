//! Each answer, as it looks from outside.

use crate::client::{Client, FORM, PATIENCE, encode, send, values};
use annunciator_simulator::{Answer, Outcome, Simulator};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Runs one answer over TLS and hands back what the client and the record say.
fn body_of(answer: Answer) -> (u16, String, Outcome, bool) {
    let sim = Simulator::start().unwrap();
    sim.script([answer]);
    let response = send(&sim, FORM).unwrap();
    let request = sim.requests().pop().unwrap();
    (response.status, response.text(), request.outcome, request.taken)
}

#[test]
fn acceptance_has_an_entry_for_each_part_and_costs_money() {
    let sim = Simulator::builder().balance(1.0, 0.04).start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    let text = "a".repeat(307);
    let json = client
        .send(&format!("from=AcmeInc&to=447700900000&client-ref=k7&text={text}"))
        .unwrap()
        .text();
    assert_eq!(values(&json, "message-count"), ["3"]);
    assert_eq!(values(&json, "status"), ["0", "0", "0"]);
    assert_eq!(values(&json, "to"), ["447700900000"; 3]);
    assert_eq!(values(&json, "client-ref"), ["k7"; 3]);
    assert_eq!(values(&json, "message-price"), ["0.04000000"; 3]);
    assert_eq!(values(&json, "remaining-balance"), ["0.96000000", "0.92000000", "0.88000000"]);
    let ids = values(&json, "message-id");
    assert!(ids.iter().all(|id| id.len() == 16));
    assert_eq!(ids, sim.requests()[0].message_ids);

    let json = client.send(FORM).unwrap().text();
    assert!(!ids.contains(&values(&json, "message-id")[0]), "an id came twice");
    assert!((sim.balance() - 0.84).abs() < 1e-9);
}

#[test]
fn an_empty_account_refuses_and_charges_nothing() {
    let sim = Simulator::builder().balance(0.05, 0.04).start().unwrap();
    let json = send(&sim, &format!("{FORM}{}", "a".repeat(160))).unwrap().text();
    assert_eq!(values(&json, "status"), ["9"]);
    assert_eq!(values(&json, "error-text"), ["Quota Exceeded - rejected"]);
    assert_eq!(values(&json, "remaining-balance"), ["0.05000000"]);
    assert!(sim.messages().is_empty());
    sim.set_balance(1.0);
    assert_eq!(values(&send(&sim, FORM).unwrap().text(), "status"), ["0"]);
}

#[test]
fn forty_eight_parts() {
    let (_, json, ..) = body_of(Answer::accepted_parts(48).pretty().chunked());
    assert_eq!(values(&json, "message-count"), ["48"]);
    assert_eq!(values(&json, "status").len(), 48);
}

#[test]
fn refusals_carry_the_words_seen_with_them() {
    let table = [
        (1, "Throughput Rate Exceeded - please wait and retry"),
        (2, "Missing to param"),
        (4, "Bad Credentials"),
        (5, "Server Error"),
        (6, "Unroutable message"),
        (7, "Number barred."),
        (9, "Quota Exceeded - rejected"),
        (14, "Invalid Signature"),
        (15, "Illegal Sender Address - rejected"),
        (29, "Non White-listed Destination - rejected"),
        (77, "Unknown error"),
    ];
    for (status, words) in table {
        let (http, json, outcome, taken) = body_of(Answer::status(status));
        assert_eq!(http, 200);
        assert_eq!(values(&json, "status"), [status.to_string()]);
        assert_eq!(values(&json, "error-text"), [words]);
        assert_eq!((outcome, taken), (Outcome::Refused(status), false));
    }
    assert_eq!(body_of(Answer::status(0)).2, Outcome::Accepted);
    let (_, json, ..) = body_of(Answer::status(3).text(r#"a "quoted" \ word"#));
    assert!(json.contains(r#""a \"quoted\" \\ word""#), "{json}");
}

#[test]
fn throttling_names_the_wait_in_both_forms() {
    let (_, json, outcome, _) = body_of(Answer::throttled(Duration::from_millis(702)));
    assert_eq!(
        values(&json, "error-text"),
        ["Throughput Rate Exceeded - please wait [ 702 ] and retry"]
    );
    assert_eq!(outcome, Outcome::Refused(1));
    let answer = Answer::throttled_in_interval(Duration::from_secs(1), Duration::from_millis(529));
    let (_, json, ..) = body_of(answer);
    assert!(json.contains("INTERVAL [ 1000 ]"), "{json}");
    assert!(json.contains("TIME_SINCE_LAST_INTERVAL_START [ 529 ]"), "{json}");
}

#[test]
fn a_partial_failure_accepts_and_charges_only_a_part() {
    let sim = Simulator::builder().balance(1.0, 0.04).start().unwrap();
    sim.script([Answer::partial(1, 1).text("Throttled")]);
    let json = send(&sim, &format!("{FORM}{}", "a".repeat(400))).unwrap().text();
    assert_eq!(values(&json, "status"), ["0", "1", "1"]);
    assert_eq!(values(&json, "error-text"), ["Throttled", "Throttled"]);
    let request = sim.requests().pop().unwrap();
    assert_eq!((request.outcome, request.taken), (Outcome::Partial, true));
    assert!((sim.balance() - 0.96).abs() < 1e-9);

    let (_, json, ..) = body_of(Answer::partial(1, 7));
    assert_eq!(values(&json, "status"), ["0", "7"], "a single part still fails in part");
}

#[test]
fn errors_of_http_look_as_they_were_seen() {
    let table = [
        (401, r#"{"error-code":"401""#),
        (402, "<!DOCTYPE html>"),
        (403, "error-code"),
        (404, "Not Found"),
        (429, "too many concurrent requests per 1 second"),
        (500, ""),
        (503, "<!DOCTYPE html>"),
    ];
    for (status, start) in table {
        let (http, body, outcome, taken) = body_of(Answer::http(status));
        assert_eq!((http, outcome, taken), (status, Outcome::Http(status), false));
        assert!(body.contains(start), "{status}: {body}");
        assert_eq!(body.is_empty(), start.is_empty(), "{status}: {body}");
    }
}

#[test]
fn retry_after_is_there_only_when_asked_for() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::http(429), Answer::too_many_requests(Duration::from_secs(15))]);
    let mut client = Client::connect(&sim).unwrap();
    assert_eq!(client.send(FORM).unwrap().header("retry-after"), None);
    let response = client.send(FORM).unwrap();
    assert_eq!((response.status, response.header("retry-after")), (429, Some("15")));
}

#[test]
fn bodies_that_say_nothing() {
    let (http, body, outcome, taken) = body_of(Answer::html());
    assert_eq!((http, outcome, taken), (200, Outcome::Http(200), false));
    assert!(body.starts_with("<!DOCTYPE html>"));

    assert_eq!(body_of(Answer::empty()).1, "");

    let (_, body, outcome, taken) = body_of(Answer::cut_off());
    assert_eq!((outcome, taken), (Outcome::Unclear, true));
    assert!(body.starts_with(r#"{"message-count":"1","messages":[{"#) && !body.ends_with('}'));

    let (_, body, outcome, taken) = body_of(Answer::no_messages());
    assert_eq!(
        (body.as_str(), outcome, taken),
        (r#"{"message-count":"1"}"#, Outcome::Unclear, true)
    );
}

#[test]
fn a_redirect_names_the_other_host_and_is_seen_when_followed() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::redirect(307)]);
    let mut client = Client::connect(&sim).unwrap();
    let response = client.send(FORM).unwrap();
    assert_eq!(response.status, 307);
    assert_eq!(response.header("location"), Some("https://localhost:1/elsewhere/sms/json"));
    assert!(!sim.requests()[0].followed_redirect());
    sim.assert_clean();

    let request = String::from_utf8(crate::client::request(FORM, &[])).unwrap();
    let moved = request.replace("/sms/json", "/elsewhere/sms/json");
    assert_eq!(client.exchange(moved.as_bytes()).unwrap().status, 404);
    assert!(sim.requests()[1].followed_redirect());
    assert!(!sim.requests()[1].taken);
}

#[test]
fn layouts_change_the_bytes_and_not_the_meaning() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    sim.script([Answer::accepted().pretty(), Answer::accepted().chunked()]);
    let pretty = client.send(FORM).unwrap();
    assert!(pretty.text().contains("\n        \"status\": \"0\""), "{}", pretty.text());
    let chunked = client.send(FORM).unwrap();
    assert_eq!(chunked.header("transfer-encoding"), Some("chunked"));
    assert_eq!(chunked.header("content-length"), None);
    for response in [pretty, chunked] {
        assert_eq!(values(&response.text(), "status"), ["0"]);
    }
}

#[test]
fn latin1_is_not_utf8() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::status(7).text("barré €").latin1()]);
    let response = send(&sim, FORM).unwrap();
    assert_eq!(response.header("content-type"), Some("application/json;charset=ISO-8859-1"));
    assert!(response.body.windows(7).any(|w| w == b"barr\xe9 ?"), "{:?}", response.body);
}

#[test]
fn raw_bytes_come_as_they_are_and_end_the_connection() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::raw("SSH-2.0-OpenSSH_9.2\r\n")]);
    let mut client = Client::connect(&sim).unwrap();
    client.write(&crate::client::request(FORM, &[crate::client::BASIC])).unwrap();
    let mut got = Vec::<u8>::new();
    let mut buf = [0; 64];
    loop {
        match client.read(&mut buf).unwrap() {
            0 => break,
            n => got.extend(&buf[..n]),
        }
    }
    assert_eq!(got, b"SSH-2.0-OpenSSH_9.2\r\n");
}

#[test]
fn slow_and_dripping_answers_arrive_whole() {
    let sim = Simulator::start().unwrap();
    let pause = Duration::from_millis(30);
    sim.script([
        Answer::accepted().after(pause),
        Answer::accepted().drip(Duration::from_millis(1)),
    ]);
    let mut client = Client::connect(&sim).unwrap();
    for _ in 0..2 {
        assert_eq!(values(&client.send(FORM).unwrap().text(), "status"), ["0"]);
    }
}

#[test]
fn a_slow_answer_is_recorded_before_it_is_given() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::accepted().after(Duration::from_secs(600))]);
    let mut client = Client::connect(&sim).unwrap();
    client.write(&crate::client::request(FORM, &[crate::client::BASIC])).unwrap();
    assert!(sim.wait_for_messages(1, PATIENCE));
}

/// How a connection ended, for both kinds of it.
fn ends(plain: bool, answer: &Answer) -> Vec<ErrorKind> {
    let builder = Simulator::builder();
    let sim = if plain { builder.plain() } else { builder }.start().unwrap();
    sim.script([answer.clone(), answer.clone()]);
    (0..2).map(|_| end(&sim, answer).kind()).collect()
}

/// Sends one request whose answer is a broken connection.
fn end(sim: &Simulator, answer: &Answer) -> std::io::Error {
    let attempt = || {
        // Only what never comes is not waited for.
        let mut client = if *answer == Answer::hang_in_handshake() {
            Client::connect_impatiently(sim)?
        } else {
            Client::connect(sim)?
        };
        client.write(&crate::client::request(FORM, &[crate::client::BASIC]))?;
        if answer.clone().taken() == Answer::hang().taken() {
            client.set_patience(Duration::from_millis(200));
        }
        client.response()
    };
    attempt().map(|response| panic!("answered: {response:?}")).unwrap_err()
}

#[test]
fn connections_end_in_the_way_that_was_asked_for() {
    use ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof, WouldBlock};
    let table = [
        (Answer::hang(), WouldBlock),
        (Answer::close(), UnexpectedEof),
        (Answer::reset_after_request(), ConnectionReset),
        (Answer::reset_mid_answer(), ConnectionReset),
        (Answer::close_mid_answer(), UnexpectedEof),
        (Answer::hang_in_handshake(), WouldBlock),
        (Answer::close_in_handshake(), UnexpectedEof),
    ];
    for plain in [true, false] {
        for (answer, kind) in &table {
            assert_eq!(ends(plain, answer), [*kind; 2], "plain: {plain}, {answer:?}");
        }
        // The client may notice while it still writes.
        for kind in ends(plain, &Answer::reset_before_request()) {
            assert!(matches!(kind, ConnectionReset | BrokenPipe), "{kind:?}");
        }
    }
}

#[test]
fn what_is_lost_with_the_connection_is_the_answer_or_the_text() {
    let table = [
        (Answer::hang(), 1, false),
        (Answer::hang().taken(), 1, true),
        (Answer::close(), 1, false),
        (Answer::reset_after_request().taken(), 1, true),
        (Answer::reset_mid_answer(), 1, true),
        (Answer::close_mid_answer(), 1, true),
        (Answer::reset_before_request(), 0, false),
        (Answer::hang_in_handshake(), 0, false),
    ];
    for (answer, requests, taken) in table {
        let sim = Simulator::start().unwrap();
        sim.script([answer.clone()]);
        end(&sim, &answer);
        assert!(sim.wait_for(requests, PATIENCE));
        assert_eq!(sim.requests().len(), requests, "{answer:?}");
        assert_eq!(sim.messages().len(), usize::from(taken), "{answer:?}");
        assert!(sim.requests().iter().all(|r| r.outcome == Outcome::Unclear), "{answer:?}");
    }
}

#[test]
fn half_an_answer_is_really_there() {
    for answer in [Answer::reset_mid_answer(), Answer::close_mid_answer()] {
        let sim = Simulator::start().unwrap();
        sim.script([answer]);
        let mut client = Client::connect(&sim).unwrap();
        client.write(&crate::client::request(FORM, &[crate::client::BASIC])).unwrap();
        let mut buf = [0; 4096];
        let n = client.read(&mut buf).unwrap();
        let seen = String::from_utf8_lossy(&buf[..n]).into_owned();
        assert!(seen.contains("200 OK") && seen.contains("\"messages\""), "{seen}");
        assert!(!seen.contains("network"), "{seen}");
    }
}

#[test]
fn the_script_holds_first_then_the_closure_then_the_rest() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::status(5)]);
    sim.when(|request| (request.to == "447700900001").then(|| Answer::status(7)));
    sim.otherwise(Answer::status(10));
    let mut client = Client::connect(&sim).unwrap();
    let other = FORM.replace("447700900000", "447700900001");
    for form in [&other, &other, FORM] {
        client.send(form).unwrap();
    }
    let outcomes: Vec<_> = sim.requests().iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, [Outcome::Refused(5), Outcome::Refused(7), Outcome::Refused(10)]);
    assert_eq!(sim.script_left(), 0);
}

#[test]
fn the_closure_may_ask_the_simulator() {
    let sim = std::sync::Arc::new(Simulator::start().unwrap());
    let inner = std::sync::Arc::downgrade(&sim);
    sim.when(move |_| (inner.upgrade()?.requests().len() == 1).then(|| Answer::status(8)));
    let mut client = Client::connect(&sim).unwrap();
    for _ in 0..2 {
        client.send(FORM).unwrap();
    }
    assert_eq!(sim.requests()[1].outcome, Outcome::Refused(8));
}

#[test]
fn an_answer_that_precedes_requests_gets_a_connection_to_itself() {
    let sim = Simulator::start().unwrap();
    sim.script([Answer::accepted(), Answer::reset_before_request(), Answer::status(5)]);
    let mut client = Client::connect(&sim).unwrap();
    let first = client.send(FORM).unwrap();
    assert_eq!(first.header("connection"), Some("close"));
    assert!(send(&sim, FORM).is_err());
    assert_eq!(values(&send(&sim, FORM).unwrap().text(), "status"), ["5"]);
    assert_eq!(sim.requests().len(), 2);
    assert_eq!(sim.counts().connections, 3);
}

#[test]
fn a_text_of_3200_characters_fits() {
    let sim = Simulator::start().unwrap();
    let text = encode(&"ж".repeat(3200));
    let form = format!("from=AcmeInc&to=447700900000&type=unicode&text={text}");
    let json = send(&sim, &form).unwrap().text();
    assert_eq!(values(&json, "message-count"), ["48"]);
    sim.assert_clean();
}

#[test]
fn a_request_to_a_plain_port_by_tls_meets_words_instead_of_a_handshake() {
    let sim = Simulator::builder().plain().start().unwrap();
    let mut socket = TcpStream::connect(sim.address()).unwrap();
    // The start of any hello.
    socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(sim.requests().is_empty());
    assert!(sim.troubles()[0].contains("not HTTP"), "{:?}", sim.troubles());
}
