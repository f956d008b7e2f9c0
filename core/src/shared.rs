//! The handle for statics and interrupts: an alerter behind a critical section.
//!
//! A `static` needs nothing but a `const` constructor; the alerter is put in once memory and time
//! are there. Events are cut, joined and hashed before the section is entered, so that it covers
//! one copy into a slot. There is a side slot for one event: for what comes before there is an
//! alerter, or while it is in use (a fault within the section). If it is taken, the less severe of
//! the two is counted and the count is reported.
//!
//! The side slot ends with the run. A handler that will reset the chip calls
//! [`record_last`](Shared::record_last) instead, with memory that survives the reset; the next start
//! calls [`take_last`](Shared::take_last).
//!
//! Who links this supplies the implementation of `critical-section`, as always.

use core::cell::{Cell, RefCell};

use critical_section::Mutex;

use crate::alerter::{Alerter, Done, Stats, Step, Token};
use crate::drive::Drivable;
use crate::event::{Entry, Event, Level, TEXT_256};
use crate::memory::Memory;
use crate::ring::{self, Admission};
use crate::time::Instant;

/// What is there or not yet. A tag of its own is zero where an [`Option`] would put the tag into a
/// field's unused values: so a static before its first use takes no flash.
#[repr(u8)]
enum Place<T> {
    Empty = 0,
    Full(T) = 1,
}

impl<T> Place<T> {
    fn as_mut(&mut self) -> Option<&mut T> {
        match self {
            Place::Empty => None,
            Place::Full(there) => Some(there),
        }
    }
}

/// An alerter that any context may record to.
pub struct Shared<M: 'static> {
    alerter: Mutex<RefCell<Place<Alerter<'static, M>>>>,
    side: Mutex<RefCell<Place<Entry>>>,
    busy: Mutex<Cell<u32>>,
}

impl<M: Memory> Shared<M> {
    /// A handle without an alerter: for a `static`.
    pub const fn new() -> Shared<M> {
        Shared {
            alerter: Mutex::new(RefCell::new(Place::Empty)),
            side: Mutex::new(RefCell::new(Place::Empty)),
            busy: Mutex::new(Cell::new(0)),
        }
    }

