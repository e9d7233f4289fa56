//! What the tests, the demo and `make dev` run on: a real Kubernetes API server, the ClickUp simulator and
//! the operator, each a process that never outlives us, also when we are killed. Linux, and macOS as far as
//! `/proc` is not needed.

pub mod case;
pub mod chart;
pub mod connection;
pub mod control_plane;
pub mod dashboard;
pub mod go_tools;
mod http;
pub mod image;
pub mod invariants;
mod network;
pub mod operator;
pub mod process;
pub mod prometheus;
pub mod rights;
pub mod scratch;
pub mod simulator;
pub mod stack;
pub mod terminal;
pub mod wait;

/// Makes `ring` the TLS provider of this process; may be called any number of times.
///
/// Everything in this crate that opens a TLS connection calls it first.
pub fn install_crypto_provider() {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
