//! The handle a test holds.

use crate::answer::Answer;
use crate::builder::Builder;
use crate::check::Violation;
use crate::record::Received;
use crate::server::{Counts, Shared, listen};
use crate::tls::{Authority, Certificate, Tls};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A Vonage SMS service on loopback. It runs until it is dropped.
///
/// All methods take `&self`: share it with other threads by reference or in an `Arc`.
pub struct Simulator {
    shared: Arc<Shared>,
    authority: Authority,
    ca_file: TempFile,
    address: SocketAddr,
    plain: bool,
    tls: Mutex<Tls>,
    door: Mutex<Door>,
}

/// The port.
enum Door {
    Open,
    /// Nobody listens, but the port stays ours. None if it could not be kept.
    Shut(Option<Socket>),
}

impl Simulator {
    /// The API key that is accepted unless the builder says otherwise.
    pub const KEY: &str = "abcd1234";
    /// The secret that is accepted unless the builder says otherwise.
    pub const SECRET: &str = "Dummy-Secret-0";

    /// Starts on a free port, over TLS, accepting everything that is correct.
    ///
    /// # Errors
    /// The port, a thread, or the file for the authority's certificate could not be had.
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Opens the port; `tls` is what to speak, if not plain HTTP.
    pub(crate) fn open(
        shared: Shared,
        authority: Authority,
        port: u16,
        tls: Option<Tls>,
    ) -> io::Result<Self> {
        let shared = Arc::new(shared);
        let ca_file = TempFile::new(&authority.pem())?;
        let socket = bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
        let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        open_door(&shared, socket)?;
        Ok(Self {
            shared,
            authority,
            ca_file,
            address,
            plain: tls.is_none(),
            tls: Mutex::new(tls.unwrap_or_default()),
            door: Mutex::new(Door::Open),
        })
    }

