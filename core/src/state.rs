//! The state block: everything that must survive and is not an event.
//!
//! It stands twice; a new one is written over the older and counts once its check holds, so a crash
//! within leaves the one before. Inside are tagged sections; a reader skips the tags it does not
//! know, so that a newer program's block never stops an older one.
//!
//! ```text
//!  0  check        hash of bytes 4..16 and of the sections, bit 0 set; the first byte is written
//!                  last, and is 0 meanwhile
//!  4  magic        "ANS1"; another version is another magic
//!  8  generation   the greater of two valid blocks is the newer
//! 12  length       bytes of sections, at most 1008
//! 16  sections     tag u16, length u16 (a multiple of 4), payload
//!
//!  tag  section        payload
//!  1    marks          settled up to (consumed), next number, events settled, doubtful up to:
//!                      u64 each; batches, boots: u32 each
//!  2    losses         told, expired, refused, damaged, aside, suppressed: u32 each
//!  3    attempt        upto u64, reference, losses, unknowns|style<<8|segments<<16
//!  4    budget         hour start u64, day start u64, hour spent | day spent << 16
//!  5    rhythm         last text u64 (max: none), breaks since u64, breaks u32
//!  6    told groups    16 bytes each: group, told, seen (ticks), step|level<<8|times<<16
//!  7    unconfirmed    12 bytes each: reference, events, level
//!  8    clock          boot id u64, offset u64, last u64
//!  9    spending       price i64, balance i64 (min: unknown)
//! 10    adoption       token u64, from u64, upto u64, u32: 1 void, 2 being copied
//! 11    adopted        tokens of the last rings adopted, u64 each
//! 12    pace           doublings of the gap: u32
//! 13    news           outage since (0: none), budget notice until, last heartbeat: u64 each,
//!                      errors since u32, low balance told u32
//! 14    crashes        starts after an unclean end: first, last, told at: u64 each; starts, told,
//!                      doublings: u32 each
//! ```

use crate::budget::{Budget, Window};
use crate::crashes::Crashes;
use crate::hash;
use crate::memory::Memory;
use crate::ring::{STATE, word};
use crate::time::Instant;
use crate::told::{self, Told};
use crate::transport::Decimal;

const MAGIC: u32 = u32::from_le_bytes(*b"ANS1");
const HEADER: usize = 16;
/// Attempts whose fate stayed unknown twice, kept until a text that names them is accepted.
pub(crate) const UNCONFIRMED: usize = 4;

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
    /// Added (wrapping) to time since boot gives time kept.
    pub(crate) offset: u64,
    /// The last time kept that was noted.
    pub(crate) last: Instant,
}

/// Losses told, and the reasons of those that were not evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Losses named by accepted texts.
    pub(crate) told: u32,
    /// Too old.
    pub(crate) expired: u32,
    /// Refused for their content, twice.
    pub(crate) refused: u32,
    /// Slots found damaged at a start.
    pub(crate) damaged: u32,
    /// Given up by the `try_` paths and the side slot.
    pub(crate) aside: u32,
    /// Not losses: below the threshold or muted.
    pub(crate) suppressed: u32,
}

/// What the alerter has to say of itself, kept across starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct News {
    /// When the first attempt failed since the last that was accepted; zero: none did.
    pub(crate) outage: Instant,
    /// That the budget is used up until then has been told.
    pub(crate) notice: Instant,
    /// The last heartbeat, or the first start.
    pub(crate) beat: Instant,
    /// Events of ERROR and above since then.
    pub(crate) errors: u32,
    /// The low balance has been told.
    pub(crate) low_told: bool,
}

/// Another ring being taken over: from before its first record is copied until all are durable
/// here. Till then its bytes are kept, and a start that finds this undoes what was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Adoption {
    /// Identifies the other ring's content.
    pub(crate) token: u64,
    /// Numbers set aside for its events.
    pub(crate) from: u64,
    pub(crate) upto: u64,
    /// It was undone: what storage has of it is to be cleared.
    pub(crate) void: bool,
    /// It is being copied.
    pub(crate) copying: bool,
}

