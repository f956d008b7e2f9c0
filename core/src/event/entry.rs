//! An event made ready to be kept: cut, joined and hashed once, on the caller's stack.
//!
//! Everything that costs time in proportion to the text happens here, outside any lock or critical
//! section. One pass over the bytes yields [`Entry::key`], which is both the identity that equal
//! events share and the check that guards the bytes in the slot.

use super::{Event, Level, Record};
use crate::hash;

/// Bytes of text a slot holds: message, target and file name together.
pub const PAYLOAD: usize = 196;
/// Bytes kept of a target, from its beginning.
pub const TARGET_MAX: usize = 36;
/// Bytes kept of a file name, from its end: the last parts of a path tell files apart.
pub const FILE_MAX: usize = 32;

/// An [`Event`] in the shape of a slot. Make it once, record it with any number of alerters.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(crate) level: Level,
    pub(crate) cut: bool,
    pub(crate) message_len: u8,
    pub(crate) target_len: u8,
    pub(crate) file_len: u8,
    pub(crate) line: u32,
    pub(crate) key: u32,
    pub(crate) group: u32,
    pub(crate) payload: [u8; PAYLOAD],
}

impl Entry {
    /// Cuts, joins and hashes `event`. Texts are cut at character boundaries.
    pub fn new(event: &Event<'_>) -> Entry {
        let (file, line) = match event.site {
            Some(site) => (tail(site.file, FILE_MAX), site.line),
            None => ("", 0),
        };
        let target = head(event.target, TARGET_MAX);
        let message = head(event.message, PAYLOAD - target.len() - file.len());

        let mut payload = [0; PAYLOAD];
        let rest = append(&mut payload, message.as_bytes());
        let rest = append(rest, target.as_bytes());
        append(rest, file.as_bytes());

        let mut entry = Entry {
            level: event.level,
            cut: message.len() < event.message.len(),
            message_len: message.len() as u8,
            target_len: target.len() as u8,
            file_len: file.len() as u8,
            line,
            key: 0,
            group: 0,
            payload,
        };
        entry.key = hash::key(entry.meta(), line, entry.text());
        entry.group = match event.site {
            Some(_) => hash::site(event.level as u8, file, line),
            None => hash::wording(event.level as u8, target, message),
        };
        entry
    }

    /// The entry that a record was made of.
    pub(crate) fn of_record(record: &Record<'_>) -> Entry {
        let event = Event::new(record.level, record.message).target(record.target);
        let mut entry = Entry::new(&match record.site {
            Some(site) => event.at(site.file, site.line),
            None => event,
        });
        if record.cut {
            entry.cut = true;
            entry.key = hash::key(entry.meta(), entry.line, entry.text());
        }
        entry
    }

    /// How grave the event is.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Identity of the event's group; see [`Record::group`](super::Record::group).
    pub const fn group(&self) -> u32 {
        self.group
    }

    /// Level, lengths and the cut mark in the order of the slot's bytes.
    pub(crate) fn meta(&self) -> [u8; 8] {
        let flags = u8::from(self.cut);
        let level = self.level as u8;
        [level, flags, self.message_len, self.target_len, self.file_len, 0, 0, 0]
    }

    /// The joined text.
    pub(crate) fn text(&self) -> &[u8] {
        let len = usize::from(self.message_len)
            + usize::from(self.target_len)
            + usize::from(self.file_len);
        self.payload.get(..len).unwrap_or(&self.payload)
    }
}

/// Copies `bytes` to the front of `into` and returns what is left behind them.
fn append<'a>(into: &'a mut [u8], bytes: &[u8]) -> &'a mut [u8] {
    match into.split_at_mut_checked(bytes.len()) {
        Some((front, rest)) => {
            front.copy_from_slice(bytes);
            rest
        }
        None => &mut [],
    }
}

/// The longest beginning of `text` of at most `max` bytes.
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
        assert!(entry.cut);
        let len = usize::from(entry.message_len);
        assert!(core::str::from_utf8(&entry.payload[..len]).is_ok());
        assert_eq!(usize::from(entry.target_len), TARGET_MAX);
        assert!(entry.text().len() <= PAYLOAD && entry.text().len() > PAYLOAD - 3);
    }

    #[test]
    fn a_group_is_a_site_or_a_wording() {
        let group = |event: Event<'_>| Entry::new(&event).group;
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
