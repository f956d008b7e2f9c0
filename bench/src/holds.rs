//! How long a lock around the alerter is held: the longest single call with a full ring of 64 KiB.
//!
//! The same calls on a virtual clock, run after run: of each call the median over the runs is
//! taken, so that a moment at which the machine did something else does not count, and of these the
//! longest is printed.

use annunciator::annunciator_core::alerter::{
    Alerter, Buffers, Done, Estate, Origin, Setup, Step, Ticket,
};
use annunciator::annunciator_core::digest::Group;
use annunciator::annunciator_core::event::{Entry, Event, Level};
use annunciator::annunciator_core::ring::{Node, slots};
use annunciator::annunciator_core::time::{Duration, Instant};
use annunciator::annunciator_core::transport::{Code, Outcome, Receipt, Retry};
use std::collections::BTreeMap;
use std::time::Instant as Clock;

const REGION: usize = 64 * 1024;
const RUNS: usize = 31;

/// One call: what it was and how many nanoseconds it took.
type Call = (&'static str, u32);

/// Prints the longest call of each kind.
pub fn print() {
    println!("The longest call with a full ring of 64 KiB, in ns (median of {RUNS} runs):\n");
    println!("{:24}{:>14}{:>14}", "call", "one group", "all different");
    let mut table: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for (column, different) in [false, true].into_iter().enumerate() {
        let runs: Vec<Vec<Call>> = (0..RUNS).map(|_| run(different)).collect();
        for (at, (name, _)) in runs[0].iter().enumerate() {
            let mut times: Vec<u32> = runs.iter().map(|run| run[at].1).collect();
            times.sort_unstable();
            let longest = &mut table.entry(name).or_default()[column];
            *longest = times[RUNS / 2].max(*longest);
        }
    }
    for (name, [one, all]) in table {
        println!("{name:24}{one:>14}{all:>14}");
    }
}

/// A full ring through an outage, displacing, two texts, and the taking over of another ring.
fn run(different: bool) -> Vec<Call> {
    let other = other(different);
    let mut memory = vec![0; REGION];
    let mut nodes = vec![Node::EMPTY; slots(REGION)];
    let mut groups = vec![Group::EMPTY; 32];
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let alerter = Alerter::new(memory.as_mut_slice(), buffers, &Setup::new("[bench] "));
    let mut bench = Bench { alerter, now: Instant::from_secs(10), fails: 0, calls: Vec::new() };
    let fails = || Outcome::Retry(Retry::failure(Code::NONE));
    let accepts = || Outcome::Accepted(Receipt::new(1));

    bench.admit(0..600, different);
    bench.serve(fails);
    bench.admit(600..900, different);
    bench.serve(accepts);
    bench.admit(900..1300, different);
    bench.fails = 1;
    let estate = Estate { bytes: &other, origin: Origin::Memory, token: 7 };
    let now = bench.now;
    bench.timed("adopt", |alerter| drop(std::hint::black_box(alerter.adopt(now, &estate))));
    bench.serve(accepts);
    bench.timed("stats", |alerter| drop(std::hint::black_box(alerter.stats())));
    bench.calls
}

/// The bytes of another full ring.
fn other(different: bool) -> Vec<u8> {
    let mut memory = vec![0; REGION];
    let mut nodes = vec![Node::EMPTY; slots(REGION)];
    let mut groups = vec![Group::EMPTY; 32];
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let alerter = Alerter::new(memory.as_mut_slice(), buffers, &Setup::new("[bench] "));
    let mut bench = Bench { alerter, now: Instant::from_secs(10), fails: 0, calls: Vec::new() };
    bench.admit(5000..5600, different);
    drop(bench);
    memory
}

struct Bench<'a> {
    alerter: Alerter<'a, &'a mut [u8]>,
    now: Instant,
    /// So many writes fail yet.
    fails: u8,
    calls: Vec<Call>,
}

impl<'a> Bench<'a> {
    fn timed<T>(
        &mut self,
        name: &'static str,
        call: impl FnOnce(&mut Alerter<'a, &'a mut [u8]>) -> T,
    ) -> T {
        let begun = Clock::now();
        let result = call(&mut self.alerter);
        let took = begun.elapsed().as_nanos();
        self.calls.push((name, u32::try_from(took).unwrap_or(u32::MAX)));
        result
    }

    fn admit(&mut self, numbers: std::ops::Range<u32>, different: bool) {
        for number in numbers {
            let message = format!("sensor {number} failed: {}", "no answer; ".repeat(12));
            let line = if different { number } else { 7 };
            let event = Event::new(Level::Error, &message).target("plant::sensors");
            let entry = Entry::new(&event.at("src/sensors.rs", line));
            let now = self.now;
            self.timed("admit", |alerter| alerter.admit(now, &entry));
            self.now = self.now + Duration::from_millis(1);
        }
    }

    /// Takes steps until a text was sent and everything after it has come to rest, or nothing is
    /// left to wait for.
    fn serve(&mut self, answer: fn() -> Outcome) {
        let mut buf = [0; 2048];
        let mut sent = false;
        loop {
            let now = self.now;
            let begun = Clock::now();
            let step = self.alerter.step(now, &mut buf);
            let took = u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX);
            let name = match step {
                Step::Idle { .. } => "step to Idle",
                Step::Again => "step to Again",
                Step::Write { .. } => "step to Write",
                Step::Sync { .. } => "step to Sync",
                Step::Send(_) => "step to Send",
            };
            self.calls.push((name, took));
            match step {
                Step::Again => {}
                Step::Write { token, .. } if self.fails > 0 => {
                    self.fails -= 1;
                    let failed = Done::StorageFailed;
                    self.timed("done, write failed", |alerter| alerter.done(now, token, failed));
                }
                Step::Write { token, .. } => {
                    self.timed("done, written", |alerter| alerter.done(now, token, Done::Stored));
                }
                Step::Sync { token } => {
                    self.timed("done, synced", |alerter| alerter.done(now, token, Done::Stored));
                }
                Step::Send(Ticket { token, .. }) => {
                    sent = true;
                    let done = Done::Sent(answer());
                    self.timed("done, sent", |alerter| alerter.done(now, token, done));
                }
                Step::Idle { until } if sent || until == Instant::FAR_FUTURE => return,
                Step::Idle { until } => self.now = until.max(now),
            }
        }
    }
}
