//! What the tests stand on: one control plane for those of the interposer, and a cluster with an operator.

use chaos::cluster::interposer::Interposer;
use chaos::cluster::{Cluster, Options};
use clickup_simulator::client::Account;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota};
use kube::api::{Api, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use test_support::case::Case;
use test_support::control_plane::{self, ControlPlane};
use test_support::wait;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Long for anything on this machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) type Watch = BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>;

/// The next event, bookmarks aside, which come at any time.
pub(crate) async fn next(watch: &mut Watch) -> kube::Result<Option<WatchEvent<ConfigMap>>> {
    loop {
        match timeout(SOON, watch.try_next()).await.unwrap()? {
            Some(WatchEvent::Bookmark(_)) => {}
            event => return Ok(event),
        }
    }
}

/// The name of the next object that is told of.
pub(crate) async fn told(watch: &mut Watch) -> String {
    match next(watch).await {
        Ok(Some(WatchEvent::Added(config) | WatchEvent::Modified(config))) => config.metadata.name.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A client, and between it and the API server an interposer of its own.
pub(crate) struct Ground {
    pub(crate) interposer: Interposer,
    /// Through the interposer, without retries of its own.
    pub(crate) client: kube::Client,
    /// Straight to the API server.
    pub(crate) admin: kube::Client,
    pub(crate) namespace: String,
    admin_token: String,
}

pub(crate) async fn control_plane() -> &'static ControlPlane {
    static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
    let start = || async { ControlPlane::start(control_plane::Options::default()).await.unwrap() };
    CONTROL_PLANE.get_or_init(start).await
}

impl Ground {
    pub(crate) async fn new(name: &str) -> Ground {
        let control_plane = control_plane().await;
        let ca_pem = control_plane.ca_pem().unwrap();
        let interposer = Interposer::start(control_plane.url(), &ca_pem).await.unwrap();
        let client = client(control_plane, &interposer).await;
        let admin = control_plane.client().await.unwrap();
        let namespace = control_plane.fresh_namespace(name).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(control_plane.admin_kubeconfig()).unwrap();
        let kubeconfig = serde_json::to_value(kubeconfig).unwrap();
        let admin_token = kubeconfig["users"][0]["user"]["token"].as_str().unwrap().to_owned();
        Ground { interposer, client, admin, namespace, admin_token }
    }

    pub(crate) fn admin_token(&self) -> &str {
        &self.admin_token
    }

    /// A plain HTTP client that trusts the interposer.
    pub(crate) fn http(&self) -> reqwest::ClientBuilder {
        let ca = reqwest::Certificate::from_pem(self.interposer.ca_pem().as_bytes()).unwrap();
        reqwest::Client::builder().no_proxy().timeout(2 * SOON).tls_certs_only([ca])
    }

    /// Through the interposer.
    pub(crate) fn configs(&self) -> Api<ConfigMap> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates a ConfigMap, past the interposer.
    pub(crate) async fn config(&self, name: &str) -> ConfigMap {
        let api: Api<ConfigMap> = Api::namespaced(self.admin.clone(), &self.namespace);
        let config = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        api.create(&PostParams::default(), &config).await.unwrap()
    }

    /// How many ConfigMaps of ours there are, past the interposer.
    pub(crate) async fn count_configs(&self) -> usize {
        let api: Api<ConfigMap> = Api::namespaced(self.admin.clone(), &self.namespace);
        api.list(&Default::default()).await.unwrap().items.len()
    }

    /// A watch of ConfigMaps through the interposer, from this version on or with what is there first.
    pub(crate) async fn watch(&self, from: Option<&str>) -> kube::Result<Watch> {
        let params = WatchParams { send_initial_events: from.is_none(), ..WatchParams::default() };
        Ok(self.configs().watch(&params, from.unwrap_or("0")).await?.boxed())
    }

    /// Waits until the ConfigMap can be read through the interposer.
    pub(crate) async fn until_answered(&self, name: &str) {
        let configs = self.configs();
        wait::until(SOON, "an answer", || configs.get(name)).await.map(drop).unwrap();
    }

    /// Creates something with a status, past the interposer.
    pub(crate) async fn quota(&self) {
        let quota = json!({"metadata": {"name": "quota"}, "spec": {"hard": {"pods": "1"}}});
        let quota = serde_json::from_value(quota).unwrap();
        let api: Api<ResourceQuota> = Api::namespaced(self.admin.clone(), &self.namespace);
        api.create(&PostParams::default(), &quota).await.unwrap();
    }

    /// Writes the status, through the interposer.
    pub(crate) async fn write_status(&self, pods: &str) -> kube::Result<ResourceQuota> {
        let api: Api<ResourceQuota> = Api::namespaced(self.client.clone(), &self.namespace);
        let patch = Patch::Merge(json!({"status": {"used": {"pods": pods}}}));
        api.patch_status("quota", &PatchParams::default(), &patch).await
    }

    /// The status, past the interposer.
    pub(crate) async fn status(&self) -> Option<String> {
        let api: Api<ResourceQuota> = Api::namespaced(self.admin.clone(), &self.namespace);
        let used = api.get("quota").await.unwrap().status.unwrap_or_default().used;
        used.and_then(|used| used.get("pods").map(|pods| pods.0.clone()))
    }
}

/// A client of the interposer, in the role of the administrator.
async fn client(control_plane: &ControlPlane, interposer: &Interposer) -> kube::Client {
    let mut kubeconfig = Kubeconfig::read_from(control_plane.admin_kubeconfig()).unwrap();
    let cluster = kubeconfig.clusters[0].cluster.as_mut().unwrap();
    let ca = control_plane.scratch().join(format!("{}.crt", interposer.url().rsplit(':').next().unwrap()));
    std::fs::write(&ca, interposer.ca_pem()).unwrap();
    cluster.server = Some(interposer.url());
    cluster.certificate_authority = Some(ca.display().to_string());
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.proxy_url = None;
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

/// Built by `cargo test --workspace`, and by `cargo build --bins`.
fn operator() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let operator = test.parent().unwrap().parent().unwrap().join("clickup-operator");
    assert!(operator.is_file(), "{} is missing: cargo build --workspace --bins", operator.display());
    operator
}

pub(crate) async fn cluster() -> Cluster {
    Cluster::start(&Options::new(operator()))
        .await
        .unwrap_or_else(|e| panic!("the cluster does not start: {e}"))
}

/// A namespace with one connection that is verified.
pub(crate) async fn verified(cluster: &Cluster, name: &str) -> (String, Account) {
    let case = Case::new(name, cluster.control_plane(), cluster.simulator()).await;
    let account = case.verified("bot", json!({"timeout": "2s"})).await;
    (case.namespace, account)
}

/// The same namespace, with the processes of now.
pub(crate) async fn back<'a>(cluster: &'a Cluster, namespace: &str) -> Case<'a> {
    Case::in_namespace(namespace.to_owned(), cluster.control_plane(), cluster.simulator()).await
}
