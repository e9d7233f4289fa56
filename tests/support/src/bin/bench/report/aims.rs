//! The contract's figures against what was measured.

use super::numbers::{number, thousands};
use super::sheets::{mib, millis, millis2, requests, seconds};
use super::table::Table;
use super::{Cases, Cold, Report, Side, Size, median};

const MEMORY_BYTES: u64 = 50 * 1024 * 1024;
const FIRST_CHECK_MS: f64 = 1.0;
const RECHECK_MS: f64 = 0.4;
const EDIT_MS: f64 = 250.0;
/// More than this is more than what two runs of the same differ by.
const NOISE: f64 = 1.1;
/// For which sizes the contract names figures.
const LARGE: u32 = 1000;

/// Each aim, what was measured, and whether it is reached.
pub(crate) fn table(report: &Report) -> Table {
    let mut aims = Aims(Table::new("Aims", ["aim", "measured", "reached"]));
    for size in report.sizes.iter().filter(|size| size.cold.size >= LARGE) {
        aims.cold(&size.cold);
    }
    for size in report.sizes.iter().filter(|size| size.cold.size >= LARGE) {
        aims.one_size(size, report.latency_ms);
    }
    if let Some(cases) = &report.cases {
        aims.cases(cases);
    }
    aims.growth(&report.growth());
    aims.0
}

struct Aims(Table);

impl Aims {
    fn aim(&mut self, aim: String, measured: String, reached: bool) {
        self.0.row(&aim, [measured, if reached { "yes" } else { "no" }.to_owned()]);
    }

    fn cold(&mut self, cold: &Cold) {
        let count = thousands(cold.size.into());
        let wall = |side: &Side| side.cost.wall_seconds;
        let (bare, operator) = (cold.bare(wall), cold.operator(wall));
        self.aim(
            format!("{count} cold: all Ready in at most the bare loop's time"),
            format!("{}, bare loop {}", seconds(operator), seconds(bare)),
            operator <= bare,
        );
        let own = cold.operator(|side| side.cost.own_cpu_seconds) * 1000.0 / f64::from(cold.size);
        let aim = format!("{count} cold: at most {} of CPU per first check", millis(FIRST_CHECK_MS));
        self.aim(aim, millis2(own), own <= FIRST_CHECK_MS);
        let writes = cold.operator(|side| side.cost.status_writes() as f64) / f64::from(cold.size);
        self.aim(format!("{count} cold: one status write per verdict"), number(writes, 3), writes <= 1.0);
        let api = |side: &Side| side.cost.apiserver_cpu_seconds * 1000.0 / f64::from(cold.size);
        let (bare, operator) = (cold.bare(api), cold.operator(api));
        self.aim(
            format!("{count} cold: the API server's CPU per connection is below the bare loop's"),
            format!("{}, bare loop {}", millis2(operator), millis2(bare)),
            operator < bare,
        );
    }

    fn one_size(&mut self, size: &Size, latency_ms: u64) {
        let Size { cold, rest, secret_edits, restart, edited_restart, recheck, .. } = size;
        let count = thousands(cold.size.into());
        let cold_peaks = cold.rounds.iter().map(|round| &round.operator);
        let all = cold_peaks.chain([&rest.side, &secret_edits.side, &restart.window.side, edited_restart]);
        let peak = all.chain([&recheck.window.side]).map(|side| side.peak_resident_bytes).max();
        let (peak, steady) = (peak.unwrap_or_default(), recheck.window.side.resident_bytes);
        self.aim(
            format!("{count}: at most {} MiB of memory", mib(MEMORY_BYTES)),
            format!("peak {} MiB, steady {} MiB", mib(peak), mib(steady)),
            peak <= MEMORY_BYTES,
        );
        let own = recheck.own_ms();
        let aim = format!("{count}: at most {RECHECK_MS} ms of CPU per unchanged check");
        self.aim(aim, millis2(own), own <= RECHECK_MS);
        let silent = [&rest.side, &recheck.window.side];
        self.aim(
            format!("{count}: in steady state no request to the API server but watches, no Event"),
            format!("at rest {}, while checking {}", requests(silent[0]), requests(silent[1])),
            silent.iter().all(|side| side.cost.api_total() == side.cost.watches()),
        );
        let (p99, own) = (secret_edits.percentile(99.0), secret_edits.clickup_ms(latency_ms));
        self.aim(
            format!(
                "{count}: Secret edit to condition: p99 at most {} beyond ClickUp's own",
                millis(EDIT_MS)
            ),
            format!("{}, of which ClickUp {}", millis(p99), millis(own)),
            p99 - own <= EDIT_MS,
        );
        // What is due in that time in any case, at the interval of ten minutes, three requests each.
        let window = &restart.window;
        let usual = f64::from(cold.size) * 3.0 * window.seconds / 600.0;
        let sent = window.side.cost.clickup_total();
        self.aim(
            format!("{count}: a restart with all Ready sends nothing in a burst"),
            format!(
                "{} requests to ClickUp in {} s, {} are usual; to the API server {}",
                thousands(sent),
                number(window.seconds, 0),
                number(usual, 0),
                requests(&window.side)
            ),
            // Chance spreads what is due.
            sent as f64 <= usual + 3.0 * (3.0 * usual).sqrt() + 3.0 && window.side.cost.status_writes() == 0,
        );
    }

    fn cases(&mut self, cases: &Cases) {
        let Cases { size, unrelated, rejected: _, one_token } = cases;
        let count = thousands((*size).into());
        let of = |sides: &[Side], of: fn(&Side) -> f64| median(sides.iter().map(of));
        let ratio = |what: fn(&Side) -> f64| of(&unrelated.with, what) / of(&unrelated.without, what);
        let [cpu, memory, api] = [
            ratio(|side| side.cost.own_cpu_seconds),
            ratio(|side| side.peak_resident_bytes as f64),
            ratio(|side| (side.cost.api_total() - side.cost.watches()) as f64),
        ];
        let [with, without] = [&unrelated.with, &unrelated.without].map(|s| of(s, |s| s.cost.wall_seconds));
        self.aim(
            format!("{} unrelated Secrets add nothing", thousands(unrelated.secrets as u64)),
            format!(
                "{} instead of {}; CPU × {}, memory × {}, requests × {}",
                seconds(with),
                seconds(without),
                number(cpu, 2),
                number(memory, 2),
                number(api, 2)
            ),
            [cpu, memory, api, with / without].iter().all(|ratio| *ratio <= NOISE),
        );
        let sent = one_token.operator.cost.clickup_total();
        self.aim(
            format!("{count} connections with one token: ClickUp is asked as for one"),
            format!("{sent} requests, bare loop {}", thousands(one_token.bare.cost.clickup_total())),
            sent <= 3,
        );
    }

    /// From the first size that the contract names to the largest.
    fn growth(&mut self, all: &[&Cold]) {
        let mut large = all.iter().filter(|cold| cold.size >= LARGE);
        let (Some(first), Some(last)) = (large.next(), large.next_back()) else { return };
        let each = |cold: &Cold| cold.operator(|s| s.cost.own_cpu_seconds) * 1000.0 / f64::from(cold.size);
        let (least, most) = (each(first), each(last));
        self.aim(
            "cost grows with the number of connections, not with its square".to_owned(),
            format!(
                "CPU per connection {} at {}, {} at {}",
                millis2(least),
                thousands(first.size.into()),
                millis2(most),
                thousands(last.size.into())
            ),
            // Squared, it would be as many times more as there are more connections.
            most / least < (f64::from(last.size) / f64::from(first.size)).sqrt(),
        );
    }
}
