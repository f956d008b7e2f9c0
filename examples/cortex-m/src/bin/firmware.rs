//! The loop that sleeps: does what is due, then waits for the next due time or an event.
#![no_std]
#![no_main]

use annunciator_core::drive::drive;
use annunciator_cortex_m::alerts::{ALERTS, BUFFER};
use annunciator_cortex_m::chip::{Timer, Uart};
use annunciator_cortex_m::{Board, bench, clock, start};
use cortex_m::asm::wfe;
use cortex_m_rt::{entry, exception};
use gateway_link::Gateway;
use lm3s6965::interrupt;

#[entry]
fn main() -> ! {
    let Board { uart, mut card, token } = start();
    let mut gateway = Gateway::new(uart, clock::uptime, wfe, token).waits(bench::WAITS);
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
