//! What the examples share: a logger of lines, a stage for programs that have no credentials, a
//! modem for those that have none.

mod lines;
mod pretend_modem;
mod stage;

pub use lines::Lines;
pub use pretend_modem::PretendModem;
pub use stage::Stage;

/// Compiles the programs of the workspace's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
