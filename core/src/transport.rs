//! What carries a text away, and the four outcomes: accepted, not sent, refused, unknown.

use crate::gsm7::Encoding;
use crate::time::Duration;

/// Delivers one text to one destination.
///
/// Implement it for a modem, a gateway, a second SMS service. Policy (when to retry, what to batch,
/// what it may cost) is the alerter's: a transport makes one attempt and says what came of it.
///
/// ```
/// # use annunciator_core::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
/// # struct Line;
/// # impl Line {
/// #     fn open(&mut self) -> Result<(), u16> { Ok(()) }
/// #     fn say(&mut self, _: &str) -> Result<bool, u16> { Ok(true) }
/// # }
/// struct Modem(Line);
///
/// impl Transport for Modem {
///     fn send(&mut self, message: &Message<'_>) -> Outcome {
///         // Nothing has left yet: a failure is certain.
///         if let Err(code) = self.0.open() {
///             return Outcome::Retry(Retry::failure(Code(code)));
///         }
///         match self.0.say(message.text) {
///             Ok(true) => Outcome::Accepted(Receipt::new(message.segments)),
///             Ok(false) => Outcome::Retry(Retry::failure(Code::NONE)),
///             // The line went dead: who knows?
///             Err(code) => Outcome::Unknown(Code(code)),
///         }
///     }
/// }
/// ```
pub trait Transport {
    /// Makes one attempt and reports its outcome.
    ///
    /// May block for as long as its own deadlines allow; must return eventually. Anything that
    /// could have left the device without a proof of arrival is [`Outcome::Unknown`], never
    /// [`Outcome::Retry`]: a wrong `Retry` is a text that somebody pays for and reads twice.
    fn send(&mut self, message: &Message<'_>) -> Outcome;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        (**self).send(message)
    }
}

/// One text on its way, as handed to a [`Transport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message<'a> {
    /// The text, prefix included. Never empty.
    pub text: &'a str,
    /// The alphabet the text was fitted to. Vonage: the `type` field.
    pub encoding: Encoding,
    /// Billed segments, 1 or more, counted by 160/153 septets or 70/67 UTF-16 units.
    pub segments: u8,
    /// Identifies the attempt's batch; a repeat carries the same one. Vonage: `client-ref`.
    pub reference: Reference,
    /// Whether an earlier attempt at the same batch may already have arrived.
    pub repeat: bool,
}

impl<'a> Message<'a> {
    /// A message as the alerter would hand it over; for tests of transports and for self tests.
    pub const fn new(
        text: &'a str,
        encoding: Encoding,
        segments: u8,
        reference: Reference,
    ) -> Message<'a> {
        Message { text, encoding, segments, reference, repeat: false }
    }
}

/// The short id of a batch, unique within one ring until it has wrapped (1,048,576 batches).
///
/// Printed as four characters of lower-case base 32 without look-alikes, such as `k7m2`, by
/// `Display`; a human compares it between a text and its repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reference(pub u32);

impl Reference {
    /// Length of the printed form in bytes.
    pub const LEN: usize = 4;

    /// The printed form: ASCII.
    pub fn to_ascii(self) -> [u8; Reference::LEN] {
        const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let digit = |shift: u32| DIGITS[(self.0 >> shift & 31) as usize];
        [digit(15), digit(10), digit(5), digit(0)]
    }
}

impl core::fmt::Display for Reference {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(core::str::from_utf8(&self.to_ascii()).unwrap_or(""))
    }
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[must_use = "it decides whether the text is sent again"]
pub enum Outcome {
    /// The service has taken the text. Nothing of the batch is reported again.
    Accepted(Receipt),
    /// Certainly not sent; the same or a newer text may go out later.
    Retry(Retry),
    /// The attempt may or may not have arrived: the connection died after the request had left, or
    /// the answer made no sense.
    Unknown(Code),
    /// Certainly not sent, and trying the same again would not help.
    Refused(Refusal),
}

/// What the service said when it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Receipt {
    /// Parts the service accepted; 0 if it did not say.
    pub parts: u8,
    /// Parts it refused although it accepted others. Such a text is never sent again.
    pub refused_parts: u8,
    /// Sum of the parts' prices, if every accepted part named one.
    pub price: Option<Decimal>,
    /// The account's balance after the last part that named it.
    pub balance: Option<Decimal>,
    /// The first refusal among the parts; [`Code::NONE`] if all were accepted.
    pub code: Code,
}

impl Receipt {
    /// An acceptance of which nothing more is known.
    pub const fn new(parts: u8) -> Receipt {
        Receipt { parts, refused_parts: 0, price: None, balance: None, code: Code::NONE }
    }
}

