//! The order of everything, and what it is measured on.

use std::time::Instant;

use crate::arguments::{Arguments, Plan};
use crate::phases::{Bench, beside};
use crate::report::{Machine, Report, rules};
use crate::{Failure, progress};

const TOOLCHAIN: &str = include_str!("../../../../../rust-toolchain.toml");

/// Measures what is asked for and leaves nothing behind.
pub(crate) async fn run(arguments: &Arguments) -> Result<Report, Failure> {
    let began = Instant::now();
    let Plan { sizes, sweep, cases } = arguments.plan();
    let mut report = Report {
        machine: Machine::default(),
        latency_ms: arguments.latency,
        binary_bytes: std::fs::metadata(beside(&arguments.operator, "clickup-operator")?)?.len(),
        seconds: 0.0,
        sizes: Vec::new(),
        sweep: Vec::new(),
        cases: None,
        wrong: Vec::new(),
    };
    // Each on an API server of its own, so that none inherits what another left in it.
    for size in sizes {
        progress(format_args!("{size} connections: everything"));
        let bench = Bench::prepare(arguments, size).await?;
        report.machine = machine(&bench).await?;
        report.sizes.push(bench.everything().await?);
        bench.stop().await?;
    }
    for size in sweep {
        progress(format_args!("{size} connections: cold starts"));
        let bench = Bench::prepare(arguments, size).await?;
        report.machine = machine(&bench).await?;
        let (cold, running) = bench.cold().await?;
        running.stop().await?;
        report.sweep.push(cold);
        bench.stop().await?;
    }
    if let Some(size) = cases {
        progress(format_args!("{size} connections: unrelated Secrets, refused tokens, one token"));
        let bench = Bench::prepare(arguments, size).await?;
        report.machine = machine(&bench).await?;
        report.cases = Some(bench.cases().await?);
        bench.stop().await?;
    }
    report.seconds = began.elapsed().as_secs_f64();
    report.wrong = rules::broken(&report);
    Ok(report)
}

async fn machine(bench: &Bench) -> Result<Machine, Failure> {
    let read = |path| std::fs::read_to_string(path);
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let memory = field(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kibibytes: u64 = memory.split(' ').next().unwrap_or_default().parse()?;
    let release = read("/proc/sys/kernel/osrelease")?;
    Ok(Machine {
        date: k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rust: TOOLCHAIN.split('"').nth(1).unwrap_or_default().to_owned(),
        kubernetes: bench.ground.admin.apiserver_version().await?.git_version,
        cores: std::thread::available_parallelism()?.get(),
        cpu: field(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".to_owned()),
        memory_bytes: kibibytes * 1024,
        // Major and minor number; the rest names a build.
        kernel: format!("Linux {}", release.trim().splitn(3, '.').take(2).collect::<Vec<_>>().join(".")),
    })
}
