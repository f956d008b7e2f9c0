//! A client of the service without a network: request and answer go through registers.

use crate::alerter::text;
use crate::registers::{read, receive, send as put};
use annunciator_core::transport::{Message, Outcome};
#[cfg(feature = "signature")]
use annunciator_core::vonage::Algorithm;
use annunciator_core::vonage::{AnswerReader, Auth, Credentials, Number, Request, Sender};
use annunciator_core::vonage::{max_body_len, retry_after_seconds};

const BODY: usize = max_body_len(annunciator_core::gsm7::Encoding::Ucs2, 2);

pub fn send(message: &Message<'_>) -> Outcome {
    attempt(message).unwrap_or(Outcome::Unknown(annunciator_core::transport::Code(0)))
}

fn attempt(message: &Message<'_>) -> Option<Outcome> {
    let to = Number::parse(text()).ok()?;
    let from = Sender::parse(text()).ok()?;
    let credentials = Credentials::new(text(), text()).ok()?;
    let auth = Auth::Basic(credentials);
    #[cfg(feature = "signature")]
    let auth = match read() {
        0 => auth,
        1 => Auth::Signed(credentials, Algorithm::Md5Hash),
        _ => Auth::Signed(credentials, Algorithm::HmacSha256),
    };
    let request = Request::new(&from, &to, auth);
    #[cfg(feature = "signature")]
    let request = request.at(read());

    let mut header = [0; Credentials::MAX_BASIC_LEN];
    put(request.authorization(&mut header).ok()?.unwrap_or("").as_bytes());
    let mut body = [0; BODY];
    let len = request.body(message, &mut body).ok()?;
    put(body.get(..len)?);

    let mut reader = AnswerReader::new();
    for _ in 0..read() {
        receive(&mut header);
        reader.push(&header);
    }
    Some(reader.finish(read() as u16, retry_after_seconds(text())))
}
