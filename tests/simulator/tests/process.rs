//! The simulator as a process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use clickup_simulator::{Endpoints, SimulatorClient, State};
use harness::PATIENCE;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clickup-simulator"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// Ends with the test, whatever happens.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    fn start(arguments: &[&str]) -> (Self, Endpoints, serde_json::Value) {
        Self::spawn(&mut command(arguments))
    }

    fn spawn(command: &mut Command) -> (Self, Endpoints, serde_json::Value) {
        let mut process = Self(command.spawn().unwrap());
        let mut line = String::new();
        BufReader::new(process.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        (process, serde_json::from_value(value.clone()).unwrap(), value)
    }

    fn ended(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the process does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

#[tokio::test]
async fn tells_where_it_listens_and_ends_on_a_signal() {
    for signal in ["TERM", "INT"] {
        let (mut process, endpoints, _) = Process::start(&[]);
        let client = SimulatorClient::new(&endpoints.control).unwrap();
        assert_eq!(client.endpoints().await.unwrap(), endpoints);
        let url = format!("{}/v2/user", endpoints.clickup_url);
        let token = "pk_57000001_ADA0ADA0ADA0ADA0ADA0ADA0ADA0ADA0";
        let response = harness::http().get(url).header("authorization", token).send().await.unwrap();
        assert_eq!(response.status(), 200, "the built-in state is there");
        let pid = process.0.id().to_string();
        assert!(Command::new("kill").args([format!("-{signal}"), pid]).status().unwrap().success());
        assert_eq!(process.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn the_printed_state_is_the_built_in_one() {
    let printed = output(&["--print-state"]);
    assert!(printed.status.success());
    let text = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(State::from_yaml(&text).unwrap(), State::built_in().unwrap());
    let help = String::from_utf8(output(&["--help"]).stdout).unwrap();
    for word in ["--state", "--tls-listen", "curl", "README.md"] {
        assert!(help.contains(word), "{word}");
    }
}

#[tokio::test]
async fn a_state_of_ones_own() {
    let directory = std::env::temp_dir().join(format!("clickup-simulator-test-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = file(
        "good.yaml",
        "users: [{id: 5}]\ntokens: [{name: five, user: 5}]\nfaults:\n  - {token: five, times: 1, answer: {status: 503, body: html}}\n",
    );
    let (_process, endpoints, _) = Process::start(&["--state", &good]);
    let client = SimulatorClient::new(&endpoints.control).unwrap();
    let token = client.token("five").await.unwrap();
    let url = format!("{}/v2/user", endpoints.clickup_url);
    for expected in [503, 200] {
        let response = harness::http().get(&url).header("authorization", &token.value).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    for (name, text, expected) in [
        ("field.yaml", "users: [{id: 5, nam: x}]", "nam"),
        ("reference.yaml", "tokens: [{user: 5}]", "no user 5"),
        ("fault.yaml", "faults: [{times: 0}]", "times: 0"),
    ] {
        let outcome = output(&["--state", &file(name, text)]);
        let error = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1));
        assert!(error.contains(expected), "{error}");
        assert!(outcome.stdout.is_empty());
    }
    std::fs::remove_dir_all(&directory).unwrap();
    let outcome = output(&["--state", &good]);
    assert!(String::from_utf8(outcome.stderr).unwrap().contains("cannot read"));
}

#[test]
fn a_taken_port_is_named() {
    let (_process, endpoints, _) = Process::start(&[]);
    for (flag, origin) in [("--listen", &endpoints.api), ("--control-listen", &endpoints.control)] {
        let address = origin.strip_prefix("http://").unwrap();
        let outcome = output(&[flag, address]);
        let error = String::from_utf8(outcome.stderr).unwrap();
        assert_eq!(outcome.status.code(), Some(1));
        assert!(error.contains(address) && error.contains("in use"), "{error}");
    }
}

#[tokio::test]
async fn writes_its_certificate_authority() {
    let path = std::env::temp_dir().join(format!("clickup-simulator-ca-{}.pem", std::process::id()));
    let file = path.to_str().unwrap();
    let (_process, endpoints, line) = Process::start(&["--tls-listen", "127.0.0.1:0", "--ca-file", file]);
    assert_eq!(line["ca_file"], file);
    let pem = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    let client = SimulatorClient::new(&endpoints.control).unwrap();
    assert_eq!(client.ca_pem().await.unwrap(), pem);
    assert!(endpoints.tls.unwrap().good.starts_with("https://127.0.0.1:"));
}

#[tokio::test]
async fn reports_requests_and_ends_with_its_stdin() {
    let mut command = command(&["--verbose", "--until-stdin-closes"]);
    let (mut process, endpoints, _) = Process::spawn(command.stdin(Stdio::piped()));
    let mut stderr = BufReader::new(process.0.stderr.take().unwrap()).lines();
    let first = stderr.next().unwrap().unwrap();
    assert!(first.contains(&endpoints.clickup_url), "{first}");
    let token = "pk_57000001_ADA0ADA0ADA0ADA0ADA0ADA0ADA0ADA0";
    let url = format!("{}/v2/user?a=b", endpoints.clickup_url);
    harness::http().get(url).header("authorization", token).send().await.unwrap();
    let line = stderr.next().unwrap().unwrap();
    assert!(line.contains("ada Raw GET /v2/user?a=b -> 200"), "{line}");
    assert!(!line.contains("ADA0"), "{line}");
    let mut stdin = process.0.stdin.take().unwrap();
    stdin.write_all(b"still here\n").unwrap();
    assert!(process.0.try_wait().unwrap().is_none());
    drop(stdin);
    assert_eq!(process.ended().code(), Some(0));
}
