//! Lets an example run for anybody: without credentials the simulator plays the SMS service.
//!
//! Everything else is real: the worker, the spool, the client, TLS, the certificate check.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use annunciator::Builder;
use annunciator_simulator::{Answer, Simulator};

/// The simulator and a spool of its own, if they were needed. A program of yours has no stage.
pub struct Stage {
    simulator: Option<Simulator>,
    spool: PathBuf,
}

impl Stage {
    /// Completes `builder` so that it texts `numbers` through a simulator, unless the environment
    /// holds credentials; then it is left as it is and texts for real.
    ///
    /// # Errors
    ///
    /// The simulator could not start.
    pub fn set(builder: Builder, numbers: &[&str]) -> io::Result<(Stage, Builder)> {
        let stage = Stage::start()?;
        let Some(simulator) = &stage.simulator else { return Ok((stage, builder)) };
        let builder = builder
            .credentials(Simulator::KEY, Simulator::SECRET)
            .url(simulator.url())
            .ca_file(simulator.ca_file())
            .spool(&stage.spool);
        let builder = numbers.iter().fold(builder, |builder, number| builder.to(*number));
        Ok((stage, builder))
    }

    /// The simulator, unless the environment holds credentials.
    ///
    /// # Errors
    ///
    /// The simulator could not start.
    pub fn start() -> io::Result<Stage> {
        // Beside the example itself: a directory that everybody may write to, as the one for
        // temporary files, is refused.
        let beside = std::env::current_exe()?;
        let spool = beside.with_file_name(format!("spool-{}", std::process::id()));
        let given = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if given("VONAGE_API_KEY") || given("VONAGE_API_SECRET") {
            return Ok(Stage { simulator: None, spool });
        }
        eprintln!("No credentials in the environment: the simulator plays the SMS service.");
        Ok(Stage { simulator: Some(Simulator::start()?), spool })
    }

    /// A variable as the simulator needs it, or else as the environment has it.
    pub fn variable(&self, name: &str) -> Option<String> {
        let simulators = self.simulator.iter().flat_map(Simulator::env);
        let found = simulators.into_iter().find(|(known, _)| *known == name);
        let value = found.map(|(_, value)| value).or_else(|| std::env::var(name).ok());
        value.filter(|value| !value.is_empty())
    }

    /// Scripts the simulator's first answers: names as its `--help` lists them, separated by commas.
    /// Does nothing with a real service.
    ///
    /// # Errors
    ///
    /// A name that the simulator does not know.
    pub fn script(&self, names: &str) -> Result<(), Box<dyn Error>> {
        let answers = names.split(',').map(str::parse).collect::<Result<Vec<Answer>, _>>()?;
        if let Some(simulator) = &self.simulator {
            simulator.script(answers);
        }
        Ok(())
    }

    /// Prints on stdout what the simulator received, and removes the spool.
    ///
    /// # Errors
    ///
    /// The simulator received nothing, or something the service would not have taken.
    pub fn close(self) -> io::Result<()> {
        let Some(simulator) = self.simulator else { return Ok(()) };
        // May be absent: the program may have run without one.
        let _ = std::fs::remove_dir_all(&self.spool);
        if let Some(violation) = simulator.violations().first() {
            return Err(io::Error::other(format!("{violation:?}")));
        }
        let messages = simulator.messages();
        for message in &messages {
            println!("{}", message.summary());
        }
        if messages.is_empty() {
            return Err(io::Error::other("no text arrived"));
        }
        Ok(())
    }
}
