//! The bytes of one slot; `docs/format.md` has the table.
//!
//! A record is valid if both its checks hold; nothing outside the slot is needed to judge it. Its
//! group is what the writer took for it, and no reader works it out again: the rules by which
//! wordings are folded are no part of the format.
//!
//! The count lives in two cells written in turn, each with a check bound to the record's own, so a
//! torn update leaves the one before. A new record needs neither, for the cells of the slot's last
//! record do not check under its own.
//!
//! A sequence that power took along is given again. To the same event, perhaps, whose record then
//! has the same check: so a start clears the cells of every slot that holds no record. To another,
//! in a slot that storage tears between header and cells: so they are not bound to the sequence.

use crate::event::{Entry, Level, Record, Site, TEXT_256, TEXT_512, cut_at, lengths};
use crate::hash;
use crate::memory::Memory;
use crate::time::Instant;

/// Size of a slot of [`TEXT_256`] bytes of text: two fill a sector of 512 bytes exactly, so none
/// straddles one.
pub const SLOT: usize = size::<TEXT_256>();
/// Format of a slot; a record of another version does not check.
const VERSION: u64 = 1;
/// The version in its byte of an [`Entry::meta`].
const VERSION_IN_META: u64 = VERSION << 8;
/// Where the sequence stands.
pub(super) const SEQ: usize = 28;
/// Where the count cells begin.
pub(super) const CELLS: usize = 40;
/// Size of a cell.
pub(crate) const CELL: usize = 16;
/// Cells that count nothing, whatever the sequence.
pub(super) const NO_CELLS: [u8; 2 * CELL] = [0; 2 * CELL];
/// Where the text begins.
pub(super) const TEXT_AT: usize = CELLS + 2 * CELL;
/// No ring counts as far as this; bytes that say so are not a record.
pub(crate) const SEQ_LIMIT: u64 = 1 << 62;

const _: () = assert!(SLOT == 256 && size::<TEXT_512>() == 512);

/// Size of a slot that holds so many bytes of text.
pub(super) const fn size<const TEXT: usize>() -> usize {
    TEXT_AT + TEXT
}

/// Makes the slot at `at` a record of this event, the text before the header and the check last: it
/// is no record until it is whole.
#[inline(always)]
pub(super) fn write<M: Memory + ?Sized, const TEXT: usize>(
    memory: &mut M,
    at: usize,
    entry: &Entry<TEXT>,
    seq: u64,
    now: Instant,
) {
    let header = header(entry, seq, now);
    let (check, rest) = header.split_at(4);
    memory.put(at, &[0; 4]);
    memory.put(at + TEXT_AT, entry.text());
    memory.put(at + 4, rest);
    memory.put(at, check);
}

/// The first 40 bytes of a slot, check included.
#[inline]
fn header<const TEXT: usize>(entry: &Entry<TEXT>, seq: u64, now: Instant) -> [u8; CELLS] {
    let mut bytes = [0; CELLS];
    let millis = now.as_millis();
    let words = [
        entry.meta | VERSION_IN_META,
        pair(entry.line, entry.group),
        pair(entry.key, (millis >> 10) as u32),
        seq,
    ];
    let rest = (millis & 1023) as u32;
    let (first, behind) = bytes.split_at_mut(4);
    let (chunks, last) = behind.as_chunks_mut::<8>();
    let mut check = u64::from(rest);
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
        check = hash::mix(check, word);
    }
    last.copy_from_slice(&rest.to_le_bytes());
    first.copy_from_slice(&nonzero(hash::fold(check)).to_le_bytes());
    bytes
}

/// Two words as one, the first in the lower half.
pub(super) const fn pair(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// Zero marks a free slot, so a check is never zero.
const fn nonzero(check: u32) -> u32 {
    if check == 0 { 1 } else { check }
}

/// A cell: three words and a check that binds them to the record of this check, or to whatever
/// `owner` stands for.
#[inline]
pub(crate) fn cell(owner: u32, words: [u32; 3]) -> [u8; CELL] {
    let [first, second, third] = words;
    let check = cell_check(owner, words);
    let mut bytes = [0; CELL];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip([first, second, third, check]) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

/// The words of the cell at `at`, if its check holds.
#[inline]
pub(crate) fn read_cell(bytes: &[u8], at: usize, owner: u32) -> Option<[u32; 3]> {
    let words = [word(bytes, at), word(bytes, at + 4), word(bytes, at + 8)];
    (word(bytes, at + 12) == cell_check(owner, words)).then_some(words)
}

#[inline]
fn cell_check(owner: u32, words: [u32; 3]) -> u32 {
    let [first, second, third] = words;
    // The last byte is never zero: a cell that begins where zeros were counts with its last byte,
    // not before.
    hash::fold(hash::mix(pair(owner, third), pair(first, second))) | 1 << 31
}

/// How often an event was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) count: u32,
    /// The number of the latest of them.
    pub(crate) last: u64,
    /// How many milliseconds after the first that was reported.
    pub(crate) lasted: u32,
    /// Where in its slot the next cell goes: not over the one this was read from.
    pub(crate) next: usize,
}

/// Reads fields of a slot without judging it. Out-of-range bytes read as zero.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, const TEXT: usize> {
    head: &'a [u8; TEXT_AT],
    text: &'a [u8; TEXT],
}

