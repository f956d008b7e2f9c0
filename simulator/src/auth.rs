//! Who is asking: the three ways in, each verified from scratch.
//!
//! A request proves its account by a Basic header, by `api_key` and `api_secret` in the form, or by
//! a signature over the form. The signature is computed here from the published description alone.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

/// How a request presented its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Auth {
    /// Not at all.
    None,
    /// `Authorization: Basic` with key and secret.
    Basic,
    /// `api_key` and `api_secret` as fields of the form.
    Body,
    /// `api_key`, `timestamp` and `sig` as fields of the form.
    Signature,
    /// By more than one of these at once, which the service does not allow.
    Several,
}

/// The hash of signed requests, a setting of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureMethod {
    /// MD5 of the parameters followed by the secret: the default of accounts.
    Md5Hash,
    /// HMAC-SHA-256 keyed with the secret.
    Sha256,
}

impl SignatureMethod {
    /// The lower-case hexadecimal signature of `fields`; a field `sig` among them is left out.
    #[must_use]
    pub fn sign(self, fields: &[(String, String)], secret: &str) -> String {
        let mut sorted: Vec<_> = fields.iter().filter(|(name, _)| name != "sig").collect();
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let mut base = String::new();
        for (name, value) in sorted {
            base.push('&');
            base.push_str(name);
            base.push('=');
            base.push_str(&value.replace(['&', '='], "_"));
        }
        match self {
            Self::Md5Hash => hex(&Md5::new().chain_update(base).chain_update(secret).finalize()),
            Self::Sha256 => match Hmac::<Sha256>::new_from_slice(secret.as_bytes()) {
                Ok(mac) => hex(&mac.chain_update(base).finalize().into_bytes()),
                Err(_) => unreachable!("an HMAC takes a key of any length"),
            },
        }
    }
}

/// Key and secret out of a Basic header's value, if it has the form of one.
pub(crate) fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(unbase64(encoded.trim())?).ok()?;
    let (key, secret) = text.split_once(':')?;
    Some((key.to_owned(), secret.to_owned()))
}

/// `key:secret` as a Basic header carries it.
pub(crate) fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0u32, |w, (i, &b)| w | u32::from(b) << (16 - 8 * i));
        for i in 0..4 {
            let six = (word >> (18 - 6 * i) & 63) as usize;
            out.push(if i <= chunk.len() { char::from(BASE64[six]) } else { '=' });
        }
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Strict: full quads, padding only at the end, no stray bits.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for quad in text.as_bytes().chunks(4) {
        let mut word = 0u32;
        let mut sextets = 0;
        for &b in quad {
            let value = if b == b'=' { 0 } else { BASE64.iter().position(|&c| c == b)? as u32 };
            sextets += usize::from(b != b'=');
            word = word << 6 | value;
        }
        out.extend(word.to_be_bytes().get(1..=sextets.saturating_sub(1))?);
    }
    (base64(&out) == text).then_some(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn basic_as_documented() {
        let value = "Basic YWFhMDEyOmFiYzEyMzQ1Njc4OQ==";
        assert_eq!(basic(value), Some(("aaa012".into(), "abc123456789".into())));
        assert_eq!(base64(b"aaa012:abc123456789"), "YWFhMDEyOmFiYzEyMzQ1Njc4OQ==");
        for bad in ["Bearer YQ==", "Basic", "Basic YWJj", "Basic YTpi=", "Basic YTp", "Basic YT=i"]
        {
            assert_eq!(basic(bad), None, "{bad}");
        }
        for secret in ["", "a", "ab", "abc", "p:w", "ü€", "\u{0}\u{7f}"] {
            let header = format!("bAsIc {}", base64(format!("key:{secret}").as_bytes()));
            assert_eq!(basic(&header), Some(("key".into(), secret.into())), "{secret:?}");
        }
    }

    #[test]
    fn signatures_as_published() {
        let form = fields(&[
            ("to", "14155550100"),
            ("from", "AcmeInc"),
            ("api_key", "fake_api_key"),
            ("text", "Test From Nexmo"),
            ("type", "text"),
            ("sig", "ignored"),
            ("timestamp", "1540924779"),
        ]);
        let secret = "71efab63122f1d179f51c46bac838fb5";
        assert_eq!(
            SignatureMethod::Sha256.sign(&form, secret),
            "9fec5ef6d0f2b3d2bb7558b6e4042569823cab9ea0dd30503472b7b304601975"
        );
        assert_eq!(
            SignatureMethod::Md5Hash.sign(&form, secret),
            "2af9e28662706a74b5211d557b7a7576"
        );
        let form = fields(&[
            ("api_key", "abcd1234"),
            ("from", "AcmeInc"),
            ("text", "a=b & c? é €"),
            ("timestamp", "1700000000"),
            ("to", "447700900000"),
            ("type", "unicode"),
        ]);
        let secret = "my_signature_secret";
        assert_eq!(
            SignatureMethod::Md5Hash.sign(&form, secret),
            "a03fe359f44cea618ba443651f6a133b"
        );
        assert_eq!(
            SignatureMethod::Sha256.sign(&form, secret),
            "474e8ddba759c3e5e33c6a695ece33c732a7f9a80ebd37a86d380755c3b735de"
        );
    }
}
