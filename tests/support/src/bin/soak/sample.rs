//! What is looked at every few seconds, and the file that it is kept in.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use test_support::process::Usage;
use test_support::stack::Stack;

use crate::Failure;
use crate::phase::Phase;

/// In the output directory.
pub(crate) const FILE: &str = "samples.csv";

const HEADER: &str = "seconds,phase,rss_kib,anonymous_kib,fds,threads,cpu_seconds,ready,not_ready,unknown,checks,status_writes,\
    changes,apiserver_rss_kib";
const READY: &str = "clickup_operator_connection_ready{";
const CHECKS: &str = "clickup_operator_checks_total{";
const WRITES: &str = "clickup_operator_status_writes_total{outcome=\"written\"}";

/// One look at the operator.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Since the begin.
    pub(crate) seconds: f64,
    pub(crate) phase: Phase,
    pub(crate) rss_kib: u64,
    /// Without what is mapped from files.
    pub(crate) anonymous_kib: u64,
    pub(crate) fds: u64,
    pub(crate) threads: u64,
    /// Since the start of the process.
    pub(crate) cpu_seconds: f64,
    /// Connections by what the metric says of them.
    pub(crate) ready: u64,
    pub(crate) not_ready: u64,
    pub(crate) unknown: u64,
    /// Since the start of the process.
    pub(crate) checks: u64,
    pub(crate) status_writes: u64,
    /// What we did, since the begin.
    pub(crate) changes: u64,
    pub(crate) apiserver_rss_kib: u64,
}

impl Sample {
    pub(crate) async fn take(
        stack: &Stack,
        elapsed: Duration,
        phase: Phase,
        changes: u64,
    ) -> Result<Sample, Failure> {
        let metrics = stack.operator.metrics().await?;
        let pid = stack.operator.process().pid();
        let Usage { resident_bytes: _, peak_resident_bytes: _, cpu } = stack.operator.process().usage()?;
        let memory = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let values = |prefix| values(&metrics, prefix);
        let readiness = |wanted| values(READY).filter(|value| *value == wanted).count() as u64;
        Ok(Sample {
            seconds: elapsed.as_secs_f64(),
            phase,
            rss_kib: field(&memory, "Rss:")?,
            anonymous_kib: field(&memory, "Anonymous:")?,
            fds: std::fs::read_dir(format!("/proc/{pid}/fd"))?.count() as u64,
            threads: field(&status, "Threads:")?,
            cpu_seconds: cpu.as_secs_f64(),
            ready: readiness(1),
            not_ready: readiness(0),
            unknown: readiness(-1),
            checks: values(CHECKS).sum::<i64>().unsigned_abs(),
            status_writes: values(WRITES).sum::<i64>().unsigned_abs(),
            changes,
            apiserver_rss_kib: stack.control_plane.apiserver().usage()?.resident_bytes / 1024,
        })
    }

    /// Connections of which there is a metric.
    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.ready + self.not_ready + self.unknown).unwrap_or(usize::MAX)
    }

    /// Resident memory.
    pub(crate) fn rss_mib(&self) -> f64 {
        self.rss_kib as f64 / 1024.0
    }

    /// Memory that is mapped from no file.
    pub(crate) fn anonymous_mib(&self) -> f64 {
        self.anonymous_kib as f64 / 1024.0
    }

    fn row(&self) -> String {
        let Sample {
            seconds,
            phase,
            rss_kib,
            anonymous_kib,
            fds,
            threads,
            cpu_seconds,
            ready,
            not_ready,
            unknown,
            checks,
            status_writes,
            changes,
            apiserver_rss_kib,
        } = self;
        let mut row = format!("{seconds:.1},{},{rss_kib},{anonymous_kib},{fds},{threads}", phase.name());
        // Writing to a string cannot fail.
        let _ = write!(row, ",{cpu_seconds:.2},{ready},{not_ready},{unknown},{checks},{status_writes}");
        let _ = write!(row, ",{changes},{apiserver_rss_kib}");
        row
    }

    fn parse(row: &str) -> Option<Sample> {
        let mut fields = row.split(',');
        let seconds = fields.next()?.parse().ok()?;
        let phase = Phase::named(fields.next()?)?;
        let mut number = || fields.next()?.parse::<f64>().ok();
        let mut count = || number().map(|number| number as u64);
        let (rss_kib, anonymous_kib, fds, threads) = (count()?, count()?, count()?, count()?);
        let cpu_seconds = number()?;
        let mut count = || number().map(|number| number as u64);
        Some(Sample {
            seconds,
            phase,
            rss_kib,
            anonymous_kib,
            fds,
            threads,
            cpu_seconds,
            ready: count()?,
            not_ready: count()?,
            unknown: count()?,
            checks: count()?,
            status_writes: count()?,
            changes: count()?,
            apiserver_rss_kib: count()?,
        })
    }
}

/// The progress that people see.
impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sample { phase, fds, threads, ready, checks, changes, .. } = self;
        let (name, rss, anonymous) = (phase.name(), self.rss_mib(), self.anonymous_mib());
        write!(f, "{name:<6}  {rss:.1} MiB ({anonymous:.1} anonymous), {fds} fds, {threads} threads, ")?;
        let connections = self.connections();
        write!(f, "{ready} of {connections} Ready, {checks} checks, {changes} changes")
    }
}

/// The values of all metrics that begin so.
fn values(metrics: &str, prefix: &'static str) -> impl Iterator<Item = i64> {
    let lines = metrics.lines().filter(move |line| line.starts_with(prefix));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok())
}

/// A number of a file of `/proc`.
fn field(text: &str, name: &str) -> Result<u64, Failure> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.ok_or_else(|| format!("the kernel tells no {name}").into())
}

/// The file, to which each sample is written as it comes: a kill loses nothing.
pub(crate) struct Samples(File);

impl Samples {
    pub(crate) fn create(path: &Path) -> Result<Samples, Failure> {
        let mut file = File::create(path)?;
        writeln!(file, "{HEADER}")?;
        Ok(Samples(file))
    }

    pub(crate) fn add(&mut self, sample: &Sample) -> Result<(), Failure> {
        Ok(writeln!(self.0, "{}", sample.row())?)
    }
}

/// All samples of a file; a last line that was cut off by a kill does not count.
pub(crate) fn read(path: &Path) -> Result<Vec<Sample>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).skip(1);
    let parse =
        |row| Sample::parse(row).ok_or_else(|| format!("{}: what is {row:?}?", path.display()).into());
    whole.map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_as_it_was_written() {
        let sample = Sample {
            seconds: 10.5,
            phase: Phase::Outage,
            rss_kib: 1,
            anonymous_kib: 2,
            fds: 3,
            threads: 4,
            cpu_seconds: 5.25,
            ready: 6,
            not_ready: 7,
            unknown: 8,
            checks: 9,
            status_writes: 10,
            changes: 11,
            apiserver_rss_kib: 12,
        };
        assert_eq!(Sample::parse(&sample.row()), Some(sample.clone()));
        assert_eq!(sample.row().split(',').count(), HEADER.split(',').count());
    }

    #[test]
    fn metrics_are_summed_over_their_labels() {
        let metrics = "# HELP a\na_total{x=\"1\"} 2\na_total{x=\"2\"} 3\nb 7\nr{n=\"a 1\"} -1\n";
        assert_eq!(values(metrics, "a_total{").sum::<i64>(), 5);
        assert_eq!(values(metrics, "r{").collect::<Vec<_>>(), [-1]);
    }
}
