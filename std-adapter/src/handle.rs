//! What a program holds: a [`Handle`] to record, flush and ask by, and the [`Annunciator`] that
//! flushes at the end.

use std::io::Write as _;
use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant as StdInstant};

use annunciator_core::event::{Event, Level};

use log::Log;

use crate::config::{Builder, Config, ConfigError, Destination, Route, Scrub, Setting, Setup};
use crate::event::{Draft, Entry};
use crate::health::{FlushReport, Health, Reporter};
use crate::logger::{Logger, Sink};
use crate::shared_alerter::SharedAlerter;
use crate::spool::{RuntimeDirs, Source};
use crate::store::{Context, RingMaker};
use crate::transports::{Custom, DescribedTransport};
use crate::{panic_hook, spool, store, transports, worker};

impl Builder {
    /// Checks everything and starts. Without credentials or without a number the handle is
    /// disabled, and one line on stderr says which variables are missing.
    ///
    /// # Errors
    /// If a setting is wrong; the error names it and the fix.
    ///
    /// ```
    /// # use annunciator::{Builder, Level};
    /// let alerts = Builder::new("pump").environment(|_| None).level(Level::Error).start()?;
    /// assert!(!alerts.is_enabled(), "nothing is configured");
    /// # Ok::<(), annunciator::ConfigError>(())
    /// ```
    pub fn start(self) -> Result<Annunciator, ConfigError> {
        self.build()?.start()
    }
}

impl Setup {
    /// Starts what was configured; see [`Builder::start`].
    ///
    /// # Errors
    /// If there is no memory, or the client cannot use its settings after all.
    pub fn start(self) -> Result<Annunciator, ConfigError> {
        match self {
            Setup::Enabled(config) => {
                if !config.missing().is_empty() {
                    warn_stderr(format_args!(
                        "annunciator: not set: {}",
                        config.missing().join(", ")
                    ));
                }
                Handle::start(*config).map(Annunciator::new)
            }
            Setup::Disabled(disabled) => {
                warn_stderr(&disabled);
                Ok(Annunciator::new(Handle::disabled(disabled.to_string())))
            }
        }
    }
}

/// One line on stderr. Nobody may be reading there, which is no reason for a program to end.
fn warn_stderr(words: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Records, flushes and answers questions. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    level: Level,
    alerters: Vec<Arc<SharedAlerter>>,
    disabled: Option<String>,
    drop_timeout: Duration,
    scrub: Option<Scrub>,
}

impl Handle {
    fn disabled(why: String) -> Handle {
        Handle {
            shared: Arc::new(Shared {
                name: String::new(),
                level: Level::Panic,
                alerters: Vec::new(),
                disabled: Some(why),
                drop_timeout: Duration::ZERO,
                scrub: None,
            }),
        }
    }

