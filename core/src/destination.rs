//! What belongs to a destination and not to a ring: what was spent, what was reported when, starts
//! after a crash, the account.
//!
//! A chip has one ring for each destination, so this stands in the ring's state. Where several
//! programs share a destination it stands in a file of its own ([`DESTINATION_LEN`] bytes), which
//! all of them read and write under a lock: before an attempt, and after its outcome. So there is
//! one bound on money and one rhythm, whatever starts, ends or dies.

use crate::budget::Budget;
use crate::crashes::Crashes;
use crate::memory::Memory;
use crate::notification_log::{Group, NotificationLog};
use crate::state::{
    self, BANK, BankId, Clock, DESTINATION, Words, all, down_to, high, long, low, ticks, ticks_up,
    up_to,
};
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
    /// Gives or takes every word of a file: where the state stands in a ring, the ring's clock is
    /// its own.
    fn file_words(&mut self, words: &mut dyn Words) {
        self.clock.words(words);
        all(words, &mut [0; 3]);
        self.words(words);
    }

    /// Gives or takes every other word, in the order of the format.
    pub(crate) fn words(&mut self, words: &mut dyn Words) {
        let DestinationState { budget, log, notices, crashes, .. } = self;
        // No text yet: zero.
        let last_text = log.last_text.unwrap_or(Instant::ZERO);
        let mut w = [
            ticks_up(budget.hour.start),
            ticks_up(budget.day.start),
            u32::from(budget.hour.spent) | u32::from(budget.day.spent) << 16,
            ticks(last_text),
            ticks(log.breaks_since),
            u32::from_le_bytes([log.breaks, log.pace, log.len(), 0]),
        ];
        all(words, &mut w);
        budget.hour.start = up_to(w[0], budget.hour.start);
        budget.day.start = up_to(w[1], budget.day.start);
        (budget.hour.spent, budget.day.spent) = (w[2] as u16, (w[2] >> 16) as u16);
        if w[3] != ticks(last_text) {
            log.last_text = Some(down_to(w[3], last_text));
        }
        log.breaks_since = down_to(w[4], log.breaks_since);
        let [breaks, pace, len, _] = w[5].to_le_bytes();
        (log.breaks, log.pace) = (breaks, pace);
        log.set_len(len);
        for group in log.groups_mut() {
            let [low, high] = group.times.to_le_bytes();
            let rest = u32::from_le_bytes([group.step, group.level, low, high]);
            let mut w = [group.group, group.reported, group.seen, rest];
            all(words, &mut w);
            let [step, level, low, high] = w[3].to_le_bytes();
            let times = u16::from_le_bytes([low, high]);
            *group = Group { group: w[0], reported: w[1], seen: w[2], step, level, times };
        }

        // A balance that is not known is none, not zero.
        let balance = self.balance.map_or(i64::MIN, |balance| balance.0) as u64 ^ UNKNOWN;
        let price = self.price.0 as u64;
        let mut w = [
            ticks(notices.outage),
            ticks_up(notices.budget),
            ticks(notices.heartbeat),
            notices.errors,
            u32::from(notices.low_balance),
            ticks(crashes.first),
            ticks(crashes.last),
            ticks(crashes.reported_at),
            crashes.starts,
            crashes.reported,
            u32::from(crashes.step),
            low(price),
            high(price),
            low(balance),
            high(balance),
        ];
        all(words, &mut w);
        notices.outage = down_to(w[0], notices.outage);
        notices.budget = up_to(w[1], notices.budget);
        notices.heartbeat = down_to(w[2], notices.heartbeat);
        (notices.errors, notices.low_balance) = (w[3], w[4] != 0);
        crashes.first = down_to(w[5], crashes.first);
        crashes.last = down_to(w[6], crashes.last);
        crashes.reported_at = down_to(w[7], crashes.reported_at);
        (crashes.starts, crashes.reported, crashes.step) = (w[8], w[9], w[10] as u8);
        self.price = Decimal(long(w[11], w[12]) as i64);
        let balance = (long(w[13], w[14]) ^ UNKNOWN) as i64;
        self.balance = (balance != i64::MIN).then_some(Decimal(balance));
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::budget::Window;
    use crate::notification_log::GROUPS;

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
