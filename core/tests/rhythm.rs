//! What holds for every policy, however odd, and for every course of events, with kills and losses
//! of power: the alerter never spins, never spends above its limits, accounts for every event, and
//! falls silent when there is nothing new.

use annunciator_core::alerter::{Done, Policy, Quiet, StartReason, Step};
use annunciator_core::event::{Event, Level};
use annunciator_core::testing::{Device, Sent};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Decimal, Outcome, Receipt, Refusal, RefusalClass, Retry};
use proptest::prelude::*;

/// Spans from none to for ever.
fn span() -> impl Strategy<Value = Duration> {
    prop_oneof![
        1 => Just(Duration::ZERO),
        1 => (1u64..20).prop_map(Duration::from_millis),
        4 => (1u64..10_000).prop_map(Duration::from_secs),
        1 => (1u64..100).prop_map(Duration::from_hours),
        1 => Just(Duration::MAX),
    ]
}

fn limit() -> impl Strategy<Value = u16> {
    prop_oneof![4 => 0u16..6, 2 => 6u16..60, 1 => Just(u16::MAX)]
}

fn policy() -> impl Strategy<Value = Policy> {
    let spans = prop::collection::vec(span(), 11);
    let quiet = prop::option::weighted(0.3, (0u16..1500, 0u16..1500, 1u8..=6));
    let options = (prop::option::of(span()), prop::option::of(span()), quiet, 0i64..300);
    (spans, limit(), limit(), 1u8..=6, 0u16..12, 0u8..5, options).prop_map(
        |(spans, hour, day, segments, batch, breaks, (heartbeat, recovered, quiet, low))| {
            let mut policy = Policy::default();
            policy.level = Level::Info;
            policy.hold_error = spans[0];
            policy.hold_other = spans[1];
            policy.gap = spans[2];
            policy.gap_max = spans[3];
            policy.fade = spans[4];
            policy.backoff_min = spans[5];
            policy.backoff_max = spans[6];
            policy.wait_max = spans[7];
            policy.expiry = spans[8];
            policy.commit_error = spans[9];
            policy.commit_other = spans[10];
            policy.batch = batch;
            policy.breaks_per_hour = breaks;
            policy.segments = segments;
            policy.limits.hour = hour;
            policy.limits.day = day;
            policy.heartbeat = heartbeat;
            policy.recovered = recovered;
            policy.low_balance = Some(Decimal(low * 1_000_000));
            policy.quiet = quiet.map(|(from, to, level)| {
                let level = Level::from_byte(level).unwrap();
                Quiet::new(from, to, level)
            });
            policy
        },
    )
}

/// The same with what makes it certain that everything is told at last.
fn sane(policy: &Policy) -> Policy {
    let mut policy = *policy;
    let day = Duration::from_hours(24);
    for span in [
        &mut policy.hold_error,
        &mut policy.hold_other,
        &mut policy.gap,
        &mut policy.gap_max,
        &mut policy.fade,
        &mut policy.backoff_max,
        &mut policy.wait_max,
    ] {
        *span = (*span).min(day);
    }
    policy.limits.hour = policy.limits.hour.max(1);
    policy.limits.day = policy.limits.day.max(1);
    policy.heartbeat = None;
    policy
}

#[derive(Debug, Clone)]
enum Act {
    /// So many events of these levels and lines, one after the other.
    Events(u8, u32, u8),
    Lost(u32),
    Flush,
    Kill,
    Crash,
    PowerLoss(u64),
    Clock(u32, i16),
    /// What the service says to the next attempt.
    Answer(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => (3u8..=6, 0u32..30, 1u8..40).prop_map(|(level, line, n)| Act::Events(level, line, n)),
        1 => (1u32..5).prop_map(Act::Lost),
        1 => Just(Act::Flush),
        1 => Just(Act::Kill),
        1 => Just(Act::Crash),
        1 => any::<u64>().prop_map(Act::PowerLoss),
        1 => (any::<u32>(), -900i16..900).prop_map(|(secs, offset)| Act::Clock(secs, offset)),
        4 => (0u8..10).prop_map(Act::Answer),
    ]
}

