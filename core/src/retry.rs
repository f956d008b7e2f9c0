//! When to try again: exponential backoff with full jitter, a server's own wait, and the latch for
//! refusals that only a person can lift.
//!
//! ```text
//!              failure: delay in (0, min(5 min, 1 s · 2ⁿ)], n += 1
//!            ┌────────────────────────────────────────────┐
//!   open ────┤ throttled: as asked (≤ 1 h), n unchanged     ├──► closed until t ──► open
//!            └────────────────────────────────────────────┘
//!    │  refused (channel)                        accepted
//!    └──────────────► latched: probes after 1, 5, 30 min, then hourly ──────► open, n = 0
//! ```

use crate::policy::Policy;
use crate::time::{Duration, Instant};
use crate::transport::{Refusal, RetryCause};

/// The state of one destination's channel. Never persisted: a restart may try at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retry {
    /// No attempt before this.
    until: Instant,
    failures: u8,
    unrecognised: u8,
    latch: Option<Latch>,
    random: u32,
}

/// A service that asks for no wait at all shall not be asked in a circle.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
struct Latch {
    refusal: Refusal,
    probes: u8,
}

impl Retry {
    /// An open channel. The seed decides the jitter; any value will do.
    pub(crate) const fn new(seed: u32) -> Retry {
        Retry {
            until: Instant::ZERO,
            failures: 0,
            unrecognised: 0,
            latch: None,
            // Devices that count their seeds from one are to differ at the first draw.
            random: seed.wrapping_mul(0x9E37_79B9) | 1,
        }
    }

    /// No attempt before this.
    pub(crate) const fn until(&self) -> Instant {
        self.until
    }

    /// Failures in a row.
    pub(crate) const fn failures(&self) -> u8 {
        self.failures
    }

    /// The refusal that latched the channel.
    pub(crate) fn latched(&self) -> Option<Refusal> {
        self.latch.map(|latch| latch.refusal)
    }

    /// The channel works.
    pub(crate) fn accepted(&mut self) {
        self.failures = 0;
        self.unrecognised = 0;
        self.latch = None;
    }

    /// Not sent.
    pub(crate) fn failed(
        &mut self,
        policy: &Policy,
        now: Instant,
        cause: RetryCause,
        after: Option<Duration>,
    ) {
        match cause {
            RetryCause::Throttled => {
                let asked = after.unwrap_or(Duration::from_secs(1));
                let wait = asked.max(SHORTEST_WAIT).min(policy.wait_max);
                self.until = now + wait;
                return;
            }
            RetryCause::Failure => self.unrecognised = 0,
            RetryCause::Unrecognised => self.unrecognised = self.unrecognised.saturating_add(1),
        }
        let wait = match after {
            Some(wait) if wait >= SHORTEST_WAIT => wait.min(policy.wait_max),
            _ => self.backoff(policy),
        };
        self.failures = self.failures.saturating_add(1);
        self.until = now + wait;
    }

    /// Whether so many answers in a row were unrecognised; they are counted anew from then on.
    pub(crate) fn is_unrecognised(&mut self, times: u8) -> bool {
        let reached = self.unrecognised >= times;
        if reached {
            self.unrecognised = 0;
        }
        reached
    }

    /// Perhaps sent: waits as after a failure.
    pub(crate) fn unclear(&mut self, policy: &Policy, now: Instant) {
        let wait = self.backoff(policy);
        self.failures = self.failures.saturating_add(1);
        self.until = now + wait;
    }

    /// Nothing passes until somebody changes something: probe now and then.
    pub(crate) fn refused(&mut self, now: Instant, refusal: Refusal) {
        let probes = self.latch.map_or(0, |latch| latch.probes.saturating_add(1));
        let minutes = match probes {
            0 => 1,
            1 => 5,
            2 => 30,
            _ => 60,
        };
        self.latch = Some(Latch { refusal, probes });
        self.until = now + Duration::from_mins(minutes);
    }

    fn backoff(&mut self, policy: &Policy) -> Duration {
        let limit = policy.backoff_min.grown(self.failures.min(31), policy.backoff_max);
        let span = limit.as_millis().min(u64::from(u32::MAX));
        Duration::from_millis(1 + ((u64::from(self.draw()) * span) >> 32))
    }

