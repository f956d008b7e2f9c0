//! Two records of one event become one again.
//!
//! What is reported while an equal record is in flight gets a record of its own. When the attempt
//! has failed there are two, and after hours of an outage there would be hundreds, until nothing
//! else had room. So the younger is added to the older:
//!
//! ```text
//!  older    seq 1, count 3, last 9  ──put──►  count 5, last 14
//!  younger  seq 12, count 2, last 14                            ──put──►  free in memory
//! ```
//!
//! The first store decides. The older one's last number is from then on not before the first of the
//! younger, which is never so among equals otherwise: while both stand, nothing is merged into the
//! older. By that a start knows that the events of the younger are counted already, whichever of
//! the two a crash or storage has kept.
//!
//! Storage keeps the younger's slot until it has the older's count: the slot is not given to another
//! record before that. Nor is it cleared there until then.

use super::Ring;
use super::slot::cell;
use crate::memory::Memory;

/// How far storage knows what the slots count whose younger equals are not free yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folds {
    New,
    /// The round under way writes it.
    Written,
    Kept,
}

impl<M: Memory, const TEXT: usize> Ring<'_, M, TEXT> {
    /// Adds the waiting record in `slot` to an older one of the same event, if there is one, and
    /// returns that one's slot and sequence.
    pub(crate) fn fold(&mut self, slot: u16) -> Option<(u16, u64)> {
        let into = self.equal_before(slot, false)?;
        let younger = self.view(slot)?;
        let (began, younger) = (younger.first(), younger.tally());
        let older = self.view(into)?;
        let (first, check, old) = (older.seq(), older.check(), older.tally());
        let between = super::millis_between(older.first(), began);
        let lasted = between.saturating_add(younger.lasted).max(old.lasted);
        let count = old.count.checked_add(younger.count)?;
        self.memory
            .put(Self::at(into) + old.next, &cell(check, [count, younger.last as u32, lasted]));
        self.index.set_dirty(into, true);
        self.index.fold_out(&self.memory, slot);
        self.memory.put(Self::at(slot), &[0; 4]);
        self.folds = Folds::New;
        Some((into, first))
    }

    /// The latest record of the same event before the one in `slot`, if that is not in flight;
    /// `counted` says whether it is to count that one already or not.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    pub(super) fn equal_before(&self, slot: u16, counted: bool) -> Option<u16> {
        let younger = self.view(slot)?;
        let (key, seq) = (younger.key(), younger.seq());
        self.index.find(&self.memory, self.index.bucket(key), key, |older| {
            (self.pinned + 1..seq).contains(&older.seq())
                && (older.tally().last >= seq) == counted
                && older.is_same_event(younger)
        })
    }

    /// A round begins: it brings storage what was folded so far.
    pub(crate) fn write_folds(&mut self) {
        self.folds = Folds::Written;
    }

    /// The round is over.
    pub(crate) fn folds_written(&mut self) {
        if self.folds == Folds::Written {
            self.free_folds();
        }
    }

    /// Nothing needs the slots of folded records any more. They become free one by one; see
    /// [`reclaim_one`](Ring::reclaim_one).
    pub(crate) fn free_folds(&mut self) {
        self.folds = Folds::Kept;
    }
}
