//! The state of a ring that must survive and is not an event, in two banks of words.
//!
//! A new bank is written over the older one and counts once its check holds, so a crash within
//! leaves the one before. The words have an order and no tags: a reader takes those it knows, and
//! words that are missing at the end are zero. `docs/format.md` has the table.

use crate::destination::DestinationState;
use crate::hash;
use crate::memory::Memory;
use crate::ring::word as word_at;
use crate::time::Instant;

/// Size of a bank.
pub(crate) const BANK: usize = 512;
const HEADER: usize = 16;
/// Attempts whose fate stayed unknown twice, kept until a text that names them is accepted.
pub(crate) const UNCONFIRMED: usize = 4;

/// What the words of a bank are. The magic tells; another version is another magic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) u32);

/// A ring's state, and its destination's where that has no place of its own.
pub(crate) const RING: Kind = Kind(u32::from_le_bytes(*b"ANR1"));
/// A destination's state alone.
pub(crate) const DESTINATION: Kind = Kind(u32::from_le_bytes(*b"AND1"));

/// An attempt that is noted: from before its bytes leave until its fate is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Attempt {
    /// It covers the records up to this sequence.
    pub(crate) upto: u64,
    pub(crate) reference: u32,
    /// All losses up to then: what the text says.
    pub(crate) losses: u32,
    /// How often it was tried without hearing what became of it.
    pub(crate) unknowns: u8,
    /// 1: the text was refused for its content and is reduced.
    pub(crate) style: u8,
    /// Segments charged for the try under way; 0: none is.
    pub(crate) charged: u8,
    /// By which of the destination's channels it goes; 0: the first.
    pub(crate) channel: u8,
}

/// An attempt that stayed unknown twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unconfirmed {
    pub(crate) reference: u32,
    pub(crate) events: u32,
    pub(crate) level: u8,
}

/// The time of one boot, joined to the time of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Clock {
    /// Which boot `offset` belongs to.
    pub(crate) boot: u64,
    /// Time since boot and this make persistent time.
    pub(crate) offset: u64,
    /// The last persistent time that was noted.
    pub(crate) last: Instant,
}

/// Losses reported, and the reasons of those that were not evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Losses named by accepted texts.
    pub(crate) reported: u32,
    /// Too old.
    pub(crate) expired: u32,
    /// Refused for their content, twice.
    pub(crate) refused: u32,
    /// Slots found damaged at a start.
    pub(crate) damaged: u32,
    /// Counted by a caller that could not record them.
    pub(crate) unrecorded: u32,
    /// Not losses: below the threshold or muted.
    pub(crate) suppressed: u32,
}

/// What a ring must keep beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    /// Names the ring: copies of it have the same; 0: it has none yet.
    pub(crate) ring_id: u64,
    /// Starts on this ring. Of two copies, that with more starts is the newer.
    pub(crate) starts: u32,
    pub(crate) batches: u32,
    /// Everything up to this number is settled: reported or lost.
    pub(crate) consumed: u64,
    pub(crate) next_seq: u64,
    /// Of all numbered events, those that are not lost and wait no more: named or counted by a
    /// text, or standing in an unconfirmed line.
    pub(crate) settled: u64,
    /// Records up to this number may have been delivered before.
    pub(crate) maybe_delivered: u64,
    pub(crate) tally: Tally,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) unconfirmed: [Unconfirmed; UNCONFIRMED],
    pub(crate) clock: Clock,
    /// How the program of this ring ended, if that was unclean and is still to be reported; the
    /// series that it belongs to is the destination's.
    pub(crate) unclean: u8,
}

