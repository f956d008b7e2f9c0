//! Any batch becomes one text within its segments that counts every event.
#![no_main]

use annunciator_core::digest::{Digest, Group, Piece, Spec, Style, Supply, Want};
use annunciator_core::event::{Level, Record};
use annunciator_core::gsm7::{Counter, Encoding};
use annunciator_core::gsm7::{Fallback, text_bytes};
use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Batch<'a> {
    prefix: &'a str,
    segments: u8,
    replace: bool,
    reduced: bool,
    repeat: bool,
    groups: u8,
    leading: Vec<&'a str>,
    trailing: Vec<&'a str>,
    events: Vec<Given<'a>>,
    /// Slots whose record is gone when it is asked for.
    gone: u16,
}

#[derive(Debug, Arbitrary)]
struct Given<'a> {
    level: u8,
    group: u8,
    count: u16,
    target: &'a str,
    message: &'a str,
    site: Option<(&'a str, u32)>,
    cut: bool,
    told: bool,
}

fuzz_target!(|batch: Batch<'_>| {
    let Batch { events, .. } = &batch;
    let events = events.get(..64).unwrap_or(events);
    let records: Vec<Record<'_>> =
        (1..).zip(events).map(|(seq, given)| record(seq, given)).collect();

    let mut spec = Spec::new(batch.prefix, batch.segments % 8);
    spec.fallback = if batch.replace { Fallback::Replace } else { Fallback::Unicode };
    spec.style = if batch.reduced { Style::Reduced } else { Style::Full };
    spec.repeat = batch.repeat.then_some("k7m2");
    let notes: Vec<&str> =
        batch.leading.iter().take(3).chain(batch.trailing.iter().take(3)).copied().collect();
    spec.leading = batch.leading.len().min(3) as u8;
    spec.trailing = batch.trailing.len().min(3) as u8;

    let segments = spec.segments.clamp(1, 6);
    let mut text = vec![0; text_bytes(segments)];
    let mut groups = vec![Group::EMPTY; usize::from(batch.groups % 40)];
    let mut digest = Digest::new();
    let mut steps = 0;
    let composed = loop {
        steps += 1;
        assert!(steps < 20_000, "does not come to an end");
        match digest.want() {
            Want::Walk => {
                for (slot, (record, given)) in (0..).zip(records.iter().zip(events)) {
                    digest.add(&mut groups, slot, record, given.told);
                }
                digest.step(&spec, &mut groups, Supply::Nothing, &mut text);
            }
            Want::Record(slot) => {
                let gone = slot < 16 && batch.gone >> slot & 1 == 1;
                let record = records.get(usize::from(slot)).filter(|_| !gone);
                digest.step(&spec, &mut groups, Supply::Record(record), &mut text);
            }
            Want::Notice(number) => {
                let note =
                    [Piece::Text(notes[usize::from(number)]), Piece::Number(7), Piece::Two(7)];
                digest.step(&spec, &mut groups, Supply::Notice(&note), &mut text);
            }
            Want::Nothing => digest.step(&spec, &mut groups, Supply::Nothing, &mut text),
            Want::Done(composed) => break composed,
        }
    };

    let told = std::str::from_utf8(&text[..usize::from(composed.len)]).expect("valid UTF-8");
    let count = Counter::of(told);
    assert!(composed.segments <= segments, "{} segments of {segments}", composed.segments);
    assert!(count.segments() <= composed.segments.into(), "costs {}: {told}", count.segments());
    if composed.encoding == Encoding::Gsm7 {
        assert_eq!(count.encoding(), Encoding::Gsm7, "{told}");
    }
    if batch.replace {
        assert_eq!(composed.encoding, Encoding::Gsm7, "{told}");
    }
    let all: u32 = records.iter().map(|record| record.count).sum();
    assert_eq!(composed.named + composed.more, all, "{told}");
    assert!(!told.contains(['\n', '\r', '\0', '\u{1b}']), "{told:?}");
});

fn record<'a>(seq: u64, given: &Given<'a>) -> Record<'a> {
    let level = Level::ALL[usize::from(given.level) % Level::ALL.len()];
    let mut record = Record::new(seq, level, u32::from(given.group % 24), given.message);
    record.count = u32::from(given.count).max(1);
    record.target = given.target;
    record.site = given.site.map(|(file, line)| annunciator_core::event::Site { file, line });
    record.cut = given.cut;
    record
}
