//! Hides what looks like a secret, before an event is kept.
//!
//! Texts travel through other people's networks and stay on telephones. [`secrets`] knows the usual
//! shapes; what a program's own secrets look like only the program knows.
//!
//! ```
//! use annunciator_core::event::{Draft, Level};
//! use annunciator_core::scrub;
//!
//! let mut draft = Draft::new(Level::Error, "app", None);
//! draft.push("login failed: password=hunter2, retrying");
//! scrub::secrets(&mut draft);
//! assert_eq!(draft.message(), "login failed: password=***, retrying");
//! ```

use crate::event::Draft;

/// Names whose values are hidden, lower case; they count as endings too: `api_key`, `X-Auth-Token`.
const NAMES: [&str; 10] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "access_key",
    "sig",
];
/// Words whose next word is hidden.
const SCHEMES: [&str; 2] = ["bearer", "basic"];
/// So many hex digits in a row, with a letter and a figure among them, are a key.
const HEX: usize = 32;
/// What the tokens of widespread services begin with, JSON web tokens last: `{"` in base64.
const TOKENS: [&str; 14] = [
    "AKIA",
    "ASIA",
    "AIza",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "github_pat_",
    "glpat-",
    "sk-",
    "sk_live_",
    "rk_live_",
    "xox",
    "eyJ",
];
/// Words of fewer bytes are no tokens. The shortest of those, the first, has so many.
const TOKEN: usize = 20;
/// So often a message is looked through at most.
const ROUNDS: usize = 8;

/// Replaces secrets by `***`:
///
/// - what follows `password=` and the like, also in URLs, in JSON and in what `Debug` prints: to the
///   closing quote if there is an opening one;
/// - what follows `?key=` and `--password`, and the word after `Bearer` and `Basic`;
/// - the password in `user:password@host`;
/// - 32 hex digits or more;
/// - tokens that show by how they begin whose they are: AWS, GitHub, GitLab, Google, Slack, Stripe,
///   `sk-`, JSON web tokens.
pub fn secrets<const TEXT: usize>(draft: &mut Draft<'_, TEXT>) {
    // What is hidden can bare another shape before it; a few rounds end that.
    for _ in 0..ROUNDS {
        let mut from = 0;
        while let Some((start, end)) = find(draft.message(), from) {
            from = draft.mask(start, end);
        }
        if from == 0 {
            break;
        }
    }
}

/// The next secret at `from` or behind it: where it begins and ends.
fn find(message: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = message.as_bytes();
    let mut at = from;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        let begins = before.is_none_or(|byte| !is_word(*byte));
        let word = rest.iter().take_while(|byte| is_word(**byte)).count();
        if begins && word > 0 {
            let name = rest.get(..word).unwrap_or(rest);
            let after = rest.get(word..).unwrap_or(&[]);
            let in_url = matches!(before, Some(b'?' | b'&')) && name.eq_ignore_ascii_case(b"key");
            let skip = if in_url && after.starts_with(b"=") { Some(1) } else { value(name, after) };
            if let Some(skip) = skip {
                let start = at + word + skip;
                let value = bytes.get(start..).unwrap_or(&[]);
                let quote = start.checked_sub(1).and_then(|before| bytes.get(before));
                let len = length(value, quote.filter(|_| skip > 0));
                if len > 0 && !value.starts_with(b"***") {
                    return Some((start, start + len));
                }
            }
            if is_key(name) {
                return Some((at, at + word));
            }
            if is_token(name) {
                return Some((at, at + dotted(rest)));
            }
        }
        if rest.starts_with(b"://")
            && let Some((colon, end)) = password(rest)
            && !rest.get(colon + 1..).unwrap_or(&[]).starts_with(b"***")
        {
            return Some((at + colon + 1, at + end));
        }
        at += word.max(1);
    }
    None
}

