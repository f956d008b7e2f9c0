//! What is measured of a row. Each file has two halves: what the child process does, which holds
//! the row, and how the driver starts children and reads what they print.

pub mod allocations;
pub mod holds;
pub mod instructions;
pub mod latency;
pub mod syscalls;
pub mod times;

use crate::row::{BATCH, Op, Row, call};
use std::path::PathBuf;
use std::process::Command;

/// One batch after the other, `number` counting on.
#[inline(always)]
fn batch(row: &impl Row, op: Op, number: &mut u32) {
    // Spelt out so that each loop knows its operation.
    match op {
        Op::Accepted => (0..BATCH).for_each(|at| call(row, Op::Accepted, *number + at)),
        Op::Repeated => (0..BATCH).for_each(|at| call(row, Op::Repeated, *number + at)),
        Op::Filtered => (0..BATCH).for_each(|at| call(row, Op::Filtered, *number + at)),
    }
    *number += BATCH;
}

/// A directory for the files of this process, removed when dropped.
pub struct Place(PathBuf);

impl Place {
    /// A new and empty one.
    pub fn new() -> Place {
        let name = format!("annunciator-bench-{}.d", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a directory for temporary files");
        Place(path)
    }

    /// Where it is.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The arguments that make this program a child which does `what`.
fn child_args<'a>(what: &'a str, row: &'a str, op: Option<Op>) -> Vec<&'a str> {
    let mut args = vec!["child", what, row];
    args.extend(op.map(Op::name));
    args
}

/// Runs `command` and returns its standard output.
fn output_of(mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?}: {}\n{stderr}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// This program.
fn myself() -> PathBuf {
    std::env::current_exe().expect("the path of this program")
}
