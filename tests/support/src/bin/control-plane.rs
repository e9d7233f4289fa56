//! `control-plane build`: builds what the tests run on, where its progress can be seen. `cargo test` would hide it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test_support::control_plane::assets::Assets;
use test_support::terminal::explain;

/// The Kubernetes API server of the tests.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Builds kube-apiserver, etcd and kubectl, unless they are there, and prints the directory that holds them.
    Build,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { command: Command::Build } = Arguments::parse();
    match Assets::find_or_build().await {
        Ok(assets) => {
            println!("{}", assets.directory.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            explain("control-plane", &error);
            ExitCode::FAILURE
        }
    }
}
