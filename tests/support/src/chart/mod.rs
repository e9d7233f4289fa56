//! What of the Helm chart is made from other files: the CRD's template, the README, copies of what is monitored with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

mod crd;
mod values;

pub use values::{Value, ValuesError, parse as parse_values};

/// Where the chart is in a checkout.
pub const CHART: &str = "deploy/charts/clickup-operator";

/// What is copied from `deploy/monitoring` to `files/` of the chart, whose templates read nothing outside of it.
const MONITORING: [&str; 3] = ["alerts.yaml", "token-age.yaml", "dashboard.json"];

/// A file of the chart cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A file cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The CRD is not laid out as it was.
    #[error("crds/clickupconnections.yaml: {0}")]
    Crd(&'static str),
    /// The values are not laid out as a table of them needs.
    #[error("values.yaml of the chart: {0}")]
    Values(#[from] ValuesError),
}

/// Every generated file of the chart by its path in the checkout, with what belongs into it.
///
/// # Errors
/// A source is missing or not as it must be.
pub fn generated(checkout: &Path) -> Result<Vec<(PathBuf, String)>, ChartError> {
    let chart = Path::new(CHART);
    let crd = crd::template(&read(&checkout.join("crds/clickupconnections.yaml"))?)?;
    let table = values::table(&read(&checkout.join(chart).join("values.yaml"))?)?;
    let mut files = vec![
        (chart.join("templates/crd.yaml"), crd),
        (chart.join("README.md"), format!("{README}\n{table}")),
    ];
    for name in MONITORING {
        let source = checkout.join("deploy/monitoring").join(name);
        files.push((chart.join("files").join(name), read(&source)?));
    }
    Ok(files)
}

/// Writes them.
///
/// # Errors
/// As [`generated`], or a file cannot be written.
pub fn generate(checkout: &Path) -> Result<(), ChartError> {
    for (path, text) in generated(checkout)? {
        let path = checkout.join(path);
        let failed = |source| ChartError::File { path: path.clone(), source };
        fs::create_dir_all(path.parent().unwrap_or(checkout)).map_err(failed)?;
        fs::write(&path, text).map_err(failed)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ChartError> {
    fs::read_to_string(path).map_err(|source| ChartError::File { path: path.to_path_buf(), source })
}

const README: &str = "\
# Helm chart of clickup-operator

Checks ClickUp API tokens kept in Secrets, and reports on them as `ClickUpConnection` resources. For Helm 4, and Helm 3 \
from 3.17; Kubernetes 1.34 or newer. What to choose, and how to upgrade, is in [docs/install.md](../../../docs/install.md).

    helm install clickup-operator deploy/charts/clickup-operator --namespace clickup-operator --create-namespace --set image.repository=your-registry/clickup-operator

The CRD is part of the release and is kept when that is uninstalled (`crds.keep`).

## Values

Written by `make generate` from the comments in [values.yaml](values.yaml). What is not here is refused by \
[values.schema.json](values.schema.json).
";
