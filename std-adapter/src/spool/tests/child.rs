//! Other processes: this test program, started again to play one part.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use super::*;

const PART: &str = "ANNUNCIATOR_SPOOL_TEST_PART";
const DIRECTORY: &str = "ANNUNCIATOR_SPOOL_TEST_DIRECTORY";
const PLACE: &str = "ANNUNCIATOR_SPOOL_TEST_PLACE";

/// A process that plays a part, and what it says.
pub(super) struct Child {
    process: std::process::Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Child {
    /// Has an instance with something in it, for ever.
    pub(super) fn hold(directory: &Path) -> Child {
        Child::start("hold", directory, Path::new("/nonexistent"))
    }

    /// Counts in the region's last slot, as fast as it can, for ever.
    pub(super) fn count(directory: &Path, place: &Path) -> Child {
        Child::start("count", directory, place)
    }

    /// Forks, and lets the child tell what it sees.
    pub(super) fn fork(directory: &Path, place: &Path) -> Child {
        Child::start("fork", directory, place)
    }

    /// Plays with a lowered limit to the size of files.
    pub(super) fn limited(directory: &Path, place: &Path) -> Child {
        Child::start("limited", directory, place)
    }

    /// Plays as root of a user and mount namespace of its own, with a directory to mount over.
    pub(super) fn in_namespace(part: &str, mount: &Path) -> Child {
        let mut command = Command::new("unshare");
        command.arg("-rm").args(this_program());
        Child::spawn(command, part, mount, Path::new("/nonexistent"))
    }

    fn start(part: &str, directory: &Path, place: &Path) -> Child {
        let words = this_program();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        Child::spawn(command, part, directory, place)
    }

    fn spawn(mut command: Command, part: &str, directory: &Path, place: &Path) -> Child {
        let starting = STARTING.lock().unwrap();
        let mut process = command
            .args(["--exact", "spool::tests::child::play", "--ignored", "--nocapture"])
            .env(PART, part)
            .env(DIRECTORY, directory)
            .env(PLACE, place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            // A grandchild may outlive the test; it must hold nothing that somebody waits for.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        let mut child = Child { process, lines };
        assert_eq!(child.line(), "up");
        drop(starting);
        child
    }

    /// The next thing it says.
    pub(super) fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert_ne!(read, 0, "the child ended");
            // Everything else is the test harness's own.
            if let Some((_, said)) = line.split_once("@@ ") {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// This very program; if it was built for another machine, behind the emulator that runs it, of
/// which `ANNUNCIATOR_TESTS_EMULATOR` holds the words.
fn this_program() -> Vec<OsString> {
    let emulator = std::env::var("ANNUNCIATOR_TESTS_EMULATOR").unwrap_or_default();
    let words = emulator.split_whitespace().map(OsString::from);
    words.chain([std::env::current_exe().unwrap().into()]).collect()
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "@@ {line}").unwrap();
    out.flush().unwrap();
}

/// Waits to be killed, but not for ever.
fn idle() {
    std::thread::sleep(std::time::Duration::from_secs(120));
}

#[test]
#[ignore = "plays the part it was started for"]
fn play() {
    let part = std::env::var(PART).expect("a test starts this");
    say("up");
    // The test shows why its other process gave up, not just that it did.
    std::panic::set_hook(Box::new(|info| say(&info.to_string().replace('\n', " "))));
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).unwrap());
    let dirs = RuntimeDirs::only(vec![std::env::var_os(PLACE).unwrap().into()]);
    match part.as_str() {
        "hold" => {
            let mut opened = start(&directory, &RuntimeDirs::only(Vec::new()));
            opened.serve(&["held"]);
            opened.commit();
            say(&format!("held {}", opened.spool().name()));
            idle();
        }
        "count" => {
            let mut opened = start(&directory, &dirs);
            opened.serve(&[]);
            say("counting");
            let (first, last) = (SIZE - 512, SIZE - 8);
            for count in 1u64.. {
                opened.region[first..first + 8].copy_from_slice(&count.to_le_bytes());
                opened.region[last..].copy_from_slice(&count.to_le_bytes());
                if count == 100_000 {
                    say("counted");
                }
                if count == 20_000_000_000 {
                    break;
                }
            }
        }
        "full disk" => disks::play_full_disk(&directory),
        "read-only disk" => disks::play_read_only_disk(&directory),
        "full runtime directory" => disks::play_full_runtime(&directory),
        "limited" => disks::play_limited(&directory, &dirs),
        "fork" => forked::play(&directory, &dirs),
        other => panic!("unknown part {other}"),
    }
    say("done");
}

mod forked {
    //! `fork` without libc: the raw system call, in a process with nothing to lose.
    #![allow(unsafe_code)]

    use super::*;

    pub(super) fn play(directory: &Path, dirs: &RuntimeDirs) {
        let guard = ForkGuard::new();
        let opened = start(directory, dirs);
        let copies = fork_copies(&opened.keeper, opened.spool.as_ref().ok());
        assert!(!guard.in_child());
        // SAFETY: the child touches nothing that other threads may hold: it reads a word, writes
        // to the pipe directly and ends.
        let pid = unsafe { fork() };
        if pid == 0 {
            let seen: &[u8] = if guard.in_child() { b"@@ child\n" } else { b"@@ fooled\n" };
            let mut opened = opened;
            // What a child must not be able to do to its parent, should it try.
            opened.close(true);
            // The worker's own copies are beyond its reach.
            copies.give_up();
            std::mem::forget(opened);
            let _ = rustix::io::write(rustix::stdio::stdout(), seen);
            idle();
            std::process::exit(0);
        }
        assert!(!guard.in_child());
        say("parent");
        idle();
    }

    unsafe extern "C" {
        safe fn getppid() -> i32;
        fn fork() -> i32;
    }

    #[test]
    fn the_c_library_is_the_one_we_think() {
        assert!(getppid() > 0);
    }
}
