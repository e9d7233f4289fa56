//! What both sides run on: the API server, the simulated ClickUp, and who may do what.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clickup_simulator::SimulatorClient;
use clickup_simulator::messages::GeneratedToken;
use clickup_simulator::state::Generate;
use test_support::control_plane::{ControlPlane, Options};
use test_support::simulator::{SimulatorOptions, SimulatorProcess};
use test_support::stack::{OPERATOR, install_crd, install_rbac};

use crate::{Failure, progress};

/// As whom both sides ask the API server, so that both cost it the same authorization.
pub(crate) const USER: &str = "system:serviceaccount:clickup-operator:clickup-operator";

const QUIET_LOOK: Duration = Duration::from_millis(500);
const QUIET_PATIENCE: Duration = Duration::from_secs(60);

/// Running, and quiet.
pub(crate) struct Ground {
    // Dropped in this order.
    pub(crate) simulator: SimulatorProcess,
    pub(crate) control_plane: ControlPlane,
    pub(crate) clickup: SimulatorClient,
    pub(crate) admin: kube::Client,
    /// For [`USER`].
    pub(crate) kubeconfig: PathBuf,
    /// A ClickUp token for each connection.
    pub(crate) tokens: Vec<GeneratedToken>,
}

impl Ground {
    pub(crate) async fn prepare(simulator: PathBuf, size: u32, latency: Duration) -> Result<Ground, Failure> {
        progress("starting a Kubernetes API server and a simulated ClickUp");
        let control_plane = ControlPlane::start(Options::default()).await?;
        let options = SimulatorOptions { binary: simulator, ..SimulatorOptions::default() };
        let simulator = SimulatorProcess::start(options, control_plane.scratch()).await?;
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        install_crd(&control_plane, &checkout).await?;
        let kubeconfig = install_rbac(&control_plane, &checkout).await?;
        debug_assert!(USER.ends_with(OPERATOR));
        let clickup = simulator.client()?;
        clickup.set_latency(latency).await?;
        let tokens = generate(&clickup, "bench", size.into()).await?;
        let admin = control_plane.client().await?;
        Ok(Ground { simulator, control_plane, clickup, admin, kubeconfig, tokens })
    }

    /// Where ClickUp's API is.
    pub(crate) fn clickup_url(&self) -> &str {
        &self.simulator.endpoints().clickup_url
    }

    /// More tokens, each with a user and a workspace of its own.
    pub(crate) async fn generate(&self, prefix: &str, count: u64) -> Result<Vec<GeneratedToken>, Failure> {
        generate(&self.clickup, prefix, count).await
    }

    /// Waits until the API server has nothing left to do from what was before: a fair start for whoever is next.
    pub(crate) async fn quiet(&self) -> Result<(), Failure> {
        let cpu = || self.control_plane.apiserver().usage().map(|usage| usage.cpu);
        let (began, mut before, mut calm) = (Instant::now(), cpu()?, 0);
        while calm < 3 && began.elapsed() < QUIET_PATIENCE {
            tokio::time::sleep(QUIET_LOOK).await;
            let now = cpu()?;
            calm = if now - before < QUIET_LOOK / 10 { calm + 1 } else { 0 };
            before = now;
        }
        Ok(())
    }

    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.simulator.stop().await?;
        Ok(self.control_plane.stop().await?)
    }
}

async fn generate(
    clickup: &SimulatorClient,
    prefix: &str,
    count: u64,
) -> Result<Vec<GeneratedToken>, Failure> {
    let wanted = Generate { prefix: prefix.to_owned(), ..Generate::tokens(count) };
    Ok(clickup.generate(wanted).await?)
}
