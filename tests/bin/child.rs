//! The program under test, where it has to be a process of its own: for the end of a process, for
//! its output, and for the logger and the panic hook, of which a process has one.
//!
//! The first argument names a scenario, the others are what it logs. Its environment configures it,
//! except that nothing is held back. It prints on stdout what it observes.

#[cfg(target_pointer_width = "64")]
mod clock;

use std::io::Write as _;
use std::process::{Command, abort, exit};
use std::time::{Duration, Instant};
use std::{env, panic, thread};

use annunciator::{Annunciator, Builder, Level, Logger, Secret, Setup, chain};

use annunciator_tests::{Console, PATIENCE, impatient};
use log::{LevelFilter, Record, debug, error, warn};

fn main() {
    let mut arguments = env::args().skip(1);
    let scenario = arguments.next().unwrap_or_default();
    let words: Vec<String> = arguments.collect();
    match scenario.as_str() {
        "log" => log_and_end(&words, || ()),
        "log and end when asked" => log_and_end(&words, wait_for_the_test),
        "log and flush" => log_and_flush(&words),
        "log and exit" => log_and(&words, || exit(0)),
        "log and abort" => log_and(&words, || abort()),
        "log and wait" => log_and(&words, wait_to_be_killed),
        "send and wait" => send_and_wait(&words),
        "log nothing" => log_nothing(),
        "log nothing and wait" => log_and(&[], wait_to_be_killed),
        "log in bursts" => log_in_bursts(&words),
        "panic in a thread" => panic_in_a_thread(),
        "panic in main" => panic_in_main(),
        "panic and abort" => panic_and_abort(),
        "be nobody" => be_nobody(),
        "console" => console(),
        "everything" => everything(),
        "install twice" => install_twice(),
        "talk" => talk(),
        "be traced" => be_traced(),
        "log and report" => log_and_report(&words),
        "log and obey" => log_and_obey(&words),
        #[cfg(target_pointer_width = "64")]
        "wake up in 1970" => clock::wake_up_in_1970(),
        other => panic!("no such scenario: {other}"),
    }
}

fn builder() -> Builder {
    // Room to name everything.
    let crashes = std::env::var_os("E2E_SILENT_CRASHES").is_none();
    impatient("pump").segments_per_text(6).tell_crashes(crashes)
}

fn start() -> Annunciator {
    match builder().drop_timeout(PATIENCE).start() {
        Ok(alerts) => alerts,
        Err(error) => {
            eprintln!("{error}");
            exit(2);
        }
    }
}

/// Says something to the test.
fn say(words: &str) {
    let mut stdout = std::io::stdout().lock();
    // The test may have gone.
    let _ = writeln!(stdout, "{words}");
    let _ = stdout.flush();
}

