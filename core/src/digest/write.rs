//! The text itself, in the order in which it is read.
//!
//! A run is what one supply gives: the prefix, a notice, a message. It is written a few characters
//! a step and may be asked for several times; it has a limit of its own and is cut at that.

use super::group::{before, more_cost};
use super::{Call, Composed, Digest, Piece, Spec, Stage, Style, Want};
use crate::event::{Level, Record};
use crate::gsm7::Script;

/// Plain characters written a step, and how many of them one weighs that is not plain.
const CHUNK: u8 = 16;
const DEAR: u8 = 6;

/// Units of a notice that are never halved: `12 lost`, `unconfirmed k7m2: 2 ERROR`.
const SHORT: u16 = 26;

/// Units of a message that are worth a `, last: ` of 8 units before them.
const WORTH: u16 = 16;

impl Digest {
    /// Begins the text, or measures what it will need.
    pub(super) fn begin_text(&mut self, call: &mut Call<'_>, script: Script, measuring: bool) {
        self.writer.restart(script, measuring);
        self.writer.limit(self.capacity(call) / 2);
        self.part = 0;
        self.notices = 0;
        self.begun = false;
        self.items_reported = false;
        self.led = None;
        self.go(Stage::Head, Want::Nothing);
    }

    /// The prefix and the mark of a repeat.
    pub(super) fn head(&mut self, call: &mut Call<'_>) {
        if self.part == 0 {
            if self.run(&[Piece::Text(call.spec.prefix)], call.text) {
                if self.writer.is_full() {
                    self.writer.cut(call.text);
                    self.writer.owe_space();
                }
                self.writer.limit(self.capacity(call));
                self.go(Stage::Head, Want::Nothing);
                self.part = 1;
            }
            return;
        }
        if let Some(reference) = call.spec.repeat {
            let mark = [Piece::Text("(repeat "), Piece::Text(reference), Piece::Text(") ")];
            if !self.run(&mark, call.text) {
                return;
            }
        }
        // Each notice and item has a separator of two units before it; the first has its in the head.
        let head = self.writer.units().saturating_add(u16::from(self.writer.owes_space()));
        self.note_room = self.capacity(call).saturating_add(2).saturating_sub(head);
        self.notice = 0;
        self.next_notice(call);
    }

    /// Goes on to the next notice, or to what comes after the notices: the messages to be measured,
    /// the items, the end.
    fn next_notice(&mut self, call: &mut Call<'_>) {
        let all = self.writer.is_measuring() || self.items_reported;
        if self.notice < if all { call.spec.notices() } else { call.spec.leading } {
            return self.go(Stage::Notice, Want::Notice(self.notice));
        }
        if self.items_reported {
            return self.end(call);
        }
        self.index = 0;
        self.part = 0;
        if self.writer.is_measuring() {
            self.room = self.note_room;
            self.next_body(call);
        } else {
            self.go(Stage::Next, Want::Nothing);
        }
    }

    /// A notice, at its place or to be measured.
    pub(super) fn run_notice(&mut self, call: &mut Call<'_>) {
        if self.fresh {
            self.fresh = false;
            if self.writer.is_measuring() {
                self.writer.restart(self.writer.script(), true);
            }
            self.part = if self.begun { 2 } else { u8::from(self.writer.owes_space()) };
            let limit = self.note_limit(call.spec).saturating_add(u16::from(self.part));
            self.limit_run(call, limit);
            self.separate(call);
        }
        if !self.run(call.notice, call.text) {
            return;
        }
        let comma = u16::from(self.begun);
        let fits = !self.writer.is_full() || self.writer.run_limit() >= SHORT;
        self.writer.close(comma, call.text);
        let units = self.writer.run_units();
        if units > comma {
            self.notices |= u16::from(fits).checked_shl(self.notice.into()).unwrap_or(0);
            // One that ends in a colon speaks of what follows.
            let last = self.writer.len().checked_sub(1).and_then(|last| call.text.get(last));
            let opens = last.is_some_and(|last| *last == b':');
            self.begun = !self.writer.is_measuring() && !opens;
            if opens && !self.writer.is_measuring() {
                self.writer.owe_space();
            }
            let units = units.saturating_sub(u16::from(self.part)).saturating_add(2);
            self.note_room = self.note_room.saturating_sub(units);
        }
        self.notice = self.notice.saturating_add(1);
        self.next_notice(call);
    }

    /// Units the next notice may have: half of what is left, so that each finds some room and the
    /// events too; all of it if there is nothing else to report.
    fn note_limit(&self, spec: &Spec<'_>) -> u16 {
        let room = self.note_room.saturating_sub(more_cost(self.total)).saturating_sub(2);
        let last = self.total == 0 && self.notice.saturating_add(1) == spec.notices();
        if last { room } else { room.min((room / 2).max(SHORT)) }
    }

