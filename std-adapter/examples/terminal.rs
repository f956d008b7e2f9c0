//! What a phone would show, on the terminal: a transport of one's own, and nothing else to set up.
//!
//! ```console
//! $ cargo run --example terminal
//! ```

use std::time::Duration;

use annunciator::Annunciator;
use annunciator::transport::{Message, Outcome, Receipt, Transport};

/// Makes one attempt and says what came of it. All the rest is done by the library: what to say,
/// when to say it, when to try again, what it may cost.
struct Terminal;

impl Transport for Terminal {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        println!("{} ({} billed)", message.text, message.segments);
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let alerts = Annunciator::builder("pump")
        .transport("terminal", Terminal)
        .without_spool()
        // A second run within a minute is to say the same again.
        .interval(Duration::ZERO, Duration::ZERO)
        .start()?;
    alerts.logger().install()?;

    for _ in 0..10_000 {
        log::error!("no pressure");
    }
    log::warn!("the filter should be changed");

    println!("{}", alerts.flush(Duration::from_secs(10)));
    Ok(())
}
