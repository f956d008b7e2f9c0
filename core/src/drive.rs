//! The blocking loop body: does what the alerter asks for, with a storage and a transport.
//!
//! Sugar. Whatever it does can be done by hand, or by an async task, in fifteen lines; generic over
//! how the alerter is shared.

use crate::alerter::{Alerter, Done, Origin, Step, Token};
use crate::event::TEXT_256;
use crate::memory::Memory;
use crate::ring::{self, slot_size, slots_of};
use crate::state;
use crate::storage::Storage;
use crate::time::Instant;
use crate::transport::Transport;

/// An alerter, however it is shared: `&mut`, behind a mutex, behind a critical section.
pub trait Drivable {
    /// See [`Alerter::step`].
    fn step(&mut self, now: Instant, buf: &mut [u8]) -> Step;

    /// See [`Alerter::done`].
    fn done(&mut self, now: Instant, token: Token, result: Done);
}

impl<M: Memory, const TEXT: usize> Drivable for Alerter<'_, M, TEXT> {
    fn step(&mut self, now: Instant, buf: &mut [u8]) -> Step {
        Alerter::step(self, now, buf)
    }

    fn done(&mut self, now: Instant, token: Token, result: Done) {
        Alerter::done(self, now, token, result);
    }
}

impl<D: Drivable + ?Sized> Drivable for &mut D {
    fn step(&mut self, now: Instant, buf: &mut [u8]) -> Step {
        (**self).step(now, buf)
    }

    fn done(&mut self, now: Instant, token: Token, result: Done) {
        (**self).done(now, token, result);
    }
}

/// Does everything that is to be done now and returns until when there is nothing more:
/// [`Instant::FAR_FUTURE`] if nothing waits. It is a time to sleep until, not the present one.
///
/// `clock` gives the time since boot; `buf` is described at [`Alerter::step`]. Blocks while the
/// storage and the transport do.
pub fn drive<D, S, T>(
    mut alerter: D,
    mut clock: impl FnMut() -> Instant,
    storage: &mut S,
    transport: &mut T,
    buf: &mut [u8],
) -> Instant
where
    D: Drivable,
    S: Storage,
    T: Transport,
{
    loop {
        let (token, result) = match alerter.step(clock(), buf) {
            Step::Idle { until } => return until,
            Step::Again => continue,
            Step::Write { token, at, len } => {
                let bytes = buf.get(..len).unwrap_or(&[]);
                (token, stored(storage.write(at, bytes)))
            }
            Step::Sync { token } => (token, stored(storage.sync())),
            Step::Send(ticket) => (ticket.token, Done::Sent(transport.send(&ticket.message(buf)))),
        };
        alerter.done(clock(), token, result);
    }
}

fn stored<E>(result: Result<(), E>) -> Done {
    match result {
        Ok(()) => Done::Stored,
        Err(_) => Done::StorageFailed,
    }
}

/// What [`restore`] found, to be put into a [`Setup`](crate::alerter::Setup).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored<E> {
    /// Where the bytes in memory come from now.
    pub origin: Origin,
    /// Differs from the boot that last served them. For a device whose every start is a boot, and
    /// that has no better number.
    pub boot: u64,
    /// What went wrong with storage, if something did. The alerter takes what is there.
    pub trouble: Option<E>,
}

/// Makes the ring memory ready for a start that cannot know how the last run ended, such as a
/// chip's: [`repair`]s memory that has survived a reset, [`load`]s any other.
pub fn restore<S: Storage>(storage: &mut S, region: &mut [u8]) -> Restored<S::Error> {
    let survived = ring::was_initialized(region);
    let (origin, result) = if survived {
        (Origin::Memory, repair(storage, region).map(|_| ()))
    } else {
        (Origin::Storage, load(storage, region))
    };
    let last = ring::identity(region).map_or(0, |identity| identity.boot);
    Restored { origin, boot: last.wrapping_add(1), trouble: result.err() }
}

/// Fills the ring memory with what storage has, for a start whose memory did not survive.
///
/// # Errors
/// The storage's own; the region then holds a mixture, which
/// [`Alerter::new`] takes as it takes any bytes.
pub fn load<S: Storage>(storage: &mut S, region: &mut [u8]) -> Result<(), S::Error> {
    let len = storage.capacity().min(region.len());
    match region.get_mut(..len) {
        Some(front) => storage.read(0, front),
        None => Ok(()),
    }
}

/// Puts back what the ring memory has lost and storage still has: slots of 256 bytes that are
/// damaged, both banks of state if neither is sound. For a start whose memory survived, before the
/// alerter is made. Returns how much was put back; sound memory costs no access to storage.
///
/// # Errors
/// The storage's own. The region is then as good as before.
pub fn repair<S: Storage>(storage: &mut S, region: &mut [u8]) -> Result<u16, S::Error> {
    repair_sized::<S, TEXT_256>(storage, region)
}

/// As [`repair`], for slots of any size.
///
/// # Errors
/// The storage's own. The region is then as good as before.
pub fn repair_sized<S: Storage, const TEXT: usize>(
    storage: &mut S,
    region: &mut [u8],
) -> Result<u16, S::Error> {
    let mut repaired = 0;
    let end = storage.capacity().min(region.len());
    let size = slot_size::<TEXT>();
    let state_lost = state::find(state::RING, region).is_none() && ring::was_initialized(region);
    if state_lost && ring::LEDGER <= end {
        let Some(banks) = region.get_mut(..ring::LEDGER) else { return Ok(0) };
        storage.read(0, banks)?;
        repaired += 1;
    }
    for slot in 0..slots_of::<TEXT>(end) {
        let at = ring::OVERHEAD + slot * size;
        let Some(piece) = region.get_mut(at..at + size) else { break };
        if !ring::is_damaged::<TEXT>(piece) {
            continue;
        }
        // A slot is read only to be looked at: what stands there is no worse than what is lost.
        storage.read(at, piece)?;
        if ring::holds_record::<TEXT>(piece) {
            repaired += 1;
        } else {
            // Damaged as before, and to be counted so.
            piece.put(0, &[0xFF; 4]);
        }
    }
    Ok(repaired)
}
