//! From records to groups, in order of rank.
//!
//! The records come in the order of their slots, not of their arrival, and the same groups with
//! the same counts must come out of any order. When the entries do not suffice, the first walk
//! only finds out which groups are kept: the best by rank, and the one with the latest record of
//! the most severe level. A second walk counts.

use super::group::before;
use super::{Call, Digest, Group, Stage, Want};
use crate::event::Record;
use crate::gsm7::Script;

impl Digest {
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn collect(
        &mut self,
        groups: &mut [Group],
        slot: u16,
        record: &Record<'_>,
        reported: bool,
    ) {
        self.total = self.total.saturating_add(record.count);
        let seq = record.seq as u32;
        if self
            .latest
            .is_none_or(|(level, last, ..)| (record.level, true) > (level, before(seq, last)))
        {
            self.latest = Some((record.level, seq, record.group, reported));
        }
        let known = usize::from(self.used);
        if let Some(group) = groups.iter_mut().take(known).find(|g| g.key == record.group) {
            return group.join(slot, record);
        }
        if self.stage == Stage::Recount {
            return;
        }
        let group = Group::of(record.group, record.level, seq, reported);
        let place = match (groups.get_mut(known), self.used.checked_add(1)) {
            (Some(entry), Some(used)) => {
                self.used = used;
                Some(entry)
            }
            _ => {
                self.overflow = true;
                worst(groups).filter(|worst| group.outranks(worst))
            }
        };
        if let Some(place) = place {
            *place = group;
            place.join(slot, record);
        }
    }

    pub(super) fn end_walk(&mut self, groups: &mut [Group]) {
        if !self.overflow || self.stage == Stage::Recount {
            self.index = 0;
            return self.go(Stage::Order, Want::Nothing);
        }
        if let Some((level, seq, key, reported)) = self.latest
            && groups.iter().all(|group| group.key != key)
            && let Some(worst) = worst(groups)
        {
            *worst = Group::of(key, level, seq, reported);
        }
        groups.iter_mut().for_each(Group::clear);
        self.total = 0;
        self.go(Stage::Recount, Want::Walk);
    }

    /// Puts the best of the groups from `index` on at `index`.
    pub(super) fn order(&mut self, call: &mut Call<'_>) {
        let rest = call.groups.get_mut(usize::from(self.index)..).unwrap_or_default();
        if let Some((head, rest)) = rest.split_first_mut() {
            let best = rest.iter_mut().reduce(|best, group| better(group, best));
            if let Some(best) = best.filter(|best| best.outranks(head)) {
                core::mem::swap(head, best);
            }
            if head.records > 0 {
                self.index = self.index.saturating_add(1);
            } else {
                // The rest are groups whose records were gone at the second walk.
                self.used = self.index;
            }
            return;
        }
        self.measure(call, Script::first(call.spec.fallback));
    }
}

fn better<'g>(a: &'g mut Group, b: &'g mut Group) -> &'g mut Group {
    if a.outranks(b) { a } else { b }
}

/// The entry of the lowest rank.
fn worst(groups: &mut [Group]) -> Option<&mut Group> {
    groups.iter_mut().reduce(|worst, group| if worst.outranks(group) { group } else { worst })
}