    /// Puts the alerter in; one that was there is given back.
    pub fn attach(&self, alerter: Alerter<'static, M>) -> Option<Alerter<'static, M>> {
        // Handed over through this, so that it is copied once within the section.
        let mut hand = Some(alerter);
        critical_section::with(|cs| {
            // Only a fault inside another call finds it in use, and faults do not attach.
            let Ok(mut place) = self.alerter.borrow(cs).try_borrow_mut() else { return };
            match (&mut *place, &mut hand) {
                (Place::Full(there), Some(new)) => core::mem::swap(there, new),
                (empty, hand) => {
                    if let Some(new) = hand.take() {
                        *empty = Place::Full(new);
                    }
                }
            }
        });
        hand
    }

    /// Records one event, from any context. Never waits: what cannot be taken now goes to the side
    /// slot ([`Admission::Stored`]) or is counted ([`Admission::Lost`]).
    pub fn record(&self, now: Instant, event: &Event<'_>) -> Admission {
        self.admit(now, &Entry::new(event))
    }

    /// Records one event that was made ready before; otherwise as [`record`](Shared::record).
    pub fn admit(&self, now: Instant, entry: &Entry) -> Admission {
        critical_section::with(|cs| {
            if let Ok(mut place) = self.alerter.borrow(cs).try_borrow_mut()
                && let Some(alerter) = place.as_mut()
            {
                return alerter.admit(now, entry);
            }
            let mut admission = Admission::Lost;
            if let Ok(mut side) = self.side.borrow(cs).try_borrow_mut() {
                let there = side.as_mut().map(|there| there.level);
                if there.is_none_or(|there| there < entry.level) {
                    *side = Place::Full(entry.clone());
                    admission = Admission::Stored;
                }
                if there.is_none() {
                    return admission;
                }
            }
            let busy = self.busy.borrow(cs);
            busy.set(busy.get().saturating_add(1));
            admission
        })
    }

    /// Records the last event of this run, from a handler that will not return: a panic, a fault, a
    /// watchdog. If the alerter is in use at this moment, or not there yet, the event goes to
    /// `aside`: [`SLOT`](crate::ring::SLOT) bytes that survive the reset beside the ring. One that
    /// is there already stays, being nearer to the cause.
    ///
    /// What an earlier call of [`record`](Shared::record) had put into the side slot is lost.
    pub fn record_last(&self, now: Instant, event: &Event<'_>, aside: &mut [u8]) -> Admission {
        let entry = Entry::new(event);
        critical_section::with(|cs| {
            if let Ok(mut place) = self.alerter.borrow(cs).try_borrow_mut()
                && let Some(alerter) = place.as_mut()
            {
                return alerter.admit(now, &entry);
            }
            if ring::read_alone::<TEXT_256>(aside).is_some() {
                return Admission::Lost;
            }
            ring::write_alone(aside, &entry);
            Admission::Stored
        })
    }

    /// Records what the last run has left in `aside`, and clears it; any bytes are accepted there.
    /// To be called once the alerter is attached. A reset within the call may leave one event
    /// counted twice.
    pub fn take_last(&self, now: Instant, aside: &mut [u8]) {
        let entry =
            ring::read_alone::<TEXT_256>(aside).map(|record| Entry::<TEXT_256>::of_record(&record));
        if let Some(entry) = entry
            && self.with(|alerter| alerter.admit(now, &entry)).is_none()
        {
            return;
        }
        aside.put(0, &[0; 4]);
    }

    /// The level from which on events are reported; [`Level::Warn`] while there is no alerter.
    pub fn level(&self) -> Level {
        self.with(|alerter| alerter.policy().level).unwrap_or(Level::Warn)
    }

    /// When [`step`](Drivable::step) has something to do next; see [`Alerter::poll_at`].
    pub fn poll_at(&self) -> Instant {
        self.with(|alerter| alerter.poll_at()).unwrap_or(Instant::FAR_FUTURE)
    }

    /// Ends the hold; see [`Alerter::flush`].
    pub fn flush(&self, now: Instant) {
        self.with(|alerter| alerter.flush(now));
    }

    /// A snapshot; see [`Alerter::stats`]. `None` while there is no alerter.
    pub fn stats(&self) -> Option<Stats> {
        self.with(|alerter| alerter.stats())
    }

    /// Runs `f` on the alerter within the critical section, unless there is none or it is in use.
    pub fn with<R>(&self, f: impl FnOnce(&mut Alerter<'static, M>) -> R) -> Option<R> {
        critical_section::with(|cs| {
            let mut place = self.alerter.borrow(cs).try_borrow_mut().ok()?;
            place.as_mut().map(f)
        })
    }

    /// Brings in what came by the side.
    fn take_aside(&self, now: Instant) {
        critical_section::with(|cs| {
            let Ok(mut place) = self.alerter.borrow(cs).try_borrow_mut() else { return };
            let Some(alerter) = place.as_mut() else { return };
            let Ok(mut side) = self.side.borrow(cs).try_borrow_mut() else { return };
            if let Place::Full(entry) = core::mem::replace(&mut *side, Place::Empty) {
                alerter.admit(now, &entry);
            }
            let busy = self.busy.borrow(cs).take();
            if busy > 0 {
                alerter.count_lost(now, busy);
            }
        });
    }
}

impl<M: Memory> Default for Shared<M> {
    fn default() -> Self {
        Shared::new()
    }
}

impl<M> core::fmt::Debug for Shared<M> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Shared")
    }
}

impl<M: Memory> Drivable for &Shared<M> {
    fn step(&mut self, now: Instant, buf: &mut [u8]) -> Step {
        self.take_aside(now);
        let idle = Step::Idle { until: Instant::FAR_FUTURE };
        self.with(|alerter| alerter.step(now, buf)).unwrap_or(idle)
    }

    fn done(&mut self, now: Instant, token: Token, result: Done) {
        self.with(|alerter| alerter.done(now, token, result));
    }
}

