//! The text itself, in the order in which it is read.
//!
//! A run is what one supply gives: the prefix, a note, a message. It is written a few characters
//! a step and may be asked for several times; it has a limit of its own and is cut at that.

use super::group::before;
use super::{Composed, Digest, Group, Piece, Spec, Stage, Style, Want};
use crate::event::{Level, Record};
use crate::gsm7::Script;

/// Plain characters written a step, and how many of them one weighs that is not plain.
const CHUNK: u8 = 24;
const DEAR: u8 = 6;

/// Units of a message that are worth a `, last: ` of 8 units before them.
const WORTH: u16 = 16;

impl Digest {
    /// Begins the text, or only measures its head.
    pub(super) fn begin_head(&mut self, spec: &Spec<'_>, script: Script, dry: bool) {
        self.pen.restart(script, dry, 0);
        self.pen.limit(self.capacity(spec) / 2);
        self.part = 0;
        self.begun = false;
    }

    /// Writes prefix and mark of a repeat; `true` when both stand.
    pub(super) fn run_head(&mut self, spec: &Spec<'_>, text: &mut [u8]) -> bool {
        if self.part == 0 {
            if self.run(&[Piece::Text(spec.prefix)], text) {
                if self.pen.is_full() {
                    self.pen.cut(text);
                    self.pen.owe_space();
                }
                self.pen.limit(self.capacity(spec));
                self.part = 1;
                self.piece = 0;
                self.offset = 0;
            }
            return false;
        }
        let Some(reference) = spec.repeat else { return true };
        self.run(&[Piece::Text("(repeat "), Piece::Text(reference), Piece::Text(") ")], text)
    }

    /// Units for notes and items after the head, each with a separator of two before it; the
    /// first has its separator in the head.
    pub(super) fn room_after_head(&self, spec: &Spec<'_>) -> u16 {
        let head = self.pen.units() + u16::from(self.pen.owes_space());
        (self.capacity(spec) + 2).saturating_sub(head)
    }

    pub(super) fn head(&mut self, spec: &Spec<'_>, groups: &mut [Group], text: &mut [u8]) {
        if self.run_head(spec, text) {
            self.note_room = self.room_after_head(spec);
            self.note = 0;
            self.next_leading(spec, groups);
        }
    }

    /// Goes on to the next note before the items, or to these.
    fn next_leading(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        if self.note < spec.leading {
            return self.go(Stage::Leading, Want::Note(self.note));
        }
        self.index = u16::MAX;
        self.told_seq = None;
        if self.plain {
            self.unnamed = 0;
            groups.iter_mut().for_each(|group| group.set_named(true));
        }
        self.go(Stage::Next, Want::Nothing);
    }

    /// Goes on to the next note after the items, or to the end.
    fn next_trailing(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        if self.note < spec.notes() {
            return self.go(Stage::Trailing, Want::Note(self.note));
        }
        if let Some(script) = self.pen.better_script(spec.fallback) {
            return self.size(spec, groups, script);
        }
        let composed = Composed {
            len: self.pen.len() as u16,
            encoding: self.pen.script().encoding(),
            segments: self.pen.segments(),
            named: self.total.saturating_sub(self.unnamed),
            more: self.unnamed,
        };
        self.go(Stage::Done, Want::Done(composed));
    }

