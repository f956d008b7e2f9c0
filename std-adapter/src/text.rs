//! A message formatted on the caller's stack: no allocation, cut when full.

use std::fmt;

/// Bytes of a message that are formatted; more than a slot of the ring keeps.
pub(crate) const CAPACITY: usize = 256;

/// A formatted message. Not cleared before use, which would cost more than a short message.
pub(crate) type Buffer = heapless::String<CAPACITY>;

/// Writes what is formatted into a buffer until it is full, cuts at a character's boundary, then
/// stops the formatting with an error, so that a huge value costs no more than a long one.
pub(crate) struct Writer<'a> {
    buffer: &'a mut Buffer,
    full: bool,
}

impl Writer<'_> {
    pub(crate) const fn new(buffer: &mut Buffer) -> Writer<'_> {
        Writer { buffer, full: false }
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        if self.buffer.push_str(piece).is_ok() {
            return Ok(());
        }
        self.full = true;
        // Always fits, being at most what is free.
        let _ = self.buffer.push_str(head(piece, CAPACITY - self.buffer.len()));
        Err(fmt::Error)
    }
}

/// The first `most` bytes of `text`, or up to three fewer so as not to split a character.
pub(crate) fn head(text: &str, most: usize) -> &str {
    (0..=most.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or("")
}

/// The last `most` bytes of `text`, or up to three fewer so as not to split a character.
pub(crate) fn tail(text: &str, most: usize) -> &str {
    (text.len().saturating_sub(most)..=text.len()).find_map(|at| text.get(at..)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    #[test]
    fn a_message_longer_than_the_buffer_is_cut_between_characters() {
        for lead in 0..4 {
            let mut buffer = Buffer::new();
            let mut writer = Writer::new(&mut buffer);
            let long = "\u{1f525}".repeat(100);
            assert!(write!(writer, "{}{long}", "x".repeat(lead)).is_err());
            assert!(writer.write_str("m").is_err(), "nothing is added behind a cut");
            assert!(buffer.len() <= CAPACITY && buffer.len() > CAPACITY - 4, "{}", buffer.len());
            assert!(buffer.ends_with('\u{1f525}'));
        }
    }

    #[test]
    fn a_message_that_just_fits_is_whole() {
        let mut buffer = Buffer::new();
        assert!(write!(Writer::new(&mut buffer), "{}", "x".repeat(CAPACITY)).is_ok());
        assert_eq!(buffer.len(), CAPACITY);
    }

    #[test]
    fn ends_of_texts_never_split_a_character() {
        assert_eq!(head("a\u{e4}b", 2), "a");
        assert_eq!(head("a\u{e4}b", 3), "a\u{e4}");
        assert_eq!(tail("a\u{e4}b", 2), "b");
        assert_eq!(tail("a\u{e4}b", 9), "a\u{e4}b");
    }
}
