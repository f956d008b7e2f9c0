//! The rules of the form, each broken once.

use crate::client::{Client, FORM, broken, encode, send};
use annunciator_simulator::{Answer, Outcome, Rule, Simulator};

/// Sends a form and tells which rules it broke and what came of it.
fn judge(sim: &Simulator, form: &str) -> (Vec<Rule>, Outcome) {
    send(sim, form).unwrap();
    (broken(sim), sim.requests().last().unwrap().outcome)
}

#[test]
fn correct_forms_are_clean() {
    let sim = Simulator::start().unwrap();
    let mut client = Client::connect(&sim).unwrap();
    let forms = [
        FORM.to_owned(),
        "to=14155550100&from=12015550100&text=a".to_owned(),
        "to=4477009&from=1&text=a".to_owned(),
        "to=447700900000123&from=123456789012345&text=a".to_owned(),
        "to=447700900000&from=ABCdef12345&text=%C2%A7%E2%82%AC%5B%5D&type=text".to_owned(),
        "to=447700900000&from=AcmeInc&text=%E2%9C%93&type=unicode".to_owned(),
        format!("{FORM}&ttl=20000&status-report-req=false&message-class=0&trusted-number=true"),
        format!("{FORM}&ttl=604800000&client-ref={}", "r".repeat(100)),
        format!("{FORM}&callback={}", encode("https://example.com/dlr")),
        format!("{FORM}&account-ref=a&entity-id=1&content-id=2&pool-id=p"),
    ];
    for form in &forms {
        client.send(form).unwrap();
        assert_eq!(broken(&sim), [], "{form}");
    }
    sim.assert_clean();
    assert_eq!(sim.messages().len(), forms.len());
}

#[test]
fn each_rule_is_noticed_and_answered_like_the_service_would() {
    use Outcome::{Accepted, Refused};
    let sim = Simulator::start().unwrap();
    let with = |extra: &str| format!("{FORM}&{extra}");
    let from = |from: &str| FORM.replace("AcmeInc", from);
    let to = |to: &str| FORM.replace("447700900000", to);
    let text = |text: &str| FORM.replace("It+is+on+fire", text);
    let table = [
        ("to=447700900000&text=a".to_owned(), Rule::MissingField, Refused(2)),
        ("from=AcmeInc&text=a".to_owned(), Rule::MissingField, Refused(2)),
        ("from=AcmeInc&to=447700900000".to_owned(), Rule::MissingField, Refused(2)),
        (text(""), Rule::MissingField, Refused(2)),
        (from("Acme+Inc"), Rule::Sender, Refused(15)),
        (from("Acme-Inc"), Rule::Sender, Refused(15)),
        (from("Acm%C3%A9"), Rule::Sender, Refused(15)),
        (from("%2B12015550"), Rule::Sender, Refused(15)),
        (from("AcmeIncLtd12"), Rule::Sender, Refused(15)),
        (from("1234567890123456"), Rule::Sender, Refused(15)),
        (from("0012015550"), Rule::Sender, Refused(15)),
        (to("14155550100"), Rule::Sender, Refused(15)),
        (to("%2B447700900000"), Rule::Recipient, Refused(3)),
        (to("447700+900000"), Rule::Recipient, Refused(3)),
        (to("447700"), Rule::Recipient, Refused(3)),
        (to("4477009000001234"), Rule::Recipient, Refused(3)),
        (to("00447700900000"), Rule::Recipient, Refused(6)),
        (to("07700900000"), Rule::Recipient, Refused(6)),
        (text(&"a".repeat(3201)), Rule::Text, Refused(12)),
        (text("commer%C3%A7ant"), Rule::Type, Accepted),
        (text("%60ls%60"), Rule::Type, Accepted),
        (with("type=unicode"), Rule::Type, Accepted),
        (with("type=binary"), Rule::Type, Accepted),
        (with("type=emoji"), Rule::Type, Refused(3)),
        (with("ttl=19999"), Rule::Value, Refused(3)),
        (with("ttl=604800001"), Rule::Value, Refused(3)),
        (with("ttl=1h"), Rule::Value, Refused(3)),
        (with("ttl=%2B20000"), Rule::Value, Refused(3)),
        (with("ttl="), Rule::Value, Accepted),
        (with("status-report-req=1"), Rule::Value, Accepted),
        (with("message-class=4"), Rule::Value, Refused(3)),
        (with("udh=06050415811581"), Rule::Value, Accepted),
        (with(&format!("client-ref={}", "r".repeat(101))), Rule::Value, Refused(3)),
        (with("callback=https%3A%2F%2Fexample.com%2Fa+b"), Rule::Value, Refused(23)),
        (with("callback=example.com"), Rule::Value, Refused(23)),
        (
            with(&format!("callback=https%3A%2F%2Fexample.com%2F{}", "a".repeat(90))),
            Rule::Value,
            Refused(23),
        ),
        (with("client_ref=k7"), Rule::UnknownField, Accepted),
        (with("Text=a"), Rule::UnknownField, Accepted),
        (with("to=447700900001"), Rule::DuplicateField, Accepted),
        (with("client-ref=100%"), Rule::Encoding, Accepted),
        (text("a%FFb"), Rule::Encoding, Accepted),
        (text("a b"), Rule::Encoding, Accepted),
    ];
    for (form, rule, outcome) in table {
        let (rules, seen) = judge(&sim, &form);
        assert!(rules.contains(&rule), "{form}: {rules:?}");
        assert_eq!(seen, outcome, "{form}");
    }
}

#[test]
fn a_violation_names_what_is_wrong() {
    let sim = Simulator::start().unwrap();
    let detail = |form: &str| {
        send(&sim, form).unwrap();
        sim.requests().last().unwrap().violations[0].to_string()
    };
    assert_eq!(
        detail(&FORM.replace("447700900000", "14155550100")),
        "Sender: `AcmeInc` has letters, which +1 destinations do not allow"
    );
    assert_eq!(
        detail(&format!("{FORM}&ttl=5")),
        "Value: `ttl` is not a number from 20000 to 604800000"
    );
    assert_eq!(
        detail(&FORM.replace("It", "%E2%80%9EIt")),
        "Type: `text`, but '„' is not in GSM 03.38 and arrives as `?`"
    );
}

#[test]
fn words_of_a_refusal_name_the_missing_field() {
    let sim = Simulator::start().unwrap();
    for (form, words) in [
        ("to=447700900000&text=a", "Missing from param"),
        ("from=AcmeInc&text=a", "Missing to param"),
        ("from=AcmeInc&to=447700900000", "Missing Message Text"),
    ] {
        assert!(send(&sim, form).unwrap().text().contains(words), "{form}");
    }
}

#[test]
fn the_script_cannot_accept_what_would_be_refused_unless_lenient() {
    let bad = "from=AcmeInc&to=447700900000";
    let strict = Simulator::start().unwrap();
    strict.script([Answer::accepted(), Answer::http(503)]);
    assert_eq!(judge(&strict, bad).1, Outcome::Refused(2));
    assert_eq!(judge(&strict, bad).1, Outcome::Http(503), "other answers stay scripted");
    assert!(strict.messages().is_empty());

    let lenient = Simulator::builder().lenient().start().unwrap();
    let (rules, outcome) = judge(&lenient, bad);
    assert_eq!((rules, outcome), (vec![Rule::MissingField], Outcome::Accepted));
}
