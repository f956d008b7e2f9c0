//! SIGKILL at any moment, of one program or of several that share a spool: whatever a log call had
//! taken when it returned is reported, once, and a second time only if the first may have got lost.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{env, thread};

use annunciator_simulator::{Answer, Received};
use annunciator_tests::{Harness, run, wait_for_end};

use crate::PROGRAM;

/// Programs that are killed; `E2E_KILLS` asks for more.
const KILLS: usize = 48;
/// What each of them logs.
const EVENTS: usize = 5;

#[test]
fn whatever_was_logged_before_a_kill_is_sent_and_repeats_are_marked() {
    kill_and_judge(1);
}

#[test]
fn two_instances_that_are_killed_lose_nothing_and_double_nothing_unmarked() {
    kill_and_judge(2);
}

#[test]
fn four_instances_that_are_killed_lose_nothing_and_double_nothing_unmarked() {
    kill_and_judge(4);
}

/// Kills so many at a time, again and again.
fn kill_and_judge(instances: usize) {
    let kills = env::var("E2E_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let harness = Harness::new();
    let mut dice = Dice::new();
    let mut logged: Vec<String> = Vec::new();
    for round in 0..kills.div_ceil(instances) {
        if dice.below(4) == 0 {
            // Answers that take their time meet more kills.
            let slow = Answer::accepted().after(Duration::from_millis(dice.below(30)));
            harness.sim.script([slow]);
        }
        let lives: Vec<Run> = (0..instances)
            .map(|instance| {
                let first = (round * instances + instance) * EVENTS;
                Run::begin(&harness, (first..first + EVENTS).map(word).collect())
            })
            .collect();
        for life in lives {
            thread::sleep(Duration::from_millis(dice.below(60)));
            logged.extend(life.end(round));
        }
        if round % 5 == 4 {
            // So few that each is named: a text distinguishes some thirty kinds.
            settle(&harness);
        }
    }
    // What others have left is sent by turns, and a turn may have to wait for the one before.
    let mut before = usize::MAX;
    while before != harness.sim.messages().len() {
        before = harness.sim.messages().len();
        settle(&harness);
    }

    let messages = harness.sim.messages();
    let scenario = judge(&messages, &logged);
    println!(
        "{kills} kills of {instances} at a time, {} events logged, {} texts, {} repeats, {} \
         unconfirmed",
        logged.len(),
        messages.len(),
        scenario.repeats,
        scenario.unconfirmed
    );
    // A kill may cut a request short; all that were taken were whole and correct.
    for message in &messages {
        assert!(message.violations.is_empty(), "{message:?}");
    }
}

/// A program that logs, and is to be killed.
struct Run {
    child: Child,
    listener: JoinHandle<Vec<String>>,
}

impl Run {
    fn begin(harness: &Harness, words: Vec<String>) -> Run {
        let mut child = program(harness, "log in bursts").args(&words).spawn().unwrap();
        let stdout = child.stdout.take().expect("its output");
        let listener = thread::spawn(move || {
            let lines = BufReader::new(stdout).lines();
            lines.map_while(Result::ok).collect::<Vec<String>>()
        });
        Run { child, listener }
    }

    /// Kills it; the words whose call had returned.
    fn end(mut self, round: usize) -> Vec<String> {
        self.child.kill().unwrap();
        let output = wait_for_end(self.child);
        assert_eq!(output.stderr, "", "round {round}");
        self.listener.join().expect("no panic")
    }
}

/// Silent about the kills: a text that names the last cause would name an event once more.
fn program(harness: &Harness, part: &str) -> Command {
    let mut program = harness.program(PROGRAM, part);
    program.env("E2E_SILENT_CRASHES", "1");
    program
}

#[track_caller]
fn settle(harness: &Harness) {
    let output = run(&mut program(harness, "log nothing"));
    assert!(output.stdout.contains(" 0 kept, 0 in memory alone"), "{output:?}");
}

struct Verdict {
    repeats: usize,
    unconfirmed: usize,
}

/// Holds the texts against what was logged.
fn judge(messages: &[Received], logged: &[String]) -> Verdict {
    let all = || messages.iter().map(|message| &message.text).collect::<Vec<_>>();
    let mut sent: BTreeMap<&str, Vec<&Received>> = BTreeMap::new();
    for message in messages {
        for word in words_of(&message.text) {
            sent.entry(word).or_default().push(message);
        }
    }
    let mut repeats = BTreeSet::new();
    for (word, messages) in &sent {
        let [first, again @ ..] = messages.as_slice() else { continue };
        match again {
            [] => {}
            [again] => {
                let (one, two) = (&first.client_ref, &again.client_ref);
                assert_eq!(one, two, "{word} was sent by two texts: {:#?}", all());
                assert!(again.text.contains("(repeat "), "{word} was sent twice: {:#?}", all());
                repeats.insert(two);
            }
            _ => panic!("{word} was sent more than twice: {:#?}", all()),
        }
    }
    // Two attempts that were both cut off before they arrived end in a line that counts.
    let arrived: BTreeSet<_> = messages.iter().filter_map(|m| m.client_ref.as_deref()).collect();
    let mut unconfirmed = BTreeMap::new();
    for message in messages {
        for line in message.text.split("unconfirmed ").skip(1) {
            let Some((reference, rest)) = line.split_once(": ") else { continue };
            let count = rest.split(' ').next().and_then(|count| count.parse::<usize>().ok());
            if !arrived.contains(reference) {
                unconfirmed.insert(reference, count.unwrap_or(0));
            }
        }
    }
    let counted: usize = unconfirmed.values().sum();
    let missing: Vec<_> = logged.iter().filter(|word| !sent.contains_key(word.as_str())).collect();
    assert!(
        missing.len() <= counted,
        "never sent: {missing:?}, of which {counted} are counted: {:#?}",
        all()
    );
    Verdict { repeats: repeats.len(), unconfirmed: unconfirmed.len() }
}

/// The words of [`word`] in a text.
fn words_of(text: &str) -> impl Iterator<Item = &str> {
    let body = text.split_once("] ").map_or(text, |(_, body)| body);
    body.split([' ', ',']).filter(|word| word.len() == 7 && word.starts_with("ev"))
}

/// A word for a number, in letters.
fn word(number: usize) -> String {
    let mut rest = number;
    let mut word = "ev".to_owned();
    for _ in 0..5 {
        word.extend(char::from_u32(u32::from(b'a') + (rest % 20) as u32));
        rest /= 20;
    }
    word
}

/// Moments to kill at.
struct Dice(u64);

impl Dice {
    fn new() -> Dice {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Dice(now.map_or(1, |now| now.as_nanos() as u64) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
