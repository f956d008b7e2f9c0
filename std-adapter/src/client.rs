//! The HTTPS client: one request for each attempt, and whether it may have arrived.
//!
//! The core builds the request and understands the answer; this module moves the bytes and settles
//! what no protocol says: whether a request that got no answer may have arrived. The HTTP client
//! cannot tell: a hang in the handshake and one after the request look alike in its errors. So the
//! body is handed to it as a reader that records when it is first asked for bytes. Credentials and
//! text are in the body or useless without it, so before that moment nothing can have been sent.
//!
//! ```text
//!   name, connection, proxy, TLS, headers │ body         │ answer's headers and body
//! ────────────────────────────────────────┼──────────────┼───────────────────────────────►
//!   any failure, any deadline:            │ failure:     │ what was read decides; if it
//!   Retry                                 │ Unknown      │ says nothing: Unknown
//!                                    first read
//! ```
//!
//! Every attempt has a connection of its own. Texts are a minute apart or more, where servers close
//! idle connections. A request written into a connection that the server is closing would count as
//! `Unknown` although it never arrived: a text sent twice for a handshake saved.
//!
//! No redirect is followed, no cookie kept, nothing read from the environment; header and body of
//! an answer are bounded in size, and every step has a deadline.

mod attempt;
mod credentials;
mod explain;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use annunciator_core::transport::{Message, Outcome, Retry, Transport};
use annunciator_core::vonage::{
    AnswerReader, Auth, CONTENT_TYPE, Credentials, Number, Request, RequestError, Sender,
    check_route, max_body_len, retry_after_seconds,
};
use rustls_pki_types::CertificateDer;
use ureq::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE as CONTENT_TYPE_HEADER};
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector as _, DefaultConnector};
use ureq::{Agent, Body, SendBody};

pub(crate) use attempt::Attempt;
use credentials::CredentialInjector;
use explain::local;

use crate::config::{Credentials as Account, Endpoint, Proxy, Service, Timing};

/// Bytes of the longest answer that is read; six parts have 2.4 KiB, the longest text 18 KiB.
const ANSWER_MAX: u64 = 128 * 1024;
/// Bytes of the longest answer header.
const HEADER_MAX: usize = 8 * 1024;

/// What a [`VonageClient`] needs to know.
#[derive(Debug, Clone)]
pub(crate) struct ClientSettings {
    pub(crate) endpoint: Endpoint,
    pub(crate) account: Account,
    pub(crate) from: Sender,
    pub(crate) to: Number,
    /// Trusted instead of the built-in roots.
    pub(crate) roots: Option<Arc<Vec<CertificateDer<'static>>>>,
    pub(crate) proxy: Option<Proxy>,
    /// Deadline for the name, and again for the connection with proxy and TLS.
    pub(crate) connect: Duration,
    /// Deadline for the whole attempt.
    pub(crate) request: Duration,
}

impl ClientSettings {
    /// The settings for one number of a configuration. `None` without credentials.
    pub(crate) fn of(
        service: &Service,
        number: &Number,
        timing: &Timing,
    ) -> Option<ClientSettings> {
        let credentials = service.credentials.as_ref()?;
        Some(ClientSettings {
            endpoint: service.endpoint.clone(),
            account: credentials.clone(),
            from: service.sender,
            to: *number,
            roots: service.roots.clone(),
            proxy: service.proxy.clone(),
            connect: timing.connect,
            request: timing.request,
        })
    }
}

/// Texts one number through the service.
pub(crate) struct VonageClient {
    agent: Agent,
    settings: ClientSettings,
    /// What the `Authorization` header will say; the HTTP client does not know it.
    authorization: Option<CredentialInjector>,
    last: Attempt,
}

impl VonageClient {
    /// A client that has not connected yet.
    ///
    /// # Errors
    /// In words, without credentials, if the settings contradict the service's rules.
    pub(crate) fn new(settings: ClientSettings) -> Result<VonageClient, String> {
        check_route(&settings.from, &settings.to).map_err(|error| error.to_string())?;
        let authorization = match settings.account.auth().map_err(|error| error.to_string())? {
            Auth::Basic(credentials) => Some(authorization(&credentials)?),
            _ => None,
        };
        Ok(VonageClient {
            agent: agent(&settings, authorization.as_ref())?,
            authorization,
            settings,
            last: Attempt::default(),
        })
    }

    /// What is known about the latest attempt.
    pub(crate) fn last_attempt(&self) -> &Attempt {
        &self.last
    }

