//! The simulator as a program: start it, export what it prints, and watch the texts arrive.

use annunciator_simulator::{Answer, Outcome, Received, Simulator};
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "\
Usage: annunciator-simulator [OPTIONS]

Simulates the Vonage SMS API on loopback until it is killed. Prints the settings
to export, then one line for each SMS; what it has to say about a request goes to
stderr.

Options:
  --plain            HTTP without TLS
  --port N           listen on this port instead of a free one
  --script A,B,...   answer the first requests so, in this order
  --otherwise A      answer the rest so, instead of accepting
  --help             show this

Answers:
";

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
struct Options {
    plain: bool,
    port: u16,
    script: Vec<Answer>,
    otherwise: Answer,
    help: bool,
}

fn main() -> ExitCode {
    let result = match parse(env::args().skip(1)) {
        Ok(options) if options.help => help(),
        Ok(options) => run(options),
        Err(error) => {
            eprintln!("annunciator-simulator: {error}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("annunciator-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        // Both `--port 1` and `--port=1`.
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value =
            || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} wants a value"));
        match name.as_str() {
            "--plain" => options.plain = true,
            "--help" | "-h" => options.help = true,
            "--port" => {
                let port = value()?;
                options.port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
            }
            "--script" => {
                for name in value()?.split(',') {
                    let answer = name.trim().parse::<Answer>();
                    options.script.push(answer.map_err(|error| error.to_string())?);
                }
            }
            "--otherwise" => {
                options.otherwise = value()?.parse().map_err(|error| format!("{error}"))?;
            }
            _ => return Err(format!("no option is called {name}; --help lists them")),
        }
    }
    Ok(options)
}

fn help() -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(USAGE.as_bytes())?;
    for (name, meaning) in Answer::names() {
        writeln!(out, "  {name:<18} {meaning}")?;
    }
    Ok(())
}

fn run(options: Options) -> io::Result<()> {
    let mut builder = Simulator::builder().port(options.port);
    if options.plain {
        builder = builder.plain();
    }
    let sim = builder.start()?;
    sim.script(options.script);
    sim.otherwise(options.otherwise);

    let mut out = io::stdout();
    for (name, value) in sim.env() {
        // Without TLS there is no certificate to trust.
        if !(options.plain && name == "ALERT_CA_FILE") {
            writeln!(out, "export {name}='{}'", value.replace('\'', r"'\''"))?;
        }
    }
    out.flush()?;
    loop {
        let _ = sim.wait_for(1, Duration::from_millis(500));
        for request in sim.take_requests() {
            show(&mut out, &request)?;
        }
        for trouble in sim.take_troubles() {
            eprintln!("! {trouble}");
        }
    }
}

fn show(out: &mut impl Write, request: &Received) -> io::Result<()> {
    let fate = match request.outcome {
        Outcome::Accepted => None,
        Outcome::Partial => Some("only some parts accepted".to_owned()),
        Outcome::Refused(status) => Some(format!("refused with status {status}")),
        Outcome::Http(status) => Some(format!("answered with HTTP {status}")),
        _ => Some("left without a clear answer".to_owned()),
    };
    if request.taken {
        writeln!(out, "{request}")?;
        out.flush()?;
    }
    if let Some(fate) = fate {
        eprintln!("! {fate}: {request}");
    }
    for violation in &request.violations {
        eprintln!("! violation: {violation}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Result<Options, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_understood() {
        let want = Options {
            plain: true,
            port: 4020,
            script: vec![Answer::status(9), Answer::accepted()],
            otherwise: Answer::hang(),
            help: false,
        };
        let line = "--plain --port 4020 --script quota,accepted --otherwise=hang";
        assert_eq!(options(line), Ok(want));
        assert_eq!(options(""), Ok(Options::default()));
    }

    #[test]
    fn mistakes_are_told_with_what_would_be_right() {
        let error = |line| options(line).unwrap_err();
        assert_eq!(error("--port"), "--port wants a value");
        assert_eq!(error("--port 70000"), "\"70000\" is not a port");
        assert_eq!(error("--prot 1"), "no option is called --prot; --help lists them");
        let unknown = error("--script accepted,trottled");
        assert!(unknown.contains("\"trottled\"") && unknown.contains("throttled[:MS]"));
    }
}
