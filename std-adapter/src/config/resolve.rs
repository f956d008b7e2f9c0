//! From what was said to what holds: fills, checks and normalises in one pass.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use annunciator_core::alerter::Quiet;
use annunciator_core::event::Level;
use annunciator_core::pace::Pace;
use annunciator_core::time::Duration as Span;
use annunciator_core::transport::Transport;
#[cfg(feature = "signature")]
use annunciator_core::vonage::Algorithm;
use annunciator_core::vonage::{CredentialsError, Number, Sender, check_route};
use rustls_pki_types::CertificateDer;

use super::endpoint::{self, Endpoint, Proxy};
use super::error::{ConfigError, Setting};
use super::{
    Builder, Config, Credentials, Destination, Disabled, Place, Proof, Route, Service, Setup, Spool,
};
use crate::secret::Secret;
use crate::text;

const KEY: &str = "VONAGE_API_KEY";
const SECRET: &str = "VONAGE_API_SECRET";
#[cfg(feature = "signature")]
const SIGNATURE_SECRET: &str = "VONAGE_SIGNATURE_SECRET";
#[cfg(feature = "signature")]
const SIGNATURE_METHOD: &str = "VONAGE_SIGNATURE_METHOD";
const NUMBER: &str = "ALERT_PHONE_NUMBER";
const NAME: &str = "ALERT_NAME";
const SENDER: &str = "ALERT_SENDER";
const LEVEL: &str = "ALERT_LEVEL";
const SPOOL: &str = "ALERT_SPOOL";
const URL: &str = "VONAGE_SMS_URL";
const CA_FILE: &str = "ALERT_CA_FILE";

/// Longest NAME in characters; what is longer is cut, since every text pays for it.
const MAX_NAME: usize = 32;
/// Sizes in bytes that a spool file may have.
const SPOOL_SIZES: std::ops::RangeInclusive<usize> = 4 * 1024..=4 * 1024 * 1024;
const DAY_MINUTES: u16 = 24 * 60;
/// Longest span that is taken for meant.
const LONGEST: Span = Span::from_hours(366 * 24);

impl Builder {
    /// Fills the gaps from the environment and checks everything that is set.
    ///
    /// # Errors
    ///
    /// The first setting that cannot be used, with the fix. What is set is checked also if the
    /// outcome is [`Setup::Disabled`].
    pub fn build(self) -> Result<Setup, ConfigError> {
        let name = self.resolved_name()?;
        let level = self.resolved_level()?;
        let credentials = self.resolved_credentials()?;
        let numbers = self.resolved_numbers()?;
        let sender = self.resolved_sender(&name, &numbers)?;
        let endpoint = self.resolved_endpoint()?;
        let proxy = self.resolved_proxy(&endpoint)?;
        let roots = self.resolved_roots()?.map(Arc::new);
        let place = self.resolved_place()?;
        self.check_ranges()?;
        let mut policy = self.policy;
        policy.level = level;

        let mut missing = Vec::new();
        if credentials.is_none() {
            missing.extend([KEY, SECRET]);
        }
        if numbers.is_empty() {
            missing.push(NUMBER);
        }
        if self.transports.is_empty() && !missing.is_empty() {
            return Ok(Setup::Disabled(Disabled { missing }));
        }
        let reachable = if credentials.is_some() { numbers.as_slice() } else { &[] };
        if credentials.is_none() && numbers.is_empty() {
            // A transport of the program's own stands alone; the service was not meant to be used.
            missing.clear();
        }
        let destinations = destinations(reachable, self.transports)?;
        let pace = Arc::new(Mutex::new(Pace::new(sender.spacing())));
        Ok(Setup::Enabled(Box::new(Config {
            name,
            destinations,
            missing,
            service: Service { credentials, sender, endpoint, roots, proxy, pace },
            spool: Spool { place, size: self.spool_size },
            timing: self.timing,
            policy,
            utc_offset: self.utc_offset,
            report_crashes: self.report_crashes,
            on_error: self.on_error,
            scrub: self.scrub,
        })))
    }

    /// An explicit text unless it is empty, else the variable's; and which of them it was.
    fn text(
        &self,
        explicit: Option<&String>,
        method: &'static str,
        variable: &'static str,
    ) -> Result<Option<(String, Setting)>, ConfigError> {
        match explicit.map(|text| text.trim()).filter(|text| !text.is_empty()) {
            Some(text) => Ok(Some((text.to_owned(), Setting::Method(method)))),
            None => {
                let text = self.environment.text(variable)?;
                Ok(text.map(|text| (text, Setting::Variable(variable))))
            }
        }
    }

