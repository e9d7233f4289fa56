//! A real Kubernetes API server with its etcd, on the loopback address, for one test run.
//!
//! There is no controller-manager: a deleted namespace stays Terminating and owner references collect nothing.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::process::{Guarded, NotReady, ProcessError, Signal, command_without_proxy};
use crate::scratch::{ScratchDir, ScratchError};

pub mod assets;
pub mod audit;
mod files;
mod programs;

use assets::{Assets, AssetsError};
use audit::AuditEvent;
use programs::Programs;

/// Name of the administrator whom `admin_kubeconfig` and `client` act as.
pub const ADMIN: &str = "admin";

const ATTEMPTS: u32 = 5;
/// How long a program that is started again waits for its port, and how long between two attempts.
const PORT_DEADLINE: Duration = Duration::from_secs(60);
const PORT_PAUSE: Duration = Duration::from_millis(200);
const KILL_DEADLINE: Duration = Duration::from_secs(10);
const SERVICE_ACCOUNT_TOKEN_SECONDS: i64 = 24 * 3600;

/// How to start a control plane; the default is what most tests need.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// More arguments for kube-apiserver, for example `--goaway-chance=0.02`. The last of a kind wins.
    pub apiserver_args: Vec<String>,
}

/// A running API server. Dropping it ends it too, without waiting.
#[derive(Debug)]
pub struct ControlPlane {
    // Dropped in this order: the API server before its etcd, both before their directory.
    apiserver: Guarded,
    etcd: Guarded,
    scratch: ScratchDir,
    programs: Programs,
    url: String,
}

