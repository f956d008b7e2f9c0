//! What everything needs, and who gets how much of the room.
//!
//! Prefix, notices and messages are measured by a dry run of the writer that writes them later. Then
//! every group is given the room for its name, in the order of rank but after each level's first
//! cause its latest group; what is left raises the messages in rounds, so that the long message
//! of one does not starve the others; groups reported before come after those that are new.
//!
//! If the names do not fit, levels are said once only; if they still do not, all is measured again
//! for shorter names.

use super::group::{NAME, SHORT_NAME, before, item_cost, level_cost, more_cost};
use super::{Call, Digest, Group, Stage, Style, Want};
use crate::gsm7::Script;

/// Units to which the messages are raised, round by round: those not reported before, then the others.
const ROUNDS: [(u16, bool); 5] =
    [(32, false), (64, false), (128, false), (u16::MAX, false), (u16::MAX, true)];

impl Digest {
    /// Begins to measure for a text in `script`.
    pub(super) fn measure(&mut self, call: &mut Call<'_>, script: Script) {
        self.name = NAME;
        self.compact = false;
        self.measure_names(call, script);
    }

    fn measure_names(&mut self, call: &mut Call<'_>, script: Script) {
        let mut few = !self.overflow && call.spec.style == Style::Full;
        for group in call.groups.iter_mut() {
            group.set_named(false);
            few &= group.is_few();
        }
        self.unnamed = self.total;
        self.plain = few;
        self.plain_units = 0;
        self.names = 0;
        self.begin_text(call, script, true);
    }

    /// Goes on to the record that is measured next: the first of each group, and as long as all
    /// may be reported one by one also the others.
    pub(super) fn next_body(&mut self, call: &mut Call<'_>) {
        if self.plain_units > u32::from(self.room) {
            self.plain = false;
        }
        if self.part > 0 && !self.plain {
            self.part = 0;
            self.index = self.index.saturating_add(1);
        }
        while let Some(group) = call.groups.get(usize::from(self.index)) {
            if let Some((_, slot)) = group.record(self.part) {
                self.writer.restart(self.writer.script(), true);
                self.writer.limit(self.name);
                if self.name == NAME {
                    self.writer.measure_to(self.capacity(call));
                }
                return self.go(Stage::Body, Want::Record(slot));
            }
            self.part = 0;
            self.index = self.index.saturating_add(1);
        }
        self.go(Stage::Fit, Want::Nothing);
    }

    /// Measures a message.
    pub(super) fn body(&mut self, call: &mut Call<'_>) {
        let index = usize::from(self.index);
        let Some((seq, _)) = call.groups.get(index).and_then(|group| group.record(self.part))
        else {
            return self.next_body(call);
        };
        if !self.run_body(call, seq, "") {
            return;
        }
        let units = if self.writer.is_full() { u16::MAX } else { self.writer.units() };
        if let Some(group) = call.groups.get_mut(index) {
            if self.part == 0 {
                if self.name == NAME {
                    group.need = units;
                }
                if units > self.name {
                    self.writer.cut(call.text);
                }
                group.room = self.writer.units();
                self.names = self.names.saturating_add(group.cost(false));
            }
            let count = call.record.map_or(1, |record| record.count);
            let cost = item_cost(group.level(), units, count);
            self.plain_units = self.plain_units.saturating_add(cost);
        }
        self.part = self.part.saturating_add(1);
        self.next_body(call);
    }

