//! How the operator is watched: metrics, health, logs.

mod health;
mod logs;
mod metrics;
mod server;

pub use health::Health;
pub use logs::{InvalidLevel, LogFormat, LogLevel, init};
pub use metrics::{Call, Metrics};
pub use server::{ServeError, Servers};
