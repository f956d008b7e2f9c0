//! Rings that programs have left which are dead: served beside the program's own until all of it
//! is sent.

use std::sync::Arc;

use annunciator_core::alerter::{Buffers, Done, Token};
use annunciator_core::memory::Memory as _;
use annunciator_core::ring::{identity, is_empty};
use annunciator_core::time::Instant;

use super::ring::{Progress, step};
use super::{BUFFER, Buffer, OWN, Served, is_sending, wall_clock};
use crate::event::TEXT;
use crate::shared_alerter::SharedAlerter;
use crate::spool::{self, ForkCopies};
use crate::store::{Ring, Store};

/// All orphans that are being served.
#[derive(Default)]
pub(super) struct Orphans {
    served: Vec<Orphan>,
    /// Buffers of those that are done.
    spare: Vec<Buffers<'static>>,
    last_number: u32,
    changed: bool,
}

struct Orphan {
    /// Tells its answers from those of others.
    number: u32,
    ring: Ring,
    store: Store,
    buf: Box<Buffer>,
}

/// The ring of an orphan, which nobody shares.
impl Served for Ring {
    fn with<R>(&mut self, work: impl FnOnce(&mut Ring) -> R) -> R {
        work(self)
    }

    fn stored(&mut self, _: &mut Store, _: Option<String>) {
        // The disk is the same as the program's own, which reports it.
    }
}

impl Orphans {
    /// Looks for orphans, and begins to serve them.
    pub(super) fn look(&mut self, shared: &SharedAlerter, store: &mut Store) {
        let mut trouble = None;
        for instance in store.orphans() {
            // Left for a later look.
            trouble = self.open(shared, store, instance).err().or(trouble);
        }
        store.note_orphan_trouble(trouble);
    }

    fn open(&mut self, shared: &SharedAlerter, store: &Store, instance: u8) -> Result<(), String> {
        let own = identity(shared.lock().alerter.memory().bytes());
        let Some((mut theirs, region, found)) = store.open_orphan(instance, own)? else {
            return Ok(());
        };
        let mut alerter = shared.maker.orphan(&theirs, region, &found, &mut self.spare);
        if let Some((now, since, offset)) = wall_clock(shared) {
            alerter.set_wall_clock(now, since, offset);
        }
        // That its program ended without a word is counted by now. Nobody else works on it in its
        // name, so it is closed.
        theirs.announce_end();
        self.last_number = self.last_number.wrapping_add(1).max(OWN + 1);
        self.changed = true;
        self.served.push(Orphan {
            number: self.last_number,
            ring: alerter,
            store: theirs,
            buf: Box::new([0; BUFFER]),
        });
        Ok(())
    }

    /// One step of each. Those of which nothing is left are done with.
    pub(super) fn step(&mut self, shared: &Arc<SharedAlerter>) -> Progress {
        let mut progress = Progress::Idle(Instant::FAR_FUTURE);
        let own_sends = is_sending(&shared.lock().alerter);
        let mut index = 0;
        while index < self.served.len() {
            let others = self.served.iter().enumerate().filter(|(other, _)| *other != index);
            let busy = own_sends || others.into_iter().any(|(_, orphan)| is_sending(&orphan.ring));
            let Some(orphan) = self.served.get_mut(index) else { break };
            let Orphan { number, ring, store, buf } = orphan;
            let stepped = step(shared, ring, store, buf, *number, busy);
            // Its disk came back, and with it another lock.
            self.changed |= store.take_relocked();
            match stepped {
                Progress::Again => progress = Progress::Again,
                Progress::Blocked if progress != Progress::Again => progress = Progress::Blocked,
                Progress::Blocked => {}
                Progress::Idle(_) if orphan.is_done() => {
                    self.retire(index);
                    continue;
                }
                Progress::Idle(until) => {
                    if let Progress::Idle(least) = progress {
                        progress = Progress::Idle(until.min(least));
                    }
                }
            }
            index += 1;
        }
        progress
    }

    /// Whether one of them has a text under way.
    pub(super) fn are_sending(&self) -> bool {
        self.served.iter().any(|orphan| is_sending(&orphan.ring))
    }

    /// Gives the instance free. Its ring stays for the next program.
    fn retire(&mut self, index: usize) {
        let Orphan { ring, mut store, .. } = self.served.swap_remove(index);
        store.end(true);
        let (region, buffers) = ring.into_parts();
        drop((region, store));
        self.spare.push(buffers);
        self.changed = true;
    }

    /// What became of a text of one of them.
    pub(super) fn done(&mut self, number: u32, now: Instant, token: Token, done: Done) {
        if let Some(orphan) = self.served.iter_mut().find(|orphan| orphan.number == number) {
            orphan.ring.done(now, token, done);
        }
    }

    /// Whether there are others than when this was asked last.
    pub(super) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What a forked child has to close.
    pub(super) fn fork_copies(&self) -> impl Iterator<Item = ForkCopies> {
        self.served.iter().map(|orphan| orphan.store.fork_copies())
    }

    /// Ends the hold of what waits.
    pub(super) fn flush(&mut self) {
        self.served.iter_mut().for_each(|orphan| orphan.ring.flush(spool::now()));
    }

    /// Whether nothing of theirs is under way or due.
    pub(super) fn are_settled(&self, now: Instant) -> bool {
        self.served.iter().all(|orphan| orphan.ring.is_settled(now))
    }

    /// Leaves what there is to the next program.
    pub(super) fn end(&mut self) {
        self.served.clear();
    }
}

impl Orphan {
    fn is_done(&self) -> bool {
        let alerter = &self.ring;
        let stats = alerter.stats();
        let rests = alerter.is_settled(spool::now()) && alerter.poll_at() == Instant::FAR_FUTURE;
        rests && !stats.storage_failing && is_empty::<TEXT>(alerter.memory().bytes())
    }
}
