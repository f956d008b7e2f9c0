//! The alphabet, the replacements and the arithmetic of segments, against their sources.

use annunciator_core::gsm7::{
    Counter, Encoding, Fallback, fit, septets, text_bytes, transliterate,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const ALPHABET: &str = include_str!("data/gsm7-alphabet.tsv");
const REPLACEMENTS: &str = include_str!("data/gsm7-transliterate.tsv");

fn character(hex: &str) -> char {
    char::from_u32(u32::from_str_radix(hex, 16).unwrap()).unwrap()
}

#[test]
fn the_alphabet_is_the_standards() {
    let mut wanted = BTreeMap::new();
    for row in ALPHABET.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let extension = columns[1] == "1";
        // ESC is the way into the extension table, not a character.
        if columns[2] != "001B" {
            wanted.insert(character(columns[2]), if extension { 2 } else { 1 });
        }
    }
    assert_eq!(wanted.len(), 137);
    for c in '\0'..=char::MAX {
        assert_eq!(septets(c), wanted.get(&c).copied(), "U+{:04X}", c as u32);
    }
}

/// The replacement of a row: a JSON string of ASCII.
fn replacement(json: &str) -> String {
    let quoted = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
    quoted.replace("\\\"", "\"").replace("\\n", "\n")
}

#[test]
fn every_row_of_the_replacements_is_followed() {
    let mut rows = 0;
    for row in REPLACEMENTS.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let text = format!("<{}>", character(columns[0]));
        let told: String = transliterate(&text).collect();
        assert_eq!(told, format!("<{}>", replacement(columns[1])), "U+{}", columns[0]);
        rows += 1;
    }
    assert_eq!(rows, 256);
}

#[test]
fn nothing_else_is_replaced_but_controls_and_the_invisible() {
    let rows: BTreeSet<char> = REPLACEMENTS
        .lines()
        .skip(1)
        .map(|row| character(row.split('\t').next().unwrap()))
        .collect();
    for c in '\0'..=char::MAX {
        if rows.contains(&c) {
            continue;
        }
        let mut bytes = [0; 4];
        let told: String = transliterate(c.encode_utf8(&mut bytes)).collect();
        match c {
            '\n' => assert_eq!(told, "\n"),
            _ if c.is_control() => assert_eq!(told, " "),
            '\u{61C}' | '\u{180E}' | '\u{202A}'..='\u{202E}' | '\u{2061}'..='\u{206F}' => {
                assert_eq!(told, "");
            }
            '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}' => assert_eq!(told, ""),
            '\u{2126}' => assert_eq!(told, "Ω"),
            '\u{212A}' => assert_eq!(told, "K"),
            '\u{212B}' => assert_eq!(told, "Å"),
            _ => assert_eq!(told, c.to_string(), "U+{:04X}", c as u32),
        }
    }
}

#[test]
fn replacements_in_context() {
    for (text, told) in [
        ("can’t open “a.txt” – retrying…", "can't open \"a.txt\" - retrying..."),
        ("expected `u8`, found `&str`", "expected 'u8', found '&str'"),
        ("one\r\ntwo\rthree\tfour\u{7f}", "one\ntwo three four "),
        ("cafe\u{301} man\u{303}ana u\u{308}ber", "café mañana über"),
        ("z\u{307}o\u{301}\u{328}w c\u{327}a", "zow ca"),
        ("C\u{327}a e\u{323}\u{301}", "Ça é"),
        ("Łódź, Šiauliai, Æther, Ünal", "Lodz, Siauliai, Æther, Ünal"),
        ("a\u{345}b o\u{361}o", "ab oo"),
        ("zero\u{200B}width\u{FEFF} ✓ ½", "zerowidth OK 1/2"),
        ("\u{301}alone \u{301}", "\u{301}alone \u{301}"),
        ("ж\u{306}", "ж\u{306}"),
    ] {
        assert_eq!(transliterate(text).collect::<String>(), told);
    }
}

#[test]
fn known_counts() {
    let gsm = |text: &str, segments, units| {
        let count = Counter::of(text);
        assert_eq!(
            (count.encoding(), count.segments(), count.units()),
            (Encoding::Gsm7, segments, units)
        );
    };
    let ucs2 = |text: &str, segments, units| {
        let count = Counter::of(text);
        assert_eq!(
            (count.encoding(), count.segments(), count.units()),
            (Encoding::Ucs2, segments, units)
        );
    };
    let a = |n| "a".repeat(n);
    let zhe = |n| "ж".repeat(n);
    gsm("", 1, 0);
    gsm(&a(160), 1, 160);
    gsm(&a(161), 2, 161);
    gsm(&(a(159) + "{"), 2, 161);
    gsm(&(a(152) + "{" + &a(153)), 3, 307);
    gsm(&(a(152) + "€" + &a(151)), 2, 305);
    gsm(&(a(152) + "€" + &a(152)), 3, 306);
    ucs2(&zhe(70), 1, 70);
    ucs2(&zhe(71), 2, 71);
    ucs2(&(zhe(66) + "😀" + &zhe(66)), 3, 134);
    gsm("ÇA", 1, 2);
    ucs2("ça", 1, 2);
    ucs2("a\t", 1, 2);
    ucs2("\u{1b}", 1, 1);
    gsm("a\u{c}", 1, 3);
}

