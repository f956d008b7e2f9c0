//! Writing a text under a limit of units, with the places marked where it may be cut.

use super::alphabet::is_plain;
use super::transliterate::{Folded, fold, is_invisible, is_outside};
use super::{Encoding, Fallback, Script, septets};
use core::str::Chars;

/// What stands for what was cut off.
const ELLIPSIS: u16 = 3;

/// A cursor in the text.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    len: u16,
    units: u16,
    /// Joined parts begun, and units in the last of them.
    parts: u8,
    fill: u8,
    /// A character was written that GSM lacks and nothing replaces.
    outside: bool,
}

impl Cursor {
    const START: Cursor = Cursor { len: 0, units: 0, parts: 1, fill: 0, outside: false };
}

/// Writes, counts, and remembers the last places where the text may be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentWriter {
    at: Cursor,
    /// After the last word, and before the last character of more than one code point, that leave
    /// room for the mark.
    word: Cursor,
    cluster: Cursor,
    /// Where the run began that [`SegmentWriter::cut`] may shorten, and the units that it may reach.
    start: Cursor,
    limit: u16,
    /// Units at which writing ends; beyond the limit only in a measuring run, which goes on to measure.
    hard_limit: u16,
    script: Script,
    /// White space becomes one space, written when something follows it.
    collapse: bool,
    /// The last character was white space; when it is collapsed, the space is still due.
    white: bool,
    /// Only counts.
    measuring: bool,
    /// The last character joins the next to itself.
    joins: bool,
    full: bool,
}

impl SegmentWriter {
    /// A writer at the start of a text without a limit.
    pub(crate) const fn new(collapse: bool) -> SegmentWriter {
        SegmentWriter {
            at: Cursor::START,
            word: Cursor::START,
            cluster: Cursor::START,
            start: Cursor::START,
            limit: u16::MAX,
            hard_limit: u16::MAX,
            script: Script::Gsm,
            collapse,
            white: false,
            measuring: false,
            joins: false,
            full: false,
        }
    }

    /// Back to the start of an empty text. A `measuring` one counts and writes nothing. A run begins with
    /// [`SegmentWriter::limit`].
    pub(crate) fn restart(&mut self, script: Script, measuring: bool) {
        self.at = Cursor::START;
        self.white = false;
        self.script = script;
        self.measuring = measuring;
    }

    /// Whether it only counts.
    pub(crate) const fn is_measuring(&self) -> bool {
        self.measuring
    }

    /// Measures on to `hard_limit`, while the places to cut are those of the limit.
    pub(crate) fn measure_to(&mut self, hard_limit: u16) {
        self.hard_limit = hard_limit;
    }

