//! The ClickUp simulator as a process.

use std::path::PathBuf;
use std::time::Duration;

use clickup_simulator::client::ClientError;
use clickup_simulator::{Endpoints, SimulatorClient};

use crate::process::{Guarded, Launch, NotReady, ProcessError, command_without_proxy};
use crate::scratch::ScratchDir;

const READY_DEADLINE: Duration = Duration::from_secs(20);
const GRACE: Duration = Duration::from_secs(2);

/// How to start the simulator.
#[derive(Clone, Debug, Default)]
pub struct SimulatorOptions {
    /// The program, `clickup-simulator`.
    pub binary: PathBuf,
    /// Users, workspaces and tokens (YAML); the built-in ones without it.
    pub state: Option<PathBuf>,
    /// Listen for TLS too, with a good certificate and with bad ones.
    pub tls: bool,
}

/// A running simulator. Dropping it ends it.
#[derive(Debug)]
pub struct SimulatorProcess {
    process: Guarded,
    endpoints: Endpoints,
}

/// The simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The program is missing.
    #[error("cannot start the simulator; `cargo build -p clickup-simulator` makes it")]
    Start(#[from] ProcessError),
    /// It did not say where it listens.
    #[error(transparent)]
    NotReady(#[from] NotReady),
}

impl SimulatorProcess {
    /// Starts it on free ports, with its log in `scratch`.
    pub async fn start(
        options: SimulatorOptions,
        scratch: &ScratchDir,
    ) -> Result<SimulatorProcess, SimulatorError> {
        let SimulatorOptions { binary, state, tls } = options;
        let mut command = command_without_proxy(&binary);
        command.args(["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]);
        if let Some(state) = state {
            command.arg("--state").arg(state);
        }
        if tls {
            command.args(["--tls-listen", "127.0.0.1:0"]);
        }
        let log = scratch.join("simulator.log");
        let launch = Launch { name: "clickup-simulator", command, log, scratch: Some(scratch), grace: GRACE };
        let process = Guarded::start(launch)?;
        let endpoints = process.until_ready(READY_DEADLINE, || async { announced(&process.log()) }).await?;
        Ok(SimulatorProcess { process, endpoints })
    }

    /// Where it listens; `clickup_url` is what the operator takes.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// A client of its control API, on the runtime that calls this.
    pub fn client(&self) -> Result<SimulatorClient, ClientError> {
        SimulatorClient::new(&self.endpoints.control)
    }

    /// The process: pid, log, signals.
    pub fn process(&self) -> &Guarded {
        &self.process
    }

    /// Ends it.
    pub async fn stop(self) -> Result<(), ProcessError> {
        self.process.stop().await.map(|_| ())
    }
}

/// The simulator prints one line of JSON when it listens.
fn announced(log: &str) -> Result<Endpoints, String> {
    let endpoints = log.split_inclusive('\n').find_map(|line| serde_json::from_str(line).ok());
    endpoints.ok_or_else(|| format!("no line with its addresses, but {log:?}"))
}
