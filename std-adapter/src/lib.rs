//! Annunciator for std.
#![allow(dead_code, reason = "the worker reads the configuration")]

mod chain;
mod client;
mod config;
mod health;
mod logger;
mod panic_hook;
mod secret;
mod text;

pub use chain::{Chain, chain};
pub use config::{Builder, Config, ConfigError, Destination, Disabled, Setting, Setup};
pub use health::{
    Counters, DestinationHealth, FlushReport, Health, Lost, SpoolHealth, State, Trouble,
};
pub use logger::{Logger, Silence, Tee};
pub use secret::Secret;
