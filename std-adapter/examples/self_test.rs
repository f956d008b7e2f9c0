//! Sends one text through the whole real path and says in words what the service answered.
//!
//! ```console
//! $ cargo run --example self_test
//! ```
//!
//! Run it once on each new device, with the environment of the program that is to alert later. It
//! costs one segment for each number. Exits with 0 if all were accepted, with 1 if not, and with 2
//! if nothing is configured. A device needs no cargo: copy `target/release/examples/self_test` there,
//! which `cargo build --release --example self_test` has made.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use annunciator::{Annunciator, Event, Level};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let alerts = Annunciator::builder("self test on {host}").sender("SelfTest").start()?;
    if let Some(why) = alerts.health().disabled {
        println!("Nothing was sent: {why}");
        return Ok(ExitCode::from(2));
    }

    // Recorded without `log`, so that no logger has to be installed.
    alerts.record(&Event::new(Level::Error, "If you read this, alerts reach you."));
    let report = alerts.flush(Duration::from_secs(30));

    for destination in alerts.health().destinations {
        let trouble = destination.last_trouble.as_deref();
        if destination.counters.texts > 0 {
            println!("{}: accepted; now look at the phone", destination.label);
            if let Some(trouble) = trouble {
                println!("  not at once: {trouble}");
            }
        } else {
            println!("{}: NOT accepted", destination.label);
            println!("  {}", trouble.unwrap_or("no answer in time"));
            println!("  It is kept; the next self test tries again.");
        }
        if let Some(balance) = destination.balance {
            println!("  balance: {balance} EUR");
        }
        println!("  spool: {}", destination.spool);
    }
    Ok(if report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
