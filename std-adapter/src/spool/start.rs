//! What a start finds, which of the copies it goes on with, and what becomes of the others.
//!
//! | found | what it is | what is done |
//! |---|---|---|
//! | the same ring id | copies of one ring | the one with more starts is newer; with as many, memory is newer than the file |
//! | another ring id | an orphan, unless nothing waits in it | it moves to an instance of its own |
//! | no id | damaged, or fresh | served if there is nothing else; otherwise an orphan if something waits |
//!
//! Nothing is concluded from times, names or boots.

use std::sync::Arc;

use annunciator_core::alerter::is_damaged;
use annunciator_core::ring::{self, PREFIX_MAX, UNCLAIMED_AT};

use super::dir::SpoolDir;
use super::error::{SpoolError, Trouble};
use super::instance::{Spool, take_free};
use super::lock::InstanceLock;
use super::marks::{OpenMark, UNCLAIMED_LEN, id, is_empty, is_left_open, is_of_boot};
use super::memory::MemoryKeeper;
use super::memory_file::{Finder, MemoryFile};
use super::names::{InstanceName, MAX_INSTANCES, random};
use super::{Found, Opened, TEXT, Wanted, mark_open};

/// Where the bytes come from that a start goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Source {
    /// Nothing was found: they are zero.
    #[default]
    Nothing,
    /// A memory file, as the last program of this boot left it.
    Memory,
    /// The spool file.
    File,
}

/// What becomes of a memory file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Served,
    /// An older copy, or nothing waits in it.
    Removed,
    /// Another ring.
    Orphan,
}

/// The choice among the bytes of a spool file and of any number of memory files: where the bytes
/// come from, and what becomes of each memory file.
fn choose(file: Option<&[u8]>, memories: &[&[u8]]) -> (Source, Vec<Fate>) {
    let served = served(file, memories);
    let source = match (served, file) {
        (Some(_), _) => Source::Memory,
        (None, Some(_)) => Source::File,
        (None, None) => Source::Nothing,
    };
    let bytes = served.map_or(file, |index| memories.get(index).copied());
    let served_id = bytes.and_then(id);
    let fate = |(index, memory): (usize, &&[u8])| match id(memory) {
        _ if served == Some(index) => Fate::Served,
        Some(id) if Some(id) == served_id => Fate::Removed,
        _ if is_empty(memory) => Fate::Removed,
        _ => Fate::Orphan,
    };
    (source, memories.iter().enumerate().map(fate).collect())
}

/// Which memory file is served, if it is not the spool file.
fn served(file: Option<&[u8]>, memories: &[&[u8]]) -> Option<usize> {
    // The ring that goes on: the file's, unless nothing waits in it, or it is damaged and a memory
    // file says what it was.
    let named = |bytes: &&&[u8]| id(bytes).is_some();
    let waits = |bytes: &&&[u8]| !is_empty(bytes);
    let own = file.iter().filter(named).find(waits);
    let theirs = || memories.iter().filter(named).find(waits);
    let rest = || file.iter().find(named).or_else(|| memories.iter().find(named));
    let Some(ring) = own.or_else(theirs).or_else(rest).and_then(|bytes| id(bytes)) else {
        // None has a name.
        return match (file, memories.iter().position(|memory| !is_empty(memory))) {
            (Some(file), _) if !is_empty(file) => None,
            (_, Some(index)) => Some(index),
            (Some(_), None) => None,
            (None, None) => (!memories.is_empty()).then_some(0),
        };
    };
    let starts = |bytes: &[u8]| {
        let identity = ring::identity(bytes).filter(|identity| identity.id == ring)?;
        Some(identity.starts)
    };
    let mut best = (file.and_then(starts), None);
    for (index, memory) in memories.iter().enumerate() {
        let starts = starts(memory);
        let ahead = best.1.is_some() && starts == best.0;
        if starts.is_some() && starts >= best.0 && !ahead {
            best = (starts, Some(index));
        }
    }
    best.1
}

