#![allow(unreachable_pub, dead_code, missing_docs)]
//! A batch of records in slots, and the loop that composes a text of it.

use annunciator_core::digest::{Composed, Digest, Group, Piece, Spec, Supply, Want};
use annunciator_core::event::{Level, Record, Site};
use annunciator_core::gsm7::text_bytes;
use annunciator_core::gsm7::{Counter, Encoding};

/// One record, owned.
#[derive(Debug, Clone)]
pub struct Entry {
    pub seq: u64,
    pub level: Level,
    pub group: u32,
    pub count: u32,
    pub target: String,
    pub message: String,
    pub cut: bool,
    pub line: Option<u32>,
    pub told: bool,
}

impl Entry {
    pub fn record(&self) -> Record<'_> {
        let mut record = Record::new(self.seq, self.level, self.group, &self.message);
        record.count = self.count;
        record.target = &self.target;
        record.cut = self.cut;
        record.site = self.line.map(|line| Site { file: "src/plant/sensor.rs", line });
        record
    }
}

/// Records as they stand in the slots of a ring, with the notes beside them.
#[derive(Debug, Clone)]
pub struct Batch {
    pub slots: Vec<Option<Entry>>,
    pub notes: Vec<Vec<Piece<'static>>>,
    pub entries: usize,
    next: u64,
}

/// A text with what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub text: String,
    pub segments: u8,
    pub encoding: Encoding,
    pub named: u32,
    pub more: u32,
    pub groups: Vec<(u32, u32, bool)>,
    pub steps: u32,
}

impl Batch {
    pub fn new() -> Batch {
        Batch { slots: Vec::new(), notes: Vec::new(), entries: 32, next: 1 }
    }

    /// An event of a group of its own.
    pub fn add(&mut self, level: Level, message: &str) -> &mut Entry {
        let group = 1000 + self.next as u32;
        self.put(level, message, group)
    }

    /// An event of the group at `line`.
    pub fn add_at(&mut self, level: Level, message: &str, line: u32) -> &mut Entry {
        let entry = self.put(level, message, line * 8 + level as u32);
        entry.line = Some(line);
        entry
    }

    pub fn put(&mut self, level: Level, message: &str, group: u32) -> &mut Entry {
        let entry = Entry {
            seq: self.next,
            level,
            group,
            count: 1,
            target: "plant::sensor".into(),
            message: message.into(),
            cut: false,
            line: None,
            told: false,
        };
        self.next += 1;
        self.slots.push(Some(entry));
        self.slots.last_mut().unwrap().as_mut().unwrap()
    }

    pub fn events(&self) -> u32 {
        self.slots.iter().flatten().map(|entry| entry.count).sum()
    }

    /// Runs the machine to its end; records may vanish before each look by `gone`.
    pub fn compose_with(&self, spec: &Spec<'_>, mut gone: impl FnMut(u32, u16) -> bool) -> Told {
        let mut groups = vec![Group::EMPTY; self.entries];
        let mut text = vec![0xAA; text_bytes(spec.segments)];
        let mut digest = Digest::new();
        digest.begin();
        let mut steps = 0;
        let composed: Composed = loop {
            steps += 1;
            assert!(steps < 100_000, "no end: {digest:?}");
            match digest.want() {
                Want::Walk => {
                    for (slot, entry) in (0..).zip(&self.slots) {
                        if let Some(entry) = entry
                            && !gone(steps, slot)
                        {
                            digest.add(&mut groups, slot, &entry.record(), entry.told);
                        }
                    }
                    digest.step(spec, &mut groups, Supply::Nothing, &mut text);
                }
                Want::Record(slot) => {
                    let entry = self.slots[usize::from(slot)].as_ref();
                    let record = entry.filter(|_| !gone(steps, slot)).map(Entry::record);
                    digest.step(spec, &mut groups, Supply::Record(record.as_ref()), &mut text);
                }
                Want::Notice(number) => {
                    let note = &self.notes[usize::from(number)];
                    digest.step(spec, &mut groups, Supply::Notice(note), &mut text);
                }
                Want::Nothing => digest.step(spec, &mut groups, Supply::Nothing, &mut text),
                Want::Done(composed) => break composed,
            }
        };
        let text = String::from_utf8(text[..usize::from(composed.len)].to_vec()).unwrap();
        let count = Counter::of(&text);
        assert_eq!(count.encoding(), composed.encoding);
        assert_eq!(count.segments(), u16::from(composed.segments));
        let groups = digest.groups(&groups);
        Told {
            text,
            segments: composed.segments,
            encoding: composed.encoding,
            named: composed.named,
            more: composed.more,
            groups: groups.iter().map(|g| (g.key(), g.events(), g.is_named())).collect(),
            steps,
        }
    }

    pub fn compose(&self, spec: &Spec<'_>) -> Told {
        self.compose_with(spec, |_, _| false)
    }
}
