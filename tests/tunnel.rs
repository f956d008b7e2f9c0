//! Two things that stand between a client and a service: a door whose room can be changed, and a
//! proxy that answers `CONNECT`.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One port that leads wherever it is pointed to, so that one service can take another's place.
pub struct Door {
    address: SocketAddr,
    target: Arc<Mutex<SocketAddr>>,
}

impl Door {
    /// A door that leads to `target`. Its threads end with the process.
    pub fn to(target: SocketAddr) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(Mutex::new(target));
        let present = Arc::clone(&target);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let target = *lock(&present);
                thread::spawn(move || {
                    if let Ok(server) = TcpStream::connect(target) {
                        couple(client, server, |_| {});
                    }
                });
            }
        });
        Door { address, target }
    }

    /// From now on it leads to `target`.
    pub fn lead_to(&self, target: SocketAddr) {
        *lock(&self.target) = target;
    }

    /// The address of the SMS API behind it.
    pub fn url(&self) -> String {
        format!("https://{}/sms/json", self.address)
    }
}

/// A proxy that opens tunnels, and keeps all that a client sends through it.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    heads: Vec<String>,
    bytes: Vec<u8>,
    refusal: Option<String>,
}

impl Proxy {
    /// A proxy that opens every tunnel. Its threads end with the process.
    pub fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let seen = Arc::clone(&shared);
                thread::spawn(move || serve(client, &seen));
            }
        });
        Proxy { address, seen }
    }

    /// From now on answers clients with this status line, or opens tunnels again.
    pub fn refuse(&self, status: Option<&str>) {
        lock(&self.seen).refusal = status.map(str::to_owned);
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests to the proxy itself, head by head.
    pub fn heads(&self) -> Vec<String> {
        lock(&self.seen).heads.clone()
    }

    /// Every byte that clients sent, to the proxy and through it.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.seen).bytes.clone()
    }
}

fn serve(mut client: TcpStream, seen: &Arc<Mutex<Seen>>) {
    let Ok(head) = head(&mut client) else { return };
    let refusal = {
        let mut seen = lock(seen);
        seen.bytes.extend_from_slice(head.as_bytes());
        seen.heads.push(head.clone());
        seen.refusal.clone()
    };
    if let Some(status) = refusal {
        let _ = write!(client, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let target = head.split_whitespace().nth(1).unwrap_or_default();
    let Ok(server) = TcpStream::connect(target) else { return };
    if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_ok() {
        couple(client, server, |bytes| lock(seen).bytes.extend_from_slice(bytes));
    }
}

/// A head up to its empty line, byte by byte: what follows belongs to the tunnel.
fn head(client: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// Passes bytes both ways until both sides have ended.
fn couple(client: TcpStream, server: TcpStream, note: impl FnMut(&[u8]) + Send) {
    let (Ok(mut from_client), Ok(mut to_client)) = (client.try_clone(), client.try_clone()) else {
        return;
    };
    let (Ok(mut from_server), Ok(mut to_server)) = (server.try_clone(), server.try_clone()) else {
        return;
    };
    thread::scope(|scope| {
        scope.spawn(move || pass(&mut from_client, &mut to_server, note));
        scope.spawn(move || pass(&mut from_server, &mut to_client, |_| {}));
    });
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, mut note: impl FnMut(&[u8])) {
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        let bytes = piece.get(..read).unwrap_or(&[]);
        note(bytes);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
}
