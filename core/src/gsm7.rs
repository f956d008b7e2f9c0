//! The alphabet of a text, its cost in billed segments, and how to stay in the cheaper one.

/// Which alphabet a text is sent in. Decides what a character costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encoding {
    /// GSM 03.38 default alphabet and extension table: 160 septets, 153 a part when joined.
    #[default]
    Gsm7,
    /// UTF-16 units: 70, 67 a part when joined.
    Ucs2,
}
