//! Annunciator as a program has it: through `log`, with a service that accepts at once.
//!
//! With a spool the adapter decides by the machine what a call does: it stores into a mapped file,
//! or, in a container that would take such a file with it, writes the event to disk in the call.
//! So that the counts are the same everywhere, all rows but one do without a spool; storing into
//! plain memory costs what storing into mapped memory costs.
//!
//! Between batches everything is sent, so that the ring never fills; but in the row `full` the
//! service is down, the ring is full, and each new event displaces an old one.

use crate::row::Row;
use annunciator::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
use annunciator::{Annunciator, Builder};
use std::path::Path;
use std::time::Duration;

/// With one destination.
pub struct One(Annunciator);

impl Row for One {
    const NAME: &'static str = "annunciator";

    fn install(_place: &Path) -> One {
        One(install(builder().transport("one", Accepts)))
    }

    fn settle(&self) {
        settle(&self.0);
    }
}

/// With one destination and a spool, whatever that means on this machine.
pub struct Spool(Annunciator);

impl Row for Spool {
    const NAME: &'static str = "annunciator-spool";

    fn install(place: &Path) -> Spool {
        Spool(install(builder().spool(place.join("spool")).transport("one", Accepts)))
    }

    fn settle(&self) {
        settle(&self.0);
    }
}

/// With three destinations, fed by one call.
pub struct Three(Annunciator);

impl Row for Three {
    const NAME: &'static str = "annunciator-three";

    fn install(_place: &Path) -> Three {
        let ways = ["one", "two", "three"];
        let with = |builder: Builder, way| builder.transport(way, Accepts);
        Three(install(ways.into_iter().fold(builder(), with)))
    }

    fn settle(&self) {
        settle(&self.0);
    }
}

/// In an outage, with a full ring.
pub struct Full {
    _annunciator: Annunciator,
}

impl Row for Full {
    const NAME: &'static str = "annunciator-full";

    fn install(_place: &Path) -> Full {
        let row = Full { _annunciator: install(builder().transport("one", Fails)) };
        (0..1000).for_each(|number| row.error(number, 18));
        row
    }
}

fn builder() -> Builder {
    Annunciator::builder("bench")
        .environment(|_| None)
        .without_spool()
        .interval(Duration::from_millis(1), Duration::from_millis(1))
        .budget(u16::MAX, u16::MAX)
}

fn install(builder: Builder) -> Annunciator {
    let annunciator = builder.start().expect("a valid configuration");
    annunciator.logger().install().expect("the only logger of this process");
    annunciator
}

/// Everything is told, so that the next batch finds an empty ring.
fn settle(annunciator: &Annunciator) {
    let report = annunciator.flush(Duration::from_secs(10));
    assert_eq!(report.kept, 0, "the ring is not empty between batches: {report:?}");
}

/// A service that accepts at once.
struct Accepts;

impl Transport for Accepts {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

/// A service that is down.
struct Fails;

impl Transport for Fails {
    fn send(&mut self, _message: &Message<'_>) -> Outcome {
        Outcome::Retry(Retry::failure(Code::NONE))
    }
}
