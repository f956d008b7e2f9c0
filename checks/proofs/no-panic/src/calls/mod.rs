//! What is proved: one file for each group of modules. Every function is called with values of
//! which the optimiser knows nothing, on an alerter in any state at all.

#[cfg(any(feature = "alerter", feature = "shared"))]
mod alerter;
#[cfg(feature = "answer")]
mod answer;
#[cfg(feature = "request")]
mod request;
#[cfg(feature = "shared")]
mod shared;
#[cfg(feature = "vocabulary")]
mod vocabulary;

/// Calls everything that the features select.
pub fn all() {
    #[cfg(feature = "vocabulary")]
    vocabulary::all();
    #[cfg(feature = "alerter")]
    alerter::all();
    #[cfg(feature = "request")]
    request::all();
    #[cfg(feature = "shared")]
    shared::all();
    #[cfg(feature = "answer")]
    answer::all();
}
