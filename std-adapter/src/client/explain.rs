//! What a code of an attempt means, and which setting of ours to look at: the core knows what the
//! service says, this file knows the client and the variables.

use annunciator_core::transport::Code;
use annunciator_core::vonage;

/// Codes of attempts that got no answer.
pub(super) mod local {
    use annunciator_core::transport::Code;

    /// No connection: the name did not resolve, nobody listens, no route.
    pub(in super::super) const NOT_CONNECTED: Code = Code(2001);
    /// The service's certificate or the TLS handshake was not accepted.
    pub(in super::super) const TLS: Code = Code(2002);
    /// Time ran out before the request had left.
    pub(in super::super) const TIMEOUT: Code = Code(2003);
    /// Some other failure before the request had left.
    pub(in super::super) const NOT_SENT: Code = Code(2004);
    /// The request left, and the connection ended without a whole answer.
    pub(in super::super) const NO_ANSWER: Code = Code(2005);
    /// The request left, and time ran out before a whole answer came.
    pub(in super::super) const ANSWER_TIMEOUT: Code = Code(2006);
    /// The proxy did not connect to the service.
    pub(in super::super) const PROXY: Code = Code(2007);
}

/// What the code means, in two parts: the meaning, and what to check, which may be empty.
pub(super) fn explain(code: Code) -> (&'static str, &'static str) {
    let meaning = match code.0 {
        2001 => "the service could not be reached: network, name server or firewall",
        2002 => "no secure connection: the certificate was not accepted",
        2003 => "the service did not respond in time; nothing was sent",
        2004 => "the connection failed before anything was sent",
        2005 => "the connection ended before the answer came: the text may have been sent",
        2006 => "no answer in time: the text may have been sent",
        2007 => "the proxy refused or could not reach the service",
        _ => vonage::explain(code),
    };
    (meaning, check(code))
}

/// The setting to look at, as it follows the meaning.
fn check(code: Code) -> &'static str {
    match code.0 {
        4 | 1401 | 1403 => {
            ": check VONAGE_API_KEY and VONAGE_API_SECRET (has the secret been rotated?)"
        }
        6 => ": check ALERT_PHONE_NUMBER (country code? a landline?)",
        22 | 34 => ": check ALERT_PHONE_NUMBER",
        15 => ": set ALERT_SENDER to a number of yours",
        1400 | 1406 | 1409..=1412 | 1414..=1424 | 1426..=1428 | 1430..=1499 => {
            ": check VONAGE_SMS_URL and any proxy"
        }
        1300..=1399 => ": check VONAGE_SMS_URL; no redirect is followed",
        1404 | 1405 => ": check VONAGE_SMS_URL",
        1407 | 2007 => ": check HTTPS_PROXY",
        2002 => " (wrong clock? an intercepting proxy? ALERT_CA_FILE?)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_of_the_client_has_words_of_its_own() {
        let codes = 2001..=2007;
        let words: BTreeSet<_> = codes.clone().map(|code| explain(Code(code)).0).collect();
        assert_eq!(words.len(), codes.count());
        assert!((1..=u16::MAX).all(|code| !explain(Code(code)).0.is_empty()));
    }

    #[test]
    fn what_a_person_can_set_is_named() {
        for (code, variable) in [
            (4, "VONAGE_API_SECRET"),
            (6, "ALERT_PHONE_NUMBER"),
            (15, "ALERT_SENDER"),
            (1302, "VONAGE_SMS_URL"),
            (1400, "VONAGE_SMS_URL"),
            (1401, "VONAGE_API_KEY"),
            (1404, "VONAGE_SMS_URL"),
            (1407, "HTTPS_PROXY"),
            (2002, "ALERT_CA_FILE"),
            (2007, "HTTPS_PROXY"),
        ] {
            assert!(explain(Code(code)).1.contains(variable), "{code}");
        }
        assert_eq!(explain(Code(1429)).1, "");
    }
}
