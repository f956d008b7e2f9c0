use crate::memory::Memory;
use std::vec;
use std::vec::Vec;

/// A memory that stops the world after so many bytes have been stored, inside a store if need be.
///
/// From then on nothing changes any more, as after a SIGKILL; [`bytes`](Memory::bytes) goes on
/// showing what the program would believe, [`survives`](CuttingMemory::survives) what is left.
#[derive(Debug, Clone)]
pub struct CuttingMemory {
    seen: Vec<u8>,
    left: Vec<u8>,
    stored: u64,
    puts: Vec<(u64, usize)>,
    cut_at: u64,
}

impl CuttingMemory {
    /// A region of zeros that is never cut.
    pub fn new(len: usize) -> CuttingMemory {
        CuttingMemory::with_bytes(vec![0; len])
    }

    /// A region with this content.
    pub fn with_bytes(bytes: Vec<u8>) -> CuttingMemory {
        CuttingMemory {
            left: bytes.clone(),
            seen: bytes,
            stored: 0,
            puts: Vec::new(),
            cut_at: u64::MAX,
        }
    }

    /// Stops the world when `bytes` bytes, counted from the beginning, have been stored.
    pub fn cut_at(&mut self, bytes: u64) {
        self.cut_at = bytes;
    }

    /// Bytes stored so far.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// The stores so far: how many bytes had been stored before each, and where it went.
    pub fn puts(&self) -> &[(u64, usize)] {
        &self.puts
    }

    /// Whether the world has stopped.
    pub fn is_cut(&self) -> bool {
        self.stored > self.cut_at
    }

    /// What a later start finds.
    pub fn survives(&self) -> Vec<u8> {
        self.left.clone()
    }
}

impl Memory for CuttingMemory {
    fn bytes(&self) -> &[u8] {
        &self.seen
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.puts.push((self.stored, at));
        if at + bytes.len() > self.seen.len() {
            return;
        }
        self.seen[at..at + bytes.len()].copy_from_slice(bytes);
        for (offset, byte) in bytes.iter().enumerate() {
            if self.stored == self.cut_at && self.left[at + offset] == *byte {
                // Whole without being stored: nothing is missing before the next byte.
                self.cut_at += 1;
            }
            if self.stored < self.cut_at {
                self.left[at + offset] = *byte;
            }
            self.stored += 1;
        }
    }
}
