//! Kills a program with SIGKILL while it logs, and demands that its next start tells every event
//! whose call had returned. See ../README.md.
//!
//! ```text
//!   trial:  writer ── log::error!(..) ── returned ── "." to the pipe ── ... ── SIGKILL
//!           reader ── starts on the same spool, logs nothing ── how many events were told?
//! ```
//!
//! The writer's service is down; the reader's accepts. Told must be what was acknowledged, or one
//! more: the call that was under way may have stored its event and not returned.

use annunciator::annunciator_core::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
use annunciator::{Annunciator, Builder};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Fewer than the ring has slots, so that nothing is evicted for want of room.
const EVENTS: u32 = 150;

/// Trials at the same time.
const LANES: u32 = 10;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["writer", place] => writer(Path::new(place)),
        ["reader", place] => reader(Path::new(place)),
        [trials] => match trials.parse() {
            Ok(trials) => return judge(trials),
            Err(_) => eprintln!("usage: sigkill TRIALS"),
        },
        _ => eprintln!("usage: sigkill TRIALS"),
    }
    ExitCode::SUCCESS
}

/// What came of some trials.
#[derive(Default)]
struct Books {
    returned: u32,
    told: u32,
    wrong: u32,
}

/// Runs the trials, some at a time: most of a trial is waiting.
fn judge(trials: u32) -> ExitCode {
    let books: Vec<Books> = std::thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || run(lane, trials.div_ceil(LANES)))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane that ends")).collect()
    });
    let sum = |of: fn(&Books) -> u32| books.iter().map(of).sum::<u32>();
    let (returned, told, wrong) = (sum(|b| b.returned), sum(|b| b.told), sum(|b| b.wrong));
    let verdict = if wrong == 0 { "ok" } else { "FAILED" };
    println!(
        "test sigkill::every_returned_call_is_told ... {verdict} \
         ({} kills, {returned} calls returned, {told} events told, {wrong} trials wrong)",
        trials.div_ceil(LANES) * LANES
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Some kills come early, some in the middle, some after the last call.
fn run(lane: u32, trials: u32) -> Books {
    let program = std::env::current_exe().expect("a path");
    let place = program.with_file_name(format!("sigkill-spool-{lane}"));
    let mut random = 0x9E37_79B9_u32 ^ (lane << 8);
    let mut books = Books::default();
    for trial in 0..trials {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        let _ = std::fs::remove_dir_all(&place);
        let returned = killed_after(&place, Duration::from_micros(u64::from(random % 3000)));
        let told = read(&place);
        books.returned += returned;
        books.told += told;
        if told != returned && told != returned + 1 {
            println!(
                "trial {lane}/{trial}: {returned} calls had returned, {told} events were told"
            );
            books.wrong += 1;
        }
    }
    let _ = std::fs::remove_dir_all(&place);
    books
}

/// Starts a writer, kills it so long after its first call returned, and says how many had.
fn killed_after(place: &Path, wait: Duration) -> u32 {
    let mut writer = myself("writer", place).stdout(Stdio::piped()).spawn().expect("a writer");
    let mut acknowledged = writer.stdout.take().expect("the writer's output");
    let mut first = [0];
    acknowledged.read_exact(&mut first).expect("a first event");
    let began = Instant::now();
    while began.elapsed() < wait {
        std::hint::spin_loop();
    }
    writer.kill().expect("a kill");
    writer.wait().expect("an end");
    let mut rest = Vec::new();
    acknowledged.read_to_end(&mut rest).expect("what stood in the pipe");
    1 + rest.len() as u32
}

fn read(place: &Path) -> u32 {
    let output = myself("reader", place).output().expect("a reader");
    let printed = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    printed.trim().parse().unwrap_or_else(|_| panic!("the reader said: {printed}{stderr}"))
}

fn myself(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.arg(role).arg(place);
    command
}

fn builder(place: &Path) -> Builder {
    Annunciator::builder("sigkill")
        .environment(|_| None)
        .spool(place)
        .interval(Duration::from_millis(1), Duration::from_millis(1))
        .budget(u16::MAX, u16::MAX)
}

fn writer(place: &Path) {
    let alerts = builder(place).transport("way", Down).start().expect("a valid configuration");
    alerts.logger().install().expect("the first logger");
    let mut pipe = std::io::stdout();
    for number in 0..EVENTS {
        log::error!("event {number}");
        // Straight into the pipe: a byte there means that the call has returned.
        pipe.write_all(b".").and_then(|()| pipe.flush()).expect("a reader of the pipe");
    }
    loop {
        std::thread::park();
    }
}

fn reader(place: &Path) {
    let alerts = builder(place).transport("way", Up).start().expect("a valid configuration");
    let report = alerts.flush(Duration::from_secs(20));
    let health = alerts.health();
    let told: u32 = health.destinations.iter().map(|way| way.counters.delivered).sum();
    assert_eq!((report.kept, report.lost), (0, 0), "{health:?}");
    println!("{told}");
}

struct Down;

impl Transport for Down {
    fn send(&mut self, _message: &Message<'_>) -> Outcome {
        Outcome::Retry(Retry::failure(Code::NONE))
    }
}

struct Up;

impl Transport for Up {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Outcome::Accepted(Receipt::new(message.segments))
    }
}
