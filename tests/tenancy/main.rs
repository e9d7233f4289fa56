//! What an operator sees and may: modes of access to Secrets, single namespaces, shards. Real processes against one real API
//! server, each under a ServiceAccount of its own that has exactly the rights that its test gives it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod flags;
mod ground;
mod modes;
mod namespaces;
mod polls;
#[path = "../lifecycle/proxy.rs"]
#[allow(dead_code, reason = "here it only notes what is asked for")]
mod proxy;
mod shards;

const OPERATOR: &str = env!("CARGO_BIN_EXE_clickup-operator");
