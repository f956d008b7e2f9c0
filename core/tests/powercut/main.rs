//! Power cut, or the program killed, at every byte: over the ring's memory and over storage.
//!
//! A script is a short life of a device. It is run once whole; then once for every byte that was
//! stored, with the world stopped at that byte; then for pairs of cuts, the script going on after
//! the first. After each the device starts from the bytes that are left, goes on, and what was told
//! is held against what was recorded.
//!
//! A failure names its case. `ANNUNCIATOR_REPLAY=<case> cargo test -p annunciator-core --all-features
//! --test powercut replay -- --nocapture` runs just that one and prints the texts.
//! `ANNUNCIATOR_LONG=1` runs the large sets.

mod cuts;
mod disk;
mod life;
mod random;
mod scripts;
mod world;

#[test]
fn replay() {
    let Ok(case) = std::env::var("ANNUNCIATOR_REPLAY") else { return };
    let found = cuts::replay(&case).or_else(|| disk::replay(&case));
    let (world, result) = found.unwrap_or_else(|| panic!("no such case: {case}"));
    println!("{}\n{result:?}", world.log.join("\n"));
    assert_eq!(result, Ok(()));
}
