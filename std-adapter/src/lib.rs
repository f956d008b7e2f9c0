//! Annunciator for std.
#![allow(dead_code, reason = "the worker reads the configuration")]

mod config;
mod secret;

pub use config::{Builder, Config, ConfigError, Destination, Disabled, Setting, Setup};
pub use secret::Secret;
