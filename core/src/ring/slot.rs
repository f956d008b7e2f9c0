//! The bytes of one slot.
//!
//! ```text
//!  0  check           hash of bytes 4..36; 0 marks a free slot
//!  4  level, flags    flags bit 0: the message was cut
//!  6  lengths         message, target, file: one byte each
//!  9  version
//! 10  zero
//! 12  line
//! 16  key             hash of group, flags, lengths, message and target
//! 20  group           hash of level, line and file; without a site of level, target and wording
//! 24  sequence        u64: the number of its first event, never reused within a ring
//! 32  tick            first reported, 1,024 ms units
//! 36  cell 0          count, number of the latest event counted (its low half), check
//! 48  cell 1          likewise
//! 60  text            message, target, file name
//! ```
//!
//! All numbers are little-endian. A record is valid if both checks hold; nothing outside the slot
//! is needed to judge it. The count lives in two cells written in turn, each with a check bound to
//! the record's own, so a torn update leaves the one before; a new record needs neither, for the
//! cells of the slot's last record do not check under its own.
//!
//! A sequence that power took along is given again. To the same event, perhaps, whose record then
//! has the same check: so a start clears the cells of every slot that holds no record. To another,
//! in a slot that storage tears between header and cells: so they are not bound to the sequence.

use crate::event::{Entry, Level, PAYLOAD, Record, Site, lengths};
use crate::hash;

/// Size of a slot in bytes. Two fill a 512-byte sector exactly, so none straddles one.
pub const SLOT: usize = 256;
/// Format of a slot; a record of another version does not check.
const VERSION: u8 = 1;
/// The version in its place of the first word behind the check, whose rest is an [`Entry::meta`].
const VERSION_AT_9: u64 = (VERSION as u64) << 40;
/// Where the sequence stands.
pub(super) const SEQ: usize = 24;
/// Where the text begins.
const TEXT: usize = 60;
/// Where the count cells begin.
pub(super) const CELLS: usize = 36;
/// Cells that count nothing, whatever the sequence.
pub(super) const NO_CELLS: [u8; 2 * CELL] = [0; 2 * CELL];
/// Size of a cell.
pub(crate) const CELL: usize = 12;
/// No ring counts as far as this; bytes that say so are not a record.
pub(crate) const SEQ_LIMIT: u64 = 1 << 62;

const _: () = assert!(TEXT + PAYLOAD == SLOT && CELLS + 2 * CELL == TEXT);

