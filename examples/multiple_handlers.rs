//! Console, file and SMS side by side, each with a level of its own, and two people to text.
//!
//! ```console
//! $ cargo run --example multiple_handlers
//! $ ALERT_PHONE_NUMBER="+44 7700 900000, +44 7700 900111" cargo run --example multiple_handlers
//! ```
//!
//! The second line, with credentials, texts both for real.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use annunciator::{Annunciator, Level, Tee};
use annunciator_examples::{Console, Stage};
use log::{LevelFilter, Log, Metadata, Record, debug, error, info, warn};

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
        .and(Console::new(LevelFilter::Info))
        .and(FileLog::create(&path, LevelFilter::Debug)?);
    alerts.wrap(both).inner_level(LevelFilter::Debug).install()?;
    alerts.install_panic_hook();

    debug!("for the file alone");
    info!("for the console too");
    warn!("not grave enough for an SMS");
    error!("water pressure {} bar, wants {}", 0.3, 1.2);

    // One flush for both; a number that cannot be reached does not hold the other one up.
    let report = alerts.flush(Duration::from_secs(10));
    log::logger().flush();
    eprintln!("{report}\n{}\nThe file:", alerts.health());
    eprint!("{}", std::fs::read_to_string(&path)?);
    std::fs::remove_file(&path)?;
    drop(alerts);
    stage.close()?;
    if report.is_complete() { Ok(()) } else { Err("not all could be sent".into()) }
}

/// A file logger in few lines; any logger will do.
struct FileLog {
    file: Mutex<File>,
    level: LevelFilter,
}

impl FileLog {
    fn create(path: &Path, level: LevelFilter) -> std::io::Result<FileLog> {
        Ok(FileLog { file: Mutex::new(File::create(path)?), level })
    }
}

impl Log for FileLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.level
    }

    fn log(&self, record: &Record<'_>) {
        if let Ok(mut file) = self.file.lock() {
            let _ = writeln!(file, "{}", Console::line(record));
        }
    }

    fn flush(&self) {
        if let Ok(mut file) = self.file.lock() {
            let _ = file.flush();
        }
    }
}
