//! What texts say beside the events: of the budget, of outages, of the account, of the alerter.

use annunciator_core::alerter::{Origin, Policy, Quiet, StartReason};
use annunciator_core::event::{Event, Level};
use annunciator_core::ring::region_len;
use annunciator_core::testing::Device;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Decimal, Outcome, Receipt, Refusal, RefusalClass, Retry};
use proptest::prelude::*;

const PREFIX: &str = "[Rust Logger night] ";
/// 2024-02-29 00:00:00 UTC.
const MIDNIGHT: u64 = 1_709_164_800;

fn device(change: impl FnOnce(&mut Policy)) -> Device {
    let mut policy = Policy::default();
    change(&mut policy);
    Device::with_policy(64, policy)
}

fn report(device: &mut Device, level: Level, line: u32) {
    let message = format!("unit {line} fails");
    device.record(&Event::new(level, &message).at("src/main.rs", line));
}

/// The accepted texts without their prefix, and when, in minutes after the start.
fn texts(device: &Device) -> Vec<(u64, String)> {
    let start = Instant::from_secs(10_000);
    let text = |text: &str| text.strip_prefix(PREFIX).unwrap().to_owned();
    let accepted = device.transport.accepted();
    accepted.map(|sent| (sent.at.since(start).as_millis() / 60_000, text(&sent.text))).collect()
}

fn offline(device: &mut Device, span: Duration) {
    let back = device.clock.now() + span;
    device.transport.rule(move |at, message| {
        if at < back {
            Outcome::Retry(Retry::failure(Code(1)))
        } else {
            Outcome::Accepted(Receipt::new(message.segments))
        }
    });
}

fn set_clock(device: &mut Device, minute: u64, offset: i16) {
    let now = device.clock.now();
    device.alerter().set_wall_clock(now, MIDNIGHT + minute * 60, offset);
}

#[test]
fn an_outage_is_one_text_with_its_span_its_worst_and_its_first_cause() {
    for (clock, span) in [(false, "1 h 30 min"), (true, "02:10-03:40")] {
        let mut device = device(|_| ());
        if clock {
            set_clock(&mut device, 70, 60);
        }
        offline(&mut device, Duration::from_mins(89));
        report(&mut device, Level::Error, 1);
        device.run(Duration::from_mins(30));
        for line in 2..23 {
            report(&mut device, Level::Warn, line);
        }
        report(&mut device, Level::Panic, 99);
        device.run(Duration::from_hours(3));
        let texts = texts(&device);
        assert_eq!(texts.len(), 1, "{texts:#?}");
        let (minute, text) = &texts[0];
        assert!(text.starts_with("23 alerts while offline "), "{text}");
        // Backoff decides about the last minutes.
        let wanted = if clock { "02:10-03:4" } else { "1 h 3" };
        assert!(text.contains(wanted), "{text} for {span}");
        assert!(text.contains("PANIC: unit 99 fails, ERROR: unit 1 fails"), "{text}");
        assert!((89..95).contains(minute));
    }
}

#[test]
fn a_short_outage_and_a_few_events_are_told_without_words() {
    let mut short = device(|_| ());
    offline(&mut short, Duration::from_mins(2));
    for line in 1..9 {
        report(&mut short, Level::Error, line);
    }
    short.run(Duration::from_hours(1));
    let mut few = device(|_| ());
    offline(&mut few, Duration::from_hours(2));
    report(&mut few, Level::Error, 1);
    few.run(Duration::from_hours(3));
    assert_eq!(texts(&few)[0].1, "ERROR: unit 1 fails");
    assert!(!texts(&short)[0].1.contains("offline"));
}

#[test]
fn attempts_that_fail_use_up_none_of_the_breaks_of_the_gap() {
    let mut device = device(|policy| policy.gap = Duration::from_hours(1));
    report(&mut device, Level::Error, 1);
    device.run(Duration::from_mins(1));
    offline(&mut device, Duration::from_mins(10));
    report(&mut device, Level::Error, 2);
    device.run(Duration::from_mins(20));
    report(&mut device, Level::Error, 3);
    device.run(Duration::from_mins(1));
    let texts = texts(&device);
    assert!(device.transport.sent.len() > 6, "{:#?}", device.transport.sent);
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert!(texts[2].1.contains("unit 3 fails"), "{texts:#?}");
}

