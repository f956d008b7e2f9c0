//! What belongs to a destination and not to a ring: what was spent, what was reported when, starts
//! after a crash, the account.
//!
//! A chip has one ring for each destination, so this stands in the ring's state. Where several
//! programs share a destination it stands in a file of its own ([`DESTINATION_LEN`] bytes), which
//! all of them read and write under a lock: before an attempt, and after its outcome. So there is
//! one bound on money and one rhythm, whatever starts, ends or dies.

use crate::budget::{Budget, Window};
use crate::crashes::Crashes;
use crate::memory::Memory;
use crate::notification_log::{GROUPS, Group, NotificationLog};
use crate::state::{self, BANK, BankId, Clock, DESTINATION, Reader, Writer, high, low, word};
use crate::time::Instant;
use crate::transport::Decimal;

/// Size of a destination's file: two banks, of which the newest counts.
pub const DESTINATION_LEN: usize = 2 * BANK;

/// Which of two copies of a destination's file is newer: that with the greater generation. `None`:
/// it holds no state.
pub fn destination_generation(file: &[u8]) -> Option<u32> {
    state::find(DESTINATION, file).map(|place| place.generation)
}

/// What the alerter has to report of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NoticeLog {
    /// When the first attempt failed since the last that was accepted; zero: none did.
    pub(crate) outage: Instant,
    /// That the budget is used up until then has been reported.
    pub(crate) budget: Instant,
    /// The last heartbeat, or the first start.
    pub(crate) heartbeat: Instant,
    /// Events of ERROR and above since then.
    pub(crate) errors: u32,
    /// The low balance has been reported.
    pub(crate) low_balance: bool,
}

/// The state of one destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DestinationState {
    /// The persistent time that all its instants are of.
    pub(crate) clock: Clock,
    pub(crate) budget: Budget,
    pub(crate) log: NotificationLog,
    pub(crate) notices: NoticeLog,
    pub(crate) crashes: Crashes,
    /// Sum of the prices that the service named.
    pub(crate) price: Decimal,
    pub(crate) balance: Option<Decimal>,
}

impl DestinationState {
    /// Writes every word but those of the clock, in the order of the format.
    pub(crate) fn write_words<M: Memory + ?Sized>(&self, words: &mut Writer<'_, M>) {
        let DestinationState { budget, log, notices, crashes, .. } = self;
        // No text yet: zero.
        let last_text = log.last_text.unwrap_or(Instant::ZERO);
        words.put([
            word(budget.hour.start.tick_up()),
            word(budget.day.start.tick_up()),
            word(u32::from(budget.hour.spent) | u32::from(budget.day.spent) << 16),
            word(last_text.tick()),
            word(log.breaks_since.tick()),
            [log.breaks, log.pace, log.groups.len() as u8, 0],
        ]);
        for group in &log.groups {
            let [low, high] = group.times.to_le_bytes();
            words.put([
                word(group.group),
                word(group.reported),
                word(group.seen),
                [group.step, group.level, low, high],
            ]);
        }
        let price = self.price.0 as u64;
        // A balance that is not known is none, not zero.
        let balance = self.balance.map_or(i64::MIN, |balance| balance.0) as u64 ^ UNKNOWN;
        words.put([
            word(notices.outage.tick()),
            word(notices.budget.tick_up()),
            word(notices.heartbeat.tick()),
            word(notices.errors),
            word(notices.low_balance.into()),
            word(crashes.first.tick()),
            word(crashes.last.tick()),
            word(crashes.reported_at.tick()),
            word(crashes.starts),
            word(crashes.reported),
            word(crashes.step.into()),
            low(price),
            high(price),
            low(balance),
            high(balance),
        ]);
    }

