//! Checks of the account: who asks, and that no secret leaks on the way.

use super::{Rule, Verdict};
use crate::answer::Answer;
use crate::auth::{Auth, SignatureMethod, base64, basic};
use crate::form::{Form, decode};
use crate::http::Request;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The account that the simulator knows, and how it may be proved.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) key: String,
    /// Any of these is good: two are live while a secret is rotated.
    pub(crate) secrets: Vec<String>,
    pub(crate) signature: Option<(SignatureMethod, String)>,
    /// The one way that is allowed, or any.
    pub(crate) only: Option<Auth>,
    /// How far a signed timestamp may be from now; no limit if none.
    pub(crate) tolerance: Option<Duration>,
    /// Whether wrong credentials in a header get HTTP 401 instead of status 4.
    pub(crate) answer_401: bool,
}

impl Account {
    pub(super) fn check(&self, request: &Request, form: &Form, verdict: &mut Verdict) {
        let headers: Vec<_> = request.values("authorization").collect();
        let field =
            |name: &str| form.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        let (key, secret, sig) = (field("api_key"), field("api_secret"), field("sig"));
        verdict.auth = match (headers.is_empty(), secret, sig) {
            (false, None, None) => Auth::Basic,
            (true, Some(_), None) => Auth::Body,
            (true, None, Some(_)) => Auth::Signature,
            (true, None, None) => Auth::None,
            _ => Auth::Several,
        };
        let bad = || Answer::status(4);
        match verdict.auth {
            Auth::None => verdict.refuse(
                Rule::AuthMode,
                "no header, no secret, no signature",
                Answer::status(2).text("Missing api_key"),
            ),
            Auth::Several if secret.is_some() && sig.is_some() => {
                verdict.refuse(Rule::AuthMode, "signed and with api_secret", Answer::status(32));
            }
            Auth::Several => verdict.note(Rule::AuthMode, "proved in several ways at once"),
            Auth::Basic => {
                let wrong = if self.answer_401 { Answer::http(401) } else { bad() };
                match headers.as_slice() {
                    [one] => match basic(one) {
                        Some((key, secret)) if self.knows(&key, &secret) => {}
                        Some(_) => {
                            verdict.refuse(Rule::Credentials, "wrong key or secret", wrong);
                        }
                        None => verdict.refuse(
                            Rule::AuthMode,
                            "Authorization is not Basic with base64 of key:secret",
                            wrong,
                        ),
                    },
                    _ => verdict.refuse(Rule::AuthMode, "Authorization is repeated", wrong),
                }
                if key.is_some() {
                    verdict.note(Rule::AuthMode, "api_key beside a Basic header");
                }
            }
            Auth::Body => match key {
                None => verdict.refuse(
                    Rule::MissingField,
                    "api_key",
                    Answer::status(2).text("Missing api_key"),
                ),
                Some(key) if self.knows(key, secret.unwrap_or_default()) => {}
                Some(_) => verdict.refuse(Rule::Credentials, "wrong key or secret", bad()),
            },
            Auth::Signature => self.check_signature(form, key, sig.unwrap_or_default(), verdict),
        }
        if let Some(only) = self.only.filter(|&only| only != verdict.auth) {
            let detail = format!("{:?} where only {only:?} is allowed", verdict.auth);
            verdict.refuse(Rule::AuthMode, detail, bad());
        }
        if verdict.auth != Auth::Signature && field("timestamp").is_some() {
            verdict.note(Rule::AuthMode, "timestamp without a signature");
        }
        self.find_leaks(request, form, verdict);
    }

    fn knows(&self, key: &str, secret: &str) -> bool {
        key == self.key && self.secrets.iter().any(|s| s == secret)
    }

    fn check_signature(&self, form: &Form, key: Option<&str>, sig: &str, verdict: &mut Verdict) {
        let invalid = || Answer::status(14);
        let Some((method, secret)) = &self.signature else {
            return verdict.refuse(Rule::AuthMode, "no signature secret is set here", invalid());
        };
        match key {
            None => verdict.refuse(
                Rule::MissingField,
                "api_key",
                Answer::status(2).text("Missing api_key"),
            ),
            Some(key) if key != self.key => {
                verdict.refuse(Rule::Credentials, "wrong key", Answer::status(4));
            }
            Some(_) => {}
        }
        if !method.sign(&form.pairs, secret).eq_ignore_ascii_case(sig) {
            verdict.refuse(Rule::Signature, "does not match the fields", invalid());
        }
        let timestamp = form.pairs.iter().find(|(name, _)| name == "timestamp");
        let Some(seconds) = timestamp.and_then(|(_, value)| value.parse::<u64>().ok()) else {
            return verdict.refuse(Rule::Signature, "no timestamp in Unix seconds", invalid());
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.tolerance.is_some_and(|limit| now.as_secs().abs_diff(seconds) > limit.as_secs()) {
            verdict.refuse(Rule::Signature, "the timestamp is too far from now", invalid());
        }
    }

    /// Looks for each secret, plain and as the header encodes it, wherever it has no business.
    fn find_leaks(&self, request: &Request, form: &Form, verdict: &mut Verdict) {
        let mut words: Vec<String> = self.secrets.clone();
        words.extend(self.secrets.iter().map(|s| base64(format!("{}:{s}", self.key).as_bytes())));
        words.extend(self.signature.iter().map(|(_, secret)| secret.clone()));
        // A very short secret would be found in any text.
        words.retain(|word| word.len() >= 6);
        let leaks = |text: &str| words.iter().any(|word| text.contains(word.as_str()));

        let target = decode(request.target.as_bytes()).0;
        if leaks(&request.target) || leaks(&target) {
            verdict.note(Rule::SecretExposed, "in the URL");
        } else if ["api_key", "api_secret", "sig="].iter().any(|name| target.contains(name)) {
            verdict.note(Rule::SecretExposed, "credentials in the URL");
        }
        for (name, value) in &request.headers {
            if !name.eq_ignore_ascii_case("authorization") && leaks(value) {
                verdict.note(Rule::SecretExposed, format!("in the header {name}"));
            }
        }
        for (name, value) in &form.pairs {
            if leaks(name) || (name != "api_secret" && leaks(value)) {
                verdict.note(Rule::SecretExposed, "in a field other than api_secret");
            }
        }
    }
}
