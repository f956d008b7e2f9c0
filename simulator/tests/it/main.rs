//! The simulator, judged through a client of its own.
//!
//! The client is small and knows nothing but rustls, so that every byte of a request can be wrong
//! on purpose and every way a connection dies can be told apart.

mod account;
mod answers;
mod client;
mod fields;
mod framing;
mod handshakes;
mod outages;
mod record;
