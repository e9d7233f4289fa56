//! The operator, started so that the times of its start can be told to a few milliseconds.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use test_support::process::{Guarded, Launch};

use crate::Failure;
use crate::ground::Ground;
use crate::measure::connections_to;
use crate::phases::Used;

const READY_PATIENCE: Duration = Duration::from_secs(120);
const LONGEST_LOOK: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(10);
const READY_METRIC: &str = "clickup_operator_connection_ready{";
const PASSES_METRIC: &str = "clickup_operator_reconciles_total{";
const CHECKS_METRIC: &str = "clickup_operator_checks_total{";
const WRITTEN_METRIC: &str = "clickup_operator_status_writes_total{outcome=\"written\"}";
const EVENTS_METRIC: &str = "clickup_operator_events_total{";

/// The program and more arguments for it.
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) args: Vec<String>,
    /// A program that runs it, with its arguments.
    pub(crate) under: Vec<OsString>,
}

/// A running operator.
pub(crate) struct Operator {
    process: Guarded,
    metrics_url: String,
    http: reqwest::Client,
    began: Instant,
    /// From before its start to the first good answer of `/healthz`.
    pub(crate) alive_after: Duration,
    /// From before its start to the first good answer of `/readyz`.
    pub(crate) ready_after: Duration,
}

impl Program {
    /// Starts it and waits until `/readyz` says ok.
    pub(crate) async fn start(&self, ground: &Ground) -> Result<Operator, Failure> {
        test_support::install_crypto_provider();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build()?;
        let scratch = ground.control_plane.scratch();
        let [metrics, health] = free_addresses()?;
        let mut words = self.under.iter().cloned().chain([self.binary.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(["run", "--allow-insecure-http", "--clickup-url", ground.clickup_url()]);
        command.args(["--metrics-addr", &metrics, "--health-addr", &health]).args(&self.args);
        command.env("KUBECONFIG", &ground.kubeconfig);
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            command.env_remove(variable);
        }
        let (name, log) = ("clickup-operator", scratch.join("operator.log"));
        let began = Instant::now();
        let process = Guarded::start(Launch { name, command, log, scratch: Some(scratch), grace: GRACE })?;
        let answers = async |path: &str| {
            let url = format!("http://{health}/{path}");
            while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                if let Some(exit) = process.exited() {
                    return Err(format!("the operator ended with {exit}: {}", process.log_tail(5)));
                }
                if began.elapsed() > READY_PATIENCE {
                    return Err(format!("/{path} is not ok after {} s", READY_PATIENCE.as_secs()));
                }
                // Two hundredths of the time so far: exact enough, and too seldom to be felt.
                tokio::time::sleep((began.elapsed() / 50).max(Duration::from_millis(1))).await;
            }
            Ok(began.elapsed())
        };
        let alive_after = answers("healthz").await?;
        let ready_after = answers("readyz").await?;
        let metrics_url = format!("http://{metrics}/metrics");
        Ok(Operator { process, metrics_url, http, began, alive_after, ready_after })
    }
}

impl Operator {
    /// Waits until so many connections are Ready.
    pub(crate) async fn until_all_ready(&self, count: usize, patience: Duration) -> Result<(), Failure> {
        self.until(count, patience, "connections Ready", |metrics| metrics.connections("1")).await
    }

