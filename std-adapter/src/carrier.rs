//! What takes a text away, with words for what came of it.

use annunciator_core::transport::{Code, Message, Outcome, Transport};

use crate::client::VonageClient;

/// A [`Transport`] that can say what its codes mean.
pub(crate) trait Carrier: Send {
    /// Makes one attempt.
    fn send(&mut self, message: &Message<'_>) -> Outcome;

    /// What the last outcome meant, and what to do about it, in words; no secrets.
    fn words(&self, code: Code) -> String;
}

/// A transport of the program's own; its codes are its own.
pub(crate) struct Own(pub(crate) Box<dyn Transport + Send>);

impl Carrier for Own {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        self.0.send(message)
    }

    fn words(&self, code: Code) -> String {
        match code {
            Code::NONE => "the transport gave no reason".to_owned(),
            Code(code) => format!("the transport's code {code}"),
        }
    }
}

impl Carrier for VonageClient {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Transport::send(self, message)
    }

    /// The latest attempt's account, which knows more than the code.
    fn words(&self, _: Code) -> String {
        self.last_attempt().to_string()
    }
}

/// What an outcome says about the channel, in words; `None` if it is well.
pub(crate) fn trouble(outcome: &Outcome, carrier: &dyn Carrier) -> Option<String> {
    match outcome {
        Outcome::Accepted(receipt) if receipt.refused_parts > 0 => Some(format!(
            "{} of a text's parts were refused: {}",
            receipt.refused_parts,
            carrier.words(receipt.code)
        )),
        Outcome::Accepted(_) => None,
        Outcome::Retry(retry) => Some(carrier.words(retry.code)),
        Outcome::Unknown(code) => {
            Some(format!("it is unknown whether a text was sent: {}", carrier.words(*code)))
        }
        Outcome::Refused(refusal) => Some(carrier.words(refusal.code)),
        _ => Some("an outcome of a newer core".to_owned()),
    }
}
