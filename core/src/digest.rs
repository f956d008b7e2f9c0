//! Many events become one text: grouped, counted, ranked and fitted to the segments it may cost.
//!
//! A text is dear and short, a storm is long. The digest says the most that fits: a few small
//! events word for word in the order they came; otherwise one item a group, the most severe first,
//! every group named before any is reported at length, and `+12 more` for the events of groups that
//! found no room. It never exceeds the segments asked for, whatever the records hold.
//!
//! Each call does a small, bounded piece of work: on a microcontroller a call happens inside a
//! critical section. Between calls the ring may change. It owns no
//! memory: the groups and the text are the caller's, and so are the records, which it asks for by
//! slot, one at a time.
//!
//! ```text
//!                 add() once for each        ┌──────────────────────────────┐
//!                 record, in any order       ▼                              │ a character stayed
//!  begin ──► Walk ──────────────► Order ──► measure ──► name, raise ──► write ──► Done(Composed)
//!             ▲  │ once more if the                                           outside GSM:
//!             └──┘ groups ran out                                             all again as UCS-2
//! ```
//!
//! How the caller drives it:
//!
//! ```
//! use annunciator_core::digest::{Digest, Group, Piece, Spec, Supply, Want};
//! use annunciator_core::gsm7::text_bytes;
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
//!         Want::Notice(_) => {
//!             let notice = [Piece::Number(12), Piece::Text(" lost")];
//!             digest.step(&spec, &mut groups, Supply::Notice(&notice), &mut text);
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

mod collect;
mod group;
mod plan;
mod write;

pub use group::Group;

use crate::event::{Level, Record};
use crate::gsm7::{Encoding, Fallback, SegmentWriter};

/// Bytes of memory that composing a text takes: the machine, which lives in the alerter, and so many
/// [`Group`]s. The text itself ([`text_bytes`](crate::gsm7::text_bytes)) and a few hundred bytes of
/// stack come on top. With the 32 groups of the Linux adapter 1,148 bytes, on every machine; with
/// 16, 636.
pub const fn scratch(groups: usize) -> usize {
    size_of::<Digest>().saturating_add(groups.saturating_mul(size_of::<Group>()))
}

/// How much of an event may be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Style {
    /// Levels, messages and counts.
    #[default]
    Full,
    /// Levels, sources, sites and counts, no message: for a text refused for its content.
    Reduced,
}

/// What a text has to be. The same must be given at every [`Digest::step`] of one digest.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Spec<'a> {
    /// What the text begins with: `[Rust Logger NAME] `. Cut to a third of the room.
    pub prefix: &'a str,
    /// Segments the text may cost, 1 to 6; more counts as 6, none as 1.
    pub segments: u8,
    /// What becomes of characters outside GSM.
    pub fallback: Fallback,
    /// How much of an event may be reported.
    pub style: Style,
    /// The reference of a text that may have arrived before: `(repeat k7m2) ` after the prefix.
    pub repeat: Option<&'a str>,
    /// How many notices stand before the events: numbers 0 to `leading - 1` of [`Want::Notice`].
    pub leading: u8,
    /// How many notices stand after the events: the numbers that follow.
    pub trailing: u8,
}

impl<'a> Spec<'a> {
    /// A text of at most `segments` segments, in full, UCS-2 where GSM does not do, no notices.
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

    /// The same, with `count` notices before the events.
    #[must_use]
    pub const fn leading(mut self, count: u8) -> Spec<'a> {
        self.leading = count;
        self
    }

    /// The same, with `count` notices after the events.
    #[must_use]
    pub const fn trailing(mut self, count: u8) -> Spec<'a> {
        self.trailing = count;
        self
    }

    const fn notices(&self) -> u8 {
        self.leading.saturating_add(self.trailing)
    }
}

/// A piece of a notice; a notice is a few of them in a row.
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
    /// The notice of this number: a [`Digest::step`] with [`Supply::Notice`]. Each is asked for
    /// several times and has to be the same each time.
    Notice(u8),
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
    /// To [`Want::Notice`]; nothing is written for an empty one.
    Notice(&'a [Piece<'a>]),
}

/// A complete text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Composed {
    /// Its length in bytes of UTF-8, from the start of the caller's buffer.
    pub len: u16,
    /// The alphabet it needs.
    pub encoding: Encoding,
    /// What it costs.
    pub segments: u8,
    /// Events that an item of the text names or counts.
    pub named: u32,
    /// Events that only `+12 more` counts. `named + more` are all events of the batch.
    pub more: u32,
}

/// The machine. Small; lives in the alerter.
///
/// All stages share its fields: they follow each other, each takes up what the one before has
/// found, and a chip has one memory for them.
#[derive(Debug, Clone, Copy)]
pub struct Digest {
    stage: Stage,
    want: Want,
    writer: SegmentWriter,
    /// Entries in use.
    used: u16,
    /// There were more groups than entries.
    overflow: bool,
    /// The latest record of the most severe level: it stands for what is going on now.
    latest: Option<(Level, u32, u32, bool)>,
    /// Events of the batch, and those of them that no item names (yet).
    total: u32,
    unnamed: u32,
    /// Position in the groups, in the notices, among the records of a group or the runs of the head.
    index: u16,
    notice: u8,
    part: u8,
    /// Notes written, a bit by number.
    notices: u16,
    /// Position within what was supplied; nothing of it was seen yet.
    piece: u8,
    offset: u32,
    fresh: bool,
    /// Units left to give away, for the notices and for all the rest.
    note_room: u16,
    room: u16,
    /// The records are reported one by one, in the order of their arrival, and what that needs.
    plain: bool,
    plain_units: u32,
    /// What the names of all groups need, and how much of a message is one.
    names: u32,
    name: u16,
    /// Room is short: a level stands only before the first of its items, and the last of those.
    compact: bool,
    led: Option<Level>,
    /// The item at hand goes without its level.
    bare: bool,
    /// The last sequence reported so.
    reported_seq: Option<u32>,
    /// Events of the item at hand.
    count: u32,
    /// Everything is reported in full and there is room for more.
    extras: bool,
    /// Something stands after the prefix; all items do.
    begun: bool,
    items_reported: bool,
}

