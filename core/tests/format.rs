//! Reads a ring by `docs/format.md` alone: nothing of the crate is used that reads bytes. If this
//! fails, the stored format has changed, and the page and the changelog have to say so.

use annunciator_core::alerter::{Done, Origin, StartReason, Step};
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

fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn bytes(state: u64, bytes: &[u8]) -> u64 {
    let state = bytes.chunks_exact(8).fold(state, |state, word| mix(state, number_of(word)));
    mix(state, number_of(&bytes[bytes.len().saturating_sub(8)..]))
}

fn cell(n: u64, a: u64, b: u64, c: u64) -> u64 {
    u64::from(fold(mix(n | c << 32, a | b << 32)) | 1 << 31)
}

/// Fields of a structure by offset.
#[derive(Clone, Copy)]
struct At<'a>(&'a [u8]);

impl At<'_> {
    fn u8(self, at: usize) -> u64 {
        number_of(&self.0[at..at + 1])
    }

    fn u16(self, at: usize) -> u64 {
        number_of(&self.0[at..at + 2])
    }

    fn word(self, at: usize) -> u64 {
        number_of(&self.0[at..at + 4])
    }

    fn u64(self, at: usize) -> u64 {
        number_of(&self.0[at..at + 8])
    }

    fn cell(self, at: usize, n: u64) -> Option<(u64, u64, u64)> {
        let (a, b, c) = (self.word(at), self.word(at + 4), self.word(at + 8));
        (self.word(at + 12) == cell(n, a, b, c)).then_some((a, b, c))
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
    /// First reported, in milliseconds, and how much later last.
    first: u64,
    lasted: u64,
}

/// A valid record; `None` for a free slot. Panics if it is damaged.
fn record(slot: &[u8]) -> Option<Record<'_>> {
    let field = At(slot);
    if field.word(0) == 0 {
        return None;
    }
    let words = [4, 12, 20, 28].into_iter();
    let check = words.fold(field.word(36), |state, at| mix(state, field.u64(at)));
    assert_eq!(field.word(0), u64::from(fold(check).max(1)), "the check of the header");
    assert_eq!((field.u8(5), field.u16(38)), (1, 0), "version and filling");

    let (message, target) = (field.u16(6) as usize, field.u8(8) as usize);
    let (text, rest) = slot[72..].split_at(message + target);
    let file = &rest[..field.u8(9) as usize];
    let (level, line) = (field.u8(4), field.word(12));
    let site = bytes(line << 8 | level, file);
    let key = fold(bytes(mix(site, field.u64(4) & !0xFF00), text));
    assert_eq!(field.word(20), u64::from(key));
    if line != 0 || !file.is_empty() {
        assert_eq!(field.word(16), u64::from(fold(site)), "the group of an event with a site");
    }

    let seq = field.u64(28);
    let cells = [40, 56].into_iter().filter_map(|at| field.cell(at, field.word(0))).max();
    let (count, last, lasted) = cells.unwrap_or((1, seq, 0));
    let utf8 = |bytes| std::str::from_utf8(bytes).unwrap();
    Some(Record {
        seq,
        level,
        message: utf8(&text[..message]),
        target: utf8(&text[message..]),
        site: (utf8(file), line),
        count,
        last,
        first: field.word(24) << 10 | field.u16(36),
        lasted,
    })
}

/// The words of the newest bank.
fn state(region: &[u8]) -> Vec<u64> {
    let bank = |number: usize| {
        let bank = &region[number * 512..][..512];
        let field = At(bank);
        let len = field.word(12) as usize;
        let covered = bank.get(4..16 + len)?;
        let magic = number_of(b"ANR1");
        let valid =
            field.word(4) == magic && field.word(0) == u64::from(fold(bytes(magic, covered)) | 1);
        valid.then(|| (field.word(8), bank[16..16 + len].chunks(4).map(number_of).collect()))
    };
    bank(0).max(bank(1)).expect("a ring in use has a state").1
}

/// Word of the destination's state where it stands in the ring's.
const DESTINATION: usize = 37;
const SLOTS: usize = 1280;

/// A device with two records, one of them merged, and an attempt whose fate is unknown.
fn device() -> Device {
    let mut device = Device::new(8);
    device.transport.queue([Outcome::Unknown(Code::NONE)]);
    let told = Event::new(Level::Error, "sensor 3 fails").target("app").at("src/main.rs", 7);
    for _ in 0..3 {
        device.record(&told);
        device.clock.set(device.clock.now() + Duration::from_millis(10));
    }
    device.run(Duration::from_millis(970));
    device.record(&Event::new(Level::Warn, "12 tries, 345 left").target("net"));
    device
}