#[test]
fn a_budget_used_up_is_said_once_and_ends_in_one_digest_of_everything() {
    for clock in [false, true] {
        let mut device = device(|policy| policy.limits.hour = 5);
        if clock {
            set_clock(&mut device, 12 * 60, 0);
        }
        for line in 1..30 {
            report(&mut device, Level::Error, line);
            device.run(Duration::from_mins(2));
        }
        device.run(Duration::from_hours(2));
        let texts = texts(&device);
        let until = if clock { "until 13:00" } else { "for 5" };
        let notices: Vec<_> = texts.iter().filter(|(_, text)| text.contains("used up")).collect();
        assert_eq!(notices.len(), 1, "{texts:#?}");
        assert!(notices[0].1.starts_with(&format!("budget used up {until}")), "{texts:#?}");
        assert_eq!(notices[0].1, texts[4].1);
        assert_eq!(texts.len(), 6, "{texts:#?}");
        assert!(texts[5].0 >= 60 && texts[5].1.contains("unit 6 fails"), "{texts:#?}");
        let stats = device.alerter().stats();
        assert_eq!((stats.delivered, stats.waiting, stats.lost), (29, 0, 0));
    }
}

#[test]
fn the_reserve_for_graver_levels_outlives_the_notice() {
    let mut device = device(|policy| policy.limits.hour = 8);
    for line in 1..12 {
        report(&mut device, Level::Warn, line);
        device.run(Duration::from_mins(3));
    }
    let said = texts(&device);
    let last = &said.last().unwrap().1;
    assert!(
        last.starts_with("budget used up for ") && last.contains(" but for ERROR"),
        "{said:#?}"
    );
    report(&mut device, Level::Error, 50);
    device.run(Duration::from_mins(1));
    assert!(texts(&device).last().unwrap().1.contains("unit 50"), "{:#?}", texts(&device));
}

#[test]
fn the_last_text_of_the_reserve_says_that_nothing_more_comes() {
    let mut device = device(|policy| policy.limits.hour = 8);
    set_clock(&mut device, 12 * 60, 0);
    for line in 1..12 {
        report(&mut device, Level::Warn, line);
        device.run(Duration::from_mins(2));
    }
    for line in 50..60 {
        report(&mut device, Level::Error, line);
        device.run(Duration::from_mins(2));
    }
    device.run(Duration::from_hours(1));
    let said: Vec<_> = texts(&device).into_iter().map(|(_, text)| text).collect();
    let notices: Vec<_> = said.iter().filter(|text| text.contains("used up")).collect();
    assert_eq!(notices.len(), 2, "{said:#?}");
    assert!(notices[0].starts_with("budget used up until 13:00 but for ERROR, "), "{said:#?}");
    assert!(notices[1].starts_with("budget used up until 13:00, ERROR: unit 51"), "{said:#?}");
    // Two of the reserve, and then the digest of what waited.
    assert_eq!(said.len(), 9, "{said:#?}");
    assert_eq!(notices[1], &said[7]);
}

#[test]
fn a_notice_that_takes_the_last_of_the_day_names_the_end_of_the_day() {
    let mut device = device(|policy| (policy.limits.hour, policy.limits.day) = (4, 6));
    set_clock(&mut device, 12 * 60, 0);
    for line in 1..12 {
        report(&mut device, Level::Warn, line);
        device.run(Duration::from_mins(20));
    }
    device.run(Duration::from_hours(12));
    let said: Vec<_> = texts(&device).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[2].starts_with("budget used up until 12:00 but for ERROR, "), "{said:#?}");
}

