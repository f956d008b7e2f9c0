//! One life of a device: from a start until the script ends or the world stops.

use annunciator_core::alerter::{
    Alerter, Buffers, Done, Origin, Policy, Setup, Stats, Step, Ticket,
};
use annunciator_core::digest::Group;
use annunciator_core::drive::load;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::memory::Memory as _;
use annunciator_core::ring::{Admission, Node};
use annunciator_core::storage::Storage;
use annunciator_core::testing::CuttingMemory;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Refusal, RefusalClass, Retry};

use crate::world::{Covered, PREFIX, World};

/// How the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    Accept,
    NotSent,
    Unknown,
    RefuseText,
    RefuseChannel,
}

impl Reply {
    fn outcome(self, segments: u8) -> Outcome {
        match self {
            Reply::Accept => Outcome::Accepted(Receipt::new(segments)),
            Reply::NotSent => Outcome::Retry(Retry::failure(Code(1))),
            Reply::Unknown => Outcome::Unknown(Code(2)),
            Reply::RefuseText => Outcome::Refused(Refusal::new(RefusalClass::Message, Code(3))),
            Reply::RefuseChannel => Outcome::Refused(Refusal::new(RefusalClass::Channel, Code(4))),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// An event; the line is its group.
    Record(Level, &'static str, u32),
    /// Time passes; what falls due is done, each text answered by the next reply.
    Run(u64),
    /// Steps until a text is handed out, which stays unanswered.
    ToSend,
    /// So many steps, the storage's done, a text left unanswered.
    Steps(u32),
    /// The text handed out is answered.
    Answer(Reply),
    /// The replies of the texts to come; afterwards all are accepted.
    Replies(&'static [Reply]),
    /// The way is blocked until the next `Replies`.
    Outage,
    Lose(u32),
    /// The program ends and starts again, memory kept.
    Restart,
    /// The same, but memory is made anew from what storage shows.
    Forget,
    Abandon,
}

/// A life story.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) slots: usize,
    pub(crate) ops: Vec<Op>,
    /// Several events share a group, so that texts do not name each.
    pub(crate) grouped: bool,
}

/// How far the script is.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    pub(crate) op: usize,
    /// The world stops before the operation of this number.
    pub(crate) limit: usize,
    pub(crate) now: u64,
    pub(crate) replies: Vec<Reply>,
    pub(crate) outage: bool,
}

impl Default for Progress {
    fn default() -> Progress {
        Progress { op: 0, limit: usize::MAX, now: 10_000_000, replies: Vec::new(), outage: false }
    }
}

/// What is left when a life is over.
pub(crate) struct Remains {
    pub(crate) memory: CuttingMemory,
    pub(crate) stats: Stats,
    pub(crate) stopped: bool,
}

struct Living<'a, 'n, S> {
    alerter: Alerter<'n, CuttingMemory>,
    storage: &'a mut S,
    world: &'a mut World,
    progress: &'a mut Progress,
    ticket: Option<Ticket>,
    buf: [u8; BUF],
    commits: u32,
    /// What the commit under way covers.
    covered: Option<Covered>,
}

const BUF: usize = text_bytes(6);

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.level = Level::Info;
    policy.segments = 6;
    policy.limits.hour = 60_000;
    policy.limits.day = 60_000;
    policy.expiry = Duration::from_mins(30);
    policy.gap = Duration::from_secs(2);
    policy.gap_max = Duration::from_secs(4);
    policy
}

/// Where a life begins, and whether it goes on after the script until nothing is left to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    pub(crate) origin: Origin,
    pub(crate) boot: u64,
    pub(crate) whole: bool,
}

enum End {
    Stopped,
    Restart,
    Forget,
    Over,
}

