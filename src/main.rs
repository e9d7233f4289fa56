//! The binary: arguments, the TLS provider, and the command.

use clap::{Parser, Subcommand};
use clickup_operator::commands::{crd, run};
use std::{error::Error, io::Write, process::ExitCode};

/// Checks ClickUp API tokens kept in Kubernetes Secrets, and reports on them as ClickUpConnection resources.
///
/// A ClickUpConnection names a Secret that holds a ClickUp token. The operator checks the token with ClickUp, resolves the
/// workspaces, keeps checking, and writes what it found into status.conditions.
#[derive(Parser)]
#[command(name = "clickup-operator", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator, in a Pod or with KUBECONFIG, until SIGTERM or Ctrl-C
    Run(Box<run::RunArgs>),
    /// Print the CustomResourceDefinition: clickup-operator crd | kubectl apply -f -
    Crd,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One provider for every client of the process, named before the first of them is made.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ended: Result<(), Box<dyn Error>> = match arguments.command {
        Command::Run(args) => operate(*args),
        Command::Crd => print_crd(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("clickup-operator: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn operate(args: run::RunArgs) -> Result<(), Box<dyn Error>> {
    // One thread: the operator mostly waits, and what it does is too little to pay for being passed between threads (a third
    // of the processor's time). Names are resolved, and files read, on threads beside it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(run::run(args));
    // A name that is being resolved blocks a thread, and is not worth waiting for at the end.
    runtime.shutdown_background();
    Ok(ended?)
}

fn print_crd() -> Result<(), Box<dyn Error>> {
    Ok(std::io::stdout().write_all(crd::yaml()?.as_bytes())?)
}
