//! The bytes of one slot.
//!
//! ```text
//!  0  check           hash of bytes 4..44; 0 marks a free slot
//!  4  level, flags    flags bit 0: the message was cut
//!  6  lengths         message, target, file: one byte each
//!  9  version
//! 10  victim          number of the slot this record displaced, plus one; 0: none
//! 12  line
//! 16  key             hash of group, flags, lengths, message and target
//! 20  group           hash of level, line and file; without a site of level, target and wording
//! 24  sequence        u64, never reused within a ring
//! 32  tick            first reported, 1,024 ms units
//! 36  evicted         events evicted from this ring so far
//! 40  evicted_pinned  of batches in flight, likewise
//! 44  cell 0          count, check
//! 52  cell 1          count, check
//! 60  text            message, target, file name
//! ```
//!
//! All numbers are little-endian. A record is valid if both checks hold; nothing outside the slot
//! is needed to judge it. The count lives in two cells written in turn, each with a check bound to
//! the sequence, so a torn update leaves the one before.

use crate::event::{Entry, Level, PAYLOAD, Record, Site};
use crate::hash;

/// Size of a slot in bytes. Two fill a 512-byte sector exactly, so none straddles one.
pub const SLOT: usize = 256;
/// Format of a slot; a record of another version does not check.
const VERSION: u8 = 1;
/// Where the text begins.
const TEXT: usize = 60;
/// Where the count cells begin.
const CELLS: usize = 44;

const _: () = assert!(TEXT + PAYLOAD == SLOT);

/// Everything in a slot's header that is not in the [`Entry`].
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stamp {
    pub(crate) seq: u64,
    pub(crate) tick: u32,
    pub(crate) victim: u16,
    pub(crate) evicted: u32,
    pub(crate) evicted_pinned: u32,
}

/// The first 44 bytes of a slot, check included.
pub(crate) fn header(entry: &Entry, stamp: &Stamp) -> [u8; CELLS] {
    let mut bytes = [0; CELLS];
    let [a, b, c, d, e] = entry.meta();
    let [v0, v1] = stamp.victim.to_le_bytes();
    let [l0, l1, l2, l3] = entry.line.to_le_bytes();
    let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let words = [
        u64::from_le_bytes([a, b, c, d, e, VERSION, v0, v1]),
        u64::from_le_bytes([l0, l1, l2, l3, 0, 0, 0, 0]) | pair(0, entry.key),
        pair(entry.group, stamp.seq as u32),
        pair((stamp.seq >> 32) as u32, stamp.tick),
        pair(stamp.evicted, stamp.evicted_pinned),
    ];
    let (first, rest) = bytes.split_at_mut(4);
    let (chunks, _) = rest.as_chunks_mut::<8>();
    let mut check = 0;
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
        check = hash::mix(check, word);
    }
    first.copy_from_slice(&nonzero(hash::fold(check)).to_le_bytes());
    bytes
}

/// Zero marks a free slot, so a check is never zero.
const fn nonzero(check: u32) -> u32 {
    if check == 0 { 1 } else { check }
}

/// A count cell: the count and a check bound to the record.
pub(crate) fn cell(seq: u64, count: u32) -> [u8; 8] {
    let [a, b, c, d] = count.to_le_bytes();
    let [e, f, g, h] = cell_check(seq, count).to_le_bytes();
    [a, b, c, d, e, f, g, h]
}

fn cell_check(seq: u64, count: u32) -> u32 {
    // Exact against every other sequence; a torn cell passes once in 2³².
    let bound = (seq as u32) ^ ((seq >> 32) as u32).rotate_left(16);
    count.wrapping_mul(0x9E37_79B1) ^ bound
}

/// Where in its slot the cell for `count` stands.
pub(crate) const fn cell_at(count: u32) -> usize {
    CELLS + 8 * (count & 1) as usize
}

/// Where in its slot the text stands.
pub(crate) const fn text_at() -> usize {
    TEXT
}

/// Reads fields of a slot without judging it. Out-of-range bytes read as zero.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) &'a [u8]);

impl<'a> View<'a> {
    fn word(self, at: usize) -> u32 {
        word(self.0, at)
    }

    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn is_free(self) -> bool {
        self.word(0) == 0
    }

    pub(crate) fn level(self) -> u8 {
        self.byte(4)
    }

    pub(crate) fn victim(self) -> Option<u16> {
        let number = u16::from_le_bytes([self.byte(10), self.byte(11)]);
        number.checked_sub(1)
    }

    pub(crate) fn key(self) -> u32 {
        self.word(16)
    }

    pub(crate) fn group(self) -> u32 {
        self.word(20)
    }

    pub(crate) fn seq(self) -> u64 {
        u64::from(self.word(24)) | u64::from(self.word(28)) << 32
    }

    pub(crate) fn evicted(self) -> u32 {
        self.word(36)
    }

    pub(crate) fn evicted_pinned(self) -> u32 {
        self.word(40)
    }

