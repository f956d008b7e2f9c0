//! Panics: recorded behind the hook that was there, told above ERROR, also if the process ends.

use std::os::unix::process::ExitStatusExt as _;

use annunciator_tests::{Stage, run};

use crate::PROGRAM;

#[test]
fn a_panic_of_a_thread_is_told_and_the_hook_before_ran_first() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "panic in a thread"));
    assert!(said.status.success(), "{said:?}");
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].starts_with("previous hook: panicked at "), "{said:?}");
    assert!(said.stdout.contains("valve 7 burst; recorded so far: 0"), "{said:?}");
    assert!(said.stdout.contains("\nwent on: true\n"), "{said:?}");
    assert!(said.stdout.ends_with(" sent, 0 kept, 0 in memory alone\n"), "{said:?}");
    let texts = stage.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.starts_with("[Rust Logger pump] PANIC: valve 7 burst, "), "{text}");
    assert!(text.contains("child.rs:") && text.ends_with(", thread inlet"), "{text}");
}

#[test]
fn a_panic_of_main_is_told_before_the_program_ends() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "panic in main"));
    assert_eq!(said.status.code(), Some(101), "{said:?}");
    assert!(said.stderr.contains("panicked at"), "the hook before still speaks: {said:?}");
    let texts = stage.texts();
    let [text] = texts.as_slice() else { panic!("{texts:?}") };
    assert!(text.starts_with("[Rust Logger pump] PANIC: a valve, "), "{text}");
}

#[test]
fn a_panic_that_aborts_is_told_by_the_next_start() {
    let stage = Stage::new();
    let said = run(&mut stage.program(PROGRAM, "panic and abort"));
    assert_eq!(said.status.signal(), Some(6), "{said:?}");
    let said = run(&mut stage.program(PROGRAM, "log nothing"));
    assert!(said.status.success(), "{said:?}");
    let texts = stage.texts();
    assert!(texts.iter().any(|text| text.contains("PANIC: no way on, ")), "{texts:?}; {said:?}");
}
