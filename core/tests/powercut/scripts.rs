//! Short lives around every boundary.

use annunciator_core::alerter::Origin;
use annunciator_core::event::Level::{self, Error, Info, Panic, Warn};
use annunciator_core::ring::region_len;
use annunciator_core::storage::NoStorage;
use annunciator_core::testing::CuttingMemory;

use crate::life::Op::{
    Abandon, Adopt, AdoptOne, Answer, Forget, Lose, Outage, Record, Replies, Restart, Run, Steps,
    ToSend,
};
use crate::life::Reply::{Accept, NotSent, RefuseChannel, RefuseText, Unknown};
use crate::life::{Legacy, Op, Progress, Reply, Script, Start, live};
use crate::world::World;

fn script(name: &'static str, slots: usize, ops: &[&[Op]]) -> Script {
    Script { name, slots, ops: ops.concat(), estates: Vec::new(), grouped: false }
}

/// One event each, of a group of its own.
fn each(level: Level, names: &[&'static str]) -> Vec<Op> {
    names.iter().map(|name| Record(level, name, line(name))).collect()
}

pub(crate) fn line(name: &str) -> u32 {
    name.bytes().fold(1, |line, byte| line * 31 + u32::from(byte)) % 5_000
}

/// Three records in flight in a full ring, two of them evicted there, then the answer.
fn evicted_in_flight(name: &'static str, reply: &'static [Reply]) -> Script {
    let answers: Vec<Op> = vec![Answer(reply[0]), Replies(&reply[1..]), Run(20_000)];
    let ops = [each(Warn, &["a", "b"]), each(Error, &["c"]), vec![ToSend]];
    let more = [each(Error, &["d", "e"]), vec![Steps(40)], answers, each(Error, &["f"])];
    Script {
        name,
        slots: 4,
        ops: [ops.concat(), more.concat(), vec![Run(20_000)]].concat(),
        estates: Vec::new(),
        grouped: false,
    }
}

/// What a ring holds after `ops`.
fn legacy(ops: &[&[Op]], origin: Origin, holds: &[(&'static str, u64)], lost: u64) -> Legacy {
    let script = script("legacy", 6, ops);
    let (mut world, mut progress) = (World::default(), Progress::default());
    let start = Start { origin: Origin::Memory, boot: 9, whole: false };
    let memory = CuttingMemory::new(region_len(6));
    let remains = live(&script, memory, start, &mut NoStorage, &mut world, &mut progress);
    let events = holds.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(u64::from(remains.stats.waiting), events, "what the other ring holds");
    Legacy { bytes: remains.memory.survives(), origin, holds: holds.to_vec(), lost }
}

/// All of them.
pub(crate) fn all() -> Vec<Script> {
    let mut scripts = vec![
        script(
            "append",
            6,
            &[&each(Error, &["a", "b"]), &each(Warn, &["c"]), &[Run(9_000)], &each(Info, &["d"])],
        ),
        script(
            "merge",
            6,
            &[
                &each(Error, &["a", "a", "b", "a", "b", "a"]),
                &[Run(3_000)],
                &each(Error, &["a", "a"]),
            ],
        ),
        script(
            "merge beside a record in flight",
            6,
            &[
                &each(Error, &["a", "a"]),
                &[ToSend],
                &each(Error, &["a"]),
                &[Answer(Accept)],
                &each(Error, &["a"]),
                &[ToSend],
                &each(Error, &["a", "a"]),
                &[Answer(NotSent)],
                &each(Error, &["a"]),
            ],
        ),
        // Equal records, each begun while the one before was in flight, become one again.
        script(
            "fold",
            8,
            &[
                &each(Error, &["a", "b"]),
                &[ToSend],
                &each(Error, &["a", "b", "c", "a"]),
                &[Answer(NotSent), Run(300)],
                &each(Error, &["a"]),
                &[ToSend],
                &each(Error, &["c", "a"]),
                &[Answer(NotSent), Steps(4)],
                &each(Error, &["d", "e", "f", "a"]),
                &[Run(300)],
            ],
        ),
        script(
            "fold in a full ring",
            4,
            &[
                &each(Error, &["a", "b"]),
                &[ToSend],
                &each(Error, &["a"]),
                &[Answer(NotSent), Steps(6)],
                &each(Error, &["c", "d"]),
                &[ToSend],
                &each(Error, &["a", "c"]),
                &[Answer(RefuseChannel), Run(200)],
                &each(Error, &["c"]),
            ],
        ),
        script(
            "fold beside an unknown attempt",
            8,
            &[
                &each(Error, &["a"]),
                &[ToSend],
                &each(Error, &["a", "b"]),
                &[Answer(NotSent), ToSend],
                &each(Error, &["b", "a"]),
                &[Answer(Unknown), Run(100)],
                &each(Error, &["b"]),
            ],
        ),
        script(
            "evict",
            4,
            &[
                &each(Warn, &["a", "b", "a", "a"]),
                &each(Error, &["c", "d", "e"]),
                &each(Panic, &["f"]),
                &[Run(5_000)],
                &each(Error, &["g", "h"]),
            ],
        ),
        Script {
            grouped: true,
            ..script(
                "evict within groups",
                6,
                &[
                    &[Outage],
                    &["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| Record(Error, name, 7)),
                    &[Record(Error, "x", 8), Record(Error, "y", 8), Record(Warn, "z", 9)],
                    &[Run(3_000), Replies(&[])],
                    &["i", "j", "k", "k"].map(|name| Record(Error, name, 7)),
                ],
            )
        },
        script(
            "turned away",
            4,
            &[
                &[Outage],
                &each(Error, &["a", "b", "c"]),
                &each(Warn, &["d", "e"]),
                &[Lose(4)],
                &each(Info, &["f"]),
                &[Run(2_000), Lose(1), Replies(&[]), Run(9_000)],
                &[Lose(2)],
            ],
        ),
        // While the way is blocked for minutes no state is written: the ledger alone carries numbers.
        script(
            "the newest evicted, quietly",
            4,
            &[
                &[Outage],
                &each(Error, &["a", "b"]),
                &[Run(170_000)],
                &each(Warn, &["c"]),
                &[Run(1_200)],
                &each(Error, &["d", "e"]),
                &[Run(1_200)],
                &each(Warn, &["f", "g"]),
                &[Run(1_200)],
                &each(Error, &["h"]),
                &[Run(300), Replies(&[])],
            ],
        ),
        script(
            "full ring over and over",
            4,
            &[
                &each(Error, &["a", "b", "c", "d"]),
                &[Run(3_000)],
                &each(Error, &["e", "f", "g", "h", "i"]),
                &[Run(3_000)],
                &each(Error, &["j", "k", "l", "m"]),
                &[Run(3_000)],
            ],
        ),
        evicted_in_flight("evicted in flight, accepted", &[Accept]),
        evicted_in_flight("evicted in flight, not sent", &[NotSent]),
        evicted_in_flight("evicted in flight, unknown", &[Unknown]),
        evicted_in_flight("evicted in flight, unknown twice", &[Unknown, Unknown]),
        evicted_in_flight("evicted in flight, refused", &[RefuseText]),
        evicted_in_flight("evicted in flight, refused twice", &[RefuseText, RefuseText]),
        evicted_in_flight("evicted in flight, unknown and not sent", &[Unknown, NotSent, NotSent]),
        evicted_in_flight("evicted in flight, latched", &[RefuseChannel]),
        script(
            "unknown twice, then more",
            6,
            &[
                &each(Error, &["a", "b"]),
                &[Replies(&[Unknown, Unknown]), Run(9_000)],
                &each(Error, &["c", "a"]),
                &[Replies(&[NotSent, Unknown, Accept]), Run(60_000)],
                &each(Error, &["d"]),
            ],
        ),
        script(
            "evicted while the text is written",
            4,
            &[
                &each(Warn, &["a", "b"]),
                &each(Error, &["c"]),
                &[Run(900), Steps(14)],
                &each(Error, &["d"]),
                &[Steps(6)],
                &each(Error, &["e"]),
                &[Run(5_000)],
            ],
        ),
        script(
            "expired",
            6,
            &[
                &[Outage],
                &each(Error, &["a", "b", "b"]),
                &[Run(40 * 60_000)],
                &each(Error, &["c"]),
                &[Restart, Run(1_000), Replies(&[]), Run(400_000)],
            ],
        ),
        script(
            "restarts",
            6,
            &[
                &[Restart],
                &each(Error, &["a"]),
                &[Restart],
                &each(Error, &["a", "b"]),
                &[ToSend, Restart, Run(3_000)],
                &each(Error, &["c"]),
                &[ToSend, Answer(Unknown), Restart, Restart, Run(3_000)],
                &each(Error, &["d"]),
                &[ToSend, Restart, ToSend, Restart, Run(30_000)],
            ],
        ),
        script(
            "memory lost",
            6,
            &[
                &each(Error, &["a"]),
                &[Run(300), Forget],
                &each(Error, &["b", "b"]),
                &[Steps(5), Forget, Run(3_000)],
                &each(Error, &["c"]),
                &[ToSend, Forget, Run(5_000)],
            ],
        ),
        script(
            "abandoned",
            6,
            &[
                &each(Error, &["a"]),
                &[ToSend, Abandon, Run(1_000)],
                &each(Error, &["b"]),
                &[Run(990), Steps(9), Abandon, Run(5_000)],
            ],
        ),
        script(
            "events between the steps",
            6,
            &[
                &each(Error, &["a"]),
                &[Run(150), Steps(3)],
                &each(Error, &["b", "a"]),
                &[Run(890), Steps(2)],
                &each(Error, &["c"]),
                &[Steps(3)],
                &each(Warn, &["a", "d"]),
                &[Steps(30)],
            ],
        ),
    ];
    scripts.extend(adoptions());
    scripts
}

/// Two other rings: one that lost nothing, one that did.
pub(crate) fn estates() -> [Legacy; 2] {
    let plain = legacy(
        &[&each(Error, &["p", "q", "p", "a"])],
        Origin::Memory,
        &[("p", 2), ("q", 1), ("a", 1)],
        0,
    );
    let losing = legacy(
        &[&[Outage], &each(Error, &["p", "q", "r", "s", "t", "u"]), &[Lose(2)]],
        Origin::Memory,
        &[("q", 1), ("r", 1), ("s", 1), ("t", 1), ("u", 1)],
        3,
    );
    [plain, losing]
}

fn adoptions() -> Vec<Script> {
    let own = each(Error, &["a", "b", "a"]);
    let late = [each(Error, &["a", "p", "z"]), vec![Run(9_000)]].concat();
    let [plain, losing] = estates();
    let mut scripts = Vec::new();
    for (name, estates) in [
        ("adopt", vec![plain.clone()]),
        ("adopt one that had lost some", vec![losing.clone()]),
        ("adopt two", vec![plain.clone(), losing]),
    ] {
        let adopt: Vec<Op> = (0..estates.len()).map(Adopt).collect();
        scripts.push(Script {
            estates,
            ..script(name, 10, &[&own, &adopt, &late, &[Adopt(0)], &late])
        });
    }
    // Events, steps and a commit between the records that are taken over.
    let bits: Vec<Op> = ["a", "p", "b", "q", "a"]
        .iter()
        .flat_map(|name| [vec![AdoptOne(0)], each(Error, &[name]), vec![Steps(5)]].concat())
        .collect();
    scripts.push(Script {
        estates: vec![plain.clone()],
        ..script("adopt bit by bit", 12, &[&own, &bits, &[Run(300), Adopt(0)], &late])
    });
    let folded = [
        &[Outage, Run(2_000), Replies(&[]), ToSend][..],
        &each(Error, &["a", "p"]),
        &[Answer(NotSent), Adopt(0)],
        &each(Error, &["a"]),
        &[Run(200)],
    ];
    scripts.push(Script {
        estates: vec![plain.clone()],
        ..script("adopt and fold", 12, &[&own, &folded.concat(), &late])
    });
    scripts.push(Script {
        estates: vec![plain],
        ..script("adopt into a full ring", 4, &[&own, &each(Error, &["c"]), &[Adopt(0)], &late])
    });
    scripts
}
