//! Texts cut at characters.

/// The first `most` bytes of `text`, or up to three fewer so as not to split a character.
pub(crate) fn head(text: &str, most: usize) -> &str {
    (0..=most.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or("")
}

/// The last `most` bytes of `text`, or up to three fewer so as not to split a character.
pub(crate) fn tail(text: &str, most: usize) -> &str {
    (text.len().saturating_sub(most)..=text.len()).find_map(|at| text.get(at..)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_texts_never_split_a_character() {
        assert_eq!(head("a\u{e4}b", 2), "a");
        assert_eq!(head("a\u{e4}b", 3), "a\u{e4}");
        assert_eq!(tail("a\u{e4}b", 2), "b");
        assert_eq!(tail("a\u{e4}b", 9), "a\u{e4}b");
    }
}
