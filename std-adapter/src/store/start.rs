//! Makes alerters on what a store has found: the program's own and those of orphans, alike.

use annunciator_core::alerter::{Alerter, Buffers, Origin, Policy, Setup, StartReason};
use annunciator_core::digest::Group;
use annunciator_core::ring::{Node, slots_of};

use super::Store;
use crate::spool::{self, Found, Region, Source, TEXT};

/// One ring and the state machine that serves it. The buffers are lent for the life of the process.
pub(crate) type Ring = Alerter<'static, Region, TEXT>;

/// Groups that one text can tell apart.
const GROUPS: usize = 32;

/// What all alerters of a destination have in common.
pub(crate) struct RingMaker {
    pub(crate) policy: Policy,
    /// Whether somebody wants to hear of starts after a crash.
    pub(crate) report_crashes: bool,
    /// A number that differs between devices.
    pub(crate) seed: u32,
}

impl RingMaker {
    /// The alerter of the program's own ring.
    pub(crate) fn own(&self, store: &Store, region: Region, found: &Found) -> Ring {
        let buffers = buffers(slots_of::<TEXT>(region.len()));
        self.make(store, region, found, true, buffers)
    }

    /// The alerter of a ring that another program has left. It sends what is there and says nothing
    /// of itself.
    pub(crate) fn orphan(
        &self,
        store: &Store,
        region: Region,
        found: &Found,
        spare: &mut Vec<Buffers<'static>>,
    ) -> Ring {
        let slots = slots_of::<TEXT>(region.len());
        let fits = spare.iter().position(|buffers| buffers.nodes.len() >= slots);
        let buffers = fits.map_or_else(|| buffers(slots), |index| spare.swap_remove(index));
        self.make(store, region, found, false, buffers)
    }

    fn make(
        &self,
        store: &Store,
        region: Region,
        found: &Found,
        own: bool,
        buffers: Buffers<'static>,
    ) -> Ring {
        let context = store.context();
        let mut setup = Setup::new(&context.wanted.prefix);
        setup.policy = self.policy;
        if !own {
            setup.prefix = None;
            setup.policy.heartbeat = None;
            setup.policy.recovered = None;
        }
        setup.now = spool::now();
        setup.boot = context.wanted.boot;
        setup.seed = self.seed;
        setup.ring_id = found.ring_id;
        setup.origin = match found.source {
            Source::File => Origin::Storage,
            Source::Memory | Source::Nothing => Origin::Memory,
        };
        if self.report_crashes && found.crashed {
            setup.reason = if own { StartReason::Crash } else { StartReason::Vanished };
        }
        setup.storage = store.wants_commits();
        // Not synced: a start does not wait for it.
        let mut alerter = context.destination.exchange(false, |bytes| {
            let mut setup: Setup<'_> = setup;
            setup.destination = Some(bytes);
            let mut alerter = Alerter::sized(region, buffers, &setup);
            let bank = alerter.store_destination();
            (alerter, bank)
        });
        if store.needs_rewrite() {
            alerter.rewrite(setup.now);
        }
        alerter
    }
}

fn buffers(slots: usize) -> Buffers<'static> {
    // A handful of kilobytes for each ring that is served at the same time.
    let nodes = Box::leak(vec![Node::EMPTY; slots].into_boxed_slice());
    let groups = Box::leak(vec![Group::EMPTY; GROUPS].into_boxed_slice());
    Buffers { nodes, groups }
}