    /// Begins a run that may reach `limit` units, counted from the start of the text.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn limit(&mut self, limit: u16) {
        self.word = self.at;
        self.cluster = self.at;
        self.start = self.at;
        self.limit = limit;
        self.hard_limit = limit;
        self.joins = false;
        self.full = false;
    }

    /// Units written, without a space that is due.
    pub(crate) const fn units(&self) -> u16 {
        self.at.units
    }

    /// Units written in this run.
    pub(crate) fn run_units(&self) -> u16 {
        self.at.units.saturating_sub(self.start.units)
    }

    /// Units that this run may have.
    pub(crate) fn run_limit(&self) -> u16 {
        self.limit.saturating_sub(self.start.units)
    }

    pub(crate) const fn len(&self) -> usize {
        self.at.len as usize
    }

    pub(crate) const fn script(&self) -> Script {
        self.script
    }

    /// Segments billed for what is written.
    pub(crate) const fn segments(&self) -> u8 {
        if self.at.units <= self.script.encoding().capacity(1) { 1 } else { self.at.parts }
    }

    /// Whether a space is due before the next word.
    pub(crate) const fn owes_space(&self) -> bool {
        self.white && self.collapse
    }

    /// Whether something did not fit. Nothing more is written until a new run begins.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// The script that does more justice to what was written: UCS-2 for characters that GSM
    /// lacks; and if in UCS-2 none of those found room after all, GSM with `?` for them, which has
    /// room for more than twice as much.
    pub(crate) fn better_script(&self, fallback: Fallback) -> Option<Script> {
        match (self.script, self.at.outside) {
            (Script::Gsm, true) if matches!(fallback, Fallback::Unicode) => Some(Script::Ucs2),
            (Script::Ucs2, false) => Some(Script::Replaced),
            _ => None,
        }
    }

    /// Writes the next character of `rest`; `false` at its end.
    pub(crate) fn take(&mut self, rest: &mut Chars<'_>, buf: &mut [u8]) -> bool {
        if self.script == Script::Ucs2 {
            let Some(c) = rest.next() else { return false };
            self.original(c, rest, buf);
            return true;
        }
        match fold(rest) {
            None => return false,
            Some(Folded::Inside(c)) => self.put(c, buf),
            Some(Folded::Outside(_)) if self.script == Script::Replaced => self.put('?', buf),
            Some(Folded::Outside(c)) => {
                self.put(c, buf);
                self.at.outside |= !self.full;
            }
            Some(Folded::Ascii(bytes)) => {
                for byte in bytes.into_iter().filter(|byte| *byte != 0) {
                    self.put(char::from(byte), buf);
                }
            }
        }
        true
    }

    /// Writes as many of the letters, digits and signs that stand at the start of `rest` as cost
    /// one unit and need no second look, all at once; how many, at most `most`. What follows is
    /// for [`SegmentWriter::take`].
    pub(crate) fn take_plain(&mut self, rest: &mut Chars<'_>, most: u8, buf: &mut [u8]) -> u8 {
        let words = rest.as_str();
        let bytes = words.as_bytes();
        let mut run = 0;
        while run < most
            && bytes.get(usize::from(run)).is_some_and(|byte| is_plain(*byte))
            // A mark that changes the letter before it may follow where ASCII ends.
            && bytes.get(usize::from(run) + 1).is_none_or(u8::is_ascii)
        {
            run += 1;
        }
        if let (1.., Some((plain, _))) = (run, bytes.split_at_checked(usize::from(run))) {
            self.plain(plain, buf);
            *rest = words.get(usize::from(run)..).unwrap_or_default().chars();
        }
        run
    }

    /// Writes bytes each of which [`is_plain`]; fewer than a part has.
    fn plain(&mut self, bytes: &[u8], buf: &mut [u8]) {
        self.begin(!self.joins, buf);
        if self.full {
            return;
        }
        self.joins = false;
        let mut fits = bytes.len().min(usize::from(self.hard_limit.saturating_sub(self.at.units)));
        if !self.measuring {
            let cells = buf.get_mut(self.len()..).unwrap_or_default();
            fits = fits.min(cells.len());
            for (cell, byte) in cells.iter_mut().zip(bytes.iter().take(fits)) {
                *cell = *byte;
            }
        }
        let fits = fits as u16;
        let last = self.limit.saturating_sub(ELLIPSIS).checked_sub(self.at.units);
        if let (1.., Some(last)) = (fits, last) {
            self.cluster = self.after(last.min(fits - 1));
        }
        self.full = usize::from(fits) < bytes.len();
        self.at = self.after(fits);
    }

    /// The cursor so many characters of one byte and one unit on; fewer than a part has.
    fn after(&self, chars: u16) -> Cursor {
        let mut cursor = self.at;
        let part = u16::from(self.script.encoding().part());
        let fill = u16::from(cursor.fill) + chars;
        cursor.fill = fill as u8;
        if fill > part {
            cursor.fill = (fill - part) as u8;
            cursor.parts = cursor.parts.saturating_add(1);
        }
        if !self.measuring {
            cursor.len = cursor.len.saturating_add(chars);
        }
        cursor.units = cursor.units.saturating_add(chars);
        cursor
    }

    /// Writes short words that need no transliteration.
    pub(crate) fn words(&mut self, words: &str, buf: &mut [u8]) {
        let mut rest = words.chars();
        loop {
            if self.take_plain(&mut rest, 16, buf) == 0 {
                let Some(c) = rest.next() else { break };
                self.put(c, buf);
            }
        }
    }

    /// Writes a number in decimal.
    pub(crate) fn number(&mut self, number: u32, buf: &mut [u8]) {
        let mut digits = [b'0'; 10];
        let mut rest = number;
        let mut power = 1_000_000_000;
        for digit in &mut digits {
            while rest >= power {
                rest -= power;
                *digit = digit.wrapping_add(1);
            }
            power /= 10;
        }
        let zeros = digits.iter().take(9).take_while(|digit| **digit == b'0').count();
        self.plain(digits.get(zeros..).unwrap_or_default(), buf);
    }

    /// Writes a mark that follows the last word without a space.
    pub(crate) fn punctuate(&mut self, mark: u8, buf: &mut [u8]) {
        self.white = false;
        self.plain(&[mark], buf);
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

    /// Ends a run that did not fit: goes back to the last word that leaves room for the mark, or
    /// if that is far back to the last character, and writes the mark.
    pub(crate) fn cut(&mut self, buf: &mut [u8]) {
        let word = self.word.units.saturating_sub(self.start.units);
        let cluster = self.cluster.units.saturating_sub(self.start.units);
        self.at = if word >= cluster / 2 && word > 0 { self.word } else { self.cluster };
        self.full = false;
        if self.at.units <= self.limit.saturating_sub(ELLIPSIS) {
            self.mark(buf);
        }
    }

    /// Writes a character as it is, but for those that are not to be seen.
    fn original(&mut self, c: char, rest: &Chars<'_>, buf: &mut [u8]) {
        match c {
            '\u{AE}'..='\u{1FFF}' => self.letter(c, buf),
            '\r' if rest.as_str().starts_with('\n') => {}
            '\n' | '\u{2028}' | '\u{2029}' => self.put('\n', buf),
            '\0'..='\x20' | '\x7F'..='\u{A0}' => self.put(' ', buf),
            '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => self.put(' ', buf),
            // Left open by a cut, these would turn the rest of the text around.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            '\u{AD}' | '\u{200B}' | '\u{2060}' | '\u{FEFF}' => {}
            _ => self.letter(c, buf),
        }
    }

    fn letter(&mut self, c: char, buf: &mut [u8]) {
        self.put(c, buf);
        if !self.at.outside && !self.full {
            self.at.outside = is_outside(c);
        }
    }

    /// Writes one character, after the space that is due.
    fn put(&mut self, c: char, buf: &mut [u8]) {
        if c == ' ' || c == '\n' {
            return self.blank(c, buf);
        }
        self.begin(!self.joins && !extends(c), buf);
        self.joins = c == '\u{200D}';
        self.raw(c, buf);
    }

    /// Writes white space, or remembers that it is due.
    fn blank(&mut self, c: char, buf: &mut [u8]) {
        if self.is_cuttable() && !self.white {
            self.word = self.at;
        }
        self.white = !self.collapse || self.at.units > 0;
        if !self.collapse {
            self.raw(c, buf);
        }
    }

    /// Prepares for a character that is seen; `apart` if a cut may stand before it.
    fn begin(&mut self, apart: bool, buf: &mut [u8]) {
        if apart && self.is_cuttable() {
            self.cluster = self.at;
        }
        if self.white && self.collapse {
            self.bytes(b" ", 1, buf);
        }
        self.white = false;
    }

    /// Whether the mark of a cut has room here.
    fn is_cuttable(&self) -> bool {
        !self.full && self.at.units <= self.limit.saturating_sub(ELLIPSIS)
    }

    fn raw(&mut self, c: char, buf: &mut [u8]) {
        let cost = match self.script.encoding() {
            Encoding::Gsm7 => septets(c).unwrap_or(1),
            Encoding::Ucs2 => c.len_utf16() as u8,
        };
        self.bytes(c.encode_utf8(&mut [0; 4]).as_bytes(), cost, buf);
    }

    /// Writes the bytes of one character.
    fn bytes(&mut self, bytes: &[u8], cost: u8, buf: &mut [u8]) {
        let units = self.at.units.saturating_add(u16::from(cost));
        self.full |= units > self.hard_limit;
        if self.full {
            return;
        }
        if !self.measuring {
            let cells = buf.get_mut(self.len()..).unwrap_or_default();
            if cells.len() < bytes.len() {
                self.full = true;
                return;
            }
            for (cell, byte) in cells.iter_mut().zip(bytes) {
                *cell = *byte;
            }
            self.at.len = self.at.len.saturating_add(bytes.len() as u16);
        }
        self.at.units = units;
        self.at.fill = self.at.fill.saturating_add(cost);
        if self.at.fill > self.script.encoding().part() {
            self.at.fill = cost;
            self.at.parts = self.at.parts.saturating_add(1);
        }
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
