//! `make demo`: a story in the terminal with a real API server, a simulated ClickUp and the operator. Everything it
//! shows is checked, so that its exit status says whether the software does what the story tells.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use test_support::terminal::{Terminal, explain};
use tokio::signal::unix::{SignalKind, signal};

mod manifests;
mod sighting;
mod stage;
mod story;

use stage::{DemoError, Stage};

/// Shows in half a minute what the operator does, with real commands and their real output.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// The simulator [default: clickup-simulator beside this program].
    #[arg(long, value_name = "PATH")]
    simulator: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            explain("demo", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let beside = |name: &str| std::env::current_exe().map(|path| path.with_file_name(name));
    let Arguments { operator, simulator } = arguments;
    let operator = operator.map_or_else(|| beside("clickup-operator"), std::path::absolute)?;
    let simulator = simulator.map_or_else(|| beside("clickup-simulator"), std::path::absolute)?;

    let (start, terminal) = (Instant::now(), Terminal::new());
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut stage = Stage::new(terminal, operator, simulator);
    // Outside of the story, so that what runs is ended in order, wherever the story ends.
    let ended = tokio::select! {
        biased;
        _ = interrupt.recv() => Err(130),
        _ = terminate.recv() => Err(143),
        told = story::tell(&mut stage) => Ok(told),
    };
    let log = stage.operator_log();
    let stopped = stage.stop().await;
    match ended {
        Err(code) => {
            eprintln!("\ndemo: interrupted; everything it started has been ended.");
            Ok(ExitCode::from(code))
        }
        Ok(Err(error)) => {
            if let (DemoError::Differs { .. } | DemoError::Shell(_), Some(log)) = (&error, log) {
                eprintln!("\nThe end of the operator's log:\n{log}\n");
            }
            Err(error.into())
        }
        Ok(Ok(())) => {
            stopped?;
            let seconds = start.elapsed().as_secs_f64();
            terminal.heading(format!(
                "That was all: every step was checked, {seconds:.0} s in all, nothing is left behind."
            ));
            terminal.say("make dev   the same, left running, for your own kubectl");
            terminal.say("make try   the same with the real ClickUp and a token of yours");
            terminal.say("make help  what else there is");
            Ok(ExitCode::SUCCESS)
        }
    }
}
