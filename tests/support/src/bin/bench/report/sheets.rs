//! Which figures stand in which table.

use std::collections::BTreeSet;

use super::numbers::{number, thousands};
use super::table::Table;
use super::{Cases, Cold, Edits, Rejected, Report, Side, Size, Unrelated, Window, median};

/// Processor time of others, as a share of the machine, from which on it is said.
const DISTURBED: f64 = 0.05;
const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn machine(report: &Report) -> Table {
    let machine = &report.machine;
    let mut table = Table::new("Measured", ["what", "which"]);
    let mut row = |label, value: String| table.row(label, [value]);
    row("date", machine.date.clone());
    row("clickup-operator", format!("{}, {} MiB", machine.version, mib(report.binary_bytes)));
    row("Rust", machine.rust.clone());
    row("Kubernetes", format!("{}, one kube-apiserver and one etcd without fsync", machine.kubernetes));
    row("processor", format!("{}, {} cores for everything", machine.cpu, machine.cores));
    row("memory", format!("{} GiB", number(machine.memory_bytes as f64 / MIB / 1024.0, 0)));
    row("kernel", machine.kernel.clone());
    row("ClickUp", format!("simulated, answers after {} ms", report.latency_ms));
    row("took", format!("{} minutes", number(report.seconds / 60.0, 1)));
    table
}

/// Medians of all rounds, and each round's time.
pub(super) fn cold(cold: &Cold) -> Table {
    let size = f64::from(cold.size);
    let title = format!("Cold start of {} connections with a token each", thousands(cold.size.into()));
    let mut table = Table::new(title, ["", "bare loop", "operator", "ratio"]);
    compare(&mut table, &cold.rounds.iter().map(|r| (&r.bare, &r.operator)).collect::<Vec<_>>(), size);
    for (at, round) in cold.rounds.iter().enumerate() {
        let first = if round.bare_first { "bare loop" } else { "operator" };
        let cells = [&round.bare, &round.operator].map(|side| seconds(side.cost.wall_seconds));
        let label = format!("round {}, {first} first: all Ready after", at + 1);
        table.row(&label, cells.into_iter().chain([String::new()]));
    }
    table
}

fn compare(table: &mut Table, pairs: &[(&Side, &Side)], size: f64) {
    let mut row = |label: &str, unit: &str, digits: usize, of: &dyn Fn(&Side) -> f64| {
        let bare = median(pairs.iter().map(|(bare, _)| of(bare)));
        let operator = median(pairs.iter().map(|(_, operator)| of(operator)));
        let ratio = if bare > 0.0 { number(operator / bare, 2) } else { "-".to_owned() };
        table.row(label, [bare, operator].map(|v| number(v, digits) + unit).into_iter().chain([ratio]));
    };
    row("all Ready after", " s", 2, &|side| side.cost.wall_seconds);
    row("connections per second", "", 0, &|side| size / side.cost.wall_seconds.max(0.001));
    row("CPU of its own", " s", 2, &|side| side.cost.own_cpu_seconds);
    row("CPU of its own, each", " ms", 2, &|side| side.cost.own_cpu_seconds * 1000.0 / size);
    row("CPU of kube-apiserver", " s", 2, &|side| side.cost.apiserver_cpu_seconds);
    row("CPU of kube-apiserver, each", " ms", 2, &|side| side.cost.apiserver_cpu_seconds * 1000.0 / size);
    row("CPU of etcd", " s", 2, &|side| side.cost.etcd_cpu_seconds);
    row("memory, peak", " MiB", 1, &|side| side.peak_resident_bytes as f64 / MIB);
    row("memory at the end", " MiB", 1, &|side| side.resident_bytes as f64 / MIB);
    row("TCP connections to the API server", "", 0, &|side| side.api_connections as f64);
    row("requests to the API server", "", 0, &|side| side.cost.api_total() as f64);
    let both = pairs.iter().flat_map(|(bare, operator)| [bare, operator]);
    let kinds: BTreeSet<_> = both.flat_map(|side| side.cost.api_requests.keys()).collect();
    for kind in kinds {
        let of = |side: &Side| side.cost.api_requests.get(kind).copied().unwrap_or_default() as f64;
        row(&format!("… {kind}"), "", 0, &of);
    }
    row("… Events", "", 0, &|side| side.cost.events() as f64);
    row("requests to ClickUp", "", 0, &|side| side.cost.clickup_total() as f64);
    row("status writes per connection", "", 2, &|side| side.cost.status_writes() as f64 / size);
    row("passes per connection", "", 2, &|side| side.passes.unwrap_or_default() as f64 / size);
}

