//! One group of a batch: who it is, how much of it there is, and what reporting it costs.

use crate::event::{Level, Record};

/// One group of a batch: scratch of the digest, lent by the caller.
///
/// Sixteen to thirty-two entries serve: two segments hardly hold more names. The fields are small and
/// flat, since each entry takes 32 bytes of a chip.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    pub(super) key: u32,
    /// Sequences, their low 32 bits: a batch never spans more than half of them.
    pub(super) first_seq: u32,
    pub(super) last_seq: u32,
    pub(super) events: u32,
    pub(super) first_slot: u16,
    /// Of three records, the one between; its sequence as a distance from the first.
    pub(super) mid_slot: u16,
    pub(super) mid_after: u16,
    pub(super) last_written: u16,
    pub(super) records: u16,
    /// Units its first message needs when reported in full.
    pub(super) need: u16,
    /// Units its first message gets: at first those of its name.
    pub(super) room: u16,
    level: u8,
    flags: u8,
}

const REPORTED: u8 = 1;
const NAMED: u8 = 2;

/// Most units of a message that make a name, and one where names are many.
pub(super) const NAME: u16 = 16;
pub(super) const SHORT_NAME: u16 = 12;

/// Records of one group that are still reported one by one.
const FEW: u16 = 3;

impl Group {
    /// An entry without a group.
    pub const EMPTY: Group = Group {
        key: 0,
        first_seq: 0,
        last_seq: 0,
        events: 0,
        first_slot: 0,
        mid_slot: 0,
        mid_after: 0,
        last_written: 0,
        records: 0,
        need: 0,
        room: 0,
        level: 0,
        flags: 0,
    };

    /// Identity of the group: [`Record::group`].
    pub const fn key(&self) -> u32 {
        self.key
    }

    /// The severity of its events.
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
        self.flags & NAMED != 0
    }

    /// Whether it has been reported before this text.
    pub const fn was_reported(&self) -> bool {
        self.flags & REPORTED != 0
    }

    /// A group without records.
    pub(super) fn of(key: u32, level: Level, seq: u32, reported: bool) -> Group {
        Group {
            key,
            first_seq: seq,
            level: level as u8,
            flags: if reported { REPORTED } else { 0 },
            ..Group::EMPTY
        }
    }

    pub(super) fn join(&mut self, slot: u16, record: &Record<'_>) {
        let seq = record.seq as u32;
        let (first, last) = ((self.first_seq, self.first_slot), (self.last_seq, self.last_written));
        let mut middle = (seq, slot);
        if self.records == 0 || before(seq, self.first_seq) {
            (self.first_seq, self.first_slot) = middle;
            middle = first;
        }
        if self.records == 0 || !before(seq, self.last_seq) {
            (self.last_seq, self.last_written) = (seq, slot);
            middle = last;
        }
        self.mid_slot = middle.1;
        self.mid_after = u16::try_from(middle.0.wrapping_sub(self.first_seq)).unwrap_or(u16::MAX);
        self.records = self.records.saturating_add(1);
        self.events = self.events.saturating_add(record.count);
    }

    /// Forgets the records, keeps the identity.
    pub(super) fn clear(&mut self) {
        self.records = 0;
        self.events = 0;
    }

    pub(super) fn set_named(&mut self, named: bool) {
        self.flags = if named { self.flags | NAMED } else { self.flags & !NAMED };
    }

    /// Whether its records may be reported one by one.
    pub(super) const fn is_few(&self) -> bool {
        self.records < FEW || self.records == FEW && self.mid_after < u16::MAX
    }

    /// Whether it stands before `other`: the more severe, of those the one not yet reported, of those the
    /// one that came first.
    pub(super) fn outranks(&self, other: &Group) -> bool {
        if self.level != other.level {
            return self.level > other.level;
        }
        if self.was_reported() != other.was_reported() {
            return other.was_reported();
        }
        before(self.first_seq, other.first_seq)
    }

    /// Whether its item, as one of a text's, leads the items of this level.
    pub(super) fn leads(&self, level: Level) -> bool {
        self.is_named() && self.room > 0 && self.level() == level
    }

    /// Sequence and slot of the record `nth` of those reported one by one.
    pub(super) fn record(&self, nth: u8) -> Option<(u32, u16)> {
        match (nth, self.records) {
            (0, _) => Some((self.first_seq, self.first_slot)),
            (1, 2..) => Some((self.last_seq, self.last_written)),
            (2, 3) => Some((self.first_seq.wrapping_add(u32::from(self.mid_after)), self.mid_slot)),
            _ => None,
        }
    }

    /// Units of its item with the room it has: `, ERROR: message (x57, 3 kinds)`; `led` if its
    /// level is said already, which spares one with a message its own.
    pub(super) fn cost(&self, led: bool) -> u32 {
        let mut cost = item_cost(self.level(), self.room, self.events);
        if led && self.room > 0 {
            cost -= level_cost(self.level());
        }
        if self.records > 1 {
            cost += 8 + digits(u32::from(self.records));
        }
        cost
    }
}

/// Units of an item: `, ERROR: body (x57)`.
pub(super) fn item_cost(level: Level, body: u16, count: u32) -> u32 {
    let lead = level_cost(level) + if body > 0 { 2 } else { 0 };
    lead + u32::from(body) + if count > 1 { 4 + digits(count) } else { 0 }
}

/// Units of a level and what separates it: `, ERROR`, or `ERROR: `.
pub(super) fn level_cost(level: Level) -> u32 {
    2 + level.name().len() as u32
}

/// Units of `, +12 more`; none if nothing is left over.
pub(super) fn more_cost(events: u32) -> u16 {
    if events == 0 { 0 } else { 8 + digits(events) as u16 }
}

/// Whether the sequence `a` is before `b`, across the wrap of 32 bits.
pub(super) const fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// Decimal digits of a number.
fn digits(number: u32) -> u32 {
    let mut digits = 1;
    let mut limit = 10;
    while number >= limit && digits < 10 {
        digits += 1;
        limit = limit.saturating_mul(10);
    }
    digits
}
