//! One 32-bit hash for identities and for checks on stored bytes.
//!
//! Each step is a bijection of the state for a given word and of the word for a given state. So a
//! change within one aligned 32-bit word always changes the result, as with a CRC; any other change
//! goes unseen once in 2³². It needs no table, and four bytes cost five instructions where a
//! table-less CRC needs about fifty: on a microcontroller that is the length of the critical
//! section. It is no defence against somebody who forges bytes on purpose.

/// Mixes one word into the state.
pub(crate) const fn mix(state: u32, word: u32) -> u32 {
    let x = (state ^ word).wrapping_mul(0x9E37_79B1);
    x ^ (x >> 15)
}

/// Mixes `bytes` into the state, the last word filled up with zeros. Callers mix the length in.
pub(crate) fn bytes(mut state: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        state = mix(state, u32::from_le_bytes(*word));
    }
    let mut last = 0;
    for (shift, byte) in [0, 8, 16].into_iter().zip(rest) {
        last |= u32::from(*byte) << shift;
    }
    mix(state, last)
}

/// Identity of an event and check of its bytes: level, lengths, line, text.
pub(crate) fn key(meta: [u8; 8], line: u32, text: &[u8]) -> u32 {
    let [a, b, c, d, e, f, g, h] = meta;
    let state = mix(0x616E_6E31, u32::from_le_bytes([a, b, c, d]));
    let state = mix(state, u32::from_le_bytes([e, f, g, h]));
    bytes(mix(state, line), text)
}

/// Identity of a group of events that arose at one line of the program.
pub(crate) fn site(level: u8, file: &str, line: u32) -> u32 {
    bytes(mix(mix(0x7369_7465, u32::from(level)), line), file.as_bytes())
}

/// Identity of a group of events that say the same but for numbers.
pub(crate) fn wording(level: u8, target: &str, message: &str) -> u32 {
    let mut state = bytes(mix(0x776F_7264, u32::from(level)), target.as_bytes());
    let mut in_number = false;
    for byte in message.bytes() {
        let digit = byte.is_ascii_digit();
        if !digit {
            state = mix(state, u32::from(byte));
        } else if !in_number {
            state = mix(state, u32::from(b'0'));
        }
        in_number = digit;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_counts() {
        let original: [u8; 61] = core::array::from_fn(|i| (i * 37) as u8);
        let whole = bytes(1, &original);
        for bit in 0..original.len() * 8 {
            let mut changed = original;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(bytes(1, &changed), whole, "bit {bit}");
        }
    }
}
