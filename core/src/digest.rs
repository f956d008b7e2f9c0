//! Many events become one text: grouped, counted, ranked and fitted to the segments it may cost.
//!
//! A text is dear and short, a storm is long. The digest says the most that fits: a few small
//! events word for word in the order they came; otherwise one item a group, the gravest first,
//! every group named before any is told at length, and `+12 more` for the events of groups that
//! found no room. It never exceeds the segments asked for, whatever the records hold.
//!
//! It is a machine that does a small, bounded piece of work a call, because on a microcontroller
//! each call happens inside a critical section, and between calls the ring may change. It owns no
//! memory: the groups and the text are the caller's, and so are the records, which it asks for by
//! slot, one at a time.
//!
//! ```text
//!  begin ──► Walk ──────► order, measure, plan, write ──────────► Done(Composed)
//!             ▲  │ add() once for each record of the batch,    │
//!             │  │ in any order, then step(Supply::Nothing)    │ a character stays outside GSM:
//!             └──┘ asked a second time if the groups ran out   ▼ measured and written as UCS-2
//! ```
//!
//! How the caller drives it:
//!
//! ```
//! use annunciator_core::digest::{Digest, Group, Piece, Spec, Supply, Want, text_bytes};
//! use annunciator_core::event::{Level, Record};
//!
//! let batch = [
//!     Record::new(1, Level::Warn, 7, "You've been warned!"),
//!     Record::new(2, Level::Error, 8, "division by zero"),
//! ];
//! let spec = Spec::new("[Rust Logger sampleapp] ", 2).trailing(1);
//! let (mut groups, mut text) = ([Group::EMPTY; 16], [0; text_bytes(2)]);
//! let mut digest = Digest::new();
//! digest.begin();
//! let composed = loop {
//!     match digest.want() {
//!         Want::Walk => {
//!             for (slot, record) in (0..).zip(&batch) {
//!                 digest.add(&mut groups, slot, record, false);
//!             }
//!             digest.step(&spec, &mut groups, Supply::Nothing, &mut text);
//!         }
//!         Want::Record(slot) => {
//!             let record = batch.get(usize::from(slot));
//!             digest.step(&spec, &mut groups, Supply::Record(record), &mut text);
//!         }
//!         Want::Note(_) => {
//!             let note = [Piece::Number(12), Piece::Text(" lost")];
//!             digest.step(&spec, &mut groups, Supply::Note(&note), &mut text);
//!         }
//!         Want::Nothing => digest.step(&spec, &mut groups, Supply::Nothing, &mut text),
//!         Want::Done(composed) => break composed,
//!     }
//! };
//! assert_eq!(
//!     &text[..usize::from(composed.len)],
//!     b"[Rust Logger sampleapp] WARN: You've been warned!, ERROR: division by zero, 12 lost",
//! );
//! assert_eq!(composed.segments, 1);
//! ```

use crate::event::{Level, Record};
use crate::gsm7::Encoding;
pub use crate::gsm7::{Fallback, text_bytes};

/// How much of an event may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Style {
    /// Levels, messages and counts.
    #[default]
    Full,
    /// Levels, sources, sites and counts, no message: for a text refused for its content.
    Reduced,
}

/// What a text has to be. The same must be given at every [`Digest::step`] of one digest.
#[derive(Debug, Clone, Copy)]
pub struct Spec<'a> {
    /// What the text begins with: `[Rust Logger NAME] `. Cut to a third of the room.
    pub prefix: &'a str,
    /// Segments the text may cost, 1 to 6; more counts as 6, none as 1.
    pub segments: u8,
    /// What becomes of characters outside GSM.
    pub fallback: Fallback,
    /// How much of an event may be told.
    pub style: Style,
    /// The reference of a text that may have arrived before: `(repeat k7m2) ` after the prefix.
    pub repeat: Option<&'a str>,
    /// How many notes stand before the events: numbers 0 to `leading - 1` of [`Want::Note`].
    pub leading: u8,
    /// How many notes stand after the events: the numbers that follow.
    pub trailing: u8,
}

impl<'a> Spec<'a> {
    /// A text of at most `segments` segments, in full, UCS-2 where GSM does not do, no notes.
    pub const fn new(prefix: &'a str, segments: u8) -> Spec<'a> {
        Spec {
            prefix,
            segments,
            fallback: Fallback::Unicode,
            style: Style::Full,
            repeat: None,
            leading: 0,
            trailing: 0,
        }
    }

    /// The same, with `count` notes before the events.
    #[must_use]
    pub const fn leading(mut self, count: u8) -> Spec<'a> {
        self.leading = count;
        self
    }

    /// The same, with `count` notes after the events.
    #[must_use]
    pub const fn trailing(mut self, count: u8) -> Spec<'a> {
        self.trailing = count;
        self
    }
}

/// A piece of a note; a note is a few of them in a row.
///
/// `[Text("unconfirmed "), Text("k7m2"), Text(": "), Number(2), Text(" ERROR")]` needs no buffer
/// to be put together in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Words, treated as a message is: transliterated, white space collapsed, cut if need be.
    Text(&'a str),
    /// A number in decimal.
    Number(u32),
    /// A number of two digits, `07`: hours and minutes.
    Two(u8),
}

/// What the digest needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Every record of the batch: [`Digest::add`] once for each, in any order, then one
    /// [`Digest::step`] with [`Supply::Nothing`]. Asked a second time if there were more groups
    /// than entries; then every record is added again.
    Walk,
    /// The record in this slot: a [`Digest::step`] with [`Supply::Record`].
    Record(u16),
    /// The note of this number: a [`Digest::step`] with [`Supply::Note`]. Each is asked for
    /// several times and has to be the same each time.
    Note(u8),
    /// Only to go on: a [`Digest::step`] with [`Supply::Nothing`].
    Nothing,
    /// The text is complete.
    Done(Composed),
}

