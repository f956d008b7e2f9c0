//! Rings for tests, made by the core itself.

use annunciator_core::alerter::{Alerter, Buffers, Setup};
use annunciator_core::digest::Group;
use annunciator_core::event::{Entry, Event, Level};
use annunciator_core::ring::{self, Node};
use annunciator_core::time::Instant;

use super::TEXT;

/// A ring to be made.
pub(crate) struct Ring {
    id: u64,
    starts: u32,
    prefix: &'static str,
    records: Vec<String>,
    slots: usize,
}

/// The prefix of these rings, unless they have another.
pub(crate) const PREFIX: &str = "[test] ";

impl Ring {
    /// One with this name after one start, in which nothing waits.
    pub(crate) fn new(id: u64) -> Ring {
        Ring { id, starts: 1, prefix: PREFIX, records: Vec::new(), slots: 16 }
    }

    pub(crate) fn starts(self, starts: u32) -> Ring {
        Ring { starts, ..self }
    }

    pub(crate) fn prefix(self, prefix: &'static str) -> Ring {
        Ring { prefix, ..self }
    }

    pub(crate) fn slots(self, slots: usize) -> Ring {
        Ring { slots, ..self }
    }

    pub(crate) fn record(mut self, message: &str) -> Ring {
        self.records.push(message.to_owned());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; ring::region_len_of::<TEXT>(self.slots)];
        for start in 1..=self.starts {
            let records: &[String] = if start == self.starts { &self.records } else { &[] };
            serve(&mut bytes, self.id, 1, self.prefix, records);
        }
        bytes
    }
}

/// A start on these bytes, and some events.
pub(crate) fn serve(bytes: &mut [u8], id: u64, boot: u64, prefix: &str, records: &[String]) {
    let slots = ring::slots_of::<TEXT>(bytes.len());
    let mut nodes = vec![Node::EMPTY; slots];
    let mut groups = vec![Group::EMPTY; 8];
    let mut setup = Setup::new(prefix);
    setup.ring_id = id;
    setup.boot = boot;
    setup.now = Instant::from_secs(1);
    let buffers = Buffers { nodes: &mut nodes, groups: &mut groups };
    let mut alerter = Alerter::<_, TEXT>::sized(bytes, buffers, &setup);
    for message in records {
        let entry = Entry::sized(&Event::new(Level::Error, message));
        alerter.admit(setup.now, &entry);
    }
}

/// How many starts these bytes have seen, and what waits in them.
pub(crate) fn starts_and_waiting(bytes: &[u8]) -> (u32, u32) {
    let starts = ring::identity(bytes).map_or(0, |identity| identity.starts);
    (starts, ring::waiting::<TEXT>(bytes))
}

/// Damages both banks of the state.
pub(crate) fn spoil(mut bytes: Vec<u8>) -> Vec<u8> {
    for at in [8, 512 + 8] {
        bytes[at] ^= 0x40;
    }
    bytes
}
