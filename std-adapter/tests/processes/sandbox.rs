//! A directory for one test, the programs started in it, and what they leave there.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annunciator::health::DestinationHealth;
use annunciator::transport::{Code, Message, Outcome, Receipt, Refusal, RefusalClass, Transport};
use annunciator::{Annunciator, Builder, Event, Handle, Level};
use tempfile::TempDir;

use super::common::{PATIENCE, wait_for};

pub(crate) const PART: &str = "ANNUNCIATOR_PROCESSES_PART";
pub(crate) const HOME: &str = "ANNUNCIATOR_PROCESSES_HOME";
/// The name of the child's program, if it is not the usual one.
pub(crate) const NAME: &str = "ANNUNCIATOR_PROCESSES_NAME";
/// Set for a part that is to call `process::exit`.
pub(crate) const EXIT: &str = "ANNUNCIATOR_PROCESSES_EXIT";
/// Longer than any test.
pub(crate) const AGES: Duration = Duration::from_secs(3600);

/// Appends each text to a file, as a line.
pub(crate) struct Phone(pub(crate) PathBuf);

/// Takes nothing.
pub(crate) struct Barred;

impl Transport for Barred {
    fn send(&mut self, _: &Message<'_>) -> Outcome {
        Outcome::Refused(Refusal::new(RefusalClass::Channel, Code::NONE))
    }
}

