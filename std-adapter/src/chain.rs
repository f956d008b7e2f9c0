//! Shows an error together with what caused it.

use std::error::Error;
use std::fmt;

/// Most errors of one chain that are shown. A longer one ends in `...`; a chain may be a circle.
const MAX_DEPTH: usize = 16;

/// Displays `error` and all its sources: `cannot load: no such table: disk I/O error`.
///
/// Meant as a key-value of a log record, where a console shows it and the SMS, which takes the
/// message alone, stays short:
///
/// ```
/// let error = "12a".parse::<i32>().unwrap_err();
/// log::error!(cause:% = annunciator::chain(&error); "bad setting");
/// ```
///
/// A source that the error before it already quotes is not shown twice.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> Chain<'a> {
    Chain(error)
}

/// What [`chain`] gives: displays an error and its sources.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut next = self.0.source();
        for _ in 1..MAX_DEPTH {
            let Some(error) = next else { return Ok(()) };
            let text = error.to_string();
            if !quotes(&shown, &text) {
                write!(f, ": {text}")?;
                shown = text;
            }
            next = error.source();
        }
        if next.is_some() { f.write_str(": ...") } else { Ok(()) }
    }
}

/// Whether `text` contains all of `part`, not as a piece of a longer word.
fn quotes(text: &str, part: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(part).any(|(at, _)| {
        let before = text.get(..at).and_then(|head| head.chars().next_back());
        let after = text.get(at + part.len()..).and_then(|tail| tail.chars().next());
        !word(before) && !word(after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let mut layers =
            texts.iter().rev().fold(None, |inner, text| Some(Box::new(Layer(text, inner))));
        *layers.take().expect("a text")
    }

    #[test]
    fn every_source_is_shown_once() {
        for (texts, shown) in [
            (&["a"][..], "a"),
            (
                &["cannot load", "no such table", "disk I/O error"],
                "cannot load: no such table: disk I/O error",
            ),
            (
                &[
                    "cannot load: no such table: disk I/O error",
                    "no such table: disk I/O error",
                    "disk I/O error",
                ],
                "cannot load: no such table: disk I/O error",
            ),
            (
                &["query failed (timed out) at 3", "timed out", "socket"],
                "query failed (timed out) at 3: socket",
            ),
            (&["I/O", "O"], "I/O"),
            (&["Oops", "O"], "Oops: O"),
            (&["retry", "retry"], "retry"),
        ] {
            assert_eq!(chain(&layers(texts)).to_string(), shown);
        }
    }

    #[test]
    fn a_circle_of_sources_ends() {
        #[derive(Debug)]
        struct Circle;
        impl fmt::Display for Circle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("round")
            }
        }
        impl Error for Circle {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(self)
            }
        }
        assert_eq!(chain(&Circle).to_string(), "round: ...");
    }

    #[test]
    fn a_boxed_error_is_shown_too() {
        let boxed: Box<dyn Error> = Box::new(layers(&["outer", "inner"]));
        assert_eq!(chain(&*boxed).to_string(), "outer: inner");
    }
}
