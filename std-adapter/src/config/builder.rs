//! The builder: one method a setting. Nothing is judged here; `resolve` does that in one pass.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use annunciator_core::alerter::{Policy, Quiet};
use annunciator_core::budget::Limits;
use annunciator_core::event::Level;
use annunciator_core::gsm7::Fallback;
use annunciator_core::transport::{Decimal, Transport};
#[cfg(feature = "signature")]
use annunciator_core::vonage::Algorithm;

use super::environment::Environment;
use super::{Scrub, Timing};
use crate::event::Draft;
use crate::health::{OnError, Trouble};
use crate::secret::Secret;

/// Default size of a spool file, in bytes.
const SPOOL_SIZE: usize = 128 * 1024;

/// Collects settings; what is not set here comes from the environment.
///
/// | variable | method | default |
/// |---|---|---|
/// | `VONAGE_API_KEY`, `VONAGE_API_SECRET` | [`credentials`](Builder::credentials) | none: disabled |
/// | `VONAGE_SIGNATURE_SECRET`, `VONAGE_SIGNATURE_METHOD` (`md5hash` or `sha256`) | `signature`, a feature | none: not signed |
/// | `ALERT_PHONE_NUMBER`, comma-separated | [`to`](Builder::to), repeated | none: disabled |
/// | `ALERT_NAME` | [`name`](Builder::name) | the program's name given at the start |
/// | `ALERT_SENDER` | [`sender`](Builder::sender) | the name's first 11 letters and digits |
/// | `ALERT_LEVEL` | [`level`](Builder::level) | `WARN` |
/// | `ALERT_SPOOL` | [`spool`](Builder::spool) | the state directory |
/// | `VONAGE_SMS_URL` | [`url`](Builder::url) | `https://rest.nexmo.com/sms/json` |
/// | `ALERT_CA_FILE` | [`ca_file`](Builder::ca_file) | built-in roots |
/// | `HTTPS_PROXY`, `https_proxy` | [`proxy`](Builder::proxy) | none |
/// | `NO_PROXY`, `no_proxy` | | no host; is asked only for a proxy from the environment |
///
/// Explicit settings win over the environment. An empty value counts as absent, in either.
#[must_use = "a builder does nothing until it is built or started"]
pub struct Builder {
    // A field for each setting.
    pub(super) environment: Environment,
    pub(super) program: String,
    pub(super) name: Option<String>,
    pub(super) credentials: Option<(String, Secret)>,
    pub(super) credentials_in_body: bool,
    #[cfg(feature = "signature")]
    pub(super) signature: Option<(Algorithm, Secret)>,
    pub(super) numbers: Vec<String>,
    pub(super) transports: Vec<(String, Box<dyn Transport + Send>)>,
    pub(super) sender: Option<String>,
    pub(super) level: Option<Level>,
    pub(super) spool: Option<Option<PathBuf>>,
    pub(super) spool_size: usize,
    pub(super) url: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) proxy: Option<String>,
    pub(super) timing: Timing,
    pub(super) policy: Policy,
    pub(super) utc_offset: Option<i16>,
    pub(super) report_crashes: bool,
    pub(super) on_error: Option<OnError>,
    pub(super) scrub: Option<Scrub>,
}

impl Builder {
    /// Starts with the program's name, which is the NAME of the prefix `[Rust Logger NAME] ` unless
    /// `ALERT_NAME` or [`name`](Builder::name) says otherwise. `{host}` in it is replaced by the
    /// host's name up to its first dot.
    pub fn new(program: impl Into<String>) -> Builder {
        Builder {
            environment: Environment::process(),
            program: program.into(),
            name: None,
            credentials: None,
            credentials_in_body: false,
            #[cfg(feature = "signature")]
            signature: None,
            numbers: Vec::new(),
            transports: Vec::new(),
            sender: None,
            level: None,
            spool: None,
            spool_size: SPOOL_SIZE,
            url: None,
            ca_file: None,
            proxy: None,
            timing: Timing::default(),
            policy: Policy::default(),
            utc_offset: None,
            report_crashes: true,
            on_error: None,
            scrub: None,
        }
    }

    /// Looks variables up in `lookup` instead of the process's environment: a configuration file,
    /// a test's table, `|_| None` for nothing at all.
    pub fn environment(
        mut self,
        lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static,
    ) -> Builder {
        self.environment = Environment::with_lookup(lookup);
        self
    }

