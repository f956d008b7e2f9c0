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
use crate::state::{self, BANK, BankId, Clock, DESTINATION, Words};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// Visits every word of a file: where the state stands in a ring, the ring's clock is its own.
    fn file_words(&mut self, words: &mut dyn Words) {
        words.long(&mut self.clock.boot);
        words.long(&mut self.clock.offset);
        words.instant_up(&mut self.clock.last);
        words.spare(3);
        self.words(words);
    }

    /// Visits every other word, in the order of the format.
    pub(crate) fn words(&mut self, words: &mut dyn Words) {
        let Budget { hour, day } = &mut self.budget;
        words.instant_up(&mut hour.start);
        words.instant_up(&mut day.start);
        let mut spent = u32::from(hour.spent) | u32::from(day.spent) << 16;
        words.word(&mut spent);
        (hour.spent, day.spent) = (spent as u16, (spent >> 16) as u16);

        self.log(words);

        let notices = &mut self.notices;
        words.instant(&mut notices.outage);
        words.instant_up(&mut notices.budget);
        words.instant(&mut notices.heartbeat);
        words.word(&mut notices.errors);
        let mut low = u32::from(notices.low_balance);
        words.word(&mut low);
        notices.low_balance = low != 0;

        let crashes = &mut self.crashes;
        for at in [&mut crashes.first, &mut crashes.last, &mut crashes.reported_at] {
            words.instant(at);
        }
        let mut step = u32::from(crashes.step);
        for count in [&mut crashes.starts, &mut crashes.reported, &mut step] {
            words.word(count);
        }
        crashes.step = step as u8;

        let mut price = self.price.0 as u64;
        words.long(&mut price);
        self.price = Decimal(price as i64);
        // A balance that is not known is none, not zero.
        let mut balance = self.balance.map_or(i64::MIN, |balance| balance.0) as u64 ^ UNKNOWN;
        words.long(&mut balance);
        let balance = (balance ^ UNKNOWN) as i64;
        self.balance = (balance != i64::MIN).then_some(Decimal(balance));
    }

    fn log(&mut self, words: &mut dyn Words) {
        let log = &mut self.log;
        // Zero: there was none yet.
        let mut last = log.last_text.unwrap_or(Instant::ZERO);
        words.instant(&mut last);
        log.last_text = (last != Instant::ZERO).then_some(last);
        words.instant(&mut log.breaks_since);
        let mut packed = u32::from_le_bytes([log.breaks, log.pace, log.len(), 0]);
        words.word(&mut packed);
        let [breaks, pace, len, _] = packed.to_le_bytes();
        (log.breaks, log.pace) = (breaks, pace);
        log.set_len(len);
        for number in 0..usize::from(len.min(GROUPS as u8)) {
            let Some(group) = log.group_mut(number) else { break };
            let Group { group, reported, seen, step, level, times } = group;
            let [low, high] = times.to_le_bytes();
            let mut rest = u32::from_le_bytes([*step, *level, low, high]);
            for word in [group, reported, seen, &mut rest] {
                words.word(word);
            }
            let [first, second, low, high] = rest.to_le_bytes();
            (*step, *level, *times) = (first, second, u16::from_le_bytes([low, high]));
        }
    }

    /// Reads the newest bank of a destination's file, and says which it was.
    pub(crate) fn read(file: &[u8]) -> Option<(DestinationState, BankId)> {
        let place = state::find(DESTINATION, file);
        let mut words = state::reader(file, place)?;
        let mut destination = DestinationState::default();
        destination.file_words(&mut words);
        Some((destination, place?))
    }

    /// Writes itself as the bank that follows `after`.
    pub(crate) fn write<M: Memory + ?Sized>(
        &mut self,
        file: &mut M,
        after: Option<BankId>,
    ) -> BankId {
        let place = BankId::after(after);
        state::write(DESTINATION, file, place, |words| self.file_words(words));
        place
    }
}

/// Turns the word of an unknown balance into zero: a bank that is too short has none.
const UNKNOWN: u64 = i64::MIN as u64;

impl Window {
    #[cfg(test)]
    fn of(start: Instant, spent: u16) -> Window {
        Window { start, spent }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn ticks(ticks: u64) -> Instant {
        Instant::from_millis(ticks << 10)
    }

    pub(crate) fn full() -> DestinationState {
        let mut full = DestinationState {
            clock: Clock { boot: 7 << 40, offset: u64::MAX - 4, last: ticks(99) },
            budget: Budget { hour: Window::of(ticks(5), 3), day: Window::of(ticks(4), 12) },
            notices: NoticeLog {
                outage: ticks(1),
                budget: ticks(2),
                heartbeat: ticks(3),
                errors: 4,
                low_balance: true,
            },
            crashes: Crashes {
                first: ticks(6),
                last: ticks(7),
                reported_at: ticks(8),
                starts: 9,
                reported: 5,
                step: 2,
            },
            price: Decimal(333),
            balance: Some(Decimal(-1)),
            ..DestinationState::default()
        };
        full.log.last_text = Some(ticks(8));
        full.log.breaks_since = ticks(9);
        (full.log.breaks, full.log.pace) = (2, 3);
        for group in 1..=GROUPS as u32 {
            let [reported, seen] = [2, 3];
            full.log.restore(Group { group, reported, seen, step: 4, level: 5, times: 600 });
        }
        full
    }

    #[test]
    fn a_file_is_read_back_as_written_and_its_banks_take_turns() {
        let mut file = [0xEE_u8; DESTINATION_LEN];
        assert_eq!(DestinationState::read(&file), None);
        let first = full().write(&mut file, None);
        assert_eq!(DestinationState::read(&file), Some((full(), first)));
        let mut newer = DestinationState { balance: None, ..full() };
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
