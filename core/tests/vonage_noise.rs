//! No bytes upset the reader, pieces of any size give the same answer, and nothing that was not
//! accepted by the service's own words counts as accepted.
#![cfg(feature = "vonage")]

use annunciator_core::transport::Outcome;
use annunciator_core::vonage::{Answer, AnswerReader};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};

/// More cases than usual, and still more if `PROPTEST_CASES` says so.
fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.max(1_000), ..usual }
}

fn bodies() -> Vec<String> {
    include_str!("data/vonage-responses.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| line["body"].as_str().unwrap().to_string())
        .filter(|body| body.len() < 2000)
        .collect()
}

fn read(body: &[u8], cuts: &[Index]) -> (Outcome, Answer) {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    let mut reader = AnswerReader::new();
    for piece in at.windows(2) {
        reader.push(&body[piece[0]..piece[1]]);
    }
    (reader.finish(200, None), reader.answer().clone())
}

fn check(body: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let whole = read(body, &[]);
    prop_assert_eq!(&read(body, cuts), &whole);
    let text = [whole.1.error_text(), whole.1.message_id()].concat();
    prop_assert!(text.bytes().all(|b| (0x20..0x7F).contains(&b)), "{text:?}");
    Ok(())
}

/// What a full parser makes of the same bytes: statuses in order, `None` for an unreadable part.
fn parts(body: &[u8]) -> Option<Vec<Option<u16>>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let status = |part: &Value| {
        let text = match part.get("status")? {
            Value::String(text) => text.trim_matches(' ').to_string(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        (digits && text.len() <= 8).then(|| text.parse::<u32>().unwrap().min(999) as u16)
    };
    Some(body.get("messages")?.as_array()?.iter().map(status).collect())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\]:,é😀\\n]{0,12}".prop_map(Value::from),
        "[ -~]{250,600}".prop_map(Value::from),
    ];
    let name = prop_oneof![
        Just("status".to_string()),
        Just("messages".to_string()),
        Just("error-text".to_string()),
        "[a-z\"\\\\]{0,30}",
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let name = name.clone();
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..4)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

/// A part with a status of some shape, and anything else around it.
fn any_part() -> impl Strategy<Value = Value> {
    let status = prop_oneof![
        4 => prop_oneof![Just(0u16), 0u16..40, any::<u16>()].prop_map(|s| json!(s.to_string())),
        1 => (0u16..40).prop_map(|s| json!(s)),
        1 => any_json(),
    ];
    let other = proptest::collection::vec(("[a-z\\\\\"-]{0,30}|error-text", any_json()), 0..6);
    (status, other).prop_map(|(status, other)| {
        let mut part = Map::from_iter(other);
        part.insert("status".into(), status);
        Value::from(part)
    })
}

