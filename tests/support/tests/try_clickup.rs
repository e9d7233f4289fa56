//! `make try` against the simulator: what it says of a good and of a dead token, and that it never says the token.

#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not their helper functions")]

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use clickup_simulator::client::Account;
use clickup_simulator::{Options, Simulator};

const DEADLINE: Duration = Duration::from_secs(120);

/// Built by `cargo test --workspace`, and by `cargo build --bins`.
fn operator() -> PathBuf {
    let operator = PathBuf::from(env!("CARGO_BIN_EXE_try-clickup")).with_file_name("clickup-operator");
    assert!(operator.is_file(), "{} is missing: cargo build --bins", operator.display());
    operator
}

async fn try_clickup(simulator: &Simulator, token: &str, arguments: &[&str]) -> (Output, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_try-clickup"));
    command.arg("--operator").arg(operator());
    command.args(["--clickup-url", &simulator.endpoints().clickup_url]).args(arguments);
    command.env("CLICKUP_TOKEN", token).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(DEADLINE, command.output()).await.unwrap().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains(token), "the token is shown:\n{said}");
    (output, said)
}

#[tokio::test]
async fn a_good_token_shows_its_workspaces_and_a_dead_one_is_named_dead() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let client = simulator.client().unwrap();
    let Account { workspace, token, .. } = client.add_account("Home of the Brave").await.unwrap();

    let (output, said) = try_clickup(&simulator, &token.value, &["--allow-insecure-http"]).await;
    assert!(output.status.success(), "{said}");
    assert!(said.contains("name: Home of the Brave") && said.contains(&workspace.to_string()), "{said}");
    assert!(said.contains("Ready: ClickUp accepts your token, which sees 1 workspace."), "{said}");

    client.revoke(&token.name).await.unwrap();
    let (output, said) = try_clickup(&simulator, &token.value, &["--allow-insecure-http"]).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Not ready (Ready=False, TokenRejected)"), "{said}");
    assert!(said.contains("Settings, Apps, API Token"), "{said}");

    client.reset_log(None).await.unwrap();
    let (output, said) = try_clickup(&simulator, &token.value, &[]).await;
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("plain http"), "{said}");
    assert!(client.counts(None).await.unwrap().is_empty(), "nothing may be sent over plain http unasked");
}