/// The first 36 bytes of a slot, check included.
#[inline]
pub(crate) fn header(entry: &Entry, seq: u64, tick: u32) -> [u8; CELLS] {
    let mut bytes = [0; CELLS];
    let words = [
        entry.meta | VERSION_AT_9,
        pair(entry.line, entry.key),
        pair(entry.group, seq as u32),
        pair((seq >> 32) as u32, tick),
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

/// Two words as one, the first in the lower half.
const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Zero marks a free slot, so a check is never zero.
const fn nonzero(check: u32) -> u32 {
    if check == 0 { 1 } else { check }
}

/// A cell: two words and a check that binds them to the record of this check, or to whatever
/// `owner` stands for.
#[inline]
pub(crate) fn cell(owner: u32, words: [u32; 2]) -> [u8; CELL] {
    let [first, second] = words;
    let check = cell_check(owner, words);
    let mut bytes = [0; CELL];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip([first, second, check]) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

/// The words of the cell at `at`, if its check holds.
#[inline]
pub(crate) fn read_cell(bytes: &[u8], at: usize, owner: u32) -> Option<[u32; 2]> {
    let words = [word(bytes, at), word(bytes, at + 4)];
    (word(bytes, at + 8) == cell_check(owner, words)).then_some(words)
}

#[inline]
fn cell_check(owner: u32, words: [u32; 2]) -> u32 {
    let [first, second] = words;
    // The last byte is never zero: a cell that begins where zeros were counts with its last byte,
    // not before.
    hash::fold(hash::mix(u64::from(owner), pair(first, second))) | 1 << 31
}

/// How often an event was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    /// The number of the latest of them.
    pub(crate) last: u64,
    /// Where in its slot the next cell goes: not over the one this was read from.
    pub(crate) next: usize,
}

/// Where in its slot the first cell of a new record stands.
pub(crate) const fn first_cell_at() -> usize {
    CELLS
}

/// Where in its slot the text stands.
pub(crate) const fn text_at() -> usize {
    TEXT
}

/// Reads fields of a slot without judging it. Out-of-range bytes read as zero.
#[derive(Clone, Copy)]
pub(crate) struct View<'a>(pub(crate) &'a [u8; SLOT]);

impl<'a> View<'a> {
    #[inline]
    fn word(self, at: usize) -> u32 {
        word(self.0, at)
    }

    /// Two words as one.
    #[inline]
    fn pair(self, at: usize) -> u64 {
        pair(self.word(at), self.word(at + 4))
    }

    fn byte(self, at: usize) -> u8 {
        self.0.get(at).copied().unwrap_or(0)
    }

    pub(crate) fn is_free(self) -> bool {
        self.check() == 0
    }

    pub(crate) fn level(self) -> u8 {
        self.byte(4)
    }

    /// Also what its cells are bound to.
    #[inline]
    pub(crate) fn check(self) -> u32 {
        self.word(0)
    }

    #[inline]
    pub(crate) fn key(self) -> u32 {
        self.word(16)
    }

    #[inline]
    pub(crate) fn group(self) -> u32 {
        self.word(20)
    }

    #[inline]
    pub(crate) fn seq(self) -> u64 {
        self.pair(SEQ)
    }

    /// Of the cells that check, the greater; a count of 1 if none does.
    #[inline]
    pub(crate) fn tally(self) -> Tally {
        let seq = self.seq();
        // What a cell would say: its count, and how far its last number is from the first.
        let said = |at| {
            let distance = self.word(at + 4).wrapping_sub(seq as u32);
            u64::from(self.word(at)) << 32 | u64::from(distance)
        };
        // The greater one is looked at first, and mostly it is all.
        let mut cells = [(CELLS, CELLS + CELL), (CELLS + CELL, CELLS)];
        if said(CELLS) < said(CELLS + CELL) {
            cells.reverse();
        }
        for (at, next) in cells {
            if let Some([count, last]) = read_cell(self.0, at, self.check())
                && said(at) > 1 << 32
            {
                let last = seq.wrapping_add(u64::from(last.wrapping_sub(seq as u32)));
                return Tally { count, last, next };
            }
        }
        Tally { count: 1, last: seq, next: CELLS }
    }

    pub(crate) fn count(self) -> u32 {
        self.tally().count
    }

    /// Whether the slot holds the same event as `entry`, to the byte.
    #[inline]
    pub(crate) fn holds(self, entry: &Entry) -> bool {
        let text = entry.text();
        self.pair(4) == entry.meta | VERSION_AT_9
            && self.word(12) == entry.line
            && self.0.get(TEXT..).and_then(|rest| rest.get(..text.len())) == Some(text)
    }

    /// Whether two slots hold the same event, to the byte.
    pub(crate) fn is_same_event(self, other: View<'_>) -> bool {
        let (message, target, file) = lengths(self.pair(4));
        let end = TEXT + message + target + file;
        self.0.get(4..SEQ) == other.0.get(4..SEQ) && self.0.get(TEXT..end) == other.0.get(TEXT..end)
    }

    /// Whether the events of this younger record were added to this one: its last number is behind
    /// the other's first, which is never so before that.
    pub(crate) fn has_folded(self, younger: View<'_>) -> bool {
        self.seq() < younger.seq()
            && self.tally().last >= younger.seq()
            && self.is_same_event(younger)
    }

    /// Whether both checks hold and every field is in its range.
    pub(crate) fn is_valid(self) -> bool {
        let mut check = 0;
        for at in (4..CELLS).step_by(8) {
            check = hash::mix(check, self.pair(at));
        }
        self.check() == nonzero(hash::fold(check))
            && self.byte(9) == VERSION
            && (1..SEQ_LIMIT).contains(&self.seq())
            && self.identity_of_bytes() == Some((self.group(), self.key()))
            && self.record().is_some()
    }

    /// Group and key as they follow from the text.
    fn identity_of_bytes(self) -> Option<(u32, u32)> {
        let meta = self.pair(4);
        let (message, target, file) = lengths(meta);
        let (said, rest) = self.0.get(TEXT..)?.split_at_checked(message + target)?;
        Some(hash::identity(meta, self.word(12), said, rest.get(..file)?))
    }

    /// The record, if its level and texts are well-formed.
    pub(crate) fn record(self) -> Option<Record<'a>> {
        let (message, target, file) = lengths(self.pair(4));
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
#[inline]
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
        let mut slot = [0xAA; SLOT];
        slot[..CELLS].copy_from_slice(&header(&entry, 7, 3));
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
        assert_eq!(view.tally(), Tally { count: 1, last: 7, next: CELLS });
    }

    #[test]
    fn a_torn_count_leaves_the_one_before() {
        let mut slot = slot();
        for count in 2..50u32 {
            let before = View(&slot).tally();
            let new = cell(View(&slot).check(), [count, 7 + 3 * count]);
            for torn in 0..CELL {
                let mut cut = slot;
                cut[before.next..][..torn].copy_from_slice(&new[..torn]);
                let read = View(&cut).tally();
                let same = (read.count, read.last) == (before.count, before.last);
                assert!(same || read.count == count, "{count} torn at {torn}: {read:?}");
            }
            slot[before.next..][..CELL].copy_from_slice(&new);
            let read = View(&slot).tally();
            assert_eq!((read.count, read.last), (count, u64::from(7 + 3 * count)));
        }
    }

    #[test]
    fn the_number_of_the_latest_event_is_kept_across_the_low_half() {
        let mut slot = [0; SLOT];
        let seq = (5_u64 << 32) - 2;
        slot[24..32].copy_from_slice(&seq.to_le_bytes());
        slot[CELLS..][..CELL].copy_from_slice(&cell(0, [9, (seq + 8) as u32]));
        let read = View(&slot).tally();
        assert_eq!((read.count, read.last), (9, seq + 8));
    }

    #[test]
    fn cells_of_another_record_do_not_count() {
        let mut slot = slot();
        let own = View(&slot).check();
        for owner in (1..4000).map(|n| own ^ n).chain([0, !own]) {
            slot[CELLS..][..CELL].copy_from_slice(&cell(owner, [9, 15]));
            assert_eq!(View(&slot).count(), 1);
        }
    }

    #[test]
    fn a_write_torn_before_the_cells_counts_nothing_of_who_had_the_number_first() {
        let entry = |message| Entry::new(&Event::new(Level::Error, message).at("src/a.rs", 9));
        let (first, second) = (entry("pump 1"), entry("pump 2"));
        let mut slot = [0; SLOT];
        slot[..CELLS].copy_from_slice(&header(&first, 7, 3));
        let counted = cell(View(&slot).check(), [5, 11]);
        slot[CELLS..][..CELL].copy_from_slice(&counted);
        assert_eq!(View(&slot).count(), 5);
        // Its text never arrived: what stands there has stood there before, and now comes again.
        slot[TEXT..][..second.text().len()].copy_from_slice(second.text());
        assert!(!View(&slot).is_valid());
        slot[..CELLS].copy_from_slice(&header(&second, 7, 3));
        assert!(View(&slot).is_valid());
        assert_eq!(View(&slot).tally(), Tally { count: 1, last: 7, next: CELLS });
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
