//! The state of a ring that must survive and is not an event, in two banks of words.
//!
//! A new bank is written over the older one and counts once its check holds, so a crash within
//! leaves the one before. The words have an order and no tags: a reader takes those it knows, and
//! words that are missing at the end are zero. `docs/format.md` has the table.

use crate::destination::DestinationState;
use crate::hash;
use crate::memory::Memory;
use crate::ring::word;
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
    /// Gives or takes every word, in the order of the format.
    fn words(&mut self, words: &mut dyn Words) {
        let State { tally, clock, .. } = self;
        let attempt = self.attempt.unwrap_or_default();
        // No attempt has a last word of zero: one that is there has its highest bit set.
        let there = if self.attempt.is_some() { THERE } else { 0 };
        let Attempt { unknowns, style, charged, channel, .. } = attempt;
        let flags = u32::from_le_bytes([unknowns, style, charged, channel & 0x7F]) | there;
        let mut w = [
            low(self.ring_id),
            high(self.ring_id),
            self.starts,
            self.batches,
            low(self.consumed),
            high(self.consumed),
            low(self.next_seq),
            high(self.next_seq),
            low(self.settled),
            high(self.settled),
            low(self.maybe_delivered),
            high(self.maybe_delivered),
            tally.reported,
            tally.expired,
            tally.refused,
            tally.damaged,
            tally.unrecorded,
            tally.suppressed,
            low(attempt.upto),
            high(attempt.upto),
            attempt.reference,
            attempt.losses,
            flags,
        ];
        all(words, &mut w);
        self.ring_id = long(w[0], w[1]);
        (self.starts, self.batches) = (w[2], w[3]);
        self.consumed = long(w[4], w[5]);
        self.next_seq = long(w[6], w[7]);
        self.settled = long(w[8], w[9]);
        self.maybe_delivered = long(w[10], w[11]);
        *tally = Tally {
            reported: w[12],
            expired: w[13],
            refused: w[14],
            damaged: w[15],
            unrecorded: w[16],
            suppressed: w[17],
        };
        let [unknowns, style, charged, channel] = (w[22] & !THERE).to_le_bytes();
        let (upto, reference, losses) = (long(w[18], w[19]), w[20], w[21]);
        self.attempt = (w[22] & THERE != 0).then_some(Attempt {
            upto,
            reference,
            losses,
            unknowns,
            style,
            charged,
            channel,
        });

        for unknown in &mut self.unconfirmed {
            let mut w = [unknown.reference | u32::from(unknown.level) << 24, unknown.events];
            all(words, &mut w);
            *unknown = Unconfirmed {
                reference: w[0] & 0x00FF_FFFF,
                level: (w[0] >> 24) as u8,
                events: w[1],
            };
        }
        clock.words(words);
        let mut w = [u32::from(self.unclean)];
        all(words, &mut w);
        self.unclean = w[0] as u8;
    }

    /// Reads the bank at `place`; without one all is as at a first start.
    pub(crate) fn read(bytes: &[u8], place: Option<BankId>) -> (State, DestinationState) {
        let (mut state, mut destination) = (State::default(), DestinationState::default());
        if let Some(mut words) = reader(bytes, place) {
            state.words(&mut words);
            destination.words(&mut words);
            destination.clock = state.clock;
        }
        (state, destination)
    }

    /// Writes the bank over the older one of `memory`, which `after` is not, and returns where.
    /// `destination`, if it has no place of its own, is part of it.
    pub(crate) fn write<M: Memory + ?Sized>(
        &mut self,
        destination: Option<&mut DestinationState>,
        memory: &mut M,
        after: Option<BankId>,
    ) -> BankId {
        let place = BankId::after(after);
        write(RING, memory, place, |words| {
            self.words(words);
            if let Some(destination) = destination {
                destination.words(words);
            }
        });
        place
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
    let len = word(block, 12) as usize;
    if !len.is_multiple_of(4) {
        return None;
    }
    let covered = block.get(4..HEADER.checked_add(len)?)?;
    let sound = word(block, 4) == kind.0 && check(kind, covered) == word(block, 0);
    sound.then_some(BankId { bank, generation: word(block, 8) })
}

/// Whether one of the banks was written whole and damaged since: perhaps the newest, whatever its
/// generation now says. For memory, whose stores keep their order; in storage it may be the one
/// that a power cut tore.
pub(crate) fn is_damaged(bytes: &[u8]) -> bool {
    (0..2).any(|bank| {
        let whole = block(bytes, bank).and_then(<[u8]>::first).is_some_and(|first| *first != 0);
        whole && sound(RING, bytes, bank).is_none()
    })
}

/// Bytes in use of this bank.
pub(crate) fn used(bytes: &[u8], bank: u8) -> usize {
    block(bytes, bank).map_or(0, |block| HEADER.saturating_add(word(block, 12) as usize))
}

/// The bytes of one bank.
pub(crate) fn block(bytes: &[u8], bank: u8) -> Option<&[u8]> {
    bytes.get(usize::from(bank) * BANK..)?.get(..BANK)
}

fn check(kind: Kind, covered: &[u8]) -> u32 {
    hash::fold(hash::bytes(u64::from(kind.0), covered)) | 1
}