    /// The NAME of the prefix, whatever `ALERT_NAME` says; `{host}` is replaced. Cut to 32
    /// characters.
    pub fn name(mut self, name: impl Into<String>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// The account's API key and secret.
    pub fn credentials(mut self, key: impl Into<String>, secret: impl Into<Secret>) -> Builder {
        self.credentials = Some((key.into(), secret.into()));
        self
    }

    /// Sends the credentials in the form body instead of an `Authorization` header, for gateways
    /// that know only the older way.
    pub fn credentials_in_body(mut self) -> Builder {
        self.credentials_in_body = true;
        self
    }

    /// Signs requests with the account's *signature* secret, which takes the place of the API
    /// secret: only the key of [`credentials`](Builder::credentials) or `VONAGE_API_KEY` is needed
    /// beside it. The algorithm is a setting of the account. Needs a clock that is right within
    /// minutes.
    #[cfg(feature = "signature")]
    pub fn signature(mut self, algorithm: Algorithm, secret: impl Into<Secret>) -> Builder {
        self.signature = Some((algorithm, secret.into()));
        self
    }

    /// Adds a phone number with its country code, such as `+44 7700 900000`. A
    /// number given twice is one destination.
    pub fn to(mut self, number: impl Into<String>) -> Builder {
        self.numbers.push(number.into());
        self
    }

    /// Adds a destination reached by a [`Transport`] of your own; `label` names it in reports and
    /// in the spool. It needs no credentials and no number. Each attempt is made on a thread that
    /// may block; a [`Code`](annunciator_core::transport::Code) of yours is shown as its number.
    pub fn transport(
        mut self,
        label: impl Into<String>,
        transport: impl Transport + Send + 'static,
    ) -> Builder {
        self.transports.push((label.into(), Box::new(transport)));
        self
    }

    /// What the text comes from: up to 11 letters and digits, or a number of the account. Numbers
    /// of the North American plan (+1) take a number only.
    pub fn sender(mut self, sender: impl Into<String>) -> Builder {
        self.sender = Some(sender.into());
        self
    }

    /// The least severe level that is reported. Default: WARN.
    pub fn level(mut self, level: Level) -> Builder {
        self.level = Some(level);
        self
    }

    /// The directory of the spool, an absolute path; made if absent.
    ///
    /// Default: `annunciator` in systemd's `STATE_DIRECTORY`; else, for root, in `/var/lib`; else
    /// in `XDG_STATE_HOME` or in `$HOME/.local/state`.
    pub fn spool(mut self, directory: impl Into<PathBuf>) -> Builder {
        self.spool = Some(Some(directory.into()));
        self
    }

    /// Keeps events in memory alone: what was not sent ends with the machine's power, or earlier.
    pub fn without_spool(mut self) -> Builder {
        self.spool = Some(None);
        self
    }

    /// Bytes of each destination's spool file, 4 KiB to 4 MiB. Default: 128 KiB.
    pub fn spool_size(mut self, bytes: usize) -> Builder {
        self.spool_size = bytes;
        self
    }

    /// The service's address: `https`, or `http` with a loopback address.
    pub fn url(mut self, url: impl Into<String>) -> Builder {
        self.url = Some(url.into());
        self
    }

    /// A PEM file of root certificates that are trusted *instead of* the built-in ones.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Builder {
        self.ca_file = Some(path.into());
        self
    }

    /// The proxy that requests are tunnelled through: `http://host:port`. One from the environment
    /// is not used for a loopback address.
    pub fn proxy(mut self, address: impl Into<String>) -> Builder {
        self.proxy = Some(address.into());
        self
    }

