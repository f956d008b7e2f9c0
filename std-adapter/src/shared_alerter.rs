//! One destination as the program's threads see it: a lock around its alerter, held shortly, and a
//! wakeup for the worker, which is notified only when an event shortens the worker's sleep.
//!
//! A forked child has a copy of all this that no thread serves: its locks may be locked for ever,
//! its ring is the parent's. There an event is counted and nothing else is touched. A child that
//! wants to alert builds an alerter of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant as StdInstant};

use annunciator_core::alerter::Token;
use annunciator_core::event::Level;
use annunciator_core::pace::Pace;
use annunciator_core::ring::{Admission, slot_size};
use annunciator_core::time::Instant;
use annunciator_core::transport::Outcome;

use crate::event::{Entry, TEXT};
use crate::health::{FlushReport, Reporter, SpoolHealth};
use crate::spool::{self, DirectWriter, ForkCopies, ForkGuard};
use crate::store::{Ring, RingMaker, Store};
use crate::transports::{DeliveryTrouble, DescribedTransport};

/// Size of a slot.
const SLOT: usize = slot_size::<TEXT>();

/// How often a panic tries the lock, and how long it rests in between: five milliseconds in all.
const LOCK_TRIES: u32 = 51;
const LOCK_PAUSE: Duration = Duration::from_micros(100);

/// One destination. What several threads use is locked or atomic field by field, so that none waits for
/// what it does not need.
pub(crate) struct SharedAlerter {
    pub(crate) label: String,
    inner: Mutex<Inner>,
    /// Notified to wake the worker.
    wakeup: Condvar,
    /// Notified by the worker when it comes to rest.
    rested: Condvar,
    /// Where an event goes that must not wait for the lock.
    side: Mutex<Option<Entry>>,
    /// Events that found the side slot taken; in a forked child, all events.
    busy: AtomicU32,
    pub(crate) restarts: AtomicU32,
    fork: ForkGuard,
    /// What a forked child has to close.
    copies: Mutex<ForkCopies>,
    pub(crate) store: Mutex<Store>,
    /// Makes the alerters of orphans.
    pub(crate) maker: RingMaker,
    /// Starts the worker's thread; `false` if there is none to be had.
    start_worker: fn(&Arc<SharedAlerter>) -> bool,
    pub(crate) transport: Mutex<Box<dyn DescribedTransport>>,
    pub(crate) reporter: Reporter,
    /// Minutes that the owner's local time is ahead of UTC, if that is known.
    pub(crate) utc_offset: Option<i16>,
    /// The turns of the sender that it shares with others, if it does.
    pub(crate) pace: Option<Arc<Mutex<Pace>>>,
    /// The threads that hold this alerter. Beside it, since it outlives it.
    pub(crate) threads: Arc<WaitGroup>,
}

/// Counts the threads that serve an alerter, so that its end can be waited for: as long as one of
/// them holds the alerter, its files stay locked, and a next start in this process would find them
/// taken.
#[derive(Debug, Default)]
pub(crate) struct WaitGroup {
    members: Mutex<u32>,
    changed: Condvar,
}

/// One thread of a [`WaitGroup`]. To be dropped after the thread's reference to the alerter.
pub(crate) struct WaitGroupGuard(Arc<WaitGroup>);

impl WaitGroup {
    pub(crate) fn join(self: &Arc<Self>) -> WaitGroupGuard {
        *self.lock() += 1;
        WaitGroupGuard(Arc::clone(self))
    }

