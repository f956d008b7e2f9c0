//! Which boot this is, and the time since it began.
//!
//! The boot tells a program that ended without a word from a loss of power, and lets times since
//! boot be compared. Which copy of a ring is the newer is never decided by it. So a boot id that
//! changes under a program, or is missing, costs a word in a text at most.

use annunciator_core::time::Instant;
use rustix::fs::OFlags;
use rustix::time::{ClockId, Timespec, clock_gettime};

use super::names::random;
use super::runtime_dirs::{OwnDir, RuntimeDirs};
use super::sys;

/// Identifies the running boot. 0 is no boot.
///
/// It is the kernel's random id. Where that cannot be read (no `/proc`), a random number in a file
/// that goes with the boot takes its place; where there is none either, each call begins a boot of
/// its own.
pub(crate) fn boot(dirs: &RuntimeDirs) -> u64 {
    let kernels = std::fs::read_to_string(dirs.boot_id()).ok();
    kernels
        .and_then(|text| parse(text.trim_end()))
        .or_else(|| dirs.made().flatten().find_map(|dir| in_file(&dir)))
        .unwrap_or_else(random)
}

/// Reads 32 hexadecimal digits, hyphens ignored, and folds them.
fn parse(text: &str) -> Option<u64> {
    let digits: String = text.chars().filter(|&digit| digit != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let id = u128::from_str_radix(&digits, 16).ok()?;
    Some((id as u64 ^ (id >> 64) as u64).max(1))
}

const FILE: &str = "boot";

/// The number in our file, which is made if there is none. Whoever names it first wins.
fn in_file(dir: &OwnDir) -> Option<u64> {
    if let Some(id) = read(dir) {
        return Some(id);
    }
    if sys::file_size_limit_below(8).is_some() {
        return None;
    }
    let fd = sys::open_nameless(dir).ok()?;
    sys::write_at(&fd, &random().to_le_bytes(), 0).ok()?;
    let _ = sys::link_nameless(&fd, dir, FILE);
    read(dir)
}

fn read(dir: &OwnDir) -> Option<u64> {
    let (fd, _) = dir.open_file(FILE, OFlags::RDONLY)?;
    let mut bytes = [0; 8];
    let read = sys::read_at(&fd, &mut bytes, 0).ok()?;
    let id = u64::from_le_bytes(bytes);
    (read == bytes.len() && id != 0).then_some(id)
}

/// Milliseconds since boot, time asleep included (`CLOCK_BOOTTIME`).
///
/// Read through the vDSO: no system call on the architectures and kernels that matter. Steps of the
/// wall clock do not touch it.
#[inline]
pub(crate) fn now() -> Instant {
    let time: Timespec = clock_gettime(CLOCK);
    // Whole milliseconds without a 64-bit division; both parts are never negative.
    Instant::from_millis(time.tv_sec as u64 * 1000 + u64::from(time.tv_nsec as u32 / 1_000_000))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const CLOCK: ClockId = ClockId::Boottime;
// The nearest thing elsewhere; on some systems it stands still while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const CLOCK: ClockId = ClockId::Monotonic;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_kernels_own_account() {
        // /proc/uptime has the same clock in seconds.
        let before = now().as_millis();
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        let after = now().as_millis();
        let seconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
        let uptime = (seconds * 1000.0) as u64;
        assert!(before <= uptime + 10 && uptime <= after, "{before} {uptime} {after}");
    }

    #[test]
    fn never_goes_back() {
        let mut last = now();
        for _ in 0..10_000 {
            let next = now();
            assert!(next >= last);
            last = next;
        }
    }

    #[test]
    fn the_kernels_id_is_read_whole_or_not_at_all() {
        let id = parse("0f3c1d2e-aabb-4cdd-8eff-001122334455");
        assert_eq!(id, Some(0x0f3c_1d2e_aabb_4cdd ^ 0x8eff_0011_2233_4455));
        for text in ["", "0f3c", "zf3c1d2e-aabb-4cdd-8eff-001122334455", &"0".repeat(33)] {
            assert_eq!(parse(text), None, "{text}");
        }
        let dirs = RuntimeDirs::only(Vec::new());
        assert_eq!(boot(&dirs), boot(&dirs), "the running boot keeps its own");
    }

    #[test]
    fn without_the_kernels_id_a_file_that_dies_with_the_boot_names_it() {
        let shm = tempfile::tempdir_in("/dev/shm").unwrap();
        let missing = shm.path().join("none");
        let dirs = RuntimeDirs::only(vec![shm.path().into()]).with_boot_id(&missing);
        let id = boot(&dirs);
        assert!(id != 0 && id == boot(&dirs));
        // What a boot does.
        std::fs::remove_dir_all(dirs.existing().next().unwrap().path()).unwrap();
        assert_ne!(boot(&dirs), id);
        // No memory that outlives the program: no boot that does.
        let none = RuntimeDirs::only(Vec::new()).with_boot_id(&missing);
        assert_ne!(boot(&none), boot(&none));
    }
}
