//! The Vonage SMS API without I/O: build a request, understand every answer.
//!
//! A client for any network stack is a few lines around this: it opens the connection, sends the
//! bytes of [`Request::body`] as `POST` with [`CONTENT_TYPE`] to [`DEFAULT_URL`], and feeds
//! whatever comes back, in pieces of any size, to an [`AnswerReader`]. Nothing here allocates, and
//! nothing needs the whole answer in memory: the longest legal one has 18 KB, the reader under one.
//!
//! ```text
//!  Message ─► Request::body ─► form bytes ─►┐            ┌─► HTTP status, Retry-After ─┐
//!             Request::authorization ──────►│  network   │                             ▼
//!                                           └──(yours)───┴─► body ─► AnswerReader ─► finish
//!                                                                     scanner: one part      │
//!                                                                     at a time, 512 B       ▼
//!                                                                                         Outcome
//! ```
//!
//! | type | is |
//! |---|---|
//! | [`Number`], [`Sender`] | who gets a text and who it comes from, checked once |
//! | [`Request`] | the form body and the `Authorization` header; signed with the feature `signature` |
//! | [`AnswerReader`] | bytes of an answer to an outcome |
//! | [`explain`] | what each code means to a human |
//!
//! Facts come from Vonage's published OpenAPI description of the SMS API (1.5.1), its documentation
//! pages, and answers recorded in public test suites.

mod answer;
mod form;
mod number;
mod request;
mod scanner;
#[cfg(feature = "signature")]
mod sign;
mod status;

pub use answer::{Answer, AnswerReader, Part, retry_after_seconds};
pub use number::{Number, NumberError, RouteError, Sender, SenderError, check_route};
#[cfg(feature = "signature")]
pub use request::Algorithm;
pub use request::{Auth, Credentials, CredentialsError, Options, OptionsError};
pub use request::{Request, RequestError, max_body_len};
pub use status::{explain, http_code};

/// Where texts are posted unless another address is configured.
pub const DEFAULT_URL: &str = "https://rest.nexmo.com/sms/json";

/// The only content type that the API description names for requests.
pub const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";