    fn resolved_name(&self) -> Result<String, ConfigError> {
        let (name, setting) = match self.text(self.name.as_ref(), "name", NAME)? {
            Some(given) => given,
            None => (self.program.trim().to_owned(), Setting::Method("new")),
        };
        if name.is_empty() {
            let problem = "the name is empty: give the program a name to stand in its texts";
            return Err(ConfigError::invalid(setting, problem));
        }
        if name.chars().any(char::is_control) {
            let problem = "the name holds a control character: write printable characters only";
            return Err(ConfigError::invalid(setting, problem));
        }
        let name = name.replace("{host}", &self.environment.host());
        Ok(name.chars().take(MAX_NAME).collect())
    }

    fn resolved_level(&self) -> Result<Level, ConfigError> {
        if let Some(level) = self.level {
            return Ok(level);
        }
        match self.environment.text(LEVEL)? {
            None => Ok(Level::Warn),
            Some(text) => text.parse().map_err(|error| {
                let problem = format!("\"{}\" is {error}", text.escape_debug());
                ConfigError::invalid(Setting::Variable(LEVEL), problem)
            }),
        }
    }

    fn resolved_credentials(&self) -> Result<Option<Credentials>, ConfigError> {
        #[cfg(feature = "signature")]
        if let Some(credentials) = self.resolved_signature()? {
            return Ok(Some(credentials));
        }
        let given = self.credentials.as_ref().map(|(key, secret)| (key.trim(), secret.clone()));
        let given = given.filter(|(key, secret)| !(key.is_empty() && secret.expose().is_empty()));
        let (key, secret, settings, words) = match given {
            Some((key, secret)) => {
                let words = ("the key of Builder::credentials()", "the secret beside it");
                (key.to_owned(), secret, [Setting::Method("credentials"); 2], words)
            }
            None => {
                let key = self.environment.text(KEY)?.unwrap_or_default();
                let secret = Secret::from(self.environment.exact(SECRET)?.unwrap_or_default());
                (key, secret, [KEY, SECRET].map(Setting::Variable), (KEY, SECRET))
            }
        };
        match (key.is_empty(), secret.expose().is_empty()) {
            (true, true) => return Ok(None),
            (false, true) => {
                return Err(ConfigError::HalfConfigured { present: words.0, missing: words.1 });
            }
            (true, false) => {
                return Err(ConfigError::HalfConfigured { present: words.1, missing: words.0 });
            }
            (false, false) => {}
        }
        let proof = if self.credentials_in_body { Proof::Body } else { Proof::Header };
        checked(Credentials { key, secret, proof }, settings).map(Some)
    }

    /// Key and signature secret, if there is the latter.
    #[cfg(feature = "signature")]
    fn resolved_signature(&self) -> Result<Option<Credentials>, ConfigError> {
        let explicit = self.signature.as_ref().filter(|(_, secret)| !secret.expose().is_empty());
        let (algorithm, secret, setting) = match explicit {
            Some((algorithm, secret)) => (*algorithm, secret.clone(), Setting::Method("signature")),
            None => {
                let Some(secret) = self.environment.exact(SIGNATURE_SECRET)? else {
                    return Ok(None);
                };
                let method = self.environment.text(SIGNATURE_METHOD)?;
                let algorithm = match method.as_deref() {
                    None => Algorithm::default(),
                    Some(name) if name.eq_ignore_ascii_case("md5hash") => Algorithm::Md5Hash,
                    Some(name) if name.eq_ignore_ascii_case("sha256") => Algorithm::HmacSha256,
                    Some(_) => {
                        let problem = "write md5hash or sha256, as the account's settings say; the \
                                       other methods are not known here";
                        return Err(ConfigError::invalid(
                            Setting::Variable(SIGNATURE_METHOD),
                            problem,
                        ));
                    }
                };
                (algorithm, Secret::from(secret), Setting::Variable(SIGNATURE_SECRET))
            }
        };
        let given = self.credentials.as_ref().map(|(key, _)| key.trim());
        let (key, key_setting) = match given.filter(|key| !key.is_empty()) {
            Some(key) => (key.to_owned(), Setting::Method("credentials")),
            None => {
                let key = self.environment.text(KEY)?.unwrap_or_default();
                (key, Setting::Variable(KEY))
            }
        };
        if key.is_empty() {
            let present = match setting {
                Setting::Method(_) => "Builder::signature()",
                Setting::Variable(name) => name,
            };
            return Err(ConfigError::HalfConfigured { present, missing: KEY });
        }
        let proof = Proof::Signature(algorithm);
        checked(Credentials { key, secret, proof }, [key_setting, setting]).map(Some)
    }

