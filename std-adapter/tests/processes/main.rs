//! Programs that crash, fork, or find what others left: this test program, started again as a child
//! process, with a transport that writes its texts into a file.

mod forked;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annunciator::annunciator_core::ring::OPEN_AT;
use annunciator::annunciator_core::transport::{
    Code, Message, Outcome, Receipt, Refusal, RefusalClass, Retry, Transport,
};
use annunciator::{Annunciator, Builder, DestinationHealth, Event, Handle, Level};
use tempfile::TempDir;

const PART: &str = "ANNUNCIATOR_PROCESSES_PART";
const HOME: &str = "ANNUNCIATOR_PROCESSES_HOME";
/// The name of the child's program, if it is not the usual one.
const NAME: &str = "ANNUNCIATOR_PROCESSES_NAME";
/// Set for a part that is to call `process::exit`.
const EXIT: &str = "ANNUNCIATOR_PROCESSES_EXIT";
/// The longest wait for what should happen soon.
const PATIENCE: Duration = Duration::from_secs(40);
/// Longer than any test.
const AGES: Duration = Duration::from_secs(3600);

/// Appends each text to a file, as a line.
struct Phone(PathBuf);

/// Takes nothing.
struct Barred;

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
struct Sandbox(TempDir);

impl Sandbox {
    fn new() -> Sandbox {
        Sandbox(tempfile::tempdir().unwrap())
    }

