//! The Vonage protocol: any answer.

use crate::opaque::{any, bytes, sink, text, word};
use annunciator_core::transport::Code;
use annunciator_core::vonage::{AnswerReader, explain, retry_after_seconds};

pub fn all() {
    let mut memory = [0; 256];
    let mut reader = AnswerReader::new();
    let reader = any(&mut reader);
    reader.push(bytes(&mut memory));
    let wait = retry_after_seconds(text(&mut memory));
    sink(reader.finish(word() as u16, wait));
    let answer = reader.answer();
    sink((answer.accepted(), answer.refused(), answer.balance(), answer.statuses()));
    sink((answer.error_text(), answer.message_id()));
    sink(explain(Code(word() as u16)));
}
