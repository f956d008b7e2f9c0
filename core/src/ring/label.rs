//! What a ring says of itself in plain words: the prefix of its texts, and the size of its slots.

use super::LABEL;
use super::slot::word;
use crate::event::head;
use crate::hash;

/// Longest prefix of a text in bytes; longer ones are cut at a character.
pub const PREFIX_MAX: usize = 48;
/// Size of a label: check u32, size of a slot u16, length of the prefix u16, the prefix, and words
/// that mean nothing yet.
pub(super) const LEN: usize = 8 + PREFIX_MAX + 8;

/// The bytes of a label.
pub(super) fn format(prefix: &str, slot_size: usize) -> [u8; LEN] {
    let cut = head(prefix, PREFIX_MAX);
    // A prefix that was cut still ends with a space.
    let cut = if cut.len() == prefix.len() { cut } else { head(prefix, PREFIX_MAX - 1) };
    let space = if cut.len() == prefix.len() { "" } else { " " };
    let len = (cut.len() + space.len()) as u32;
    let mut bytes = [0; LEN];
    let words = (slot_size as u32 & 0xFFFF) | len << 16;
    let text = words.to_le_bytes().into_iter().chain(cut.bytes()).chain(space.bytes());
    bytes.iter_mut().skip(4).zip(text).for_each(|(to, from)| *to = from);
    let check = check(&bytes).to_le_bytes();
    bytes.iter_mut().zip(check).for_each(|(to, from)| *to = from);
    bytes
}

fn check(label: &[u8]) -> u32 {
    hash::fold(hash::bytes(0x6C61_6265, label.get(4..LEN).unwrap_or(&[]))) | 1
}

/// The prefix of the texts of the ring in these bytes; empty if there is no sound label.
pub fn label(region: &[u8]) -> &str {
    let label = region.get(LABEL..).and_then(|rest| rest.get(..LEN)).unwrap_or(&[]);
    if label.is_empty() || word(label, 0) != check(label) {
        return "";
    }
    let len = (word(label, 4) >> 16) as usize;
    let prefix = label.get(8..).and_then(|rest| rest.get(..len)).unwrap_or(&[]);
    core::str::from_utf8(prefix).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_read_back_and_a_long_one_ends_with_a_space() {
        let mut region = [0; super::super::OVERHEAD];
        assert_eq!(label(&region), "");
        let long = "[Rust Logger a-program-with-quite-a-long-name-indeed] ";
        for (prefix, kept) in [
            ("[Rust Logger pump] ", "[Rust Logger pump] "),
            ("", ""),
            (long, "[Rust Logger a-program-with-quite-a-long-name-i "),
        ] {
            region[LABEL..][..LEN].copy_from_slice(&format(prefix, 256));
            assert_eq!(label(&region), kept);
        }
        region[LABEL + 20] ^= 1;
        assert_eq!(label(&region), "");
    }
}
