//! Lives of an alerter in which every operation occurs, in every state it can occur in.

use annunciator_core::alerter::{Alerter, Buffers, Done, Setup, Step};
use annunciator_core::digest::Group;
use annunciator_core::drive::Drivable;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Admission, Node, SLOT};
use annunciator_core::shared::Shared;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Decimal, Outcome, Receipt, Refusal, RefusalClass, Retry};

use crate::meter::Table;

/// An alerter behind a critical section.
pub type Alerts = Shared<&'static mut [u8]>;

/// Bytes of each message.
const MESSAGE: usize = 160;
const BUFFER: usize = text_bytes(6);

/// What an alerter needs for its life.
pub struct Memory {
    pub region: &'static mut [u8],
    pub nodes: &'static mut [Node],
    pub groups: &'static mut [Group],
}

/// A life: `shared` gets an alerter, and years of trouble pass.
pub struct Story<'a> {
    shared: &'a Alerts,
    table: &'a mut Table,
    now: Instant,
    dice: u32,
    buf: [u8; BUFFER],
}

impl<'a> Story<'a> {
    /// Begins a life in fresh memory.
    pub fn begin(shared: &'a Alerts, memory: Memory, table: &'a mut Table) -> Story<'a> {
        let mut setup = Setup::new("[Rust Logger critical-sections] ");
        setup.policy.segments = 6;
        setup.policy.heartbeat = Some(Duration::from_hours(24));
        setup.policy.recovered = Some(Duration::from_hours(2));
        setup.policy.low_balance = Some(Decimal(500_000_000));
        memory.region.fill(0);
        let buffers = Buffers { nodes: memory.nodes, groups: memory.groups };
        let alerter = Alerter::new(memory.region, buffers, &setup);
        table.measure(|| shared.attach(alerter), |_| "attach");
        Story { shared, table, now: Instant::ZERO, dice: 1, buf: [0; BUFFER] }
    }

    /// Trouble of all kinds, `rounds` times.
    pub fn live(&mut self, rounds: u32) {
        for _ in 0..rounds {
            let events = self.roll(80);
            for _ in 0..events {
                self.record();
                if self.roll(4) == 0 {
                    self.step();
                }
            }
            let steps = self.roll(600);
            for _ in 0..steps {
                self.step();
            }
            self.now = self.now + Duration::from_secs(self.roll(1200).into());
            match self.roll(6) {
                0 => self.table.measure(|| self.shared.flush(self.now), |_| "flush"),
                1 => drop(self.table.measure(|| self.shared.stats(), |_| "stats")),
                2 => drop(self.table.measure(|| self.shared.poll_at(), |_| "poll_at")),
                3 => self.last_words(),
                _ => {}
            }
        }
    }

    fn record(&mut self) {
        let (line, text) = (self.roll(60), self.roll(3));
        let mut message = [b'a' + text as u8; MESSAGE];
        message[7] = b'0' + line as u8;
        let message = core::str::from_utf8(&message).expect("ASCII");
        let levels =
            [Level::Info, Level::Warn, Level::Warn, Level::Error, Level::Error, Level::Panic];
        let level = levels[self.roll(6) as usize];
        let event = Event::new(level, message).at("main.rs", line);
        let lost = self.shared.stats().map_or(0, |stats| stats.lost);
        let admission = self.table.measure(
            || self.shared.record(self.now, &event),
            |admission| match admission {
                Admission::Stored if self.shared.stats().is_some_and(|now| now.lost > lost) => {
                    "record, full"
                }
                Admission::Stored => "record, stored",
                Admission::Merged => "record, merged",
                Admission::Suppressed => "record, below the level",
                _ => "record, turned away",
            },
        );
        let _ = admission;
        self.now = self.now + Duration::from_millis(self.roll(700).into());
    }

    fn last_words(&mut self) {
        let mut aside = [0; SLOT];
        let event = Event::new(Level::Panic, "index out of range").at("main.rs", 1);
        let shared = self.shared;
        shared.with(|_| shared.record_last(self.now, &event, &mut aside));
        self.table.measure(|| shared.take_last(self.now, &mut aside), |_| "take_last");
        self.table.measure(|| shared.record_last(self.now, &event, &mut aside), |_| "record_last");
    }

    fn step(&mut self) {
        let mut shared = self.shared;
        let step = self.table.measure(
            || shared.step(self.now, &mut self.buf),
            |step| match step {
                Step::Idle { .. } => "step: idle",
                Step::Again => "step: again",
                Step::Write { .. } => "step: write",
                Step::Sync { .. } => "step: sync",
                Step::Send(_) => "step: send",
            },
        );
        let fails = self.roll(200) == 0;
        let stored = if fails { Done::StorageFailed } else { Done::Stored };
        let (token, result, name) = match step {
            Step::Idle { .. } => {
                self.now = self.now + Duration::from_millis(self.roll(4000).into());
                return;
            }
            Step::Again => return,
            Step::Write { token, .. } if fails => (token, stored, "done: storage failed"),
            Step::Write { token, .. } => (token, stored, "done: written"),
            Step::Sync { token } if fails => (token, stored, "done: storage failed"),
            Step::Sync { token } => (token, stored, "done: synced"),
            Step::Send(ticket) => {
                let (outcome, name) = self.outcome();
                (ticket.token, Done::Sent(outcome), name)
            }
        };
        self.table.measure(|| shared.done(self.now, token, result), |_| name);
    }

    fn outcome(&mut self) -> (Outcome, &'static str) {
        let code = Code(7);
        match self.roll(10) {
            0 => (Outcome::Retry(Retry::failure(code)), "done: not sent"),
            1 => (Outcome::Retry(Retry::unrecognised(code)), "done: not sent"),
            2 | 3 => (Outcome::Unknown(code), "done: unknown"),
            4 => (Outcome::Refused(Refusal::new(RefusalClass::Message, code)), "done: refused"),
            5 => (Outcome::Refused(Refusal::new(RefusalClass::Channel, code)), "done: refused"),
            _ => {
                let mut receipt = Receipt::new(6);
                receipt.price = Some(Decimal(19_980_000));
                receipt.balance = Some(Decimal(self.roll(10).into()));
                (Outcome::Accepted(receipt), "done: accepted")
            }
        }
    }

    /// One of the numbers below `sides`; the same sequence in every run.
    fn roll(&mut self, sides: u32) -> u32 {
        self.dice = self.dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.dice >> 8) % sides
    }
}
