//! Nanoseconds a call, call by call.

use super::{Place, child_args, myself, output_of};
use crate::row::{BATCH, Op, Row, call};
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const BATCHES: u32 = 20;
const PACE: Duration = Duration::from_micros(20);

/// How the calls come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// One call each 20 µs, or one right after the other.
    pub paced: bool,
    /// How many threads call at the same time.
    pub threads: u32,
}

impl Load {
    /// In the order of the tables.
    pub const ALL: [Load; 4] = [
        Load { paced: true, threads: 1 },
        Load { paced: false, threads: 1 },
        Load { paced: true, threads: 4 },
        Load { paced: false, threads: 4 },
    ];

    /// As it stands above a table.
    pub fn title(self) -> String {
        let pace = if self.paced { "one call each 20 us" } else { "back to back" };
        let threads = if self.threads == 1 { "one thread" } else { "four threads" };
        format!("{pace}, {threads}")
    }
}

/// Percentiles of the time a call takes, in nanoseconds.
#[derive(Clone, Copy)]
pub struct Times {
    /// The median.
    pub p50: f64,
    /// One call in a hundred takes longer.
    pub p99: f64,
}

/// The child: prints, for each load and operation in order, a line with p50 and p99.
pub fn child<R: Row>() {
    let place = Place::new();
    let row = R::install(place.path());
    let clock = Clock::calibrated();
    let number = AtomicU32::new(0);
    for load in Load::ALL {
        for op in Op::ALL {
            let times = match op {
                Op::Accepted => under(load, &row, &clock, &number, |row: &R, number| {
                    call(row, Op::Accepted, number)
                }),
                Op::Repeated => under(load, &row, &clock, &number, |row: &R, number| {
                    call(row, Op::Repeated, number)
                }),
                Op::Filtered => under(load, &row, &clock, &number, |row: &R, number| {
                    call(row, Op::Filtered, number)
                }),
            };
            println!("{} {}", times.p50, times.p99);
        }
    }
}

fn under<R: Row>(
    load: Load,
    row: &R,
    clock: &Clock,
    number: &AtomicU32,
    call: impl Fn(&R, u32) + Sync,
) -> Times {
    let share = BATCH / load.threads;
    let barrier = Barrier::new(load.threads as usize);
    let crowded = std::thread::available_parallelism().is_ok_and(|n| n.get() < 4);
    let one_thread = |settles: bool| {
        let mut ticks = Vec::with_capacity((BATCHES * share) as usize);
        for _ in 0..BATCHES {
            barrier.wait();
            let mut due = Instant::now();
            for _ in 0..share {
                let number = number.fetch_add(1, Ordering::Relaxed);
                if load.paced {
                    due += PACE;
                    while Instant::now() < due {
                        // Threads without a core of their own let the others have theirs.
                        if crowded && load.threads > 1 {
                            std::thread::yield_now();
                        } else {
                            std::hint::spin_loop();
                        }
                    }
                }
                let began = Clock::ticks();
                call(row, number);
                ticks.push(Clock::ticks() - began);
            }
            barrier.wait();
            if settles {
                row.settle();
            }
        }
        ticks
    };

    let mut ticks = std::thread::scope(|scope| {
        let others: Vec<_> = (1..load.threads).map(|_| scope.spawn(|| one_thread(false))).collect();
        let mut ticks = one_thread(true);
        for other in others {
            ticks.extend(other.join().expect("a thread that measures"));
        }
        ticks
    });
    ticks.sort_unstable();
    let at = |share: f64| clock.nanos(ticks[((ticks.len() - 1) as f64 * share) as usize]);
    Times { p50: at(0.50), p99: at(0.99) }
}

/// Runs the row once under every load; the result is in the order of [`Load::ALL`], within it of
/// [`Op::ALL`].
pub fn measure(row: &str) -> Result<Vec<Times>, String> {
    let mut command = Command::new(myself());
    command.args(child_args("times", row, None));
    let printed = output_of(command)?;
    let times: Option<Vec<Times>> = printed
        .lines()
        .map(|line| {
            let (p50, p99) = line.split_once(' ')?;
            Some(Times { p50: p50.parse().ok()?, p99: p99.parse().ok()? })
        })
        .collect();
    times
        .filter(|times| times.len() == Load::ALL.len() * Op::ALL.len())
        .ok_or_else(|| format!("not what a child prints: {printed}"))
}

/// A clock that is cheap to read: the processor's counter where there is one to be had.
pub struct Clock {
    nanos_a_tick: f64,
}

impl Clock {
    /// A clock that knows the length of its ticks.
    pub fn calibrated() -> Clock {
        let (began, ticks) = (Instant::now(), Clock::ticks());
        while began.elapsed() < Duration::from_millis(20) {}
        let passed = (began.elapsed(), Clock::ticks() - ticks);
        Clock { nanos_a_tick: passed.0.as_nanos() as f64 / passed.1 as f64 }
    }

    /// Ticks in nanoseconds.
    pub fn nanos(&self, ticks: u64) -> f64 {
        ticks as f64 * self.nanos_a_tick
    }

    /// The present reading.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub fn ticks() -> u64 {
        use std::arch::x86_64::{_mm_lfence, _rdtsc};
        // SAFETY: every x86-64 processor has both. The fences keep the call between the readings.
        unsafe {
            _mm_lfence();
            let ticks = _rdtsc();
            _mm_lfence();
            ticks
        }
    }

    /// The present reading.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn ticks() -> u64 {
        use std::sync::OnceLock;
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        ORIGIN.get_or_init(Instant::now).elapsed().as_nanos() as u64
    }
}
