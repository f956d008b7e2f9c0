//! What the public types promise by their traits alone: a program may hand them to other threads, and
//! its errors to whoever shows errors.

use annunciator::health::{FlushReport, Health, Trouble};
use annunciator::{
    Annunciator, Builder, Config, ConfigError, Destination, Handle, Logger, Secret, Setup, Silence,
    Tee,
};

fn goes_anywhere<T: Send + Sync + Unpin>() {}
fn moves<T: Send + Unpin>() {}

#[test]
fn what_a_program_holds_may_be_shared_between_threads() {
    goes_anywhere::<(Annunciator, Handle, Logger, Logger<Tee>, Silence, Tee)>();
    goes_anywhere::<(ConfigError, FlushReport, Health, Secret, Trouble<'static>)>();
    // These hold a transport of the program's own, which is used by one thread.
    moves::<(Builder, Config, Destination, Setup)>();
}

#[test]
fn the_error_of_a_configuration_is_an_error() {
    fn is_an_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_an_error::<ConfigError>();
    let error = Builder::new("pump").environment(|_| None).credentials("abc", "").build();
    assert!(error.is_err_and(|error| !error.to_string().is_empty()));
}
