//! Annunciator for std.
#![allow(dead_code, reason = "the worker reads the configuration")]

mod chain;
mod config;
mod secret;

pub use chain::{Chain, chain};
pub use config::{Builder, Config, ConfigError, Destination, Disabled, Setting, Setup};
pub use secret::Secret;
