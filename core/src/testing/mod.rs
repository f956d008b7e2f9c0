//! Doubles for tests, yours as well as ours: a virtual clock, a scripted transport, a storage that
//! fails and loses power, a memory that stops the world inside a store.
//!
//! Needs `std`; only with the feature `testing`.

mod memory;
mod night;
mod storage;
mod transport;

pub use memory::CuttingMemory;
pub use night::{Clock, Device};
pub use storage::{CutStorage, Fault, PowerLost};
pub use transport::{ScriptedTransport, Sent};
