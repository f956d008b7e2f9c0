//! Which boot this is, so that times since boot are never compared across boots.

use std::fmt;

/// The kernel's random id of the running boot.
///
/// [`BootId::UNKNOWN`] where `/proc` is not mounted; it equals no boot, not even itself, when asked
/// by [`same_as`](BootId::same_as).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct BootId([u8; 16]);

impl BootId {
    /// No boot in particular.
    pub(crate) const UNKNOWN: BootId = BootId([0; 16]);

    /// The id of the running boot (`/proc/sys/kernel/random/boot_id`). Constant until the next
    /// boot, hibernation included; a container sees its host's.
    pub(crate) fn current() -> BootId {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()
            .and_then(|text| BootId::parse(text.trim_end()))
            .unwrap_or(BootId::UNKNOWN)
    }

    /// An id from its bytes, as kept somewhere.
    pub(crate) const fn from_bytes(bytes: [u8; 16]) -> BootId {
        BootId(bytes)
    }

    /// The id's bytes.
    pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether both are known and the same.
    pub(crate) fn same_as(&self, other: &BootId) -> bool {
        *self != BootId::UNKNOWN && self == other
    }

    /// Reads the 32 hexadecimal digits, hyphens ignored.
    pub(super) fn parse(text: &str) -> Option<BootId> {
        let mut bytes = [0; 16];
        let mut digits = text.bytes().filter(|&byte| byte != b'-');
        for byte in &mut bytes {
            let high = char::from(digits.next()?).to_digit(16)?;
            let low = char::from(digits.next()?).to_digit(16)?;
            *byte = (high * 16 + low) as u8;
        }
        digits.next().is_none().then_some(BootId(bytes))
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let id = BootId::parse("0f3c1d2e-aabb-4cdd-8eff-001122334455").unwrap();
        assert_eq!(id.to_string(), "0f3c1d2eaabb4cdd8eff001122334455");
        assert_eq!(BootId::parse(&id.to_string()), Some(id));
        assert_eq!(BootId::parse("0f3c"), None);
        assert_eq!(BootId::parse("0f3c1d2e-aabb-4cdd-8eff-0011223344556"), None);
        assert_eq!(BootId::parse("zf3c1d2e-aabb-4cdd-8eff-001122334455"), None);
    }

    #[test]
    fn the_running_boot_has_an_id_and_keeps_it() {
        let id = BootId::current();
        assert!(id.same_as(&BootId::current()));
        assert!(!BootId::UNKNOWN.same_as(&BootId::UNKNOWN));
    }
}
