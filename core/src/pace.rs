//! How closely texts of one sender follow each other, over all the destinations that share it.
//!
//! A number of the service may send only so many segments a second, whoever they go to. Texts of
//! one event become due for all its destinations at the same moment; without a pace all but the
//! first would be refused, after they had been paid for in time and power.

use crate::time::{Duration, Instant};
use crate::transport::{Code, Outcome, Retry};

/// The turns of one sender. Whoever drives several alerters over one sender shares it between them.
///
/// ```
/// use annunciator_core::pace::Pace;
/// use annunciator_core::time::{Duration, Instant};
///
/// let mut pace = Pace::new(Duration::from_secs(1));
/// let now = Instant::from_secs(100);
/// assert!(pace.turn(now, 2).is_ok());
/// assert!(pace.turn(now, 1).is_err(), "the sender is busy for two seconds");
/// assert!(pace.turn(now + Duration::from_secs(2), 1).is_ok());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    segment: Duration,
    free: Instant,
}

impl Pace {
    /// A sender that each segment occupies for so long; zero: there is no pace.
    pub const fn new(segment: Duration) -> Pace {
        Pace { segment, free: Instant::ZERO }
    }

    /// Takes the turn for a text of so many segments that leaves now.
    ///
    /// # Errors
    /// Another text occupies the sender. The outcome is that of this attempt, in place of sending
    /// it: it costs nothing, and the text comes again when the sender is free.
    pub fn turn(&mut self, now: Instant, segments: u8) -> Result<(), Outcome> {
        if now < self.free {
            return Err(Outcome::Retry(Retry::throttled(self.free.since(now), Code::NONE)));
        }
        let mut free = now;
        for _ in 0..segments {
            free = free + self.segment;
        }
        self.free = free;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_waits_exactly_until_the_sender_is_free_and_none_for_ever() {
        let mut pace = Pace::new(Duration::from_secs(1));
        let start = Instant::from_secs(10);
        let mut waiting = std::vec![(start, 2), (start, 1), (start, 6), (start, 1)];
        let mut left = std::vec::Vec::new();
        for _ in 0..20 {
            waiting.sort_by_key(|(at, _)| *at);
            let Some((at, segments)) = waiting.first().copied() else { break };
            match pace.turn(at, segments) {
                Ok(()) => {
                    left.push(at.since(start).as_millis() / 1000);
                    waiting.remove(0);
                }
                Err(Outcome::Retry(Retry { after: Some(after), .. })) => {
                    waiting[0].0 = at + after;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(left.len(), 4);
        assert_eq!(left[..2], [0, 2]);
        assert!(left.windows(2).all(|pair| pair[0] < pair[1]), "{left:?}");
    }

    #[test]
    fn no_pace_is_no_wait() {
        let mut pace = Pace::new(Duration::ZERO);
        assert!((0..50).all(|_| pace.turn(Instant::from_secs(1), 6).is_ok()));
    }
}
