//! Bytes on the line to frames and back: the HDLC-like framing of RFC 1662 with its 32-bit check.
//!
//! ```text
//!  7E │ payload, check (4 bytes, lowest first), with 7D and 7E written as 7D 5D and 7D 5E │ 7E
//! ```
//!
//! 7E stands nowhere but between frames, so whoever listens is in step again at the next one, no
//! matter what came before. Nothing is buffered beyond the longest frame, and a frame that is longer
//! than expected costs its reader no more than waiting for its end.

use heapless::Vec;

const FLAG: u8 = 0x7E;
const ESCAPE: u8 = 0x7D;
const FLIP: u8 = 0x20;
/// Bytes of the check.
pub const CHECK: usize = 4;

/// The bytes to put on the line for one frame; the payload is `head` followed by `body`.
pub fn encode<'a>(head: &'a [u8], body: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    let check = payload(head, body).fold(Check::new(), Check::with);
    let inside = payload(head, body).chain(check.value().to_le_bytes());
    [FLAG].into_iter().chain(inside.flat_map(escaped)).chain([FLAG])
}

fn payload<'a>(head: &'a [u8], body: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    head.iter().chain(body).copied()
}

fn escaped(byte: u8) -> impl Iterator<Item = u8> {
    let special = byte == FLAG || byte == ESCAPE;
    let escape = special.then_some(ESCAPE);
    escape.into_iter().chain([if special { byte ^ FLIP } else { byte }])
}

/// Finds frames among the bytes of a line. `N` is the longest payload plus [`CHECK`].
#[derive(Debug, Default)]
pub struct Decoder<const N: usize> {
    bytes: Vec<u8, N>,
    escape: bool,
    /// What has come since the last flag is no frame of ours.
    spoilt: bool,
    complete: bool,
}

impl<const N: usize> Decoder<N> {
    /// In the middle of nothing: takes the first frame that begins from now on.
    pub const fn new() -> Decoder<N> {
        Decoder { bytes: Vec::new(), escape: false, spoilt: false, complete: false }
    }

    /// Takes the next byte of the line; returns the payload of the frame that it completes.
    pub fn push(&mut self, byte: u8) -> Option<&[u8]> {
        if core::mem::take(&mut self.complete) {
            self.bytes.clear();
        }
        if byte == FLAG {
            return self.end();
        }
        if byte == ESCAPE {
            // Two in a row are no escape.
            self.spoilt |= core::mem::replace(&mut self.escape, true);
            return None;
        }
        let flip = if core::mem::take(&mut self.escape) { FLIP } else { 0 };
        self.spoilt |= self.bytes.push(byte ^ flip).is_err();
        None
    }

    /// A flag: the end of a frame, or of noise.
    fn end(&mut self) -> Option<&[u8]> {
        let spoilt = core::mem::take(&mut self.spoilt) | core::mem::take(&mut self.escape);
        self.complete = true;
        let (payload, check) = self.bytes.split_last_chunk::<CHECK>()?;
        let sound = Check::of(payload).value() == u32::from_le_bytes(*check);
        (sound && !spoilt).then_some(payload)
    }
}

/// The check sequence of RFC 1662, appendix C.3: CRC-32, reflected. Bit by bit: a table would be
/// 1 KiB of flash for 600 bytes an hour.
#[derive(Clone, Copy)]
struct Check(u32);

impl Check {
    const POLYNOMIAL: u32 = 0xEDB8_8320;

    const fn new() -> Check {
        Check(u32::MAX)
    }

    fn of(bytes: &[u8]) -> Check {
        bytes.iter().copied().fold(Check::new(), Check::with)
    }

    fn with(self, byte: u8) -> Check {
        Check((0..8).fold(self.0 ^ u32::from(byte), |check, _| {
            let carry = check & 1;
            check >> 1 ^ Check::POLYNOMIAL & carry.wrapping_neg()
        }))
    }

    const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn line(payload: &[u8]) -> Vec<u8> {
        encode(payload, &[]).collect()
    }

    fn frames<const N: usize>(line: &[u8]) -> Vec<Vec<u8>> {
        let mut decoder = Decoder::<N>::new();
        line.iter().filter_map(|byte| decoder.push(*byte).map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn the_check_is_the_one_everybody_knows() {
        assert_eq!(Check::of(b"123456789").value(), 0xCBF4_3926);
    }

    #[test]
    fn every_payload_comes_back_whatever_its_bytes() {
        let all: Vec<u8> = (0..=255).collect();
        for payload in [&b"\x7E"[..], b"\x7D\x7E", b"ERROR: pump 3", &all, &[0; 300]] {
            assert_eq!(frames::<304>(&line(payload)), [payload]);
        }
    }

    #[test]
    fn noise_costs_the_frame_it_hits_and_no_other() {
        let (first, second) = (line(b"first"), line(b"second"));
        let both = [first.as_slice(), &second].concat();
        for at in 0..both.len() {
            for wrong in [0x00, 0x7D, 0x7E, 0xFF, both[at] ^ 1] {
                let mut line = both.clone();
                line[at] = wrong;
                let found = frames::<32>(&line);
                let spared = if at < first.len() { &b"second"[..] } else { b"first" };
                assert!(found.iter().any(|frame| frame == spared), "{wrong:02X} at {at}");
                for frame in found {
                    assert!(frame == b"first" || frame == b"second", "{wrong:02X} at {at}");
                }
            }
        }
        // A line that was cut in the middle, one with rubbish before it, and a flood.
        assert_eq!(frames::<32>(&[&first[3..], &second].concat()), [b"second"]);
        assert_eq!(frames::<32>(&[b"AT+CMGF=1\r\x7D", &*second].concat()), [b"second"]);
        assert_eq!(frames::<32>(&[&[7; 100_000], &*second].concat()), [b"second"]);
    }

    #[test]
    fn a_frame_longer_than_expected_is_none() {
        assert_eq!(frames::<32>(&line(&[1; 28])).len(), 1);
        assert!(frames::<32>(&line(&[1; 29])).is_empty());
    }
}
