//! What a log call costs, side by side; see README.md.
//!
//! The program starts itself anew for each row and measurement, because a process has one logger.

mod measure;
mod report;
mod row;
mod rows;

use measure::{allocations, holds, instructions, syscalls, times};
use row::{Op, Row};
use rows::Visit;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["child", rest @ ..] = args.as_slice() {
        child(rest);
        return ExitCode::SUCCESS;
    }
    if args == ["holds"] {
        holds::report();
        return ExitCode::SUCCESS;
    }
    if let ["profile", row, op] = args.as_slice() {
        return match Op::named(op)
            .ok_or("no such operation".to_owned())
            .and_then(|op| instructions::profile(row, op))
        {
            Ok(text) => {
                println!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => failure(&error),
        };
    }
    if args == ["latency"] {
        let place =
            std::env::temp_dir().join(format!("annunciator-latency-{}", std::process::id()));
        let done = std::fs::create_dir_all(&place).map_err(|error| error.to_string());
        let done = done.and_then(|()| measure::latency::run(&place));
        let _ = std::fs::remove_dir_all(&place);
        return match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failure(&error),
        };
    }
    let done = options(&args).and_then(|options| {
        if options.counts {
            let counts = report::counts(&options.rows)?;
            if options.check {
                report::check(counts)?;
            }
        }
        if options.times {
            report::times(&options.rows, options.rounds)?;
        }
        Ok(())
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure(&error),
    }
}

fn failure(error: &str) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::FAILURE
}

struct Options {
    rows: Vec<&'static str>,
    rounds: usize,
    counts: bool,
    times: bool,
    check: bool,
}

fn options(args: &[&str]) -> Result<Options, String> {
    let mut options =
        Options { rows: rows::NAMES.to_vec(), rounds: 15, counts: true, times: true, check: false };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "counts" => options.times = false,
            "times" => options.counts = false,
            "--check" => options.check = true,
            "--rounds" => {
                let rounds = args.next().and_then(|value| value.parse().ok());
                options.rounds = rounds.filter(|&n| n > 0).ok_or("--rounds wants a number")?;
            }
            "--rows" => {
                let wanted: Vec<&str> =
                    args.next().ok_or("--rows wants names")?.split(',').collect();
                if let Some(unknown) = wanted.iter().find(|name| !rows::NAMES.contains(name)) {
                    return Err(format!("no row {unknown}; there are {}", rows::NAMES.join(", ")));
                }
                // The limit is always there, to be divided by.
                options.rows.retain(|name| wanted.contains(name) || *name == rows::LIMIT);
            }
            other => return Err(format!("unknown argument {other}; see README.md")),
        }
    }
    Ok(options)
}

/// `WHAT ROW [OP]`: one measurement of one row, printed for the parent.
fn child(args: &[&str]) {
    let [what, row, op @ ..] = args else { panic!("a child wants to know what and which row") };
    let op = op.first().and_then(|name| Op::named(name)).unwrap_or(Op::Accepted);
    rows::with_row(row, Child { what, op }).expect("a row of that name");
}

struct Child<'a> {
    what: &'a str,
    op: Op,
}

impl Visit for Child<'_> {
    type Output = ();

    fn visit<R: Row>(self) {
        match self.what {
            "allocations" => allocations::child::<R>(self.op),
            "instructions" => instructions::child::<R>(self.op),
            "syscalls" => syscalls::child::<R>(self.op),
            "times" => times::child::<R>(),
            other => panic!("no measurement {other}"),
        }
    }
}
