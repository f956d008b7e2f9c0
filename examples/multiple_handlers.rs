//! Console, file and SMS side by side, each with a level of its own, and two people to text.
//!
//! ```console
//! $ cargo run --example multiple_handlers
//! $ ALERT_PHONE_NUMBER="+44 7700 900000, +44 7700 900111" cargo run --example multiple_handlers
//! ```
//!
//! The second line, with credentials, texts both for real.

use std::error::Error;
use std::fs::{self, File};
use std::io::stderr;
use std::time::Duration;

use annunciator::{Annunciator, Level, Tee};
use annunciator_examples::{Lines, Stage};
use log::{LevelFilter, debug, error, info, warn};

fn main() -> Result<(), Box<dyn Error>> {
    let builder = Annunciator::builder("boiler {host}")
        .level(Level::Error)
        .sender("Boiler")
        .budget(6, 20)
        // Trouble of the alerter itself never goes through `log`.
        .on_error(|trouble| eprintln!("{trouble}"));
    let (stage, builder) = Stage::set(builder, &["+44 7700 900000", "+44 7700 900111"])?;
    let alerts = builder.start()?;

    let path = std::env::temp_dir().join(format!("boiler-{}.log", std::process::id()));
    let both = Tee::new()
        .and(Lines::new(stderr(), module_path!(), LevelFilter::Info))
        .and(Lines::new(File::create(&path)?, module_path!(), LevelFilter::Debug));
    alerts.wrap(both).inner_level(LevelFilter::Debug).install()?;
    alerts.install_panic_hook();

    debug!("for the file alone");
    info!("for the console too");
    warn!("not severe enough for an SMS");
    error!("water pressure {} bar, wants {}", 0.3, 1.2);

    // One flush for both; a number that cannot be reached does not hold the other one up.
    let report = alerts.flush(Duration::from_secs(10));
    log::logger().flush();
    eprintln!("{report}\n{}\nThe file:", alerts.health());
    eprint!("{}", fs::read_to_string(&path)?);
    fs::remove_file(&path)?;
    drop(alerts);
    stage.close()?;
    if report.is_complete() { Ok(()) } else { Err("not all could be sent".into()) }
}