/// What the next [`Digest::step`] does. Prefix, notices and messages are gone through twice: the
/// writer measures them, then it writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The caller adds the records; for the second time.
    Walk,
    Recount,
    /// The groups are put in order of rank, one a step.
    Order,
    /// The prefix and the mark of a repeat.
    Head,
    Notice,
    /// The messages are measured: of each group the first.
    Body,
    /// Whether there is room for all.
    Fit,
    /// Who is named, one group a step, and who gets more than a name, in several rounds.
    Name,
    Raise,
    /// The items are written: level, message, counts.
    Next,
    Item,
    Count,
    Latest,
    Done,
}

/// What one call brings.
struct Call<'a> {
    spec: &'a Spec<'a>,
    groups: &'a mut [Group],
    text: &'a mut [u8],
    record: Option<&'a Record<'a>>,
    notice: &'a [Piece<'a>],
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl Digest {
    /// A machine at its beginning: it wants [`Want::Walk`].
    pub const fn new() -> Digest {
        Digest {
            stage: Stage::Walk,
            want: Want::Walk,
            writer: SegmentWriter::new(true),
            used: 0,
            overflow: false,
            latest: None,
            total: 0,
            unnamed: 0,
            index: 0,
            notice: 0,
            part: 0,
            notices: 0,
            piece: 0,
            offset: 0,
            fresh: true,
            note_room: 0,
            room: 0,
            plain: false,
            plain_units: 0,
            names: 0,
            name: group::NAME,
            compact: false,
            led: None,
            bare: false,
            reported_seq: None,
            count: 0,
            extras: false,
            begun: false,
            items_reported: false,
        }
    }

    /// Begins anew, whatever was under way.
    pub fn begin(&mut self) {
        *self = Digest::new();
    }

    /// What it needs next. Cheap, changes nothing.
    pub const fn want(&self) -> Want {
        self.want
    }

    /// The groups of the batch, once [`Want::Walk`] is over; in order of rank when the text is
    /// complete.
    pub fn groups<'g>(&self, groups: &'g [Group]) -> &'g [Group] {
        groups.get(..usize::from(self.used)).unwrap_or(groups)
    }

    /// The notices that the complete text holds, a bit by number, the first in the lowest. One that
    /// found no more than a rest of the room is not among them, and is to be reported again.
    pub const fn notices(&self) -> u16 {
        self.notices
    }

    /// How many events the batch has, once [`Want::Walk`] is over.
    pub const fn events(&self) -> u32 {
        self.total
    }

    /// Takes notice of one record of the batch; `reported` if its group has been reported before and may
    /// shrink to a count where room is short (the same for all records of a group). Does nothing
    /// unless [`Want::Walk`] stands.
    ///
    /// Work: one look at each entry of `groups`.
    pub fn add(&mut self, groups: &mut [Group], slot: u16, record: &Record<'_>, reported: bool) {
        if self.want == Want::Walk {
            self.collect(groups, slot, record, reported);
        }
    }

    /// Goes on by one bounded piece of work, with what [`Digest::want`] asked for.
    ///
    /// `spec`, `groups` and `text` are the same at each call of one digest. A supply other than
    /// the one wanted counts as a record that is gone or an empty notice.
    ///
    /// Work: one look at each entry of `groups`, or a few dozen characters.
    pub fn step(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        supply: Supply<'_>,
        text: &mut [u8],
    ) {
        let entries = groups.len().min(usize::from(self.used));
        let groups = groups.get_mut(..entries).unwrap_or_default();
        let (record, notice): (_, &[Piece<'_>]) = match supply {
            Supply::Nothing => (None, &[]),
            Supply::Record(record) => (record, &[]),
            Supply::Notice(notice) => (None, notice),
        };
        let call = &mut Call { spec, groups, text, record, notice };
        match self.stage {
            Stage::Walk | Stage::Recount => self.end_walk(call.groups),
            Stage::Order => self.order(call),
            Stage::Head => self.head(call),
            Stage::Notice => self.run_notice(call),
            Stage::Body => self.body(call),
            Stage::Fit => self.begin_name(call),
            Stage::Name => self.name(call),
            Stage::Raise => self.raise(call),
            Stage::Next => self.next(call),
            Stage::Item => self.item(call),
            Stage::Count => self.count(call),
            Stage::Latest => self.latest(call),
            Stage::Done => {}
        }
    }

    /// Goes over to a stage, at the beginning of what is supplied to it.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn go(&mut self, stage: Stage, want: Want) {
        self.stage = stage;
        self.want = want;
        self.piece = 0;
        self.offset = 0;
        self.fresh = true;
    }

    /// Units the whole text may have.
    fn capacity(&self, call: &Call<'_>) -> u16 {
        self.writer.script().encoding().capacity(call.spec.segments.clamp(1, 6))
    }
}
