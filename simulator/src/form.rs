//! Reads `application/x-www-form-urlencoded` bodies and remembers every liberty they took.
//!
//! A lenient reader would hide mistakes that the real service turns into mangled texts, so each
//! departure is kept beside the value that was nevertheless made out.

/// A form as sent: pairs in their order, and what is wrong with their encoding.
#[derive(Debug, Default)]
pub(crate) struct Form {
    /// Decoded names and values; invalid UTF-8 is replaced by U+FFFD.
    pub(crate) pairs: Vec<(String, String)>,
    /// Faults of the encoding, each naming the field and never its value.
    pub(crate) faults: Vec<String>,
}

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut form = Self::default();
        if body.is_empty() {
            return form;
        }
        for pair in body.split(|&b| b == b'&') {
            let (name, value) = match pair.iter().position(|&b| b == b'=') {
                Some(at) => (&pair[..at], &pair[at + 1..]),
                None => {
                    form.faults.push("a pair without `=`".to_owned());
                    (pair, &[][..])
                }
            };
            let (name, faults) = decode(name);
            form.faults.extend(faults.into_iter().map(|f| format!("a field name: {f}")));
            let (value, faults) = decode(value);
            form.faults.extend(faults.into_iter().map(|f| format!("`{name}`: {f}")));
            form.pairs.push((name, value));
        }
        form
    }
}

/// Undoes the percent-encoding of one name or value.
pub(crate) fn decode(raw: &[u8]) -> (String, Vec<&'static str>) {
    let mut faults = Vec::new();
    let mut fault = |text| {
        if !faults.contains(&text) {
            faults.push(text);
        }
    };
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                match tail.split_at_checked(2).and_then(|(hex, tail)| Some((octet(hex)?, tail))) {
                    Some((octet, tail)) => {
                        bytes.push(octet);
                        rest = tail;
                    }
                    None => {
                        fault("a `%` without two hexadecimal digits");
                        bytes.push(byte);
                    }
                }
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'~' => {
                bytes.push(byte);
            }
            _ => {
                fault("a byte that must be percent-encoded");
                bytes.push(byte);
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, faults),
        Err(error) => {
            fault("not UTF-8 once decoded");
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), faults)
        }
    }
}

fn octet(hex: &[u8]) -> Option<u8> {
    let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    match *hex {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_newlines_and_utf8_come_back() {
        let form = Form::parse(b"text=a+b%20c%0Ad%26%3D%E2%82%AC&to=44");
        assert_eq!(form.pairs[0], ("text".to_owned(), "a b c\nd&=€".to_owned()));
        assert_eq!(form.pairs[1], ("to".to_owned(), "44".to_owned()));
        assert_eq!(form.faults, [] as [&str; 0]);
    }

    #[test]
    fn every_liberty_is_told() {
        let faults = |body: &[u8]| Form::parse(body).faults;
        assert_eq!(faults(b"text=50%"), ["`text`: a `%` without two hexadecimal digits"]);
        assert_eq!(faults(b"text=%4x"), ["`text`: a `%` without two hexadecimal digits"]);
        assert_eq!(faults("text=é".as_bytes()), ["`text`: a byte that must be percent-encoded"]);
        assert_eq!(faults(b"text=a b"), ["`text`: a byte that must be percent-encoded"]);
        assert_eq!(faults(b"text=%FF%FE"), ["`text`: not UTF-8 once decoded"]);
        assert_eq!(faults(b"a&to=1"), ["a pair without `=`"]);
        assert_eq!(faults(b"%zz=1"), ["a field name: a `%` without two hexadecimal digits"]);
    }
}
