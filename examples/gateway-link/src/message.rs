//! What a frame says.
//!
//! ```text
//!  Hello    01 │ token u32
//!  Ready    02 │ token u32
//!  Text     03 │ token u32 │ reference u32 │ flags u8: 1 UCS-2, 2 repeat │ segments u8 │ UTF-8
//!  Verdict  04 │ token u32 │ kind u8 │ detail u8 │ refused parts u8 │ code u16
//!              │ after u32, ms, max: none │ price i64 │ balance i64, units of 10⁻⁸, min: none
//!
//!  kind  0 accepted (detail: parts) · 1 retry (0 failure, 1 throttled, 2 unrecognised)
//!        2 unknown · 3 refused (0 channel, 1 message)
//! ```
//!
//! All numbers are little-endian.

use annunciator_core::gsm7::Encoding;
use annunciator_core::time::Duration;
use annunciator_core::transport::{
    Code, Decimal, Message, Outcome, Receipt, Reference, Refusal, RefusalClass, Retry, RetryCause,
};
use heapless::Vec;

/// Bytes of the longest head of a frame; a text follows it.
pub const HEAD: usize = 32;

const HELLO: u8 = 1;
const READY: u8 = 2;
const TEXT: u8 = 3;
const VERDICT: u8 = 4;

const UCS2: u8 = 1;
const REPEAT: u8 = 2;

/// One of the four, borrowed from the frame it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// The device asks whether somebody is there.
    Hello(u32),
    /// Somebody is.
    Ready(u32),
    /// A text to send, once.
    Text(u32, Message<'a>),
    /// What became of it.
    Verdict(u32, Outcome),
}

impl<'a> Said<'a> {
    /// The frame's payload, in two parts: a head, and the text if there is one.
    pub fn encode(&self) -> (Vec<u8, HEAD>, &'a [u8]) {
        let mut head = Head(Vec::new());
        let body = match *self {
            Said::Hello(token) => {
                head.byte(HELLO).word(token);
                ""
            }
            Said::Ready(token) => {
                head.byte(READY).word(token);
                ""
            }
            Said::Text(token, message) => {
                let ucs2 = if message.encoding == Encoding::Ucs2 { UCS2 } else { 0 };
                let repeat = if message.repeat { REPEAT } else { 0 };
                head.byte(TEXT).word(token).word(message.reference.0);
                head.byte(ucs2 | repeat).byte(message.segments);
                message.text
            }
            Said::Verdict(token, outcome) => {
                head.byte(VERDICT).word(token).verdict(&outcome);
                ""
            }
        };
        (head.0, body.as_bytes())
    }

    /// Reads a payload; `None` if it is none of the four.
    pub fn decode(payload: &'a [u8]) -> Option<Said<'a>> {
        let mut rest = Rest(payload);
        let (kind, token) = (rest.byte()?, rest.word()?);
        Some(match kind {
            HELLO => Said::Hello(token),
            READY => Said::Ready(token),
            TEXT => {
                let reference = Reference(rest.word()?);
                let (flags, segments) = (rest.byte()?, rest.byte()?);
                let encoding = if flags & UCS2 == 0 { Encoding::Gsm7 } else { Encoding::Ucs2 };
                let text = core::str::from_utf8(rest.0).ok()?;
                let mut message = Message::new(text, encoding, segments, reference);
                message.repeat = flags & REPEAT != 0;
                Said::Text(token, message)
            }
            VERDICT => Said::Verdict(token, rest.verdict()?),
            _ => return None,
        })
    }
}

/// A head in the making; [`HEAD`] has room for the longest.
struct Head(Vec<u8, HEAD>);

impl Head {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let _ = self.0.extend_from_slice(bytes);
        self
    }

    fn byte(&mut self, byte: u8) -> &mut Self {
        self.bytes(&[byte])
    }

    fn word(&mut self, word: u32) -> &mut Self {
        self.bytes(&word.to_le_bytes())
    }

