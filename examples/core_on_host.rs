//! A night of outages in milliseconds: the core alone, with a scripted transport and a clock that
//! jumps.
//!
//! ```console
//! $ cargo run --example core_on_host
//! ```
//!
//! The way to try a policy before a device ships, and to test firmware without the firmware.

use std::time::Instant as Stopwatch;

use annunciator_core::event::{Event, Level};
use annunciator_core::testing::{Device, Sent};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};

fn main() {
    let stopwatch = Stopwatch::now();
    let mut device = Device::new(64);
    let mut evening = TimeOfDay::set(22, &device);

    device.record(&at(11, Level::Warn, "battery at 20 %"));
    device.run(Duration::from_mins(10));

    // The network is gone. One sensor fails, a pump complains every ten seconds for an hour.
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code::NONE)));
    device.record(&at(12, Level::Error, "sensor 3 does not answer"));
    for minute in 0..60 {
        for _ in 0..6 {
            let pressure = format!("pump 1: {}.{} bar", minute / 10, minute % 10);
            device.record(&at(13, Level::Error, &pressure));
            device.run(Duration::from_secs(10));
        }
    }

    // It comes back, and asks for patience first. The pump goes on.
    let wait = Duration::from_millis(702);
    device.transport.queue([Outcome::Retry(Retry::throttled(wait, Code(1)))]);
    device.transport.rule(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
    for _ in 0..120 {
        device.record(&at(13, Level::Error, "pump 1: no pressure"));
        device.run(Duration::from_mins(1));
    }

    // A panic; the answer to its text never comes.
    device.transport.queue([Outcome::Unknown(Code::NONE)]);
    device.record(&at(14, Level::Panic, "index 7 out of range in schedule"));
    device.run(Duration::from_hours(1));
    evening.print(&mut device);

    // Mains failure: what was committed comes back with the power, on a clock that starts anew.
    device.record(&at(15, Level::Error, "mains voltage lost"));
    device.run(Duration::from_millis(150));
    evening.pass(&device);
    device.power_loss(0);
    evening.pause(Duration::from_hours(2), &device);
    device.run(Duration::from_hours(1));
    evening.print(&mut device);

    let stats = device.alerter().stats();
    println!("{} lost, {} waiting; all in {:?}", stats.lost, stats.waiting, stopwatch.elapsed());
}

fn at(line: u32, level: Level, message: &str) -> Event<'_> {
    Event::new(level, message).at("src/main.rs", line)
}

/// What a clock on the wall would show.
struct TimeOfDay {
    /// Seconds after midnight when the device's clock showed `origin`.
    seconds: u64,
    origin: Instant,
}

impl TimeOfDay {
    fn set(hour: u64, device: &Device) -> TimeOfDay {
        TimeOfDay { seconds: hour * 3600, origin: device.clock.now() }
    }

    fn at(&self, instant: Instant) -> u64 {
        self.seconds + instant.since(self.origin).as_millis() / 1000
    }

    /// Remembers the present time, for a clock that is about to start anew.
    fn pass(&mut self, device: &Device) {
        self.seconds = self.at(device.clock.now());
    }

    /// Adds the time powered off.
    fn pause(&mut self, span: Duration, device: &Device) {
        self.seconds += span.as_millis() / 1000;
        self.origin = device.clock.now();
    }

    /// Prints what was sent since the last time; failures in a row share a line.
    fn print(&self, device: &mut Device) {
        let failed = |sent: &Sent| matches!(sent.outcome, Outcome::Retry(_));
        let sent: Vec<Sent> = device.transport.sent.drain(..).collect();
        for run in sent.chunk_by(|a, b| failed(a) && failed(b)) {
            let Some(last) = run.last() else { continue };
            let seconds = self.at(last.at);
            print!("{:02}:{:02}:{:02}  ", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
            match last.outcome {
                Outcome::Accepted(_) => println!("accepted, {} seg.  {}", last.segments, last.text),
                Outcome::Unknown(_) => println!("no answer         {}", last.text),
                _ => println!("not sent, the last of {} attempts", run.len()),
            }
        }
    }
}