    /// Names all groups if there is room for all; else begins to decide who is named.
    pub(super) fn begin_name(&mut self, call: &mut Call<'_>) {
        self.part = 0;
        self.index = 0;
        self.reported_seq = None;
        let mut known = 0u32;
        for group in call.groups.iter() {
            known = known.saturating_add(group.events);
        }
        if self.plain && call.groups.iter().any(Group::was_reported) {
            // What was reported before is not worth another segment.
            let one = self.writer.script().encoding().capacity(1);
            let beyond = self.capacity(call).saturating_sub(one);
            self.plain = self.plain_units <= u32::from(self.room.saturating_sub(beyond));
        }
        let others = self.total.saturating_sub(known);
        let room = u32::from(self.room.saturating_sub(more_cost(others)));
        let mut needed = if self.plain { 0 } else { self.names };
        self.compact |= needed > room;
        if self.compact {
            needed = needed.saturating_sub(said_again(call.groups));
        }
        if let Some(rest) = room.checked_sub(needed).filter(|_| others == 0) {
            call.groups.iter_mut().for_each(|group| group.set_named(true));
            self.room = rest as u16;
            self.unnamed = 0;
            if self.plain {
                return self.begin_text(call, self.writer.script(), false);
            }
            return self.go(Stage::Raise, Want::Nothing);
        }
        if needed > room && self.name == NAME {
            self.name = SHORT_NAME;
            return self.measure_names(call, self.writer.script());
        }
        match self.room.checked_sub(more_cost(self.total)) {
            Some(rest) => {
                self.room = rest;
                self.go(Stage::Name, Want::Nothing);
            }
            None => self.go(Stage::Raise, Want::Nothing),
        }
    }

    /// Names one more group if there is room: of each level the first cause, then the latest, then
    /// the others. Whoever is named makes the count of the others shorter, so it goes round until
    /// nobody is named any more.
    pub(super) fn name(&mut self, call: &mut Call<'_>) {
        let (above, rest) =
            call.groups.split_at_mut_checked(usize::from(self.index)).unwrap_or_default();
        let Some((group, tail)) = rest.split_first_mut() else {
            if self.part == 0 {
                return self.go(Stage::Raise, Want::Nothing);
            }
            self.part = 0;
            self.index = 0;
            return;
        };
        let level = group.level();
        let led = above.iter().any(|group| group.leads(level));
        let led = led || tail.iter().any(|group| group.leads(level));
        self.name_one(group, led);
        let led = led || group.leads(level);
        if above.last().is_none_or(|group| group.level() != level) {
            let level = tail.iter_mut().take_while(|group| group.level() == level);
            let latest =
                level.reduce(
                    |latest, group| {
                        if before(latest.last_seq, group.last_seq) { group } else { latest }
                    },
                );
            if let Some(latest) = latest {
                self.name_one(latest, led);
            }
        }
        self.index = self.index.saturating_add(1);
    }

    /// Names a group if there is room; `led` if an item before or behind it says its level.
    pub(super) fn name_one(&mut self, group: &mut Group, led: bool) {
        if group.is_named() {
            return;
        }
        let others = self.unnamed.saturating_sub(group.events);
        let room = u32::from(self.room) + u32::from(more_cost(self.unnamed));
        if let Some(rest) =
            room.checked_sub(group.cost(led && self.compact) + u32::from(more_cost(others)))
        {
            self.room = rest as u16;
            self.unnamed = others;
            self.part = 1;
            group.set_named(true);
        }
    }

    /// Leaves the room of the segments that are begun: what was reported before, and what is reported
    /// beyond the first messages, must not cost a segment more.
    fn stay(&mut self, call: &Call<'_>) {
        let used = self.capacity(call).saturating_sub(self.room);
        let encoding = self.writer.script().encoding();
        let capacity = (1..=6).map(|n| encoding.capacity(n)).find(|all| *all >= used);
        self.room = capacity.map_or(0, |all| all - used).min(self.room);
    }

    /// One round of raising the messages of the named.
    pub(super) fn raise(&mut self, call: &mut Call<'_>) {
        let Some((length, reported)) = ROUNDS.get(usize::from(self.part)).copied() else {
            self.extras = self.room > 0 && self.unnamed == 0 && call.spec.style == Style::Full;
            if self.extras {
                self.stay(call);
            }
            return self.begin_text(call, self.writer.script(), false);
        };
        if reported && call.groups.iter().any(|group| group.is_named() && group.was_reported()) {
            self.stay(call);
        }
        for group in call.groups.iter_mut().filter(|g| g.is_named() && g.was_reported() == reported)
        {
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

/// Units of the levels that a name before has said already; the groups stand in order of level.
fn said_again(groups: &[Group]) -> u32 {
    let mut led = None;
    let mut units = 0;
    for group in groups.iter().filter(|group| group.room > 0) {
        if led.replace(group.level()) == Some(group.level()) {
            units += level_cost(group.level());
        }
    }
    units
}
