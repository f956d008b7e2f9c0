//! The `log` front: passes records to the alerter and to an inner logger.
//!
//! A [`Logger`] composes instead of owning: it wraps an inner logger (several with a [`Tee`]),
//! which gets every record it wants, unchanged, key-values included. The SMS takes level, target,
//! location and message. Nothing is installed unless [`Logger::install`] is called.
//!
//! ```text
//!  log::error!(..) ─► max level ─► Logger ─┬─ level, target? ───────────► format ─► Sink::record
//!                      (cut here            │                              (stack)    (short lock)
//!                       costs nothing)      └─ inner.enabled()? ──────────► inner.log()
//! ```
//!
//! The SMS side comes first, so that an alert is recorded also if a console blocks on a full pipe.
//! Formatting happens outside any lock. A `Display` that panics unwinds through here to the
//! caller, as it does with any logger: nothing is held and nothing is left half done, and catching
//! it would hide a bug and cost every call. One that logs is heard one level deep; deeper it is
//! counted, so that one which logs itself cannot recurse without end.
//!
//! Muted for the SMS are this crate's own targets and its worker threads. The inner logger gets
//! these too, but for what the workers' HTTP client says at TRACE: there it dumps heads and
//! answers, which hold no credentials but the number.

use std::cell::Cell;
use std::fmt::Write as _;
use std::sync::Arc;

use annunciator_core::event::{Level, Site};
use log::{LevelFilter, Log, Metadata, Record, SetLoggerError};

use crate::event::{Draft, Entry};

/// What records events; the fronts know no more of the alerter than this.
///
/// No method may log, wait for disk or network, or panic.
pub(crate) trait Sink: Send + Sync {
    /// Records one event under a short lock.
    fn record(&self, entry: &Entry);

    /// The same, but waits a few milliseconds at most for the lock: then the event goes to a side
    /// slot or is counted.
    fn try_record(&self, entry: &Entry);

    /// Whether the program has a hook to be shown each event. Does not change.
    fn scrubs(&self) -> bool {
        false
    }

    /// Shows an event to the program's own hook, before it is kept; `false` drops it.
    fn scrub(&self, draft: &mut Draft<'_>) -> bool {
        let _ = draft;
        true
    }

    /// Counts a record that was kept from the SMS because it arose within the formatting of
    /// another.
    fn suppressed(&self);

    /// The least severe level that is reported. Does not change.
    fn level(&self) -> Level;

    /// Has what is recorded committed to the spool. Sends nothing.
    fn flush(&self);
}

/// A logger for the `log` crate that passes records to the alerter, and everything on to `L`.
#[must_use = "it gets no records until it is installed"]
pub struct Logger<L = Silence> {
    sink: Option<Arc<dyn Sink>>,
    /// The sink has a hook to be shown each event.
    scrubs: bool,
    level: LevelFilter,
    inner: L,
    inner_level: LevelFilter,
}

/// The inner logger of a [`Logger`] that wraps none.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Silence;

/// Several loggers as one. Each is asked for itself whether it wants a record.
///
/// ```no_run
/// # use annunciator::{Annunciator, Silence, Tee};
/// # let (console, file) = (Silence::default(), Silence::default());
/// # let alerts = Annunciator::builder("pump").start()?;
/// let both = Tee::new().and(console).and(file);
/// alerts.wrap(both).inner_level(log::LevelFilter::Debug).install()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
#[must_use = "it gets no records until it is wrapped and installed"]
pub struct Tee {
    loggers: Vec<Box<dyn Log>>,
}

impl Logger {
    /// A logger for `sink` alone; without one it records nothing.
    pub(crate) fn new(sink: Option<Arc<dyn Sink>>) -> Logger {
        let level = sink.as_deref().map_or(LevelFilter::Off, |sink| filter(sink.level()));
        let scrubs = sink.as_deref().is_some_and(Sink::scrubs);
        Logger { sink, scrubs, level, inner: Silence, inner_level: LevelFilter::Off }
    }

    /// Passes every record on to `inner`, if its `enabled` says so.
    ///
    /// Say with [`inner_level`](Logger::inner_level) how much `inner` wants, or each filtered-out
    /// `debug!` costs a call.
    pub fn wrap<L: Log>(self, inner: L) -> Logger<L> {
        let Logger { sink, scrubs, level, .. } = self;
        Logger { sink, scrubs, level, inner, inner_level: LevelFilter::Trace }
    }
}

impl<L: Log> Logger<L> {
    /// The most verbose level that the inner logger wants, for [`install`](Logger::install).
    /// Default: everything.
    pub fn inner_level(mut self, level: LevelFilter) -> Logger<L> {
        self.inner_level = level;
        self
    }

    /// The level that `log`'s maximum must have for nothing to be missed here.
    pub fn max_level(&self) -> LevelFilter {
        self.level.max(self.inner_level)
    }

