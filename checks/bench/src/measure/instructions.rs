//! Instructions a call, counted by callgrind: the same on every run, whatever else the machine does.

use super::{Place, batch, child_args, myself, output_of};
use crate::row::{BATCH, Op, Row};
use std::path::Path;
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
    run(row, op, &report)?;
    let report = std::fs::read_to_string(&report).map_err(|error| error.to_string())?;
    let total = report.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse::<f64>().ok());
    let total = total.ok_or("callgrind printed no totals")?;
    Ok(total / f64::from(BATCHES * BATCH))
}

/// Where the instructions go: first by function, then by the source files inlined into each.
pub fn profile(row: &str, op: Op) -> Result<String, String> {
    let place = Place::new();
    let report = place.path().join("callgrind.out");
    run(row, op, &report)?;
    let mut command = Command::new("callgrind_annotate");
    command.args(["--auto=no", "--threshold=100"]).arg(&report);
    let text = output_of(command)?;

    let calls = f64::from(BATCHES * BATCH);
    let mut functions: Vec<(f64, &str)> = Vec::new();
    let mut lines: Vec<(f64, String)> = Vec::new();
    for line in text.lines() {
        // "43,200 (11.28%)  file:function [program]"
        let Some((count, rest)) = line.trim_start().split_once(" (") else { continue };
        let Ok(count) = count.replace(',', "").parse::<f64>() else { continue };
        let Some((_, place)) = rest.split_once(")  ") else { continue };
        let place = place.split_once(" [").map_or(place, |(place, _)| place);
        let Some((file, function)) = place.split_once(":") else { continue };
        match functions.iter_mut().find(|(_, known)| *known == function) {
            Some((sum, _)) => *sum += count / calls,
            None => functions.push((count / calls, function)),
        }
        lines.push((count / calls, format!("{function}  {}", short(file))));
    }
    functions.sort_by(|a, b| b.0.total_cmp(&a.0));
    let print = |(count, name): (f64, &str)| format!("{count:9.1}  {name}\n");
    let mut printed: String = functions.into_iter().filter(|f| f.0 >= 1.0).map(print).collect();
    printed.push('\n');
    let details = lines.iter().filter(|line| line.0 >= 5.0);
    printed.extend(details.map(|(count, name)| print((*count, name))));
    Ok(printed)
}

/// A path without the part that differs between machines.
fn short(place: &str) -> &str {
    ["/library/", "/registry/src/", "/core/src/", "/std-adapter/src/"]
        .iter()
        .find_map(|mark| place.find(mark).map(|at| &place[at + 1..]))
        .unwrap_or(place)
}

fn run(row: &str, op: Op, report: &Path) -> Result<(), String> {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--toggle-collect=counted_batch"])
        .arg(format!("--callgrind-out-file={}", report.display()))
        .arg(myself())
        .args(child_args("instructions", row, Some(op)));
    output_of(command).map(|_| ())
}
