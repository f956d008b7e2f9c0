//! What is known about one attempt, and what a person reads of it.

use std::fmt;
use std::io;
use std::time::SystemTime;

use annunciator_core::transport::{Code, Outcome};

use super::explain::{explain, local};

/// What TLS says of a certificate whose time is still to come.
const NOT_VALID_YET: &str = "not valid yet";

/// Characters kept of the texts of others: the service, the network, TLS.
const WORDS_MAX: usize = 160;

/// The latest attempt. `Display` says what went wrong, what to do, and what the service or the
/// network said, on one line of printable ASCII; it is empty if nothing went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Attempt {
    /// [`Code::NONE`] if all went well.
    pub(crate) code: Code,
    /// Status of the answer, if there was one.
    pub(crate) http: Option<u16>,
    /// The service's error text.
    pub(crate) said: String,
    /// The first part's id, which the service's logs know.
    pub(crate) message_id: String,
    /// The id of the request in the service's logs, which its support asks for.
    pub(crate) trace: String,
    /// What the network or TLS said.
    pub(crate) failure: String,
}

impl Attempt {
    /// Notes a failure before anything was sent.
    pub(super) fn not_sent(&mut self, error: &ureq::Error) -> Code {
        let words = error.to_string();
        self.failure = match words.contains(NOT_VALID_YET) {
            true => clock_words(SystemTime::now()) + &plain(&words),
            false => plain(&words),
        };
        match error {
            ureq::Error::Timeout(_) => local::TIMEOUT,
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => local::NOT_CONNECTED,
            ureq::Error::ConnectProxyFailed(_) | ureq::Error::InvalidProxyUrl => local::PROXY,
            ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::TlsRequired => local::TLS,
            ureq::Error::Io(error) => match error.kind() {
                io::ErrorKind::TimedOut => local::TIMEOUT,
                // What rustls wraps its errors in during a handshake.
                io::ErrorKind::InvalidData => local::TLS,
                io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => local::NOT_SENT,
                _ => local::NOT_CONNECTED,
            },
            _ => local::NOT_SENT,
        }
    }

    /// Notes a failure after the request may have left.
    pub(super) fn lost(&mut self, error: &ureq::Error) -> Code {
        self.failure = plain(&error.to_string());
        match error {
            ureq::Error::Timeout(_) => local::ANSWER_TIMEOUT,
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                local::ANSWER_TIMEOUT
            }
            _ => local::NO_ANSWER,
        }
    }

    pub(super) fn settle(&mut self, outcome: &Outcome) {
        self.code = match outcome {
            Outcome::Accepted(receipt) => receipt.code,
            Outcome::Retry(retry) => retry.code,
            Outcome::Unknown(code) => *code,
            Outcome::Refused(refusal) => refusal.code,
            _ => Code::NONE,
        };
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code == Code::NONE {
            return Ok(());
        }
        let (meaning, check) = explain(self.code);
        write!(f, "{meaning}{check}")?;
        let said = if self.said.is_empty() { &self.failure } else { &self.said };
        match (self.code.0, self.http) {
            (status @ 1..=999, _) => write!(f, " (status {status}")?,
            (_, Some(http)) => write!(f, " (HTTP {http}")?,
            (_, None) if said.is_empty() => return Ok(()),
            (_, None) => return write!(f, " ({said})"),
        }
        if !said.is_empty() {
            write!(f, ": {said}")?;
        }
        if !self.trace.is_empty() {
            write!(f, "; trace {}", self.trace)?;
        }
        f.write_str(")")
    }
}

/// Names the year of the clock: if it was never set, today's certificates are not valid yet.
fn clock_words(now: SystemTime) -> String {
    const YEAR: u64 = 31_556_952;
    let year =
        now.duration_since(SystemTime::UNIX_EPOCH).map_or(1969, |t| 1970 + t.as_secs() / YEAR);
    format!("this machine's clock stands in {year}; if that is wrong, set it: ")
}

/// The beginning of `text`, fit for a log line.
pub(super) fn plain(text: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    text.chars().take(WORDS_MAX).map(printable).collect()
}
