//! A transport for the unit tests of this crate.

use std::sync::mpsc::{Receiver, Sender, channel};

use annunciator_core::transport::{Message, Outcome, Receipt, Transport};

/// Accepts each text and hands it to the test.
pub(crate) struct Phone(Sender<String>);

impl Phone {
    pub(crate) fn new() -> (Phone, Receiver<String>) {
        let (texts, received) = channel();
        (Phone(texts), received)
    }
}

impl Transport for Phone {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        // A test that has seen enough has stopped listening.
        let _ = self.0.send(message.text.to_owned());
        Outcome::Accepted(Receipt::new(message.segments))
    }
}