    /// The count: of the cells that check, the greater; 1 if none does.
    pub(crate) fn count(self) -> u32 {
        let seq = self.seq();
        let cell = |at: usize| {
            let count = self.word(at);
            if self.word(at + 4) == cell_check(seq, count) { count } else { 0 }
        };
        cell(CELLS).max(cell(CELLS + 8)).max(1)
    }

    /// Whether the slot holds the same event as `entry`, to the byte.
    pub(crate) fn holds(self, entry: &Entry) -> bool {
        let (meta, text) = (entry.meta(), entry.text());
        self.0.get(4..9) == Some(meta.as_slice())
            && self.word(12) == entry.line
            && self.0.get(TEXT..).and_then(|rest| rest.get(..text.len())) == Some(text)
    }

    /// Whether both checks hold and every field is in its range.
    pub(crate) fn is_valid(self) -> bool {
        let mut check = 0;
        for at in (4..CELLS).step_by(8) {
            let word = u64::from(self.word(at)) | u64::from(self.word(at + 4)) << 32;
            check = hash::mix(check, word);
        }
        self.word(0) == nonzero(hash::fold(check))
            && self.byte(9) == VERSION
            && self.identity_of_bytes() == Some((self.group(), self.key()))
            && self.record().is_some()
    }

    /// Group and key as they follow from the text.
    fn identity_of_bytes(self) -> Option<(u32, u32)> {
        let (message, target, file) = self.lengths();
        let (said, rest) = self.0.get(TEXT..)?.split_at_checked(message + target)?;
        let meta = *self.0.get(4..)?.first_chunk::<5>()?;
        Some(hash::identity(meta, self.word(12), said, rest.get(..file)?))
    }

    fn lengths(self) -> (usize, usize, usize) {
        (usize::from(self.byte(6)), usize::from(self.byte(7)), usize::from(self.byte(8)))
    }

    /// The record, if its level and texts are well-formed.
    pub(crate) fn record(self) -> Option<Record<'a>> {
        let (message, target, file) = self.lengths();
        let text = self.0.get(TEXT..)?;
        let (message, rest) = text.split_at_checked(message)?;
        let (target, rest) = rest.split_at_checked(target)?;
        let file = core::str::from_utf8(rest.get(..file)?).ok()?;
        let line = self.word(12);
        let has_site = !file.is_empty() || line != 0;
        Some(Record {
            seq: self.seq(),
            level: Level::from_byte(self.level())?,
            group: self.group(),
            count: self.count(),
            tick: self.word(32),
            target: core::str::from_utf8(target).ok()?,
            message: core::str::from_utf8(message).ok()?,
            cut: self.byte(5) & 1 != 0,
            site: has_site.then_some(Site { file, line }),
        })
    }
}

/// The little-endian word at `at`; 0 beyond the end.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    let chunk = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>());
    chunk.map_or(0, |chunk| u32::from_le_bytes(*chunk))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    fn slot() -> [u8; SLOT] {
        let event = Event::new(Level::Error, "sensor 12 failed").target("app").at("src/a.rs", 9);
        let entry = Entry::new(&event);
        let stamp = Stamp { seq: 7, tick: 3, victim: 2, evicted: 5, evicted_pinned: 1 };
        let mut slot = [0xAA; SLOT];
        slot[..CELLS].copy_from_slice(&header(&entry, &stamp));
        slot[TEXT..TEXT + entry.text().len()].copy_from_slice(entry.text());
        slot
    }

    #[test]
    fn what_is_written_is_read_back() {
        let slot = slot();
        let view = View(&slot);
        assert!(view.is_valid());
        let record = view.record().unwrap();
        assert_eq!((record.seq, record.tick, record.count), (7, 3, 1));
        assert_eq!((record.message, record.target), ("sensor 12 failed", "app"));
        assert_eq!(record.site, Some(Site { file: "src/a.rs", line: 9 }));
        assert_eq!((view.victim(), view.evicted(), view.evicted_pinned()), (Some(1), 5, 1));
    }

    #[test]
    fn a_torn_count_loses_at_most_one_increment() {
        let mut slot = slot();
        for count in 2..50u32 {
            let new = cell(7, count);
            for torn in 0..8 {
                let mut cut = slot;
                cut[cell_at(count)..][..torn].copy_from_slice(&new[..torn]);
                let read = View(&cut).count();
                assert!(read == count - 1 || read == count, "{count} torn at {torn}: {read}");
            }
            slot[cell_at(count)..][..8].copy_from_slice(&new);
            assert_eq!(View(&slot).count(), count);
        }
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let good = slot();
        let used = TEXT + "sensor 12 failedappsrc/a.rs".len();
        for bit in 0..used * 8 {
            if (CELLS..TEXT).contains(&(bit / 8)) {
                continue;
            }
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!View(&bad).is_valid(), "bit {bit}");
        }
    }
}
