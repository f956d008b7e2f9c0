//! Checks of the form's fields, one rule each.

use super::{Rule, Verdict};
use crate::answer::Answer;
use crate::form::Form;
use crate::gsm::septets;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

/// The longest text the API takes, in characters.
const TEXT_MAX: usize = 3200;

/// What a value has to look like.
enum Is {
    /// Judged apart.
    Own,
    Chars(RangeInclusive<usize>),
    Number(RangeInclusive<u64>),
    Boolean,
    HexDigits(RangeInclusive<usize>),
    Url,
    /// Only for binary messages, which the simulator does not take.
    Binary,
}

/// Every field that the API has.
const FIELDS: &[(&str, Is)] = &[
    ("from", Is::Own),
    ("to", Is::Own),
    ("text", Is::Own),
    ("type", Is::Own),
    ("api_key", Is::Chars(8..=8)),
    ("api_secret", Is::Chars(6..=32)),
    ("timestamp", Is::Number(0..=u32::MAX as u64)),
    // The description says at most 60, but a hash of SHA-512 has 128 digits.
    ("sig", Is::HexDigits(16..=128)),
    ("ttl", Is::Number(20_000..=604_800_000)),
    ("status-report-req", Is::Boolean),
    ("callback", Is::Url),
    ("client-ref", Is::Chars(1..=100)),
    ("account-ref", Is::Chars(1..=100)),
    ("message-class", Is::Number(0..=3)),
    ("entity-id", Is::Chars(1..=100)),
    ("content-id", Is::Chars(1..=100)),
    ("trusted-number", Is::Boolean),
    ("pool-id", Is::Chars(1..=100)),
    ("body", Is::Binary),
    ("udh", Is::Binary),
    ("protocol-id", Is::Binary),
];

pub(super) fn check(form: &Form, verdict: &mut Verdict) {
    let mut seen = BTreeSet::new();
    for (name, value) in &form.pairs {
        if !seen.insert(name.as_str()) {
            verdict.note(Rule::DuplicateField, name);
            continue;
        }
        match FIELDS.iter().find(|(known, _)| known == name) {
            None => verdict.note(Rule::UnknownField, name),
            Some((_, rule)) => check_value(name, value, rule, verdict),
        }
    }
    let field = |name: &str| form.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    let mut required = |name: &str, words: &str| {
        let value = field(name).filter(|value| !value.is_empty());
        if value.is_none() {
            verdict.refuse(Rule::MissingField, name, Answer::status(2).text(words));
        }
        value
    };
    let from = required("from", "Missing from param");
    let to = required("to", "Missing to param");
    let text = required("text", "Missing Message Text");
    if let Some(to) = to {
        recipient(to, verdict);
    }
    if let Some(from) = from {
        sender(from, to.unwrap_or_default(), verdict);
    }
    if let Some(text) = text {
        let chars = text.chars().count();
        if chars > TEXT_MAX {
            let detail = format!("{chars} characters, {TEXT_MAX} are allowed");
            verdict.refuse(Rule::Text, detail, Answer::status(12));
        }
        kind(field("type"), text, verdict);
    }
}

fn check_value(name: &str, value: &str, rule: &Is, verdict: &mut Verdict) {
    let chars = value.chars().count();
    let fault = match rule {
        Is::Own => return,
        _ if value.is_empty() => Some("is empty: leave it out".to_owned()),
        Is::Chars(range) if !range.contains(&chars) => Some(format!(
            "has {chars} characters, allowed are {} to {}",
            range.start(),
            range.end()
        )),
        Is::Number(range) if !number(value).is_some_and(|n| range.contains(&n)) => {
            Some(format!("is not a number from {} to {}", range.start(), range.end()))
        }
        Is::Boolean if value != "true" && value != "false" => {
            Some("is neither true nor false".to_owned())
        }
        Is::HexDigits(range)
            if !range.contains(&chars) || !value.bytes().all(|b| b.is_ascii_hexdigit()) =>
        {
            Some("is not a hexadecimal hash".to_owned())
        }
        Is::Url => {
            let absolute = ["http://", "https://"].iter().any(|scheme| value.starts_with(scheme));
            let clean = value.bytes().all(|b| b.is_ascii_graphic());
            if chars > 100 || !absolute || !clean {
                let detail = "`callback` is not a URL of at most 100 characters";
                verdict.refuse(Rule::Value, detail, Answer::status(23));
            }
            None
        }
        Is::Binary => Some("belongs to binary messages, which are not simulated".to_owned()),
        _ => None,
    };
    let Some(fault) = fault else { return };
    // These are the ones the service is lenient about, or was not seen to refuse.
    let forgiven = matches!(rule, Is::Boolean | Is::Binary) || value.is_empty();
    match name {
        "api_key" | "api_secret" | "sig" | "timestamp" => {
            verdict.note(Rule::Value, format!("`{name}` {fault}"));
        }
        _ if forgiven => verdict.note(Rule::Value, format!("`{name}` {fault}")),
        _ => {
            let words = format!("Invalid value for param: {name}");
            verdict.refuse(Rule::Value, format!("`{name}` {fault}"), Answer::status(3).text(words));
        }
    }
}

fn number(value: &str) -> Option<u64> {
    value.bytes().all(|b| b.is_ascii_digit()).then(|| value.parse().ok()).flatten()
}

fn recipient(to: &str, verdict: &mut Verdict) {
    let digits = to.bytes().all(|b| b.is_ascii_digit());
    if digits && to.starts_with('0') {
        let detail = format!("`{to}` is not in international form without 00");
        verdict.refuse(Rule::Recipient, detail, Answer::status(6));
    } else if !digits || !(7..=15).contains(&to.len()) {
        let detail = format!("`{to}` is not 7 to 15 digits");
        let answer = Answer::status(3).text("Invalid value for param: to");
        verdict.refuse(Rule::Recipient, detail, answer);
    }
}

fn sender(from: &str, to: &str, verdict: &mut Verdict) {
    let numeric = from.bytes().all(|b| b.is_ascii_digit());
    let alphanumeric = from.bytes().all(|b| b.is_ascii_alphanumeric());
    let fault = if numeric && from.len() > 15 {
        Some("has more than 15 digits")
    } else if numeric && from.starts_with('0') {
        Some("is not in international form without 00")
    } else if !(numeric || alphanumeric && from.len() <= 11) {
        Some("is not at most 11 letters and digits")
    } else if !numeric && to.starts_with('1') {
        Some("has letters, which +1 destinations do not allow")
    } else {
        None
    };
    if let Some(fault) = fault {
        verdict.refuse(Rule::Sender, format!("`{from}` {fault}"), Answer::status(15));
    }
}

fn kind(kind: Option<&str>, text: &str, verdict: &mut Verdict) {
    let outside = text.chars().find(|&c| septets(c).is_none());
    match (kind.unwrap_or("text"), outside) {
        ("text", Some(c)) => {
            let detail = format!("`text`, but {c:?} is not in GSM 03.38 and arrives as `?`");
            verdict.note(Rule::Type, detail);
        }
        ("unicode", None) => {
            verdict.note(Rule::Type, "`unicode`, but GSM 03.38 has every character, for less");
        }
        ("text" | "unicode", _) => {}
        ("binary", _) => verdict.note(Rule::Type, "`binary` is not simulated"),
        (other, _) => {
            let answer = Answer::status(3).text("Invalid value for param: type");
            verdict.refuse(Rule::Type, format!("`{other}` is not a type"), answer);
        }
    }
}
