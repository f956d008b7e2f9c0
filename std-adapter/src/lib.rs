//! Sends an SMS when an unattended program fails.
//!
//! Errors that a program logs are condensed into a few SMS, kept on disk until the service has
//! accepted them, and sent by a thread of the library. The program's other loggers still get every
//! record.
//!
//! ```no_run
//! use annunciator::Annunciator;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let alerts = Annunciator::builder("sampleapp").start()?;
//!     alerts.logger().install()?;
//!     alerts.install_panic_hook();
//!
//!     log::error!("This is a test error");
//!     Ok(())
//! }
//! ```
//!
//! `VONAGE_API_KEY`, `VONAGE_API_SECRET` and `ALERT_PHONE_NUMBER` in the environment switch it on;
//! without them the program runs as it would without this crate, and one line on stderr says so.
//! [`Builder`] lists all settings.
//!
//! # The pieces
//!
//! | you hold | it does |
//! |---|---|
//! | [`Builder`] | collects settings; `start` checks them, opens the spool and starts what is needed |
//! | [`Annunciator`] | the guard: flushes when it is dropped, within a deadline |
//! | [`Handle`] | what the guard derefs to and `handle()` clones: records, flushes, reports |
//! | [`Logger`] | the front for the `log` crate, alone or around another logger |
//! | [`Health`](health::Health) | how it is doing, for people |
//!
//! - `Annunciator` is `#[must_use]`: bound to `_` it ends at once. Its drop flushes for 2 s at most
//!   ([`Builder::drop_timeout`]) even if the network swallows everything. What is kept does not
//!   depend on it: a program that is killed, or leaves by `std::process::exit`, has its events sent
//!   by its next start.
//! - `flush(timeout) -> `[`FlushReport`](health::FlushReport) ends the hold of pending events. The
//!   interval between texts and the budget still apply. It reports what was sent, what is kept on
//!   disk and what is in memory only.
//! - `detach(self) -> Handle` is for programs that never return from `main`: nothing flushes at the
//!   end.
//! - `record(&Event)` records an [`Event`] without `log`.
//! - `health() -> `[`Health`](health::Health) is a snapshot. [`Builder::on_error`] sets a callback
//!   for its changes.
//!
//! # What a log call costs and what it may wait for
//!
//! A record below the level costs the comparison that `log` itself does. A record of the level is
//! formatted on the caller's stack and copied under a short lock. It never waits for the network,
//! and for a disk only where no memory outlives the program: in a container, or without a tmpfs.
//! Records of this crate's own threads and targets are not reported. What the application logs
//! through ureq or rustls is.
//!
//! # Panics
//!
//! The hook records message, location and thread after the hook that was there before, and sends
//! nothing itself. With `panic = "abort"` the process ends right after the hook: the record is in
//! the memory file by then, and the next start sends it.
//!
//! # Forks
//!
//! Build after daemonizing. A child that is forked later has none of the threads and must not touch
//! the parent's files. There, other loggers get every record; for the SMS an event is only counted,
//! and [`Handle::health`] says so. A child that wants to alert builds an alerter of its own.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_op_in_unsafe_fn)]

mod chain;
mod client;
mod config;
mod event;
mod handle;
pub mod health;
mod logger;
mod panic_hook;
mod report;
mod secret;
mod shared_alerter;
mod spool;
mod store;
#[cfg(test)]
mod testing;
mod text;
mod transports;
mod worker;

pub use annunciator_core::event::{Event, Level};
pub use annunciator_core::scrub;
#[cfg(feature = "signature")]
pub use annunciator_core::vonage::Algorithm;
pub use chain::{Chain, chain};
pub use config::{Builder, Config, ConfigError, Destination, Disabled, Setting, Setup};
pub use event::Draft;
pub use handle::{Annunciator, Handle};
pub use logger::{Logger, Silence, Tee};
pub use secret::Secret;

/// One attempt to send a text, and what came of it: for a transport of your own.
pub mod transport {
    pub use annunciator_core::gsm7::Encoding;
    #[doc(inline)]
    pub use annunciator_core::transport::*;
}

/// Compiles the program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
