//! What each code means: to the alerter as an outcome, to a human in words with the fix.
//!
//! Two tables and one ranking, closed: what is not in them is *unrecognised* and tried again a
//! bounded number of times.
//!
//! | name in the test data | what the service says | our [`Outcome`] |
//! |---|---|---|
//! | `accepted` | every part has status 0 | `Accepted` |
//! | `accepted-partial` | some parts have status 0 | `Accepted` with `refused_parts > 0`; never sent again |
//! | `retry-later` | status 1; HTTP 408, 425, 429 | `Retry`, cause `Throttled`, with a wait |
//! | `retry-backoff` | status 5, 10, 13; HTTP 5xx | `Retry`, cause `Failure` |
//! | `permanent-config` | most other statuses; HTTP 3xx, 4xx | `Refused`, class `Channel` |
//! | `permanent-message` | status 3, 12, 17, a missing text; HTTP 413 | `Refused`, class `Message` |
//! | `unknown` | a status nobody documents | `Retry`, cause `Unrecognised` |
//! | `ambiguous` | HTTP 2xx without a readable list of parts | `Unknown` |
//!
//! If all parts are refused for different reasons, the most severe counts: `Channel`, `Message`,
//! `Unrecognised`, `Failure`, `Throttled`, in this order.
//!
//! # Codes
//! A [`Code`] of this module is the service's status as it stands (0 to 999; greater ones are shown
//! as 999), or 1000 plus an HTTP status (1401 is HTTP 401). Codes from 2000 on are left to
//! the client, for attempts that got no answer. [`explain`] puts the others into words.
//!
//! # Choices
//! An HTTP 5xx counts as *not sent* although a gateway's 502 or 504 may hide an acceptance: an
//! outage of the service looks exactly so, and it must not use up the two full attempts of a batch.

use crate::time::Duration;
use crate::transport::{Code, Outcome, Refusal, RefusalClass, Retry};

/// The code of an HTTP status.
pub const fn http_code(status: u16) -> Code {
    Code(1000 + if status < 1000 { status } else { 999 })
}

/// What a code means and what to do about it, for a human. Empty for [`Code::NONE`].
#[expect(
    clippy::match_overlapping_arm,
    reason = "the ranges say what the single codes above them do not"
)]
pub fn explain(code: Code) -> &'static str {
    match code.0 {
        0 => "",
        1 => "too many requests for the account's limit; sent again after the wait asked for",
        2 => "a parameter is missing: check sender, destination and credentials",
        3 => "a parameter is not valid, perhaps the text itself",
        4 => "wrong API key or secret",
        5 => "an error inside the service; sent again later",
        6 => "the destination cannot be reached by SMS",
        7 => "the destination is barred: it has opted out or is blocked; use another number",
        8 => "the account is suspended: contact Vonage",
        9 => "no credit left: top up the account",
        10 => "too many connections from this account; sent again later",
        11 => "the account may not use the SMS API: enable it, or contact Vonage",
        12 => "the text is too long for the service",
        13 => "the service could not pass the text on; sent again later",
        14 => {
            "the signature is not valid: check the signature secret, the algorithm and the \
             device's clock"
        }
        15 => "the sender is not allowed in the destination's country",
        16 => "the time to live is not valid: leave it out or set 20 seconds to 7 days",
        17 => "the provider blocked the text, because of its content or a restriction",
        18..=20 => "the account may not send what was asked for: check the options",
        22 => "the destination's network code is not valid",
        23 => "the callback URL is not valid: at most 100 characters, with http:// or https://",
        29 => {
            "a demo account sends only to its registered numbers: add the destination in the \
             dashboard, or top up"
        }
        32 => "two ways of authentication in one request: use one",
        33 => "the destination's number is no longer in use: set another one",
        34 => "the destination is missing or not a number",
        101 | 102 => "the account's short-code campaign does not fit: check it in the dashboard",
        1..=999 => "a status that is not documented; tried a few times",
        1000..=1199 => "an HTTP answer that makes no sense: is there a proxy in between?",
        1200..=1299 => {
            "an answer that cannot be read: the text may have been sent (a proxy or a captive \
             portal in between?)"
        }
        1300..=1399 => "redirected to another address",
        1401 | 1403 => "wrong API key or secret",
        1402 => "no credit left: top up the account",
        1404 | 1405 => "no SMS service at this address",
        1407 => "the proxy wants credentials",
        1408 | 1425 | 1429 => "too many requests; sent again after the wait asked for",
        1413 => "the text is too long for the service",
        1400..=1499 => "the service does not take the request",
        1500..=1599 => "an error inside the service; sent again later",
        1600..=1999 => "an HTTP answer that makes no sense: is there a proxy in between?",
        _ => "not a code of the SMS service",
    }
}

/// What a code asks for, least severe first, so that the most severe of several is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Accepted,
    Throttled,
    Failure,
    Unrecognised,
    Message,
    Channel,
}

impl Class {
    /// The class of a part's status. `text` tells two kinds of status 2 apart.
    pub(super) fn of_status(status: u16, text: &str) -> Class {
        match status {
            0 => Class::Accepted,
            1 => Class::Throttled,
            2 if after(text.as_bytes(), b"Message Text").is_some() => Class::Message,
            3 | 12 | 17 => Class::Message,
            5 | 10 | 13 => Class::Failure,
            2 | 4 | 6..=9 | 11 | 14..=16 | 18..=20 | 22 | 23 | 29 | 32..=34 | 101 | 102 => {
                Class::Channel
            }
            _ => Class::Unrecognised,
        }
    }