    fn resolved_numbers(&self) -> Result<Vec<Number>, ConfigError> {
        let mut list = self.numbers.join(",");
        let mut setting = Setting::Method("to");
        if list.bytes().all(|byte| byte == b',' || byte.is_ascii_whitespace()) {
            list = self.environment.text(NUMBER)?.unwrap_or_default();
            setting = Setting::Variable(NUMBER);
        }
        let mut numbers: Vec<Number> = Vec::new();
        for (index, entry) in list.split(',').enumerate() {
            if entry.trim().is_empty() {
                continue;
            }
            let number = Number::parse(entry).map_err(|error| {
                ConfigError::invalid(setting, format!("number {}: {error}", index + 1))
            })?;
            // Two spellings of one number must not cost two texts.
            if !numbers.contains(&number) {
                numbers.push(number);
            }
        }
        Ok(numbers)
    }

    fn resolved_sender(&self, name: &str, numbers: &[Number]) -> Result<Sender, ConfigError> {
        let (sender, setting) = match self.text(self.sender.as_ref(), "sender", SENDER)? {
            Some((text, setting)) => {
                let sender = Sender::parse(&text)
                    .map_err(|error| ConfigError::invalid(setting, error.to_string()))?;
                (sender, setting)
            }
            None => (Sender::derived(name), Setting::Variable(SENDER)),
        };
        for number in numbers {
            check_route(&sender, number).map_err(|error| {
                let problem = format!("\"{sender}\" to {}: {error}", masked(number));
                ConfigError::invalid(setting, problem)
            })?;
        }
        Ok(sender)
    }

    fn resolved_endpoint(&self) -> Result<Endpoint, ConfigError> {
        match self.text(self.url.as_ref(), "url", URL)? {
            None => Ok(Endpoint::vonage()),
            Some((text, setting)) => {
                Endpoint::parse(&text).map_err(|problem| ConfigError::invalid(setting, problem))
            }
        }
    }

    fn resolved_proxy(&self, endpoint: &Endpoint) -> Result<Option<Proxy>, ConfigError> {
        let given = match self.text(self.proxy.as_ref(), "proxy", "HTTPS_PROXY")? {
            None => self.text(None, "proxy", "https_proxy")?,
            given => given,
        };
        match given {
            // The machine's proxy cannot reach this machine's own loopback.
            Some((_, Setting::Variable(_))) if endpoint.is_loopback() => Ok(None),
            Some((_, Setting::Variable(_))) if self.is_exempt(endpoint)? => Ok(None),
            Some((text, setting)) => match Proxy::parse(&text) {
                Ok(proxy) => Ok(Some(proxy)),
                Err(problem) => Err(ConfigError::invalid(setting, problem)),
            },
            None => Ok(None),
        }
    }

    /// Whether `NO_PROXY` exempts the service from the proxy of the environment.
    fn is_exempt(&self, endpoint: &Endpoint) -> Result<bool, ConfigError> {
        let list = match self.environment.text("NO_PROXY")? {
            None => self.environment.text("no_proxy")?,
            list => list,
        };
        Ok(list.is_some_and(|list| endpoint.is_exempt(&list)))
    }

