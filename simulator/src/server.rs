//! The threads: one accepts, one more serves each connection.
//!
//! Everything a thread can wait for is bounded by the *term* it was started in: [`Shared::end_term`]
//! wakes every sleeper, shuts every socket, and waits for the threads to notice.

use crate::answer::{Answer, What};
use crate::check::{self, Account, Rule, Verdict, Violation};
use crate::form::Form;
use crate::gsm::{Encoding, Size};
use crate::http::{self, NoRequest, Request};
use crate::record::{Outcome, Received};
use crate::reply::{self, Ledger, Reply};
use crate::tls::Tls;
use crate::wire::{Sock, Wire};
use rustls::{ServerConfig, ServerConnection};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// Counts of what reached the simulator since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections accepted.
    pub connections: u64,
    /// TLS handshakes completed.
    pub handshakes: u64,
    /// TLS handshakes that failed or were made to.
    pub failed_handshakes: u64,
    /// Requests read.
    pub requests: u64,
}

/// Decides on an answer for a request that the script has none for.
pub(crate) type Decide = Box<dyn FnMut(&Received) -> Option<Answer> + Send>;

pub(crate) struct State {
    /// Grows by one with every stop.
    pub(crate) term: u64,
    pub(crate) paused: bool,
    pub(crate) script: VecDeque<Answer>,
    pub(crate) otherwise: Answer,
    pub(crate) requests: Vec<Received>,
    pub(crate) troubles: Vec<String>,
    pub(crate) counts: Counts,
    pub(crate) ledger: Ledger,
    pub(crate) account: Account,
    pub(crate) lenient: bool,
    pub(crate) tls: Option<(Tls, Arc<ServerConfig>)>,
    live: Vec<(u64, Weak<TcpStream>)>,
    threads: usize,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Apart from the state, so that the closure may ask the simulator.
    pub(crate) decide: Mutex<Option<Decide>>,
}

impl Shared {
    pub(crate) fn new(
        account: Account,
        ledger: Ledger,
        lenient: bool,
        tls: Option<(Tls, Arc<ServerConfig>)>,
    ) -> Self {
        let state = State {
            term: 0,
            paused: false,
            script: VecDeque::new(),
            otherwise: Answer::accepted(),
            requests: Vec::new(),
            troubles: Vec::new(),
            counts: Counts::default(),
            ledger,
            account,
            lenient,
            tls,
            live: Vec::new(),
            threads: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), decide: Mutex::new(None) }
    }

    /// A panic of a test's closure must not turn into panics everywhere else.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Waits until `met` holds; tells whether it did before the time was up.
    pub(crate) fn wait(&self, timeout: Duration, mut met: impl FnMut(&State) -> bool) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        while !met(&state) {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => Duration::from_secs(3600),
            };
            if left.is_zero() {
                return false;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Sleeps; tells whether the term still lasts.
    fn sleep(&self, term: u64, time: Duration) -> bool {
        time.is_zero() || !self.wait(time, |state| state.term != term)
    }

    /// Cuts every connection that exists; new ones are served as before.
    pub(crate) fn disconnect(&self) {
        let live = self.lock().live.clone();
        for socket in live.iter().filter_map(|(_, socket)| socket.upgrade()) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Ends what the accepting thread and all connections do. `wake` makes `accept` return.
    pub(crate) fn end_term(&self, wake: impl FnOnce()) {
        self.lock().term += 1;
        self.notify();
        self.disconnect();
        wake();
        // Only a closure of the test that does not return can make this time out.
        self.wait(Duration::from_secs(2), |state| state.threads == 0);
    }
}

/// Accepts until the term ends.
pub(crate) fn listen(shared: &Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    let term = {
        let mut state = shared.lock();
        state.threads += 1;
        state.term
    };
    let thread = Leaving(Arc::clone(shared));
    let run = move || {
        let shared = Arc::clone(&thread.0);
        while let Ok(going_on) = accept(&shared, &listener, term) {
            if !going_on {
                break;
            }
        }
        // The port is closed before this thread counts as gone.
        drop(listener);
        drop(thread);
    };
    thread::Builder::new().name("sms-simulator".to_owned()).spawn(run)?;
    Ok(())
}

/// Counts a thread out, however it ends.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
        self.0.notify();
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener, term: u64) -> io::Result<bool> {
    let stream = match listener.accept() {
        Ok((stream, _)) => stream,
        Err(error) => {
            shared.lock().troubles.push(format!("accept: {error}"));
            return Ok(shared.sleep(term, Duration::from_millis(20)));
        }
    };
    shared.wait(Duration::MAX, |state| !state.paused || state.term != term);
    let stream = Arc::new(stream);
    let id = {
        let mut state = shared.lock();
        if state.term != term {
            return Ok(false);
        }
        state.counts.connections += 1;
        let id = state.counts.connections;
        state.live.retain(|(_, socket)| socket.strong_count() > 0);
        state.live.push((id, Arc::downgrade(&stream)));
        state.threads += 1;
        id
    };
    let thread = Leaving(Arc::clone(shared));
    let serve = move || {
        let _ = stream.set_nodelay(true);
        Connection { shared: &thread.0, term, id }.serve(Sock(stream));
    };
    thread::Builder::new().name(format!("sms-simulator-{id}")).spawn(serve)?;
    Ok(true)
}

