//! What the story plays on, and how it is looked at.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clickup_simulator::client::ClientError;
use kube::api::Api;
use test_support::connection::{self, Connection, connections_in};
use test_support::control_plane::{ControlPlane, ControlPlaneError, Options};
use test_support::operator::{OperatorError, OperatorOptions, OperatorProcess};
use test_support::process::ProcessError;
use test_support::simulator::{SimulatorError, SimulatorOptions, SimulatorProcess};
use test_support::stack::OPERATOR;
use test_support::terminal::Terminal;
use test_support::terminal::shell::{Shell, ShellError};

use super::manifests::CONDITIONS_TEMPLATE;

const LOG_LINES: usize = 12;
/// An Event comes after the status, best effort; so may the cache of a reader.
const SOON: Duration = Duration::from_secs(5);

/// The processes, those that have been started.
pub struct Stage {
    pub terminal: Terminal,
    operator_program: PathBuf,
    simulator_program: PathBuf,
    operator: Option<OperatorProcess>,
    simulator: Option<SimulatorProcess>,
    control_plane: Option<ControlPlane>,
}

/// API server and simulator, for the story.
pub struct Scene<'a> {
    pub control_plane: &'a ControlPlane,
    pub simulator: clickup_simulator::SimulatorClient,
    pub client: kube::Client,
    pub shell: Shell,
    directory: PathBuf,
    operator_program: &'a Path,
    clickup_url: String,
    operator: &'a mut Option<OperatorProcess>,
}

/// A connection of the story; written as kubectl takes it.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub namespace: &'static str,
    pub name: &'static str,
}

/// Why the demo fails.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the demo does not show what it should: wanted {wanted}; seen: {seen}")]
    Differs { wanted: String, seen: String },
    #[error("the demo does not show what it should")]
    Shell(#[from] ShellError),
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    #[error(transparent)]
    Control(#[from] ClientError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("cannot read from the API server")]
    Kube(#[from] kube::Error),
    #[error("cannot write {path}")]
    File { path: PathBuf, source: io::Error },
}

impl Stage {
    pub fn new(terminal: Terminal, operator_program: PathBuf, simulator_program: PathBuf) -> Stage {
        Stage {
            terminal,
            operator_program,
            simulator_program,
            operator: None,
            simulator: None,
            control_plane: None,
        }
    }

    /// Starts API server and simulator; the operator is a part of the story.
    pub async fn start(&mut self) -> Result<Scene<'_>, DemoError> {
        let control_plane = ControlPlane::start(Options::default());
        // Stored at once: what is stored is ended in order, whatever fails after it.
        let control_plane = &*self.control_plane.insert(control_plane.await?);
        let options = SimulatorOptions { binary: self.simulator_program.clone(), ..Default::default() };
        let simulator = SimulatorProcess::start(options, control_plane.scratch()).await?;
        let simulator = &*self.simulator.insert(simulator);

        let directory = control_plane.scratch().join("demo");
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let prepare = || {
            fs::create_dir(&directory)?;
            symlink(checkout.join("crds"), directory.join("crds"))?;
            symlink(checkout.join("deploy"), directory.join("deploy"))
        };
        prepare().map_err(|source| DemoError::File { path: directory.clone(), source })?;
        let shell = Shell::new(self.terminal, control_plane, directory.clone());
        let scene = Scene {
            control_plane,
            simulator: simulator.client()?,
            client: control_plane.client().await?,
            shell,
            directory,
            operator_program: &self.operator_program,
            clickup_url: simulator.endpoints().clickup_url.clone(),
            operator: &mut self.operator,
        };
        scene.write("conditions.tmpl", CONDITIONS_TEMPLATE)?;
        Ok(scene)
    }

    /// The end of the operator's log, if it runs.
    pub fn operator_log(&self) -> Option<String> {
        self.operator.as_ref().map(|operator| operator.process().log_tail(LOG_LINES))
    }

    /// Ends what runs and waits until nothing is left.
    pub async fn stop(self) -> Result<(), DemoError> {
        if let Some(operator) = self.operator {
            operator.stop().await?;
        }
        if let Some(simulator) = self.simulator {
            simulator.stop().await?;
        }
        match self.control_plane {
            Some(control_plane) => Ok(control_plane.stop().await?),
            None => Ok(()),
        }
    }
}

impl Scene<'_> {
    /// Starts the operator as its ServiceAccount; returns how long that took.
    pub async fn start_operator(&mut self) -> Result<Duration, DemoError> {
        let options = OperatorOptions {
            binary: self.operator_program.to_path_buf(),
            clickup_url: self.clickup_url.clone(),
            kubeconfig: self.control_plane.service_account_kubeconfig(OPERATOR, OPERATOR).await?,
            log_level: "info".to_string(),
            args: Vec::new(),
            env: Vec::new(),
        };
        let start = Instant::now();
        *self.operator = Some(OperatorProcess::start(options, self.control_plane.scratch()).await?);
        Ok(start.elapsed())
    }

    /// Writes a file where the commands are run.
    pub fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let path = self.directory.join(name);
        fs::write(&path, text).map_err(|source| DemoError::File { path, source })
    }

    /// The connections of a subject's namespace.
    pub fn connections(&self, Subject { namespace, .. }: Subject) -> Api<Connection> {
        connections_in(self.client.clone(), namespace)
    }

    /// Fails unless the connection has each of these conditions: type, status, reason.
    pub async fn check(
        &self,
        subject: Subject,
        wanted: &[(&str, &str, &str)],
    ) -> Result<Connection, DemoError> {
        let connection = self.connections(subject).get(subject.name).await?;
        let missing = wanted
            .iter()
            .find(|(type_, status, reason)| !connection::has(&connection, type_, status, reason));
        match missing {
            None => Ok(connection),
            Some((type_, status, reason)) => Err(DemoError::Differs {
                wanted: format!("{type_}={status} ({reason}) of {subject}"),
                seen: connection::summary(&connection),
            }),
        }
    }

    /// Waits until `look` finds something that a moment may bring.
    pub async fn soon<T, Looking>(&self, what: &str, look: impl FnMut() -> Looking) -> Result<T, DemoError>
    where
        Looking: Future<Output = Result<T, String>>,
    {
        let found = test_support::wait::until(SOON, what, look).await;
        found.map_err(|timeout| DemoError::Differs { wanted: what.to_string(), seen: timeout.last_seen })
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace {
            "default" => write!(f, "cuc {}", self.name),
            namespace => write!(f, "cuc {} -n {namespace}", self.name),
        }
    }
}

/// Fails unless this is so.
pub fn require(so: bool, wanted: impl Into<String>, seen: impl Into<String>) -> Result<(), DemoError> {
    if so { Ok(()) } else { Err(DemoError::Differs { wanted: wanted.into(), seen: seen.into() }) }
}
