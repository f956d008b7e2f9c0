//! The same firmware as tasks of embassy. While a text is under way, what is recorded goes on being
//! written to the card.
#![no_std]
#![no_main]

use annunciator_core::alerter::{Done, Step, Ticket};
use annunciator_core::drive::Drivable;
use annunciator_core::storage::{File, Storage};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Message, Outcome};
use annunciator_cortex_m::alerts::{ALERTS, BUFFER};
use annunciator_cortex_m::card::CardFile;
use annunciator_cortex_m::chip::{Timer, Uart};
use annunciator_cortex_m::{Board, bench, clock, start};
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;
use cortex_m_rt::exception;
use critical_section::Mutex;
use embassy_executor::Spawner;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::waitqueue::MultiWakerRegistration;
use embedded_io::{Read, ReadReady, Write};
use gateway_link::frame::encode;
use gateway_link::message::Said;
use gateway_link::{Exchange, Next};
use lm3s6965::interrupt;

/// The text under way, from the driver to the carrier.
static OUTBOX: Signal<CriticalSectionRawMutex, (Ticket, [u8; BUFFER])> = Signal::new();

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let Board { uart, card, token } = start();
    spawner.spawn(drive(card).expect("once"));
    spawner.spawn(carry(uart, token).expect("once"));
    loop {
        bench::idle();
        let next = clock::uptime() + Duration::from_millis(1);
        until(|| clock::uptime() >= next).await;
    }
}

/// Does what the alerter asks for, for ever.
#[embassy_executor::task]
async fn drive(mut card: File<CardFile>) {
    let mut buf = [0; BUFFER];
    loop {
        let (token, result) = match (&ALERTS).step(clock::uptime(), &mut buf) {
            Step::Again => continue,
            Step::Idle { until } => {
                due(until).await;
                continue;
            }
            Step::Send(ticket) => {
                OUTBOX.signal((ticket, buf));
                continue;
            }
            Step::Write { token, at, len } => {
                (token, card.write(at, buf.get(..len).unwrap_or(&[])).is_ok())
            }
            Step::Sync { token } => (token, card.sync().is_ok()),
        };
        let result = if result { Done::Stored } else { Done::StorageFailed };
        (&ALERTS).done(clock::uptime(), token, result);
    }
}

/// Hands texts to the gateway, for ever.
#[embassy_executor::task]
async fn carry(mut uart: Uart, mut attempt: u32) {
    loop {
        let (ticket, text) = OUTBOX.wait().await;
        attempt = attempt.wrapping_add(1);
        let outcome = send(&mut uart, attempt, &ticket.message(&text)).await;
        (&ALERTS).done(clock::uptime(), ticket.token, Done::Sent(outcome));
    }
}

/// One attempt: as [`gateway_link::Gateway`] does it, but it awaits.
async fn send(uart: &mut Uart, token: u32, message: &Message<'_>) -> Outcome {
    let mut exchange = Exchange::new(token, clock::uptime(), bench::WAITS);
    say(uart, &exchange.greeting());
    loop {
        let mut byte = [0];
        let deadline = exchange.deadline();
        until(|| uart.read_ready().unwrap_or(true) || clock::uptime() >= deadline).await;
        if clock::uptime() >= deadline {
            return exchange.silence();
        }
        // This port does not fail.
        let Ok(_) = uart.read(&mut byte);
        match exchange.heard(byte[0], clock::uptime()) {
            Next::Listen => {}
            Next::Speak => say(uart, &exchange.text(message)),
            Next::Over(outcome) => return outcome,
        }
    }
}

fn say(uart: &mut Uart, said: &Said<'_>) {
    let (head, body) = said.encode();
    for byte in encode(&head, body) {
        let Ok(_) = uart.write(&[byte]);
    }
}

/// Waits for a time, or for an event that cannot wait so long.
async fn due(at: Instant) {
    until(|| clock::uptime() >= at.min(ALERTS.poll_at())).await;
}

/// The tasks that wait for an interrupt.
static WAITING: Mutex<RefCell<MultiWakerRegistration<4>>> =
    Mutex::new(RefCell::new(MultiWakerRegistration::new()));

/// Waits until `over`, which is looked at after each interrupt. A product has a HAL with a time
/// driver and wakes less often.
async fn until(mut over: impl FnMut() -> bool) {
    poll_fn(|context| {
        // First: an interrupt after the look has to wake it.
        critical_section::with(|cs| WAITING.borrow_ref_mut(cs).register(context.waker()));
        if over() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

fn wake() {
    critical_section::with(|cs| WAITING.borrow_ref_mut(cs).wake());
}

#[exception]
fn SysTick() {
    clock::tick();
    bench::tick();
    wake();
}

#[interrupt]
fn TIMER_0A() {
    Timer::interrupt();
    clock::look();
}

#[interrupt]
fn UART0() {
    Uart::interrupt();
    wake();
}
