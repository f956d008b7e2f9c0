//! Ways in which a device goes wrong, on the virtual clock, and what its texts cost.
//!
//! `examples/storms.rs` prints the table, `core/tests/storms.rs` pins it.

use annunciator_core::alerter::StartReason;
use annunciator_core::event::{Event, Level};
use annunciator_core::testing::Device;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};

/// Slots of a large chip's ring, of 63 KiB.
const SLOTS: usize = 247;

/// A scenario: what it is called, in which order its events come, and its course.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) order: &'static str,
    run: fn(&mut Story),
}

pub(crate) const SCENARIOS: [Scenario; 9] = [
    Scenario {
        name: "one error 10,000 times",
        order: "every 6 ms for a minute, then an hour of quiet",
        run: one_error,
    },
    Scenario {
        name: "10,000 messages, 5 sites",
        order: "every 6 ms for a minute; site n joins after 12 n seconds, in turn from then on",
        run: five_sites,
    },
    Scenario {
        name: "200 sites once each",
        order: "every 100 ms, lines 1 to 200, then an hour of quiet",
        run: many_sites,
    },
    Scenario {
        name: "error every 10 min",
        order: "the same site, another number each time, for a day",
        run: every_ten_minutes,
    },
    Scenario {
        name: "outage in a storm",
        order: "3 sites in turn, one event a second for 4 h; no network from 1 h to 3 h",
        run: outage,
    },
    Scenario {
        name: "noisy WARN, grave ERROR",
        order: "a WARN every 100 ms for 10 min, one ERROR after 5 min",
        run: grave,
    },
    Scenario {
        name: "crash loop",
        order: "start, PANIC after 5 s, start again, for an hour",
        run: crash_loop,
    },
    Scenario {
        name: "cron, each minute",
        order: "start, ERROR, flush for 2 s, end; each minute for a day",
        run: cron,
    },
    Scenario {
        name: "budget gone at noon",
        order: "a new site each 18 min from 0:00 to 20:00, then quiet until 6:00",
        run: noon,
    },
];

/// What a scenario came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) events: u32,
    pub(crate) texts: usize,
    pub(crate) segments: u32,
    /// Segments in the first two minutes after the first event.
    pub(crate) two_minutes: u32,
    /// From the first event to the first text, in ms.
    pub(crate) first: Option<u64>,
    /// From the first event of the gravest level to the first text that names its site, in ms.
    pub(crate) gravest: Option<u64>,
    /// Sites that some text names, and all.
    pub(crate) named: usize,
    pub(crate) sites: usize,
    pub(crate) lost: u32,
    /// The accepted texts and when, in seconds after the first event.
    pub(crate) said: Vec<(u64, String)>,
}

/// A device and what happened to it.
struct Story {
    device: Device,
    start: Option<Instant>,
    events: u32,
    sites: usize,
    gravest: Option<(Level, Instant, usize)>,
}

impl Story {
    fn now(&self) -> Instant {
        self.device.clock.now()
    }

    fn event(&mut self, level: Level, site: usize, rest: &str) {
        let message = format!("unit{site:03} {rest}");
        let now = self.now();
        self.device.record(
            &Event::new(level, &message).target("plant").at("src/plant.rs", site as u32 + 1),
        );
        self.start.get_or_insert(now);
        self.events += 1;
        self.sites = self.sites.max(site + 1);
        if self.gravest.is_none_or(|(gravest, ..)| level > gravest) {
            self.gravest = Some((level, now, site));
        }
    }

    fn run(&mut self, span: Duration) {
        self.device.run(span);
    }

    fn row(mut self, name: &'static str) -> Row {
        let start = self.start.unwrap_or_default();
        let said: Vec<_> =
            self.device.transport.accepted().map(|sent| (sent.at, sent.clone())).collect();
        let since = |at: Instant, from: Instant| at.since(from).as_millis();
        let two_minutes = said.iter().filter(|(at, _)| since(*at, start) < 120_000);
        let names = |text: &str, site: usize| text.contains(&format!("unit{site:03}"));
        let gravest = self.gravest.and_then(|(_, from, site)| {
            let told = said.iter().find(|(at, sent)| *at >= from && names(&sent.text, site))?;
            Some(since(told.0, from))
        });
        let named = (0..self.sites)
            .filter(|site| said.iter().any(|(_, sent)| names(&sent.text, *site)))
            .count();
        Row {
            name,
            events: self.events,
            texts: said.len(),
            segments: said.iter().map(|(_, sent)| u32::from(sent.segments)).sum(),
            two_minutes: two_minutes.map(|(_, sent)| u32::from(sent.segments)).sum(),
            first: said.first().map(|(at, _)| since(*at, start)),
            gravest,
            named,
            sites: self.sites,
            lost: self.device.alerter().stats().lost,
            said: said.into_iter().map(|(at, s)| (since(at, start) / 1000, s.text)).collect(),
        }
    }
}

