//! A console logger in few lines, so that the examples need no other crate. Any logger will do.

use std::fmt::Write as _;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

/// Writes records to stderr, key-values in brackets behind the message.
#[derive(Debug)]
pub struct Console {
    level: LevelFilter,
}

impl Console {
    /// Shows records up to `level`.
    pub const fn new(level: LevelFilter) -> Console {
        Console { level }
    }

    /// A record as one line: `ERROR pump: no pressure [bar=0.2 cause=valve stuck]`.
    pub fn line(record: &Record<'_>) -> String {
        let mut pairs = Pairs(String::new());
        // Fails only if the visitor does.
        let _ = record.key_values().visit(&mut pairs);
        let (level, target, message) = (record.level(), record.target(), record.args());
        match pairs.0.as_str() {
            "" => format!("{level:5} {target}: {message}"),
            pairs => format!("{level:5} {target}: {message} [{pairs}]"),
        }
    }
}

impl Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{}", Console::line(record));
    }

    fn flush(&self) {}
}

struct Pairs(String);

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let gap = if self.0.is_empty() { "" } else { " " };
        write!(self.0, "{gap}{key}={value}").map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_shows_the_key_values_behind_the_message() {
        let pairs = [("bar", "0.2"), ("cause", "valve stuck: no power")];
        let mut record = Record::builder();
        record.level(log::Level::Warn).target("pump");
        assert_eq!(Console::line(&record.args(format_args!("low")).build()), "WARN  pump: low");
        record.key_values(&pairs);
        assert_eq!(
            Console::line(&record.args(format_args!("low")).build()),
            "WARN  pump: low [bar=0.2 cause=valve stuck: no power]"
        );
    }
}