#[cfg(feature = "log")]
pub use front::Logger;

#[cfg(feature = "log")]
mod front {
    use super::Shared;
    use crate::event::{Draft, Level, Site};
    use crate::memory::Memory;
    use crate::time::Instant;
    use core::fmt::Write as _;

    /// A [`log::Log`] for a [`Shared`], given a clock.
    ///
    /// Install it with `log::set_logger`, or on chips without compare-and-swap (thumbv6m,
    /// riscv32imc) with `log::set_logger_racy`, and set `log`'s maximum level.
    #[derive(Debug)]
    pub struct Logger<M: 'static> {
        shared: &'static Shared<M>,
        clock: fn() -> Instant,
    }

    impl<M: Memory> Logger<M> {
        /// A logger that records to `shared` at the times that `clock` shows.
        pub const fn new(shared: &'static Shared<M>, clock: fn() -> Instant) -> Logger<M> {
            Logger { shared, clock }
        }
    }

    impl<M: Memory + Send> log::Log for Logger<M> {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            Level::from(metadata.level()) >= self.shared.level()
        }

        fn log(&self, record: &log::Record<'_>) {
            if !self.enabled(record.metadata()) {
                return;
            }
            let site = match (record.file(), record.line()) {
                (Some(file), Some(line)) => Some(Site { file, line }),
                _ => None,
            };
            let mut draft = Draft::new(record.level().into(), record.target(), site);
            // An error means that the text is full: what came before it counts.
            let _ = draft.write_fmt(*record.args());
            self.shared.admit((self.clock)(), draft.finish());
        }

        fn flush(&self) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerter::{Buffers, Setup};
    use crate::digest::Group;
    use crate::drive::drive;
    use crate::gsm7::text_bytes;
    use crate::ring::{Node, SLOT, region_len};
    use crate::storage::NoStorage;
    use crate::testing::{Clock, ScriptedTransport};

    type Ring = [u8; region_len(16)];

    fn alerter() -> Alerter<'static, Ring> {
        let nodes = std::boxed::Box::leak(std::boxed::Box::new([Node::EMPTY; 16]));
        let groups = std::boxed::Box::leak(std::boxed::Box::new([Group::EMPTY; 8]));
        let mut setup = Setup::new("[Rust Logger chip] ");
        setup.storage = false;
        Alerter::new([0; region_len(16)], Buffers { nodes, groups }, &setup)
    }

    #[test]
    fn what_comes_before_or_within_is_kept_aside_or_counted() {
        static SHARED: Shared<Ring> = Shared::new();
        let at = Instant::from_secs(1);
        let early = Event::new(Level::Error, "before everything");
        assert_eq!(SHARED.record(at, &early), Admission::Stored);
        assert_eq!(SHARED.record(at, &early), Admission::Lost);
        assert!(SHARED.attach(alerter()).is_none());

        let clock = Clock::at(at);
        let mut transport = ScriptedTransport::new(&clock);
        let mut buf = [0; text_bytes(2)];
        drive(&SHARED, || clock.now(), &mut NoStorage, &mut transport, &mut buf);
        // A fault while the alerter is in use.
        SHARED.with(|_| {
            assert_eq!(SHARED.record(at, &Event::new(Level::Panic, "fault")), Admission::Stored);
        });
        drive(&SHARED, || clock.now(), &mut NoStorage, &mut transport, &mut buf);
        let texts: std::vec::Vec<_> =
            transport.sent.iter().map(|sent| sent.text.as_str()).collect();
        assert_eq!(texts, ["[Rust Logger chip] ERROR: before everything, PANIC: fault, 1 lost"]);
    }

    #[test]
    fn what_nobody_asked_for_takes_the_side_slot_from_nothing_graver() {
        static SHARED: Shared<Ring> = Shared::new();
        let at = Instant::from_secs(1);
        let early = |level, message| SHARED.record(at, &Event::new(level, message));
        assert_eq!(early(Level::Info, "starting"), Admission::Stored);
        assert_eq!(early(Level::Error, "no clock"), Admission::Stored);
        assert_eq!(early(Level::Warn, "no sensor"), Admission::Lost);
        SHARED.attach(alerter());
        let at = Instant::from_secs(10);
        let mut transport = ScriptedTransport::new(&Clock::at(at));
        let mut buf = [0; text_bytes(2)];
        drive(&SHARED, || at, &mut NoStorage, &mut transport, &mut buf);
        let later = at + crate::time::Duration::from_secs(2);
        drive(&SHARED, || later, &mut NoStorage, &mut transport, &mut buf);
        assert_eq!(transport.sent[0].text, "[Rust Logger chip] ERROR: no clock, 2 lost");
    }

    #[cfg(feature = "log")]
    #[test]
    fn a_logger_takes_what_is_grave_enough_and_cuts_what_is_too_long() {
        use log::Log;
        static SHARED: Shared<Ring> = Shared::new();
        static LOGGER: Logger<Ring> = Logger::new(&SHARED, || Instant::from_secs(1));
        let log = |level, line, message: core::fmt::Arguments<'_>| {
            let mut record = log::Record::builder();
            record.level(level).target("chip").file(Some("src/main.rs")).line(Some(line));
            LOGGER.log(&record.args(message).build());
        };
        SHARED.attach(alerter());
        log(log::Level::Info, 1, format_args!("nobody asked"));
        log(log::Level::Warn, 2, format_args!("battery at {} %", 20));
        log(log::Level::Error, 3, format_args!("{}{}", "no ", "\u{e4}".repeat(1000)));
        log(log::Level::Error, 4, format_args!("no pressure"));

        let at = Instant::from_secs(10);
        let mut transport = ScriptedTransport::new(&Clock::at(at));
        let mut buf = [0; text_bytes(2)];
        drive(&SHARED, || at, &mut NoStorage, &mut transport, &mut buf);
        let [sent] = &transport.sent[..] else { panic!("{:?}", transport.sent) };
        let text = &sent.text;
        assert!(text.starts_with("[Rust Logger chip] "), "{text}");
        for words in ["WARN: battery at 20 %", "ERROR: no \u{e4}\u{e4}", "ERROR: no pressure"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(!text.contains("nobody"), "{text}");
    }

    #[test]
    fn last_words_outlive_a_reset_also_from_within_the_section() {
        static BEFORE: Shared<Ring> = Shared::new();
        static AFTER: Shared<Ring> = Shared::new();
        let at = Instant::from_secs(1);
        let mut aside = [0xA5; SLOT];
        // Not there yet: what memory happens to hold does not matter.
        let first = Event::new(Level::Panic, "no clock").at("src/main.rs", 7);
        assert_eq!(BEFORE.record_last(at, &first, &mut aside), Admission::Stored);
        BEFORE.attach(alerter());
        BEFORE.take_last(at, &mut aside);
        assert_eq!(BEFORE.stats().map(|stats| stats.waiting), Some(1));
        // Free: straight to the ring. In use: aside, where the nearest to the cause stays.
        let fault = Event::new(Level::Panic, "fault").at("src/main.rs", 9);
        let later = Event::new(Level::Panic, "fault in the fault").at("src/main.rs", 11);
        BEFORE.record_last(at, &fault, &mut aside);
        assert_eq!(BEFORE.stats().map(|stats| stats.waiting), Some(2));
        BEFORE.with(|_| {
            assert_eq!(BEFORE.record_last(at, &fault, &mut aside), Admission::Stored);
            assert_eq!(BEFORE.record_last(at, &later, &mut aside), Admission::Lost);
        });

        AFTER.take_last(at, &mut aside);
        AFTER.attach(alerter());
        for _ in 0..2 {
            AFTER.take_last(at, &mut aside);
            assert_eq!(AFTER.stats().map(|stats| stats.waiting), Some(1));
        }
        let clock = Clock::at(at);
        let mut transport = ScriptedTransport::new(&clock);
        let mut buf = [0; text_bytes(2)];
        drive(&AFTER, || clock.now(), &mut NoStorage, &mut transport, &mut buf);
        assert_eq!(transport.sent[0].text, "[Rust Logger chip] PANIC: fault");
    }
}
