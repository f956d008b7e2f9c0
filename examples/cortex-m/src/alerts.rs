//! The alerter of this device: its memory, its start, and the handle that everybody records to.

use annunciator_core::alerter::{Alerter, Buffers, Origin, Setup, StartReason};
use annunciator_core::digest::Group;
use annunciator_core::drive::{Restored, restore};
use annunciator_core::event::Event;
use annunciator_core::gsm7::text_bytes;
use annunciator_core::ring::{Node, PREFIX_MAX, SLOT, region_len};
use annunciator_core::shared::{Logger, Shared};
use annunciator_core::storage::Storage;
use core::mem::MaybeUninit;
use cortex_m::singleton;

use crate::clock;

/// What every text begins with.
const PREFIX: &str = "[Rust Logger pump] ";
const _: () = assert!(PREFIX.len() <= PREFIX_MAX);
/// Records that the ring holds: 32 of 256 bytes.
const SLOTS: usize = 32;
/// Kinds of trouble that one text can tell apart.
const GROUPS: usize = 16;
/// Bytes of the ring, in memory and in storage.
pub const REGION: usize = region_len(SLOTS);

type Region = [u8; REGION];

/// The alerts of this device. Any context may record.
pub static ALERTS: Shared<&'static mut Region> = Shared::new();
static LOGGER: Logger<&'static mut Region> = Logger::new(&ALERTS, clock::uptime);

// No start clears this section, so it keeps its bytes across a reset. After power was off they are
// random, which is as good.
#[unsafe(link_section = ".uninit.ring")]
static mut RING: MaybeUninit<Region> = MaybeUninit::uninit();
#[unsafe(link_section = ".uninit.aside")]
static mut ASIDE: MaybeUninit<[u8; SLOT]> = MaybeUninit::uninit();

/// The driver's buffer: for a text of two segments. A slot fits into any text's.
pub const BUFFER: usize = text_bytes(2);

/// Takes over what the last run left, and sets the logger. To be called once, before anything is
/// recorded.
pub fn start<S: Storage>(storage: &mut S) -> Restored<S::Error> {
    // SAFETY: nobody else names it, and this is called once.
    let ring = unsafe { survivor(&raw mut RING) };
    let restored = restore(storage, ring);

    // A product takes its serial number for a seed.
    let mut setup = Setup::new(PREFIX)
        .now(clock::uptime())
        .boot(restored.boot)
        .origin(restored.origin)
        .seed(6965);
    // Memory that survived means a reset, and here each is one after a panic or a fault. A device
    // that also resets on purpose, for an update, looks at what its handlers left, or at the
    // reset-cause register.
    if restored.origin == Origin::Memory {
        setup = setup.reason(StartReason::Reset);
    }
    let nodes = singleton!(: [Node; SLOTS] = [Node::EMPTY; SLOTS]).expect("called once");
    let groups = singleton!(: [Group; GROUPS] = [Group::EMPTY; GROUPS]).expect("called once");
    ALERTS.attach(Alerter::new(ring, Buffers { nodes, groups }, &setup));

    // SAFETY: beside this only `last_words` names it, which never returns to a holder.
    ALERTS.take_last(setup.now, unsafe { survivor(&raw mut ASIDE) });
    // An error would mean that a logger is there already: then it stays.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(log::LevelFilter::Warn);
    restored
}

/// Records what this run ends with. For handlers that reset the chip.
pub fn last_words(event: &Event<'_>) {
    // SAFETY: whoever holds it has been interrupted for good.
    let aside = unsafe { survivor(&raw mut ASIDE) };
    ALERTS.record_last(clock::uptime(), event, aside);
}

/// Memory of which the compiler must not think that it holds nothing.
///
/// # Safety
/// Nobody else uses it as long as this borrow is used.
unsafe fn survivor<const N: usize>(place: *mut MaybeUninit<[u8; N]>) -> &'static mut [u8; N] {
    // The linker keeps this section as it is, and RAM holds some bytes, of which any is a `u8`. The
    // black box hides from the compiler where the pointer comes from.
    let place = core::hint::black_box(place);
    // SAFETY: aligned, of this size, and unique by the caller's word.
    unsafe { &mut *place.cast() }
}
