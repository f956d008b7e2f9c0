//! Which of the copies that a start finds is served, and what becomes of the others.
//!
//! | found | what it is | what is done |
//! |---|---|---|
//! | the same ring id | copies of one ring | the one with more starts is newer; with as many, memory is newer than the file |
//! | another ring id | an orphan, unless nothing waits in it | it moves to an instance of its own |
//! | no id | damaged, or fresh | served if there is nothing else; otherwise an orphan if something waits |
//!
//! Nothing is concluded from times, names or boots.

use annunciator_core::ring;

use super::TEXT;

/// What a start goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serve {
    /// Nothing was found.
    Nothing,
    /// What the spool file holds.
    File,
    /// What the memory file of this index holds.
    Memory(usize),
}

impl Serve {
    /// Its bytes, among those that were chosen from.
    pub(super) fn of<'a>(self, file: Option<&'a [u8]>, memories: &[&'a [u8]]) -> Option<&'a [u8]> {
        match self {
            Serve::Nothing => None,
            Serve::File => file,
            Serve::Memory(index) => memories.get(index).copied(),
        }
    }
}

/// What becomes of a memory file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Served,
    /// An older copy, or nothing waits in it.
    Removed,
    /// Another ring.
    Orphan,
}

/// The choice among the bytes of a spool file and of any number of memory files.
pub(super) fn choose(file: Option<&[u8]>, memories: &[&[u8]]) -> (Serve, Vec<Fate>) {
    let serve = serve(file, memories);
    let served_id = serve.of(file, memories).and_then(id);
    let fate = |(index, memory): (usize, &&[u8])| match id(memory) {
        _ if serve == Serve::Memory(index) => Fate::Served,
        Some(id) if Some(id) == served_id => Fate::Removed,
        _ if is_empty(memory) => Fate::Removed,
        _ => Fate::Orphan,
    };
    (serve, memories.iter().enumerate().map(fate).collect())
}

fn serve(file: Option<&[u8]>, memories: &[&[u8]]) -> Serve {
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
            (Some(file), _) if !is_empty(file) => Serve::File,
            (_, Some(index)) => Serve::Memory(index),
            (Some(_), None) => Serve::File,
            (None, None) if memories.is_empty() => Serve::Nothing,
            (None, None) => Serve::Memory(0),
        };
    };
    let starts = |bytes: &[u8]| {
        let identity = ring::identity(bytes).filter(|identity| identity.id == ring)?;
        Some(identity.starts)
    };
    let mut best = (file.and_then(starts), Serve::File);
    for (index, memory) in memories.iter().enumerate() {
        let starts = starts(memory);
        let ahead = matches!(best.1, Serve::Memory(_)) && starts == best.0;
        if starts.is_some() && starts >= best.0 && !ahead {
            best = (starts, Serve::Memory(index));
        }
    }
    best.1
}

/// The name of the ring in these bytes.
fn id(bytes: &[u8]) -> Option<u64> {
    ring::identity(bytes).map(|identity| identity.id)
}

