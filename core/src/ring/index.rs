//! Finds a record by its key, its group by the group's key, and the record to drop.
//!
//! Volatile: made anew from the slots at each start. Sixteen bytes a slot buy a `record` that
//! probes instead of walking: two hash tables with chaining (by key, by group) and, for each group,
//! a ring of its records in order of arrival, headed by the first.

use super::slot::View;
use super::view;
use crate::memory::Memory;

/// No slot.
pub(crate) const NIL: u16 = u16::MAX;

/// One slot's share of the index. The caller lends one for each slot.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// First slot of the key chain of the bucket with this number.
    key_bucket: u16,
    key_next: u16,
    /// First slot of the chain of group heads of the bucket with this number.
    group_bucket: u16,
    group_next: u16,
    /// Neighbours within the group, a closed ring; of a free slot, `next` is the next free one.
    prev: u16,
    next: u16,
    /// Of a group's head, the number of its records; of any other slot, 0.
    size: u16,
    level: u8,
    marks: u8,
}

const LIVE: u8 = 1;
const DIRTY: u8 = 2;

impl Node {
    /// A node before its first use: zeros, so that a static of many takes no flash.
    pub const EMPTY: Node = Node {
        key_bucket: 0,
        key_next: 0,
        group_bucket: 0,
        group_next: 0,
        prev: 0,
        next: 0,
        size: 0,
        level: 0,
        marks: 0,
    };

    /// A node of a slot that is in nothing.
    const FREE: Node = Node {
        key_bucket: NIL,
        key_next: NIL,
        group_bucket: NIL,
        group_next: NIL,
        prev: NIL,
        next: NIL,
        size: 0,
        level: 0,
        marks: 0,
    };
}

/// The index over the caller's nodes.
#[derive(Debug)]
pub(crate) struct Index<'a, const TEXT: usize> {
    nodes: &'a mut [Node],
    free: u16,
    free_count: u16,
    /// Live records by level.
    levels: [u16; 8],
    /// By level, an upper bound of the size of its groups.
    widest: [u16; 8],
    /// The first of the slots that were folded out and are not free yet.
    folded: u16,
}

