//! What storms cost: ways in which a device goes wrong, lived through on the virtual clock with the
//! default policy, each in milliseconds.
//!
//! ```console
//! $ cargo run --example storms
//! $ cargo run --example storms -- cron
//! ```
//!
//! The second form prints every text of the scenarios whose names contain the word.

#[path = "../core/tests/storms/scenarios.rs"]
mod scenarios;

use scenarios::{SCENARIOS, table};

fn main() {
    let Some(word) = std::env::args().nth(1) else {
        return print!("{}", table());
    };
    for scenario in SCENARIOS.iter().filter(|scenario| scenario.name.contains(&word)) {
        println!("{}: {}", scenario.name, scenario.order);
        for (second, text) in scenario.row().said {
            println!("{second:>7} s  {text}");
        }
    }
}