/// An instance that we have locked, and all copies that lie there.
#[derive(Default)]
pub(super) struct Candidate {
    number: u8,
    spool: Option<Spool>,
    /// What lies in the spool file.
    pub(super) file: Option<Vec<u8>>,
    pub(super) unreadable: Option<SpoolError>,
    /// What lies in memory files.
    pub(super) memories: Vec<(MemoryFile, Vec<u8>)>,
    source: Source,
    fates: Vec<Fate>,
}

impl Candidate {
    /// `None` if somebody has it.
    pub(super) fn take(
        wanted: &Wanted,
        finder: &Finder,
        dir: Option<&Arc<SpoolDir>>,
        number: u8,
    ) -> Result<Option<Candidate>, SpoolError> {
        let mut candidate = Candidate { number, ..Candidate::default() };
        if let Some(dir) = dir {
            let name = InstanceName { key: wanted.key, number };
            let Some(lock) = InstanceLock::take(dir, name)? else { return Ok(None) };
            let spool = Spool::new(Arc::clone(dir), lock, finder.clone(), wanted.size)?;
            match spool.file.read_all() {
                Ok(bytes) => candidate.file = spool.file.holds_data().then_some(bytes),
                Err(error) => candidate.unreadable = Some(error),
            }
            candidate.spool = Some(spool);
        }
        let Some(memories) = finder.take(number) else { return Ok(None) };
        let with_bytes = |memory: MemoryFile| {
            let bytes = memory.bytes();
            (memory, bytes)
        };
        candidate.memories = memories.into_iter().map(with_bytes).collect();
        let regions: Vec<&[u8]> = candidate.memories.iter().map(|(_, bytes)| &**bytes).collect();
        (candidate.source, candidate.fates) = choose(candidate.file.as_deref(), &regions);
        Ok(Some(candidate))
    }

    /// The memory file that is to be served, if it is one.
    fn served_memory(&self) -> Option<&(MemoryFile, Vec<u8>)> {
        let mut memories = self.memories.iter().zip(&self.fates);
        memories.find(|(_, fate)| **fate == Fate::Served).map(|(memory, _)| memory)
    }

    /// The bytes that are to be served.
    pub(super) fn served(&self) -> Option<&[u8]> {
        match self.source {
            Source::Nothing => None,
            Source::File => self.file.as_deref(),
            Source::Memory => self.served_memory().map(|(_, bytes)| &**bytes),
        }
    }

    /// Whether a program with our prefix may go on with it.
    pub(super) fn suits(&self, wanted: &Wanted) -> bool {
        let Some(bytes) = self.served() else { return true };
        let label = ring::label(bytes);
        let cut = label.len() + 4 > PREFIX_MAX && wanted.prefix.starts_with(label.trim_end());
        let ours = label == wanted.prefix || label.is_empty() || cut;
        ours || (is_empty(bytes) && !self.crashed(wanted.boot))
    }

    /// Whether the last program that had it ended without a word in this boot.
    pub(super) fn crashed(&self, boot: u64) -> bool {
        match self.served_memory() {
            // What has no name yet is of this boot, or it would not be here.
            Some((memory, bytes)) => {
                memory.header.open && (id(bytes).is_none() || is_of_boot(bytes, boot))
            }
            None => self.served().is_some_and(|bytes| is_left_open(bytes, boot)),
        }
    }

    /// Goes on with what was chosen, and sees to the rest.
    pub(super) fn begin(mut self, wanted: &Wanted, finder: &Finder) -> Result<Opened, SpoolError> {
        let unreadable = self.unreadable.take();
        let served = self.served().unwrap_or_default();
        let from_file = self.source == Source::File;
        let crashed = self.crashed(wanted.boot);
        let found = Found {
            source: self.source,
            ring_id: id(served).unwrap_or_else(random),
            crashed,
            lost_memory: from_file && crashed && OpenMark::of(served) == OpenMark::OpenInMemory,
            unreadable,
        };
        let bytes = match self.source {
            Source::Memory => served.to_vec(),
            Source::File | Source::Nothing => fitted(served, wanted.size),
        };
        let same = self.file.as_ref().is_none_or(|file| id(file) == Some(found.ring_id));
        if let Some(spool) = &mut self.spool {
            // Worth having, not worth a word.
            let file = self.file.as_deref().unwrap_or_default();
            if let Some(damaged) =
                [&bytes, file].into_iter().find(|bytes| is_damaged::<TEXT>(bytes))
            {
                let _ = spool.file.quarantine(damaged);
            }
            spool.file.resize(bytes.len());
            if found.unreadable.is_some() {
                spool.file.set_aside();
            } else if !same && !from_file {
                spool.file.start_over();
            }
        }
        let survivor = self.settle_memories(finder);
        let memory = survivor.map_or_else(|| finder.make(self.number, &bytes), Ok);
        let (keeper, mut region) = MemoryKeeper::new(memory, &bytes, finder.clone(), self.number)?;
        if let Some(unclaimed) = region.get_mut(UNCLAIMED_AT..UNCLAIMED_AT + UNCLAIMED_LEN) {
            unclaimed.fill(0);
        }
        mark_open(self.spool.as_mut(), &keeper);
        let spool = self.spool.ok_or_else(|| Trouble::Busy.at(&wanted.directory));
        Ok(Opened { region, keeper, spool, found })
    }

