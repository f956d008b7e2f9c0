//! The device's half: one attempt over a serial port.

use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Message, Outcome, Retry, Transport};
use embedded_io::{Read, ReadReady, Write};

use crate::frame::{CHECK, Decoder, encode};
use crate::message::{HEAD, Said};

/// What this transport says for itself; other codes are the gateway's, and mean what they mean there.
pub mod code {
    use annunciator_core::transport::Code;

    /// Nobody answered the greeting; nothing was sent.
    pub const NO_GATEWAY: Code = Code(9001);
    /// The serial port failed before the text was whole; nothing was sent.
    pub const PORT: Code = Code(9002);
    /// No verdict in time: the gateway may have sent the text.
    pub const NO_VERDICT: Code = Code(9003);
}

/// How long the device waits for the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// For `Ready`. The gateway only has to notice: a second serves.
    pub ready: Duration,
    /// For the verdict: longer than the gateway's own deadline for an attempt, or every slow one
    /// becomes an unknown one.
    pub verdict: Duration,
}

impl Default for Waits {
    fn default() -> Waits {
        Waits { ready: Duration::from_secs(2), verdict: Duration::from_secs(30) }
    }
}

/// One attempt, without I/O: what comes in is pushed, what it leads to is returned.
#[derive(Debug)]
pub struct Exchange {
    token: u32,
    decoder: Decoder<{ HEAD + CHECK }>,
    awaits: Awaits,
    deadline: Instant,
    waits: Waits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Ready,
    Verdict,
}

/// What the device is to do next in an [`Exchange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Wait for bytes, until [`Exchange::deadline`].
    Listen,
    /// Write this exchange's text, then listen.
    Speak,
    /// This is what became of it.
    Over(Outcome),
}

impl Exchange {
    /// An attempt under a token that no recent one had. Its greeting is to be written first.
    pub fn new(token: u32, now: Instant, waits: Waits) -> Exchange {
        let (decoder, awaits) = (Decoder::new(), Awaits::Ready);
        Exchange { token, decoder, awaits, deadline: now + waits.ready, waits }
    }

    /// Asks whether somebody is there.
    pub fn greeting(&self) -> Said<'static> {
        Said::Hello(self.token)
    }

    /// The text, to be written when [`Next::Speak`] says so.
    pub fn text<'m>(&self, message: &Message<'m>) -> Said<'m> {
        Said::Text(self.token, *message)
    }

    /// A byte came in.
    pub fn heard(&mut self, byte: u8, now: Instant) -> Next {
        let said = self.decoder.push(byte).and_then(Said::decode);
        match (said, self.awaits) {
            (Some(Said::Ready(token)), Awaits::Ready) if token == self.token => {
                self.awaits = Awaits::Verdict;
                self.deadline = now + self.waits.verdict;
                Next::Speak
            }
            (Some(Said::Verdict(token, outcome)), Awaits::Verdict) if token == self.token => {
                Next::Over(outcome)
            }
            // Noise, or the late answer to an attempt that was given up.
            _ => Next::Listen,
        }
    }

    /// Until when to listen.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The deadline has passed.
    pub fn silence(&self) -> Outcome {
        match self.awaits {
            Awaits::Ready => Outcome::Retry(Retry::failure(code::NO_GATEWAY)),
            Awaits::Verdict => Outcome::Unknown(code::NO_VERDICT),
        }
    }

    /// The port failed. A frame that is not whole is not taken, so up to its last byte the failure
    /// is certain.
    pub fn failure(&self, text_is_whole: bool) -> Outcome {
        if text_is_whole {
            Outcome::Unknown(code::NO_VERDICT)
        } else {
            Outcome::Retry(Retry::failure(code::PORT))
        }
    }
}

/// A gateway at the other end of a serial port.
///
/// `clock` gives the time since boot, `pause` waits a moment for whatever may happen: an interrupt
/// of the port, a tick.
#[derive(Debug)]
pub struct Gateway<P, C, W> {
    port: P,
    clock: C,
    pause: W,
    token: u32,
    waits: Waits,
}

impl<P, C, W> Gateway<P, C, W>
where
    P: Read + ReadReady + Write,
    C: FnMut() -> Instant,
    W: FnMut(),
{
    /// The first attempt has the token after `token`: let it differ from start to start.
    pub fn new(port: P, clock: C, pause: W, token: u32) -> Gateway<P, C, W> {
        Gateway { port, clock, pause, token, waits: Waits::default() }
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn waits(mut self, waits: Waits) -> Gateway<P, C, W> {
        self.waits = waits;
        self
    }

    fn attempt(&mut self, message: &Message<'_>) -> Outcome {
        let mut exchange = Exchange::new(self.token, (self.clock)(), self.waits);
        if self.say(&exchange.greeting()).is_err() {
            return exchange.failure(false);
        }
        let mut whole = false;
        loop {
            let next = match self.listen(exchange.deadline()) {
                Ok(Some(byte)) => exchange.heard(byte, (self.clock)()),
                Ok(None) => return exchange.silence(),
                Err(_) => return exchange.failure(whole),
            };
            match next {
                Next::Listen => {}
                Next::Over(outcome) => return outcome,
                Next::Speak => match self.say(&exchange.text(message)) {
                    Ok(()) => whole = true,
                    Err(_) => return exchange.failure(false),
                },
            }
        }
    }

    fn say(&mut self, said: &Said<'_>) -> Result<(), Failed> {
        let (head, body) = said.encode();
        for byte in encode(&head, body) {
            // Not `write_all`: it panics when a write takes nothing.
            match self.port.write(&[byte]) {
                Ok(1) => {}
                _ => return Err(Failed),
            }
        }
        self.port.flush().map_err(|_| Failed)
    }

    /// The next byte, if one comes in time.
    fn listen(&mut self, deadline: Instant) -> Result<Option<u8>, Failed> {
        loop {
            // First, or a line that never falls silent would hold the device up for ever.
            if (self.clock)() >= deadline {
                return Ok(None);
            }
            if self.port.read_ready().map_err(|_| Failed)? {
                break;
            }
            (self.pause)();
        }
        let mut byte = [0];
        match self.port.read(&mut byte) {
            Ok(1) => Ok(Some(byte[0])),
            _ => Err(Failed),
        }
    }
}

/// The port failed; how makes no difference.
struct Failed;

impl<P, C, W> Transport for Gateway<P, C, W>
where
    P: Read + ReadReady + Write,
    C: FnMut() -> Instant,
    W: FnMut(),
{
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        self.token = self.token.wrapping_add(1);
        self.attempt(message)
    }
}
