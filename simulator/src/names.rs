//! The names of answers, for scripts written on a command line.

use crate::answer::Answer;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

type Make = fn(Option<u64>) -> Option<Answer>;

/// Name, meaning, and how to make it of the number after the colon.
const NAMES: &[(&str, &str, Make)] = &[
    ("accepted", "status 0 for each part of the text", |n| plain(n, Answer::accepted)),
    ("parts:N", "status 0 for N parts whatever the text", |n| {
        Some(Answer::accepted_parts(n.filter(|n| (1..=999).contains(n))? as usize))
    }),
    ("partial[:N]", "N parts accepted (1), the others throttled", |n| {
        Some(Answer::partial(n.unwrap_or(1) as usize, 1))
    }),
    ("status:N", "HTTP 200 with status code N and its error text", |n| {
        Some(Answer::status(u16::try_from(n?).ok()?))
    }),
    ("throttled[:MS]", "status 1, naming the wait (702)", |n| {
        Some(Answer::throttled(Duration::from_millis(n.unwrap_or(702))))
    }),
    ("bad-credentials", "status 4", |n| plain(n, || Answer::status(4))),
    ("quota", "status 9", |n| plain(n, || Answer::status(9))),
    ("illegal-sender", "status 15", |n| plain(n, || Answer::status(15))),
    ("not-whitelisted", "status 29", |n| plain(n, || Answer::status(29))),
    ("http:N", "HTTP status N, 300 to 599", |n| {
        Some(Answer::http(u16::try_from(n.filter(|n| (300..600).contains(n))?).ok()?))
    }),
    ("retry-after[:S]", "HTTP 429 with Retry-After (15)", |n| {
        Some(Answer::too_many_requests(Duration::from_secs(n.unwrap_or(15))))
    }),
    ("redirect[:N]", "HTTP 302, or N", |n| {
        let status = n.unwrap_or(302);
        Some(Answer::redirect(u16::try_from(status).ok().filter(|n| (300..400).contains(n))?))
    }),
    ("html", "HTTP 200 with a captive portal's page", |n| plain(n, Answer::html)),
    ("empty", "HTTP 200 without a body", |n| plain(n, Answer::empty)),
    ("cut-off", "JSON that ends in its middle", |n| plain(n, Answer::cut_off)),
    ("no-messages", "JSON without messages", |n| plain(n, Answer::no_messages)),
    ("pretty", "accepted, indented", |n| plain(n, || Answer::accepted().pretty())),
    ("chunked", "accepted, in chunks", |n| plain(n, || Answer::accepted().chunked())),
    ("latin1", "status 7 with an error text in ISO-8859-1", |n| {
        plain(n, || Answer::status(7).text("Numéro barré").latin1())
    }),
    ("slow[:MS]", "accepted after a wait (3000)", |n| {
        Some(Answer::accepted().after(Duration::from_millis(n.unwrap_or(3000))))
    }),
    ("drip[:MS]", "accepted, eight bytes every MS (100)", |n| {
        Some(Answer::accepted().drip(Duration::from_millis(n.unwrap_or(100))))
    }),
    ("hang", "reads the request, never answers", |n| plain(n, Answer::hang)),
    ("close", "reads the request, closes", |n| plain(n, Answer::close)),
    ("close-mid", "closes in the middle of the answer", |n| plain(n, Answer::close_mid_answer)),
    ("reset-before", "resets before the request is read", |n| {
        plain(n, Answer::reset_before_request)
    }),
    ("reset-after", "reads the request, resets", |n| plain(n, Answer::reset_after_request)),
    ("reset-mid", "resets in the middle of the answer", |n| plain(n, Answer::reset_mid_answer)),
    ("hang-handshake", "never answers the hello", |n| plain(n, Answer::hang_in_handshake)),
    ("close-handshake", "closes after the hello", |n| plain(n, Answer::close_in_handshake)),
];

fn plain(number: Option<u64>, make: fn() -> Answer) -> Option<Answer> {
    number.is_none().then(make)
}

impl Answer {
    /// Every name that [`parse`](str::parse) understands, with its meaning. `[:N]` may be left
    /// out, `:N` may not; a bare number is short for `http:` and that number.
    pub fn names() -> impl Iterator<Item = (&'static str, &'static str)> {
        NAMES.iter().map(|&(name, meaning, _)| (name, meaning))
    }
}

/// A name that no answer has, or a number that its answer cannot take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownAnswer {
    name: String,
}

impl fmt::Display for UnknownAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no answer is called {:?}; known are", self.name)?;
        for (i, (name, _)) in Answer::names().enumerate() {
            write!(f, "{} {name}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownAnswer {}

impl FromStr for Answer {
    type Err = UnknownAnswer;

    fn from_str(name: &str) -> Result<Self, UnknownAnswer> {
        let unknown = || UnknownAnswer { name: name.to_owned() };
        let full = match name.parse::<u64>() {
            Ok(status) => format!("http:{status}"),
            Err(_) => name.to_owned(),
        };
        let (word, number) = match full.split_once(':') {
            Some((word, number)) => (word, Some(number.parse().map_err(|_| unknown())?)),
            None => (full.as_str(), None),
        };
        let bare = |known: &'static str| known.split(['[', ':']).next().unwrap_or(known);
        let (.., make) =
            NAMES.iter().find(|(known, ..)| bare(known) == word).ok_or_else(unknown)?;
        make(number).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_parses_as_listed() {
        for (name, _) in Answer::names() {
            let (bare, argument) = name.split_once([':', '[']).unwrap_or((name, ""));
            let number = if bare == "redirect" { "307" } else { "503" };
            if !argument.is_empty() {
                format!("{bare}:{number}").parse::<Answer>().unwrap();
            } else {
                format!("{bare}:{number}").parse::<Answer>().unwrap_err();
            }
            let alone = bare.parse::<Answer>();
            assert_eq!(alone.is_ok(), !name.contains(':') || name.contains('['), "{name}");
        }
    }

    #[test]
    fn numbers_reach_the_answer() {
        assert_eq!("throttled:20".parse(), Ok(Answer::throttled(Duration::from_millis(20))));
        assert_eq!("status:9".parse(), Ok(Answer::status(9)));
        assert_eq!("503".parse(), Ok(Answer::http(503)));
        assert_eq!("slow:5".parse(), Ok(Answer::accepted().after(Duration::from_millis(5))));
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = "trottled".parse::<Answer>().unwrap_err().to_string();
        assert!(
            error.starts_with(r#"no answer is called "trottled"; known are accepted, parts:N"#)
        );
        assert!(error.contains("throttled[:MS]"), "{error}");
        for bad in ["", "status", "status:x", "http:99", "redirect:200", "99", "parts:0"] {
            assert!(bad.parse::<Answer>().is_err(), "{bad:?}");
        }
    }
}
