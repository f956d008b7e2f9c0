use super::{CutStorage, ScriptedTransport};
use crate::alerter::{Alerter, Buffers, Origin, Policy, Setup, StartReason};
use crate::digest::Group;
use crate::drive::{drive, load};
use crate::event::Event;
use crate::gsm7::text_bytes;
use crate::ring::{Admission, Node, SLOT, region_len};
use crate::time::{Duration, Instant};
use crate::transport::Transport;
use std::boxed::Box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::vec;
use std::vec::Vec;

/// Steps that no moment needs.
const MANY: u32 = 1_000_000;

/// Virtual time; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    /// A clock that shows `now`.
    pub fn at(now: Instant) -> Clock {
        let clock = Clock::default();
        clock.set(now);
        clock
    }

    /// The present virtual time.
    pub fn now(&self) -> Instant {
        Instant::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// Jumps to `now`.
    pub fn set(&self, now: Instant) {
        self.0.store(now.as_millis(), Ordering::Relaxed);
    }

    /// Lets time pass.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }
}

/// A whole device on virtual time: an alerter with its memory, a storage, a transport.
///
/// ```
/// use annunciator_core::event::{Event, Level};
/// use annunciator_core::testing::Device;
/// use annunciator_core::time::Duration;
/// use annunciator_core::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
///
/// /// What is to be tested: here, one whose line is dead at the first attempt.
/// struct Line {
///     attempts: u32,
///     reported: Vec<String>,
/// }
///
/// impl Transport for Line {
///     fn send(&mut self, message: &Message<'_>) -> Outcome {
///         self.attempts += 1;
///         if self.attempts == 1 {
///             return Outcome::Retry(Retry::failure(Code(1)));
///         }
///         self.reported.push(message.text.to_owned());
///         Outcome::Accepted(Receipt::new(message.segments))
///     }
/// }
///
/// let line = Line { attempts: 0, reported: Vec::new() };
/// let mut device = Device::new(16).through(line);
/// device.record(&Event::new(Level::Error, "pump 3 does not start"));
/// device.run(Duration::from_mins(1));
/// assert_eq!(device.transport.reported, ["[Rust Logger night] ERROR: pump 3 does not start"]);
/// ```
#[derive(Debug)]
pub struct Device<T = ScriptedTransport> {
    /// Its clock.
    pub clock: Clock,
    /// What it sends through.
    pub transport: T,
    /// What it keeps.
    pub storage: CutStorage,
    /// The policy it is started with.
    pub policy: Policy,
    alerter: Option<Alerter<'static, Vec<u8>>>,
    slots: usize,
    boot: u64,
    buf: Vec<u8>,
}

impl Device {
    /// A device with a ring of `slots` slots, switched on at ten thousand seconds of virtual time.
    pub fn new(slots: usize) -> Device {
        Device::with_policy(slots, Policy::default())
    }

    /// The same with a policy of one's own.
    pub fn with_policy(slots: usize, policy: Policy) -> Device {
        let clock = Clock::at(Instant::from_secs(10_000));
        let mut device = Device {
            transport: ScriptedTransport::new(&clock),
            storage: CutStorage::new(region_len(slots)),
            clock,
            policy,
            alerter: None,
            slots,
            boot: 1,
            buf: vec![0; text_bytes(6).max(SLOT)],
        };
        let memory = vec![0; region_len(slots)];
        device.start(memory, Origin::Memory, StartReason::Ordinary);
        device
    }
}

impl<T: Transport> Device<T> {
    /// The same device, sending through a transport of one's own.
    pub fn through<U: Transport>(self, transport: U) -> Device<U> {
        let Device { clock, storage, policy, alerter, slots, boot, buf, .. } = self;
        Device { clock, transport, storage, policy, alerter, slots, boot, buf }
    }

    fn start(&mut self, memory: Vec<u8>, origin: Origin, reason: StartReason) {
        // Lent for as long as the test runs.
        let nodes = Box::leak(vec![Node::EMPTY; self.slots].into_boxed_slice());
        let groups = Box::leak(vec![Group::EMPTY; 24].into_boxed_slice());
        let mut setup = Setup::new("[Rust Logger night] ");
        setup.policy = self.policy;
        setup.now = self.clock.now();
        setup.boot = self.boot;
        setup.origin = origin;
        setup.reason = reason;
        self.alerter = Some(Alerter::new(memory, Buffers { nodes, groups }, &setup));
    }

    /// The alerter.
    ///
    /// # Panics
    /// Never: a device always has one.
    pub fn alerter(&mut self) -> &mut Alerter<'static, Vec<u8>> {
        self.alerter.as_mut().expect("a device has an alerter between its starts")
    }

    /// Reports an event now.
    pub fn record(&mut self, event: &Event<'_>) -> Admission {
        let now = self.clock.now();
        self.alerter().record(now, event)
    }

    /// Does what is to be done now and returns until when there is nothing more.
    ///
    /// # Panics
    /// If there is more to do, for ever.
    pub fn drive(&mut self) -> Instant {
        let clock = self.clock.clone();
        let mut steps = 0;
        let now = || {
            steps += 1;
            assert!(steps < MANY, "it goes on for ever");
            clock.now()
        };
        let alerter = self.alerter.as_mut().expect("a device has an alerter between its starts");
        drive(alerter, now, &mut self.storage, &mut self.transport, &mut self.buf)
    }

    /// Lets `span` pass, doing at each moment what is due then.
    ///
    /// # Panics
    /// If the alerter asks to be called again at once, for ever.
    pub fn run(&mut self, span: Duration) {
        let end = self.clock.now() + span;
        let mut spurious = 0;
        loop {
            let until = self.drive();
            if until > end {
                break;
            }
            spurious = if until > self.clock.now() { 0 } else { spurious + 1 };
            assert!(spurious < 1000, "nothing is done, and yet something is due");
            self.clock.set(until.max(self.clock.now()));
        }
        self.clock.set(end.max(self.clock.now()));
    }

    /// The program ends and starts again; memory survives, and nobody says why.
    pub fn kill(&mut self) {
        self.restart(StartReason::Ordinary);
    }

    /// The same, and the new start is given the reason.
    pub fn restart(&mut self, reason: StartReason) {
        let memory = self.memory();
        self.start(memory, Origin::Memory, reason);
    }

    /// The program starts anew on these bytes.
    pub fn start_with(&mut self, memory: Vec<u8>, origin: Origin) {
        self.start(memory, origin, StartReason::Ordinary);
    }

    /// Power fails; of the writes not synced yet those with a bit in `survivors` arrive. The clock
    /// of the new boot begins at zero.
    pub fn power_loss(&mut self, survivors: u64) {
        self.storage = CutStorage::with_bytes(self.storage.after_power_loss(survivors));
        self.boot += 1;
        self.clock.set(Instant::from_secs(1));
        let mut memory = vec![0; region_len(self.slots)];
        load(&mut self.storage, &mut memory).expect("a storage without faults can be read");
        self.start(memory, Origin::Storage, StartReason::Ordinary);
    }

    /// The bytes of the ring memory as they are now.
    pub fn memory(&mut self) -> Vec<u8> {
        self.alerter().memory().clone()
    }
}
