//! What others left: rings that wait for somebody, and rings that nobody claims any more.

use std::sync::Arc;

use annunciator_core::ring::{self, OVERHEAD, UNCLAIMED_AT};
use annunciator_core::time::{Duration, Instant};
use rustix::fs::OFlags;

use super::dir::SpoolDir;
use super::error::SpoolError;
use super::file::MAX_LEN;
use super::map::HEADER_LEN;
use super::marks::{Unclaimed, is_empty, is_left_open};
use super::memory_file::{Finder, MemoryFile, Probe, peek};
use super::names::{DestinationKey, InstanceName, MAX_INSTANCES, SpoolIdentity};
use super::runtime_dirs::OwnDir;
use super::start::Candidate;
use super::{TEXT, Wanted, sys};

/// How long a ring has been seen unclaimed when it goes. Long, because it may belong to a program
/// that runs once a month.
const EXPIRY: Duration = Duration::from_hours(35 * 24);

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
        let file = dir.and_then(|dir| read(dir, name));
        let in_file = file.is_some_and(|bytes| is_left_open(&bytes, boot) || !is_empty(&bytes));
        let mut memories = finder.peek(number);
        in_file || memories.any(|(header, bytes)| header.open || !is_empty(&bytes))
    };
    (0..MAX_INSTANCES).filter(|&number| number != own.number && waits(number)).collect()
}

/// The bytes of an instance's file, if there is one that can be read.
fn read(dir: &SpoolDir, name: InstanceName) -> Option<Vec<u8>> {
    let file = dir.open_file(&name.spool(), OFlags::RDONLY).ok()??;
    sys::read_all(&file, MAX_LEN).ok()
}

/// Who looks at what nobody claims.
pub(super) struct Observer<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) own: InstanceName,
    /// The destinations of this program, its own included.
    pub(super) configured: &'a [DestinationKey],
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
    pub(super) fn expire(&self, dir: &Arc<SpoolDir>) -> u32 {
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
                let _ = dir.remove(&key.state());
            }
        }
        lost
    }

    /// Removes the instance if it is due; returns how many events waited there.
    fn expired(&self, dir: &Arc<SpoolDir>, name: InstanceName) -> Result<Option<u32>, SpoolError> {
        let wanted = Wanted { key: name.key, ..self.wanted.clone() };
        let candidate = Candidate::take(&wanted, &wanted.finder(), Some(dir), name.number)?;
        let Some(candidate) = candidate.filter(|candidate| candidate.unreadable.is_none()) else {
            return Ok(None);
        };
        let served = candidate.served();
        if let Some(bytes) = served {
            if name.key == self.own.key && !is_empty(bytes) {
                return Ok(None);
            }
            let age = match (&candidate.file, candidate.memories.first()) {
                (Some(bytes), _) => self.grow(bytes, |at, new| {
                    let fd = dir.open_file(&name.spool(), OFlags::RDWR).ok().flatten();
                    fd.map(|fd| sys::write_at(fd, new, at as u64));
                }),
                (None, Some((memory, _))) => self.grow(bytes, |at, new| _ = memory.write(at, new)),
                (None, None) => Duration::ZERO,
            };
            if age < EXPIRY {
                return Ok(None);
            }
        }
        let events = served.map_or(0, ring::waiting::<TEXT>);
        candidate.remove()?;
        Ok(Some(events))
    }

    /// Removes memory files of other spool directories that have been unclaimed for long enough:
    /// nobody may ever come for them. What waits there is not ours to count.
    pub(super) fn expire_memories(&self) {
        let ours =
            self.configured.iter().map(|key| SpoolIdentity::of(&self.wanted.directory, *key));
        let ours: Vec<SpoolIdentity> = ours.collect();
        for dir in self.wanted.dirs.existing() {
            for name in dir.names().into_iter().filter(|name| name.ends_with(".ring")) {
                self.expire_memory(&dir, &name, &ours);
            }
        }
    }

    fn expire_memory(&self, dir: &Arc<OwnDir>, name: &str, ours: &[SpoolIdentity]) {
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
        let mut unclaimed = Unclaimed::of(ring);
        let now = u32::try_from(self.now.as_millis() / 1000).unwrap_or(u32::MAX);
        if unclaimed.boot == self.wanted.boot {
            let more = now.saturating_sub(unclaimed.seen);
            unclaimed.observed = unclaimed.observed.saturating_add(more);
        }
        (unclaimed.boot, unclaimed.seen) = (self.wanted.boot, now);
        // Should this fail, it merely grows old more slowly. A lowered `ulimit -f` would answer with
        // a signal.
        if sys::file_size_limit_below(HEADER_LEN + OVERHEAD).is_none() {
            write(UNCLAIMED_AT, &unclaimed.format());
        }
        Duration::from_secs(u64::from(unclaimed.observed))
    }
}
