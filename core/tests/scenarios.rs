//! Whole stories on virtual time, with the texts that were sent pinned.

use annunciator_core::alerter::{Alerter, Buffers, Done, Setup, Step};
use annunciator_core::budget::Limits;
use annunciator_core::digest::Group;
use annunciator_core::drive::drive;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Admission, Node, PREFIX_MAX, region_len};
use annunciator_core::storage::NoStorage;
use annunciator_core::testing::{Clock, Device, ScriptedTransport};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Message, Outcome, Receipt, Refusal, RefusalClass, Retry};

fn error(message: &str) -> Event<'_> {
    Event::new(Level::Error, message).target("app").at("src/main.rs", message.len() as u32)
}

fn texts(device: &Device) -> Vec<&str> {
    device.transport.sent.iter().map(|sent| sent.text.as_str()).collect()
}

#[test]
fn three_lines_become_the_promised_text() {
    let mut device = Device::new(32);
    let start = device.clock.now();
    device.record(&Event::new(Level::Warn, "You've been warned!").at("a.rs", 1));
    device.record(&Event::new(Level::Error, "This is a test error").at("a.rs", 2));
    device.record(&Event::new(Level::Error, "division by zero").at("a.rs", 3));
    device.run(Duration::from_secs(30));
    assert_eq!(
        texts(&device),
        ["[Rust Logger night] WARN: You've been warned!, ERROR: This is a test error, \
          ERROR: division by zero"]
    );
    assert_eq!(device.transport.sent[0].at, start + Duration::from_secs(1));
    device.run(Duration::from_hours(100));
    assert_eq!(device.transport.sent.len(), 1, "told once");
}

#[test]
fn an_outage_is_waited_out_and_told_once() {
    let mut device = Device::new(32);
    let back = device.clock.now() + Duration::from_hours(2);
    device.transport.rule(move |at, message| {
        if at < back {
            Outcome::Retry(Retry::failure(Code(1)))
        } else {
            Outcome::Accepted(Receipt::new(message.segments))
        }
    });
    device.record(&error("first"));
    device.run(Duration::from_mins(30));
    device.record(&error("second one"));
    device.run(Duration::from_hours(3));
    let accepted: Vec<_> = device.transport.accepted().collect();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].text, "[Rust Logger night] ERROR: first, ERROR: second one");
    assert!(accepted[0].at < back + Duration::from_mins(5));
    let tries = device.transport.sent.len();
    assert!((20..200).contains(&tries), "{tries} tries in two hours");
}

#[test]
fn an_unknown_outcome_is_repeated_once_with_the_same_records_then_one_line() {
    let mut device = Device::new(32);
    device.transport.queue([Outcome::Unknown(Code(0)), Outcome::Unknown(Code(0))]);
    device.record(&error("first"));
    device.run(Duration::from_secs(1));
    device.record(&error("second one"));
    device.run(Duration::from_hours(2));
    assert_eq!(
        texts(&device),
        [
            "[Rust Logger night] ERROR: first",
            "[Rust Logger night] (repeat 0000) ERROR: first",
            "[Rust Logger night] ERROR: second one, unconfirmed 0000: 1 ERROR",
        ]
    );
    let references: Vec<_> = device.transport.sent.iter().map(|s| s.reference.as_str()).collect();
    assert_eq!(references, ["0000", "0000", "0001"]);
}

#[test]
fn a_throttled_text_waits_as_told_and_is_sent_once() {
    let mut device = Device::new(32);
    let wait = Duration::from_millis(702);
    device.transport.queue([Outcome::Retry(Retry::throttled(wait, Code(1)))]);
    device.record(&error("first"));
    device.run(Duration::from_hours(1));
    assert_eq!(device.transport.sent.len(), 2);
    assert_eq!(device.transport.sent[1].at, device.transport.sent[0].at + wait);
    assert!(!device.transport.sent[1].repeat);
}

#[test]
fn a_refused_channel_latches_and_is_probed_and_nothing_is_lost() {
    let mut device = Device::new(32);
    let start = device.clock.now();
    let refusal = Outcome::Refused(Refusal::new(RefusalClass::Channel, Code(9)));
    device.transport.queue([refusal; 4]);
    device.record(&error("first"));
    device.run(Duration::from_mins(40));
    device.record(&error("second one"));
    device.run(Duration::from_hours(3));
    let minutes: Vec<_> =
        device.transport.sent.iter().map(|s| s.at.since(start).as_millis() / 60_000).collect();
    assert_eq!(minutes, [0, 1, 6, 36, 96]);
    assert_eq!(texts(&device)[4], "[Rust Logger night] ERROR: first, ERROR: second one");
}

