//! An event made ready to be kept: cut, joined and hashed once, on the caller's stack.
//!
//! Everything that costs time in proportion to the text happens here, outside any lock or critical
//! section. One pass over the bytes yields [`Entry::key`], which is both the identity that equal
//! events share and the check that guards the bytes in the slot.

#[cfg(feature = "shared")]
use super::Record;
use super::{Event, Level, Site};
use crate::hash;

/// Bytes of text that a slot of 256 bytes holds: message, target and file name together.
pub const TEXT_256: usize = 184;
/// Bytes of text that a slot of 512 bytes holds.
pub const TEXT_512: usize = 440;
/// Bytes kept of a target, from its beginning.
pub const TARGET_MAX: usize = 36;
/// Bytes kept of a file name, from its end: the last parts of a path tell files apart.
pub const FILE_MAX: usize = 32;

/// An [`Event`] in the shape of a slot. Make it once, record it with any number of alerters.
///
/// `TEXT` is the number of bytes of text in a slot, and with it the slot's size: [`TEXT_256`] or
/// [`TEXT_512`], the same as the alerter's.
#[derive(Debug, Clone)]
pub struct Entry<const TEXT: usize = TEXT_256> {
    /// Level, lengths and the place of the cut, as in the slot: see [`lengths`].
    pub(crate) meta: u64,
    pub(crate) level: Level,
    /// Bytes of text.
    len: u16,
    pub(crate) line: u32,
    pub(crate) key: u32,
    pub(crate) group: u32,
    pub(crate) text: [u8; TEXT],
}

impl Entry {
    /// Cuts, joins and hashes `event` for slots of 256 bytes. Texts are cut at character
    /// boundaries.
    pub fn new(event: &Event<'_>) -> Entry {
        Entry::sized(event)
    }
}

impl<const TEXT: usize> Entry<TEXT> {
    /// Cuts, joins and hashes `event`. Texts are cut at character boundaries.
    pub fn sized(event: &Event<'_>) -> Entry<TEXT> {
        let mut draft = Draft::sized(event.level, event.target, event.site);
        draft.push(event.message);
        draft.finish();
        draft.entry
    }

    /// The entry that a record was made of.
    #[cfg(feature = "shared")]
    pub(crate) fn of_record(record: &Record<'_>) -> Entry<TEXT> {
        let mut draft = Draft::sized(record.level, record.target, record.site);
        draft.push(record.message);
        draft.cut |= record.cut;
        draft.finish();
        draft.entry
    }

    /// How severe the event is.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Identity of the event's group; see [`Record::group`](super::Record::group).
    pub const fn group(&self) -> u32 {
        self.group
    }

    /// The event as it is kept.
    pub fn event(&self) -> Event<'_> {
        let text = |from: usize, len: usize| {
            let bytes = self.text.get(from..).and_then(|rest| rest.get(..len));
            core::str::from_utf8(bytes.unwrap_or(&[])).unwrap_or("")
        };
        let (message, target, file) = lengths(self.meta);
        let file = text(message + target, file);
        let has_site = self.line != 0 || !file.is_empty();
        Event {
            level: self.level,
            target: text(message, target),
            message: text(0, message),
            site: has_site.then_some(Site { file, line: self.line }),
        }
    }

    /// The joined text.
    #[inline]
    pub(crate) fn text(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or(&self.text)
    }
}

/// The lengths of message, target and file in an [`Entry::meta`], which are its bytes 2 to 5.
#[inline]
pub(crate) const fn lengths(meta: u64) -> (usize, usize, usize) {
    let [_, _, low, high, target, file, ..] = meta.to_le_bytes();
    (u16::from_le_bytes([low, high]) as usize, target as usize, file as usize)
}

/// Where the message in an [`Entry::meta`] was cut: something is missing before this byte of it.
/// 0: it is whole.
#[inline]
pub(crate) const fn cut_at(meta: u64) -> u16 {
    (meta >> 48) as u16
}

/// An [`Entry`] in the making: the message comes in pieces, straight into its place.
///
/// Also a [`core::fmt::Write`]; it then reports an error as soon as the message is cut, which ends
/// the formatting of a huge value.
#[derive(Debug)]
pub struct Draft<'a, const TEXT: usize = TEXT_256> {
    entry: Entry<TEXT>,
    target: &'a str,
    file: &'a str,
    len: usize,
    limit: usize,
    cut: bool,
}

impl<'a> Draft<'a> {
    /// An event for slots of 256 bytes, whose message is still empty.
    #[inline]
    pub fn new(level: Level, target: &'a str, site: Option<Site<'a>>) -> Draft<'a> {
        Draft::sized(level, target, site)
    }
}

