//! What everything needs, and who gets how much of the room.
//!
//! Prefix, notes and messages are measured by a dry run of the pen that writes them later. Then
//! every group is given the room for its name, in the order of rank but after each level's first
//! cause its latest group; what is left raises the messages in rounds, so that the long message
//! of one does not starve the others; groups told before come after those that are new.

use super::group::{NAME, before, item_cost, more_cost};
use super::{Digest, Group, Piece, Spec, Stage, Style, Want};
use crate::event::Record;
use crate::gsm7::Script;

/// Units of a note that are never halved: `12 lost`, `unconfirmed k7m2: 2 ERROR`.
const SHORT: u16 = 24;

/// Units to which the messages are raised, round by round: those not told before, then the others.
const ROUNDS: [(u16, bool); 5] =
    [(32, false), (64, false), (128, false), (u16::MAX, false), (u16::MAX, true)];

impl Digest {
    /// Begins to measure for a text in `script`.
    pub(super) fn size(&mut self, spec: &Spec<'_>, groups: &mut [Group], script: Script) {
        let mut few = !self.overflow && spec.style == Style::Full;
        for group in groups {
            group.set_named(false);
            few &= group.is_few();
        }
        self.unnamed = self.total;
        self.plain = few;
        self.plain_units = 0;
        self.names = 0;
        self.begin_head(spec, script, true);
        self.go(Stage::SizeHead, Want::Nothing);
    }

    pub(super) fn size_head(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        if self.run_head(spec, &mut []) {
            self.note_room = self.room_after_head(spec);
            self.note = 0;
            self.size_next_note(spec, groups);
        }
    }

    fn size_next_note(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        if self.note < spec.notes() {
            self.pen.restart(self.pen.script(), true, self.note_limit(spec));
            return self.go(Stage::SizeNote, Want::Note(self.note));
        }
        self.room = self.note_room;
        self.index = 0;
        self.part = 0;
        self.size_next_body(spec, groups);
    }

