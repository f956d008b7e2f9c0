//! Kills a program with SIGKILL while it logs, and demands that its next start tells every event
//! whose call had returned. See ../README.md.
//!
//! ```text
//!   trial:  writer ── four threads: begun += 1, log::error!(..), returned += 1 ── ... ── SIGKILL
//!           reader ── starts on the same spool, logs nothing ── how many events were told?
//! ```
//!
//! The counters stand in shared memory, so that nothing but the calls takes the threads' time. The
//! writer's service is down; the reader's accepts. Told must be at least what had returned, and at
//! most what had begun. Every second trial is killed at leisure after a few events of one thread
//! instead, in its commits and its attempts to send.

mod map;

use std::path::Path;
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use annunciator::transport::{Code, Message, Outcome, Receipt, Retry, Transport};
use annunciator::{Annunciator, Builder};
use map::{THREADS, calls};

/// Different messages a thread. The ring has no room for all of them twice, in flight and waiting:
/// now and then some are evicted, and have to be counted in the texts.
const KINDS: u64 = 40;

/// Trials at the same time.
const LANES: u32 = 4;

/// The longest wait for what should happen soon.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["storm", place] => writer(Path::new(place), THREADS, Duration::ZERO),
        ["life", place] => writer(Path::new(place), 1, Duration::from_millis(3)),
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
#[derive(Default, Clone, Copy)]
struct Books {
    kills: u64,
    storms: u64,
    /// Calls that had returned, and those that had begun beside them.
    returned: u64,
    cut: u64,
    /// Kills that fell inside a call.
    inside: u64,
    told: u64,
    /// Events that texts counted as lost: they were evicted.
    evicted: u64,
    lost: u64,
    invented: u64,
    /// Texts that were marked as perhaps told before.
    repeats: u64,
}

impl Books {
    fn add(mut self, more: Books) -> Books {
        self.kills += more.kills;
        self.storms += more.storms;
        self.returned += more.returned;
        self.cut += more.cut;
        self.inside += more.inside;
        self.told += more.told;
        self.evicted += more.evicted;
        self.lost += more.lost;
        self.invented += more.invented;
        self.repeats += more.repeats;
        self
    }
}

/// Runs the trials, some at a time: much of a trial is waiting.
fn judge(trials: u32) -> ExitCode {
    println!(
        "settings: {THREADS} threads back to back in every second trial, {KINDS} kinds of events a \
         thread, killed within 3 ms of the first call (50 ms in the others), {LANES} trials at a time"
    );
    let books = std::thread::scope(|scope| {
        let lanes: Vec<_> =
            (0..LANES).map(|lane| scope.spawn(move || run(lane, trials.div_ceil(LANES)))).collect();
        let books = lanes.into_iter().map(|lane| lane.join().expect("a lane that ends"));
        books.fold(Books::default(), Books::add)
    });
    let Books { kills, storms, returned, cut, inside, told, evicted, lost, invented, repeats } =
        books;
    let verdict = if lost + invented == 0 { "ok" } else { "FAILED" };
    println!(
        "test sigkill::every_returned_call_is_told ... {verdict} ({kills} kills, {storms} of them in \
         storms, {inside} inside a call; {returned} calls had returned and {cut} had begun; {told} \
         events told, {evicted} of them as a number of evicted ones, {lost} lost, {invented} \
         invented; {repeats} texts marked as repeats)"
    );
    if lost + invented == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

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
        std::fs::create_dir(&place).expect("a place");
        let storm = trial % 2 == 0;
        let (part, most) = if storm { ("storm", 3_000) } else { ("life", 50_000) };
        kill_after(&place, part, Duration::from_micros(u64::from(random % most)));
        let calls = calls(&place.join("calls"));
        let count = |of: fn(&map::Calls) -> u64| calls.iter().map(of).sum::<u64>();
        let returned = count(|calls| calls.returned.load(SeqCst));
        let begun = count(|calls| calls.begun.load(SeqCst));
        let Heard { told, evicted, repeats } = read(&place);
        let (lost, invented) = (returned.saturating_sub(told), told.saturating_sub(begun));
        if lost + invented > 0 {
            println!("trial {lane}/{trial}: {returned} of {begun} had returned, {told} were told");
        }
        books = books.add(Books {
            kills: 1,
            storms: u64::from(storm),
            returned,
            cut: begun - returned,
            inside: u64::from(begun > returned),
            told,
            evicted,
            lost,
            invented,
            repeats,
        });
    }
    let _ = std::fs::remove_dir_all(&place);
    books
}

