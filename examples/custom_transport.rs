//! A transport of one's own: a gateway that texts through the GSM modem on its serial line.
//!
//! ```console
//! $ cargo run --example custom_transport
//! $ stty -F /dev/ttyUSB2 raw -echo min 0 time 100
//! $ cargo run --example custom_transport -- /dev/ttyUSB2 +447700900000
//! $ cargo test --example custom_transport
//! ```
//!
//! Without a device, a pretended modem takes the text. A transport makes one attempt and says what
//! came of it. When to retry, what to batch and what it may cost is decided elsewhere.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::time::Duration;

use annunciator::Annunciator;
use annunciator_core::gsm7::Encoding;
use annunciator_core::transport::{
    Code, Message, Outcome, Receipt, Refusal, RefusalClass, Retry, Transport,
};
use annunciator_examples::PretendModem;
use log::error;

/// Texts one number by the commands of 3GPP TS 27.005, in text mode.
struct Modem<F> {
    /// Opens the line anew for each attempt: a late answer must not be taken for another's.
    open: F,
    number: String,
}

impl<P: Read + Write, F: FnMut() -> io::Result<P>> Transport for Modem<F> {
    fn send(&mut self, message: &Message<'_>) -> Outcome {
        let ready = (self.open)().and_then(|port| prepare(port, &self.number, message.encoding));
        // Nothing leaves before the whole text is there: up to then a failure is certain.
        let Ok(mut port) = ready else { return Outcome::Retry(Retry::failure(Code::NONE)) };
        let Ok(heard) = ask(&mut port, &format!("{}\x1A", hex(message.text))) else {
            return Outcome::Unknown(Code::NONE);
        };
        if heard.contains("+CMGS:") {
            return Outcome::Accepted(Receipt::new(message.segments));
        }
        let number = heard.split("+CMS ERROR:").nth(1).and_then(|rest| rest.trim().parse().ok());
        let code = Code(number.unwrap_or(500));
        match code.0 {
            // Barred, unknown to the network, no SIM, a PIN wanted: somebody has to act.
            1 | 8 | 10 | 28 | 310 | 311 | 316 => {
                Outcome::Refused(Refusal::new(RefusalClass::Channel, code))
            }
            // Out of order, congested, no service: it will pass.
            38 | 41 | 42 | 47 | 331 => Outcome::Retry(Retry::failure(code)),
            // The network fell silent, or the modem cannot tell.
            332 | 500 => Outcome::Unknown(code),
            _ => Outcome::Retry(Retry::unrecognised(code)),
        }
    }
}

/// Brings the modem to where it asks for the text, which it takes as UTF-16 in hexadecimal.
fn prepare<P: Read + Write>(mut port: P, number: &str, encoding: Encoding) -> io::Result<P> {
    let coding = if encoding == Encoding::Gsm7 { 0 } else { 8 };
    // Escape ends whatever a broken attempt left open.
    ask(&mut port, &format!("\x1BAT+CMGF=1;+CSCS=\"UCS2\";+CSMP=17,167,0,{coding}\r"))?;
    let heard = ask(&mut port, &format!("AT+CMGS=\"{}\"\r", hex(number)))?;
    if heard.ends_with("> ") { Ok(port) } else { Err(io::Error::other(heard)) }
}

/// Gives a command and listens to the end of the answer; an error if the modem falls silent first.
fn ask(port: &mut (impl Read + Write), command: &str) -> io::Result<String> {
    port.write_all(command.as_bytes())?;
    let mut heard = String::new();
    for byte in BufReader::new(port).bytes().take(2000) {
        heard.push(char::from(byte?));
        let refused = heard.contains("ERROR") && heard.ends_with("\r\n");
        if refused || heard.ends_with("\r\nOK\r\n") || heard.ends_with("\r\n> ") {
            return Ok(heard);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn hex(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("{unit:04X}")).collect()
}

fn main() -> Result<(), Box<dyn Error>> {
    let pretended = PretendModem::default();
    let builder = Annunciator::builder("gateway").segments_per_text(1);
    let args: Vec<String> = std::env::args().skip(1).collect();
    let builder = match args.as_slice() {
        [device, number] => {
            let (device, number) = (device.clone(), number.clone());
            let open = move || File::options().read(true).write(true).open(&device);
            builder.transport("modem", Modem { open, number })
        }
        _ => {
            let line = pretended.clone();
            let open = move || Ok(line.clone());
            let modem = Modem { open, number: "+447700900000".into() };
            // Somebody who tries this again and again wants to see a text each time.
            let builder = builder.interval(Duration::ZERO, Duration::ZERO).budget(1000, 1000);
            builder.transport("modem", modem).without_spool()
        }
    };
    let alerts = builder.start()?;
    alerts.logger().install()?;

    error!("pump 3 does not start");

    let report = alerts.flush(Duration::from_secs(30));
    eprintln!("{report}\n{}", alerts.health());
    for text in pretended.texts() {
        println!("{text}");
    }
    if report.is_complete() { Ok(()) } else { Err("the modem has not taken it".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annunciator_core::alerter::Policy;
    use annunciator_core::event::{Event, Level};
    use annunciator_core::testing::Device;
    use annunciator_core::time::Duration;

    /// Sends one error through `modem`, and returns the virtual time that took.
    fn send_one(modem: &PretendModem) -> Duration {
        let mut policy = Policy::default();
        policy.segments = 1;
        let line = modem.clone();
        let modem = Modem { open: move || Ok(line.clone()), number: "+447700900000".into() };
        let mut device = Device::with_policy(16, policy).through(modem);
        let begin = device.clock.now();
        device.record(&Event::new(Level::Error, "pump 3 does not start"));
        while device.alerter().stats().delivered == 0 {
            device.run(Duration::from_secs(1));
            assert!(device.clock.now().since(begin) < Duration::from_hours(24), "never sent");
        }
        device.clock.now().since(begin)
    }

    #[test]
    fn a_text_waits_while_there_is_no_network_and_is_sent_once() {
        let modem = PretendModem::default();
        modem.refuse(["\r\n+CMS ERROR: 331\r\n"; 10]);
        let took = send_one(&modem);
        assert_eq!(modem.texts(), ["[Rust Logger night] ERROR: pump 3 does not start"]);
        assert!(took > Duration::from_secs(1) && took < Duration::from_hours(1), "{took:?}");
    }

    #[test]
    fn a_text_that_nobody_answers_for_is_repeated_and_says_so() {
        let modem = PretendModem::default();
        modem.refuse([""]);
        send_one(&modem);
        assert_eq!(
            modem.texts(),
            [
                "[Rust Logger night] ERROR: pump 3 does not start",
                "[Rust Logger night] (repeat 0000) ERROR: pump 3 does not start",
            ]
        );
    }

    #[test]
    fn a_missing_sim_card_is_probed_and_the_text_kept() {
        let modem = PretendModem::default();
        modem.refuse(["\r\n+CMS ERROR: 310\r\n"; 3]);
        let took = send_one(&modem);
        assert_eq!(modem.texts().len(), 1);
        assert!(took >= Duration::from_mins(36), "probes after 1, 5 and 30 minutes: {took:?}");
    }
}
