//! The simulator as a process.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clickup_simulator::client::ClientError;
use clickup_simulator::messages::{LogEntry, LogQuery};
use clickup_simulator::state::{DEFAULT_STATE, ParseError};
use clickup_simulator::{Endpoints, Options, Simulator, SimulatorClient, StartError, State};
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::signal::unix::{SignalKind, signal};

/// A ClickUp to test against.
///
/// Answers the calls that check a token as ClickUp's public API does, with its errors and rate limits, and on
/// demand with everything that can go wrong on the way. When it listens, it prints one line of JSON that says
/// where; everything else goes to stderr. It runs until SIGTERM or Ctrl-C.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Users, workspaces and tokens, as YAML. Without it the built-in state is used.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Print the built-in state, which is also the example of the format, and end.
    #[arg(long)]
    print_state: bool,
    /// Where the API listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where the control API listens. Whoever reaches it can read all tokens: keep it local.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    control_listen: SocketAddr,
    /// Where the API listens for TLS with a good certificate. Opens four more ports of the same address, with
    /// a certificate each that must not be accepted: wrong host, expired, unknown CA, self-signed.
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Option<SocketAddr>,
    /// Write the CA of the good certificate into this file, as PEM. The control API answers it too: /ca.pem
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    ca_file: Option<PathBuf>,
    /// Write every answered request to stderr.
    #[arg(long, short)]
    verbose: bool,
    /// End when stdin does: with the script that started it, however that ends.
    #[arg(long)]
    until_stdin_closes: bool,
}

const EXAMPLES: &str = "\
Examples:
  clickup-simulator --listen 127.0.0.1:8090 --control-listen 127.0.0.1:8091 --verbose

  # what an operator would ask, with a token of the built-in state
  curl -H 'Authorization: pk_57000001_ADA0ADA0ADA0ADA0ADA0ADA0ADA0ADA0' http://127.0.0.1:8090/api/v2/user

  # regenerate that token: the old value is dead at once
  curl -X POST http://127.0.0.1:8091/tokens/ada/regenerate

  # the next three calls with it end in a reset connection
  curl http://127.0.0.1:8091/faults -d '{\"token\": \"ada\", \"times\": 3, \"delivery\": \"reset\"}'

  # an outage, and its end
  curl -X PUT http://127.0.0.1:8091/listener -d '{\"up\": false}'
  curl -X PUT http://127.0.0.1:8091/listener -d '{\"up\": true}'

  # which requests came
  curl 'http://127.0.0.1:8091/log?token=ada'

tests/simulator/README.md has every call of the control API.";

/// Why the process ends with an error.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("{0}: {1}")]
    File(PathBuf, #[source] ParseError),
    #[error("the built-in state is broken: {0}")]
    BuiltIn(#[source] ParseError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot write {0}: {1}")]
    Write(PathBuf, #[source] std::io::Error),
    #[error("cannot tell on stdout where the simulator listens: {0}")]
    Tell(#[from] std::io::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// The line on stdout.
#[derive(Serialize)]
struct Listening<'a> {
    #[serde(flatten)]
    endpoints: &'a Endpoints,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<&'a PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.print_state {
        print!("{DEFAULT_STATE}");
        return ExitCode::SUCCESS;
    }
    let code = match run(arguments).await {
        Ok(()) => 0,
        Err(failure) => {
            eprintln!("clickup-simulator: {failure}");
            1
        }
    };
    // Not by returning: the runtime would wait for the thread that reads stdin.
    std::process::exit(code)
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    // Before anything is announced, because a signal may follow at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    clickup_simulator::install_crypto_provider();
    let Arguments { state, listen, control_listen, tls_listen, ca_file, verbose, until_stdin_closes, .. } =
        arguments;
    let state = match &state {
        None => State::built_in().map_err(Failure::BuiltIn)?,
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| Failure::Read(file.clone(), error))?;
            State::from_yaml(&text).map_err(|error| Failure::File(file.clone(), error))?
        }
    };
    let simulator = Simulator::start(Options { state, listen, control_listen, tls_listen }).await?;
    if let (Some(file), Some(pem)) = (&ca_file, simulator.ca_pem()) {
        std::fs::write(file, pem).map_err(|error| Failure::Write(file.clone(), error))?;
    }
    announce(&Listening { endpoints: simulator.endpoints(), ca_file: ca_file.as_ref() })?;
    eprintln!(
        "clickup-simulator: API on {}, control on {}",
        simulator.clickup_url(),
        simulator.endpoints().control
    );
    let client = simulator.client()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_closed(), if until_stdin_closes => {}
        result = report(&client), if verbose => result?,
    }
    Ok(())
}

fn announce(listening: &Listening) -> Result<(), std::io::Error> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, listening)?;
    out.write_all(b"\n")?;
    out.flush()
}

async fn stdin_closed() {
    let mut stdin = tokio::io::stdin();
    let mut ignored = [0; 1024];
    while stdin.read(&mut ignored).await.is_ok_and(|bytes| bytes > 0) {}
}

/// Writes requests down as they are answered.
async fn report(client: &SimulatorClient) -> Result<(), ClientError> {
    const PATIENCE: Duration = Duration::from_secs(60);
    let wait_ms = u64::try_from(PATIENCE.as_millis()).ok();
    let (mut since, mut at_least) = (0, 1);
    loop {
        let query = LogQuery { since: Some(since), at_least: Some(at_least), wait_ms, ..LogQuery::default() };
        let entries = client.log(&query).await?.entries;
        // One that is still being answered holds those behind it back, so that the order stays.
        let ready = entries.iter().take_while(|entry| entry.answered);
        for entry in ready.clone() {
            eprintln!("{}", line(entry));
            since = entry.seq;
        }
        let behind = entries.iter().filter(|entry| entry.answered).count() - ready.count();
        at_least = behind + 1;
    }
}

fn line(entry: &LogEntry) -> String {
    let LogEntry { seq, time_ms, token, live, sent, method, path, query, status, answered: _, faults } =
        entry;
    let status = status.map_or_else(|| "cut".to_owned(), |status| status.to_string());
    let question = if query.is_empty() { "" } else { "?" };
    let dead = if *live { "" } else { " (not accepted)" };
    let by = if faults.is_empty() { String::new() } else { format!(" by fault {faults:?}") };
    let seconds = time_ms / 1000;
    let millis = time_ms % 1000;
    format!(
        "{seconds}.{millis:03} #{seq} {token}{dead} {sent:?} {method} {path}{question}{query} -> {status}{by}"
    )
}
