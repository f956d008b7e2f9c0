//! Who gets a text and who it comes from: parsed once, valid from then on.
//!
//! The service takes a destination only as bare international digits and repairs nothing: a
//! leading `+` or `00` or a national trunk zero makes it refuse, or send to somebody else. People
//! write numbers with all of these, so what is unambiguous is normalised here and the rest is an
//! error that names the fix.

use crate::time::Duration;
use core::fmt;

/// Digits in the longest number (E.164), and characters in the longest sender.
const MAX: usize = 15;
/// Digits in the shortest destination (API description: `\d{7,15}`).
const MIN_DIGITS: u8 = 7;
/// Characters in the longest sender with letters.
const MAX_LETTERS: u8 = 11;

/// A destination: 7 to 15 international digits, without `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number(Short);

impl Number {
    /// Reads an international number as people write it: `+44 7700 900-000`, `(1) 415.555.0100`.
    ///
    /// # Errors
    /// [`NumberError`] says what is wrong and how to write it instead.
    pub fn parse(text: &str) -> Result<Number, NumberError> {
        let text = text.trim_ascii();
        // "+44 (0)20 ..." shows a national zero that is not dialled from abroad.
        if text.as_bytes().windows(3).any(|three| three == b"(0)") {
            return Err(NumberError::TrunkZero);
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        let mut short = Short::EMPTY;
        for c in digits.chars() {
            match c {
                '0'..='9' => short.push(c as u8).map_err(|_| NumberError::TooLong)?,
                ' ' | '-' | '(' | ')' | '.' => {}
                _ => return Err(NumberError::Character(c)),
            }
        }
        match short.as_bytes() {
            [] => Err(NumberError::Empty),
            [b'0', b'0', ..] => Err(NumberError::InternationalPrefix),
            [b'0', ..] => Err(NumberError::TrunkZero),
            _ if short.len < MIN_DIGITS => Err(NumberError::TooShort),
            _ => Ok(Number(short)),
        }
    }

    /// The digits, as the service wants them.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it lies in the North American plan (`+1`), where senders must be numeric.
    pub fn is_north_american(&self) -> bool {
        matches!(self.0.as_bytes(), [b'1', ..])
    }
}

impl core::str::FromStr for Number {
    type Err = NumberError;

    /// As [`Number::parse`].
    fn from_str(text: &str) -> Result<Number, NumberError> {
        Number::parse(text)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no [`Number`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NumberError {
    /// No digit at all.
    Empty,
    /// Something else than digits, a leading `+`, spaces, dashes, dots and parentheses.
    Character(char),
    /// It begins with `00`.
    InternationalPrefix,
    /// It begins with a national `0`, or shows one as `(0)`.
    TrunkZero,
    /// Fewer than 7 digits.
    TooShort,
    /// More than 15 digits.
    TooLong,
}

impl fmt::Display for NumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            NumberError::Empty => "no phone number: write it like +447700900000",
            NumberError::Character(c) => {
                return write!(
                    f,
                    "{c:?} cannot be in a phone number: write country code and digits, like \
                     +447700900000"
                );
            }
            NumberError::InternationalPrefix => {
                "a phone number cannot begin with 00: write +44... instead of 0044..."
            }
            NumberError::TrunkZero => {
                "a national 0 is not part of an international number: write +44 20... instead of \
                 020... or +44 (0)20..."
            }
            NumberError::TooShort => {
                "a phone number has 7 digits or more: is the country code there?"
            }
            NumberError::TooLong => {
                "a phone number has 15 digits or fewer: are there two in one entry?"
            }
        };
        f.write_str(words)
    }
}

impl core::error::Error for NumberError {}

/// What a text shows as its origin: 1 to 15 digits, or 1 to 11 ASCII letters and digits with at
/// least one letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sender {
    short: Short,
    numeric: bool,
}

