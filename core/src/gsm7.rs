//! The alphabet of a text, its cost in billed segments, and how to stay in the cheaper one.
//!
//! A text whose every character is in the GSM 03.38 alphabet has 160 septets a segment; one stray
//! character more and it has 70 UTF-16 units. So this layer counts exactly what a text costs
//! ([`Counter`]). It replaces characters by similar ones that GSM has ([`transliterate`]), and cuts
//! a text to the segments it may cost ([`fit`]).
//!
//! Rules and figures: 3GPP TS 23.038 (alphabet, extension table), TS 23.040 (a joined part gives
//! six octets to its header).

mod alphabet;
mod fit;
mod segment_writer;
mod segments;
mod table;
mod transliterate;

pub use alphabet::septets;
pub(crate) use fit::Script;
pub use fit::{Fallback, Fitted, fit, text_bytes};
pub(crate) use segment_writer::SegmentWriter;
pub use segments::{Counter, Encoding};
pub use transliterate::{Transliterate, transliterate};
