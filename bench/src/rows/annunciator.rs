//! Annunciator itself: its log front, its ring in a mapped file, its spool, and a service that
//! accepts everything at once.

use crate::row::Row;
use annunciator::annunciator_core::transport::{Message, Outcome, Receipt, Transport};
use annunciator::{Annunciator, Handle};
use std::path::Path;
use std::time::Duration;

/// One destination.
pub struct One {
    _handle: Handle,
}

/// Three destinations, fed by one call.
pub struct Three {
    _handle: Handle,
}

impl Row for One {
    const NAME: &'static str = "annunciator";

    fn install(place: &Path) -> One {
        One { _handle: start(place, 1) }
    }

    fn settle(&self) {
        settle();
    }
}

impl Row for Three {
    const NAME: &'static str = "annunciator-three";

    fn install(place: &Path) -> Three {
        Three { _handle: start(place, 3) }
    }

    fn settle(&self) {
        settle();
    }
}

struct Accepts;

impl Transport for Accepts {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

fn start(place: &Path, destinations: u32) -> Handle {
    let mut builder =
        Annunciator::builder("bench").environment(|_| None).spool(place.join("spool"));
    for number in 0..destinations {
        builder = builder.transport(format!("way {number}"), Accepts);
    }
    let alerts = builder.start().expect("a configuration without a fault");
    alerts.logger().install().expect("the process's first logger");
    alerts.detach()
}

/// The worker commits and sends beside the calls; between batches it gets a moment, as others do.
fn settle() {
    std::thread::sleep(Duration::from_millis(2));
}