/// What the operator does after a cold start: a column for each size.
pub(super) fn afterwards(report: &Report) -> Table {
    let heads = report.sizes.iter().map(|size| thousands(size.cold.size.into()));
    let title = "The operator afterwards, by number of connections";
    let mut table = Table::new(title, std::iter::once(String::new()).chain(heads));
    let mut row = |label: &str, of: &dyn Fn(&Size) -> String| table.row(label, report.sizes.iter().map(of));
    row("at rest: requests to the API server", &|s| requests(&s.rest.side));
    row("at rest: status writes, Events", &|s| writes(&s.rest.side));
    row("at rest: CPU", &|s| share(&s.rest));
    row("at rest: memory", &|s| mib(s.rest.side.resident_bytes) + " MiB");
    for (what, of) in
        [("spec edit", (|s| &s.spec_edits) as fn(&Size) -> &Edits), ("Secret edit", |s| &s.secret_edits)]
    {
        row(&format!("{what} to condition: p50"), &|s| millis(of(s).percentile(50.0)));
        row(&format!("{what} to condition: p99"), &|s| millis(of(s).percentile(99.0)));
        row(&format!("{what}: ClickUp's own part"), &|s| millis(of(s).clickup_ms(report.latency_ms)));
        row(&format!("{what}: requests to the API server, each"), &|s| each(of(s), &|c| c.api_total()));
    }
    row("restart, nothing changed: /readyz after", &|s| millis(s.restart.ready_ms));
    row("… requests to the API server", &|s| requests(&s.restart.window.side));
    row("… requests to ClickUp in 10 s", &|s| thousands(s.restart.window.side.cost.clickup_total()));
    row("… CPU in 10 s", &|s| seconds(s.restart.window.side.cost.own_cpu_seconds));
    row("… memory", &|s| mib(s.restart.window.side.resident_bytes) + " MiB");
    row("restart, all edited meanwhile: all known after", &|s| seconds(s.edited_restart.cost.wall_seconds));
    row("… CPU, each", &|s| {
        millis2(s.edited_restart.cost.own_cpu_seconds * 1000.0 / f64::from(s.cold.size))
    });
    row("… status writes, Events", &|s| writes(&s.edited_restart));
    row("… requests to ClickUp", &|s| thousands(s.edited_restart.cost.clickup_total()));
    row("checks that change nothing: interval", &|s| format!("{} min", s.recheck.interval_minutes));
    row("… how many in a minute", &|s| thousands(s.recheck.checks));
    row("… CPU, each", &|s| millis2(s.recheck.own_ms()));
    row("… requests to the API server", &|s| requests(&s.recheck.window.side));
    row("… status writes, Events", &|s| writes(&s.recheck.window.side));
    row("… requests to ClickUp, each", &|s| {
        number(s.recheck.window.side.cost.clickup_total() as f64 / s.recheck.checks.max(1) as f64, 2)
    });
    row("… memory", &|s| mib(s.recheck.window.side.resident_bytes) + " MiB");
    row("start: /healthz after", &|s| millis(median(s.starts_ms.iter().copied())));
    table
}

/// How the cost of a cold start grows with its size.
pub(super) fn growth(report: &Report) -> Table {
    let all = report.growth();
    let heads = ["connections", "operator", "bare loop", "ratio", "operator's CPU, each", "bare loop's"];
    let more = ["API server's CPU, each", "beside bare loop", "memory, peak", "more memory, each"];
    let mut table = Table::new("Cold starts by size", heads.into_iter().chain(more));
    let peak = |cold: &Cold| cold.operator(|side| side.peak_resident_bytes as f64);
    for (at, cold) in all.iter().enumerate() {
        let size = f64::from(cold.size);
        let wall = |side: &Side| side.cost.wall_seconds;
        let (bare, operator) = (cold.bare(wall), cold.operator(wall));
        let own = |side: &Side| side.cost.own_cpu_seconds * 1000.0 / size;
        let api = |side: &Side| side.cost.apiserver_cpu_seconds * 1000.0 / size;
        let more = at.checked_sub(1).map(|before| {
            let (grown, by) = (peak(cold) - peak(all[before]), size - f64::from(all[before].size));
            number((grown / by / 1024.0).max(0.0), 1) + " KiB"
        });
        let times = [operator, bare].map(seconds).into_iter().chain([number(operator / bare, 2)]);
        let cpu = [cold.operator(own), cold.bare(own), cold.operator(api), cold.bare(api)].map(millis2);
        let memory = [mib(peak(cold) as u64) + " MiB", more.unwrap_or_else(|| "-".to_owned())];
        table.row(&thousands(cold.size.into()), times.chain(cpu).chain(memory));
    }
    table
}

/// The three cases.
pub(super) fn cases(cases: &Cases) -> [Table; 3] {
    let Cases { size, unrelated, rejected, one_token } = cases;
    let count = thousands((*size).into());
    let title = format!("Cold start of {count} connections, with one token for all");
    let mut shared = Table::new(title, ["", "bare loop", "operator", "ratio"]);
    compare(&mut shared, &[(&one_token.bare, &one_token.operator)], f64::from(*size));
    [others(&count, unrelated), refused(&count, rejected), shared]
}

