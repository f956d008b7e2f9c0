//! The trouble: what goes wrong on this bench, by the number of the start. Its console is the
//! debugger's.
//!
//! ```text
//!  start 0  a warning from main, three errors from the interrupt: one text
//!           an outage; fifty errors from the interrupt; a panic
//!  start 1  the outage goes on; a hard fault
//!  start 2  the network is back: one text tells all of it
//!           one more error; once it is on the card, power is lost
//!  start 3  the card has kept it: one text
//! ```

use annunciator_core::alerter::Stats;
use annunciator_core::time::Duration;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use gateway_link::Waits;
use log::{error, warn};

use crate::alerts::ALERTS;
use crate::clock;

/// Ticks that have yet to report the pump, and the sensor.
static PUMP: AtomicU32 = AtomicU32::new(0);
static SENSOR: AtomicU32 = AtomicU32::new(0);
/// What has happened of this start's script.
static SCENE: AtomicU32 = AtomicU32::new(0);
/// Commits when the last scene began.
static COMMITS: AtomicU32 = AtomicU32::new(0);

/// The alerter is there.
pub fn started(survived: bool) {
    let Some(stats) = ALERTS.stats() else { return };
    let from = if survived { "RAM" } else { "the card" };
    hprintln!("start {}: {} waiting, from {from}", stats.starts, stats.waiting);
    if stats.starts == 1 {
        warn!("battery at {} %", 20);
        SENSOR.store(3, Ordering::Relaxed);
    }
}

/// Each millisecond, in the interrupt.
pub fn tick() {
    if take(&SENSOR) {
        error!("sensor 3 does not answer");
    }
    if take(&PUMP) {
        error!("pump 1: no pressure");
    }
}

/// How long to wait for the gateway: longer than a product would, because the time of this bench is
/// virtual and goes on while a busy host is late.
pub const WAITS: Waits = Waits { ready: Duration::from_mins(1), verdict: Duration::from_mins(5) };

/// Whenever the main loop has nothing to do.
pub fn idle() {
    let Some(stats) = ALERTS.stats() else { return };
    match (stats.starts, SCENE.load(Ordering::Relaxed)) {
        (1, 0) if stats.texts == 1 => {
            report("told", &stats);
            PUMP.store(50, Ordering::Relaxed);
            next_scene(&stats);
        }
        (1, 1) if stats.retries >= 2 && PUMP.load(Ordering::Relaxed) == 0 => {
            report("offline", &stats);
            let schedule = black_box([6, 12, 18]);
            hprintln!("next at {}", schedule[black_box(7)]);
        }
        (2, 0) if stats.retries >= 1 => {
            report("offline", &stats);
            // An instruction that no chip has: what a jump through a wild pointer ends in.
            cortex_m::asm::udf();
        }
        (3, 0) if stats.texts == 1 && stats.waiting == 0 => {
            report("told", &stats);
            error!("mains voltage lost");
            next_scene(&stats);
        }
        (3, 1) if stats.commits > COMMITS.load(Ordering::Relaxed) => {
            report("power lost", &stats);
            debug::exit(EXIT_SUCCESS);
        }
        (4, 0) if stats.texts == 1 => {
            report("told", &stats);
            debug::exit(EXIT_SUCCESS);
        }
        _ => {}
    }
}

fn take(count: &AtomicU32) -> bool {
    let left = count.load(Ordering::Relaxed);
    count.store(left.saturating_sub(1), Ordering::Relaxed);
    left > 0
}

fn next_scene(stats: &Stats) {
    COMMITS.store(stats.commits, Ordering::Relaxed);
    SCENE.store(SCENE.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn report(what: &str, stats: &Stats) {
    let watch = clock::watch();
    hprintln!(
        "{what}: {} texts, {} events delivered, {} waiting, {} lost, {} ticks missed",
        stats.texts,
        stats.delivered,
        stats.waiting,
        stats.lost,
        watch.missed
    );
}
