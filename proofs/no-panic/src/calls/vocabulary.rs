//! Time, events, transports' words, storage, texts.

use crate::opaque::{long, sink, text, word};
use annunciator_core::event::{Entry, Event, Level};
use annunciator_core::gsm7::{self, Counter, Fallback};
use annunciator_core::storage::{ArrayStorage, Storage};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Decimal, Reference};

pub fn all() {
    time();
    events();
    transport();
    storage();
    texts();
}

fn time() {
    let now = Instant::from_millis(long());
    let span = Duration::from_millis(long());
    sink((now + span, now - span, now.since(Instant::from_secs(long()))));
    sink((Duration::from_hours(long()), span.doubled(Duration::from_mins(long())), span + span));
}

fn events() {
    let mut words = [0; 32];
    let mut message = [0; 256];
    sink(Level::from_byte(word() as u8).map(Level::name));
    let word_of_level = text(&mut words);
    sink(word_of_level.parse::<Level>().ok());
    let event = Event::new(Level::Error, text(&mut message)).target(word_of_level);
    sink(Entry::new(&event));
    sink(Entry::new(&event.at(word_of_level, word())));
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
