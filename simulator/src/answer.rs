//! What the service does with a request: the whole repertoire, as values a test can script.

use std::time::Duration;

/// What the simulator does with one request (or, for the answers that never let it get that far,
/// with one connection).
///
/// A constructor says what happens; the setters say how it looks on the wire and compose freely:
///
/// ```
/// # use annunciator_simulator::Answer;
/// # use std::time::Duration;
/// let slow_throttle = Answer::throttled(Duration::from_millis(702))
///     .after(Duration::from_secs(3))
///     .pretty()
///     .chunked();
/// ```
///
/// Every answer also has a name that [`parse`](str::parse) understands; [`Answer::names`] lists
/// them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub(crate) what: What,
    pub(crate) wait: Duration,
    pub(crate) drip: Option<Duration>,
    pub(crate) chunked: bool,
    pub(crate) pretty: bool,
    pub(crate) latin1: bool,
    pub(crate) taken: bool,
    pub(crate) headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    // These end a connection before a request is read from it.
    HangInHandshake,
    CloseInHandshake,
    ResetBeforeRequest,
    // Answers of the SMS service itself.
    Accepted { parts: Option<usize> },
    Refused { status: u16, text: Option<String> },
    Partial { accepted: usize, status: u16, text: Option<String> },
    Unreadable(Unreadable),
    // Answers of what stands before it.
    Http { status: u16, content_type: &'static str, body: String },
    Redirect { status: u16 },
    Raw(Vec<u8>),
    // No answer.
    Hang,
    Close,
    ResetAfterRequest,
    // Half an answer.
    ResetMidAnswer,
    CloseMidAnswer,
}

/// Bodies that acceptance was lost in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    CutOff,
    NoMessages,
}

impl Answer {
    const fn new(what: What) -> Self {
        Self {
            what,
            wait: Duration::ZERO,
            drip: None,
            chunked: false,
            pretty: false,
            latin1: false,
            taken: false,
            headers: Vec::new(),
        }
    }

    /// Status 0 for each part that the text really has, and the balance goes down.
    #[must_use]
    pub const fn accepted() -> Self {
        Self::new(What::Accepted { parts: None })
    }

    /// Status 0 for `parts` parts, whatever the text: 48 is what 3200 UCS-2 characters fill.
    #[must_use]
    pub const fn accepted_parts(parts: usize) -> Self {
        Self::new(What::Accepted { parts: Some(parts) })
    }

    /// The first `accepted` parts are accepted and the others, at least one, have `status`.
    #[must_use]
    pub const fn partial(accepted: usize, status: u16) -> Self {
        Self::new(What::Partial { accepted, status, text: None })
    }

    /// HTTP 200 with a status code of the service and the error text seen with it; 0 is
    /// [`accepted`](Self::accepted).
    #[must_use]
    pub const fn status(status: u16) -> Self {
        match status {
            0 => Self::accepted(),
            _ => Self::new(What::Refused { status, text: None }),
        }
    }

    /// Status 1 that names the wait in milliseconds.
    #[must_use]
    pub fn throttled(wait: Duration) -> Self {
        let wait = wait.as_millis();
        Self::status(1).text(format!("Throughput Rate Exceeded - please wait [ {wait} ] and retry"))
    }

    /// Status 1 in the other form seen: the rest of `interval` has to be waited for.
    #[must_use]
    pub fn throttled_in_interval(interval: Duration, elapsed: Duration) -> Self {
        Self::status(1).text(format!(
            "Exceeded maximum MT throughput[ MAX [ 30 ] INTERVAL [ {} ] COUNT [ 30 ] \
             LAST INT-START [ 1540924779000 ] TIME_SINCE_LAST_INTERVAL_START [ {} ]  ] ",
            interval.as_millis(),
            elapsed.as_millis()
        ))
    }