#[test]
fn a_text_refused_for_its_content_is_reduced_then_counted_lost() {
    let mut device = Device::new(32);
    let refusal = Outcome::Refused(Refusal::new(RefusalClass::Message, Code(17)));
    device.transport.queue([refusal; 2]);
    device.record(&error("buy cheap pills"));
    device.run(Duration::from_mins(10));
    let sent = texts(&device);
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(!sent[1].contains("pills") && sent[1].contains("main.rs:15"), "{}", sent[1]);
    assert_eq!(sent[2], "[Rust Logger night] 1 lost");
}

#[test]
fn what_was_logged_survives_a_kill_and_is_told_once() {
    let mut device = Device::new(32);
    device.record(&error("first"));
    device.kill();
    device.run(Duration::from_secs(10));
    device.kill();
    device.run(Duration::from_hours(1));
    assert_eq!(texts(&device), ["[Rust Logger night] ERROR: first"]);
}

#[test]
fn what_was_committed_survives_power_loss() {
    let mut device = Device::new(32);
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code(1))));
    device.record(&error("first"));
    device.run(Duration::from_secs(1));
    device.record(&error("not committed yet"));
    device.power_loss(0);
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
    device.run(Duration::from_hours(1));
    let accepted: Vec<_> = device.transport.accepted().map(|s| s.text.as_str()).collect();
    assert_eq!(accepted, ["[Rust Logger night] ERROR: first"]);
}

#[test]
fn power_lost_between_sending_and_hearing_repeats_once() {
    let mut device = Device::new(32);
    device.record(&error("first"));
    // What the service was asked, the device never heard the answer of.
    device.transport.queue([Outcome::Unknown(Code(0))]);
    device.run(Duration::from_secs(1));
    device.power_loss(0);
    device.run(Duration::from_hours(1));
    assert_eq!(
        texts(&device),
        ["[Rust Logger night] ERROR: first", "[Rust Logger night] (repeat 0000) ERROR: first"]
    );
}

#[test]
fn a_storm_is_merged_counted_and_bounded() {
    let mut device = Device::new(32);
    for _ in 0..10_000 {
        device.record(&error("the same"));
        device.run(Duration::from_millis(6));
    }
    device.run(Duration::from_hours(24));
    let segments: u32 = device.transport.sent.iter().map(|s| u32::from(s.segments)).sum();
    assert!(segments <= 4, "{:#?}", texts(&device));
    let stats = device.alerter().stats();
    assert_eq!((stats.delivered, stats.lost, stats.waiting), (10_000, 0, 0));
}

#[test]
fn a_full_ring_gives_up_by_rule_and_tells_how_many() {
    let mut device = Device::new(8);
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code(1))));
    for number in 0..50 {
        let text = format!("failure {number}");
        let admission = device.record(&Event::new(Level::Error, &text).at("a.rs", 1));
        assert_eq!(admission, Admission::Stored);
    }
    assert_eq!(device.record(&Event::new(Level::Warn, "small").at("b.rs", 1)), Admission::Lost);
    assert_eq!(device.record(&Event::new(Level::Panic, "great").at("c.rs", 1)), Admission::Stored);
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
    device.run(Duration::from_hours(1));
    let stats = device.alerter().stats();
    assert_eq!(stats.delivered + stats.lost, 52);
    assert_eq!(stats.recorded, 51, "all but the one that was turned away");
    assert_eq!(stats.lost_unreported, 0);
    let text = texts(&device).join("\n");
    assert!(text.contains("failure 0") && text.contains("great"), "{text}");
    assert!(text.contains("45 lost"), "{text}");
}

#[test]
fn nothing_is_due_for_an_idle_device() {
    let mut device = Device::new(8);
    device.run(Duration::from_secs(10));
    let operations = device.storage.operations();
    assert_eq!(device.drive(), Instant::FAR_FUTURE);
    device.run(Duration::from_hours(1000));
    assert_eq!(device.storage.operations(), operations, "an idle device writes nothing");
}

