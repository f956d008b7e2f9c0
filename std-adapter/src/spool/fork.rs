//! Telling a forked child from its parent, at the price of one load.

use super::map::WipedOnFork;

/// Knows whether the process that made it is the one that asks.
///
/// A forked child inherits the parent's ring, a copy of its lock and perhaps a mutex that no thread
/// of the child will ever unlock, so before a log call touches any of them it asks here. The answer
/// comes from a page that the kernel empties in a child (`MADV_WIPEONFORK`): one load, no system
/// call. Where there is none, process ids are compared.
///
/// The ring's own mapping is left as `fork` leaves it. Keeping it from the child
/// (`MADV_DONTFORK`) would turn any oversight into a SIGSEGV of the application.
#[derive(Debug)]
pub(crate) struct ForkGuard {
    page: Option<WipedOnFork>,
    maker: u32,
}

impl ForkGuard {
    /// A guard of the calling process.
    pub(crate) fn new() -> ForkGuard {
        ForkGuard { page: WipedOnFork::new(), maker: std::process::id() }
    }

    /// Whether the caller is a forked child of the process that made the guard.
    #[inline]
    pub(crate) fn in_child(&self) -> bool {
        match &self.page {
            Some(page) => page.is_wiped(),
            None => self.maker != std::process::id(),
        }
    }
}

impl Default for ForkGuard {
    fn default() -> ForkGuard {
        ForkGuard::new()
    }
}
