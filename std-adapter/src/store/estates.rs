//! What dead processes of the same recipient left, on its way into the ring.
//!
//! One estate at a time is read, its parcels are offered to the alerter until they are durable
//! here, and only then it is removed. Until it is removed, it stays locked.

use std::collections::VecDeque;

use annunciator_core::alerter::{self, Origin};

use crate::spool::{BootId, MemoryKeeper, MemoryOrphan, Orphan, Spool, SpoolError};

/// Bytes of another ring, to be taken over.
pub(crate) struct Parcel {
    pub(crate) bytes: Vec<u8>,
    /// How far it is.
    pub(crate) estate: alerter::Estate,
    /// Somebody is to be told of them; otherwise they are counted only.
    pub(crate) tell: bool,
}

impl Parcel {
    /// `token` identifies these bytes.
    fn new(bytes: Vec<u8>, origin: Origin, token: u64, tell: bool) -> Parcel {
        let estate = alerter::Estate::survey(&bytes, origin, token);
        Parcel { bytes, estate, tell }
    }
}

/// What waits, and what is being taken over.
#[derive(Default)]
pub(super) struct Estates {
    unopened: VecDeque<Estate>,
    opened: Option<Opened>,
}

struct Estate {
    left: Left,
    tell: bool,
}

enum Left {
    Slot(Orphan),
    /// By a process that had no disk.
    Memory(MemoryOrphan),
}

struct Opened {
    left: Left,
    parcels: VecDeque<Parcel>,
}

impl Estates {
    pub(super) fn is_empty(&self) -> bool {
        self.unopened.is_empty() && self.opened.is_none()
    }

    pub(super) fn has_unopened(&self) -> bool {
        self.opened.is_none() && !self.unopened.is_empty()
    }

    /// Looks for estates, unless there are some already. Memory files that no slot leads to come
    /// last: whose slot is not yet dealt with may be named by it.
    pub(super) fn look(&mut self, spool: Option<&Spool>, keeper: &MemoryKeeper) {
        if !self.is_empty() {
            return;
        }
        // A directory that cannot be listed is reported by the next commit.
        let slots = spool.and_then(|spool| spool.abandoned().ok()).unwrap_or_default();
        let slots = slots.into_iter().map(|orphan| Estate { left: Left::Slot(orphan), tell: true });
        self.unopened.extend(slots);
        if self.unopened.is_empty() {
            let memories = keeper.abandoned().into_iter().map(Left::Memory);
            self.unopened.extend(memories.map(|left| Estate { left, tell: true }));
        }
    }

    /// Slots of recipients that nobody texts any more.
    pub(super) fn write_off(&mut self, slots: Vec<Orphan>) {
        let slots = slots.into_iter().map(Left::Slot);
        self.unopened.extend(slots.map(|left| Estate { left, tell: false }));
    }

    /// Reads the next one. One that cannot be read is left for a later look.
    pub(super) fn open_next(&mut self) -> Option<SpoolError> {
        let Estate { left, tell } = self.unopened.pop_front()?;
        let parcels = match &left {
            Left::Slot(orphan) => parcels(orphan, tell),
            Left::Memory(orphan) => {
                let (bytes, token) = (orphan.bytes(), orphan.token());
                Ok(vec![Parcel::new(bytes, Origin::Memory, token, tell)])
            }
        };
        match parcels {
            Ok(parcels) if parcels.is_empty() => left.remove().err(),
            Ok(parcels) => {
                self.opened = Some(Opened { left, parcels: parcels.into() });
                None
            }
            Err(error) => Some(error),
        }
    }

    pub(super) fn parcel(&mut self) -> Option<&mut Parcel> {
        self.opened.as_mut()?.parcels.front_mut()
    }

    /// Has done with the parcel, and removes the estate with its last. Whether that was a slot.
    pub(super) fn settle_parcel(&mut self) -> Result<bool, SpoolError> {
        let Some(mut opened) = self.opened.take() else { return Ok(false) };
        opened.parcels.pop_front();
        if opened.parcels.is_empty() {
            let was_slot = matches!(opened.left, Left::Slot(_));
            return opened.left.remove().map(|()| was_slot);
        }
        self.opened = Some(opened);
        Ok(false)
    }
}

impl Left {
    fn remove(self) -> Result<(), SpoolError> {
        match self {
            Left::Slot(orphan) => orphan.remove(),
            Left::Memory(orphan) => {
                orphan.remove();
                Ok(())
            }
        }
    }
}

/// A slot's memory of this boot is newer than its file, unless the file never went into it: then
/// they are two contents, and the memory gets a token of its own. The file keeps the slot's in
/// either case, since it is what a later boot still finds.
fn parcels(orphan: &Orphan, tell: bool) -> Result<Vec<Parcel>, SpoolError> {
    let token = orphan.token().max(1);
    let memory = orphan.memory(BootId::current());
    let whole = memory.as_ref().is_some_and(|memory| memory.whole);
    let mut parcels = Vec::new();
    if let Some(memory) = memory {
        let token = if whole { token } else { beside(token) };
        parcels.push(Parcel::new(memory.bytes, Origin::Memory, token, tell));
    }
    if !whole {
        let bytes = orphan.spool_bytes()?;
        parcels.push(Parcel::new(bytes, Origin::Storage, token, tell));
    }
    parcels.retain(|parcel| !parcel.bytes.is_empty());
    Ok(parcels)
}

/// Another token, the same for the same.
fn beside(token: u64) -> u64 {
    (token ^ 0x9e37_79b9_7f4a_7c15).max(1)
}
