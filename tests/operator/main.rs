//! The real operator against a real API server and a simulated ClickUp, under exactly the RBAC of `deploy/`.
//!
//! All tests share one stack; each has its own namespace, users and tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod access;
mod binding;
mod checking;
mod events;
mod one_token;
mod outages;
mod privacy;
mod requirements;
mod sharing;
mod tokens;
mod triggers;
mod workspaces;

use test_support::{
    case::Case,
    stack::{SharedStack, Stack, StackOptions},
};

/// As the audit log knows the operator.
const OPERATOR: &str = "system:serviceaccount:clickup-operator:clickup-operator";

static STACK: SharedStack = SharedStack::new();

async fn stack() -> &'static Stack {
    let options = || StackOptions {
        log_level: "trace".to_owned(),
        ..StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator"))
    };
    STACK.get(options).await.unwrap_or_else(|e| panic!("the stack does not start: {e}"))
}

async fn case(name: &str) -> Case<'static> {
    let stack = stack().await;
    Case::new(name, &stack.control_plane, &stack.simulator).await
}
