//! The thread that serves one destination: steps its alerters, writes to disk, and has texts sent.
//!
//! It serves the program's own ring, which it shares with log calls, and the rings of orphans, one
//! step each in turn. They have one rhythm and one budget, so an attempt of one begins when that of
//! another has its answer; beyond that none waits for another. It is started by the first event, or
//! at once if an earlier run left something. A text is sent by a short-lived thread of its own, so
//! that a slow network never keeps an event from the disk. A panic in either is contained, counted,
//! and work goes on.
//!
//! ```text
//!  own ring ──┐                        ┌──► courier ──► transport
//!             ├─ step in turn ─ Send ──┤                   │
//!  orphans ───┘      ▲                 └──► courier ...    ▼
//!                    └──────────── answers, in the mailbox ┘
//! ```

mod orphans;
mod ring;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use annunciator_core::alerter::{Activity, Done, Step, Ticket};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::memory::Memory as _;
use annunciator_core::ring::{is_empty, slot_size};
use annunciator_core::time::{self, Instant};
use annunciator_core::transport::{Code, Outcome};

use crate::event::TEXT;
use crate::logger::mute_this_thread;
use crate::shared_alerter::{Answer, Inner, SharedAlerter};
use crate::spool::{self, ForkCopies};
use crate::store::{Ring, Store};
use crate::transports::{self, DescribedTransport};
use orphans::Orphans;
use ring::{Progress, step};

/// The longest the worker sleeps while something is due: it notices within this that the device
/// was suspended, which a thread's sleep does not count.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// The longest it sleeps otherwise.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// How long a ring that has something to send leaves its commits alone, if they are due meanwhile.
const BLOCKED_NAP: time::Duration = time::Duration::from_millis(50);

/// Holds the text and the pieces to be written.
type Buffer = [u8; BUFFER];
const BUFFER: usize =
    if text_bytes(6) > slot_size::<TEXT>() { text_bytes(6) } else { slot_size::<TEXT>() };

/// The program's own ring, among those that have texts under way; orphans have other numbers.
const OWN: u32 = 0;

/// Starts the worker's thread; `false` if there is none to be had.
pub(crate) fn start(shared: &Arc<SharedAlerter>) -> bool {
    let thread = thread::Builder::new().name("annunciator".to_owned());
    thread.spawn(holding(shared, |shared| supervise(&shared, work))).is_ok()
}

/// A thread's body that is counted for as long as it holds the alerter.
fn holding(
    shared: &Arc<SharedAlerter>,
    body: impl FnOnce(Arc<SharedAlerter>) + Send + 'static,
) -> impl FnOnce() + Send + 'static {
    let (guard, shared) = (shared.threads.join(), Arc::clone(shared));
    move || {
        body(shared);
        drop(guard);
    }
}

/// Has `work` done, again if it panics.
fn supervise(shared: &Arc<SharedAlerter>, work: impl Fn(&Arc<SharedAlerter>)) {
    mute_this_thread();
    while catch_unwind(AssertUnwindSafe(|| work(shared))).is_err() {
        shared.restarts.fetch_add(1, Ordering::Relaxed);
        // Orphans are found again by the next look, and take what they sent as unknown.
        take_answers(shared, &mut Orphans::default());
        shared.lock().alerter.abandon(spool::now());
        thread::sleep(Duration::from_secs(1));
    }
    shared.notify_stopped();
}

/// Serves until the alerter closes.
fn work(shared: &Arc<SharedAlerter>) {
    let mut store = shared.store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buf: Buffer = [0; BUFFER];
    let mut orphans = Orphans::default();
    show_clock(shared, &mut shared.lock());
    begin(shared, &mut store);
    // Also after a panic, which gave the orphans of before up.
    keep_copies(shared, &store, &orphans);
    orphans.look(shared, &mut store);
    loop {
        if store.take_relocked() {
            // The disk is back, and perhaps something of others with it.
            orphans.look(shared, &mut store);
            keep_copies(shared, &store, &orphans);
        } else if orphans.take_changed() {
            keep_copies(shared, &store, &orphans);
        }
        take_answers(shared, &mut orphans);
        let busy = orphans.are_sending();
        let own = step(shared, &mut OwnRing(shared), &mut store, &mut buf, OWN, busy);
        let others = orphans.step(shared);
        if own == Progress::Again || others == Progress::Again {
            continue;
        }

        let inner = shared.lock();
        if inner.closing && store.is_open() {
            drop(inner);
            store.announce_end();
            orphans.flush();
            continue;
        }
        let now = spool::now();
        if inner.closing && orphans.are_settled(now) {
            let mut inner = inner;
            if end(&mut inner, &mut store) {
                drop(inner);
                orphans.end();
                keep_copies(shared, &store, &orphans);
                return;
            }
            sleep(shared, inner, [own, others], Instant::FAR_FUTURE);
            continue;
        }
        if store.round_is_due(now) {
            drop(inner);
            make_round(shared, &mut store, &mut orphans, now);
            continue;
        }
        sleep(shared, inner, [own, others], store.next_round());
    }
}

