//! What the others contain: the measurement itself, and the formatting alone.

use crate::row::Row;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;

/// No logging at all: what the measuring costs.
pub struct Nothing;

impl Row for Nothing {
    const NAME: &'static str = "nothing";

    fn install(_place: &Path) -> Nothing {
        Nothing
    }

    #[inline(always)]
    fn error(&self, id: u32, code: u32) {
        black_box((id, code));
    }

    #[inline(always)]
    fn debug(&self, id: u32, code: u32) {
        black_box((id, code));
    }
}

/// The message formatted into a buffer on the stack, and nothing done with it.
pub struct Format;

impl Row for Format {
    const NAME: &'static str = "format";

    fn install(_place: &Path) -> Format {
        Format
    }

    #[inline(always)]
    fn error(&self, id: u32, code: u32) {
        let mut text = Text::default();
        let _ = write!(text, "sensor {} failed: code {}", black_box(id), black_box(code));
        black_box(text.as_bytes());
    }

    #[inline(always)]
    fn debug(&self, id: u32, code: u32) {
        black_box((id, code));
    }
}

/// Text on the stack, cut where it ends.
pub struct Text {
    bytes: [u8; 160],
    len: usize,
}

impl Default for Text {
    fn default() -> Text {
        Text { bytes: [0; 160], len: 0 }
    }
}

impl Text {
    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Write for Text {
    #[inline]
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let room = &mut self.bytes[self.len..];
        let taken = s.len().min(room.len());
        room[..taken].copy_from_slice(&s.as_bytes()[..taken]);
        self.len += taken;
        Ok(())
    }
}