/// How many bytes after this name its secret begins, if it is a name of one.
fn value(name: &[u8], after: &[u8]) -> Option<usize> {
    let blanks = |bytes: &[u8]| bytes.iter().take_while(|byte| is_blank(**byte)).count();
    if SCHEMES.iter().any(|scheme| name.eq_ignore_ascii_case(scheme.as_bytes())) {
        return Some(blanks(after)).filter(|blanks| *blanks > 0);
    }
    let is_name = NAMES.iter().any(|known| {
        let end = name.len().checked_sub(known.len()).and_then(|from| name.get(from..));
        end.is_some_and(|end| end.eq_ignore_ascii_case(known.as_bytes()))
            && (known.len() > 3 || name.len() == known.len())
    });
    if !is_name {
        return None;
    }
    // `password="x"`, `"password": "x"`, `password => x`, `password: Some("x")`, `--password x`
    let quote = usize::from(matches!(after.first(), Some(b'"' | b'\'')));
    let sign = quote + blanks(after.get(quote..)?);
    if !matches!(after.get(sign)?, b'=' | b':') {
        return Some(sign).filter(|sign| name.starts_with(b"--") && *sign > 0);
    }
    let signs = after.get(sign..)?.iter();
    let signs = signs.take_while(|byte| is_blank(**byte) || matches!(byte, b'=' | b':' | b'>'));
    let mut open = sign + signs.count();
    if after.get(open..)?.starts_with(b"Some(") {
        open += 5;
    }
    open += usize::from(matches!(after.get(open), Some(b'"' | b'\'')));
    // `token: Bearer x`
    for scheme in SCHEMES {
        let (word, rest) = after.get(open..)?.split_at_checked(scheme.len()).unwrap_or_default();
        if word.eq_ignore_ascii_case(scheme.as_bytes())
            && rest.first().is_some_and(|b| is_blank(*b))
        {
            open += word.len() + blanks(rest);
        }
    }
    Some(open)
}

/// How long the secret is that begins here, after `before`: to its closing quote, if it has an
/// opening one, even if that was cut off.
fn length(value: &[u8], before: Option<&u8>) -> usize {
    let Some(quote @ (b'"' | b'\'')) = before else {
        let ends = |at: usize, byte: u8| match byte {
            b',' => begins_field(value.get(at + 1..).unwrap_or(&[])),
            _ => ends_value(byte),
        };
        return value.iter().enumerate().take_while(|(at, byte)| !ends(*at, **byte)).count();
    };
    let mut escaped = false;
    let inside = value.iter().take_while(|byte| {
        let ends = *byte == quote && !escaped;
        escaped = **byte == b'\\' && !escaped;
        !ends
    });
    inside.count()
}

/// Whether what stands after a comma is not more of the secret before it: `, retrying`, `,user=pump`.
fn begins_field(rest: &[u8]) -> bool {
    let word = rest.iter().take_while(|byte| is_word(**byte)).count();
    let begin = rest.first().is_none_or(|byte| is_blank(*byte) || matches!(byte, b'"' | b'\''));
    begin || (word > 0 && matches!(rest.get(word), Some(b'=' | b':')))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The password within `://user:password@host`: its colon and its end.
fn password(rest: &[u8]) -> Option<(usize, usize)> {
    let authority = rest.get(3..)?;
    let len = authority.iter().take_while(|byte| !ends_authority(**byte)).count();
    let end = authority.get(..len)?.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority.get(..end)?.iter().position(|byte| *byte == b':')?;
    (colon + 1 < end).then_some((3 + colon, 3 + end))
}

fn is_key(word: &[u8]) -> bool {
    word.len() >= HEX
        && word.iter().all(u8::is_ascii_hexdigit)
        && word.iter().any(u8::is_ascii_digit)
        && word.iter().any(u8::is_ascii_alphabetic)
}

fn is_token(word: &[u8]) -> bool {
    word.len() >= TOKEN && TOKENS.iter().any(|token| word.starts_with(token.as_bytes()))
}

/// The length of words joined by dots, as the parts of a web token are.
fn dotted(rest: &[u8]) -> usize {
    let joined = |at: usize| rest.get(at + 1).is_some_and(|byte| is_word(*byte));
    let in_token = |(at, byte): &(usize, &u8)| is_word(**byte) || (**byte == b'.' && joined(*at));
    rest.iter().enumerate().take_while(in_token).count()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'&' | b';' | b'"' | b'\'' | b')' | b']' | b'}')
}

