//! What the end-to-end tests share: a harness for one program and one service, and functions that
//! wait for what they do.
//!
//! A test makes a harness, starts the program, lets something fail, and checks what the phone, the
//! service and the program's health report show afterwards. Nothing here asserts how
//! long anything took; waits have one generous limit, [`PATIENCE`].

mod console;
mod tunnel;

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

use annunciator::health::{DestinationHealth, State};
use annunciator::{Annunciator, Builder, Event, Handle, Level};
use annunciator_simulator::{Received, Simulator};

pub use console::Console;
pub use tunnel::{Door, Proxy};

/// The longest wait for what should happen soon.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Whom the tests text: numbers reserved for fiction.
pub const PHONE: &str = "+44 7700 900000";
/// The same as the service gets it.
pub const PHONE_DIGITS: &str = "447700900000";
/// Somebody else.
pub const OTHER_PHONE: &str = "+44 7700 900111";

/// A service, and a spool of its own for the program. Both are gone when it is dropped.
pub struct Harness {
    /// The service.
    pub sim: Simulator,
    spool: PathBuf,
}

impl Harness {
    /// A service that accepts everything.
    pub fn new() -> Harness {
        Harness::with(Simulator::start().expect("a simulator"))
    }

    /// The given service.
    pub fn with(sim: Simulator) -> Harness {
        Harness { sim, spool: scratch("spool") }
    }

    /// Where the program keeps what it could not send.
    pub fn spool(&self) -> &Path {
        &self.spool
    }

    /// A program called `pump` that reads no environment, sends everything at once and has a large
    /// budget.
    pub fn builder(&self) -> Builder {
        impatient("pump")
            .environment(|_| None)
            .credentials(Simulator::KEY, Simulator::SECRET)
            .to(PHONE)
            .url(self.sim.url())
            .ca_file(self.sim.ca_file())
            .spool(&self.spool)
            // A start that follows a drop finds the spool free, however slow the disk is.
            .drop_timeout(PATIENCE)
    }

    /// Starts that program.
    pub fn start(&self) -> Annunciator {
        self.builder().start().expect("a program that can start")
    }

    /// The service comes back after `sim.stop()`. On a busy machine its port takes a moment.
    #[track_caller]
    pub fn service_is_back(&self) {
        wait_for("the port", || self.sim.restart().is_ok());
    }

    /// Waits for `n` requests.
    #[track_caller]
    pub fn wait_for_requests(&self, n: usize) -> Vec<Received> {
        let came = self.sim.wait_for(n, PATIENCE);
        let requests = self.sim.requests();
        assert!(came, "{} requests instead of {n}: {requests:#?}", requests.len());
        requests
    }

    /// Waits for `n` texts on the phone, and returns them.
    #[track_caller]
    pub fn wait_for_texts(&self, n: usize) -> Vec<String> {
        let came = self.sim.wait_for_messages(n, PATIENCE);
        let texts = self.texts();
        assert!(came, "{} texts instead of {n}: {texts:?}", texts.len());
        texts
    }

    /// The texts that arrived on the phone.
    pub fn texts(&self) -> Vec<String> {
        self.sim.messages().into_iter().map(|message| message.text).collect()
    }

    /// A program of its own that does what `scenario` says, see `bin/child.rs`. It is set up by its
    /// environment, and holds nothing back either.
    pub fn program(&self, executable: &str, scenario: &str) -> Command {
        let mut command = bare_program(executable, scenario);
        command
            .envs(self.sim.env())
            .env("ALERT_PHONE_NUMBER", PHONE)
            .env("ALERT_SPOOL", &self.spool);
        command
    }

    /// The memory files of this spool, wherever they are.
    pub fn memory_files(&self) -> Vec<PathBuf> {
        let variables = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].map(std::env::var_os);
        let dirs = variables.into_iter().flatten().chain(["/run".into(), "/dev/shm".into()]);
        let ours = [PHONE, OTHER_PHONE].map(|number| memory_stem(&self.spool, number));
        let is_ours = |file: &PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            ours.iter().any(|stem| name.starts_with(stem))
        };
        let own = dirs.flat_map(|dir| fs::read_dir(dir).into_iter().flatten().flatten());
        let own = own.filter(|own| own.file_name().to_string_lossy().starts_with("annunciator-"));
        own.flat_map(|own| files_below(&own.path())).filter(is_ours).collect()
    }
}

/// How the names of a spool's memory files begin: with a hash of its directory and the destination.
fn memory_stem(spool: &Path, number: &str) -> String {
    let fnv = |hash: u64, bytes: &[u8]| {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        bytes.iter().fold(hash, step)
    };
    let start = 0xcbf2_9ce4_8422_2325;
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let key = fnv(start, digits.as_bytes());
    let key = (key ^ (key >> 32)) as u32;
    let parts = spool.components().map(|part| part.as_os_str().as_encoded_bytes());
    let directory = parts.fold(start, |hash, part| fnv(fnv(hash, part), b"\0"));
    format!("m{:016x}-", fnv(directory, &key.to_le_bytes()))
}

impl Default for Harness {
    fn default() -> Harness {
        Harness::new()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        for file in self.memory_files() {
            let _ = fs::remove_file(file);
        }
        let _ = fs::remove_dir_all(&self.spool);
    }
}

/// A builder that holds nothing back: no hold, no interval, no shortage.
pub fn impatient(name: &str) -> Builder {
    Annunciator::builder(name)
        .hold(Duration::ZERO, Duration::ZERO)
        .interval(Duration::ZERO, Duration::ZERO)
        .budget(10_000, 10_000)
        .spool_size(16 * 1024)
}

