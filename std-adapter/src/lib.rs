//! Annunciator for std.
