//! The tables.

use crate::measure::times::{Load, Times};
use crate::measure::{allocations, instructions, syscalls, times};
use crate::row::Op;
use crate::rows::LIMIT;

const NAME_WIDTH: usize = 20;

/// What repeats: instructions, allocations and system calls a call.
pub fn counts(rows: &[&str]) -> Result<(), String> {
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
    for row in rows {
        print!("{row:NAME_WIDTH$}");
        for op in Op::ALL {
            print!("{:11.1}", instructions::measure(row, op)?);
        }
        for op in Op::ALL {
            print!("{:9.2}", allocations::measure(row, op)?);
        }
        for op in Op::ALL {
            print!("{:9.2}", syscalls::measure(row, op)?);
        }
        println!();
    }
    println!();
    Ok(())
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
