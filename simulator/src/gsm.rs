//! Counts what the operator bills: GSM 03.38 septets or UCS-2 units, and the segments they fill.
//!
//! The service splits and charges a text by this arithmetic, so a judge of clients needs its own
//! copy of it, written apart from any client's. Tables: 3GPP TS 23.038, section 6.2.1 (the default
//! alphabet and its extension); segment sizes: TS 23.040, section 9.2.3.24.1 (a concatenated part
//! gives six octets to its header).

/// The default alphabet in the order of its septets. ESC (0x1B) is not a character of a text and
/// is left out, so positions above it are off by one; nothing here needs the septet's value.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// The extension table: each of these takes two septets, ESC and a code.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// How a text travels over the air.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Packed septets of the GSM 03.38 default alphabet: 160 in one segment, 153 in each of many.
    Gsm7,
    /// UTF-16 code units: 70 in one segment, 67 in each of many.
    Ucs2,
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        })
    }
}

/// The size of a text as it is billed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// The cheaper encoding that can carry the text.
    pub encoding: Encoding,
    /// Billed parts; an empty text counts as one.
    pub segments: usize,
    /// Septets or UTF-16 code units, without the headers of the parts.
    pub units: usize,
}

impl Size {
    /// Measures `text` in the cheaper encoding that can carry it.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.chars().all(|c| septets(c).is_some()) {
            Self::in_encoding(text, Encoding::Gsm7)
        } else {
            Self::in_encoding(text, Encoding::Ucs2)
        }
    }

    /// Measures `text` in a given encoding. In [`Encoding::Gsm7`] a character that the alphabet
    /// lacks counts as the one septet of the `?` that arrives in its place.
    #[must_use]
    pub fn in_encoding(text: &str, encoding: Encoding) -> Self {
        let (alone, joined) = match encoding {
            Encoding::Gsm7 => (160, 153),
            Encoding::Ucs2 => (70, 67),
        };
        let width = |c: char| match encoding {
            Encoding::Gsm7 => septets(c).unwrap_or(1),
            Encoding::Ucs2 => c.len_utf16(),
        };
        let units = text.chars().map(width).sum();
        if units <= alone {
            return Self { encoding, segments: 1, units };
        }
        // A pair (escape and code, two surrogates) never straddles two parts: it moves whole, so
        // that dividing the units by the size of a part would count too few.
        let mut segments = 1;
        let mut filled = 0;
        for c in text.chars() {
            let width = width(c);
            if filled + width > joined {
                segments += 1;
                filled = 0;
            }
            filled += width;
        }
        Self { encoding, segments, units }
    }
}

/// Septets that `c` takes: 1 or 2, or none if the alphabet does not have it.
#[must_use]
pub fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(text: &str) -> (Encoding, usize, usize) {
        let Size { encoding, segments, units } = Size::of(text);
        (encoding, segments, units)
    }

    #[test]
    fn the_alphabet_has_137_characters() {
        assert_eq!(BASIC.chars().count(), 127);
        assert_eq!(EXTENDED.chars().count(), 10);
        let all: std::collections::BTreeSet<char> = BASIC.chars().chain(EXTENDED.chars()).collect();
        assert_eq!(all.len(), 137);
    }

    #[test]
    fn capital_cedilla_is_gsm_and_small_cedilla_is_not() {
        assert_eq!(size("ÇA").0, Encoding::Gsm7);
        assert_eq!(size("ça").0, Encoding::Ucs2);
        for outside in ['`', '\t', '\0', '\u{1b}', '\u{a0}', 'Α', '…'] {
            assert_eq!(septets(outside), None, "{outside:?}");
        }
    }

    #[test]
    fn parts_are_filled_greedily_and_pairs_stay_whole() {
        use Encoding::{Gsm7, Ucs2};
        let a = |n: usize| "a".repeat(n);
        let zh = |n: usize| "ж".repeat(n);
        let table = [
            (String::new(), (Gsm7, 1, 0)),
            (a(160), (Gsm7, 1, 160)),
            (a(161), (Gsm7, 2, 161)),
            (a(159) + "{", (Gsm7, 2, 161)),
            (a(306), (Gsm7, 2, 306)),
            (a(307), (Gsm7, 3, 307)),
            (a(152) + "{" + &a(153), (Gsm7, 3, 307)),
            (a(152) + "€" + &a(151), (Gsm7, 2, 305)),
            (a(152) + "€" + &a(152), (Gsm7, 3, 306)),
            (zh(70), (Ucs2, 1, 70)),
            (zh(71), (Ucs2, 2, 71)),
            (zh(66) + "😀" + &zh(66), (Ucs2, 3, 134)),
            ("a\t".to_owned(), (Ucs2, 1, 2)),
        ];
        for (text, want) in table {
            assert_eq!(size(&text), want, "{text:?}");
        }
    }

    #[test]
    fn a_text_sent_in_the_wrong_encoding_is_measured_as_sent() {
        let text = "commerçant".repeat(10);
        assert_eq!(Size::in_encoding(&text, Encoding::Gsm7).segments, 1);
        assert_eq!(Size::in_encoding(&text, Encoding::Ucs2).segments, 2);
    }
}