/// Adopted rings remembered.
pub(crate) const ADOPTED: usize = 4;

/// The block's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct State {
    /// Everything up to this number is settled: told, lost, or handed on.
    pub(crate) consumed: u64,
    pub(crate) next_seq: u64,
    /// Of all numbered events, those that are not lost and wait no more: named or counted by a
    /// text, standing in an unconfirmed line, or handed on.
    pub(crate) settled: u64,
    /// Records up to this number may have been told before.
    pub(crate) doubt: u64,
    pub(crate) batches: u32,
    pub(crate) boots: u32,
    pub(crate) tally: Tally,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) budget: Budget,
    pub(crate) told: Told,
    pub(crate) unconfirmed: [Unconfirmed; UNCONFIRMED],
    pub(crate) clock: Clock,
    pub(crate) price: Decimal,
    pub(crate) balance: Option<Decimal>,
    pub(crate) adoption: Option<Adoption>,
    /// Tokens, the latest first; 0: none.
    pub(crate) adopted: [u64; ADOPTED],
    pub(crate) news: News,
    pub(crate) crashes: Crashes,
}

/// Where a block was found, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// 0 or 1.
    pub(crate) half: u8,
    pub(crate) generation: u32,
}

/// The newest valid block in `bytes`.
pub(crate) fn find(bytes: &[u8]) -> Option<Place> {
    match (sound(bytes, 0), sound(bytes, 1)) {
        (Some(a), Some(b)) => {
            Some(if a.generation.wrapping_sub(b.generation) as i32 > 0 { a } else { b })
        }
        (a, b) => a.or(b),
    }
}

/// The block in this half, if its check holds.
fn sound(bytes: &[u8], half: u8) -> Option<Place> {
    let block = block(bytes, half)?;
    let len = word(block, 12) as usize;
    if !len.is_multiple_of(4) {
        return None;
    }
    let covered = block.get(4..HEADER.checked_add(len)?)?;
    let sound = word(block, 4) == MAGIC && check(covered) == word(block, 0);
    sound.then_some(Place { half, generation: word(block, 8) })
}

/// Whether one of the blocks was written whole and damaged since: perhaps the newest, whatever its
/// generation now says. For memory, whose stores keep their order; in storage it may be the one
/// that a power cut tore.
pub(crate) fn is_damaged(bytes: &[u8]) -> bool {
    (0..2).any(|half| {
        let whole = block(bytes, half).and_then(<[u8]>::first).is_some_and(|first| *first != 0);
        whole && sound(bytes, half).is_none()
    })
}

/// Bytes in use of the block in this half.
pub(crate) fn used(bytes: &[u8], half: u8) -> usize {
    block(bytes, half).map_or(0, |block| HEADER.saturating_add(word(block, 12) as usize))
}

/// The bytes of one half.
pub(crate) fn block(bytes: &[u8], half: u8) -> Option<&[u8]> {
    bytes.get(usize::from(half) * STATE..)?.get(..STATE)
}

fn check(covered: &[u8]) -> u32 {
    hash::fold(hash::bytes(u64::from(MAGIC), covered)) | 1
}

impl State {
    /// Reads the block at `place`; without one all is as at a first start. Sections cut short or
    /// unknown are skipped.
    pub(crate) fn read(bytes: &[u8], place: Option<Place>) -> State {
        let mut state = State::default();
        let block = place.and_then(|place| block(bytes, place.half));
        let Some(block) = block else { return state };
        let len = word(block, 12) as usize;
        let mut rest = block.get(HEADER..).and_then(|rest| rest.get(..len)).unwrap_or(&[]);
        while let Some((head, tail)) = rest.split_at_checked(4) {
            let (tag, len) = (word(head, 0) as u16, (word(head, 0) >> 16) as usize);
            let Some((payload, after)) = tail.split_at_checked(len) else { break };
            state.read_section(tag, &mut Reader(payload));
            rest = after;
        }
        state
    }