fn others(count: &str, unrelated: &Unrelated) -> Table {
    let Unrelated { secrets, bytes_each, without, with } = unrelated;
    let kilobytes = bytes_each / 1000;
    let title = format!(
        "Cold start of {count} connections beside {} Secrets of {kilobytes} KB that none refers to, medians of {}",
        thousands(*secrets as u64),
        without.len()
    );
    let mut table = Table::new(title, ["", "without", "with", "ratio"]);
    let mut row = |label: &str, show: &dyn Fn(f64) -> String, of: &dyn Fn(&Side) -> f64| {
        let [before, after] = [without, with].map(|sides| median(sides.iter().map(of)));
        table.row(label, [show(before), show(after), number(after / before, 2)]);
    };
    row("all Ready after", &seconds, &|side| side.cost.wall_seconds);
    row("CPU of the operator", &seconds, &|side| side.cost.own_cpu_seconds);
    row("CPU of kube-apiserver", &seconds, &|side| side.cost.apiserver_cpu_seconds);
    let in_mib = |bytes: f64| mib(bytes as u64) + " MiB";
    row("memory of the operator, peak", &in_mib, &|side| side.peak_resident_bytes as f64);
    row("memory of the operator at the end", &in_mib, &|side| side.resident_bytes as f64);
    row("requests to the API server", &|n| number(n, 0), &|side| side.cost.api_total() as f64);
    table
}

fn refused(count: &str, rejected: &Rejected) -> Table {
    let Rejected { side, events_sent, events_lost, events_apiserver_cpu_seconds: events } = rejected;
    let title = format!("Cold start of {count} connections whose tokens ClickUp refuses");
    let mut table = Table::new(title, ["", "all", "for Events", "share"]);
    let mut row = |label: &str, all: f64, events: f64, show: &dyn Fn(f64) -> String| {
        table.row(label, [show(all), show(events), number(events / all.max(0.001) * 100.0, 0) + " %"]);
    };
    let cost = &side.cost;
    row("requests to the API server", cost.api_total() as f64, cost.events() as f64, &|n| number(n, 0));
    row("CPU of kube-apiserver", cost.apiserver_cpu_seconds, *events, &seconds);
    let mut figure = |label: &str, value: String| table.row(label, [value, String::new(), String::new()]);
    figure("all told after", seconds(cost.wall_seconds));
    figure("Events sent", thousands(*events_sent));
    figure("Events lost: the queue was full", thousands(*events_lost));
    figure("status writes", thousands(cost.status_writes()));
    figure("requests to ClickUp", thousands(cost.clickup_total()));
    figure("CPU of the operator", seconds(cost.own_cpu_seconds));
    table
}

/// Where others used much of the machine.
pub(super) fn disturbances(report: &Report) -> Vec<String> {
    let mut notes = Vec::new();
    for cold in report.growth() {
        let sides = cold.rounds.iter().flat_map(|round| [&round.bare, &round.operator]);
        let of = |side: &Side| {
            side.cost.others_cpu_seconds / (side.cost.elapsed_seconds.max(0.01) * report.machine.cores as f64)
        };
        let most = sides.map(of).fold(0.0, f64::max);
        if most > DISTURBED {
            let share = number(most * 100.0, 0);
            notes.push(format!(
                "{}: others used up to {share} % of the machine.",
                thousands(cold.size.into())
            ));
        }
    }
    notes
}

pub(super) fn seconds(value: f64) -> String {
    number(value, 2) + " s"
}

pub(super) fn millis(value: f64) -> String {
    number(value, 0) + " ms"
}

pub(super) fn millis2(value: f64) -> String {
    number(value, 2) + " ms"
}

pub(super) fn mib(bytes: u64) -> String {
    number(bytes as f64 / MIB, 1)
}

/// All but the beginnings of watches.
pub(super) fn requests(side: &Side) -> String {
    match (side.cost.api_total() - side.cost.watches(), side.cost.watches()) {
        (0, 0) => "none".to_owned(),
        (0, watches) => format!("{watches} watches"),
        (others, 0) => thousands(others),
        (others, watches) => format!("{}, {watches} watches", thousands(others)),
    }
}

fn writes(side: &Side) -> String {
    format!("{}, {}", thousands(side.cost.status_writes()), thousands(side.cost.events()))
}

fn share(window: &Window) -> String {
    number(window.side.cost.own_cpu_seconds / window.seconds.max(0.001) * 100.0, 2) + " % of a core"
}

fn each(edits: &Edits, of: &dyn Fn(&crate::measure::Cost) -> u64) -> String {
    number(of(&edits.side.cost) as f64 / edits.count().max(1) as f64, 2)
}
