//! The longest time that any operation of the alerter takes, and so the longest that a lock around
//! it is held.
//!
//! The alerter is deterministic: the same life gives the same operations. So one life is lived many
//! times, each operation keeps the least of its times, and what is left has no interruption in it.

use crate::measure::times::Clock;
use annunciator::transport::{Code, Outcome, Receipt, Retry};
use annunciator::{Event, Level};
use annunciator_core::alerter::{Alerter, Buffers, Done, Setup, Step};
use annunciator_core::digest::Group;
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, SLOT, slots};
use annunciator_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// As the adapter's: a spool of 64 KiB.
const REGION: usize = 64 * 1024;
const GROUPS: usize = 32;
const LIVES: usize = 25;

/// Nanoseconds of an operation, by its kind.
type Held = Vec<(&'static str, f64)>;

/// Prints a line for each kind of operation.
pub fn report() {
    let clock = Clock::calibrated();
    let mut least: Held = live(&clock);
    for _ in 1..LIVES {
        for (known, new) in least.iter_mut().zip(live(&clock)) {
            assert_eq!(known.0, new.0, "two lives that differ");
            known.1 = known.1.min(new.1);
        }
    }
    let mut kinds: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (kind, nanos) in least {
        kinds.entry(kind).or_default().push(nanos);
    }
    println!("One operation of an alerter with {} slots holds its lock for:\n", slots(REGION));
    println!(
        "{:12} {:>8} {:>10} {:>10} {:>10}",
        "operation", "times", "median ns", "p99 ns", "longest ns"
    );
    for (kind, mut nanos) in kinds {
        nanos.sort_by(f64::total_cmp);
        let at = |share: f64| nanos[((nanos.len() - 1) as f64 * share) as usize];
        println!("{kind:12} {:8} {:10.0} {:10.0} {:10.0}", nanos.len(), at(0.5), at(0.99), at(1.0));
    }
}

/// A storm that overfills the ring, an outage with a write that fails, a service that accepts; in
/// the end another full ring is taken over.
fn live(clock: &Clock) -> Held {
    let mut held = Held::new();
    let mut region = vec![0; REGION];
    let mut nodes = vec![Node::EMPTY; slots(REGION)];
    let mut groups = vec![Group::EMPTY; GROUPS];
    let mut setup = Setup::new("[Rust Logger bench] ");
    setup.now = Instant::from_secs(1000);
    let mut now = setup.now;
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let mut alerter = Alerter::new(region.as_mut_slice(), buffers, &setup);
    let mut buf = vec![0; text_bytes(6).max(SLOT)];
    let mut fails = true;
    let (mut composing, mut row) = (0.0, 0.0);

    for round in 0..6 {
        for number in 0..400_u32 {
            let message = format!("sensor {number} of unit {round} failed: code {}", number * 7919);
            let level = if number % 5 == 0 { Level::Warn } else { Level::Error };
            let event = Event::new(level, &message).target("bench").at("main.rs", number % 60);
            held.push(timed(clock, "record", || sink(alerter.record(now, &event))));
            held.push(timed(clock, "record again", || sink(alerter.record(now, &event))));
        }
        held.push(timed(clock, "stats", || sink(alerter.stats())));
        held.push(timed(clock, "flush", || alerter.flush(now)));
        // The first rounds fall into an outage.
        let up = round >= 2;
        for _ in 0..40 {
            loop {
                let mut step = Step::Again;
                held.push(timed(clock, "step", || step = alerter.step(now, &mut buf)));
                // A text is composed by steps in a row, the last of which hands it out.
                let took = held.last().map_or(0.0, |(_, nanos)| *nanos);
                composing = if step == Step::Again { composing + took } else { 0.0 };
                if matches!(step, Step::Send(_)) {
                    held.push(("whole text", row + took));
                }
                row = composing;
                let (token, done) = match step {
                    Step::Idle { .. } => break,
                    Step::Again => continue,
                    Step::Write { token, .. } if fails => (token, Done::StorageFailed),
                    Step::Write { token, .. } | Step::Sync { token } => (token, Done::Stored),
                    Step::Send(ticket) => (ticket.token, Done::Sent(outcome(up))),
                };
                fails &= done != Done::StorageFailed;
                held.push(timed(clock, "done", || alerter.done(now, token, done)));
            }
            now = (now + Duration::from_secs(1))
                .max(alerter.poll_at().min(now + Duration::from_hours(1)));
        }
    }
    held
}

fn outcome(up: bool) -> Outcome {
    if up { Outcome::Accepted(Receipt::new(1)) } else { Outcome::Retry(Retry::failure(Code::NONE)) }
}

/// Uses a value up, so that it is worked out.
fn sink<T>(value: T) {
    std::hint::black_box(value);
}

#[inline(always)]
fn timed(clock: &Clock, kind: &'static str, work: impl FnOnce()) -> (&'static str, f64) {
    let began = Clock::ticks();
    work();
    (kind, clock.nanos(Clock::ticks() - began))
}