struct Connection<'a> {
    shared: &'a Shared,
    term: u64,
    id: u64,
}

impl Connection<'_> {
    fn serve(&self, sock: Sock) {
        let (early, tls) = {
            let mut state = self.shared.lock();
            let early = state.script.front().is_some_and(Answer::precedes_request);
            let early = if early { state.script.pop_front() } else { None };
            (early, state.tls.clone())
        };
        let secure = tls.is_some();
        match early.as_ref().map(|answer| (&answer.what, answer.wait)) {
            Some((What::HangInHandshake, _)) => {
                self.count_failure(secure);
                return sock.drain();
            }
            Some((What::CloseInHandshake, wait)) => {
                self.count_failure(secure);
                sock.read_some();
                self.shared.sleep(self.term, wait);
                return sock.finish();
            }
            _ => {}
        }
        let wire = match tls {
            None => Wire::Plain(sock),
            Some((version, config)) => {
                if let Some(bytes) = version.old_bytes() {
                    self.count_failure(true);
                    sock.read_some();
                    let _ = sock.clone().write_all(bytes);
                    return sock.drain();
                }
                match self.handshake(sock, config) {
                    Some(wire) => wire,
                    None => return,
                }
            }
        };
        if let Some(Answer { wait, .. }) = early {
            self.shared.sleep(self.term, wait);
            return wire.reset();
        }
        self.requests(wire);
    }

    fn handshake(&self, mut sock: Sock, config: Arc<ServerConfig>) -> Option<Wire> {
        let mut session = ServerConnection::new(config).ok()?;
        while session.is_handshaking() {
            if let Err(error) = session.complete_io(&mut sock) {
                let mut state = self.shared.lock();
                state.counts.failed_handshakes += 1;
                state.troubles.push(format!("handshake: {error}"));
                drop(state);
                self.shared.notify();
                sock.finish();
                return None;
            }
        }
        self.shared.lock().counts.handshakes += 1;
        self.shared.notify();
        Some(Wire::tls(session, sock))
    }

    fn count_failure(&self, secure: bool) {
        self.shared.lock().counts.failed_handshakes += u64::from(secure);
        self.shared.notify();
    }

    fn trouble(&self, what: String) {
        self.shared.lock().troubles.push(what);
        self.shared.notify();
    }

    fn requests(&self, mut wire: Wire) {
        let mut buffer = Vec::new();
        loop {
            let request = match http::read(&mut wire, &mut buffer) {
                Ok(request) => request,
                Err(NoRequest::End) => return wire.finish(),
                Err(NoRequest::Broken(error)) => {
                    self.trouble(format!("connection {}: {error}", self.id));
                    return;
                }
                Err(NoRequest::NotHttp(error)) => {
                    self.not_http(&error);
                    let _ =
                        wire.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
                    let _ = wire.flush();
                    return wire.finish();
                }
            };
            let (answer, reply, keep_alive) = self.decide(request, wire.is_secure());
            if !self.shared.sleep(self.term, answer.wait) {
                return;
            }
            match answer.what {
                What::Hang | What::HangInHandshake => return wire.drain(),
                What::Close | What::CloseInHandshake => return wire.finish(),
                What::ResetBeforeRequest | What::ResetAfterRequest => return wire.reset(),
                What::ResetMidAnswer | What::CloseMidAnswer => {
                    let half = reply.body.len() / 2;
                    let body = reply.body.iter().copied().take(half).collect();
                    let half = Reply { head: reply.head, body };
                    if self.write(&mut wire, &half, &answer).is_err() {
                        return;
                    }
                    if answer.what == What::CloseMidAnswer {
                        return wire.finish();
                    }
                    // Time for the half to be read: a reset overtakes what still waits to be.
                    self.shared.sleep(self.term, Duration::from_millis(50));
                    return wire.reset();
                }
                What::Raw(_) => {
                    let _ = self.write(&mut wire, &reply, &answer);
                    return wire.finish();
                }
                _ => {
                    if self.write(&mut wire, &reply, &answer).is_err() {
                        return;
                    }
                    if !keep_alive {
                        return wire.finish();
                    }
                }
            }
        }
    }

    /// Bytes that are no request: either the previous request's length was wrong, or the peer
    /// speaks something else, such as TLS to a plain port.
    fn not_http(&self, error: &str) {
        let mut state = self.shared.lock();
        let previous = state.requests.iter_mut().rev().find(|r| r.connection == self.id);
        match previous {
            Some(previous) => previous.violations.push(Violation {
                rule: Rule::Framing,
                detail: "bytes after the end of the body".to_owned(),
            }),
            None => state.troubles.push(format!("connection {}: not HTTP: {error}", self.id)),
        }
        drop(state);
        self.shared.notify();
    }

    /// Judges a request, settles its answer, and records it before a byte of the answer leaves.
    fn decide(&self, mut request: Request, secure: bool) -> (Answer, Reply, bool) {
        let form = Form::parse(&request.body);
        let (verdict, scripted) = {
            let mut state = self.shared.lock();
            let verdict = check::judge(&request, &form, &state.account);
            // Nobody is there to hear an answer to half a request.
            let scripted = match request.truncated {
                true => Some(Answer::close()),
                false => state.script.pop_front(),
            };
            (verdict, scripted)
        };
        let keep_alive = request.keep_alive;
        let Verdict { violations, refusal, auth } = verdict;
        let field = |name: &str| form.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let text = field("text").unwrap_or_default();
        let kind = field("type").unwrap_or_else(|| "text".to_owned());
        let encoding = if kind == "unicode" { Encoding::Ucs2 } else { Encoding::Gsm7 };
        let size = Size::in_encoding(&text, encoding);
        let mut received = Received {
            at: Instant::now(),
            secure,
            connection: self.id,
            method: std::mem::take(&mut request.method),
            target: std::mem::take(&mut request.target),
            headers: std::mem::take(&mut request.headers),
            body: std::mem::take(&mut request.body),
            from: field("from").unwrap_or_default(),
            to: field("to").unwrap_or_default(),
            text,
            kind,
            client_ref: field("client-ref"),
            fields: form.pairs,
            auth,
            encoding,
            segments: size.segments,
            units: size.units,
            violations,
            outcome: Outcome::Unclear,
            taken: false,
            message_ids: Vec::new(),
        };
        let decided = scripted.or_else(|| {
            let mut decide = self.shared.decide.lock().unwrap_or_else(PoisonError::into_inner);
            decide.as_mut().and_then(|decide| decide(&received))
        });

        let mut state = self.shared.lock();
        let mut answer = decided.unwrap_or_else(|| state.otherwise.clone());
        if !state.lenient && answer.accepts() {
            answer = refusal.unwrap_or(answer);
        }
        // The next answer has to meet a fresh connection if it comes before any request.
        let fresh = state.script.front().is_some_and(Answer::precedes_request);
        let keep_alive = keep_alive && !fresh;
        let reply = reply::render(&answer, &mut received, &mut state.ledger, keep_alive);
        state.counts.requests += 1;
        state.requests.push(received);
        drop(state);
        self.shared.notify();
        (answer, reply, keep_alive)
    }

    fn write(&self, wire: &mut Wire, reply: &Reply, answer: &Answer) -> io::Result<()> {
        let bytes: Vec<u8> = reply.head.iter().chain(&reply.body).copied().collect();
        let Some(pause) = answer.drip else {
            wire.write_all(&bytes)?;
            return wire.flush();
        };
        for (i, drop) in bytes.chunks(8).enumerate() {
            if i > 0 && !self.shared.sleep(self.term, pause) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            wire.write_all(drop)?;
            wire.flush()?;
        }
        Ok(())
    }
}
