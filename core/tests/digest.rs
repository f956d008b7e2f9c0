//! Texts as a user reads them.

mod compose;

use annunciator_core::digest::Piece::{Number, Text, Two};
use annunciator_core::digest::{Spec, Style};
use annunciator_core::event::Level::{Error, Info, Panic, Warn};
use annunciator_core::gsm7::Encoding;
use annunciator_core::gsm7::Fallback;
use compose::Batch;

const PREFIX: &str = "[Rust Logger sampleapp] ";

const fn spec(segments: u8) -> Spec<'static> {
    Spec::new(PREFIX, segments)
}

#[track_caller]
fn reads(batch: &Batch, spec: &Spec<'_>, text: &str) {
    let told = batch.compose(spec);
    assert_eq!(told.text, text, "\n{told:?}");
}

#[test]
fn few_small_events_are_told_word_for_word_in_order() {
    let mut batch = Batch::new();
    batch.add(Warn, "You've been warned!");
    batch.add(Error, "This is a test error");
    batch.add(Error, "division by zero");
    let text = "[Rust Logger sampleapp] WARN: You've been warned!, ERROR: This is a test error, \
                ERROR: division by zero";
    reads(&batch, &spec(2), text);
    batch.slots.reverse();
    reads(&batch, &spec(2), text);
    reads(&batch, &spec(1), text);
}

#[test]
fn three_of_one_site_are_still_told_one_by_one() {
    let mut batch = Batch::new();
    for n in [4, 1, 9] {
        batch.add_at(Error, &format!("sensor {n} failed"), 12);
    }
    reads(
        &batch,
        &spec(2),
        "[Rust Logger sampleapp] ERROR: sensor 4 failed, ERROR: sensor 1 failed, \
         ERROR: sensor 9 failed",
    );
}

#[test]
fn a_repeated_event_has_its_count() {
    let mut batch = Batch::new();
    batch.add(Error, "uplink lost").count = 57;
    batch.add(Warn, "battery low");
    reads(&batch, &spec(2), "[Rust Logger sampleapp] ERROR: uplink lost (x57), WARN: battery low");
}

#[test]
fn many_of_one_site_are_one_item_with_the_first_and_the_latest() {
    let mut batch = Batch::new();
    batch.add(Warn, "disk nearly full");
    for n in 0..19 {
        batch.add_at(Error, &format!("sensor {} failed: code 7", 12 + n), 12).count = 3;
    }
    reads(
        &batch,
        &spec(2),
        "[Rust Logger sampleapp] ERROR: sensor 12 failed: code 7 (x57, 19 kinds, \
         last: sensor 30 failed: code 7), WARN: disk nearly full",
    );
    // Where one segment does not carry the latest as well, it is left out; it must not cost one
    // more either.
    batch.add(Warn, "the fan of the second rack turns slowly");
    let text = "[Rust Logger sampleapp] ERROR: sensor 12 failed: code 7 (x57, 19 kinds), \
                WARN: disk nearly full, WARN: the fan of the second rack turns slowly";
    reads(&batch, &spec(1), text);
    reads(&batch, &spec(2), text);
}

#[test]
fn the_gravest_come_first_and_all_are_named_before_one_is_told_at_length() {
    let mut batch = Batch::new();
    let tale = |n| format!("job {n} gave up after the database had refused the connection");
    for n in 1..=4 {
        batch.add_at(Warn, &tale(n), n);
    }
    batch.add(Panic, "index out of bounds: the len is 3 but the index is 7, while draining");
    batch.add(Error, "cannot reach the modem; the next attempt is made in an hour from now");
    reads(
        &batch,
        &spec(1),
        "[Rust Logger sampleapp] PANIC: index out of bounds:..., ERROR: cannot reach..., \
         WARN: job 1 gave up..., job 2 gave up..., job 3 gave up..., job 4 gave up...",
    );
    reads(
        &batch,
        &spec(2),
        "[Rust Logger sampleapp] PANIC: index out of bounds: the len is 3 but the index is 7, \
         while draining, ERROR: cannot reach the modem; the..., WARN: job 1 gave up after the \
         database..., WARN: job 2 gave up after the..., WARN: job 3 gave up after the database \
         had..., WARN: job 4 gave up after the...",
    );
}

#[test]
fn what_was_told_before_shrinks_first() {
    let mut batch = Batch::new();
    let long = "the pump of the north basin does not start although the relay is on";
    let entry = batch.add(Error, &format!("{long}, again and again"));
    (entry.told, entry.count) = (true, 840);
    batch.add(Error, &format!("{long}, for the first time"));
    reads(
        &batch,
        &spec(1),
        "[Rust Logger sampleapp] ERROR: the pump of the north basin does not start although the \
         relay is on, for the first time, ERROR: the pump of the north... (x840)",
    );
}

