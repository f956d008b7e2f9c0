//! Amounts as a service prints them: whatever is read prints as itself.
#![no_main]

use annunciator_core::transport::Decimal;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(amount) = Decimal::parse(text) {
        assert_eq!(Decimal::parse(&amount.to_string()), Some(amount), "{text:?}");
    }
});
