//! A cluster that can break: a real API server behind an interposer, ClickUp behind a switch, and the operator between.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kube::config::Kubeconfig;
use test_support::control_plane::{self, ControlPlane, ControlPlaneError};
use test_support::operator::{OperatorError, OperatorOptions, OperatorProcess};
use test_support::process::{ProcessError, Signal};
use test_support::simulator::{SimulatorError, SimulatorOptions, SimulatorProcess};
use test_support::{stack, wait};

mod breakage;
mod fault;
pub mod interposer;
mod killer;
mod port;
mod switch;

pub use fault::{BadCertificate, ClusterFault, Explains, Refusal};

use interposer::{Interposer, InterposerError};
use killer::Killer;
use switch::{Switch, Way};

/// How to start a cluster. [`Options::new`] has what most need.
#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's program.
    pub operator: PathBuf,
    /// The simulator's.
    pub simulator: PathBuf,
    /// Where `crds/` and `deploy/` are.
    pub checkout: PathBuf,
    /// For the API server.
    pub control_plane: control_plane::Options,
    /// More arguments for the operator.
    pub operator_args: Vec<String>,
    /// The operator's log level.
    pub log_level: String,
}

impl Options {
    /// For this operator, with the simulator that lies beside it, from the checkout that this crate was built from.
    pub fn new(operator: impl Into<PathBuf>) -> Options {
        let operator = operator.into();
        Options {
            simulator: operator.with_file_name("clickup-simulator"),
            operator,
            checkout: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
            control_plane: control_plane::Options::default(),
            operator_args: Vec::new(),
            log_level: "debug".to_owned(),
        }
    }
}

/// A running cluster. Dropping it ends it, and so does the end of this process.
pub struct Cluster {
    // Dropped in this order: the operator before what it talks to.
    killer: Option<Killer>,
    operator: Arc<OperatorProcess>,
    operator_options: OperatorOptions,
    interposer: Interposer,
    clickup: Switch,
    simulator: SimulatorProcess,
    admin: kube::Client,
    control_plane: ControlPlane,
}

/// A cluster did not start, break, heal or end.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server, or what was applied to it.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The simulator.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The simulator's control API.
    #[error(transparent)]
    Control(#[from] clickup_simulator::client::ClientError),
    /// The interposer.
    #[error(transparent)]
    Interposer(#[from] InterposerError),
    /// The operator.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A process does not take a signal, or does not end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The way to ClickUp has no port.
    #[error("no port on 127.0.0.1 for the way to ClickUp")]
    Switch(#[source] io::Error),
    /// The simulator does not say where it listens for TLS.
    #[error("the simulator does not say where it listens for TLS")]
    NoTls,
    /// A file could not be written.
    #[error("cannot write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The operator's kubeconfig could not be redirected.
    #[error("cannot redirect the kubeconfig of the operator")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The same.
    #[error("cannot write the kubeconfig of the operator")]
    Json(#[from] serde_json::Error),
    /// The operator is not healthy again.
    #[error(transparent)]
    NotHealed(#[from] wait::TimedOut),
    /// The write that was waited for did not come.
    #[error("the operator sent too few writes within {0:?}: it was not killed")]
    NotStruck(Duration),
    /// Nobody has asked for the operator to be killed at a write.
    #[error("no write is waited for")]
    NotArmed,
}

type Result<T> = std::result::Result<T, ClusterError>;

impl Cluster {
    /// Starts everything and waits until the operator is ready, about 10 s.
    pub async fn start(options: &Options) -> Result<Cluster> {
        let Options { operator, simulator, checkout, control_plane, operator_args, log_level } = options;
        let control_plane = ControlPlane::start(control_plane.clone()).await?;
        let scratch = control_plane.scratch();
        let simulator = SimulatorOptions { binary: simulator.clone(), state: None, tls: true };
        let simulator = SimulatorProcess::start(simulator, scratch).await?;
        stack::install_crd(&control_plane, checkout).await?;
        let kubeconfig = stack::install_rbac(&control_plane, checkout).await?;

        let interposer = Interposer::start(control_plane.url(), &control_plane.ca_pem()?).await?;
        let interposer_ca = write(scratch.join("interposer.crt"), interposer.ca_pem())?;
        let redirected = redirect(&kubeconfig, &interposer.url(), &interposer_ca)?;
        let kubeconfig = write(scratch.join("interposed.kubeconfig"), &redirected)?;

        let clickup = Switch::start(good_way(&simulator)?).await.map_err(ClusterError::Switch)?;
        let clickup_ca = write(scratch.join("clickup.crt"), &simulator.client()?.ca_pem().await?)?;
        let mut args = vec!["--ca-file".to_owned(), clickup_ca.display().to_string()];
        args.extend(operator_args.iter().cloned());
        let operator_options = OperatorOptions {
            binary: operator.clone(),
            clickup_url: format!("https://{}/api", clickup.address()),
            kubeconfig,
            log_level: log_level.clone(),
            args,
            env: Vec::new(),
        };
        let operator = Arc::new(OperatorProcess::start(operator_options.clone(), scratch).await?);
        let admin = control_plane.client().await?;
        let killer = None;
        Ok(Cluster {
            killer,
            operator,
            operator_options,
            interposer,
            clickup,
            simulator,
            admin,
            control_plane,
        })
    }

    /// A client for the administrator, straight to the API server: what befalls the interposer does not befall it. It
    /// finds the API server again after its restart.
    pub fn admin(&self) -> kube::Client {
        self.admin.clone()
    }

    /// ClickUp.
    pub fn simulator(&self) -> &SimulatorProcess {
        &self.simulator
    }

    /// The operator; another process after each fault that restarts it, with other addresses.
    pub fn operator(&self) -> &OperatorProcess {
        &self.operator
    }

    /// Kubernetes.
    pub fn control_plane(&self) -> &ControlPlane {
        &self.control_plane
    }

    /// What the operator takes for the API server.
    pub fn interposer(&self) -> &Interposer {
        &self.interposer
    }

    /// Ends everything in order and waits until nothing is left.
    pub async fn stop(self) -> Result<()> {
        let Cluster { killer, operator, interposer, clickup, simulator, admin, control_plane, .. } = self;
        drop(killer);
        operator.process().stop().await?;
        drop((operator, interposer, clickup, admin));
        simulator.stop().await?;
        Ok(control_plane.stop().await?)
    }
}

fn good_way(simulator: &SimulatorProcess) -> Result<Way> {
    let tls = simulator.endpoints().tls.as_ref().ok_or(ClusterError::NoTls)?;
    way_to(&tls.good)
}

/// To `https://ADDRESS:PORT`.
fn way_to(origin: &str) -> Result<Way> {
    let address = origin.strip_prefix("https://").and_then(|address| address.parse().ok());
    address.map(Way::To).ok_or(ClusterError::NoTls)
}

/// The kubeconfig, for the same user at another server.
fn redirect(kubeconfig: &Path, url: &str, ca: &Path) -> Result<String> {
    let mut kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        cluster.server = Some(url.to_owned());
        cluster.certificate_authority = Some(ca.display().to_string());
    }
    Ok(serde_json::to_string(&kubeconfig)?)
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf> {
    match std::fs::write(&path, text) {
        Ok(()) => Ok(path),
        Err(source) => Err(ClusterError::File { path, source }),
    }
}
