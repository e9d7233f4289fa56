//! How etcd and kube-apiserver are started, for the first time and again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::{ControlPlaneError, Options, Result, assets::Assets, file_error, files};
use crate::http;
use crate::network::free_ports;
use crate::process::{Guarded, Launch, command_without_proxy};
use crate::scratch::ScratchDir;

const READY_DEADLINE: Duration = Duration::from_secs(90);
/// With a watch open kube-apiserver takes its time, and nothing of it is needed afterwards.
const GRACE: Duration = Duration::from_secs(1);

/// The programs with all that stays the same between their starts: ports, arguments, files.
#[derive(Debug)]
pub(super) struct Programs {
    assets: Assets,
    options: Options,
    etcd_port: u16,
    peer_port: u16,
    port: u16,
    admin_token: String,
}

impl Programs {
    /// Chooses free ports, and writes the files that the programs are started with.
    pub(super) fn prepare(assets: &Assets, options: &Options, scratch: &ScratchDir) -> Result<Programs> {
        let [etcd_port, peer_port, port] = free_ports().map_err(ControlPlaneError::NoPort)?;
        let admin_token = files::random_token().map_err(file_error(Path::new("/dev/urandom")))?;
        let (assets, options) = (assets.clone(), options.clone());
        let programs = Programs { assets, options, etcd_port, peer_port, port, admin_token };
        files::write_all(scratch, &programs.url(), &programs.admin_token)?;
        Ok(programs)
    }

    pub(super) fn assets(&self) -> &Assets {
        &self.assets
    }

    /// The API server's.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Starts etcd with the data that is there, and waits until it is ready.
    pub(super) async fn start_etcd(&self, scratch: &ScratchDir) -> Result<Guarded> {
        let etcd = launch("etcd", self.etcd(scratch), scratch)?;
        let health = format!("http://127.0.0.1:{}/health", self.etcd_port);
        etcd.until_ready(READY_DEADLINE, || http::get(&health, None)).await?;
        Ok(etcd)
    }

    /// Starts kube-apiserver, and waits until it is ready. The certificate of its first start stays.
    pub(super) async fn start_apiserver(&self, scratch: &ScratchDir) -> Result<Guarded> {
        let apiserver = launch("kube-apiserver", self.apiserver(scratch), scratch)?;
        self.until_ready(&apiserver, scratch).await?;
        Ok(apiserver)
    }

    /// Waits until the API server says that it is ready, its etcd included.
    pub(super) async fn until_ready(&self, apiserver: &Guarded, scratch: &ScratchDir) -> Result<()> {
        let (readyz, ca) = (format!("{}/readyz", self.url()), scratch.join(files::CA));
        let look = || async {
            // The server writes its certificate as it starts.
            let ca = fs::read(&ca).map_err(|error| format!("no certificate yet: {error}"))?;
            http::get(&readyz, Some(http::Tls { ca_pem: &ca, token: &self.admin_token })).await
        };
        apiserver.until_ready(READY_DEADLINE, look).await?;
        Ok(())
    }

    fn etcd(&self, scratch: &ScratchDir) -> Command {
        let client = format!("http://127.0.0.1:{}", self.etcd_port);
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let mut command = command_without_proxy(self.assets.etcd());
        command.arg(format!("--data-dir={}", scratch.join("etcd").display())).args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync=true".to_string(),
            "--log-level=warn".to_string(),
        ]);
        command
    }

    fn apiserver(&self, scratch: &ScratchDir) -> Command {
        let file = |flag: &str, name: &str| format!("--{flag}={}", scratch.join(name).display());
        // Were our etcd's port another run's by now, the prefix keeps the two apart until we notice.
        let prefix = scratch.path().file_name().unwrap_or_default().to_string_lossy();
        let mut command = command_without_proxy(self.assets.kube_apiserver());
        command
            .args([
                format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
                format!("--etcd-prefix=/{prefix}"),
                format!("--secure-port={}", self.port),
                format!("--service-account-issuer={}/", self.url()),
                file("cert-dir", "."),
                file("service-account-key-file", files::SERVICE_ACCOUNT_PUBLIC_KEY),
                file("service-account-signing-key-file", files::SERVICE_ACCOUNT_KEY),
                file("token-auth-file", files::TOKENS),
                file("audit-policy-file", files::AUDIT_POLICY),
                file("audit-log-path", files::AUDIT_LOG),
            ])
            .args([
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.0.0.0/24",
                "--authorization-mode=RBAC",
                "--disable-admission-plugins=ServiceAccount",
                "--allow-privileged=true",
                // Megabytes; the default of 100 would rotate away what a benchmark counts.
                "--audit-log-maxsize=100000",
                "--shutdown-delay-duration=0s",
                "--v=1",
            ])
            .args(&self.options.apiserver_args);
        command
    }
}

fn launch(name: &'static str, mut command: Command, scratch: &ScratchDir) -> Result<Guarded> {
    command.current_dir(scratch.path());
    let log = scratch.join(format!("{name}.log"));
    Ok(Guarded::start(Launch { name, command, log, scratch: Some(scratch), grace: GRACE })?)
}