    fn command(&self, part: &str) -> Command {
        // Built for another machine it needs its emulator in front.
        let emulator = std::env::var("ANNUNCIATOR_TESTS_EMULATOR").unwrap_or_default();
        let this = std::env::current_exe().unwrap().into_os_string();
        let mut words = emulator.split_whitespace().map(OsString::from).chain([this]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command
            .args(["--exact", "run_part", "--nocapture"])
            .env(PART, part)
            .env(HOME, self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    fn spawn(&self, part: &str) -> Child {
        self.command(part).spawn().unwrap()
    }

    /// Starts a part, waits until it says that it is ready, and kills it.
    fn kill(&self, mut command: Command) {
        let mut child = command.spawn().unwrap();
        self.wait_for_sign();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Kills three programs that ran side by side and had an ERROR each: one, two, three.
    fn kill_three(&self) {
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
    fn wait_for_words(&self, words: &[&str]) {
        wait_for("all to be sent", || {
            let texts = self.texts().concat();
            words.iter().all(|word| texts.contains(word))
        });
    }

    /// Starts once more and ends; hands over the texts of before, which are still all.
    #[track_caller]
    fn next_start_sends_nothing(&self) -> Vec<String> {
        let texts = self.texts();
        drop(builder(self.0.path()).start().unwrap());
        assert_eq!(self.texts(), texts, "nothing is sent twice");
        texts
    }

    fn wait_for_sign(&self) {
        let sign = self.0.path().join("ready");
        wait_for("a sign", || sign.exists());
        std::fs::remove_file(sign).unwrap();
    }

    fn texts(&self) -> Vec<String> {
        let phone = std::fs::read_to_string(self.0.path().join("phone")).unwrap_or_default();
        phone.lines().map(str::to_owned).collect()
    }

    fn spool(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    /// Names of the spool's files.
    fn names(&self) -> Vec<String> {
        names(self.0.path())
    }

    fn file(&self, end: &str) -> PathBuf {
        let name = self.names().into_iter().find(|name| name.ends_with(end));
        self.spool().join(name.unwrap_or_else(|| panic!("{end} among {:?}", self.names())))
    }

    /// The memory files of these programs, wherever they are.
    fn memory_files(&self) -> Vec<PathBuf> {
        let stem = self.memory_stem();
        let ours = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with(&stem);
        runtime_files().into_iter().filter(ours).collect()
    }

    /// How their names begin: with a hash of the spool directory and the destination.
    fn memory_stem(&self) -> String {
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
fn runtime_files() -> Vec<PathBuf> {
    let variables = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"].map(std::env::var_os);
    let dirs = variables.into_iter().flatten().chain(["/run".into(), "/dev/shm".into()]);
    let list = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let own = dirs.flat_map(|base| list(base.into())).map(|own| own.path());
    let own = own.filter(|own| own.to_string_lossy().contains("/annunciator-"));
    own.flat_map(list).map(|file| file.path()).collect()
}

fn names(home: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(home.join("spool")).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn builder(home: &Path) -> Builder {
    with(home, Phone(home.join("phone")))
}

fn with(home: &Path, phone: impl Transport + Send + 'static) -> Builder {
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
fn silent(home: &Path) -> Annunciator {
    builder(home).hold(AGES, AGES).commit_within(AGES, AGES).start().unwrap()
}

/// One without a disk, whose memory file is all that it has.
fn diskless(home: &Path, phone: impl Transport + Send + 'static) -> Builder {
    // A name of its own: what another run of these tests has left is no news.
    let name = format!("diskless-{}", home.file_name().unwrap().to_string_lossy());
    let builder = Annunciator::builder(name).environment(|_| None).without_spool();
    builder.transport("phone", phone).hold(Duration::ZERO, Duration::ZERO).drop_timeout(PATIENCE)
}

/// Memory files that hold these words, of whatever program.
fn memory_with(words: &str) -> usize {
    let files = runtime_files().into_iter().filter_map(|file| std::fs::read(file).ok());
    files.filter(|bytes| bytes.windows(words.len()).any(|part| part == words.as_bytes())).count()
}

fn record(alerts: &Handle, level: Level, message: &str) {
    alerts.record(&Event::new(level, message).target("processes"));
}

fn destination(alerts: &Handle) -> DestinationHealth {
    alerts.health().destinations.remove(0)
}

#[track_caller]
fn wait_for(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !met() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a part to end by itself, longer than it waits for anything itself. One that does not
/// is killed, so that nothing of a failed test stays behind.
#[track_caller]
fn ends_well(mut child: Child) {
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

/// Not a test of its own: what a child process runs.
#[test]
fn run_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let home = PathBuf::from(std::env::var_os(HOME).unwrap());
    match part.as_str() {
        "fork" => return forked::run(&home),
        "no disk" => {
            let _alerts = diskless(&home, Barred).start().unwrap();
            std::fs::write(home.join("ready"), "").unwrap();
            return std::thread::sleep(PATIENCE);
        }
        "busy fork" => return forked::run_busy(&home),
        _ => {}
    }
    let alerts = silent(&home);
    for word in part.split(' ') {
        if word == "rest" {
            wait_for("the state on the disk", || destination(&alerts).spool.disk.syncs > 1);
            continue;
        }
        let (level, message) = word.split_once(':').unwrap();
        record(&alerts, level.parse().unwrap(), message);
    }
    std::fs::write(home.join("ready"), "").unwrap();
    if std::env::var_os(EXIT).is_some() {
        std::process::exit(0);
    }
    std::thread::sleep(PATIENCE);
}

#[test]
fn what_was_logged_survives_a_kill_in_memory_alone() {
    let home = Sandbox::new();
    home.kill(home.command("WARN:low ERROR:none ERROR:none"));
    let alerts = builder(home.0.path()).start().unwrap();
    assert!(destination(&alerts).spool.after_crash);
    wait_for("a text", || !home.texts().is_empty());
    assert_eq!(
        home.texts(),
        ["[Rust Logger processes] restarted after a crash: WARN: low, ERROR: none (x2)"]
    );
}

#[test]
fn an_error_outlives_its_container_because_the_call_wrote_it() {
    let home = Sandbox::new();
    let mut command = home.command("rest WARN:low ERROR:first ERROR:second ERROR:first");
    command.env("container", "a sign of one");
    home.kill(command);
    for memory in home.memory_files() {
        std::fs::remove_file(memory).unwrap();
    }
    let alerts = builder(home.0.path()).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    let texts = home.texts();
    assert!(texts[0].contains("ERROR: first (x2)"), "{texts:?}");
    assert!(texts[0].contains("ERROR: second"), "{texts:?}");
    assert!(!texts[0].contains("WARN: low"), "it was not committed: {texts:?}");
    let trouble = destination(&alerts).spool.trouble.unwrap_or_default();
    assert!(trouble.contains("was gone after a crash"), "{trouble}");
}

#[test]
fn the_rings_of_dead_neighbours_are_served_once_and_free_then() {
    let home = Sandbox::new();
    home.kill_three();
    assert_eq!(home.memory_files().len(), 3);

    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["one", "two", "three"]);
    wait_for("their memory files to be gone", || home.memory_files().len() == 1);
    drop(alerts);
    let texts = home.next_start_sends_nothing();
    for word in ["one", "two", "three"] {
        assert_eq!(texts.concat().matches(word).count(), 1, "{texts:?}");
    }
    // The first of them reports all three ends, whoever's it is.
    let ends = ["restarted after 3 crashes", "3 ends without a word"];
    let sent = ends.map(|words| texts.concat().matches(words).count());
    assert_eq!(sent.iter().sum::<usize>(), 1, "{texts:?}");
}

#[test]
fn a_dead_neighbours_events_come_in_a_text_of_their_own_under_its_name() {
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    let alerts = builder(home.0.path()).start().unwrap();
    record(&alerts, Level::Error, "of my own");
    home.wait_for_words(&["valve-stuck", "of my own"]);
    wait_for("its memory file to be gone", || home.memory_files().len() == 1);
    drop(alerts);
    let mut texts = home.next_start_sends_nothing();
    texts.sort();
    assert_eq!(
        texts,
        [
            "[Rust Logger neighbour] ended without a word: ERROR: valve-stuck",
            "[Rust Logger processes] ERROR: of my own",
        ]
    );
}

#[test]
fn programs_that_die_over_and_over_lose_and_double_nothing() {
    let home = Sandbox::new();
    let mut words = Vec::new();
    for round in 0..8 {
        let mut children = Vec::new();
        for number in 0..3 {
            // Some die with what they have in memory alone, some have taken others' rings up.
            let name = ["pump", "valve", "processes"][(round + number) % 3];
            // Numbers would make one kind of them, and that is repeated less and less often.
            let letter = |number: usize| char::from(b'a' + number as u8);
            let word = format!("trouble-{}-{}", letter(round), letter(number));
            children.push(home.command(&format!("ERROR:{word}")).env(NAME, name).spawn().unwrap());
            home.wait_for_sign();
            words.push((name, word));
        }
        for index in [round % 3, (round + 1) % 3, (round + 2) % 3] {
            children[index].kill().unwrap();
            children[index].wait().unwrap();
        }
    }
    let alerts = builder(home.0.path()).start().unwrap();
    let all: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    home.wait_for_words(&all);
    wait_for("all to be settled", || home.memory_files().len() == 1);
    drop(alerts);
    let texts = home.next_start_sends_nothing();
    for (name, word) in words {
        let sent: Vec<&String> = texts.iter().filter(|text| text.contains(&word)).collect();
        assert_eq!(sent.len(), 1, "{word}: {texts:?}");
        let prefix = format!("[Rust Logger {name}] ");
        assert!(sent[0].starts_with(&prefix), "{word} of {name}: {}", sent[0]);
    }
}

#[test]
fn an_orphan_whose_server_dies_is_served_by_the_next() {
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    // This one begins to serve it, and is killed before anything is sent.
    home.kill(home.command("rest ERROR:pump-dry"));
    assert!(home.texts().is_empty(), "{:?}", home.texts());
    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["valve-stuck", "pump-dry"]);
    drop(alerts);
    let texts = home.next_start_sends_nothing().concat();
    for word in ["[Rust Logger neighbour] ", "valve-stuck", "pump-dry"] {
        assert_eq!(texts.matches(word).count(), 1, "{texts}");
    }
    // That it was served twice is not another end.
    let ends = ["restarted after 2 crashes", "2 ends without a word"];
    let sent: usize = ends.iter().map(|words| texts.matches(words).count()).sum();
    assert_eq!(sent, 1, "{texts}");
}

#[test]
fn an_orphan_that_waits_for_the_service_holds_up_nobody() {
    /// Cannot send the neighbour's texts.
    struct Picky(Phone);
    impl Transport for Picky {
        fn send(&mut self, message: &Message<'_>) -> Outcome {
            match message.text.contains("neighbour") {
                true => Outcome::Retry(Retry::failure(Code::NONE)),
                false => self.0.send(message),
            }
        }
    }
    let home = Sandbox::new();
    let mut neighbour = home.command("ERROR:valve-stuck");
    neighbour.env(NAME, "neighbour");
    home.kill(neighbour);
    let phone = Picky(Phone(home.0.path().join("phone")));
    let alerts = with(home.0.path(), phone).start().unwrap();
    for word in ["first", "second", "third"] {
        record(&alerts, Level::Error, word);
        home.wait_for_words(&[word]);
    }
    drop(alerts);
    assert!(!home.texts().concat().contains("valve-stuck"));
    // It is left to the next one.
    drop(builder(home.0.path()).start().unwrap());
    assert!(home.texts().concat().contains("valve-stuck"), "{:?}", home.texts());
}

#[test]
fn memory_of_the_dead_that_had_no_disk_is_served() {
    let home = Sandbox::new();
    // A file is where the spool directory should be.
    std::fs::write(home.spool(), "").unwrap();
    home.kill_three();
    std::fs::remove_file(home.spool()).unwrap();
    let alerts = builder(home.0.path()).start().unwrap();
    home.wait_for_words(&["one", "two", "three"]);
    drop(alerts);
    home.next_start_sends_nothing();
}

#[test]
fn a_crash_that_nobody_has_heard_of_outlives_a_clean_end_without_a_disk() {
    let home = Sandbox::new();
    home.kill(home.command("no disk"));
    // Nothing waits but that; it is refused, and this run ends as it should.
    drop(diskless(home.0.path(), Barred).start().unwrap());
    drop(diskless(home.0.path(), Phone(home.0.path().join("phone"))).start().unwrap());
    let texts = home.texts();
    assert!(texts.len() == 1 && texts[0].contains("restarted after a crash"), "{texts:?}");
}

#[test]
fn a_run_that_begins_after_an_end_has_its_memory_file_again() {
    let home = Sandbox::new();
    let alerts = diskless(home.0.path(), Phone(home.0.path().join("phone"))).start().unwrap();
    let handle = alerts.handle();
    let prefix =
        format!("[Rust Logger diskless-{}] ", home.0.path().file_name().unwrap().display());
    record(&alerts, Level::Error, "before the end");
    drop(alerts);
    assert_eq!(memory_with(&prefix), 0, "nothing is left");
    record(&handle, Level::Error, "behind the end");
    wait_for("a memory file", || memory_with(&prefix) == 1);
}

#[test]
fn a_disk_that_comes_back_is_taken_up_with_what_was_on_it() {
    let home = Sandbox::new();
    let mut command = home.command("rest ERROR:before");
    command.env("container", "a sign of one");
    home.kill(command);
    for memory in home.memory_files() {
        std::fs::remove_file(memory).unwrap();
    }
    let away = home.0.path().join("away");
    std::fs::rename(home.spool(), &away).unwrap();
    std::fs::write(home.spool(), "").unwrap();
    let alerts = builder(home.0.path()).start().unwrap();
    let trouble = destination(&alerts).spool.trouble.unwrap_or_default();
    assert!(trouble.contains("is not a directory"), "{trouble}");
    std::fs::remove_file(home.spool()).unwrap();
    std::fs::rename(&away, home.spool()).unwrap();
    record(&alerts, Level::Error, "after");
    home.wait_for_words(&["before", "after"]);
    wait_for("health", || destination(&alerts).spool.trouble.is_none());
    assert_eq!(home.texts().concat().matches("before").count(), 1);
}

#[test]
fn a_clean_end_is_no_crash_and_leaves_no_memory_file() {
    let home = Sandbox::new();
    let alerts = builder(home.0.path()).start().unwrap();
    record(&alerts, Level::Error, "told");
    let memory = home.memory_files();
    assert_eq!(memory.len(), 1);
    drop(alerts);
    assert_eq!(home.texts().len(), 1);
    assert!(!memory[0].exists());
    assert!(!destination(&builder(home.0.path()).start().unwrap()).spool.after_crash);
}

#[test]
fn crashes_are_reported_once_and_in_a_loop_with_their_count() {
    let home = Sandbox::new();
    for _ in 0..3 {
        home.kill(home.command("WARN:low"));
    }
    let alerts = builder(home.0.path()).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    drop(alerts);
    drop(builder(home.0.path()).start().unwrap());
    let texts = home.texts();
    assert!(
        texts[0].starts_with("[Rust Logger processes] restarted after 3 crashes in "),
        "{texts:?}"
    );
    assert!(texts[0].ends_with(" min, WARN: low (x3)"), "{texts:?}");
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[test]
fn an_exit_without_a_drop_is_no_crash() {
    let home = Sandbox::new();
    ends_well(home.command("WARN:low").env(EXIT, "1").spawn().unwrap());
    let alerts = builder(home.0.path()).start().unwrap();
    assert!(!destination(&alerts).spool.after_crash);
    wait_for("a text", || !home.texts().is_empty());
    assert_eq!(home.texts(), ["[Rust Logger processes] WARN: low"]);
}

#[test]
fn an_owner_who_does_not_want_to_hear_of_crashes_does_not() {
    let home = Sandbox::new();
    home.kill(home.command("WARN:low"));
    let alerts = builder(home.0.path()).tell_crashes(false).start().unwrap();
    wait_for("a text", || !home.texts().is_empty());
    drop(alerts);
    assert_eq!(home.texts(), ["[Rust Logger processes] WARN: low"]);
}

#[test]
fn an_end_while_a_text_is_under_way_is_no_crash() {
    struct Slow(std::sync::mpsc::Receiver<()>);
    impl Transport for Slow {
        fn send(&mut self, _: &Message<'_>) -> Outcome {
            let _ = self.0.recv_timeout(PATIENCE);
            Outcome::Unknown(Code::NONE)
        }
    }
    let home = Sandbox::new();
    let (answer, slow) = std::sync::mpsc::channel();
    let alerts = with(home.0.path(), Slow(slow)).drop_timeout(Duration::ZERO).start().unwrap();
    let handle = alerts.handle();
    record(&alerts, Level::Error, "the service does not answer");
    wait_for("a text to leave", || format!("{:?}", destination(&handle).state) == "Sending");
    drop(alerts);
    wait_for("the mark", || {
        let mark = std::fs::read(home.file(".spool")).unwrap()[OPEN_AT];
        assert!(mark == 2 || mark == 0, "open, or closed");
        mark == 0
    });
    drop(answer);
}

#[test]
fn a_memory_file_removed_under_the_program_is_made_anew() {
    let home = Sandbox::new();
    let alerts = builder(home.0.path()).hold(AGES, AGES).start().unwrap();
    let memory = home.memory_files().remove(0);
    std::fs::remove_file(&memory).unwrap();
    record(&alerts, Level::Error, "after");
    wait_for("a memory file", || !home.memory_files().is_empty());
}

#[test]
fn of_a_damaged_spool_one_copy_is_kept_and_the_rest_is_reported() {
    let home = Sandbox::new();
    let alerts = with(home.0.path(), Barred).start().unwrap();
    record(&alerts, Level::Error, "sound");
    record(&alerts, Level::Error, "spoiled");
    assert_eq!(alerts.flush(PATIENCE).kept, 2);
    let mut bytes = std::fs::read(home.file(".spool")).unwrap();
    // As after a loss of power, in another directory: this process still locks the instance here.
    let other = Sandbox::new();
    std::fs::create_dir(other.spool()).unwrap();
    let at = position(&bytes, "spoiled").unwrap();
    bytes[at + 2] ^= 0x40;
    bytes[OPEN_AT] = 0;
    let name = home.file(".spool").file_name().unwrap().to_owned();
    std::fs::write(other.spool().join(&name), &bytes).unwrap();

    let alerts = builder(other.0.path()).start().unwrap();
    wait_for("the text", || !other.texts().is_empty());
    assert_eq!(other.texts(), ["[Rust Logger processes] ERROR: sound, 1 lost"]);
    assert_eq!(destination(&alerts).counters.lost.damaged, 1);
    assert_eq!(std::fs::read(other.file(".damaged")).unwrap(), bytes);
}

fn position(bytes: &[u8], word: &str) -> Option<usize> {
    bytes.windows(word.len()).position(|part| part == word.as_bytes())
}

#[test]
fn a_forked_child_counts_until_it_has_an_instance_of_its_own() {
    let home = Sandbox::new();
    ends_well(home.spawn("fork"));
    let texts = home.texts().concat();
    for word in ["of the parent", "of the child"] {
        assert_eq!(texts.matches(word).count(), 1, "{word} in {texts}");
    }
    assert!(!texts.contains("in between"), "{texts}");
}

#[test]
fn a_child_of_a_busy_parent_does_not_wait_for_its_locks() {
    let home = Sandbox::new();
    ends_well(home.spawn("busy fork"));
}
