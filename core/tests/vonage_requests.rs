//! What is sent, spelled out and read back by a decoder as a server has one.
#![cfg(feature = "vonage")]

use std::collections::BTreeMap;

use annunciator_core::gsm7::Encoding;
use annunciator_core::time::Duration;
use annunciator_core::transport::{Message, Reference};
use annunciator_core::vonage::{
    Auth, Credentials, CredentialsError, Number, Options, OptionsError, Request, RequestError,
    Sender, max_body_len,
};
use proptest::prelude::*;

const KEY: &str = "aaa012bb";
const SECRET: &str = "abc123456789";

fn ends() -> (Sender, Number) {
    (Sender::parse("Boiler7").unwrap(), Number::parse("+44 7700 900000").unwrap())
}

fn message(text: &str, encoding: Encoding) -> Message<'_> {
    Message::new(text, encoding, 1, Reference(33))
}

/// A form decoder, as a server has one; `None` for what no server should accept.
fn decode(body: &str) -> Option<Vec<(String, String)>> {
    body.split('&')
        .map(|field| {
            let (key, value) = field.split_once('=')?;
            let mut bytes = Vec::new();
            let mut rest = value.bytes();
            while let Some(byte) = rest.next() {
                bytes.push(match byte {
                    b'+' => b' ',
                    b'%' => {
                        let digits = [rest.next()?, rest.next()?];
                        u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
                    }
                    b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => byte,
                    _ => return None,
                });
            }
            Some((key.to_string(), String::from_utf8(bytes).ok()?))
        })
        .collect()
}

fn body(request: &Request<'_>, message: &Message<'_>) -> String {
    let mut buf = [0; 8192];
    let len = request.body(message, &mut buf).unwrap();
    String::from_utf8(buf[..len].to_vec()).unwrap()
}

#[test]
fn a_plain_request_is_spelled_out() {
    let (from, to) = ends();
    let credentials = Credentials::new(KEY, SECRET).unwrap();
    let basic = Request::new(&from, &to, Auth::Basic(credentials));
    let text = "ERROR: 50 % of {disk} & more\n= bad~";
    assert_eq!(
        body(&basic, &message(text, Encoding::Gsm7)),
        "client-ref=0011&from=Boiler7\
         &text=ERROR%3A+50+%25+of+%7Bdisk%7D+%26+more%0A%3D+bad%7E&to=447700900000&type=text"
    );
    assert_eq!(
        body(&basic, &message("カ€", Encoding::Ucs2)),
        "client-ref=0011&from=Boiler7&text=%E3%82%AB%E2%82%AC&to=447700900000&type=unicode"
    );
}

#[test]
fn exactly_one_way_of_authentication_is_used() {
    let (from, to) = ends();
    let credentials = Credentials::new(KEY, "p&s=+%").unwrap();
    let mut buf = [0; Credentials::MAX_BASIC_LEN];

    let basic = Request::new(&from, &to, Auth::Basic(credentials));
    assert_eq!(basic.authorization(&mut buf), Ok(Some("Basic YWFhMDEyYmI6cCZzPSsl")));
    assert!(!body(&basic, &message("x", Encoding::Gsm7)).contains("api_"));

    let in_body = Request::new(&from, &to, Auth::Body(credentials));
    assert_eq!(in_body.authorization(&mut buf), Ok(None));
    let body = body(&in_body, &message("x", Encoding::Gsm7));
    assert!(body.starts_with("api_key=aaa012bb&api_secret=p%26s%3D%2B%25&client-ref="), "{body}");
}