#[test]
fn deep_nesting_and_long_parts_cost_no_memory() {
    let deep = [r#"{"a":"#, &"[".repeat(60_000), &"]".repeat(60_000), r#","messages":["#].concat();
    let long = format!(
        r#"{{"x":"{}","error-text":"{}","status":"0"}}]}}"#,
        "x".repeat(5_000),
        r#"\\\""#.repeat(1_000)
    );
    let (outcome, answer) = read([deep, long].concat().as_bytes(), &[]);
    assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
    assert_eq!(answer.error_text(), r#"\""#.repeat(60));

    let endless = [r#"{"a":"#, &"[".repeat(70_000)].concat();
    assert!(matches!(read(endless.as_bytes(), &[]).0, Outcome::Unknown(_)));
}

#[test]
fn latin_1_is_as_good_as_any_bytes() {
    let body = b"{\"messages\":[{\"status\":\"15\",\"error-text\":\"Exp\xE9diteur refus\xE9\"}]}";
    let (outcome, answer) = read(body, &[]);
    assert!(matches!(outcome, Outcome::Refused(_)));
    assert_eq!(answer.error_text(), "Exp?diteur refus?");
}

#[test]
fn what_was_accepted_stays_so_when_the_rest_is_lost() {
    let body = br#"{"messages":[{"status":"0"},{"status":"0"},{"status":"5"}]}"#;
    let mut seen = Vec::new();
    for end in 0..=body.len() {
        let (outcome, _) = read(&body[..end], &[]);
        seen.push(match outcome {
            Outcome::Accepted(receipt) => (receipt.parts, receipt.refused_parts),
            Outcome::Unknown(_) => (0, 0),
            other => panic!("{other:?} after {end} bytes"),
        });
    }
    seen.dedup();
    assert_eq!(seen, [(0, 0), (1, 0), (2, 0), (2, 1)]);
}

/// "Not sent" would have it sent again, and one of the two says that it was.
#[test]
fn of_a_part_with_two_statuses_nobody_knows_whatever_http_says() {
    for statuses in [[1, 0], [0, 1], [8, 8]] {
        let [first, second] = statuses;
        let body = format!(r#"{{"messages":[{{"status":"{first}","x":"","status":{second}}}]}}"#);
        for http in [200, 401, 503] {
            let mut reader = AnswerReader::new();
            reader.push(body.as_bytes());
            assert!(matches!(reader.finish(http, None), Outcome::Unknown(_)), "{http} {body}");
        }
    }
}

#[test]
fn a_refusal_counts_only_if_the_list_is_whole() {
    let body = br#"{"messages":[{"status":"4"},{"status":"5"}]}"#;
    for end in 0..=body.len() {
        let refused = matches!(read(&body[..end], &[]).0, Outcome::Refused(_));
        assert_eq!(refused, end >= body.len() - 1, "{end}");
    }
    let unreadable = br#"{"messages":[{"status":"4"},{"state":"5"}]}"#;
    assert!(matches!(read(unreadable, &[]).0, Outcome::Unknown(_)));
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_bytes_are_read(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        cuts: [Index; 5],
    ) {
        check(&body, &cuts)?;
    }

    #[test]
    fn any_soup_of_json_is_read(
        body in r#"(\{|\}|\[|\]|:|,|"|\\|"messages":\[\{|"status":"|0|null|[a-z]| ){0,60}"#,
        cuts: [Index; 5],
    ) {
        let body = [r#"{"messages":[{"#, &body].concat();
        check(body.as_bytes(), &cuts)?;
    }

    #[test]
    fn damaged_answers_are_read(
        which: Index,
        damage in proptest::collection::vec((any::<Index>(), any::<u8>(), 0u8..4), 1..6),
        cuts: [Index; 5],
    ) {
        let mut body = which.get(&bodies()).clone().into_bytes();
        for (at, byte, kind) in damage {
            let at = at.index(body.len() + 1);
            match kind {
                0 => body.insert(at, byte),
                1 => drop(body.splice(at..body.len().min(at + 1), [byte])),
                2 => drop(body.splice(at..body.len().min(at + 1), [])),
                _ => body.truncate(at),
            }
        }
        check(&body, &cuts)?;
    }

    #[test]
    fn a_full_parser_agrees(
        parts_in in proptest::collection::vec(prop_oneof![5 => any_part(), 1 => any_json()], 0..6),
        before in proptest::collection::vec(("[a-z\\\\]{0,30}", any_json()), 0..3),
        pretty: bool,
        cuts: [Index; 5],
    ) {
        let mut top = Map::from_iter(before);
        top.insert("messages".into(), Value::from(parts_in));
        let top = Value::from(top);
        let body = if pretty {
            serde_json::to_vec_pretty(&top).unwrap()
        } else {
            serde_json::to_vec(&top).unwrap()
        };
        check(&body, &cuts)?;
        let expected = parts(&body).unwrap();
        let (_, answer) = read(&body, &cuts);
        let readable: Vec<u16> = expected.iter().flatten().copied().collect();
        prop_assert_eq!(answer.statuses(), &readable[..]);
        let accepted = readable.iter().filter(|status| **status == 0).count();
        prop_assert_eq!(usize::from(answer.accepted()), accepted);
        prop_assert_eq!(usize::from(answer.refused()), readable.len() - accepted);
        prop_assert_eq!(usize::from(answer.unreadable()), expected.len() - readable.len());
    }
}