fn fitted(text: &str, segments: u8, fallback: Fallback) -> (String, u16, bool) {
    let mut buf = vec![0; text_bytes(segments)];
    let fitted = fit(text, segments, fallback, &mut buf);
    let text = String::from_utf8(buf[..fitted.len].to_vec()).unwrap();
    assert_eq!(Counter::of(&text).segments(), fitted.segments);
    assert_eq!(Counter::of(&text).encoding(), fitted.encoding);
    (text, fitted.segments, fitted.cut)
}

#[test]
fn cuts_fall_at_words_and_are_marked() {
    let words = "alpha beta gamma delta ".repeat(8);
    let (text, segments, cut) = fitted(&words, 1, Fallback::Unicode);
    assert!(text.ends_with("alpha beta gamma..."), "{text}");
    assert_eq!((segments, cut), (1, true));
    assert!(text.len() > 140, "{text}");

    let (text, _, _) = fitted(&"x".repeat(5000), 2, Fallback::Unicode);
    assert_eq!(text, "x".repeat(301) + "...");
    let (text, segments, cut) = fitted(&"x".repeat(160), 1, Fallback::Unicode);
    assert_eq!((text.len(), segments, cut), (160, 1, false));
    let (text, _, _) = fitted("", 1, Fallback::Unicode);
    assert_eq!(text, "");
}

#[test]
fn one_stray_character_costs_the_alphabet_or_itself() {
    let text = "Датчик 7 не отвечает";
    assert_eq!(fitted(text, 1, Fallback::Unicode).0, text);
    assert_eq!(fitted(text, 1, Fallback::Replace).0, "?????? 7 ?? ????????");
    // Cut off before the stray character, the text stays in GSM.
    let late = "a".repeat(170) + "ж";
    assert_eq!(fitted(&late, 1, Fallback::Unicode).0, "a".repeat(157) + "...");
    // In UCS-2 the original characters go.
    assert_eq!(fitted("“ж”\u{202E}", 1, Fallback::Unicode).0, "“ж”");
}

#[test]
fn no_cut_inside_what_is_seen_as_one_character() {
    let family = "👨\u{200D}👩\u{200D}👧";
    let (text, _, _) = fitted(&family.repeat(20), 1, Fallback::Unicode);
    assert_eq!(text, family.repeat(8) + "...");
    let (text, _, _) = fitted(&"и\u{306}".repeat(80), 1, Fallback::Unicode);
    assert_eq!(text, "и\u{306}".repeat(33) + "...");
}

/// Texts of all sorts: ASCII, extension characters, accents, marks, surrogates, anything.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,60}",
        2 => "[a-zé{}€àж ]{0,40}",
        1 => "[e\u{300}-\u{308}\u{200d}😀\r\n\t ]{0,20}",
        1 => "\\PC{0,20}",
        1 => proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter),
        1 => (0usize..700).prop_map(|n| "a".repeat(n)),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// The rules of the standard, written down the slow way.
    #[test]
    fn counts_are_those_of_a_plain_model(text in any_text()) {
        let all = text.chars().all(|c| septets(c).is_some());
        let costs: Vec<usize> = text
            .chars()
            .map(|c| if all { usize::from(septets(c).unwrap()) } else { c.len_utf16() })
            .collect();
        let units: usize = costs.iter().sum();
        let (alone, joined) = if all { (160, 153) } else { (70, 67) };
        let mut parts = vec![0];
        for cost in costs {
            if parts.last().unwrap() + cost > joined {
                parts.push(0);
            }
            *parts.last_mut().unwrap() += cost;
        }
        let segments = if units <= alone { 1 } else { parts.len() };
        let count = Counter::of(&text);
        prop_assert_eq!(count.encoding() == Encoding::Gsm7, all);
        prop_assert_eq!(count.units() as usize, units);
        prop_assert_eq!(usize::from(count.segments()), segments);
    }

    #[test]
    fn a_fitted_text_costs_no_more_than_asked(
        text in any_text(),
        segments in 1u8..=6,
        replace: bool,
    ) {
        let fallback = if replace { Fallback::Replace } else { Fallback::Unicode };
        let (told, cost, cut) = fitted(&text, segments, fallback);
        prop_assert!(cost <= u16::from(segments));
        let count = Counter::of(&told);
        prop_assert!(!replace || count.encoding() == Encoding::Gsm7);
        let whole: String = transliterate(&text).collect();
        if Counter::of(&whole).encoding() == Encoding::Gsm7 {
            // All of it, or so much that a word more had not fitted.
            let kept = told.strip_suffix("...").unwrap_or(&told);
            prop_assert!(whole.starts_with(kept), "{}", told);
            let capacity = Encoding::Gsm7.capacity(segments);
            prop_assert!(cut || told == whole);
            prop_assert!(!cut || count.units() * 2 >= u32::from(capacity) - 10, "{}", told);
        }
    }

    #[test]
    fn a_short_buffer_only_cuts_earlier(text in any_text(), size in 0usize..200) {
        let mut buf = vec![0; size];
        let fitted = fit(&text, 2, Fallback::Unicode, &mut buf);
        prop_assert!(core::str::from_utf8(&buf[..fitted.len]).is_ok());
    }
}
