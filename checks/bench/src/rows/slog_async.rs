//! slog-async: serialises in the call, formats and writes on a thread.

use super::log_file;
use crate::row::Row;
use slog::Drain;
use std::path::Path;
use std::time::Duration;

/// slog-async with its default queue, before slog-term's plain layout to a file.
pub struct SlogAsync(slog::Logger);

impl Row for SlogAsync {
    const NAME: &'static str = "slog-async";

    fn install(place: &Path) -> SlogAsync {
        let layout = slog_term::FullFormat::new(slog_term::PlainDecorator::new(log_file(place)));
        let queue = slog_async::Async::new(layout.build().fuse()).build();
        let filter = queue.filter_level(slog::Level::Warning);
        SlogAsync(slog::Logger::root(filter.fuse(), slog::o!()))
    }

    #[inline(always)]
    fn error(&self, id: u32, code: u32) {
        slog::error!(self.0, "sensor {} failed: code {}", id, code);
    }

    #[inline(always)]
    fn debug(&self, id: u32, code: u32) {
        slog::debug!(self.0, "sensor {} failed: code {}", id, code);
    }

    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
