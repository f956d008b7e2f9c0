//! Events in the size that they are kept in on Linux: 512 bytes a slot.

use annunciator_core::event::TEXT_512;

/// Bytes of text in a slot.
pub(crate) const TEXT: usize = TEXT_512;

/// An event in the making, as a [`scrub`](crate::Builder::scrub) hook sees it.
pub type Draft<'a> = annunciator_core::event::Draft<'a, TEXT>;

/// An event ready to be kept.
pub(crate) type Entry = annunciator_core::event::Entry<TEXT>;
