//! Panics: recorded behind the hook that was there, reported above ERROR, also if the process ends.

use std::os::unix::process::ExitStatusExt as _;

use annunciator_tests::{Harness, run};

use crate::PROGRAM;

#[test]
fn a_panic_of_a_thread_is_reported_and_the_hook_before_ran_first() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "panic in a thread"));
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = output.stdout.lines().collect();
    assert!(lines[0].starts_with("previous hook: panicked at "), "{output:?}");
    assert!(output.stdout.contains("valve 7 burst; recorded so far: 0"), "{output:?}");
    assert!(output.stdout.contains("\nwent on: true\n"), "{output:?}");
    assert!(output.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{output:?}");
    let texts = harness.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.starts_with("[Rust Logger pump] PANIC: valve 7 burst, "), "{text}");
    assert!(text.contains("child.rs:") && text.ends_with(", thread inlet"), "{text}");
}

#[test]
fn a_panic_of_main_is_reported_before_the_program_ends() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "panic in main"));
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    assert!(output.stderr.contains("panicked at"), "the hook before still speaks: {output:?}");
    let texts = harness.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.starts_with("[Rust Logger pump] PANIC: a valve, "), "{text}");
}

#[test]
fn a_panic_that_aborts_is_reported_by_the_next_start() {
    let harness = Harness::new();
    let output = run(&mut harness.program(PROGRAM, "panic and abort"));
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    let output = run(&mut harness.program(PROGRAM, "log nothing"));
    assert!(output.status.success(), "{output:?}");
    let texts = harness.texts();
    assert!(texts.iter().any(|text| text.contains("PANIC: no way on, ")), "{texts:?}; {output:?}");
}
