//! One step of one ring, the program's own or an orphan's.

use std::sync::Arc;

use annunciator_core::alerter::{Done, Step, Token};
use annunciator_core::time::Instant;

use super::{Buffer, Served, look_after_memory, send, turn};
use crate::shared_alerter::SharedAlerter;
use crate::spool;
use crate::store::Store;

/// How a ring stands after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more to do at once.
    Again,
    /// Nothing before this.
    Idle(Instant),
    /// It has something to send, but another ring of the destination has a text under way.
    Blocked,
}

/// Takes a step and does what it asks for. `busy`: another ring of the destination has a text under
/// way, and this one begins none.
pub(super) fn step(
    shared: &Arc<SharedAlerter>,
    ring: &mut impl Served,
    store: &mut Store,
    buf: &mut Buffer,
    number: u32,
    busy: bool,
) -> Progress {
    let now = spool::now();
    let step = match ring.step(now, buf) {
        None if busy => return Progress::Blocked,
        None => {
            step_with_destination(ring, store, buf);
            return Progress::Again;
        }
        Some(step) => step,
    };
    match step {
        Step::Again => Progress::Again,
        Step::Idle { until } => Progress::Idle(until),
        Step::Write { token, at, len } => {
            let result = store.write(at, buf.get(..len).unwrap_or(&[]));
            stored(ring, store, token, result, false);
            Progress::Again
        }
        Step::Sync { token } => {
            let result = store.sync();
            stored(ring, store, token, result, true);
            Progress::Again
        }
        Step::Send(ticket) => {
            match turn(shared, now, &ticket, buf) {
                Ok(()) => send(shared, number, ticket, buf),
                Err(later) => {
                    ring.with(|alerter| alerter.done(now, ticket.token, Done::Sent(later)));
                }
            }
            Progress::Again
        }
    }
}

/// Takes the steps that need the destination's state, while it is locked for others.
fn step_with_destination(ring: &mut impl Served, store: &Store, buf: &mut Buffer) {
    store.context().destination.exchange(true, |bytes| {
        ring.with(|alerter| alerter.load_destination(spool::now(), bytes));
        loop {
            let more = ring.with(|alerter| {
                let now = spool::now();
                alerter.wants_destination(now) && alerter.step(now, buf) == Step::Again
            });
            if !more {
                break;
            }
        }
        ((), ring.with(|alerter| alerter.store_destination()))
    });
}

/// Reports what became of a piece of writing. At the end of a round, or if something went wrong, it
/// looks after the memory file on the way.
fn stored(
    ring: &mut impl Served,
    store: &mut Store,
    token: Token,
    result: Result<(), String>,
    synced: bool,
) {
    let done = if result.is_ok() { Done::Stored } else { Done::StorageFailed };
    let attached = store.take_attached();
    let ends = synced || attached || result.is_err();
    if ends {
        look_after_memory(ring, store, !store.memory_is_linked());
    }
    ring.with(|alerter| {
        alerter.done(spool::now(), token, done);
        if attached {
            // The disk is back, with nothing of this or with an older copy.
            alerter.rewrite(spool::now());
        }
    });
    if ends {
        ring.stored(store, result.err());
    }
}
