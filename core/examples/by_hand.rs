//! The core without its convenience: a clock, a transport, and a `match` over what it asks for.
//!
//! ```console
//! $ cargo run --example by_hand
//! ```
//!
//! A main loop on a chip, or an async task, looks the same. Time is an argument, so the clock here
//! is a number that jumps to whenever there is something to do.

use annunciator_core::alerter::{Alerter, Buffers, Done, Setup, Step};
use annunciator_core::digest::Group;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, region_len};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Code, Outcome, Receipt, Retry};

const SLOTS: usize = 32;

fn main() {
    let mut memory = [0; region_len(SLOTS)];
    let (mut nodes, mut groups) = ([Node::EMPTY; SLOTS], [Group::EMPTY; 16]);
    let mut buf = [0; text_bytes(2)];
    // It lives in memory alone. The seed is another for each device, so that not all try again at
    // the same moment.
    let setup = Setup::new("[Rust Logger pump] ").storage(false).seed(3);
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let mut alerter = Alerter::new(&mut memory, buffers, &setup);

    let mut now = Instant::from_millis(20);
    let event = Event::new(Level::Error, "sensor 3 does not answer").at("src/main.rs", 7);
    alerter.record(now, &event);
    alerter.record(now + Duration::from_millis(400), &event);

    let mut attempts = 0;
    while alerter.stats().waiting > 0 {
        match alerter.step(now, &mut buf) {
            Step::Again => {}
            Step::Idle { until } => now = until,
            Step::Send(ticket) => {
                attempts += 1;
                // The first time there is no network. The text waits, and is tried again.
                let outcome = if attempts == 1 {
                    Outcome::Retry(Retry::failure(Code::NONE))
                } else {
                    Outcome::Accepted(Receipt::new(ticket.message(&buf).segments))
                };
                println!("{:>5} ms  {outcome:?}  {}", now.as_millis(), ticket.message(&buf).text);
                alerter.done(now, ticket.token, Done::Sent(outcome));
            }
            // With storage: write or sync, and say whether that went well.
            Step::Write { token, .. } | Step::Sync { token } => {
                alerter.done(now, token, Done::Stored);
            }
        }
    }
}
