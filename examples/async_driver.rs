//! The core driven by an async task, as on a microcontroller with embassy.
//!
//! ```console
//! $ cargo run --example async_driver
//! ```
//!
//! [`drive`] is the whole driver. The rest of the file stands in for what a device has: a clock, a
//! network, an executor. None of it depends on a runtime.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant as HostInstant};

use annunciator_core::alerter::{Alerter, Buffers, Done, Setup, Step};
use annunciator_core::digest::Group;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, region_len};
use annunciator_core::time::Instant;
use annunciator_core::transport::{Message, Outcome, Receipt};

const SLOTS: usize = 16;

type Shared<'a> = RefCell<Alerter<'a, [u8; region_len(SLOTS)]>>;

/// Does what the alerter asks for, for ever. Each borrow ends before anything is awaited.
async fn drive(alerter: &Shared<'_>) {
    let mut buf = [0; text_bytes(2)];
    loop {
        let step = alerter.borrow_mut().step(now(), &mut buf);
        let (token, result) = match step {
            Step::Again => continue,
            Step::Idle { until } => {
                nap(alerter, until).await;
                continue;
            }
            Step::Send(ticket) => (ticket.token, Done::Sent(send(&ticket.message(&buf)).await)),
            // Here the bytes would go to an SD card; this device has none, and said so.
            Step::Write { token, .. } | Step::Sync { token } => (token, Done::Stored),
        };
        alerter.borrow_mut().done(now(), token, result);
    }
}

/// Waits for `until`, or for an event that cannot wait so long. A device would select over a timer
/// and a signal that is set beside each `record`.
async fn nap(alerter: &Shared<'_>, until: Instant) {
    let over = || now() >= until || alerter.borrow().poll_at() < until;
    poll_fn(|_| if over() { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// The network: takes a while, and accepts.
async fn send(message: &Message<'_>) -> Outcome {
    let there = now() + Duration::from_millis(50).into();
    poll_fn(|_| if now() >= there { Poll::Ready(()) } else { Poll::Pending }).await;
    println!("{:>5} ms  {}", now().as_millis(), message.text);
    Outcome::Accepted(Receipt::new(message.segments))
}

fn main() {
    let (mut nodes, mut groups) = ([Node::EMPTY; SLOTS], [Group::EMPTY; 16]);
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let setup = Setup::new("[Rust Logger chip] ").now(now()).storage(false);
    let alerter = RefCell::new(Alerter::new([0; region_len(SLOTS)], buffers, &setup));

    alerter.borrow_mut().record(now(), &Event::new(Level::Warn, "battery at 20 %"));
    alerter.borrow_mut().record(now(), &Event::new(Level::Error, "sensor 3 does not answer"));

    let delivered = || alerter.borrow().stats().delivered == 2;
    block_on(drive(&alerter), delivered);
}

/// An executor of one task, looked at every few milliseconds until `ended` says so.
fn block_on(task: impl Future<Output = ()>, ended: impl Fn() -> bool) {
    let mut task = pin!(task);
    let mut context = Context::from_waker(Waker::noop());
    while !ended() && task.as_mut().poll(&mut context).is_pending() {
        thread::sleep(Duration::from_millis(5));
    }
}

/// Time since boot.
fn now() -> Instant {
    static BOOT: LazyLock<HostInstant> = LazyLock::new(HostInstant::now);
    Instant::ZERO + BOOT.elapsed().into()
}
