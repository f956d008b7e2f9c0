//! Judges a request by the published rules of the API, more strictly than the service does.
//!
//! The service forgives much, and what it forgives comes back as a mangled or missing text. So
//! every departure is a [`Violation`]; those that the service is known to refuse also carry the
//! refusal. Rules: Vonage's SMS OpenAPI description 1.5.1 and the limits in its guides.

mod account;
mod fields;

pub(crate) use account::Account;

use crate::answer::Answer;
use crate::auth::Auth;
use crate::form::{Form, decode};
use crate::http::Request;
use std::fmt;

/// Where redirects lead.
pub(crate) const ELSEWHERE: &str = "/elsewhere";

/// The kind of a [`Violation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The method is not POST.
    Method,
    /// The path is not `/sms/json`, or something follows it.
    Path,
    /// It came by following a redirect.
    Redirect,
    /// The body is not announced as `application/x-www-form-urlencoded`.
    ContentType,
    /// The answer is not asked for as `application/json`.
    Accept,
    /// `Host` is missing or repeated.
    Host,
    /// The body is not framed by one correct `Content-Length`.
    Framing,
    /// The percent-encoding is wrong, or what it holds is not UTF-8.
    Encoding,
    /// A field that the API does not have.
    UnknownField,
    /// A field that is given twice.
    DuplicateField,
    /// A field that has to be there.
    MissingField,
    /// A field without a value, or with one that its rule does not allow.
    Value,
    /// `from`: at most 15 digits or 11 letters and digits; only digits for +1 destinations.
    Sender,
    /// `to`: 7 to 15 digits in international form, without `+` or `00`.
    Recipient,
    /// `text`: 1 to 3200 characters.
    Text,
    /// `type` does not fit the text.
    Type,
    /// The account is proved by none or several ways, or by one that is not allowed here.
    AuthMode,
    /// Key or secret are wrong.
    Credentials,
    /// The signature or its timestamp are wrong.
    Signature,
    /// A secret stands where it does not belong.
    SecretExposed,
}

/// One thing that is wrong with a request. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which rule it breaks.
    pub rule: Rule,
    /// How, in words.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.detail)
    }
}

/// What the checks made of a request.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<Violation>,
    /// What the service would answer, if it would not accept.
    pub(crate) refusal: Option<Answer>,
    pub(crate) auth: Auth,
}

impl Verdict {
    fn note(&mut self, rule: Rule, detail: impl Into<String>) {
        self.violations.push(Violation { rule, detail: detail.into() });
    }

    /// Notes a violation that the service answers with a refusal; the first one counts.
    fn refuse(&mut self, rule: Rule, detail: impl Into<String>, refusal: Answer) {
        self.note(rule, detail);
        self.refusal.get_or_insert(refusal);
    }
}

/// Runs every check: transport first, then the account, then the fields, which is also the order
/// in which refusals win.
pub(crate) fn judge(request: &Request, form: &Form, account: &Account) -> Verdict {
    let mut verdict = Verdict { violations: Vec::new(), refusal: None, auth: Auth::None };
    transport(request, &mut verdict);
    for fault in &form.faults {
        verdict.note(Rule::Encoding, fault.clone());
    }
    account.check(request, form, &mut verdict);
    fields::check(form, &mut verdict);
    verdict
}

fn transport(request: &Request, verdict: &mut Verdict) {
    for fault in &request.faults {
        verdict.refuse(Rule::Framing, fault.clone(), Answer::http(400));
    }
    if request.method != "POST" {
        let detail = format!("{} instead of POST", request.method);
        verdict.refuse(Rule::Method, detail, Answer::http(405));
    }
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target.as_str(), None),
    };
    let shown = decode(path.as_bytes()).0;
    if path.starts_with(ELSEWHERE) {
        verdict.refuse(Rule::Redirect, "a redirect was followed", Answer::http(404));
    } else if path != "/sms/json" {
        verdict.refuse(Rule::Path, format!("{shown} instead of /sms/json"), Answer::http(404));
    }
    if query.is_some() {
        verdict.note(Rule::Path, "a query follows the path");
    }

    match *request.values("host").collect::<Vec<_>>() {
        [] => verdict.refuse(Rule::Host, "missing", Answer::http(400)),
        [_] => {}
        _ => verdict.refuse(Rule::Host, "repeated", Answer::http(400)),
    }
    match *request.values("content-type").collect::<Vec<_>>() {
        [one] if media_type(one) == "application/x-www-form-urlencoded" => {}
        [] => verdict.refuse(Rule::ContentType, "missing", Answer::http(415)),
        [one] => verdict.refuse(Rule::ContentType, one, Answer::http(415)),
        _ => verdict.note(Rule::ContentType, "repeated"),
    }
    let accepts_json = request
        .values("accept")
        .flat_map(|value| value.split(','))
        .any(|range| media_type(range) == "application/json");
    if !accepts_json {
        verdict.note(Rule::Accept, "application/json is not asked for");
    }
}

/// A media type without its parameters, in lower case.
fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}