/// Lives through the script from where it stands.
pub(crate) fn live<S: Storage + Stops>(
    script: &Script,
    mut memory: CuttingMemory,
    mut start: Start,
    storage: &mut S,
    world: &mut World,
    progress: &mut Progress,
) -> Remains {
    loop {
        let mut nodes = [Node::EMPTY; 16];
        let mut groups = [Group::EMPTY; 20];
        let mut setup = Setup::new(PREFIX);
        setup.policy = policy();
        setup.now = Instant::from_millis(progress.now);
        setup.origin = start.origin;
        setup.boot = start.boot;
        let buffers = Buffers { nodes: &mut nodes[..script.slots], groups: &mut groups };
        let mut living = Living {
            alerter: Alerter::new(memory, buffers, &setup),
            storage: &mut *storage,
            world: &mut *world,
            progress: &mut *progress,
            ticket: None,
            buf: [0; BUF],
            commits: 0,
            covered: None,
        };
        let end = living.script(script, start.whole);
        let stats = living.alerter.stats();
        memory = living.alerter.memory().clone();
        if !matches!(end, End::Restart | End::Forget) {
            return Remains { stats, memory, stopped: matches!(end, End::Stopped) };
        }
        start.origin = Origin::Memory;
        if matches!(end, End::Forget) && storage.capacity() > 0 {
            let mut bytes = vec![0; memory.bytes().len()];
            load(storage, &mut bytes).expect("a storage that is not cut can be read");
            memory = CuttingMemory::with_bytes(bytes);
            start.origin = Origin::Storage;
            world.power_cut();
        }
    }
}

/// Whether the world has stopped for a storage.
pub(crate) trait Stops {
    fn stopped(&self) -> bool;
}

impl Stops for annunciator_core::storage::NoStorage {
    fn stopped(&self) -> bool {
        false
    }
}

impl Stops for annunciator_core::testing::CutStorage {
    fn stopped(&self) -> bool {
        self.is_dead()
    }
}

/// `None`: the world has stopped.
type Alive = Option<()>;

impl<S: Storage + Stops> Living<'_, '_, S> {
    fn now(&self) -> Instant {
        Instant::from_millis(self.progress.now)
    }

    fn alive(&self) -> Alive {
        (!self.alerter.memory().is_cut() && !self.storage.stopped()).then_some(())
    }

    fn script(&mut self, script: &Script, whole: bool) -> End {
        if self.alive().is_none() {
            return End::Stopped;
        }
        while let Some(op) = script.ops.get(self.progress.op) {
            self.progress.op += 1;
            if matches!(op, Op::Restart) {
                return End::Restart;
            }
            if matches!(op, Op::Forget) {
                return End::Forget;
            }
            if self.progress.op > self.progress.limit {
                return End::Stopped;
            }
            if self.op(op).is_none() {
                return End::Stopped;
            }
        }
        match whole {
            true if self.epilogue().is_none() => End::Stopped,
            _ => End::Over,
        }
    }

    fn op(&mut self, op: &Op) -> Alive {
        match op {
            Op::Record(level, name, line) => return self.record(*level, name, *line),
            Op::Run(millis) => return self.run(*millis),
            Op::ToSend => {
                while self.ticket.is_none() {
                    if let Some(until) = self.step()? {
                        if until == Instant::FAR_FUTURE {
                            break;
                        }
                        self.progress.now = until.as_millis().max(self.progress.now);
                    }
                }
            }
            Op::Steps(steps) => {
                for _ in 0..*steps {
                    self.step()?;
                }
            }
            Op::Answer(reply) => {
                if let Some(ticket) = self.ticket.take() {
                    return self.answer(&ticket, *reply);
                }
            }
            Op::Replies(replies) => {
                self.progress.replies = replies.iter().rev().copied().collect();
                self.progress.outage = false;
            }
            Op::Outage => self.progress.outage = true,
            Op::Lose(events) => {
                let now = self.now();
                self.alerter.count_lost(now, *events);
                if self.alive().is_none() {
                    self.world.in_flight_anonymous += u64::from(*events);
                    return None;
                }
                self.world.lost(u64::from(*events));
            }
            Op::Restart | Op::Forget => unreachable!(),
            Op::Abandon => {
                let now = self.now();
                self.ticket = None;
                self.alerter.abandon(now);
                self.alive()?;
            }
        }
        Some(())
    }

