//! A transport from the core's parts: it writes the request and reads the answer, an HTTP client
//! moves the bytes.
//!
//! A program that alerts does not need this: the adapter has a client. A gateway needs the bare
//! attempt, and nothing that decides when to make it. The client logs its requests at TRACE, with
//! the credentials: do not switch that on.

use std::error::Error;
use std::io::{self, Read};
use std::time::Duration;

use annunciator_core::transport::{
    Code, Message, Outcome, Refusal, RefusalClass, Retry, Transport,
};
use annunciator_core::vonage::{
    AnswerReader, Auth, CONTENT_TYPE, Credentials, DEFAULT_URL, Number, Request, Sender,
    check_route, max_body_len, retry_after_seconds,
};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, SendBody};

/// The request could not be built.
const NOT_BUILT: Code = Code(2000);
/// It certainly did not leave.
const NOT_SENT: Code = Code(2001);
/// It left, and no answer came.
const NO_ANSWER: Code = Code(2002);
/// Bytes of the longest answer that is read.
const ANSWER_MAX: u64 = 128 * 1024;

/// Texts one number through Vonage's SMS API.
pub struct Vonage {
    agent: Agent,
    url: String,
    key: String,
    secret: String,
    from: Sender,
    to: Number,
}

impl Vonage {
    /// Takes the account, the number and the rest from `variables`, which are named as the adapter
    /// names them.
    ///
    /// # Errors
    ///
    /// A variable is missing or wrong.
    pub fn new(
        name: &str,
        variables: impl Fn(&str) -> Option<String>,
    ) -> Result<Vonage, Box<dyn Error>> {
        let needed = |name: &str| variables(name).ok_or_else(|| format!("set {name}"));
        let (key, secret) = (needed("VONAGE_API_KEY")?, needed("VONAGE_API_SECRET")?);
        Credentials::new(&key, &secret)?;
        let to = Number::parse(&needed("ALERT_PHONE_NUMBER")?)?;
        let from = match variables("ALERT_SENDER") {
            Some(sender) => Sender::parse(&sender)?,
            None => Sender::derived(name),
        };
        check_route(&from, &to)?;
        let roots = match variables("ALERT_CA_FILE") {
            Some(path) => {
                RootCerts::new_with_certs(&[Certificate::from_pem(&std::fs::read(path)?)?])
            }
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .accept("application/json")
            .max_redirects(0)
            .max_redirects_will_error(false)
            // A request into a connection that the service is closing would count as unknown.
            .max_idle_connections(0)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_global(Some(Duration::from_secs(20)))
            .build()
            .into();
        let url = variables("VONAGE_SMS_URL").unwrap_or_else(|| DEFAULT_URL.to_owned());
        Ok(Vonage { agent, url, key, secret, from, to })
    }

    /// The form and the value of the `Authorization` header.
    fn request(&self, message: &Message<'_>) -> Result<(Vec<u8>, String), Box<dyn Error>> {
        let credentials = Credentials::new(&self.key, &self.secret)?;
        let mut buf = [0; Credentials::MAX_BASIC_LEN];
        let authorization = credentials.basic(&mut buf)?.to_owned();
        let mut form = vec![0; max_body_len(message.encoding, message.segments)];
        let request = Request::new(&self.from, &self.to, Auth::Basic(credentials));
        let len = request.body(message, &mut form)?;
        form.truncate(len);
        Ok((form, authorization))
    }
}

impl Transport for Vonage {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        let Ok((form, authorization)) = self.request(message) else {
            return Outcome::Refused(Refusal::new(RefusalClass::Message, NOT_BUILT));
        };
        let request = self
            .agent
            .post(&self.url)
            .header("Authorization", authorization)
            .header("Content-Length", form.len())
            .content_type(CONTENT_TYPE);
        let mut form = Form { rest: &form, taken: false };
        let mut response = match request.send(SendBody::from_reader(&mut form)) {
            Ok(response) => response,
            Err(_) if form.taken => return Outcome::Unknown(NO_ANSWER),
            Err(_) => return Outcome::Retry(Retry::failure(NOT_SENT)),
        };
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| retry_after_seconds(value.to_str().ok()?));
        let mut reader = AnswerReader::new();
        // What an answer without its end says is all that is known.
        let body = response.body_mut().with_config().limit(ANSWER_MAX).read_to_vec();
        reader.push(&body.unwrap_or_default());
        reader.finish(response.status().as_u16(), retry_after)
    }
}

/// A form that records whether the client has begun to read it. Before that, nothing has left that
/// the service could act on.
struct Form<'f> {
    rest: &'f [u8],
    taken: bool,
}

impl Read for Form<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.taken = true;
        self.rest.read(buf)
    }
}
