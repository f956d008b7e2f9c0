//! Names: which slot belongs to which recipient, which memory file to which slot.
//!
//! A file name must not give a phone number away, so a recipient appears as a 32-bit hash. Short
//! on purpose: thousands of numbers share each value, while the few recipients of one spool
//! directory practically never do.
//!
//! ```text
//! k3f9a2c1e-0.lock      lock and note of slot 0 of the recipient 3f9a2c1e
//! k3f9a2c1e-0.spool     its bytes
//! k3f9a2c1e-0.new       the same, being written again
//! k3f9a2c1e-0.damaged   the copy of a damaged one, for whoever wants to know
//! ```

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Slots a recipient can have in one directory: processes that run at the same time.
pub(crate) const MAX_SLOTS: u8 = 32;

/// A recipient as it appears in file names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RecipientKey(u32);

impl RecipientKey {
    /// The key of a recipient. Two processes share slots only if they pass the same text, so
    /// whatever must not be told on each other's behalf belongs into it.
    pub(crate) fn of(recipient: &str) -> RecipientKey {
        let hash = fnv1a(FNV_START, recipient.as_bytes());
        RecipientKey((hash ^ (hash >> 32)) as u32)
    }
}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{:08x}", self.0)
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One slot of a spool directory: the stem of its file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SlotName {
    /// Whose events it holds.
    pub(crate) key: RecipientKey,
    /// Which of the recipient's slots.
    pub(crate) number: u8,
}

impl SlotName {
    pub(super) fn lock(self) -> String {
        format!("{self}.lock")
    }

    pub(super) fn spool(self) -> String {
        format!("{self}.spool")
    }

    pub(super) fn fresh(self) -> String {
        format!("{self}.new")
    }

    pub(super) fn damaged(self) -> String {
        format!("{self}.damaged")
    }

    /// The slot a file name speaks of, and what kind of file it is (`lock`, `spool`, ..).
    pub(super) fn parse(file_name: &str) -> Option<(SlotName, &str)> {
        let (stem, kind) = file_name.split_once('.')?;
        let (key, number) = stem.strip_prefix('k')?.split_once('-')?;
        let plain_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if key.len() != 8 || !key.bytes().all(plain_hex) {
            return None;
        }
        let key = RecipientKey(u32::from_str_radix(key, 16).ok()?);
        let number: u8 = number.parse().ok().filter(|&number| number < MAX_SLOTS)?;
        let slot = SlotName { key, number };
        // Only the name we would have written: `k..-00.spool` is somebody else's.
        (slot.to_string() == stem).then_some((slot, kind))
    }
}

impl fmt::Display for SlotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.key, self.number)
    }
}

/// What a memory file belongs to: a spool directory, by its path, and a recipient.
///
/// By path, not by device and inode or by an id kept in the directory: the memory file matters most
/// when the directory cannot be reached, and it must be found again after the directory has been
/// deleted and made anew. One directory under two paths (a bind mount, a link above it) is no
/// trouble: the slot's note says where the memory file of the last session was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SpoolIdentity(pub(super) u64);

impl SpoolIdentity {
    /// The identity of `recipient`'s slots in `directory`.
    pub(crate) fn of(directory: &Path, key: RecipientKey) -> SpoolIdentity {
        let path = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
        let mut hash = FNV_START;
        for component in path.components() {
            let part: &OsStr = component.as_os_str();
            hash = fnv1a(hash, part.as_bytes());
            hash = fnv1a(hash, b"\0");
        }
        SpoolIdentity(fnv1a(hash, &key.0.to_le_bytes()))
    }

    pub(super) fn memory_file(self, number: u8) -> String {
        format!("m{:016x}-{number}.ring", self.0)
    }
}

/// A number for a piece of content, from what distinguishes it.
pub(super) fn token(parts: &[&[u8]]) -> u64 {
    parts.iter().fold(FNV_START, |hash, part| fnv1a(hash, part))
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a, 64 bits: a stable hash (std's are not) for names, not for protection.
fn fnv1a(start: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(start, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_across_releases() {
        let slot = SlotName { key: RecipientKey::of("447700900000"), number: 7 };
        assert_eq!(slot.spool(), "k217feda2-7.spool");
        assert_eq!(SlotName::parse(&slot.lock()), Some((slot, "lock")));
    }

    #[test]
    fn only_our_own_names_are_taken_for_ours() {
        for name in [
            "k217feda2-07.spool",
            "k217feda2-32.spool",
            "kABCDEF01-0.spool",
            "k+dd1fe8a-0.spool",
            "k217feda2-+1.spool",
            "217feda2-0.spool",
            "k217feda2-0",
            ".spool",
            "",
        ] {
            assert_eq!(SlotName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_number_is_not_in_the_name() {
        let slot = SlotName { key: RecipientKey::of("447700900000"), number: 0 };
        assert!(!slot.spool().contains("900000"));
    }

    #[test]
    fn identity_depends_on_directory_and_recipient_but_not_on_spelling() {
        let key = RecipientKey::of("447700900000");
        let one = SpoolIdentity::of(Path::new("/var/lib/app/spool"), key);
        assert_eq!(one, SpoolIdentity::of(Path::new("/var/lib//app/./spool/"), key));
        assert_ne!(one, SpoolIdentity::of(Path::new("/var/lib/app/spool2"), key));
        assert_ne!(one, SpoolIdentity::of(Path::new("/var/lib/app/spool"), RecipientKey::of("1")));
    }
}
