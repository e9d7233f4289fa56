//! What to measure.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

const SIZES: [u32; 3] = [100, 1000, 10_000];
const SWEEP: [u32; 4] = [250, 500, 2000, 4000];
const CASES: u32 = 1000;

/// Measures the operator beside a bare loop that makes only the unavoidable requests.
///
/// Without --size, --sweep and --cases everything is measured: half an hour on two cores. --size 1000 alone takes five
/// minutes. The exit status tells whether something is wrong, never whether it is slow.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub(crate) struct Arguments {
    /// Numbers of connections, each with a token of its own, at which everything is measured: cold start, rest, edits,
    /// restarts, checks that change nothing.
    #[arg(long, value_delimiter = ',', value_name = "N,…", value_parser = size())]
    pub(crate) size: Vec<u32>,
    /// Numbers of connections at which only the cold start is measured, to show how cost grows.
    #[arg(long, value_delimiter = ',', value_name = "N,…", value_parser = size())]
    pub(crate) sweep: Vec<u32>,
    /// Number of connections for the cases: many unrelated Secrets, tokens that are refused, one token for all.
    #[arg(long, value_name = "N", value_parser = size())]
    pub(crate) cases: Option<u32>,
    /// The operator [default: clickup-operator beside this program].
    #[arg(long, value_name = "PATH")]
    pub(crate) operator: Option<PathBuf>,
    /// The simulator [default: clickup-simulator beside this program].
    #[arg(long, value_name = "PATH")]
    pub(crate) simulator: Option<PathBuf>,
    /// Time that every answer of ClickUp takes, in milliseconds.
    #[arg(long, default_value_t = 20, value_name = "MS")]
    pub(crate) latency: u64,
    /// How to print the result.
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Output,
    /// Measure nothing: take the result from a file that `-o json` wrote.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Write the result into docs/benchmarks.md and docs/benchmarks/ of the checkout that this was built from.
    #[arg(long)]
    pub(crate) write_docs: bool,
    /// Measure nothing: write profiles of a cold start of --size connections into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) profile: Option<PathBuf>,
    /// More arguments for the operator.
    #[arg(last = true)]
    pub(crate) operator_args: Vec<String>,
    /// Be the bare loop: the plan says for which connections.
    #[arg(long, hide = true, value_name = "PLAN")]
    pub(crate) bare_loop: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Table,
    /// For machines.
    Json,
}

/// The sizes to measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) sizes: Vec<u32>,
    pub(crate) sweep: Vec<u32>,
    pub(crate) cases: Option<u32>,
}

impl Arguments {
    pub(crate) fn plan(&self) -> Plan {
        if self.size.is_empty() && self.sweep.is_empty() && self.cases.is_none() {
            return Plan { sizes: SIZES.to_vec(), sweep: SWEEP.to_vec(), cases: Some(CASES) };
        }
        Plan { sizes: self.size.clone(), sweep: self.sweep.clone(), cases: self.cases }
    }

    /// After which something must be wrong: ten minutes of it for a machine that has no control plane yet.
    pub(crate) fn deadline(&self) -> Duration {
        let Plan { sizes, sweep, cases } = self.plan();
        let connections: u32 = sizes.iter().chain(&sweep).chain(&cases).sum();
        let places = sizes.len() + sweep.len() + usize::from(cases.is_some());
        Duration::from_secs(600 + 300 * places as u64) + Duration::from_millis(300) * connections
    }
}

fn size() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=100_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(arguments: &[&str]) -> Plan {
        Arguments::parse_from(["bench"].iter().chain(arguments)).plan()
    }

    #[test]
    fn without_a_size_everything_is_measured() {
        assert_eq!(plan(&[]), Plan { sizes: SIZES.to_vec(), sweep: SWEEP.to_vec(), cases: Some(CASES) });
        assert_eq!(plan(&["--size", "5,7"]), Plan { sizes: vec![5, 7], sweep: vec![], cases: None });
    }
}
