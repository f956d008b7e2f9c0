//! The smallest program that texts its errors: four log lines become one SMS.
//!
//! ```console
//! $ cargo run --example sample_app
//! ```
//!
//! Without credentials the simulator plays the SMS service. With `VONAGE_API_KEY`,
//! `VONAGE_API_SECRET` and `ALERT_PHONE_NUMBER` set, the text is real.

use std::error::Error;
use std::fmt;
use std::io::stderr;
use std::time::Duration;

use annunciator::{Annunciator, chain};
use annunciator_examples::{Lines, Stage};
use log::{LevelFilter, debug, error, warn};

fn main() -> Result<(), Box<dyn Error>> {
    let builder = Annunciator::builder("sampleapp");
    // Only an example needs a stage.
    let (stage, builder) = Stage::set(builder, &["+44 7700 900000"])?;

    let alerts = builder.start()?;
    // Any logger that the program has; its console shows all, and other crates from INFO on.
    let console = Lines::new(stderr(), module_path!(), LevelFilter::Debug);
    alerts.wrap(console).inner_level(LevelFilter::Debug).install()?;
    alerts.install_panic_hook();

    debug!("This debug message stays on the console");
    warn!("You've been warned!");
    error!("This is a test error");
    if let Err(error) = average(&[]) {
        // The console shows the whole chain of causes, the SMS the message.
        error!(cause:% = chain(&error); "division by zero");
    }

    let report = alerts.flush(Duration::from_secs(10));
    eprintln!("{report}\n{}", alerts.health());
    drop(alerts);
    stage.close()?;
    if report.is_complete() { Ok(()) } else { Err("not all could be sent".into()) }
}

fn average(readings: &[i32]) -> Result<i32, AverageError> {
    let count = readings.len();
    let sum: i32 = readings.iter().sum();
    i32::try_from(count)
        .ok()
        .and_then(|divisor| sum.checked_div(divisor))
        .ok_or(AverageError { count, source: DivisionByZero })
}

/// Wraps what went wrong below it, as errors of larger programs do.
#[derive(Debug)]
struct AverageError {
    count: usize,
    source: DivisionByZero,
}

#[derive(Debug)]
struct DivisionByZero;

impl fmt::Display for AverageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no average of {} readings", self.count)
    }
}

impl fmt::Display for DivisionByZero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("division by zero")
    }
}

impl Error for AverageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl Error for DivisionByZero {}
