//! Time since this start, counted by a SysTick interrupt each millisecond, and a second timer that
//! watches whether any was missed.

use annunciator_core::time::Instant;
use core::cell::Cell;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use critical_section::Mutex;

use crate::chip::{CLOCK_HZ, Timer};

/// Interrupts of SysTick in a second.
const TICKS_HZ: u32 = 1000;
/// Interrupts of the watching timer in a second.
const LOOKS_HZ: u32 = 10;

static TICKS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
static WATCH: Mutex<Cell<Watch>> = Mutex::new(Cell::new(Watch { looks: 0, missed: 0 }));

/// What the second timer has seen.
#[derive(Clone, Copy)]
pub struct Watch {
    /// Its interrupts.
    pub looks: u32,
    /// The most ticks that were missing at one of them.
    pub missed: u32,
}

/// Starts both timers.
pub fn start(mut systick: SYST, timer: &Timer) {
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(CLOCK_HZ / TICKS_HZ - 1);
    systick.clear_current();
    systick.enable_interrupt();
    systick.enable_counter();
    timer.start(CLOCK_HZ / LOOKS_HZ);
}

/// Time since this start.
pub fn uptime() -> Instant {
    Instant::from_millis(critical_section::with(|cs| TICKS.borrow(cs).get()))
}

/// What the second timer has seen so far.
pub fn watch() -> Watch {
    critical_section::with(|cs| WATCH.borrow(cs).get())
}

/// A millisecond has passed. For the interrupt handler.
pub fn tick() {
    critical_section::with(|cs| {
        let ticks = TICKS.borrow(cs);
        ticks.set(ticks.get() + 1);
    });
}

/// A tenth of a second has passed, says the other timer. For its interrupt handler.
pub fn look() {
    critical_section::with(|cs| {
        let cell = WATCH.borrow(cs);
        let mut watch = cell.get();
        watch.looks += 1;
        let due = u64::from(watch.looks * (TICKS_HZ / LOOKS_HZ));
        // The timers start one after the other, so one tick may be on its way.
        let missing = due.saturating_sub(TICKS.borrow(cs).get() + 1);
        watch.missed = watch.missed.max(u32::try_from(missing).unwrap_or(u32::MAX));
        cell.set(watch);
    });
}
