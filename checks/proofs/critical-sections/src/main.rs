//! How long each call of [`Shared`](annunciator_core::shared::Shared) keeps interrupts off, in
//! instructions of a Cortex-M3, and what an interrupt sees of it. Run by `measure.sh`.
#![no_std]
#![no_main]

mod meter;
mod storm;
mod story;

use annunciator_core::digest::Group;
use annunciator_core::ring::{Node, region_len};
use cortex_m::singleton;
use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_SUCCESS};
use cortex_m_semihosting::hprintln;
use panic_semihosting as _;

use meter::Table;
use story::{Alerts, Memory, Story};

static SMALL: Alerts = Alerts::new();
static LARGE: Alerts = Alerts::new();

/// Memory for a ring of so many slots.
macro_rules! memory {
    ($slots:literal) => {
        Memory {
            region: singleton!(: [u8; region_len($slots)] = [0; region_len($slots)]).expect("once"),
            nodes: singleton!(: [Node; $slots] = [Node::EMPTY; $slots]).expect("once"),
            groups: singleton!(: [Group; 24] = [Group::EMPTY; 24]).expect("once"),
        }
    };
}

#[entry]
fn main() -> ! {
    let mut core = cortex_m::Peripherals::take().expect("once");
    meter::start(&mut core.SYST);
    let (mut small, mut large) = (Table::new(), Table::new());
    Story::begin(&SMALL, memory!(32), &mut small).live(400);
    Story::begin(&LARGE, memory!(64), &mut large).live(400);
    for (name, longest) in small.rows() {
        let of_large = large.rows().find(|row| row.0 == name).map_or(0, |row| row.1);
        hprintln!("{name:<24} {longest:>6} {of_large:>6}");
    }
    storm::run(memory!(32));
    debug::exit(EXIT_SUCCESS);
    loop {}
}
