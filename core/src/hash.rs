//! One hash for identities and for checks on stored bytes.
//!
//! A chain of multiplications over 64-bit words, folded to 32 bits. Damage goes unseen once in 2³²,
//! as with a CRC of that width. It needs no table. Eight bytes cost five instructions on a 64-bit
//! processor and about a dozen on a Cortex-M3, where a CRC without a table needs about a hundred.
//! It is no defence against somebody who forges bytes on purpose.

/// Odd, with well spread bits: 2⁶⁴ divided by the golden ratio.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes one word into the state. For a given word a bijection of the state, and the reverse.
#[inline(always)]
pub(crate) const fn mix(state: u64, word: u64) -> u64 {
    let x = (state ^ word).wrapping_mul(FACTOR);
    x ^ (x >> 32)
}

/// Mixes `bytes` into the state. Callers mix the length in.
///
/// What is left behind the last whole word is covered by a word that overlaps it, so that no loop
/// over single bytes is needed.
#[cfg_attr(target_pointer_width = "32", inline(never))]
#[cfg_attr(not(target_pointer_width = "32"), inline)]
pub(crate) fn bytes(mut state: u64, bytes: &[u8]) -> u64 {
    let (pairs, rest) = bytes.as_chunks::<16>();
    for pair in pairs {
        let pair = u128::from_le_bytes(*pair);
        state = mix(mix(state, pair as u64), (pair >> 64) as u64);
    }
    let rest = match rest.split_first_chunk::<8>() {
        Some((word, rest)) => {
            state = mix(state, u64::from_le_bytes(*word));
            rest
        }
        None => rest,
    };
    let last = match bytes.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last),
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    mix(state, last)
}

/// The state in 32 bits.
#[inline(always)]
pub(crate) const fn fold(state: u64) -> u32 {
    let x = state.wrapping_mul(FACTOR);
    (x >> 32) as u32
}

/// Identity of an event's site and of the event itself, in one pass.
///
/// `meta` is the level, and the lengths of message, target and file with the position of the cut;
/// `said` is message and target, one behind the other. The site is level, line and file. The
/// event's identity covers that and all its text, so it is also the check of it.
#[inline]
pub(crate) fn identity(meta: u64, line: u32, said: &[u8], file: &[u8]) -> (u32, u32) {
    let site = bytes(u64::from(line) << 8 | (meta & 0xFF), file);
    (fold(site), fold(bytes(mix(site, meta), said)))
}

/// Identity of events of one target that say the same but for numbers.
#[cold]
pub(crate) fn wording(level: u8, target: &[u8], message: &[u8]) -> u32 {
    let mut state = bytes(mix(0x776F_7264, u64::from(level)), target);
    let mut in_number = false;
    for byte in message {
        let digit = byte.is_ascii_digit();
        if !digit || !in_number {
            state = mix(state, u64::from(if digit { b'0' } else { *byte }));
        }
        in_number = digit;
    }
    fold(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_single_bit_counts() {
        let original: [u8; 61] = core::array::from_fn(|i| (i * 37) as u8);
        for len in 0..original.len() {
            let whole = fold(bytes(1, &original[..len]));
            for bit in 0..len * 8 {
                let mut changed = original;
                changed[bit / 8] ^= 1 << (bit % 8);
                assert_ne!(fold(bytes(1, &changed[..len])), whole, "bit {bit} of {len}");
            }
        }
    }
}
