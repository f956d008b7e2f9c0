//! What holds for every batch.

mod compose;

use annunciator_core::digest::{Piece, Spec, Style, scratch};
use annunciator_core::event::Level;
use annunciator_core::gsm7::Fallback;
use annunciator_core::gsm7::{Counter, Encoding};
use compose::{Batch, Entry, Told};
use proptest::prelude::*;

/// Messages as programs write them, and as nobody would.
fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,9}( [a-z0-9:]{1,9}){0,12}",
        2 => "[ -~]{0,120}",
        1 => "[a-zéà€{}\\[\\]’“”– ]{0,80}",
        1 => "[а-я ]{0,60}",
        1 => "[e\u{300}-\u{303}😀\u{200d}א-ת\r\n\t ]{0,40}",
        1 => proptest::collection::vec(any::<char>(), 0..30).prop_map(String::from_iter),
        1 => ("[a-zж€]", 1usize..5000).prop_map(|(letter, n)| letter.repeat(n)),
    ]
}

fn entry() -> impl Strategy<Value = (u8, u32, u32, String, bool)> {
    let count = prop_oneof![4 => Just(1u32), 2 => 1u32..100, 1 => 1u32..100_000];
    (1u8..=6, 0u32..40, count, message(), any::<bool>())
}

/// A batch of up to 60 records in slots of any order, the sequences with gaps between them.
fn batch() -> impl Strategy<Value = Batch> {
    let entries = proptest::collection::vec(entry(), 0..60);
    (entries, 0usize..48, any::<u32>(), 1u64..1 << 34).prop_map(
        |(entries, scratch, shuffle, base)| {
            let mut batch = Batch::new();
            batch.entries = scratch;
            for (level, group, count, message, cut) in entries {
                let level = Level::from_byte(level).unwrap();
                let entry = batch.add_at(level, &message, group);
                entry.count = count;
                entry.cut = cut && count == 1;
                entry.told = group % 5 == 0;
                entry.seq = base + 3 * entry.seq;
            }
            batch.slots.push(None);
            let mut state = shuffle;
            for at in (1..batch.slots.len()).rev() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                batch.slots.swap(at, state as usize % (at + 1));
            }
            batch
        },
    )
}

#[derive(Debug, Clone)]
struct Asked {
    segments: u8,
    replace: bool,
    reduced: bool,
    repeat: bool,
    notes: u8,
    prefix: String,
}

impl Asked {
    fn spec(&self) -> Spec<'_> {
        let mut spec = Spec::new(&self.prefix, self.segments);
        spec.fallback = if self.replace { Fallback::Replace } else { Fallback::Unicode };
        spec.style = if self.reduced { Style::Reduced } else { Style::Full };
        spec.repeat = self.repeat.then_some("k7m2");
        spec.leading = self.notes / 2;
        spec.trailing = self.notes - spec.leading;
        spec
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let prefix = prop_oneof![
        3 => Just("[Rust Logger sampleapp] ".to_string()),
        1 => "\\[Rust Logger [a-zж’]{1,20}\\] ",
        1 => "\\PC{0,40}",
    ];
    (1u8..=6, any::<bool>(), any::<bool>(), any::<bool>(), 0u8..4, prefix).prop_map(
        |(segments, replace, reduced, repeat, notes, prefix)| Asked {
            segments,
            replace,
            reduced: reduced && repeat,
            repeat,
            notes,
            prefix,
        },
    )
}

fn compose(batch: &Batch, asked: &Asked) -> Told {
    let mut batch = batch.clone();
    batch.notes = vec![vec![Piece::Number(12), Piece::Text(" lost")]; usize::from(asked.notes)];
    batch.compose(&asked.spec())
}

