//! Cutting one text to the segments it may cost.

use super::{Encoding, SegmentWriter};

/// What to do with a character that GSM lacks and no transliteration replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Fallback {
    /// The whole text goes as UCS-2, with the original characters: nothing is lost, but less than
    /// half as much fits.
    #[default]
    Unicode,
    /// Each such character becomes `?`; the text stays in GSM.
    Replace,
}

/// Bytes a text buffer needs so that no text of `segments` segments is cut by it.
///
/// The dearest text in bytes is one of two-byte GSM characters: 320 bytes for one segment, 304 for
/// each of several.
pub const fn text_bytes(segments: u8) -> usize {
    2 * Encoding::Gsm7.capacity(segments) as usize
}

/// A text cut by [`fit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fitted {
    /// Its length in bytes of UTF-8, from the start of the buffer.
    pub len: usize,
    /// The alphabet it needs.
    pub encoding: Encoding,
    /// What it costs.
    pub segments: u16,
    /// Whether something was cut off and `...` written.
    pub cut: bool,
}

/// Writes as much of `text` into `buf` as `segments` segments (1 to 99) carry, transliterated; cut
/// at the end of a word if one is near, with `...` for the rest.
///
/// `buf` of [`text_bytes`] is enough; a shorter one cuts earlier.
pub fn fit(text: &str, segments: u8, fallback: Fallback, buf: &mut [u8]) -> Fitted {
    let mut writer = SegmentWriter::new(false);
    let mut script = Script::first(fallback);
    loop {
        writer.restart(script, false);
        writer.limit(script.encoding().capacity(segments.min(99)));
        let mut rest = text.chars();
        while !writer.is_full() && writer.take(&mut rest, buf) {}
        let cut = writer.is_full();
        if cut {
            writer.cut(buf);
        }
        match writer.better_script(fallback) {
            Some(better) => script = better,
            None => {
                return Fitted {
                    len: writer.len(),
                    encoding: script.encoding(),
                    segments: u16::from(writer.segments()),
                    cut,
                };
            }
        }
    }
}

/// How characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Transliterated to GSM.
    Gsm,
    /// Transliterated to GSM, with `?` for what it lacks.
    Replaced,
    /// As they are.
    Ucs2,
}

impl Script {
    /// The one to try first.
    pub(crate) const fn first(fallback: Fallback) -> Script {
        match fallback {
            Fallback::Unicode => Script::Gsm,
            Fallback::Replace => Script::Replaced,
        }
    }

    pub(crate) const fn encoding(self) -> Encoding {
        match self {
            Script::Ucs2 => Encoding::Ucs2,
            _ => Encoding::Gsm7,
        }
    }
}