#[test]
fn a_fault_that_never_ends_costs_three_segments_a_day_after_the_first() {
    let mut device = Device::new(32);
    let start = device.clock.now();
    for _ in 0..31 * 24 * 60 {
        device.record(&error("pump 1: no pressure"));
        device.run(Duration::from_mins(1));
    }
    let segments = |from: u64, to: u64| {
        let days = start + Duration::from_hours(24 * from)..start + Duration::from_hours(24 * to);
        let sent = device.transport.sent.iter().filter(|sent| days.contains(&sent.at));
        sent.map(|sent| u32::from(sent.segments)).sum::<u32>()
    };
    let (first, second, month) = (segments(0, 1), segments(1, 2), segments(0, 31));
    assert_eq!((first, second, month), (11, 3, 101));
    println!(
        "one fault, each minute, segments: {first} on day 1, {second} on day 2, {month} in 31 days"
    );
    let worst = Limits::default().worst_month();
    println!("the worst that the default budget allows: {worst} segments in 31 days");
}

#[test]
fn errors_without_end_cost_the_budget_of_the_day_and_no_more() {
    let mut device = Device::new(247);
    for line in 1..=24 * 60 * 6 {
        let message = format!("trouble in part {line}");
        device.record(&Event::new(Level::Error, &message).at("src/main.rs", line));
        device.run(Duration::from_secs(10));
    }
    let segments: u32 = device.transport.sent.iter().map(|sent| u32::from(sent.segments)).sum();
    assert_eq!(segments, 40);
}

#[test]
fn a_loss_and_an_unconfirmed_text_are_told_in_time_though_nothing_else_happens() {
    let mut device = Device::new(8);
    let now = device.clock.now();
    device.alerter().count_lost(now, 3);
    assert_eq!(device.alerter().stats().recorded, 0);
    device.kill();
    device.run(Duration::from_mins(5));
    assert_eq!(texts(&device), ["[Rust Logger night] 3 lost"]);

    device.transport.queue([Outcome::Unknown(Code(1)), Outcome::Unknown(Code(1))]);
    device.record(&Event::new(Level::Error, "bus fault").at("src/main.rs", 7));
    while device.transport.sent.len() < 3 {
        device.run(Duration::from_secs(1));
    }
    device.kill();
    device.run(Duration::from_mins(10));
    let texts = texts(&device);
    let line = texts.last().unwrap();
    assert!(line.contains("] unconfirmed ") && line.ends_with(": 1 ERROR"), "{texts:?}");
    device.run(Duration::from_hours(24));
    assert_eq!(device.transport.accepted().count(), 2, "once is enough");
}

/// A network takes its time; what happens meanwhile keeps the rhythm of what is being told.
#[test]
fn the_same_trouble_while_its_text_is_under_way_waits_its_interval() {
    let mut device = Device::new(16);
    let trouble = Event::new(Level::Error, "pump 1: no pressure").at("pump.rs", 7);
    device.record(&trouble);
    let mut buf = [0; 2048];
    let mut texts = Vec::new();
    while texts.len() < 3 {
        let now = device.clock.now();
        let (token, result) = match device.alerter().step(now, &mut buf) {
            Step::Again => continue,
            Step::Idle { until } => {
                device.clock.set(until);
                continue;
            }
            Step::Write { token, .. } | Step::Sync { token } => (token, Done::Stored),
            Step::Send(ticket) => {
                texts.push(now.as_millis() / 1000);
                device.clock.set(now + Duration::from_millis(700));
                device.record(&trouble);
                (ticket.token, Done::Sent(Outcome::Accepted(Receipt::new(1))))
            }
        };
        let now = device.clock.now();
        device.alerter().done(now, token, result);
    }
    let gaps = [texts[1] - texts[0], texts[2] - texts[1]];
    assert!((60..62).contains(&gaps[0]) && (60..122).contains(&gaps[1]), "{gaps:?}");
}

