//! What others left: rings that wait for somebody, and rings that nobody claims any more.

use std::sync::Arc;

use annunciator_core::ring::{self, OVERHEAD, UNCLAIMED_AT};
use annunciator_core::time::{Duration, Instant};
use rustix::fs::OFlags;

use super::choose::{choose, is_empty};
use super::dir::SpoolDir;
use super::error::SpoolError;
use super::file::{MAX_LEN, OpenMark};
use super::lock::InstanceLock;
use super::map::HEADER_LEN;
use super::memory::{Finder, MemoryFile, Probe, peek};
use super::names::{DestinationKey, InstanceName, MAX_INSTANCES, SpoolIdentity};
use super::runtime_dirs::RuntimeDirs;
use super::{TEXT, is_of_boot, sys};

/// How long a ring has been seen unclaimed when it goes. Long, because it may belong to a program
/// that runs once a month.
pub(crate) const EXPIRY: Duration = Duration::from_hours(35 * 24);

/// The instances of a destination, but for `own`, that look as if they were orphans: something waits
/// there, or a program ended there without a word in this boot. Those that somebody works on are
/// among them; whoever takes one looks again.
pub(super) fn scan(
    dir: Option<&SpoolDir>,
    finder: &Finder,
    own: InstanceName,
    boot: u64,
) -> Vec<u8> {
    let waits = |number: u8| {
        let name = InstanceName { key: own.key, number };
        let file = dir.and_then(|dir| read(dir, name).ok().flatten());
        let in_file = file.is_some_and(|bytes| {
            let open = OpenMark::of(&bytes) != OpenMark::Closed && is_of_boot(&bytes, boot);
            open || !is_empty(&bytes)
        });
        let mut memories = finder.peek(number);
        in_file || memories.any(|(header, bytes)| header.open || !is_empty(&bytes))
    };
    (0..MAX_INSTANCES).filter(|&number| number != own.number && waits(number)).collect()
}

/// The bytes of an instance's file, if there is one.
fn read(dir: &SpoolDir, name: InstanceName) -> Result<Option<Vec<u8>>, SpoolError> {
    let name = name.spool();
    let Some(file) = dir.open_file(&name, OFlags::RDONLY)? else { return Ok(None) };
    let bytes = sys::read_all(&file, MAX_LEN);
    bytes.map(Some).map_err(|e| SpoolError::io(&dir.path_of(&name), "read", e))
}

/// Who looks at what nobody claims.
pub(super) struct Observer<'a> {
    pub(super) dirs: &'a RuntimeDirs,
    pub(super) own: InstanceName,
    /// The destinations of this program, its own included.
    pub(super) configured: &'a [DestinationKey],
    pub(super) boot: u64,
    pub(super) now: Instant,
}

