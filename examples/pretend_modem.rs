//! The far end of a serial line, for a transport that has no modem to talk to.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A GSM modem as far as sending a text goes. Clones are ends of one line.
///
/// Like a serial device with `min 0`, it has nothing more to read when nothing more is said.
#[derive(Debug, Clone, Default)]
pub struct PretendModem(Arc<Mutex<Modem>>);

#[derive(Debug, Default)]
struct Modem {
    command: Vec<u8>,
    says: VecDeque<u8>,
    /// Said instead of accepting a text; an empty one is silence.
    refusals: VecDeque<&'static str>,
    texts: Vec<String>,
}

impl PretendModem {
    /// Says each of these once, instead of accepting a text; an empty one is silence.
    pub fn refuse(&self, refusals: impl IntoIterator<Item = &'static str>) {
        self.with(|modem| modem.refusals.extend(refusals));
    }

    /// The texts it has taken so far, those included that it was silent about.
    pub fn texts(&self) -> Vec<String> {
        self.with(|modem| modem.texts.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut Modem) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Modem {
    fn hear(&mut self, byte: u8) {
        match byte {
            b'\r' if self.command.starts_with(b"AT+CMGS") => self.say("\r\n> "),
            b'\r' => self.say("\r\nOK\r\n"),
            0x1A => self.take_text(),
            _ => return self.command.push(byte),
        }
        self.command.clear();
    }

    fn take_text(&mut self) {
        let refusal = self.refusals.pop_front();
        if refusal.is_none_or(str::is_empty) {
            self.texts.push(decoded(&self.command));
        }
        self.say(refusal.unwrap_or("\r\n+CMGS: 7\r\n\r\nOK\r\n"));
    }

    fn say(&mut self, words: &str) {
        self.says.extend(words.bytes());
    }
}

/// The text that a row of UTF-16 units stands for, four hexadecimal digits each.
fn decoded(hex: &[u8]) -> String {
    let units = hex.chunks_exact(4).filter_map(|unit| {
        let digits = std::str::from_utf8(unit).ok()?;
        u16::from_str_radix(digits, 16).ok()
    });
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

impl Read for PretendModem {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.with(|modem| modem.says.read(buf))
    }
}

impl Write for PretendModem {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.with(|modem| bytes.iter().for_each(|byte| modem.hear(*byte)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
