//! The request: one form body, and the `Authorization` header that goes with it.
//!
//! Fields are visited in the order of their names, once, by one function; the form writer and the
//! signature are two readers of the same walk, so what is signed is what is sent.
//!
//! Exactly one way of authentication is used at a time; the service refuses a request that carries
//! two (status 32):
//!
//! | [`Auth`] | header | form fields | for |
//! |---|---|---|---|
//! | `Basic` | `Authorization: Basic ...` | none | everybody; needs no clock |
//! | `Body` | none | `api_key`, `api_secret` | gateways that pass no headers on |
//! | `Signed` | none | `api_key`, `timestamp`, `sig` | accounts that demand it; needs the time of day |

use core::fmt;

use super::form::{self, Digits, WORST, Writer};
use super::number::{Number, Sender};
use crate::gsm7::Encoding;
use crate::time::Duration;
use crate::transport::{Message, Reference};

#[cfg(feature = "signature")]
pub use super::sign::Algorithm;

/// Characters in an API key.
const KEY: usize = 8;
/// Characters in the longest secret taken. The service's own limits have been 32 and 25.
const SECRET_MAX: usize = 64;
/// Characters before the id in `client-ref`. Older descriptions of the API allow 40 in all.
const PREFIX_MAX: usize = 40 - Reference::LEN;
/// Characters in the longest callback URL (API description).
const CALLBACK_MAX: usize = 100;
/// Characters taken of the other free texts; no limit is documented.
const FREE_MAX: usize = 100;

/// Bytes of a form body that carries a text of `segments` parts, at worst, without [`Options`].
///
/// A GSM septet needs at most 6 bytes (a two-byte character, escaped), a UTF-16 unit at most 9.
pub const fn max_body_len(encoding: Encoding, segments: u8) -> usize {
    let segments = segments as usize;
    let text = match (encoding, segments) {
        (Encoding::Gsm7, 0 | 1) => 160 * 2 * WORST,
        (Encoding::Gsm7, n) => 153 * 2 * WORST * n,
        (Encoding::Ucs2, 0 | 1) => 70 * 3 * WORST,
        (Encoding::Ucs2, n) => 67 * 3 * WORST * n,
    };
    const FIXED: usize = "from=&to=&text=&type=unicode".len() + 15 + 15;
    const REFERENCE: usize = "&client-ref=".len() + PREFIX_MAX + Reference::LEN;
    const AUTH: usize = "&api_key=&api_secret=".len() + KEY + SECRET_MAX * WORST;
    text + FIXED + REFERENCE + AUTH
}

/// An API key and its secret, borrowed. `Debug` shows neither.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials<'a> {
    key: &'a str,
    secret: &'a str,
}

impl<'a> Credentials<'a> {
    /// Bytes of the longest `Authorization` header value.
    pub const MAX_BASIC_LEN: usize = "Basic ".len() + (KEY + 1 + SECRET_MAX).div_ceil(3) * 4;

    /// A pair as shown by the Vonage dashboard.
    ///
    /// # Errors
    /// [`CredentialsError`] for what cannot be a key or a secret: usually something was copied
    /// along, or the two were swapped.
    pub fn new(key: &'a str, secret: &'a str) -> Result<Credentials<'a>, CredentialsError> {
        if key.len() != KEY || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(CredentialsError::Key);
        }
        if secret.is_empty() || secret.len() > SECRET_MAX {
            return Err(CredentialsError::SecretLength);
        }
        if !secret.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(CredentialsError::SecretCharacter);
        }
        Ok(Credentials { key, secret })
    }

    /// Writes `Basic ...`, the value of the `Authorization` header, and returns it.
    ///
    /// # Errors
    /// [`RequestError::DoesNotFit`]; [`Self::MAX_BASIC_LEN`] bytes always suffice.
    pub fn basic<'b>(&self, buf: &'b mut [u8]) -> Result<&'b str, RequestError> {
        let mut out = Writer::new(&mut *buf);
        out.raw(b"Basic ");
        let pair = self.key.bytes().chain([b':']).chain(self.secret.bytes());
        form::base64(&mut out, pair);
        let len = out.finish().map_err(|needed| RequestError::DoesNotFit { needed })?;
        Ok(buf.get(..len).and_then(|ascii| core::str::from_utf8(ascii).ok()).unwrap_or(""))
    }
}

impl fmt::Debug for Credentials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(hidden)")
    }
}

/// Why two texts are no [`Credentials`]. Names neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The key is not 8 letters and digits.
    Key,
    /// The secret is empty or longer than 64 characters.
    SecretLength,
    /// The secret holds a space, a line end or something outside ASCII.
    SecretCharacter,
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CredentialsError::Key => {
                "an API key has exactly 8 letters and digits: copy it from the dashboard, without \
                 spaces or quotes"
            }
            CredentialsError::SecretLength => "an API secret has 1 to 64 characters",
            CredentialsError::SecretCharacter => {
                "an API secret has printable ASCII characters only: was a space or a line end \
                 copied along?"
            }
        })
    }
}

