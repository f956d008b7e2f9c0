//! What was reported, when and how often: the rhythm of texts.
//!
//! A kind of trouble that is new is reported soon. One that was reported is reported again at growing
//! intervals, and counts as new again only after it was quiet for twice its present interval, and
//! for some hours. Texts of one destination keep a gap, which grows too while they keep flowing; a
//! new kind of ERROR may break it a few times an hour, each time after a longer hold and in a text
//! of one segment; a new kind of PANIC always and at once.
//!
//! ```text
//!   trouble of many kinds ──► 1 s ─────── gap 60 s ───────► gap 2 min ───────► 4 min ... 1 h
//!                            text  │ 1 s │ 8 s │ 64 s      text              text
//!                                  new kinds of ERROR
//! ```

use crate::event::Level;
use crate::policy::Policy;
use crate::time::{Duration, Instant};
use heapless::Vec;

/// Groups remembered. The one not seen for longest makes room for a new one.
pub(crate) const GROUPS: usize = 16;

const HOUR: Duration = Duration::from_hours(1);
/// The gap between texts of all kinds grows to this at most: what is new waits for it.
const LONGEST_GAP: Duration = HOUR;

/// One group that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Group {
    pub(crate) group: u32,
    /// Reported last and seen last, in ticks.
    pub(crate) reported: u32,
    pub(crate) seen: u32,
    /// How often the interval has doubled.
    pub(crate) step: u8,
    pub(crate) level: u8,
    pub(crate) times: u16,
}

/// In a level: that the group has recovered was reported.
const RECOVERED: u8 = 0x80;

impl Group {
    fn may_recover(&self) -> bool {
        (Level::Error as u8..RECOVERED).contains(&self.level)
    }
}

/// When an event may be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// Not before this, even if somebody flushes.
    pub(crate) earliest: Instant,
    /// The hold included.
    pub(crate) held: Instant,
}

/// The rhythm of one destination's texts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NotificationLog {
    pub(crate) groups: Vec<Group, GROUPS, u8>,
    /// The last text that was accepted; `None`: there was none yet.
    pub(crate) last_text: Option<Instant>,
    /// Since when breaks of the gap are counted, and how many there were.
    pub(crate) breaks_since: Instant,
    pub(crate) breaks: u8,
    /// How often the gap has doubled.
    pub(crate) pace: u8,
}

impl NotificationLog {
    /// Takes over when groups were seen last, where `other` knows of later times.
    pub(crate) fn merge_seen(&mut self, other: &NotificationLog) {
        for group in &mut self.groups {
            if let Some(same) = other.group(group.group) {
                group.seen = group.seen.max(same.seen);
            }
        }
    }

