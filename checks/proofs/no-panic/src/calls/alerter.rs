//! The alerter: every call, in any state, with any time, any event, any outcome.

use crate::opaque::{any, bytes, long, one_of, sink, text, word};
use annunciator_core::alerter::{
    Alerter, Buffers, DESTINATION_LEN, Done, Origin, Policy, Setup, StartReason, Step, is_damaged,
};
use annunciator_core::digest::Group;
use annunciator_core::drive;
use annunciator_core::event::{Entry, Event, Level, TEXT_256};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{self, Node, region_len};
use annunciator_core::storage::ArrayStorage;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{
    Code, Decimal, Message, Outcome, Receipt, Refusal, RefusalClass, Retry, Transport,
};
use core::mem::MaybeUninit;

const SLOTS: usize = 32;
const GROUPS: usize = 24;
/// Room for the longest text that a policy allows.
pub const BUFFER: usize = text_bytes(6);

/// The alerter of a firmware.
pub type Firmware = Alerter<'static, &'static mut [u8]>;

static mut REGION: [u8; region_len(SLOTS)] = [0; region_len(SLOTS)];
static mut NODES: [Node; SLOTS] = [Node::EMPTY; SLOTS];
static mut DIGEST: [Group; GROUPS] = [Group::EMPTY; GROUPS];
static mut ALERTER: MaybeUninit<Firmware> = MaybeUninit::uninit();
static mut TEXT: [u8; BUFFER] = [0; BUFFER];

/// The memory of an alerter and its driver.
pub struct Memory {
    pub region: &'static mut [u8],
    pub nodes: &'static mut [Node],
    pub groups: &'static mut [Group],
    pub alerter: &'static mut MaybeUninit<Firmware>,
    pub text: &'static mut [u8],
}

/// To be called once.
pub fn memory() -> Memory {
    // SAFETY: the only thread calls this once.
    unsafe {
        Memory {
            region: &mut *(&raw mut REGION),
            nodes: &mut *(&raw mut NODES),
            groups: &mut *(&raw mut DIGEST),
            alerter: &mut *(&raw mut ALERTER),
            text: &mut *(&raw mut TEXT),
        }
    }
}

/// An alerter in any state.
pub fn firmware(memory: Memory) -> Firmware {
    start(bytes(memory.region), any(memory.nodes), any(memory.groups))
}

pub fn all() {
    let Memory { region, nodes, groups, alerter, text: buf } = memory();
    let alerter = alerter.write(start(bytes(region), any(nodes), any(groups)));
    record(any(alerter));
    step(any(alerter), bytes(buf));
    done(any(alerter));
    others(any(alerter));
    drive(any(alerter), bytes(buf));
}

/// Any memory is taken over.
fn start(
    region: &'static mut [u8],
    nodes: &'static mut [Node],
    groups: &'static mut [Group],
) -> Firmware {
    let mut memory = [0; 64];
    let mut setup = Setup::new(text(&mut memory));
    setup.policy = *any(&mut Policy::default());
    setup.now = now();
    setup.boot = long();
    setup.seed = word();
    setup.origin = origin();
    setup.reason = one_of(&[StartReason::Ordinary, StartReason::Crash, StartReason::Vanished])
        .unwrap_or(StartReason::Reset);
    setup.ring_id = long();
    let mut file = [0; DESTINATION_LEN];
    let file = bytes(&mut file);
    setup.destination = (word() == 0).then_some(file);
    setup.prefix = setup.prefix.filter(|_| word() == 0);
    setup.storage = word() == 0;
    Alerter::new(region, Buffers { nodes, groups }, &setup)
}

fn record(alerter: &mut Firmware) {
    let mut memory = ([0; 300], [0; 64], [0; 64]);
    let Some(level) = one_of(&Level::ALL) else { return };
    let event = Event::new(level, text(&mut memory.0)).target(text(&mut memory.1));
    sink(alerter.record(now(), &event));
    let event = event.at(text(&mut memory.2), word());
    sink(alerter.record(now(), &event));
    sink(alerter.admit(now(), &Entry::new(&event)));
}

fn step(alerter: &mut Firmware, buf: &mut [u8]) {
    match alerter.step(now(), buf) {
        Step::Send(ticket) => sink(ticket.message(buf)),
        other => sink(other),
    }
}

fn done(alerter: &mut Firmware) {
    // A token of any earlier step.
    let token = match alerter.step(now(), &mut []) {
        Step::Write { token, .. } | Step::Sync { token } => token,
        Step::Send(ticket) => ticket.token,
        _ => return,
    };
    let result = match word() {
        0 => Done::Stored,
        1 => Done::StorageFailed,
        _ => Done::Sent(outcome()),
    };
    alerter.done(now(), *any(&mut { token }), result);
}

fn others(alerter: &mut Firmware) {
    alerter.count_lost(now(), word());
    alerter.flush(now());
    alerter.abandon(now());
    alerter.rewrite(now());
    alerter.commit(now());
    alerter.count_suppressed(word());
    alerter.set_wall_clock(now(), long(), word() as i16);
    alerter.clear_moved();
    sink((alerter.has_moved(), alerter.is_settled(now())));
    sink(alerter.last_written());
    sink((alerter.memory().len(), alerter.memory_mut().len(), alerter.policy().segments));
    sink(alerter.poll_at());
    sink(alerter.stats());
    let mut region = [0; region_len(SLOTS)];
    let other = bytes(&mut region);
    sink(is_damaged::<TEXT_256>(other));
    sink((ring::identity(other), ring::is_empty::<TEXT_256>(other), ring::label(other)));
    sink(ring::waiting::<TEXT_256>(other));
    let mut file = [0; DESTINATION_LEN];
    sink(alerter.wants_destination(now()));
    alerter.load_destination(now(), bytes(&mut file));
    sink(alerter.store_destination());
}

fn origin() -> Origin {
    if word() == 0 { Origin::Memory } else { Origin::Storage }
}

fn drive(alerter: &mut Firmware, buf: &mut [u8]) {
    let mut storage = ArrayStorage([0; region_len(SLOTS)]);
    let mut region = [0; region_len(SLOTS)];
    sink(drive::load(any(&mut storage), bytes(&mut region)).is_ok());
    sink(drive::repair(any(&mut storage), bytes(&mut region)).is_ok());
    sink(drive::restore(any(&mut storage), bytes(&mut region)));
    sink(region);
    sink(drive::drive(alerter, now, any(&mut storage), &mut Modem, buf));
}

/// A transport that says anything.
pub struct Modem;

impl Transport for Modem {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        sink(message);
        outcome()
    }
}

fn outcome() -> Outcome {
    let code = Code(word() as u16);
    match word() {
        0 => {
            let mut receipt = Receipt::new(word() as u8);
            receipt.refused_parts = word() as u8;
            receipt.price = (word() == 0).then(|| Decimal(long() as i64));
            receipt.code = code;
            Outcome::Accepted(receipt)
        }
        1 => Outcome::Retry(Retry::failure(code)),
        2 => Outcome::Retry(Retry::throttled(Duration::from_millis(long()), code)),
        3 => Outcome::Retry(Retry::unrecognised(code)),
        4 => Outcome::Unknown(code),
        5 => Outcome::Refused(Refusal::new(RefusalClass::Channel, code)),
        _ => Outcome::Refused(Refusal::new(RefusalClass::Message, code)),
    }
}

/// Any time.
pub fn now() -> Instant {
    Instant::from_millis(long())
}
