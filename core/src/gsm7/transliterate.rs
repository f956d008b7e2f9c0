//! What becomes of a character that GSM lacks.

use super::{septets, table};
use core::str::Chars;

/// The text with as much as possible of it replaced by what GSM has. Quotes, dashes, spaces and
/// accented letters become plain ones; a decomposed accent becomes the composed letter if GSM has
/// that. A control character becomes a space, a line end LF, an invisible character nothing.
///
/// What has no replacement stays as it is.
pub fn transliterate(text: &str) -> Transliterate<'_> {
    Transliterate { rest: text.chars(), queue: [0; 3] }
}

/// The characters of a transliterated text; see [`transliterate`].
#[derive(Debug, Clone)]
pub struct Transliterate<'a> {
    rest: Chars<'a>,
    queue: [u8; 3],
}

impl Iterator for Transliterate<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let [head, second, third] = self.queue;
            if head != 0 {
                self.queue = [second, third, 0];
                return Some(char::from(head));
            }
            match fold(&mut self.rest)? {
                Folded::Inside(c) | Folded::Outside(c) => return Some(c),
                Folded::Ascii(bytes) => self.queue = bytes,
            }
        }
    }
}

/// One character of a text, with the marks that follow it, after transliteration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folded {
    /// A character GSM has.
    Inside(char),
    /// Up to three characters of ASCII, filled up with zeros.
    Ascii([u8; 3]),
    /// A character GSM lacks, without a replacement.
    Outside(char),
}

impl Folded {
    const NOTHING: Folded = Folded::Ascii([0; 3]);
    const SPACE: Folded = Folded::Inside(' ');
}

/// Takes the next character off `rest` and replaces it if need be.
pub(crate) fn fold(rest: &mut Chars<'_>) -> Option<Folded> {
    let c = rest.next()?;
    let folded = match c {
        '\r' => {
            if rest.as_str().starts_with('\n') {
                rest.next();
                return Some(Folded::Inside('\n'));
            }
            return Some(Folded::SPACE);
        }
        '\n' | ' ' => return Some(Folded::Inside(c)),
        '\0'..'\x20' | '\x7F'..='\u{9F}' => return Some(Folded::SPACE),
        _ => replace(c),
    };
    if folded == Folded::NOTHING || matches!(folded, Folded::Outside(_)) {
        return Some(folded);
    }
    // U+0300 to U+036F begin with one of two bytes in UTF-8.
    let mut composed = folded;
    while matches!(rest.as_str().as_bytes().first(), Some(0xCC | 0xCD)) {
        let mut ahead = rest.clone();
        match ahead.next() {
            Some(mark @ '\u{300}'..='\u{36F}') => {
                if let (Folded::Inside(base), true) = (folded, composed == folded) {
                    composed = compose(base, mark).map_or(composed, Folded::Inside);
                }
                *rest = ahead;
            }
            _ => break,
        }
    }
    Some(composed)
}

/// Whether the character alone is neither in GSM nor replaced by anything.
pub(super) fn is_outside(c: char) -> bool {
    matches!(replace(c), Folded::Outside(_))
}

/// Whether nothing of the character is seen, so that it can go without loss in GSM: joiners, marks
/// of direction, selectors of variants, tags. The rows of the table hold the others.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(c as u32,
        0x61C | 0x180E | 0x202A..=0x202E | 0x2061..=0x206F | 0xFE00..=0xFE0F | 0xE0000..=0xE0FFF)
}

fn replace(c: char) -> Folded {
    if septets(c).is_some() {
        return Folded::Inside(c);
    }
    if is_invisible(c) {
        return Folded::NOTHING;
    }
    let code = c as u32;
    let byte = match table::DENSE.get(code.wrapping_sub(table::FIRST) as usize) {
        Some(byte) => *byte,
        None => match c {
            // The same letters under other numbers: ohm, kelvin, angstrom.
            '\u{2126}' => return Folded::Inside('Ω'),
            '\u{212A}' => b'K',
            '\u{212B}' => return Folded::Inside('Å'),
            _ => sparse(code),
        },
    };
    match byte {
        0 => Folded::Outside(c),
        0xFF => Folded::NOTHING,
        0x01..0x80 => Folded::Inside(char::from(byte)),
        _ => match table::LONG.get(usize::from(byte & 0x7F)) {
            Some(bytes) => Folded::Ascii(*bytes),
            None => Folded::Outside(c),
        },
    }
}

/// The replacement byte of a character of [`table::SPARSE`], 0 if it is not there.
fn sparse(code: u32) -> u8 {
    let found = table::SPARSE.binary_search_by_key(&code, |row| u32::from(row.0));
    found.ok().and_then(|at| table::SPARSE.get(at)).map_or(0, |row| row.1)
}

/// The letter of GSM that is `base` with `mark`.
fn compose(base: char, mark: char) -> Option<char> {
    let mark = (mark as u32).wrapping_sub(0x300);
    let row = COMPOSED.iter().find(|row| u32::from(row.0) == mark && char::from(row.1) == base)?;
    Some(char::from(row.2))
}

/// Mark (less U+0300), base, and the letter with both.
const COMPOSED: [(u8, u8, u8); 18] = [
    (0x00, b'a', 0xE0), // à
    (0x00, b'e', 0xE8), // è
    (0x00, b'i', 0xEC), // ì
    (0x00, b'o', 0xF2), // ò
    (0x00, b'u', 0xF9), // ù
    (0x01, b'e', 0xE9), // é
    (0x01, b'E', 0xC9), // É
    (0x03, b'n', 0xF1), // ñ
    (0x03, b'N', 0xD1), // Ñ
    (0x08, b'a', 0xE4), // ä
    (0x08, b'o', 0xF6), // ö
    (0x08, b'u', 0xFC), // ü
    (0x08, b'A', 0xC4), // Ä
    (0x08, b'O', 0xD6), // Ö
    (0x08, b'U', 0xDC), // Ü
    (0x0A, b'a', 0xE5), // å
    (0x0A, b'A', 0xC5), // Å
    (0x27, b'C', 0xC7), // Ç
];
