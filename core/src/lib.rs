//! The core of Annunciator: error events go into one small ring that survives a crash; a state
//! machine decides when they become one short text; a transport delivers it; the ring forgets them
//! only when delivery is certain.
//!
//! No I/O, no clock, no allocation, no unsafe code, no panic: time comes in as an argument,
//! randomness as a seed, memory from the caller.
#![cfg_attr(not(any(test, feature = "testing")), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod alerter;
pub mod budget;
mod crashes;
pub mod digest;
pub mod drive;
pub mod event;
pub mod gsm7;
mod hash;
pub mod memory;
pub mod pace;
mod policy;
mod retry;
pub mod ring;
pub mod scrub;
#[cfg(feature = "shared")]
pub mod shared;
mod state;
pub mod storage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod told;
pub mod transport;
#[cfg(feature = "vonage")]
pub mod vonage;

/// Compiles the program of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
