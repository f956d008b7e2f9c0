//! An answer: bytes in pieces of any size to one outcome, in under one kilobyte.
//!
//! The service answers 200 to nearly everything and puts what happened into the parts, one for each
//! SMS that the text became. What counts:
//!
//! 1. A part with status 0, wherever it stands and whatever follows it: something was queued and
//!    charged. `Accepted`; other parts are counted as refused, the text is never sent again.
//! 2. A list of parts that was read to its end and has none such: certainly not sent. The most severe
//!    part decides.
//! 3. A part that has no readable status, or two: `Unknown`. It may have been sent.
//! 4. Otherwise the HTTP status, if it says something.
//! 5. Otherwise `Unknown`: a 2xx without a readable list, or with one cut off.
//!
//! Bytes beyond ASCII become `?`, in any encoding; escapes are resolved as far as that allows.

use core::fmt;

use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::scanner::{Found, Scanner};
use super::status::{Class, http_code, throttle_wait};
use crate::time::Duration;
use crate::transport::{Code, Decimal, Outcome, Receipt};

/// Bytes kept of an error text.
const ERROR_TEXT: usize = 120;
/// Bytes kept of a message id; the longest seen has 36.
const MESSAGE_ID: usize = 48;
/// Statuses kept, of the first parts.
const STATUSES: usize = 8;

/// Reads one answer.
///
/// ```
/// use annunciator_core::transport::Outcome;
/// use annunciator_core::vonage::AnswerReader;
///
/// let mut reader = AnswerReader::new();
/// for piece in [&br#"{"message-count":"1","mess"#[..], br#"ages":[{"status":"0"}]}"#] {
///     reader.push(piece);
/// }
/// assert!(matches!(reader.finish(200, None), Outcome::Accepted(_)));
/// ```
#[derive(Debug, Clone)]
pub struct AnswerReader {
    scanner: Scanner,
    answer: Answer,
}

impl AnswerReader {
    /// A reader before the first byte of a body.
    pub const fn new() -> AnswerReader {
        AnswerReader { scanner: Scanner::new(), answer: Answer::new() }
    }

    /// Takes the next bytes of the body, as few or many as there are.
    pub fn push(&mut self, bytes: &[u8]) {
        self.push_each(bytes, |_| ());
    }

    /// As [`push`](Self::push), and shows each part once it is complete: for who keeps every
    /// message id to match delivery receipts.
    pub fn push_each(&mut self, bytes: &[u8], mut each: impl FnMut(&Part<'_>)) {
        let answer = &mut self.answer;
        self.scanner.push(bytes, &mut |found| match found {
            Found::Part(json) => match serde_json_core::from_slice::<Part<'_>>(json) {
                Ok((part, _)) => {
                    answer.take(&part);
                    each(&part);
                }
                Err(_) => answer.unreadable = answer.unreadable.saturating_add(1),
            },
            Found::NoPart => answer.unreadable = answer.unreadable.saturating_add(1),
            Found::Remark(text) => answer.error_text.set_once(text),
        });
    }

    /// What came of the attempt, given the HTTP status and the `Retry-After` header in seconds
    /// ([`retry_after_seconds`] reads it), after the last byte of the body that there was.
    ///
    /// A body that broke off is finished like a whole one: the reader knows what it has seen.
    pub fn finish(&self, http_status: u16, retry_after: Option<u32>) -> Outcome {
        let answer = &self.answer;
        if answer.accepted > 0 {
            return Outcome::Accepted(answer.receipt());
        }
        let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
        let code = http_code(http_status);
        if answer.unreadable > 0 {
            return Outcome::Unknown(code);
        }
        // The most severe of no parts is still `Accepted`, which settles nothing.
        if self.scanner.is_closed() && answer.class != Class::Accepted {
            return answer.class.outcome(answer.code, answer.wait.or(retry_after));
        }
        match Class::of_http(http_status) {
            Some(class) => class.outcome(code, retry_after),
            None => Outcome::Unknown(code),
        }
    }

