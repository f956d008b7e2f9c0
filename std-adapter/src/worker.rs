//! The thread that serves one destination: steps its alerter, writes to disk, and has texts sent.
//!
//! Started by the first event, or at once if an earlier run left something. A text is sent by a
//! short-lived thread of its own, so that a slow network never keeps an event from the disk. A
//! panic in either is contained, counted, and work goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use annunciator_core::alerter::{Adoption, Done, Estate, Origin, Step, Ticket, Token};
use annunciator_core::digest::text_bytes;
use annunciator_core::ring::SLOT;
use annunciator_core::time::Instant;
use annunciator_core::transport::{Code, Outcome};

use crate::carrier::{self, Carrier};
use crate::channel::{Channel, Inner};
use crate::logger::mute_this_thread;
use crate::spool;
use crate::store::{Parcel, Store};

/// The longest the worker sleeps while something is due: it notices within this that the device
/// was suspended, which a thread's sleep does not count.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// The longest it sleeps otherwise.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// Holds the text and the pieces to be written.
type Buffer = [u8; BUFFER];
const BUFFER: usize = if text_bytes(6) > SLOT { text_bytes(6) } else { SLOT };

/// Starts the worker's thread; `false` if there is none to be had.
pub(crate) fn start(channel: &Arc<Channel>) -> bool {
    let thread = thread::Builder::new().name("annunciator".to_owned());
    thread.spawn(holding(channel, |channel| supervise(&channel, work))).is_ok()
}

/// A thread's body that is counted for as long as it holds the channel.
fn holding(
    channel: &Arc<Channel>,
    body: impl FnOnce(Arc<Channel>) + Send + 'static,
) -> impl FnOnce() + Send + 'static {
    let (member, channel) = (channel.crew.join(), Arc::clone(channel));
    move || {
        body(channel);
        drop(member);
    }
}

/// Has `work` done, again if it panics.
fn supervise(channel: &Arc<Channel>, work: impl Fn(&Arc<Channel>)) {
    mute_this_thread();
    while catch_unwind(AssertUnwindSafe(|| work(channel))).is_err() {
        channel.restarts.fetch_add(1, Ordering::Relaxed);
        channel.lock().alerter.abandon(spool::now());
        thread::sleep(Duration::from_secs(1));
    }
    channel.gone();
}

/// Serves until the channel closes.
fn work(channel: &Arc<Channel>) {
    let mut store = channel.store.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buf: Buffer = [0; BUFFER];
    show_clock(channel, &mut channel.lock());
    begin(channel, &mut store);
    loop {
        let mut inner = channel.lock();
        channel.take_aside(&mut inner);
        let now = spool::now();
        if let Some(direct) = &inner.direct {
            direct.worker_copies();
        }
        let step = inner.alerter.step(now, &mut buf);
        match step {
            Step::Again => {}
            Step::Idle { until } => {
                if inner.closing && store.is_open() {
                    drop(inner);
                    store.announce_end();
                    continue;
                }
                if inner.closing && end_session(&mut inner, &mut store) {
                    return;
                }
                let Some((inner, until)) = take_over_estates(channel, &mut store, inner, until)
                else {
                    continue;
                };
                let mut inner = inner;
                inner.sleeping_until = until;
                let mut inner = channel.sleep(inner, nap(until));
                inner.sleeping_until = Instant::ZERO;
                show_clock(channel, &mut inner);
            }
            Step::Write { token, at, len } => {
                drop(inner);
                let bytes = buf.get(..len).unwrap_or(&[]);
                let result = store.write(at, bytes);
                stored(channel, &mut store, token, result);
            }
            Step::Sync { token } => {
                drop(inner);
                let result = store.sync();
                stored(channel, &mut store, token, result);
            }
            Step::Send(ticket) => match turn(channel, now, &ticket, &buf) {
                Ok(()) => {
                    drop(inner);
                    send(channel, ticket, &buf);
                }
                Err(later) => inner.alerter.done(now, ticket.token, Done::Sent(later)),
            },
        }
    }
}

/// Shows the alerter the wall clock, which may have been set meanwhile.
fn show_clock(channel: &Channel, inner: &mut Inner) {
    if let Some(offset) = channel.utc_offset
        && let Ok(since) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)
    {
        inner.alerter.set_wall_clock(spool::now(), since.as_secs(), offset);
    }
}

fn nap(until: Instant) -> Duration {
    if until == Instant::FAR_FUTURE {
        return LONGEST_REST;
    }
    let span: Duration = until.since(spool::now()).into();
    span.min(LONGEST_NAP)
}

