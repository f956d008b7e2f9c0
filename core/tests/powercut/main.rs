//! Power cut, or the program killed, at every byte: over the ring's memory and over storage.
//!
//! A script is a short life of a device. It is run once whole; then once for every byte that was
//! stored, with the world stopped at that byte; then for pairs of cuts, the script going on after
//! the first. After each the device starts from the bytes that are left, goes on, and what was told
//! is held against what was recorded.
//!
//! A failure names its case. `ANNUNCIATOR_REPLAY=<case> cargo test -p annunciator-core --all-features
//! --test powercut replay -- --ignored --nocapture` runs just that one and prints the texts.
//! `ANNUNCIATOR_LONG=1` runs the large sets.

mod cuts;
mod disk;
mod life;
mod random;
mod scripts;
mod world;

/// Prints how many cases were tried. A list that came back empty must not pass: there are so many at
/// least, half of what a default run has.
#[track_caller]
fn ran(cases: u64, least: u64, what: &str) {
    println!("{cases} {what}");
    assert!(cases >= least, "{cases} {what}, fewer than {least}");
}

#[test]
#[ignore = "runs one case that is named"]
fn replay() {
    let case = std::env::var("ANNUNCIATOR_REPLAY").expect("ANNUNCIATOR_REPLAY names a case");
    let found = cuts::replay(&case).or_else(|| disk::replay(&case));
    let (world, result) = found.unwrap_or_else(|| panic!("no such case: {case}"));
    println!("{}\n{result:?}", world.log.join("\n"));
    assert_eq!(result, Ok(()));
}