impl State {
    /// Writes every word, in the order of the format.
    fn write_words<M: Memory + ?Sized>(&self, words: &mut Writer<'_, M>) {
        let tally = &self.tally;
        let attempt = self.attempt.unwrap_or_default();
        // No attempt has a last word of zero: one that is there has its highest bit set.
        let there = if self.attempt.is_some() { THERE } else { 0 };
        words.put([
            low(self.ring_id),
            high(self.ring_id),
            word(self.starts),
            word(self.batches),
            low(self.consumed),
            high(self.consumed),
            low(self.next_seq),
            high(self.next_seq),
            low(self.settled),
            high(self.settled),
            low(self.maybe_delivered),
            high(self.maybe_delivered),
            word(tally.reported),
            word(tally.expired),
            word(tally.refused),
            word(tally.damaged),
            word(tally.unrecorded),
            word(tally.suppressed),
            low(attempt.upto),
            high(attempt.upto),
            word(attempt.reference),
            word(attempt.losses),
            [attempt.unknowns, attempt.style, attempt.charged, attempt.channel & !THERE | there],
        ]);
        for unknown in &self.unconfirmed {
            let first = unknown.reference | u32::from(unknown.level) << 24;
            words.put([word(first), word(unknown.events)]);
        }
        self.clock.write_words(words);
        words.put([word(self.unclean.into())]);
    }

    /// Reads the same words.
    fn read_words(words: &mut Reader<'_>) -> State {
        let mut state = State {
            ring_id: words.long(),
            starts: words.word(),
            batches: words.word(),
            consumed: words.long(),
            next_seq: words.long(),
            settled: words.long(),
            maybe_delivered: words.long(),
            tally: Tally {
                reported: words.word(),
                expired: words.word(),
                refused: words.word(),
                damaged: words.word(),
                unrecorded: words.word(),
                suppressed: words.word(),
            },
            ..State::default()
        };
        let (upto, reference, losses) = (words.long(), words.word(), words.word());
        let [unknowns, style, charged, last] = words.word().to_le_bytes();
        let channel = last & !THERE;
        let attempt = Attempt { upto, reference, losses, unknowns, style, charged, channel };
        state.attempt = (last & THERE != 0).then_some(attempt);
        for unknown in &mut state.unconfirmed {
            let first = words.word();
            *unknown = Unconfirmed {
                reference: first & 0x00FF_FFFF,
                level: (first >> 24) as u8,
                events: words.word(),
            };
        }
        state.clock = Clock::read_words(words);
        state.unclean = words.word() as u8;
        state
    }

    /// Whether a line of a text is to stand for attempts of unknown fate.
    pub(crate) fn has_unconfirmed(&self) -> bool {
        self.unconfirmed.iter().any(|unknown| unknown.events > 0)
    }

    /// Reads the bank at `place`; without one all is as at a first start.
    pub(crate) fn read(bytes: &[u8], place: Option<BankId>) -> (State, DestinationState) {
        let mut words = reader(bytes, place).unwrap_or(Reader(&[]));
        let state = State::read_words(&mut words);
        let destination = DestinationState::read_words(&mut words);
        (state, DestinationState { clock: state.clock, ..destination })
    }

    /// Writes the bank over the older one of `memory`, which `after` is not, and returns where.
    /// `destination`, if it has no place of its own, is part of it.
    pub(crate) fn write<M: Memory + ?Sized>(
        &self,
        destination: Option<&DestinationState>,
        memory: &mut M,
        after: Option<BankId>,
    ) -> BankId {
        write(RING, memory, after, |words| {
            self.write_words(words);
            if let Some(destination) = destination {
                destination.write_words(words);
            }
        })
    }
}

/// Where a bank was found, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BankId {
    /// 0 or 1.
    pub(crate) bank: u8,
    pub(crate) generation: u32,
}

impl BankId {
    /// Where the next bank goes, after the newest.
    pub(crate) fn after(newest: Option<BankId>) -> BankId {
        BankId {
            bank: newest.map_or(0, |place| 1 - (place.bank & 1)),
            generation: newest.map_or(1, |place| place.generation.wrapping_add(1)),
        }
    }
}

/// The newest valid bank of this kind at the beginning of `bytes`.
pub(crate) fn find(kind: Kind, bytes: &[u8]) -> Option<BankId> {
    match (sound(kind, bytes, 0), sound(kind, bytes, 1)) {
        (Some(a), Some(b)) => {
            Some(if a.generation.wrapping_sub(b.generation) as i32 > 0 { a } else { b })
        }
        (a, b) => a.or(b),
    }
}

/// The bank, if its check holds.
fn sound(kind: Kind, bytes: &[u8], bank: u8) -> Option<BankId> {
    let block = block(bytes, bank)?;
    let len = word_at(block, 12) as usize;
    if !len.is_multiple_of(4) {
        return None;
    }
    let covered = block.get(4..HEADER.checked_add(len)?)?;
    let sound = word_at(block, 4) == kind.0 && check(kind, covered) == word_at(block, 0);
    sound.then_some(BankId { bank, generation: word_at(block, 8) })
}

