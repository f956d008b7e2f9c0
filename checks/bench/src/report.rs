//! The tables, and the check of the counts.

use crate::measure::times::{Load, Times};
use crate::measure::{allocations, instructions, syscalls, times};
use crate::row::Op;
use crate::rows::LIMIT;

const NAME_WIDTH: usize = 20;

/// Counts of a row before it is called too costly.
const TRIES: u32 = 3;

/// What a row costs a call: instructions, allocations and system calls, each in the order of
/// [`Op::ALL`].
pub struct Counts {
    row: String,
    instructions: Vec<f64>,
    allocations: Vec<f64>,
    syscalls: Vec<f64>,
}

impl Counts {
    fn measure(row: &str) -> Result<Counts, String> {
        let each = |measure: fn(&str, Op) -> Result<f64, String>| {
            Op::ALL.iter().map(|op| measure(row, *op)).collect::<Result<Vec<f64>, String>>()
        };
        Ok(Counts {
            row: row.to_owned(),
            instructions: each(instructions::measure)?,
            allocations: each(allocations::measure)?,
            syscalls: each(syscalls::measure)?,
        })
    }

    /// Counts an operation once more and keeps the least: a caller that meets a worker at the lock
    /// waits for it, which is chance and costs instructions and a system call on top.
    fn measure_again(&mut self, at: usize) -> Result<(), String> {
        let (row, op) = (&self.row, Op::ALL[at]);
        for (count, again) in [
            (&mut self.instructions[at], instructions::measure(row, op)?),
            (&mut self.allocations[at], allocations::measure(row, op)?),
            (&mut self.syscalls[at], syscalls::measure(row, op)?),
        ] {
            *count = count.min(again);
        }
        Ok(())
    }

    /// Neither allocates nor calls the system.
    fn is_clean(&self, at: usize) -> bool {
        self.allocations[at] == 0.0 && self.syscalls[at] == 0.0
    }
}

/// Measures and prints what repeats.
pub fn counts(rows: &[&str]) -> Result<Vec<Counts>, String> {
    println!("A call of the caller's thread costs, the loop around it included:\n");
    println!(
        "{:NAME_WIDTH$} {:>32}   {:>24}   {:>24}",
        "", "instructions", "allocations", "system calls"
    );
    print!("{:NAME_WIDTH$}", "row");
    for width in [11, 9, 9] {
        for op in Op::ALL {
            print!("{:>width$}", if width == 9 { &op.name()[..6] } else { op.name() });
        }
    }
    println!();
    let mut all = Vec::new();
    for row in rows {
        let counts = Counts::measure(row)?;
        print!("{row:NAME_WIDTH$}");
        counts.instructions.iter().for_each(|count| print!("{count:11.1}"));
        counts.allocations.iter().for_each(|count| print!("{count:9.2}"));
        counts.syscalls.iter().for_each(|count| print!("{count:9.2}"));
        println!();
        all.push(counts);
    }
    println!();
    Ok(all)
}

/// Holds the counts against `ceilings.txt`. What has a ceiling may neither allocate nor call the
/// system.
pub fn check(mut all: Vec<Counts>) -> Result<(), String> {
    let mut failures = 0;
    let ceilings = include_str!("../ceilings.txt");
    for line in ceilings.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [row, op, ceiling, aim] = fields[..] else { return Err(format!("ceilings: {line}")) };
        let number = |text: &str| text.parse::<f64>().map_err(|_| format!("ceilings: {line}"));
        let (ceiling, aim) = (number(ceiling)?, number(aim)?);
        let at = Op::ALL.iter().position(|known| known.name() == op).ok_or("no such operation")?;
        let find = |name: &str| all.iter().position(|counts| counts.row == name);
        let own = find(row).ok_or_else(|| format!("{row} was not measured"))?;
        let single = row.strip_suffix("-three").and_then(find);

        let mut tries = 1;
        let mut cost = cost(&all, own, single, at);
        while tries < TRIES && (cost > ceiling || !all[own].is_clean(at)) {
            all[own].measure_again(at)?;
            cost = self::cost(&all, own, single, at);
            tries += 1;
        }
        let verdict = if cost <= ceiling && all[own].is_clean(at) { "ok" } else { "FAILED" };
        failures += u32::from(verdict != "ok");
        let what = if single.is_some() { "each further destination" } else { "a call" };
        println!(
            "test instructions::{row}::{op} ... {verdict} ({cost:.0} {what}, {:.2} allocations, \
             {:.2} system calls, ceiling {ceiling}, aim {aim}{}, least of {tries})",
            all[own].allocations[at],
            all[own].syscalls[at],
            if cost <= aim { "" } else { ": missed" }
        );
    }
    if failures > 0 { Err(format!("{failures} counts above their ceilings")) } else { Ok(()) }
}

/// Instructions a call; with three destinations, what each of the two beyond the first costs.
fn cost(all: &[Counts], own: usize, single: Option<usize>, at: usize) -> f64 {
    let whole = all[own].instructions[at];
    single.map_or(whole, |single| (whole - all[single].instructions[at]) / 2.0)
}

/// What does not repeat: nanoseconds. The rows take turns, so that a busy moment of the machine
/// hits all alike; each figure is the median of the rounds', each ratio that of the ratios within
/// a round.
pub fn times(rows: &[&str], rounds: usize) -> Result<(), String> {
    let mut measured: Vec<Vec<Vec<Times>>> = vec![Vec::new(); rows.len()];
    for round in 0..rounds {
        eprint!("\rround {} of {rounds}", round + 1);
        for (row, results) in rows.iter().zip(&mut measured) {
            results.push(times::measure(row)?);
        }
    }
    eprintln!();
    let limit = rows.iter().position(|row| *row == LIMIT).ok_or("no row to divide by")?;

    for (load_at, load) in Load::ALL.iter().enumerate() {
        println!("{}: nanoseconds, and p50 over the limit's in the same round\n", load.title());
        print!("{:NAME_WIDTH$}", "row");
        for op in Op::ALL {
            print!("{:>10} {:>8} {:>6}", op.name(), "p99", "ratio");
        }
        println!();
        for (row, results) in rows.iter().zip(&measured) {
            print!("{row:NAME_WIDTH$}");
            for op_at in 0..Op::ALL.len() {
                let at = load_at * Op::ALL.len() + op_at;
                let p50 = median(results.iter().map(|times| times[at].p50));
                let p99 = median(results.iter().map(|times| times[at].p99));
                let pairs = results.iter().zip(&measured[limit]);
                let ratio = median(pairs.map(|(own, limit)| own[at].p50 / limit[at].p50));
                print!("{p50:10.0} {p99:8.0} {ratio:6.2}");
            }
            println!();
        }
        println!();
    }
    Ok(())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