    /// What has been read so far, for a health report.
    pub const fn answer(&self) -> &Answer {
        &self.answer
    }
}

impl Default for AnswerReader {
    fn default() -> Self {
        AnswerReader::new()
    }
}

/// Reads a `Retry-After` header's value in seconds. `None` for a date: a device may have no clock.
pub fn retry_after_seconds(value: &str) -> Option<u32> {
    number(value.trim_ascii())
}

/// The digits of a non-empty `text` as a number, [`u32::MAX`] if it is greater.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().try_fold(0u32, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        Some(value.saturating_mul(10).saturating_add(digit.into()))
    });
    digits.filter(|_| !text.is_empty())
}

/// What an answer said, in bounded memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    accepted: u8,
    refused: u8,
    unreadable: u8,
    statuses: [u16; STATUSES],
    /// The most severe class so far, with the first code of that class.
    class: Class,
    code: Code,
    /// The code of the first refused part.
    refusal: Code,
    wait: Option<Duration>,
    /// Sum over the accepted parts; `None` once one of them names no price.
    price: Option<Decimal>,
    balance: Option<Decimal>,
    error_text: Ascii<ERROR_TEXT>,
    message_id: Ascii<MESSAGE_ID>,
}

impl Answer {
    const fn new() -> Answer {
        Answer {
            accepted: 0,
            refused: 0,
            unreadable: 0,
            statuses: [0; STATUSES],
            class: Class::Accepted,
            code: Code::NONE,
            refusal: Code::NONE,
            wait: None,
            price: Some(Decimal(0)),
            balance: None,
            error_text: Ascii::EMPTY,
            message_id: Ascii::EMPTY,
        }
    }

    /// Parts with status 0.
    pub const fn accepted(&self) -> u8 {
        self.accepted
    }

    /// Parts with another status.
    pub const fn refused(&self) -> u8 {
        self.refused
    }

    /// Elements of the list that have no readable status.
    pub const fn unreadable(&self) -> u8 {
        self.unreadable
    }

    /// Statuses of the first parts, at most 8; greater ones than 999 are given as 999.
    pub fn statuses(&self) -> &[u16] {
        let parts = usize::from(self.accepted.saturating_add(self.refused)).min(STATUSES);
        self.statuses.get(..parts).unwrap_or(&[])
    }

    /// The first error text, or what an error page says in its place: up to 120 printable ASCII
    /// characters. Empty if there was none.
    pub fn error_text(&self) -> &str {
        self.error_text.as_str()
    }

    /// The first message id, which the service's logs know. Empty if there was none.
    pub fn message_id(&self) -> &str {
        self.message_id.as_str()
    }

    /// The account's balance after the last part that named it, in euro.
    pub const fn balance(&self) -> Option<Decimal> {
        self.balance
    }

    fn take(&mut self, part: &Part<'_>) {
        if let Some(balance) = part.balance.and_then(Decimal::parse) {
            self.balance = Some(balance);
        }
        let text = part.error_text.unwrap_or("");
        if !text.is_empty() {
            self.error_text.set_once(text.as_bytes());
        }
        let Some(status) = part.status() else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        let before = usize::from(self.accepted.saturating_add(self.refused));
        if let Some(slot) = self.statuses.get_mut(before) {
            *slot = status;
        }
        let class = Class::of_status(status, text);
        if class == Class::Accepted {
            self.accepted = self.accepted.saturating_add(1);
            let price = part.price.and_then(Decimal::parse);
            self.price = self.price.zip(price).map(|(sum, price)| sum.plus(price));
            self.message_id.set_once(part.message_id.unwrap_or("").as_bytes());
            return;
        }
        if self.refused == 0 {
            self.refusal = Code(status);
        }
        self.refused = self.refused.saturating_add(1);
        if class > self.class {
            (self.class, self.code) = (class, Code(status));
        }
        if class == Class::Throttled {
            self.wait = self.wait.max(throttle_wait(text));
        }
    }