/// The answer to a [`Want`].
#[derive(Debug, Clone, Copy)]
pub enum Supply<'a> {
    /// To [`Want::Walk`] and [`Want::Nothing`].
    Nothing,
    /// To [`Want::Record`]; `None` if the record is gone. One that is not the one added (its
    /// sequence differs) counts as gone.
    Record(Option<&'a Record<'a>>),
    /// To [`Want::Note`]; nothing is written for an empty one.
    Note(&'a [Piece<'a>]),
}

/// A complete text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Composed {
    /// Its length in bytes of UTF-8, from the start of the caller's buffer.
    pub len: u16,
    /// The alphabet it needs.
    pub encoding: Encoding,
    /// What it costs.
    pub segments: u8,
    /// Events that an item of the text tells or counts.
    pub named: u32,
    /// Events that only `+12 more` counts. `named + more` are all events of the batch.
    pub more: u32,
}

/// One group of a batch: scratch of the digest, lent by the caller.
///
/// Sixteen to thirty-two entries serve; two segments hardly hold more names.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    key: u32,
    first_seq: u32,
    last_seq: u32,
    events: u32,
    first_slot: u16,
    last_slot: u16,
    records: u16,
    level: u8,
    flags: u8,
}

impl Group {
    /// An entry without a group.
    pub const EMPTY: Group = Group {
        key: 0,
        first_seq: 0,
        last_seq: 0,
        events: 0,
        first_slot: 0,
        last_slot: 0,
        records: 0,
        level: 0,
        flags: 0,
    };

    const TOLD: u8 = 1;
    const NAMED: u8 = 2;

    /// Identity of the group: [`Record::group`].
    pub const fn key(&self) -> u32 {
        self.key
    }

    /// How grave its events are.
    pub const fn level(&self) -> Level {
        match Level::from_byte(self.level) {
            Some(level) => level,
            None => Level::Error,
        }
    }

    /// How many events of it the batch has.
    pub const fn events(&self) -> u32 {
        self.events
    }

    /// Whether the text names it; else its events are within `+12 more`.
    pub const fn is_named(&self) -> bool {
        self.flags & Group::NAMED != 0
    }
}

/// The machine. Small; lives in the alerter.
#[derive(Debug, Clone, Copy)]
pub struct Digest {
    want: Want,
    used: u16,
    next: u16,
    len: u16,
    more: u32,
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl Digest {
    /// A machine at its beginning: it wants [`Want::Walk`].
    pub const fn new() -> Digest {
        Digest { want: Want::Walk, used: 0, next: 0, len: 0, more: 0 }
    }

    /// Begins anew, whatever was under way.
    pub fn begin(&mut self) {
        *self = Digest::new();
    }

    /// What it needs next. Cheap, changes nothing.
    pub const fn want(&self) -> Want {
        self.want
    }

    /// The groups found so far; after [`Want::Done`] those of the text.
    pub fn groups<'g>(&self, groups: &'g [Group]) -> &'g [Group] {
        groups.get(..usize::from(self.used)).unwrap_or(groups)
    }

    /// Takes notice of one record of the batch; `told` if its group has been told before and may
    /// shrink to a count where room is short. Only while [`Want::Walk`] stands.
    ///
    /// Work: one look at each entry of `groups`.
    pub fn add(&mut self, groups: &mut [Group], slot: u16, record: &Record<'_>, told: bool) {
        let known = usize::from(self.used);
        let seq = record.seq as u32;
        if let Some(group) = groups.iter_mut().take(known).find(|g| g.key == record.group) {
            group.events = group.events.saturating_add(record.count);
            group.records = group.records.saturating_add(1);
        } else if let Some(group) = groups.get_mut(known) {
            *group = Group {
                key: record.group,
                first_seq: seq,
                last_seq: seq,
                events: record.count,
                first_slot: slot,
                last_slot: slot,
                records: 1,
                level: record.level as u8,
                flags: if told { Group::TOLD } else { 0 },
            };
            self.used = self.used.saturating_add(1);
        } else {
            self.more = self.more.saturating_add(record.count);
        }
    }

    /// Goes on by one bounded piece of work, with what [`Digest::want`] asked for.
    ///
    /// `spec`, `groups` and `text` are the same at each call of one digest. A supply other than
    /// the one wanted counts as a record that is gone or an empty note.
    pub fn step(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        supply: Supply<'_>,
        text: &mut [u8],
    ) {
        match (self.want, supply) {
            (Want::Done(_), _) => return,
            (Want::Walk, _) => self.write(text, spec.prefix),
            (Want::Record(_), Supply::Record(Some(record))) => {
                if self.next > 1 {
                    self.write(text, ", ");
                }
                self.write(text, record.level.name());
                self.write(text, ": ");
                self.write(text, record.message);
            }
            (_, Supply::Note(pieces)) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(words) => self.write(text, words),
                        Piece::Number(12) => self.write(text, ", 12"),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.want = if let Some(group) =
            groups.get(usize::from(self.next)).filter(|_| self.next < self.used)
        {
            self.next += 1;
            Want::Record(group.first_slot)
        } else if spec.trailing > 0 && self.want != Want::Note(0) {
            Want::Note(0)
        } else {
            Want::Done(Composed {
                len: self.len,
                encoding: Encoding::Gsm7,
                segments: 1,
                named: groups.iter().take(usize::from(self.used)).map(|g| g.events).sum(),
                more: self.more,
            })
        };
    }

    fn write(&mut self, text: &mut [u8], words: &str) {
        for byte in words.bytes() {
            if let Some(cell) = text.get_mut(usize::from(self.len)) {
                *cell = byte;
                self.len += 1;
            }
        }
    }
}
