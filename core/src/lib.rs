//! The core of Annunciator: error events go into one small ring that survives a crash; a state
//! machine decides when they become one short text; a transport delivers it; the ring forgets them
//! only when delivery is certain.
//!
//! No I/O, no clock, no allocation, no unsafe code, no panic: time comes in as an argument,
//! randomness as a seed, memory from the caller.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod digest;
pub mod event;
pub mod gsm7;
pub mod storage;
pub mod time;
pub mod transport;
