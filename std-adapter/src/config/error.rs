//! What can be wrong with a configuration, in words that name the setting and the fix.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from: the name a person has to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Setting {
    /// An environment variable.
    Variable(&'static str),
    /// A method of [`Builder`](crate::Builder), without its parentheses.
    Method(&'static str),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Variable(name) => f.write_str(name),
            Setting::Method(name) => write!(f, "Builder::{name}()"),
        }
    }
}

/// Why a configuration was not accepted.
///
/// The message names the environment variable or the builder's method, and says what to write
/// instead. Credentials never appear in it; of a phone number only the ends do.
///
/// Its `Debug` is its message: that is what a `main` that returns it prints.
#[non_exhaustive]
pub enum ConfigError {
    /// The variable holds bytes that are not UTF-8.
    NotUnicode {
        /// The variable.
        setting: Setting,
    },
    /// One of API key and API secret is set, the other is not.
    HalfConfigured {
        /// What is set.
        present: &'static str,
        /// What has to be set too.
        missing: &'static str,
    },
    /// A value that cannot be used.
    Invalid {
        /// Where it came from.
        setting: Setting,
        /// What is wrong with it, and what to write instead.
        problem: String,
    },
    /// The file with the root certificates cannot be used.
    CaFile {
        /// Where its path came from.
        setting: Setting,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::NotUnicode { setting } => {
                write!(f, "{setting} is not valid UTF-8: write it in UTF-8 or unset it")
            }
            ConfigError::HalfConfigured { present, missing } => write!(
                f,
                "{present} is set but {missing} is not: set both to send, or neither to run \
                 without texts"
            ),
            ConfigError::Invalid { setting, problem } => write!(f, "{setting}: {problem}"),
            ConfigError::CaFile { setting, path, problem } => {
                write!(f, "{setting}: {}: {problem}", path.display())
            }
        }
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    pub(crate) fn invalid(setting: Setting, problem: impl Into<String>) -> ConfigError {
        ConfigError::Invalid { setting, problem: problem.into() }
    }
}