pub(super) fn is_empty(bytes: &[u8]) -> bool {
    ring::is_empty::<TEXT>(bytes)
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

    fn chosen(file: Option<&Vec<u8>>, memories: &[&Vec<u8>]) -> (Serve, Vec<Fate>) {
        let memories: Vec<&[u8]> = memories.iter().map(|memory| memory.as_slice()).collect();
        choose(file.map(Vec::as_slice), &memories)
    }

    use Fate::{Orphan, Removed, Served};

    #[test]
    fn nothing_is_made_of_nothing() {
        assert_eq!(chosen(None, &[]), (Serve::Nothing, vec![]));
        assert_eq!(chosen(Some(&ring(A, 1)), &[]), (Serve::File, vec![]));
        assert_eq!(chosen(None, &[&ring(A, 1)]), (Serve::Memory(0), vec![Served]));
        assert_eq!(chosen(None, &[&empty(A, 1)]), (Serve::Memory(0), vec![Served]));
        assert_eq!(chosen(None, &[&vec![0; 5000]]), (Serve::Memory(0), vec![Served]));
    }

    #[test]
    fn of_copies_of_one_ring_the_one_with_more_starts_is_newer() {
        for (file, memory, serve) in
            [(1, 2, Serve::Memory(0)), (2, 2, Serve::Memory(0)), (3, 2, Serve::File)]
        {
            let fate = if serve == Serve::File { Removed } else { Served };
            let found = chosen(Some(&ring(A, file)), &[&ring(A, memory)]);
            assert_eq!(found, (serve, vec![fate]), "{file} and {memory}");
            // Whether something waits does not matter.
            let found = chosen(Some(&empty(A, file)), &[&ring(A, memory)]);
            assert_eq!(found, (serve, vec![fate]), "{file} and {memory}");
            let found = chosen(Some(&ring(A, file)), &[&empty(A, memory)]);
            assert_eq!(found, (serve, vec![fate]), "{file} and {memory}");
        }
        // Two runtime directories by turns.
        let three = [&ring(A, 2), &ring(A, 4), &ring(A, 3)];
        assert_eq!(chosen(Some(&ring(A, 3)), &three).0, Serve::Memory(1));
        assert_eq!(chosen(None, &three), (Serve::Memory(1), vec![Removed, Served, Removed]));
        assert_eq!(chosen(Some(&ring(A, 5)), &three), (Serve::File, vec![Removed; 3]));
        let equal = [&ring(A, 2), &ring(A, 2)];
        assert_eq!(chosen(None, &equal), (Serve::Memory(0), vec![Served, Removed]));
    }

    #[test]
    fn another_ring_is_an_orphan_unless_nothing_waits_in_it() {
        let found = chosen(Some(&ring(A, 1)), &[&ring(B, 9)]);
        assert_eq!(found, (Serve::File, vec![Orphan]));
        let found = chosen(Some(&ring(A, 1)), &[&empty(B, 9)]);
        assert_eq!(found, (Serve::File, vec![Removed]));
        let found = chosen(Some(&ring(A, 1)), &[&ring(B, 9), &ring(A, 1)]);
        assert_eq!(found, (Serve::Memory(1), vec![Orphan, Served]));
        // A file that may be written over makes no orphan of it.
        let found = chosen(Some(&empty(A, 9)), &[&ring(B, 1)]);
        assert_eq!(found, (Serve::Memory(0), vec![Served]));
        let found = chosen(None, &[&ring(A, 1), &ring(B, 1)]);
        assert_eq!(found, (Serve::Memory(0), vec![Served, Orphan]));
    }

    #[test]
    fn damaged_bytes_give_way_and_are_not_lost() {
        let damaged = spoil(ring(A, 5));
        assert!(id(&damaged).is_none() && !is_empty(&damaged));
        assert_eq!(chosen(Some(&damaged), &[]), (Serve::File, vec![]));
        assert_eq!(chosen(None, &[&damaged]), (Serve::Memory(0), vec![Served]));
        let found = chosen(Some(&damaged), &[&ring(A, 1)]);
        assert_eq!(found, (Serve::Memory(0), vec![Served]));
        let found = chosen(Some(&ring(A, 1)), &[&damaged]);
        assert_eq!(found, (Serve::File, vec![Orphan]));
        let found = chosen(Some(&damaged), &[&damaged]);
        assert_eq!(found, (Serve::File, vec![Orphan]));
    }

    #[test]
    fn any_bytes_will_do() {
        for bytes in [vec![], vec![0; 100], vec![0xFF; 5000], vec![0; 5000]] {
            chosen(Some(&bytes), &[&bytes, &ring(A, 1)]);
            chosen(None, &[&bytes]);
        }
        assert_eq!(chosen(Some(&vec![0; 5000]), &[]), (Serve::File, vec![]));
    }
}
