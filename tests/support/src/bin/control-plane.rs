//! `control-plane build`: builds what the tests run on, where its progress can be seen. `cargo test` would hide it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test_support::control_plane::{ControlPlane, Options, assets::Assets};
use test_support::go_tools;
use test_support::terminal::explain;

/// The Kubernetes API server of the tests.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds kube-apiserver, etcd and kubectl, and the Go programs that check what is shipped, unless they are there,
    /// and prints the directory that holds the former.
    Build,
    /// Builds a Go program of the tests, unless it is there, and prints its path.
    Tool {
        /// Such as helm.
        name: String,
    },
    /// Starts a control plane, prints the pids of kube-apiserver and etcd and their directory, and keeps it until killed.
    Hold,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let ended: Result<(), Box<dyn std::error::Error>> = match command {
        Command::Build => build().await,
        Command::Tool { name } => tool(&name).await,
        Command::Hold => hold().await,
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain("control-plane", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn build() -> Result<(), Box<dyn std::error::Error>> {
    go_tools::build_all().await?;
    println!("{}", Assets::find_or_build().await?.directory.display());
    Ok(())
}

async fn tool(name: &str) -> Result<(), Box<dyn std::error::Error>> {
    if name == "kubectl" {
        println!("{}", Assets::find_or_build().await?.kubectl().display());
        return Ok(());
    }
    let Some(tool) = go_tools::ALL.iter().find(|tool| tool.name() == name) else {
        let known: Vec<_> = go_tools::ALL.iter().map(go_tools::GoTool::name).collect();
        return Err(format!("there is no {name:?} among kubectl, {}", known.join(", ")).into());
    };
    println!("{}", tool.find_or_build().await?.display());
    Ok(())
}

async fn hold() -> Result<(), Box<dyn std::error::Error>> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    let (apiserver, etcd) = (control_plane.apiserver().pid(), control_plane.etcd().pid());
    println!("HELD {apiserver} {etcd} {}", control_plane.scratch().path().display());
    std::future::pending().await
}
