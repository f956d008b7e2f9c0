//! Small systems lack what large ones have: a clock that is set, a disk that can be written, memory
//! that outlives a program, a home. The alert goes out all the same or waits, and the health report
//! says in words what is missing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use annunciator_tests::{Harness, ProgramOutput, run, text};

use crate::PROGRAM;

#[test]
#[cfg(target_pointer_width = "64")]
fn while_the_clock_stands_in_1970_alerts_wait_and_the_health_says_why() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "wake up in 1970"));
    let (before, after) = output.stdout.split_once("the clock is set").expect("both reports");
    assert!(before.contains("this machine's clock stands in 1970"), "{output:?}");
    assert!(before.contains("not valid yet") && before.contains("1 waiting"), "{output:?}");
    assert!(after.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
    assert!(harness.sim.counts().failed_handshakes >= 2);
    harness.sim.assert_clean();
}

/// Shell commands for a sandbox without memory that outlives a program.
const NO_TMPFS: &str = "mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs -o ro none /run";

/// A scenario that logs one error.
const REPORT: &[&str] = &["log and report", "no pressure"];

/// Runs the program without a spool of its own in a sandbox. `make` is the shell commands that set
/// the sandbox up, `behind` is put before the program. `None` if this user may not make sandboxes.
fn in_a_sandbox(
    harness: &Harness,
    make: &str,
    behind: &str,
    scenario: &[&str],
) -> Option<ProgramOutput> {
    let unshare = |words: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", words, "sh"]);
        command
    };
    let may = unshare("mount -t tmpfs none /mnt").output();
    if !may.is_ok_and(|output| output.status.success()) {
        // As `.ci/run` requires them.
        let required = std::env::var_os("ANNUNCIATOR_TESTS_NAMESPACES").is_some();
        assert!(!required, "no namespaces for this user");
        eprintln!("no namespaces for this user: left out");
        return None;
    }
    let program = harness.program(PROGRAM, scenario[0]);
    let mut command = unshare(&format!("{make} && exec {behind} \"$@\""));
    command
        .arg(program.get_program())
        .args(program.get_args())
        .args(&scenario[1..])
        .env_clear()
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env_remove("ALERT_SPOOL")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Some(run(&mut command))
}

#[test]
fn with_a_read_only_root_and_no_tmpfs_alerts_go_out_of_memory() {
    let harness = Harness::new();
    // Whoever ran an example here as root has a spool below /var/lib; not in this sandbox.
    let empty = "mount -t tmpfs -o ro,mode=755 none /var/lib";
    let make = format!("{NO_TMPFS} && {empty} && mount -o remount,bind,ro /");
    let Some(output) = in_a_sandbox(&harness, &make, "", REPORT) else { return };
    assert!(output.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
    let words = "/var/lib/annunciator: the file system is mounted read-only";
    assert!(output.stdout.contains(words), "{output:?}");
    assert!(output.stdout.contains("events end with the program"), "{output:?}");
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn without_a_home_alerts_go_out_of_memory() {
    let harness = Harness::new();
    let ordinary = "unshare -U --map-user=1000 --map-group=1000";
    let Some(output) = in_a_sandbox(&harness, NO_TMPFS, ordinary, REPORT) else { return };
    assert!(output.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
    assert!(output.stdout.contains("neither ALERT_SPOOL nor HOME"), "{output:?}");
    assert_eq!(output.stderr.matches(": neither ALERT_SPOOL nor HOME").count(), 1, "{output:?}");
    assert!(output.stdout.contains("events end with the program"), "{output:?}");
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn without_a_tmpfs_errors_are_written_to_the_disk_by_their_caller() {
    let harness = Harness::new();
    let spool = format!("{NO_TMPFS} && export ALERT_SPOOL={}", quoted(harness.spool()));
    let Some(output) = in_a_sandbox(&harness, &spool, "", REPORT) else { return };
    assert!(output.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
    assert!(output.stdout.contains("errors survive a crash"), "{output:?}");
    assert_eq!(harness.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn while_the_disk_is_full_alerts_go_out_of_memory_and_then_it_is_taken_up() {
    let harness = Harness::new();
    fs::create_dir_all(harness.spool()).unwrap();
    let disk = quoted(harness.spool());
    // As much as there is room for, which is less than it wants.
    let fill = format!("{{ head -c 1000000 /dev/zero > {disk}/filler 2>/dev/null; true; }}");
    let make = format!(
        "{NO_TMPFS} && mount -t tmpfs -o size=160k,mode=700 none {disk} && {fill} \
         && export ALERT_SPOOL={disk}/spool"
    );
    let (free, fill) = (format!("$ rm {disk}/filler"), format!("$ {fill}"));
    let scenario =
        ["log and obey", "no pressure", &free, "until well", "no flow", &fill, "no pump"];
    let Some(output) = in_a_sandbox(&harness, &make, "", &scenario) else { return };
    let reports: Vec<&str> = output.stdout.split("-- ").skip(1).collect();
    let [full, well, room, full_again] = reports[..] else { panic!("{output:?}") };
    assert!(full.contains("1 sent, 0 kept, 0 in memory alone"), "{output:?}");
    assert!(full.contains("free some space"), "{output:?}");
    assert!(full.contains("events end with the program"), "{output:?}");
    assert!(well.contains("all events a power cut once committed"), "{output:?}");
    // What it has made its own it can write to, however full the rest is.
    for report in [well, room, full_again] {
        assert!(report.contains("good: true"), "{output:?}");
    }
    let texts = harness.texts();
    for words in ["no pressure", "no flow", "no pump"] {
        let naming = texts.iter().filter(|text| text.contains(&format!("ERROR: {words}")));
        assert_eq!(naming.count(), 1, "{texts:?}");
    }
}

/// As one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
