//! How the operator is watched: metrics, health, logs, traces.

mod connections;
mod exposition;
mod health;
mod logs;
mod metrics;
mod process;
mod server;
mod traces;

pub use connections::{Gauges, Observed, Pulse};
pub use health::Health;
pub use logs::{InvalidLevel, LogFormat, LogLevel, init};
pub use metrics::{Call, Metrics};
pub use server::{ServeError, Servers};
pub use traces::{CallSpan, CheckSpan, Tracer, Traces, TracesError, WaitFor, WaitSpan};