    /// Waits until all have left, or for `deadline`.
    fn wait_empty(&self, deadline: StdInstant) {
        let mut members = self.lock();
        while *members > 0 {
            let left = deadline.saturating_duration_since(StdInstant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(members, left);
            members = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, u32> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitGroupGuard {
    fn drop(&mut self) {
        *self.0.lock() -= 1;
        self.0.changed.notify_all();
    }
}

/// What came back for a text.
pub(crate) struct Answer {
    /// Which of the worker's rings it is of.
    pub(crate) ring: u32,
    pub(crate) token: Token,
    pub(crate) outcome: Outcome,
}

/// What the lock guards.
pub(crate) struct Inner {
    pub(crate) alerter: Ring,
    /// What came back for texts under way, until the worker looks.
    pub(crate) answers: Vec<Answer>,
    /// When the worker wakes by itself; zero while it is awake.
    pub(crate) sleeping_until: Instant,
    /// Whether the worker has a thread.
    pub(crate) running: bool,
    /// Whether the worker ends its run and its thread when it comes to rest.
    pub(crate) closing: bool,
    /// Whether what waits outlives the program.
    pub(crate) keeps: bool,
    /// For severe events, if memory does not outlive the program.
    pub(crate) direct: Option<DirectWriter>,
    /// How the store was doing when the worker used it last.
    pub(crate) spool_health: SpoolHealth,
    /// What is wrong with the route to the service, and a description of what is wrong with the
    /// store.
    pub(crate) delivery_trouble: Option<DeliveryTrouble>,
    pub(crate) store_trouble: Option<String>,
    /// The last trouble of either, also if it is over.
    pub(crate) last_trouble: Option<String>,
}

impl SharedAlerter {
    pub(crate) fn new(
        label: String,
        alerter: Ring,
        store: Store,
        maker: RingMaker,
        start_worker: fn(&Arc<SharedAlerter>) -> bool,
        transport: Box<dyn DescribedTransport>,
        reporter: Reporter,
    ) -> SharedAlerter {
        SharedAlerter {
            label,
            inner: Mutex::new(Inner {
                alerter,
                answers: Vec::new(),
                sleeping_until: Instant::FAR_FUTURE,
                running: false,
                closing: false,
                keeps: store.keeps(),
                direct: store.direct_writer(),
                spool_health: store.health(None),
                delivery_trouble: None,
                store_trouble: None,
                last_trouble: None,
            }),
            wakeup: Condvar::new(),
            rested: Condvar::new(),
            side: Mutex::new(None),
            busy: AtomicU32::new(0),
            restarts: AtomicU32::new(0),
            fork: ForkGuard::new(),
            copies: Mutex::new(store.fork_copies()),
            store: Mutex::new(store),
            maker,
            start_worker,
            transport: Mutex::new(transport),
            reporter,
            utc_offset: None,
            pace: None,
            threads: Arc::default(),
        }
    }

    /// Records one event. The only cost that is not the alerter's is an uncontended lock.
    #[inline]
    pub(crate) fn admit(self: &Arc<Self>, now: Instant, entry: &Entry) {
        if self.is_in_child() {
            return self.count_in_child();
        }
        self.admit_locked(self.lock(), now, entry);
    }

    #[inline]
    fn admit_locked(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        now: Instant,
        entry: &Entry,
    ) {
        let admission = inner.alerter.admit(now, entry);
        if inner.direct.is_some() && entry.level() >= Level::Error {
            return self.write_directly(inner, admission);
        }
        if inner.alerter.has_moved() {
            self.wake_if_needed(&mut inner);
        }
    }

    /// Writes the record to the file from here: memory does not outlive the program. Under no lock
    /// but the file's own, which is tried and not waited for.
    #[cold]
    fn write_directly(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>, admission: Admission) {
        let mut bytes = [0; SLOT];
        let taken = matches!(admission, Admission::Stored | Admission::Merged);
        let writer = inner.direct.clone();
        let permit = inner.alerter.last_written().filter(|_| taken).and_then(|(at, slot)| {
            let permit = writer.as_ref()?.begin(at, SLOT)?;
            bytes.iter_mut().zip(slot).for_each(|(to, from)| *to = *from);
            Some(permit)
        });
        self.wake_if_needed(&mut inner);
        drop(inner);
        if let Some(permit) = permit {
            // Whatever comes of it, the worker writes it again and syncs.
            let _ = permit.write(&bytes);
        }
    }

    /// Records one event without waiting for long: if the lock is still held after a few
    /// milliseconds, perhaps by this very thread, the event goes to the side slot, and if that is
    /// taken it is counted.
    ///
    /// Others hold the lock for microseconds. The side slot ends with the process, and it may be
    /// about to: with `panic = "abort"` these milliseconds decide whether the panic is reported.
    pub(crate) fn try_admit(self: &Arc<Self>, now: Instant, entry: &Entry) {
        if self.is_in_child() {
            return self.count_in_child();
        }
        for patience in (0..LOCK_TRIES).rev() {
            match self.inner.try_lock() {
                Ok(inner) => return self.admit_locked(inner, now, entry),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return self.admit_locked(poisoned.into_inner(), now, entry);
                }
                Err(TryLockError::WouldBlock) if patience > 0 => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        match self.side.try_lock() {
            Ok(mut side) if side.is_none() => *side = Some(entry.clone()),
            _ => {
                self.busy.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.wakeup.notify_one();
    }

    /// Whether this is a forked child of the process that made the alerter.
    #[inline]
    pub(crate) fn is_in_child(&self) -> bool {
        if !self.fork.in_child() {
            return false;
        }
        self.close_copies();
        true
    }

    /// In a forked child: closes its copies of the parent's locks, so that the parent's instance is
    /// free when the parent is dead.
    #[cold]
    fn close_copies(&self) {
        // In use when it was forked means in use for ever; then they go when the child does.
        if let Ok(mut copies) = self.copies.try_lock() {
            std::mem::take(&mut *copies).give_up();
        }
    }

    /// In a forked child: counts an event.
    fn count_in_child(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
    }

    /// What a forked child will have to close from now on.
    pub(crate) fn keep_copies(&self, copies: ForkCopies) {
        *self.copies.lock().unwrap_or_else(PoisonError::into_inner) = copies;
    }

    /// Events that were recorded in this forked child.
    pub(crate) fn missed(&self) -> u32 {
        self.busy.load(Ordering::Relaxed)
    }

    /// Counts an event that was not recorded on purpose.
    pub(crate) fn suppressed(&self) {
        if !self.is_in_child() {
            self.lock().alerter.count_suppressed(1);
        }
    }

    /// Has everything committed soon, and ends the hold of what waits if `send` says so.
    pub(crate) fn request_flush(self: &Arc<Self>, now: Instant, send: bool) {
        if self.is_in_child() {
            return;
        }
        let mut inner = self.lock();
        if send {
            inner.alerter.flush(now);
        } else {
            inner.alerter.commit(now);
        }
        self.wake_if_needed(&mut inner);
    }

    #[cold]
    fn wake_if_needed(self: &Arc<Self>, inner: &mut Inner) {
        if inner.alerter.poll_at() < inner.sleeping_until {
            self.wake(inner);
        }
        // While there is no thread to be had, each event looks again.
        if inner.sleeping_until != Instant::FAR_FUTURE || inner.running {
            inner.alerter.clear_moved();
        }
    }

    /// Wakes the worker, or starts it.
    #[cold]
    pub(crate) fn wake(self: &Arc<Self>, inner: &mut Inner) {
        inner.sleeping_until = Instant::ZERO;
        if inner.running {
            self.wakeup.notify_one();
        } else if (self.start_worker)(self) {
            inner.running = true;
        } else {
            // No thread to be had now: the next event tries again.
            inner.sleeping_until = Instant::FAR_FUTURE;
        }
    }

    /// Has the worker end its run when it comes to rest. An event later starts it again.
    pub(crate) fn close(self: &Arc<Self>) {
        if self.is_in_child() {
            return;
        }
        let mut inner = self.lock();
        inner.closing = true;
        inner.alerter.commit(spool::now());
        self.wake(&mut inner);
    }

    /// Waits until nothing is under way and nothing will be before `deadline`, or for `deadline`.
    /// `begun` is how many events had been delivered when the flush began.
    pub(crate) fn wait_settled(&self, deadline: StdInstant, begun: u32) -> FlushReport {
        if self.is_in_child() {
            return FlushReport::default();
        }
        let mut inner = self.lock();
        loop {
            let left = deadline.saturating_duration_since(StdInstant::now());
            let until = spool::now() + left.into();
            let settled = inner.alerter.is_settled(until) && self.side_is_empty();
            if settled || left.is_zero() {
                break;
            }
            // The worker notifies when it rests; the limit covers a worker that could not start.
            let nap = left.min(Duration::from_millis(500));
            let waited = self.rested.wait_timeout(inner, nap);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let stats = inner.alerter.stats();
        let sent = stats.delivered.saturating_sub(begun);
        if inner.keeps {
            FlushReport { sent, kept: stats.waiting, volatile: 0 }
        } else {
            FlushReport { sent, kept: 0, volatile: stats.waiting }
        }
    }

    /// Waits until the worker has ended its run and no thread holds the alerter, or for
    /// `deadline`.
    pub(crate) fn wait_closed(&self, deadline: StdInstant) {
        if self.is_in_child() {
            return;
        }
        let mut inner = self.lock();
        while inner.running && inner.closing {
            let left = deadline.saturating_duration_since(StdInstant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.rested.wait_timeout(inner, left);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let restarted = inner.running;
        drop(inner);
        if !restarted {
            self.threads.wait_empty(deadline);
        }
    }

    /// Events delivered so far, for [`wait_settled`](SharedAlerter::wait_settled).
    pub(crate) fn delivered(&self) -> u32 {
        if self.is_in_child() { 0 } else { self.lock().alerter.stats().delivered }
    }

    fn side_is_empty(&self) -> bool {
        self.side.try_lock().is_ok_and(|side| side.is_none())
    }

    /// Records what is in the side slot, and counts what did not fit there.
    pub(crate) fn drain_side_slot(&self, inner: &mut Inner) {
        let now = spool::now();
        let aside = self.side.try_lock().ok().and_then(|mut side| side.take());
        if let Some(entry) = aside {
            inner.alerter.admit(now, &entry);
        }
        if self.busy.load(Ordering::Relaxed) > 0 {
            let busy = self.busy.swap(0, Ordering::Relaxed);
            inner.alerter.count_lost(now, busy);
        }
    }

    /// Sleeps until woken, or for `nap`.
    pub(crate) fn sleep<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        nap: Duration,
    ) -> MutexGuard<'a, Inner> {
        self.rested.notify_all();
        let waited = self.wakeup.wait_timeout(inner, nap);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Notifies those who wait for the worker that it has stopped.
    pub(crate) fn notify_stopped(&self) {
        self.rested.notify_all();
    }

    /// The lock. Poison means that a panic happened under it, which the alerter survives.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
