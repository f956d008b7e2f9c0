//! What the public types promise by their traits alone: a program may hand them to other threads, and
//! its errors to whoever shows errors.

use annunciator_core::alerter::{Alerter, Policy, Setup, Stats, Step, Token};
use annunciator_core::digest::{Digest, Group};
use annunciator_core::drive::Restored;
use annunciator_core::event::{Draft, Entry, Event, Level, Record, UnknownLevel};
use annunciator_core::pace::Pace;
use annunciator_core::ring::Node;
use annunciator_core::storage::{ArrayStorage, NoStorage, OutOfBounds};
use annunciator_core::time::{Duration, Instant};
use annunciator_core::transport::{Decimal, Message, Outcome};

fn goes_anywhere<T: Send + Sync + Unpin>() {}
fn is_an_error<T: core::error::Error + Send + Sync + Copy + Eq + 'static>() {}

#[test]
fn everything_may_be_shared_between_threads() {
    goes_anywhere::<Alerter<'static, &'static mut [u8]>>();
    goes_anywhere::<(Policy, Setup<'static>, Stats, Step, Token)>();
    goes_anywhere::<(Digest, Group, Node, Pace, Restored<OutOfBounds>)>();
    goes_anywhere::<(Draft<'static>, Entry, Event<'static>, Level, Record<'static>)>();
    goes_anywhere::<(ArrayStorage<8>, NoStorage, Duration, Instant)>();
    goes_anywhere::<(Decimal, Message<'static>, Outcome)>();
    #[cfg(feature = "shared")]
    goes_anywhere::<annunciator_core::shared::Shared<&'static mut [u8]>>();
    #[cfg(all(feature = "shared", feature = "log"))]
    goes_anywhere::<annunciator_core::shared::Logger<&'static mut [u8]>>();
}

#[test]
fn errors_are_errors() {
    is_an_error::<UnknownLevel>();
    is_an_error::<OutOfBounds>();
    #[cfg(feature = "embedded-io")]
    is_an_error::<annunciator_core::storage::FileError<OutOfBounds>>();
    #[cfg(feature = "testing")]
    is_an_error::<annunciator_core::testing::PowerLost>();
    #[cfg(feature = "vonage")]
    {
        use annunciator_core::vonage::{CredentialsError, NumberError, OptionsError};
        use annunciator_core::vonage::{RequestError, RouteError, SenderError};
        is_an_error::<CredentialsError>();
        is_an_error::<NumberError>();
        is_an_error::<OptionsError>();
        is_an_error::<RequestError>();
        is_an_error::<RouteError>();
        is_an_error::<SenderError>();
    }
}

#[cfg(feature = "vonage")]
#[test]
fn what_is_parsed_is_parsed_as_everything_is() {
    use annunciator_core::vonage::{Number, NumberError, Sender};
    assert_eq!("+44 7700 900000".parse(), Number::parse("447700900000"));
    assert_eq!("07700 900000".parse::<Number>(), Err(NumberError::TrunkZero));
    assert_eq!("pump".parse(), Sender::parse("pump"));
}

#[cfg(feature = "log")]
#[test]
fn levels_of_log_keep_their_names_and_their_order() {
    for level in log::Level::iter() {
        let ours = Level::from(level);
        assert_eq!(ours.name(), level.as_str());
        assert!(log::Level::iter().all(|other| (other < level) == (Level::from(other) > ours)));
    }
}