    fn receipt(&self) -> Receipt {
        let mut receipt = Receipt::new(self.accepted);
        receipt.refused_parts = self.refused.saturating_add(self.unreadable);
        receipt.price = self.price;
        receipt.balance = self.balance;
        receipt.code = self.refusal;
        receipt
    }
}

/// One part of an answer: what the service did with one SMS. Values are raw JSON strings in ASCII,
/// escapes and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Part<'a> {
    /// `status`, a number in a string.
    pub raw_status: Option<&'a str>,
    /// `error-text`, on failure; the first 240 bytes.
    pub error_text: Option<&'a str>,
    /// `message-id`, on success.
    pub message_id: Option<&'a str>,
    /// `message-price`, a decimal in euro.
    pub price: Option<&'a str>,
    /// `remaining-balance`, a decimal in euro.
    pub balance: Option<&'a str>,
}

impl Part<'_> {
    /// The status, at most 999. `None` if it is missing or no number.
    pub fn status(&self) -> Option<u16> {
        number(self.raw_status?.trim_ascii()).map(|status| status.min(999) as u16)
    }
}

/// Reads the scanner's normal form: a flat object of strings. Written out rather than derived: that
/// needs neither a procedural macro nor the code that skips nested values, which would recurse.
impl<'de> Deserialize<'de> for Part<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Part<'de>, D::Error> {
        struct PartVisitor;

        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part of an answer")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part<'de>, A::Error> {
                let mut part = Part::default();
                while let Some(name) = map.next_key::<&str>()? {
                    let field = match name {
                        "status" => &mut part.raw_status,
                        "error-text" => &mut part.error_text,
                        "message-id" => &mut part.message_id,
                        "message-price" => &mut part.price,
                        "remaining-balance" => &mut part.balance,
                        _ => {
                            map.next_value::<&str>()?;
                            continue;
                        }
                    };
                    *field = Some(map.next_value()?);
                }
                Ok(part)
            }
        }

        const FIELDS: &[&str] =
            &["status", "error-text", "message-id", "message-price", "remaining-balance"];
        deserializer.deserialize_struct("Part", FIELDS, PartVisitor)
    }
}

/// Up to `N` printable ASCII characters, set once.
#[derive(Clone, PartialEq, Eq)]
struct Ascii<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Ascii<N> {
    const EMPTY: Ascii<N> = Ascii { bytes: [0; N], len: 0 };

    /// Takes the inside of a JSON string in ASCII, unless there is something already.
    fn set_once(&mut self, json: &[u8]) {
        if self.len > 0 {
            return;
        }
        let mut rest = json.iter();
        for slot in &mut self.bytes {
            let Some(byte) = unescape(&mut rest) else { return };
            *slot = byte;
            self.len += 1;
        }
    }

    fn as_str(&self) -> &str {
        let ascii = self.bytes.get(..self.len).unwrap_or(&[]);
        core::str::from_utf8(ascii).unwrap_or("")
    }
}

impl<const N: usize> fmt::Debug for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// The next character, in printable ASCII.
fn unescape(json: &mut core::slice::Iter<'_, u8>) -> Option<u8> {
    let byte = match *json.next()? {
        b'\\' => match *json.next()? {
            b'u' => {
                let mut code = 0u32;
                for &digit in json.by_ref().take(4) {
                    code = code << 4 | char::from(digit).to_digit(16).unwrap_or(15);
                }
                // The second half of a pair says nothing that the first did not.
                if (0xDC00..0xE000).contains(&code) {
                    return unescape(json);
                }
                u8::try_from(code).unwrap_or(b'?')
            }
            b'n' | b'r' | b't' => b' ',
            other => other,
        },
        byte => byte,
    };
    Some(if matches!(byte, 0x20..=0x7E) { byte } else { b'?' })
}