    /// Goes on to the item that is next, after the last to the count of what has none.
    pub(super) fn next(&mut self, call: &mut Call<'_>) {
        if self.plain {
            return self.next_plain(call);
        }
        while let Some(group) = call.groups.get(usize::from(self.index)) {
            // Once through all the named, then through the others.
            if group.is_named() == (self.part == 0) {
                return self.open_group(call);
            }
            self.index = self.index.saturating_add(1);
        }
        if self.part > 0 || self.unnamed == 0 || self.unnamed == self.total {
            return self.end_items(call);
        }
        self.part = 1;
        self.index = 0;
    }

    /// Begins the item of the group at hand. One that had no room may find some late: what was cut
    /// at words has given it back.
    fn open_group(&mut self, call: &mut Call<'_>) {
        let Some(group) = call.groups.get_mut(usize::from(self.index)) else {
            return self.end_items(call);
        };
        let led = self.led == Some(group.level());
        self.name_one(group, led);
        if !group.is_named() {
            self.index = self.index.saturating_add(1);
            return;
        }
        let spare = if group.need > group.room { self.room } else { 0 };
        let room = group.room.saturating_add(spare);
        let (level, slot) = (group.level(), group.first_slot);
        self.open(call, level, room, slot);
    }

    /// The same where all records are reported one by one, in the order of their arrival.
    fn next_plain(&mut self, call: &mut Call<'_>) {
        let last = self.reported_seq;
        let mut next: Option<(u32, u16, Level)> = None;
        for (index, group) in (0..).zip(call.groups.iter()) {
            for nth in 0..3 {
                if let Some((seq, slot)) = group.record(nth)
                    && last.is_none_or(|last| before(last, seq))
                    && next.is_none_or(|(first, ..)| before(seq, first))
                {
                    next = Some((seq, slot, group.level()));
                    self.index = index;
                }
            }
        }
        match next {
            Some((seq, slot, level)) => {
                self.reported_seq = Some(seq);
                self.open(call, level, u16::MAX, slot);
            }
            None => self.end_items(call),
        }
    }

    /// Begins an item: its level, and as the next run its message.
    fn open(&mut self, call: &mut Call<'_>, level: Level, room: u16, slot: u16) {
        self.writer.limit(self.capacity(call));
        self.separate(call);
        self.begun = true;
        // The level was said: of the run's two units more only the space is left.
        self.bare = self.compact && room > 0 && self.led == Some(level);
        if !self.bare {
            self.writer.words(level.name(), call.text);
            self.led = Some(level).filter(|_| room > 0).or(self.led);
        }
        self.limit_run(call, room.saturating_add(self.lead()));
        self.go(Stage::Item, Want::Record(slot));
    }

    /// Units between the level, or the comma, and the message.
    fn lead(&self) -> u16 {
        if self.bare { 1 } else { 2 }
    }

    /// The message of an item.
    pub(super) fn item(&mut self, call: &mut Call<'_>) {
        let Some(group) = call.groups.get(usize::from(self.index)) else {
            return self.end_items(call);
        };
        let seq = if self.plain { self.reported_seq.unwrap_or(0) } else { group.first_seq };
        let (room, events, records) = (group.room, group.events, group.records);
        let level = group.level();
        if !self.run_body(call, seq, if self.bare { "" } else { ":" }) {
            return;
        }
        if self.bare && self.writer.run_units() == 0 {
            // Its record is gone.
            self.writer.limit(self.capacity(call));
            self.writer.words(level.name(), call.text);
        }
        self.count = match call.record {
            Some(record) if self.plain && records > 1 => record.count,
            _ => events,
        };
        let lead = if room > 0 { self.lead() } else { 0 };
        let given = self.room.saturating_add(room).saturating_add(lead);
        self.room = given.saturating_sub(self.writer.run_units());
        self.go(Stage::Count, Want::Nothing);
    }

    /// The counts of an item: ` (x57, 3 kinds)`.
    pub(super) fn count(&mut self, call: &mut Call<'_>) {
        self.writer.limit(self.capacity(call));
        let group = call.groups.get(usize::from(self.index)).filter(|_| self.count > 1);
        let Some(group) = group else { return self.end_item() };
        let (records, slot) = (u32::from(group.records), group.last_written);
        self.writer.owe_space();
        self.writer.words("(x", call.text);
        self.writer.number(self.count, call.text);
        if records > 1 && !self.plain {
            self.separate(call);
            self.writer.number(records, call.text);
            self.writer.owe_space();
            self.writer.words("kinds", call.text);
            if self.extras && self.room >= 8 + WORTH {
                self.limit_run(call, self.room);
                return self.go(Stage::Latest, Want::Record(slot));
            }
        }
        self.writer.punctuate(b')', call.text);
        self.end_item();
    }

    /// The latest message of a group, after its first and within its count.
    pub(super) fn latest(&mut self, call: &mut Call<'_>) {
        let seq = call.groups.get(usize::from(self.index)).map_or(0, |group| group.last_seq);
        if self.run_body(call, seq, ", last:") {
            self.room = self.room.saturating_sub(self.writer.run_units());
            self.writer.limit(self.capacity(call));
            self.writer.punctuate(b')', call.text);
            self.end_item();
        }
    }