    /// Reads the same words.
    pub(crate) fn read_words(words: &mut Reader<'_>) -> DestinationState {
        let (hour, day) = (words.instant(), words.instant());
        let spent = words.word();
        let budget = Budget {
            hour: Window { start: hour, spent: spent as u16 },
            day: Window { start: day, spent: (spent >> 16) as u16 },
        };
        let mut log = NotificationLog {
            last_text: Some(words.instant()).filter(|at| *at > Instant::ZERO),
            breaks_since: words.instant(),
            ..NotificationLog::default()
        };
        let [breaks, pace, len, _] = words.word().to_le_bytes();
        (log.breaks, log.pace) = (breaks, pace);
        for _ in 0..len.min(GROUPS as u8) {
            let (group, reported, seen) = (words.word(), words.word(), words.word());
            let [step, level, low, high] = words.word().to_le_bytes();
            let times = u16::from_le_bytes([low, high]);
            log.remember(Group { group, reported, seen, step, level, times });
        }
        DestinationState {
            clock: Clock::default(),
            budget,
            log,
            notices: NoticeLog {
                outage: words.instant(),
                budget: words.instant(),
                heartbeat: words.instant(),
                errors: words.word(),
                low_balance: words.word() != 0,
            },
            crashes: Crashes {
                first: words.instant(),
                last: words.instant(),
                reported_at: words.instant(),
                starts: words.word(),
                reported: words.word(),
                step: words.word() as u8,
            },
            price: Decimal(words.long() as i64),
            balance: Some((words.long() ^ UNKNOWN) as i64)
                .filter(|balance| *balance != i64::MIN)
                .map(Decimal),
        }
    }

    /// Reads the newest bank of a destination's file, and says which it was.
    pub(crate) fn read(file: &[u8]) -> Option<(DestinationState, BankId)> {
        let place = state::find(DESTINATION, file);
        let mut words = state::reader(file, place)?;
        let clock = Clock::read_words(&mut words);
        // Kept free.
        let _ = [words.word(), words.word(), words.word()];
        Some((DestinationState { clock, ..DestinationState::read_words(&mut words) }, place?))
    }

    /// Writes itself as the bank that follows `after`. Where it stands in a ring, the ring's clock
    /// is its own.
    pub(crate) fn write<M: Memory + ?Sized>(&self, file: &mut M, after: Option<BankId>) -> BankId {
        state::write(DESTINATION, file, after, |words| {
            self.clock.write_words(words);
            words.put([[0; 4]; 3]);
            self.write_words(words);
        })
    }
}

/// Turns the word of an unknown balance into zero: a bank that is too short has none.
const UNKNOWN: u64 = i64::MIN as u64;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn at(ticks: u64) -> Instant {
        Instant::from_millis(ticks << 10)
    }

    pub(crate) fn full() -> DestinationState {
        let mut full = DestinationState {
            clock: Clock { boot: 7 << 40, offset: u64::MAX - 4, last: at(99) },
            budget: Budget {
                hour: Window { start: at(5), spent: 3 },
                day: Window { start: at(4), spent: 12 },
            },
            notices: NoticeLog {
                outage: at(1),
                budget: at(2),
                heartbeat: at(3),
                errors: 4,
                low_balance: true,
            },
            crashes: Crashes {
                first: at(6),
                last: at(7),
                reported_at: at(8),
                starts: 9,
                reported: 5,
                step: 2,
            },
            price: Decimal(333),
            balance: Some(Decimal(-1)),
            ..DestinationState::default()
        };
        full.log.last_text = Some(at(8));
        full.log.breaks_since = at(9);
        (full.log.breaks, full.log.pace) = (2, 3);
        for group in 1..=GROUPS as u32 {
            let [reported, seen] = [2, 3];
            full.log.remember(Group { group, reported, seen, step: 4, level: 5, times: 600 });
        }
        full
    }

    #[test]
    fn a_file_is_read_back_as_written_and_its_banks_take_turns() {
        let mut file = [0xEE_u8; DESTINATION_LEN];
        assert_eq!(DestinationState::read(&file), None);
        let first = full().write(&mut file, None);
        assert_eq!(DestinationState::read(&file), Some((full(), first)));
        let newer = DestinationState { balance: None, ..full() };
        let second = newer.write(&mut file, Some(first));
        assert_ne!(first.bank, second.bank);
        assert_eq!(DestinationState::read(&file), Some((newer, second)));
        file[usize::from(second.bank) * BANK + 40] ^= 1;
        assert_eq!(DestinationState::read(&file), Some((full(), first)));
    }

    #[test]
    fn an_empty_file_and_a_fresh_state_are_the_same() {
        let mut file = [0; DESTINATION_LEN];
        let place = DestinationState::default().write(&mut file, None);
        assert_eq!(DestinationState::read(&file), Some((DestinationState::default(), place)));
        assert_eq!(DestinationState::read(&[]), None);
    }
}
