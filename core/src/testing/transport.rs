use super::night::Clock;
use crate::gsm7::Encoding;
use crate::time::{Duration, Instant};
use crate::transport::{Message, Outcome, Receipt, Transport};
use std::boxed::Box;
use std::collections::VecDeque;
use std::string::{String, ToString};
use std::vec::Vec;

/// One text that a [`ScriptedTransport`] was given.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// The text.
    pub text: String,
    /// Its alphabet.
    pub encoding: Encoding,
    /// What it costs.
    pub segments: u8,
    /// The printed reference.
    pub reference: String,
    /// Whether it is a repeat.
    pub repeat: bool,
    /// What it was answered.
    pub outcome: Outcome,
}

impl Sent {
    /// Whether it was accepted.
    pub fn accepted(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted(_))
    }
}

/// Answers an attempt made at an instant.
type Rule = dyn FnMut(Instant, &Message<'_>) -> Outcome + Send;

/// A transport that answers by script: first the queued outcomes, then by rule.
pub struct ScriptedTransport {
    clock: Clock,
    queue: VecDeque<Outcome>,
    rule: Box<Rule>,
    latency: Duration,
    /// Everything it was given, in order.
    pub sent: Vec<Sent>,
}

impl ScriptedTransport {
    /// Accepts everything at once.
    pub fn new(clock: &Clock) -> ScriptedTransport {
        ScriptedTransport {
            clock: clock.clone(),
            queue: VecDeque::new(),
            rule: Box::new(|_, message| Outcome::Accepted(Receipt::new(message.segments))),
            latency: Duration::ZERO,
            sent: Vec::new(),
        }
    }

    /// Answers the next attempts with these outcomes.
    pub fn queue(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.queue.extend(outcomes);
    }

    /// Answers by `rule` when the queue is empty.
    pub fn rule(&mut self, rule: impl FnMut(Instant, &Message<'_>) -> Outcome + Send + 'static) {
        self.rule = Box::new(rule);
    }

    /// Lets so much virtual time pass in each attempt.
    pub fn latency(&mut self, latency: Duration) {
        self.latency = latency;
    }

    /// The accepted texts.
    pub fn accepted(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(|sent| sent.accepted())
    }
}

impl Transport for ScriptedTransport {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        let at = self.clock.now();
        self.clock.advance(self.latency);
        let outcome = match self.queue.pop_front() {
            Some(outcome) => outcome,
            None => (self.rule)(at, message),
        };
        self.sent.push(Sent {
            at,
            text: message.text.to_string(),
            encoding: message.encoding,
            segments: message.segments,
            reference: message.reference.to_string(),
            repeat: message.repeat,
            outcome,
        });
        outcome
    }
}

impl core::fmt::Debug for ScriptedTransport {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ScriptedTransport").field("sent", &self.sent).finish_non_exhaustive()
    }
}