    fn read_section(&mut self, tag: u16, from: &mut Reader<'_>) {
        match tag {
            1 => {
                self.consumed = from.long();
                self.next_seq = from.long();
                self.settled = from.long();
                self.doubt = from.long();
                self.batches = from.word();
                self.boots = from.word();
            }
            2 => {
                let tally = &mut self.tally;
                tally.told = from.word();
                tally.expired = from.word();
                tally.refused = from.word();
                tally.damaged = from.word();
                tally.aside = from.word();
                tally.suppressed = from.word();
            }
            3 => {
                let (upto, reference, losses) = (from.long(), from.word(), from.word());
                let [unknowns, style, charged, _] = from.word().to_le_bytes();
                self.attempt = Some(Attempt { upto, reference, losses, unknowns, style, charged });
            }
            4 => {
                let (hour, day) = (from.instant(), from.instant());
                let spent = from.word();
                self.budget = Budget {
                    hour: Window { start: hour, spent: spent as u16 },
                    day: Window { start: day, spent: (spent >> 16) as u16 },
                };
            }
            5 => {
                let last = from.instant();
                self.told.last_text = (last != Instant::FAR_FUTURE).then_some(last);
                self.told.breaks_since = from.instant();
                self.told.breaks = from.word() as u8;
            }
            6 => {
                while !from.0.is_empty() {
                    let (group, told, seen) = (from.word(), from.word(), from.word());
                    let [step, level, low, high] = from.word().to_le_bytes();
                    let times = u16::from_le_bytes([low, high]);
                    self.told.restore(told::Entry { group, told, seen, step, level, times });
                }
            }
            7 => {
                for place in &mut self.unconfirmed {
                    let (reference, events) = (from.word(), from.word());
                    *place = Unconfirmed { reference, events, level: from.word() as u8 };
                }
            }
            8 => {
                let (boot, offset) = (from.long(), from.long());
                self.clock = Clock { boot, offset, last: from.instant() };
            }
            9 => {
                self.price = Decimal(from.long() as i64);
                let balance = from.long() as i64;
                self.balance = (balance != i64::MIN).then_some(Decimal(balance));
            }
            10 => {
                let (token, first, upto) = (from.long(), from.long(), from.long());
                let (void, copying) = match from.word() {
                    0 => (false, false),
                    2 => (false, true),
                    _ => (true, false),
                };
                self.adoption = Some(Adoption { token, from: first, upto, void, copying });
            }
            11 => self.adopted.iter_mut().for_each(|token| *token = from.long()),
            12 => self.told.pace = from.word() as u8,
            13 => {
                let (outage, notice, beat) = (from.instant(), from.instant(), from.instant());
                let (errors, low_told) = (from.word(), from.word() != 0);
                self.news = News { outage, notice, beat, errors, low_told };
            }
            14 => {
                let (first, last, told_at) = (from.instant(), from.instant(), from.instant());
                let (starts, told, step) = (from.word(), from.word(), from.word() as u8);
                self.crashes = Crashes { first, last, told_at, starts, told, step };
            }
            _ => {}
        }
    }

    /// Writes the block over the older half of `memory`, which `after` is not, and returns where.
    pub(crate) fn write<M: Memory + ?Sized>(&self, memory: &mut M, after: Option<Place>) -> Place {
        let place = Place {
            half: after.map_or(0, |place| 1 - (place.half & 1)),
            generation: after.map_or(1, |place| place.generation.wrapping_add(1)),
        };
        let at = usize::from(place.half) * STATE;
        memory.put(at, &[0]);
        let mut into = Writer { memory, at: at + HEADER, end: at + STATE };
        self.write_sections(&mut into);
        let len = into.at - at - HEADER;
        let generation = place.generation;
        let fixed = [MAGIC, generation, len as u32];
        for (index, value) in (1..).zip(fixed) {
            memory.put(at + 4 * index, &value.to_le_bytes());
        }
        let covered = memory.bytes().get(at + 4..).and_then(|rest| rest.get(..HEADER - 4 + len));
        let [last, first @ ..] = check(covered.unwrap_or(&[])).to_le_bytes();
        memory.put(at + 1, &first);
        memory.put(at, &[last]);
        place
    }