    /// Removes what is out of date and moves other rings away; returns the memory file to go on
    /// with, if it is one.
    fn settle_memories(&mut self, finder: &Finder) -> Option<MemoryFile> {
        let mut survivor = None;
        let memories = std::mem::take(&mut self.memories);
        for ((mut memory, _), fate) in memories.into_iter().zip(&self.fates) {
            match fate {
                Fate::Served => survivor = Some(memory),
                Fate::Removed => memory.remove(),
                Fate::Orphan => self.move_away(&mut memory, finder),
            }
        }
        survivor
    }

    /// Gives a memory file with another ring the number of a free instance. If there is none it
    /// stays, and a later start finds it again.
    fn move_away(&self, memory: &mut MemoryFile, finder: &Finder) {
        match &self.spool {
            Some(spool) => {
                if let Ok(lock) = take_free(spool.file.dir(), spool.name(), finder) {
                    memory.renumber(lock.name().number);
                }
            }
            None => {
                let mut numbers = (0..MAX_INSTANCES).filter(|&number| number != self.number);
                if let Some(number) = numbers.find(|&number| !finder.exists(number)) {
                    memory.renumber(number);
                }
            }
        }
    }

    /// Removes all of it but for other rings, which stay for whoever looks here next.
    pub(super) fn remove(self) -> Result<(), SpoolError> {
        let Candidate { spool, memories, fates, .. } = self;
        let copies = || {
            let copies = memories.iter().zip(fates).filter(|(_, fate)| *fate != Fate::Orphan);
            copies.for_each(|((memory, _), _)| memory.remove());
        };
        if let Some(spool) = spool {
            return spool.remove(copies);
        }
        copies();
        Ok(())
    }
}

