//! What texts cost, and how they would be cut.
//!
//! Reads texts from standard input, one a line, and prints for each its alphabet, the segments
//! billed for it and its units: `GSM7 2 161`, `UCS2 1 70`. A line in quotes is read as a JSON
//! string, for texts of several lines. With `--fit N` prints the text as it would be cut to `N`
//! segments instead, as a JSON string.
//!
//! ```sh
//! echo 'Fehler {42} bei Sensor €' | cargo run --example segments
//! printf '%s\n' '"1\u20ac\n2\u20ac"' | cargo run --example segments -- --fit 1
//! ```

use annunciator_core::gsm7::{Counter, Encoding, Fallback, fit, text_bytes};
use std::io::{self, BufRead, BufWriter, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("segments: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let segments = wanted(std::env::args().skip(1))?;
    let mut out = BufWriter::new(io::stdout().lock());
    for (number, line) in (1..).zip(io::stdin().lock().lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let text = match line.starts_with('"') {
            true => serde_json::from_str(&line)
                .map_err(|error| format!("line {number} is not a JSON string: {error}"))?,
            false => line,
        };
        match segments {
            Some(segments) => {
                let mut buf = vec![0; text_bytes(segments)];
                let fitted = fit(&text, segments, Fallback::Unicode, &mut buf);
                let cut = std::str::from_utf8(&buf[..fitted.len])?;
                writeln!(out, "{}", serde_json::to_string(cut)?)?;
            }
            None => {
                let count = Counter::of(&text);
                let encoding = match count.encoding() {
                    Encoding::Gsm7 => "GSM7",
                    Encoding::Ucs2 => "UCS2",
                };
                writeln!(out, "{encoding} {} {}", count.segments(), count.units())?;
            }
        }
    }
    Ok(out.flush()?)
}

/// The `N` of `--fit N`.
fn wanted(mut args: impl Iterator<Item = String>) -> Result<Option<u8>, String> {
    let usage = "usage: segments [--fit N], N from 1 to 255";
    match (args.next().as_deref(), args.next(), args.next()) {
        (None, ..) => Ok(None),
        (Some("--fit"), Some(number), None) => match number.parse() {
            Ok(0) | Err(_) => Err(format!("not a number of segments: {number}; {usage}")),
            Ok(number) => Ok(Some(number)),
        },
        _ => Err(usage.into()),
    }
}
