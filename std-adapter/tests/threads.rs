//! The threads behind a handle: none before there is something to do, one for each destination,
//! and a panic in them is nobody else's.

mod common;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use annunciator::transport::{Message, Outcome, Receipt, Transport};
use annunciator::{Annunciator, Builder, Event, Handle, Level};

use common::{PATIENCE, wait_for};

/// One test at a time: each counts the threads of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands its texts to the test; panics first, so often.
struct Phone {
    texts: Sender<String>,
    panics: u32,
}

impl Phone {
    fn new(panics: u32) -> (Phone, Receiver<String>) {
        let (texts, heard) = channel();
        (Phone { texts, panics }, heard)
    }
}

impl Transport for Phone {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        if self.panics > 0 {
            self.panics -= 1;
            panic!("the modem's driver gave up");
        }
        self.texts.send(message.text.to_owned()).expect("a test that listens");
        Outcome::Accepted(Receipt::new(message.segments))
    }
}

/// A name of its own: what another run of these tests has reported is no news.
fn name() -> String {
    format!("threads-{}", std::process::id())
}

fn builder() -> Builder {
    Annunciator::builder(name())
        .environment(|_| None)
        .without_spool()
        .hold(Duration::ZERO, Duration::ZERO)
        .interval(Duration::ZERO, Duration::ZERO)
}

fn error(alerts: &Handle, message: &str) {
    alerts.record(&Event::new(Level::Error, message));
}

/// The threads of ours in this process.
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").expect("a list of threads");
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("annunciator")).count()
}

#[test]
fn a_thread_serves_each_destination_from_the_first_event_to_the_end() {
    let _alone = alone();
    let (one, first) = Phone::new(0);
    let (other, second) = Phone::new(0);
    let builder = builder().transport("one", one).transport("other", other);
    let alerts = builder.drop_timeout(PATIENCE).start().expect("a start");
    assert_eq!(threads(), 0, "nothing has happened yet");
    for message in ["no pressure", "no flow"] {
        error(&alerts, message);
        assert!(alerts.flush(PATIENCE).is_complete(), "{}", alerts.health());
        for texts in [&first, &second] {
            let text = texts.recv_timeout(PATIENCE).expect("a text");
            assert_eq!(text, format!("[Rust Logger {}] ERROR: {message}", name()));
        }
        // What sends a text is gone with it.
        wait_for("the workers alone", || threads() == 2);
    }
    drop(alerts);
    wait_for("their end", || threads() == 0);
}

#[test]
fn a_transport_that_panics_is_an_attempt_of_which_nobody_knows_and_is_counted() {
    let _alone = alone();
    let (phone, texts) = Phone::new(1);
    let alerts = builder().transport("modem", phone).start().expect("a start");
    // Its panic is no event of the program's.
    alerts.install_panic_hook();
    error(&alerts, "no pressure");
    assert!(alerts.flush(PATIENCE).is_complete(), "{}", alerts.health());
    let text = texts.recv_timeout(PATIENCE).expect("a text");
    assert!(text.starts_with(&format!("[Rust Logger {}] (repeat ", name())), "{text}");
    assert!(text.ends_with(") ERROR: no pressure"), "{text}");
    error(&alerts, "no flow");
    assert!(alerts.flush(PATIENCE).is_complete(), "{}", alerts.health());
    let text = texts.recv_timeout(PATIENCE).expect("a text");
    assert_eq!(text, format!("[Rust Logger {}] ERROR: no flow", name()));
    let counters = alerts.health().destinations.remove(0).counters;
    assert_eq!((counters.restarts, counters.unknown, counters.delivered), (1, 1, 2));
}
