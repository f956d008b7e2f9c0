//! What is recorded: a level, a source, a message, and where in the program it arose.

mod entry;

pub use entry::{Draft, Entry, FILE_MAX, TARGET_MAX, TEXT_256, TEXT_512};
pub(crate) use entry::{cut_at, head, lengths};

/// How severe an event is. Ordered: [`Level::Panic`] is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Very fine detail.
    Trace = 1,
    /// Detail for developers.
    Debug = 2,
    /// Ordinary business.
    Info = 3,
    /// Something odd that did not stop the work. The default threshold.
    Warn = 4,
    /// Something failed.
    Error = 5,
    /// The program, or a part of it, ended. Goes out at once.
    Panic = 6,
}

impl Level {
    /// All levels, least severe first.
    pub const ALL: [Level; 6] =
        [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Panic];

    /// The name as it stands in a text: `WARN`, `ERROR`, `PANIC`, ...
    pub const fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Panic => "PANIC",
        }
    }

    /// The level with the number `byte` (1 to 6), as stored.
    pub const fn from_byte(byte: u8) -> Option<Level> {
        Some(match byte {
            1 => Level::Trace,
            2 => Level::Debug,
            3 => Level::Info,
            4 => Level::Warn,
            5 => Level::Error,
            6 => Level::Panic,
            _ => return None,
        })
    }
}

impl core::fmt::Display for Level {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

impl core::str::FromStr for Level {
    type Err = UnknownLevel;

    /// Reads a level's name in any case; `warning` is `WARN`.
    fn from_str(name: &str) -> Result<Level, UnknownLevel> {
        if name.eq_ignore_ascii_case("warning") {
            return Ok(Level::Warn);
        }
        Level::ALL
            .into_iter()
            .find(|level| name.eq_ignore_ascii_case(level.name()))
            .ok_or(UnknownLevel)
    }
}

#[cfg(feature = "log")]
impl From<log::Level> for Level {
    fn from(level: log::Level) -> Level {
        match level {
            log::Level::Error => Level::Error,
            log::Level::Warn => Level::Warn,
            log::Level::Info => Level::Info,
            log::Level::Debug => Level::Debug,
            log::Level::Trace => Level::Trace,
        }
    }
}

/// A word that is no [`Level`]'s name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownLevel;

impl core::fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("not a level: use TRACE, DEBUG, INFO, WARN, ERROR or PANIC")
    }
}

impl core::error::Error for UnknownLevel {}

/// Where in the program an event arose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site<'a> {
    /// Source file, as `file!()` gives it.
    pub file: &'a str,
    /// Line in that file, from 1.
    pub line: u32,
}

/// One thing that happened, as a program reports it.
///
/// Strings of any length and content are taken; what is kept of them is bounded by the slot size.
///
/// ```
/// # use annunciator_core::event::{Event, Level};
/// let event = Event::new(Level::Error, "no pressure").target("pump").at(file!(), line!());
/// assert!(event.level > Level::Warn);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// How severe it is.
    pub level: Level,
    /// The part of the program that speaks: a module path, a subsystem. May be empty.
    pub target: &'a str,
    /// What happened, for a human.
    pub message: &'a str,
    /// Where it arose; events of one site form a group.
    pub site: Option<Site<'a>>,
}

impl<'a> Event<'a> {
    /// An event without a target or a site.
    pub const fn new(level: Level, message: &'a str) -> Event<'a> {
        Event { level, target: "", message, site: None }
    }

    /// The same event, spoken by `target`.
    #[must_use]
    pub const fn target(mut self, target: &'a str) -> Event<'a> {
        self.target = target;
        self
    }

    /// The same event, from `line` of `file`.
    #[must_use]
    pub const fn at(mut self, file: &'a str, line: u32) -> Event<'a> {
        self.site = Some(Site { file, line });
        self
    }
}

/// A kept event, as it is read back for a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// Order of arrival within one ring; never reused.
    pub seq: u64,
    /// How severe it is.
    pub level: Level,
    /// Identity of its group: all events of one level and one site (file and line), or without a
    /// site of one target and one text with its numbers left out.
    pub group: u32,
    /// How often it was reported, 1 or more; saturates.
    pub count: u32,
    /// When it was first reported, in ticks of 1,024 ms of the time that the ring keeps.
    pub tick: u32,
    /// The milliseconds beyond `tick`.
    pub millis: u16,
    /// How many milliseconds later it was reported last; saturates after 49 days.
    pub lasted: u32,
    /// Who spoke; cut to what a slot holds.
    pub target: &'a str,
    /// What happened; cut to what a slot holds.
    pub message: &'a str,
    /// Whether `message` was cut.
    pub cut: bool,
    /// Where it arose; of a long path the end is kept.
    pub site: Option<Site<'a>>,
}

impl<'a> Record<'a> {
    /// A record of one event, for tests of what reads records.
    pub const fn new(seq: u64, level: Level, group: u32, message: &'a str) -> Record<'a> {
        Record {
            seq,
            level,
            group,
            count: 1,
            tick: 0,
            millis: 0,
            lasted: 0,
            target: "",
            message,
            cut: false,
            site: None,
        }
    }
}
