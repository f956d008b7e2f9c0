//! Several rings of one destination: one bound on money and one rhythm, whatever starts or ends.

use annunciator_core::alerter::{
    Alerter, Buffers, DESTINATION_LEN, Done, Policy, Setup, StartReason, Step,
    destination_generation,
};
use annunciator_core::digest::Group;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, identity, is_empty, label, region_len};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};
use proptest::prelude::*;

const SLOTS: usize = 8;

/// The destination: its file, and what reached it.
struct Destination {
    file: [u8; DESTINATION_LEN],
    now: Instant,
    boot: u64,
    starts: u32,
    policy: Policy,
    /// Whether its rings have storage, which always works.
    storage: bool,
    texts: Vec<(Instant, u32, String)>,
    answer: fn() -> Outcome,
}

fn accepted() -> Outcome {
    Outcome::Accepted(Receipt::new(1))
}

fn not_sent() -> Outcome {
    Outcome::Retry(Retry::failure(Code(1)))
}

/// One program's ring.
struct Ring {
    alerter: Alerter<'static, Vec<u8>>,
}

impl Destination {
    fn new() -> Destination {
        Destination {
            file: [0; DESTINATION_LEN],
            now: Instant::from_secs(10_000),
            boot: 1,
            starts: 0,
            policy: Policy::default(),
            storage: false,
            texts: Vec::new(),
            answer: accepted,
        }
    }

    fn start(&mut self, memory: Vec<u8>, reason: StartReason) -> Ring {
        self.start_as(Some("[Rust Logger pump] "), memory, reason)
    }

    fn start_as(&mut self, prefix: Option<&str>, memory: Vec<u8>, reason: StartReason) -> Ring {
        let nodes = Box::leak(vec![Node::EMPTY; SLOTS].into_boxed_slice());
        let groups = Box::leak(vec![Group::EMPTY; 8].into_boxed_slice());
        let mut setup = Setup::new("");
        setup.prefix = prefix;
        setup.policy = self.policy;
        setup.now = self.now;
        setup.boot = self.boot;
        self.starts += 1;
        setup.seed = self.starts;
        setup.reason = reason;
        setup.storage = self.storage;
        setup.destination = Some(&self.file);
        let alerter = Alerter::new(memory, Buffers { nodes, groups }, &setup);
        let mut ring = Ring { alerter };
        self.store(&mut ring);
        ring
    }

    fn store(&mut self, ring: &mut Ring) {
        if let Some((at, bank)) = ring.alerter.store_destination() {
            self.file[at..at + bank.len()].copy_from_slice(&bank);
        }
    }

    /// Does what is to be done now; until when there is nothing more.
    fn drive(&mut self, ring: &mut Ring) -> Instant {
        let mut buf = [0; text_bytes(6)];
        loop {
            if ring.alerter.wants_destination(self.now) {
                ring.alerter.load_destination(self.now, &self.file);
                while ring.alerter.wants_destination(self.now) {
                    let step = ring.alerter.step(self.now, &mut buf);
                    assert!(matches!(step, Step::Again | Step::Idle { .. }), "{step:?}");
                }
                self.store(ring);
                continue;
            }
            match ring.alerter.step(self.now, &mut buf) {
                Step::Idle { until } => return until,
                Step::Again => {}
                Step::Send(ticket) => {
                    let message = ticket.message(&buf);
                    let outcome = (self.answer)();
                    if matches!(outcome, Outcome::Accepted(_)) {
                        let (text, segments) = (message.text.to_owned(), message.segments.into());
                        self.texts.push((self.now, segments, text));
                    }
                    ring.alerter.done(self.now, ticket.token, Done::Sent(outcome));
                }
                Step::Write { token, .. } | Step::Sync { token } => {
                    assert!(self.storage, "there is none");
                    ring.alerter.done(self.now, token, Done::Stored);
                }
            }
        }
    }

    fn run(&mut self, rings: &mut [Ring], span: Duration) {
        let end = self.now + span;
        loop {
            let until = rings.iter_mut().map(|ring| self.drive(ring)).min().expect("a ring");
            if until > end {
                break;
            }
            self.now = self.now.max(until);
        }
        self.now = end;
    }

    fn segments(&self) -> u32 {
        self.texts.iter().map(|(_, segments, _)| segments).sum()
    }
}

fn fresh() -> Vec<u8> {
    vec![0; region_len(SLOTS)]
}

impl Ring {
    fn error(&mut self, now: Instant, message: &str, line: u32) {
        self.alerter.record(now, &Event::new(Level::Error, message).at("a.rs", line));
    }
}

#[test]
fn the_same_error_in_two_programs_is_one_text() {
    let mut to = Destination::new();
    let mut rings = [0, 1].map(|_| to.start(fresh(), StartReason::Ordinary));
    rings[0].error(to.now, "disk full", 7);
    to.run(&mut rings, Duration::from_secs(10));
    rings[1].error(to.now, "disk full", 7);
    to.run(&mut rings, Duration::from_secs(30));
    assert_eq!(to.texts.len(), 1, "{:?}", to.texts);
    to.run(&mut rings, Duration::from_mins(5));
    assert_eq!(to.texts.len(), 2, "the other's own, after the interval: {:?}", to.texts);
}

