//! `make dashboard`: some minutes of life with trouble in them, scraped by a real Prometheus, and the panels of the Grafana
//! dashboard drawn from what it answers. Grafana is not needed, and would draw them its own way.

mod draw;
mod life;
mod units;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use test_support::dashboard::{self, Panel};
use test_support::prometheus::{PrometheusProcess, Series};
use test_support::stack::{Stack, StackOptions};

/// Whatever goes wrong ends the run with its text.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const DASHBOARD: &str = "deploy/monitoring/dashboard.json";
const PICTURE: &str = "docs/monitoring/dashboard.svg";
/// Points of a line.
const POINTS: f64 = 120.0;

/// Draws the dashboard from the data of a real Prometheus.
#[derive(Debug, Parser)]
#[command(name = "dashboard")]
struct Arguments {
    /// How long the operator is watched.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=120))]
    minutes: u64,
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    operator: Option<PathBuf>,
    /// Where the picture goes.
    #[arg(long, value_name = "FILE", default_value = "target/dashboard.svg")]
    output: PathBuf,
    /// Put it into docs/ of the checkout that this program was built from instead.
    #[arg(long)]
    write_docs: bool,
}

/// A panel and what its queries gave: each line with its name.
pub(crate) struct Shown {
    pub(crate) panel: Panel,
    pub(crate) lines: Vec<Line>,
}

/// What a query gave for one set of labels, and which of the panel's queries it was.
pub(crate) struct Line {
    pub(crate) query: usize,
    pub(crate) name: String,
    pub(crate) series: Series,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            test_support::terminal::explain("dashboard", error.as_ref());
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let operator = match &arguments.operator {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("clickup-operator"),
    };
    let options = StackOptions { log_level: "info".to_owned(), ..StackOptions::new(operator) };
    let stack = Stack::start(options).await?;
    let scratch = stack.control_plane.scratch();
    let prometheus = PrometheusProcess::start(stack.operator.metrics_url(), &[], scratch).await?;
    let began = seconds()?;
    life::live(&stack, Duration::from_secs(arguments.minutes * 60)).await?;
    let ended = seconds()?;
    let mut shown = Vec::new();
    for panel in dashboard::panels(&checkout.join(DASHBOARD))? {
        let lines = ask(&prometheus, &panel, began, ended).await?;
        shown.push(Shown { panel, lines });
    }
    let path = if arguments.write_docs { checkout.join(PICTURE) } else { arguments.output.clone() };
    path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    std::fs::write(&path, draw::picture(&shown, began..ended)?)?;
    println!("{}", path.display());
    prometheus.stop().await?;
    stack.stop().await?;
    Ok(())
}

/// Since the epoch.
fn seconds() -> Result<f64, Failure> {
    Ok(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64())
}

async fn ask(
    prometheus: &PrometheusProcess,
    panel: &Panel,
    began: f64,
    ended: f64,
) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    for (query, target) in panel.targets.iter().enumerate() {
        let series = match panel.kind.as_str() {
            "stat" | "table" | "bargauge" => prometheus.query(&target.filled()).await?,
            _ => prometheus.query_range(&target.filled(), began, ended, (ended - began) / POINTS).await?,
        };
        let line = |series: Series| Line { query, name: target.legend(&series.labels), series };
        lines.extend(series.into_iter().map(line));
    }
    Ok(lines)
}
