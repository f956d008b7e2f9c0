//! What is remembered of each request.

use crate::auth::Auth;
use crate::check::{ELSEWHERE, Violation};
use crate::gsm::Encoding;
use std::fmt;
use std::time::Instant;

/// What became of a request, as the simulator saw it leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Every part was accepted, and the answer said so.
    Accepted,
    /// Some parts were accepted and others refused.
    Partial,
    /// Refused with this status code of the service.
    Refused(u16),
    /// Answered on the level of HTTP, with this status and nothing about a message.
    Http(u16),
    /// No complete answer, or none that can be read: hang, close, reset, cut off, raw bytes.
    Unclear,
}

/// One request, taken apart.
#[derive(Clone)]
#[non_exhaustive]
pub struct Received {
    /// When its last byte had been read.
    pub at: Instant,
    /// Whether it came over TLS.
    pub secure: bool,
    /// Which connection it came over, counted from 1.
    pub connection: u64,
    /// The HTTP method.
    pub method: String,
    /// The request target: path and, if there is one, query.
    pub target: String,
    /// The headers in their order, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body as sent.
    pub body: Vec<u8>,
    /// The fields of the form in their order, decoded.
    pub fields: Vec<(String, String)>,
    /// The sender, empty if there is none.
    pub from: String,
    /// The recipient, empty if there is none.
    pub to: String,
    /// The text, empty if there is none.
    pub text: String,
    /// The field `type`, which is `text` if left out.
    pub kind: String,
    /// The field `client-ref`.
    pub client_ref: Option<String>,
    /// How it proved its account.
    pub auth: Auth,
    /// The encoding that its `type` asks for.
    pub encoding: Encoding,
    /// Billed parts in that encoding.
    pub segments: usize,
    /// Septets or UTF-16 units in that encoding.
    pub units: usize,
    /// What is wrong with it.
    pub violations: Vec<Violation>,
    /// What it was answered.
    pub outcome: Outcome,
    /// Whether the service took the text, or part of it, whatever the client learnt.
    pub taken: bool,
    /// Message ids of the parts that were accepted.
    pub message_ids: Vec<String>,
}

impl Received {
    /// The value of the first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The value of the first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Whether this came because the client followed [`Answer::redirect`](crate::Answer::redirect).
    #[must_use]
    pub fn followed_redirect(&self) -> bool {
        self.target.starts_with(ELSEWHERE)
    }

    /// One line: `SMS to 447700900000 from sampleapp, GSM-7, 1 segment: the text`. Control
    /// characters of the text are shown escaped, so that it stays one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let Self { to, from, encoding, segments, text, .. } = self;
        let plural = if *segments == 1 { "" } else { "s" };
        let mut line = format!("SMS to {to} from {from}, {encoding}, {segments} segment{plural}: ");
        for c in text.chars() {
            if c.is_control() {
                line.extend(c.escape_default());
            } else {
                line.push(c);
            }
        }
        line
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

/// Leaves out what proves the account, so that a failed assertion prints no secret.
impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |name: &str| {
            ["api_secret", "sig", "authorization"].iter().any(|n| n.eq_ignore_ascii_case(name))
        };
        let hide = |pairs: &[(String, String)]| -> Vec<(String, String)> {
            let shown = |(n, v): &(String, String)| {
                (n.clone(), if hidden(n) { "***".to_owned() } else { v.clone() })
            };
            pairs.iter().map(shown).collect()
        };
        f.debug_struct("Received")
            .field("connection", &self.connection)
            .field("method", &self.method)
            .field("path", &self.target.split('?').next().unwrap_or_default())
            .field("headers", &hide(&self.headers))
            .field("fields", &hide(&self.fields))
            .field("auth", &self.auth)
            .field("encoding", &self.encoding)
            .field("segments", &self.segments)
            .field("violations", &self.violations)
            .field("outcome", &self.outcome)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}
