//! A firmware as small as it gets: what any has (a vector table, a reset, a panic handler) and,
//! selected by features, the core in use. It is measured, never run.
//!
//! Inputs come from registers, which the compiler knows nothing of; outputs go to registers.
#![no_std]
#![no_main]
// A baseline uses fewer registers than the rest.
#![cfg_attr(not(feature = "alerter"), allow(dead_code))]

#[cfg(feature = "alerter")]
mod alerter;
mod registers;
#[cfg(feature = "vonage")]
mod vonage;

/// Where the chip starts.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    #[cfg(feature = "alerter")]
    alerter::run();
    loop {
        core::hint::spin_loop();
    }
}

/// The vectors of a Cortex-M: stack, reset, the faults and the calls of the system.
#[cfg(target_arch = "arm")]
#[used]
#[unsafe(no_mangle)]
static VECTORS: [unsafe extern "C" fn() -> !; 16] = [_start; 16];

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