/// Sleeps until one of the rings has something to do, but no longer than `until`, or until an event
/// or an answer wakes it. The first ring is the program's own.
fn sleep(
    shared: &SharedAlerter,
    mut inner: MutexGuard<'_, Inner>,
    rings: [Progress; 2],
    until: Instant,
) {
    let now = spool::now();
    let [own, others] = rings.map(|ring| match ring {
        Progress::Again => now,
        Progress::Idle(until) => until,
        // An answer wakes it; until then it has to look after its commits.
        Progress::Blocked => now + BLOCKED_NAP,
    });
    // Something may have come since the step.
    let own = if rings[0] == Progress::Blocked { own } else { inner.alerter.poll_at() };
    let until = until.min(own).min(others);
    if until <= now || !inner.answers.is_empty() {
        return;
    }
    inner.sleeping_until = until;
    let mut inner = shared.sleep(inner, nap(until));
    inner.sleeping_until = Instant::ZERO;
    show_clock(shared, &mut inner);
}

/// Shows the alerter the wall clock, which may have been set meanwhile.
fn show_clock(shared: &SharedAlerter, inner: &mut Inner) {
    if let Some((now, since, offset)) = wall_clock(shared) {
        inner.alerter.set_wall_clock(now, since, offset);
    }
}

/// The present time, the seconds since 1970, and by how many minutes the owner is ahead of UTC.
fn wall_clock(shared: &SharedAlerter) -> Option<(Instant, u64, i16)> {
    let offset = shared.utc_offset?;
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some((spool::now(), since.as_secs(), offset))
}

fn nap(until: Instant) -> Duration {
    if until == Instant::FAR_FUTURE {
        return LONGEST_REST;
    }
    let span: Duration = until.since(spool::now()).into();
    span.min(LONGEST_NAP)
}

/// Ends the run, unless something is still under way.
fn end(inner: &mut Inner, store: &mut Store) -> bool {
    if !inner.alerter.is_settled(spool::now()) {
        return false;
    }
    // What the disk lacks is in the memory file alone. That may be news without an event, too: an
    // end that nobody has heard of, losses.
    let empty = is_empty::<TEXT>(inner.alerter.memory().bytes());
    let nothing_left = empty && !inner.alerter.stats().storage_failing;
    store.end(nothing_left);
    inner.closing = false;
    inner.running = false;
    inner.sleeping_until = Instant::FAR_FUTURE;
    true
}

/// Takes the run up.
fn begin(shared: &SharedAlerter, store: &mut Store) {
    store.resume();
    // A run that ended with nothing left has removed it.
    look_after_memory(&mut OwnRing(shared), store, !store.memory_is_linked());
    // Nothing will ever be written there and fail, so this is the time to say it.
    if let Some(why) = store.lacks_disk().map(str::to_owned) {
        refresh(shared, shared.lock(), store, Some(why));
    }
}

/// What a forked child has to close from now on.
fn keep_copies(shared: &SharedAlerter, store: &Store, orphans: &Orphans) {
    shared.keep_copies(ForkCopies::join(orphans.fork_copies().chain([store.fork_copies()])));
}

/// Hands each answer to the ring whose text it is of.
fn take_answers(shared: &SharedAlerter, orphans: &mut Orphans) {
    let mut inner = shared.lock();
    if inner.answers.is_empty() {
        return;
    }
    let now = spool::now();
    for answer in std::mem::take(&mut inner.answers) {
        let done = Done::Sent(answer.outcome);
        match answer.ring {
            OWN => inner.alerter.done(now, answer.token, done),
            ring => orphans.done(ring, now, answer.token, done),
        }
    }
}

/// Sees to it that disk and memory are as they were left, and looks for what others have left.
fn make_round(shared: &Arc<SharedAlerter>, store: &mut Store, orphans: &mut Orphans, now: Instant) {
    let result = store.round(now);
    look_after_memory(&mut OwnRing(shared), store, store.wants_memory());
    if store.take_attached() || result.is_err() {
        shared.lock().alerter.rewrite(now);
    }
    let lost = store.expire(now);
    orphans.look(shared, store);
    let mut inner = shared.lock();
    if lost > 0 {
        inner.alerter.count_lost(now, lost);
    }
    // A look at the disk ends no trouble: only a write that succeeds does.
    let trouble = result.err().or_else(|| inner.store_trouble.take());
    refresh(shared, inner, store, trouble);
}