    /// Makes this the program's logger and raises the maximum level as far as needed.
    ///
    /// # Errors
    ///
    /// If the program has a logger already. The maximum level is then left as it was.
    pub fn install(self) -> Result<(), SetLoggerError>
    where
        L: 'static,
    {
        let level = self.max_level();
        log::set_boxed_logger(Box::new(self))?;
        if level > log::max_level() {
            log::set_max_level(level);
        }
        Ok(())
    }

    #[inline]
    fn record(&self, record: &Record<'_>) {
        let Some(sink) = self.sink.as_deref() else { return };
        let thread = THREAD.get();
        if is_own(record.target()) || thread.muted {
            return;
        }
        let site = match (record.file(), record.line()) {
            (Some(file), Some(line)) => Some(Site { file, line }),
            _ => None,
        };
        let mut draft = Draft::sized(record.level().into(), record.target(), site);
        // A plain literal needs no formatting.
        if let Some(message) = record.args().as_str() {
            draft.push(message);
        } else {
            let Some(_formatting) = Formatting::begin(thread) else { return sink.suppressed() };
            // An error means that the text is full or a `Display` gave up: what came before counts.
            let _ = draft.write_fmt(*record.args());
        }
        if self.scrubs && !sink.scrub(&mut draft) {
            return sink.suppressed();
        }
        sink.record(draft.finish());
    }
}

impl<L: Log> Log for Logger<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        (metadata.level() <= self.level && !is_own(metadata.target()))
            || self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if record.level() <= self.level {
            self.record(record);
        }
        if self.inner.enabled(record.metadata()) && !is_dump(record) {
            self.inner.log(record);
        }
    }

    /// Commits what is recorded to the spool and flushes the inner logger. Sends nothing.
    fn flush(&self) {
        if let Some(sink) = &self.sink {
            sink.flush();
        }
        self.inner.flush();
    }
}

impl<L> std::fmt::Debug for Logger<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Logger")
            .field("level", &self.level)
            .field("inner_level", &self.inner_level)
            .finish_non_exhaustive()
    }
}

impl Log for Silence {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn log(&self, _: &Record<'_>) {}

    fn flush(&self) {}
}

impl Tee {
    /// No logger yet.
    pub fn new() -> Tee {
        Tee::default()
    }

    /// Adds a logger.
    pub fn and(mut self, logger: impl Log + 'static) -> Tee {
        self.loggers.push(Box::new(logger));
        self
    }
}

impl Log for Tee {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.loggers.iter().any(|logger| logger.enabled(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        for logger in &self.loggers {
            if logger.enabled(record.metadata()) {
                logger.log(record);
            }
        }
    }

    fn flush(&self) {
        for logger in &self.loggers {
            logger.flush();
        }
    }
}

impl std::fmt::Debug for Tee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tee").field("loggers", &self.loggers.len()).finish()
    }
}

/// Keeps all that this thread logs, and its panics, out of the SMS from now on. For the worker:
/// the client it drives logs too.
pub(crate) fn mute_this_thread() {
    THREAD.set(ThreadState { muted: true, ..THREAD.get() });
}

/// Whether [`mute_this_thread`] was called here.
#[inline]
pub(crate) fn this_thread_is_muted() -> bool {
    THREAD.get().muted
}

/// A record while another is formatted is still formatted itself; the next one is not.
const MAX_NESTING: u8 = 2;

#[derive(Clone, Copy)]
struct ThreadState {
    muted: bool,
    formatting: u8,
}

thread_local! {
    // Constant and without a destructor: reading it is one load.
    static THREAD: Cell<ThreadState> =
        const { Cell::new(ThreadState { muted: false, formatting: 0 }) };
}

/// Counts the formattings under way on this thread, for as long as it lives: also if one panics.
/// Holds how many there were before.
struct Formatting(u8);

impl Formatting {
    #[inline]
    fn begin(thread: ThreadState) -> Option<Formatting> {
        let before = thread.formatting;
        (before < MAX_NESTING).then(|| {
            THREAD.set(ThreadState { formatting: before + 1, ..thread });
            Formatting(before)
        })
    }
}

impl Drop for Formatting {
    #[inline]
    fn drop(&mut self) {
        THREAD.set(ThreadState { formatting: self.0, ..THREAD.get() });
    }
}

/// Whether a record may hold the bytes of our own request or its answer: the client's dumps, made
/// on a thread of ours.
#[inline]
fn is_dump(record: &Record<'_>) -> bool {
    record.level() == log::Level::Trace && this_thread_is_muted()
}

/// Whether `target` is this crate or its core, whose records are not reported.
#[inline]
fn is_own(target: &str) -> bool {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with("::");
    match target.strip_prefix("annunciator") {
        Some(rest) => ends(rest) || rest.strip_prefix("_core").is_some_and(ends),
        None => false,
    }
}

/// No record of `log` is as severe as a panic.
fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Panic => LevelFilter::Off,
        Level::Error => LevelFilter::Error,
        Level::Warn => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace => LevelFilter::Trace,
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
