//! A sink that remembers, and a logger that remembers.

use super::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Keeps the events it gets, one line each.
pub(crate) struct Ear {
    level: Level,
    heard: Mutex<Vec<String>>,
    pub(crate) suppressed: AtomicU32,
    pub(crate) flushed: AtomicU32,
    pub(crate) locked: std::sync::atomic::AtomicBool,
}

impl Ear {
    pub(crate) fn new(level: Level) -> Arc<Ear> {
        Arc::new(Ear {
            level,
            heard: Mutex::new(Vec::new()),
            suppressed: AtomicU32::new(0),
            flushed: AtomicU32::new(0),
            locked: false.into(),
        })
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn note(&self, event: &annunciator_core::event::Event<'_>) {
        let place =
            event.site.map_or(String::new(), |site| format!(" {}:{}", site.file, site.line));
        let line = format!("{} [{}] {}{place}", event.level, event.target, event.message);
        self.heard.lock().unwrap().push(line);
    }
}

impl Sink for Ear {
    fn record(&self, entry: &Entry) {
        assert!(!self.locked.load(Ordering::Relaxed), "this path would wait");
        self.note(&entry.event());
    }

    fn try_record(&self, entry: &Entry) {
        self.note(&entry.event());
    }

    fn suppressed(&self) {
        self.suppressed.fetch_add(1, Ordering::Relaxed);
    }

    fn level(&self) -> Level {
        self.level
    }

    fn flush(&self) {
        self.flushed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Remembers the records it got, with their key-values, up to a level.
#[derive(Clone)]
pub(crate) struct Pad {
    pub(crate) level: LevelFilter,
    pub(crate) lines: Arc<Mutex<Vec<String>>>,
    pub(crate) flushed: Arc<AtomicU32>,
}

impl Pad {
    pub(crate) fn new(level: LevelFilter) -> Pad {
        Pad { level, lines: Arc::default(), flushed: Arc::default() }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

impl Log for Pad {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        struct Pairs(String);
        impl<'kvs> log::kv::VisitSource<'kvs> for Pairs {
            fn visit_pair(
                &mut self,
                key: log::kv::Key<'kvs>,
                value: log::kv::Value<'kvs>,
            ) -> Result<(), log::kv::Error> {
                self.0 += &format!(" {key}={value}");
                Ok(())
            }
        }
        let mut pairs = Pairs(String::new());
        record.key_values().visit(&mut pairs).unwrap();
        let line = format!("{} {}{}", record.level(), record.args(), pairs.0);
        self.lines.lock().unwrap().push(line);
    }

    fn flush(&self) {
        self.flushed.fetch_add(1, Ordering::Relaxed);
    }
}
