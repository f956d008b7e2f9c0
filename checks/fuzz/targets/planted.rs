//! A bug put here on purpose, which blind guessing would not meet in a lifetime. CI demands that it
//! is found: if it is not, the fuzzer does not see the program's branches, and the silence of the
//! other targets means nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut matched = 0;
    for (byte, wanted) in input.iter().zip(b"bursts") {
        if byte != wanted {
            return;
        }
        matched += 1;
    }
    assert!(matched < 6, "the planted bug");
});