    /// A simulator with other than the usual settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Where to send: `https://127.0.0.1:PORT/sms/json`. The numeric form needs no resolver; see
    /// [`named_url`](Self::named_url) for the other.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of("127.0.0.1")
    }

    /// Where to send, by name: `https://localhost:PORT/sms/json`. As with the real service, the
    /// client resolves a name and sends it along in the handshake.
    #[must_use]
    pub fn named_url(&self) -> String {
        self.url_of("localhost")
    }

    fn url_of(&self, host: &str) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        format!("{scheme}://{host}:{}/sms/json", self.address.port())
    }

    /// The address that is listened on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the private authority, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// A file with [`ca_pem`](Self::ca_pem), removed when the simulator is dropped.
    #[must_use]
    pub fn ca_file(&self) -> &Path {
        &self.ca_file.0
    }

    /// The environment with which Annunciator sends to this simulator, for
    /// [`Command::envs`](std::process::Command::envs).
    #[must_use]
    pub fn env(&self) -> [(&'static str, String); 4] {
        let state = self.shared.lock();
        [
            ("VONAGE_SMS_URL", self.url()),
            ("ALERT_CA_FILE", self.ca_file().display().to_string()),
            ("VONAGE_API_KEY", state.account.key.clone()),
            ("VONAGE_API_SECRET", state.account.secrets.first().cloned().unwrap_or_default()),
        ]
    }

    /// Adds answers to the script: one is used up by each request, in order. When it is empty, the
    /// closure given to [`when`](Self::when) is asked, and then
    /// [`otherwise`](Self::otherwise) holds.
    ///
    /// Answers that come before any request (a hang in the handshake, for one) are used up by the
    /// next connection. The answer before such a one closes its connection, so that there is a next.
    ///
    /// A request that the service would refuse is refused also where the script accepts; see
    /// [`Builder::lenient`].
    pub fn script(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.lock().script.extend(answers);
    }

    /// Answers of the script that are not used up yet.
    #[must_use]
    pub fn script_left(&self) -> usize {
        self.shared.lock().script.len()
    }

    /// The answer to each request when the script has run out: at first [`Answer::accepted`].
    pub fn otherwise(&self, answer: Answer) {
        self.shared.lock().otherwise = answer;
    }

    /// Asks `decide` about each request that the script has no answer for. The request's outcome is
    /// not settled yet when it is asked.
    pub fn when(&self, decide: impl FnMut(&Received) -> Option<Answer> + Send + 'static) {
        let mut slot = self.shared.decide.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Box::new(decide));
    }

    /// Every request so far, in the order in which they were answered.
    #[must_use]
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().requests.clone()
    }

    /// The requests whose text the service took, wholly or in part, whatever the client learnt of
    /// it: what would arrive on the phone.
    #[must_use]
    pub fn messages(&self) -> Vec<Received> {
        self.shared.lock().requests.iter().filter(|r| r.taken).cloned().collect()
    }

    /// Waits until there are `n` requests; false if there are fewer after `timeout`.
    #[must_use]
    pub fn wait_for(&self, n: usize, timeout: Duration) -> bool {
        self.shared.wait(timeout, |state| state.requests.len() >= n)
    }

    /// Waits until there are `n` [`messages`](Self::messages); false if there are fewer after
    /// `timeout`.
    #[must_use]
    pub fn wait_for_messages(&self, n: usize, timeout: Duration) -> bool {
        self.shared.wait(timeout, |s| s.requests.iter().filter(|r| r.taken).count() >= n)
    }

    /// Waits until [`counts`](Self::counts) satisfy `met`; false if they do not within `timeout`.
    #[must_use]
    pub fn wait_until(&self, timeout: Duration, mut met: impl FnMut(&Counts) -> bool) -> bool {
        self.shared.wait(timeout, |state| met(&state.counts))
    }

    /// Hands the requests so far over and forgets them, for a program that runs for long.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.lock().requests)
    }

    /// Hands the [`troubles`](Self::troubles) so far over and forgets them.
    #[must_use]
    pub fn take_troubles(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().troubles)
    }

    /// Forgets the requests and troubles so far. The counts go on.
    pub fn clear(&self) {
        let mut state = self.shared.lock();
        state.requests.clear();
        state.troubles.clear();
    }

    /// What reached the simulator since it started.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// What went wrong outside of requests, in words: failed handshakes with their reason,
    /// connections that broke, bytes that are not HTTP.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.shared.lock().troubles.clone()
    }

    /// Everything that is wrong with any request so far.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.shared.lock().requests.iter().flat_map(|r| r.violations.clone()).collect()
    }

    /// Checks that no request broke a rule.
    ///
    /// # Panics
    /// If one did, with the list of violations.
    #[track_caller]
    pub fn assert_clean(&self) {
        let mut lines = Vec::new();
        for (i, request) in self.requests().iter().enumerate() {
            lines.extend(request.violations.iter().map(|v| format!("\n  request {}: {v}", i + 1)));
        }
        assert!(lines.is_empty(), "{} violations:{}", lines.len(), lines.concat());
    }

    /// What is left of the account's money, in euros. When it does not cover a text, the text is
    /// refused with status 9.
    #[must_use]
    pub fn balance(&self) -> f64 {
        self.shared.lock().ledger.balance as f64 / 1e8
    }

    /// Tops the account up, or empties it.
    pub fn set_balance(&self, euros: f64) {
        self.shared.lock().ledger.balance = (euros * 1e8).round() as i64;
    }

    /// Replaces the secret: the old one is refused from now on.
    pub fn set_secret(&self, secret: impl Into<String>) {
        self.shared.lock().account.secrets = vec![secret.into()];
    }

    /// Adds a second secret, as during a rotation.
    pub fn add_secret(&self, secret: impl Into<String>) {
        self.shared.lock().account.secrets.push(secret.into());
    }

    /// Shows another certificate from the next handshake on.
    ///
    /// # Panics
    /// If no certificate can be made, which only a broken source of randomness explains.
    pub fn set_certificate(&self, certificate: Certificate) {
        let tls = *self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_tls_config(certificate, tls);
    }

    /// Speaks other versions of TLS from the next handshake on, with a good certificate.
    ///
    /// # Panics
    /// As [`set_certificate`](Self::set_certificate).
    pub fn set_tls(&self, tls: Tls) {
        *self.tls.lock().unwrap_or_else(PoisonError::into_inner) = tls;
        self.set_tls_config(Certificate::Good, tls);
    }

    fn set_tls_config(&self, certificate: Certificate, tls: Tls) {
        if !self.plain {
            let config = self.authority.server(certificate, tls).expect("a certificate");
            self.shared.lock().tls = Some((tls, config));
        }
    }

    /// Goes away: connections are cut and new ones refused, until [`restart`](Self::restart). The
    /// record and the script stay.
    pub fn stop(&self) {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*door, Door::Open) {
            self.shared.end_term(|| {
                let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
            });
            // Bound but not listening: connections are refused, and nobody else gets the port.
            *door = Door::Shut(bind(self.address).ok());
        }
    }

    /// Comes back on the same port after [`stop`](Self::stop).
    ///
    /// # Errors
    /// The port could not be had again.
    pub fn restart(&self) -> io::Result<()> {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        if let Door::Shut(socket) = &mut *door {
            let socket = match socket.take() {
                Some(socket) => socket,
                None => bind(self.address)?,
            };
            open_door(&self.shared, socket)?;
            *door = Door::Open;
        }
        Ok(())
    }

    /// Closes every connection that exists, as the real service does with those that were idle for
    /// too long. New ones are served as before.
    pub fn disconnect(&self) {
        self.shared.disconnect();
    }

    /// From now on new connections are established by the kernel but nobody serves them: the
    /// black hole that a hung server is. Connections that exist are still served.
    pub fn pause_accepting(&self) {
        self.shared.lock().paused = true;
    }

    /// Serves connections again, also those that came in the meantime.
    pub fn resume_accepting(&self) {
        self.shared.lock().paused = false;
        self.shared.notify();
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Simulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulator")
            .field("url", &self.url())
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // On Windows this would let strangers share the port, and is not needed for a restart.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))?;
    Ok(socket)
}

fn open_door(shared: &Arc<Shared>, socket: Socket) -> io::Result<()> {
    socket.listen(128)?;
    listen(shared, TcpListener::from(socket))
}

/// A file in the system's directory for such, readable by this user only, removed on drop.
struct TempFile(PathBuf);

impl TempFile {
    fn new(contents: &str) -> io::Result<Self> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        loop {
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            let name = format!("annunciator-simulator-{}-{serial}.pem", process::id());
            let path = std::env::temp_dir().join(name);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = match options.open(&path) {
                // Left over by a process of the same number that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            let this = Self(path);
            file.write_all(contents.as_bytes())?;
            return Ok(this);
        }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