#[test]
fn what_found_no_room_is_counted() {
    let mut batch = Batch::new();
    for n in 0..200 {
        batch.add_at(Error, &format!("site {n}: the relay is stuck"), n).count = 2;
    }
    let told = batch.compose(&spec(1));
    assert_eq!(
        told.text,
        "[Rust Logger sampleapp] ERROR: site 0: the relay is... (x2), site 1:... (x2), \
         site 2:... (x2), site 3:... (x2), site 4:... (x2), site 199:... (x2), +388 more",
    );
    assert_eq!((told.named, told.more), (12, 388));
    // Without any scratch there is still a text.
    batch.entries = 0;
    reads(&batch, &spec(1), "[Rust Logger sampleapp] +400 more");
}

#[test]
fn where_names_are_many_each_level_is_said_once() {
    let mut batch = Batch::new();
    for n in 1..=5 {
        batch.add_at(Error, &format!("pump {n} has no pressure"), n);
        batch.add_at(Warn, &format!("fan {n} stops"), n).count = n;
    }
    let mut silent = batch.clone();
    reads(
        &batch,
        &Spec::new("[x] ", 1),
        "[x] ERROR: pump 1..., pump 2..., pump 3..., pump 4..., pump 5..., \
         WARN: fan 1 stops, fan 2 stops (x2), fan 3 stops (x3), fan 4 stops (x4), fan 5 stops (x5)",
    );
    // What has no message is not lost in the row.
    silent.slots[2].as_mut().unwrap().message.clear();
    let told = silent.compose(&Spec::new("[x] ", 1));
    assert!(told.text.contains("pump 1..., sensor.rs:2, pump 3"), "{}", told.text);
}

#[test]
fn notes_stand_before_and_after() {
    let mut batch = Batch::new();
    batch.add(Error, "uplink lost");
    batch.notes = vec![
        vec![Text("restarted after a crash: "), Text("main.rs:12 out of memory")],
        vec![Text("unconfirmed "), Text("k7m2"), Text(": "), Number(2), Text(" ERROR")],
        vec![Number(12), Text(" lost")],
        vec![Text("budget used up until "), Two(4), Text(":"), Two(30)],
    ];
    let mut spec = spec(2).leading(2).trailing(2);
    reads(
        &batch,
        &spec,
        "[Rust Logger sampleapp] restarted after a crash: main.rs:12 out of memory, \
         unconfirmed k7m2: 2 ERROR, ERROR: uplink lost, 12 lost, budget used up until 04:30",
    );
    spec.repeat = Some("k7m2");
    reads(
        &batch,
        &spec,
        "[Rust Logger sampleapp] (repeat k7m2) restarted after a crash: main.rs:12 out of memory, \
         unconfirmed k7m2: 2 ERROR, ERROR: uplink lost, 12 lost, budget used up until 04:30",
    );
    batch.slots.clear();
    batch.notes = vec![vec![Text("alive "), Number(7), Text(" d, 0 errors")]];
    reads(&batch, &Spec::new(PREFIX, 1).trailing(1), "[Rust Logger sampleapp] alive 7 d, 0 errors");
}

#[test]
fn a_long_note_leaves_room_for_the_events() {
    let mut batch = Batch::new();
    batch.add(Error, "uplink lost");
    batch.notes =
        vec![vec![Text("restarted after a crash: "), Text(LOREM)], vec![Number(12), Text(" lost")]];
    reads(
        &batch,
        &spec(1).leading(1).trailing(1),
        "[Rust Logger sampleapp] restarted after a crash: the quick brown fox jumps over the..., \
         ERROR: uplink lost, 12 lost",
    );
}

const LOREM: &str = "the quick brown fox jumps over the lazy dog and the quick brown fox jumps \
                     over the lazy dog and the quick brown fox jumps over the lazy dog";

#[test]
fn refused_for_its_content_a_text_tells_levels_sources_and_sites() {
    let mut batch = Batch::new();
    for n in 0..4 {
        batch.add_at(Error, &format!("free pills {n}"), 88);
    }
    batch.add(Warn, "win a prize").target = "shop".into();
    let mut spec = spec(1);
    spec.style = Style::Reduced;
    reads(
        &batch,
        &spec,
        "[Rust Logger sampleapp] ERROR: plant::sensor sensor.rs:88 (x4, 4 kinds), WARN: shop",
    );
}

#[test]
fn white_space_and_control_characters_cost_one_space() {
    let mut batch = Batch::new();
    batch.add(Error, "  query failed:\r\n\tsyntax error\n\n    at line 3\u{1b}[0m \n");
    batch.add(Warn, "");
    batch.add(Info, " \n ");
    reads(
        &batch,
        &spec(2),
        "[Rust Logger sampleapp] ERROR: query failed: syntax error at line 3 [0m, \
         WARN: plant::sensor, INFO",
    );
}

