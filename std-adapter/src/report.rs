//! From an alerter's figures to a [`DestinationHealth`].

use std::sync::atomic::Ordering;
use std::time::Duration;

use annunciator_core::alerter::{Activity, Stats};
use annunciator_core::time::Instant;

use crate::health::{Counters, DestinationHealth, Lost, State};
use crate::shared_alerter::SharedAlerter;
use crate::spool;

impl SharedAlerter {
    /// A snapshot.
    pub(crate) fn health(&self) -> DestinationHealth {
        let mut health = DestinationHealth::new(self.label.clone());
        if self.is_in_child() {
            let why = "this is a forked child: build an alerter after the fork";
            health.state = State::Disabled { why: why.to_owned() };
            health.counters.lost.unrecorded = self.missed();
            return health;
        }
        let inner = self.lock();
        let stats = inner.alerter.stats();
        let limits = inner.alerter.policy().limits;
        let trouble = inner.delivery_trouble.as_ref().map(|trouble| trouble.words.clone());
        health.last_trouble.clone_from(&inner.last_trouble);
        health.spool = inner.spool_health.clone();
        drop(inner);
        health.state = state(&stats, trouble);
        health.waiting = stats.waiting;
        health.counters = counters(&stats);
        health.counters.restarts = self.restarts.load(Ordering::Relaxed);
        health.spent = stats.price;
        health.balance = stats.balance;
        health.segments_a_month = limits.worst_month();
        health
    }
}

fn state(stats: &Stats, trouble: Option<String>) -> State {
    let cause = trouble.unwrap_or_else(|| "the last attempt failed".to_owned());
    match stats.activity {
        Activity::Idle => State::Idle,
        Activity::Waiting(at) => State::Waiting { due: until(at) },
        Activity::Sending => State::Sending,
        Activity::BackingOff(at) => State::BackingOff { cause, due: until(at) },
        Activity::Latched(at, _) => State::Latched { refusal: cause, due: until(at) },
        Activity::OutOfBudget(at) => State::OutOfBudget { due: until(at) },
        _ => State::Idle,
    }
}

fn until(at: Instant) -> Duration {
    at.since(spool::now()).into()
}

fn counters(stats: &Stats) -> Counters {
    let losses = stats.losses;
    Counters {
        recorded: stats.recorded,
        suppressed: stats.suppressed,
        delivered: stats.delivered,
        lost: Lost {
            evicted: losses.evicted,
            expired: losses.expired,
            refused: losses.refused,
            unrecorded: losses.unrecorded,
            damaged: losses.damaged,
        },
        texts: stats.texts,
        segments: stats.segments,
        retries: stats.retries,
        unknown: stats.unknown,
        refused: stats.refused,
        restarts: 0,
    }
}
