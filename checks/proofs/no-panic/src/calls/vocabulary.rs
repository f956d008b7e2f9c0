//! Time, events, transports' words, storage, texts.

use crate::opaque::{any, bytes, long, sink, text, word};
use annunciator_core::digest::{Digest, Group, Piece, Spec, Supply};
use annunciator_core::event::{Draft, Entry, Event, Level, Record};
use annunciator_core::gsm7::{self, Counter, Fallback};
use annunciator_core::scrub;
use annunciator_core::storage::{ArrayStorage, Storage};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Decimal, Reference};

pub fn all() {
    time();
    events();
    digests();
    transport();
    storage();
    texts();
}

fn time() {
    let now = Instant::from_millis(long());
    let span = Duration::from_millis(long());
    sink((now + span, now - span, now.since(Instant::from_secs(long()))));
    sink((Duration::from_hours(long()), Duration::from_mins(long()), span + span));
}

fn events() {
    let mut words = [0; 32];
    let mut message = [0; 256];
    sink(Level::from_byte(word() as u8).map(Level::name));
    let word_of_level = text(&mut words);
    sink(word_of_level.parse::<Level>().ok());
    let event = Event::new(Level::Error, text(&mut message)).target(word_of_level);
    sink(Entry::new(&event));
    let entry = Entry::new(&event.at(word_of_level, word()));
    sink((entry.level(), entry.group(), entry.event()));
    let mut draft = Draft::new(Level::Warn, word_of_level, None);
    sink(draft.push(text(&mut message)));
    scrub::secrets(any(&mut draft));
    draft.replace(text(&mut message));
    sink(draft.push(text(&mut message)));
    sink(draft.message());
    sink(draft.finish());
}

/// A digest of anybody's, with what it wants and with what it does not.
fn digests() {
    let (mut groups, mut memory, mut buf) = ([Group::EMPTY; 24], ([0; 200], [0; 64]), [0; 700]);
    let message = text(&mut memory.0);
    let record = Record::new(long(), Level::Error, word(), message);
    let spec = Spec::new(text(&mut memory.1), word() as u8).leading(1).trailing(word() as u8);
    let notes = [Piece::Text(message), Piece::Number(word()), Piece::Two(word() as u8)];
    let mut digest = Digest::new();
    let digest = any(&mut digest);
    digest.add(any(&mut groups), word() as u16, &record, word() == 0);
    let buf = bytes(&mut buf);
    for supply in [Supply::Nothing, Supply::Record(Some(&record)), Supply::Notice(&notes)] {
        any(digest).step(&spec, any(&mut groups), supply, buf);
    }
    sink((digest.want(), digest.events(), digest.groups(&groups).len()));
    digest.begin();
}

fn transport() {
    let mut memory = [0; 64];
    sink(Decimal::parse(text(&mut memory)));
    sink(Decimal(long() as i64).plus(Decimal(long() as i64)));
    sink(Reference(word()).to_ascii());
}

fn storage() {
    let mut storage = ArrayStorage([0; 1024]);
    let mut memory = [0; 512];
    let at = word() as usize;
    let buf = crate::opaque::bytes(&mut memory);
    sink(storage.read(at, buf).is_ok());
    sink(storage.write(word() as usize, buf).is_ok());
    sink(storage.sync().is_ok());
    sink(storage);
}

fn texts() {
    let mut memory = [0; 256];
    let mut buf = [0; 640];
    let message = text(&mut memory);
    sink((Counter::of(message).segments(), Counter::of(message).units()));
    for fallback in [Fallback::Unicode, Fallback::Replace] {
        let buf = crate::opaque::bytes(&mut buf);
        sink(gsm7::fit(message, word() as u8, fallback, buf));
    }
    sink(gsm7::transliterate(message).count());
}
