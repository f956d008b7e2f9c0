//! The bytes the ring lives in, and the one primitive that changes them.

use core::sync::atomic::{Ordering, compiler_fence};

/// A region of bytes that outlives the program, or at least the next crash.
///
/// A no-init section, a mapped file, a plain array. [`put`](Memory::put) is the only way the ring
/// changes it, so a test double can stop the world after any of them, or inside one.
pub trait Memory {
    /// All of the region.
    fn bytes(&self) -> &[u8];

    /// Replaces the bytes from `at` on. Takes effect before any later `put`; bytes beyond the end
    /// of the region are dropped.
    fn put(&mut self, at: usize, bytes: &[u8]);
}

impl Memory for [u8] {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    /// The fences keep the compiler from merging or deleting stores that no code of this program
    /// reads again, such as the invalidation before a slot is rewritten: the reader is the next
    /// start after a crash. They cost no instruction.
    #[inline(always)]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        compiler_fence(Ordering::SeqCst);
        // An end that has wrapped lies before `at`, which is no range.
        if let Some(into) = self.get_mut(at..at.wrapping_add(bytes.len())) {
            into.copy_from_slice(bytes);
        }
        compiler_fence(Ordering::SeqCst);
    }
}

impl<const N: usize> Memory for [u8; N] {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline(always)]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.as_mut_slice().put(at, bytes);
    }
}

impl<M: Memory + ?Sized> Memory for &mut M {
    #[inline]
    fn bytes(&self) -> &[u8] {
        (**self).bytes()
    }

    #[inline(always)]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        (**self).put(at, bytes);
    }
}

#[cfg(any(test, feature = "testing"))]
mod on_the_heap {

    impl super::Memory for std::vec::Vec<u8> {
        fn bytes(&self) -> &[u8] {
            self
        }

        fn put(&mut self, at: usize, bytes: &[u8]) {
            self.as_mut_slice().put(at, bytes);
        }
    }
}