    /// An HTTP status that says nothing about a message, with the body seen with it: 401 and 403
    /// the legacy JSON; 402, 429, 502 to 504 HTML; 500 nothing.
    #[must_use]
    pub fn http(status: u16) -> Self {
        let (content_type, body) = match status {
            401 | 403 => (
                "application/json;charset=UTF-8",
                format!(
                    r#"{{"error-code":"{status}","error-code-label":"authentication failed"}}"#
                ),
            ),
            402 => ("text/html", html("HTTP Status 402 - Payment Required")),
            404 | 405 | 415 => ("application/json", r#"{"title":"Not Found"}"#.to_owned()),
            429 => (
                "text/html",
                html("HTTP Status 429 - message has too many concurrent requests per 1 second"),
            ),
            502..=504 => ("text/html", html("The server is temporarily unable to serve you")),
            _ => ("", String::new()),
        };
        Self::new(What::Http { status, content_type, body })
    }

    /// HTTP 429 with `Retry-After` in whole seconds and a problem document.
    #[must_use]
    pub fn too_many_requests(retry_after: Duration) -> Self {
        let body = r#"{"title":"Rate Limit Hit","type":"https://developer.vonage.com/api-errors#rate-limit","detail":"Please wait, then retry your request","instance":"bf0ca0bf927b3b52e3cb03217e1a1ddf"}"#;
        Self::new(What::Http {
            status: 429,
            content_type: "application/problem+json",
            body: body.to_owned(),
        })
        .header("Retry-After", &retry_after.as_secs().to_string())
    }

    /// HTTP 200 with the page of a captive portal.
    #[must_use]
    pub fn html() -> Self {
        let body = html("Sign in to the network");
        Self::new(What::Http { status: 200, content_type: "text/html", body })
    }

    /// HTTP 200 without a body.
    #[must_use]
    pub const fn empty() -> Self {
        let content_type = "application/json";
        Self::new(What::Http { status: 200, content_type, body: String::new() })
    }

    /// HTTP 200 and JSON that ends in its middle, with a `Content-Length` that agrees. The service
    /// took the text.
    #[must_use]
    pub const fn cut_off() -> Self {
        Self::new(What::Unreadable(Unreadable::CutOff))
    }

    /// HTTP 200 and JSON without `messages`. The service took the text.
    #[must_use]
    pub const fn no_messages() -> Self {
        Self::new(What::Unreadable(Unreadable::NoMessages))
    }

    /// Sends the client elsewhere: to a path under `/elsewhere` of this simulator, by its other
    /// host name. A client that goes there is seen: [`Received::followed_redirect`].
    ///
    /// [`Received::followed_redirect`]: crate::Received::followed_redirect
    #[must_use]
    pub const fn redirect(status: u16) -> Self {
        Self::new(What::Redirect { status })
    }

    /// These bytes and then the end of the connection; nothing is added to them.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(What::Raw(bytes.into()))
    }

    /// Reads the request and never answers.
    #[must_use]
    pub const fn hang() -> Self {
        Self::new(What::Hang)
    }

    /// Reads the request and closes the connection in good order.
    #[must_use]
    pub const fn close() -> Self {
        Self::new(What::Close)
    }

    /// Resets the connection after the handshake, before the request is read.
    #[must_use]
    pub const fn reset_before_request() -> Self {
        Self::new(What::ResetBeforeRequest)
    }

    /// Reads the request and resets the connection.
    #[must_use]
    pub const fn reset_after_request() -> Self {
        Self::new(What::ResetAfterRequest)
    }

    /// Resets the connection in the middle of an acceptance. The service took the text.
    #[must_use]
    pub const fn reset_mid_answer() -> Self {
        Self::new(What::ResetMidAnswer)
    }

    /// Closes the connection in the middle of an acceptance, short of the length it announced.
    /// The service took the text.
    #[must_use]
    pub const fn close_mid_answer() -> Self {
        Self::new(What::CloseMidAnswer)
    }

