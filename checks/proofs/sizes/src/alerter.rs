//! The alerter of a firmware: made, recorded to, driven.

use crate::registers::{read, receive, send, write};
use annunciator_core::alerter::{Alerter, Buffers, Setup};
use annunciator_core::digest::Group;
use annunciator_core::drive;
use annunciator_core::event::{Event, Level};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, SLOT, region_len};
use annunciator_core::storage::Storage;
use annunciator_core::time::Instant;
use annunciator_core::transport::{Message, Outcome, Transport};
#[cfg(not(feature = "shared"))]
use core::mem::MaybeUninit;

/// The caller's buffers, the least there can be; the compiler is not told how large they are.
const SLOTS: usize = 2;
const GROUPS: usize = 1;
/// A text of one segment would do with less; a slot is written through it too.
const TEXT: usize = if text_bytes(1) > SLOT { text_bytes(1) } else { SLOT };

type Memory = &'static mut [u8];

static mut CALLERS_RING: [u8; region_len(SLOTS)] = [0; region_len(SLOTS)];
static mut CALLERS_INDEX: [Node; SLOTS] = [Node::EMPTY; SLOTS];
static mut CALLERS_SCRATCH: [Group; GROUPS] = [Group::EMPTY; GROUPS];
static mut CALLERS_TEXT: [u8; TEXT] = [0; TEXT];

#[cfg(not(feature = "shared"))]
static mut ALERTER: MaybeUninit<Alerter<'static, Memory>> = MaybeUninit::uninit();
#[cfg(feature = "shared")]
static SHARED: annunciator_core::shared::Shared<Memory> = annunciator_core::shared::Shared::new();

pub fn run() {
    start();
    loop {
        record();
        step();
    }
}

/// The buffers are as large as the chip has memory, as far as the compiler knows.
#[inline(never)]
#[unsafe(no_mangle)]
fn start() {
    // SAFETY: called once.
    let (region, nodes, groups) = unsafe {
        (
            core::slice::from_raw_parts_mut((&raw mut CALLERS_RING).cast(), read() as usize),
            core::slice::from_raw_parts_mut((&raw mut CALLERS_INDEX).cast(), read() as usize),
            core::slice::from_raw_parts_mut((&raw mut CALLERS_SCRATCH).cast(), read() as usize),
        )
    };
    let mut setup = Setup::new("[Rust Logger pump] ");
    setup.now = now();
    setup.boot = u64::from(read());
    setup.seed = read();
    let alerter = Alerter::new(region, Buffers { nodes, groups }, &setup);
    #[cfg(feature = "shared")]
    SHARED.attach(alerter);
    #[cfg(not(feature = "shared"))]
    // SAFETY: called once.
    unsafe {
        (&raw mut ALERTER).write(MaybeUninit::new(alerter));
    }
}

#[cfg(not(feature = "shared"))]
fn alerter() -> &'static mut Alerter<'static, Memory> {
    // SAFETY: after `start`, and one at a time.
    unsafe { (*(&raw mut ALERTER)).assume_init_mut() }
}

#[cfg(feature = "shared")]
fn alerter() -> &'static annunciator_core::shared::Shared<Memory> {
    &SHARED
}

/// One event of any text.
#[inline(never)]
#[unsafe(no_mangle)]
fn record() {
    let level = if read() == 0 { Level::Error } else { Level::Warn };
    let event = Event::new(level, text()).target(text()).at(text(), read());
    write(alerter().record(now(), &event) as u32);
}

/// All that is to be done now.
#[inline(never)]
#[unsafe(no_mangle)]
fn step() {
    // SAFETY: one at a time.
    let text =
        unsafe { core::slice::from_raw_parts_mut((&raw mut CALLERS_TEXT).cast(), read() as usize) };
    let until = drive::drive(alerter(), now, &mut Card, &mut Modem, text);
    write(until.as_millis() as u32);
}

fn now() -> Instant {
    Instant::from_millis(u64::from(read()) << 32 | u64::from(read()))
}

/// A text anywhere in memory.
pub fn text() -> &'static str {
    // SAFETY: never run.
    unsafe {
        let bytes = core::slice::from_raw_parts(read() as *const u8, read() as usize);
        core::str::from_utf8_unchecked(bytes)
    }
}

/// A storage without code of its own.
struct Card;

impl Storage for Card {
    type Error = core::fmt::Error;

    fn capacity(&self) -> usize {
        read() as usize
    }

    fn read(&mut self, at: usize, buf: &mut [u8]) -> core::fmt::Result {
        write(at as u32);
        receive(buf);
        Ok(())
    }

    fn write(&mut self, at: usize, bytes: &[u8]) -> core::fmt::Result {
        write(at as u32);
        send(bytes);
        if read() == 0 { Ok(()) } else { Err(core::fmt::Error) }
    }

    fn sync(&mut self) -> core::fmt::Result {
        if read() == 0 { Ok(()) } else { Err(core::fmt::Error) }
    }
}

/// A modem without code of its own, or one that speaks to the service.
struct Modem;

#[cfg(feature = "vonage")]
impl Transport for Modem {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        crate::vonage::send(message)
    }
}

#[cfg(not(feature = "vonage"))]
impl Transport for Modem {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        use annunciator_core::transport::{Code, Receipt, Refusal, RefusalClass, Retry};

        send(message.text.as_bytes());
        let code = Code(read() as u16);
        match read() {
            0 => Outcome::Accepted(Receipt::new(message.segments)),
            1 => Outcome::Retry(Retry::failure(code)),
            2 => Outcome::Unknown(code),
            3 => Outcome::Refused(Refusal::new(RefusalClass::Channel, code)),
            _ => Outcome::Refused(Refusal::new(RefusalClass::Message, code)),
        }
    }
}

#[cfg(feature = "shared")]
mod section {
    //! Interrupts off and on again.

    struct SingleCore;
    critical_section::set_impl!(SingleCore);

    // SAFETY: never run.
    unsafe impl critical_section::Impl for SingleCore {
        unsafe fn acquire() -> critical_section::RawRestoreState {
            crate::registers::write(0);
        }

        unsafe fn release(_state: critical_section::RawRestoreState) {
            crate::registers::write(1);
        }
    }
}
