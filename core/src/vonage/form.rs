//! `application/x-www-form-urlencoded`, written into borrowed memory.

/// Bytes that one byte of a value needs at worst: `%E2`.
pub(super) const WORST: usize = 3;

/// Writes ASCII into a slice and goes on counting when it is full.
pub(super) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(super) fn new(buf: &'b mut [u8]) -> Writer<'b> {
        Writer { buf, len: 0 }
    }

    /// The number of bytes written, or `Err` with the number that would have been.
    pub(super) fn finish(self) -> Result<usize, usize> {
        if self.len <= self.buf.len() { Ok(self.len) } else { Err(self.len) }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.buf.get_mut(self.len) {
            *slot = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.byte(byte);
        }
    }

    /// One `key=value`, with `&` before it unless it is the first. The key is written as it is.
    pub(super) fn field(&mut self, key: &str, value: &[u8]) {
        if self.len > 0 {
            self.byte(b'&');
        }
        self.raw(key.as_bytes());
        self.byte(b'=');
        for &byte in value {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => self.byte(byte),
                b' ' => self.byte(b'+'),
                _ => {
                    self.byte(b'%');
                    self.byte(hex_digit(byte >> 4, b'A'));
                    self.byte(hex_digit(byte & 15, b'A'));
                }
            }
        }
    }
}

/// The digit for `nibble` (0 to 15), letters counted from `ten`: `b'a'` or `b'A'`.
pub(super) const fn hex_digit(nibble: u8, ten: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { ten.wrapping_add(nibble).wrapping_sub(10) }
}

/// A number in decimal, without `core::fmt`.
pub(super) struct Digits {
    buf: [u8; 10],
    start: u8,
}

impl Digits {
    pub(super) fn of(mut value: u32) -> Digits {
        let mut digits = Digits { buf: [b'0'; 10], start: 9 };
        for (at, slot) in digits.buf.iter_mut().enumerate().rev() {
            *slot = b'0' + (value % 10) as u8;
            digits.start = at as u8;
            value /= 10;
            if value == 0 {
                break;
            }
        }
        digits
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.buf.get(usize::from(self.start)..).unwrap_or(&[])
    }
}

/// Appends `data` in base 64 with padding.
pub(super) fn base64(out: &mut Writer<'_>, data: impl Iterator<Item = u8>) {
    let mut bits: u32 = 0;
    let mut held: u32 = 0;
    let mut written: u32 = 0;
    for byte in data {
        bits = bits << 8 | u32::from(byte);
        held += 8;
        while held >= 6 {
            held -= 6;
            out.byte(base64_digit((bits >> held) as u8 & 63));
            written = written.wrapping_add(1);
        }
    }
    if held > 0 {
        out.byte(base64_digit((bits << (6 - held)) as u8 & 63));
        written = written.wrapping_add(1);
    }
    while written & 3 != 0 {
        out.byte(b'=');
        written = written.wrapping_add(1);
    }
}

const fn base64_digit(value: u8) -> u8 {
    match value {
        0..=25 => b'A' + value,
        26..=51 => value.wrapping_sub(26).wrapping_add(b'a'),
        52..=61 => value.wrapping_sub(52).wrapping_add(b'0'),
        62 => b'+',
        _ => b'/',
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn base64_of(data: &[u8]) -> Vec<u8> {
        let mut buf = [0; 64];
        let mut out = Writer::new(&mut buf);
        base64(&mut out, data.iter().copied());
        let len = out.finish().unwrap();
        buf[..len].to_vec()
    }

    #[test]
    fn base64_matches_rfc_4648() {
        for (data, expected) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64_of(data.as_bytes()), expected.as_bytes());
        }
        assert_eq!(base64_of(&[0xfb, 0xef, 0xff]), b"++//");
        // The pair in the service's documentation of the Basic header.
        assert_eq!(base64_of(b"aaa012:abc123456789"), b"YWFhMDEyOmFiYzEyMzQ1Njc4OQ==");
    }

    #[test]
    fn a_full_buffer_tells_how_much_was_needed() {
        let mut buf = [0; 4];
        let mut out = Writer::new(&mut buf);
        out.field("a", "b c".as_bytes());
        out.field("d", b"\n");
        assert_eq!(out.finish(), Err("a=b+c&d=%0A".len()));
    }

    proptest! {
        #[test]
        fn digits_are_those_of_the_standard_library(value: u32) {
            let (digits, expected) = (Digits::of(value), value.to_string());
            prop_assert_eq!(digits.as_bytes(), expected.as_bytes());
        }
    }
}
