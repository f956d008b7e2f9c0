//! The settings of a simulator, before it starts.

use crate::auth::{Auth, SignatureMethod};
use crate::check::Account;
use crate::reply::Ledger;
use crate::server::Shared;
use crate::simulator::Simulator;
use crate::tls::{Authority, Certificate, Tls};
use std::fmt;
use std::io;
use std::time::Duration;

/// Settings of a [`Simulator`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    account: Account,
    ledger: Ledger,
    lenient: bool,
    plain: bool,
    port: u16,
    certificate: Certificate,
    tls: Tls,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            account: Account {
                key: Simulator::KEY.to_owned(),
                secrets: vec![Simulator::SECRET.to_owned()],
                signature: None,
                only: None,
                tolerance: Some(Duration::from_secs(300)),
                answer_401: false,
            },
            ledger: Ledger { balance: 100_000_000_000, price: 3_330_000, serial: 0 },
            lenient: false,
            plain: false,
            port: 0,
            certificate: Certificate::Good,
            tls: Tls::Modern,
        }
    }
}

impl Builder {
    /// Speaks HTTP without TLS: for a proxy in between, and for clients that should refuse to.
    pub const fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Listens on this port instead of a free one.
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The key and secret that are accepted.
    pub fn credentials(mut self, key: impl Into<String>, secret: impl Into<String>) -> Self {
        self.account.key = key.into();
        self.account.secrets = vec![secret.into()];
        self
    }

    /// Accepts signed requests, too. This secret is another than that of the credentials.
    pub fn signature(mut self, method: SignatureMethod, secret: impl Into<String>) -> Self {
        self.account.signature = Some((method, secret.into()));
        self
    }

    /// How far a signed timestamp may be from now, 5 minutes unless set; `None` for no limit. What
    /// the real service tolerates is not documented.
    pub const fn signature_tolerance(mut self, limit: Option<Duration>) -> Self {
        self.account.tolerance = limit;
        self
    }

    /// Accepts only this way to prove the account. Otherwise a Basic header, credentials in the
    /// body and (if [`signature`](Self::signature) is set) a signature are all accepted.
    pub const fn only(mut self, auth: Auth) -> Self {
        self.account.only = Some(auth);
        self
    }

    /// Answers a wrong Basic header with HTTP 401 instead of status 4.
    pub const fn bad_credentials_as_401(mut self) -> Self {
        self.account.answer_401 = true;
        self
    }

    /// The account's money in euros and the price of a part: at first 1000 and 0.0333.
    pub fn balance(mut self, euros: f64, price: f64) -> Self {
        self.ledger.balance = (euros * 1e8).round() as i64;
        self.ledger.price = (price * 1e8).round() as i64;
        self
    }

    /// Lets the script accept even what the service would refuse. Violations are still recorded.
    pub const fn lenient(mut self) -> Self {
        self.lenient = true;
        self
    }

    /// The certificate to show.
    pub const fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = certificate;
        self
    }

    /// The versions of TLS to speak.
    pub const fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Starts.
    ///
    /// # Errors
    /// As [`Simulator::start`].
    pub fn start(self) -> io::Result<Simulator> {
        let authority = Authority::new().map_err(io::Error::other)?;
        let tls = match self.plain {
            true => None,
            false => {
                let config = authority.server(self.certificate, self.tls);
                Some((self.tls, config.map_err(io::Error::other)?))
            }
        };
        let shared = Shared::new(self.account, self.ledger, self.lenient, tls);
        Simulator::open(shared, authority, self.port, (!self.plain).then_some(self.tls))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("port", &self.port)
            .field("plain", &self.plain)
            .field("certificate", &self.certificate)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
