use crate::storage::Storage;
use std::vec;
use std::vec::Vec;

/// What a [`CutStorage`] does to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It fails without doing anything.
    Fail,
    /// It fails, and what was written since the last sync is dropped, as kernels do.
    Drop,
    /// Power goes: of a write the first so many bytes arrive, and nothing after it.
    Cut(usize),
}

/// The storage is gone: power failed, or the fault was scripted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PowerLost;

impl core::fmt::Display for PowerLost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the storage lost power")
    }
}

impl core::error::Error for PowerLost {}

/// A storage with a volatile cache: writes are durable only after a sync, and until then each may
/// be lost, torn or overtaken by a later one.
#[derive(Debug, Clone)]
pub struct CutStorage {
    durable: Vec<u8>,
    /// Writes since the last sync, in order.
    cache: Vec<(usize, Vec<u8>)>,
    /// Faults by number of the operation (writes and syncs, from 0).
    faults: Vec<(u64, Fault)>,
    operations: u64,
    /// Bytes of each write so far; of a sync, 0.
    lengths: Vec<usize>,
    dead: bool,
}

impl CutStorage {
    /// A region of zeros.
    pub fn new(capacity: usize) -> CutStorage {
        CutStorage {
            durable: vec![0; capacity],
            cache: Vec::new(),
            faults: Vec::new(),
            operations: 0,
            lengths: Vec::new(),
            dead: false,
        }
    }

    /// A region with this content, all of it durable.
    pub fn with_bytes(bytes: Vec<u8>) -> CutStorage {
        CutStorage { durable: bytes, ..CutStorage::new(0) }
    }

    /// Does `fault` to the operation of this number (writes and syncs, counted from 0).
    pub fn fault(&mut self, operation: u64, fault: Fault) {
        self.faults.push((operation, fault));
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// Bytes of each operation so far; of a sync, 0.
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Whether power has gone.
    pub fn is_dead(&self) -> bool {
        self.dead
    }

    /// Number of writes that no sync has made durable yet.
    pub fn unsynced(&self) -> usize {
        self.cache.len()
    }

    /// What the medium holds if power fails now and of the unsynced writes exactly those arrive
    /// whose bit is set in `survivors` (bit 0: the oldest).
    pub fn after_power_loss(&self, survivors: u64) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for (index, (at, piece)) in self.cache.iter().enumerate() {
            if survivors >> index.min(63) & 1 == 1 {
                bytes[*at..at + piece.len()].copy_from_slice(piece);
            }
        }
        bytes
    }

    fn operation(&mut self, len: usize) -> Result<Option<usize>, PowerLost> {
        if self.dead {
            return Err(PowerLost);
        }
        let number = self.operations;
        self.operations += 1;
        self.lengths.push(len);
        match self.faults.iter().find(|(at, _)| *at == number) {
            None => Ok(None),
            Some((_, Fault::Fail)) => Err(PowerLost),
            Some((_, Fault::Drop)) => {
                self.cache.clear();
                Err(PowerLost)
            }
            Some((_, Fault::Cut(bytes))) => {
                self.dead = true;
                Ok(Some(*bytes))
            }
        }
    }
}

impl Storage for CutStorage {
    type Error = PowerLost;

    fn capacity(&self) -> usize {
        self.durable.len()
    }

    fn read(&mut self, at: usize, buf: &mut [u8]) -> Result<(), PowerLost> {
        let seen = self.after_power_loss(u64::MAX);
        let from = seen.get(at..at + buf.len()).ok_or(PowerLost)?;
        buf.copy_from_slice(from);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), PowerLost> {
        if at + bytes.len() > self.durable.len() {
            return Err(PowerLost);
        }
        match self.operation(bytes.len())? {
            None => self.cache.push((at, bytes.to_vec())),
            Some(cut) => {
                let cut = cut.min(bytes.len());
                self.cache.push((at, bytes[..cut].to_vec()));
                return Err(PowerLost);
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), PowerLost> {
        match self.operation(0)? {
            None => {
                self.durable = self.after_power_loss(u64::MAX);
                self.cache.clear();
                Ok(())
            }
            Some(_) => Err(PowerLost),
        }
    }
}