    fn write_sections<M: Memory + ?Sized>(&self, into: &mut Writer<'_, M>) {
        into.section(1, 40);
        into.longs([self.consumed, self.next_seq, self.settled, self.doubt]);
        into.words([self.batches, self.boots]);

        let tally = &self.tally;
        into.section(2, 24);
        into.words([tally.told, tally.expired, tally.refused]);
        into.words([tally.damaged, tally.aside, tally.suppressed]);
        if let Some(attempt) = &self.attempt {
            into.section(3, 20);
            into.long(attempt.upto);
            into.word(attempt.reference);
            into.word(attempt.losses);
            let flags = [attempt.unknowns, attempt.style, attempt.charged, 0];
            into.word(u32::from_le_bytes(flags));
        }
        into.section(4, 20);
        let starts = [self.budget.hour.start, self.budget.day.start];
        into.longs(starts.map(Instant::as_millis));
        let (hour, day) = (self.budget.hour.spent, self.budget.day.spent);
        into.word(u32::from(hour) | u32::from(day) << 16);

        into.section(5, 20);
        let last = self.told.last_text.unwrap_or(Instant::FAR_FUTURE);
        into.longs([last, self.told.breaks_since].map(Instant::as_millis));
        into.word(u32::from(self.told.breaks));

        let entries = self.told.entries();
        into.section(6, (entries.len() * told::ENTRY) as u16);
        for entry in entries {
            let [low, high] = entry.times.to_le_bytes();
            let rest = u32::from_le_bytes([entry.step, entry.level, low, high]);
            into.words([entry.group, entry.told, entry.seen, rest]);
        }
        into.section(7, 12 * UNCONFIRMED as u16);
        for unknown in &self.unconfirmed {
            into.words([unknown.reference, unknown.events, unknown.level.into()]);
        }
        into.section(8, 24);
        into.longs([self.clock.boot, self.clock.offset, self.clock.last.as_millis()]);

        into.section(9, 16);
        let balance = self.balance.map_or(i64::MIN, |balance| balance.0);
        into.longs([self.price.0 as u64, balance as u64]);

        if let Some(adoption) = &self.adoption {
            into.section(10, 28);
            into.longs([adoption.token, adoption.from, adoption.upto]);
            into.word(if adoption.copying { 2 } else { u32::from(adoption.void) });
        }
        into.section(11, 8 * ADOPTED as u16);
        into.longs(self.adopted);

        into.section(12, 4);
        into.word(u32::from(self.told.pace));

        let news = &self.news;
        into.section(13, 32);
        into.longs([news.outage, news.notice, news.beat].map(Instant::as_millis));
        into.words([news.errors, u32::from(news.low_told)]);

        let crashes = &self.crashes;
        if crashes.starts > 0 {
            into.section(14, 36);
            for at in [crashes.first, crashes.last, crashes.told_at] {
                into.long(at.as_millis());
            }
            for count in [crashes.starts, crashes.told, u32::from(crashes.step)] {
                into.word(count);
            }
        }
    }
}

/// Takes little-endian numbers off a section; zeros beyond its end.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn word(&mut self) -> u32 {
        match self.0.split_first_chunk::<4>() {
            Some((word, rest)) => {
                self.0 = rest;
                u32::from_le_bytes(*word)
            }
            None => {
                self.0 = &[];
                0
            }
        }
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn long(&mut self) -> u64 {
        u64::from(self.word()) | u64::from(self.word()) << 32
    }

    fn instant(&mut self) -> Instant {
        Instant::from_millis(self.long())
    }
}

/// Puts little-endian words, never beyond its half.
struct Writer<'m, M: ?Sized> {
    memory: &'m mut M,
    at: usize,
    end: usize,
}

