//! A serial line between a device without a network and a gateway that has one.
//!
//! The device decides what is sent and when; the gateway sends it. What the gateway learns comes
//! back as one of the core's outcomes. So the device itself waits out an outage beyond the gateway,
//! with its own ring, budget and backoff.
//!
//! ```text
//!  device                           gateway                          service
//!    │ ── Hello(token) ──────────────► │
//!    │ ◄──────────────── Ready(token) ─│    nobody there: Retry, nothing has left
//!    │ ── Text(token, ...) ──────────► │ ── one attempt ──────────────► │
//!    │ ◄─────── Verdict(token, outcome)│ ◄────────────────────── answer │
//!    ▼                                      no verdict in time: Unknown
//! ```
//!
//! - [`frame`]: bytes on the line to frames: delimited, escaped, checked; noise costs the frame it
//!   hits and no other.
//! - [`message`]: what a frame says.
//! - [`Gateway`]: the device's half, a [`Transport`](annunciator_core::transport::Transport) over
//!   any serial port; [`Exchange`] is the same without I/O, for a driver that awaits.
//!
//! A token is new for each attempt, so the late answer to one that was given up is ignored.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod device;
pub mod frame;
pub mod message;

pub use device::{Exchange, Gateway, Next, Waits, code};