impl<'a, const TEXT: usize> Index<'a, TEXT> {
    /// The nodes, given back.
    pub(crate) fn into_nodes(self) -> &'a mut [Node] {
        self.nodes
    }

    /// An index of `nodes.len()` free slots.
    pub(crate) fn new(nodes: &'a mut [Node]) -> Index<'a, TEXT> {
        let limit = nodes.len().min(usize::from(NIL));
        let (nodes, _) = nodes.split_at_mut_checked(limit).unwrap_or((&mut [], &mut []));
        let mut index =
            Index { nodes, free: NIL, free_count: 0, levels: [0; 8], widest: [0; 8], folded: NIL };
        index.nodes.fill(Node::FREE);
        for slot in (0..index.len()).rev() {
            index.release(slot);
        }
        index
    }

    pub(crate) fn len(&self) -> u16 {
        self.nodes.len() as u16
    }

    #[inline]
    pub(crate) fn free_count(&self) -> u16 {
        self.free_count
    }

    pub(crate) fn is_live(&self, slot: u16) -> bool {
        self.nodes.get(usize::from(slot)).is_some_and(|node| node.marks & LIVE != 0)
    }

    pub(crate) fn is_dirty(&self, slot: u16) -> bool {
        self.nodes.get(usize::from(slot)).is_some_and(|node| node.marks & DIRTY != 0)
    }

    #[inline]
    pub(crate) fn set_dirty(&mut self, slot: u16, dirty: bool) {
        self.edit(slot, |node| match dirty {
            true => node.marks |= DIRTY,
            false => node.marks &= !DIRTY,
        });
    }

    #[inline]
    fn node(&self, slot: u16) -> Node {
        self.nodes.get(usize::from(slot)).copied().unwrap_or(Node::FREE)
    }

    /// A field of a node that says which slot is next.
    #[inline]
    fn link(&self, slot: u16, field: impl FnOnce(&Node) -> u16) -> u16 {
        self.nodes.get(usize::from(slot)).map_or(NIL, field)
    }

    #[inline(always)]
    fn edit(&mut self, slot: u16, change: impl FnOnce(&mut Node)) {
        if let Some(node) = self.nodes.get_mut(usize::from(slot)) {
            change(node);
        }
    }

    /// The bucket of a hash: scaled, not divided.
    #[inline]
    pub(crate) fn bucket(&self, hash: u32) -> u16 {
        ((u64::from(hash) * self.nodes.len() as u64) >> 32) as u16
    }

    /// The live slot with this key, whose bucket is `bucket`, that `wanted` takes; of several the
    /// one with the latest sequence: records are entered in their order, so chains begin with it.
    #[inline]
    pub(crate) fn find<M: Memory + ?Sized>(
        &self,
        memory: &M,
        bucket: u16,
        key: u32,
        wanted: impl Fn(View<'_, TEXT>) -> bool,
    ) -> Option<u16> {
        let mut slot = self.link(bucket, |node| node.key_bucket);
        for _ in 0..self.len() {
            let view = view::<_, TEXT>(memory, slot)?;
            if view.key() == key && wanted(view) {
                return Some(slot);
            }
            slot = self.link(slot, |node| node.key_next);
        }
        None
    }

    /// The head of a group.
    #[inline]
    pub(crate) fn group<M: Memory + ?Sized>(&self, memory: &M, group: u32) -> u16 {
        let mut slot = self.link(self.bucket(group), |node| node.group_bucket);
        for _ in 0..self.len() {
            match view::<_, TEXT>(memory, slot) {
                Some(view) if view.group() != group => {
                    slot = self.link(slot, |node| node.group_next);
                }
                Some(_) => return slot,
                None => break,
            }
        }
        NIL
    }

    /// Takes a free slot off the list.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u16> {
        let slot = self.free;
        let node = *self.nodes.get(usize::from(slot))?;
        self.free = node.next;
        self.free_count -= 1;
        Some(slot)
    }

    /// Takes a particular slot off the free list; for recovery.
    pub(crate) fn take_exact(&mut self, wanted: u16) {
        let after = self.link(wanted, |node| node.next);
        if self.free == wanted {
            self.free = after;
            self.free_count -= 1;
            return;
        }
        let mut slot = self.free;
        for _ in 0..self.len() {
            let next = self.link(slot, |node| node.next);
            if next == wanted {
                self.edit(slot, |node| node.next = after);
                self.free_count -= 1;
                return;
            }
            slot = next;
        }
    }

    /// Puts a free slot at the end of the free list: it is to be used last.
    pub(crate) fn use_last(&mut self, slot: u16) {
        self.take_exact(slot);
        let mut last = self.free;
        for _ in 1..self.free_count {
            last = self.link(last, |node| node.next);
        }
        self.edit(slot, |node| node.next = NIL);
        if last == NIL {
            self.free = slot;
        } else {
            self.edit(last, |node| node.next = slot);
        }
        self.free_count += 1;
    }

    /// Puts a slot that is in no list on the free list.
    pub(crate) fn release(&mut self, slot: u16) {
        let next = self.free;
        self.edit(slot, |node| {
            node.next = next;
            node.marks = 0;
            node.size = 0;
        });
        self.free = slot;
        self.free_count += 1;
    }

    /// Enters a record into the key chain of `bucket` and at the end of its group, whose head is
    /// `head` or [`NIL`].
    #[inline]
    pub(crate) fn insert(&mut self, slot: u16, bucket: u16, group: u32, level: u8, head: u16) {
        let mut key_next = NIL;
        self.edit(bucket, |node| key_next = core::mem::replace(&mut node.key_bucket, slot));
        let (mut prev, mut next, mut size, mut own_size) = (slot, slot, 1, 1);
        let mut group_next = NIL;
        if let Some(first) = self.nodes.get_mut(usize::from(head)) {
            prev = core::mem::replace(&mut first.prev, slot);
            next = head;
            first.size += 1;
            (size, own_size) = (first.size, 0);
            self.edit(prev, |node| node.next = slot);
        } else {
            group_next = self.head_group(slot, group);
        }
        self.edit(slot, |node| {
            node.key_next = key_next;
            node.group_next = group_next;
            node.prev = prev;
            node.next = next;
            node.size = own_size;
            node.level = level & 7;
            node.marks = LIVE | DIRTY;
        });
        let at = usize::from(level & 7);
        if let (Some(live), Some(widest)) = (self.levels.get_mut(at), self.widest.get_mut(at)) {
            *live += 1;
            *widest = size.max(*widest);
        }
    }

    /// Puts `slot` first among the group heads of its bucket; the one that was first.
    fn head_group(&mut self, slot: u16, group: u32) -> u16 {
        let mut after = NIL;
        let bucket = self.bucket(group);
        self.edit(bucket, |node| after = core::mem::replace(&mut node.group_bucket, slot));
        after
    }

    /// The first live slot from `from` on whose sequence is at most `upto`.
    pub(crate) fn settled<M: Memory + ?Sized>(
        &self,
        memory: &M,
        from: u16,
        upto: u64,
    ) -> Option<u16> {
        let later = (from..).zip(self.nodes.get(usize::from(from)..)?);
        let mut live = later.filter(|(_, node)| node.marks & LIVE != 0);
        live.find(|(slot, _)| super::seq_of::<_, TEXT>(memory, *slot) <= upto).map(|(slot, _)| slot)
    }

    /// Takes a live record out of everything and puts its slot on the free list.
    pub(crate) fn remove<M: Memory + ?Sized>(&mut self, memory: &M, slot: u16) {
        self.unlink(memory, slot);
        self.release(slot);
    }

    /// Takes a live record out of everything; its slot is put on the free list
    /// [later](Index::release_folded).
    pub(crate) fn fold_out<M: Memory + ?Sized>(&mut self, memory: &M, slot: u16) {
        self.unlink(memory, slot);
        let next = core::mem::replace(&mut self.folded, slot);
        self.edit(slot, |node| (node.next, node.marks) = (next, 0));
    }

    pub(crate) fn has_folded(&self) -> bool {
        self.folded != NIL
    }

    /// Puts one of the slots that were folded out on the free list; `false` if there is none.
    pub(crate) fn release_folded(&mut self) -> bool {
        let slot = self.folded;
        if slot == NIL {
            return false;
        }
        self.folded = self.link(slot, |node| node.next);
        self.release(slot);
        self.set_dirty(slot, true);
        true
    }

    fn unlink<M: Memory + ?Sized>(&mut self, memory: &M, slot: u16) {
        let Some(view) = view::<_, TEXT>(memory, slot) else { return };
        let (key, group) = (view.key(), view.group());
        let node = self.node(slot);
        self.unchain_key(self.bucket(key), slot, node.key_next);
        if node.size > 0 {
            let heir = if node.next == slot { NIL } else { node.next };
            self.rehead(self.bucket(group), slot, heir, node.group_next);
            self.edit(heir, |heir| {
                heir.size = node.size - 1;
                heir.group_next = node.group_next;
            });
        } else {
            let head = self.group(memory, group);
            self.edit(head, |head| head.size = head.size.saturating_sub(1));
        }
        self.edit(node.prev, |prev| prev.next = node.next);
        self.edit(node.next, |next| next.prev = node.prev);
        if let Some(live) = self.levels.get_mut(usize::from(node.level & 7)) {
            *live = live.saturating_sub(1);
        }
    }

    fn unchain_key(&mut self, bucket: u16, slot: u16, after: u16) {
        let mut at = self.link(bucket, |node| node.key_bucket);
        if at == slot {
            return self.edit(bucket, |node| node.key_bucket = after);
        }
        for _ in 0..self.len() {
            let next = self.link(at, |node| node.key_next);
            if next == slot {
                return self.edit(at, |node| node.key_next = after);
            }
            at = next;
        }
    }

    /// Puts `heir` (or nothing) in the place of the group head `slot`.
    fn rehead(&mut self, bucket: u16, slot: u16, heir: u16, after: u16) {
        let new = if heir == NIL { after } else { heir };
        let mut at = self.link(bucket, |node| node.group_bucket);
        if at == slot {
            return self.edit(bucket, |node| node.group_bucket = new);
        }
        for _ in 0..self.len() {
            let next = self.link(at, |node| node.group_next);
            if next == slot {
                return self.edit(at, |node| node.group_next = new);
            }
            at = next;
        }
    }

    /// The record to drop for a newcomer of `level` in the group headed by `head`: of the lowest
    /// level the widest group's second; a group of two gives its first; a lone record goes last.
    /// `None` if the newcomer is the least severe itself.
    ///
    /// In a storm the newcomer's own group is the widest, and no slot is searched.
    pub(crate) fn victim<M: Memory + ?Sized>(
        &mut self,
        memory: &M,
        level: u8,
        head: u16,
    ) -> Option<u16> {
        let lowest = self.levels.iter().position(|live| *live > 0)? as u8;
        if level < lowest {
            return None;
        }
        let own = self.node(head);
        let widest = self.widest.get(usize::from(lowest)).copied().unwrap_or(0);
        if level == lowest && own.size >= widest && own.size > 2 {
            return Some(own.next);
        }
        self.search_victim(memory, lowest)
    }

    fn search_victim<M: Memory + ?Sized>(&mut self, memory: &M, level: u8) -> Option<u16> {
        let mut best = (NIL, 0, u64::MAX);
        for (slot, node) in (0..).zip(self.nodes.iter()) {
            // Only a group's head, which is live, has a size.
            if node.level == level && node.size > 0 && node.size >= best.1 {
                let seq = super::seq_of::<_, TEXT>(memory, slot);
                if node.size > best.1 || seq < best.2 {
                    best = (slot, node.size, seq);
                }
            }
        }
        let (best, size, _) = best;
        if let Some(widest) = self.widest.get_mut(usize::from(level & 7)) {
            *widest = size;
        }
        let node = self.nodes.get(usize::from(best))?;
        Some(if size > 2 { node.next } else { best })
    }
}
