//! The rows of the tables. A new one is a file here and a line in [`with_row`].

mod annunciator;
mod env_logger;
mod fern;
mod limit;
mod slog_async;
mod tracing_appender;
mod yardstick;

use crate::row::Row;
use std::fs::File;
use std::path::Path;

/// What is done with a row once its name has become a type.
pub trait Visit {
    /// Its result.
    type Output;
    /// Does it.
    fn visit<R: Row>(self) -> Self::Output;
}

macro_rules! rows {
    ($($row:ty),* $(,)?) => {
        /// The names of all rows, in the order of the tables.
        pub const NAMES: &[&str] = &[$(<$row>::NAME),*];

        /// Calls `visit` with the row called `name`; `None` if there is none.
        pub fn with_row<V: Visit>(name: &str, visit: V) -> Option<V::Output> {
            $(if name == <$row>::NAME {
                return Some(visit.visit::<$row>());
            })*
            None
        }
    };
}

rows![
    yardstick::Nothing,
    yardstick::Format,
    limit::Limit,
    annunciator::One,
    annunciator::Spool,
    annunciator::Three,
    annunciator::Full,
    fern::Fern,
    slog_async::SlogAsync,
    env_logger::ToNull,
    env_logger::ToFile,
    tracing_appender::TracingAppender,
];

/// The row all others are divided by.
pub const LIMIT: &str = limit::Limit::NAME;

/// A new file for a row to log to.
fn log_file(place: &Path) -> File {
    File::create(place.join("row.log")).expect("a file in the place for files")
}
