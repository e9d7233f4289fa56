//! `make bench`: a cold start of the operator beside a bare loop that does nothing but the unavoidable requests,
//! in one run on the same API server. It asserts no speed: it fails only if something does not become Ready.

mod bare;
mod fleet;
mod ground;
mod measure;
mod operator;
mod report;
mod rounds;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

/// Whatever goes wrong ends the benchmark with its text.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures a cold start of the operator beside a bare loop that makes only the unavoidable requests.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    /// Connections, each with a token of its own.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    size: u32,
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// The simulator [default: clickup-simulator beside this program].
    #[arg(long, value_name = "PATH")]
    simulator: Option<PathBuf>,
    /// Rounds; each measures both sides, and each begins with the side that the one before ended with.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=20))]
    rounds: u32,
    /// Time that every answer of ClickUp takes, in milliseconds.
    #[arg(long, default_value_t = 20, value_name = "MS")]
    latency: u64,
    /// How to print the result.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// More arguments for the operator.
    #[arg(last = true)]
    operator_args: Vec<String>,
    /// Be the bare loop: the plan says for which connections.
    #[arg(long, hide = true, value_name = "PLAN")]
    bare_loop: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Table,
    /// For machines.
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.bare_loop {
        Some(plan) => bare::run(plan).await,
        None => bounded(&arguments).await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

async fn bounded(arguments: &Arguments) -> Result<(), Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Ten minutes of it for a machine that has no control plane yet.
    let each = Duration::from_millis(40) * arguments.size * (2 * arguments.rounds + 1);
    let deadline = Duration::from_secs(780) + each;
    // Whichever way it ends: dropping what was started ends it.
    let report = tokio::select! {
        report = tokio::time::timeout(deadline, rounds::run(arguments)) => report
            .map_err(|_| format!("not done within {} s: given up", deadline.as_secs()))??,
        _ = interrupt.recv() => return Err("interrupted".into()),
        _ = terminate.recv() => return Err("asked to end".into()),
    };
    let text = match arguments.output {
        Output::Table => report::table(&report),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// A line of progress; standard output is the result's alone.
pub(crate) fn progress(line: impl std::fmt::Display) {
    eprintln!("{line}");
}
