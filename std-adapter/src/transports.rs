//! Transports that can describe their outcomes.

use annunciator_core::transport::{Code, Message, Outcome, Transport};
use annunciator_core::vonage::Number;

use crate::client::{ClientSettings, VonageClient};
use crate::config::{Config, ConfigError, Setting};

/// A [`Transport`] that can say what its codes mean.
pub(crate) trait DescribedTransport: Send {
    /// Makes one attempt.
    fn send(&mut self, message: &Message<'_>) -> Outcome;

    /// Describes the last outcome and what to do about it. Holds no secrets.
    fn describe(&self, code: Code) -> String;
}

/// A transport of the program's own; its codes are its own.
pub(crate) struct Custom(pub(crate) Box<dyn Transport + Send>);

impl DescribedTransport for Custom {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        self.0.send(message)
    }

    fn describe(&self, code: Code) -> String {
        match code {
            Code::NONE => "the transport gave no reason".to_owned(),
            Code(code) => format!("the transport's code {code}"),
        }
    }
}

impl DescribedTransport for VonageClient {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        Transport::send(self, message)
    }

    /// Describes the latest attempt, which knows more than the code.
    fn describe(&self, _: Code) -> String {
        self.last_attempt().to_string()
    }
}

/// The client for one number.
pub(crate) fn client(config: &Config, number: &Number) -> Result<VonageClient, ConfigError> {
    let wrong = |problem: String| ConfigError::invalid(Setting::Method("to"), problem);
    let settings = ClientSettings::of(&config.service, number, &config.timing)
        .ok_or_else(|| wrong("a number needs credentials".to_owned()))?;
    VonageClient::new(settings).map_err(wrong)
}

/// What is wrong with the route to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeliveryTrouble {
    /// The same for every attempt that fails alike. The description may differ: the service gives
    /// each request an id of its own.
    pub(crate) code: Code,
    pub(crate) words: String,
}

/// What an outcome says about the route; `None` if it is well.
pub(crate) fn trouble(
    outcome: &Outcome,
    transport: &dyn DescribedTransport,
) -> Option<DeliveryTrouble> {
    let (code, words) = match outcome {
        Outcome::Accepted(receipt) if receipt.refused_parts > 0 => {
            let (parts, words) = (receipt.refused_parts, transport.describe(receipt.code));
            (receipt.code, format!("{parts} of a text's parts were refused: {words}"))
        }
        Outcome::Accepted(_) => return None,
        Outcome::Retry(retry) => (retry.code, transport.describe(retry.code)),
        Outcome::Unknown(code) => {
            let words = transport.describe(*code);
            (*code, format!("it is unknown whether a text was sent: {words}"))
        }
        Outcome::Refused(refusal) => (refusal.code, transport.describe(refusal.code)),
        _ => (Code::NONE, "an outcome of a newer core".to_owned()),
    };
    Some(DeliveryTrouble { code, words })
}
