//! tracing-appender: formats in the call, writes on a thread.

use super::log_file;
use crate::row::Row;
use std::path::Path;
use std::time::Duration;
use tracing_appender::non_blocking::WorkerGuard;

/// tracing-subscriber's default layout into tracing-appender's non-blocking writer, to a file.
pub struct TracingAppender {
    _guard: WorkerGuard,
}

impl Row for TracingAppender {
    const NAME: &'static str = "tracing-appender";

    fn install(place: &Path) -> TracingAppender {
        let (writer, guard) = tracing_appender::non_blocking(log_file(place));
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::WARN)
            .with_writer(writer)
            .init();
        TracingAppender { _guard: guard }
    }

    #[inline(always)]
    fn error(&self, id: u32, code: u32) {
        tracing::error!("sensor {} failed: code {}", id, code);
    }

    #[inline(always)]
    fn debug(&self, id: u32, code: u32) {
        tracing::debug!("sensor {} failed: code {}", id, code);
    }

    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(2));
    }
}