#[test]
fn a_low_balance_is_told_once_and_again_after_it_was_filled_up() {
    let mut device = device(|_| ());
    let answer = |cents: i64| {
        let mut receipt = Receipt::new(1);
        receipt.price = Decimal::parse("0.0333");
        receipt.balance = Some(Decimal(cents * 1_000_000));
        Outcome::Accepted(receipt)
    };
    device.transport.queue([250, 93, 90, 87, 2000, 80, 77].map(answer));
    for line in 1..=4 {
        report(&mut device, Level::Error, line);
        device.run(Duration::from_hours(5));
    }
    let said: Vec<_> = texts(&device).into_iter().map(|(_, text)| text).collect();
    let wanted = [
        "ERROR: unit 1 fails",
        "ERROR: unit 2 fails",
        "balance low: 0.93",
        "ERROR: unit 3 fails",
        "ERROR: unit 4 fails",
    ];
    assert_eq!(said, wanted);
    report(&mut device, Level::Error, 5);
    device.run(Duration::from_hours(5));
    assert_eq!(texts(&device).last().unwrap().1, "balance low: 0.80");
    assert_eq!(device.alerter().stats().price.to_string(), "0.23310000");
}

#[test]
fn a_heartbeat_says_that_all_is_well_and_survives_restarts() {
    let week = Duration::from_hours(7 * 24);
    let mut device = device(|policy| policy.heartbeat = Some(week));
    for _ in 0..7 {
        device.run(Duration::from_hours(24));
        device.kill();
    }
    device.run(Duration::from_secs(1));
    report(&mut device, Level::Error, 1);
    device.run(week);
    let said: Vec<_> = texts(&device).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["alive 7 d, 0 errors", "ERROR: unit 1 fails", "alive 7 d, 1 error"]);
}

#[test]
fn a_heartbeat_counts_from_the_first_start_also_where_that_is_the_moment_of_boot() {
    let day = Duration::from_hours(24);
    let mut device = device(|policy| policy.heartbeat = Some(day));
    device.clock.set(Instant::ZERO);
    device.start_with(vec![0; region_len(64)], Origin::Memory);
    device.run(Duration::from_hours(12));
    device.kill();
    device.run(Duration::from_hours(12) + Duration::from_secs(2));
    let said: Vec<_> = device.transport.accepted().map(|sent| sent.text.as_str()).collect();
    assert_eq!(said, [format!("{PREFIX}alive 1 d, 0 errors")]);
}

#[test]
fn what_was_spent_counts_until_its_window_ends() {
    let mut device = device(|_| {});
    report(&mut device, Level::Error, 1);
    for (hours, spent) in [(0, (1, 1)), (2, (0, 1)), (24, (0, 0))] {
        device.run(Duration::from_hours(hours) + Duration::from_secs(5));
        // Time is what the last step was told.
        device.drive();
        let stats = device.alerter().stats();
        assert_eq!((stats.spent_hour, stats.spent_day), spent, "after {hours} h");
    }
}

#[test]
fn recovery_is_told_once_after_quiet() {
    let mut device = device(|policy| policy.recovered = Some(Duration::from_hours(2)));
    report(&mut device, Level::Error, 1);
    report(&mut device, Level::Warn, 2);
    device.run(Duration::from_hours(1));
    report(&mut device, Level::Error, 1);
    device.run(Duration::from_hours(100));
    let said = texts(&device);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert_eq!(said[2].1, "recovered: 1 kind of ERROR, quiet for 2 h");
    assert!((179..=180).contains(&said[2].0), "an hour, and two of quiet: {said:#?}");
}

#[test]
fn quiet_hours_let_only_the_gravest_through_and_end_in_one_text() {
    let quiet = Quiet::new(22 * 60, 7 * 60, Level::Panic);
    let mut device = device(|policy| policy.quiet = Some(quiet));
    set_clock(&mut device, 21 * 60, 60);
    for line in 1..=3 {
        report(&mut device, Level::Error, line);
        device.run(Duration::from_hours(1));
    }
    assert_eq!(texts(&device).len(), 0, "it is 22:00 there already");
    device.run(Duration::from_hours(12));
    let said = texts(&device);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert_eq!(said[0].0, 9 * 60);
    device.run(Duration::from_hours(12));
    report(&mut device, Level::Panic, 4);
    device.run(Duration::from_mins(1));
    assert_eq!(texts(&device).len(), 2, "a panic gets through");
}

