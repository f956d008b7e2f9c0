//! Phone numbers and senders as people write them, brought to the form the service takes.
//!
//! Source of the rules: Vonage SMS API specification 1.5.1, fields `to` and `from`.

/// Most digits of an international number (E.164).
const MAX_DIGITS: usize = 15;
/// Fewest digits the service takes as a destination.
const MIN_DIGITS: usize = 7;
/// Most characters of a sender with letters.
const MAX_ALPHANUMERIC: usize = 11;

/// Brings a destination to digits: country code first, no `+`.
///
/// A leading `+` and any spaces, dashes, dots and parentheses are dropped. The error says what to write instead.
pub(crate) fn number(entry: &str) -> Result<String, String> {
    let digits = digits(entry)?;
    if digits.starts_with('0') {
        return Err("a number starts with its country code, such as 44 or 1: leave leading zeros \
                    out"
        .to_owned());
    }
    if digits.len() < MIN_DIGITS || digits.len() > MAX_DIGITS {
        return Err(format!(
            "a number has {MIN_DIGITS} to {MAX_DIGITS} digits with its country code, this one has \
             {}",
            digits.len()
        ));
    }
    Ok(digits)
}

/// Checks a sender: a number of up to 15 digits, or up to 11 letters and digits.
pub(crate) fn sender(text: &str) -> Result<String, String> {
    if text.chars().all(|c| c.is_ascii_alphanumeric()) && !is_numeric(text) {
        if text.is_empty() || text.len() > MAX_ALPHANUMERIC {
            return Err(format!(
                "a sender with letters has 1 to {MAX_ALPHANUMERIC} of them, this one has {}",
                text.len()
            ));
        }
        return Ok(text.to_owned());
    }
    let digits = digits(text).map_err(|_| {
        format!(
            "a sender is up to {MAX_ALPHANUMERIC} of A-Z, a-z and 0-9, or a number of your Vonage \
             account"
        )
    })?;
    if digits.len() > MAX_DIGITS {
        return Err(format!(
            "a sender's number has up to {MAX_DIGITS} digits, this one has {}",
            digits.len()
        ));
    }
    Ok(digits)
}

/// The sender for a program called `name`: its first 11 ASCII letters and digits, or `Alerts` if
/// it has no letter.
pub(crate) fn derived_sender(name: &str) -> String {
    let sender: String =
        name.chars().filter(char::is_ascii_alphanumeric).take(MAX_ALPHANUMERIC).collect();
    if is_numeric(&sender) { "Alerts".to_owned() } else { sender }
}

/// Whether the service takes `sender` for a number.
pub(crate) fn is_numeric(sender: &str) -> bool {
    sender.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a normalised number belongs to the North American plan.
pub(crate) fn is_north_american(number: &str) -> bool {
    number.starts_with('1')
}

/// The number for reports: its first two and last two digits.
pub(crate) fn masked(number: &str) -> String {
    match (number.get(..2), number.get(number.len().saturating_sub(2)..)) {
        (Some(first), Some(last)) if number.len() > 4 => format!("+{first}..{last}"),
        _ => "+..".to_owned(),
    }
}

fn digits(entry: &str) -> Result<String, String> {
    let entry = entry.trim();
    if entry.contains("(0)") {
        return Err("leave the national (0) out: write +44 20 and not +44 (0)20".to_owned());
    }
    let rest = entry.strip_prefix('+').unwrap_or(entry);
    let mut digits = String::with_capacity(rest.len());
    for c in rest.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' => {}
            other => {
                return Err(format!(
                    "'{}' is no part of a number: write it as +44 7700 900000",
                    other.escape_default()
                ));
            }
        }
    }
    if digits.is_empty() {
        return Err("there is no digit: write a number as +44 7700 900000".to_owned());
    }
    Ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_as_people_write_them() {
        for entry in ["+44 7700 900000", "447700900000", " +44-7700-900000 ", "(44) 77.00 90 00 00"]
        {
            assert_eq!(number(entry).as_deref(), Ok("447700900000"), "{entry}");
        }
        assert_eq!(number("1234567").as_deref(), Ok("1234567"));
        assert_eq!(number("123456789012345").as_deref(), Ok("123456789012345"));
    }

    #[test]
    fn numbers_that_reach_nobody_are_refused_with_the_fix() {
        for (entry, part) in [
            ("0044 7700 900000", "country code"),
            ("07700 900000", "country code"),
            ("123456", "7 to 15"),
            ("1234567890123456", "7 to 15"),
            ("+44 (0) 7700 900000", "national (0)"),
            ("44+7700900000", "'+'"),
            ("++447700900000", "'+'"),
            ("\u{0664}\u{0664}7700900000", "\\u{664}"),
            ("mum", "'m'"),
            ("+", "no digit"),
            ("", "no digit"),
        ] {
            let problem = number(entry).unwrap_err();
            assert!(problem.contains(part), "{entry}: {problem}");
        }
    }

    #[test]
    fn senders_follow_the_rules_of_the_service() {
        assert_eq!(sender("AcmeInc").as_deref(), Ok("AcmeInc"));
        assert_eq!(sender("abcdefghijk").as_deref(), Ok("abcdefghijk"));
        assert_eq!(sender("+1 415 555 0100").as_deref(), Ok("14155550100"));
        assert_eq!(sender("12345").as_deref(), Ok("12345"));
        assert!(sender("abcdefghijkl").unwrap_err().contains("1 to 11"));
        assert!(sender("Acme Inc").unwrap_err().contains("up to 11 of A-Z"));
        assert!(sender("Pumpe\u{e4}").is_err());
        assert!(sender("1234567890123456").unwrap_err().contains("15 digits"));
        assert!(sender("").is_err());
    }

    #[test]
    fn a_sender_is_derived_from_the_name() {
        assert_eq!(derived_sender("sampleapp"), "sampleapp");
        assert_eq!(derived_sender("pump-station north"), "pumpstation");
        assert_eq!(derived_sender("\u{43d}\u{430}\u{441}\u{43e}\u{441}"), "Alerts");
        assert_eq!(derived_sender("4711"), "Alerts", "digits alone would be taken for a number");
        assert_eq!(derived_sender("pump 7"), "pump7");
    }

    #[test]
    fn reports_show_the_ends_of_a_number_only() {
        assert_eq!(masked("447700900000"), "+44..00");
        assert_eq!(masked("123"), "+..");
        assert_eq!(masked(""), "+..");
    }
}