/// Why to come back, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retry {
    /// The wait the service asked for. `None`: the alerter's own backoff.
    pub after: Option<Duration>,
    /// What kind of failure it was.
    pub cause: RetryCause,
    /// The transport's code for it, shown in the health report.
    pub code: Code,
}

impl Retry {
    /// A failure of the way to the service: no route, no name, no handshake, an internal error.
    pub const fn failure(code: Code) -> Retry {
        Retry { after: None, cause: RetryCause::Failure, code }
    }

    /// The service is fine and asks for patience. Costs no attempt.
    pub const fn throttled(after: Duration, code: Code) -> Retry {
        Retry { after: Some(after), cause: RetryCause::Throttled, code }
    }

    /// An answer that says "not sent" for a reason nobody has documented.
    pub const fn unrecognised(code: Code) -> Retry {
        Retry { after: None, cause: RetryCause::Unrecognised, code }
    }
}

/// Kinds of [`Retry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryCause {
    /// Backed off exponentially, for as long as it takes.
    Failure,
    /// Waits as asked; costs no attempt and does not grow the backoff.
    Throttled,
    /// Backed off as a failure; the third in a row reduces the text, the sixteenth in a row after
    /// that refuses it.
    Unrecognised,
}

/// Why a text was refused for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// What has to change before anything can be accepted.
    pub class: RefusalClass,
    /// The transport's code for it; its own documentation turns it into words.
    pub code: Code,
}

impl Refusal {
    /// A refusal of `class` with the transport's `code`.
    pub const fn new(class: RefusalClass, code: Code) -> Refusal {
        Refusal { class, code }
    }
}

/// What a [`Refusal`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalClass {
    /// Credentials, credit, sender, address, recipient: nothing passes until somebody changes the
    /// configuration or the account. The alerter latches and probes now and then.
    Channel,
    /// This one text. It is tried once more reduced to levels, counts, sources and sites.
    Message,
}

/// A transport's own code for an answer, for people: shown, never decided upon.
///
/// `annunciator_core::vonage` documents its own; a transport of yours defines its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Code(pub u16);

impl Code {
    /// Nothing to say.
    pub const NONE: Code = Code(0);
}

/// A decimal amount in units of 10⁻⁸, as the service's prices and balances come
/// (`"0.03330000"`). Euro for Vonage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(pub i64);

impl Decimal {
    /// Units in one: 10⁸.
    pub const ONE: Decimal = Decimal(100_000_000);

    /// Sum, saturating.
    #[must_use]
    pub const fn plus(self, other: Decimal) -> Decimal {
        Decimal(self.0.saturating_add(other.0))
    }

    /// Reads digits with an optional sign and fraction (`-12.5`, `0.03330000`). Digits after the
    /// eighth decimal are ignored. `None` for anything else, or above 92 billion.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut value: i64 = 0;
        let mut scale: Option<u32> = None;
        let mut seen = false;
        for byte in digits.bytes() {
            match byte {
                b'.' if scale.is_none() => scale = Some(0),
                b'0'..=b'9' => {
                    seen = true;
                    if let Some(places) = scale.as_mut() {
                        if *places == 8 {
                            continue;
                        }
                        *places += 1;
                    }
                    value = value.checked_mul(10)?.checked_add(i64::from(byte - b'0'))?;
                }
                _ => return None,
            }
        }
        for _ in scale.unwrap_or(0)..8 {
            value = value.checked_mul(10)?;
        }
        seen.then_some(Decimal(if negative { -value } else { value }))
    }
}

impl core::fmt::Display for Decimal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let units = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:08}", units / 100_000_000, units % 100_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn decimals_are_read_and_printed_exactly() {
        for (text, printed) in [
            ("0.03330000", "0.03330000"),
            ("230.56597167", "230.56597167"),
            ("7", "7.00000000"),
            ("-1.5", "-1.50000000"),
            (".5", "0.50000000"),
            ("1.234567899", "1.23456789"),
        ] {
            assert_eq!(Decimal::parse(text).map(|d| d.to_string()).as_deref(), Some(printed));
        }
        for bad in ["", ".", "-", "1e3", "1.2.3", " 1", "92233720369", "99999999999999999999"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn references_print_as_four_characters() {
        assert_eq!(Reference(0).to_string(), "0000");
        assert_eq!(Reference(0xF_FFFF).to_string(), "zzzz");
        assert_eq!(Reference(33).to_string(), "0011");
    }
}
