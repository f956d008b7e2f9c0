//! The other end of a serial line: sends the texts of a device that has no network of its own.
//!
//! ```console
//! $ stty -F /dev/ttyUSB0 115200 raw -echo
//! $ cargo run --example gateway -- /dev/ttyUSB0
//! $ cargo run --example gateway -- --listen line.sock
//! ```
//!
//! The first serves a device, the second whatever connects to a Unix socket, such as the firmware of
//! `examples/cortex-m` in QEMU. `--sessions N` ends it after N connections, `--answers A,B` scripts
//! the simulator that plays the service when there are no credentials.
//!
//! The device decides what is sent, when, and how often. The gateway makes one attempt for each
//! text and reports its outcome.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use annunciator_core::transport::{Message, Outcome, Transport};
use annunciator_examples::{Stage, Vonage};
use gateway_link::frame::{CHECK, Decoder, encode};
use gateway_link::message::{HEAD, Said};

/// Bytes of the longest text that a device may have: six segments, four bytes a character.
const TEXT: usize = 6 * 153 * 4;

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse(std::env::args().skip(1))?;
    // Only an example needs a stage.
    let stage = Stage::start()?;
    if let Some(answers) = &options.answers {
        stage.script(answers)?;
    }
    // One number for one device: each device has one budget, one history.
    let mut transport = Vonage::new("gateway", |name| {
        let simulated = (name == "ALERT_PHONE_NUMBER").then(|| "+44 7700 900000".to_owned());
        stage.variable(name).or(simulated)
    })?;

    match &options.line {
        Line::Device(path) => {
            let port = File::options().read(true).write(true).open(path);
            let port = port.map_err(|error| format!("{}: {error}", path.display()))?;
            serve(&port, &mut transport)?;
        }
        Line::Socket(path) => {
            let listener = UnixListener::bind(path)?;
            for session in listener.incoming().take(options.sessions) {
                serve(&session?, &mut transport)?;
            }
        }
    }
    stage.close()?;
    Ok(())
}

/// Answers until the line ends.
fn serve<'l, L>(line: &'l L, transport: &mut dyn Transport) -> io::Result<()>
where
    &'l L: Read + Write,
{
    let (mut input, mut output) = (line, line);
    let mut decoder = Decoder::<{ HEAD + TEXT + CHECK }>::new();
    let mut bytes = [0; 256];
    loop {
        let read = match input.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A device that went away.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Err(error) => return Err(error),
        };
        for byte in &bytes[..read] {
            let Some(said) = decoder.push(*byte).and_then(Said::decode) else { continue };
            let Some(answer) = answer(said, transport) else { continue };
            let (head, body) = answer.encode();
            let frame: Vec<u8> = encode(&head, body).collect();
            // A device that does not listen any more has reset, and will ask again.
            if output.write_all(&frame).and_then(|()| output.flush()).is_err() {
                return Ok(());
            }
        }
    }
}

