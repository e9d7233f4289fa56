//! A running simulator.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::client::{ClientError, SimulatorClient};
use crate::control::{Control, router};
use crate::fault::Faults;
use crate::server::tls::{Certificates, TlsError};
use crate::server::{Listener, Protocol, Task};
use crate::shared::Shared;
use crate::state::State;
use crate::world::{World, WorldError};

/// With what a simulator starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// What it knows; empty by default.
    pub state: State,
    /// Where the API listens; a free port of the loopback by default.
    pub listen: SocketAddr,
    /// Where the control API listens; a free port of the loopback by default.
    pub control_listen: SocketAddr,
    /// Where the API listens for TLS with the good certificate; the others get free ports of the same
    /// address. None by default.
    pub tls_listen: Option<SocketAddr>,
}

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

impl Default for Options {
    fn default() -> Self {
        Self { state: State::default(), listen: LOOPBACK, control_listen: LOOPBACK, tls_listen: None }
    }
}

impl Options {
    /// With the TLS listeners, on free ports of the loopback.
    #[must_use]
    pub fn with_tls(mut self) -> Self {
        self.tls_listen = Some(LOOPBACK);
        self
    }

    /// With this state.
    #[must_use]
    pub fn with_state(mut self, state: State) -> Self {
        self.state = state;
        self
    }
}

/// Where a simulator listens: origins, without a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The API over plain HTTP.
    pub api: String,
    /// What the operator's `--clickup-url` takes: the API with its path.
    pub clickup_url: String,
    /// The control API.
    pub control: String,
    /// A port where something that is neither HTTP nor TLS answers.
    pub garbage: String,
    /// The API over TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsEndpoints>,
}

/// Listeners of the API that differ in their certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsEndpoints {
    /// For this host, valid, signed by the simulator's CA.
    pub good: String,
    /// For another host.
    pub wrong_host: String,
    /// Ended in 2021.
    pub expired: String,
    /// Signed by a CA that is handed out nowhere.
    pub unknown_ca: String,
    /// Signed by itself.
    pub self_signed: String,
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port cannot be had.
    #[error("cannot listen on {0}: {1}; choose another address, port 0 takes any that is free")]
    Listen(SocketAddr, #[source] io::Error),
    /// The state contradicts itself.
    #[error("the state does not fit together: {0}")]
    State(#[from] WorldError),
    /// The TLS listeners have nothing to present.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No thread or runtime of its own.
    #[error("cannot start a thread for the simulator: {0}")]
    Thread(#[from] io::Error),
}

/// A simulator. Ends when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    endpoints: Endpoints,
    ca_pem: Option<String>,
    _running: Running,
}

/// What keeps a simulator going.
enum Running {
    Tasks {
        _control: Task,
        _listeners: Vec<Arc<Listener>>,
    },
    /// The sender is dropped to end the thread.
    Thread {
        _stop: oneshot::Sender<()>,
    },
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tasks { .. } => "tasks",
            Self::Thread { .. } => "a thread",
        })
    }
}

impl Simulator {
    /// Starts a simulator on tasks of the current runtime.
    ///
    /// # Errors
    /// A port that is taken, a state that does not fit together.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { state, listen, control_listen, tls_listen } = options;
        let world = World::new(&state)?;
        let mut faults = Faults::default();
        for fault in state.faults {
            fault.check().map_err(WorldError::Bad)?;
            faults.add(fault);
        }
        let shared = Arc::new(Shared::new(world, faults, state.latency_ms));
        let open = |address, protocol| {
            let listener = Listener::open(address, protocol, &shared);
            listener.map(Arc::new).map_err(|source| StartError::Listen(address, source))
        };
        let api = open(listen, Protocol::Http)?;
        let garbage = open(SocketAddr::new(listen.ip(), 0), Protocol::Garbage)?;
        let mut listeners = vec![Arc::clone(&api), Arc::clone(&garbage)];
        let (mut tls, mut ca_pem) = (None, None);
        if let Some(address) = tls_listen {
            let certificates = Certificates::generate()?;
            let any = SocketAddr::new(address.ip(), 0);
            let mut secure = |address, acceptor| {
                let listener = open(address, Protocol::Https(acceptor))?;
                let url = format!("https://{}", listener.address);
                listeners.push(listener);
                Ok::<_, StartError>(url)
            };
            tls = Some(TlsEndpoints {
                good: secure(address, certificates.good)?,
                wrong_host: secure(any, certificates.wrong_host)?,
                expired: secure(any, certificates.expired)?,
                unknown_ca: secure(any, certificates.unknown_ca)?,
                self_signed: secure(any, certificates.self_signed)?,
            });
            ca_pem = Some(certificates.ca_pem);
        }
        let taken = |source| StartError::Listen(control_listen, source);
        let control = TcpListener::bind(control_listen).await.map_err(taken)?;
        let endpoints = Endpoints {
            api: format!("http://{}", api.address),
            clickup_url: format!("http://{}/api", api.address),
            control: format!("http://{}", control.local_addr().map_err(taken)?),
            garbage: format!("http://{}", garbage.address),
            tls,
        };
        let router = router(Control { shared, api, endpoints: endpoints.clone(), ca_pem: ca_pem.clone() });
        let serving = async move {
            // Serving only ends when it is aborted.
            let _ = axum::serve(control, router).await;
        };
        let running = Running::Tasks { _control: Task(tokio::spawn(serving)), _listeners: listeners };
        Ok(Self { endpoints, ca_pem, _running: running })
    }

    /// Starts a simulator on a thread and runtime of its own, for tests that share one: each of those has a
    /// runtime that ends with it.
    ///
    /// # Errors
    /// As [`Simulator::start`].
    pub fn start_on_own_thread(options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (tell, told) = mpsc::sync_channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            runtime.block_on(async {
                let (simulator, outcome) = match Self::start(options).await {
                    Ok(simulator) => {
                        let about = (simulator.endpoints.clone(), simulator.ca_pem.clone());
                        (Some(simulator), Ok(about))
                    }
                    Err(error) => (None, Err(error)),
                };
                if tell.send(outcome).is_ok() {
                    // Ends when the other side is dropped.
                    let _ = stopped.await;
                }
                drop(simulator);
            });
        };
        thread::Builder::new().name("clickup-simulator".to_owned()).spawn(work)?;
        let gone = |_| io::Error::other("the simulator's thread ended before it told how it started");
        let (endpoints, ca_pem) = told.recv().map_err(gone)??;
        Ok(Self { endpoints, ca_pem, _running: Running::Thread { _stop: stop } })
    }

    /// Where it listens.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What the operator's `--clickup-url` takes.
    #[must_use]
    pub fn clickup_url(&self) -> &str {
        &self.endpoints.clickup_url
    }

    /// The certificate authority of the good TLS listener.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// A new client of the control API. Each test takes its own: connections belong to a runtime.
    ///
    /// # Errors
    /// Without a working HTTP library.
    pub fn client(&self) -> Result<SimulatorClient, ClientError> {
        SimulatorClient::new(&self.endpoints.control)
    }
}
