//! A console or file logger in few lines, so that the examples need no other crate. Any will do.

use std::fmt::Write as _;
use std::io::Write;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};

/// Writes one line a record, key-values in brackets behind the message.
#[derive(Debug)]
pub struct Lines<W> {
    to: W,
    program: &'static str,
    level: LevelFilter,
}

impl<W> Lines<W> {
    /// Shows what `program`, by its `module_path!()`, logs up to `level`. Of other crates nothing
    /// below INFO: what an HTTP client has to say at DEBUG would drown the rest.
    pub const fn new(to: W, program: &'static str, level: LevelFilter) -> Lines<W> {
        Lines { to, program, level }
    }
}

/// A record as one line: `ERROR pump: no pressure [bar=0.2 cause=valve stuck]`.
fn line(record: &Record<'_>) -> String {
    let mut pairs = Pairs(String::new());
    // Fails only if the visitor does.
    let _ = record.key_values().visit(&mut pairs);
    let (level, target, message) = (record.level(), record.target(), record.args());
    match pairs.0.as_str() {
        "" => format!("{level:5} {target}: {message}\n"),
        pairs => format!("{level:5} {target}: {message} [{pairs}]\n"),
    }
}

impl<W> Log for Lines<W>
where
    W: Send + Sync,
    for<'w> &'w W: Write,
{
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let own = metadata.target().split("::").next() == Some(self.program);
        let level = if own { self.level } else { self.level.min(LevelFilter::Info) };
        metadata.level() <= level
    }

    fn log(&self, record: &Record<'_>) {
        // A log call that cannot write has no way to report it.
        let _ = (&self.to).write_all(line(record).as_bytes());
    }

    fn flush(&self) {
        let _ = (&self.to).flush();
    }
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
        assert_eq!(line(&record.args(format_args!("low")).build()), "WARN  pump: low\n");
        record.key_values(&pairs);
        assert_eq!(
            line(&record.args(format_args!("low")).build()),
            "WARN  pump: low [bar=0.2 cause=valve stuck: no power]\n"
        );
    }

    #[test]
    fn other_crates_are_shown_from_info_on() {
        let lines = Lines::new(std::io::stderr(), "pump", LevelFilter::Debug);
        let shown =
            |target, level| lines.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(shown("pump", log::Level::Debug) && shown("pump::valve", log::Level::Debug));
        assert!(!shown("pumpkin", log::Level::Debug) && shown("pumpkin", log::Level::Info));
    }
}
