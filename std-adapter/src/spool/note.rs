//! The note a session leaves in its lock file, for the next one to read.
//!
//! It answers three questions at the next start: did the last session end well, was it of this
//! boot, and where is its memory file? It is plain text of a fixed length, written by one call at
//! the start and one at the end of a session, and never synced: what it is good for is a crash of
//! the program, which the page cache survives. After a loss of power the boot id tells that it is
//! old.
//!
//! ```text
//! annunciator-slot 1
//! boot 0f3c1d2eaabb4cdd8eff001122334455
//! session 81729381723
//! state running
//! memory /run/annunciator-1000/m0123456789abcdef-0.ring
//! avoid /run/user/1000
//! ```

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::boot::BootId;
use super::identity::token;

/// Length of the note in its file; the rest is filled with line ends.
pub(super) const NOTE_LEN: usize = 1024;
const HEADER: &[u8] = b"annunciator-slot 1";

/// How the session that left the note stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// No session yet, or a note that cannot be read.
    #[default]
    None,
    /// Under way, or ended without a word.
    Running,
    /// Ended as it should.
    Clean,
    /// Its content was taken over by another slot; what is left is to be removed.
    Adopted,
}

/// How the last session of a slot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LastEnd {
    /// There was none, or nothing is known of it.
    Unknown,
    /// As it should.
    Clean,
    /// The program died in this boot.
    Crash,
    /// The program was running when the system went down.
    PowerLoss,
}

/// What is known of a slot's last session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) boot: Option<BootId>,
    /// When the session began: nanoseconds since that boot. Later sessions have larger ones.
    pub(super) session: u64,
    pub(super) state: State,
    /// Where the memory file was; none if there was none or the path is too long.
    pub(super) memory: Option<PathBuf>,
    /// A directory that lost a memory file when it should have kept it.
    pub(super) avoid: Option<PathBuf>,
    /// How long the slot has been seen without an owner, in milliseconds of observed time, and
    /// until when (milliseconds since `boot_seen`).
    pub(super) orphan_ms: u64,
    pub(super) seen: Option<(BootId, u64)>,
}

impl Note {
    /// Reads a note from any bytes; what cannot be read is left out.
    pub(super) fn parse(bytes: &[u8]) -> Note {
        let mut note = Note::default();
        let mut lines = bytes.split(|&byte| byte == b'\n');
        if lines.next() != Some(HEADER) {
            return note;
        }
        for line in lines {
            let Some(space) = line.iter().position(|&byte| byte == b' ') else { continue };
            let (key, value) = (&line[..space], &line[space + 1..]);
            let text = std::str::from_utf8(value).unwrap_or_default();
            match key {
                b"boot" => note.boot = BootId::parse(text),
                b"session" => note.session = text.parse().unwrap_or(0),
                b"state" => {
                    note.state = match text {
                        "running" => State::Running,
                        "clean" => State::Clean,
                        "adopted" => State::Adopted,
                        _ => State::None,
                    }
                }
                b"memory" => note.memory = absolute(value),
                b"avoid" => note.avoid = absolute(value),
                b"orphan" => note.orphan_ms = text.parse().unwrap_or(0),
                b"seen" => {
                    note.seen = text
                        .split_once(' ')
                        .and_then(|(boot, at)| Some((BootId::parse(boot)?, at.parse().ok()?)));
                }
                // A later version's line.
                _ => {}
            }
        }
        note
    }

    /// The note as it is written.
    pub(super) fn format(&self) -> [u8; NOTE_LEN] {
        let mut text = Vec::with_capacity(NOTE_LEN);
        text.extend_from_slice(HEADER);
        let mut head = String::new();
        let state = match self.state {
            State::None => "none",
            State::Running => "running",
            State::Clean => "clean",
            State::Adopted => "adopted",
        };
        if let Some(boot) = self.boot {
            let _ = write!(head, "\nboot {boot}");
        }
        let _ = write!(head, "\nsession {}\nstate {state}", self.session);
        if let Some((boot, at)) = self.seen {
            let _ = write!(head, "\norphan {}\nseen {boot} {at}", self.orphan_ms);
        }
        text.extend_from_slice(head.as_bytes());
        for (key, path) in [("memory", &self.memory), ("avoid", &self.avoid)] {
            let Some(path) = path else { continue };
            let path = path.as_os_str().as_bytes();
            let line = [b"\n", key.as_bytes(), b" ", path].concat();
            // A path that does not fit is left out; it is found again by looking.
            if !path.contains(&b'\n') && text.len() + line.len() < NOTE_LEN {
                text.extend_from_slice(&line);
            }
        }
        let mut note = [b'\n'; NOTE_LEN];
        for (to, from) in note.iter_mut().zip(text) {
            *to = from;
        }
        note
    }

    /// A number that stands for the content the session left: no other session has it. None if
    /// nothing is known of a session.
    pub(super) fn token(&self) -> Option<u64> {
        let boot = self.boot.filter(|_| self.state != State::None)?;
        Some(token(&[boot.as_bytes(), &self.session.to_le_bytes()]))
    }

    /// How the session ended, seen from `boot`.
    pub(super) fn last_end(&self, boot: BootId) -> LastEnd {
        match self.state {
            State::None | State::Adopted => LastEnd::Unknown,
            State::Clean => LastEnd::Clean,
            State::Running if self.is_of(boot) => LastEnd::Crash,
            State::Running => LastEnd::PowerLoss,
        }
    }

    /// Whether the last session was of this boot.
    pub(super) fn is_of(&self, boot: BootId) -> bool {
        self.boot.is_some_and(|noted| noted.same_as(&boot))
    }
}

fn absolute(path: &[u8]) -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(path));
    path.is_absolute().then(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Note {
        Note {
            boot: BootId::parse("0f3c1d2eaabb4cdd8eff001122334455"),
            session: 81_729_381_723,
            state: State::Running,
            memory: Some("/run/annunciator-0/m0123456789abcdef-0.ring".into()),
            avoid: Some("/run/user/1000".into()),
            orphan_ms: 99,
            seen: Some((BootId::from_bytes([7; 16]), 12)),
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        assert_eq!(Note::parse(&full().format()), full());
        assert_eq!(Note::parse(&Note::default().format()), Note::default());
    }

    #[test]
    fn any_bytes_are_a_note() {
        let good = full().format();
        for at in 0..good.len() {
            for value in [0, b'\n', b' ', 0xff] {
                let mut bad = good;
                bad[at] = value;
                Note::parse(&bad);
                Note::parse(&good[..at]);
            }
        }
        assert_eq!(Note::parse(&[0; NOTE_LEN]), Note::default());
    }

    #[test]
    fn paths_that_cannot_be_noted_are_left_out() {
        let mut note = full();
        note.memory = Some(Path::new("/run").join("x".repeat(2000)));
        note.avoid = Some("/run/with\nline".into());
        let read = Note::parse(&note.format());
        assert_eq!((read.memory, read.avoid), (None, None));
        assert_eq!(read.session, note.session);
        note.memory = Some("relative".into());
        assert_eq!(Note::parse(&note.format()).memory, None);
    }
}
