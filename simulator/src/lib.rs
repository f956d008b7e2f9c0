//! A Vonage SMS service on loopback, for tests of anything that sends through it.
//!
//! It speaks real TLS with a private authority. It answers as scripted, from a plain acceptance to a
//! connection that dies in the middle of an answer. It keeps a record of every request, with all
//! that is wrong with it. It knows nothing of its client and can judge any.
//!
//! ```
//! use annunciator_simulator::{Answer, Simulator};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sim = Simulator::start()?;
//! sim.script([Answer::throttled(Duration::from_millis(702)), Answer::accepted()]);
//!
//! // The program under test; here ureq does its work.
//! use ureq::tls::{Certificate, RootCerts, TlsConfig};
//! let ca = Certificate::from_pem(sim.ca_pem().as_bytes())?;
//! let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[ca])).build();
//! let agent: ureq::Agent = ureq::Agent::config_builder().tls_config(tls).build().into();
//! let send = || -> Result<String, ureq::Error> {
//!     agent
//!         .post(sim.url())
//!         .header("Accept", "application/json")
//!         .header("Authorization", "Basic YWJjZDEyMzQ6RHVtbXktU2VjcmV0LTA=")
//!         .send_form([("from", "sampleapp"), ("to", "447700900000"), ("text", "It is on fire")])?
//!         .body_mut()
//!         .read_to_string()
//! };
//! assert!(send()?.contains("please wait [ 702 ]"));
//! assert!(send()?.contains(r#""status":"0""#));
//!
//! sim.assert_clean();
//! assert_eq!(sim.requests().len(), 2);
//! assert_eq!(
//!     sim.messages()[0].summary(),
//!     "SMS to 447700900000 from sampleapp, GSM-7, 1 segment: It is on fire"
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # What it is not
//!
//! A proof about the real service. Where Vonage's documentation is silent, the simulator does what
//! was seen in published captures and issues, and where those are silent too, what is strictest.
//! Delivery receipts, inbound messages, binary messages and the XML form are out of scope.
#![forbid(unsafe_code)]

mod answer;
mod auth;
mod builder;
mod check;
mod form;
mod gsm;
mod http;
mod names;
mod record;
mod reply;
mod server;
mod simulator;
mod tls;
mod wire;

pub use answer::Answer;
pub use auth::{Auth, SignatureMethod};
pub use builder::Builder;
pub use check::{Rule, Violation};
pub use gsm::{Encoding, Size, septets};
pub use names::UnknownAnswer;
pub use record::{Outcome, Received};
pub use server::Counts;
pub use simulator::Simulator;
pub use tls::{Certificate, Tls};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