fn answer(said: Said<'_>, transport: &mut dyn Transport) -> Option<Said<'static>> {
    match said {
        Said::Hello(token) => Some(Said::Ready(token)),
        Said::Text(token, message) => {
            let outcome = transport.send(&message);
            println!("{}", account(&message, &outcome));
            Some(Said::Verdict(token, outcome))
        }
        // What a gateway says itself: an echo on the line.
        Said::Ready(_) | Said::Verdict(..) => None,
    }
}

/// One line for whoever watches.
fn account(message: &Message<'_>, outcome: &Outcome) -> String {
    let Message { reference, segments, .. } = message;
    let repeat = if message.repeat { ", again" } else { "" };
    let what = match outcome {
        Outcome::Accepted(_) => "accepted".to_owned(),
        Outcome::Retry(retry) => format!("not sent, code {}", retry.code.0),
        Outcome::Unknown(code) => format!("nobody knows, code {}", code.0),
        Outcome::Refused(refusal) => format!("refused, code {}", refusal.code.0),
        _ => "unheard of".to_owned(),
    };
    format!("{reference}{repeat}, {segments} segments: {what}")
}

struct Options {
    line: Line,
    sessions: usize,
    answers: Option<String>,
}

enum Line {
    Device(PathBuf),
    Socket(PathBuf),
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
        let mut options =
            Options { line: Line::Device(PathBuf::new()), sessions: usize::MAX, answers: None };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--listen" => options.line = Line::Socket(value()?.into()),
                "--sessions" => options.sessions = value()?.parse()?,
                "--answers" => options.answers = Some(value()?),
                _ => options.line = Line::Device(arg.into()),
            }
        }
        match &options.line {
            Line::Device(path) if path.as_os_str().is_empty() => {
                Err("which serial line? A device, or --listen SOCKET".into())
            }
            _ => Ok(options),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use annunciator_core::gsm7::Encoding;
    use annunciator_core::transport::{Code, Receipt, Reference, Retry};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;

    /// Accepts the first text it gets and no other.
    struct Service(Vec<String>);

    impl Transport for Service {
        fn send(&mut self, message: &Message<'_>) -> Outcome {
            self.0.push(message.text.to_owned());
            match self.0.len() {
                1 => Outcome::Accepted(Receipt::new(message.segments)),
                _ => Outcome::Retry(Retry::failure(Code(7))),
            }
        }
    }

    #[test]
    fn a_text_goes_through_the_service_and_each_outcome_is_known() {
        let stage = Stage::start().unwrap();
        let send = |url: Option<&str>| {
            let mut transport = Vonage::new("gateway", |name| match (name, url) {
                ("ALERT_PHONE_NUMBER", _) => Some("+44 7700 900000".to_owned()),
                ("VONAGE_SMS_URL", Some(url)) => Some(url.to_owned()),
                _ => stage.variable(name),
            });
            let message = Message::new("it works", Encoding::Gsm7, 1, Reference(1));
            transport.as_mut().unwrap().send(&message)
        };
        let outcome = send(None);
        assert!(matches!(outcome, Outcome::Accepted(_)), "{outcome:?}");
        stage.script("status:4,http:503").unwrap();
        let outcome = send(None);
        assert!(matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
        let outcome = send(None);
        assert!(matches!(outcome, Outcome::Retry(_)), "{outcome:?}");
        let outcome = send(Some("https://127.0.0.1:1/sms/json"));
        assert!(matches!(outcome, Outcome::Retry(_)), "{outcome:?}");
        stage.close().unwrap();
    }

    #[test]
    fn a_device_is_answered_through_noise_and_each_text_is_tried_once() {
        let text = |text| Message::new(text, Encoding::Gsm7, 1, Reference(1));
        let said =
            [Said::Hello(1), Said::Text(1, text("a")), Said::Hello(2), Said::Text(2, text("b"))];
        let (mut device, gateway) = UnixStream::pair().unwrap();
        for said in said {
            device.write_all(b"\x00~\x7Dnoise").unwrap();
            let (head, body) = said.encode();
            device.write_all(&encode(&head, body).collect::<Vec<_>>()).unwrap();
        }
        device.shutdown(Shutdown::Write).unwrap();

        let mut service = Service(Vec::new());
        serve(&gateway, &mut service).unwrap();
        drop(gateway);
        assert_eq!(service.0, ["a", "b"]);
        let mut line = Vec::new();
        device.read_to_end(&mut line).unwrap();
        let mut decoder = Decoder::<64>::new();
        let mut answers = Vec::new();
        for byte in line {
            answers.extend(decoder.push(byte).map(|frame| format!("{:?}", Said::decode(frame))));
        }
        let expected = [
            Said::Ready(1),
            Said::Verdict(1, Outcome::Accepted(Receipt::new(1))),
            Said::Ready(2),
            Said::Verdict(2, Outcome::Retry(Retry::failure(Code(7)))),
        ];
        assert_eq!(answers, expected.map(|said| format!("{:?}", Some(said))));
    }
}
