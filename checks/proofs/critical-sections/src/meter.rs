//! An implementation of `critical-section` that measures itself: SysTick is read on the way in and
//! on the way out.
//!
//! QEMU is told that an instruction takes 16 ns, and the chip that its clock has a period of 5 ns.
//! So each instruction is 3.2 counts, and the figure is exact.

use core::sync::atomic::{AtomicU32, Ordering};
use cortex_m::interrupt;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m::register::primask;
use critical_section::RawRestoreState;
use heapless::LinearMap;

/// SysTick counts down from here, 24 bits.
const RELOAD: u32 = 0x00FF_FFFF;

static BEGAN: AtomicU32 = AtomicU32::new(0);
static LONGEST: AtomicU32 = AtomicU32::new(0);

struct Metered;
critical_section::set_impl!(Metered);

// SAFETY: one core, and interrupts are off from acquire to release.
unsafe impl critical_section::Impl for Metered {
    unsafe fn acquire() -> RawRestoreState {
        let enabled = primask::read().is_active();
        interrupt::disable();
        if enabled {
            BEGAN.store(SYST::get_current(), Ordering::Relaxed);
        }
        enabled
    }

    unsafe fn release(enabled: RawRestoreState) {
        if enabled {
            let counts = BEGAN.load(Ordering::Relaxed).wrapping_sub(SYST::get_current()) & RELOAD;
            if counts > LONGEST.load(Ordering::Relaxed) {
                LONGEST.store(counts, Ordering::Relaxed);
            }
            // SAFETY: they were on.
            unsafe { interrupt::enable() };
        }
    }
}

/// Starts SysTick with the shortest period that the chip's model has.
pub fn start(systick: &mut SYST) {
    const RCC: *mut u32 = 0x400F_E060 as *mut u32;
    // SAFETY: the register of the chip's clock; a divisor of 1 in bits 23 to 26.
    unsafe { RCC.write_volatile(RCC.read_volatile() & !(0xF << 23)) };
    systick.set_clock_source(SystClkSource::Core);
    systick.set_reload(RELOAD);
    systick.clear_current();
    systick.enable_counter();
}

/// The longest section of each operation, in instructions.
pub struct Table {
    rows: LinearMap<&'static str, u32, 40>,
    empty: u32,
}

impl Table {
    /// With what the measuring itself costs, which is taken off.
    pub fn new() -> Table {
        let mut table = Table { rows: LinearMap::new(), empty: 0 };
        let (empty, ()) = longest(|| critical_section::with(|_| ()));
        table.empty = empty;
        table
    }

    /// Runs `operation` and files its longest section under the name that is made of its result.
    pub fn measure<R>(
        &mut self,
        operation: impl FnOnce() -> R,
        name: impl FnOnce(&R) -> &'static str,
    ) -> R {
        let (longest, result) = longest(operation);
        let net = longest.saturating_sub(self.empty);
        let name = name(&result);
        let row = self.rows.get(name).copied().unwrap_or(0);
        self.rows.insert(name, row.max(net)).expect("enough rows");
        result
    }

    /// The rows, in the order of their first measurement.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.rows.iter().map(|(name, longest)| (*name, *longest))
    }
}

fn longest<R>(operation: impl FnOnce() -> R) -> (u32, R) {
    LONGEST.store(0, Ordering::Relaxed);
    let result = operation();
    // 16 ns an instruction, 5 ns a count.
    (LONGEST.load(Ordering::Relaxed) * 5 / 16, result)
}
