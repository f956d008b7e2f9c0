//! A message formatted on the caller's stack: no allocation, cut when full.

use std::fmt;

/// Bytes of a message that are formatted; more than a slot of the ring keeps.
pub(crate) const CAPACITY: usize = 256;

/// Takes what is formatted until it is full, cuts at a character's boundary, then stops the
/// formatting with an error, so that a huge value costs no more than a long one.
#[derive(Default)]
pub(crate) struct Text {
    text: heapless::String<CAPACITY>,
    full: bool,
}

impl Text {
    /// What has been taken so far.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.full {
            return Err(fmt::Error);
        }
        if self.text.push_str(piece).is_ok() {
            return Ok(());
        }
        self.full = true;
        // Always fits, being at most what is free.
        let _ = self.text.push_str(head(piece, CAPACITY - self.text.len()));
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
            let mut text = Text::default();
            let long = "\u{1f525}".repeat(100);
            assert!(write!(text, "{}{long}", "x".repeat(lead)).is_err());
            let kept = text.as_str().len();
            assert!(kept <= CAPACITY && kept > CAPACITY - 4, "{kept}");
            assert!(text.write_str("more").is_err());
            assert_eq!(text.as_str().len(), kept, "nothing is added behind a cut");
        }
    }

    #[test]
    fn a_message_that_just_fits_is_whole() {
        let mut text = Text::default();
        assert!(write!(text, "{}", "x".repeat(CAPACITY)).is_ok());
        assert_eq!(text.as_str().len(), CAPACITY);
    }

    #[test]
    fn ends_of_texts_never_split_a_character() {
        assert_eq!(head("a\u{e4}b", 2), "a");
        assert_eq!(head("a\u{e4}b", 3), "a\u{e4}");
        assert_eq!(tail("a\u{e4}b", 2), "b");
        assert_eq!(tail("a\u{e4}b", 9), "a\u{e4}b");
    }
}
