//! Keeps the credentials from the HTTP client, which logs every byte of a request's head at TRACE
//! and has no setting against it.
//!
//! The client gets a placeholder of the same length in their place. Below it, between what it logs
//! and TLS, the placeholder is replaced in the bytes that leave:
//!
//! ```text
//!  request ─► head with placeholder ─► logged ─► injector puts the value in ─► TLS ─► network
//! ```
//!
//! The client does not log the body, as long as its length is announced. The injector builds on an
//! interface outside the client's promise of stability. If it does not find the placeholder, the
//! body gives out no byte ([`CredentialInjector::injected`]), and nothing is sent.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::http::HeaderValue;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use crate::secret::Secret;

/// The value of a header, and its placeholder. `Debug` shows neither.
#[derive(Clone)]
pub(super) struct CredentialInjector(Arc<Inner>);

struct Inner {
    placeholder: HeaderValue,
    value: Secret,
    injected: AtomicBool,
}

impl CredentialInjector {
    /// Keeps `value`, of a form `Basic ...`, to itself.
    pub(super) fn new(value: &str) -> CredentialInjector {
        let stars = "*".repeat(value.len().saturating_sub("Basic ".len()));
        // Of visible ASCII characters alone, so it is a value.
        let placeholder = HeaderValue::from_str(&format!("Basic {stars}"));
        let placeholder = placeholder.unwrap_or(HeaderValue::from_static("Basic"));
        let (value, injected) = (Secret::from(value), AtomicBool::new(false));
        CredentialInjector(Arc::new(Inner { placeholder, value, injected }))
    }

    /// What the client gets to see; before each request.
    pub(super) fn placeholder(&self) -> HeaderValue {
        self.0.injected.store(false, Ordering::Relaxed);
        self.0.placeholder.clone()
    }

    /// Whether the value has replaced the placeholder in the present request.
    pub(super) fn injected(&self) -> bool {
        self.0.injected.load(Ordering::Relaxed)
    }

    /// Replaces the placeholder by the value, once a request.
    fn inject(&self, leaving: &mut [u8]) {
        let Inner { placeholder, value, injected } = &*self.0;
        if injected.load(Ordering::Relaxed) {
            return;
        }
        let (placeholder, value) = (placeholder.as_bytes(), value.expose().as_bytes());
        let found =
            leaving.windows(placeholder.len().max(1)).position(|bytes| bytes == placeholder);
        let range = found.and_then(|at| leaving.get_mut(at..at + value.len()));
        if let Some(range) = range.filter(|range| range.len() == placeholder.len()) {
            range.copy_from_slice(value);
            injected.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for CredentialInjector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialInjector(hidden)")
    }
}

impl<In: Transport> Connector<In> for CredentialInjector {
    type Out = InjectingTransport<In>;

    fn connect(
        &self,
        _: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<InjectingTransport<In>>, ureq::Error> {
        Ok(chained.map(|transport| InjectingTransport { transport, injector: self.clone() }))
    }
}

/// A connection whose outgoing heads are completed. A proxy's is one too: what is asked of it holds
/// no placeholder, and what goes through it is encrypted by then.
#[derive(Debug)]
pub(super) struct InjectingTransport<T> {
    transport: T,
    injector: CredentialInjector,
}

impl<T: Transport> Transport for InjectingTransport<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        if let Some(leaving) = self.transport.buffers().output().get_mut(..amount) {
            self.injector.inject(leaving);
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
