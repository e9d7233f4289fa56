//! What came of it, as a table.

use std::fmt::Write as _;

use crate::fit::{Line, grows, line, median};
use crate::phase::Phase;
use crate::run::Run;
use crate::sample::Sample;

const HOUR: f64 = 3600.0;
const MIB: f64 = 1024.0;
/// More open files than this are growth, if they come steadily.
const FDS_SLACK: u64 = 8;
/// Seconds of a rest in which what was done before it may still be under way.
const CALM: f64 = 20.0;
/// One figure is the median of so many samples at least.
const FEW: usize = 3;

/// The samples, and what was done meanwhile.
pub(crate) struct Report<'a> {
    samples: &'a [Sample],
    run: Run,
}

impl<'a> Report<'a> {
    pub(crate) fn new(samples: &'a [Sample], run: Run) -> Report<'a> {
        Report { samples, run }
    }

    /// What the samples give reason to complain about.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let fds: Vec<u64> = self.second_half(self.samples).iter().map(|sample| sample.fds).collect();
        let grew = grows(&fds, FDS_SLACK);
        grew.then(|| format!("file descriptors grew steadily: {fds:?}")).into_iter().collect()
    }

    fn second_half<'s>(&self, samples: impl IntoIterator<Item = &'s Sample>) -> Vec<&'s Sample> {
        let half = self.samples.last().map_or(0.0, |last| last.seconds / 2.0);
        samples.into_iter().filter(|sample| sample.seconds >= half).collect()
    }

    /// Those that were taken while nobody changed anything, once what was done before is over.
    fn at_rest(&self) -> Vec<&'a Sample> {
        let mut since = None;
        let mut calm = |sample: &&Sample| {
            since = (sample.phase == Phase::Rest).then(|| since.unwrap_or(sample.seconds));
            since.is_some_and(|since| sample.seconds - since >= CALM)
        };
        self.samples.iter().filter(|sample| calm(sample)).collect()
    }

    /// In Markdown.
    pub(crate) fn table(&self) -> String {
        let Some((first, last)) = self.samples.first().zip(self.samples.last()) else {
            return "There are no samples.\n".to_owned();
        };
        let Run { size, seed, kubernetes, cores, changes, end, minutes: _ } = &self.run;
        let rest = self.at_rest();
        let (half, half_at_rest) = (self.second_half(self.samples), self.second_half(rest.iter().copied()));
        let most = self.samples.iter().map(Sample::rss_mib).fold(0.0, f64::max);
        let (seconds, cpu) = ((last.seconds - first.seconds).max(1.0), last.cpu_seconds - first.cpu_seconds);
        let per_minute = (last.checks - first.checks) as f64 * 60.0 / seconds;
        let done: Vec<_> = changes.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let apiserver = [first, last].map(|sample| sample.apiserver_rss_kib as f64 / MIB);
        let rows = [
            ("time", format!("{:.0} min", last.seconds / 60.0)),
            ("connections, seed", format!("{size}, {seed}")),
            ("machine", format!("{cores} cores, Kubernetes {kubernetes}")),
            ("resident memory at rest, first and last", ends(&rest, |sample| sample.rss_kib)),
            ("of it anonymous", ends(&rest, |sample| sample.anonymous_kib)),
            ("most resident memory", format!("{most:.1} MiB")),
            ("trend of the second half, resident", trend(&half, Sample::rss_mib)),
            ("trend of the second half, anonymous", trend(&half, Sample::anonymous_mib)),
            ("the same at rest, resident", trend(&half_at_rest, Sample::rss_mib)),
            ("the same at rest, anonymous", trend(&half_at_rest, Sample::anonymous_mib)),
            ("open file descriptors", self.range(|sample| sample.fds)),
            ("threads", self.range(|sample| sample.threads)),
            ("CPU", format!("{cpu:.1} s, {:.2} % of a core", cpu / seconds * 100.0)),
            ("checks", format!("{}, {per_minute:.0} per minute", last.checks - first.checks)),
            ("statuses written", (last.status_writes - first.status_writes).to_string()),
            ("changes", done.join(", ")),
            ("outages of ClickUp", self.outages().to_string()),
            ("resident memory of kube-apiserver", format!("{:.0} to {:.0} MiB", apiserver[0], apiserver[1])),
            ("at the end", end.clone()),
        ];
        let mut text = "| what | seen |\n| --- | --- |\n".to_owned();
        for (what, seen) in rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {what} | {seen} |");
        }
        text
    }

    fn range(&self, of: impl Fn(&Sample) -> u64) -> String {
        let values: Vec<u64> = self.samples.iter().map(of).collect();
        let [least, most] =
            [values.iter().min(), values.iter().max()].map(|value| value.copied().unwrap_or(0));
        format!("{least} to {most}, half of the time up to {}", median(&values))
    }

    fn outages(&self) -> usize {
        let began = |pair: &&[Sample]| pair[0].phase != Phase::Outage && pair[1].phase == Phase::Outage;
        self.samples.windows(2).filter(began).count()
    }
}

