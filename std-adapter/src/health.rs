//! How the alerter itself is doing, for people and for a status page.
//!
//! A [`Health`] is a snapshot: plain values, gathered under short locks, printed by `Display` as a
//! report of a few lines. The reporter calls the program's `on_error` callback about trouble when
//! it arises, changes or ends, and not again at every attempt. Neither goes through `log`: what
//! alerts must not alert about itself.

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annunciator_core::transport::{Code, Decimal};

/// A snapshot of the alerter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The NAME in the prefix of each text; empty if texts are off.
    pub name: String,
    /// Why no texts are sent, if none are.
    pub disabled: Option<String>,
    /// One entry each destination.
    pub destinations: Vec<DestinationHealth>,
}

impl Health {
    /// Whether texts are on, no destination refuses everything, and no spool is in trouble.
    pub fn is_good(&self) -> bool {
        self.disabled.is_none() && self.destinations.iter().all(DestinationHealth::is_good)
    }

    /// Billed segments that a month of 31 days can cost at worst, over all destinations.
    pub fn segments_a_month(&self) -> u32 {
        let each = self.destinations.iter().map(|destination| destination.segments_a_month);
        each.fold(0, u32::saturating_add)
    }
}

/// A snapshot of one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationHealth {
    /// Its name in reports: of a number the ends only.
    pub label: String,
    /// What it is doing.
    pub state: State,
    /// Pending events. Merged ones count one each.
    pub waiting: u32,
    /// What has been done.
    pub counters: Counters,
    /// Where events are kept until they are sent.
    pub spool: SpoolHealth,
    /// A description of the last trouble, also if it is over.
    pub last_trouble: Option<String>,
    /// What the texts so far have cost, in euro: the sum of the prices that the service named.
    pub spent: Decimal,
    /// The account's balance as the service last gave it, in euro.
    pub balance: Option<Decimal>,
    /// Billed segments that a month of 31 days can cost at worst.
    pub segments_a_month: u32,
}

impl DestinationHealth {
    /// A destination that has done nothing yet.
    pub fn new(label: impl Into<String>) -> DestinationHealth {
        DestinationHealth {
            label: label.into(),
            state: State::Idle,
            waiting: 0,
            counters: Counters::default(),
            spool: SpoolHealth::default(),
            last_trouble: None,
            spent: Decimal::default(),
            balance: None,
            segments_a_month: 0,
        }
    }

    /// Whether the present state or the spool's names this trouble already.
    fn is_said(&self, trouble: &str) -> bool {
        let state = match &self.state {
            State::BackingOff { cause: words, .. } | State::Latched { refusal: words, .. } => {
                words == trouble
            }
            _ => false,
        };
        state || self.spool.trouble.as_deref() == Some(trouble)
    }

    fn is_good(&self) -> bool {
        let stuck = matches!(self.state, State::Latched { .. } | State::Disabled { .. });
        !stuck && self.spool.trouble.is_none()
    }
}

/// What a destination is doing. Spans are from the moment of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// No event is pending.
    Idle,
    /// Events are pending: held so that others can join them, or for the interval between texts.
    Waiting {
        /// When the next text is due.
        due: Duration,
    },
    /// A text is on its way.
    Sending,
    /// The budget is spent; events are kept and condensed until it returns.
    OutOfBudget {
        /// When it returns.
        due: Duration,
    },
    /// The last attempt failed; the next one follows by itself.
    BackingOff {
        /// A description of the failure.
        cause: String,
        /// When the next attempt is due.
        due: Duration,
    },
    /// The service refuses everything until somebody changes the configuration or the account.
    Latched {
        /// A description of the refusal, with the fix.
        refusal: String,
        /// When it is probed next.
        due: Duration,
    },
    /// Nothing can be sent.
    Disabled {
        /// The reason.
        why: String,
    },
}

/// Counts since the program started, those of [`Lost`] since the store began; they saturate.
///
/// An event is counted in `recorded` when it arrives, by this run, and ends in `delivered` or in one
/// of `lost`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Events that took a record of their own, or were counted with an equal one still waiting.
    pub recorded: u32,
    /// Events that were not recorded on purpose: below the level, dropped by the program's hook, or
    /// logged while another was formatted.
    pub suppressed: u32,
    /// Events that an accepted text named or counted.
    pub delivered: u32,
    /// Events that will not be sent.
    pub lost: Lost,
    /// Texts the service accepted.
    pub texts: u32,
    /// Billed segments of these.
    pub segments: u32,
    /// Attempts that were certainly not sent.
    pub retries: u32,
    /// Attempts whose outcome is unknown: the text may have been sent.
    pub unknown: u32,
    /// Attempts that were refused for good.
    pub refused: u32,
    /// Panics of the worker or of a transport, each of which it survived.
    pub restarts: u32,
}