impl<M: Memory + ?Sized> Writer<'_, M> {
    fn section(&mut self, tag: u16, len: u16) {
        self.word(u32::from(tag) | u32::from(len) << 16);
    }

    fn word(&mut self, word: u32) {
        self.words([word]);
    }

    fn long(&mut self, long: u64) {
        self.longs([long]);
    }

    /// Several at once: a store each would cost more than the words.
    fn words<const N: usize>(&mut self, words: [u32; N]) {
        self.bytes(words.map(u32::to_le_bytes).as_flattened());
    }

    fn longs<const N: usize>(&mut self, longs: [u64; N]) {
        self.bytes(longs.map(u64::to_le_bytes).as_flattened());
    }

    fn bytes(&mut self, bytes: &[u8]) {
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
        let mut state = State {
            consumed: 1 << 40,
            next_seq: (1 << 40) + 9,
            settled: (1 << 40) - 7,
            doubt: 11,
            batches: 77,
            boots: 3,
            tally: Tally { told: 1, expired: 3, refused: 4, damaged: 5, aside: 6, suppressed: 7 },
            attempt: Some(Attempt {
                upto: (1 << 40) + 4,
                reference: 76,
                losses: 9,
                unknowns: 1,
                style: 1,
                charged: 2,
            }),
            price: Decimal(333),
            balance: Some(Decimal(-1)),
            adoption: Some(Adoption {
                token: 1 << 60,
                from: 3,
                upto: u64::MAX,
                void: true,
                copying: false,
            }),
            adopted: [1 << 50, 2, 3, 0],
            news: News {
                outage: Instant::from_secs(1),
                notice: Instant::from_secs(2),
                beat: Instant::from_secs(3),
                errors: 4,
                low_told: true,
            },
            clock: Clock {
                boot: 0xDEAD_BEEF_0000_0001,
                offset: u64::MAX - 5,
                last: Instant::from_secs(9),
            },
            ..State::default()
        };
        state.budget.charge(Instant::from_secs(4), 3);
        state.told.last_text = Some(Instant::from_secs(8));
        state.told.pace = 3;
        state.unconfirmed[2] = Unconfirmed { reference: 5, events: 6, level: 5 };
        for group in 1..=told::GROUPS as u32 {
            state.told.restore(told::Entry {
                group,
                told: 2,
                seen: 3,
                step: 4,
                level: 5,
                times: 6,
            });
        }
        state
    }

    #[test]
    fn a_block_is_read_back_as_written_and_the_newest_wins() {
        let mut memory = [0xEE_u8; 2 * STATE];
        assert_eq!(find(&memory), None);
        let state = full();
        let first = state.write(&mut memory, None);
        assert_eq!(State::read(&memory, find(&memory)), state);
        let newer = State { batches: 78, ..state };
        let second = newer.write(&mut memory, Some(first));
        assert_ne!(first.half, second.half);
        assert_eq!(find(&memory), Some(second));
        assert_eq!(State::read(&memory, Some(second)).batches, 78);
    }

    #[test]
    fn any_damaged_byte_leaves_the_block_before() {
        let mut memory = [0_u8; 2 * STATE];
        let state = full();
        let first = state.write(&mut memory, None);
        let second = State { batches: 78, ..state }.write(&mut memory, Some(first));
        let at = usize::from(second.half) * STATE;
        let used = HEADER + word(&memory[at..], 12) as usize;
        for byte in 0..used {
            for bit in 0..8 {
                let mut damaged = memory;
                damaged[at + byte] ^= 1 << bit;
                assert_eq!(find(&damaged), Some(first), "byte {byte} bit {bit}");
            }
        }
    }

    #[test]
    fn unknown_sections_are_skipped() {
        let mut memory = [0_u8; 2 * STATE];
        let place = State { batches: 5, ..State::default() }.write(&mut memory, None);
        let len = word(&memory, 12) as usize;
        memory[HEADER + len..][..12].copy_from_slice(&[99, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        memory[12..16].copy_from_slice(&(len as u32 + 12).to_le_bytes());
        let check = check(&memory[4..HEADER + len + 12]);
        memory[..4].copy_from_slice(&check.to_le_bytes());
        assert_eq!(find(&memory), Some(place));
        assert_eq!(State::read(&memory, Some(place)).batches, 5);
    }
}