/// Ends the session, unless something is still under way.
fn end_session(inner: &mut Inner, store: &mut Store) -> bool {
    if !inner.alerter.is_settled(spool::now()) {
        return false;
    }
    let stats = inner.alerter.stats();
    // What the disk lacks is in the memory file alone.
    store.end_session(stats.waiting == 0 && !stats.storage_failing);
    inner.closing = false;
    inner.running = false;
    inner.sleeping_until = Instant::FAR_FUTURE;
    true
}

/// Takes the session up, and what the spool brought beside what is in memory: that has to be in the
/// ring before the file it came from is written anew.
fn begin(channel: &Channel, store: &mut Store) {
    store.resume_session();
    // Nothing will ever be written there and fail, so this is the time to say it.
    if let Some(why) = store.lacks_disk().map(str::to_owned) {
        refresh(channel, channel.lock(), store, Some(why));
    }
    if let Some(bytes) = store.take_inherited() {
        take_in(channel, store, bytes);
    }
}

/// Takes over what this slot's own file holds. Should a crash come before all is written again, the
/// next start offers the same under the same token.
fn take_in(channel: &Channel, store: &mut Store, bytes: Vec<u8>) {
    let mut estate = Estate::survey(&bytes, Origin::Storage, token_of(&bytes));
    let adoption = loop {
        estate.look(&bytes);
        let adoption = channel.lock().alerter.adopt(spool::now(), &bytes, &mut estate);
        if adoption != Adoption::More {
            break adoption;
        }
    };
    match adoption {
        Adoption::Busy | Adoption::More => store.keep_inherited(bytes),
        Adoption::Pending | Adoption::Durable => store.took_over(),
    }
    channel.lock().alerter.rewrite(spool::now());
}

/// Does what there is time for while nothing is due: looks after disk and memory, and takes over
/// what dead processes left. Returns the lock and until when to sleep, or nothing if that took the
/// lock away and something may be due by now.
fn take_over_estates<'a>(
    channel: &'a Channel,
    store: &mut Store,
    mut inner: MutexGuard<'a, Inner>,
    until: Instant,
) -> Option<(MutexGuard<'a, Inner>, Instant)> {
    let now = spool::now();
    if store.round_is_due(now) {
        drop(inner);
        make_round(channel, store, now);
        return None;
    }
    if store.has_unopened() {
        drop(inner);
        store.open_estate();
        return None;
    }
    let Some(Parcel { bytes, estate, tell }) = store.parcel() else {
        return Some((inner, until));
    };
    let adoption = match tell {
        true => inner.alerter.adopt(now, bytes, estate),
        false => inner.alerter.write_off(now, estate),
    };
    match adoption {
        Adoption::More => {
            drop(inner);
            estate.look(bytes);
            return None;
        }
        Adoption::Durable => {
            drop(inner);
            store.settle_parcel(now);
            return None;
        }
        Adoption::Busy | Adoption::Pending => {}
    }
    let until = inner.alerter.poll_at();
    (until > now).then_some((inner, until))
}

/// Sees to it that disk and memory are as they were left.
fn make_round(channel: &Channel, store: &mut Store, now: Instant) {
    let result = store.round(now);
    look_after_memory(channel, store, store.wants_memory());
    match store.take_inherited() {
        Some(bytes) => take_in(channel, store, bytes),
        None if result.is_err() => channel.lock().alerter.rewrite(now),
        None => {}
    }
    let mut inner = channel.lock();
    // A look at the disk ends no trouble: only a write that succeeds does.
    let trouble = result.err().or_else(|| inner.store_trouble.take());
    refresh(channel, inner, store, trouble);
}

/// Reports what became of a piece of writing, and looks after the memory file on the way.
fn stored(channel: &Channel, store: &mut Store, token: Token, result: Result<(), String>) {
    let done = if result.is_ok() { Done::Stored } else { Done::StorageFailed };
    look_after_memory(channel, store, !store.memory_is_linked());
    match store.take_inherited() {
        Some(bytes) => take_in(channel, store, bytes),
        None => channel.lock().alerter.done(spool::now(), token, done),
    }
    refresh(channel, channel.lock(), store, result.err());
}

/// Makes the memory file anew if it has `gone`.
fn look_after_memory(channel: &Channel, store: &mut Store, gone: bool) {
    if gone {
        store.recreate_memory(channel.lock().alerter.memory_mut());
        store.note_memory();
    }
}

