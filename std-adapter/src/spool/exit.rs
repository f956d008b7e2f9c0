//! A program that calls `process::exit` without dropping its guard has not crashed.
//!
//! Its memory file is marked as ended while the process exits: one store into the mapping, no lock
//! waited for, no file touched. A kill or an abort runs no such code, and that is the difference
//! the next start sees.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use super::header::{CLEAN, RUNNING, STATE_AT};
use super::map::{Mapping, call_at_exit};

/// The mappings of this process, and which process that is: a forked child has them too.
static MAPPINGS: Mutex<Vec<(Weak<Mapping>, u32)>> = Mutex::new(Vec::new());

/// Has the mapping's file marked when the process exits.
pub(super) fn mark_at_exit(mapping: &Arc<Mapping>) {
    static ONCE: Once = Once::new();
    // Without it an exit looks like a crash; no more.
    ONCE.call_once(|| _ = call_at_exit(mark_all));
    let mut mappings = MAPPINGS.lock().unwrap_or_else(PoisonError::into_inner);
    mappings.retain(|(mapping, _)| mapping.strong_count() > 0);
    mappings.push((Arc::downgrade(mapping), std::process::id()));
}

extern "C" fn mark_all() {
    // Held at this moment: another thread starts an alerter while the program exits.
    let Ok(mappings) = MAPPINGS.try_lock() else { return };
    let own = std::process::id();
    for mapping in mappings.iter().filter(|(_, owner)| *owner == own).map(|(mapping, _)| mapping) {
        if let Some(mapping) = mapping.upgrade()
            && let Some(state) = mapping.header_u32(STATE_AT)
        {
            // Not one that was never filled.
            let (from, to) = (RUNNING.to_le(), CLEAN.to_le());
            let _ = state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        }
    }
}
