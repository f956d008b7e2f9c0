//! Keeps credentials out of everything that is printed.

use std::fmt;

/// A string that never shows itself: `Debug` prints `***`, there is no `Display`, and no error of
/// this crate holds one.
///
/// Two secrets can be compared, so that a changed configuration is noticed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the string over.
    pub fn new(secret: impl Into<String>) -> Secret {
        Secret(secret.into())
    }

    /// The string itself, for the one place that puts it on the wire.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Secret {
        Secret(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Secret {
        Secret(secret.to_owned())
    }
}

impl Drop for Secret {
    /// Overwrites the string before its memory is given back. Best effort: copies made while it
    /// was read or moved are out of reach.
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        std::hint::black_box(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_the_string_at_every_depth() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "read by Debug")]
        struct Holder {
            secret: Option<Secret>,
        }
        let holder = Holder { secret: Some(Secret::new("abc123456789")) };
        assert_eq!(format!("{holder:?}"), "Holder { secret: Some(***) }");
        assert!(!format!("{holder:#?}").contains("abc"));
    }

    #[test]
    fn the_string_comes_back_unchanged() {
        assert_eq!(Secret::from("p\u{e4}ss &=%").expose(), "p\u{e4}ss &=%");
        assert_ne!(Secret::from("a"), Secret::from(String::from("b")));
    }
}
