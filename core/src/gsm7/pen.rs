//! Writing a text under a limit of units, with the places marked where it may be cut.

use super::transliterate::{Folded, fold, is_invisible};
use super::{Counter, Encoding};
use core::str::Chars;

/// What to do with a character that GSM lacks and no transliteration replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fallback {
    /// The whole text goes as UCS-2, with the original characters: nothing is lost, but less than
    /// half as much fits.
    #[default]
    Unicode,
    /// Each such character becomes `?`; the text stays in GSM.
    Replace,
}

/// Bytes a text buffer needs so that no text of `segments` segments is cut by it.
///
/// The dearest text in bytes is one of two-byte GSM characters: 320 bytes for one segment, 304 for
/// each of several.
pub const fn text_bytes(segments: u8) -> usize {
    2 * Encoding::Gsm7.capacity(segments) as usize
}

/// A text cut by [`fit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitted {
    /// Its length in bytes of UTF-8, from the start of the buffer.
    pub len: usize,
    /// The alphabet it needs.
    pub encoding: Encoding,
    /// What it costs.
    pub segments: u16,
    /// Whether something was cut off and `...` written.
    pub cut: bool,
}

/// Writes as much of `text` into `buf` as `segments` segments carry, transliterated; cut at the
/// end of a word if one is near, with `...` for the rest.
///
/// `buf` of [`text_bytes`] is enough; a shorter one cuts earlier.
pub fn fit(text: &str, segments: u8, fallback: Fallback, buf: &mut [u8]) -> Fitted {
    for encoding in [Encoding::Gsm7, Encoding::Ucs2] {
        let mut pen = Pen::new(encoding, fallback, false);
        pen.limit(encoding.capacity(segments));
        let mut rest = text.chars();
        while !pen.is_full() && pen.take(&mut rest, buf) {}
        let cut = pen.is_full();
        if cut {
            pen.cut(buf);
        }
        if encoding == Encoding::Ucs2 || !pen.must_be_ucs2() {
            let count = pen.count();
            return Fitted {
                len: pen.len(),
                encoding: count.encoding(),
                segments: count.segments(),
                cut,
            };
        }
    }
    Fitted { len: 0, encoding: Encoding::Gsm7, segments: 1, cut: true }
}

/// What stands for what was cut off.
const MARK: u16 = 3;

/// A place in the text.
#[derive(Debug, Clone, Copy)]
struct Place {
    len: u32,
    count: Counter,
}

impl Place {
    const START: Place = Place { len: 0, count: Counter::new() };
}

/// Writes, counts, and remembers the last places where the text may be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pen {
    at: Place,
    /// After the last word, and before the last character of more than one code point, that leave
    /// room for the mark.
    word: Place,
    cluster: Place,
    /// Where the run began that [`Pen::cut`] may shorten, and the units that it may reach.
    start: Place,
    limit: u16,
    /// Units at which writing ends; beyond the limit only in a dry run, which goes on to measure.
    wall: u16,
    encoding: Encoding,
    replace: bool,
    /// White space becomes one space, written when something follows it.
    collapse: bool,
    /// The last character was white space; when it is collapsed, the space is still due.
    white: bool,
    /// Only counts.
    dry: bool,
    /// The last character joins the next to itself.
    joins: bool,
    full: bool,
}

impl Pen {
    /// A pen at the start of a text without a limit.
    pub(crate) const fn new(encoding: Encoding, fallback: Fallback, collapse: bool) -> Pen {
        Pen {
            at: Place::START,
            word: Place::START,
            cluster: Place::START,
            start: Place::START,
            limit: u16::MAX,
            wall: u16::MAX,
            encoding,
            replace: matches!(fallback, Fallback::Replace),
            collapse,
            white: false,
            dry: false,
            joins: false,
            full: false,
        }
    }

    /// Back to the start of an empty text. A `dry` pen counts and writes nothing.
    pub(crate) fn restart(&mut self, dry: bool, limit: u16) {
        self.at = Place::START;
        self.white = false;
        self.dry = dry;
        self.limit(limit);
    }

    /// Measures on to `wall`, while the places to cut are those of the limit.
    pub(crate) fn measure_to(&mut self, wall: u16) {
        self.wall = wall;
    }

    /// Begins a run that may reach `limit` units, counted from the start of the text.
    pub(crate) fn limit(&mut self, limit: u16) {
        self.word = self.at;
        self.cluster = self.at;
        self.start = self.at;
        self.limit = limit;
        self.wall = limit;
        self.joins = false;
        self.full = false;
    }

    /// Units written, without a space that is due.
    pub(crate) fn units(&self) -> u16 {
        self.units_of(&self.at)
    }

    pub(crate) const fn len(&self) -> usize {
        self.at.len as usize
    }

    pub(crate) const fn count(&self) -> &Counter {
        &self.at.count
    }

    pub(crate) const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether a space is due before the next word.
    pub(crate) const fn owes_space(&self) -> bool {
        self.white && self.collapse
    }

    /// Whether something did not fit. Nothing more is written until a new run begins.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether a character was written in GSM that GSM does not have.
    pub(crate) fn must_be_ucs2(&self) -> bool {
        self.encoding == Encoding::Gsm7 && self.at.count.encoding() == Encoding::Ucs2
    }

