//! The first 4 KiB of a memory file: whose it is and of when.
//!
//! | bytes | content (little-endian) |
//! |---|---|
//! | 0..8 | `ANNUNMEM` |
//! | 8..12 | version, 1; another version is not touched |
//! | 12..16 | length of this header, 4096 |
//! | 16..24 | length of the region behind it |
//! | 24..32 | identity: a hash of spool directory and recipient |
//! | 32..36 | user id |
//! | 36..40 | 0 until the region is filled for the first time, 1 from then on, 2 after a clean end |
//! | 40..56 | boot id |
//! | 56..64 | start of the session that last opened the file, nanoseconds since boot |
//! | 64..68 | number of the spool slot it mirrors; all ones if there is none |
//! | 68..72 | 0 |
//! | 72..80 | the last session that had all of the slot's spool file in the region; 0 if none had |
//! | 80..88 | token of the spool content last taken into the region; 0 if none was |
//! | 128..130 | length of the spool directory's path; 0 if it is too long |
//! | 130.. | that path, for telling a file that nobody will ever claim |

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::boot::BootId;
use super::identity::SpoolIdentity;
use super::map::HEADER_LEN;

const MAGIC: &[u8; 8] = b"ANNUNMEM";
const VERSION: u32 = 1;
/// Where the state is, for changing it in place.
pub(super) const STATE_AT: usize = 36;
/// Where the session is, for changing it in place.
pub(super) const SESSION_AT: usize = 56;

/// Where the slot is, for changing it in place.
pub(super) const SLOT_AT: usize = 64;

/// Where the session is that last had all of the spool file, for changing it in place.
pub(super) const TAKEN_AT: usize = 72;
/// Where the token of the content taken is, for changing it in place.
pub(super) const BASE_AT: usize = 80;

const HOME_AT: usize = 128;

/// The region is being filled: nothing in it counts.
pub(super) const MADE: u32 = 0;
/// A session is under way or has ended without a word.
pub(super) const RUNNING: u32 = 1;
/// The last session ended as it should.
pub(super) const CLEAN: u32 = 2;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) region_len: u64,
    pub(super) identity: SpoolIdentity,
    pub(super) user: u32,
    pub(super) state: u32,
    pub(super) boot: BootId,
    pub(super) session: u64,
    /// The spool slot it mirrors.
    pub(super) slot: Option<u8>,
    /// The last session that had all of the spool file in the region.
    pub(super) taken: u64,
    /// Token of the spool content last taken into the region.
    pub(super) base: u64,
    /// The spool directory.
    pub(super) home: PathBuf,
}

/// The slot as it is stored.
pub(super) fn slot_word(slot: Option<u8>) -> u32 {
    slot.map_or(u32::MAX, u32::from)
}

impl Header {
    pub(super) fn format(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let fields: [&[u8]; 13] = [
            MAGIC,
            &VERSION.to_le_bytes(),
            &(HEADER_LEN as u32).to_le_bytes(),
            &self.region_len.to_le_bytes(),
            &self.identity.0.to_le_bytes(),
            &self.user.to_le_bytes(),
            &self.state.to_le_bytes(),
            self.boot.as_bytes(),
            &self.session.to_le_bytes(),
            &slot_word(self.slot).to_le_bytes(),
            &[0; 4],
            &self.taken.to_le_bytes(),
            &self.base.to_le_bytes(),
        ];
        for (to, from) in bytes.iter_mut().zip(fields.concat()) {
            *to = from;
        }
        let home = self.home.as_os_str().as_bytes();
        if let (Ok(len), Some(room)) = (u16::try_from(home.len()), bytes.get_mut(HOME_AT..))
            && home.len() + 2 <= room.len()
        {
            for (to, from) in room.iter_mut().zip(len.to_le_bytes().iter().chain(home)) {
                *to = *from;
            }
        }
        bytes
    }

    /// `None` for anything that is not a header of this version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let mut rest = bytes;
        if take::<8>(&mut rest)? != *MAGIC
            || u32::from_le_bytes(take(&mut rest)?) != VERSION
            || u32::from_le_bytes(take(&mut rest)?) != HEADER_LEN as u32
        {
            return None;
        }
        let header = Header {
            region_len: u64::from_le_bytes(take(&mut rest)?),
            identity: SpoolIdentity(u64::from_le_bytes(take(&mut rest)?)),
            user: u32::from_le_bytes(take(&mut rest)?),
            state: u32::from_le_bytes(take(&mut rest)?),
            boot: BootId::from_bytes(take(&mut rest)?),
            session: u64::from_le_bytes(take(&mut rest)?),
            slot: u8::try_from(u32::from_le_bytes(take(&mut rest)?)).ok(),
            taken: {
                take::<4>(&mut rest)?;
                u64::from_le_bytes(take(&mut rest)?)
            },
            base: u64::from_le_bytes(take(&mut rest)?),
            home: home(bytes).unwrap_or_default(),
        };
        Some(header)
    }
}

fn home(bytes: &[u8]) -> Option<PathBuf> {
    let mut rest = bytes.get(HOME_AT..)?;
    let len = u16::from_le_bytes(take(&mut rest)?);
    let path = rest.get(..usize::from(len))?;
    Some(Path::new(OsStr::from_bytes(path)).to_path_buf())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            region_len: 65536,
            identity: SpoolIdentity(0x0123_4567_89ab_cdef),
            user: 1000,
            state: RUNNING,
            boot: BootId::from_bytes(*b"0123456789abcdef"),
            session: 0x1122_3344_5566_7788,
            slot: Some(3),
            taken: 5,
            base: 0x8877_6655_4433_2211,
            home: "/var/lib/app/spool".into(),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_table() {
        let bytes = header().format();
        assert_eq!(&bytes[..8], b"ANNUNMEM");
        assert_eq!(bytes[STATE_AT], 1);
        assert_eq!(&bytes[40..56], b"0123456789abcdef");
        assert_eq!(&bytes[SESSION_AT..64], 0x1122_3344_5566_7788u64.to_le_bytes());
        assert_eq!(bytes[SLOT_AT..68], [3, 0, 0, 0]);
        assert_eq!(Header::parse(&bytes), Some(header()));
        assert_eq!(bytes[TAKEN_AT], 5);
        assert_eq!(bytes[BASE_AT], 0x11);
        assert_eq!(bytes[128..130], [18, 0]);
        assert_eq!(&bytes[130..148], b"/var/lib/app/spool");
        for len in [0, 3966, 3967, 70_000] {
            let home = PathBuf::from("x".repeat(len));
            let read = Header::parse(&Header { home: home.clone(), ..header() }.format());
            let expected = if len <= 3966 { home } else { PathBuf::new() };
            assert_eq!(read.unwrap().home, expected);
        }
        let none = Header { slot: None, ..header() };
        assert_eq!(Header::parse(&none.format()), Some(none));
    }

    #[test]
    fn other_versions_and_other_files_are_not_taken_for_ours() {
        for at in 0..16 {
            let mut bytes = header().format();
            bytes[at] ^= 1;
            assert_eq!(Header::parse(&bytes), None, "byte {at}");
        }
        assert_eq!(Header::parse(&header().format()[..87]), None);
        assert_eq!(Header::parse(&[]), None);
    }
}