impl Transport for Phone {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(format!("{}\n", message.text).as_bytes()).unwrap();
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

/// A directory for one test: spool, phone, and the file by which a child says that it is ready.
pub(crate) struct Sandbox(pub(crate) TempDir);

impl Sandbox {
    pub(crate) fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().unwrap())
    }

    pub(crate) fn command(&self, part: &str) -> Command {
        // Built for another machine it needs its emulator in front.
        let emulator = std::env::var("ANNUNCIATOR_TESTS_EMULATOR").unwrap_or_default();
        let this = std::env::current_exe().unwrap().into_os_string();
        let mut words = emulator.split_whitespace().map(OsString::from).chain([this]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command
            .args(["--exact", "run_part", "--ignored", "--nocapture"])
            .env(PART, part)
            .env(HOME, self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    pub(crate) fn spawn(&self, part: &str) -> Child {
        self.command(part).spawn().unwrap()
    }

    /// Starts a part, waits until it says that it is ready, and kills it.
    pub(crate) fn kill(&self, mut command: Command) {
        let mut child = command.spawn().unwrap();
        self.wait_for_sign();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills three programs that ran side by side and had an ERROR each: one, two, three.
    pub(crate) fn kill_three(&self) {
        let mut children = Vec::new();
        for part in ["ERROR:one", "ERROR:two", "ERROR:three"] {
            children.push(self.spawn(part));
            self.wait_for_sign();
        }
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits until the texts hold each of these words.
    #[track_caller]
    pub(crate) fn wait_for_words(&self, words: &[&str]) {
        wait_for("all to be sent", || {
            let texts = self.texts().concat();
            words.iter().all(|word| texts.contains(word))
        });
    }

    /// Starts once more and ends; hands over the texts of before, which are still all.
    #[track_caller]
    pub(crate) fn next_start_sends_nothing(&self) -> Vec<String> {
        let texts = self.texts();
        drop(builder(self.0.path()).start().unwrap());
        assert_eq!(self.texts(), texts, "nothing is sent twice");
        texts
    }

    pub(crate) fn wait_for_sign(&self) {
        let sign = self.0.path().join("ready");
        wait_for("a sign", || sign.exists());
        std::fs::remove_file(sign).unwrap();
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        let phone = std::fs::read_to_string(self.0.path().join("phone")).unwrap_or_default();
        phone.lines().map(str::to_owned).collect()
    }

    pub(crate) fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    /// Names of the spool's files.
    pub(crate) fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    pub(crate) fn file(&self, end: &str) -> PathBuf {
        let name = self.names().into_iter().find(|name| name.ends_with(end));
        self.spool().join(name.unwrap_or_else(|| panic!("{end} among {:?}", self.names())))
    }

    /// The memory files of these programs, wherever they are.
    pub(crate) fn memory_files(&self) -> Vec<PathBuf> {
        let stem = self.memory_stem();
        let ours = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with(&stem);
        runtime_files().into_iter().filter(ours).collect()
    }

    /// How their names begin: with a hash of the spool directory and the destination.
    pub(crate) fn memory_stem(&self) -> String {
        let fnv = |hash: u64, bytes: &[u8]| {
            let step =
                |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
            bytes.iter().fold(hash, step)
        };
        let start = 0xcbf2_9ce4_8422_2325;
        let key = fnv(start, b"transport\nphone");
        let key = (key ^ (key >> 32)) as u32;
        let hash = self
            .spool()
            .components()
            .fold(start, |hash, part| fnv(fnv(hash, part.as_os_str().as_encoded_bytes()), b"\0"));
        format!("m{:016x}-", fnv(hash, &key.to_le_bytes()))
    }
}

/// All files of this kind of program in memory, wherever they are.
pub(crate) fn runtime_files() -> Vec<PathBuf> {
    let variables = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].map(std::env::var_os);
    let dirs = variables.into_iter().flatten().chain(["/run".into(), "/dev/shm".into()]);
    let list = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let own = dirs.flat_map(|base| list(base.into())).map(|own| own.path());
    let own = own.filter(|own| own.to_string_lossy().contains("/annunciator-"));
    own.flat_map(list).map(|file| file.path()).collect()
}

pub(crate) fn names(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("spool")).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn builder(home: &Path) -> Builder {
    with(home, Phone(home.join("phone")))
}

pub(crate) fn with(home: &Path, phone: impl Transport + Send + 'static) -> Builder {
    Annunciator::builder(std::env::var(NAME).unwrap_or_else(|_| "processes".to_owned()))
        .environment(|_| None)
        .transport("phone", phone)
        .hold(Duration::ZERO, Duration::ZERO)
        .interval(Duration::ZERO, Duration::ZERO)
        .budget(1000, 1000)
        .spool_size(8 * 1024)
        .spool(home.join("spool"))
        // A drop comes to its end, however slow the disk is.
        .drop_timeout(PATIENCE)
}

/// One that sends nothing and commits nothing by itself as long as the test runs.
pub(crate) fn silent(home: &Path) -> Annunciator {
    builder(home).hold(AGES, AGES).commit_within(AGES, AGES).start().unwrap()
}

/// One without a disk, whose memory file is all that it has.
pub(crate) fn diskless(home: &Path, phone: impl Transport + Send + 'static) -> Builder {
    // A name of its own: what another run of these tests has left is no news.
    let name = format!("diskless-{}", home.file_name().unwrap().to_string_lossy());
    let builder = Annunciator::builder(name).environment(|_| None).without_spool();
    builder.transport("phone", phone).hold(Duration::ZERO, Duration::ZERO).drop_timeout(PATIENCE)
}

/// Memory files that hold these words, of whatever program.
pub(crate) fn memory_with(words: &str) -> usize {
    let files = runtime_files().into_iter().filter_map(|file| std::fs::read(file).ok());
    files.filter(|bytes| bytes.windows(words.len()).any(|part| part == words.as_bytes())).count()
}

pub(crate) fn record(alerts: &Handle, level: Level, message: &str) {
    alerts.record(&Event::new(level, message).target("processes"));
}

pub(crate) fn destination(alerts: &Handle) -> DestinationHealth {
    alerts.health().destinations.remove(0)
}

/// Waits for a part to end by itself, longer than it waits for anything itself. One that does not
/// is killed, so that nothing of a failed test stays behind.
#[track_caller]
pub(crate) fn ends_well(mut child: Child) {
    let deadline = Instant::now() + 3 * PATIENCE;
    let mut ended = None;
    while ended.is_none() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
        ended = child.try_wait().unwrap();
    }
    if ended.is_none() {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
}
