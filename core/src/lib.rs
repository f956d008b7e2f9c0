#![doc = include_str!("../README.md")]
#![cfg_attr(not(any(test, feature = "testing")), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod alerter;
pub mod budget;
mod crashes;
mod destination;
pub mod digest;
pub mod drive;
pub mod event;
pub mod gsm7;
mod hash;
pub mod memory;
mod notification_log;
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
pub mod transport;
#[cfg(feature = "vonage")]
pub mod vonage;