impl<'a, const TEXT: usize> View<'a, TEXT> {
    /// A view of the slot that `bytes` begin with.
    #[inline]
    pub(crate) fn of(bytes: &'a [u8]) -> Option<View<'a, TEXT>> {
        let (head, text) = bytes.split_first_chunk()?;
        Some(View { head, text: text.first_chunk()? })
    }

    #[inline]
    fn word(self, at: usize) -> u32 {
        word(self.head, at)
    }

    /// Two words as one.
    #[inline]
    fn pair(self, at: usize) -> u64 {
        pair(self.word(at), self.word(at + 4))
    }

    #[inline]
    fn meta(self) -> u64 {
        self.pair(4)
    }

    pub(crate) fn is_free(self) -> bool {
        self.check() == 0
    }

    pub(crate) fn level(self) -> u8 {
        self.head.get(4).copied().unwrap_or(0)
    }

    /// Also what its cells are bound to.
    #[inline]
    pub(crate) fn check(self) -> u32 {
        self.word(0)
    }

    #[inline]
    pub(crate) fn group(self) -> u32 {
        self.word(16)
    }

    #[inline]
    pub(crate) fn key(self) -> u32 {
        self.word(20)
    }

    #[inline]
    pub(crate) fn seq(self) -> u64 {
        self.pair(SEQ)
    }

    /// When it was first reported.
    #[inline]
    pub(crate) fn first(self) -> Instant {
        Instant::from_millis(u64::from(self.word(24)) << 10 | u64::from(self.word(36) & 1023))
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
        let counts = |at| read_cell(self.head, at, self.check()).is_some() && said(at) > 1 << 32;
        // The greater one is looked at first, and mostly it is all.
        let is_second = said(CELLS) < said(CELLS + CELL);
        let (mut at, mut next) = (CELLS, CELLS + CELL);
        if is_second {
            (at, next) = (next, at);
        }
        if !counts(at) {
            (at, next) = (next, at);
            if !counts(at) {
                return Tally { count: 1, last: seq, lasted: 0, next: CELLS };
            }
        }
        let last = seq.wrapping_add(said(at) & u64::from(u32::MAX));
        Tally { count: self.word(at), last, lasted: self.word(at + 8), next }
    }

    pub(crate) fn count(self) -> u32 {
        self.tally().count
    }

    /// Whether the slot holds the same event as `entry`, to the byte.
    #[inline]
    pub(crate) fn holds(self, entry: &Entry<TEXT>) -> bool {
        let text = entry.text();
        self.meta() == entry.meta | VERSION_IN_META
            && self.word(12) == entry.line
            && self.text.get(..text.len()) == Some(text)
    }

    /// Whether two slots hold the same event, to the byte.
    pub(crate) fn is_same_event(self, other: View<'_, TEXT>) -> bool {
        let (message, target, file) = lengths(self.meta());
        let end = message + target + file;
        // Up to the time.
        self.head.get(4..24) == other.head.get(4..24)
            && self.text.get(..end) == other.text.get(..end)
    }

    /// Whether both checks hold and every field is in its range.
    pub(crate) fn is_valid(self) -> bool {
        let mut check = u64::from(self.word(36));
        for at in (4..36).step_by(8) {
            check = hash::mix(check, self.pair(at));
        }
        self.check() == nonzero(hash::fold(check))
            && self.meta() & (0xFF << 8) == VERSION_IN_META
            && (1..SEQ_LIMIT).contains(&self.seq())
            && self.key_of_bytes() == Some(self.key())
            && self.record().is_some()
    }

    /// The key as it follows from the text.
    fn key_of_bytes(self) -> Option<u32> {
        let meta = self.meta() & !(0xFF << 8);
        let (message, target, file) = lengths(meta);
        let (said, rest) = self.text.split_at_checked(message + target)?;
        Some(hash::identity(meta, self.word(12), said, rest.get(..file)?).1)
    }

    /// The record, if its level and texts are well-formed.
    pub(crate) fn record(self) -> Option<Record<'a>> {
        let (message, target, file) = lengths(self.meta());
        let (message, rest) = self.text.split_at_checked(message)?;
        let (target, rest) = rest.split_at_checked(target)?;
        let file = core::str::from_utf8(rest.get(..file)?).ok()?;
        let line = self.word(12);
        let has_site = !file.is_empty() || line != 0;
        let tally = self.tally();
        Some(Record {
            seq: self.seq(),
            level: Level::from_byte(self.level())?,
            group: self.group(),
            count: tally.count,
            tick: self.word(24),
            millis: (self.word(36) & 1023) as u16,
            lasted: tally.lasted,
            target: core::str::from_utf8(target).ok()?,
            message: core::str::from_utf8(message).ok()?,
            cut: cut_at(self.meta()) != 0,
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

    const NOW: Instant = Instant::from_millis(3 * 1024 + 7);

    fn view(slot: &[u8; SLOT]) -> View<'_, TEXT_256> {
        View::of(slot).unwrap()
    }

    fn slot() -> [u8; SLOT] {
        let event = Event::new(Level::Error, "sensor 12 failed").target("app").at("src/a.rs", 9);
        let entry = Entry::new(&event);
        let mut slot = [0xAA; SLOT];
        slot[..CELLS].copy_from_slice(&header(&entry, 7, NOW));
        slot[TEXT_AT..TEXT_AT + entry.text().len()].copy_from_slice(entry.text());
        slot
    }

    #[test]
    fn what_is_written_is_read_back() {
        let slot = slot();
        let view = view(&slot);
        assert!(view.is_valid());
        let record = view.record().unwrap();
        assert_eq!((record.seq, record.tick, record.millis, record.count), (7, 3, 7, 1));
        assert_eq!((record.message, record.target), ("sensor 12 failed", "app"));
        assert_eq!(record.site, Some(Site { file: "src/a.rs", line: 9 }));
        assert_eq!(view.tally(), Tally { count: 1, last: 7, lasted: 0, next: CELLS });
    }

    #[test]
    fn a_torn_count_leaves_the_one_before() {
        let mut slot = slot();
        for count in 2..50u32 {
            let before = view(&slot).tally();
            let new = cell(view(&slot).check(), [count, 7 + 3 * count, count]);
            for torn in 0..CELL {
                let mut cut = slot;
                cut[before.next..][..torn].copy_from_slice(&new[..torn]);
                let read = view(&cut).tally();
                let same = (read.count, read.last) == (before.count, before.last);
                assert!(same || read.count == count, "{count} torn at {torn}: {read:?}");
            }
            slot[before.next..][..CELL].copy_from_slice(&new);
            let read = view(&slot).tally();
            assert_eq!((read.count, read.last), (count, u64::from(7 + 3 * count)));
            assert_eq!(read.lasted, count);
        }
    }

    #[test]
    fn the_number_of_the_latest_event_is_kept_across_the_low_half() {
        let mut slot = [0; SLOT];
        let seq = (5_u64 << 32) - 2;
        slot[SEQ..SEQ + 8].copy_from_slice(&seq.to_le_bytes());
        slot[CELLS..][..CELL].copy_from_slice(&cell(0, [9, (seq + 8) as u32, 0]));
        let read = view(&slot).tally();
        assert_eq!((read.count, read.last), (9, seq + 8));
    }

    #[test]
    fn cells_of_another_record_do_not_count() {
        let mut slot = slot();
        let own = view(&slot).check();
        for owner in (1..4000).map(|n| own ^ n).chain([0, !own]) {
            slot[CELLS..][..CELL].copy_from_slice(&cell(owner, [9, 15, 1]));
            assert_eq!(view(&slot).count(), 1);
        }
    }

    #[test]
    fn a_write_torn_before_the_cells_counts_nothing_of_who_had_the_number_first() {
        let entry = |message| Entry::new(&Event::new(Level::Error, message).at("src/a.rs", 9));
        let (first, second) = (entry("pump 1"), entry("pump 2"));
        let mut slot = [0; SLOT];
        slot[..CELLS].copy_from_slice(&header(&first, 7, NOW));
        let counted = cell(view(&slot).check(), [5, 11, 1]);
        slot[CELLS..][..CELL].copy_from_slice(&counted);
        assert_eq!(view(&slot).count(), 5);
        // Its text never arrived: what stands there has stood there before, and now comes again.
        slot[TEXT_AT..][..second.text().len()].copy_from_slice(second.text());
        assert!(!view(&slot).is_valid());
        slot[..CELLS].copy_from_slice(&header(&second, 7, NOW));
        assert!(view(&slot).is_valid());
        assert_eq!(view(&slot).tally(), Tally { count: 1, last: 7, lasted: 0, next: CELLS });
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_noticed() {
        let good = slot();
        let used = TEXT_AT + "sensor 12 failedappsrc/a.rs".len();
        for bit in 0..used * 8 {
            if (CELLS..TEXT_AT).contains(&(bit / 8)) {
                continue;
            }
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!view(&bad).is_valid(), "bit {bit}");
        }
    }
}
