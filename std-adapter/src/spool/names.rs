//! File names: which instance belongs to which destination, which memory file to which instance.
//!
//! A file name must not give a phone number away, so a destination appears as a 32-bit hash. It is
//! short on purpose: thousands of numbers share each value, while the few destinations of one
//! spool directory practically never do.
//!
//! ```text
//! k3f9a2c1e-0.lock      the lock of instance 0 of the destination 3f9a2c1e; empty
//! k3f9a2c1e-0.spool     its ring
//! k3f9a2c1e-0.new       the same, being written again
//! k3f9a2c1e-0.damaged   a copy of a damaged one, for people
//! k3f9a2c1e.state       the destination's state, which its instances share
//! ```

use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Instances that a destination can have in one directory: processes that run at the same time.
pub(crate) const MAX_INSTANCES: u8 = 32;

/// A destination as it appears in file names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DestinationKey(u32);

impl DestinationKey {
    /// The key of a destination. Processes that pass the same text share its state and serve each
    /// other's orphans.
    pub(crate) fn of(destination: &str) -> DestinationKey {
        let hash = fnv1a(FNV_START, destination.as_bytes());
        DestinationKey((hash ^ (hash >> 32)) as u32)
    }

    /// The file of the destination's state.
    pub(super) fn state(self) -> String {
        format!("{self}.state")
    }

    fn parse(text: &str) -> Option<DestinationKey> {
        let plain_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let digits = text.strip_prefix('k')?;
        if digits.len() != 8 || !digits.bytes().all(plain_hex) {
            return None;
        }
        u32::from_str_radix(digits, 16).ok().map(DestinationKey)
    }

    /// The destination whose state stands in a file of this name.
    pub(super) fn of_state(file_name: &str) -> Option<DestinationKey> {
        DestinationKey::parse(file_name.strip_suffix(".state")?)
    }
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k{:08x}", self.0)
    }
}

impl fmt::Debug for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One instance of a spool directory: the stem of its file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct InstanceName {
    /// Whose events it holds.
    pub(crate) key: DestinationKey,
    /// Which of the destination's instances.
    pub(crate) number: u8,
}

impl InstanceName {
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

    /// The instance that a file name speaks of, and what kind of file it is (`lock`, `spool`, ..).
    pub(super) fn parse(file_name: &str) -> Option<(InstanceName, &str)> {
        let (stem, kind) = file_name.split_once('.')?;
        let (key, number) = stem.split_once('-')?;
        let key = DestinationKey::parse(key)?;
        let number: u8 = number.parse().ok().filter(|&number| number < MAX_INSTANCES)?;
        let name = InstanceName { key, number };
        // Only the name we would have written: `k..-00.spool` is somebody else's.
        (name.to_string() == stem).then_some((name, kind))
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.key, self.number)
    }
}

/// What a memory file belongs to: a spool directory, by its path, and a destination.
///
/// By path, not by device and inode or by an id kept in the directory: the memory file matters most
/// when the directory cannot be reached, and it must be found again after the directory was
/// deleted and made anew. So ten devices made from one image, or ten directories copied from one,
/// do not disturb each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SpoolIdentity(pub(super) u64);

impl SpoolIdentity {
    /// The identity of the instances of `key` in `directory`.
    pub(crate) fn of(directory: &Path, key: DestinationKey) -> SpoolIdentity {
        let path = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
        let hash = path.components().fold(FNV_START, |hash, component| {
            fnv1a(fnv1a(hash, component.as_os_str().as_bytes()), b"\0")
        });
        SpoolIdentity(fnv1a(hash, &key.0.to_le_bytes()))
    }

    pub(super) fn memory_file(self, number: u8) -> String {
        format!("m{:016x}-{number}.ring", self.0)
    }

    /// The destination's state, where there is no disk for it.
    pub(super) fn state_file(self) -> String {
        format!("d{:016x}.state", self.0)
    }
}

/// A number that nobody has had before.
pub(super) fn random() -> u64 {
    // The standard library keys each of its maps by the system's random numbers.
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish().max(1)
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
        let key = DestinationKey::of("447700900000");
        let name = InstanceName { key, number: 7 };
        assert_eq!(name.spool(), "k217feda2-7.spool");
        assert_eq!(InstanceName::parse(&name.lock()), Some((name, "lock")));
        assert_eq!(key.state(), "k217feda2.state");
        assert_eq!(DestinationKey::of_state(&key.state()), Some(key));
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
            "k217feda2.state",
            ".spool",
            "",
        ] {
            assert_eq!(InstanceName::parse(name), None, "{name}");
        }
        for name in ["k217feda2-0.state", "kABCDEF01.state", "k217feda.state", ".state"] {
            assert_eq!(DestinationKey::of_state(name), None, "{name}");
        }
    }

    #[test]
    fn the_number_is_not_in_the_name() {
        let name = InstanceName { key: DestinationKey::of("447700900000"), number: 0 };
        assert!(!name.spool().contains("900000"));
    }

    #[test]
    fn identity_depends_on_directory_and_destination_but_not_on_spelling() {
        let key = DestinationKey::of("447700900000");
        let one = SpoolIdentity::of(Path::new("/var/lib/app/spool"), key);
        assert_eq!(one, SpoolIdentity::of(Path::new("/var/lib//app/./spool/"), key));
        assert_ne!(one, SpoolIdentity::of(Path::new("/var/lib/app/spool2"), key));
        let other = DestinationKey::of("1");
        assert_ne!(one, SpoolIdentity::of(Path::new("/var/lib/app/spool"), other));
    }

    #[test]
    fn random_numbers_differ() {
        let numbers: std::collections::HashSet<u64> = (0..1000).map(|_| random()).collect();
        assert_eq!(numbers.len(), 1000);
    }
}