/// Events that will not be sent, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// Displaced in a full ring by more severe ones.
    pub evicted: u32,
    /// Older than [`Builder::max_age`](crate::Builder::max_age) before they could be sent.
    pub expired: u32,
    /// The service refused their text twice.
    pub refused: u32,
    /// Arrived by a path that must not wait while the ring was in use, or waited in rings that were
    /// removed after 35 days without a claim.
    pub unrecorded: u32,
    /// Found damaged when the store was read.
    pub damaged: u32,
}

impl Lost {
    /// All of them.
    pub fn total(&self) -> u32 {
        [self.evicted, self.expired, self.refused, self.unrecorded, self.damaged]
            .into_iter()
            .fold(0, u32::saturating_add)
    }
}

/// Where events are kept until they are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpoolHealth {
    /// The spool directory, if it is in use.
    pub directory: Option<PathBuf>,
    /// Why there is none, or the last error. `None` if all is well.
    pub trouble: Option<String>,
    /// Whether recorded events survive the end of the program, and of its container if it has one.
    pub survives_crash: bool,
    /// Whether recorded events survive the end of the program alone, with or without a container.
    pub survives_restart: bool,
    /// Whether PANIC and ERROR survive it in any case, because the log call itself writes them to
    /// the file. The rest survives once committed.
    pub direct_writes: bool,
    /// Whether committed events survive the loss of power.
    pub survives_power_cut: bool,
    /// Whether the run before this one ended without a word in this boot: it crashed or was killed.
    pub after_crash: bool,
    /// What was asked of the disk since the program started.
    pub disk: DiskUse,
}

/// What was asked of the disk since the program started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskUse {
    /// Writes, zero-filling aside.
    pub writes: u64,
    /// Bytes in those writes.
    pub bytes: u64,
    /// Syncs of the file's content.
    pub syncs: u64,
    /// How often the whole file was written to a new one.
    pub rewrites: u64,
}

/// What a flush achieved, in events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Sent since the flush began.
    pub sent: u32,
    /// Still to be sent, and kept for the next start.
    pub kept: u32,
    /// Still to be sent, but kept in memory alone: they end with the program.
    pub volatile: u32,
}

impl FlushReport {
    /// Whether nothing is left to send.
    pub fn is_complete(&self) -> bool {
        self.kept == 0 && self.volatile == 0
    }
}

/// Trouble of the alerter itself, as `on_error` gets it. `Display` is one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trouble<'a> {
    /// The destination it is about.
    pub destination: &'a str,
    /// A description of the trouble; `None`: it is over.
    pub what: Option<&'a str>,
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "annunciator: {}: {}", self.destination, self.what.unwrap_or("well again"))
    }
}