impl Sender {
    /// Reads a sender: a name such as `Boiler7`, or a number or short code of the account.
    ///
    /// A number may be written with `+`, spaces, dashes, dots and parentheses, like a
    /// [`Number`].
    ///
    /// # Errors
    /// [`SenderError`] says what is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Sender, SenderError> {
        let text = text.trim_ascii();
        if text.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Sender::name(text);
        }
        let digits = text.strip_prefix('+').unwrap_or(text);
        let mut short = Short::EMPTY;
        for c in digits.chars() {
            match c {
                '0'..='9' => short.push(c as u8).map_err(|_| SenderError::TooManyDigits)?,
                ' ' | '-' | '(' | ')' | '.' => {}
                _ => return Err(SenderError::Character(c)),
            }
        }
        match short.as_bytes() {
            [] => Err(SenderError::Empty),
            [b'0', b'0', ..] => Err(SenderError::InternationalPrefix),
            _ => Ok(Sender { short, numeric: true }),
        }
    }

    /// The sender for a program called `name`: its first 11 ASCII letters and digits, or `Alerts`
    /// if there is no letter among them.
    pub fn derived(name: &str) -> Sender {
        let mut short = Short::EMPTY;
        for b in name.bytes().filter(u8::is_ascii_alphanumeric).take(MAX_LETTERS as usize) {
            let _ = short.push(b);
        }
        if !short.as_bytes().iter().any(u8::is_ascii_alphabetic) {
            short = Short::EMPTY;
            for &b in b"Alerts" {
                let _ = short.push(b);
            }
        }
        Sender { short, numeric: false }
    }

    /// The sender, as the service wants it.
    pub fn as_str(&self) -> &str {
        self.short.as_str()
    }

    /// Whether it consists of digits alone.
    pub const fn is_numeric(&self) -> bool {
        self.numeric
    }

    /// How long one segment occupies the sender: a second for a long number of North America, which
    /// may send one a second; nothing for others, which share some thirty a second.
    pub fn spacing(&self) -> Duration {
        let long = self.numeric && self.short.len == 11 && self.as_str().starts_with('1');
        Duration::from_secs(u64::from(long))
    }

    fn name(text: &str) -> Result<Sender, SenderError> {
        let mut short = Short::EMPTY;
        for c in text.chars() {
            if !c.is_ascii_alphanumeric() {
                return Err(SenderError::Character(c));
            }
            short.push(c as u8).map_err(|_| SenderError::TooManyCharacters)?;
        }
        if short.len > MAX_LETTERS {
            return Err(SenderError::TooManyCharacters);
        }
        Ok(Sender { short, numeric: false })
    }
}

impl core::str::FromStr for Sender {
    type Err = SenderError;

    /// As [`Sender::parse`].
    fn from_str(text: &str) -> Result<Sender, SenderError> {
        Sender::parse(text)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is no [`Sender`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SenderError {
    /// Nothing there.
    Empty,
    /// Something else than ASCII letters and digits.
    Character(char),
    /// A number that begins with `00`.
    InternationalPrefix,
    /// A name of more than 11 characters.
    TooManyCharacters,
    /// A number of more than 15 digits.
    TooManyDigits,
}

impl fmt::Display for SenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            SenderError::Empty => {
                "no sender: use 1 to 11 letters and digits, or a number of your account"
            }
            SenderError::Character(c) => {
                return write!(
                    f,
                    "{c:?} cannot be in a sender: use 1 to 11 letters A-Z, a-z and digits, \
                     without spaces"
                );
            }
            SenderError::InternationalPrefix => {
                "a numeric sender cannot begin with 00: write country code and digits"
            }
            SenderError::TooManyCharacters => {
                "a sender with letters has 11 characters or fewer: shorten it"
            }
            SenderError::TooManyDigits => "a numeric sender has 15 digits or fewer",
        };
        f.write_str(words)
    }
}

impl core::error::Error for SenderError {}

/// Checks what is known beforehand about a sender and a destination together.
///
/// Carriers in the United States and Canada take no names as senders; the service answers
/// status 15.
///
/// # Errors
/// [`RouteError::NumericSenderNeeded`] for a name towards a `+1` number.
pub fn check_route(from: &Sender, to: &Number) -> Result<(), RouteError> {
    if to.is_north_american() && !from.is_numeric() {
        return Err(RouteError::NumericSenderNeeded);
    }
    Ok(())
}

/// Why a sender and a destination do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// A `+1` destination takes texts only from numbers.
    NumericSenderNeeded,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a +1 destination takes texts only from numbers: set the sender to a number of your \
             account that is registered for the United States or Canada",
        )
    }
}

impl core::error::Error for RouteError {}

/// Up to 15 ASCII characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Short {
    bytes: [u8; MAX],
    len: u8,
}

impl Short {
    const EMPTY: Short = Short { bytes: [0; MAX], len: 0 };

    fn push(&mut self, byte: u8) -> Result<(), ()> {
        *self.bytes.get_mut(usize::from(self.len)).ok_or(())? = byte;
        self.len += 1;
        Ok(())
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }

    fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

impl fmt::Debug for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};

    #[test]
    fn a_number_of_north_america_has_a_pace() {
        let spacing = |text| Sender::parse(text).unwrap().spacing().as_millis();
        assert_eq!(spacing("+1 415 555 0100"), 1000);
        for free in ["Boiler7", "44 7700 900000", "12345"] {
            assert_eq!(spacing(free), 0, "{free}");
        }
    }

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for (text, digits) in [
            ("+447700900000", "447700900000"),
            ("447700900000", "447700900000"),
            (" +44 7700 900-000 ", "447700900000"),
            ("+1 (415) 555.0100", "14155550100"),
            ("1234567", "1234567"),
            ("123456789012345", "123456789012345"),
        ] {
            assert_eq!(Number::parse(text).unwrap().as_str(), digits, "{text}");
        }
    }

    #[test]
    fn wrong_numbers_are_told_apart() {
        for (text, error) in [
            ("", NumberError::Empty),
            (" + ", NumberError::Empty),
            ("00447700900000", NumberError::InternationalPrefix),
            ("07700900000", NumberError::TrunkZero),
            ("+44 (0)7700 900000", NumberError::TrunkZero),
            ("123456", NumberError::TooShort),
            ("1234567890123456", NumberError::TooLong),
            ("+44 7700 90000O", NumberError::Character('O')),
            ("44+7700900000", NumberError::Character('+')),
            ("٠١٢٣٤٥٦٧", NumberError::Character('٠')),
            ("447700900000,447700900001", NumberError::Character(',')),
        ] {
            assert_eq!(Number::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn senders_are_names_or_numbers() {
        for (text, shown, numeric) in [
            ("Boiler7", "Boiler7", false),
            ("ABCDEFGHIJK", "ABCDEFGHIJK", false),
            ("1a", "1a", false),
            ("+1 415 555 0100", "14155550100", true),
            ("12345", "12345", true),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!((sender.as_str(), sender.is_numeric()), (shown, numeric), "{text}");
        }
        for (text, error) in [
            ("", SenderError::Empty),
            ("ABCDEFGHIJKL", SenderError::TooManyCharacters),
            ("ABCDEFGHIJKLMNOP", SenderError::TooManyCharacters),
            ("Boiler 7", SenderError::Character(' ')),
            ("Käse", SenderError::Character('ä')),
            ("1234567890123456", SenderError::TooManyDigits),
            ("0044770090000", SenderError::InternationalPrefix),
        ] {
            assert_eq!(Sender::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_sender_is_derived_from_any_name() {
        assert_eq!(Sender::derived("my-boiler (west) 7").as_str(), "myboilerwes");
        for name in ["", "!!", "12345", "日本"] {
            assert_eq!(Sender::derived(name).as_str(), "Alerts");
        }
    }

    #[test]
    fn north_america_needs_a_numeric_sender() {
        let (us, uk) = (Number::parse("14155550100"), Number::parse("447700900000"));
        let (name, number) = (Sender::parse("Boiler7"), Sender::parse("14155550199"));
        let check = |from: &Result<Sender, _>, to: &Result<Number, _>| {
            check_route(from.as_ref().unwrap(), to.as_ref().unwrap())
        };
        assert_eq!(check(&name, &us), Err(RouteError::NumericSenderNeeded));
        assert_eq!(check(&number, &us), Ok(()));
        assert_eq!(check(&name, &uk), Ok(()));
    }

    proptest! {
        #[test]
        fn what_is_accepted_fits_the_service(text in "[+]?[0-9 ().-]{0,24}|\\PC{0,20}") {
            if let Ok(number) = Number::parse(&text) {
                let digits = number.as_str();
                prop_assert!((7..=15).contains(&digits.len()));
                prop_assert!(digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0'));
                let typed: String = text.chars().filter(char::is_ascii_digit).collect();
                prop_assert_eq!(digits, typed);
                prop_assert_eq!(Number::parse(&number.to_string()), Ok(number));
            }
            for sender in [Sender::parse(&text), Ok(Sender::derived(&text))].into_iter().flatten() {
                let shown = sender.as_str();
                let longest = if sender.is_numeric() { 15 } else { 11 };
                prop_assert!((1..=longest).contains(&shown.len()));
                prop_assert!(shown.bytes().all(|b| b.is_ascii_alphanumeric()));
                prop_assert_eq!(Sender::parse(shown), Ok(sender));
            }
        }
    }
}