/// Medians of the first and the last tenth.
fn ends(samples: &[&Sample], kib: impl Fn(&Sample) -> u64) -> String {
    let values: Vec<u64> = samples.iter().map(|sample| kib(sample)).collect();
    let tenth = values.len().div_ceil(10).max(FEW);
    match (values.get(..tenth), values.len().checked_sub(tenth).and_then(|start| values.get(start..))) {
        (Some(first), Some(last)) => {
            let [first, last] = [first, last].map(|values| median(values) as f64 / MIB);
            format!("{first:.1} and {last:.1} MiB")
        }
        _ => "too few samples".to_owned(),
    }
}

fn trend(samples: &[&Sample], of: impl Fn(&Sample) -> f64) -> String {
    let points: Vec<_> = samples.iter().map(|sample| (sample.seconds / HOUR, of(sample))).collect();
    match line(&points) {
        Some(Line { slope, error }) => format!("{slope:+.2} ± {error:.2} MiB per hour"),
        None => "too few samples".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;

    /// Two hours; memory in MiB and open files as they are after so many hours.
    fn two_hours(memory: impl Fn(f64) -> f64, fds: impl Fn(f64) -> f64) -> Vec<Sample> {
        let sample = |seconds: u64| {
            let (hours, length) = (seconds as f64 / HOUR, Duration::from_secs(7200));
            Sample {
                seconds: seconds as f64,
                phase: Phase::at(Duration::from_secs(seconds), length),
                rss_kib: ((memory(hours) + 10.0) * MIB) as u64,
                anonymous_kib: (memory(hours) * MIB) as u64,
                fds: fds(hours) as u64,
                threads: 3,
                cpu_seconds: hours * 36.0,
                ready: 490,
                not_ready: 10,
                unknown: 0,
                checks: 5 * seconds,
                status_writes: 0,
                changes: 0,
                apiserver_rss_kib: 300 << 10,
            }
        };
        (0..=7200).step_by(10).map(sample).collect()
    }

    fn report(samples: &[Sample]) -> Report<'_> {
        let run = Run {
            minutes: 120,
            size: 500,
            seed: 1,
            kubernetes: "v1".to_owned(),
            cores: 2,
            changes: BTreeMap::new(),
            end: "well".to_owned(),
        };
        Report::new(samples, run)
    }

    #[test]
    fn growth_is_told_from_a_start_that_fills_caches() {
        let grown = report(&two_hours(|hours| 8.0 + 2.0 * hours, |_| 30.0)).table();
        assert!(
            grown.contains("| trend of the second half, resident | +2.00 ± 0.00 MiB per hour |"),
            "{grown}"
        );
        assert!(grown.contains("| the same at rest, anonymous | +2.00 ± 0.00 MiB per hour |"), "{grown}");
        let filled = report(&two_hours(|hours| 8.0 + hours.min(0.9), |_| 30.0)).table();
        assert!(
            filled.contains("| trend of the second half, resident | +0.00 ± 0.00 MiB per hour |"),
            "{filled}"
        );
        assert!(filled.contains("| of it anonymous | 8.2 and 8.9 MiB |"), "{filled}");
        assert!(filled.contains("| outages of ClickUp | 12 |"), "{filled}");
        assert!(filled.contains("| CPU | 72.0 s, 1.00 % of a core |"), "{filled}");
    }

    #[test]
    fn only_growing_descriptors_are_complained_about() {
        assert_eq!(report(&two_hours(|_| 8.0, |_| 30.0)).complaints(), [""; 0]);
        assert_eq!(report(&two_hours(|_| 8.0, |hours| 30.0 + 20.0 * hours)).complaints().len(), 1);
    }

    #[test]
    fn a_rest_begins_when_what_was_done_before_is_over() {
        let samples = two_hours(|_| 8.0, |_| 30.0);
        let rest: Vec<f64> = report(&samples).at_rest().iter().map(|sample| sample.seconds).take(5).collect();
        assert_eq!(rest, [560.0, 570.0, 580.0, 590.0, 1160.0]);
    }

    #[test]
    fn what_was_cut_short_has_a_table_too() {
        let samples = two_hours(|_| 8.0, |_| 30.0);
        for few in [0, 1, 2, 50] {
            let table = report(&samples[..few]).table();
            assert!(table.contains("too few samples") || few == 0, "{table}");
        }
    }
}