/// Makes the memory file anew if it has `gone`.
fn look_after_memory(ring: &mut impl Served, store: &mut Store, gone: bool) {
    if gone {
        ring.with(|alerter| store.recreate_memory(alerter.memory_mut()));
        store.note_memory();
    }
}

/// Passes on how the store is doing.
fn refresh(
    shared: &SharedAlerter,
    mut inner: MutexGuard<'_, Inner>,
    store: &mut Store,
    trouble: Option<String>,
) {
    inner.keeps = store.keeps();
    inner.direct = store.direct_writer();
    inner.store_trouble = trouble;
    inner.spool_health = store.health(inner.store_trouble.as_deref());
    report(shared, inner);
}

/// Calls the program's callback if the trouble has changed. Takes the lock to release it.
fn report(shared: &SharedAlerter, mut inner: MutexGuard<'_, Inner>) {
    let delivery = inner.delivery_trouble.as_ref();
    let delivery = delivery.map(|trouble| (Some(trouble.code), trouble.words.clone()));
    let store = || inner.store_trouble.clone().map(|words| (None, words));
    let (code, trouble) = delivery.or_else(store).unzip();
    if trouble.is_some() {
        inner.last_trouble.clone_from(&trouble);
    }
    drop(inner);
    shared.reporter.report(code.flatten(), trouble.as_deref());
}

/// Whether a text of this ring is being prepared or is under way.
fn is_sending(alerter: &Ring) -> bool {
    alerter.stats().activity == Activity::Sending
}

/// The next step, unless that needs the destination's state, which is not at hand.
fn step_unless_wanting(alerter: &mut Ring, now: Instant, buf: &mut Buffer) -> Option<Step> {
    (!alerter.wants_destination(now)).then(|| alerter.step(now, buf))
}

/// A ring as the worker reaches it.
trait Served {
    /// Does something with its alerter, under its lock if it has one.
    fn with<R>(&mut self, work: impl FnOnce(&mut Ring) -> R) -> R;

    /// The next step; none if that needs the destination's state. What came by another way is
    /// brought in before.
    fn step(&mut self, now: Instant, buf: &mut Buffer) -> Option<Step> {
        self.with(|alerter| step_unless_wanting(alerter, now, buf))
    }

    /// What became of a use of its store.
    fn stored(&mut self, store: &mut Store, trouble: Option<String>);
}

/// The program's own ring.
struct OwnRing<'a>(&'a SharedAlerter);

impl Served for OwnRing<'_> {
    fn with<R>(&mut self, work: impl FnOnce(&mut Ring) -> R) -> R {
        work(&mut self.0.lock().alerter)
    }

    fn step(&mut self, now: Instant, buf: &mut Buffer) -> Option<Step> {
        let mut inner = self.0.lock();
        self.0.drain_side_slot(&mut inner);
        if let Some(direct) = &inner.direct {
            direct.worker_copies();
        }
        step_unless_wanting(&mut inner.alerter, now, buf)
    }

    fn stored(&mut self, store: &mut Store, trouble: Option<String>) {
        refresh(self.0, self.0.lock(), store, trouble);
    }
}

/// Takes the sender's turn, or says what becomes of the attempt without it.
fn turn(
    shared: &SharedAlerter,
    now: Instant,
    ticket: &Ticket,
    buf: &Buffer,
) -> Result<(), Outcome> {
    let Some(pace) = &shared.pace else { return Ok(()) };
    let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
    pace.turn(now, ticket.message(buf).segments)
}

/// Hands the text to a thread of its own; if there is none to be had, sends it from this one.
fn send(shared: &Arc<SharedAlerter>, ring: u32, ticket: Ticket, buf: &Buffer) {
    let text = *buf;
    let courier = holding(shared, move |shared| deliver(&shared, ring, &ticket, &text));
    let thread = thread::Builder::new().name("annunciator-send".to_owned());
    if thread.spawn(courier).is_err() {
        deliver(shared, ring, &ticket, &text);
    }
}

fn deliver(shared: &Arc<SharedAlerter>, ring: u32, ticket: &Ticket, text: &Buffer) {
    mute_this_thread();
    let mut transport = shared.transport.lock().unwrap_or_else(PoisonError::into_inner);
    let attempt = || transport.send(&ticket.message(text));
    let outcome = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
        shared.restarts.fetch_add(1, Ordering::Relaxed);
        Outcome::Unknown(Code::NONE)
    });
    let trouble = transports::trouble(&outcome, &**transport as &dyn DescribedTransport);
    drop(transport);
    let mut inner = shared.lock();
    inner.answers.push(Answer { ring, token: ticket.token, outcome });
    inner.delivery_trouble = trouble;
    shared.wake(&mut inner);
    report(shared, inner);
}
