//! What any bytes say of the ring in them, without taking it over.

use super::index::NIL;
use super::slot::View;
use super::{ledger, slots_of, view};
use crate::state::{self, RING, State};

/// Which ring some bytes hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Identity {
    /// Names the ring. Bytes with the same are copies of one ring.
    pub id: u64,
    /// Starts on it. Of two copies, that with more starts is the newer; with as many, memory is
    /// newer than storage.
    pub starts: u32,
    /// The boot of the last start.
    pub boot: u64,
}

/// Which ring these bytes hold; `None` if neither bank of its state is sound.
pub fn identity(region: &[u8]) -> Option<Identity> {
    let place = state::find(RING, region)?;
    let (state, _) = State::read(region, Some(place));
    Some(Identity { id: state.ring_id, starts: state.starts, boot: state.clock.boot })
}

/// How many events wait in these bytes. Walks over all slots.
pub fn waiting<const TEXT: usize>(region: &[u8]) -> u32 {
    let (state, _) = State::read(region, state::find(RING, region));
    records::<TEXT>(region)
        .filter(|record| record.seq() > state.consumed)
        .fold(0, |sum: u32, record| sum.saturating_add(record.count()))
}

/// Whether nothing in these bytes is yet to be sent: no event waits, no attempt is open, no loss and
/// no unclean end is unreported.
pub fn is_empty<const TEXT: usize>(region: &[u8]) -> bool {
    let (state, _) = State::read(region, state::find(RING, region));
    let mut last = ledger(region).0.max(state.next_seq.saturating_sub(1));
    for record in records::<TEXT>(region) {
        if record.seq() > state.consumed {
            return false;
        }
        last = last.max(record.tally().last);
    }
    let lost = last.saturating_sub(state.settled);
    let open = state.attempt.is_some() || state.has_unconfirmed();
    !open && state.unclean == 0 && lost <= u64::from(state.tally.reported)
}

fn records<const TEXT: usize>(region: &[u8]) -> impl Iterator<Item = View<'_, TEXT>> {
    let slots = slots_of::<TEXT>(region.len()).min(usize::from(NIL)) as u16;
    let slots = (0..slots).filter_map(|slot| view::<_, TEXT>(region, slot));
    slots.filter(|record| !record.is_free() && record.is_valid())
}