    fn start(mut config: Config) -> Result<Handle, ConfigError> {
        let destinations = std::mem::take(&mut config.destinations);
        let configured: Vec<String> =
            destinations.iter().map(|destination| destination.identity.clone()).collect();
        let open = |destination| open(&config, &configured, destination);
        let alerters = destinations.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Handle {
            shared: Arc::new(Shared {
                alerters,
                name: config.name,
                level: config.policy.level,
                disabled: None,
                drop_timeout: config.timing.drop,
                scrub: config.scrub,
            }),
        })
    }

    /// Whether texts are sent at all.
    pub fn is_enabled(&self) -> bool {
        self.shared.disabled.is_none()
    }

    /// Records one event: for programs that do not use `log`, and for more than it can say.
    ///
    /// Copies the event under a short lock for each destination. It never waits for the network, and
    /// for a disk only where no memory outlives the program.
    pub fn record(&self, event: &Event<'_>) {
        if event.level < self.shared.level {
            return;
        }
        let mut draft = Draft::sized(event.level, event.target, event.site);
        draft.push(event.message);
        if self.shared.scrub(&mut draft) {
            Sink::record(&*self.shared, draft.finish());
        } else {
            self.shared.suppressed();
        }
    }

    /// A logger for the `log` crate: alone, or around another by [`Logger::wrap`].
    pub fn logger(&self) -> Logger {
        if self.is_enabled() {
            Logger::new(Some(Arc::clone(&self.shared) as Arc<dyn Sink>))
        } else {
            Logger::new(None)
        }
    }

    /// A logger for the `log` crate around `inner`, which gets every record it wants; see
    /// [`Logger::wrap`].
    pub fn wrap<L: Log>(&self, inner: L) -> Logger<L> {
        self.logger().wrap(inner)
    }

    /// Records panics, also of threads that are never joined, after the hook that is there has run.
    /// The hook itself sends nothing.
    pub fn install_panic_hook(&self) {
        if self.is_enabled() {
            panic_hook::install(&(Arc::clone(&self.shared) as Arc<dyn Sink>));
        }
    }

    /// Sends what may be sent now and waits for it, at most for `timeout`.
    ///
    /// Ends the hold of pending events. The interval between texts, the budget and the waits that
    /// the service asked for still apply. Returns early when nothing more can be sent in time.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # let alerts = annunciator::Annunciator::builder("pump").start()?;
    /// let report = alerts.flush(Duration::from_secs(10));
    /// if !report.is_complete() {
    ///     eprintln!("{report}\n{}", alerts.health());
    /// }
    /// # Ok::<(), annunciator::ConfigError>(())
    /// ```
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        let deadline = deadline(timeout);
        let now = spool::now();
        let begun: Vec<u32> =
            self.shared.alerters.iter().map(|shared| shared.delivered()).collect();
        for shared in &self.shared.alerters {
            shared.request_flush(now, true);
        }
        let mut total = FlushReport::default();
        for (shared, begun) in self.shared.alerters.iter().zip(begun) {
            let report = shared.wait_settled(deadline, begun);
            total.sent = total.sent.saturating_add(report.sent);
            total.kept = total.kept.saturating_add(report.kept);
            total.volatile = total.volatile.saturating_add(report.volatile);
        }
        total
    }

    /// How everything is doing.
    pub fn health(&self) -> Health {
        let mut health = Health::default();
        health.name.clone_from(&self.shared.name);
        health.disabled.clone_from(&self.shared.disabled);
        health.destinations = self.shared.alerters.iter().map(|shared| shared.health()).collect();
        health
    }
}

/// When a wait of `timeout` ends. One that the clock cannot say might as well have no end.
fn deadline(timeout: Duration) -> StdInstant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let now = StdInstant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + YEAR)
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle")
            .field("name", &self.shared.name)
            .field("level", &self.shared.level)
            .field("destinations", &self.shared.alerters.len())
            .finish_non_exhaustive()
    }
}

impl Sink for Shared {
    #[inline]
    fn record(&self, entry: &Entry) {
        let now = spool::now();
        for shared in &self.alerters {
            shared.admit(now, entry);
        }
    }

    fn scrubs(&self) -> bool {
        self.scrub.is_some()
    }

    fn scrub(&self, draft: &mut Draft<'_>) -> bool {
        self.scrub.as_ref().is_none_or(|scrub| scrub(draft))
    }

    fn try_record(&self, entry: &Entry) {
        let now = spool::now();
        for shared in &self.alerters {
            shared.try_admit(now, entry);
        }
    }

    fn suppressed(&self) {
        for shared in &self.alerters {
            shared.suppressed();
        }
    }

    fn level(&self) -> Level {
        self.level
    }

    fn flush(&self) {
        let now = spool::now();
        for shared in &self.alerters {
            shared.request_flush(now, false);
        }
    }
}

