//! The operator as a process, in the role of its ServiceAccount.

use std::path::PathBuf;
use std::time::Duration;

use crate::http;
use crate::network::free_ports;
use crate::process::{Exit, Guarded, Launch, NotReady, ProcessError, Signal, command_without_proxy};
use crate::scratch::ScratchDir;
use crate::wait::{self, TimedOut};

const ATTEMPTS: u32 = 5;
const READY_DEADLINE: Duration = Duration::from_secs(30);
/// After SIGTERM the operator has 10 s; this is a little more.
const TERMINATION_DEADLINE: Duration = Duration::from_secs(15);
const GRACE: Duration = Duration::from_secs(10);

/// How to start the operator.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// The program, for example `env!("CARGO_BIN_EXE_clickup-operator")`.
    pub binary: PathBuf,
    /// For `--clickup-url`; plain http is allowed if this is.
    pub clickup_url: String,
    /// As whom it asks the API server.
    pub kubeconfig: PathBuf,
    /// For `--log-level`.
    pub log_level: String,
    /// More arguments.
    pub args: Vec<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
}

/// A running operator, ready. Dropping it ends it.
#[derive(Debug)]
pub struct OperatorProcess {
    options: OperatorOptions,
    process: Guarded,
    metrics_url: String,
    health_url: String,
}

/// The operator did not start, answer or end.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The program is missing or cannot be signalled.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No port could be had.
    #[error("no free port on 127.0.0.1")]
    NoPort(#[source] std::io::Error),
    /// It did not become ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A probe or the metrics do not answer 200.
    #[error("{url} does not answer: {seen}")]
    Probe {
        /// What was asked.
        url: String,
        /// What came.
        seen: String,
    },
}

impl OperatorProcess {
    /// Starts it and waits until `/readyz` says ok. Its log is in `scratch`, appended to by each start.
    pub async fn start(
        options: OperatorOptions,
        scratch: &ScratchDir,
    ) -> Result<OperatorProcess, OperatorError> {
        let mut attempt = 1;
        loop {
            // Between choosing a port and using it somebody else may have taken it.
            match start_once(&options, scratch).await {
                Err(OperatorError::NotReady(failure)) if failure.port_taken() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The process: pid, memory and CPU time, signals, log.
    pub fn process(&self) -> &Guarded {
        &self.process
    }

    /// `http://127.0.0.1:PORT/metrics`
    pub fn metrics_url(&self) -> &str {
        &self.metrics_url
    }

    /// `http://127.0.0.1:PORT`, where `/healthz` and `/readyz` are.
    pub fn health_url(&self) -> &str {
        &self.health_url
    }

    /// What it was started with.
    pub fn options(&self) -> &OperatorOptions {
        &self.options
    }

    /// Its metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> Result<String, OperatorError> {
        probe(&self.metrics_url).await
    }

    /// The answer of `/healthz`, which is an error unless it is healthy.
    pub async fn healthz(&self) -> Result<String, OperatorError> {
        probe(&format!("{}/healthz", self.health_url)).await
    }

    /// The answer of `/readyz`, which is an error until it has seen everything once.
    pub async fn readyz(&self) -> Result<String, OperatorError> {
        probe(&format!("{}/readyz", self.health_url)).await
    }

    /// Whether it leads, as its metrics say.
    pub async fn leads(&self) -> Result<bool, OperatorError> {
        let metrics = self.metrics().await?;
        match metrics.lines().find_map(|line| line.strip_prefix("clickup_operator_leader ")) {
            Some("1") => Ok(true),
            Some("0") => Ok(false),
            other => {
                let seen = format!("clickup_operator_leader is {other:?}");
                Err(OperatorError::Probe { url: self.metrics_url.clone(), seen })
            }
        }
    }

    /// Waits until it leads.
    pub async fn until_leads(&self, patience: Duration) -> Result<(), TimedOut> {
        wait::until(patience, "the operator to lead", || async {
            match self.leads().await {
                Ok(true) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Sends SIGTERM and waits until it has ended, 15 s at most.
    pub async fn terminate(&self) -> Result<Exit, OperatorError> {
        self.process.signal(Signal::Terminate)?;
        Ok(self.process.wait(TERMINATION_DEADLINE).await?)
    }

    /// Ends it, if it has not ended, and starts it again with the same options; says how the old one ended.
    pub async fn restart(&mut self, scratch: &ScratchDir) -> Result<Exit, OperatorError> {
        let exit = match self.process.exited() {
            Some(exit) => exit,
            None => self.terminate().await?,
        };
        *self = OperatorProcess::start(self.options.clone(), scratch).await?;
        Ok(exit)
    }

    /// Ends it, by force if need be.
    pub async fn stop(self) -> Result<Exit, ProcessError> {
        self.process.stop().await
    }
}

async fn start_once(
    options: &OperatorOptions,
    scratch: &ScratchDir,
) -> Result<OperatorProcess, OperatorError> {
    let [metrics_port, health_port] = free_ports().map_err(OperatorError::NoPort)?;
    let OperatorOptions { binary, clickup_url, kubeconfig, log_level, args, env } = options;
    let mut command = command_without_proxy(binary);
    command.args(["run", "--clickup-url", clickup_url, "--log-format", "json", "--log-level", log_level]);
    if clickup_url.starts_with("http://") {
        command.arg("--allow-insecure-http");
    }
    command.args(["--metrics-addr".to_string(), format!("127.0.0.1:{metrics_port}")]);
    command.args(["--health-addr".to_string(), format!("127.0.0.1:{health_port}")]);
    command.args(args);
    command.env("KUBECONFIG", kubeconfig).env_remove("RUST_LOG");
    command.envs(env.iter().map(|(name, value)| (name, value)));
    command.current_dir(scratch.path());

    let log = scratch.join("operator.log");
    let launch = Launch { name: "clickup-operator", command, log, scratch: Some(scratch), grace: GRACE };
    let process = Guarded::start(launch)?;
    let metrics_url = format!("http://127.0.0.1:{metrics_port}/metrics");
    let health_url = format!("http://127.0.0.1:{health_port}");
    let readyz = format!("{health_url}/readyz");
    process.until_ready(READY_DEADLINE, || http::get(&readyz, None)).await?;
    Ok(OperatorProcess { options: options.clone(), process, metrics_url, health_url })
}

async fn probe(url: &str) -> Result<String, OperatorError> {
    http::get(url, None).await.map_err(|seen| OperatorError::Probe { url: url.to_string(), seen })
}
