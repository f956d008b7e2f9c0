//! Cuts over the ring's memory: the program is killed inside a store.

use std::panic::{AssertUnwindSafe, catch_unwind};

use annunciator_core::alerter::{DESTINATION_LEN, Origin, is_damaged};
use annunciator_core::event::TEXT_256;
use annunciator_core::ring::{OVERHEAD, SLOT, region_len};
use annunciator_core::storage::NoStorage;
use annunciator_core::testing::CuttingMemory;

use crate::life::{Progress, Remains, Script, Start, live};
use crate::ran;
use crate::scripts;
use crate::world::World;

/// A state bank, of which there are two at the beginning, and its check, kind, generation and length.
const BANK: usize = DESTINATION_LEN / 2;
const BANK_HEADER: usize = 16;
const PARTS: usize = 4;
const START: Start = Start { origin: Origin::Memory, boot: 1, whole: true };

/// A case of this file: where each life is cut, and whether unheard texts arrived.
#[derive(Debug, Clone)]
struct Case {
    cuts: Vec<u64>,
    arrives: bool,
}

impl Case {
    fn name(&self, script: &Script) -> String {
        let cuts: Vec<String> = self.cuts.iter().map(u64::to_string).collect();
        let arrives = if self.arrives { "arrives" } else { "vanishes" };
        format!("memory/{}/{}/{arrives}", script.name, cuts.join(","))
    }

    /// Runs it; returns where the last life can be cut.
    fn run(&self, script: &Script) -> (Vec<u64>, World, Result<(), String>) {
        let mut world =
            World { arrives: self.arrives, grouped: script.grouped, ..World::default() };
        let mut progress = Progress::default();
        let mut bytes = vec![0; region_len(script.slots)];
        let mut points = Vec::new();
        for cut in self.cuts.iter().copied().chain([u64::MAX]) {
            let mut memory = CuttingMemory::with_bytes(bytes.clone());
            memory.cut_at(cut);
            let remains: Remains =
                live(script, memory, START, &mut NoStorage, &mut world, &mut progress);
            world.log.push(format!("stopped {}, op {}", remains.stopped, progress.op));
            let before = std::mem::replace(&mut bytes, remains.memory.survives());
            points = cut_points(&remains.memory);
            // Between two stores nothing looks like damage; inside the store of a check it may, and
            // then to the next life too, until it has cleared that.
            let between = remains.memory.puts().iter().any(|(start, _)| *start == cut);
            if between && is_damaged::<TEXT_256>(&without_untouched_slots(&bytes, &before)) {
                return (points, world, Err("a cut looks like damage".into()));
            }
            if !remains.stopped {
                let first = world.check(&remains.stats);
                return (points, world.clone(), first.and_then(|()| again(script, bytes, world)));
            }
        }
        (points, world, Err("the last life was cut".into()))
    }

    fn outcome(&self, script: &Script) -> Vec<u64> {
        match catch_unwind(AssertUnwindSafe(|| self.run(script))) {
            Ok((points, _, Ok(()))) => points,
            Ok((_, world, Err(error))) => {
                panic!(
                    "{error}\n{}\nANNUNCIATOR_REPLAY='{}'",
                    world.log.join("\n"),
                    self.name(script)
                )
            }
            Err(_) => panic!("panicked\nANNUNCIATOR_REPLAY='{}'", self.name(script)),
        }
    }
}

/// `after`, with the slots freed that are as they were `before`: what an earlier cut left inside the
/// store of a check is not to be blamed on a life that had no time to clear it.
fn without_untouched_slots(after: &[u8], before: &[u8]) -> Vec<u8> {
    let mut bytes = after.to_vec();
    let slots = bytes[OVERHEAD..].chunks_exact_mut(SLOT);
    for (slot, before) in slots.zip(before[OVERHEAD..].chunks_exact(SLOT)) {
        if slot == before {
            slot.fill(0);
        }
    }
    bytes
}

/// Where to cut a life: inside every store at every byte. But the words of a state bank stand or fall
/// together: inside them only between the stores, and with `ANNUNCIATOR_LONG` at every byte too.
fn cut_points(memory: &CuttingMemory) -> Vec<u64> {
    let ends = memory.puts().iter().skip(1).map(|(end, _)| *end).chain([memory.stored()]);
    let mut points = Vec::new();
    for ((start, at), end) in memory.puts().iter().copied().zip(ends) {
        let words = at < 2 * BANK && at % BANK >= BANK_HEADER;
        points.extend(if words && !long() { start..start + 1 } else { start..end });
    }
    points
}

