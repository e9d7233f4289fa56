//! `make soak`: two hours of everyday life, and what the operator's memory does meanwhile. It asserts no speed: it fails
//! if a connection ends in another state than it should, if the operator ended, or if its file descriptors grew steadily.

mod fit;
mod fleet;
mod life;
mod model;
mod phase;
mod plot;
mod report;
mod run;
mod sample;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::report::Report;

/// Whatever goes wrong ends the run with its text.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// In the checkout, with `--write-docs`.
const PLOT: &str = "docs/benchmarks/soak.svg";

/// Lets the operator live through everyday life and watches its memory.
///
/// Ctrl-C ends it with the report of what was measured so far. Samples are written as they come.
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Arguments {
    /// How long, without the start and the comparison at the end.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u64).range(2..=10_000))]
    minutes: u64,
    /// Connections.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(50..=10_000))]
    size: u32,
    /// Decides what happens, in which order, and to whom.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// The simulator [default: clickup-simulator beside this program].
    #[arg(long, value_name = "PATH")]
    simulator: Option<PathBuf>,
    /// Where samples, report, plot and the operator's log go.
    #[arg(long, value_name = "DIRECTORY", default_value = "target/soak")]
    output: PathBuf,
    /// Run nothing: make the report of the samples that are in the output directory.
    #[arg(long)]
    report: bool,
    /// Put the plot into docs/ of the checkout that this program was built from.
    #[arg(long)]
    write_docs: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match soak(&Arguments::parse()).await {
        Ok(wrong) if wrong.is_empty() => ExitCode::SUCCESS,
        Ok(wrong) => {
            wrong.iter().for_each(|line| eprintln!("soak: {line}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            test_support::terminal::explain("soak", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Runs it and reports; returns what is wrong.
async fn soak(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let Arguments { output, report, write_docs, .. } = arguments;
    let mut wrong = Vec::new();
    if !report {
        std::fs::create_dir_all(output)?;
        wrong = run::run(arguments).await?;
    }
    let samples = sample::read(&output.join(sample::FILE))?;
    let run = std::fs::read(output.join(run::FILE))?;
    let report = Report::new(&samples, serde_json::from_slice(&run)?);
    let (table, plot) = (report.table(), plot::memory(&samples)?);
    std::fs::write(output.join("report.md"), &table)?;
    std::fs::write(output.join("memory.svg"), &plot)?;
    if *write_docs {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(PLOT);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, plot)?;
    }
    print!("{table}");
    wrong.extend(report.complaints());
    Ok(wrong)
}

/// A line of progress; standard output is the result's alone.
pub(crate) fn progress(line: impl std::fmt::Display) {
    eprintln!("{line}");
}