impl<'a, const TEXT: usize> Draft<'a, TEXT> {
    /// An event whose message is still empty.
    #[inline]
    pub fn sized(level: Level, target: &'a str, site: Option<Site<'a>>) -> Draft<'a, TEXT> {
        let (file, line) = match site {
            Some(site) => (tail(site.file, FILE_MAX), site.line),
            None => ("", 0),
        };
        let target = head(target, TARGET_MAX);
        let entry = Entry { meta: 0, level, len: 0, line, key: 0, group: 0, text: [0; TEXT] };
        let limit = TEXT.saturating_sub(target.len() + file.len());
        Draft { entry, target, file, len: 0, limit, cut: false }
    }

    /// Appends to the message as much of `piece` as there is room for; `false` if that is not all.
    #[inline]
    pub fn push(&mut self, piece: &str) -> bool {
        self.push_short(piece) || self.push_long(piece)
    }

    /// On hosts, copies a short piece without a call, of which formatting makes many.
    #[inline(always)]
    fn push_short(&mut self, piece: &str) -> bool {
        let end = self.len.wrapping_add(piece.len());
        if SHORT == 0 || piece.len() > SHORT || end > self.limit {
            return false;
        }
        let Some(into) = self.entry.text.get_mut(self.len..end) else { return false };
        copy_short(into, piece.as_bytes());
        self.len = end;
        true
    }

    #[inline(never)]
    fn push_long(&mut self, piece: &str) -> bool {
        if piece.len() > self.limit - self.len {
            return self.push_cut(piece);
        }
        self.append_long(piece);
        true
    }

    /// What is cut stays cut: shorter pieces after it would read as if nothing were missing.
    #[cold]
    fn push_cut(&mut self, piece: &str) -> bool {
        self.append(head(piece, self.limit - self.len));
        self.limit = self.len;
        self.cut = true;
        false
    }

    /// How severe the event is.
    pub const fn level(&self) -> Level {
        self.entry.level
    }

    /// Who speaks; cut to what is kept.
    pub const fn target(&self) -> &'a str {
        self.target
    }

    /// The message so far; cut to what is kept.
    pub fn message(&self) -> &str {
        let bytes = self.entry.text.get(..self.len).unwrap_or(&[]);
        core::str::from_utf8(bytes).unwrap_or("")
    }

    /// Replaces the message; it may be longer than before.
    pub fn replace(&mut self, message: &str) {
        self.len = 0;
        self.limit = TEXT.saturating_sub(self.target.len() + self.file.len());
        self.cut = false;
        self.push(message);
    }

    /// Puts `***` in the place of the message's bytes from `start` to `end`, fewer if these are
    /// fewer, and returns where it ends. Does nothing if they are no characters of the message.
    pub(crate) fn mask(&mut self, start: usize, end: usize) -> usize {
        let message = self.message();
        let len = end.saturating_sub(start);
        if len == 0 || message.get(start..end).is_none() {
            return end;
        }
        let stars = len.min(3);
        let tail = self.len.saturating_sub(end);
        for at in 0..tail {
            let byte = self.entry.text.get(end + at).copied();
            if let (Some(byte), Some(into)) = (byte, self.entry.text.get_mut(start + stars + at)) {
                *into = byte;
            }
        }
        for byte in self.entry.text.iter_mut().skip(start).take(stars) {
            *byte = b'*';
        }
        self.len = start + stars + tail;
        if self.cut {
            self.limit = self.len;
        }
        start + stars
    }

    /// Joins and hashes what there is. Further pieces are no part of it.
    #[inline]
    pub fn finish(&mut self) -> &Entry<TEXT> {
        let (message, target, file) = (self.len, self.target.len(), self.file.len());
        let cut = if self.cut { message } else { 0 };
        let lengths = (message as u64) << 16 | (target as u64) << 32 | (file as u64) << 40;
        let meta = u64::from(self.entry.level as u8) | lengths | (cut as u64) << 48;
        self.limit = TEXT;
        self.append(self.target);
        let named = self.len;
        self.append(self.file);
        let said = self.entry.text.get(..named).unwrap_or(&[]);
        let (site, key) = hash::identity(meta, self.entry.line, said, self.file.as_bytes());
        let group = if self.entry.line != 0 || file > 0 {
            site
        } else {
            let (message, target) = said.split_at_checked(message).unwrap_or((said, &[]));
            hash::wording(self.entry.level as u8, target, message)
        };
        self.entry.meta = meta;
        self.entry.len = self.len as u16;
        self.entry.group = group;
        self.entry.key = key;
        &self.entry
    }

    /// Appends what there is room for by construction.
    #[inline]
    fn append(&mut self, piece: &str) {
        if !self.push_short(piece) {
            self.append_long(piece);
        }
    }

    #[inline(never)]
    fn append_long(&mut self, piece: &str) {
        let room = self.entry.text.get_mut(self.len..);
        if let Some(into) = room.and_then(|room| room.get_mut(..piece.len())) {
            into.copy_from_slice(piece.as_bytes());
            self.len += piece.len();
        }
    }
}

