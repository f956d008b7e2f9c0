//! Memory mappings: the one file with unsafe code.
//!
//! A [`Mapping`] is a header page and a region behind it, shared memory of a file or anonymous
//! memory of the process. Its bytes come with it, as the one [`Region`]; its backing can be
//! exchanged under the region by whoever holds the region's bytes exclusively.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use annunciator_core::memory::Memory;
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};

use super::sys::{self, BLOCK};

/// Length of the header before the region: one page on most systems, and enough of one on all.
pub(super) const HEADER_LEN: usize = BLOCK;

/// A header and a region, mapped until the last owner is dropped.
#[derive(Debug)]
pub(super) struct Mapping {
    start: NonNull<u8>,
    /// Of header and region.
    len: usize,
}

// SAFETY: the header is reached through atomics only; the region only through the one `Region`,
// which behaves as a `Box<[u8]>`, or through the exclusive borrow that `exchange` is given.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Zeroed memory of this process, with a region of `region_len` bytes.
    pub(super) fn anonymous(region_len: usize) -> Result<(Arc<Mapping>, Region), Errno> {
        let len = total(region_len)?;
        // SAFETY: the system chooses the address, so no existing memory is affected; the length is
        // not zero.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), len, READ_WRITE, MapFlags::PRIVATE)?
        };
        Mapping::from_raw(start, len)
    }

    /// The shared memory of a file, which must have header and region in full.
    ///
    /// Nobody may shorten the file while it is mapped: that is why it lies in a directory that only
    /// we can reach, is locked, and is never cut by us.
    pub(super) fn of_file(
        fd: impl AsFd,
        region_len: usize,
    ) -> Result<(Arc<Mapping>, Region), Errno> {
        let len = total(region_len)?;
        check_length(&fd, len)?;
        let flags = SHARED;
        // SAFETY: as in `anonymous`. That the file's bytes change by no other hand rests on its
        // lock, which the caller holds.
        let start = unsafe { rustix::mm::mmap(ptr::null_mut(), len, READ_WRITE, flags, fd, 0)? };
        let (mapping, region) = Mapping::from_raw(start, len)?;
        mapping.pin();
        Ok((mapping, region))
    }

    /// Of memory that was just mapped, header and region. This alone makes a region, one for each
    /// mapping.
    fn from_raw(
        start: *mut core::ffi::c_void,
        len: usize,
    ) -> Result<(Arc<Mapping>, Region), Errno> {
        let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        let mapping = Arc::new(Mapping { start, len });
        let region = Region {
            start: start.as_ptr().wrapping_add(HEADER_LEN),
            len: mapping.region_len(),
            _mapping: Arc::clone(&mapping),
        };
        Ok((mapping, region))
    }

    /// Keeps the pages in memory, if the system lets us: a log call must not wait for swap.
    fn pin(&self) {
        // SAFETY: the range is our mapping. Failure (`ulimit -l`) costs nothing but the guarantee.
        let _ = unsafe { rustix::mm::mlock(self.start.as_ptr().cast(), self.len) };
    }

    /// Length of the region.
    pub(super) fn region_len(&self) -> usize {
        self.len - HEADER_LEN
    }

    /// A word of the header; `None` if it does not lie in it, aligned.
    pub(super) fn header_u32(&self, at: usize) -> Option<&AtomicU32> {
        let fits = at.is_multiple_of(4) && at <= HEADER_LEN - 4;
        // SAFETY: in bounds of the mapping and aligned, since mappings start at a page; every
        // access to the header is atomic; the reference does not outlive the mapping.
        fits.then(|| unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(at).cast()) })
    }

    /// Puts a file under the mapping, in place of what is there: same addresses, same bytes, other
    /// backing.
    ///
    /// `bytes` is the whole region, borrowed exclusively, which proves that nobody looks while it
    /// happens. The file must have a header and these bytes already.
    ///
    /// # Errors
    /// `INVAL` if `bytes` is not this mapping's region or the file is too short, else whatever the
    /// system says. The bytes are unharmed then.
    pub(super) fn exchange(&self, bytes: &mut [u8], fd: impl AsFd) -> Result<(), Errno> {
        if !self.is_region(bytes) {
            return Err(Errno::INVAL);
        }
        check_length(&fd, self.len)?;
        let (start, fixed) = (self.start.as_ptr().cast(), MapFlags::FIXED);
        let flags = SHARED | fixed;
        // SAFETY: the range is exactly our mapping, so no other memory is affected. The region's
        // bytes are borrowed exclusively by this call and the same after as before; the header is
        // reached by atomics only.
        let mapped = unsafe { rustix::mm::mmap(start, self.len, READ_WRITE, flags, &fd, 0) };
        if let Err(e) = mapped {
            // Some kernels have taken the old pages away by now, so put the bytes back.
            let flags = MapFlags::PRIVATE | fixed;
            // SAFETY: as above.
            unsafe { rustix::mm::mmap_anonymous(start, self.len, READ_WRITE, flags)? };
            sys::read_at(&fd, bytes, HEADER_LEN as u64)?;
            return Err(e);
        }
        self.pin();
        Ok(())
    }

    /// Whether `bytes` is the whole region of this mapping.
    pub(super) fn is_region(&self, bytes: &[u8]) -> bool {
        let region = self.start.as_ptr().wrapping_add(HEADER_LEN);
        ptr::eq(bytes.as_ptr(), region) && bytes.len() == self.region_len()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and with the last owner gone nothing refers to it. In a forked
        // child this removes the child's copy only.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The ring's memory: bytes that nobody else reaches.
pub(crate) struct Region {
    start: *mut u8,
    len: usize,
    _mapping: Arc<Mapping>,
}

// SAFETY: it owns its bytes, as a `Box<[u8]>` does.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Deref for Region {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: in bounds, initialised (mapped memory always is) and not changed meanwhile, since
        // there is one `Region` for a mapping and it is borrowed; it keeps the memory mapped.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }
}