/// Until it closes our standard input.
fn wait_for_the_test() {
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

/// Much longer than any test takes, and not for ever: a test that failed kills nothing.
fn wait_to_be_killed() {
    thread::sleep(Duration::from_secs(300));
}

/// Logs each word.
fn log(alerts: &Annunciator, words: &[String]) {
    alerts.logger().install().expect("the only logger");
    for word in words {
        error!("{word}");
    }
}

/// Logs, prints so, and does `then` before the guard is dropped.
fn log_and(words: &[String], then: impl FnOnce()) {
    let alerts = start();
    log(&alerts, words);
    say("logged");
    then();
    drop(alerts);
}

/// Logs, prints when the text was sent, and does not end.
fn send_and_wait(words: &[String]) {
    let alerts = start();
    log(&alerts, words);
    say(&alerts.flush(PATIENCE).to_string());
    wait_to_be_killed();
}

/// Logs, and leaves the rest to the guard, which has little time.
fn log_and_end(words: &[String], wait: impl FnOnce()) {
    let alerts = builder().drop_timeout(Duration::from_millis(300)).start().expect("a start");
    log(&alerts, words);
    wait();
    drop(alerts);
    say("ended");
}

fn log_and_report(words: &[String]) {
    let builder = builder().drop_timeout(PATIENCE).on_error(|trouble| eprintln!("{trouble}"));
    let alerts = builder.start().expect("a configuration");
    log(&alerts, words);
    let report = alerts.flush(PATIENCE);
    say(&format!("{report}\n{}", alerts.health()));
}

/// Logs each word and reports; obeys those that a shell understands, and waits until the trouble is
/// over.
fn log_and_obey(words: &[String]) {
    let alerts = start();
    alerts.logger().install().expect("the only logger");
    for word in words {
        if let Some(command) = word.strip_prefix("$ ") {
            let done = Command::new("sh").args(["-c", command]).status();
            assert!(done.is_ok_and(|status| status.success()), "{command}");
            continue;
        }
        if word == "until well" {
            let end = Instant::now() + PATIENCE;
            while !alerts.health().is_good() && Instant::now() < end {
                // Noticed by a commit.
                warn!("is it well?");
                thread::sleep(Duration::from_millis(50));
            }
        } else {
            error!("{word}");
        }
        let report = alerts.flush(PATIENCE);
        let health = alerts.health();
        say(&format!("-- {report}, good: {}\n{health}", health.is_good()));
    }
}

fn log_and_flush(words: &[String]) {
    let alerts = start();
    log(&alerts, words);
    say(&alerts.flush(PATIENCE).to_string());
}

/// Starts, and gives what an earlier run left the time it needs.
fn log_nothing() {
    let alerts = start();
    say(&alerts.flush(PATIENCE).to_string());
}

/// Logs each word, prints it when the call has returned, and goes on for ever.
fn log_in_bursts(words: &[String]) {
    let alerts = start();
    alerts.logger().install().expect("the only logger");
    for (n, word) in words.iter().enumerate() {
        // Each from a place of its own, so that a text names each.
        let mut record = Record::builder();
        record.level(log::Level::Error).target("pump").file(Some(word)).line(Some(1));
        log::logger().log(&record.args(format_args!("{word}")).build());
        say(word);
        if n % 2 == 1 {
            thread::sleep(Duration::from_millis(3));
        }
    }
    wait_to_be_killed();
}

fn panic_in_a_thread() {
    let alerts = start();
    let handle = alerts.handle();
    panic::set_hook(Box::new(move |info| {
        let recorded = handle.health().destinations[0].counters.recorded;
        say(&format!("previous hook: {info}; recorded so far: {recorded}"));
    }));
    alerts.install_panic_hook();
    let thread = thread::Builder::new().name("inlet".to_owned());
    let ended = thread.spawn(|| panic!("valve {} burst", 7)).expect("a thread").join();
    say(&format!("went on: {}", ended.is_err()));
    say(&alerts.flush(PATIENCE).to_string());
}

fn panic_in_main() {
    let alerts = start();
    alerts.install_panic_hook();
    let valves: Vec<u32> = Vec::new();
    let first = valves.iter().max().expect("a valve");
    say(&first.to_string());
}

/// What a program built with `panic = "abort"` goes through: the hooks, and then the end.
fn panic_and_abort() {
    let alerts = start();
    alerts.install_panic_hook();
    let hooks = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        hooks(info);
        abort();
    }));
    panic!("no way on");
}

/// The environment is empty: the program runs all the same.
fn be_nobody() {
    let alerts = match Annunciator::builder("pump").start() {
        Ok(alerts) => alerts,
        Err(error) => {
            eprintln!("{error}");
            exit(2);
        }
    };
    alerts.logger().install().expect("the only logger");
    alerts.install_panic_hook();
    error!("nobody hears this");
    let report = alerts.flush(PATIENCE);
    log::logger().flush();
    say(&format!("{report}; {}; {}", alerts.is_enabled(), alerts.health()));
    drop(alerts.detach());
}

