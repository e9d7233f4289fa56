//! The result, for machines as it is, for people as a table.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::Serialize;

use crate::measure::Cost;

/// Processor time of others, as a share of the machine, from which on the table warns.
const DISTURBED: f64 = 0.05;
const MIB: f64 = 1024.0 * 1024.0;

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) size: u32,
    pub(crate) latency_ms: u64,
    pub(crate) cores: usize,
    pub(crate) kubernetes: String,
    pub(crate) binary_bytes: u64,
    pub(crate) rounds: Vec<Round>,
    pub(crate) aftermath: Aftermath,
}

/// Both sides, one after the other.
#[derive(Debug, Serialize)]
pub(crate) struct Round {
    pub(crate) bare_first: bool,
    pub(crate) bare: Side,
    pub(crate) operator: Side,
}

/// One side of a round.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Side {
    #[serde(flatten)]
    pub(crate) cost: Cost,
    pub(crate) resident_bytes: u64,
    pub(crate) peak_resident_bytes: u64,
    /// The operator's passes over connections, as it counts them.
    pub(crate) passes: Option<u64>,
}

/// The operator when all is Ready.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Aftermath {
    pub(crate) rest: Left,
    pub(crate) restart: Left,
    /// From the start of the process to the first good `/readyz`.
    pub(crate) restart_ready_ms: f64,
    /// From the start of the process to the first good `/healthz`, several times.
    pub(crate) starts_ms: Vec<f64>,
}

/// The operator, left to itself for a while.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Left {
    pub(crate) seconds: u64,
    #[serde(flatten)]
    pub(crate) side: Side,
}

/// The table: medians of all rounds.
pub(crate) fn table(report: &Report) -> String {
    let mut table = Table { rounds: &report.rounds, text: String::new() };
    table.line(format_args!(
        "\n{} connections with a token each, cold. ClickUp answers after {} ms. {} cores, Kubernetes {}.",
        thousands(report.size.into()),
        report.latency_ms,
        report.cores,
        report.kubernetes
    ));
    let size = f64::from(report.size);
    table.line(format_args!("\n{:<36}{:>14}{:>14}{:>10}", "", "bare loop", "operator", "ratio"));
    table.row("all Ready after", " s", 2, |side| side.cost.wall_seconds);
    table.row("  connections per second", "", 0, |side| size / side.cost.wall_seconds.max(0.001));
    table.row("CPU of its own", " s", 2, |side| side.cost.own_cpu_seconds);
    table.row("  per connection", " ms", 2, |side| side.cost.own_cpu_seconds * 1000.0 / size);
    table.row("CPU of kube-apiserver", " s", 2, |side| side.cost.apiserver_cpu_seconds);
    table.row("  per connection", " ms", 2, |side| side.cost.apiserver_cpu_seconds * 1000.0 / size);
    table.row("CPU of etcd", " s", 2, |side| side.cost.etcd_cpu_seconds);
    table.row("memory, peak", " MiB", 1, |side| side.peak_resident_bytes as f64 / MIB);
    table.row("memory at the end", " MiB", 1, |side| side.resident_bytes as f64 / MIB);
    table.row("requests to the API server", "", 0, |side| side.cost.api_total() as f64);
    for request in table.requests() {
        let of = |side: &Side| side.cost.api_requests.get(&request).copied().unwrap_or_default();
        table.row(&format!("  {request}"), "", 0, |side| of(side) as f64);
    }
    table.row("requests to ClickUp", "", 0, |side| side.cost.clickup_total() as f64);
    let passes = |side: &Side| side.passes.unwrap_or_default() as f64;
    table.row("passes per connection", "", 1, |side| passes(side) / size);
    table.rounds(report.cores as f64);
    table.aftermath(&report.aftermath);
    table.line(format_args!("  its binary: {:.1} MiB", report.binary_bytes as f64 / MIB));
    table.text
}

struct Table<'a> {
    rounds: &'a [Round],
    text: String,
}

