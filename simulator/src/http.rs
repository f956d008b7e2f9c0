//! Reads one HTTP request, remembers what is wrong with its framing, and writes answers.

use std::io::{self, Read, Write};

/// More than any request of this API needs.
const HEAD_MAX: usize = 32 * 1024;
const BODY_MAX: usize = 1024 * 1024;

/// One request as it came.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// What is wrong with the framing.
    pub(crate) faults: Vec<String>,
    /// Whether the peer went away before the body was complete.
    pub(crate) truncated: bool,
    pub(crate) keep_alive: bool,
}

impl Request {
    /// Values of all headers of that name (lower case).
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What came instead of a request.
#[derive(Debug)]
pub(crate) enum NoRequest {
    /// The peer closed between requests, as it may.
    End,
    /// The connection broke, or the peer closed inside a head.
    Broken(String),
    /// The bytes are not HTTP.
    NotHttp(String),
}

impl From<io::Error> for NoRequest {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Reads the next request. `buffer` holds what was read beyond the one before.
pub(crate) fn read(
    wire: &mut (impl Read + Write),
    buffer: &mut Vec<u8>,
) -> Result<Request, NoRequest> {
    let mut request = head(wire, buffer)?;
    let chunked = request.values("transfer-encoding").next().is_some();
    let lengths: Vec<Option<usize>> =
        request.values("content-length").map(|value| value.trim().parse().ok()).collect();
    if request.values("expect").any(|value| value.eq_ignore_ascii_case("100-continue")) {
        wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        wire.flush()?;
    }
    let length = match *lengths.as_slice() {
        _ if chunked => {
            request.faults.push("Transfer-Encoding instead of Content-Length".to_owned());
            return Ok(read_chunks(wire, buffer, request));
        }
        [] if request.method == "GET" => 0,
        [] => {
            request.faults.push("no Content-Length".to_owned());
            0
        }
        [Some(length)] if length <= BODY_MAX => length,
        [_] => {
            request.faults.push("Content-Length is not a number within reason".to_owned());
            0
        }
        _ => {
            request.faults.push("Content-Length is repeated".to_owned());
            0
        }
    };
    while buffer.len() < length {
        // A peer that dies in the middle sends a reset as often as an end.
        if !more(wire, buffer).unwrap_or(false) {
            request.truncated = true;
            let got = buffer.len();
            request.faults.push(format!("the body ended after {got} of {length} bytes"));
            break;
        }
    }
    let rest = buffer.split_off(length.min(buffer.len()));
    request.body = std::mem::replace(buffer, rest);
    if !buffer.is_empty() {
        request.faults.push(format!("{} bytes after the end of the body", buffer.len()));
    }
    // What follows a badly framed body cannot be told apart from it.
    request.keep_alive &= request.faults.is_empty();
    Ok(request)
}

fn head(wire: &mut impl Read, buffer: &mut Vec<u8>) -> Result<Request, NoRequest> {
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => {
                let request = take_head(&parsed);
                buffer.drain(..length);
                return Ok(request);
            }
            Ok(httparse::Status::Partial) if buffer.len() < HEAD_MAX => {}
            Ok(httparse::Status::Partial) => {
                return Err(NoRequest::NotHttp("a head without end".to_owned()));
            }
            Err(error) => return Err(NoRequest::NotHttp(error.to_string())),
        }
        if !more(wire, buffer)? {
            return Err(match buffer.len() {
                0 => NoRequest::End,
                n => NoRequest::Broken(format!("closed after {n} bytes of a head")),
            });
        }
    }
}

fn take_head(parsed: &httparse::Request<'_, '_>) -> Request {
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|h| (h.name.to_owned(), String::from_utf8_lossy(h.value).into_owned()))
        .collect();
    let mut request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        ..Request::default()
    };
    let tokens: Vec<String> = request
        .values("connection")
        .flat_map(|value| value.split(','))
        .map(|token| token.trim().to_ascii_lowercase())
        .collect();
    let says = |token: &str| tokens.iter().any(|t| t == token);
    request.keep_alive =
        if parsed.version == Some(1) { !says("close") } else { says("keep-alive") };
    request
}

/// A chunked body; whatever is wrong with it ends it.
fn read_chunks(wire: &mut impl Read, buffer: &mut Vec<u8>, mut request: Request) -> Request {
    request.keep_alive = false;
    loop {
        match httparse::parse_chunk_size(buffer) {
            Ok(httparse::Status::Complete((at, size))) => {
                let size = usize::try_from(size).unwrap_or(usize::MAX).min(BODY_MAX + 1);
                while size <= BODY_MAX && buffer.len() < at + size + 2 {
                    if !more(wire, buffer).unwrap_or(false) {
                        request.truncated = true;
                        return request;
                    }
                }
                let end = (at + size).min(buffer.len());
                request.body.extend(buffer.get(at..end).unwrap_or_default());
                buffer.drain(..(end + 2).min(buffer.len()));
                if size == 0 || request.body.len() > BODY_MAX {
                    return request;
                }
            }
            Ok(httparse::Status::Partial) => {
                if !more(wire, buffer).unwrap_or(false) {
                    request.truncated = true;
                    return request;
                }
            }
            Err(_) => {
                request.faults.push("a chunk without a size".to_owned());
                return request;
            }
        }
    }
}

fn more(wire: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut bytes = [0; 4096];
    let n = loop {
        match wire.read(&mut bytes) {
            Ok(n) => break n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // A peer that leaves without close_notify still left.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break 0,
            Err(error) => return Err(error),
        }
    };
    buffer.extend(bytes.iter().take(n));
    Ok(n > 0)
}
