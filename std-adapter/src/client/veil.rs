//! Keeps the credentials from the HTTP client, which logs every byte of a request's head at TRACE
//! and has no setting against it.
//!
//! The client gets a stand-in of the same length in their place. Below it, between what it logs and
//! TLS, the stand-in is replaced in the bytes that leave:
//!
//! ```text
//!  request ─► head with stand-in ─► logged ─► veil: stand-in ─► value ─► TLS ─► network
//! ```
//!
//! The body needs no such thing: it is handed on without being logged, as long as its length is
//! announced. What the veil builds on is outside the client's promise of stability; should it ever
//! not find the stand-in, no byte of the body is given out ([`Veil::is_lifted`]), so nothing is sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::HeaderValue;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::secret::Secret;

/// The value of a header, and what stands in for it. `Debug` shows neither.
#[derive(Clone)]
pub(super) struct Veil(Arc<Inner>);

struct Inner {
    stand_in: HeaderValue,
    value: Secret,
    lifted: AtomicBool,
}

impl Veil {
    /// Keeps `value`, of a form `Basic ...`, to itself.
    pub(super) fn over(value: &str) -> Veil {
        let stars = "*".repeat(value.len().saturating_sub("Basic ".len()));
        // Of visible ASCII characters alone, so it is a value.
        let stand_in = HeaderValue::from_str(&format!("Basic {stars}"));
        let stand_in = stand_in.unwrap_or(HeaderValue::from_static("Basic"));
        let (value, lifted) = (Secret::from(value), AtomicBool::new(false));
        Veil(Arc::new(Inner { stand_in, value, lifted }))
    }

    /// What the client gets to see; before each request.
    pub(super) fn lower(&self) -> HeaderValue {
        self.0.lifted.store(false, Ordering::Relaxed);
        self.0.stand_in.clone()
    }

    /// Whether the value has taken its place in a head that leaves.
    pub(super) fn is_lifted(&self) -> bool {
        self.0.lifted.load(Ordering::Relaxed)
    }

    /// Puts the value in its place, once a request.
    fn lift(&self, leaving: &mut [u8]) {
        let Inner { stand_in, value, lifted } = &*self.0;
        if lifted.load(Ordering::Relaxed) {
            return;
        }
        let (stand_in, value) = (stand_in.as_bytes(), value.expose().as_bytes());
        let found = leaving.windows(stand_in.len().max(1)).position(|bytes| bytes == stand_in);
        let place = found.and_then(|at| leaving.get_mut(at..at + value.len()));
        if let Some(place) = place.filter(|place| place.len() == stand_in.len()) {
            place.copy_from_slice(value);
            lifted.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Veil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Veil(hidden)")
    }
}

impl<In: Transport> Connector<In> for Veil {
    type Out = Veiled<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Veiled<In>>, ureq::Error> {
        Ok(chained.map(|transport| Veiled { transport, veil: self.clone() }))
    }
}

/// A connection whose outgoing heads are completed. A proxy's is one too: what is asked of it holds
/// no stand-in, and what goes through it is encrypted by then.
#[derive(Debug)]
pub(super) struct Veiled<T> {
    transport: T,
    veil: Veil,
}

impl<T: Transport> Transport for Veiled<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if let Some(leaving) = self.transport.buffers().output().get_mut(..amount) {
            self.veil.lift(leaving);
        }
        self.transport.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }

    fn is_tls(&self) -> bool {
        self.transport.is_tls()
    }
}