#[test]
fn programs_that_start_and_end_again_and_again_share_one_budget() {
    let mut to = Destination::new();
    to.policy.limits.hour = 4;
    for round in 0..200 {
        let mut rings = [0, 1].map(|_| to.start(fresh(), StartReason::Ordinary));
        for (number, ring) in (0..).zip(&mut rings) {
            ring.error(to.now, "a new kind each time", 10 * round + number);
            ring.alerter.flush(to.now);
        }
        to.run(&mut rings, Duration::from_secs(10));
    }
    assert!(to.segments() <= u32::from(to.policy.limits.hour), "{}", to.segments());
    assert!(to.texts.iter().any(|(_, _, text)| text.contains("budget used up")), "{:?}", to.texts);
}

#[test]
fn crash_loops_of_two_programs_are_one_series() {
    let mut to = Destination::new();
    let mut memories = [fresh(), fresh()];
    for _ in 0..60 {
        let start = |memory: &mut Vec<u8>| to.start(std::mem::take(memory), StartReason::Crash);
        let mut rings: Vec<Ring> = memories.iter_mut().map(start).collect();
        to.run(&mut rings, Duration::from_secs(60));
        for (memory, ring) in memories.iter_mut().zip(&rings) {
            memory.clone_from(ring.alerter.memory());
        }
    }
    assert!((2..=6).contains(&to.texts.len()), "{:?}", to.texts);
}

#[test]
fn the_ring_of_a_dead_neighbour_speaks_under_its_own_name() {
    let mut to = Destination::new();
    to.answer = not_sent;
    let mut dead = [to.start_as(Some("[Rust Logger other] "), fresh(), StartReason::Ordinary)];
    dead[0].error(to.now, "valve stuck", 3);
    to.run(&mut dead, Duration::from_secs(1));
    let memory = dead[0].alerter.memory().clone();
    assert_eq!(label(&memory), "[Rust Logger other] ");
    assert!(!is_empty::<184>(&memory));
    to.answer = accepted;
    let before = identity(&memory).expect("a ring");
    let mut rings = [
        to.start(fresh(), StartReason::Ordinary),
        to.start_as(None, memory, StartReason::Vanished),
    ];
    to.run(&mut rings, Duration::from_mins(10));
    let texts: Vec<_> = to.texts.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts, ["[Rust Logger other] ended without a word: ERROR: valve stuck"]);
    let after = rings[1].alerter.memory();
    assert!(is_empty::<184>(after));
    let named = identity(after).expect("a ring");
    assert_eq!((named.id, named.starts), (before.id, before.starts + 1));
    assert_ne!(identity(rings[0].alerter.memory()).unwrap().id, named.id);
}

#[test]
fn nobody_says_of_itself_what_became_of_a_neighbour() {
    let mut to = Destination::new();
    let mut dead = [to.start_as(Some("[Rust Logger other] "), fresh(), StartReason::Ordinary)];
    to.answer = not_sent;
    dead[0].error(to.now, "valve stuck", 3);
    to.run(&mut dead, Duration::from_secs(1));
    let memory = dead[0].alerter.memory().clone();
    to.answer = accepted;
    let mut rings = [
        to.start(fresh(), StartReason::Ordinary),
        to.start_as(None, memory, StartReason::Vanished),
    ];
    rings[0].error(to.now, "pump dry", 4);
    rings[0].alerter.flush(to.now);
    to.run(&mut rings, Duration::from_mins(10));
    let texts: Vec<_> = to.texts.iter().map(|(_, _, text)| text.as_str()).collect();
    assert!(!texts.concat().contains("restarted"), "{texts:?}");
    assert_eq!(texts.concat().matches("ended without a word").count(), 1, "{texts:?}");
}

#[test]
fn an_end_that_another_has_reported_is_no_news_for_the_one_that_runs_and_the_one_that_starts() {
    let mut to = Destination::new();
    let mut rings = [0, 1].map(|_| to.start(fresh(), StartReason::Crash));
    let absent = to.start(fresh(), StartReason::Crash).alerter.memory().clone();
    assert!(!is_empty::<184>(&absent), "its end is still to be reported");
    to.run(&mut rings, Duration::from_mins(1));
    let texts: Vec<_> = to.texts.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("restarted after 3 crashes"), "{texts:?}");
    for ring in &rings {
        assert!(is_empty::<184>(ring.alerter.memory()));
    }
    let mut late = [to.start(absent, StartReason::Ordinary)];
    to.run(&mut late, Duration::from_mins(1));
    assert!(is_empty::<184>(late[0].alerter.memory()));
    assert_eq!(to.texts.len(), 1, "{:?}", to.texts);
}

