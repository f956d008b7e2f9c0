//! Which characters GSM has, and what each costs.

/// Characters of the default alphabet up to U+00FF, one bit each. ESC is no character of a text.
const BASIC: [u32; 8] = {
    let mut bits = [0; 8];
    let mut code = 0x20;
    while code < 0x7F {
        if !matches!(code as u8, b'[' | b'\\' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' | b'~') {
            bits[code / 32] |= 1 << (code % 32);
        }
        code += 1;
    }
    let others = [
        b'\n', b'\r', 0xA1, 0xA3, 0xA4, 0xA5, 0xA7, 0xBF, 0xC4, 0xC5, 0xC6, 0xC7, 0xC9, 0xD1, 0xD6,
        0xD8, 0xDC, 0xDF, 0xE0, 0xE4, 0xE5, 0xE6, 0xE8, 0xE9, 0xEC, 0xF1, 0xF2, 0xF6, 0xF8, 0xF9,
        0xFC,
    ];
    let mut i = 0;
    while i < others.len() {
        let code = others[i] as usize;
        bits[code / 32] |= 1 << (code % 32);
        i += 1;
    }
    bits
};

/// Septets the character costs in GSM 03.38: 1, or 2 for one of the extension table; `None` if it
/// has no place there and forces the whole text into UCS-2.
pub const fn septets(c: char) -> Option<u8> {
    let code = c as u32;
    if code < 0x100 {
        if (BASIC[(code / 32) as usize] >> (code % 32)) & 1 == 1 {
            return Some(1);
        }
        return match c {
            '\x0C' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' => Some(2),
            _ => None,
        };
    }
    match c {
        'Γ' | 'Δ' | 'Θ' | 'Λ' | 'Ξ' | 'Π' | 'Σ' | 'Φ' | 'Ψ' | 'Ω' => Some(1),
        '€' => Some(2),
        _ => None,
    }
}

/// Whether the byte is a character of ASCII that costs one unit in either alphabet, is seen, and
/// needs no replacement.
pub(super) const fn is_plain(byte: u8) -> bool {
    byte > b' ' && byte < 0x7F && (BASIC[(byte / 32) as usize] >> (byte % 32)) & 1 == 1
}
