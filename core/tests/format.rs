//! Reads a ring by `docs/format.md` alone: nothing of the crate is used that reads bytes. If this
//! fails, the stored format has changed, and the page and the changelog have to say so.

use std::collections::BTreeMap;

use annunciator_core::alerter::{After, Done, Origin, Step};
use annunciator_core::event::{Event, Level};
use annunciator_core::storage::Storage;
use annunciator_core::testing::Device;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Code, Outcome, Retry};

const F: u64 = 0x9E37_79B9_7F4A_7C15;

fn mix(state: u64, word: u64) -> u64 {
    let x = (state ^ word).wrapping_mul(F);
    x ^ (x >> 32)
}

fn fold(state: u64) -> u32 {
    (state.wrapping_mul(F) >> 32) as u32
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes(state: u64, bytes: &[u8]) -> u64 {
    let state = bytes.chunks_exact(8).fold(state, |state, word| mix(state, number(word)));
    mix(state, number(&bytes[bytes.len().saturating_sub(8)..]))
}

fn cell(n: u64, a: u64, b: u64) -> u64 {
    u64::from(fold(mix(n, a | b << 32)) | 1 << 31)
}

/// Fields of a structure by offset.
#[derive(Clone, Copy)]
struct At<'a>(&'a [u8]);

impl At<'_> {
    fn u8(self, at: usize) -> u64 {
        number(&self.0[at..at + 1])
    }

    fn u16(self, at: usize) -> u64 {
        number(&self.0[at..at + 2])
    }

    fn word(self, at: usize) -> u64 {
        number(&self.0[at..at + 4])
    }

    fn u64(self, at: usize) -> u64 {
        number(&self.0[at..at + 8])
    }

    fn cell(self, at: usize, n: u64) -> Option<(u64, u64)> {
        let (a, b) = (self.word(at), self.word(at + 4));
        (self.word(at + 8) == cell(n, a, b)).then_some((a, b))
    }
}

#[derive(Debug, PartialEq)]
struct Record<'a> {
    seq: u64,
    level: u64,
    message: &'a str,
    target: &'a str,
    site: (&'a str, u64),
    count: u64,
    last: u64,
}

/// A valid record; `None` for a free slot. Panics if it is damaged.
fn record(slot: &[u8]) -> Option<Record<'_>> {
    let field = At(slot);
    if field.word(0) == 0 {
        return None;
    }
    let check = [4, 12, 20, 28].into_iter().fold(0, |state, at| mix(state, field.u64(at)));
    assert_eq!(field.word(0), u64::from(fold(check).max(1)), "the check of the header");
    assert_eq!((field.u8(9), field.u16(10)), (1, 0), "version and filling");

    let (message, target) = (field.u8(6) as usize, field.u8(7) as usize);
    let (text, rest) = slot[60..].split_at(message + target);
    let file = &rest[..field.u8(8) as usize];
    let (level, line) = (field.u8(4), field.word(12));
    let group = if line != 0 || !file.is_empty() {
        bytes(line << 8 | level, file)
    } else {
        let mut state = bytes(mix(0x776F_7264, level), &text[message..]);
        let mut digits = false;
        for byte in &text[..message] {
            if !byte.is_ascii_digit() || !digits {
                let byte = if byte.is_ascii_digit() { b'0' } else { *byte };
                state = mix(state, u64::from(byte));
            }
            digits = byte.is_ascii_digit();
        }
        state
    };
    let key = fold(bytes(mix(group, field.word(5)), text));
    assert_eq!((field.word(20), field.word(16)), (u64::from(fold(group)), u64::from(key)));

    let seq = field.u64(24);
    let cells = [36, 48].into_iter().filter_map(|at| field.cell(at, field.word(0))).max();
    let (count, last) = cells.unwrap_or((1, seq));
    let utf8 = |bytes| std::str::from_utf8(bytes).unwrap();
    Some(Record {
        seq,
        level,
        message: utf8(&text[..message]),
        target: utf8(&text[message..]),
        site: (utf8(file), line),
        count,
        last,
    })
}