#[test]
fn every_error_counts_for_the_heartbeat_whoever_writes_the_file_between() {
    let mut to = Destination::new();
    to.storage = true;
    to.policy.heartbeat = Some(Duration::from_hours(24));
    let mut rings = [0, 1].map(|_| to.start(fresh(), StartReason::Ordinary));
    rings[0].error(to.now, "pump dry", 1);
    // It is committed by then, and not yet sent.
    to.run(&mut rings, Duration::from_millis(500));
    rings[1].error(to.now, "valve stuck", 2);
    rings[1].alerter.flush(to.now);
    to.run(&mut rings, Duration::from_hours(25));
    let beats: Vec<_> = to.texts.iter().filter(|(_, _, text)| text.contains("alive")).collect();
    assert_eq!(beats.len(), 1, "{:?}", to.texts);
    assert!(beats[0].2.ends_with("alive 1 d, 2 errors"), "{beats:?}");
}

#[test]
fn another_rings_failed_attempt_does_not_begin_the_hold_anew() {
    let mut to = Destination::new();
    to.policy.hold_error = Duration::from_secs(30);
    let [mut held, mut other] = [0, 1].map(|_| [to.start(fresh(), StartReason::Ordinary)]);
    let recorded = to.now;
    held[0].error(to.now, "pump dry", 1);
    to.run(&mut held, Duration::from_secs(10));
    to.answer = not_sent;
    other[0].error(to.now, "valve stuck", 2);
    other[0].alerter.flush(to.now);
    to.run(&mut other, Duration::from_secs(1));
    to.answer = accepted;
    to.run(&mut held, Duration::from_mins(2));
    let sent: Vec<_> = to.texts.iter().map(|(at, ..)| at.since(recorded)).collect();
    assert_eq!(sent, [Duration::from_secs(30)]);
}

#[test]
fn a_file_that_is_gone_is_written_again() {
    let mut to = Destination::new();
    let mut ring = to.start(fresh(), StartReason::Ordinary);
    assert!(ring.alerter.store_destination().is_none(), "nothing has changed");
    ring.alerter.load_destination(to.now, &[]);
    let (at, bank) = ring.alerter.store_destination().expect("what it knows");
    to.file.fill(0);
    to.file[at..at + bank.len()].copy_from_slice(&bank);
    assert!(destination_generation(&to.file).is_some());
}

#[test]
fn any_bytes_are_a_destinations_file() {
    for fill in [0_u8, 0xFF, 0x5A] {
        let mut to = Destination::new();
        to.file.fill(fill);
        let mut rings = [to.start(fresh(), StartReason::Ordinary)];
        rings[0].error(to.now, "still reported", 1);
        to.file.fill(!fill);
        to.run(&mut rings, Duration::from_mins(2));
        assert_eq!(to.texts.len(), 1);
    }
}

#[test]
fn a_clock_that_begins_anew_within_a_boot_keeps_nothing_back() {
    let mut to = Destination::new();
    let ten_days = Duration::from_hours(240);
    to.now = to.now + ten_days;
    let mut memory = fresh();
    for (round, back) in [(0, ten_days), (1, Duration::ZERO), (2, Duration::ZERO)] {
        let mut rings = [to.start(memory, StartReason::Ordinary)];
        rings[0].error(to.now, "pressure lost", round);
        to.run(&mut rings, Duration::from_hours(9));
        assert_eq!(to.texts.len(), round as usize + 1, "{:?}", to.texts);
        assert!(to.texts.last().unwrap().2.ends_with("ERROR: pressure lost"), "{:?}", to.texts);
        memory = rings[0].alerter.memory().clone();
        to.now = to.now - back;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Fixed windows from the first segment spent in them, over all rings and their starts.
    #[test]
    fn no_window_has_more_segments_than_its_limit(
        acts in prop::collection::vec((0..6_u8, 0..3_usize, 0..50_u32, 0..2_000_u64), 1..80),
    ) {
        let mut to = Destination::new();
        to.policy.limits.hour = 5;
        to.policy.limits.day = 9;
        let mut rings: Vec<Ring> =
            (0..3).map(|_| to.start(fresh(), StartReason::Ordinary)).collect();
        for (act, ring, number, secs) in acts {
            match act {
                0..=2 => rings[ring].error(to.now, "e", number),
                3 => {
                    let memory = rings[ring].alerter.memory().clone();
                    rings[ring] = to.start(memory, StartReason::Crash);
                }
                4 => rings[ring] = to.start(fresh(), StartReason::Ordinary),
                _ => to.answer = if number < 10 { not_sent } else { accepted },
            }
            to.run(&mut rings, Duration::from_secs(secs));
        }
        for (length, limit) in [(Duration::from_hours(1), 5), (Duration::from_hours(24), 9)] {
            let (mut start, mut sum) = (None, 0);
            for (at, segments, _) in &to.texts {
                if start.is_none_or(|start| at.since(start) >= length) {
                    (start, sum) = (Some(*at), 0);
                }
                sum += segments;
                prop_assert!(sum <= limit, "{sum} of {limit} in {length:?}");
            }
        }
    }
}