impl Observer<'_> {
    /// Removes instances of `dir` that have been unclaimed for long enough: rings of this
    /// destination in which nothing waits, and all of destinations that are not configured. Returns
    /// how many events were given up.
    ///
    /// Age is observed time, counted by calls of this function: the wall clock of a device may jump
    /// by decades, so file times prove nothing. Each call writes 16 bytes a ring, unsynced; daily
    /// is often enough.
    pub(super) fn expire(&self, dir: &SpoolDir) -> u32 {
        let mut instances: Vec<InstanceName> = Vec::new();
        let mut states = Vec::new();
        // What cannot be listed now is no older tomorrow.
        for name in dir.names().unwrap_or_default() {
            states.extend(DestinationKey::of_state(&name));
            let Some((name, "lock" | "spool" | "new")) = InstanceName::parse(&name) else {
                continue;
            };
            // There are few; a sort for any number of them would be five kilobytes of code.
            if let Err(at) = instances.binary_search(&name) {
                instances.insert(at, name);
            }
        }
        let mut lost = 0_u32;
        let mut left = Vec::new();
        for name in instances {
            let theirs = name.key != self.own.key && self.configured.contains(&name.key);
            let keeps = name == self.own || theirs;
            // One that cannot be read or removed is left alone, and is no reason to keep others.
            let expired = if keeps { None } else { self.expired(dir, name).unwrap_or(None) };
            match expired {
                Some(events) => lost = lost.saturating_add(events),
                None => left.push(name.key),
            }
        }
        for key in states {
            if !left.contains(&key) && key != self.own.key && !self.configured.contains(&key) {
                // It is tried again tomorrow.
                let _ = sys::unlink(dir, &key.state());
            }
        }
        lost
    }

    /// Removes the instance if it is due; returns how many events waited there.
    fn expired(&self, dir: &SpoolDir, name: InstanceName) -> Result<Option<u32>, SpoolError> {
        let Some(lock) = InstanceLock::take(dir, name)? else { return Ok(None) };
        let identity = SpoolIdentity::of(dir.path(), name.key);
        let finder = Finder { dirs: self.dirs.clone(), identity };
        let Some(memories) = finder.take(name.number) else { return Ok(None) };
        let file = read(dir, name)?;
        let regions: Vec<Vec<u8>> = memories.iter().map(MemoryFile::bytes).collect();
        let regions: Vec<&[u8]> = regions.iter().map(Vec::as_slice).collect();
        let served = choose(file.as_deref(), &regions).0.of(file.as_deref(), &regions);
        if let Some(bytes) = served {
            if name.key == self.own.key && !is_empty(bytes) {
                return Ok(None);
            }
            let age = match (&file, memories.first()) {
                (Some(bytes), _) => self.grow(bytes, |at, new| {
                    let fd = dir.open_file(&name.spool(), OFlags::RDWR).ok().flatten();
                    fd.map(|fd| sys::write_at(fd, new, at as u64));
                }),
                (None, Some(memory)) => self.grow(bytes, |at, new| _ = memory.write(at, new)),
                (None, None) => Duration::ZERO,
            };
            if age < EXPIRY {
                return Ok(None);
            }
        }
        for file in [name.spool(), name.fresh()] {
            sys::unlink(dir, &file)
                .map_err(|e| SpoolError::io(&dir.path_of(&file), "remove", e))?;
        }
        memories.iter().for_each(MemoryFile::remove);
        lock.remove(dir)?;
        Ok(Some(served.map_or(0, ring::waiting::<TEXT>)))
    }

    /// Removes memory files of other spool directories that have been unclaimed for long enough:
    /// nobody may ever come for them. What waits there is not ours to count.
    pub(super) fn expire_memories(&self, directory: &std::path::Path) {
        let ours = self.configured.iter().map(|key| SpoolIdentity::of(directory, *key));
        let ours: Vec<SpoolIdentity> = ours.collect();
        for dir in self.dirs.existing() {
            for name in dir.names().into_iter().filter(|name| name.ends_with(".ring")) {
                self.expire_memory(&dir, &name, &ours);
            }
        }
    }

    fn expire_memory(
        &self,
        dir: &Arc<super::runtime_dirs::OwnDir>,
        name: &str,
        ours: &[SpoolIdentity],
    ) {
        // Not locked before it is known to be another's: a program of ours may be starting.
        let Some((header, _)) = peek(dir, name) else { return };
        if ours.contains(&header.identity) {
            return;
        }
        if let Probe::Ours(memory) = MemoryFile::probe(dir, name)
            && self.grow(&memory.bytes(), |at, new| _ = memory.write(at, new)) >= EXPIRY
        {
            memory.remove();
        }
    }

    /// Adds the time since a ring was last looked at; returns how long it has been unclaimed.
    fn grow(&self, ring: &[u8], write: impl FnOnce(usize, &[u8])) -> Duration {
        let before = ring.get(UNCLAIMED_AT..).and_then(<[u8]>::first_chunk);
        let mut unclaimed = before.map_or(Unclaimed::default(), Unclaimed::parse);
        let now = u32::try_from(self.now.as_millis() / 1000).unwrap_or(u32::MAX);
        if unclaimed.boot == self.boot {
            let more = now.saturating_sub(unclaimed.seen);
            unclaimed.observed = unclaimed.observed.saturating_add(more);
        }
        (unclaimed.boot, unclaimed.seen) = (self.boot, now);
        // Should this fail, it merely grows old more slowly. A lowered `ulimit -f` would answer with
        // a signal.
        if sys::file_size_limit_below(HEADER_LEN + OVERHEAD).is_none() {
            write(UNCLAIMED_AT, &unclaimed.format());
        }
        Duration::from_secs(u64::from(unclaimed.observed))
    }
}

/// How long a ring has been seen without an owner, in its own bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Unclaimed {
    /// In which boot it was seen last, and at which second of it.
    boot: u64,
    seen: u32,
    /// Seconds.
    observed: u32,
}

pub(super) const UNCLAIMED_LEN: usize = 16;

impl Unclaimed {
    fn parse(bytes: &[u8; UNCLAIMED_LEN]) -> Unclaimed {
        let number = u128::from_le_bytes(*bytes);
        Unclaimed {
            boot: number as u64,
            seen: (number >> 64) as u32,
            observed: (number >> 96) as u32,
        }
    }

    fn format(&self) -> [u8; UNCLAIMED_LEN] {
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
        let bytes = unclaimed.format();
        assert_eq!(bytes[..9], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 5]);
        assert_eq!(Unclaimed::parse(&bytes), unclaimed);
    }
}