    fn record(&mut self, level: Level, name: &str, line: u32) -> Alive {
        let now = self.now();
        let admission = self.alerter.record(now, &Event::new(level, name).at("a.rs", line));
        self.world.log.push(format!("record {name} {admission:?}"));
        self.world.places.insert(line, name.into());
        if self.alive().is_none() {
            self.world.in_flight.push(name.into());
            return None;
        }
        assert_ne!(admission, Admission::Suppressed);
        self.world.recorded(name, 1);
        Some(())
    }

    /// One step; the storage's are done. Says until when there is nothing to do.
    fn step(&mut self) -> Option<Option<Instant>> {
        let now = self.now();
        let step = self.alerter.step(now, &mut self.buf);
        self.alive()?;
        // A round that had nothing to write is over without a sync.
        self.note_commit();
        let (token, result) = match step {
            Step::Idle { until } => return Some(Some(until)),
            Step::Again => return Some(None),
            Step::Write { token, at, len } => {
                if self.covered.is_none() {
                    self.covered = Some(self.world.covered());
                }
                (token, self.storage.write(at, &self.buf[..len]).is_ok())
            }
            Step::Sync { token } => (token, self.storage.sync().is_ok()),
            Step::Send(ticket) => {
                self.world.left(&ticket.message(&self.buf));
                self.ticket = Some(ticket);
                return Some(None);
            }
        };
        self.alive()?;
        let done = if result { Done::Stored } else { Done::StorageFailed };
        self.alerter.done(now, token, done);
        if !result {
            self.covered = None;
        }
        self.note_commit();
        self.alive()?;
        Some(None)
    }

    /// Tells the world if a round is over since this was asked last.
    fn note_commit(&mut self) {
        let commits = self.alerter.stats().commits;
        if commits > self.commits {
            self.commits = commits;
            if let Some(covered) = self.covered.take() {
                self.world.commit(covered);
            }
        }
    }

    fn answer(&mut self, ticket: &Ticket, reply: Reply) -> Alive {
        let outcome = reply.outcome(ticket.message(&self.buf).segments);
        self.world.answered(outcome);
        let before = self.alerter.stats().delivered;
        let now = self.now();
        self.alerter.done(now, ticket.token, Done::Sent(outcome));
        // The consequence is drawn by the step that follows.
        self.step()?;
        let delivered = self.alerter.stats().delivered - before;
        self.alive()?;
        self.world.heard(outcome, u64::from(delivered));
        Some(())
    }

    fn run(&mut self, millis: u64) -> Alive {
        let end = self.progress.now + millis;
        loop {
            let until = self.step()?;
            if let Some(ticket) = self.ticket.take() {
                let reply = match self.progress.outage {
                    true => Reply::NotSent,
                    false => self.progress.replies.pop().unwrap_or(Reply::Accept),
                };
                self.answer(&ticket, reply)?;
            }
            if let Some(until) = until {
                if until.as_millis() > end {
                    break;
                }
                self.progress.now = until.as_millis().max(self.progress.now);
            }
        }
        self.progress.now = end.max(self.progress.now);
        Some(())
    }

    /// On until nothing is left to do: everything is accepted.
    fn epilogue(&mut self) -> Alive {
        self.progress.outage = false;
        self.progress.replies.clear();
        if let Some(ticket) = self.ticket.take() {
            self.answer(&ticket, Reply::Accept)?;
        }
        for _ in 0..12 {
            self.run(3_600_000)?;
        }
        self.record(Level::Error, "zz", 9_999)?;
        self.run(3_600_000)?;
        self.run(3_600_000)
    }
}
