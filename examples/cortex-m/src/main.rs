//! Firmware that texts its errors: for a Cortex-M3 as QEMU's `lm3s6965evb` has it, without a
//! network of its own. A gateway on the serial line does the sending.
//!
//! ```text
//!  main, interrupts ── log::error!() ──► ALERTS ──► the main loop ──► UART ──► gateway ──► SMS
//!  panic, HardFault ── last words ────►    │             │
//!                                     ring in RAM   the same on a card
//!                                  (survives resets) (survives power cuts)
//! ```
//!
//! `README.md` says how to run it. Everything is what a product would begin with but [`bench`], which
//! makes the trouble.
#![no_std]
#![no_main]

mod alerts;
mod bench;
mod card;
mod chip;
mod clock;
mod faults;

use annunciator_core::drive::drive;
use annunciator_core::storage::File;
use cortex_m::asm::wfe;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use gateway_link::Gateway;
use lm3s6965::{Interrupt, interrupt};

use alerts::{ALERTS, BUFFER, REGION};
use card::CardFile;
use chip::{Timer, Uart};

#[entry]
fn main() -> ! {
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
    bench::started(restored.origin);

    // A late answer to the last run's attempt must not be taken for one to this run's.
    let token = (restored.boot as u32) << 16;
    let gateway = Gateway::new(uart, clock::uptime, wfe, token);
    let mut gateway = gateway.waits(bench::WAITS);
    let mut buf = [0; BUFFER];
    loop {
        let until = drive(&ALERTS, clock::uptime, &mut card, &mut gateway, &mut buf);
        loop {
            bench::idle();
            if clock::uptime() >= until.min(ALERTS.poll_at()) {
                break;
            }
            // Not `wfi`: an interrupt between the look and the sleep would not wake it.
            wfe();
        }
    }
}

#[exception]
fn SysTick() {
    clock::tick();
    bench::tick();
}

#[interrupt]
fn TIMER_0A() {
    Timer::interrupt();
    clock::look();
}

#[interrupt]
fn UART0() {
    Uart::interrupt();
}
