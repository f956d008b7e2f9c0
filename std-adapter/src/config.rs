//! Turns a program's settings and its environment into one checked, immutable [`Config`].
//!
//! [`Builder`] collects explicit settings; [`Builder::build`] fills the gaps from the environment,
//! checks everything that is set, and names the variable or method to change if something is wrong.
//! Nothing later in the crate has to doubt a setting, and nothing reads a setting from the
//! environment again.
//!
//! ```text
//!  builder's methods ──┐                           ┌─► Setup::Enabled(Config)      start
//!                      ├─ explicit wins ─► build ──┼─► Setup::Disabled(Disabled)   one line on stderr
//!  environment ────────┘                           └─► ConfigError                 name and fix
//! ```
//!
//! Without credentials or without a number a program must still run, for example on a developer's
//! laptop: that is `Disabled`, no error. One half of a pair of credentials is an error: texts were
//! meant to be sent.

mod builder;
mod endpoint;
mod environment;
mod error;
mod resolve;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use annunciator_core::alerter::Policy;
use annunciator_core::event::Level;
use annunciator_core::pace::Pace;
use annunciator_core::transport::Transport;
#[cfg(feature = "signature")]
use annunciator_core::vonage::Algorithm;
use annunciator_core::vonage::{Auth, CredentialsError, Number, Sender};
use rustls_pki_types::CertificateDer;

pub use builder::Builder;
pub use error::{ConfigError, Setting};

use crate::event::Draft;
use crate::health::OnError;
use crate::secret::Secret;
pub(crate) use endpoint::{Endpoint, Proxy};

/// What a [`Builder`] came to: to be looked at, and started with [`start`](Setup::start).
#[derive(Debug)]
#[non_exhaustive]
pub enum Setup {
    /// There is a destination and a route to it.
    Enabled(Box<Config>),
    /// There is not; the program runs without texts.
    Disabled(Disabled),
}

/// Why no texts will be sent: settings that are absent. `Display` is the line for stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Disabled {
    /// The environment variables that would have to be set.
    pub missing: Vec<&'static str>,
}

impl fmt::Display for Disabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("annunciator: no texts will be sent, not set: ")?;
        f.write_str(&self.missing.join(", "))
    }
}

/// A complete configuration, checked. Built by [`Builder::build`].
pub struct Config {
    pub(crate) name: String,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) missing: Vec<&'static str>,
    pub(crate) service: Service,
    pub(crate) spool: Spool,
    pub(crate) timing: Timing,
    pub(crate) policy: Policy,
    /// Minutes that the owner's local time is ahead of UTC, if that is known.
    pub(crate) utc_offset: Option<i16>,
    pub(crate) report_crashes: bool,
    pub(crate) on_error: Option<OnError>,
    pub(crate) scrub: Option<Scrub>,
}

/// Sees each event before it is kept.
pub(crate) type Scrub = Arc<dyn Fn(&mut Draft<'_>) -> bool + Send + Sync>;

impl Config {
    /// The NAME in the prefix of each text, its `{host}` replaced.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Events of this level and above are reported.
    pub fn level(&self) -> Level {
        self.policy.level
    }

    /// Who gets the texts, one entry each; at least one.
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// The directory of the spool; `Err` says why there is none.
    pub fn spool_directory(&self) -> Result<&Path, &str> {
        match &self.spool.place {
            Place::Directory(directory) => Ok(directory),
            Place::Nowhere(reason) => Err(reason),
            Place::Off => Err(OFF),
        }
    }

    /// Variables whose absence keeps texts from a part of the destinations. Empty, unless
    /// numbers lack credentials beside a transport of one's own, which needs none.
    pub fn missing(&self) -> &[&'static str] {
        &self.missing
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("destinations", &self.destinations)
            .field("service", &self.service)
            .field("spool", &self.spool)
            .field("timing", &self.timing)
            .field("policy", &self.policy)
            .field("utc_offset", &self.utc_offset)
            .finish_non_exhaustive()
    }
}

/// Somebody, or something, that gets the texts.
pub struct Destination {
    pub(crate) label: String,
    /// Whose events these are, across runs: the number or the transport. It shows the number, so it
    /// is hashed before it becomes a file's name.
    pub(crate) identity: String,
    pub(crate) route: Route,
}

impl Destination {
    /// Its name in reports: of a number the ends only, of a transport its own name.
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Destination").field("label", &self.label).finish_non_exhaustive()
    }
}

/// How a destination is reached.
pub(crate) enum Route {
    /// By the SMS service.
    Vonage(Number),
    /// By a transport of the program's own.
    Custom(Box<dyn Transport + Send>),
}

/// The SMS service, as every destination with a number uses it.
#[derive(Clone)]
pub(crate) struct Service {
    /// Present if any destination has a number.
    pub(crate) credentials: Option<Credentials>,
    /// Goes together with every number.
    pub(crate) sender: Sender,
    pub(crate) endpoint: Endpoint,
    /// Taken instead of the built-in roots.
    pub(crate) roots: Option<Arc<Vec<CertificateDer<'static>>>>,
    pub(crate) proxy: Option<Proxy>,
    /// All destinations share the sender.
    pub(crate) pace: Arc<Mutex<Pace>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("credentials", &self.credentials)
            .field("sender", &self.sender.as_str())
            .field("endpoint", &self.endpoint)
            .field("roots", &self.roots.as_ref().map(|roots| roots.len()))
            .field("proxy", &self.proxy)
            .finish()
    }
}

/// What identifies the account.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) key: String,
    /// Of the API, or of signatures.
    pub(crate) secret: Secret,
    pub(crate) proof: Proof,
}

/// How a request proves whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Proof {
    /// Key and secret in an `Authorization` header.
    #[default]
    Header,
    /// Key and secret in the form.
    Body,
    /// A digest over the form.
    #[cfg(feature = "signature")]
    Signature(Algorithm),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("proof", &self.proof).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The same for the protocol. An error only for what no [`Config`] holds.
    pub(crate) fn auth(&self) -> Result<Auth<'_>, CredentialsError> {
        let pair = annunciator_core::vonage::Credentials::new(&self.key, self.secret.expose())?;
        Ok(match self.proof {
            Proof::Header => Auth::Basic(pair),
            Proof::Body => Auth::Body(pair),
            #[cfg(feature = "signature")]
            Proof::Signature(algorithm) => Auth::Signed(pair, algorithm),
        })
    }
}

/// The files that outlive the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spool {
    pub(crate) place: Place,
    /// Bytes of each destination's file.
    pub(crate) size: usize,
}

/// Where the spool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this directory, an absolute path.
    Directory(PathBuf),
    /// In memory alone, because no directory for it is known. Holds the reason.
    Nowhere(String),
    /// In memory alone, because the program asks for it.
    Off,
}

/// Why there is no spool where the program wants none.
pub(crate) const OFF: &str = "switched off by the program";

/// Deadlines of the adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    /// For a connection, TLS included.
    pub(crate) connect: Duration,
    /// For a whole request, connection included.
    pub(crate) request: Duration,
    /// For the guard's drop.
    pub(crate) drop: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing {
            connect: Duration::from_secs(5),
            request: Duration::from_secs(20),
            drop: Duration::from_secs(2),
        }
    }
}

#[cfg(test)]
mod tests;
