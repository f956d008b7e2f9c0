//! What a ring says of itself in plain words: the prefix of its texts, and the size of its slots.

use super::LABEL;
use super::slot::word;
use crate::event::head;
use crate::hash;
use crate::memory::Memory;

/// Longest prefix of a text in bytes; longer ones are cut at a character.
pub const PREFIX_MAX: usize = 48;
/// Size of a label: check u32, size of a slot u16, length of the prefix u16, the prefix, and words
/// that mean nothing yet.
pub(super) const LEN: usize = 8 + PREFIX_MAX + 8;

/// Puts a label with this prefix into the region, unless it is there.
pub(super) fn write<M: Memory + ?Sized>(memory: &mut M, prefix: &str, slot_size: usize) {
    // A prefix that was cut still ends with a space.
    let whole = prefix.len() <= PREFIX_MAX;
    let cut = if whole { prefix } else { head(prefix, PREFIX_MAX - 1) };
    let len = cut.len() + usize::from(!whole);
    let shape = slot_size as u32 & 0xFFFF | (len as u32) << 16;
    let present = label(memory.bytes());
    let same_shape = word(bytes(memory.bytes()), 4) == shape;
    if same_shape && present.starts_with(cut) && !present.is_empty() {
        return;
    }
    memory.put(LABEL, &[0; 4]);
    memory.put(LABEL + 4, &shape.to_le_bytes());
    memory.put(LABEL + 8, cut.as_bytes());
    if !whole {
        memory.put(LABEL + 8 + cut.len(), b" ");
    }
    let check = check(bytes(memory.bytes()));
    memory.put(LABEL, &check.to_le_bytes());
}

/// The bytes of the region's label.
fn bytes(region: &[u8]) -> &[u8] {
    region.get(LABEL..).and_then(|rest| rest.get(..LEN)).unwrap_or(&[])
}

fn check(label: &[u8]) -> u32 {
    hash::fold(hash::bytes(0x6C61_6265, label.get(4..LEN).unwrap_or(&[]))) | 1
}

/// The prefix of the texts of the ring in these bytes; empty if there is no sound label.
pub fn label(region: &[u8]) -> &str {
    let label = bytes(region);
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
            write(&mut region, prefix, 256);
            assert_eq!(label(&region), kept);
        }
        write(&mut region, long, 512);
        assert_eq!(word(&region, LABEL + 4) & 0xFFFF, 512, "slots of another size");
        region[LABEL + 20] ^= 1;
        assert_eq!(label(&region), "");
    }
}
