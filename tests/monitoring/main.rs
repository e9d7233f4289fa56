//! What is shipped to watch the operator with: metrics, alerts and dashboard, against the real operator, promtool and a
//! Prometheus that scrapes.
//!
//! All tests share one stack; each has its own namespace, users and tokens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod dashboard;
mod documented;
mod rules;
mod scrape;
mod series;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};
use test_support::{
    case::Case,
    go_tools::PROMTOOL,
    stack::{SharedStack, Stack, StackOptions},
};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

static STACK: SharedStack = SharedStack::new();

async fn stack() -> &'static Stack {
    let options = || StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator"));
    STACK.get(options).await.unwrap_or_else(|e| panic!("the stack does not start: {e}"))
}

async fn case(name: &str) -> Case<'static> {
    let stack = stack().await;
    Case::new(name, &stack.control_plane, &stack.simulator).await
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Whether promtool is content, and what it says.
async fn promtool(arguments: &[&str], input: &str) -> (bool, String) {
    let program = PROMTOOL.find_or_build().await.unwrap_or_else(|e| panic!("{e}"));
    let mut command = Command::new(program);
    command.args(arguments).current_dir(CHECKOUT);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // What it says before it has read all fits into a pipe.
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8(said).unwrap())
}
