//! A ClickUp to test against: it answers as the public API does, enforces its rate limits, and fails in
//! every way that an HTTP service and what stands in front of it can fail. Everything about it can be
//! changed while it runs, through a control API or the typed [`client::SimulatorClient`].

mod api;
pub mod client;
mod control;
mod credentials;
pub mod fault;
mod journal;
pub mod messages;
mod server;
mod shared;
mod simulator;
pub mod state;
mod window;
mod world;

pub use client::SimulatorClient;
pub use fault::Fault;
pub use simulator::{Endpoints, Options, Simulator, StartError, TlsEndpoints};
pub use state::State;

/// Makes `ring` the TLS provider of the process, unless one was chosen already.
pub fn install_crypto_provider() {
    // An error means that somebody was first, and then theirs is the provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
