//! Instructions a call, counted by callgrind: the same on every run, whatever else the machine does.

use super::{Place, batch, child_args, myself, output_of};
use crate::row::{BATCH, Op, Row};
use std::process::Command;

const BATCHES: u32 = 4;

/// Callgrind counts while this function runs, on its thread only.
#[inline(never)]
#[unsafe(no_mangle)]
fn counted_batch(work: &mut dyn FnMut()) {
    work();
}

/// The same, not counted.
#[inline(never)]
fn uncounted_batch(work: &mut dyn FnMut()) {
    work();
}

/// The child: a batch to warm up, then batches that count.
pub fn child<R: Row>(op: Op) {
    let place = Place::new();
    let row = R::install(place.path());
    let mut number = 0;
    let mut work = || batch(&row, op, &mut number);
    uncounted_batch(&mut work);
    row.settle();
    for _ in 0..BATCHES {
        counted_batch(&mut work);
        row.settle();
    }
}

/// Instructions a call, the loop around it included.
pub fn measure(row: &str, op: Op) -> Result<f64, String> {
    let place = Place::new();
    let report = place.path().join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--toggle-collect=counted_batch"])
        .arg(format!("--callgrind-out-file={}", report.display()))
        .arg(myself())
        .args(child_args("instructions", row, Some(op)));
    output_of(command)?;
    let report = std::fs::read_to_string(&report).map_err(|error| error.to_string())?;
    let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse::<f64>().ok());
    let total = total.ok_or("callgrind printed no totals")?;
    Ok(total / f64::from(BATCHES * BATCH))
}
