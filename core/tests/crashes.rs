//! What is told of starts after an unclean end: how often, and with which cause.

use annunciator_core::alerter::StartReason;
use annunciator_core::event::{Event, Level};
use annunciator_core::testing::Device;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome};

const PREFIX: &str = "[Rust Logger night] ";

fn report(device: &mut Device, level: Level, message: &str) {
    device.record(&Event::new(level, message).at("src/main.rs", message.len() as u32));
}

fn texts(device: &Device) -> Vec<String> {
    let accepted = device.transport.accepted();
    accepted.map(|sent| sent.text.strip_prefix(PREFIX).unwrap().to_owned()).collect()
}

fn said(device: &Device) -> String {
    texts(device).last().cloned().unwrap_or_default()
}

#[test]
fn a_crash_is_told_once_with_the_event_that_was_on_its_way() {
    let mut device = Device::new(16);
    report(&mut device, Level::Panic, "index 7 out of range");
    device.restart(StartReason::Crash);
    device.run(Duration::from_hours(24));
    assert_eq!(texts(&device), ["restarted after a crash: PANIC: index 7 out of range"]);
}

#[test]
fn a_crash_is_told_with_the_last_grave_event_that_was_told_before() {
    let mut device = Device::new(16);
    report(&mut device, Level::Error, "cannot open the valve");
    report(&mut device, Level::Warn, "valve is slow");
    device.run(Duration::from_mins(3));
    device.restart(StartReason::Crash);
    report(&mut device, Level::Warn, "starting with defaults");
    device.run(Duration::from_mins(10));
    assert_eq!(
        said(&device),
        "restarted after a crash (ERROR: cannot open the valve), WARN: starting with defaults"
    );
    device.run(Duration::from_mins(30));
    device.restart(StartReason::Crash);
    device.run(Duration::from_mins(10));
    assert_eq!(said(&device), "restarted after a crash: ERROR: cannot open the valve");
    // Nothing to do with an end that came hours later.
    device.run(Duration::from_hours(9));
    device.restart(StartReason::Crash);
    device.run(Duration::from_hours(1));
    assert_eq!(said(&device), "restarted after a crash");
    assert_eq!(texts(&device).len(), 4, "{:#?}", texts(&device));
}

#[test]
fn an_orderly_start_says_nothing() {
    let mut device = Device::new(16);
    for _ in 0..5 {
        device.kill();
        device.run(Duration::from_mins(1));
    }
    device.run(Duration::from_hours(24));
    assert_eq!(texts(&device), [""; 0]);
}

#[test]
fn three_crashes_within_ten_minutes_are_one_text_with_their_count() {
    let mut device = Device::new(16);
    for _ in 0..3 {
        device.restart(StartReason::Crash);
        device.run(Duration::from_mins(3));
    }
    device.run(Duration::from_hours(2));
    assert_eq!(texts(&device), ["restarted after a crash", "restarted after 3 crashes in 6 min"]);
}

#[test]
fn a_crash_loop_without_a_word_costs_few_texts() {
    let mut device = Device::new(16);
    for _ in 0..24 * 3600 / 5 {
        device.restart(StartReason::Crash);
        device.run(Duration::from_secs(5));
    }
    let texts = texts(&device);
    assert!(texts.len() <= 9, "{texts:#?}");
    assert_eq!(texts[0], "restarted after a crash");
    assert!(texts[1].starts_with("restarted after 1") && texts[1].ends_with(" crashes in 1 min"));
    let segments: u32 = device.transport.accepted().map(|sent| u32::from(sent.segments)).sum();
    assert_eq!(segments as usize, texts.len());
}

#[test]
fn a_reset_is_told_with_the_boots_and_the_first_cause_though_the_network_was_away() {
    let mut device = Device::new(16);
    device.kill();
    let mut tries = 0;
    device.transport.rule(move |_, message| {
        tries += 1;
        match tries {
            ..8 => Outcome::Retry(annunciator_core::transport::Retry::failure(Code(1))),
            _ => Outcome::Accepted(annunciator_core::transport::Receipt::new(message.segments)),
        }
    });
    report(&mut device, Level::Error, "bus fault at 0x20003f10");
    report(&mut device, Level::Error, "uplink lost");
    device.run(Duration::from_secs(3));
    device.restart(StartReason::Reset);
    device.run(Duration::from_hours(2));
    assert_eq!(
        texts(&device),
        ["restarted after a reset, boot 3: ERROR: bus fault at 0x20003f10, ERROR: uplink lost"]
    );
}

#[test]
fn the_count_survives_storage_and_a_text_whose_fate_is_unknown_twice_is_not_told_thrice() {
    let mut device = Device::new(16);
    device.transport.queue([Outcome::Unknown(Code(1)), Outcome::Unknown(Code(1))]);
    device.restart(StartReason::Crash);
    device.run(Duration::from_hours(1));
    assert_eq!(device.transport.sent.len(), 2, "{:#?}", device.transport.sent);
    device.restart(StartReason::Crash);
    device.run(Duration::from_millis(200));
    device.power_loss(0);
    device.run(Duration::from_hours(1));
    assert_eq!(said(&device), "restarted after a crash");
    assert_eq!(texts(&device).len(), 1);
}

#[test]
fn a_small_text_finds_room_for_the_crash_and_its_cause() {
    let mut device = Device::new(16);
    device.policy.segments = 1;
    device.kill();
    for unit in 0..40 {
        let message =
            format!("unit {unit} of the second line in hall {} does not answer", unit % 3);
        device.record(&Event::new(Level::Error, &message).at("src/main.rs", unit));
    }
    device.restart(StartReason::Crash);
    device.run(Duration::from_mins(1));
    let text = said(&device);
    assert!(text.starts_with("restarted after a crash: ERROR: unit "), "{text}");
}