/// The callback for [`Trouble`].
pub(crate) type OnError = Arc<dyn Fn(&Trouble<'_>) + Send + Sync>;

/// Tells the callback about one destination's trouble, each once.
pub(crate) struct Reporter {
    destination: String,
    callback: Option<OnError>,
    current: Mutex<Option<Kind>>,
}

/// What distinguishes one trouble from another.
#[derive(PartialEq, Eq)]
enum Kind {
    Code(Code),
    Words(String),
}

impl Reporter {
    pub(crate) fn new(destination: impl Into<String>, callback: Option<OnError>) -> Reporter {
        Reporter { destination: destination.into(), callback, current: Mutex::new(None) }
    }

    /// Takes the present trouble, `None` if all is well, and calls back if that is news: if its
    /// code is another, or without a code, if its description is.
    ///
    /// The callback runs on this thread and under no lock; its panic ends here.
    pub(crate) fn report(&self, code: Option<Code>, what: Option<&str>) {
        let kind = what.map(|words| match code {
            Some(code) => Kind::Code(code),
            None => Kind::Words(words.to_owned()),
        });
        {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            if *current == kind {
                return;
            }
            *current = kind;
        }
        if let Some(callback) = &self.callback {
            let trouble = Trouble { destination: &self.destination, what };
            let _ = catch_unwind(AssertUnwindSafe(|| callback(&trouble)));
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.disabled {
            return write!(f, "texts are off: {why}");
        }
        write!(f, "{}", self.name)?;
        for destination in &self.destinations {
            write!(f, "\n{destination}")?;
        }
        if self.destinations.len() > 1 {
            write!(f, "\nall: at most {} segments a month", self.segments_a_month())?;
        }
        Ok(())
    }
}

impl fmt::Display for DestinationHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters { recorded, suppressed, delivered, lost, .. } = self.counters;
        write!(f, "{}: {}", self.label, self.state)?;
        write!(f, "\n  events: {recorded} recorded, {delivered} delivered")?;
        write!(f, ", {} waiting", self.waiting)?;
        if suppressed > 0 {
            write!(f, ", {suppressed} suppressed")?;
        }
        if lost.total() > 0 {
            write!(f, "\n  lost: ")?;
            list(
                f,
                &[
                    (lost.evicted, "evicted"),
                    (lost.expired, "too old"),
                    (lost.refused, "refused"),
                    (lost.unrecorded, "unrecorded"),
                    (lost.damaged, "damaged"),
                ],
            )?;
        }
        let Counters { texts, segments, unknown, retries, refused, restarts, .. } = self.counters;
        let plural = if segments == 1 { "" } else { "s" };
        write!(f, "\n  texts: {texts} accepted, {segments} segment{plural}")?;
        for (count, what) in [
            (unknown, "unconfirmed"),
            (retries, "retries"),
            (refused, "refused"),
            (restarts, "panics contained"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        write!(f, "; at most {} segments a month", self.segments_a_month)?;
        if self.spent > Decimal::default() {
            write!(f, "\n  spent: {} EUR", self.spent)?;
        }
        if let Some(balance) = self.balance {
            write!(f, "\n  balance: {balance} EUR")?;
        }
        write!(f, "\n  spool: {}", self.spool)?;
        match self.last_trouble.as_deref() {
            Some(trouble) if !self.is_said(trouble) => write!(f, "\n  last trouble: {trouble}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for FlushReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FlushReport { sent, kept, volatile } = self;
        write!(f, "{sent} sent, {kept} kept, {volatile} in memory alone")
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Idle => f.write_str("idle"),
            State::Waiting { due } => write!(f, "next text in {}", Span(*due)),
            State::Sending => f.write_str("sending"),
            State::OutOfBudget { due } => {
                write!(f, "budget spent; next text in {}", Span(*due))
            }
            State::BackingOff { cause, due } => write!(f, "{cause}; next try in {}", Span(*due)),
            State::Latched { refusal, due } => {
                write!(f, "REFUSED: {refusal}; next probe in {}", Span(*due))
            }
            State::Disabled { why } => write!(f, "off: {why}"),
        }
    }
}

impl fmt::Display for SpoolHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.directory, &self.trouble) {
            (Some(file), None) => write!(f, "{}", file.display())?,
            (Some(file), Some(trouble)) => write!(f, "{}: {trouble}", file.display())?,
            (None, Some(trouble)) => write!(f, "none: {trouble}")?,
            (None, None) => f.write_str("none")?,
        }
        f.write_str(match (self.survives_crash, self.survives_power_cut) {
            (true, true) => "; events survive a crash and a power cut",
            (true, false) => "; events survive a crash",
            (false, true) if self.direct_writes => {
                "; errors survive a crash, all events a power cut once committed"
            }
            (false, true) => "; events survive a power cut once committed",
            (false, false) if self.survives_restart => "; events end with the container",
            (false, false) => "; events end with the program",
        })
    }
}

fn list(f: &mut fmt::Formatter<'_>, counts: &[(u32, &str)]) -> fmt::Result {
    let mut separator = "";
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        write!(f, "{separator}{count} {what}")?;
        separator = ", ";
    }
    Ok(())
}

/// A span for people: `850 ms`, `12 s`, `5 min`, `3 h`.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        match secs {
            0 => write!(f, "{} ms", self.0.as_millis()),
            1..120 => write!(f, "{secs} s"),
            120..7200 => write!(f, "{} min", secs / 60),
            _ => write!(f, "{} h", secs / 3600),
        }
    }
}
