//! What replaces a character outside GSM. Written by `.ci/gsm7-table` from
//! `core/tests/data/gsm7-transliterate.tsv`; a test holds the two against each other.

/// The first character of [`DENSE`].
pub(super) const FIRST: u32 = 0xA0;

/// Replacements of U+00A0 to U+017F, in order.
#[rustfmt::skip]
pub(super) const DENSE: [u8; 224] = [
    b' ', 0x00, b'c', 0x00, 0x00, 0x00, b'|', 0x00, 0x00, 0x83, b'a', b'"', 0x00, 0xFF, 0x82, 0x00,
    0x94, 0x84, b'2', b'3', 0x27, b'u', 0x00, b'-', 0x00, b'1', b'o', b'"', 0x88, 0x87, 0x89, 0x00,
    b'A', b'A', b'A', b'A', 0x00, 0x00, 0x00, 0x00, b'E', 0x00, b'E', b'E', b'I', b'I', b'I', b'I',
    b'D', 0x00, b'O', b'O', b'O', b'O', 0x00, b'x', 0x00, b'U', b'U', b'U', 0x00, b'Y', 0x93, 0x00,
    0x00, b'a', b'a', b'a', 0x00, 0x00, 0x00, b'c', 0x00, 0x00, b'e', b'e', 0x00, b'i', b'i', b'i',
    b'd', 0x00, 0x00, b'o', b'o', b'o', 0x00, b'/', 0x00, 0x00, b'u', b'u', 0x00, b'y', 0x99, b'y',
    b'A', b'a', b'A', b'a', b'A', b'a', b'C', b'c', b'C', b'c', b'C', b'c', b'C', b'c', b'D', b'd',
    b'D', b'd', b'E', b'e', b'E', b'e', b'E', b'e', b'E', b'e', b'E', b'e', b'G', b'g', b'G', b'g',
    b'G', b'g', b'G', b'g', b'H', b'h', b'H', b'h', b'I', b'i', b'I', b'i', b'I', b'i', b'I', b'i',
    b'I', b'i', 0x8E, 0x97, b'J', b'j', b'K', b'k', b'k', b'L', b'l', b'L', b'l', b'L', b'l', b'L',
    b'l', b'L', b'l', b'N', b'n', b'N', b'n', b'N', b'n', 0x81, b'N', b'n', b'O', b'o', b'O', b'o',
    b'O', b'o', 0x8F, 0x98, b'R', b'r', b'R', b'r', b'R', b'r', b'S', b's', b'S', b's', b'S', b's',
    b'S', b's', b'T', b't', b'T', b't', b'T', b't', b'U', b'u', b'U', b'u', b'U', b'u', b'U', b'u',
    b'U', b'u', b'U', b'u', b'W', b'w', b'Y', b'y', b'Y', b'Z', b'z', b'Z', b'z', b'Z', b'z', b's',
];

/// The other characters that have a replacement, in order.
#[rustfmt::skip]
pub(super) const SPARSE: [(u16, u8); 66] = [
    (0x0009, b' '), (0x000B, b' '), (0x0060, 0x27), (0x0218, b'S'), (0x0219, b's'), (0x021A, b'T'),
    (0x021B, b't'), (0x03BC, b'u'), (0x1E9E, 0x91), (0x2002, b' '), (0x2003, b' '), (0x2004, b' '),
    (0x2005, b' '), (0x2006, b' '), (0x2007, b' '), (0x2008, b' '), (0x2009, b' '), (0x200A, b' '),
    (0x200B, 0xFF), (0x200C, 0xFF), (0x200D, 0xFF), (0x200E, 0xFF), (0x200F, 0xFF), (0x2010, b'-'),
    (0x2011, b'-'), (0x2012, b'-'), (0x2013, b'-'), (0x2014, b'-'), (0x2015, b'-'), (0x2018, 0x27),
    (0x2019, 0x27), (0x201A, 0x27), (0x201B, 0x27), (0x201C, b'"'), (0x201D, b'"'), (0x201E, b'"'),
    (0x201F, b'"'), (0x2022, b'-'), (0x2026, 0x86), (0x2028, 0x0A), (0x2029, 0x0A), (0x202F, b' '),
    (0x2032, 0x27), (0x2033, b'"'), (0x2039, b'<'), (0x203A, b'>'), (0x2043, b'-'), (0x205F, b' '),
    (0x2060, 0xFF), (0x2122, 0x92), (0x2190, 0x8A), (0x2192, 0x85), (0x21D2, 0x8C), (0x2212, b'-'),
    (0x2248, b'~'), (0x2260, 0x80), (0x2264, 0x8B), (0x2265, 0x8D), (0x2713, 0x90), (0x2717, b'x'),
    (0x3000, b' '), (0xFB01, 0x95), (0xFB02, 0x96), (0xFE0E, 0xFF), (0xFE0F, 0xFF), (0xFEFF, 0xFF),
];

/// Replacements of more than one character, filled up with zeros.
#[rustfmt::skip]
pub(super) const LONG: [[u8; 3]; 26] = [
    [b'!', b'=', 0], [0x27, b'n', 0], [b'(', b'R', b')'], [b'(', b'c', b')'], [b'+', b'/', b'-'],
    [b'-', b'>', 0], [b'.', b'.', b'.'], [b'1', b'/', b'2'], [b'1', b'/', b'4'], [b'3', b'/', b'4'],
    [b'<', b'-', 0], [b'<', b'=', 0], [b'=', b'>', 0], [b'>', b'=', 0], [b'I', b'J', 0],
    [b'O', b'E', 0], [b'O', b'K', 0], [b'S', b'S', 0], [b'T', b'M', 0], [b'T', b'h', 0],
    [b'd', b'e', b'g'], [b'f', b'i', 0], [b'f', b'l', 0], [b'i', b'j', 0], [b'o', b'e', 0],
    [b't', b'h', 0],
];