impl Scenario {
    /// Lives through it.
    pub(crate) fn row(&self) -> Row {
        let device = Device::new(SLOTS);
        let mut story = Story { device, start: None, events: 0, sites: 0, gravest: None };
        (self.run)(&mut story);
        story.row(self.name)
    }
}

/// The table of all scenarios.
pub(crate) fn table() -> String {
    let seconds = |ms: Option<u64>| match ms {
        Some(ms) => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        None => "-".into(),
    };
    let mut table = String::new();
    for scenario in &SCENARIOS {
        table += &format!("{:<25} {}\n", scenario.name, scenario.order);
    }
    table += concat!(
        "\nscenario                  events  texts  segments  first 2 min  first text  gravest   ",
        "sites    lost\n",
    );
    for scenario in &SCENARIOS {
        let row = scenario.row();
        table += &format!(
            "{:<25} {:>6} {:>6} {:>9} {:>12} {:>11} {:>8} {:>7} {:>7}\n",
            row.name,
            row.events,
            row.texts,
            row.segments,
            row.two_minutes,
            seconds(row.first),
            seconds(row.gravest),
            format!("{}/{}", row.named, row.sites),
            row.lost,
        );
    }
    table
}

fn one_error(story: &mut Story) {
    for _ in 0..10_000 {
        story.event(Level::Error, 0, "does not answer: bus timeout");
        story.run(Duration::from_millis(6));
    }
    story.run(Duration::from_hours(1));
}

fn five_sites(story: &mut Story) {
    for number in 0..10_000 {
        let joined = number / 2000 + 1;
        story.event(
            Level::Error,
            number % joined,
            &format!("does not answer: request {number} timed out"),
        );
        story.run(Duration::from_millis(6));
    }
    story.run(Duration::from_hours(1));
}

fn many_sites(story: &mut Story) {
    for site in 0..200 {
        story.event(Level::Error, site, "does not answer");
        story.run(Duration::from_millis(100));
    }
    story.run(Duration::from_hours(1));
}

fn every_ten_minutes(story: &mut Story) {
    for number in 0..144 {
        story.event(Level::Error, 0, &format!("does not answer: request {number} timed out"));
        story.run(Duration::from_mins(10));
    }
}

fn outage(story: &mut Story) {
    let start = story.device.clock.now();
    let (gone, back) = (start + Duration::from_hours(1), start + Duration::from_hours(3));
    story.device.transport.rule(move |at, message| {
        if at >= gone && at < back {
            Outcome::Retry(Retry::failure(Code(1)))
        } else {
            Outcome::Accepted(Receipt::new(message.segments))
        }
    });
    for second in 0..4 * 3600 {
        story.event(Level::Error, second % 3, "does not answer: bus timeout");
        story.run(Duration::from_secs(1));
    }
    story.run(Duration::from_hours(9));
}

fn grave(story: &mut Story) {
    for number in 0..6000 {
        if number == 3000 {
            story.event(Level::Error, 1, "cannot write: disk full");
        }
        story.event(Level::Warn, 0, &format!("slow answer after {number} ms"));
        story.run(Duration::from_millis(100));
    }
    story.run(Duration::from_hours(1));
}

fn crash_loop(story: &mut Story) {
    for _ in 0..720 {
        story.run(Duration::from_secs(5));
        story.event(Level::Panic, 0, "index 7 out of range");
        story.device.restart(StartReason::Crash);
    }
    story.run(Duration::from_hours(1));
}

fn cron(story: &mut Story) {
    let start = story.device.clock.now();
    for run in 0..1440 {
        let now = story.device.clock.now();
        story.event(Level::Error, 0, "cannot fetch the mail: no route to host");
        story.device.alerter().flush(now);
        story.run(Duration::from_secs(2));
        story.device.clock.set(start + Duration::from_mins(run + 1));
        story.device.kill();
    }
}

fn noon(story: &mut Story) {
    for site in 0..67 {
        story.event(Level::Error, site, "does not answer: bus timeout");
        story.run(Duration::from_mins(18));
    }
    story.run(Duration::from_hours(10));
}