/// A reader of the words of the bank at `place`.
pub(crate) fn reader(bytes: &[u8], place: Option<BankId>) -> Option<Reader<'_>> {
    let block = block(bytes, place?.bank)?;
    Some(Reader(block.get(HEADER..)?.get(..word(block, 12) as usize)?))
}

/// Writes the words that `give` visits to a bank.
pub(crate) fn write<M: Memory + ?Sized>(
    kind: Kind,
    memory: &mut M,
    place: BankId,
    give: impl FnOnce(&mut Writer<'_, M>),
) {
    let at = usize::from(place.bank) * BANK;
    memory.put(at, &[0]);
    let from = at + HEADER;
    let mut words = Writer { memory, at: from, end: at + BANK };
    give(&mut words);
    let len = words.at - from;
    let memory = words.memory;
    for (index, value) in (1..).zip([kind.0, place.generation, len as u32]) {
        memory.put(at + 4 * index, &value.to_le_bytes());
    }
    let covered = memory.bytes().get(at + 4..).and_then(|rest| rest.get(..HEADER - 4 + len));
    let [last, first @ ..] = check(kind, covered.unwrap_or(&[])).to_le_bytes();
    memory.put(at + 1, &first);
    memory.put(at, &[last]);
}

impl Clock {
    /// Gives or takes its words.
    pub(crate) fn words(&mut self, words: &mut dyn Words) {
        let mut w = [
            low(self.boot),
            high(self.boot),
            low(self.offset),
            high(self.offset),
            ticks_up(self.last),
        ];
        all(words, &mut w);
        *self = Clock {
            boot: long(w[0], w[1]),
            offset: long(w[2], w[3]),
            last: up_to(w[4], self.last),
        };
    }
}

/// In the last word of an attempt: there is one.
const THERE: u32 = 1 << 31;

/// Reads or writes the words of a bank: one list of them serves both.
pub(crate) trait Words {
    /// Writes these bytes, or replaces them by those that are read; by zeros beyond the end.
    fn bytes(&mut self, bytes: &mut [u8]);
}

/// Writes these words, or replaces them by those that are read.
#[inline]
pub(crate) fn all<const N: usize>(words: &mut dyn Words, array: &mut [u32; N]) {
    let mut bytes = array.map(u32::to_le_bytes);
    words.bytes(bytes.as_flattened_mut());
    *array = bytes.map(u32::from_le_bytes);
}

pub(crate) const fn low(long: u64) -> u32 {
    long as u32
}

pub(crate) const fn high(long: u64) -> u32 {
    (long >> 32) as u32
}

pub(crate) const fn long(low: u32, high: u32) -> u64 {
    low as u64 | (high as u64) << 32
}

/// An instant in ticks of 1,024 ms, rounded down: nobody waits for one that is kept longer than for
/// the one that was. All ones: never.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn ticks(at: Instant) -> u32 {
    u32::try_from(at.as_millis() >> 10).unwrap_or(u32::MAX)
}

/// The same, rounded up: what is bounded by it is not over too early.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn ticks_up(at: Instant) -> u32 {
    ticks(Instant::from_millis(at.as_millis().saturating_add(1023)))
}

/// The instant of a word that was read; `same`, to the millisecond, if it is the word of that.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn down_to(word: u32, same: Instant) -> Instant {
    if word == ticks(same) { same } else { instant(word) }
}

/// The same for a word that was rounded up.
#[cfg_attr(target_pointer_width = "32", inline(never))]
pub(crate) fn up_to(word: u32, same: Instant) -> Instant {
    if word == ticks_up(same) { same } else { instant(word) }
}

fn instant(word: u32) -> Instant {
    if word == u32::MAX { Instant::FAR_FUTURE } else { Instant::from_millis(u64::from(word) << 10) }
}

/// Takes words off a bank; zeros beyond its end.
pub(crate) struct Reader<'a>(&'a [u8]);

impl Words for Reader<'_> {
    fn bytes(&mut self, bytes: &mut [u8]) {
        let (taken, rest) = self.0.split_at_checked(bytes.len()).unwrap_or((self.0, &[]));
        self.0 = rest;
        bytes.fill(0);
        bytes.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
    }
}

/// Puts words, never beyond their bank.
pub(crate) struct Writer<'m, M: ?Sized> {
    memory: &'m mut M,
    at: usize,
    end: usize,
}

impl<M: Memory + ?Sized> Words for Writer<'_, M> {
    fn bytes(&mut self, bytes: &mut [u8]) {
        if self.at + bytes.len() <= self.end {
            self.memory.put(self.at, bytes);
            self.at += bytes.len();
        }
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
        let mut state = full();
        let first = state.write(Some(&mut destination()), &mut memory, None);
        assert!(used(&memory, first.bank) <= BANK);
        assert_eq!(State::read(&memory, find(RING, &memory)), (full(), destination()));
        let mut newer = State { batches: 78, attempt: None, ..state };
        let second = newer.write(Some(&mut destination()), &mut memory, Some(first));
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
        let mut state = full();
        let first = state.write(Some(&mut destination()), &mut memory, None);
        let second = state.write(Some(&mut destination()), &mut memory, Some(first));
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
        let len = word(&memory, 12) as usize;
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
