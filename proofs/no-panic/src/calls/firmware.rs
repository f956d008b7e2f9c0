//! What a firmware calls, once each: for sizes.

use super::alerter::{Modem, memory, now};
use crate::opaque::{any, bytes, sink, text, word};
use annunciator_core::alerter::{Alerter, Buffers, Setup};
use annunciator_core::drive;
use annunciator_core::event::{Event, Level};
use annunciator_core::storage::Storage;

pub fn all() {
    let memory = memory();
    let buffers = Buffers { nodes: memory.nodes, groups: memory.groups };
    let setup = Setup::new("[Rust Logger firmware] ");
    let alerter = any(memory.alerter.write(Alerter::new(memory.region, buffers, &setup)));

    let mut message = [0; 64];
    let event = Event::new(Level::Error, text(&mut message)).at("main.rs", word());
    sink(alerter.record(now(), &event));
    sink(drive::drive(&mut *alerter, now, &mut Card, &mut Modem, bytes(memory.text)));
    sink(alerter.stats());
}

/// A storage without code.
struct Card;

impl Storage for Card {
    type Error = core::convert::Infallible;

    fn capacity(&self) -> usize {
        word() as usize
    }

    fn read(&mut self, _at: usize, buf: &mut [u8]) -> Result<(), Self::Error> {
        any(buf);
        Ok(())
    }

    fn write(&mut self, _at: usize, bytes: &[u8]) -> Result<(), Self::Error> {
        sink(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}