    fn resolved_roots(&self) -> Result<Option<Vec<CertificateDer<'static>>>, ConfigError> {
        let explicit = self.ca_file.clone().filter(|path| !path.as_os_str().is_empty());
        let (path, setting) = match explicit {
            Some(path) => (path, Setting::Method("ca_file")),
            None => match self.environment.path(CA_FILE) {
                Some(path) => (path, Setting::Variable(CA_FILE)),
                None => return Ok(None),
            },
        };
        match endpoint::read_roots(&path) {
            Ok(roots) => Ok(Some(roots)),
            Err(problem) => Err(ConfigError::CaFile { setting, path, problem }),
        }
    }

    fn resolved_place(&self) -> Result<Place, ConfigError> {
        let (directory, setting) = match &self.spool {
            Some(None) => return Ok(Place::Off),
            Some(Some(directory)) if !directory.as_os_str().is_empty() => {
                (directory.clone(), Setting::Method("spool"))
            }
            _ => match self.environment.path(SPOOL) {
                Some(directory) => (directory, Setting::Variable(SPOOL)),
                None => return Ok(self.default_place()),
            },
        };
        if !directory.is_absolute() {
            let problem = format!(
                "{} is relative: write the whole path, since the working directory changes",
                directory.display()
            );
            return Err(ConfigError::invalid(setting, problem));
        }
        Ok(Place::Directory(directory))
    }

    /// `annunciator` in the state directory of the unit, the system or the user. A unit's may be a
    /// link (with `DynamicUser=`), which the spool itself must not be. A relative one is
    /// ignored, as the XDG base directory specification asks.
    fn default_place(&self) -> Place {
        let absolute = |path: PathBuf| path.is_absolute().then_some(path);
        let env = &self.environment;
        let of_unit = env
            .path("STATE_DIRECTORY")
            .and_then(|list| std::env::split_paths(&list).next().and_then(absolute));
        if let Some(directory) = of_unit {
            return Place::Directory(directory.join("annunciator"));
        }
        if env.is_root() {
            return Place::Directory(PathBuf::from("/var/lib/annunciator"));
        }
        let state = env.path("XDG_STATE_HOME").and_then(absolute);
        let home = || env.path("HOME").and_then(absolute).map(|home| home.join(".local/state"));
        match state.or_else(home) {
            Some(state) => Place::Directory(state.join("annunciator")),
            None => Place::Nowhere(format!("neither {SPOOL} nor HOME names a directory")),
        }
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        let refuse =
            |method, problem: String| Err(ConfigError::invalid(Setting::Method(method), problem));
        let (timing, policy) = (&self.timing, &self.policy);
        let spans = [
            ("connect_timeout", Some(timing.connect.into()), true),
            ("request_timeout", Some(timing.request.into()), true),
            ("drop_timeout", Some(timing.drop.into()), false),
            ("commit_within", Some(policy.commit_error), false),
            ("commit_within", Some(policy.commit_other), false),
            ("hold", Some(policy.hold_error), false),
            ("hold", Some(policy.hold_other), false),
            ("interval", Some(policy.gap), false),
            ("interval", Some(policy.gap_max), false),
            ("max_age", Some(policy.expiry), true),
            ("heartbeat", policy.heartbeat, true),
            ("recovered_after", policy.recovered, true),
        ];
        for (method, span, positive) in spans {
            let Some(span) = span else { continue };
            if positive && span == Span::ZERO {
                return refuse(method, "zero is too short".to_owned());
            }
            if span > LONGEST {
                return refuse(method, "a year is the longest".to_owned());
            }
        }
        if policy.gap > policy.gap_max {
            return refuse("interval", "the least is greater than the longest".to_owned());
        }
        if self.utc_offset.is_some_and(|offset| !(-720..=840).contains(&offset)) {
            return refuse("utc_offset", "take -720 to 840 minutes".to_owned());
        }
        if let Some(Quiet { from, to, .. }) = policy.quiet {
            if from >= DAY_MINUTES || to >= DAY_MINUTES || from == to {
                let problem = "take two different minutes of the day, 0 to 1439".to_owned();
                return refuse("quiet_hours", problem);
            }
            if self.utc_offset.is_none() {
                let problem = "the local time is not known: call Builder::utc_offset() too";
                return refuse("quiet_hours", problem.to_owned());
            }
        }
        if !SPOOL_SIZES.contains(&self.spool_size) {
            let (least, most) = (SPOOL_SIZES.start() / 1024, SPOOL_SIZES.end() / 1024);
            return refuse("spool_size", format!("take {least} KiB to {most} KiB"));
        }
        if !(1..=6).contains(&policy.segments) {
            return refuse("segments_per_text", "take 1 to 6 segments".to_owned());
        }
        if policy.limits.hour == 0 || policy.limits.day == 0 {
            return refuse("budget", "a budget of zero would never send anything".to_owned());
        }
        Ok(())
    }
}

/// The credentials, if the protocol takes them; else what is wrong with the key, the first setting,
/// or with the secret, the second.
fn checked(credentials: Credentials, settings: [Setting; 2]) -> Result<Credentials, ConfigError> {
    match credentials.auth() {
        Ok(_) => Ok(credentials),
        Err(error) => {
            let setting = settings[usize::from(error != CredentialsError::Key)];
            Err(ConfigError::invalid(setting, error.to_string()))
        }
    }
}

/// One destination a number, then one a transport.
fn destinations(
    numbers: &[Number],
    transports: Vec<(String, Box<dyn Transport + Send>)>,
) -> Result<Vec<Destination>, ConfigError> {
    let mut destinations: Vec<Destination> = Vec::new();
    for number in numbers {
        let mut label = masked(number);
        if destinations.iter().any(|other| other.label == label) {
            label = format!("{label} #{}", destinations.len() + 1);
        }
        let route = Route::Vonage(*number);
        destinations.push(Destination { label, identity: number.to_string(), route });
    }
    for (label, transport) in transports {
        let taken = destinations.iter().any(|other| other.label == label);
        if label.trim().is_empty() || taken {
            return Err(ConfigError::invalid(
                Setting::Method("transport"),
                format!("the label {label:?} is empty or taken: give each transport its own"),
            ));
        }
        let identity = format!("transport\n{label}");
        destinations.push(Destination { label, identity, route: Route::Custom(transport) });
    }
    Ok(destinations)
}

/// The number for reports: its first two and last two digits.
fn masked(number: &Number) -> String {
    let digits = number.as_str();
    format!("+{}..{}", text::head(digits, 2), text::tail(digits, 2))
}
