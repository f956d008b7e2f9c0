//! System calls of the caller in a burst after the first event, as strace sees them.

use super::{Place, batch, child_args, myself, output_of};
use crate::row::{BATCH, Op, Row, call};
use std::process::Command;

const BEGIN: &str = "the burst begins";
const END: &str = "the burst has ended";

/// The child: one event, then a burst between two marks.
pub fn child<R: Row>(op: Op) {
    let place = Place::new();
    let row = R::install(place.path());
    // The first event may start what there is to start.
    call(&row, op, 0);
    let mut number = 1;
    mark(BEGIN);
    batch(&row, op, &mut number);
    mark(END);
}

/// A call that does nothing but stand in the trace: a write to no file.
fn mark(text: &str) {
    // SAFETY: the bytes are valid; the descriptor is none, so nothing is written.
    unsafe { libc::write(-1, text.as_ptr().cast(), text.len()) };
}

/// System calls a call, on the caller's thread.
pub fn measure(row: &str, op: Op) -> Result<f64, String> {
    let place = Place::new();
    let trace = place.path().join("trace");
    let mut command = Command::new("strace");
    command.arg("-f").arg("-o").arg(&trace).arg(myself());
    command.args(child_args("syscalls", row, Some(op)));
    output_of(command)?;
    let trace = std::fs::read_to_string(&trace).map_err(|error| error.to_string())?;
    count(&trace).map(|calls| calls as f64 / f64::from(BATCH))
}

/// The calls of the marking thread between the marks. A line begins with the thread's number.
fn count(trace: &str) -> Result<usize, String> {
    let thread = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut lines = trace.lines();
    let begin = lines.find(|line| line.contains(BEGIN)).ok_or("no mark in the trace")?;
    let caller = thread(begin);
    let burst: Vec<_> = lines.by_ref().take_while(|line| !line.contains(END)).collect();
    let own = burst.iter().filter(|line| thread(line) == caller);
    Ok(own.filter(|line| !line.contains("resumed>")).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_callers_calls_between_the_marks() {
        let trace = "7 write(-1, \"the burst begins\", 16) = -1\n\
            7 write(3, \"x\", 1 <unfinished ...>\n\
            8 futex(0x1) = 0\n\
            7 <... write resumed>) = 1\n\
            7 write(-1, \"the burst has ended\", 19) = -1\n\
            7 exit_group(0) = ?\n";
        assert_eq!(count(trace), Ok(1));
    }
}
