//! The handle for statics and interrupts, and its front for `log`.

use super::alerter::{BUFFER, Modem, firmware, memory, now};
use crate::opaque::{bytes, one_of, sink, text, word};
use annunciator_core::drive;
use annunciator_core::event::{Event, Level};
use annunciator_core::ring::SLOT;
use annunciator_core::shared::{Logger, Shared};
use annunciator_core::storage::ArrayStorage;
use log::Log;

type Region = &'static mut [u8];

static SHARED: Shared<Region> = Shared::new();
static LOGGER: Logger<Region> = Logger::new(&SHARED, now);

pub fn all() {
    let mut words = [0; 300];
    let Some(level) = one_of(&Level::ALL) else { return };
    let event = Event::new(level, text(&mut words)).at("main.rs", word());
    sink(SHARED.record(now(), &event));
    sink(SHARED.attach(firmware(memory())).is_some());
    sink(SHARED.record(now(), &event));

    let mut buf = [0; BUFFER];
    let mut storage = ArrayStorage([0; 8192]);
    sink(drive::drive(&SHARED, now, &mut storage, &mut Modem, bytes(&mut buf)));
    SHARED.flush(now());
    sink((SHARED.level(), SHARED.poll_at(), SHARED.stats()));
    let mut aside = [0; SLOT];
    sink(SHARED.record_last(now(), &event, bytes(&mut aside)));
    SHARED.take_last(now(), bytes(&mut aside));
    // From within, as a fault would.
    let mut aside = [0; SLOT];
    sink(SHARED.with(|_| SHARED.record_last(now(), &event, bytes(&mut aside))));
    sink(SHARED.with(|_| SHARED.record(now(), &event)));
    log();
}

fn log() {
    let mut words = [0; 64];
    let message = text(&mut words);
    for level in [log::Level::Error, log::Level::Warn, log::Level::Debug] {
        let arguments = format_args!("sensor {} failed: {message}", word());
        let record = log::Record::builder().level(level).args(arguments).line(Some(7)).build();
        sink(LOGGER.enabled(record.metadata()));
        LOGGER.log(&record);
    }
    LOGGER.flush();
}

struct SingleCore;
critical_section::set_impl!(SingleCore);

// SAFETY: linked to prove something about its callers, never run.
unsafe impl critical_section::Impl for SingleCore {
    unsafe fn acquire() -> critical_section::RawRestoreState {}

    unsafe fn release(_state: critical_section::RawRestoreState) {}
}
