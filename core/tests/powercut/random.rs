//! Lives that nobody thought of: random operations, power that fails two to four times at random
//! places, a storage that fails for a while, another ring or two to take over. Shrunk to the least
//! life that fails.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use annunciator_core::event::Level;

use crate::cuts::long;
use crate::disk::{Case, Cut, Stop};
use crate::life::{Op, Reply, Script};
use crate::scripts;

const NAMES: [(Level, &str); 9] = [
    (Level::Info, "a"),
    (Level::Warn, "b"),
    (Level::Warn, "c"),
    (Level::Error, "d"),
    (Level::Error, "e"),
    (Level::Error, "f"),
    (Level::Error, "p"),
    (Level::Error, "q"),
    (Level::Panic, "g"),
];

const REPLIES: [&[Reply]; 7] = [
    &[],
    &[Reply::Unknown],
    &[Reply::NotSent, Reply::Unknown],
    &[Reply::Unknown, Reply::Unknown],
    &[Reply::RefuseText],
    &[Reply::RefuseText, Reply::RefuseText],
    &[Reply::RefuseChannel, Reply::NotSent, Reply::Unknown],
];

fn op() -> impl Strategy<Value = Op> {
    let record = (0..NAMES.len()).prop_map(|number| {
        let (level, name) = NAMES[number];
        Op::Record(level, name, scripts::line(name))
    });
    let reply = prop_oneof![
        Just(Reply::Accept),
        Just(Reply::NotSent),
        Just(Reply::Unknown),
        Just(Reply::RefuseText),
        Just(Reply::RefuseChannel),
    ];
    prop_oneof![
        12 => record,
        3 => prop_oneof![Just(100), Just(900), Just(3_000), Just(70_000)].prop_map(Op::Run),
        2 => (1..20_u32).prop_map(Op::Steps),
        2 => Just(Op::ToSend),
        2 => reply.prop_map(Op::Answer),
        2 => (0..REPLIES.len()).prop_map(|number| Op::Replies(REPLIES[number])),
        1 => Just(Op::Outage),
        1 => (1..4_u32).prop_map(Op::Lose),
        1 => Just(Op::Restart),
        1 => Just(Op::Abandon),
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    let place = (0..40_u64, prop_oneof![0..=256_usize, Just(0), Just(4), Just(40), Just(256)]);
    let survivors = prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)];
    (place, survivors).prop_map(|((number, bytes), survivors)| Cut {
        stop: Stop::Operation(number, bytes),
        survivors,
    })
}

fn life() -> impl Strategy<Value = (Script, Case)> {
    let script = (4..10_usize).prop_flat_map(|slots| {
        vec(op(), 1..24).prop_map(move |ops| Script { name: "random", slots, ops, grouped: false })
    });
    let failing = prop_oneof![
        2 => Just(0..0_u64),
        1 => (0..30_u64, 1..8_u64).prop_map(|(from, more)| from..from + more),
    ];
    let case = (vec(cut(), 2..=4), failing, any::<bool>());
    let case = case.prop_map(|(cuts, failing, arrives)| Case { cuts, failing, arrives });
    (script, case)
}

#[test]
fn lives_that_nobody_thought_of_lose_nothing_committed_and_invent_nothing() {
    let cases = if long() { 40_000 } else { 1_500 };
    // The same each time: what the next finds is for the long run, whose lives are not.
    let rng_seed = if long() { RngSeed::Random } else { RngSeed::Fixed(1) };
    let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&life(), |(script, case)| {
        let shown = case.run(&script);
        shown.result.map_err(|error| {
            TestCaseError::fail(format!("{error}\n{}", shown.world.log.join("\n")))
        })
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    println!("{cases} random lives with two to four power cuts each");
}