    /// xorshift32 (Marsaglia, 2003): jitter needs no more.
    fn draw(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Code, RefusalClass};

    #[test]
    fn backoff_grows_to_its_limit_with_jitter_over_the_whole_span() {
        let policy = Policy::default();
        let mut limit = 1000;
        let mut retry = Retry::new(7);
        for _ in 0..40 {
            retry.failed(&policy, Instant::ZERO, RetryCause::Failure, None);
            let wait = retry.until().as_millis();
            assert!(wait >= 1 && wait <= limit, "{wait} > {limit}");
            limit = (limit * 2).min(300_000);
        }
        let waits: [u64; 64] = core::array::from_fn(|_| {
            retry.failed(&policy, Instant::ZERO, RetryCause::Failure, None);
            retry.until().as_millis()
        });
        assert!(
            waits.iter().any(|wait| *wait < 75_000) && waits.iter().any(|wait| *wait > 225_000)
        );
    }

    #[test]
    fn neighbouring_seeds_spread_the_first_attempt_over_the_whole_span() {
        let policy = Policy::default();
        let mut quarters = [0; 4];
        for seed in 0..100 {
            let mut retry = Retry::new(seed);
            retry.failed(&policy, Instant::ZERO, RetryCause::Failure, None);
            let wait = retry.until().as_millis();
            quarters[(wait as usize - 1) / 250] += 1;
        }
        assert!(quarters.iter().all(|devices| (15..=35).contains(devices)), "{quarters:?}");
    }

    #[test]
    fn a_servers_wait_is_obeyed_to_the_millisecond_and_costs_no_attempt() {
        let policy = Policy::default();
        let mut retry = Retry::new(1);
        let wait = Some(Duration::from_millis(702));
        retry.failed(&policy, Instant::from_secs(1), RetryCause::Throttled, wait);
        assert_eq!(retry.until(), Instant::from_millis(1702));
        assert_eq!(retry.failures(), 0);
        retry.failed(&policy, Instant::ZERO, RetryCause::Throttled, Some(Duration::ZERO));
        assert_eq!(retry.until(), Instant::ZERO + SHORTEST_WAIT);
        let day = Some(Duration::from_hours(24));
        retry.failed(&policy, Instant::ZERO, RetryCause::Throttled, day);
        assert_eq!(retry.until(), Instant::ZERO + Duration::from_hours(1));
    }

    #[test]
    fn a_server_that_asks_for_no_wait_after_a_failure_gets_the_backoff() {
        let policy = Policy::default();
        let mut retry = Retry::new(7);
        for _ in 0..40 {
            retry.failed(&policy, Instant::ZERO, RetryCause::Failure, Some(Duration::ZERO));
        }
        assert!(retry.until() > Instant::ZERO + Duration::from_secs(1), "{retry:?}");
    }

    #[test]
    fn a_latched_channel_is_probed_ever_more_rarely() {
        let mut retry = Retry::new(1);
        let refusal = Refusal::new(RefusalClass::Channel, Code(4));
        let minutes: [u64; 5] = core::array::from_fn(|_| {
            retry.refused(Instant::ZERO, refusal);
            retry.until().as_millis() / 60_000
        });
        assert_eq!(minutes, [1, 5, 30, 60, 60]);
        assert_eq!(retry.latched(), Some(refusal));
        retry.accepted();
        assert_eq!(retry.latched(), None);
    }

    #[test]
    fn unrecognised_answers_count_in_a_row() {
        let policy = Policy::default();
        let mut retry = Retry::new(1);
        let mut failed = |cause| {
            retry.failed(&policy, Instant::ZERO, cause, None);
            retry.is_unrecognised(3)
        };
        let reached: [bool; 6] = core::array::from_fn(|_| failed(RetryCause::Unrecognised));
        assert_eq!(reached, [false, false, true, false, false, true]);
        assert!(!failed(RetryCause::Unrecognised) && !failed(RetryCause::Unrecognised));
        assert!(!failed(RetryCause::Failure) && !failed(RetryCause::Unrecognised));
    }
}
