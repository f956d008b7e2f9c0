//! Values of which the optimiser knows nothing but the type.

use core::hint::black_box;

/// Any 32-bit word.
pub fn word() -> u32 {
    black_box(0)
}

/// Any 64-bit word.
pub fn long() -> u64 {
    u64::from(word()) << 32 | u64::from(word())
}

/// Any bytes, of any length up to `memory`'s.
pub fn bytes(memory: &mut [u8]) -> &mut [u8] {
    let memory = black_box(memory);
    let len = (word() as usize).min(memory.len());
    memory.get_mut(..len).unwrap_or_default()
}

/// Any valid text, of any length up to `memory`'s.
pub fn text(memory: &mut [u8]) -> &str {
    core::str::from_utf8(bytes(memory)).unwrap_or_default()
}

/// Uses a value up.
pub fn sink<T>(value: T) {
    black_box(value);
}

/// Any of the values, or none of them if there are none.
pub fn one_of<T: Copy>(values: &[T]) -> Option<T> {
    values.get(word() as usize).copied()
}

/// The same place with any content that its type allows.
pub fn any<T: ?Sized>(place: &mut T) -> &mut T {
    black_box(place)
}
