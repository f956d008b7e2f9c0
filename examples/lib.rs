//! What the examples share: a logger of lines, and a stage for programs that have no credentials.

mod lines;
mod stage;

pub use lines::Lines;
pub use stage::Stage;