/// The control plane did not start, stop or answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// The programs are missing.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// Its directory could not be made or removed.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// A program did not start or end.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file could not be written or read.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No port could be had.
    #[error("no free port on 127.0.0.1")]
    NoPort(#[source] io::Error),
    /// The key for ServiceAccount tokens could not be made.
    #[error("cannot make a key for ServiceAccount tokens")]
    Key(#[from] rcgen::Error),
    /// A program did not become ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// A kubeconfig of ours is not understood.
    #[error("cannot read the kubeconfig {path}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: kube::config::KubeconfigError,
    },
    /// A request failed.
    #[error("cannot {action}")]
    Request {
        /// What was to be done.
        action: String,
        /// What the API server or client says.
        source: Box<kube::Error>,
    },
    /// The API server answered a TokenRequest without a token.
    #[error("the API server answered a TokenRequest without a token")]
    NoToken,
    /// The audit log holds something else than audit events.
    #[error("cannot read the audit log {path}")]
    Audit {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// kubectl could not be run.
    #[error("cannot run {command}")]
    KubectlStart {
        /// The command line.
        command: String,
        /// Why not.
        source: io::Error,
    },
    /// kubectl ended with an error.
    #[error("{command} failed: {stderr}")]
    Kubectl {
        /// The command line.
        command: String,
        /// What it said.
        stderr: String,
    },
}

type Result<T> = std::result::Result<T, ControlPlaneError>;

impl ControlPlane {
    /// Starts etcd and kube-apiserver and waits until the latter is ready, about 5 s. Where the programs must be
    /// built first it takes ten minutes more, and standard error says so.
    pub async fn start(options: Options) -> Result<ControlPlane> {
        let assets = Assets::find_or_build().await?;
        let mut attempt = 1;
        loop {
            // Between choosing a port and using it somebody else may have taken it.
            match start_once(&assets, &options).await {
                Err(ControlPlaneError::NotReady(failure)) if failure.port_taken() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificates to trust, PEM.
    pub fn ca_pem(&self) -> Result<String> {
        read(&self.scratch.join(files::CA))
    }

    /// A kubeconfig for the administrator, who may do everything.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.scratch.join(files::ADMIN_KUBECONFIG)
    }

    /// A client for the administrator. It lives on the runtime that calls this: make one per test, not one for all.
    pub async fn client(&self) -> Result<kube::Client> {
        self.client_for(&self.admin_kubeconfig()).await
    }

    /// A client for whoever the kubeconfig names, on the runtime that calls this.
    pub async fn client_for(&self, kubeconfig: &Path) -> Result<kube::Client> {
        crate::install_crypto_provider();
        let failed = |source| ControlPlaneError::Kubeconfig { path: kubeconfig.to_path_buf(), source };
        let parsed = Kubeconfig::read_from(kubeconfig).map_err(failed)?;
        let options = KubeConfigOptions::default();
        let mut config = kube::Config::from_custom_kubeconfig(parsed, &options).await.map_err(failed)?;
        config.proxy_url = None;
        kube::Client::try_from(config).map_err(request_error("make a client for the API server"))
    }

    /// Writes a kubeconfig for a ServiceAccount, with a token that lives for a day. The account must exist.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let spec = TokenRequestSpec {
            expiration_seconds: Some(SERVICE_ACCOUNT_TOKEN_SECONDS),
            ..TokenRequestSpec::default()
        };
        let request = TokenRequest { spec, ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let action = format!("get a token for the ServiceAccount {namespace}/{name}");
        let status = answer.map_err(request_error(action))?.status;
        let token = status.ok_or(ControlPlaneError::NoToken)?.token;
        let path = self.scratch.join(format!("{namespace}.{name}.kubeconfig"));
        let ca = self.scratch.join(files::CA);
        write(&path, &files::kubeconfig(&self.url, &ca, name, &token, namespace))?;
        Ok(path)
    }

    /// Makes a namespace whose name begins with `prefix` and is nobody else's.
    pub async fn fresh_namespace(&self, prefix: &str) -> Result<String> {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let name = format!("{prefix}-{}", CALLS.fetch_add(1, Ordering::Relaxed));
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let namespace = Namespace { metadata, ..Namespace::default() };
        let namespaces: Api<Namespace> = Api::all(self.client().await?);
        let created = namespaces.create(&PostParams::default(), &namespace).await;
        created.map_err(request_error(format!("create the namespace {name}")))?;
        Ok(name)
    }

    /// kubectl as the administrator, ended when the handle is dropped.
    pub fn kubectl(&self) -> tokio::process::Command {
        let mut command = command_without_proxy(self.kubectl_path());
        command.env("KUBECONFIG", self.admin_kubeconfig());
        // In the home directory a cache would survive us, and be wrong for the next server on this port.
        command.env("KUBECACHEDIR", self.kubectl_cache());
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        command
    }

    /// Runs kubectl as the administrator and returns its standard output.
    pub async fn run_kubectl<I, S>(&self, arguments: I) -> Result<String>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut kubectl = self.kubectl();
        kubectl.args(arguments).stdin(std::process::Stdio::null());
        let words = kubectl.as_std().get_args().map(OsStr::to_string_lossy);
        let command = words.fold("kubectl".to_string(), |line, word| line + " " + &word);
        let output = match kubectl.output().await {
            Ok(output) => output,
            Err(source) => return Err(ControlPlaneError::KubectlStart { command, source }),
        };
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_string();
            return Err(ControlPlaneError::Kubectl { command, stderr });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Waits until these CRDs, as kubectl's arguments name them, are served. A CRD that was made just now may have no
    /// conditions at all, which `kubectl wait` calls an error.
    pub async fn until_served(&self, crds: &[&str]) -> Result<()> {
        let wait = ["wait", "--for=condition=Established", "--timeout=30s"];
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let waited = self.run_kubectl(wait.iter().chain(crds)).await;
            match waited {
                Err(ControlPlaneError::Kubectl { stderr, .. })
                    if stderr.contains("accessor error") && Instant::now() < end =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                waited => return waited.map(drop),
            }
        }
    }

    /// The path of the kubectl that fits this server.
    pub fn kubectl_path(&self) -> PathBuf {
        self.programs.assets().kubectl()
    }

    /// Where kubectl keeps what it knows of this server (`KUBECACHEDIR`).
    pub fn kubectl_cache(&self) -> PathBuf {
        self.scratch.join("kubectl-cache")
    }

    /// The API server's process: pid, memory and CPU time, signals, log.
    pub fn apiserver(&self) -> &Guarded {
        &self.apiserver
    }

    /// etcd's process.
    pub fn etcd(&self) -> &Guarded {
        &self.etcd
    }

    /// Kills the API server and waits until it is gone. What it has told etcd stays.
    pub async fn kill_apiserver(&self) -> Result<()> {
        kill(&self.apiserver).await
    }

    /// Starts the API server that was killed, on the same port with the same certificate, and waits until it is ready.
    pub async fn restart_apiserver(&mut self) -> Result<()> {
        self.apiserver = start_again(|| self.programs.start_apiserver(&self.scratch)).await?;
        Ok(())
    }

    /// Kills etcd and waits until it is gone. Its data stays.
    pub async fn kill_etcd(&self) -> Result<()> {
        kill(&self.etcd).await
    }

    /// Starts etcd that was killed, on the same ports with the same data, and waits until the API server has it back.
    pub async fn restart_etcd(&mut self) -> Result<()> {
        self.etcd = start_again(|| self.programs.start_etcd(&self.scratch)).await?;
        self.until_ready().await
    }

    /// Waits until the API server says that it is ready, its etcd included.
    pub async fn until_ready(&self) -> Result<()> {
        self.programs.until_ready(&self.apiserver, &self.scratch).await
    }

    /// The directory of this run, for logs and files of other processes of the same run.
    pub fn scratch(&self) -> &ScratchDir {
        &self.scratch
    }

    /// The audit log, one JSON object per line, level Metadata, without the stage RequestReceived.
    pub fn audit_log(&self) -> PathBuf {
        self.scratch.join(files::AUDIT_LOG)
    }

    /// What the audit log holds so far, oldest first. The server writes an entry before it ends an answer.
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        self.audit_events_since(0)
    }

    /// How long the audit log is now, in bytes, for [`ControlPlane::audit_events_since`].
    pub fn audit_mark(&self) -> Result<u64> {
        let path = self.audit_log();
        Ok(fs::metadata(&path).map_err(file_error(&path))?.len())
    }

    /// What came into the audit log since a mark. A mark set while requests run may lie inside of a line; that one
    /// is left out.
    pub fn audit_events_since(&self, mark: u64) -> Result<Vec<AuditEvent>> {
        let path = self.audit_log();
        let log = read_from(&path, mark.saturating_sub(1)).map_err(file_error(&path))?;
        let log = if mark == 0 { log.as_str() } else { log.split_once('\n').map_or("", |(_, rest)| rest) };
        audit::parse(log).map_err(|source| ControlPlaneError::Audit { path, source })
    }

    /// Ends both programs and waits until their directory is gone.
    pub async fn stop(self) -> Result<()> {
        self.apiserver.stop().await?;
        self.etcd.stop().await?;
        Ok(self.scratch.remove().await?)
    }
}

