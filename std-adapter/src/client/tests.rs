//! Against a server in a thread that does what a script says, badly if need be.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender as Queue, channel};
use std::thread;
use std::time::Duration;

use annunciator_core::gsm7::Encoding;
use annunciator_core::time::Duration as Span;
use annunciator_core::transport::{
    Code, Message, Outcome, Reference, RefusalClass, Retry, Transport,
};
use annunciator_core::vonage::http_code;

use super::explain::local;
use annunciator_core::vonage::{Number, Sender};

use super::{ClientSettings, VonageClient};
use crate::config::{Credentials, Endpoint, Proof, Proxy};
use crate::secret::Secret;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(40);
const SECRET: &str = "abc123456789";
const BASIC: &str = "Basic YWFhMDEyYmI6YWJjMTIzNDU2Nzg5";
const ACCEPTED: &str = r#"{"message-count":"1","messages":[{"status":"0","message-id":"0C"}]}"#;

/// A request as the server read it.
#[derive(Debug, PartialEq)]
struct Seen {
    head: String,
    form: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// What the server does with one connection.
type Step = Box<dyn FnOnce(TcpStream, &Queue<Seen>) + Send>;

struct Server {
    address: String,
    seen: Receiver<Seen>,
}

impl Server {
    /// Handles one connection after the other by `steps`, then refuses.
    fn start(steps: impl IntoIterator<Item = Step>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (queue, seen) = channel();
        let steps: Vec<Step> = steps.into_iter().collect();
        thread::spawn(move || {
            for step in steps {
                let (stream, _) = listener.accept().unwrap();
                step(stream, &queue);
            }
        });
        Server { address, seen }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/sms/json", self.address)
    }

    /// The next request that it read.
    fn saw(&self) -> Seen {
        self.seen.recv_timeout(PATIENCE).expect("a request")
    }

    fn client(&self) -> VonageClient {
        VonageClient::new(settings(&self.url("http"))).unwrap()
    }
}

fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        endpoint: Endpoint::parse(url).unwrap(),
        account: Credentials {
            key: "aaa012bb".into(),
            secret: Secret::from(SECRET),
            proof: Proof::Header,
        },
        from: Sender::parse("sampleapp").unwrap(),
        to: Number::parse("447700900000").unwrap(),
        roots: None,
        proxy: None,
        connect: Duration::from_secs(5),
        request: Duration::from_secs(20),
    }
}

fn message() -> Message<'static> {
    Message::new("[Rust Logger x] ERROR: 5 % left", Encoding::Gsm7, 1, Reference(33))
}

/// Reads a whole request.
fn take(stream: &TcpStream) -> Seen {
    let mut reader = BufReader::new(stream);
    let mut seen = Seen { head: String::new(), form: String::new() };
    while !seen.head.ends_with("\r\n\r\n") {
        assert_ne!(reader.read_line(&mut seen.head).unwrap(), 0, "{}", seen.head);
    }
    let length = seen.header("content-length").map_or(0, |value| value.parse().unwrap());
    reader.take(length).read_to_string(&mut seen.form).unwrap();
    seen
}

/// Reads the request and says `answer` as it stands.
fn say(answer: impl Into<Vec<u8>>) -> Step {
    let answer = answer.into();
    Box::new(move |mut stream, seen| {
        seen.send(take(&stream)).unwrap();
        stream.write_all(&answer).unwrap();
    })
}

fn http(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Keeps the connection open until the client gives up.
fn hang(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 64]);
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}