impl DerefMut for Region {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl Memory for Region {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self
    }

    #[inline(always)]
    fn put(&mut self, at: usize, bytes: &[u8]) {
        (**self).put(at, bytes);
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the bytes: they are somebody's error messages.
        f.debug_struct("Region").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// A page that a forked child finds empty.
#[derive(Debug)]
pub(super) struct WipedOnFork {
    start: NonNull<u8>,
}

// SAFETY: the page is only read after its making, and through an atomic.
unsafe impl Send for WipedOnFork {}
// SAFETY: as above.
unsafe impl Sync for WipedOnFork {}

impl WipedOnFork {
    /// `None` where the kernel knows no such pages.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn new() -> Option<WipedOnFork> {
        None
    }

    /// `None` where the kernel knows no such pages (before Linux 4.14).
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn new() -> Option<WipedOnFork> {
        // SAFETY: as in `Mapping::anonymous`.
        let start = unsafe {
            rustix::mm::mmap_anonymous(ptr::null_mut(), BLOCK, READ_WRITE, MapFlags::PRIVATE)
        };
        let page = WipedOnFork { start: NonNull::new(start.ok()?.cast())? };
        // SAFETY: advice on a page of ours. On failure the page is dropped again.
        unsafe { rustix::mm::madvise(start.ok()?, BLOCK, rustix::mm::Advice::LinuxWipeOnFork) }
            .ok()?;
        page.word().store(1, Ordering::Release);
        Some(page)
    }

    /// Whether this is another process than the one that made the page.
    #[inline]
    pub(super) fn is_wiped(&self) -> bool {
        self.word().load(Ordering::Relaxed) == 0
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: the start of a page of ours, which lives as long as `self`.
        unsafe { AtomicU32::from_ptr(self.start.as_ptr().cast()) }
    }
}

impl Drop for WipedOnFork {
    fn drop(&mut self) {
        // SAFETY: the range is ours, and with the owner gone nothing refers to it.
        let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), BLOCK) };
    }
}

/// Has the C library call `callback` when the process exits; `false` if it will not.
pub(super) fn call_at_exit(callback: extern "C" fn()) -> bool {
    unsafe extern "C" {
        safe fn atexit(callback: extern "C" fn()) -> c_int;
    }
    atexit(callback) == 0
}

/// With all pages present from the start, where that can be asked for.
#[cfg(any(target_os = "linux", target_os = "android"))]
const SHARED: MapFlags = MapFlags::SHARED.union(MapFlags::POPULATE);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SHARED: MapFlags = MapFlags::SHARED;

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

fn total(region_len: usize) -> Result<usize, Errno> {
    // `isize` is the limit of a slice.
    let len = region_len.checked_add(HEADER_LEN).ok_or(Errno::NOMEM)?;
    if isize::try_from(len).is_err() { Err(Errno::NOMEM) } else { Ok(len) }
}

/// A store beyond the end of a mapped file is a SIGBUS.
fn check_length(fd: impl AsFd, len: usize) -> Result<(), Errno> {
    if sys::meta(fd)?.size < len as u64 { Err(Errno::INVAL) } else { Ok(()) }
}
