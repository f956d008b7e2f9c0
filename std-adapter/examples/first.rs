//! The ten lines: an error is logged, and a phone shows it.
//!
//! ```console
//! $ export VONAGE_API_KEY=... VONAGE_API_SECRET=... ALERT_PHONE_NUMBER="+44 7700 900000"
//! $ cargo run --example first
//! ```
//!
//! Without the three variables it runs as if Annunciator were not there, and says so.

use std::time::Duration;

use annunciator::Annunciator;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let alerts = Annunciator::builder("first").start()?;
    alerts.logger().install()?;
    alerts.install_panic_hook();

    log::error!("This is a test error");

    // The end of `main` flushes too, for two seconds; this waits longer and says what was sent.
    println!("{}", alerts.flush(Duration::from_secs(10)));
    Ok(())
}