/// The sections of the newest block.
fn state(region: &[u8]) -> BTreeMap<u64, &[u8]> {
    let block = |half: usize| {
        let block = &region[half * 1024..][..1024];
        let field = At(block);
        let len = field.word(12) as usize;
        let covered = block.get(4..16 + len)?;
        let magic = number(b"ANS1");
        let valid =
            field.word(4) == magic && field.word(0) == u64::from(fold(bytes(magic, covered)) | 1);
        valid.then(|| (field.word(8), &block[16..16 + len]))
    };
    let (_, mut rest) = block(0).max(block(1)).expect("a ring in use has a state");
    let mut sections = BTreeMap::new();
    while let Some((head, tail)) = rest.split_at_checked(4) {
        let (payload, after) = tail.split_at(At(head).u16(2) as usize);
        assert!(sections.insert(At(head).u16(0), payload).is_none(), "each section once");
        rest = after;
    }
    sections
}

/// A device with two records, one of them merged, and an attempt whose fate is unknown.
fn device() -> Device {
    let mut device = Device::new(8);
    device.transport.queue([Outcome::Unknown(Code::NONE)]);
    let told = Event::new(Level::Error, "sensor 3 fails").target("app").at("src/main.rs", 7);
    for _ in 0..3 {
        device.record(&told);
    }
    device.run(Duration::from_secs(1));
    device.record(&Event::new(Level::Warn, "12 tries, 345 left").target("net"));
    device
}

fn check(region: &[u8]) {
    let records: Vec<_> = region[2304..].chunks_exact(256).filter_map(record).collect();
    let first = Record {
        seq: 1,
        level: 5,
        message: "sensor 3 fails",
        target: "app",
        site: ("src/main.rs", 7),
        count: 3,
        last: 3,
    };
    let second = Record {
        seq: 4,
        level: 4,
        message: "12 tries, 345 left",
        target: "net",
        site: ("", 0),
        count: 1,
        last: 4,
    };
    assert!(records.contains(&first) && records.contains(&second), "{records:#?}");
    assert_eq!(records.len(), 2);

    let sections = state(region);
    let marks = At(sections[&1]);
    assert_eq!([0, 16, 24].map(|at| marks.u64(at)), [0; 3], "nothing is settled");
    assert_eq!((marks.word(32), marks.word(36)), (1, 0), "one batch, the first boot");
    let attempt = At(sections[&3]);
    let flags = [16, 17, 18].map(|at| attempt.u8(at));
    assert_eq!((attempt.u64(0), attempt.word(8), attempt.word(12)), (3, 0, 0));
    assert_eq!(flags, [1, 0, 0], "unknown once, in full, none under way");
    let budget = At(sections[&4]);
    assert_eq!((budget.u16(16), budget.u16(18)), (2, 2), "an unknown text stays charged");
    assert_eq!(At(sections[&5]).u64(0), u64::MAX, "no text was accepted yet");
    let lengths: Vec<_> = sections.iter().map(|(tag, payload)| (*tag, payload.len())).collect();
    let wanted = [
        (1, 40),
        (2, 24),
        (3, 20),
        (4, 20),
        (5, 20),
        (6, 0),
        (7, 48),
        (8, 24),
        (9, 16),
        (11, 32),
        (12, 4),
        (13, 32),
    ];
    assert_eq!(lengths, wanted);
}

#[test]
fn ring_memory_is_what_the_page_says() {
    let mut device = device();
    let memory = device.memory();
    check(&memory);
    let ledger = At(&memory);
    assert_eq!(ledger.cell(2176, 0), Some((1, 0)), "attempt 0 was launched");
    assert_eq!(ledger.cell(2192, 0), Some((3, 0)));
    assert_eq!(ledger.0[2208] & !3, 0xA4);
}