/// Starts a writer and kills it so long after its first call returned.
fn kill_after(place: &Path, part: &str, wait: Duration) {
    let calls = calls(&place.join("calls"));
    let mut writer = myself(part, place).spawn().expect("a writer");
    let started = Instant::now();
    while calls.iter().all(|calls| calls.returned.load(SeqCst) == 0) {
        assert!(started.elapsed() < PATIENCE && is_alive(&mut writer), "no first event");
        std::thread::yield_now();
    }
    let began = Instant::now();
    while began.elapsed() < wait {
        std::hint::spin_loop();
    }
    writer.kill().expect("a kill");
    writer.wait().expect("an end");
}

fn is_alive(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

/// What the texts of the next start say.
struct Heard {
    /// Events that were named or counted.
    told: u64,
    /// Those of them that were only counted as lost.
    evicted: u64,
    repeats: u64,
}

fn read(place: &Path) -> Heard {
    let output = myself("reader", place).output().expect("a reader");
    let printed = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<u64> =
        printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let &[told, evicted, repeats] = figures.as_slice() else {
        panic!("the reader said: {printed}{}", String::from_utf8_lossy(&output.stderr));
    };
    Heard { told, evicted, repeats }
}

fn myself(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.arg(role).arg(place);
    command
}

fn builder(place: &Path) -> Builder {
    Annunciator::builder("sigkill")
        .environment(|_| None)
        .spool(place.join("spool"))
        .interval(Duration::from_millis(1), Duration::from_millis(1))
        .budget(u16::MAX, u16::MAX)
}

/// Logs until it is killed.
fn writer(place: &Path, threads: usize, pause: Duration) {
    let calls = calls(&place.join("calls"));
    let builder = builder(place).hold(Duration::from_millis(5), Duration::from_millis(5));
    let alerts = builder.transport("way", Down).start().expect("a valid configuration");
    alerts.logger().install().expect("the first logger");
    std::thread::scope(|scope| {
        for (thread, calls) in calls.iter().take(threads).enumerate() {
            scope.spawn(move || {
                loop {
                    let number = calls.begun.fetch_add(1, SeqCst) % KINDS;
                    log::error!("event {number} of thread {thread}");
                    calls.returned.fetch_add(1, SeqCst);
                    if !pause.is_zero() {
                        std::thread::sleep(pause);
                    }
                }
            });
        }
    });
}

fn reader(place: &Path) {
    let (texts, said) = std::sync::mpsc::channel();
    let way = Up(texts);
    let alerts = builder(place).transport("way", way).start().expect("a valid configuration");
    let report = alerts.flush(Duration::from_secs(20));
    let health = alerts.health();
    let told: u32 = health.destinations.iter().map(|way| way.counters.delivered).sum();
    assert_eq!((report.kept, report.volatile), (0, 0), "{health:?}");
    let texts: Vec<String> = said.try_iter().collect();
    let evicted: u64 = texts.iter().filter_map(|text| losses(text)).sum();
    let repeats = texts.iter().filter(|text| text.contains("(repeat ")).count();
    println!("{} {evicted} {repeats}", u64::from(told) + evicted);
}

/// `..., 45 lost`
fn losses(text: &str) -> Option<u64> {
    let (_, number) = text.strip_suffix(" lost")?.rsplit_once(' ')?;
    number.parse().ok()
}

struct Down;

impl Transport for Down {
    fn send(&mut self, _message: &Message<'_>) -> Outcome {
        Outcome::Retry(Retry::failure(Code::NONE))
    }
}

struct Up(std::sync::mpsc::Sender<String>);

impl Transport for Up {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        let _ = self.0.send(message.text.to_owned());
        Outcome::Accepted(Receipt::new(message.segments))
    }
}
