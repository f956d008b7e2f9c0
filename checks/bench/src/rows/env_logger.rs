//! env_logger with its own layout, to the null device and to a file.

use super::log_file;
use crate::row::Row;
use std::fs::File;
use std::path::Path;

/// env_logger to the null device.
pub struct ToNull;

impl Row for ToNull {
    const NAME: &'static str = "env_logger-null";

    fn install(_place: &Path) -> ToNull {
        install(File::options().write(true).open("/dev/null").expect("the null device"));
        ToNull
    }
}

/// env_logger to a file.
pub struct ToFile;

impl Row for ToFile {
    const NAME: &'static str = "env_logger-file";

    fn install(place: &Path) -> ToFile {
        install(log_file(place));
        ToFile
    }
}

fn install(file: File) {
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        .target(env_logger::Target::Pipe(Box::new(file)))
        .init();
}