impl core::error::Error for CredentialsError {}

/// How a request proves whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Auth<'a> {
    /// A Basic header. The default; works without a clock.
    Basic(Credentials<'a>),
    /// Key and secret among the form fields.
    Body(Credentials<'a>),
    /// A digest over the fields; the secret is the account's *signature* secret. Needs
    /// [`Request::at`].
    #[cfg(feature = "signature")]
    Signed(Credentials<'a>, Algorithm),
}

/// Fields beyond sender, destination and text. Each is sent only if it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Options<'a> {
    /// Put before the batch's id in `client-ref`: up to 36 characters of `A-Z a-z 0-9 - . _`.
    pub reference_prefix: &'a str,
    /// How long the carrier keeps trying: 20 s to 7 days (the service's default is 3 days; it
    /// advises half an hour at least).
    pub ttl: Option<Duration>,
    /// Whether the service reports the delivery to the callback.
    pub status_report: Option<bool>,
    /// Where to report it, if not to the account's URL: up to 100 characters.
    pub callback: Option<&'a str>,
    /// The data coding class, 0 to 3; 0 shows the text at once without storing it.
    pub message_class: Option<u8>,
    /// The account's billing reference.
    pub account_ref: Option<&'a str>,
    /// Regulatory id of the sending business (India).
    pub entity_id: Option<&'a str>,
    /// Regulatory id of the text's template (India).
    pub content_id: Option<&'a str>,
}

impl Options<'_> {
    /// Bytes that these options add to [`max_body_len`] at worst.
    pub const fn max_len(&self) -> usize {
        const fn text(key: usize, value: Option<&str>) -> usize {
            match value {
                Some(value) => 2 + key + value.len() * WORST,
                None => 0,
            }
        }
        "&ttl=604800000&status-report-req=false&message-class=3".len()
            + text("callback".len(), self.callback)
            + text("account-ref".len(), self.account_ref)
            + text("entity-id".len(), self.entity_id)
            + text("content-id".len(), self.content_id)
    }

    /// Checks every field against what the service documents.
    ///
    /// # Errors
    /// [`OptionsError`] names the first field that is out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
        let free = |text: Option<&str>, max| text.is_none_or(|t| !t.is_empty() && t.len() <= max);
        let ttl = |ttl: Duration| (20_000..=604_800_000).contains(&ttl.as_millis());
        if self.reference_prefix.len() > PREFIX_MAX || !self.reference_prefix.bytes().all(allowed) {
            Err(OptionsError::ReferencePrefix)
        } else if !self.ttl.is_none_or(ttl) {
            Err(OptionsError::Ttl)
        } else if !free(self.callback, CALLBACK_MAX) {
            Err(OptionsError::Callback)
        } else if self.message_class.is_some_and(|class| class > 3) {
            Err(OptionsError::MessageClass)
        } else if ![self.account_ref, self.entity_id, self.content_id]
            .into_iter()
            .all(|id| free(id, FREE_MAX))
        {
            Err(OptionsError::Id)
        } else {
            Ok(())
        }
    }
}

/// Which of the [`Options`] is out of its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OptionsError {
    /// [`Options::reference_prefix`].
    ReferencePrefix,
    /// [`Options::ttl`].
    Ttl,
    /// [`Options::callback`].
    Callback,
    /// [`Options::message_class`].
    MessageClass,
    /// One of the account, entity and content ids.
    Id,
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OptionsError::ReferencePrefix => {
                "the reference prefix takes up to 36 letters, digits, dashes, dots and underscores"
            }
            OptionsError::Ttl => "the time to live must lie between 20 seconds and 7 days",
            OptionsError::Callback => "the callback URL must have 1 to 100 characters",
            OptionsError::MessageClass => "the message class must be 0, 1, 2 or 3",
            OptionsError::Id => {
                "account reference, entity id and content id must have 1 to 100 characters each"
            }
        })
    }
}

impl core::error::Error for OptionsError {}

/// Everything about a request but the text: checked, borrowed, cheap to copy.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    from: &'a Sender,
    to: &'a Number,
    auth: Auth<'a>,
    options: Options<'a>,
    #[cfg(feature = "signature")]
    timestamp: Option<u32>,
}