/// A console beside the SMS, and records of every kind.
fn console() {
    let alerts = start();
    let console = Console(LevelFilter::Debug);
    alerts.wrap(console).inner_level(LevelFilter::Debug).install().expect("the only logger");
    debug!("for the console");
    warn!("warm");
    let error = std::io::Error::other(Outer);
    error!(cause:% = chain(&error), valve = 7; "no pressure");
    error!(target: "annunciator::worker", "of the alerter itself");
    error!(target: "annunciator_core::ring", "of its core");
    error!(target: "annunciator_like", "of a namesake");
    say(&alerts.flush(PATIENCE).to_string());
}

#[derive(Debug)]
struct Outer;

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the meter is silent")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&std::fmt::Error)
    }
}

/// Tells even what is traced: what the worker's client logs must not come round again.
fn everything() {
    let alerts = builder().level(Level::Trace).drop_timeout(PATIENCE).start().expect("a start");
    alerts.wrap(Console(LevelFilter::Trace)).install().expect("the only logger");
    error!(target: "ureq::run", "the program's own request failed");
    say(&alerts.flush(PATIENCE).to_string());
    debug!(target: "rustls::conn", "the program's own connection failed");
    say(&alerts.flush(PATIENCE).to_string());
}

fn install_twice() {
    let alerts = start();
    log::set_boxed_logger(Box::new(Console(LevelFilter::Error))).expect("the only logger");
    log::set_max_level(LevelFilter::Error);
    let console = Console(LevelFilter::Trace);
    let refused = alerts.wrap(console).inner_level(LevelFilter::Trace).install();
    say(&format!("refused: {}; maximum level: {}", refused.is_err(), log::max_level()));
    warn!("above the maximum");
    error!("to the first logger");
    say(&alerts.flush(PATIENCE).to_string());
}

/// Shows all there is to be shown, at the most talkative level.
fn talk() {
    let lookup = |name: &str| env::var_os(name);
    let builder = || {
        let builder = builder().on_error(|trouble| say(&format!("{trouble} {trouble:?}")));
        match env::var_os("IN_BODY") {
            Some(_) => builder.credentials_in_body(),
            None => builder,
        }
    };
    let secret = env::var("VONAGE_API_SECRET").unwrap_or_default();
    say(&format!("{:?} {:?}", builder(), Secret::from(secret.as_str())));
    for wrong in ["not a number", "+44 7700 90000 12345 12345"] {
        let error = builder().to(wrong).build();
        say(&format!("{error:?}"));
    }
    let half = builder().environment(move |name| match name {
        "VONAGE_API_KEY" => None,
        _ => lookup(name),
    });
    if let Err(error) = half.build() {
        say(&format!("{error} {error:?}"));
    }
    let sender = builder().to("+1 202 555 0123").sender("pump").build();
    say(&format!("{sender:?}"));
    match builder().build() {
        Ok(Setup::Enabled(config)) => say(&format!("{config:?} {:?}", config.destinations())),
        other => say(&format!("{other:?}")),
    }
    let alerts = match builder().start() {
        Ok(alerts) => alerts,
        Err(error) => {
            eprintln!("{error} {error:?}");
            exit(2);
        }
    };
    let logger: Logger<Console> = alerts.wrap(Console(LevelFilter::Trace));
    say(&format!("{alerts:?} {:?} {logger:?}", alerts.handle()));
    logger.install().expect("the only logger");
    error!("no pressure");
    // Time for one attempt and a second one, whatever becomes of them.
    let report = alerts.flush(Duration::from_millis(2500));
    say(&format!("{report} {report:?}\n{}\n{:?}", alerts.health(), alerts.health()));
    log::logger().flush();
}

/// Installs a logger of its own that knows nothing of ours and shows everything.
fn be_traced() {
    let builder = match env::var_os("IN_BODY") {
        Some(_) => builder().credentials_in_body(),
        None => builder(),
    };
    let alerts = builder.drop_timeout(PATIENCE).start().expect("a start");
    log::set_boxed_logger(Box::new(Console(LevelFilter::Trace))).expect("the only logger");
    log::set_max_level(LevelFilter::Trace);
    alerts.record(&annunciator::Event::new(Level::Error, "no pressure"));
    say(&alerts.flush(PATIENCE).to_string());
}
