//! Small systems lack what large ones have: a clock that is set, a disk that can be written, memory
//! that outlives a program, a home. The alert goes out all the same or waits, and the health report
//! says in words what is missing.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use annunciator_tests::{Said, Stage, run, text};

use crate::PROGRAM;

#[test]
#[cfg(target_pointer_width = "64")]
fn while_the_clock_stands_in_1970_alerts_wait_and_the_health_says_why() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "wake up in 1970"));
    let (before, after) = said.stdout.split_once("the clock is set").expect("both reports");
    assert!(before.contains("this machine's clock stands in 1970"), "{said:?}");
    assert!(before.contains("not valid yet") && before.contains("1 waiting"), "{said:?}");
    assert!(after.contains("1 sent, 0 kept, 0 in memory alone"), "{said:?}");
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
    assert!(stage.sim.counts().failed_handshakes >= 2);
    stage.sim.assert_clean();
}

/// A world without memory that outlives a program, for who runs these words of a shell.
const NO_TMPFS: &str = "mount -t tmpfs -o ro none /dev/shm && mount -t tmpfs -o ro none /run";

/// A story that logs one error.
const REPORT: &[&str] = &["log and report", "no pressure"];

/// Has the program play a story without a spool of its own, after these words of a shell have made a
/// world for it, and behind these words. `None` if this user may not make worlds.
fn in_a_world(stage: &Stage, make: &str, behind: &str, story: &[&str]) -> Option<Said> {
    let unshare = |words: &str| {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", words, "sh"]);
        command
    };
    let may = unshare(&format!("{make} && exec {behind} true")).output();
    if !may.is_ok_and(|output| output.status.success()) {
        eprintln!("no namespaces for this user: left out");
        return None;
    }
    let program = stage.program(PROGRAM, story[0]);
    let mut command = unshare(&format!("{make} && exec {behind} \"$@\""));
    command
        .arg(program.get_program())
        .args(program.get_args())
        .args(&story[1..])
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
    let stage = Stage::new();
    // Whoever ran an example here as root has a spool below /var/lib; not in this world.
    let empty = "mount -t tmpfs -o ro,mode=755 none /var/lib";
    let make = format!("{NO_TMPFS} && {empty} && mount -o remount,bind,ro /");
    let Some(said) = in_a_world(&stage, &make, "", REPORT) else { return };
    assert!(said.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{said:?}");
    let words = "/var/lib/annunciator: the file system is mounted read-only";
    assert!(said.stdout.contains(words), "{said:?}");
    assert!(said.stdout.contains("events end with the program"), "{said:?}");
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn without_a_home_alerts_go_out_of_memory() {
    let stage = Stage::new();
    let ordinary = "unshare -U --map-user=1000 --map-group=1000";
    let Some(said) = in_a_world(&stage, NO_TMPFS, ordinary, REPORT) else { return };
    assert!(said.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{said:?}");
    assert!(said.stdout.contains("neither ALERT_SPOOL nor HOME"), "{said:?}");
    assert_eq!(said.stderr.matches(": neither ALERT_SPOOL nor HOME").count(), 1, "{said:?}");
    assert!(said.stdout.contains("events end with the program"), "{said:?}");
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn without_a_tmpfs_errors_are_written_to_the_disk_by_their_caller() {
    let stage = Stage::new();
    let spool = format!("{NO_TMPFS} && export ALERT_SPOOL={}", quoted(stage.spool()));
    let Some(said) = in_a_world(&stage, &spool, "", REPORT) else { return };
    assert!(said.stdout.contains("1 sent, 0 kept, 0 in memory alone"), "{said:?}");
    assert!(said.stdout.contains("errors survive a crash"), "{said:?}");
    assert_eq!(stage.texts(), [text("ERROR: no pressure")]);
}

#[test]
fn while_the_disk_is_full_alerts_go_out_of_memory_and_then_it_is_taken_up() {
    let stage = Stage::new();
    fs::create_dir_all(stage.spool()).unwrap();
    let disk = quoted(stage.spool());
    // As much as there is room for, which is less than it wants.
    let fill = format!("{{ head -c 1000000 /dev/zero > {disk}/filler 2>/dev/null; true; }}");
    let make = format!(
        "{NO_TMPFS} && mount -t tmpfs -o size=160k,mode=700 none {disk} && {fill} \
         && export ALERT_SPOOL={disk}/spool"
    );
    let (free, fill) = (format!("$ rm {disk}/filler"), format!("$ {fill}"));
    let story = ["log and obey", "no pressure", &free, "until well", "no flow", &fill, "no pump"];
    let Some(said) = in_a_world(&stage, &make, "", &story) else { return };
    let reports: Vec<&str> = said.stdout.split("-- ").skip(1).collect();
    let [full, well, room, full_again] = reports[..] else { panic!("{said:?}") };
    assert!(full.contains("1 sent, 0 kept, 0 in memory alone"), "{said:?}");
    assert!(full.contains("free some space"), "{said:?}");
    assert!(full.contains("events end with the program"), "{said:?}");
    assert!(well.contains("all events a power cut once committed"), "{said:?}");
    // What it has made its own it can write to, however full the rest is.
    for report in [well, room, full_again] {
        assert!(report.contains("good: true"), "{said:?}");
    }
    let texts = stage.texts();
    for words in ["no pressure", "no flow", "no pump"] {
        let naming = texts.iter().filter(|text| text.contains(&format!("ERROR: {words}")));
        assert_eq!(naming.count(), 1, "{texts:?}");
    }
}

/// As one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