    pub(super) fn size_note(&mut self, spec: &Spec<'_>, groups: &mut [Group], note: &[Piece<'_>]) {
        if self.run(note, &mut []) {
            self.pen.close(0, &mut []);
            self.end_note(self.pen.units());
            self.size_next_note(spec, groups);
        }
    }

    /// Units the next note may have: half of what is left, so that each finds some room and the
    /// events too; all of it if there is nothing else to tell.
    pub(super) fn note_limit(&self, spec: &Spec<'_>) -> u16 {
        let room = self.note_room.saturating_sub(more_cost(self.total)).saturating_sub(2);
        let last = self.total == 0 && self.note.saturating_add(1) == spec.notes();
        if last { room } else { room.min((room / 2).max(SHORT)) }
    }

    /// A note took so many units.
    pub(super) fn end_note(&mut self, units: u16) {
        if units > 0 {
            self.note_room = self.note_room.saturating_sub(units.saturating_add(2));
        }
        self.note = self.note.saturating_add(1);
    }

    /// Goes on to the record that is measured next: the first of each group, and as long as all
    /// may be told one by one also the others.
    fn size_next_body(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        if self.plain_units > u32::from(self.room) {
            self.plain = false;
        }
        if self.part > 0 && !self.plain {
            self.part = 0;
            self.index = self.index.saturating_add(1);
        }
        while let Some(group) = groups.get(usize::from(self.index)) {
            if let Some((_, slot)) = group.record(self.part) {
                self.pen.restart(self.pen.script(), true, NAME);
                self.pen.measure_to(self.capacity(spec));
                return self.go(Stage::SizeBody, Want::Record(slot));
            }
            self.part = 0;
            self.index = self.index.saturating_add(1);
        }
        if self.plain {
            self.begin_head(spec, self.pen.script(), false);
            return self.go(Stage::Head, Want::Nothing);
        }
        self.begin_name(groups);
    }

    pub(super) fn size_body(
        &mut self,
        spec: &Spec<'_>,
        groups: &mut [Group],
        record: Option<&Record<'_>>,
    ) {
        let index = usize::from(self.index);
        let Some((seq, _)) = groups.get(index).and_then(|group| group.record(self.part)) else {
            return self.size_next_body(spec, groups);
        };
        if !self.run_body(spec, record, seq, "", &mut []) {
            return;
        }
        let units = if self.pen.is_full() { u16::MAX } else { self.pen.units() };
        if let Some(group) = groups.get_mut(index) {
            if self.part == 0 {
                group.need = units;
                if units > NAME {
                    self.pen.cut(&mut []);
                }
                group.room = self.pen.units();
                self.names = self.names.saturating_add(group.cost());
            }
            let count = record.map_or(1, |record| record.count);
            let cost = item_cost(group.level(), units, count);
            self.plain_units = self.plain_units.saturating_add(cost);
        }
        self.part = self.part.saturating_add(1);
        self.size_next_body(spec, groups);
    }

    /// Begins to decide who is named.
    fn begin_name(&mut self, groups: &mut [Group]) {
        self.part = 0;
        self.index = 0;
        self.go(Stage::Name, Want::Nothing);
        let known = groups.iter().fold(0u32, |sum, group| sum.saturating_add(group.events));
        if let (true, Ok(all)) = (known == self.total, u16::try_from(self.names))
            && let Some(rest) = self.room.checked_sub(all)
        {
            groups.iter_mut().for_each(|group| group.set_named(true));
            self.room = rest;
            self.unnamed = 0;
            self.begin_raise();
        } else if let Some(rest) = self.room.checked_sub(more_cost(self.total)) {
            self.room = rest;
        } else {
            self.begin_raise();
        }
    }

    /// Names one more group if there is room: of each level the first cause, then the latest, then
    /// the others. Whoever is named makes the count of the others shorter, so it goes round until
    /// nobody is named any more.
    pub(super) fn name(&mut self, groups: &mut [Group]) {
        let (above, rest) =
            groups.split_at_mut_checked(usize::from(self.index)).unwrap_or_default();
        let Some(group) = rest.first_mut() else {
            if self.part == 0 {
                return self.begin_raise();
            }
            self.part = 0;
            self.index = 0;
            return;
        };
        let level = group.level();
        self.name_one(group);
        if above.last().is_none_or(|group| group.level() != level) {
            let level = rest.iter_mut().take_while(|group| group.level() == level);
            let latest =
                level.reduce(
                    |latest, group| {
                        if before(latest.last_seq, group.last_seq) { group } else { latest }
                    },
                );
            if let Some(latest) = latest {
                self.name_one(latest);
            }
        }
        self.index = self.index.saturating_add(1);
    }

    /// Names a group if there is room.
    fn name_one(&mut self, group: &mut Group) {
        if group.is_named() {
            return;
        }
        let others = self.unnamed.saturating_sub(group.events);
        let room = u32::from(self.room) + u32::from(more_cost(self.unnamed));
        if let Some(rest) = room.checked_sub(group.cost() + u32::from(more_cost(others))) {
            self.room = rest as u16;
            self.unnamed = others;
            self.part = 1;
            group.set_named(true);
        }
    }

    fn begin_raise(&mut self) {
        self.part = 0;
        self.go(Stage::Raise, Want::Nothing);
    }

    /// One round of raising the messages of the named.
    pub(super) fn raise(&mut self, spec: &Spec<'_>, groups: &mut [Group]) {
        let Some((length, told)) = ROUNDS.get(usize::from(self.part)).copied() else {
            self.extras = self.room > 0 && self.unnamed == 0 && spec.style == Style::Full;
            if self.extras {
                // What is told beyond the first messages must not cost a segment more.
                let used = self.capacity(spec).saturating_sub(self.room);
                let encoding = self.pen.script().encoding();
                let capacity = (1..=6).map(|n| encoding.capacity(n)).find(|all| *all >= used);
                self.room = capacity.map_or(0, |all| all - used).min(self.room);
            }
            self.begin_head(spec, self.pen.script(), false);
            return self.go(Stage::Head, Want::Nothing);
        };
        for group in groups.iter_mut().filter(|g| g.is_named() && g.was_told() == told) {
            let more = group.need.min(length).saturating_sub(group.room);
            if more <= self.room || length == u16::MAX {
                let more = more.min(self.room);
                self.room -= more;
                group.room += more;
            }
        }
        self.part = self.part.saturating_add(1);
    }
}
