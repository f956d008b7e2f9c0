//! Where slots wait when power fails: overwritable bytes with a durability barrier.

/// A fixed-size region of bytes that survives the loss of power.
///
/// A spool file, a file on an SD card, FRAM, an EEPROM: bytes that can be read and overwritten in
/// place. Raw NOR flash is not; put a layer such as `sequential-storage` in between.
///
/// Nothing is assumed of a write before [`sync`](Storage::sync) has returned `Ok`: unsynced writes
/// may be lost, torn at any byte, or arrive in any order. After a failed write or sync the alerter
/// writes everything again before it counts anything as kept.
///
/// What is written, by the offsets of `docs/format.md`: the state in pieces of 256 bytes below 1,024;
/// the last number, 16 bytes at 1,024 or 1,040; the label, 64 bytes at 1,056; whole slots from 1,280
/// on, or the first 4 bytes of one that was dropped. With slots of 256 bytes nothing straddles a
/// sector of 512 bytes; each slot of 512 bytes lies in two. What is read, at a start: all of it at once
/// ([`load`](crate::drive::load)), or single slots ([`repair`](crate::drive::repair)).
pub trait Storage {
    /// What can go wrong; shown to people, never decided upon.
    type Error: core::error::Error;

    /// Size of the region in bytes. Constant.
    fn capacity(&self) -> usize;

    /// Fills `buf` with the bytes from `at` on.
    ///
    /// # Errors
    /// If the medium fails or `at + buf.len()` exceeds the capacity.
    fn read(&mut self, at: usize, buf: &mut [u8]) -> Result<(), Self::Error>;

    /// Overwrites the bytes from `at` on.
    ///
    /// # Errors
    /// If the medium fails or `at + bytes.len()` exceeds the capacity; some bytes may have changed.
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Makes all earlier writes durable.
    ///
    /// # Errors
    /// If the medium fails; then no earlier write since the last successful sync is durable.
    fn sync(&mut self) -> Result<(), Self::Error>;
}

/// A region that keeps nothing: for programs whose ring memory is all they have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoStorage;

impl Storage for NoStorage {
    type Error = core::convert::Infallible;

    fn capacity(&self) -> usize {
        0
    }

    fn read(&mut self, _at: usize, buf: &mut [u8]) -> Result<(), Self::Error> {
        buf.fill(0);
        Ok(())
    }

    fn write(&mut self, _at: usize, _bytes: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A region in an array: battery-backed RAM, or a test.
#[derive(Debug, Clone)]
pub struct ArrayStorage<const N: usize>(pub [u8; N]);

impl<const N: usize> Default for ArrayStorage<N> {
    fn default() -> Self {
        ArrayStorage([0; N])
    }
}

/// An access beyond the end of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds;

impl core::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("access beyond the end of the storage region")
    }
}

impl core::error::Error for OutOfBounds {}

impl<const N: usize> Storage for ArrayStorage<N> {
    type Error = OutOfBounds;

    fn capacity(&self) -> usize {
        N
    }

    fn read(&mut self, at: usize, buf: &mut [u8]) -> Result<(), OutOfBounds> {
        let from = self.0.get(at..).and_then(|rest| rest.get(..buf.len())).ok_or(OutOfBounds)?;
        buf.copy_from_slice(from);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let into =
            self.0.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or(OutOfBounds)?;
        into.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), OutOfBounds> {
        Ok(())
    }
}

#[cfg(feature = "embedded-io")]
pub use over_embedded_io::{File, FileError};

#[cfg(feature = "embedded-io")]
mod over_embedded_io {
    use super::Storage;
    use embedded_io::{Read, ReadExactError, Seek, SeekFrom, Write};

    /// A region over anything with embedded-io's `Read + Write + Seek`: a file on an SD card.
    ///
    /// The file must already have at least `capacity` bytes. `flush` is taken as the durability
    /// barrier, so it must reach the medium.
    #[derive(Debug)]
    pub struct File<F> {
        file: F,
        capacity: usize,
    }

    impl<F> File<F> {
        /// The first `capacity` bytes of `file`.
        pub const fn new(file: F, capacity: usize) -> File<F> {
            File { file, capacity }
        }

        /// Gives the file back.
        pub fn into_inner(self) -> F {
            self.file
        }
    }

    /// What can go wrong with a [`File`].
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum FileError<E> {
        /// The file's own error.
        Io(E),
        /// The file ended before the region did, or stopped taking bytes.
        Short,
    }

    impl<E: core::fmt::Display> core::fmt::Display for FileError<E> {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            match self {
                FileError::Io(error) => error.fmt(f),
                FileError::Short => f.write_str("the file is shorter than its region"),
            }
        }
    }

    impl<E: core::fmt::Debug + core::fmt::Display> core::error::Error for FileError<E> {}

    impl<F> Storage for File<F>
    where
        F: Read + Write + Seek,
    {
        type Error = FileError<F::Error>;

        fn capacity(&self) -> usize {
            self.capacity
        }

        fn read(&mut self, at: usize, buf: &mut [u8]) -> Result<(), Self::Error> {
            self.file.seek(SeekFrom::Start(at as u64)).map_err(FileError::Io)?;
            self.file.read_exact(buf).map_err(|error| match error {
                ReadExactError::UnexpectedEof => FileError::Short,
                ReadExactError::Other(error) => FileError::Io(error),
            })
        }

        fn write(&mut self, at: usize, mut bytes: &[u8]) -> Result<(), Self::Error> {
            self.file.seek(SeekFrom::Start(at as u64)).map_err(FileError::Io)?;
            // Not `write_all`: it panics when a write takes nothing.
            while !bytes.is_empty() {
                let taken = self.file.write(bytes).map_err(FileError::Io)?;
                bytes = match bytes.get(taken..) {
                    Some(rest) if taken > 0 => rest,
                    _ => return Err(FileError::Short),
                };
            }
            Ok(())
        }

        fn sync(&mut self) -> Result<(), Self::Error> {
            self.file.flush().map_err(FileError::Io)
        }
    }
}
