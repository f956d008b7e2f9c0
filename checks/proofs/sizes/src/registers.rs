//! A chip's registers: where values come from and go to.

use core::ptr::{read_volatile, write_volatile};

const INPUT: *const u32 = 0x4000_0000 as *const u32;
const OUTPUT: *mut u32 = 0x4000_0004 as *mut u32;

/// Any word.
pub fn read() -> u32 {
    // SAFETY: never run.
    unsafe { read_volatile(INPUT) }
}

/// Puts a word where somebody sees it.
pub fn write(word: u32) {
    // SAFETY: never run.
    unsafe { write_volatile(OUTPUT, word) }
}

/// Fills a buffer as a peripheral does that is given its address.
#[inline(never)]
pub fn receive(buf: &mut [u8]) {
    write(buf.as_mut_ptr() as u32);
    write(buf.len() as u32);
    core::hint::black_box(buf);
}

/// Gives bytes to a peripheral.
#[inline(never)]
pub fn send(bytes: &[u8]) {
    write(bytes.as_ptr() as u32);
    write(bytes.len() as u32);
    core::hint::black_box(bytes);
}
