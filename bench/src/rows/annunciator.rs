//! Annunciator as a program has it: through `log`, with its files, and a service that accepts at
//! once. Between batches everything is sent, so that the ring never fills; but in the last row the
//! service is down, the ring is full, and each new event displaces an old one.

use crate::row::Row;
use annunciator::annunciator_core::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
use annunciator::{Annunciator, Builder};
use std::path::Path;
use std::time::Duration;

/// With one destination.
pub struct One(Annunciator);

impl Row for One {
    const NAME: &'static str = "annunciator";

    fn install(place: &Path) -> One {
        One(install(builder(place).transport("one", Accepts)))
    }

    fn settle(&self) {
        settle(&self.0);
    }
}

/// With three destinations, fed by one call.
pub struct Three(Annunciator);

impl Row for Three {
    const NAME: &'static str = "annunciator-three";

    fn install(place: &Path) -> Three {
        let ways = ["one", "two", "three"];
        let with = |builder: Builder, way| builder.transport(way, Accepts);
        Three(install(ways.into_iter().fold(builder(place), with)))
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

    fn install(place: &Path) -> Full {
        let row = Full { _annunciator: install(builder(place).transport("one", Fails)) };
        (0..1000).for_each(|number| row.error(number, 18));
        row
    }
}

fn builder(place: &Path) -> Builder {
    Annunciator::builder("bench")
        .environment(|_| None)
        .spool(place.join("spool"))
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