/// Texts of up to so many bytes are copied by words, where a processor has wide ones: half of what
/// a call to `memcpy` costs. Small chips would pay for it in flash.
const SHORT: usize = if cfg!(target_pointer_width = "64") { 32 } else { 0 };

/// Copies a text of at most [`SHORT`] bytes to a place of its length, by two words that overlap.
#[inline(always)]
fn copy_short(into: &mut [u8], from: &[u8]) {
    let _ = ends::<16>(into, from)
        || ends::<8>(into, from)
        || ends::<4>(into, from)
        || ends::<2>(into, from)
        || ends::<1>(into, from);
}

/// Copies the first and the last `N` bytes, which is all if there are `N` to `2 * N` of them.
#[inline(always)]
fn ends<const N: usize>(into: &mut [u8], from: &[u8]) -> bool {
    let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
        return false;
    };
    if let Some(into) = into.first_chunk_mut::<N>() {
        *into = *first;
    }
    if let Some(into) = into.last_chunk_mut::<N>() {
        *into = *last;
    }
    true
}

impl<const TEXT: usize> core::fmt::Write for Draft<'_, TEXT> {
    #[inline]
    fn write_str(&mut self, piece: &str) -> core::fmt::Result {
        if self.push(piece) { Ok(()) } else { Err(core::fmt::Error) }
    }
}

/// The longest beginning of `text` of at most `max` bytes.
#[inline]
pub(crate) fn head(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}

/// The longest end of `text` of at most `max` bytes.
#[inline]
pub(crate) fn tail(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut start = text.len() - max;
    while start < text.len() && !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_characters_and_never_overflow() {
        let message = "ж".repeat(3000);
        let target = "t".repeat(300);
        let file = "é/".repeat(300);
        let entry = Entry::new(&Event::new(Level::Error, &message).target(&target).at(&file, 7));
        assert_ne!(cut_at(entry.meta), 0);
        let (len, target, _) = lengths(entry.meta);
        assert!(core::str::from_utf8(&entry.text[..len]).is_ok());
        assert_eq!(target, TARGET_MAX);
        assert!(entry.text().len() <= TEXT_256 && entry.text().len() > TEXT_256 - 3);
    }

    #[test]
    fn pieces_of_any_length_arrive_whole() {
        let text: std::string::String = ('!'..='~').cycle().take(TEXT_256).collect();
        for length in 0..=40 {
            for start in 0..20 {
                let mut draft = Draft::new(Level::Error, "", None);
                assert!(draft.push(&text[..start]) && draft.push(&text[start..][..length]));
                assert!(draft.push("|"));
                let message = draft.finish().event().message;
                assert_eq!(message.strip_suffix('|'), Some(&text[..start + length]));
            }
        }
    }

    #[test]
    fn a_group_is_a_site_or_a_wording() {
        let group = |event: Event<'_>| Entry::new(&event).group();
        let at = |text, line| group(Event::new(Level::Error, text).at("src/main.rs", line));
        assert_eq!(at("sensor 1", 7), at("sensor 2", 7));
        assert_ne!(at("sensor 1", 7), at("sensor 1", 8));
        let said = |text| group(Event::new(Level::Error, text).target("app"));
        assert_eq!(said("sensor 1 failed"), said("sensor 22 failed"));
        assert_ne!(said("sensor 1 failed"), said("valve 1 failed"));
        assert_ne!(
            group(Event::new(Level::Error, "x").at("a.rs", 1)),
            group(Event::new(Level::Warn, "x").at("a.rs", 1))
        );
    }

    #[test]
    fn equal_events_share_a_key_and_different_ones_do_not() {
        let key = |event: Event<'_>| Entry::new(&event).key;
        let base = Event::new(Level::Error, "disk full").target("db").at("a.rs", 1);
        assert_eq!(key(base), key(base));
        assert_ne!(
            key(base),
            key(Event::new(Level::Error, "disk ful").target("ldb").at("a.rs", 1))
        );
        assert_ne!(key(base), key(base.at("a.rs", 2)));
        assert_ne!(key(base), key(Event { level: Level::Warn, ..base }));
    }
}