/// Passes on how the store is doing.
fn refresh(
    channel: &Channel,
    mut inner: MutexGuard<'_, Inner>,
    store: &mut Store,
    trouble: Option<String>,
) {
    inner.keeps = store.keeps();
    inner.direct = store.direct_writer();
    inner.store_trouble = trouble;
    inner.spool_health = store.health(inner.store_trouble.as_deref());
    if store.take_attached() {
        channel.keep_copies(store.fork_copies());
    }
    report(channel, inner);
}

/// Identifies a ring's content. Never 0.
fn token_of(bytes: &[u8]) -> u64 {
    // FNV-1a.
    let hash = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash).max(1)
}

/// Tells the program's callback what is wrong, if that is news. Takes the lock to release it.
fn report(channel: &Channel, mut inner: MutexGuard<'_, Inner>) {
    let way = inner.way_trouble.as_ref().map(|way| (Some(way.code), way.words.clone()));
    let store = || inner.store_trouble.clone().map(|words| (None, words));
    let (code, trouble) = way.or_else(store).unzip();
    if trouble.is_some() {
        inner.last_trouble.clone_from(&trouble);
    }
    drop(inner);
    channel.reporter.report(code.flatten(), trouble.as_deref());
}

/// Takes the sender's turn, or says what becomes of the attempt without it.
fn turn(channel: &Channel, now: Instant, ticket: &Ticket, buf: &Buffer) -> Result<(), Outcome> {
    let Some(pace) = &channel.pace else { return Ok(()) };
    let mut pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
    pace.turn(now, ticket.message(buf).segments)
}

/// Hands the text to a thread of its own; if there is none to be had, sends it from this one.
fn send(channel: &Arc<Channel>, ticket: Ticket, buf: &Buffer) {
    let text = *buf;
    let courier = holding(channel, move |channel| deliver(&channel, &ticket, &text));
    let thread = thread::Builder::new().name("annunciator-send".to_owned());
    if thread.spawn(courier).is_err() {
        deliver(channel, &ticket, &text);
    }
}

fn deliver(channel: &Arc<Channel>, ticket: &Ticket, text: &Buffer) {
    mute_this_thread();
    let mut carrier = channel.carrier.lock().unwrap_or_else(PoisonError::into_inner);
    let attempt = || carrier.send(&ticket.message(text));
    let outcome = catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|_| {
        channel.restarts.fetch_add(1, Ordering::Relaxed);
        Outcome::Unknown(Code::NONE)
    });
    let trouble = carrier::trouble(&outcome, &**carrier as &dyn Carrier);
    drop(carrier);
    let mut inner = channel.lock();
    inner.alerter.done(spool::now(), ticket.token, Done::Sent(outcome));
    inner.way_trouble = trouble;
    channel.ring(&mut inner);
    report(channel, inner);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Builder;
    use annunciator_core::event::{Event, Level};
    use annunciator_core::transport::{Message, Receipt, Transport};
    use std::sync::atomic::AtomicU32;
    use std::sync::mpsc;

    struct Said(mpsc::Sender<String>);

    impl Transport for Said {
        fn send(&mut self, message: &Message<'_>) -> Outcome {
            let _ = self.0.send(message.text.to_owned());
            Outcome::Accepted(Receipt::new(message.segments))
        }
    }

    /// Nothing of a program's own runs on the worker, so only a fault of ours can make it panic.
    #[test]
    fn a_worker_that_panics_begins_anew_with_what_it_had() {
        let (said, texts) = mpsc::channel();
        let alerts = Builder::new("shaken")
            .environment(|_| None)
            .without_spool()
            .transport("own", Said(said))
            .start()
            .expect("a configuration");
        let channel = alerts.channel();
        // The one of this test.
        channel.lock().running = true;
        alerts.record(&Event::new(Level::Error, "no pressure"));
        let worker = thread::spawn(move || {
            let begun = AtomicU32::new(0);
            supervise(&channel, |channel| {
                if begun.fetch_add(1, Ordering::Relaxed) < 2 {
                    let mut inner = channel.lock();
                    let _ = inner.alerter.step(spool::now(), &mut [0; BUFFER]);
                    panic!("a fault of the worker");
                }
                work(channel);
            });
        });
        let text = texts.recv_timeout(Duration::from_secs(40)).expect("a text");
        assert_eq!(text, "[Rust Logger shaken] ERROR: no pressure");
        let health = alerts.health();
        assert_eq!(health.destinations[0].counters.restarts, 2, "{health}");
        drop(alerts);
        worker.join().expect("it is over with the session");
        assert_eq!(texts.try_iter().count(), 0, "told once");
    }
}
