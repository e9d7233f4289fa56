//! The interposer: an HTTPS proxy before the API server, through which the operator asks, and which can do to requests,
//! answers, watches and connections what a network and an API server in trouble do.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::port::Port;

mod answer;
mod certificate;
mod connection;
mod flow;
mod request;
mod strike;

pub use strike::{Strike, Write, WriteKind};

use strike::Armed;

/// What the interposer does to those that ask through it. Several at once are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interference {
    /// Each request waits so long before it is forwarded.
    Slow(Duration),
    /// Nothing is forwarded, no answer goes back, and running answers stand still, until this ends: then all go on.
    Frozen,
    /// Requests are answered with a Kubernetes Status of this code: 429 with `Retry-After: 1`, or 503.
    Refuses {
        /// The HTTP status.
        code: u16,
        /// Whether reads and watches are forwarded.
        only_writes: bool,
    },
    /// Watches that start from a version end with an ERROR event 410 at once, others three seconds after their start.
    WatchesGone,
    /// Running watches end with an ERROR event 410, new ones are answered with HTTP 410.
    WatchStartsGone,
    /// Watches end two seconds after their start.
    WatchesClosed,
    /// Each connection is sent a GOAWAY (or, of HTTP/1.1, closed after its answer) when it is a second old.
    GoAway,
    /// Each connection is reset when it is two seconds old.
    Resets,
    /// Every other answer to a path breaks off in its middle, each watch in the middle of an event, two seconds after its start.
    CutsAnswers,
    /// Every other write of a status is forwarded, but its connection is reset instead of an answer.
    LosesAnswers,
}

impl Interference {
    const GONE_AFTER: Duration = Duration::from_secs(3);
    const CLOSED_AFTER: Duration = Duration::from_secs(2);
    const CUT_AFTER: Duration = Duration::from_secs(2);
    const GOAWAY_AFTER: Duration = Duration::from_secs(1);
    const RESET_AFTER: Duration = Duration::from_secs(2);
}

/// A running interposer. It ends when it is dropped.
#[derive(Debug)]
pub struct Interposer {
    port: Port,
    ca_pem: String,
    shared: Arc<Shared>,
}

/// An interposer did not start.
#[derive(Debug, thiserror::Error)]
pub enum InterposerError {
    /// No port.
    #[error("cannot listen on 127.0.0.1")]
    Listen(#[source] io::Error),
    /// No certificate.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The certificate that was made does not please.
    #[error("cannot use the certificate that was made")]
    Tls(#[from] rustls::Error),
    /// The API server's certificate does not please.
    #[error("cannot make a client for the API server")]
    Client(#[from] reqwest::Error),
}

/// What the interposer has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests, watches included.
    pub requests: usize,
    /// Watches begun.
    pub watches: usize,
    /// Patches of a status.
    pub status_writes: usize,
    /// Events created or patched.
    pub event_writes: usize,
    /// Connections.
    pub connections: usize,
    /// Answers and ERROR events 410 that came from the API server itself.
    pub gone: usize,
}

/// What connections share.
#[derive(Debug)]
struct Shared {
    /// The API server's URL, without a slash at its end.
    upstream: String,
    http: reqwest::Client,
    interferences: watch::Sender<Vec<Interference>>,
    counters: Counters,
    /// Of all answers, so that every other one can be cut.
    /// Paths whose next call is spared.
    struck: Mutex<HashSet<String>>,
    armed: Mutex<Option<Armed>>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicUsize,
    watches: AtomicUsize,
    status_writes: AtomicUsize,
    event_writes: AtomicUsize,
    connections: AtomicUsize,
    gone: AtomicUsize,
}

impl Interposer {
    /// Starts one before the API server with this URL and these trusted certificates.
    ///
    /// # Errors
    /// No port, or certificates that do not please.
    pub async fn start(upstream: &str, ca_pem: &str) -> Result<Interposer, InterposerError> {
        test_support::install_crypto_provider();
        let trusted = reqwest::Certificate::from_pem_bundle(ca_pem.as_bytes())?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .tls_certs_only(trusted)
            .build()?;
        let shared = Arc::new(Shared {
            upstream: upstream.trim_end_matches('/').to_owned(),
            http,
            interferences: watch::Sender::new(Vec::new()),
            counters: Counters::default(),
            struck: Mutex::default(),
            armed: Mutex::new(None),
        });
        let (ca_pem, config) = certificate::for_loopback()?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let known = shared.clone();
        let converse = move |stream| connection::serve(stream, acceptor.clone(), known.clone());
        let port = Port::open(converse).await.map_err(InterposerError::Listen)?;
        Ok(Interposer { port, ca_pem, shared })
    }

    /// `https://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("https://{}", self.port.address())
    }

    /// The certificate to trust, PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Interferes so from now on.
    pub fn begin(&self, interference: Interference) {
        self.shared.interferences.send_modify(|all| all.push(interference));
    }

    /// Interferes so no longer.
    pub fn end(&self, interference: Interference) {
        self.shared.interferences.send_modify(|all| all.retain(|one| *one != interference));
    }

    /// Refuses connections and resets those that are open, or takes connections again.
    pub fn set_open(&self, open: bool) {
        self.port.set_open(open);
    }

    /// What was seen so far.
    pub fn counts(&self) -> Counts {
        self.shared.counters.read()
    }
}

impl Shared {
    /// What is in force now, and a way to hear of changes.
    fn interferences(&self) -> watch::Receiver<Vec<Interference>> {
        self.interferences.subscribe()
    }

    fn armed(&self) -> MutexGuard<'_, Option<Armed>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True for every other call with a path, the first among them: in turn for all paths together, one of them might never
    /// have its turn.
    fn every_other(&self, path: &str) -> bool {
        let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
        !struck.remove(path) && struck.insert(path.to_owned())
    }
}

impl Counters {
    fn read(&self) -> Counts {
        let read = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Counts {
            requests: read(&self.requests),
            watches: read(&self.watches),
            status_writes: read(&self.status_writes),
            event_writes: read(&self.event_writes),
            connections: read(&self.connections),
            gone: read(&self.gone),
        }
    }
}

fn one_more(counter: &AtomicUsize) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Waits until nothing is frozen.
async fn thawed(interferences: &mut watch::Receiver<Vec<Interference>>) {
    // An error says that the interposer is gone; its connections are about to be.
    let _ = interferences.wait_for(|all| !all.contains(&Interference::Frozen)).await;
}