    /// The form for `message`, in a buffer that is enlarged if the text has more parts than it
    /// says.
    fn form(&self, message: &Message<'_>) -> Result<Vec<u8>, RequestError> {
        let settings = &self.settings;
        // Checked when the client was made.
        let broken = |_| RequestError::DoesNotFit { needed: usize::MAX };
        let auth = settings.account.auth().map_err(broken)?;
        let request = Request::new(&settings.from, &settings.to, auth);
        #[cfg(feature = "signature")]
        let request = request.at(seconds_of_the_clock());
        let mut size = max_body_len(message.encoding, message.segments);
        loop {
            let mut form = vec![0; size];
            match request.body(message, &mut form) {
                Ok(len) => {
                    form.truncate(len);
                    return Ok(form);
                }
                Err(RequestError::DoesNotFit { needed }) if needed > size => size = needed,
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends `form` and reads the answer's header. The flag says whether the form was asked for.
    fn post(&self, form: &[u8]) -> (Result<Response<Body>, ureq::Error>, bool) {
        let mut request = self
            .agent
            .post(self.settings.endpoint.url())
            .header(CONTENT_TYPE_HEADER, CONTENT_TYPE)
            .header(CONTENT_LENGTH, form.len());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.placeholder());
        }
        let mut body =
            WatchedBody { rest: form, asked: false, injector: self.authorization.as_ref() };
        let result = request.send(SendBody::from_reader(&mut body));
        (result, body.asked)
    }
}

impl Transport for VonageClient {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        self.last = Attempt::default();
        let outcome = match self.form(message) {
            Ok(form) => match self.post(&form) {
                (Ok(response), _) => read_answer(response, &mut self.last),
                (Err(error), true) => Outcome::Unknown(self.last.lost(&error)),
                (Err(error), false) => Outcome::Retry(Retry::failure(self.last.not_sent(&error))),
            },
            Err(_) => Outcome::Retry(Retry::failure(local::NOT_SENT)),
        };
        self.last.settle(&outcome);
        outcome
    }
}

impl fmt::Debug for VonageClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VonageClient")
            .field("endpoint", &self.settings.endpoint)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// Reads what the service says, as far as it comes.
fn read_answer(response: Response<Body>, last: &mut Attempt) -> Outcome {
    let status = response.status().as_u16();
    let retry_after = header(response.headers(), &["retry-after"]).and_then(retry_after_seconds);
    last.http = Some(status);
    last.trace = attempt::plain(
        header(response.headers(), &["x-nexmo-trace-id", "x-request-id"]).unwrap_or_default(),
    );
    let mut reader = AnswerReader::new();
    let mut body = response.into_body();
    let mut body = body.with_config().limit(ANSWER_MAX).reader();
    let mut piece = [0; 2048];
    let broken = loop {
        match body.read(&mut piece) {
            Ok(0) => break None,
            Ok(read) => reader.push(piece.get(..read).unwrap_or(&[])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(last.lost(&error.into())),
        }
    };
    last.said = reader.answer().error_text().to_owned();
    last.message_id = reader.answer().message_id().to_owned();
    match (reader.finish(status, retry_after), broken) {
        (Outcome::Unknown(_), Some(code)) => Outcome::Unknown(code),
        (outcome, _) => outcome,
    }
}

/// Seconds since 1970, as the clock has it.
#[cfg(feature = "signature")]
fn seconds_of_the_clock() -> u32 {
    let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
}

fn header<'h>(headers: &'h HeaderMap, names: &[&str]) -> Option<&'h str> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

fn authorization(credentials: &Credentials<'_>) -> Result<CredentialInjector, String> {
    let mut buf = [0; Credentials::MAX_BASIC_LEN];
    credentials.basic(&mut buf).map(CredentialInjector::new).map_err(|error| error.to_string())
}

/// The HTTP client, with every default that matters spelled out.
fn agent(
    settings: &ClientSettings,
    injector: Option<&CredentialInjector>,
) -> Result<Agent, String> {
    let roots = match &settings.roots {
        None => RootCerts::WebPki,
        Some(roots) => {
            let roots: Vec<_> =
                roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect();
            RootCerts::new_with_certs(&roots)
        }
    };
    let proxy = settings.proxy.as_ref().map(|proxy| ureq::Proxy::new(proxy.expose()));
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .https_only(settings.endpoint.is_secure())
        // Its default is the environment's.
        .proxy(proxy.transpose().map_err(|_| "the proxy's address is malformed: http://host:port")?)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("annunciator/", env!("CARGO_PKG_VERSION")))
        .accept("application/json")
        .max_response_header_size(HEADER_MAX)
        .input_buffer_size(2 * HEADER_MAX)
        .output_buffer_size(HEADER_MAX)
        .max_idle_connections(0)
        .max_idle_connections_per_host(0)
        .timeout_resolve(Some(settings.connect))
        .timeout_connect(Some(settings.connect))
        .timeout_global(Some(settings.request))
        .build();
    Ok(match injector {
        None => config.into(),
        Some(injector) => {
            let connector = DefaultConnector::new().chain(injector.clone());
            Agent::with_parts(config, connector, DefaultResolver::default())
        }
    })
}

/// A request body that records whether the client has begun to read it.
struct WatchedBody<'f> {
    rest: &'f [u8],
    asked: bool,
    injector: Option<&'f CredentialInjector>,
}

impl Read for WatchedBody<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.injector.is_some_and(|injector| !injector.injected()) {
            return Err(io::Error::other("the request's head left without its credentials"));
        }
        self.asked = true;
        self.rest.read(buf)
    }
}