    /// Waits until the metrics count so many of `what`.
    ///
    /// Another watch, or lists, would cost the API server, which is what limits both sides. A scrape costs the operator
    /// in proportion to its connections, so there are about twenty of them, spaced by the time that is left at the pace
    /// so far; how long it took, the audit log tells afterwards.
    pub(crate) async fn until(
        &self,
        count: usize,
        patience: Duration,
        what: &str,
        of: impl Fn(&Metrics) -> u64,
    ) -> Result<(), Failure> {
        let (count, began) = (count as u64, Instant::now());
        loop {
            let seen = of(&self.metrics().await?);
            if seen >= count {
                return Ok(());
            }
            if let Some(exit) = self.process.exited() {
                return Err(format!("the operator ended with {exit}: {}", self.process.log_tail(5)).into());
            }
            if began.elapsed() > patience {
                let (seconds, log) = (began.elapsed().as_secs(), self.process.log_tail(3));
                let seen = format!("{seen} of {count} {what} after {seconds} s");
                return Err(format!("{seen}; the end of the operator's log:\n{log}").into());
            }
            let elapsed = self.began.elapsed();
            let left = elapsed.mul_f64((count - seen) as f64 / seen.max(1) as f64);
            let shortest = (elapsed / 50).max(Duration::from_millis(20));
            // The first looks know little of the pace.
            tokio::time::sleep((left / 3).min(elapsed).clamp(shortest, LONGEST_LOOK)).await;
        }
    }

    /// What its metrics say now.
    pub(crate) async fn metrics(&self) -> Result<Metrics, Failure> {
        Ok(Metrics(self.http.get(&self.metrics_url).send().await?.error_for_status()?.text().await?))
    }

    /// Memory, processor time and connections so far.
    pub(crate) fn used(&self, ground: &Ground) -> Result<Used, Failure> {
        let api_connections = connections_to(ground, self.process.pid())?;
        Ok(Used { usage: self.process.usage()?, api_connections })
    }

    /// The process, or the program that runs it.
    pub(crate) fn process(&self) -> &Guarded {
        &self.process
    }

    /// Ends it with SIGTERM.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let exit = self.process.stop().await?;
        if exit.success() { Ok(()) } else { Err(format!("the operator ended with {exit}").into()) }
    }
}

/// One answer of `/metrics`.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Connections whose readiness is 1, 0 or -1.
    pub(crate) fn connections(&self, readiness: &str) -> u64 {
        self.lines(READY_METRIC).filter(|(_, value)| *value == readiness).count() as u64
    }

    /// Passes over connections, whatever came of them.
    pub(crate) fn passes(&self) -> u64 {
        self.sum(PASSES_METRIC)
    }

    /// Checks that ended, whatever came of them.
    pub(crate) fn checks(&self) -> u64 {
        self.sum(CHECKS_METRIC)
    }

    /// Statuses written.
    pub(crate) fn written(&self) -> u64 {
        self.sum(WRITTEN_METRIC)
    }

    /// Events, whatever became of them, and those among them that were sent.
    pub(crate) fn events(&self) -> [u64; 2] {
        let sent = self.lines(EVENTS_METRIC).filter(|(labels, _)| labels.contains("\"sent\""));
        [self.sum(EVENTS_METRIC), sent.filter_map(|(_, value)| value.parse::<u64>().ok()).sum()]
    }

    fn sum(&self, metric: &str) -> u64 {
        self.lines(metric).filter_map(|(_, value)| value.parse::<u64>().ok()).sum()
    }

    /// Labels and value of each line of a metric.
    fn lines<'a>(&'a self, metric: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.lines().filter_map(move |line| line.strip_prefix(metric)?.rsplit_once(' '))
    }
}

fn free_addresses() -> std::io::Result<[String; 2]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Both are held until both are chosen.
    let (one, other) = (listen()?, listen()?);
    Ok([one.local_addr()?.to_string(), other.local_addr()?.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_counted() {
        let metrics = Metrics(
            "clickup_operator_connection_ready{namespace=\"a\",name=\"b\"} 1\n\
             clickup_operator_connection_ready{namespace=\"a\",name=\"c\"} 0\n\
             clickup_operator_events_total{outcome=\"sent\"} 3\n\
             clickup_operator_events_total{outcome=\"dropped\"} 4\n\
             clickup_operator_status_writes_total{outcome=\"written\"} 5\n\
             clickup_operator_status_writes_total{outcome=\"unchanged\"} 6\n"
                .to_owned(),
        );
        assert_eq!((metrics.connections("1"), metrics.connections("0")), (1, 1));
        assert_eq!((metrics.events(), metrics.written(), metrics.checks()), ([7, 3], 5, 0));
    }
}
