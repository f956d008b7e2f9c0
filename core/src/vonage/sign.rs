//! The signature of a request: a digest over its fields in the order of their keys.
//!
//! What is hashed is `&key=value` for each field, raw and not percent-encoded, with `&` and `=` in
//! values replaced by `_` (the value that is sent stays as it is). The digest is sent in lower-case
//! hexadecimal.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::form::hex_digit;

/// How the signature is computed; it must match the account's setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// MD5 over fields and secret: the default of new accounts, and weak. Prefer the other.
    #[default]
    Md5Hash,
    /// HMAC with SHA-256.
    HmacSha256,
}

/// A signature in the making.
pub(super) enum Signer<'a> {
    Md5Hash(Md5, &'a str),
    HmacSha256(Hmac<Sha256>),
    /// The hash function refused the key. HMAC takes keys of any length, so this does not occur;
    /// an empty signature then makes the service say so.
    Impossible,
}

impl<'a> Signer<'a> {
    pub(super) fn new(algorithm: Algorithm, secret: &'a str) -> Signer<'a> {
        match algorithm {
            Algorithm::Md5Hash => Signer::Md5Hash(Md5::new(), secret),
            Algorithm::HmacSha256 => match Hmac::new_from_slice(secret.as_bytes()) {
                Ok(mac) => Signer::HmacSha256(mac),
                Err(_) => Signer::Impossible,
            },
        }
    }

    pub(super) fn field(&mut self, key: &str, value: &[u8]) {
        self.update(b"&");
        self.update(key.as_bytes());
        self.update(b"=");
        for (at, run) in value.split(|b| matches!(b, b'&' | b'=')).enumerate() {
            if at > 0 {
                self.update(b"_");
            }
            self.update(run);
        }
    }

    pub(super) fn finish(self, done: impl FnOnce(&[u8])) {
        let mut hex = [0; 64];
        let written = match self {
            Signer::Md5Hash(mut hash, secret) => {
                hash.update(secret.as_bytes());
                write_hex(&hash.finalize(), &mut hex)
            }
            Signer::HmacSha256(mac) => write_hex(&mac.finalize().into_bytes(), &mut hex),
            Signer::Impossible => 0,
        };
        done(hex.get(..written).unwrap_or(&[]));
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Signer::Md5Hash(hash, _) => hash.update(bytes),
            Signer::HmacSha256(mac) => mac.update(bytes),
            Signer::Impossible => {}
        }
    }
}

fn write_hex(digest: &[u8], hex: &mut [u8; 64]) -> usize {
    let digits = digest.iter().flat_map(|b| [hex_digit(b >> 4, b'a'), hex_digit(b & 15, b'a')]);
    let mut written = 0;
    for (slot, digit) in hex.iter_mut().zip(digits) {
        *slot = digit;
        written += 1;
    }
    written
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::String;

    fn signature(algorithm: Algorithm, secret: &str, fields: &[(&str, &str)]) -> String {
        assert!(fields.is_sorted());
        let mut signer = Signer::new(algorithm, secret);
        for (key, value) in fields {
            signer.field(key, value.as_bytes());
        }
        let mut signature = String::new();
        signer.finish(|hex| signature.push_str(core::str::from_utf8(hex).unwrap()));
        signature
    }

    #[test]
    fn vectors_of_three_sdks() {
        let fields = [
            ("api_key", "fake_api_key"),
            ("from", "AcmeInc"),
            ("text", "Test From Nexmo"),
            ("timestamp", "1540924779"),
            ("to", "14155550100"),
            ("type", "text"),
        ];
        let secret = "71efab63122f1d179f51c46bac838fb5";
        assert_eq!(
            signature(Algorithm::Md5Hash, secret, &fields),
            "2af9e28662706a74b5211d557b7a7576"
        );
        assert_eq!(
            signature(Algorithm::HmacSha256, secret, &fields),
            "9fec5ef6d0f2b3d2bb7558b6e4042569823cab9ea0dd30503472b7b304601975"
        );
    }

    #[test]
    fn separators_in_values_are_replaced() {
        let fields = [
            ("api_key", "abcd1234"),
            ("from", "AcmeInc"),
            ("text", "a=b & c? é €"),
            ("timestamp", "1700000000"),
            ("to", "447700900000"),
            ("type", "unicode"),
        ];
        let secret = "my_signature_secret";
        assert_eq!(
            signature(Algorithm::Md5Hash, secret, &fields),
            "a03fe359f44cea618ba443651f6a133b"
        );
        assert_eq!(
            signature(Algorithm::HmacSha256, secret, &fields),
            "474e8ddba759c3e5e33c6a695ece33c732a7f9a80ebd37a86d380755c3b735de"
        );
    }

    #[test]
    fn an_inbound_vector_of_two_sdks() {
        let fields = [
            ("message-timestamp", "2013-11-21 15:27:30"),
            ("messageId", "020000001B0FE827"),
            ("msisdn", "14843472194"),
            ("text", "Test again"),
            ("timestamp", "1385047698"),
            ("to", "13239877404"),
            ("type", "text"),
        ];
        assert_eq!(
            signature(Algorithm::Md5Hash, "my_secret_key_for_testing", &fields),
            "d2e7b1dc968737c5998ad624e02f90b7"
        );
    }
}