    /// The class of an HTTP status; `None` if it settles nothing.
    pub(super) fn of_http(status: u16) -> Option<Class> {
        Some(match status {
            408 | 425 | 429 => Class::Throttled,
            413 => Class::Message,
            300..=499 => Class::Channel,
            500..=599 => Class::Failure,
            _ => return None,
        })
    }

    /// The outcome of an attempt of this class. `wait` is what the service asked for, if it did.
    pub(super) fn outcome(self, code: Code, wait: Option<Duration>) -> Outcome {
        match self {
            // An acceptance has a receipt, which is not ours to make up.
            Class::Accepted => Outcome::Unknown(code),
            Class::Throttled => {
                Outcome::Retry(Retry::throttled(wait.unwrap_or(DEFAULT_WAIT), code))
            }
            Class::Failure => {
                let mut retry = Retry::failure(code);
                retry.after = wait;
                Outcome::Retry(retry)
            }
            Class::Unrecognised => Outcome::Retry(Retry::unrecognised(code)),
            Class::Message => Outcome::Refused(Refusal::new(RefusalClass::Message, code)),
            Class::Channel => Outcome::Refused(Refusal::new(RefusalClass::Channel, code)),
        }
    }
}

/// The wait after a throttled request when the service names none.
const DEFAULT_WAIT: Duration = Duration::from_millis(1000);

/// The wait that the error text of status 1 asks for, if it has one of the two known forms:
/// `... please wait [ 702 ] and retry` (milliseconds), or `Exceeded maximum MT throughput[ MAX [ 30
/// ] INTERVAL [ 1000 ] ... TIME_SINCE_LAST_INTERVAL_START [ 529 ] ...` (the rest of the interval).
///
/// Nothing else is read as a number: a client that took the first one it found slept 31 seconds.
pub(super) fn throttle_wait(text: &str) -> Option<Duration> {
    let text = text.as_bytes();
    let millis = match after(text, b"please wait [") {
        Some(rest) => leading_number(rest)?,
        None => {
            let rest = text.strip_prefix(b"Exceeded maximum MT throughput[")?;
            let interval = leading_number(after(rest, b" INTERVAL [")?)?;
            let passed = leading_number(after(rest, b"TIME_SINCE_LAST_INTERVAL_START [")?)?;
            interval.checked_sub(passed)?
        }
    };
    Some(Duration::from_millis(millis.into()))
}

/// What follows the first `intro` in `text`. (The standard library's search is fast, large, and
/// has panics in it.)
fn after<'t>(mut text: &'t [u8], intro: &[u8]) -> Option<&'t [u8]> {
    loop {
        match text.strip_prefix(intro) {
            Some(rest) => return Some(rest),
            None => text = text.split_first()?.1,
        }
    }
}

/// The number before the next `]`, spaces aside.
fn leading_number(text: &[u8]) -> Option<u32> {
    let mut number = None;
    let mut ended = false;
    for &byte in text.trim_ascii_start() {
        match byte {
            b'0'..=b'9' if !ended => {
                let value = number.unwrap_or(0u32).checked_mul(10)?;
                number = Some(value.checked_add(u32::from(byte - b'0'))?);
            }
            b' ' => ended = true,
            b']' => return number,
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn waits_are_read_from_the_known_phrases_only() {
        let mt = "Exceeded maximum MT throughput[ MAX [ 30 ] INTERVAL [ 1000 ] COUNT [ 30 ] LAST \
                  INT-START [ 2021-06-14 10:54:07.471 ] TIME_SINCE_LAST_INTERVAL_START [ 529 ]  ] ";
        for (text, millis) in [
            ("Throughput Rate Exceeded - please wait [ 702 ] and retry", Some(702)),
            ("Throughput Rate Exceeded - please wait [15] and retry", Some(15)),
            (mt, Some(471)),
            ("Throughput Rate Exceeded - please wait and retry", None),
            ("please wait [  ]", None),
            ("please wait [ 7o2 ]", None),
            ("please wait [ 702", None),
            ("please wait [ 99999999999 ]", None),
            ("31 requests, LIMIT [ 30 ] INTERVAL [ 1000 ]", None),
            ("Throttled", None),
            ("", None),
        ] {
            assert_eq!(throttle_wait(text), millis.map(Duration::from_millis), "{text}");
        }
        let late = "Exceeded maximum MT throughput[ INTERVAL [ 1 ] TIME_SINCE_LAST_INTERVAL_START \
                    [ 2 ]";
        assert_eq!(throttle_wait(late), None);
    }

    #[test]
    fn every_class_of_the_table_has_words_of_its_own() {
        let undocumented = explain(Code(77));
        for status in 1..=999 {
            let known = Class::of_status(status, "") != Class::Unrecognised;
            assert_eq!(known, explain(Code(status)) != undocumented, "status {status}");
        }
        assert!((0..=u16::MAX).all(|code| (code == 0) == explain(Code(code)).is_empty()));
    }
}
