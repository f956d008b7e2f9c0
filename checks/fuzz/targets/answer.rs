//! Any answer of a service: read the same in pieces of any size, and never taken for "not sent"
//! when a second, independent reader finds a part that was accepted.
#![no_main]

use annunciator_core::transport::Outcome;
use annunciator_core::vonage::AnswerReader;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|input: (u16, Option<u32>, u8, &[u8])| {
    let (http_status, retry_after, piece, body) = input;
    let read = |piece: usize| {
        let mut reader = AnswerReader::new();
        let mut worst = None;
        for bytes in body.chunks(piece.max(1)) {
            reader.push(bytes);
            let outcome = reader.finish(http_status, retry_after);
            // Once a part was accepted, no later byte takes it back.
            assert!(worst != Some(true) || accepted(&outcome), "an acceptance was taken back");
            worst = Some(accepted(&outcome));
        }
        (reader.finish(http_status, retry_after), reader.answer().clone())
    };
    let whole = read(body.len());
    assert_eq!(whole, read(piece.into()), "pieces of {piece} bytes");

    if oracle(body) {
        assert!(
            !matches!(whole.0, Outcome::Retry(_) | Outcome::Refused(_)),
            "a part was accepted, and {:?} would send it again",
            whole.0
        );
    }
});

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted(_))
}

/// Whether a whole JSON parser sees a part with status 0.
fn oracle(body: &[u8]) -> bool {
    let Ok(Value::Object(answer)) = serde_json::from_slice(body) else { return false };
    let Some(Value::Array(parts)) = answer.get("messages") else { return false };
    parts.iter().any(|part| match part.get("status") {
        Some(Value::String(status)) => status == "0",
        Some(Value::Number(status)) => status.as_u64() == Some(0),
        _ => false,
    })
}