    fn verdict(&mut self, outcome: &Outcome) {
        let mut receipt = Receipt::default();
        let mut after = u32::MAX;
        let (kind, detail, code) = match outcome {
            Outcome::Accepted(accepted) => {
                receipt = *accepted;
                (0, accepted.parts, accepted.code)
            }
            Outcome::Retry(retry) => {
                if let Some(wait) = retry.after {
                    after = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX - 1);
                }
                let cause = match retry.cause {
                    RetryCause::Throttled => 1,
                    RetryCause::Unrecognised => 2,
                    _ => 0,
                };
                (1, cause, retry.code)
            }
            Outcome::Refused(refusal) => {
                (3, u8::from(refusal.class == RefusalClass::Message), refusal.code)
            }
            Outcome::Unknown(code) => (2, 0, *code),
            // A kind that this protocol does not know yet.
            _ => (2, 0, Code::NONE),
        };
        let amount = |amount: Option<Decimal>| amount.map_or(i64::MIN, |amount| amount.0);
        self.byte(kind).byte(detail).byte(receipt.refused_parts);
        self.bytes(&code.0.to_le_bytes()).word(after);
        self.bytes(&amount(receipt.price).to_le_bytes());
        self.bytes(&amount(receipt.balance).to_le_bytes());
    }
}

/// What is left to read of a payload.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(u8::from_le_bytes)
    }

    fn word(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn amount(&mut self) -> Option<Option<Decimal>> {
        let amount = self.take().map(i64::from_le_bytes)?;
        Some((amount != i64::MIN).then_some(Decimal(amount)))
    }

    fn verdict(&mut self) -> Option<Outcome> {
        let (kind, detail, refused_parts) = (self.byte()?, self.byte()?, self.byte()?);
        let code = Code(self.take().map(u16::from_le_bytes)?);
        let after = self.word()?;
        let (price, balance) = (self.amount()?, self.amount()?);
        Some(match (kind, detail) {
            (0, parts) => {
                let mut receipt = Receipt::new(parts);
                receipt.refused_parts = refused_parts;
                receipt.price = price;
                receipt.balance = balance;
                receipt.code = code;
                Outcome::Accepted(receipt)
            }
            (1, cause) => {
                let mut retry = match cause {
                    1 => Retry::throttled(Duration::ZERO, code),
                    2 => Retry::unrecognised(code),
                    _ => Retry::failure(code),
                };
                let wait = Duration::from_millis(after.into());
                retry.after = (after != u32::MAX).then_some(wait);
                Outcome::Retry(retry)
            }
            (2, _) => Outcome::Unknown(code),
            (3, 0) => Outcome::Refused(Refusal::new(RefusalClass::Channel, code)),
            (3, _) => Outcome::Refused(Refusal::new(RefusalClass::Message, code)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes() -> std::vec::Vec<Outcome> {
        let mut receipt = Receipt::new(2);
        receipt.refused_parts = 1;
        receipt.price = Some(Decimal(6_660_000));
        receipt.balance = Some(Decimal(-12));
        let mut failure = Retry::failure(Code(1503));
        failure.after = Some(Duration::from_secs(15));
        std::vec![
            Outcome::Accepted(receipt),
            Outcome::Accepted(Receipt::new(1)),
            Outcome::Retry(failure),
            Outcome::Retry(Retry::failure(Code(2001))),
            Outcome::Retry(Retry::throttled(Duration::from_millis(702), Code(1))),
            Outcome::Retry(Retry::unrecognised(Code(77))),
            Outcome::Unknown(Code(2005)),
            Outcome::Refused(Refusal::new(RefusalClass::Channel, Code(9))),
            Outcome::Refused(Refusal::new(RefusalClass::Message, Code(12))),
        ]
    }

    #[test]
    fn what_is_said_is_understood() {
        let text = "[Rust Logger pump] PANIC: Überlauf";
        let mut message = Message::new(text, Encoding::Ucs2, 1, Reference(33));
        message.repeat = true;
        let others = [Said::Hello(7), Said::Ready(u32::MAX), Said::Text(0x7E7D, message)];
        let verdicts = outcomes().into_iter().map(|outcome| Said::Verdict(9, outcome));
        for said in others.into_iter().chain(verdicts) {
            let (head, body) = said.encode();
            let payload = [&head, body].concat();
            assert_eq!(Said::decode(&payload), Some(said));
            // Cut short it is not another.
            for len in 0..head.len() {
                assert_eq!(Said::decode(&payload[..len]), None, "{said:?}");
            }
        }
    }

    #[test]
    fn what_makes_no_sense_is_nothing() {
        assert_eq!(Said::decode(b""), None);
        assert_eq!(Said::decode(&[9, 0, 0, 0, 0]), None);
        assert_eq!(Said::decode(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF]), None);
        assert_eq!(Said::decode(&[&[4, 0, 0, 0, 0, 200], &[0; 24][..]].concat()), None);
    }
}
