//! The whole way: a program, the real client, real TLS on loopback, a service that plays its part.
//!
//! Each module has the tests of one topic.

mod answers;
mod degraded;
mod destinations;
mod disk;
mod front;
mod guard;
mod kill;
mod panics;
mod restart;
mod rhythm;
mod secrets;
mod setup;
mod signed;
mod tls;

/// The program under test, where it has to be a process of its own.
const PROGRAM: &str = env!("CARGO_BIN_EXE_annunciator-tests-child");