fn ends_authority(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, Level};
    use proptest::prelude::*;
    use std::string::{String, ToString};

    fn scrubbed(message: &str) -> String {
        let mut draft = Draft::new(Level::Error, "app", None);
        draft.push(message);
        secrets(&mut draft);
        draft.finish().event().message.to_string()
    }

    #[test]
    fn the_usual_shapes_are_hidden_and_what_is_around_them_stays() {
        for (message, wanted) in [
            ("password=hunter2, retrying", "password=***, retrying"),
            ("password=hunter,$2 retrying", "password=*** retrying"),
            ("password=hunter2,user=pump", "password=***,user=pump"),
            ("DB_PASSWORD = 'hun ter' is old", "DB_PASSWORD = '***' is old"),
            ("{\"password\": \"a\\\"b c\", \"n\": 1}", "{\"password\": \"***\", \"n\": 1}"),
            ("password => hunter2", "password => ***"),
            (
                "Login { user: \"x\", password: Some(\"a b\") }",
                "Login { user: \"x\", password: Some(\"***\") }",
            ),
            ("password:\thunter2", "password:\t***"),
            ("mysql --password hunter2 failed", "mysql --password *** failed"),
            ("GET /maps?key=AIzaSy-x_1&q=2", "GET /maps?key=***&q=2"),
            ("password=\"cut off here and th", "password=\"***"),
            ("{\"api_key\": \"abc\", \"n\": 1}", "{\"api_key\": \"***\", \"n\": 1}"),
            ("Authorization: Bearer eyJh.b-c_d refused", "Authorization: Bearer *** refused"),
            ("GET /v1?token=a%20b&page=2 500", "GET /v1?token=***&page=2 500"),
            ("postgres://pump:s3cr@t@db/plant is gone", "postgres://pump:***@db/plant is gone"),
            ("session 0123456789abcdef0123456789ABCDEF ended", "session *** ended"),
            ("key AKIAIOSFODNN7EXAMPLE is refused.", "key *** is refused."),
            ("push with ghp_abcdefghijklmnopqrstuvwxyz0123456789 failed", "push with *** failed"),
            ("401 for eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI3In0.c2ln_bmF0-dXJl.", "401 for ***."),
            ("p\u{e4}ssword password=\u{fc}x \u{1f525}", "p\u{e4}ssword password=*** \u{1f525}"),
        ] {
            assert_eq!(scrubbed(message), wanted);
        }
    }

    #[test]
    fn ordinary_messages_are_left_alone() {
        for message in [
            "wrong password for user pump",
            "basics: 7 of 9 failed",
            "design=7",
            "commit f1a9675 is bad at 12:30:45",
            "http://host:8080/path@home",
            "counter 00000000000000000000000000000000",
            "token: ",
            "sk-7 and xoxo are no tokens, eyJobs neither",
            "task-scheduler-of-the-plant stopped",
        ] {
            assert_eq!(scrubbed(message), message);
        }
    }

    #[test]
    fn shapes_within_each_other_are_hidden() {
        assert_eq!(scrubbed("://password=:password@"), "://password=:***@");
        assert_eq!(scrubbed("token=Bearer abc"), "token=Bearer ***");
    }

    proptest! {
        #[test]
        fn any_text_is_scrubbed_once_and_stays_text(
            text in "(password|Bearer|://|eyJ|[a-f0-9]{30,34}|[=: @&\"']|\\PC){0,40}",
        ) {
            let once = scrubbed(&text);
            prop_assert_eq!(scrubbed(&once), once.clone());
            let entry = crate::event::Entry::new(&Event::new(Level::Error, &once));
            prop_assert_eq!(entry.event().message, once);
        }
    }
}
