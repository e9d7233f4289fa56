//! Everything at once: API server, CRD, RBAC, simulator and operator.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::sync::OnceCell;

use crate::control_plane::{self, ControlPlane, ControlPlaneError};
use crate::operator::{OperatorError, OperatorOptions, OperatorProcess};
use crate::process::ProcessError;
use crate::simulator::{SimulatorError, SimulatorOptions, SimulatorProcess};

/// Namespace of the operator and name of its ServiceAccount, as `deploy/` has them.
pub const OPERATOR: &str = "clickup-operator";

const CRD_FILE: &str = "crds/clickupconnections.yaml";
const CRD: &str = "crd/clickupconnections.clickup-operator.dev";
const RBAC_FILES: [&str; 4] = [
    "deploy/base/namespace.yaml",
    "deploy/base/serviceaccount.yaml",
    "deploy/base/rbac.yaml",
    "deploy/base/leader-election.yaml",
];

/// How to start a stack. [`StackOptions::new`] has what most tests need.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Where `crds/` and `deploy/` are: the checkout that this crate was built from.
    pub checkout: PathBuf,
    /// For the API server.
    pub control_plane: control_plane::Options,
    /// For the simulator.
    pub simulator: SimulatorOptions,
    /// The operator's program.
    pub operator: PathBuf,
    /// The operator's log level.
    pub log_level: String,
    /// More arguments for the operator.
    pub operator_args: Vec<String>,
    /// More environment for the operator.
    pub operator_env: Vec<(String, String)>,
}

/// A running stack. Dropping it ends it, and so does the end of this process.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order: the operator before what it talks to.
    /// The operator.
    pub operator: OperatorProcess,
    /// ClickUp.
    pub simulator: SimulatorProcess,
    /// Kubernetes.
    pub control_plane: ControlPlane,
}

/// A stack that all tests of one binary share; it is started by the first that asks for it.
///
/// ```no_run
/// use test_support::stack::{SharedStack, Stack, StackOptions};
///
/// static STACK: SharedStack = SharedStack::new();
/// # async fn example() {
/// let stack: &Stack = STACK.get(|| StackOptions::new("target/debug/clickup-operator")).await.unwrap();
/// # }
/// ```
#[derive(Debug)]
pub struct SharedStack(OnceCell<Result<Stack, StackError>>);

/// A stack did not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The API server, or what was applied to it.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The simulator.
    #[error(transparent)]
    Simulator(#[from] SimulatorError),
    /// The operator.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// One of them does not end.
    #[error(transparent)]
    Process(#[from] ProcessError),
}

impl StackOptions {
    /// For this operator, with the simulator that lies beside it.
    pub fn new(operator: impl Into<PathBuf>) -> StackOptions {
        let operator = operator.into();
        let simulator =
            SimulatorOptions { binary: operator.with_file_name("clickup-simulator"), ..Default::default() };
        StackOptions {
            checkout: Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."),
            control_plane: control_plane::Options::default(),
            simulator,
            operator,
            log_level: "debug".to_string(),
            operator_args: Vec::new(),
            operator_env: Vec::new(),
        }
    }
}

impl Stack {
    /// Starts everything and waits until the operator is ready, about 10 s.
    pub async fn start(options: StackOptions) -> Result<Stack, StackError> {
        let StackOptions {
            checkout,
            control_plane,
            simulator,
            operator,
            log_level,
            operator_args,
            operator_env,
        } = options;
        let control_plane = ControlPlane::start(control_plane).await?;
        let simulator = SimulatorProcess::start(simulator, control_plane.scratch()).await?;
        install_crd(&control_plane, &checkout).await?;
        let kubeconfig = install_rbac(&control_plane, &checkout).await?;
        let options = OperatorOptions {
            binary: operator,
            clickup_url: simulator.endpoints().clickup_url.clone(),
            kubeconfig,
            log_level,
            args: operator_args,
            env: operator_env,
        };
        let operator = OperatorProcess::start(options, control_plane.scratch()).await?;
        Ok(Stack { operator, simulator, control_plane })
    }

    /// Ends the operator, see [`OperatorProcess::restart`], and starts it again.
    pub async fn restart_operator(&mut self) -> Result<crate::process::Exit, OperatorError> {
        self.operator.restart(self.control_plane.scratch()).await
    }

    /// Ends everything in order and waits until nothing is left.
    pub async fn stop(self) -> Result<(), StackError> {
        let Stack { operator, simulator, control_plane } = self;
        operator.stop().await?;
        simulator.stop().await?;
        Ok(control_plane.stop().await?)
    }
}

impl SharedStack {
    /// Not started yet.
    #[allow(clippy::new_without_default, reason = "a default would only hide that this is for a static")]
    pub const fn new() -> SharedStack {
        SharedStack(OnceCell::const_new())
    }

    /// The stack; the first call starts it. If that fails all calls get the error, at once.
    ///
    /// The processes belong to no runtime; they end with this process.
    pub async fn get(&self, options: impl FnOnce() -> StackOptions) -> Result<&Stack, &StackError> {
        self.0.get_or_init(|| Stack::start(options())).await.as_ref()
    }
}

/// Applies the CRD of this checkout and waits until it is served.
pub async fn install_crd(control_plane: &ControlPlane, checkout: &Path) -> Result<(), ControlPlaneError> {
    apply_crd(control_plane, &checkout.join(CRD_FILE)).await
}

/// Applies the CRD as it might have been once: anything goes. [`install_crd`] afterwards makes it strict, and leaves what
/// was stored meanwhile as it is.
pub async fn install_loose_crd(
    control_plane: &ControlPlane,
    checkout: &Path,
) -> Result<(), ControlPlaneError> {
    let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"type": "object", "properties": {"spec": anything, "status": anything}});
    let patch =
        json!([{"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": schema}]);
    let (strict, patch) = (checkout.join(CRD_FILE), patch.to_string());
    let filename = ["--filename".as_ref(), strict.as_os_str()];
    let words = ["patch", "--local", "--type=json", "--output=json", "--patch", &patch].map(OsStr::new);
    let loose = control_plane.run_kubectl(words.into_iter().chain(filename)).await?;
    let file = control_plane.scratch().join("loose-crd.json");
    std::fs::write(&file, loose).map_err(|source| ControlPlaneError::File { path: file.clone(), source })?;
    apply_crd(control_plane, &file).await
}

async fn apply_crd(control_plane: &ControlPlane, file: &Path) -> Result<(), ControlPlaneError> {
    control_plane.run_kubectl(["apply".as_ref(), "--filename".as_ref(), file.as_os_str()]).await?;
    control_plane.until_served(&[CRD]).await
}

/// Applies the operator's namespace, ServiceAccount and RBAC of this checkout. Returns a kubeconfig for the account.
pub async fn install_rbac(
    control_plane: &ControlPlane,
    checkout: &Path,
) -> Result<PathBuf, ControlPlaneError> {
    let files = RBAC_FILES.map(|file| checkout.join(file));
    let filenames = files.iter().flat_map(|file| ["--filename".as_ref(), file.as_os_str()]);
    control_plane.run_kubectl(std::iter::once(OsStr::new("apply")).chain(filenames)).await?;
    control_plane.service_account_kubeconfig(OPERATOR, OPERATOR).await
}