    /// Writes the next character of `rest`; `false` at its end.
    pub(crate) fn take(&mut self, rest: &mut Chars<'_>, buf: &mut [u8]) -> bool {
        if self.encoding == Encoding::Ucs2 {
            let Some(c) = rest.next() else { return false };
            match c {
                '\r' if rest.as_str().starts_with('\n') => {}
                '\n' => self.put('\n', buf),
                '\0'..='\x20' | '\x7F'..='\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' => {
                    self.put(' ', buf);
                }
                '\u{2028}' | '\u{2029}' => self.put('\n', buf),
                '\u{205F}' | '\u{3000}' => self.put(' ', buf),
                // Left open by a cut, these would turn the rest of the text around.
                '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
                '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' => {}
                _ => self.put(c, buf),
            }
            return true;
        }
        match fold(rest) {
            None => return false,
            Some(Folded::Inside(c)) => self.put(c, buf),
            Some(Folded::Outside(_)) if self.replace => self.put('?', buf),
            Some(Folded::Outside(c)) => self.put(c, buf),
            Some(Folded::Ascii(bytes)) => {
                for byte in bytes.into_iter().filter(|byte| *byte != 0) {
                    self.put(char::from(byte), buf);
                }
            }
        }
        true
    }

    /// Writes short words that need no transliteration.
    pub(crate) fn words(&mut self, words: &str, buf: &mut [u8]) {
        for byte in words.bytes() {
            self.put(char::from(byte), buf);
        }
    }

    /// Writes a number in decimal.
    pub(crate) fn number(&mut self, number: u32, buf: &mut [u8]) {
        let mut power = 1_000_000_000;
        let mut rest = number;
        let mut begun = false;
        while power > 0 {
            let mut digit = b'0';
            while rest >= power {
                rest -= power;
                digit = digit.wrapping_add(1);
            }
            begun |= digit != b'0' || power == 1;
            if begun {
                self.put(char::from(digit), buf);
            }
            power /= 10;
        }
    }

    /// Writes a mark that follows the last word without a space.
    pub(crate) fn punctuate(&mut self, mark: u8, buf: &mut [u8]) {
        self.white = false;
        self.put(char::from(mark), buf);
    }

    /// A space is due before the next word.
    pub(crate) fn owe_space(&mut self) {
        self.white = true;
    }

    /// Writes the mark of a cut made earlier.
    pub(crate) fn mark(&mut self, buf: &mut [u8]) {
        self.white = false;
        self.words("...", buf);
    }

    /// Ends a run: cuts it if it did not fit, and takes it back if it wrote no more than its lead
    /// of so many units.
    pub(crate) fn close(&mut self, lead: u16, buf: &mut [u8]) {
        if self.full {
            self.cut(buf);
        }
        if self.run_units() <= lead {
            self.at = self.start;
        }
    }

    /// Units written in this run.
    pub(crate) fn run_units(&self) -> u16 {
        self.units().saturating_sub(self.units_of(&self.start))
    }

    /// Ends a run that did not fit: goes back to the last word that leaves room for the mark, or
    /// if that is far back to the last character, and writes the mark.
    pub(crate) fn cut(&mut self, buf: &mut [u8]) {
        let start = self.units_of(&self.start);
        let word = self.units_of(&self.word).saturating_sub(start);
        let cluster = self.units_of(&self.cluster).saturating_sub(start);
        self.at = if word >= cluster / 2 && word > 0 { self.word } else { self.cluster };
        self.full = false;
        self.white = false;
        if self.units() <= self.limit.saturating_sub(MARK) {
            self.mark(buf);
        }
    }

    fn units_of(&self, place: &Place) -> u16 {
        place.count.units_in(self.encoding) as u16
    }

    /// Writes one character, after the space that is due.
    fn put(&mut self, c: char, buf: &mut [u8]) {
        if self.full {
            return;
        }
        let cuttable = self.units() <= self.limit.saturating_sub(MARK);
        if c == ' ' || c == '\n' {
            if cuttable && !self.white {
                self.word = self.at;
            }
            self.white = !self.collapse || self.units() > 0;
            if !self.collapse {
                self.raw(c, buf);
            }
            return;
        }
        if cuttable && !self.joins && !extends(c) {
            self.cluster = self.at;
        }
        if self.owes_space() {
            self.raw(' ', buf);
        }
        self.white = false;
        self.joins = c == '\u{200D}';
        self.raw(c, buf);
    }

    fn raw(&mut self, c: char, buf: &mut [u8]) {
        let mut next = self.at;
        next.count.push(c);
        if self.units_of(&next) > self.wall {
            self.full = true;
            return;
        }
        if !self.dry {
            let mut bytes = [0; 4];
            let bytes = c.encode_utf8(&mut bytes).as_bytes();
            let cells = buf.get_mut(self.len()..).unwrap_or_default();
            if cells.len() < bytes.len() {
                self.full = true;
                return;
            }
            for (cell, byte) in cells.iter_mut().zip(bytes) {
                *cell = *byte;
            }
            next.len = next.len.saturating_add(bytes.len() as u32);
        }
        self.at = next;
    }
}

/// Whether the character belongs to the one before it, so that no cut may come between: marks of
/// the scripts that use many of them, selectors, skin tones. Not a whole table of Unicode: that
/// would weigh more than the rest of this layer.
const fn extends(c: char) -> bool {
    let code = c as u32;
    if code < 0x300 {
        return false;
    }
    is_invisible(c)
        || matches!(code,
            0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5C7 | 0x610..=0x61A | 0x64B..=0x65F | 0x670
            | 0x6D6..=0x6ED | 0x900..=0x903 | 0x93A..=0x94F | 0xE31 | 0xE34..=0xE3A
            | 0xE47..=0xE4E | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x200C | 0x200D
            | 0x20D0..=0x20FF | 0x3099 | 0x309A | 0xFE20..=0xFE2F | 0x1F3FB..=0x1F3FF)
}
