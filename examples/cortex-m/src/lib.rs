//! Firmware that texts its errors: for a Cortex-M3 as QEMU's `lm3s6965evb` has it, without a
//! network of its own. A gateway on the serial line does the sending.
//!
//! ```text
//!  main, interrupts ── log::error!() ──► ALERTS ──► the driver ──► UART ──► gateway ──► SMS
//!  panic, HardFault ── last words ────►    │             │
//!                                     ring in RAM   the same on a card
//!                                  (survives resets) (survives power cuts)
//! ```
//!
//! Here is what a product begins with, but for [`bench`], which makes the trouble. It is driven in
//! two ways: by a loop that sleeps (`bin/firmware.rs`), and by tasks of embassy
//! (`bin/firmware_async.rs`). `README.md` says how to run them.
#![no_std]

pub mod alerts;
pub mod bench;
pub mod card;
pub mod chip;
pub mod clock;
pub mod faults;

use annunciator_core::alerter::Origin;
use annunciator_core::storage::File;
use cortex_m::peripheral::NVIC;
use lm3s6965::Interrupt;

use alerts::REGION;
use card::CardFile;
use chip::{Timer, Uart};

/// What runs after [`start`].
pub struct Board {
    /// The way to the gateway.
    pub uart: Uart,
    /// Where the ring survives the loss of power.
    pub card: File<CardFile>,
    /// A number that no recent start had in its attempts: a late answer to the last run's must not
    /// be taken for one to this run's.
    pub token: u32,
}

/// Starts the chip and takes over what the last run left. To be called once.
pub fn start() -> Board {
    let core = cortex_m::Peripherals::take().expect("called once");
    clock::start(core.SYST, &Timer::new());
    let uart = Uart::start();
    for interrupt in [Interrupt::TIMER_0A, Interrupt::UART0] {
        // SAFETY: what the handlers use is there.
        unsafe { NVIC::unmask(interrupt) };
    }
    let file = CardFile::open(c"card.bin", REGION).expect("there is a card");
    let mut card = File::new(file, REGION);
    let restored = alerts::start(&mut card);
    bench::started(restored.origin == Origin::Memory);
    Board { uart, card, token: (restored.boot as u32) << 16 }
}