#[test]
fn a_name_of_any_length_leaves_a_space_before_the_first_event() {
    for name in ["", "x", &"long".repeat(25), &"ä".repeat(100), &"名".repeat(33)] {
        let prefix = format!("[Rust Logger {name}] ");
        let (mut nodes, mut groups) = ([Node::EMPTY; 4], [Group::EMPTY; 4]);
        let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
        let mut setup = Setup::new(&prefix);
        setup.storage = false;
        let mut alerter = Alerter::new([0; region_len(4)], buffers, &setup);
        alerter.record(Instant::ZERO, &error("no pressure"));
        let at = Instant::from_secs(5);
        let mut transport = ScriptedTransport::new(&Clock::at(at));
        drive(&mut alerter, || at, &mut NoStorage, &mut transport, &mut [0; text_bytes(2)]);
        let [sent] = &transport.sent[..] else { panic!("{:?}", transport.sent) };
        let kept = sent.text.strip_suffix(" ERROR: no pressure");
        let kept = kept.unwrap_or_else(|| panic!("{}", sent.text));
        assert!(kept.len() < PREFIX_MAX, "{kept}");
        assert!(prefix.starts_with(kept.trim_end_matches('.')), "{kept}");
    }
}

#[test]
fn what_finds_no_room_beside_the_events_comes_with_the_next_texts() {
    let (mut nodes, mut groups) = ([Node::EMPTY; 32], [Group::EMPTY; 16]);
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    // Nothing of such a name is in GSM, and one segment of UCS-2 holds 70 units.
    let mut setup = Setup::new("[Rust Logger насос] ");
    setup.policy.segments = 1;
    setup.storage = false;
    let mut alerter = Alerter::new([0; region_len(32)], buffers, &setup);
    let clock = Clock::at(Instant::from_secs(1000));
    let mut transport = ScriptedTransport::new(&clock);
    let mut buf = [0; text_bytes(1)];
    transport.rule(|_, _| Outcome::Unknown(Code(1)));
    for line in 1..=11 {
        if line == 5 {
            transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
            alerter.count_lost(clock.now(), 12);
        }
        alerter.record(clock.now(), &Event::new(Level::Error, "давление").at("a.rs", line));
        let end = clock.now() + Duration::from_hours(if line < 5 || line == 11 { 5 } else { 0 });
        for _ in 0..1000 {
            let until =
                drive(&mut alerter, || clock.now(), &mut NoStorage, &mut transport, &mut buf);
            if until > end {
                break;
            }
            clock.set(until.max(clock.now()));
        }
        clock.set(end);
    }
    let mut left: Vec<_> = transport.sent.iter().filter(|sent| !sent.accepted()).collect();
    left.dedup_by_key(|sent| &sent.reference);
    assert!(left.len() >= 4, "{left:#?}");
    let texts: String = transport.accepted().map(|sent| format!("{}\n", sent.text)).collect();
    assert_eq!(texts.matches("12 lost").count(), 1, "{texts}");
    // Beyond four of them the last stands for all.
    let told =
        left.iter().filter(|sent| texts.contains(&format!("unconfirmed {}", sent.reference)));
    assert_eq!(told.count(), 4, "{texts}");
    assert_eq!(alerter.stats().lost_unreported, 0);
}

#[test]
fn an_answer_nobody_documents_reduces_a_text_soon_and_loses_it_late() {
    let undocumented = |_, _: &Message<'_>| Outcome::Retry(Retry::unrecognised(Code(77)));
    // It ends after eight minutes.
    let mut device = Device::new(16);
    let back = device.clock.now() + Duration::from_mins(8);
    device.transport.rule(move |now, message| match now < back {
        true => undocumented(now, message),
        false => Outcome::Accepted(Receipt::new(message.segments)),
    });
    device.record(&Event::new(Level::Error, "no pressure").at("src/main.rs", 7));
    device.run(Duration::from_hours(1));
    let stats = device.alerter().stats();
    assert_eq!((stats.delivered, stats.lost), (1, 0));
    // It never ends, for this text: all others go on.
    let mut device = Device::new(16);
    device.transport.rule(move |now, message| match message.text.contains("ERROR") {
        true => undocumented(now, message),
        false => Outcome::Accepted(Receipt::new(message.segments)),
    });
    device.record(&Event::new(Level::Error, "no pressure").at("src/main.rs", 7));
    device.run(Duration::from_mins(1));
    device.record(&Event::new(Level::Warn, "no flow").at("src/main.rs", 8));
    device.run(Duration::from_hours(3));
    let sent = &device.transport.sent;
    let texts: Vec<_> = device.transport.accepted().map(|sent| sent.text.as_str()).collect();
    assert_eq!(texts, ["[Rust Logger night] WARN: no flow, 1 lost"]);
    assert_eq!(sent.len(), 3 + 16 + 1, "{sent:#?}");
}