    /// Adds a group; without room the one not seen for longest goes.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(crate) fn remember(&mut self, group: Group) {
        if let Err(group) = self.groups.push(group)
            && let Some(stalest) = self.groups.iter_mut().min_by_key(|group| group.seen)
        {
            *stalest = group;
        }
    }

    fn group(&self, key: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.group == key)
    }

    fn group_mut(&mut self, key: u32) -> Option<&mut Group> {
        self.groups.iter_mut().find(|group| group.group == key)
    }

    /// Notes that an event touched the group and says when the event may be reported.
    pub(crate) fn due(&mut self, policy: &Policy, now: Instant, key: u32, level: Level) -> Due {
        let gap_end = self.gap_end(policy);
        let known = self.known(policy, now, key);
        self.touch(now, key);
        let hold = if level >= Level::Error { policy.hold_error } else { policy.hold_other };
        if let Some(again) = known {
            let earliest = again.max(gap_end);
            return Due { earliest, held: earliest.max(now + hold) };
        }
        if level == Level::Panic {
            return Due { earliest: now, held: now };
        }
        if now >= gap_end {
            return Due { earliest: now, held: now + hold };
        }
        let breaks = self.breaks_now(now);
        if level >= Level::Error && breaks < policy.breaks_per_hour {
            let hold = hold.grown(3 * breaks.min(10), Duration::MAX);
            let held = (now + hold).min(gap_end);
            return Due { earliest: now, held };
        }
        Due { earliest: gap_end, held: gap_end }
    }

    /// When the gap after the last text ends.
    pub(crate) fn gap_end(&self, policy: &Policy) -> Instant {
        self.last_text.map_or(Instant::ZERO, |last| last + self.gap(policy))
    }

    fn gap(&self, policy: &Policy) -> Duration {
        let longest = policy.gap_max.min(LONGEST_GAP).max(policy.gap);
        policy.gap.grown(self.pace.min(15), longest)
    }

    /// Most segments of a text that leaves now: one if it breaks the gap, or follows soon after
    /// one that did.
    pub(crate) fn share(&self, policy: &Policy, now: Instant) -> u8 {
        let gap = self.gap(policy);
        let soon = self.last_text.is_some_and(|last| now < last + gap + gap);
        let storm = self.is_gap(policy, now) || soon && self.breaks_now(now) > 0;
        if storm { 1 } else { policy.segments.clamp(1, 6) }
    }

    /// Whether a text that leaves now would break the gap.
    pub(crate) fn is_gap(&self, policy: &Policy, now: Instant) -> bool {
        now < self.gap_end(policy)
    }

    /// Notes that an event touched the group.
    fn touch(&mut self, now: Instant, key: u32) {
        if let Some(group) = self.group_mut(key) {
            group.seen = group.seen.max(now.tick());
        }
    }

    /// When a group that was reported, and has not faded since, may be reported again.
    pub(crate) fn known(&self, policy: &Policy, now: Instant, key: u32) -> Option<Instant> {
        let group = self.group(key)?;
        let interval = interval(policy, group.step);
        let faded = Instant::of_tick(group.seen) + (interval + interval).max(policy.fade);
        (now < faded).then(|| Instant::of_tick(group.reported) + interval)
    }

    /// When the next group of ERROR that was reported has been quiet for so long.
    pub(crate) fn recovers(&self, quiet: Duration) -> Instant {
        let groups = self.groups.iter().filter(|group| group.may_recover());
        groups
            .map(|group| Instant::of_tick(group.seen) + quiet)
            .min()
            .unwrap_or(Instant::FAR_FUTURE)
    }

    /// How many have been; `mark` if that is reported now.
    pub(crate) fn recovered(&mut self, quiet: Duration, now: Instant, mark: bool) -> u32 {
        let mut groups = 0;
        for group in &mut self.groups {
            if group.may_recover() && Instant::of_tick(group.seen) + quiet <= now {
                groups += 1;
                group.level |= if mark { RECOVERED } else { 0 };
            }
        }
        groups
    }

    fn breaks_now(&self, now: Instant) -> u8 {
        if now.since(self.breaks_since) >= HOUR { 0 } else { self.breaks }
    }

    /// Notes that a text has arrived, or may have, and says whether that broke the gap of the last
    /// one, which is counted. What surely never left breaks nothing.
    pub(crate) fn arrived(&mut self, policy: &Policy, now: Instant) -> bool {
        let broke = self.is_gap(policy, now);
        if broke {
            let breaks = self.breaks_now(now);
            if breaks == 0 {
                self.breaks_since = now;
            }
            self.breaks = breaks.saturating_add(1);
        }
        broke
    }

    /// Notes that a text was accepted. The gap grows with texts that kept it and followed soon.
    pub(crate) fn text_accepted(&mut self, policy: &Policy, now: Instant) {
        if !self.arrived(policy, now) {
            let gap = self.gap(policy);
            let soon = self.last_text.is_some_and(|last| now < last + gap + gap);
            self.pace = if soon { self.pace.saturating_add(1).min(15) } else { 0 };
        }
        self.last_text = Some(now);
    }

    /// Notes that an accepted text named or counted this group.
    pub(crate) fn group_accepted(&mut self, policy: &Policy, now: Instant, key: u32, level: u8) {
        let known = self.known(policy, now, key).is_some();
        let now = now.tick();
        if let Some(group) = self.group_mut(key) {
            group.step = if known { group.step.saturating_add(1).min(15) } else { 0 };
            group.reported = now;
            group.level = level;
            group.times = group.times.saturating_add(1);
            return;
        }
        self.remember(Group { group: key, reported: now, seen: now, step: 0, level, times: 1 });
    }
}

/// The time between two reports after `step` doublings.
fn interval(policy: &Policy, step: u8) -> Duration {
    policy.gap.grown(step.min(15), policy.gap_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u32 = 1;
    const B: u32 = 2;

    fn secs(secs: u64) -> Instant {
        Instant::from_secs(secs)
    }

    #[test]
    fn the_first_of_its_kind_is_held_briefly_and_panics_not_at_all() {
        let (policy, mut log) = (Policy::default(), NotificationLog::default());
        let at = secs(10_000);
        assert_eq!(log.due(&policy, at, A, Level::Error).held, secs(10_001));
        assert_eq!(log.due(&policy, at, A, Level::Warn).held, secs(10_005));
        assert_eq!(log.due(&policy, at, A, Level::Panic).held, at);
    }

    #[test]
    fn the_interval_of_a_group_doubles_and_falls_back_after_quiet() {
        let (policy, mut log) = (Policy::default(), NotificationLog::default());
        let mut now = secs(10_000);
        let mut gaps = [0; 12];
        for gap in &mut gaps {
            log.text_accepted(&policy, now);
            log.group_accepted(&policy, now, A, 5);
            let due = log.due(&policy, now, A, Level::Error).held;
            *gap = due.since(now).as_millis() / 1000;
            // The trouble goes on until it is reported again.
            while now < due {
                now = (now + Duration::from_secs(50)).min(due);
                log.due(&policy, now, A, Level::Error);
            }
        }
        assert!(gaps[0].abs_diff(60) < 3 && gaps[1].abs_diff(120) < 3, "{gaps:?}");
        assert!(gaps[11].abs_diff(8 * 3600) < 3, "{gaps:?}");
        let later = now + Duration::from_hours(17);
        assert_eq!(log.due(&policy, later, A, Level::Error).held, later + policy.hold_error);
    }

    #[test]
    fn a_new_kind_of_error_breaks_the_gap_three_times_an_hour() {
        let (policy, mut log) = (Policy::default(), NotificationLog::default());
        let now = secs(10_000);
        log.text_accepted(&policy, now);
        for (kind, hold) in [(10, 1), (11, 8), (12, 60)] {
            assert_eq!(
                log.due(&policy, now, kind, Level::Error).held,
                now + Duration::from_secs(hold)
            );
            log.arrived(&policy, now);
        }
        assert_eq!(log.due(&policy, now, 13, Level::Error).held, now + policy.gap);
        assert_eq!(log.due(&policy, now, B, Level::Warn).held, now + policy.gap);
    }
}
