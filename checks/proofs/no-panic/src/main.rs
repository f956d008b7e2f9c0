//! A program for a chip that calls the core with inputs no optimiser can foresee. It is never run:
//! it is linked.
//!
//! Its panic handler calls a function that exists nowhere. The optimiser drops the handler if, and
//! only if, it has seen that no panic can be reached; so a link that succeeds is the proof, for
//! this target and these settings, that none can.
#![no_std]
#![no_main]
// With some features off, some of the opaque values have no use.
#![allow(dead_code)]

mod calls;
mod opaque;

/// Where the linker starts to look for what is needed.
#[unsafe(no_mangle)]
pub extern "C" fn _start() -> ! {
    calls::all();
    #[cfg(feature = "control")]
    control();
    loop {
        core::hint::spin_loop();
    }
}

/// The negative control: an index that may lie outside.
#[cfg(feature = "control")]
fn control() {
    let table = [1_u8, 2, 3];
    opaque::sink(table[opaque::word() as usize]);
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    #[cfg(not(feature = "explain"))]
    {
        unsafe extern "C" {
            fn a_panic_can_be_reached() -> !;
        }
        // SAFETY: never executed, because a program that contains it does not link.
        unsafe { a_panic_can_be_reached() }
    }
    #[cfg(feature = "explain")]
    loop {
        core::hint::spin_loop();
    }
}
