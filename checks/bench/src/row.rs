//! What is measured: one way to log, with a name.

use std::path::Path;

/// How many calls make a batch. Small enough for every queue and ring here to take one whole.
pub const BATCH: u32 = 100;

/// One way to log. A process holds one row only, because `log` has one logger a process.
pub trait Row: Sized + Sync {
    /// As it is called on the command line and in the tables.
    const NAME: &'static str;

    /// Sets everything up, with files in `place`, so that errors are accepted and debug is not.
    fn install(place: &Path) -> Self;

    /// The call under test. Equal arguments make an equal event.
    #[inline(always)]
    fn error(&self, id: u32, code: u32) {
        log::error!("sensor {} failed: code {}", id, code);
    }

    /// The same, at a level that is filtered out.
    #[inline(always)]
    fn debug(&self, id: u32, code: u32) {
        log::debug!("sensor {} failed: code {}", id, code);
    }

    /// Called between batches, outside the measurement: lets a worker catch up.
    fn settle(&self) {}
}

/// What a batch consists of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// An error that differs from all before.
    Accepted,
    /// The same error as the one before.
    Repeated,
    /// A debug line that nobody wants.
    Filtered,
}

impl Op {
    /// In the order of the tables.
    pub const ALL: [Op; 3] = [Op::Accepted, Op::Repeated, Op::Filtered];

    /// As it is called on the command line and in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Op::Accepted => "accepted",
            Op::Repeated => "repeated",
            Op::Filtered => "filtered",
        }
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<Op> {
        Op::ALL.into_iter().find(|op| op.name() == name)
    }
}

/// One call of `row`; `number` tells an accepted error from all others.
///
/// Always inlined, with `op` known, so that nothing but the call remains.
#[inline(always)]
pub fn call(row: &impl Row, op: Op, number: u32) {
    use std::hint::black_box;
    match op {
        Op::Accepted => row.error(black_box(number), black_box(17)),
        Op::Repeated => row.error(black_box(7), black_box(17)),
        Op::Filtered => row.debug(black_box(number), black_box(17)),
    }
}
