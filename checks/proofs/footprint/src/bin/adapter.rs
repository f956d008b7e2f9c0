//! A program with Annunciator: one error, told; then it waits until its standard input ends.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use annunciator::Annunciator;

fn main() -> ExitCode {
    let alerts = match Annunciator::builder("adapter").start() {
        Ok(alerts) => alerts,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let _ = alerts.logger().install();
    alerts.install_panic_hook();

    log::error!("sensor {} failed: code {}", 3, 42);

    let report = alerts.flush(Duration::from_secs(30));
    if report.is_complete() {
        println!("told");
    } else {
        println!("{report}");
    }
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    ExitCode::SUCCESS
}
