//! Outages in which attempts take their time, and what is reported meanwhile.

use annunciator_core::alerter::{Done, Step, Ticket};
use annunciator_core::event::{Event, Level};
use annunciator_core::storage::Storage;
use annunciator_core::testing::Device;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};

const TROUBLES: [(Level, &str); 3] = [
    (Level::Error, "uplink lost"),
    (Level::Error, "queue is full"),
    (Level::Warn, "tank 7 above 90 percent"),
];

fn report(device: &mut Device, (level, message): (Level, &str)) {
    device.record(&Event::new(level, message).at("src/main.rs", message.len() as u32));
}

/// What is to be done now except sending: a text to send, or until when there is nothing.
fn work(device: &mut Device, buf: &mut [u8]) -> Result<Ticket, Instant> {
    for _ in 0..10_000 {
        let now = device.clock.now();
        let (token, result) = match device.alerter().step(now, buf) {
            Step::Idle { until } => return Err(until),
            Step::Again => continue,
            Step::Send(ticket) => return Ok(ticket),
            Step::Write { token, at, len } => (token, device.storage.write(at, &buf[..len])),
            Step::Sync { token } => (token, device.storage.sync()),
        };
        let done = if result.is_ok() { Done::Stored } else { Done::StorageFailed };
        device.alerter().done(now, token, done);
    }
    panic!("it goes on for ever");
}

fn text_to_send(device: &mut Device, buf: &mut [u8]) -> Ticket {
    loop {
        match work(device, buf) {
            Ok(ticket) => return ticket,
            Err(until) => device.clock.set(until),
        }
    }
}

#[test]
fn errors_that_repeat_while_attempts_time_out_stay_one_record_each() {
    const EVERY: Duration = Duration::from_secs(7);
    const TIMEOUT: Duration = Duration::from_secs(20);
    for slots in [8, 247] {
        let mut device = Device::new(slots);
        let mut buf = vec![0; 1024];
        let start = device.clock.now();
        let back = start + Duration::from_hours(10);
        let (mut next, mut reported, mut texts) = (start, 0, Vec::new());
        while device.clock.now() < back + Duration::from_hours(1) {
            if next <= device.clock.now() && next < back {
                TROUBLES.iter().for_each(|trouble| report(&mut device, *trouble));
                reported += 3;
                next = next + EVERY;
            }
            match work(&mut device, &mut buf) {
                Err(until) => {
                    let event = if next < back { next } else { Instant::FAR_FUTURE };
                    let soon = device.clock.now() + Duration::from_mins(1);
                    device.clock.set(until.min(event).min(soon));
                }
                Ok(ticket) => {
                    let end = device.clock.now() + TIMEOUT;
                    while next <= end && next < back {
                        device.clock.set(next);
                        TROUBLES.iter().for_each(|trouble| report(&mut device, *trouble));
                        reported += 3;
                        next = next + EVERY;
                        assert!(work(&mut device, &mut buf).is_err());
                    }
                    device.clock.set(end);
                    let outcome = if end < back {
                        Outcome::Retry(Retry::failure(Code(1)))
                    } else {
                        texts.push(ticket.message(&buf).text.to_string());
                        Outcome::Accepted(Receipt::new(ticket.message(&buf).segments))
                    };
                    device.alerter().done(end, ticket.token, Done::Sent(outcome));
                }
            }
        }
        let stats = device.alerter().stats();
        assert_eq!((stats.delivered, stats.lost, stats.waiting), (reported, 0, 0), "{stats:#?}");
        assert!(stats.retries > 100);
        let [text] = texts.as_slice() else { panic!("more than one text: {texts:#?}") };
        for (_, message) in TROUBLES {
            assert!(text.contains(&format!("{message} (x")), "{text}");
        }
        assert!(!text.contains("kinds") && !text.contains("lost,"), "{text}");
    }
}

/// The slot that became free when two records became one is not written over before the count of
/// the other is kept.
#[test]
fn power_that_fails_while_two_records_become_one_loses_neither() {
    let trouble = TROUBLES[0];
    let mut lives = 0;
    for survivors in 0..u64::MAX {
        let mut device = Device::new(8);
        let mut buf = vec![0; 1024];
        report(&mut device, trouble);
        let ticket = text_to_send(&mut device, &mut buf);
        report(&mut device, trouble);
        device.clock.advance(Duration::from_secs(1));
        assert!(work(&mut device, &mut buf).is_err());
        assert_eq!(device.storage.unsynced(), 0, "both are kept");
        let now = device.clock.now();
        let failed = Done::Sent(Outcome::Retry(Retry::failure(Code(1))));
        device.alerter().done(now, ticket.token, failed);
        assert!(work(&mut device, &mut buf).is_err());
        report(&mut device, TROUBLES[1]);
        device.clock.advance(Duration::from_millis(150));
        // Up to the next sync, which does not come.
        while let Step::Write { token, at, len } = next_piece(&mut device, &mut buf) {
            device.storage.write(at, &buf[..len]).unwrap();
            let now = device.clock.now();
            device.alerter().done(now, token, Done::Stored);
        }
        let writes = device.storage.unsynced();
        assert!((1..12).contains(&writes), "{writes}");
        device.power_loss(survivors);
        device.run(Duration::from_hours(1));
        let told: Vec<_> = device.transport.accepted().map(|sent| sent.text.clone()).collect();
        let both = format!("{} (x2)", trouble.1);
        let one_each = format!("{0}, ERROR: {0}", trouble.1);
        let has_both = |text: &String| text.contains(&both) || text.contains(&one_each);
        assert!(told.iter().any(has_both), "{survivors:b}: {told:#?}");
        lives += 1;
        if survivors + 1 == 1 << writes {
            break;
        }
    }
    assert!(lives > 1);
}

fn next_piece(device: &mut Device, buf: &mut [u8]) -> Step {
    loop {
        let now = device.clock.now();
        match device.alerter().step(now, buf) {
            Step::Again => {}
            step => return step,
        }
    }
}