/// A second recovery finds the same, and nothing is told again.
fn again(script: &Script, bytes: Vec<u8>, mut world: World) -> Result<(), String> {
    let over = Script { ops: Vec::new(), ..script.clone() };
    let texts = world.texts.len();
    let mut progress = Progress { now: 1 << 40, ..Progress::default() };
    let memory = CuttingMemory::with_bytes(bytes);
    let start = Start { whole: false, ..START };
    let remains = live(&over, memory, start, &mut NoStorage, &mut world, &mut progress);
    world.check(&remains.stats)?;
    if world.texts.len() != texts {
        return Err("told again after a second recovery".into());
    }
    Ok(())
}

pub(crate) fn long() -> bool {
    std::env::var_os("ANNUNCIATOR_LONG").is_some()
}

/// Runs one case by its name; `None` if it is none of this file.
pub(crate) fn replay(case: &str) -> Option<(World, Result<(), String>)> {
    let parts: Vec<&str> = case.strip_prefix("memory/")?.split('/').collect();
    let [name, cuts, arrives] = parts[..] else { return None };
    let cuts = cuts.split(',').map(|cut| cut.parse().ok()).collect::<Option<_>>()?;
    let script = scripts::all().into_iter().find(|script| script.name == name)?;
    let (_, world, result) = Case { cuts, arrives: arrives == "arrives" }.run(&script);
    Some((world, result))
}

#[test]
fn every_cut_of_memory_loses_nothing_and_invents_nothing() {
    let scripts = scripts::all();
    let singles = &|part: usize| {
        let mut cases = 0_u64;
        for script in scripts.iter().skip(part).step_by(PARTS) {
            let whole = Case { cuts: Vec::new(), arrives: true }.outcome(script);
            for cut in whole {
                for arrives in [false, true] {
                    Case { cuts: vec![cut], arrives }.outcome(script);
                    cases += 1;
                }
            }
        }
        cases
    };
    // The most cases of all: not on one thread alone.
    let cases: u64 = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS).map(|part| scope.spawn(move || singles(part))).collect();
        parts.into_iter().map(|part| part.join().expect("no failure")).sum()
    });
    ran(cases, 35_000, "single cuts of memory");
}

#[test]
fn every_pair_of_cuts_of_memory_loses_nothing_and_invents_nothing() {
    // Of the two thousand million pairs that a long run has to choose from.
    let (first, second) = if long() { (31, 61) } else { (211, 61) };
    let mut cases = 0_u64;
    for (number, script) in scripts::all().into_iter().enumerate() {
        let whole = Case { cuts: Vec::new(), arrives: true }.outcome(&script);
        for one in whole.into_iter().skip(number % first).step_by(first) {
            let arrives = one % 2 == 0;
            let rest = Case { cuts: vec![one], arrives }.outcome(&script);
            for two in rest.into_iter().skip(one as usize % second).step_by(second) {
                Case { cuts: vec![one, two], arrives }.outcome(&script);
                cases += 1;
            }
        }
    }
    ran(cases, 1_100, "pairs of cuts of memory");
}

/// Bytes that no other set reaches in the default run: every byte of a check, then every byte of the
/// start that finds it.
#[test]
fn a_second_death_may_find_what_the_first_left_inside_a_check() {
    let scripts = scripts::all();
    let script = scripts.iter().find(|script| script.name == "append").expect("a script");
    let mut memory = CuttingMemory::new(region_len(script.slots));
    memory.cut_at(u64::MAX);
    let (mut world, mut progress) = (World::default(), Progress::default());
    let whole = live(script, memory, START, &mut NoStorage, &mut world, &mut progress);
    let checks = whole
        .memory
        .puts()
        .iter()
        .filter(|(_, at)| *at >= OVERHEAD && (*at - OVERHEAD).is_multiple_of(SLOT));
    let mut damaged = 0;
    for one in checks.flat_map(|(start, _)| start + 1..start + 4) {
        for two in 0..48 {
            Case { cuts: vec![one, two], arrives: true }.outcome(script);
            damaged += 1;
        }
    }
    assert!(damaged > 1000, "{damaged} cases");
}
