//! `watch PROGRAM`: runs it and watches its memory and threads from outside, by /proc.
//!
//! Prints: KiB resident while idle, after the program has said `told` and its threads have gone to
//! rest; KiB resident at the peak; threads while idle; threads at the peak. Then ends it.

use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let Some(program) = env::args_os().nth(1) else {
        eprintln!("usage: watch PROGRAM");
        return ExitCode::from(2);
    };
    let child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{}: {error}", program.display());
            return ExitCode::FAILURE;
        }
    };
    let status = format!("/proc/{}/status", child.id());
    let number = |field: &str| -> Option<u32> {
        let text = fs::read_to_string(&status).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    };

    let (said, says) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let line = BufReader::new(stdout).lines().next();
            let _ = said.send(line.and_then(Result::ok).unwrap_or_default());
        });
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut busy = 1;
    let word = loop {
        busy = busy.max(number("Threads").unwrap_or(0));
        match says.recv_timeout(Duration::from_millis(1)) {
            Ok(word) => break word,
            Err(_) if Instant::now() < deadline => {}
            Err(error) => break error.to_string(),
        }
    };
    // A thread that has done its work needs a moment to be gone.
    let mut idle = number("Threads");
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(20));
        idle = idle.min(number("Threads"));
    }
    let rss = number("VmRSS");
    let peak = number("VmHWM");
    drop(child.stdin.take());
    let ended = child.wait();
    let (Some(rss), Some(peak), Some(idle)) = (rss, peak, idle) else {
        eprintln!("{}: no /proc to read", program.display());
        return ExitCode::FAILURE;
    };
    if word != "told" || !ended.is_ok_and(|status| status.success()) {
        eprintln!("{}: it says {word:?}", program.display());
        return ExitCode::FAILURE;
    }
    println!("{rss} {peak} {idle} {busy}");
    ExitCode::SUCCESS
}
