//! What a fault of the worker itself costs.

use super::*;
use crate::Builder;
use crate::testing::Phone;
use annunciator_core::event::{Event, Level};
use std::sync::atomic::AtomicU32;

/// Nothing of a program's own runs on the worker, so only a fault of ours can make it panic.
#[test]
fn a_worker_that_panics_begins_anew_with_what_it_had() {
    let (phone, texts) = Phone::new();
    // A name of its own: what another run of this test has reported is no news.
    let name = format!("shaken-{}", std::process::id());
    let alerts = Builder::new(&name)
        .environment(|_| None)
        .without_spool()
        .transport("own", phone)
        .start()
        .expect("a configuration");
    let shared = alerts.shared_alerter();
    // The one of this test.
    shared.lock().running = true;
    alerts.record(&Event::new(Level::Error, "no pressure"));
    let worker = thread::spawn(move || {
        let begun = AtomicU32::new(0);
        supervise(&shared, |shared| {
            if begun.fetch_add(1, Ordering::Relaxed) < 2 {
                let mut inner = shared.lock();
                let _ = inner.alerter.step(spool::now(), &mut [0; BUFFER]);
                panic!("a fault of the worker");
            }
            work(shared);
        });
    });
    let text = texts.recv_timeout(Duration::from_secs(40)).expect("a text");
    assert_eq!(text, format!("[Rust Logger {name}] ERROR: no pressure"));
    let health = alerts.health();
    assert_eq!(health.destinations[0].counters.restarts, 2, "{health}");
    drop(alerts);
    worker.join().expect("it is over with the run");
    assert_eq!(texts.try_iter().count(), 0, "told once");
}