/// The bytes of a region for what a spool file of another size held: it keeps its own as long as
/// something waits beyond the size that is wanted.
fn fitted(file: &[u8], size: usize) -> Vec<u8> {
    let used =
        if is_empty(file) { 0 } else { file.iter().rposition(|&byte| byte != 0).unwrap_or(0) };
    // One slot beyond the last that is used, since a ring always has a free one.
    let slots = used.saturating_sub(ring::OVERHEAD) / ring::slot_size::<TEXT>() + 2;
    let len = if used < size { size } else { ring::region_len_of::<TEXT>(slots) };
    let mut bytes = file.to_vec();
    bytes.resize(len, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::testing::{Ring, spoil};

    const A: u64 = 0xA;
    const B: u64 = 0xB;

    /// A ring with this name after so many starts, in which something waits.
    fn ring(id: u64, starts: u32) -> Vec<u8> {
        Ring::new(id).starts(starts).record("something").bytes()
    }

    fn empty(id: u64, starts: u32) -> Vec<u8> {
        Ring::new(id).starts(starts).bytes()
    }

    fn chosen(file: Option<&Vec<u8>>, memories: &[&Vec<u8>]) -> (Source, Vec<Fate>) {
        let memories: Vec<&[u8]> = memories.iter().map(|memory| memory.as_slice()).collect();
        choose(file.map(Vec::as_slice), &memories)
    }

    use Fate::{Orphan, Removed, Served};

    #[test]
    fn nothing_is_made_of_nothing() {
        assert_eq!(chosen(None, &[]), (Source::Nothing, vec![]));
        assert_eq!(chosen(Some(&ring(A, 1)), &[]), (Source::File, vec![]));
        assert_eq!(chosen(None, &[&ring(A, 1)]), (Source::Memory, vec![Served]));
        assert_eq!(chosen(None, &[&empty(A, 1)]), (Source::Memory, vec![Served]));
        assert_eq!(chosen(None, &[&vec![0; 5000]]), (Source::Memory, vec![Served]));
    }

    #[test]
    fn of_copies_of_one_ring_the_one_with_more_starts_is_newer() {
        for (file, memory, source) in
            [(1, 2, Source::Memory), (2, 2, Source::Memory), (3, 2, Source::File)]
        {
            let fate = if source == Source::File { Removed } else { Served };
            let found = chosen(Some(&ring(A, file)), &[&ring(A, memory)]);
            assert_eq!(found, (source, vec![fate]), "{file} and {memory}");
            // Whether something waits does not matter.
            let found = chosen(Some(&empty(A, file)), &[&ring(A, memory)]);
            assert_eq!(found, (source, vec![fate]), "{file} and {memory}");
            let found = chosen(Some(&ring(A, file)), &[&empty(A, memory)]);
            assert_eq!(found, (source, vec![fate]), "{file} and {memory}");
        }
        // Two runtime directories by turns.
        let three = [&ring(A, 2), &ring(A, 4), &ring(A, 3)];
        assert_eq!(
            chosen(Some(&ring(A, 3)), &three),
            (Source::Memory, vec![Removed, Served, Removed])
        );
        assert_eq!(chosen(None, &three), (Source::Memory, vec![Removed, Served, Removed]));
        assert_eq!(chosen(Some(&ring(A, 5)), &three), (Source::File, vec![Removed; 3]));
        let equal = [&ring(A, 2), &ring(A, 2)];
        assert_eq!(chosen(None, &equal), (Source::Memory, vec![Served, Removed]));
    }

    #[test]
    fn another_ring_is_an_orphan_unless_nothing_waits_in_it() {
        let found = chosen(Some(&ring(A, 1)), &[&ring(B, 9)]);
        assert_eq!(found, (Source::File, vec![Orphan]));
        let found = chosen(Some(&ring(A, 1)), &[&empty(B, 9)]);
        assert_eq!(found, (Source::File, vec![Removed]));
        let found = chosen(Some(&ring(A, 1)), &[&ring(B, 9), &ring(A, 1)]);
        assert_eq!(found, (Source::Memory, vec![Orphan, Served]));
        // A file that may be written over makes no orphan of it.
        let found = chosen(Some(&empty(A, 9)), &[&ring(B, 1)]);
        assert_eq!(found, (Source::Memory, vec![Served]));
        let found = chosen(None, &[&ring(A, 1), &ring(B, 1)]);
        assert_eq!(found, (Source::Memory, vec![Served, Orphan]));
    }

    #[test]
    fn damaged_bytes_give_way_and_are_not_lost() {
        let damaged = spoil(ring(A, 5));
        assert!(id(&damaged).is_none() && !is_empty(&damaged));
        assert_eq!(chosen(Some(&damaged), &[]), (Source::File, vec![]));
        assert_eq!(chosen(None, &[&damaged]), (Source::Memory, vec![Served]));
        let found = chosen(Some(&damaged), &[&ring(A, 1)]);
        assert_eq!(found, (Source::Memory, vec![Served]));
        let found = chosen(Some(&ring(A, 1)), &[&damaged]);
        assert_eq!(found, (Source::File, vec![Orphan]));
        let found = chosen(Some(&damaged), &[&damaged]);
        assert_eq!(found, (Source::File, vec![Orphan]));
    }

    #[test]
    fn any_bytes_will_do() {
        for bytes in [vec![], vec![0; 100], vec![0xFF; 5000], vec![0; 5000]] {
            chosen(Some(&bytes), &[&bytes, &ring(A, 1)]);
            chosen(None, &[&bytes]);
        }
        assert_eq!(chosen(Some(&vec![0; 5000]), &[]), (Source::File, vec![]));
    }
}
