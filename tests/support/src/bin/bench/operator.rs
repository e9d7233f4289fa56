//! The operator, started so that the times of its start can be told to a few milliseconds.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use test_support::process::{Guarded, Launch, Usage};

use crate::Failure;
use crate::ground::Ground;

const READY_PATIENCE: Duration = Duration::from_secs(120);
const GRACE: Duration = Duration::from_secs(10);
const READY_METRIC: &str = "clickup_operator_connection_ready{";
const PASSES_METRIC: &str = "clickup_operator_reconciles_total{";

/// The program and more arguments for it.
pub(crate) struct Program {
    pub(crate) binary: PathBuf,
    pub(crate) args: Vec<String>,
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
        let mut command = Command::new(&self.binary);
        command.args(["run", "--allow-insecure-http", "--clickup-url", ground.clickup_url()]);
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
    ///
    /// Asks the operator's own metrics: another watch, or lists, would cost the API server, which is what limits both
    /// sides. A scrape costs the operator in proportion to its connections, so there are about twenty of them, spaced
    /// by the time that is left at the pace so far; how long it took, the audit log tells afterwards.
    pub(crate) async fn until_all_ready(&self, count: usize, patience: Duration) -> Result<(), Failure> {
        loop {
            let ready = self.ready().await?;
            if ready >= count {
                return Ok(());
            }
            if let Some(exit) = self.process.exited() {
                return Err(format!("the operator ended with {exit}: {}", self.process.log_tail(5)).into());
            }
            let elapsed = self.began.elapsed();
            if elapsed > patience {
                let (seconds, log) = (elapsed.as_secs(), self.process.log_tail(3));
                let seen = format!("{ready} of {count} connections are Ready after {seconds} s");
                return Err(format!("{seen}; the end of the operator's log:\n{log}").into());
            }
            let left = elapsed.mul_f64((count - ready) as f64 / ready.max(1) as f64);
            let shortest = (elapsed / 50).max(Duration::from_millis(20));
            tokio::time::sleep((left / 3).clamp(shortest, Duration::from_secs(5))).await;
        }
    }

    async fn ready(&self) -> Result<usize, Failure> {
        let text = self.metrics().await?;
        let lines = text.lines().filter(|line| line.starts_with(READY_METRIC));
        Ok(lines.filter(|line| line.ends_with(" 1")).count())
    }

    /// Passes over connections so far, whatever came of them.
    pub(crate) async fn passes(&self) -> Result<u64, Failure> {
        let text = self.metrics().await?;
        let lines = text.lines().filter(|line| line.starts_with(PASSES_METRIC));
        Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
    }

    async fn metrics(&self) -> Result<String, Failure> {
        Ok(self.http.get(&self.metrics_url).send().await?.error_for_status()?.text().await?)
    }

    /// Memory and processor time so far.
    pub(crate) fn usage(&self) -> Result<Usage, Failure> {
        Ok(self.process.usage()?)
    }

    /// Ends it with SIGTERM.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let exit = self.process.stop().await?;
        if exit.success() { Ok(()) } else { Err(format!("the operator ended with {exit}").into()) }
    }
}

fn free_addresses() -> std::io::Result<[String; 2]> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    // Both are held until both are chosen.
    let (one, other) = (listen()?, listen()?);
    Ok([one.local_addr()?.to_string(), other.local_addr()?.to_string()])
}
