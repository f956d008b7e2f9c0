//! The life of a device on virtual time: events, moods of the service, programs that die inside a
//! store, and in some lives flipped bits between two programs. It always comes to rest, whatever
//! its memory holds; and as long as no bit was flipped, no event is gone without being counted.
#![no_main]

use annunciator_core::alerter::{Alerter, Buffers, Done, Origin, Setup, StartReason, Step};
use annunciator_core::digest::Group;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Admission, Node, SLOT, region_len};
use annunciator_core::testing::CuttingMemory;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Refusal, RefusalClass, Retry};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Act {
    /// An event; few lines and texts, so that some merge.
    Event { level: u8, line: u8, text: u8 },
    /// Some steps with the service in this mood.
    Drive { mood: Mood, steps: u8 },
    /// Time passes.
    Wait { seconds: u16 },
    /// The program ends here. The next one dies inside the store of its so manieth byte.
    Restart { dies_after: Option<u16> },
    /// A bit or more of the memory changes between two programs.
    Flip { at: u16, mask: u8 },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Mood {
    Accepts,
    Fails,
    Throttles,
    Vanishes,
    RefusesTheText,
    RefusesTheAccount,
    Babbles,
}

#[derive(Debug, Arbitrary)]
struct Life {
    slots: u8,
    acts: Vec<Act>,
}

fuzz_target!(|life: Life| {
    let slots = usize::from(life.slots % 12) + 2;
    let mut device = Device {
        memory: CuttingMemory::new(region_len(slots)),
        now: Instant::from_secs(1000),
        buf: vec![0; text_bytes(6).max(SLOT)],
        tally: Tally::default(),
    };
    let mut acts = life.acts.iter().take(200);
    while device.lives(slots, &mut acts) {}
});

/// What outlives a program.
struct Device {
    memory: CuttingMemory,
    now: Instant,
    buf: Vec<u8>,
    tally: Tally,
}

/// The books that are kept beside the alerter.
#[derive(Debug, Default)]
struct Tally {
    /// Events that were taken, or counted as lost, by a program that was alive afterwards.
    admitted: u32,
    /// Events that accepted texts told, as the programs say.
    delivered: u32,
    /// Events of which accepted texts say that nobody knows whether they were told.
    unconfirmed: u32,
    deaths: u32,
    flips: u32,
}

impl Device {
    /// One program from its start to its end; whether there is another.
    fn lives<'a>(&mut self, slots: usize, acts: &mut impl Iterator<Item = &'a Act>) -> bool {
        let mut nodes = vec![Node::EMPTY; slots];
        let mut groups = [Group::EMPTY; 16];
        let mut setup = Setup::new("[Rust Logger fuzz] ");
        setup.now = self.now;
        setup.boot = 1;
        setup.origin = Origin::Memory;
        setup.reason =
            if self.tally.deaths > 0 { StartReason::Crash } else { StartReason::Ordinary };
        let memory = self.memory.clone();
        let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
        let mut alerter = Alerter::new(memory, buffers, &setup);

        for act in acts {
            match *act {
                Act::Event { level, line, text } => self.event(&mut alerter, level, line, text),
                Act::Drive { mood, steps } => {
                    for _ in 0..steps {
                        if alerter.memory().is_cut() || self.step(&mut alerter, mood) {
                            break;
                        }
                    }
                }
                Act::Wait { seconds } => self.now = self.now + Duration::from_secs(seconds.into()),
                Act::Restart { dies_after } => {
                    self.ends(&alerter);
                    if let Some(bytes) = dies_after {
                        self.memory.cut_at(bytes.into());
                    }
                    return true;
                }
                Act::Flip { at, mask } => {
                    self.ends(&alerter);
                    let mut bytes = self.memory.survives();
                    let at = usize::from(at) % bytes.len();
                    bytes[at] ^= mask;
                    self.memory = CuttingMemory::with_bytes(bytes);
                    self.tally.flips += 1;
                    return true;
                }
            }
            if alerter.memory().is_cut() {
                self.tally.deaths += 1;
                self.ends(&alerter);
                return true;
            }
        }
        self.comes_to_rest(&mut alerter);
        alerter.memory().is_cut()
    }

    fn ends(&mut self, alerter: &Alerter<'_, CuttingMemory>) {
        self.tally.delivered += alerter.stats().delivered;
        self.memory = CuttingMemory::with_bytes(alerter.memory().survives());
    }

    fn event(&mut self, alerter: &mut Alerter<'_, CuttingMemory>, level: u8, line: u8, text: u8) {
        let level = Level::ALL[usize::from(level) % Level::ALL.len()];
        let message = format!("sensor {} failed", text % 8);
        let event = Event::new(level, &message).target("fuzz").at("main.rs", u32::from(line % 8));
        let admission = alerter.record(self.now, &event);
        assert_eq!(admission == Admission::Suppressed, level < Level::Warn);
        if admission != Admission::Suppressed && !alerter.memory().is_cut() {
            self.tally.admitted += 1;
        }
    }

    /// One step; whether there is nothing more to do now.
    fn step(&mut self, alerter: &mut Alerter<'_, CuttingMemory>, mood: Mood) -> bool {
        let (token, done) = match alerter.step(self.now, &mut self.buf) {
            Step::Idle { .. } => return true,
            Step::Again => return false,
            Step::Write { token, .. } | Step::Sync { token } => (token, Done::Stored),
            Step::Send(ticket) => {
                let message = ticket.message(&self.buf);
                assert!(!message.text.is_empty(), "an empty text");
                if matches!(mood, Mood::Accepts) {
                    self.tally.unconfirmed += unconfirmed(message.text);
                }
                (ticket.token, Done::Sent(mood.outcome(message.segments)))
            }
        };
        alerter.done(self.now, token, done);
        false
    }

    /// With a service that accepts, every event is gone from the ring after some days; and what was
    /// not told by then (how many were lost, or may have been) is told with the next event.
    fn comes_to_rest(&mut self, alerter: &mut Alerter<'_, CuttingMemory>) {
        self.rests(alerter);
        self.event(alerter, 4, 0, 0);
        self.rests(alerter);
        if alerter.memory().is_cut() {
            self.tally.deaths += 1;
            self.ends(alerter);
            return;
        }
        let stats = alerter.stats();
        assert_eq!(stats.waiting, 0, "{stats:?}");
        let Tally { admitted, delivered, unconfirmed, deaths, flips } = self.tally;
        let told = delivered + unconfirmed + stats.delivered + stats.lost;
        // A death inside the count of a record may cost one increment.
        if flips == 0 {
            assert!(told + deaths >= admitted, "{told} of {admitted}, {deaths} deaths: {stats:?}");
            assert_eq!(stats.lost_unreported, 0, "{stats:?}");
        }
    }

    fn rests(&mut self, alerter: &mut Alerter<'_, CuttingMemory>) {
        for _ in 0..400 {
            let mut steps = 0;
            while !self.step(alerter, Mood::Accepts) {
                steps += 1;
                assert!(steps < 20_000, "an instant without end");
            }
            let until = alerter.poll_at();
            if until == Instant::FAR_FUTURE {
                return;
            }
            self.now = until.max(self.now + Duration::from_millis(1));
        }
        panic!("does not come to rest: {:?}", alerter.stats());
    }
}

/// The sum of the counts in `unconfirmed k7m2: 2 ERROR`.
fn unconfirmed(text: &str) -> u32 {
    let notes = text.split("unconfirmed ").skip(1);
    let counts = notes.filter_map(|note| note.get(6..)?.split(' ').next()?.parse::<u32>().ok());
    counts.sum()
}

impl Mood {
    fn outcome(self, segments: u8) -> Outcome {
        let code = Code(7);
        match self {
            Mood::Accepts => Outcome::Accepted(Receipt::new(segments)),
            Mood::Fails => Outcome::Retry(Retry::failure(code)),
            Mood::Throttles => Outcome::Retry(Retry::throttled(Duration::from_secs(3), code)),
            Mood::Vanishes => Outcome::Unknown(code),
            Mood::RefusesTheText => Outcome::Refused(Refusal::new(RefusalClass::Message, code)),
            Mood::RefusesTheAccount => Outcome::Refused(Refusal::new(RefusalClass::Channel, code)),
            Mood::Babbles => Outcome::Retry(Retry::unrecognised(code)),
        }
    }
}
