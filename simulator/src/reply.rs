//! Turns an answer into bytes and books what it costs.

use crate::answer::{Answer, Unreadable, What, error_text};
use crate::check::ELSEWHERE;
use crate::record::{Outcome, Received};
use std::fmt::Write as _;

/// The account's money and the numbering of messages.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    /// In hundred-millionths of a euro, as the service prints eight places.
    pub(crate) balance: i64,
    pub(crate) price: i64,
    pub(crate) serial: u64,
}

/// An answer ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) head: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

type Entry = Vec<(&'static str, String)>;

/// Fills in the outcome in `received` and renders `answer` for it.
pub(crate) fn render(
    answer: &Answer,
    received: &mut Received,
    ledger: &mut Ledger,
    keep_alive: bool,
) -> Reply {
    let parts = received.segments;
    let (outcome, http, body) = match &answer.what {
        What::Accepted { parts: forced } => {
            let (outcome, entries) = accept(received, ledger, forced.unwrap_or(parts));
            (outcome, 200, json(&entries, answer.pretty))
        }
        What::Partial { accepted, status, text } => {
            let refused = parts.saturating_sub(*accepted).max(1);
            let (_, mut entries) = accept(received, ledger, *accepted);
            let entry = refuse(received, ledger, *status, text.as_deref());
            entries.extend(std::iter::repeat_n(entry, refused));
            let outcome = if *accepted == 0 { Outcome::Refused(*status) } else { Outcome::Partial };
            (outcome, 200, json(&entries, answer.pretty))
        }
        What::Refused { status, text } => {
            let entry = refuse(received, ledger, *status, text.as_deref());
            (Outcome::Refused(*status), 200, json(&[entry], answer.pretty))
        }
        What::Unreadable(how) => {
            let (_, entries) = accept(received, ledger, parts);
            let mut body = json(&entries, answer.pretty);
            match how {
                Unreadable::CutOff => body.truncate(body.len() / 2),
                Unreadable::NoMessages => body = r#"{"message-count":"1"}"#.to_owned(),
            }
            (Outcome::Unclear, 200, body)
        }
        What::ResetMidAnswer | What::CloseMidAnswer => {
            let (_, entries) = accept(received, ledger, parts);
            (Outcome::Unclear, 200, json(&entries, answer.pretty))
        }
        What::Http { status, body, .. } => (Outcome::Http(*status), *status, body.clone()),
        What::Redirect { status } => (Outcome::Http(*status), *status, String::new()),
        What::Raw(bytes) => {
            received.outcome = Outcome::Unclear;
            received.taken = answer.taken;
            return Reply { head: bytes.clone(), body: Vec::new() };
        }
        _ => (Outcome::Unclear, 0, String::new()),
    };
    received.outcome = outcome;
    received.taken = answer.taken || !received.message_ids.is_empty();
    if http == 0 {
        return Reply::default();
    }
    let body = if answer.latin1 { latin1(&body) } else { body.into_bytes() };
    let head = head(answer, received, http, &body, keep_alive);
    let body = if answer.chunked { chunks(&body) } else { body };
    Reply { head, body }
}

fn accept(received: &mut Received, ledger: &mut Ledger, parts: usize) -> (Outcome, Vec<Entry>) {
    let cost = ledger.price.saturating_mul(i64::try_from(parts).unwrap_or(i64::MAX));
    if cost > ledger.balance {
        let entry = refuse(received, ledger, 9, None);
        return (Outcome::Refused(9), vec![entry]);
    }
    let mut entries = Vec::new();
    for _ in 0..parts {
        ledger.serial += 1;
        ledger.balance -= ledger.price;
        let id = format!("0C{:014X}", ledger.serial);
        let mut entry = vec![
            ("to", received.to.clone()),
            ("message-id", id.clone()),
            ("status", "0".to_owned()),
            ("remaining-balance", euros(ledger.balance)),
            ("message-price", euros(ledger.price)),
            ("network", "23410".to_owned()),
        ];
        for name in ["client-ref", "account-ref"] {
            entry.extend(received.field(name).map(|value| (name, value.to_owned())));
        }
        received.message_ids.push(id);
        entries.push(entry);
    }
    (Outcome::Accepted, entries)
}

fn refuse(received: &Received, ledger: &Ledger, status: u16, text: Option<&str>) -> Entry {
    let mut entry = Vec::new();
    // Captures of these carry the recipient, others do not.
    if matches!(status, 1 | 6 | 9 | 15 | 29) && !received.to.is_empty() {
        entry.push(("to", received.to.clone()));
    }
    entry.push(("status", status.to_string()));
    entry.push(("error-text", text.unwrap_or(error_text(status)).to_owned()));
    if status == 9 {
        entry.push(("remaining-balance", euros(ledger.balance)));
        entry.push(("message-price", euros(ledger.price)));
    }
    entry
}

fn euros(amount: i64) -> String {
    format!("{}.{:08}", amount / 100_000_000, (amount % 100_000_000).abs())
}

fn json(entries: &[Entry], pretty: bool) -> String {
    let line = |depth: usize| match pretty {
        true => format!("\n{}", "    ".repeat(depth)),
        false => String::new(),
    };
    let colon = if pretty { ": " } else { ":" };
    let mut out = format!("{{{}", line(1));
    let _ = write!(out, "\"message-count\"{colon}\"{}\",{}", entries.len(), line(1));
    let _ = write!(out, "\"messages\"{colon}[");
    for (i, entry) in entries.iter().enumerate() {
        let _ = write!(out, "{}{{", if i == 0 { "" } else { "," });
        for (j, (name, value)) in entry.iter().enumerate() {
            let comma = if j == 0 { "" } else { "," };
            let _ = write!(out, "{comma}{}\"{name}\"{colon}", line(2));
            quote(&mut out, value);
        }
        let _ = write!(out, "{}}}", line(1));
    }
    let _ = write!(out, "]{}}}", line(0));
    out
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c as u32).unwrap_or(b'?')).collect()
}

