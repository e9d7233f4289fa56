//! The ClickUp client through real HTTP against the simulator: every row of CLICKUP.md §3 and §5.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the lints know tests, but not their helper functions"
)]

mod answers;
mod channels;
mod harness;
mod leniency;
mod network;
mod nodes;
mod options;
mod proxy;
mod requests;
mod tls;