proptest! {
    #[test]
    fn never_above_the_segments_and_in_the_alphabet_asked(batch in batch(), asked in asked()) {
        let told = compose(&batch, &asked);
        prop_assert!(told.segments <= asked.segments, "{:?}", told);
        let units = Counter::of(&told.text).units();
        prop_assert!(units <= u32::from(told.encoding.capacity(asked.segments)), "{:?}", told);
        prop_assert!(!asked.replace || told.encoding == Encoding::Gsm7);
        let clean = !told.text.contains(['\n', '\t', '\u{202E}']);
        prop_assert!(clean, "{:?}", told);
    }

    #[test]
    fn every_group_is_named_or_counted_and_the_counts_add_up(batch in batch(), asked in asked()) {
        let told = compose(&batch, &asked);
        prop_assert_eq!(told.named + told.more, batch.events());
        let named: u32 = told.groups.iter().filter(|group| group.2).map(|group| group.1).sum();
        prop_assert_eq!(named, told.named);
        if told.more > 0 {
            let more = format!("+{} more", told.more);
            prop_assert!(told.text.contains(&more), "{:?}", told);
        } else {
            prop_assert!(!told.text.contains(" more") || batch.entries > 0);
        }
        if asked.repeat {
            prop_assert!(told.text.contains("(repeat k7m2)"), "{:?}", told);
        }
        if asked.segments > 1 {
            prop_assert_eq!(told.text.matches("12 lost").count(), usize::from(asked.notes));
        }
    }

    #[test]
    fn equal_input_gives_equal_text_whatever_the_slots(batch in batch(), asked in asked()) {
        let told = compose(&batch, &asked);
        let mut reversed = batch.clone();
        reversed.slots.reverse();
        let mut again = compose(&reversed, &asked);
        again.steps = told.steps;
        prop_assert_eq!(again, told);
    }

    /// What a reader counts in the text are the events of the batch.
    #[test]
    fn the_counts_in_the_text_are_the_events(batch in batch(), segments in 1u8..=6) {
        let mut batch = batch;
        for (n, entry) in batch.slots.iter_mut().flatten().enumerate() {
            // Words that look like no count, level or separator.
            entry.message = "abcdefghij".chars().cycle().skip(n % 10).take(n % 90).collect();
        }
        let told = batch.compose(&Spec::new("[x] ", segments));
        let mut events = 0;
        let body = told.text.strip_prefix("[x] ").unwrap_or("");
        for item in body.split(", ").filter(|item| !item.is_empty()) {
            if let Some(more) = item.strip_prefix('+') {
                events += more.strip_suffix(" more").unwrap().parse::<u32>().unwrap();
            } else if !item.contains(" kinds") && !item.starts_with("last:")
                || item.contains("(x")
            {
                let count = item.split_once("(x").map_or("1", |(_, rest)| rest);
                let end = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
                events += count[..end].parse::<u32>().unwrap();
            }
        }
        prop_assert_eq!(events, batch.events(), "{:?}", told);
    }

    /// If a group is not named, the room left is less than the shortest name of such a group.
    #[test]
    fn no_room_is_left_that_a_further_group_could_have_had(batch in batch(), segments in 1u8..=3) {
        let mut batch = batch;
        for entry in batch.slots.iter_mut().flatten() {
            entry.message.retain(|c| c.is_ascii_alphanumeric() || c == ' ');
            entry.cut = false;
        }
        let told = batch.compose(&Spec::new("[x] ", segments));
        prop_assert_eq!(told.encoding, Encoding::Gsm7);
        let room = u32::from(Encoding::Gsm7.capacity(segments)) - Counter::of(&told.text).units();
        for (key, events, _) in told.groups.iter().filter(|group| !group.2) {
            let of_group = batch.slots.iter().flatten().filter(|entry| entry.group == *key);
            let first = of_group.clone().min_by_key(|entry| entry.seq).unwrap();
            let words: Vec<&str> = first.message.split_whitespace().collect();
            let body = match words.join(" ").len() {
                0 => 30,
                length => length.min(12),
            };
            let level = first.level;
            let led = told.text.contains(&format!("{level}: "));
            // Levels are said once only where they are so for all.
            let compact = told.text.matches(&format!("{level}: ")).count() <= 1;
            let led = led && compact;
            let level = if led { String::new() } else { format!("{level}: ") };
            let mut name = format!(", {level}{}", "x".repeat(body));
            if *events > 1 {
                name += &format!(" (x{events})");
            }
            if of_group.count() > 1 {
                name += ", 99 kinds";
            }
            prop_assert!((room as usize) < name.len(), "{} left, {:?}: {:?}", room, name, told);
        }
    }

    /// A batch of a few small events of different sites is told word for word.
    #[test]
    fn few_small_events_word_for_word(
        events in proptest::collection::vec((1u8..=6, "[a-zA-Z0-9!?.:'-]{1,8}( [a-z0-9:]{1,8}){0,3}"), 1..4),
    ) {
        let mut batch = Batch::new();
        let mut items = Vec::new();
        for (level, message) in &events {
            let level = Level::from_byte(*level).unwrap();
            batch.add(level, message);
            items.push(format!("{level}: {message}"));
        }
        let told = batch.compose(&Spec::new("[Rust Logger x] ", 2));
        prop_assert_eq!(told.text, format!("[Rust Logger x] {}", items.join(", ")));
    }

    /// Records may vanish or be replaced between any two calls.
    #[test]
    fn a_changing_ring_does_no_harm(batch in batch(), asked in asked(), seed: u32) {
        let mut gone = batch.clone();
        gone.notes = vec![vec![Piece::Number(12), Piece::Text(" lost")]; usize::from(asked.notes)];
        let told = gone.compose_with(&asked.spec(), |step, slot| {
            let mixed = seed.wrapping_add(step).wrapping_mul(2_654_435_761) ^ u32::from(slot);
            mixed.wrapping_mul(40_503) >> 28 == 0
        });
        prop_assert!(told.segments <= asked.segments);
        prop_assert!(told.named + told.more <= batch.events());
    }
}

/// Work a call is bounded, so a longer text only takes more calls.
#[test]
fn a_digest_of_a_full_ring_takes_a_bounded_number_of_calls() {
    let mut batch = Batch::new();
    for n in 0..600u32 {
        let message =
            format!("job {n} of the night run gave up: {}", "connection refused ".repeat(6));
        batch.add_at(Level::Error, &message, n % 50);
    }
    let told = batch.compose(&Spec::new("[Rust Logger x] ", 6));
    assert_eq!(told.named + told.more, 600);
    assert!(told.steps < 950, "{}", told.steps);
}

#[test]
fn the_scratch_of_a_digest_is_what_the_documentation_says() {
    assert_eq!((scratch(32), scratch(16)), (1148, 636));
}

#[test]
fn sequences_may_wrap_in_their_low_half() {
    let mut batch = Batch::new();
    for (n, word) in ["one", "two", "three"].into_iter().enumerate() {
        let entry: &mut Entry = batch.add(Level::Error, word);
        entry.seq = 0xFFFF_FFFE + n as u64;
    }
    batch.slots.reverse();
    let told = batch.compose(&Spec::new("", 1));
    assert_eq!(told.text, "ERROR: one, ERROR: two, ERROR: three");
}
