//! How long a text takes: from the first error after quiet to its request on the wire, and from the
//! answer to the end of a flush. Real client, real TLS, the simulator as the service.

use annunciator::{Annunciator, Handle};
use annunciator::{Event, Level};
use annunciator_simulator::Simulator;
use std::path::Path;
use std::time::{Duration, Instant};

/// One text each.
const TEXTS: usize = 9;

/// Measures and prints both.
pub fn run(place: &Path) -> Result<(), String> {
    let mut wire = Vec::new();
    let mut flush = Vec::new();
    for number in 0..TEXTS {
        wire.push(first_error(&place.join(format!("wire-{number}")))?);
        flush.push(flush_at_exit(&place.join(format!("flush-{number}")))?);
    }
    println!("{:<52} {:>9} {:>9}", "", "median ms", "worst ms");
    print("first error after quiet to its request on the wire", &mut wire);
    print("request on the wire to the end of a flush", &mut flush);
    Ok(())
}

fn first_error(spool: &Path) -> Result<Duration, String> {
    let (simulator, alerts) = start(spool)?;
    let began = Instant::now();
    alerts.record(&Event::new(Level::Error, "the first after quiet"));
    Ok(request(&simulator)?.saturating_duration_since(began))
}

fn flush_at_exit(spool: &Path) -> Result<Duration, String> {
    let (simulator, alerts) = start(spool)?;
    alerts.record(&Event::new(Level::Error, "the last before the end"));
    let report = alerts.flush(Duration::from_secs(10));
    let ended = Instant::now();
    if !report.is_complete() {
        return Err(format!("a flush with a healthy service left something: {report:?}"));
    }
    Ok(ended.saturating_duration_since(request(&simulator)?))
}

fn start(spool: &Path) -> Result<(Simulator, Handle), String> {
    let simulator = Simulator::start().map_err(|error| error.to_string())?;
    let alerts = Annunciator::builder("bench")
        .environment(|_| None)
        .credentials(Simulator::KEY, Simulator::SECRET)
        .to("+44 7700 900000")
        .url(simulator.url())
        .ca_file(simulator.ca_file())
        .spool(spool)
        .start()
        .map_err(|error| error.to_string())?;
    Ok((simulator, alerts.detach()))
}

fn request(simulator: &Simulator) -> Result<Instant, String> {
    let came = simulator.wait_for(1, Duration::from_secs(30));
    let request = simulator.requests().first().map(|request| request.at);
    request.filter(|_| came).ok_or("no request came".to_owned())
}

fn print(what: &str, spans: &mut [Duration]) {
    spans.sort();
    let millis = |span: Option<&Duration>| span.map_or(0.0, |span| span.as_secs_f64() * 1e3);
    let (median, worst) = (millis(spans.get(spans.len() / 2)), millis(spans.last()));
    println!("{what:<52} {median:>9.1} {worst:>9.1}");
}
