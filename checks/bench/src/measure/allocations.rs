//! Allocations a call, on the caller's thread.

use super::{Place, batch, child_args, myself, output_of};
use crate::row::{BATCH, Op, Row};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::Command;

const BATCHES: u32 = 4;

/// The system's allocator, which counts.
pub struct Counting;

thread_local! {
    // Constant and without a destructor: reading it never allocates.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// The child: prints its allocations a call.
pub fn child<R: Row>(op: Op) {
    let place = Place::new();
    let row = R::install(place.path());
    let mut number = 0;
    batch(&row, op, &mut number);
    row.settle();
    let mut allocations = 0;
    for _ in 0..BATCHES {
        let before = COUNT.get();
        batch(&row, op, &mut number);
        allocations += COUNT.get() - before;
        row.settle();
    }
    println!("{}", allocations as f64 / f64::from(BATCHES * BATCH));
}

/// Allocations a call.
pub fn measure(row: &str, op: Op) -> Result<f64, String> {
    let mut command = Command::new(myself());
    command.args(child_args("allocations", row, Some(op)));
    let printed = output_of(command)?;
    printed.trim().parse().map_err(|_| format!("not a number: {printed}"))
}