#[test]
fn credentials_are_checked_and_never_shown() {
    for (key, secret, error) in [
        ("aaa012b", SECRET, CredentialsError::Key),
        ("aaa012bb ", SECRET, CredentialsError::Key),
        ("aaa012b\n", SECRET, CredentialsError::Key),
        (SECRET, KEY, CredentialsError::Key),
        (KEY, "", CredentialsError::SecretLength),
        (KEY, "abc123456789\n", CredentialsError::SecretCharacter),
        (KEY, "pass word", CredentialsError::SecretCharacter),
        (KEY, "pässword", CredentialsError::SecretCharacter),
    ] {
        let refused = Credentials::new(key, secret).unwrap_err();
        assert_eq!(refused, error);
        assert!(secret.is_empty() || !refused.to_string().contains(secret));
    }
    let long = "s".repeat(65);
    assert_eq!(Credentials::new(KEY, &long), Err(CredentialsError::SecretLength));

    let (from, to) = ends();
    let request = Request::new(&from, &to, Auth::Body(Credentials::new(KEY, SECRET).unwrap()));
    let shown = format!("{request:?}");
    assert!(!shown.contains(SECRET) && !shown.contains(KEY), "{shown}");
}

#[test]
fn options_are_sent_only_if_set_and_within_their_ranges() {
    let (from, to) = ends();
    let auth = Auth::Basic(Credentials::new(KEY, SECRET).unwrap());
    let mut options = Options::default();
    options.reference_prefix = "boiler.7-";
    options.ttl = Some(Duration::from_mins(30));
    options.status_report = Some(true);
    options.callback = Some("https://example.com/?a=1");
    options.message_class = Some(0);
    options.account_ref = Some("dept 7");
    let request = Request::new(&from, &to, auth).options(options).unwrap();
    let fields = decode(&body(&request, &message("x", Encoding::Gsm7))).unwrap();
    let fields: Vec<_> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        fields,
        [
            ("account-ref", "dept 7"),
            ("callback", "https://example.com/?a=1"),
            ("client-ref", "boiler.7-0011"),
            ("from", "Boiler7"),
            ("message-class", "0"),
            ("status-report-req", "true"),
            ("text", "x"),
            ("to", "447700900000"),
            ("ttl", "1800000"),
            ("type", "text"),
        ]
    );

    let long = "x".repeat(101);
    type Change<'a> = &'a dyn Fn(&mut Options<'_>);
    let wrong: [(Change<'_>, OptionsError); 6] = [
        (&|o| o.ttl = Some(Duration::from_millis(19_999)), OptionsError::Ttl),
        (&|o| o.ttl = Some(Duration::from_millis(604_800_001)), OptionsError::Ttl),
        (&|o| o.message_class = Some(4), OptionsError::MessageClass),
        (&|o| o.callback = Some(""), OptionsError::Callback),
        (&|o| o.entity_id = Some(""), OptionsError::Id),
        (&|o| o.reference_prefix = "a b", OptionsError::ReferencePrefix),
    ];
    for (change, error) in wrong {
        let mut options = Options::default();
        change(&mut options);
        assert_eq!(options.check(), Err(error));
    }
    let mut options = Options::default();
    options.callback = Some(&long);
    assert_eq!(options.check(), Err(OptionsError::Callback));
}

#[test]
fn a_small_buffer_is_told_the_size_needed() {
    let (from, to) = ends();
    let request = Request::new(&from, &to, Auth::Basic(Credentials::new(KEY, SECRET).unwrap()));
    let message = message("text", Encoding::Gsm7);
    let whole = body(&request, &message).len();
    for size in 0..whole {
        let refused = request.body(&message, &mut vec![0; size]);
        assert_eq!(refused, Err(RequestError::DoesNotFit { needed: whole }));
    }
    assert_eq!(request.body(&message, &mut vec![0; whole]), Ok(whole));
}

#[test]
fn the_promised_size_suffices_for_the_worst_text() {
    let (from, to) =
        (Sender::parse("123456789012345").unwrap(), Number::parse("123456789012345").unwrap());
    let secret = "%".repeat(64);
    let prefix = "p".repeat(36);
    let free = "é".repeat(50);
    let mut options = Options::default();
    options.reference_prefix = &prefix;
    options.ttl = Some(Duration::from_millis(604_800_000));
    options.status_report = Some(false);
    options.message_class = Some(3);
    options.callback = Some(&free);
    options.account_ref = Some(&free);
    options.entity_id = Some(&free);
    options.content_id = Some(&free);
    let auth = Auth::Body(Credentials::new(KEY, &secret).unwrap());
    let request = Request::new(&from, &to, auth).options(options).unwrap();
    for (encoding, worst, single, joined) in
        [(Encoding::Gsm7, "é", 160, 153), (Encoding::Ucs2, "カ", 70, 67)]
    {
        for segments in [1u8, 2, 6] {
            let units = if segments == 1 { single } else { joined * usize::from(segments) };
            let text = worst.repeat(units);
            let message = Message::new(&text, encoding, segments, Reference(0xF_FFFF));
            let mut buf = vec![0; max_body_len(encoding, segments) + options.max_len()];
            let len = request.body(&message, &mut buf).unwrap();
            // The bound is of use only if it is near: `unicode` is longer than `text`.
            assert!(buf.len() - len <= 3, "{} for {len}", buf.len());
        }
    }
}

#[cfg(feature = "signature")]
mod signed {
    use super::*;
    use annunciator_core::vonage::Algorithm;

    #[test]
    fn a_signed_request_carries_key_time_and_digest_but_no_secret() {
        let (from, to) =
            (Sender::parse("AcmeInc").unwrap(), Number::parse("447700900000").unwrap());
        let credentials = Credentials::new("abcd1234", "my_signature_secret").unwrap();
        for (algorithm, digits) in [(Algorithm::Md5Hash, 32), (Algorithm::HmacSha256, 64)] {
            let request = Request::new(&from, &to, Auth::Signed(credentials, algorithm));
            let message = message("a=b & c? é €", Encoding::Ucs2);
            assert_eq!(request.body(&message, &mut [0; 999]), Err(RequestError::NoTimestamp));

            let request = request.at(1_700_000_000);
            let body = body(&request, &message);
            assert!(!body.contains("secret"));
            let (fields, sig) = body.rsplit_once("&sig=").unwrap();
            assert_eq!(sig.len(), digits);
            assert_eq!(
                fields,
                "api_key=abcd1234&client-ref=0011&from=AcmeInc\
                 &text=a%3Db+%26+c%3F+%C3%A9+%E2%82%AC&timestamp=1700000000&to=447700900000\
                 &type=unicode"
            );
            assert_eq!(request.authorization(&mut []), Ok(None));
        }
    }
}

proptest! {
    #[test]
    fn a_decoder_reads_back_what_was_meant(
        text in "\\PC{1,80}|[\\x00-\\x7f]{1,80}",
        secret in "[!-~]{1,64}",
        callback in proptest::option::of("\\PC{1,20}"),
        ttl in proptest::option::of(20_000u64..=604_800_000),
        reference in 0u32..1 << 20,
        in_body: bool,
        unicode: bool,
    ) {
        let (from, to) = ends();
        let credentials = Credentials::new(KEY, &secret).unwrap();
        let auth = if in_body { Auth::Body(credentials) } else { Auth::Basic(credentials) };
        let mut options = Options::default();
        options.callback = callback.as_deref();
        options.ttl = ttl.map(Duration::from_millis);
        let request = Request::new(&from, &to, auth).options(options).unwrap();
        let encoding = if unicode { Encoding::Ucs2 } else { Encoding::Gsm7 };
        let reference = Reference(reference);
        let body = body(&request, &Message::new(&text, encoding, 1, reference));

        let fields = decode(&body).expect("a form");
        prop_assert!(fields.is_sorted_by(|a, b| a.0 < b.0), "sorted, no key twice");
        let fields: BTreeMap<_, _> = fields.into_iter().collect();
        let mut expected = BTreeMap::from([
            ("client-ref", reference.to_string()),
            ("from", "Boiler7".into()),
            ("text", text),
            ("to", "447700900000".into()),
            ("type", if unicode { "unicode" } else { "text" }.into()),
        ]);
        if in_body {
            expected.extend([("api_key", KEY.to_string()), ("api_secret", secret)]);
        }
        expected.extend(callback.map(|url| ("callback", url)));
        expected.extend(ttl.map(|ttl| ("ttl", ttl.to_string())));
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
        prop_assert_eq!(fields, expected);
    }
}
