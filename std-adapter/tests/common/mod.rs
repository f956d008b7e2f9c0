//! Waiting for what other threads and processes do.

use std::time::{Duration, Instant};

/// The longest wait for what should happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

#[track_caller]
pub(crate) fn wait_for(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
