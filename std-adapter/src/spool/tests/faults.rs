//! Lets calls of this thread fail on demand: what no ordinary user can make a real disk do.

use std::cell::RefCell;
use std::time::Duration;

use rustix::io::Errno;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spool) enum Op {
    Read,
    Create,
    Write,
    /// Half of the bytes go through, the call after that fails.
    TornWrite,
    Sync,
    SyncDir,
    Rename,
    Unlink,
    /// A write that goes through, but seems to have taken long.
    Slow,
}

thread_local! {
    static BEFORE_LOCKING: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    static PLAN: RefCell<Vec<(Op, u32, Errno)>> = const { RefCell::new(Vec::new()) };
}

/// The next call of this kind after `skip` more of them fails, once.
pub(in crate::spool) fn fail(op: Op, skip: u32, errno: Errno) {
    PLAN.with_borrow_mut(|plan| plan.push((op, skip, errno)));
}

/// Does something in the moment between the next opening of a lock file and its locking.
pub(in crate::spool) fn before_locking(act: impl FnOnce() + 'static) {
    BEFORE_LOCKING.set(Some(Box::new(act)));
}

pub(in crate::spool) fn just_before_locking() {
    if let Some(act) = BEFORE_LOCKING.take() {
        act();
    }
}

/// Forgets what is planned.
pub(in crate::spool) fn clear() {
    PLAN.with_borrow_mut(Vec::clear);
}

/// Whether every planned fault has struck.
pub(in crate::spool) fn all_struck() -> bool {
    PLAN.with_borrow(Vec::is_empty)
}

pub(in crate::spool) fn check(op: Op) -> Result<(), Errno> {
    PLAN.with_borrow_mut(|plan| {
        let Some(index) = plan.iter().position(|(planned, ..)| *planned == op) else {
            return Ok(());
        };
        if plan[index].1 > 0 {
            plan[index].1 -= 1;
            return Ok(());
        }
        Err(plan.remove(index).2)
    })
}

pub(in crate::spool) fn shorten(bytes: &[u8]) -> Result<&[u8], Errno> {
    check(Op::Write)?;
    match check(Op::TornWrite) {
        Ok(()) => Ok(bytes),
        Err(errno) if bytes.len() > 1 => {
            PLAN.with_borrow_mut(|plan| plan.push((Op::Write, 0, errno)));
            Ok(&bytes[..bytes.len() / 2])
        }
        Err(errno) => Err(errno),
    }
}

/// Whether something is planned to seem slow: how fast a machine is proves nothing.
pub(in crate::spool) fn is_longer(_: Duration, _: Duration) -> bool {
    check(Op::Slow).is_err()
}
