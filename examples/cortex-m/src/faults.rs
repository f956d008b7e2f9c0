//! Panics and faults: each records a last event and resets the chip.

use annunciator_core::event::{Event, Level};
use core::fmt::Write as _;
use core::panic::PanicInfo;
use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};
use heapless::String;

use crate::alerts;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut message = String::<160>::new();
    // An error means that it is full: what came before counts.
    let _ = write!(message, "{}", info.message());
    let event = Event::new(Level::Panic, &message);
    alerts::last_words(&match info.location() {
        Some(place) => event.at(place.file(), place.line()),
        None => event,
    });
    SCB::sys_reset()
}

#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let mut message = String::<32>::new();
    let _ = write!(message, "HardFault at {:#010x}", frame.pc());
    alerts::last_words(&Event::new(Level::Panic, &message));
    SCB::sys_reset()
}
