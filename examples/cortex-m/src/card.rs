//! What survives the loss of power: a file of the debugging host, by semihosting, in the place of an
//! SD card.

use cortex_m_semihosting::{nr, syscall};
use embedded_io::{ErrorKind, ErrorType, Read, Seek, SeekFrom, Write};

/// A file that can be read and overwritten.
pub struct CardFile {
    handle: usize,
    position: usize,
    len: usize,
}

/// The host has refused an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardError;

impl core::fmt::Display for CardError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the card has refused")
    }
}

impl core::error::Error for CardError {}

impl embedded_io::Error for CardError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl CardFile {
    /// Opens the file `name`, and makes it `len` bytes long if it is shorter.
    ///
    /// # Errors
    /// If the host refuses.
    pub fn open(name: &core::ffi::CStr, len: usize) -> Result<CardFile, CardError> {
        let mut file =
            open(name, nr::open::RW_BINARY).or_else(|_| open(name, nr::open::RW_TRUNC_BINARY))?;
        // SAFETY: the call takes a handle that is open and changes no memory of ours.
        file.len = unsafe { syscall!(FLEN, file.handle) };
        file.seek(SeekFrom::End(0))?;
        while file.len < len {
            let zeros = [0; 256];
            let missing = (len - file.len).min(zeros.len());
            file.write(zeros.get(..missing).unwrap_or(&zeros))?;
        }
        Ok(file)
    }
}

fn open(name: &core::ffi::CStr, mode: usize) -> Result<CardFile, CardError> {
    // SAFETY: pointer and length are those of a string that the call reads.
    let handle = unsafe { syscall!(OPEN, name.as_ptr(), mode, name.count_bytes()) };
    if handle == usize::MAX { Err(CardError) } else { Ok(CardFile { handle, position: 0, len: 0 }) }
}

impl ErrorType for CardFile {
    type Error = CardError;
}

impl Read for CardFile {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, CardError> {
        // SAFETY: the call writes at most this many bytes to this buffer.
        let left = unsafe { syscall!(READ, self.handle, buf.as_mut_ptr(), buf.len()) };
        let read = buf.len().checked_sub(left).ok_or(CardError)?;
        self.position += read;
        Ok(read)
    }
}

impl Write for CardFile {
    fn write(&mut self, buf: &[u8]) -> Result<usize, CardError> {
        // SAFETY: the call reads this many bytes of this buffer.
        let left = unsafe { syscall!(WRITE, self.handle, buf.as_ptr(), buf.len()) };
        let written = buf.len().checked_sub(left).ok_or(CardError)?;
        self.position += written;
        self.len = self.len.max(self.position);
        Ok(written)
    }

    /// Semihosting has no barrier; a driver of a card has one, and has to use it here.
    fn flush(&mut self) -> Result<(), CardError> {
        Ok(())
    }
}

impl Seek for CardFile {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, CardError> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (0, i64::try_from(at).map_err(|_| CardError)?),
            SeekFrom::End(by) => (self.len, by),
            SeekFrom::Current(by) => (self.position, by),
        };
        let at = i64::try_from(base).ok().and_then(|base| base.checked_add(offset));
        self.position = at.and_then(|at| usize::try_from(at).ok()).ok_or(CardError)?;
        // SAFETY: the call takes a handle that is open and changes no memory of ours.
        match unsafe { syscall!(SEEK, self.handle, self.position) } {
            0 => Ok(self.position as u64),
            _ => Err(CardError),
        }
    }
}