#[test]
fn a_repeat_keeps_the_quiet_hours_and_the_reserve_that_its_first_try_would_have() {
    let quiet = Quiet::new(22 * 60, 7 * 60, Level::Panic);
    let mut device = device(|policy| policy.quiet = Some(quiet));
    set_clock(&mut device, 21 * 60 + 59, 0);
    device.transport.queue([Outcome::Unknown(Code(0))]);
    // It is unknown in time, and would be repeated within the quiet hours.
    device.transport.latency(Duration::from_secs(59));
    report(&mut device, Level::Error, 1);
    device.run(Duration::from_hours(4));
    assert_eq!(device.transport.sent.len(), 1);
    device.kill();
    set_clock(&mut device, 26 * 60, 0);
    device.run(Duration::from_hours(1));
    assert_eq!(device.transport.sent.len(), 1, "nor after a restart");
    device.run(Duration::from_hours(5));
    let said = texts(&device);
    assert!(said[0].0 >= 9 * 60 && said[0].1.ends_with("ERROR: unit 1 fails"), "{said:#?}");
}

#[test]
fn a_repeat_of_a_warning_leaves_the_reserve_until_something_grave_waits_behind_it() {
    for grave in [false, true] {
        let mut device = device(|policy| policy.limits.hour = 4);
        // Of four segments one is kept for the grave and one for the notice.
        report(&mut device, Level::Warn, 1);
        device.run(Duration::from_mins(5));
        device.transport.queue([Outcome::Unknown(Code(0))]);
        report(&mut device, Level::Warn, 2);
        device.run(Duration::from_mins(10));
        assert_eq!(device.transport.sent.len(), 2);
        if grave {
            report(&mut device, Level::Error, 3);
        }
        device.run(Duration::from_mins(30));
        let sent = device.transport.sent.len();
        assert_eq!(sent > 2, grave, "{:#?}", texts(&device));
        device.run(Duration::from_hours(2));
        let waiting = device.alerter().stats().waiting;
        assert_eq!(waiting, 0, "{:#?}", texts(&device));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, whatever the network does: no window has more segments than its limit.
    #[test]
    fn the_budget_holds_for_any_schedule(
        steps in prop::collection::vec((0u32..40, 4u8..=6, 0u64..4000, 0u8..16), 1..150),
        hour in 1u16..8,
        day in 1u16..30,
    ) {
        let mut device = device(|policy| {
            policy.limits.hour = hour;
            policy.limits.day = day;
            policy.heartbeat = Some(Duration::from_hours(6));
        });
        for (line, level, pause, fate) in steps {
            report(&mut device, Level::from_byte(level).unwrap(), line);
            match fate {
                0 => device.transport.queue([Outcome::Unknown(Code(0))]),
                1 => device.transport.queue([Outcome::Retry(Retry::failure(Code(1)))]),
                2 => device.kill(),
                _ => {}
            }
            device.run(Duration::from_secs(pause));
        }
        device.run(Duration::from_hours(60));
        // A text whose fate is unknown may have been billed.
        let billed: Vec<_> = device
            .transport
            .sent
            .iter()
            .filter(|sent| !matches!(sent.outcome, Outcome::Retry(_)))
            .map(|sent| (sent.at, u32::from(sent.segments)))
            .collect();
        for (span, limit) in [(Duration::from_hours(1), hour), (Duration::from_hours(24), day)] {
            // Fixed windows, each from the first segment spent in it.
            let mut start = None;
            let mut spent = 0;
            for (at, segments) in &billed {
                if start.is_none_or(|start| at.since(start) >= span) {
                    (start, spent) = (Some(*at), 0);
                }
                spent += segments;
                prop_assert!(spent <= u32::from(limit), "{spent} in {span:?}: {billed:?}");
            }
        }
    }
}

#[test]
fn quiet_hours_end_however_long_ago_the_time_was_told() {
    for hour in [0, 3, 6, 9, 12, 15, 18, 21] {
        let night = Quiet::new(22 * 60, 7 * 60, Level::Panic);
        let mut device = device(|policy| policy.quiet = Some(night));
        set_clock(&mut device, hour * 60, 0);
        device.run(Duration::from_hours(60 * 24));
        report(&mut device, Level::Error, 1);
        device.run(Duration::from_hours(24));
        let texts = texts(&device);
        assert_eq!(texts.len(), 1, "told at {hour}:00");
        let told = (texts[0].0 + hour * 60) % (24 * 60);
        assert!((7 * 60..22 * 60).contains(&told), "told at {hour}:00: {told}");
    }
}

/// Devices that have news of each kind and no event.
fn with_news() -> [(&'static str, Device); 4] {
    let day = Duration::from_hours(24);
    let mut crashed = device(|_| ());
    crashed.restart(StartReason::Crash);
    let mut low = device(|_| ());
    let mut receipt = Receipt::new(1);
    receipt.balance = Some(Decimal(1));
    low.transport.queue([Outcome::Accepted(receipt)]);
    report(&mut low, Level::Error, 1);
    low.run(Duration::from_secs(5));
    let mut recovered = device(|policy| policy.recovered = Some(day));
    report(&mut recovered, Level::Error, 1);
    recovered.run(Duration::from_secs(5));
    let beating = device(|policy| policy.heartbeat = Some(day));
    [("crash", crashed), ("balance", low), ("recovered", recovered), ("alive", beating)]
}

#[test]
fn news_that_nobody_confirms_or_takes_is_tried_twice_and_then_left() {
    let refused = Outcome::Refused(Refusal::new(RefusalClass::Message, Code(17)));
    for outcome in [Outcome::Unknown(Code(2005)), refused] {
        for (words, mut device) in with_news() {
            let before = device.transport.sent.len();
            device.transport.rule(move |_, _| outcome);
            device.run(Duration::from_hours(47));
            let sent = device.transport.sent.get(before..).unwrap();
            assert_eq!(sent.len(), 2, "{outcome:?} {sent:#?}");
            assert!(sent.iter().all(|sent| sent.text.contains(words)), "{sent:#?}");
        }
    }
}

#[test]
fn what_grew_too_old_while_it_had_to_wait_is_counted_not_told() {
    let mut device = device(|policy| {
        policy.quiet = Some(Quiet::new(22 * 60, 7 * 60, Level::Panic));
        policy.expiry = Duration::from_hours(2);
    });
    set_clock(&mut device, 22 * 60 + 30, 0);
    report(&mut device, Level::Error, 1);
    device.run(Duration::from_hours(8));
    report(&mut device, Level::Error, 2);
    device.run(Duration::from_hours(1));
    let texts = texts(&device);
    assert_eq!(texts.len(), 1, "{texts:#?}");
    assert_eq!(texts[0].1, "ERROR: unit 2 fails, 1 lost");
    assert_eq!(device.alerter().stats().losses.expired, 1);
}

#[test]
fn what_a_service_will_not_have_is_offered_ever_more_seldom() {
    let mut device = device(|_| ());
    let refused = Outcome::Refused(Refusal::new(RefusalClass::Message, Code(17)));
    device.transport.rule(move |_, _| refused);
    report(&mut device, Level::Error, 1);
    device.run(Duration::from_hours(24));
    let tries = device.transport.sent.len();
    assert!(tries < 40, "{tries}");
    // What comes anew does not wait for that.
    let now = device.clock.now();
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
    report(&mut device, Level::Error, 2);
    device.run(Duration::from_secs(5));
    let last = device.transport.sent.last().unwrap();
    assert!(last.text.contains("unit 2 fails, 1 lost"), "{last:?}");
    assert!(last.at.since(now) < Duration::from_secs(2), "{last:?}");
}