/// A program of its own, with an empty environment.
///
/// `ANNUNCIATOR_TESTS_PROGRAM` names what to run instead of the executable, in words between
/// blanks: the same program built for another machine, behind an emulator.
pub fn bare_program(executable: &str, scenario: &str) -> Command {
    let instead = std::env::var("ANNUNCIATOR_TESTS_PROGRAM").unwrap_or_default();
    let mut words = instead.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or(executable));
    command
        .args(words)
        .arg(scenario)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct ProgramOutput {
    /// How it ended.
    pub status: process::ExitStatus,
    /// On its standard output.
    pub stdout: String,
    /// On its standard error.
    pub stderr: String,
}

/// Runs a program to its end. One that outlives [`PATIENCE`] is killed, and the test fails.
#[track_caller]
pub fn run(command: &mut Command) -> ProgramOutput {
    let child = command.spawn().expect("a program that can start");
    wait_for_end(child)
}

/// Waits for a program's end. One that outlives [`PATIENCE`] is killed, and the test fails.
#[track_caller]
pub fn wait_for_end(child: Child) -> ProgramOutput {
    let id = child.id();
    let waiting = thread::spawn(move || child.wait_with_output());
    let (ended, output) = patiently(waiting, || {
        let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
    });
    let Output { status, stdout, stderr } = output.expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let mut output = ProgramOutput { status, stdout: text(stdout), stderr: text(stderr) };
    // What an emulator adds when the program behind it aborts.
    output.stderr = output
        .stderr
        .split_inclusive('\n')
        .filter(|line| !line.starts_with("qemu: uncaught target signal"))
        .collect();
    assert!(ended, "did not end by itself: {output:?}");
    output
}

/// Waits until a program has printed this line. One that prints nothing for [`PATIENCE`] is killed.
#[track_caller]
pub fn wait_for_line(child: &mut Child, line: &str) {
    let mut stdout = child.stdout.take().expect("its output");
    let wanted = line.to_owned();
    let listening = thread::spawn(move || {
        let mut lines = BufReader::new(&mut stdout).lines().map_while(Result::ok);
        let heard = lines.any(|output| output == wanted);
        (heard, stdout)
    });
    let (_, (heard, stdout)) = patiently(listening, || {
        let _ = child.kill();
    });
    child.stdout = Some(stdout);
    assert!(heard, "it never output {line:?}");
}

/// Waits for a thread that waits for a program; if it takes longer than [`PATIENCE`], `kill` has to
/// end the program. Whether it was in time, and what the thread returns.
fn patiently<T>(waiting: thread::JoinHandle<T>, kill: impl FnOnce()) -> (bool, T) {
    let deadline = Instant::now() + PATIENCE;
    while !waiting.is_finished() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(2));
    }
    let in_time = waiting.is_finished();
    if !in_time {
        kill();
    }
    (in_time, waiting.join().expect("no panic"))
}

/// Runs several scenarios side by side: most of each is waiting.
pub fn side_by_side<T: Sync>(scenarios: &[T], run: impl Fn(&T) + Sync) {
    let run = &run;
    thread::scope(|scope| {
        for scenario in scenarios {
            scope.spawn(move || run(scenario));
        }
    });
}

/// An error of the program, as a log call would record it.
pub fn error(alerts: &Handle, message: &str) {
    alerts.record(&Event::new(Level::Error, message).target("pump"));
}

/// The prefix of the texts of the program `pump`, with what follows it.
pub fn text(rest: &str) -> String {
    format!("[Rust Logger pump] {rest}")
}

/// Flushes, and makes sure that nothing is left to send.
#[track_caller]
pub fn flush_all(alerts: &Handle) {
    let report = alerts.flush(PATIENCE);
    assert!(report.is_complete(), "{report}\n{}", alerts.health());
}

/// The health of a program's only destination.
#[track_caller]
pub fn health(alerts: &Handle) -> DestinationHealth {
    let mut health = alerts.health();
    assert_eq!(health.destinations.len(), 1, "{health}");
    health.destinations.remove(0)
}

/// Waits until the only destination is refused for good, and hands over why.
#[track_caller]
pub fn wait_for_latch(alerts: &Handle) -> String {
    let mut why = None;
    wait_for("a refusal", || match health(alerts).state {
        State::Latched { refusal, .. } => !why.insert(refusal).is_empty(),
        _ => false,
    });
    why.unwrap_or_default()
}

/// Waits until `met` holds.
#[track_caller]
pub fn wait_for(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A directory for this test alone. Not below the system's directory for temporary files: a spool
/// that everybody may write beside is refused.
pub fn scratch(what: &str) -> PathBuf {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    // Not the process's number: a memory file that an earlier process of that number left would be
    // taken for this one's.
    static START: OnceLock<u128> = OnceLock::new();
    let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let start = START.get_or_init(|| now().as_nanos());
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let this = std::env::current_exe().expect("a program has a path");
    this.with_file_name(format!("e2e-{what}-{start:x}-{serial}"))
}

/// Every file below a directory; none if there is no such directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Whether `haystack` holds `needle`.
pub fn holds(haystack: &[u8], needle: impl AsRef<OsStr>) -> bool {
    let needle = needle.as_ref().as_encoded_bytes();
    !needle.is_empty() && haystack.windows(needle.len()).any(|window| window == needle)
}