#[test]
fn a_request_goes_out_as_the_service_wants_it() {
    let server = Server::start([say(http("200 OK", "X-Nexmo-Trace-Id: 5f\r\n", ACCEPTED))]);
    let mut client = server.client();
    let Outcome::Accepted(receipt) = client.send(&message()) else { panic!("{client:?}") };
    assert_eq!((receipt.parts, receipt.refused_parts), (1, 0));

    let seen = server.saw();
    assert!(seen.head.starts_with("POST /sms/json HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!(seen.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(seen.header("accept"), Some("application/json"));
    assert_eq!(seen.header("authorization"), Some(BASIC));
    assert_eq!(seen.header("accept-encoding"), None);
    assert_eq!(
        seen.form,
        "client-ref=0011&from=sampleapp&text=%5BRust+Logger+x%5D+ERROR%3A+5+%25+left\
         &to=447700900000&type=text"
    );
    let attempt = client.last_attempt();
    assert_eq!((attempt.http, attempt.trace.as_str()), (Some(200), "5f"));
    assert_eq!((attempt.message_id.as_str(), attempt.to_string().as_str()), ("0C", ""));
}

#[test]
fn credentials_travel_in_one_place_and_are_shown_nowhere() {
    let refusal = r#"{"messages":[{"status":"4","error-text":"Bad Credentials"}]}"#;
    let server = Server::start([say(http("200 OK", "", refusal))]);
    let mut settings = settings(&server.url("http"));
    settings.account.proof = Proof::Body;
    let mut shown = format!("{settings:?}");
    let mut client = VonageClient::new(settings).unwrap();
    let _ = client.send(&message());
    let seen = server.saw();
    assert!(seen.form.starts_with("api_key=aaa012bb&api_secret=abc123456789&"), "{}", seen.form);
    assert_eq!(seen.header("authorization"), None);
    shown += &format!("{client:?} {:#?} {}", client, client.last_attempt());
    assert!(!shown.contains(SECRET) && !shown.contains("YWFh"), "{shown}");
    assert!(shown.contains("check VONAGE_API_KEY"), "{shown}");
    assert!(shown.ends_with("(status 4: Bad Credentials)"), "{shown}");
}

#[test]
fn answers_become_the_cores_outcomes() {
    let throttled =
        |seconds| Outcome::Retry(Retry::throttled(Span::from_secs(seconds), http_code(429)));
    let failure = Outcome::Retry(Retry::failure(http_code(500)));
    let slow = r#"{"messages":[{"status":"1","error-text":"please wait [ 702 ] and retry"}]}"#;
    for (answer, outcome) in [
        (http("429 Too Many Requests", "Retry-After: 15\r\n", ""), throttled(15)),
        (
            http("429 Too Many Requests", "Retry-After: Sun, 22 Nov 2026\r\n", "<html>"),
            throttled(1),
        ),
        (http("500 Internal Server Error", "", ""), failure),
        (
            http("200 OK", "", slow),
            Outcome::Retry(Retry::throttled(Span::from_millis(702), Code(1))),
        ),
        (http("200 OK", "", "<html>Sign in</html>"), Outcome::Unknown(http_code(200))),
        (http("200 OK", "", ""), Outcome::Unknown(http_code(200))),
        ("HTTP/1.1 204 No Content\r\n\r\n".into(), Outcome::Unknown(http_code(204))),
    ] {
        let server = Server::start([say(answer.clone())]);
        assert_eq!(server.client().send(&message()), outcome, "{answer}");
    }
    for status in ["401 Unauthorized", "402 Payment Required", "404 Not Found"] {
        let server = Server::start([say(http(status, "", "{\"title\":\"Nope\"}"))]);
        let mut client = server.client();
        let Outcome::Refused(refusal) = client.send(&message()) else { panic!("{client:?}") };
        assert_eq!(refusal.class, RefusalClass::Channel);
        let words = client.last_attempt().to_string();
        assert!(words.ends_with(&format!("(HTTP {}: Nope)", &status[..3])), "{words}");
    }
}

#[test]
fn chunked_answers_of_any_length_are_read() {
    let part = r#"{"status":"0","message-price":"0.03330000","remaining-balance":"3.1"},"#;
    let parts = part.repeat(200);
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let body = format!("{{\"messages\":[{}]}}", parts.trim_end_matches(','));
    for piece in body.as_bytes().chunks(997) {
        write!(answer, "{:x}\r\n", piece.len()).unwrap();
        answer.extend_from_slice(piece);
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"0\r\n\r\n");
    let server = Server::start([say(answer)]);
    let Outcome::Accepted(receipt) = server.client().send(&message()) else { panic!() };
    assert_eq!(receipt.parts, 200);
    assert_eq!(receipt.price.unwrap().to_string(), "6.66000000");
}

#[test]
fn what_fails_before_the_body_is_asked_for_was_not_sent() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = Server::start([Box::new(|mut stream: TcpStream, _: &_| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        hang(stream);
    }) as Step]);
    let closing = Server::start([Box::new(|stream, _: &_| drop(stream)) as Step]);
    let mute = Server::start([Box::new(|stream, _: &_| hang(stream)) as Step]);
    for (url, code) in [
        (format!("http://{refused}/sms/json"), local::NOT_CONNECTED),
        ("https://no.such.host.invalid/sms/json".into(), local::NOT_CONNECTED),
        (plain.url("https"), local::TLS),
        (mute.url("https"), local::TIMEOUT),
    ] {
        let mut settings = settings(&url);
        settings.connect = Duration::from_secs(2);
        let mut client = VonageClient::new(settings).unwrap();
        let outcome = client.send(&message());
        let Outcome::Retry(retry) = outcome else { panic!("{url}: {outcome:?}") };
        // Without a name server at hand, a name may also take longer than the deadline.
        let code = if url.contains("invalid") { retry.code } else { code };
        assert_eq!((retry, retry.after), (Retry::failure(code), None), "{url}: {client:?}");
        assert!(!client.last_attempt().failure.is_empty());
    }
    let mut client = VonageClient::new(settings(&closing.url("https"))).unwrap();
    assert!(matches!(client.send(&message()), Outcome::Retry(_)), "{client:?}");
}

