//! A client that sends exactly the bytes it is given.

use annunciator_simulator::{Rule, Simulator};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// `Basic` with the simulator's own credentials.
pub(crate) const BASIC: &str = "Authorization: Basic YWJjZDEyMzQ6RHVtbXktU2VjcmV0LTA=";

/// A correct form.
pub(crate) const FORM: &str = "from=AcmeInc&to=447700900000&text=It+is+on+fire";

pub(crate) enum Client {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Client {
    pub(crate) fn connect(sim: &Simulator) -> io::Result<Self> {
        Self::connect_to(sim, "127.0.0.1", &sim.ca_pem(), &[&TLS13, &TLS12])
    }

    /// For answers that do not come.
    pub(crate) fn connect_impatiently(sim: &Simulator) -> io::Result<Self> {
        let soon = Duration::from_millis(200);
        Self::connect_as(sim, "127.0.0.1", &sim.ca_pem(), &[&TLS13, &TLS12], soon)
    }

    pub(crate) fn connect_to(
        sim: &Simulator,
        name: &str,
        ca: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> io::Result<Self> {
        Self::connect_as(sim, name, ca, versions, PATIENCE)
    }

    fn connect_as(
        sim: &Simulator,
        name: &str,
        ca: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
        patience: Duration,
    ) -> io::Result<Self> {
        let socket = TcpStream::connect(sim.address())?;
        socket.set_read_timeout(Some(patience))?;
        if sim.url().starts_with("http:") {
            return Ok(Self::Plain(socket));
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = socket;
        while session.is_handshaking() {
            session.complete_io(&mut socket)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    pub(crate) fn set_patience(&self, patience: Duration) {
        let socket = match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        };
        socket.set_read_timeout(Some(patience)).unwrap();
    }

    pub(crate) fn version(&self) -> Option<rustls::ProtocolVersion> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.conn.protocol_version(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.write_all(bytes),
            Self::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }

    /// Sends a form in a correct request and reads the answer.
    pub(crate) fn send(&mut self, form: &str) -> io::Result<Response> {
        self.exchange(&request(form, &[BASIC]))
    }

    pub(crate) fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        self.write(request)?;
        self.response()
    }

    pub(crate) fn response(&mut self) -> io::Result<Response> {
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(at) = find(&bytes, b"\r\n\r\n") {
                break at + 4;
            }
            self.more(&mut bytes)?;
        };
        let rest = bytes.split_off(head);
        let head = String::from_utf8(bytes).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut response = Response { status, head, body: rest };
        if response.header("transfer-encoding").is_some() {
            while !response.body.ends_with(b"0\r\n\r\n") {
                self.more(&mut response.body)?;
            }
            response.body = unchunk(&response.body);
        } else if let Some(length) = response.header("content-length") {
            let length: usize = length.parse().unwrap();
            while response.body.len() < length {
                self.more(&mut response.body)?;
            }
        }
        Ok(response)
    }

    fn more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut buf = [0; 4096];
        match self.read(&mut buf)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                bytes.extend(&buf[..n]);
                Ok(())
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let line = find(bytes, b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..line]).unwrap(), 16).unwrap();
        if size == 0 {
            return out;
        }
        let data = line + 2;
        out.extend(&bytes[data..data + size]);
        bytes = &bytes[data + size + 2..];
    }
}

/// A correct request with these further headers.
pub(crate) fn request(form: &str, headers: &[&str]) -> Vec<u8> {
    let mut all = vec![
        "Host: 127.0.0.1:1".to_owned(),
        "Accept: application/json".to_owned(),
        "Content-Type: application/x-www-form-urlencoded".to_owned(),
        format!("Content-Length: {}", form.len()),
    ];
    all.extend(headers.iter().map(|&header| header.to_owned()));
    assemble("POST /sms/json HTTP/1.1", &all, form)
}

pub(crate) fn assemble(line: &str, headers: &[String], body: &str) -> Vec<u8> {
    format!("{line}\r\n{}\r\n\r\n{body}", headers.join("\r\n")).into_bytes()
}

/// Sends one form over a connection of its own.
pub(crate) fn send(sim: &Simulator, form: &str) -> io::Result<Response> {
    Client::connect(sim)?.send(form)
}

/// Rules broken by the last request.
pub(crate) fn broken(sim: &Simulator) -> Vec<Rule> {
    sim.requests().last().unwrap().violations.iter().map(|violation| violation.rule).collect()
}

pub(crate) fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Every value of a field, read by eye: the answers have no nested objects.
pub(crate) fn values(json: &str, field: &str) -> Vec<String> {
    let name = format!("\"{field}\"");
    let mut found = Vec::new();
    for (at, _) in json.match_indices(&name) {
        let rest = json[at + name.len()..].trim_start_matches([':', ' ']);
        found.push(rest.trim_start_matches('"').split('"').next().unwrap().to_owned());
    }
    found
}
