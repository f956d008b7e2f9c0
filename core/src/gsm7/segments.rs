//! What a text costs.

use super::septets;

/// Which alphabet a text is sent in. Decides what a character costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// GSM 03.38 default alphabet and extension table: 160 septets, 153 a part when joined.
    #[default]
    Gsm7,
    /// UTF-16 units: 70, 67 a part when joined.
    Ucs2,
}

impl Encoding {
    /// Units that may be filled so that the text certainly costs no more than `segments` (none
    /// counts as one): 160 or 70 for one, 152 or 66 a part for several.
    ///
    /// A part holds one unit more. But a pair that does not fit moves to the next part as a whole,
    /// and a gateway with a longer part header has room for 152 only.
    pub const fn capacity(self, segments: u8) -> u16 {
        match (self, segments) {
            (Encoding::Gsm7, 0 | 1) => 160,
            (Encoding::Ucs2, 0 | 1) => 70,
            (Encoding::Gsm7, _) => 152 * segments as u16,
            (Encoding::Ucs2, _) => 66 * segments as u16,
        }
    }

    /// Units one of several joined parts holds.
    pub(super) const fn part(self) -> u8 {
        match self {
            Encoding::Gsm7 => 153,
            Encoding::Ucs2 => 67,
        }
    }
}

/// Counts what a text costs, one character at a time.
///
/// Parts are filled greedily; an escape pair or a surrogate pair is never split but moves to the
/// next part. The empty text is one segment of GSM.
///
/// ```
/// use annunciator_core::gsm7::{Counter, Encoding};
///
/// let text = format!("{}€{}", "a".repeat(152), "a".repeat(152));
/// let count = Counter::of(&text);
/// assert_eq!(count.encoding(), Encoding::Gsm7);
/// assert_eq!(count.units(), 306);
/// assert_eq!(count.segments(), 3); // 306 septets, but the euro's pair did not fit part 1
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    gsm: Lane,
    ucs2: Lane,
    /// A character was outside GSM.
    outside: bool,
}

impl Counter {
    /// The count of the empty text.
    pub const fn new() -> Counter {
        Counter { gsm: Lane::EMPTY, ucs2: Lane::EMPTY, outside: false }
    }

    /// The count of `text`.
    pub fn of(text: &str) -> Counter {
        let mut count = Counter::new();
        for c in text.chars() {
            count.push(c);
        }
        count
    }

    /// One more character.
    pub const fn push(&mut self, c: char) {
        let septets = match septets(c) {
            Some(septets) => septets,
            None => {
                self.outside = true;
                1
            }
        };
        self.gsm.push(septets, Encoding::Gsm7.part());
        self.ucs2.push(c.len_utf16() as u8, Encoding::Ucs2.part());
    }

    /// The alphabet the text needs.
    pub const fn encoding(&self) -> Encoding {
        if self.outside { Encoding::Ucs2 } else { Encoding::Gsm7 }
    }

    /// Septets or UTF-16 units, by [`Counter::encoding`].
    pub const fn units(&self) -> u32 {
        self.lane().units
    }

    /// Segments billed for it; saturates at 65,535.
    pub const fn segments(&self) -> u16 {
        let lane = self.lane();
        let alone = self.encoding().capacity(1) as u32;
        if lane.units <= alone { 1 } else { lane.parts }
    }

    const fn lane(&self) -> &Lane {
        if self.outside { &self.ucs2 } else { &self.gsm }
    }
}

/// The count in one alphabet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lane {
    units: u32,
    /// Joined parts begun.
    parts: u16,
    /// Units in the last of them.
    fill: u8,
}

impl Lane {
    const EMPTY: Lane = Lane { units: 0, parts: 1, fill: 0 };

    const fn push(&mut self, cost: u8, part: u8) {
        self.units = self.units.saturating_add(cost as u32);
        let fill = self.fill.saturating_add(cost);
        if fill > part {
            self.parts = self.parts.saturating_add(1);
            self.fill = cost;
        } else {
            self.fill = fill;
        }
    }
}

impl Default for Lane {
    fn default() -> Lane {
        Lane::EMPTY
    }
}