fn head(
    answer: &Answer,
    received: &Received,
    status: u16,
    body: &[u8],
    keep_alive: bool,
) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} {}\r\nServer: nginx\r\n", reason(status));
    let content_type = match &answer.what {
        What::Http { content_type, .. } => content_type,
        _ if answer.latin1 => "application/json;charset=ISO-8859-1",
        _ => "application/json",
    };
    if !content_type.is_empty() {
        let _ = write!(out, "Content-Type: {content_type}\r\n");
    }
    let _ = match answer.chunked {
        true => write!(out, "Transfer-Encoding: chunked\r\n"),
        false => write!(out, "Content-Length: {}\r\n", body.len()),
    };
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let _ = write!(out, "Connection: {connection}\r\n");
    out.push_str("Cache-Control: max-age=1\r\nX-Frame-Options: deny\r\n");
    let trace = received.connection.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let _ = write!(out, "X-Nexmo-Trace-Id: {trace:016x}{:016x}\r\n", trace.rotate_left(17));
    if let What::Redirect { .. } = answer.what {
        let _ = write!(out, "Location: {}\r\n", elsewhere(received));
    }
    for (name, value) in &answer.headers {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    out.push_str("\r\n");
    out.into_bytes()
}

/// The same port by its other name, so that a client that follows leaves the host it trusted.
fn elsewhere(received: &Received) -> String {
    let host = received.header("host").unwrap_or("localhost");
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "443"));
    let other = if name == "localhost" { "127.0.0.1" } else { "localhost" };
    let scheme = if received.secure { "https" } else { "http" };
    format!("{scheme}://{other}:{port}{ELSEWHERE}/sms/json")
}

fn chunks(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for chunk in body.chunks(100) {
        out.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        out.extend(chunk);
        out.extend(b"\r\n");
    }
    out.extend(b"0\r\n\r\n");
    out
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Other",
    }
}
