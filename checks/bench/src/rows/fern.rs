//! fern to a file: formats and writes in the call.

use super::log_file;
use crate::row::Row;
use std::path::Path;

/// fern with the layout of its documentation, without colours, to a file.
pub struct Fern;

impl Row for Fern {
    const NAME: &'static str = "fern-file";

    fn install(place: &Path) -> Fern {
        fern::Dispatch::new()
            .format(|out, message, record| {
                out.finish(format_args!("[{} {}] {message}", record.level(), record.target()))
            })
            .level(log::LevelFilter::Warn)
            .chain(log_file(place))
            .apply()
            .expect("the only logger of this process");
        Fern
    }
}