/// Makes one destination's alerter and starts its worker if an earlier run left something.
fn open(
    config: &Config,
    configured: &[String],
    destination: Destination,
) -> Result<Arc<SharedAlerter>, ConfigError> {
    let Destination { label, identity, route } = destination;
    let pace = matches!(route, Route::Vonage(_)).then(|| Arc::clone(&config.service.pace));
    let transport: Box<dyn DescribedTransport> = match route {
        Route::Custom(transport) => Box::new(Custom(transport)),
        Route::Vonage(number) => Box::new(transports::client(config, &number)?),
    };
    let configured: Vec<&str> = configured.iter().map(String::as_str).collect();
    let context = Arc::new(Context::new(store::Settings {
        place: &config.spool.place,
        name: &config.name,
        prefix: format!("[Rust Logger {}] ", config.name),
        destination: &identity,
        configured: &configured,
        size: config.spool.size,
        dirs: RuntimeDirs::from_env(),
    }));
    let (store, region, found) = store::open(&context).map_err(|error| {
        let setting = Setting::Method("spool_size");
        ConfigError::invalid(setting, format!("no memory for the ring: {error}"))
    })?;
    let maker =
        RingMaker { policy: config.policy, report_crashes: config.report_crashes, seed: seed() };
    let mut alerter = maker.own(&store, region, &found);
    let direct = store.direct_writer().is_some();
    if direct {
        // What callers write to the file means more with a state beside it.
        alerter.commit(spool::now());
    }
    let inherits = found.source != Source::Nothing || !store.orphans().is_empty();
    let reporter = Reporter::new(label.clone(), config.on_error.clone());
    let start = worker::start;
    let mut shared = SharedAlerter::new(label, alerter, store, maker, start, transport, reporter);
    shared.utc_offset = config.utc_offset;
    shared.pace = pace;
    let shared = Arc::new(shared);
    if inherits || direct || config.policy.heartbeat.is_some() {
        shared.wake(&mut shared.lock());
    }
    Ok(shared)
}

/// Spreads retries of devices that lost the network at the same moment: their clocks and process
/// numbers differ.
fn seed() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.subsec_nanos()) ^ std::process::id().rotate_left(16)
}

/// Flushes when it is dropped, with a deadline that holds whatever the network does. Derefs to the
/// [`Handle`].
///
/// Nothing that was recorded depends on it: what it has no time to send waits in the spool for the
/// next start.
#[must_use = "texts still held are sent when the guard is dropped: keep it to the end of `main`"]
#[derive(Debug)]
pub struct Annunciator {
    handle: Handle,
    armed: bool,
}

impl Annunciator {
    /// Starts a configuration; see [`Builder::new`].
    pub fn builder(program: impl Into<String>) -> Builder {
        Builder::new(program)
    }

    fn new(handle: Handle) -> Annunciator {
        Annunciator { handle, armed: true }
    }

    /// A handle to keep elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// For programs that never return from `main`: nothing flushes at the end.
    pub fn detach(mut self) -> Handle {
        self.armed = false;
        self.handle.clone()
    }
}

impl Deref for Annunciator {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Annunciator {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let timeout = self.handle.shared.drop_timeout;
        let deadline = deadline(timeout);
        self.handle.flush(timeout);
        for shared in &self.handle.shared.alerters {
            shared.close();
        }
        for shared in &self.handle.shared.alerters {
            shared.wait_closed(deadline);
        }
    }
}

#[cfg(test)]
impl Annunciator {
    /// Of the first destination.
    pub(crate) fn shared_alerter(&self) -> Arc<SharedAlerter> {
        Arc::clone(self.handle.shared.alerters.first().expect("a destination"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Phone;
    use annunciator_core::scrub;

    #[test]
    fn the_hook_changes_and_drops_events_of_every_front_before_they_are_kept() {
        let (phone, texts) = Phone::new();
        // A name of its own: what another run of this test has reported is no news.
        let name = format!("scrubbed-{}", std::process::id());
        let alerts = Builder::new(&name)
            .environment(|_| None)
            .without_spool()
            .hold(Duration::from_secs(3600), Duration::from_secs(3600))
            .transport("own", phone)
            .scrub(|draft| {
                scrub::secrets(draft);
                draft.target() != "chatty"
            })
            .start()
            .expect("a configuration");
        let logger = alerts.logger();
        let log = |target: &str, args: std::fmt::Arguments<'_>| {
            let level = log::Level::Error;
            logger.log(&log::Record::builder().level(level).target(target).args(args).build());
        };
        log("app", format_args!("login with password={} failed", "hunter2"));
        log("chatty", format_args!("nobody wants to know"));
        alerts.record(&Event::new(Level::Error, "no token=abc for me"));
        alerts.record(&Event::new(Level::Error, "nor this").target("chatty"));
        // As long as it takes.
        alerts.flush(Duration::MAX);
        let text = texts.recv_timeout(Duration::from_secs(40)).expect("a text");
        let wanted = "ERROR: login with password=*** failed, ERROR: no token=*** for me";
        assert_eq!(text, format!("[Rust Logger {name}] {wanted}"));
        assert_eq!(alerts.health().destinations[0].counters.suppressed, 2);
    }
}
