//! Three days and nights of a device in the field, on virtual time: outages, throttling, crashes,
//! power cuts, a storm. The table of texts is the story; it is pinned.

use annunciator_core::event::{Event, Level};
use annunciator_core::testing::Device;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Message, Outcome, Receipt, Refusal, RefusalClass, Retry};

/// What was recorded, told, lost; and the story so far.
struct Night {
    device: Device,
    begun: u64,
    /// Virtual time spent in earlier boots.
    before: u64,
    recorded: u32,
    delivered: u32,
    texts: usize,
    /// How often the same was tried in a row, and when first.
    table: Vec<(u32, String)>,
}

fn clock(secs: u64) -> String {
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

impl Night {
    fn new() -> Night {
        let device = Device::new(24);
        let begun = device.clock.now().as_millis();
        let (recorded, delivered, texts) = (0, 0, 0);
        Night { device, begun, before: 0, recorded, delivered, texts, table: Vec::new() }
    }

    fn elapsed(&self) -> u64 {
        (self.before + self.device.clock.now().as_millis() - self.begun) / 1000
    }

    fn log(&mut self, level: Level, line: u32, message: &str) {
        self.device.record(&Event::new(level, message).target("plant").at("src/plant.rs", line));
        self.recorded += 1;
    }

    fn run(&mut self, span: Duration) {
        self.device.run(span);
        self.tell();
    }

    /// Adds the new texts to the table.
    fn tell(&mut self) {
        for sent in self.device.transport.sent.iter().skip(self.texts) {
            let secs = (self.before + sent.at.as_millis() - self.begun) / 1000;
            let outcome = match sent.outcome {
                Outcome::Accepted(_) => "accepted",
                Outcome::Retry(_) => "not sent",
                Outcome::Refused(_) => "refused",
                _ => "unknown",
            };
            let text = sent.text.trim_start_matches("[Rust Logger night] ");
            let same = |(tries, line): &&mut (u32, String)| {
                *tries > 0 && line.get(9..) == Some(&format!("{outcome:8} {text}"))
            };
            match self.table.last_mut().filter(same) {
                Some((tries, _)) => *tries += 1,
                None => self.table.push((1, format!("{} {outcome:8} {text}", clock(secs)))),
            }
        }
        self.texts = self.device.transport.sent.len();
    }

    fn note(&mut self, what: &str) {
        self.table.push((0, format!("{} -- {what}", clock(self.elapsed()))));
    }

    fn printed(&self) -> String {
        let line = |(tries, line): &(u32, String)| match tries {
            0 | 1 => format!("{line}\n"),
            _ => format!("{line} [{tries} times]\n"),
        };
        self.table.iter().map(line).collect()
    }

    fn kill(&mut self) {
        self.note("killed");
        self.delivered += self.device.alerter().stats().delivered;
        self.device.kill();
    }

    fn power_loss(&mut self, survivors: u64) {
        self.note("power lost");
        self.delivered += self.device.alerter().stats().delivered;
        self.before += self.device.clock.now().as_millis() - self.begun;
        self.device.power_loss(survivors);
        self.begun = self.device.clock.now().as_millis();
    }

    fn answer(&mut self, rule: impl FnMut(Instant, &Message<'_>) -> Outcome + Send + 'static) {
        self.device.transport.rule(rule);
    }

    fn open(&mut self) {
        self.note("the network is there");
        self.answer(|_, message| Outcome::Accepted(Receipt::new(message.segments)));
    }

    fn close(&mut self) {
        self.note("the network is gone");
        self.answer(|_, _| Outcome::Retry(Retry::failure(Code(101))));
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn story() -> Night {
    let mut night = Night::new();
    // A quiet day with one small thing.
    night.run(Duration::from_hours(6));
    night.log(Level::Warn, 10, "pump 2 runs dry");
    night.run(Duration::from_hours(4));

    // The first night: the network goes, then things go wrong.
    night.close();
    for minute in 0..90 {
        night.log(Level::Error, 20, "uplink lost");
        if minute % 30 == 7 {
            night.log(Level::Warn, 30 + minute, &format!("tank {minute} above 90 percent"));
        }
        night.run(MINUTE);
    }
    night.kill();
    night.log(Level::Error, 40, "restarted by the watchdog");
    night.run(Duration::from_mins(30));
    night.open();
    night.run(Duration::from_hours(8));

    // The second day: throttled, a text whose answer is lost, then the power.
    night.note("throttled");
    night.device.transport.queue([
        Outcome::Retry(Retry::throttled(Duration::from_secs(45), Code(1))),
        Outcome::Retry(Retry::throttled(Duration::from_secs(45), Code(1))),
    ]);
    night.log(Level::Error, 50, "valve 7 does not close");
    night.run(HOUR);
    night.device.transport.queue([Outcome::Unknown(Code(7))]);
    night.log(Level::Error, 60, "valve 8 does not close");
    night.run(Duration::from_secs(1));
    night.power_loss(u64::MAX);
    night.run(Duration::from_hours(10));

    // A storm of twelve hours that no one can tell in full.
    night.note("a storm");
    for second in 0..12 * 3600 / 10 {
        night.log(Level::Error, 70 + second % 3, &format!("sensor {} failed", second % 40));
        if second == 2000 {
            night.kill();
        }
        night.run(Duration::from_secs(10));
    }
    night.log(Level::Panic, 80, "index out of bounds: the len is 3 but the index is 7");
    night.run(Duration::from_hours(5));

    // The third night: the account is barred; power fails twice.
    night.note("the account is barred");
    let barred = Refusal::new(RefusalClass::Channel, Code(9));
    night.answer(move |_, _| Outcome::Refused(barred));
    night.log(Level::Error, 90, "the door is open");
    night.run(Duration::from_hours(3));
    night.power_loss(0);
    night.run(Duration::from_secs(10));
    night.log(Level::Warn, 91, "battery low");
    night.run(Duration::from_millis(500));
    night.note("what was said half a second ago is not on disk yet");
    night.power_loss(0);
    night.recorded -= 1;
    night.run(HOUR);
    night.open();
    night.run(Duration::from_hours(20));
    night
}

#[test]
fn seventy_two_hours() {
    let mut night = story();
    let table = night.printed();
    let pinned = include_str!("data/night.txt");
    if std::env::var_os("ANNUNCIATOR_PIN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/night.txt");
        std::fs::write(path, &table).expect("the table can be written");
    } else {
        assert!(table == pinned, "ANNUNCIATOR_PIN=1 pins this:\n{table}");
    }
    assert!(night.elapsed() >= 72 * 3600, "{}", night.elapsed());
    let stats = night.device.alerter().stats();
    assert_eq!((stats.waiting, stats.lost_unreported), (0, 0));
    assert_eq!(night.delivered + stats.delivered + stats.lost, night.recorded, "{stats:?}");
}