/// Sends to a server that does so, and makes sure that nobody knows what became of the text.
#[track_caller]
fn outcome_is_unknown(server: Step, code: Code) -> VonageClient {
    let server = Server::start([server]);
    let mut settings = settings(&server.url("http"));
    if code == local::ANSWER_TIMEOUT {
        settings.request = Duration::from_secs(2);
    }
    let mut client = VonageClient::new(settings).unwrap();
    assert_eq!(client.send(&message()), Outcome::Unknown(code), "{client:?}");
    client
}

#[test]
fn what_fails_afterwards_may_have_arrived() {
    let accepted_then = |rest: &str| {
        let length = ACCEPTED.len() + 100;
        say(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{rest}"))
    };
    let steps: [(Step, Code); 6] = [
        // Closed after the request, without a word.
        (say(""), local::NO_ANSWER),
        // Reset: the socket is closed with bytes unread.
        (Box::new(|stream, _| drop(stream.peek(&mut [0]))), local::NO_ANSWER),
        (say("HTTP/1.1 200 OK\r\nContent-Le"), local::NO_ANSWER),
        (say("SSH-2.0-dropbear\r\n\r\n"), local::NO_ANSWER),
        (accepted_then(&ACCEPTED[..60]), local::NO_ANSWER),
        (
            Box::new(|stream, _| {
                take(&stream);
                hang(stream);
            }),
            local::ANSWER_TIMEOUT,
        ),
    ];
    for (step, code) in steps {
        let client = outcome_is_unknown(step, code);
        assert!(client.last_attempt().to_string().contains("may have been sent"));
    }
    // The whole list was there; what is missing of the body changes nothing.
    let server = Server::start([accepted_then(ACCEPTED)]);
    assert!(matches!(server.client().send(&message()), Outcome::Accepted(_)));
}

#[test]
fn endless_answers_end() {
    let endless = |head: &'static str, unit: &'static str, pause: u64| -> Step {
        Box::new(move |mut stream, _| {
            take(&stream);
            let mut alive = stream.write_all(head.as_bytes()).is_ok();
            while alive {
                thread::sleep(Duration::from_millis(pause));
                alive = stream.write_all(unit.as_bytes()).is_ok();
            }
        })
    };
    let ok = "HTTP/1.1 200 OK\r\n\r\n";
    for (step, code) in [
        (endless(ok, " lorem ipsum dolor sit amet", 0), local::NO_ANSWER),
        (endless("HTTP/1.1 200 OK\r\n", "X-Header: lorem ipsum\r\n", 0), local::NO_ANSWER),
        // A drop every now and then does not put the deadline off.
        (endless(ok, " ", 50), local::ANSWER_TIMEOUT),
        (endless("HTTP/1.1 200 OK\r\nX:", "x", 50), local::ANSWER_TIMEOUT),
    ] {
        outcome_is_unknown(step, code);
    }
}

#[test]
fn no_redirect_is_followed() {
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let elsewhere = Server::start([say(http("200 OK", "", ACCEPTED))]);
        let to = format!("Location: {}\r\n", elsewhere.url("http"));
        let server = Server::start([say(http(status, &to, ""))]);
        let mut client = server.client();
        let Outcome::Refused(refusal) = client.send(&message()) else { panic!("{client:?}") };
        assert_eq!(refusal.code, http_code(status[..3].parse().unwrap()));
        assert!(elsewhere.seen.try_recv().is_err());
    }
}

