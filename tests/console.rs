//! A console logger that shows everything a record holds.

use std::fmt::Write as _;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

/// Writes records to stderr: level, target, message, key-values.
#[derive(Debug)]
pub struct Console(pub LevelFilter);

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.0
    }

    fn log(&self, record: &Record<'_>) {
        let mut pairs = Pairs(String::new());
        let _ = record.key_values().visit(&mut pairs);
        eprintln!("{} {}: {}{}", record.level(), record.target(), record.args(), pairs.0);
    }

    fn flush(&self) {}
}

struct Pairs(String);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        write!(self.0, " {key}={value}").map_err(Error::from)
    }
}
