//! The process by the names that Prometheus gives to every process's metrics, read from `/proc` at each scrape. Where there
//! is no `/proc`, there are none.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::Unit,
};
use rustix::param::{clock_ticks_per_second, page_size};
use std::{fmt, fs};

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Usage {
    cpu_seconds: f64,
    resident_bytes: i64,
    virtual_bytes: i64,
    threads: i64,
    started: f64,
}

/// Reads it when it is asked for.
#[derive(Debug)]
pub(super) struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let encoder = &mut encoder;
        if let Some(usage) = usage() {
            let Usage { cpu_seconds, resident_bytes, virtual_bytes, threads, started } = usage;
            let seconds = Some(&Unit::Seconds);
            put(encoder, "process_cpu", "Processor time used", seconds, &ConstCounter::new(cpu_seconds))?;
            let bytes = Some(&Unit::Bytes);
            put(
                encoder,
                "process_resident_memory",
                "Memory in use",
                bytes,
                &ConstGauge::new(resident_bytes),
            )?;
            let virtual_memory = ConstGauge::new(virtual_bytes);
            put(encoder, "process_virtual_memory", "Memory addressed", bytes, &virtual_memory)?;
            let started = ConstGauge::new(started);
            put(encoder, "process_start_time", "When the process began, since the epoch", seconds, &started)?;
            put(encoder, "process_threads", "Threads", None, &ConstGauge::new(threads))?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them reads this directory.
            let open = i64::try_from(open.count()).unwrap_or(i64::MAX).saturating_sub(1);
            put(encoder, "process_open_fds", "Open file descriptors", None, &ConstGauge::new(open))?;
        }
        if let Some(most) = fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(open_files_limit)
        {
            put(encoder, "process_max_fds", "Open file descriptors allowed", None, &ConstGauge::new(most))?;
        }
        Ok(())
    }
}

fn put(
    encoder: &mut DescriptorEncoder,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: &impl EncodeMetric,
) -> fmt::Result {
    value.encode(encoder.encode_descriptor(name, help, unit, value.metric_type())?)
}

fn usage() -> Option<Usage> {
    let (process, machine) =
        (fs::read_to_string("/proc/self/stat").ok()?, fs::read_to_string("/proc/stat").ok()?);
    parse(&process, &machine, clock_ticks_per_second(), page_size())
}

fn parse(process: &str, machine: &str, ticks: u64, page: usize) -> Option<Usage> {
    // The program's name, in parentheses, may hold anything.
    let fields: Vec<_> = process.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |n: usize| fields.get(n)?.parse::<u64>().ok();
    let seconds = |ticks_passed: u64| ticks_passed as f64 / ticks as f64;
    let booted: u64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(Usage {
        cpu_seconds: seconds(field(11)? + field(12)?),
        threads: i64::try_from(field(17)?).ok()?,
        started: booted as f64 + seconds(field(19)?),
        virtual_bytes: i64::try_from(field(20)?).ok()?,
        resident_bytes: i64::try_from(field(21)? * page as u64).ok()?,
    })
}

fn open_files_limit(limits: &str) -> Option<i64> {
    limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_are_understood() {
        let process =
            "17 (a) odd (name)) S 1 17 17 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 3 0 1000 73728000 512 18446";
        let usage = parse(process, "cpu  1 2\nbtime 1795000000\n", 100, 4096).unwrap();
        let wanted = Usage {
            cpu_seconds: 3.0,
            resident_bytes: 512 * 4096,
            virtual_bytes: 73_728_000,
            threads: 3,
            started: 1_795_000_010.0,
        };
        assert_eq!(usage, wanted);
        assert_eq!(parse("17 (short) S 1", "btime 1\n", 100, 4096), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files_limit(limits), Some(1024));
        assert_eq!(open_files_limit("Max open files            unlimited            unlimited"), None);
    }
}