#[test]
fn each_attempt_has_a_connection_of_its_own() {
    // The server keeps connections open as servers do, but takes one request from each.
    let keep_alive = || -> Step {
        Box::new(|mut stream, seen| {
            seen.send(take(&stream)).unwrap();
            stream.write_all(http("200 OK", "", ACCEPTED).as_bytes()).unwrap();
            hang(stream);
        })
    };
    let server = Server::start([keep_alive(), keep_alive(), keep_alive()]);
    let mut settings = settings(&server.url("http"));
    settings.request = Duration::from_secs(5);
    let mut client = VonageClient::new(settings).unwrap();
    for _ in 0..3 {
        assert!(matches!(client.send(&message()), Outcome::Accepted(_)), "{client:?}");
    }
    assert_eq!(server.seen.try_iter().count(), 3);
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_nothing_else() {
    for (answer, code) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", local::PROXY),
        ("HTTP/1.1 200 OK\r\n\r\nnot TLS at all", local::TLS),
    ] {
        let proxy = Server::start([say(answer)]);
        let mut settings = settings("https://sms.example.invalid/sms/json");
        let address = format!("http://user:hunter2%21@{}", proxy.address);
        settings.proxy = Some(Proxy::parse(&address).unwrap());
        let shown = format!("{settings:?}");
        let mut client = VonageClient::new(settings).unwrap();
        assert_eq!(client.send(&message()), Outcome::Retry(Retry::failure(code)), "{client:?}");
        let seen = proxy.saw();
        assert!(seen.head.starts_with("CONNECT sms.example.invalid:443 HTTP/1.1\r\n"));
        assert_eq!(seen.header("proxy-authorization"), Some("Basic dXNlcjpodW50ZXIyIQ=="));
        assert!(!seen.head.contains(BASIC));
        let shown = format!("{shown} {client:?} {}", client.last_attempt());
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_text_longer_than_it_says_still_fits() {
    let server = Server::start([say(http("200 OK", "", ACCEPTED))]);
    let text = "é".repeat(3200);
    let message = Message::new(&text, Encoding::Ucs2, 1, Reference(0));
    assert!(matches!(server.client().send(&message), Outcome::Accepted(_)));
    assert!(server.saw().form.contains(&"%C3%A9".repeat(3200)));
}

#[test]
fn settings_that_cannot_work_make_no_client() {
    let url = "https://127.0.0.1/sms/json";
    let mut american = settings(url);
    american.to = Number::parse("14155550100").unwrap();
    let error = VonageClient::new(american).unwrap_err();
    assert!(error.contains("sender"), "{error}");
    let mut keyless = settings(url);
    keyless.account.key = SECRET.into();
    let error = VonageClient::new(keyless).unwrap_err();
    assert!(error.contains("key") && !error.contains(SECRET), "{error}");
}