fn check(region: &[u8]) {
    let records: Vec<_> = region[SLOTS..].chunks_exact(256).filter_map(record).collect();
    let first = Record {
        seq: 1,
        level: 5,
        message: "sensor 3 fails",
        target: "app",
        site: ("src/main.rs", 7),
        count: 3,
        last: 3,
        first: 10_000_000,
        lasted: 20,
    };
    let second = Record {
        seq: 4,
        level: 4,
        message: "12 tries, 345 left",
        target: "net",
        site: ("", 0),
        count: 1,
        last: 4,
        first: 10_001_000,
        lasted: 0,
    };
    assert!(records.contains(&first) && records.contains(&second), "{records:#?}");
    assert_eq!(records.len(), 2);

    let words = state(region);
    assert_ne!((words[0], words[1]), (0, 0), "the ring has a name");
    assert_eq!((words[2], words[3]), (1, 1), "the first start, one batch");
    assert_eq!(words[4..6], [0, 0], "nothing is settled");
    assert_eq!(words[8..12], [0; 4]);
    let flags = words[22].to_le_bytes();
    assert_eq!((words[18], words[20], words[21]), (3, 0, 0), "up to event 3, attempt 0");
    assert_eq!(flags[..4], [1, 0, 0, 0x80], "unknown once, in full, none under way, channel 0");
    let destination = &words[DESTINATION..];
    assert_eq!(destination[2], 2 | 2 << 16, "an unknown text stays charged");
    assert_eq!(destination[3], 0, "no text was accepted yet");
    assert_eq!(words.len(), DESTINATION + 6 + 5 + 6 + 4, "no group is remembered yet");
}

#[test]
fn ring_memory_is_what_the_page_says() {
    let mut device = device();
    let memory = device.memory();
    check(&memory);
    let ledger = At(&memory);
    assert_eq!(ledger.cell(1152, 0), Some((1, 0, 0)), "the bytes of attempt 0 have left");
    assert_eq!(ledger.cell(1168, 0), Some((3, 0, 0)));
    assert_eq!(ledger.0[1184] & !3, 0xA4);
    assert_eq!(&memory[1064..][..20], b"[Rust Logger night] ");
    assert_eq!((ledger.u16(1060), ledger.u16(1062)), (256, 20), "size of a slot, of the prefix");
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
    device.restart(StartReason::Crash);
    device.run(Duration::from_mins(1));
    device.restart(StartReason::Crash);
    let words = state(&device.memory());
    let groups = 4 * (words[DESTINATION + 5] >> 16 & 0xFF) as usize;
    let crashes = &words[DESTINATION + 6 + groups + 5..][..6];
    let tick = |millis: u64| millis / 1024;
    assert_eq!(crashes[..2], [tick(10_001_000), tick(10_061_000)]);
    assert!((tick(10_001_000)..tick(10_061_000)).contains(&crashes[2]), "when a text counted them");
    assert_eq!(crashes[3..], [2, 1, 0], "two starts, one reported, no doubling");
}

#[test]
fn storage_is_what_the_page_says_and_its_ledger_knows_the_last_number() {
    let mut device = device();
    device.transport.rule(|_, _| Outcome::Retry(Retry::failure(Code::NONE)));
    device.run(Duration::from_secs(2));
    let region = device.storage.after_power_loss(0);
    let records: Vec<_> = region[SLOTS..].chunks_exact(256).filter_map(record).collect();
    assert_eq!(records.len(), 2);
    let (words, ledger) = (state(&region), At(&region));
    let next = words[6] | words[7] << 32;
    let cells = [1024, 1040].into_iter().filter_map(|at| ledger.cell(at, 0));
    let last = cells.map(|(low, high, _)| low | high << 32).max().unwrap_or(0);
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
    let mut records: Vec<_> = region[SLOTS..].chunks_exact(256).filter_map(record).collect();
    records.sort_by_key(|record| record.seq);
    let numbers: Vec<_> = records.iter().map(|r| (r.seq, r.count, r.last)).collect();
    assert_eq!(numbers, [(1, last, last), (last, 1, last)]);
    device.power_loss(0);
    device.run(Duration::from_mins(10));
    assert!(device.transport.sent.last().unwrap().text.ends_with(&format!(" (x{last})")));
}
