//! What an interrupt sees of all this: events at 10 kHz while the main loop drives the alerter, and
//! non-maskable ones while it is in use.

use annunciator_core::alerter::{Alerter, Buffers, Setup};
use annunciator_core::drive::drive;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::Admission;
use annunciator_core::shared::Shared;
use annunciator_core::storage::Storage;
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Message, Outcome, Receipt, Transport};
use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::peripheral::{NVIC, SCB, SYST};
use cortex_m_rt::exception;
use cortex_m_semihosting::hprintln;
use lm3s6965::{Interrupt, interrupt};

use crate::story::{Alerts, Memory};

static ALERTS: Alerts = Shared::new();

/// Interrupts to come.
const STORM: u32 = 50_000;
/// 100 µs in clocks of 5 ns: 6,250 instructions.
const PERIOD: u32 = 20_000;

static RECORDED: AtomicU32 = AtomicU32::new(0);
static REFUSED: AtomicU32 = AtomicU32::new(0);
static MISSED: AtomicU32 = AtomicU32::new(0);
static BEFORE: AtomicU32 = AtomicU32::new(0);

const TIMER: usize = 0x4003_0000;

fn timer(offset: usize, value: u32) {
    // SAFETY: registers of general-purpose timer 0.
    unsafe { ((TIMER + offset) as *mut u32).write_volatile(value) };
}

/// Accepts everything.
struct Service;

impl Transport for Service {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

/// Takes everything and keeps nothing: there is no power cut here.
struct Card;

impl Storage for Card {
    type Error = core::convert::Infallible;

    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn read(&mut self, _at: usize, buf: &mut [u8]) -> Result<(), Self::Error> {
        buf.fill(0);
        Ok(())
    }

    fn write(&mut self, _at: usize, _bytes: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Runs both and prints what came of them.
pub fn run(memory: Memory) {
    let mut setup = Setup::new("[Rust Logger storm] ");
    // Everything is to be told within the storm.
    setup.policy.limits.hour = u16::MAX;
    setup.policy.limits.day = u16::MAX;
    memory.region.fill(0);
    let buffers = Buffers { nodes: memory.nodes, groups: memory.groups };
    ALERTS.attach(Alerter::new(memory.region, buffers, &setup));

    let mut storage = Card;
    let mut buf = [0; text_bytes(2)];
    start();
    while RECORDED.load(Ordering::Relaxed) < STORM {
        drive(&ALERTS, now, &mut storage, &mut Service, &mut buf);
    }
    stop();
    // The hold and the gap of what is left.
    for minutes in 0..1000 {
        let later = || now() + Duration::from_mins(minutes);
        drive(&ALERTS, later, &mut storage, &mut Service, &mut buf);
    }
    let Some(stats) = ALERTS.stats() else { return };
    hprintln!(
        "storm: {} recorded, {} refused, {} told, {} lost, {} interrupts missed",
        RECORDED.load(Ordering::Relaxed),
        REFUSED.load(Ordering::Relaxed),
        stats.delivered,
        stats.lost,
        MISSED.load(Ordering::Relaxed)
    );

    // Three while the alerter is in use: one finds the side slot, two are counted.
    let (refused, told) = (REFUSED.load(Ordering::Relaxed), stats.delivered);
    ALERTS.with(|_| (0..3).for_each(|_| interrupt_for_sure()));
    for minutes in 1000..3000 {
        let later = || now() + Duration::from_mins(minutes);
        drive(&ALERTS, later, &mut storage, &mut Service, &mut buf);
    }
    let Some(stats) = ALERTS.stats() else { return };
    hprintln!(
        "within: 3 recorded, {} refused, {} told, {} lost",
        REFUSED.load(Ordering::Relaxed) - refused,
        stats.delivered - told,
        stats.losses.unrecorded
    );
}

/// A millisecond is ten interrupts.
fn now() -> Instant {
    Instant::from_millis(u64::from(RECORDED.load(Ordering::Relaxed)) / 10)
}

fn start() {
    const RCGC1: *mut u32 = 0x400F_E104 as *mut u32;
    // SAFETY: the clock gate of timer 0.
    unsafe { RCGC1.write_volatile(RCGC1.read_volatile() | 1 << 16) };
    // Periodic, 32 bits.
    [(0x0C, 0), (0x00, 0), (0x04, 2), (0x28, PERIOD), (0x18, 1)]
        .into_iter()
        .for_each(|(offset, value)| timer(offset, value));
    BEFORE.store(SYST::get_current(), Ordering::Relaxed);
    timer(0x0C, 1);
    // SAFETY: what the handler uses is there.
    unsafe { NVIC::unmask(Interrupt::TIMER_0A) };
}

fn stop() {
    NVIC::mask(Interrupt::TIMER_0A);
    timer(0x0C, 0);
}

fn interrupt_for_sure() {
    const PEND: u32 = 1 << 31;
    // SAFETY: pends the non-maskable interrupt, whose handler is below.
    unsafe { (*SCB::PTR).icsr.write(PEND) };
    cortex_m::asm::isb();
}

fn record(level: Level, message: &str) {
    if ALERTS.record(now(), &Event::new(level, message)) == Admission::Lost {
        REFUSED.fetch_add(1, Ordering::Relaxed);
    }
}

#[interrupt]
fn TIMER_0A() {
    const MESSAGES: [&str; 4] =
        ["pump 1: no pressure", "sensor 3 does not answer", "valve 2 is stuck", "door 4 is open"];
    timer(0x24, 1);
    let now = SYST::get_current();
    let passed = BEFORE.swap(now, Ordering::Relaxed).wrapping_sub(now) & 0x00FF_FFFF;
    MISSED.fetch_add((passed + PERIOD / 2) / PERIOD - 1, Ordering::Relaxed);
    let number = RECORDED.load(Ordering::Relaxed);
    record(Level::Error, MESSAGES[number as usize % MESSAGES.len()]);
    RECORDED.store(number + 1, Ordering::Relaxed);
}

#[exception]
unsafe fn NonMaskableInt() {
    record(Level::Error, "brown-out");
}