fn answer(kind: u8) -> Outcome {
    match kind {
        0..=1 => Outcome::Unknown(Code(0)),
        2..=3 => Outcome::Retry(Retry::failure(Code(1))),
        4 => Outcome::Retry(Retry::throttled(Duration::from_millis(702), Code(1))),
        5 => Outcome::Retry(Retry::unrecognised(Code(2))),
        6 => Outcome::Refused(Refusal::new(RefusalClass::Channel, Code(9))),
        7 => Outcome::Refused(Refusal::new(RefusalClass::Message, Code(3))),
        _ => {
            let mut receipt = Receipt::new(1);
            receipt.balance = Some(Decimal(i64::from(kind) * 10_000_000));
            Outcome::Accepted(receipt)
        }
    }
}

/// What a run came to, over all its starts.
#[derive(Debug, Default)]
struct Books {
    reported: u64,
    /// Told in earlier lives: the counters begin anew with each.
    delivered: u64,
    /// Power was lost, and what was not on disk with it.
    unsure: bool,
}

fn live(device: &mut Device, acts: &[(Act, u64)], books: &mut Books) {
    for (act, pause) in acts {
        match act {
            Act::Events(level, line, count) => {
                for n in 0..*count {
                    let message = format!("unit {line} fails for the {n}th time");
                    let level = Level::from_byte(*level).unwrap();
                    device.record(&Event::new(level, &message).at("src/main.rs", *line));
                    books.reported += 1;
                }
            }
            Act::Lost(events) => {
                let now = device.clock.now();
                device.alerter().count_lost(now, *events);
                books.reported += u64::from(*events);
            }
            Act::Flush => {
                let now = device.clock.now();
                device.alerter().flush(now);
            }
            Act::Kill | Act::Crash => {
                books.delivered += u64::from(device.alerter().stats().delivered);
                let after = if matches!(act, Act::Crash) {
                    StartReason::Crash
                } else {
                    StartReason::Ordinary
                };
                device.restart(after);
            }
            Act::PowerLoss(survivors) => {
                books.delivered += u64::from(device.alerter().stats().delivered);
                books.unsure = true;
                device.power_loss(*survivors);
            }
            Act::Clock(secs, offset) => {
                let now = device.clock.now();
                device.alerter().set_wall_clock(now, u64::from(*secs), *offset);
            }
            Act::Answer(kind) => device.transport.queue([answer(*kind)]),
        }
        device.run(Duration::from_secs(*pause));
    }
}

fn acts() -> impl Strategy<Value = Vec<(Act, u64)>> {
    let pause = prop_oneof![3 => 0u64..5, 3 => 0u64..400, 1 => 0u64..20_000];
    prop::collection::vec((act(), pause), 1..40)
}

