//! Recorded and constructed answers of the service are classified as the data says.
#![cfg(feature = "vonage")]

use annunciator_core::time::Duration;
use annunciator_core::transport::{Outcome, RefusalClass, RetryCause};
use annunciator_core::vonage::{AnswerReader, explain};
use serde_json::Value;

const RESPONSES: &str = include_str!("data/vonage-responses.jsonl");

/// The data's name for an outcome, and the wait it asks for.
fn class(outcome: &Outcome) -> (&'static str, Option<Duration>) {
    match outcome {
        Outcome::Accepted(receipt) if receipt.refused_parts == 0 => ("accepted", None),
        Outcome::Accepted(_) => ("accepted-partial", None),
        Outcome::Retry(retry) => match retry.cause {
            RetryCause::Throttled => ("retry-later", retry.after),
            RetryCause::Failure => ("retry-backoff", retry.after),
            RetryCause::Unrecognised => ("unknown", retry.after),
            _ => ("a cause of another version", None),
        },
        Outcome::Unknown(_) => ("ambiguous", None),
        Outcome::Refused(refusal) => match refusal.class {
            RefusalClass::Channel => ("permanent-config", None),
            RefusalClass::Message => ("permanent-message", None),
            _ => ("a class of another version", None),
        },
        _ => ("an outcome of another version", None),
    }
}

/// Reads `body` in pieces of `size` bytes.
fn read(line: &Value, size: usize) -> (Outcome, Vec<u64>, Vec<String>, AnswerReader) {
    let (mut statuses, mut ids) = (Vec::new(), Vec::new());
    let mut reader = AnswerReader::new();
    for piece in line["body"].as_str().unwrap().as_bytes().chunks(size) {
        reader.push_each(piece, |part| {
            statuses.extend(part.status().map(u64::from));
            ids.extend(part.message_id.map(String::from));
        });
    }
    let http = line["http"].as_u64().unwrap() as u16;
    let retry_after = line["retry_after"].as_u64().map(|seconds| seconds as u32);
    (reader.finish(http, retry_after), statuses, ids, reader)
}

#[test]
fn every_recorded_answer_is_classified_as_expected_in_pieces_of_any_size() {
    let lines: Vec<Value> =
        RESPONSES.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 34);
    for line in &lines {
        let name = line["name"].as_str().unwrap();
        let expect = &line["expect"];
        for size in [1, 2, 7, 64, usize::MAX] {
            let (outcome, statuses, ids, reader) = read(line, size);
            let (class, wait) = class(&outcome);
            assert_eq!(class, expect["class"], "{name}: {outcome:?}");
            assert_eq!(wait.map(Duration::as_millis), expect["wait_ms"].as_u64(), "{name}");
            let none = Vec::new();
            let expected = expect["statuses"].as_array().unwrap_or(&none);
            assert_eq!(&statuses, expected, "{name}");
            let expected = expect["message_ids"].as_array().unwrap_or(&none);
            assert_eq!(&ids, expected, "{name}");

            let answer = reader.answer();
            assert_eq!(answer.message_id(), ids.first().map_or("", |id| id), "{name}");
            let parts = usize::from(answer.accepted() + answer.refused());
            assert_eq!(parts, statuses.len(), "{name}");
        }
    }
}

#[test]
fn the_health_report_gets_the_words_of_the_service_and_ours() {
    for (name, said, ours) in [
        ("bad-credentials", "Bad Credentials", "wrong API key or secret"),
        ("quota", "Quota Exceeded - rejected", "top up"),
        ("illegal-sender", "Illegal Sender Address - rejected", "not allowed in the destination"),
        ("http-401-legacy", "authentication failed", "wrong API key or secret"),
        ("http-404", "Not Found", "no SMS service at this address"),
        ("http-429-retry-after", "Rate Limit Hit", "wait"),
        ("html-200", "", "captive portal"),
        ("escapes-unknown-fields", "line \"q\" / ? ?", "wait"),
    ] {
        let line = RESPONSES
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["name"] == name)
            .unwrap();
        let (outcome, .., reader) = read(&line, 16);
        let code = match outcome {
            Outcome::Refused(refusal) => refusal.code,
            Outcome::Retry(retry) => retry.code,
            Outcome::Unknown(code) => code,
            _ => panic!("{name} was accepted"),
        };
        assert_eq!(reader.answer().error_text(), said, "{name}");
        assert!(explain(code).contains(ours), "{name}: {}", explain(code));
    }
}

#[test]
fn prices_and_the_balance_are_exact() {
    let line = |name: &str| {
        RESPONSES
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .find(|line| line["name"] == name)
            .unwrap()
    };
    for (name, parts, price) in [
        ("ok-trace", 1, "0.03330000"),
        ("ok-two-parts", 2, "0.06660000"),
        ("big-48-parts", 48, "1.59840000"),
    ] {
        let (Outcome::Accepted(receipt), ..) = read(&line(name), 100) else { panic!("{name}") };
        assert_eq!(receipt.parts, parts);
        assert_eq!(receipt.price.unwrap().to_string(), price);
    }
    let (Outcome::Accepted(receipt), ..) = read(&line("ok-trace"), 100) else { panic!() };
    assert_eq!(receipt.balance.unwrap().to_string(), "230.56597167");
    let (Outcome::Refused(_), .., reader) = read(&line("quota"), 100) else { panic!() };
    assert_eq!(reader.answer().balance().unwrap().to_string(), "0.00100000");
}
