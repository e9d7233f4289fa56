//! What `make generate` writes of the Helm chart.

use std::path::Path;
use std::process::ExitCode;

use test_support::chart;
use test_support::terminal::explain;

fn main() -> ExitCode {
    match chart::generate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            explain("chart-files", &error);
            ExitCode::FAILURE
        }
    }
}
