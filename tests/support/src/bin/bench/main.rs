//! `make bench`: the operator beside a bare loop that does nothing but the unavoidable requests, in one run on the same
//! API server; and `make profile`. It asserts no speed: it fails only if something is wrong.

mod arguments;
mod bare;
mod edits;
mod fleet;
mod ground;
mod measure;
mod operator;
mod phases;
mod profile;
mod report;
mod suite;

use std::io::Write;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use arguments::{Arguments, Output};
use report::{Report, document, table};

/// Whatever goes wrong ends the benchmark with its text.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

static BEGAN: OnceLock<Instant> = OnceLock::new();

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match (&arguments.bare_loop, &arguments.profile) {
        (Some(plan), _) => bare::run(plan).await,
        (None, Some(folder)) => bounded(&arguments, profile::run(&arguments, folder)).await,
        (None, None) => bench(&arguments).await,
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

async fn bench(arguments: &Arguments) -> Result<(), Failure> {
    let report: Report = match &arguments.from {
        Some(file) => serde_json::from_slice(&std::fs::read(file)?)?,
        None => bounded(arguments, suite::run(arguments)).await?,
    };
    let text = match arguments.output {
        Output::Table => table::text(&report),
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    std::io::stdout().write_all(text.as_bytes())?;
    if arguments.write_docs {
        for file in document::write(&report)? {
            progress(format_args!("written: {}", file.display()));
        }
    }
    if report.wrong.is_empty() { Ok(()) } else { Err(report.wrong.join("; ").into()) }
}

/// Gives up when it takes far too long. Whichever way it ends: dropping what was started ends it.
async fn bounded<T>(
    arguments: &Arguments,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let deadline = arguments.deadline();
    tokio::select! {
        done = tokio::time::timeout(deadline, work) =>
            done.map_err(|_| format!("not done within {} s: given up", deadline.as_secs()))?,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("asked to end".into()),
    }
}

/// A line of progress; standard output is the result's alone.
pub(crate) fn progress(line: impl std::fmt::Display) {
    let elapsed: Duration = BEGAN.get_or_init(Instant::now).elapsed();
    let seconds = elapsed.as_secs();
    eprintln!("[{:2}:{:02}] {line}", seconds / 60, seconds % 60);
}
