//! What the spool reads in a ring's bytes, and the two fields there that are its own: whether a
//! program works on the ring, and for how long nobody has.

use annunciator_core::ring::{self, OPEN_AT, UNCLAIMED_AT};

use super::TEXT;

/// The name of the ring in these bytes.
pub(super) fn id(bytes: &[u8]) -> Option<u64> {
    ring::identity(bytes).map(|identity| identity.id)
}

/// Whether the last start on this ring was in this boot.
pub(super) fn is_of_boot(bytes: &[u8], boot: u64) -> bool {
    ring::identity(bytes).is_some_and(|identity| identity.boot == boot)
}

pub(super) fn is_empty(bytes: &[u8]) -> bool {
    ring::is_empty::<TEXT>(bytes)
}

/// Whether a program worked on this spool file in this boot, and has not ended in an orderly way.
pub(super) fn is_left_open(file: &[u8], boot: u64) -> bool {
    OpenMark::of(file) != OpenMark::Closed && is_of_boot(file, boot)
}

/// What the file says of a program that works on it: one byte that no commit writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenMark {
    /// None does.
    Closed,
    /// One does.
    Open,
    /// One does, and has a memory file that is newer.
    OpenInMemory,
}

impl OpenMark {
    /// What a ring's bytes from a spool file say.
    pub(super) fn of(bytes: &[u8]) -> OpenMark {
        match bytes.get(OPEN_AT) {
            Some(1) => OpenMark::Open,
            Some(2) => OpenMark::OpenInMemory,
            _ => OpenMark::Closed,
        }
    }
}

/// How long a ring has been seen without an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Unclaimed {
    /// In which boot it was seen last, and at which second of it.
    pub(super) boot: u64,
    pub(super) seen: u32,
    /// Seconds.
    pub(super) observed: u32,
}

pub(super) const UNCLAIMED_LEN: usize = 16;

impl Unclaimed {
    /// What a ring's bytes say.
    pub(super) fn of(bytes: &[u8]) -> Unclaimed {
        let bytes = bytes.get(UNCLAIMED_AT..).and_then(<[u8]>::first_chunk::<UNCLAIMED_LEN>);
        let number = bytes.map_or(0, |bytes| u128::from_le_bytes(*bytes));
        Unclaimed {
            boot: number as u64,
            seen: (number >> 64) as u32,
            observed: (number >> 96) as u32,
        }
    }

    pub(super) fn format(&self) -> [u8; UNCLAIMED_LEN] {
        let times = u128::from(self.seen) | u128::from(self.observed) << 32;
        (u128::from(self.boot) | times << 64).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_observation_is_read_as_it_was_written() {
        let unclaimed = Unclaimed { boot: 0x1122_3344_5566_7788, seen: 5, observed: u32::MAX };
        let mut bytes = [0; UNCLAIMED_AT + UNCLAIMED_LEN];
        bytes[UNCLAIMED_AT..].copy_from_slice(&unclaimed.format());
        let written = &bytes[UNCLAIMED_AT..][..9];
        assert_eq!(written, [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 5]);
        assert_eq!(Unclaimed::of(&bytes), unclaimed);
    }
}