impl Table<'_> {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }

    fn row(&mut self, label: &str, unit: &str, digits: usize, of: impl Fn(&Side) -> f64) {
        let bare = median(self.rounds.iter().map(|round| of(&round.bare)));
        let operator = median(self.rounds.iter().map(|round| of(&round.operator)));
        let shown = |value: f64| {
            let number =
                if digits == 0 { thousands(value.round() as u64) } else { format!("{value:.digits$}") };
            number + unit
        };
        let ratio = if bare > 0.0 { format!("{:.2}", operator / bare) } else { "-".to_owned() };
        self.line(format_args!("{label:<36}{:>14}{:>14}{ratio:>10}", shown(bare), shown(operator)));
    }

    /// The kinds of requests that any side made.
    fn requests(&self) -> BTreeSet<String> {
        let sides = self.rounds.iter().flat_map(|round| [&round.bare, &round.operator]);
        sides.flat_map(|side| side.cost.api_requests.keys().cloned()).collect()
    }

    /// The times of each round, and how much others used of the machine: what little there is to tell noise by.
    fn rounds(&mut self, cores: f64) {
        self.line(format_args!("\n{:<36}{:>14}{:>14}", "rounds", "bare loop", "operator"));
        let others =
            |side: &Side| side.cost.others_cpu_seconds / (side.cost.elapsed_seconds.max(0.01) * cores);
        let mut disturbed = false;
        for (index, Round { bare_first, bare, operator }) in self.rounds.iter().enumerate() {
            let label =
                format!("{}, {} first", index + 1, if *bare_first { "bare loop" } else { "operator" });
            let [one, two] = [bare, operator].map(|side| side.cost.wall_seconds);
            self.line(format_args!("{label:<36}{one:>12.2} s{two:>12.2} s"));
            let [one, two] = [bare, operator].map(others);
            disturbed |= one.max(two) > DISTURBED;
            let [one, two] = [one, two].map(|share| format!("{:.0} %", share * 100.0));
            self.line(format_args!("{:<36}{one:>14}{two:>14}", "   of the machine used by others"));
        }
        if disturbed {
            self.line(format_args!("Others used much of the machine: measure again when it is idle."));
        }
    }

    fn aftermath(&mut self, aftermath: &Aftermath) {
        let Aftermath { rest, restart, restart_ready_ms, starts_ms } = aftermath;
        self.line(format_args!("\nThe operator, with all Ready"));
        self.left(&format!("at rest, {} s", rest.seconds), rest);
        self.left(&format!("restarted, the first {} s", restart.seconds), restart);
        let start = median(starts_ms.iter().copied());
        let count = starts_ms.len();
        self.line(format_args!("  restarted: /readyz says ok after {restart_ready_ms:.0} ms"));
        self.line(format_args!("  start: /healthz says ok after {start:.0} ms, median of {count}"));
    }

    fn left(&mut self, label: &str, left: &Left) {
        let Left { seconds: _, side: Side { cost, resident_bytes, peak_resident_bytes, passes: _ } } = left;
        let requests: Vec<_> =
            cost.api_requests.iter().map(|(what, count)| format!("{} {what}", thousands(*count))).collect();
        let requests = if requests.is_empty() { "none".to_owned() } else { requests.join(", ") };
        let (own, api) = (cost.own_cpu_seconds, cost.apiserver_cpu_seconds);
        self.line(format_args!(
            "  {label}: requests to the API server: {requests}; to ClickUp: {};",
            cost.clickup_total()
        ));
        self.line(format_args!(
            "    CPU {own:.2} s, kube-apiserver's {api:.2} s; memory {:.1} MiB, peak {:.1} MiB",
            *resident_bytes as f64 / MIB,
            *peak_resident_bytes as f64 / MIB
        ));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.saturating_sub(1)), values.get(middle)) {
        (Some(low), Some(high)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (_, Some(value)) => *value,
        _ => 0.0,
    }
}

/// With a comma after each three digits.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
        assert_eq!(median(std::iter::empty()), 0.0);
    }
}