/// A ring as version 1 wrote it: it is read for ever, and what is written is the same to the byte.
#[test]
fn the_golden_file_is_what_is_written_and_is_read_and_told() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ring-v1.bin");
    let written = device().memory();
    if std::env::var_os("ANNUNCIATOR_PIN").is_some() {
        std::fs::write(path, &written).expect("the file can be written");
    }
    let golden = std::fs::read(path).expect("the golden file");
    check(&golden);
    assert!(golden == written, "another byte than version 1 wrote; ANNUNCIATOR_PIN=1 pins it");

    let mut device = Device::new(8);
    device.start_with(golden, Origin::Memory);
    device.run(Duration::from_hours(1));
    let texts: Vec<_> = device.transport.sent.iter().map(|sent| sent.text.as_str()).collect();
    let wanted = [
        "[Rust Logger night] (repeat 0000) ERROR: sensor 3 fails (x3)",
        "[Rust Logger night] WARN: 12 tries, 345 left",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn a_series_of_crashes_is_what_the_page_says() {
    let mut device = device();
    assert!(!state(&device.memory()).contains_key(&14), "none yet");
    device.restart(After::Crash);
    device.run(Duration::from_mins(1));
    device.restart(After::Crash);
    let memory = device.memory();
    let crashes = At(state(&memory)[&14]);
    // Kept time begins with the first start.
    assert_eq!((crashes.u64(0), crashes.u64(8), crashes.0.len()), (1000, 61_000, 36));
    assert!((1000..61_000).contains(&crashes.u64(16)));
    assert_eq!([24, 28, 32].map(|at| crashes.word(at)), [2, 1, 0]);
}

#[test]
fn storage_is_what_the_page_says_and_its_ledger_knows_the_last_number() {
    let mut device = device();
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code::NONE)));
    device.run(Duration::from_secs(2));
    let region = device.storage.after_power_loss(0);
    let records: Vec<_> = region[2304..].chunks_exact(256).filter_map(record).collect();
    assert_eq!(records.len(), 2);
    let (next, ledger) = (At(state(&region)[&1]).u64(8), At(&region));
    let cells = [2048, 2064].into_iter().filter_map(|at| ledger.cell(at, 0));
    let last = cells.map(|(low, high)| low | high << 32).max().unwrap_or(0);
    assert_eq!(last.max(next - 1), 4);
}

/// Does what is to be done in the next three seconds; `sent` says what becomes of a text.
fn run(device: &mut Device, mut sent: impl FnMut(&mut Device) -> Outcome) {
    let (end, mut buf) = (device.clock.now() + Duration::from_secs(3), [0; 1024]);
    while device.clock.now() < end {
        let now = device.clock.now();
        let (token, done) = match device.alerter().step(now, &mut buf) {
            Step::Again => continue,
            Step::Idle { until } => {
                device.clock.set(until.min(end));
                continue;
            }
            Step::Send(ticket) => (ticket.token, Done::Sent(sent(device))),
            Step::Write { token, at, len } => {
                device.storage.write(at, &buf[..len]).unwrap();
                (token, Done::Stored)
            }
            Step::Sync { token } => {
                device.storage.sync().unwrap();
                (token, Done::Stored)
            }
        };
        device.alerter().done(now, token, done);
    }
}

#[test]
fn a_record_that_an_older_one_counts_is_told_by_its_number() {
    let mut device = Device::new(8);
    let event = Event::new(Level::Error, "uplink lost").at("src/main.rs", 7);
    device.record(&event);
    let mut last = 1;
    run(&mut device, |device| {
        device.record(&event);
        last += 1;
        Outcome::Retry(Retry::failure(Code::NONE))
    });
    let region = device.storage.after_power_loss(0);
    let mut records: Vec<_> = region[2304..].chunks_exact(256).filter_map(record).collect();
    records.sort_by_key(|record| record.seq);
    let numbers: Vec<_> = records.iter().map(|r| (r.seq, r.count, r.last)).collect();
    assert_eq!(numbers, [(1, last, last), (last, 1, last)]);
    device.power_loss(0);
    device.run(Duration::from_mins(10));
    assert!(device.transport.sent.last().unwrap().text.ends_with(&format!(" (x{last})")));
}
