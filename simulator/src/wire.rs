//! One connection, plain or encrypted, and the ways to end it.

use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// A socket that the thread which stops the simulator can reach as well.
#[derive(Clone)]
pub(crate) struct Sock(pub(crate) Arc<TcpStream>);

impl Sock {
    /// Reads whatever comes first, and leaves it at that.
    pub(crate) fn read_some(&self) {
        let _ = (&*self.0).read(&mut [0; 4096]);
    }

    /// Reads until the peer goes, and says nothing.
    pub(crate) fn drain(&self) {
        let mut bytes = [0; 4096];
        while (&*self.0).read(&mut bytes).is_ok_and(|n| n > 0) {}
    }

    /// Closes in good order: what was written arrives. A socket that is dropped with unread bytes
    /// would send a reset instead, so the peer's end is awaited for a moment.
    pub(crate) fn finish(&self) {
        let _ = self.0.shutdown(Shutdown::Write);
        let _ = self.0.set_read_timeout(Some(Duration::from_millis(500)));
        self.drain();
    }
}

impl Read for Sock {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self.0).read(buf)
    }
}

impl Write for Sock {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self.0).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}

pub(crate) enum Wire {
    Plain(Sock),
    Tls(Box<StreamOwned<ServerConnection, Sock>>),
}

impl Wire {
    pub(crate) fn tls(session: ServerConnection, sock: Sock) -> Self {
        Self::Tls(Box::new(StreamOwned::new(session, sock)))
    }

    pub(crate) const fn is_secure(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    fn sock(&self) -> &Sock {
        match self {
            Self::Plain(sock) => sock,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    pub(crate) fn drain(self) {
        self.sock().drain();
    }

    /// Closes in good order, with a close_notify if encrypted.
    pub(crate) fn finish(mut self) {
        if let Self::Tls(stream) = &mut self {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        self.sock().finish();
    }

    /// Throws the connection away: the peer gets a reset.
    pub(crate) fn reset(self) {
        let _ = SockRef::from(&*self.sock().0).set_linger(Some(Duration::ZERO));
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sock) => sock.read(buf),
            Self::Tls(stream) => stream.read(buf),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sock) => sock.write(buf),
            Self::Tls(stream) => stream.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sock) => sock.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