#[test]
fn messages_of_all_lengths_are_cut_at_a_word() {
    let mut batch = Batch::new();
    batch.add(Error, &LOREM.repeat(40));
    reads(
        &batch,
        &spec(1),
        "[Rust Logger sampleapp] ERROR: the quick brown fox jumps over the lazy dog and the quick \
         brown fox jumps over the lazy dog and the quick brown fox jumps...",
    );
    let mut batch = Batch::new();
    batch.add(Error, &"x".repeat(5000));
    let text = format!("{PREFIX}ERROR: {}...", "x".repeat(160 - 26 - 7 - 3));
    reads(&batch, &spec(1), &text);
    // Cut already by the slot it was kept in.
    let mut batch = Batch::new();
    batch.add(Error, "a message that was lon").cut = true;
    batch.add(Warn, "ends with a word ").cut = true;
    reads(
        &batch,
        &spec(1),
        "[Rust Logger sampleapp] ERROR: a message that was lon..., WARN: ends with a word...",
    );
}

#[test]
fn one_character_outside_gsm_makes_the_text_ucs2_with_the_original_ones() {
    let mut batch = Batch::new();
    batch.add(Error, "“Łódź” — naïve `code`…");
    reads(&batch, &spec(1), "[Rust Logger sampleapp] ERROR: \"Lodz\" - naive 'code'...");
    batch.add(Error, "Датчик молчит");
    let told = batch.compose(&spec(2));
    assert_eq!(
        told.text,
        "[Rust Logger sampleapp] ERROR: “Łódź” — naïve `code`…, ERROR: Датчик молчит"
    );
    assert_eq!((told.encoding, told.segments), (Encoding::Ucs2, 2));
    let mut replace = spec(1);
    replace.fallback = Fallback::Replace;
    let told = batch.compose(&replace);
    assert_eq!(
        told.text,
        "[Rust Logger sampleapp] ERROR: \"Lodz\" - naive 'code'..., ERROR: ?????? ??????"
    );
    assert_eq!((told.encoding, told.segments), (Encoding::Gsm7, 1));
}

#[test]
fn a_stray_character_that_is_cut_off_costs_nothing() {
    let mut batch = Batch::new();
    batch.add(Error, &format!("{LOREM} ☃"));
    let told = batch.compose(&spec(1));
    assert_eq!(told.encoding, Encoding::Gsm7);
    assert!(told.text.ends_with("quick brown fox jumps..."), "{}", told.text);
}

#[test]
fn a_stray_character_without_room_in_ucs2_does_not_cost_half_the_text() {
    let mut batch = Batch::new();
    batch.add(Error, &format!("{LOREM} ☃ and some words after it"));
    // In GSM the snowman would be told, in UCS-2 there is no room to tell it: so GSM it is.
    let told = batch.compose(&spec(2));
    assert_eq!(told.text, format!("{PREFIX}ERROR: {LOREM} ? and some words after it"));
    assert_eq!((told.encoding, told.segments), (Encoding::Gsm7, 2));
    // Where UCS-2 tells it, it is told.
    let told = batch.compose(&spec(3));
    assert_eq!(told.text, format!("{PREFIX}ERROR: {LOREM} ☃ and some words after it"));
    assert_eq!((told.encoding, told.segments), (Encoding::Ucs2, 3));
}

#[test]
fn scripts_from_the_right_and_combining_marks() {
    let mut batch = Batch::new();
    batch.add(Error, "שגיאה: החיישן \u{202E}לא מגיב");
    batch.add(Warn, "cafe\u{301} u\u{308}ber");
    reads(
        &batch,
        &spec(2),
        "[Rust Logger sampleapp] ERROR: שגיאה: החיישן לא מגיב, WARN: cafe\u{301} u\u{308}ber",
    );
}

#[test]
fn the_prefix_is_treated_like_everything_else() {
    let mut batch = Batch::new();
    batch.add(Error, "uplink lost");
    reads(
        &batch,
        &Spec::new("[Rust Logger Łukasz’ Gerät] ", 1),
        "[Rust Logger Lukasz' Gerät] ERROR: uplink lost",
    );
    let told = batch.compose(&Spec::new("[Rust Logger теплица] ", 1));
    assert_eq!(told.text, "[Rust Logger теплица] ERROR: uplink lost");
    assert_eq!(told.encoding, Encoding::Ucs2);
    // One that leaves no room is cut.
    let told = batch.compose(&Spec::new(&"very long ".repeat(30), 1));
    assert_eq!(told.segments, 1);
    assert!(told.text.ends_with("very... ERROR: uplink lost"), "{}", told.text);
}

#[test]
fn a_record_that_is_gone_is_still_counted() {
    let mut batch = Batch::new();
    batch.add(Error, "uplink lost").count = 3;
    batch.add(Warn, "battery low");
    let mut walked = false;
    let told = batch.compose_with(&spec(1), |step, slot| {
        walked |= step > 1;
        step > 1 && slot == 0
    });
    assert_eq!(told.text, "[Rust Logger sampleapp] ERROR (x3), WARN: battery low");
    assert_eq!((told.named, told.more), (4, 0));
}