async fn start_once(assets: &Assets, options: &Options) -> Result<ControlPlane> {
    let scratch = ScratchDir::create("control-plane")?;
    let programs = Programs::prepare(assets, options, &scratch)?;
    let etcd = programs.start_etcd(&scratch).await?;
    let apiserver = programs.start_apiserver(&scratch).await?;
    let url = programs.url();
    Ok(ControlPlane { apiserver, etcd, scratch, programs, url })
}

async fn kill(program: &Guarded) -> Result<()> {
    program.signal(Signal::Kill)?;
    program.wait(KILL_DEADLINE).await?;
    Ok(())
}

/// Starts a program on the port that it had, which a passing connection of somebody else may hold for a moment.
async fn start_again<Starting>(mut start: impl FnMut() -> Starting) -> Result<Guarded>
where
    Starting: Future<Output = Result<Guarded>>,
{
    let end = Instant::now() + PORT_DEADLINE;
    loop {
        match start().await {
            Err(ControlPlaneError::NotReady(failure)) if failure.port_taken() && Instant::now() < end => {
                tokio::time::sleep(PORT_PAUSE).await;
            }
            result => return result,
        }
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(file_error(path))
}

fn read_from(path: &Path, offset: u64) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(file_error(path))
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ControlPlaneError + use<> {
    let path = path.to_path_buf();
    move |source| ControlPlaneError::File { path, source }
}

fn request_error(action: impl Into<String>) -> impl FnOnce(kube::Error) -> ControlPlaneError {
    let action = action.into();
    move |source| ControlPlaneError::Request { action, source: Box::new(source) }
}
