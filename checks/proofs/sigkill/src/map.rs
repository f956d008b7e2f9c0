//! Counters that outlive the process that counts.

#![allow(unsafe_code)]

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::AtomicU64;

use rustix::mm::{MapFlags, ProtFlags};

/// Threads of a writer.
pub const THREADS: usize = 4;

/// One thread's: calls begun, and calls that have returned.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Calls {
    pub begun: AtomicU64,
    pub returned: AtomicU64,
}

/// The counters in this file, which is made if it is missing; mapped for the life of the process.
pub fn calls(path: &Path) -> &'static [Calls; THREADS] {
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
    let file = file.expect("a file for the counters");
    let len = size_of::<[Calls; THREADS]>();
    file.set_len(len as u64).expect("room for the counters");
    let (access, shared) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: the system chooses the address; the file is as long as what is mapped and is not
    // shortened; all access is atomic, zero is a valid value, and it is never unmapped.
    unsafe {
        let start = rustix::mm::mmap(std::ptr::null_mut(), len, access, shared, &file, 0);
        &*start.expect("a mapping").cast::<[Calls; THREADS]>()
    }
}
