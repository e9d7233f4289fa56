//! The result: for machines as it is, for people as a table, and as a page with plots.

mod aims;
pub(crate) mod document;
mod numbers;
mod plots;
pub(crate) mod rules;
mod sheets;
pub(crate) mod table;

use serde::{Deserialize, Serialize};

use crate::measure::Cost;

pub(crate) use numbers::{median, percentile};

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) latency_ms: u64,
    pub(crate) binary_bytes: u64,
    /// How long all of it took.
    pub(crate) seconds: f64,
    pub(crate) sizes: Vec<Size>,
    /// Sizes of which only the cold start was measured.
    pub(crate) sweep: Vec<Cold>,
    pub(crate) cases: Option<Cases>,
    /// What is not as it must be, whatever the speed.
    pub(crate) wrong: Vec<String>,
}

/// On what, and of what, it was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) version: String,
    pub(crate) rust: String,
    pub(crate) kubernetes: String,
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
}

/// Everything about one number of connections.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) cold: Cold,
    /// The operator with all Ready.
    pub(crate) rest: Window,
    pub(crate) spec_edits: Edits,
    pub(crate) secret_edits: Edits,
    pub(crate) restart: Restart,
    /// A restart after every connection was edited: all are to be checked.
    pub(crate) edited_restart: Side,
    pub(crate) recheck: Recheck,
    /// From the start of the process to the first good `/healthz`, several times.
    pub(crate) starts_ms: Vec<f64>,
}

/// Cold starts of one number of connections.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cold {
    pub(crate) size: u32,
    pub(crate) rounds: Vec<Round>,
}

/// Both sides, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) bare_first: bool,
    pub(crate) bare: Side,
    pub(crate) operator: Side,
}

/// What one process did in one phase.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Side {
    #[serde(flatten)]
    pub(crate) cost: Cost,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_resident_bytes: u64,
    /// TCP connections to the API server at the end.
    pub(crate) api_connections: usize,
    /// The operator's passes over connections, as it counts them.
    pub(crate) passes: Option<u64>,
}

/// The operator, left to itself for a while.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) seconds: f64,
    #[serde(flatten)]
    pub(crate) side: Side,
}

/// The operator, started when all is Ready.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Restart {
    /// From the start of the process to the first good `/readyz`.
    pub(crate) ready_ms: f64,
    pub(crate) window: Window,
}

/// The operator, asking again what does not change.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recheck {
    pub(crate) interval_minutes: u64,
    /// Checks that ended.
    pub(crate) checks: u64,
    pub(crate) window: Window,
}

/// Edits, one after the other.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Edits {
    /// From the API server's answer to the edit to the status in a watch, ascending.
    pub(crate) latencies_ms: Vec<f64>,
    #[serde(flatten)]
    pub(crate) side: Side,
}

/// What happens seldom, each once.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Cases {
    pub(crate) size: u32,
    pub(crate) unrelated: Unrelated,
    pub(crate) rejected: Rejected,
    pub(crate) one_token: Round,
}

/// Cold starts without and with Secrets that no connection refers to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unrelated {
    pub(crate) secrets: usize,
    pub(crate) bytes_each: usize,
    pub(crate) without: Vec<Side>,
    pub(crate) with: Vec<Side>,
}

/// A cold start in which every token is refused, so that there is an Event for each.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rejected {
    #[serde(flatten)]
    pub(crate) side: Side,
    /// What became of the Events, as the operator counts them.
    pub(crate) events_sent: u64,
    pub(crate) events_lost: u64,
    /// Processor time of the API server for as many Events of the same kind, written one after the other by themselves.
    pub(crate) events_apiserver_cpu_seconds: f64,
}

impl Cold {
    pub(crate) fn bare(&self, of: impl Fn(&Side) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| of(&round.bare)))
    }

    pub(crate) fn operator(&self, of: impl Fn(&Side) -> f64) -> f64 {
        median(self.rounds.iter().map(|round| of(&round.operator)))
    }
}

impl Edits {
    pub(crate) fn percentile(&self, percent: f64) -> f64 {
        percentile(&self.latencies_ms, percent)
    }

    pub(crate) fn count(&self) -> usize {
        self.latencies_ms.len()
    }

    /// What ClickUp takes of the time of one edit, when asked one after the other.
    pub(crate) fn clickup_ms(&self, latency_ms: u64) -> f64 {
        self.side.cost.clickup_total() as f64 / self.count().max(1) as f64 * latency_ms as f64
    }
}

impl Recheck {
    /// The operator's processor time for one check.
    pub(crate) fn own_ms(&self) -> f64 {
        self.window.side.cost.own_cpu_seconds * 1000.0 / self.checks.max(1) as f64
    }
}

impl Report {
    /// The cold starts of all sizes, ascending.
    pub(crate) fn growth(&self) -> Vec<&Cold> {
        let mut all: Vec<_> = self.sizes.iter().map(|size| &size.cold).chain(&self.sweep).collect();
        all.sort_by_key(|cold| cold.size);
        all
    }
}