/// Whether one of the banks was written whole and damaged since: perhaps the newest, whatever its
/// generation now says. For memory, whose stores keep their order; in storage it may be the one
/// that a power cut tore.
pub(crate) fn is_damaged(bytes: &[u8]) -> bool {
    (0..2).any(|bank| {
        let whole = block(bytes, bank).is_some_and(|[first, ..]| *first != 0);
        whole && sound(RING, bytes, bank).is_none()
    })
}

/// Bytes in use of this bank.
pub(crate) fn used(bytes: &[u8], bank: u8) -> usize {
    block(bytes, bank).map_or(0, |block| HEADER.saturating_add(word_at(block, 12) as usize))
}

/// The bytes of one bank.
pub(crate) fn block(bytes: &[u8], bank: u8) -> Option<&[u8; BANK]> {
    bytes.get(usize::from(bank) * BANK..)?.first_chunk()
}

fn check(kind: Kind, covered: &[u8]) -> u32 {
    hash::fold(hash::bytes(u64::from(kind.0), covered)) | 1
}

/// A reader of the words of the bank at `place`.
pub(crate) fn reader(bytes: &[u8], place: Option<BankId>) -> Option<Reader<'_>> {
    let block = block(bytes, place?.bank)?;
    Some(Reader(block.get(HEADER..)?.get(..word_at(block, 12) as usize)?))
}

/// Writes the words that `give` puts as the bank that follows `after`, and returns where.
pub(crate) fn write<M: Memory + ?Sized>(
    kind: Kind,
    memory: &mut M,
    after: Option<BankId>,
    give: impl FnOnce(&mut Writer<'_, M>),
) -> BankId {
    let place = BankId::after(after);
    let at = usize::from(place.bank) * BANK;
    memory.put(at, &[0]);
    let from = at + HEADER;
    let mut words = Writer { memory, at: from };
    give(&mut words);
    let len = words.at - from;
    words.at = at + 4;
    words.put([word(kind.0), word(place.generation), word(len as u32)]);
    let covered = memory.bytes().get(at + 4..).and_then(|rest| rest.get(..HEADER - 4 + len));
    let [last, first @ ..] = check(kind, covered.unwrap_or(&[])).to_le_bytes();
    memory.put(at + 1, &first);
    memory.put(at, &[last]);
    place
}

impl Clock {
    pub(crate) fn write_words<M: Memory + ?Sized>(&self, words: &mut Writer<'_, M>) {
        words.put([
            low(self.boot),
            high(self.boot),
            low(self.offset),
            high(self.offset),
            word(self.last.tick_up()),
        ]);
    }

    pub(crate) fn read_words(words: &mut Reader<'_>) -> Clock {
        Clock { boot: words.long(), offset: words.long(), last: words.instant() }
    }
}

/// In the last byte of an attempt: there is one.
const THERE: u8 = 1 << 7;

/// A word as it stands in a bank.
pub(crate) const fn word(word: u32) -> [u8; 4] {
    word.to_le_bytes()
}

/// The first word of a long one.
pub(crate) const fn low(long: u64) -> [u8; 4] {
    word(long as u32)
}

/// And the second.
pub(crate) const fn high(long: u64) -> [u8; 4] {
    word((long >> 32) as u32)
}

/// Takes words off a bank; zeros beyond its end.
pub(crate) struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn word(&mut self) -> u32 {
        let (word, rest) = self.0.split_first_chunk().unwrap_or((&[0; 4], &[]));
        self.0 = rest;
        u32::from_le_bytes(*word)
    }

    pub(crate) fn long(&mut self) -> u64 {
        u64::from(self.word()) | u64::from(self.word()) << 32
    }

    pub(crate) fn instant(&mut self) -> Instant {
        Instant::of_tick(self.word())
    }
}

/// Puts words into a bank.
pub(crate) struct Writer<'m, M: ?Sized> {
    memory: &'m mut M,
    at: usize,
}

