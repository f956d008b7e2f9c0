//! What the examples share: a console logger, and a stage for programs that have no credentials.

mod console;
mod stage;

pub use console::Console;
pub use stage::Stage;