    pub(super) fn write_note(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        note: &[Piece<'_>],
        text: &mut [u8],
    ) {
        if self.fresh {
            self.part = if self.begun { 2 } else { u8::from(self.pen.owes_space()) };
            let limit = self.note_limit(spec).saturating_add(u16::from(self.part));
            self.limit_run(spec, limit);
            self.separate(text);
            self.fresh = false;
        }
        if !self.run(note, text) {
            return;
        }
        let lead = u16::from(self.begun);
        self.pen.close(lead, text);
        let units = self.pen.run_units();
        if units > lead {
            self.begun = true;
        }
        self.end_note(units.saturating_sub(u16::from(self.part)));
        if self.stage == Stage::Leading {
            self.next_leading(spec, groups);
        } else {
            self.next_trailing(spec, groups);
        }
    }

    /// Goes on to the next group that is named, after the last to the count of the others.
    fn next_item(&mut self, spec: &Spec<'_>, groups: &mut [Group], text: &mut [u8]) {
        while let Some(group) = groups.get(usize::from(self.index)) {
            if group.is_named() {
                let spare = if group.need > group.room { self.room } else { 0 };
                let room = group.room.saturating_add(spare);
                return self.open(spec, group.level(), room, group.first_slot, text);
            }
            self.index = self.index.saturating_add(1);
        }
        if self.unnamed > 0 {
            let before = self.pen;
            self.pen.limit(self.capacity(spec));
            self.separate(text);
            self.pen.words("+", text);
            self.pen.number(self.unnamed, text);
            self.pen.words(" more", text);
            if self.pen.is_full() {
                self.pen = before;
            }
            self.begun = true;
        }
        self.next_trailing(spec, groups);
    }

    /// Begins an item: its level, and as the next run its message.
    fn open(&mut self, spec: &Spec<'_>, level: Level, room: u16, slot: u16, text: &mut [u8]) {
        self.pen.limit(self.capacity(spec));
        self.separate(text);
        self.pen.words(level.name(), text);
        self.begun = true;
        self.limit_run(spec, room.saturating_add(2));
        self.go(Stage::Item, Want::Record(slot));
    }

    /// A run of so many units more.
    fn limit_run(&mut self, spec: &Spec<'_>, units: u16) {
        let limit = self.pen.units().saturating_add(units);
        self.pen.limit(limit.min(self.capacity(spec)));
    }

    fn separate(&mut self, text: &mut [u8]) {
        if self.begun {
            self.pen.punctuate(b',', text);
            self.pen.owe_space();
        }
    }

    /// The message of an item.
    pub(super) fn item(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        record: Option<&Record<'_>>,
        text: &mut [u8],
    ) {
        let Some(group) = groups.get(usize::from(self.index)) else {
            return self.go(Stage::Next, Want::Nothing);
        };
        let seq = if self.plain { self.told_seq.unwrap_or(0) } else { group.first_seq };
        if !self.run_body(spec, record, seq, ":", text) {
            return;
        }
        self.count = match record {
            Some(record) if self.plain && group.records > 1 => record.count,
            _ => group.events,
        };
        let lead = if group.room > 0 { 2 } else { 0 };
        let given = self.room.saturating_add(group.room).saturating_add(lead);
        self.room = given.saturating_sub(self.pen.run_units());
        self.go(Stage::Count, Want::Nothing);
    }

    /// The counts of an item: ` (x57, 3 kinds)`.
    pub(super) fn count(&mut self, spec: &Spec<'_>, groups: &mut [Group], text: &mut [u8]) {
        self.pen.limit(self.capacity(spec));
        self.go(Stage::Next, Want::Nothing);
        let Some(group) = groups.get(usize::from(self.index)).filter(|_| self.count > 1) else {
            return;
        };
        self.pen.words(" (x", text);
        self.pen.number(self.count, text);
        if group.records > 1 && !self.plain {
            self.pen.words(", ", text);
            self.pen.number(u32::from(group.records), text);
            self.pen.words(" kinds", text);
            if self.extras && self.room >= 8 + WORTH {
                self.limit_run(spec, self.room);
                return self.go(Stage::Latest, Want::Record(group.last_slot));
            }
        }
        self.pen.punctuate(b')', text);
    }

    /// The latest message of a group, after its first and within its count.
    pub(super) fn latest(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        record: Option<&Record<'_>>,
        text: &mut [u8],
    ) {
        let seq = groups.get(usize::from(self.index)).map_or(0, |group| group.last_seq);
        if !self.run_body(spec, record, seq, ", last:", text) {
            return;
        }
        self.room = self.room.saturating_sub(self.pen.run_units());
        self.pen.limit(self.capacity(spec));
        self.pen.punctuate(b')', text);
        self.go(Stage::Next, Want::Nothing);
    }

    /// Goes on to the item that is next.
    pub(super) fn next(&mut self, spec: &Spec<'_>, groups: &mut [Group], text: &mut [u8]) {
        if self.plain {
            self.next_plain(spec, groups, text);
        } else {
            self.index = self.index.wrapping_add(1);
            self.next_item(spec, groups, text);
        }
    }

    /// Goes on to the record that came next, when all are told one by one.
    fn next_plain(&mut self, spec: &Spec<'_>, groups: &mut [Group], text: &mut [u8]) {
        let told = self.told_seq;
        let mut next: Option<(u32, u16, Level)> = None;
        for (index, group) in (0..).zip(groups.iter()) {
            for nth in 0..3 {
                if let Some((seq, slot)) = group.record(nth)
                    && told.is_none_or(|told| before(told, seq))
                    && next.is_none_or(|(first, ..)| before(seq, first))
                {
                    next = Some((seq, slot, group.level()));
                    self.index = index;
                }
            }
        }
        match next {
            Some((seq, slot, level)) => {
                self.told_seq = Some(seq);
                self.open(spec, level, u16::MAX, slot, text);
            }
            None => self.next_trailing(spec, groups),
        }
    }

    /// Runs through what is told of a record, after `lead`; `true` at its end.
    pub(super) fn run_body(
        &mut self,
        spec: &Spec<'_>,
        record: Option<&Record<'_>>,
        seq: u32,
        lead: &str,
        text: &mut [u8],
    ) -> bool {
        let Some(record) = record.filter(|record| record.seq as u32 == seq) else {
            // It is gone, perhaps in the middle.
            if !self.fresh {
                self.pen.cut(text);
            }
            return true;
        };
        if self.fresh && !lead.is_empty() {
            self.pen.words(lead, text);
            self.pen.owe_space();
        }
        self.fresh = false;
        let reduced = spec.style == Style::Reduced || record.message.is_empty();
        let done = if reduced {
            self.run(&source(record), text)
        } else {
            self.run(&[Piece::Text(record.message)], text)
        };
        if done && !reduced && record.cut && !self.pen.is_full() {
            self.pen.mark(text);
        }
        if done && !lead.is_empty() {
            self.pen.close(lead.len() as u16, text);
        }
        done
    }

    /// Writes some characters of the pieces, from where it stopped; `true` at their end or when
    /// the room is used up.
    pub(super) fn run(&mut self, pieces: &[Piece<'_>], text: &mut [u8]) -> bool {
        let mut left = CHUNK;
        while let Some(piece) = pieces.get(usize::from(self.piece)) {
            match *piece {
                Piece::Number(number) => self.pen.number(number, text),
                Piece::Two(number) => {
                    if number < 10 {
                        self.pen.number(0, text);
                    }
                    self.pen.number(u32::from(number), text);
                }
                Piece::Text(words) => {
                    let mut rest = words.get(self.offset as usize..).unwrap_or_default().chars();
                    loop {
                        left -= self.pen.take_plain(&mut rest, left, text);
                        if left < DEAR || self.pen.is_full() || !self.pen.take(&mut rest, text) {
                            break;
                        }
                        left -= DEAR;
                    }
                    let rest = rest.as_str().len();
                    if rest > 0 && !self.pen.is_full() {
                        self.offset = words.len().saturating_sub(rest) as u32;
                        return false;
                    }
                }
            }
            if self.pen.is_full() {
                return true;
            }
            self.piece = self.piece.saturating_add(1);
            self.offset = 0;
        }
        true
    }
}

/// What is told of a record without its message: `sensors::bus bus.rs:88`.
fn source<'r>(record: &Record<'r>) -> [Piece<'r>; 5] {
    let nothing = Piece::Text("");
    let target = Piece::Text(record.target);
    let Some(site) = record.site else { return [target, nothing, nothing, nothing, nothing] };
    let bytes = site.file.as_bytes();
    let name = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
    let file = site.file.get(name..).unwrap_or_default();
    [target, Piece::Text(" "), Piece::Text(file), Piece::Text(":"), Piece::Number(site.line)]
}