impl<M: Memory + ?Sized> Writer<'_, M> {
    #[inline]
    pub(crate) fn put<const N: usize>(&mut self, words: [[u8; 4]; N]) {
        self.put_bytes(words.as_flattened());
    }

    /// A chip that cannot store a word at any place does it byte by byte: there a call is smaller.
    #[cfg_attr(target_arch = "riscv32", inline(never))]
    #[cfg_attr(not(target_arch = "riscv32"), inline)]
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.memory.put(self.at, bytes);
        self.at += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> State {
        State {
            ring_id: 0xDEAD_BEEF_0000_0007,
            starts: 3,
            batches: 77,
            consumed: 1 << 40,
            next_seq: (1 << 40) + 9,
            settled: (1 << 40) - 7,
            maybe_delivered: 11,
            tally: Tally {
                reported: 1,
                expired: 3,
                refused: 4,
                damaged: 5,
                unrecorded: 6,
                suppressed: 7,
            },
            attempt: Some(Attempt {
                upto: (1 << 40) + 4,
                reference: 76,
                losses: 9,
                unknowns: 1,
                style: 1,
                charged: 2,
                channel: 1,
            }),
            unconfirmed: [Unconfirmed { reference: 5, events: 6, level: 5 }; UNCONFIRMED],
            unclean: 2,
            clock: Clock {
                boot: 0xDEAD_BEEF_0000_0001,
                offset: u64::MAX - 5,
                last: Instant::from_millis(9 << 10),
            },
        }
    }

    fn destination() -> DestinationState {
        DestinationState { clock: full().clock, ..crate::destination::tests::full() }
    }

    #[test]
    fn a_bank_is_read_back_as_written_and_the_newest_wins() {
        let mut memory = [0xEE_u8; 2 * BANK];
        assert_eq!(find(RING, &memory), None);
        let state = full();
        let first = state.write(Some(&destination()), &mut memory, None);
        assert!(used(&memory, first.bank) <= BANK);
        assert_eq!(State::read(&memory, find(RING, &memory)), (full(), destination()));
        let newer = State { batches: 78, attempt: None, ..state };
        let second = newer.write(Some(&destination()), &mut memory, Some(first));
        assert_ne!(first.bank, second.bank);
        assert_eq!(find(RING, &memory), Some(second));
        assert_eq!(State::read(&memory, Some(second)).0, newer);
    }

    #[test]
    fn a_ring_whose_destination_stands_elsewhere_has_none_of_it() {
        let mut memory = [0_u8; 2 * BANK];
        let place = full().write(None, &mut memory, None);
        let none = DestinationState { clock: full().clock, ..DestinationState::default() };
        assert_eq!(State::read(&memory, Some(place)), (full(), none));
        assert_eq!(find(DESTINATION, &memory), None);
    }

    #[test]
    fn any_damaged_byte_leaves_the_bank_before() {
        let mut memory = [0_u8; 2 * BANK];
        let state = full();
        let first = state.write(Some(&destination()), &mut memory, None);
        let second = state.write(Some(&destination()), &mut memory, Some(first));
        let at = usize::from(second.bank) * BANK;
        for byte in 0..used(&memory, second.bank) {
            for bit in 0..8 {
                let mut damaged = memory;
                damaged[at + byte] ^= 1 << bit;
                assert_eq!(find(RING, &damaged), Some(first), "byte {byte} bit {bit}");
            }
        }
    }

    #[test]
    fn words_of_a_newer_program_are_skipped_and_missing_ones_are_zero() {
        let mut memory = [0_u8; 2 * BANK];
        let place = full().write(None, &mut memory, None);
        let sealed = |memory: &mut [u8; 2 * BANK], len: usize| {
            memory[12..16].copy_from_slice(&(len as u32).to_le_bytes());
            let check = check(RING, &memory[4..HEADER + len]);
            memory[..4].copy_from_slice(&check.to_le_bytes());
        };
        let len = word_at(&memory, 12) as usize;
        let mut longer = memory;
        longer[HEADER + len + 200..][..8].fill(9);
        sealed(&mut longer, len + 208);
        assert_eq!(State::read(&longer, find(RING, &longer)).0, full());
        sealed(&mut memory, 16);
        let expected =
            State { ring_id: full().ring_id, starts: 3, batches: 77, ..State::default() };
        assert_eq!(State::read(&memory, Some(place)).0, expected);
    }
}
