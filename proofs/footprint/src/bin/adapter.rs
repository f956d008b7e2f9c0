//! A program with Annunciator: one error, told; then it waits until its standard input ends.

use std::error::Error;
use std::io;
use std::time::Duration;

use annunciator::Annunciator;

fn main() -> Result<(), Box<dyn Error>> {
    let alerts = Annunciator::builder("adapter").start()?;
    alerts.logger().install()?;
    alerts.install_panic_hook();

    log::error!("sensor {} failed: code {}", 3, 42);

    let report = alerts.flush(Duration::from_secs(30));
    if report.is_complete() {
        println!("told");
    } else {
        println!("{report}");
    }
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    Ok(())
}