    fn end_item(&mut self) {
        self.index = self.index.saturating_add(1);
        self.go(Stage::Next, Want::Nothing);
    }

    /// Counts what has no item: `+12 more`.
    fn end_items(&mut self, call: &mut Call<'_>) {
        if self.unnamed > 0 {
            let before = self.writer;
            self.writer.limit(self.capacity(call));
            self.separate(call);
            self.writer.words("+", call.text);
            self.writer.number(self.unnamed, call.text);
            self.writer.words(" more", call.text);
            if self.writer.is_full() {
                self.writer = before;
            }
            self.begun = true;
        }
        self.items_reported = true;
        self.next_notice(call);
    }

    fn end(&mut self, call: &mut Call<'_>) {
        if let Some(script) = self.writer.better_script(call.spec.fallback) {
            return self.measure(call, script);
        }
        let composed = Composed {
            len: self.writer.len() as u16,
            encoding: self.writer.script().encoding(),
            segments: self.writer.segments(),
            named: self.total.saturating_sub(self.unnamed),
            more: self.unnamed,
        };
        self.go(Stage::Done, Want::Done(composed));
    }

    /// A run of so many units more.
    fn limit_run(&mut self, call: &Call<'_>, units: u16) {
        let limit = self.writer.units().saturating_add(units);
        self.writer.limit(limit.min(self.capacity(call)));
    }

    fn separate(&mut self, call: &mut Call<'_>) {
        if self.begun {
            self.writer.punctuate(b',', call.text);
            self.writer.owe_space();
        }
    }

    /// Runs through what is reported of the record of this sequence, after `lead`; `true` at its end.
    pub(super) fn run_body(&mut self, call: &mut Call<'_>, seq: u32, lead: &str) -> bool {
        let Some(record) = call.record.filter(|record| record.seq as u32 == seq) else {
            // It is gone, perhaps in the middle.
            if !self.fresh {
                self.writer.cut(call.text);
            }
            return true;
        };
        if self.fresh && !self.writer.is_measuring() {
            self.writer.words(lead, call.text);
            self.writer.owe_space();
        }
        self.fresh = false;
        let reduced = call.spec.style == Style::Reduced || record.message.is_empty();
        let done = if reduced {
            self.run(&source(record, self.compact), call.text)
        } else {
            self.run(&[Piece::Text(record.message)], call.text)
        };
        if done && !reduced && record.cut && !self.writer.is_full() {
            self.writer.mark(call.text);
        }
        if done && !self.writer.is_measuring() {
            self.writer.close(lead.len() as u16, call.text);
        }
        done
    }

    /// Writes some characters of the pieces, from where it stopped; `true` at their end or when
    /// the room is used up.
    fn run(&mut self, pieces: &[Piece<'_>], text: &mut [u8]) -> bool {
        let mut left = CHUNK;
        while let Some(piece) = pieces.get(usize::from(self.piece)) {
            match *piece {
                Piece::Number(number) => self.writer.number(number, text),
                Piece::Two(number) => {
                    if number < 10 {
                        self.writer.number(0, text);
                    }
                    self.writer.number(u32::from(number), text);
                }
                Piece::Text(words) => {
                    let mut rest = words.get(self.offset as usize..).unwrap_or_default().chars();
                    loop {
                        left -= self.writer.take_plain(&mut rest, left, text);
                        if left < DEAR
                            || self.writer.is_full()
                            || !self.writer.take(&mut rest, text)
                        {
                            break;
                        }
                        left -= DEAR;
                    }
                    let rest = rest.as_str().len();
                    if rest > 0 && !self.writer.is_full() {
                        self.offset = words.len().saturating_sub(rest) as u32;
                        return false;
                    }
                }
            }
            if self.writer.is_full() {
                return true;
            }
            self.piece = self.piece.saturating_add(1);
            self.offset = 0;
            // However short, a piece costs as much as a dear character.
            left = left.saturating_sub(DEAR);
            if left < DEAR && usize::from(self.piece) < pieces.len() {
                return false;
            }
        }
        true
    }
}

/// What is reported of a record without its message: `sensors::bus bus.rs:88`, or `bus.rs:88`.
fn source<'r>(record: &Record<'r>, compact: bool) -> [Piece<'r>; 5] {
    let nothing = Piece::Text("");
    let target = Piece::Text(record.target);
    let Some(site) = record.site else { return [target, nothing, nothing, nothing, nothing] };
    let target = if compact { nothing } else { target };
    let bytes = site.file.as_bytes();
    let name = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\')).map_or(0, |at| at + 1);
    let file = site.file.get(name..).unwrap_or_default();
    [target, Piece::Text(" "), Piece::Text(file), Piece::Text(":"), Piece::Number(site.line)]
}