    /// Deadline of a connection, TLS included. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Builder {
        self.timing.connect = timeout;
        self
    }

    /// Deadline of a whole request, connection included. Default: 20 s.
    pub fn request_timeout(mut self, timeout: Duration) -> Builder {
        self.timing.request = timeout;
        self
    }

    /// The longest the guard's drop may take. Default: 2 s.
    pub fn drop_timeout(mut self, timeout: Duration) -> Builder {
        self.timing.drop = timeout;
        self
    }

    /// How soon events are on disk: ERROR and PANIC, and the rest. Defaults: 100 ms and 1 s.
    pub fn commit_within(mut self, error: Duration, rest: Duration) -> Builder {
        self.policy.commit_error = error.into();
        self.policy.commit_other = rest.into();
        self
    }

    /// How long the first text after a quiet time waits for more events: for an ERROR, and for
    /// lower levels. Defaults: 1 s and 5 s.
    pub fn hold(mut self, error: Duration, rest: Duration) -> Builder {
        self.policy.hold_error = error.into();
        self.policy.hold_other = rest.into();
        self
    }

    /// Least time between later texts, and up to what it doubles while the same error repeats.
    /// Defaults: 60 s and 8 h.
    pub fn interval(mut self, least: Duration, longest: Duration) -> Builder {
        self.policy.gap = least.into();
        self.policy.gap_max = longest.into();
        self
    }

    /// Billed segments that one text may have, 1 to 6. Default: 2.
    pub fn segments_per_text(mut self, segments: u8) -> Builder {
        self.policy.segments = segments;
        self
    }

    /// Billed segments an hour and a day, for each destination. Defaults: 10 and 40.
    pub fn budget(mut self, per_hour: u16, per_day: u16) -> Builder {
        self.policy.limits = Limits::new(per_hour, per_day);
        self
    }

    /// Keeps texts in the GSM alphabet: what it lacks, and what cannot be transliterated, becomes
    /// `?`. Default: such a text is sent in UCS-2, which has room for less than half as much.
    pub fn gsm_only(mut self) -> Builder {
        self.policy.fallback = Fallback::Replace;
        self
    }

    /// The balance in euro below which one text warns; another does so after the account was topped
    /// up. `None`: never. Default: 1.
    ///
    /// ```
    /// # use annunciator::{Builder, transport::Decimal};
    /// let builder = Builder::new("pump").low_balance(Decimal::parse("2.50"));
    /// ```
    pub fn low_balance(mut self, limit: Option<Decimal>) -> Builder {
        self.policy.low_balance = limit;
        self
    }

    /// Age at which an event that could not be sent is dropped and counted. Default: 3 days.
    pub fn max_age(mut self, age: Duration) -> Builder {
        self.policy.expiry = age.into();
        self
    }

    /// Sends a text after each such span that says all is well: `alive 7 d, 0 errors`. It counts
    /// towards the budget and is sent at most once a minute. Default: never.
    pub fn heartbeat(mut self, every: Duration) -> Builder {
        self.policy.heartbeat = Some(every.into());
        self
    }

    /// Sends one text when a kind of ERROR that was reported has not occurred for this long.
    /// Default: never.
    pub fn recovered_after(mut self, quiet: Duration) -> Builder {
        self.policy.recovered = Some(quiet.into());
        self
    }

    /// Whether a start after an unclean end says so: `restarted after a crash: ` and the last
    /// severe event; several crashes become one text with their count. Default: it does.
    ///
    /// Unclean is each end that did not drop the [`Annunciator`](crate::Annunciator): a crash, a
    /// kill, but also a SIGTERM that the program does not handle. `process::exit` is none, as
    /// long as the memory file is there at the next start: not in a new container.
    pub fn tell_crashes(mut self, tell: bool) -> Builder {
        self.report_crashes = tell;
        self
    }

    /// Hours of the local day during which only panics are sent; the rest waits for their end. In
    /// minutes after midnight, the second after the last: `(22 * 60, 7 * 60)`. Needs
    /// [`utc_offset`](Builder::utc_offset).
    pub fn quiet_hours(mut self, from: u16, to: u16) -> Builder {
        self.policy.quiet = Some(Quiet::new(from, to, Level::Panic));
        self
    }

    /// Minutes by which the recipient's local time is ahead of UTC, -720 to 840. With it texts name
    /// times of day (`offline 02:10-03:40`), else spans (`offline 1 h 30 min`).
    pub fn utc_offset(mut self, minutes: i16) -> Builder {
        self.utc_offset = Some(minutes);
        self
    }

    /// Sees each event before it is kept anywhere, and may change its message; `false` drops the
    /// event and counts it as suppressed. Other loggers get it unchanged.
    ///
    /// Runs where the event arises, inside the log call or the panic hook: it must be quick and
    /// must not panic. [`scrub::secrets`](annunciator_core::scrub::secrets) hides what usually is
    /// one:
    ///
    /// ```
    /// # use annunciator::{Builder, scrub};
    /// let builder = Builder::new("pump").scrub(|draft| {
    ///     scrub::secrets(draft);
    ///     draft.target() != "chatty"
    /// });
    /// ```
    pub fn scrub(
        mut self,
        hook: impl Fn(&mut Draft<'_>) -> bool + Send + Sync + 'static,
    ) -> Builder {
        self.scrub = Some(Arc::new(hook));
        self
    }

    /// Called on a worker thread when the alerter's own trouble arises, changes or ends; not again
    /// at every attempt, and under no lock. What it logs is not texted.
    pub fn on_error(mut self, callback: impl Fn(&Trouble<'_>) + Send + Sync + 'static) -> Builder {
        self.on_error = Some(Arc::new(callback));
        self
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("program", &self.program).finish_non_exhaustive()
    }
}
