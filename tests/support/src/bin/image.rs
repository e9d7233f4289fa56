//! What `make image-archive` runs: an OCI archive of the operator, without a container engine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use test_support::image::Image;
use test_support::terminal::explain;

/// Makes an image of a program that needs no other file.
#[derive(Debug, Parser)]
struct Arguments {
    /// The operator, linked statically
    #[arg(long)]
    binary: PathBuf,
    /// Becomes the tag
    #[arg(long)]
    version: String,
    /// Where the archive is written
    #[arg(long)]
    archive: PathBuf,
    /// Authorities that the image trusts, PEM; those of this machine
    #[arg(long, env = "SSL_CERT_FILE", default_value = "/etc/ssl/certs/ca-certificates.crt")]
    certificates: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Arguments { binary, version, archive, certificates } = Arguments::parse();
    let (binary, certificates): (&Path, &Path) = (&binary, &certificates);
    match (Image { binary, certificates, version: &version, archive: &archive }).make().await {
        Ok(()) => {
            println!("{}", archive.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            explain("image", &error);
            ExitCode::FAILURE
        }
    }
}