/// Segments that may have been billed, and when.
fn billed(device: &Device) -> Vec<(Instant, u32)> {
    let may = |sent: &&Sent| matches!(sent.outcome, Outcome::Accepted(_) | Outcome::Unknown(_));
    let sent = device.transport.sent.iter().filter(may);
    sent.map(|sent| (sent.at, u32::from(sent.segments))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// `Device::run` panics if the alerter asks to be called again at once, for ever.
    #[test]
    fn no_policy_and_no_course_of_events_makes_it_spin(
        policy in policy(),
        acts in acts(),
        slots in 1usize..48,
    ) {
        let mut device = Device::with_policy(slots, policy);
        live(&mut device, &acts, &mut Books::default());
        device.run(Duration::from_hours(30));
        let now = device.clock.now();
        prop_assert!(device.alerter().poll_at() > now, "something is due and nobody does it");
    }

    /// Whoever sleeps until `poll_at` sleeps too long if it moves and nobody is woken.
    #[test]
    fn poll_at_never_becomes_earlier_without_a_wake(
        policy in policy(),
        calls in prop::collection::vec((0..10_u8, 0..10_u32, 0..4_000_u64), 1..120),
    ) {
        let mut device = Device::with_policy(6, policy);
        let mut buf = [0; 2048];
        let mut pending = None;
        for (call, number, millis) in calls {
            let now = device.clock.now() + Duration::from_millis(millis);
            device.clock.set(now);
            let alerter = device.alerter();
            let before = alerter.poll_at();
            alerter.clear_moved();
            match call {
                0..=2 => {
                    let level = Level::ALL[number as usize % 6];
                    alerter.record(now, &Event::new(level, "a").at("a.rs", number % 3));
                }
                3 => alerter.count_lost(now, number),
                4 => alerter.flush(now),
                5 => alerter.commit(now),
                6 => alerter.set_wall_clock(now, u64::from(number) * 20_000, 60),
                7 if number == 0 => alerter.rewrite(now),
                7 if number == 1 => alerter.abandon(now),
                8 if pending.is_some() => {
                    let (token, sends) = pending.take().unwrap();
                    let done = match (sends, number) {
                        (false, 0) => Done::StorageFailed,
                        (false, _) => Done::Stored,
                        (true, _) => Done::Sent(answer(number as u8)),
                    };
                    alerter.done(now, token, done);
                }
                _ => {
                    match alerter.step(now, &mut buf) {
                        Step::Idle { until } => prop_assert_eq!(until, alerter.poll_at()),
                        Step::Again => {}
                        Step::Write { token, .. } | Step::Sync { token } => {
                            pending = Some((token, false));
                        }
                        Step::Send(ticket) => pending = Some((ticket.token, true)),
                    }
                    continue;
                }
            }
            let alerter = device.alerter();
            let after = alerter.poll_at();
            prop_assert!(after >= before || alerter.has_moved(), "{call}: {before:?} {after:?}");
        }
    }

    /// Fixed windows from the first segment spent in them. Power is never lost here: it stops the
    /// clock, and with it the windows.
    #[test]
    fn no_window_has_more_segments_than_its_limit(policy in policy(), acts in acts()) {
        let acts: Vec<_> =
            acts.into_iter().filter(|(act, _)| !matches!(act, Act::PowerLoss(_))).collect();
        let mut device = Device::with_policy(24, policy);
        live(&mut device, &acts, &mut Books::default());
        device.run(Duration::from_hours(30));
        let limits = policy.limits;
        let windows = [(Duration::from_hours(1), limits.hour), (Duration::from_hours(24), limits.day)];
        for (length, limit) in windows {
            let (mut start, mut sum) = (None, 0);
            for (at, segments) in billed(&device) {
                if start.is_none_or(|start| at.since(start) >= length) {
                    (start, sum) = (Some(at), 0);
                }
                sum += segments;
                prop_assert!(sum <= u32::from(limit), "{sum} of {limit} in {length:?}");
            }
        }
        for sent in &device.transport.sent {
            prop_assert!(sent.segments <= policy.segments);
        }
    }

    /// Once the service answers and the budget allows it, nothing waits for ever: each event is in
    /// an accepted text, or counted as lost and that told, or in an unconfirmed line.
    #[test]
    fn every_event_is_told_or_counted_at_last(policy in policy(), acts in acts()) {
        let mut device = Device::with_policy(24, sane(&policy));
        let mut books = Books::default();
        live(&mut device, &acts, &mut books);
        // The script may not be used up yet.
        for _ in 0..40 {
            device.run(Duration::from_hours(24));
        }
        let stats = device.alerter().stats();
        prop_assert_eq!(stats.waiting, 0, "{:?}", stats);
        prop_assert_eq!(stats.lost_unreported, 0, "{:?}", stats);
        let unknown = |sent: &Sent| matches!(sent.outcome, Outcome::Unknown(_));
        if !books.unsure && !device.transport.sent.iter().any(unknown) {
            let told = books.delivered + u64::from(stats.delivered);
            prop_assert_eq!(told + u64::from(stats.lost), books.reported, "{:?}", stats);
        }
        // And then silence, for as long as nothing happens.
        let texts = device.transport.sent.len();
        device.run(Duration::from_hours(24 * 30));
        let more: Vec<_> = device.transport.sent.iter().skip(texts).map(|s| &s.text).collect();
        prop_assert!(more.is_empty(), "{more:?}");
        prop_assert!(device.alerter().poll_at() > device.clock.now());
    }
}

#[test]
fn the_corners_of_all_policies_do_not_spin() {
    for span in [Duration::ZERO, Duration::MAX] {
        for limit in [0, 1, 2, u16::MAX] {
            let mut policy = Policy::default();
            policy.hold_error = span;
            policy.hold_other = span;
            policy.gap = span;
            policy.gap_max = span;
            policy.fade = span;
            policy.backoff_min = span;
            policy.backoff_max = span;
            policy.expiry = span;
            policy.heartbeat = Some(span);
            policy.recovered = Some(span);
            policy.limits.hour = limit;
            policy.limits.day = limit;
            let mut device = Device::with_policy(8, policy);
            for line in 1..40 {
                let message = format!("unit {line}");
                device.record(&Event::new(Level::Error, &message).at("a.rs", line));
                device.transport.queue([answer(line as u8 % 10)]);
                device.run(Duration::from_secs(30));
            }
            device.run(Duration::from_hours(3));
            assert!(device.alerter().poll_at() > device.clock.now());
        }
    }
}