    /// Accepts the connection and never says a word. Without TLS: likewise.
    #[must_use]
    pub const fn hang_in_handshake() -> Self {
        Self::new(What::HangInHandshake)
    }

    /// Closes the connection after the client's hello. Without TLS: after its first bytes.
    #[must_use]
    pub const fn close_in_handshake() -> Self {
        Self::new(What::CloseInHandshake)
    }

    /// Waits before the first byte of the answer, or before the connection is broken.
    #[must_use]
    pub const fn after(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sends the answer eight bytes at a time, `pause` between them.
    #[must_use]
    pub const fn drip(mut self, pause: Duration) -> Self {
        self.drip = Some(pause);
        self
    }

    /// Sends the body in chunks, as the real service was seen to do, instead of announcing its
    /// length.
    #[must_use]
    pub const fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Indents the JSON, as the real service was seen to do.
    #[must_use]
    pub const fn pretty(mut self) -> Self {
        self.pretty = true;
        self
    }

    /// Sends the body in ISO-8859-1, as was seen in 2014; characters outside it become `?`.
    #[must_use]
    pub const fn latin1(mut self) -> Self {
        self.latin1 = true;
        self
    }

    /// Counts the text as taken by the service although the answer does not say so: what was lost
    /// is the answer, not the text.
    #[must_use]
    pub const fn taken(mut self) -> Self {
        self.taken = true;
        self
    }

    /// Replaces the error text of a refusal.
    #[must_use]
    pub fn text(mut self, words: impl Into<String>) -> Self {
        if let What::Refused { text, .. } | What::Partial { text, .. } = &mut self.what {
            *text = Some(words.into());
        }
        self
    }

    /// Replaces the body of an HTTP answer.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, new: impl Into<String>) -> Self {
        if let What::Http { content_type: old, body, .. } = &mut self.what {
            *old = content_type;
            *body = new.into();
        }
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Whether this ends a connection before a request is read from it.
    pub(crate) const fn precedes_request(&self) -> bool {
        matches!(
            self.what,
            What::HangInHandshake | What::CloseInHandshake | What::ResetBeforeRequest
        )
    }

    /// Whether this says that a text, or part of it, was accepted.
    pub(crate) const fn accepts(&self) -> bool {
        matches!(
            self.what,
            What::Accepted { .. }
                | What::Partial { .. }
                | What::Unreadable(_)
                | What::ResetMidAnswer
                | What::CloseMidAnswer
        )
    }
}

impl Default for Answer {
    /// [`Answer::accepted`].
    fn default() -> Self {
        Self::accepted()
    }
}

/// The text that was seen with a status code, or failing that its meaning in the documentation.
pub(crate) const fn error_text(status: u16) -> &'static str {
    match status {
        1 => "Throughput Rate Exceeded - please wait and retry",
        2 => "Missing to param",
        3 => "Invalid value for param",
        4 => "Bad Credentials",
        5 => "Server Error",
        6 => "Unroutable message",
        7 => "Number barred.",
        8 => "Partner account barred",
        9 => "Quota Exceeded - rejected",
        10 => "Too many existing binds",
        11 => "Account not enabled for HTTP",
        12 => "Message too long",
        13 => "Communication failed",
        14 => "Invalid Signature",
        15 => "Illegal Sender Address - rejected",
        16 => "Invalid TTL",
        17 => "Message blocked by provider",
        18 => "Too many destinations",
        19 => "Facility not allowed",
        20 => "Invalid message class",
        22 => "Invalid Network Code",
        23 => "Bad callback :: Missing Protocol",
        29 => "Non White-listed Destination - rejected",
        32 => "Signature and api_secret disallowed",
        33 => "Number de-activated",
        34 => "Invalid or missing msisdn",
        101 | 102 => "Invalid Account for Campaign",
        _ => "Unknown error",
    }
}

fn html(title: &str) -> String {
    format!("<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>")
}