impl<'a> Request<'a> {
    /// Texts from `from` to `to`, with default [`Options`].
    pub fn new(from: &'a Sender, to: &'a Number, auth: Auth<'a>) -> Request<'a> {
        Request {
            from,
            to,
            auth,
            options: Options::default(),
            #[cfg(feature = "signature")]
            timestamp: None,
        }
    }

    /// The same with `options`.
    ///
    /// # Errors
    /// As [`Options::check`].
    pub fn options(mut self, options: Options<'a>) -> Result<Request<'a>, OptionsError> {
        options.check()?;
        self.options = options;
        Ok(self)
    }

    /// The same, signed at `unix_secs`: seconds since 1970, UTC. Only a signed request needs it.
    #[cfg(feature = "signature")]
    #[must_use]
    pub fn at(mut self, unix_secs: u32) -> Request<'a> {
        self.timestamp = Some(unix_secs);
        self
    }

    /// Writes the value of the `Authorization` header; `None` if none must be sent.
    ///
    /// # Errors
    /// [`RequestError::DoesNotFit`]; [`Credentials::MAX_BASIC_LEN`] bytes always suffice.
    pub fn authorization<'b>(&self, buf: &'b mut [u8]) -> Result<Option<&'b str>, RequestError> {
        match self.auth {
            Auth::Basic(credentials) => credentials.basic(buf).map(Some),
            _ => Ok(None),
        }
    }

    /// Writes the form body for `message` and returns its length.
    ///
    /// # Errors
    /// [`RequestError::DoesNotFit`] with the size needed ([`max_body_len`] plus
    /// [`Options::max_len`] suffices for a text within its segments), or
    /// [`RequestError::NoTimestamp`].
    pub fn body(&self, message: &Message<'_>, buf: &mut [u8]) -> Result<usize, RequestError> {
        let mut out = Writer::new(buf);
        self.fields(message, &mut |key, value| out.field(key, value))?;
        #[cfg(feature = "signature")]
        if let Auth::Signed(credentials, algorithm) = self.auth {
            let mut signer = super::sign::Signer::new(algorithm, credentials.secret);
            self.fields(message, &mut |key, value| signer.field(key, value))?;
            signer.finish(|hex| out.field("sig", hex));
        }
        out.finish().map_err(|needed| RequestError::DoesNotFit { needed })
    }

    /// Visits every field to send, in the order of the keys' bytes, as a signature needs them.
    fn fields(
        &self,
        message: &Message<'_>,
        visit: &mut dyn FnMut(&str, &[u8]),
    ) -> Result<(), RequestError> {
        let options = &self.options;
        let mut text = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                visit(key, value.as_bytes());
            }
        };
        let (key, secret) = match self.auth {
            Auth::Basic(_) => (None, None),
            Auth::Body(credentials) => (Some(credentials.key), Some(credentials.secret)),
            #[cfg(feature = "signature")]
            Auth::Signed(credentials, _) => (Some(credentials.key), None),
        };
        text("account-ref", options.account_ref);
        text("api_key", key);
        text("api_secret", secret);
        text("callback", options.callback);

        let mut reference = [0; PREFIX_MAX + Reference::LEN];
        let prefix = options.reference_prefix.bytes().chain(message.reference.to_ascii());
        let mut used = 0;
        for (slot, byte) in reference.iter_mut().zip(prefix) {
            *slot = byte;
            used += 1;
        }
        visit("client-ref", reference.get(..used).unwrap_or(&[]));

        let mut text = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                visit(key, value.as_bytes());
            }
        };
        text("content-id", options.content_id);
        text("entity-id", options.entity_id);
        text("from", Some(self.from.as_str()));
        if let Some(class) = options.message_class {
            visit("message-class", Digits::of(class.into()).as_bytes());
        }
        if let Some(wanted) = options.status_report {
            visit("status-report-req", if wanted { b"true" } else { b"false" });
        }
        visit("text", message.text.as_bytes());
        #[cfg(feature = "signature")]
        if let Auth::Signed(..) = self.auth {
            let timestamp = self.timestamp.ok_or(RequestError::NoTimestamp)?;
            visit("timestamp", Digits::of(timestamp).as_bytes());
        }
        visit("to", self.to.as_str().as_bytes());
        if let Some(ttl) = options.ttl {
            visit("ttl", Digits::of(ttl.as_millis() as u32).as_bytes());
        }
        visit(
            "type",
            match message.encoding {
                Encoding::Gsm7 => b"text",
                Encoding::Ucs2 => b"unicode",
            },
        );
        Ok(())
    }
}

/// Why a request could not be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// The buffer is too small.
    DoesNotFit {
        /// Bytes that would have been enough.
        needed: usize,
    },
    /// A signed request was not given the time of day.
    NoTimestamp,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::DoesNotFit { needed } => {
                write!(f, "the request needs a buffer of {needed} bytes")
            }
            RequestError::NoTimestamp => f.write_str(
                "a signed request needs the time of day; a device without a clock uses Basic",
            ),
        }
    }
}

impl core::error::Error for RequestError {}
