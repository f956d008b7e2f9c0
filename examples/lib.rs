//! What the examples share: a logger of lines, a stage for programs that have no credentials, a
//! modem for those that have none, a transport for those that need one attempt.

mod lines;
mod pretend_modem;
mod stage;
mod vonage;

pub use lines::Lines;
pub use pretend_modem::PretendModem;
pub use stage::Stage;
pub use vonage::Vonage;

/// Compiles the programs of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
