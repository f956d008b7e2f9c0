//! Short lives around every boundary.

use annunciator_core::event::Level::{self, Error, Info, Panic, Warn};

use crate::life::Op::{
    Abandon, Answer, Forget, Lose, Outage, Record, Replies, Restart, Run, Steps, ToSend,
};
use crate::life::Reply::{Accept, NotSent, RefuseChannel, RefuseText, Unknown};
use crate::life::{Op, Reply, Script};

fn script(name: &'static str, slots: usize, ops: &[&[Op]]) -> Script {
    Script { name, slots, ops: ops.concat(), grouped: false }
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
        grouped: false,
    }
}

/// All of them.
pub(crate) fn all() -> Vec<Script> {
    let scripts = vec![
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
    scripts
}
