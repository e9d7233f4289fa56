//! Install, upgrade and uninstall by Helm on a real API server. There is no kubelet, so no Pod becomes ready, and nothing waits.

use crate::chart::{Helm, RELEASE, chart};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use test_support::{
    control_plane::{ControlPlane, Options},
    wait,
};

const CRD: &str = "clickupconnections.clickup-operator.dev";

/// No version was released yet, so there is no previous chart: this is today's, made older, without the short name of the CRD
/// and with a field that is gone since. Once there is a release, its chart belongs here.
fn older_chart(directory: &Path) {
    copy(&chart(), directory);
    let edit = |file: &str, from: &str, to: &str| {
        let path = directory.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    edit("Chart.yaml", &format!("ersion: {}", env!("CARGO_PKG_VERSION")), "ersion: 0.0.1");
    edit("templates/crd.yaml", "    shortNames:\n    - cuc\n", "");
    edit("templates/serviceaccount.yaml", "metadata:\n", "metadata:\n  finalizers: []\n");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

struct Cluster {
    control_plane: ControlPlane,
    helm: Helm,
}

impl Cluster {
    async fn start() -> Cluster {
        let control_plane = ControlPlane::start(Options::default()).await.unwrap();
        let helm = Helm::of(control_plane.admin_kubeconfig()).await;
        Cluster { control_plane, helm }
    }

    async fn helm(&self, verb: &str, chart: &Path, more: &[&str]) -> String {
        let all = [verb, RELEASE, chart.to_str().unwrap(), "--namespace", RELEASE];
        self.helm
            .run(all.into_iter().chain(more.iter().copied()))
            .await
            .unwrap_or_else(|e| panic!("{verb}: {e}"))
    }

    async fn uninstall(&self) {
        self.helm.run(["uninstall", RELEASE, "--namespace", RELEASE]).await.unwrap();
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        self.control_plane.run_kubectl(arguments).await.map_err(|e| e.to_string())
    }

    async fn served(&self) {
        let name = format!("crd/{CRD}");
        self.kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &name]).await.unwrap();
    }

    /// Everything about all connections, down to their resourceVersion.
    async fn connections(&self) -> Value {
        let all = self.kubectl(&["get", CRD, "--all-namespaces", "--output", "json"]).await.unwrap();
        serde_json::from_str::<Value>(&all).unwrap()["items"].clone()
    }

    /// A Secret and a connection with a status, as the operator leaves them.
    async fn connection(&self, name: &str) {
        let file = self.control_plane.scratch().join("connection.json");
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"token": "pk_1"}});
        let connection = json!({"apiVersion": "clickup-operator.dev/v1alpha1", "kind": "ClickUpConnection",
            "metadata": {"name": name}, "spec": {"tokenSecretRef": {"name": name}}});
        fs::write(
            &file,
            json!({"apiVersion": "v1", "kind": "List", "items": [secret, connection]}).to_string(),
        )
        .unwrap();
        let words = ["apply", "--filename", file.to_str().unwrap()];
        let apply = || self.kubectl(&words);
        wait::until(Duration::from_secs(20), "the kind to be served", apply).await.unwrap();
        let status = json!({"status": {"observedGeneration": 1, "workspaceCount": 2}}).to_string();
        self.kubectl(&["patch", CRD, name, "--subresource=status", "--type=merge", "--patch", &status])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn connections_outlive_upgrade_and_uninstall() {
    let cluster = Cluster::start().await;
    let older = cluster.control_plane.scratch().join("older-chart");
    older_chart(&older);
    cluster.helm("install", &older, &["--create-namespace"]).await;
    cluster.served().await;
    cluster.connection("bot").await;
    let connections = cluster.connections().await;
    assert_eq!(
        (connections.as_array().map(Vec::len), &connections[0]["status"]["workspaceCount"]),
        (Some(1), &2.into())
    );
    assert!(cluster.kubectl(&["get", "cuc"]).await.is_err(), "the older chart has the short name");

    // The release brings its CRD along: what Helm does not do for the folder crds/.
    let said = cluster.helm("upgrade", &chart(), &["--set", "replicas=2"]).await;
    assert!(said.contains("REVISION: 2"), "{said}");
    let by_short_name = || cluster.kubectl(&["get", "cuc"]);
    wait::until(Duration::from_secs(20), "the new CRD to be served", by_short_name).await.unwrap();
    assert_eq!(cluster.connections().await, connections, "an upgrade touches no connection");
    let replicas =
        ["get", "deployment", RELEASE, "--namespace", RELEASE, "--output", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.kubectl(&replicas).await.unwrap(), "2");

    cluster.uninstall().await;
    assert_eq!(cluster.connections().await, connections, "uninstall keeps connections");
    assert!(cluster.kubectl(&["get", "secret", "bot"]).await.is_ok());
    let ours = [
        "get",
        "deployment,role,rolebinding,networkpolicy,serviceaccount",
        "--namespace",
        RELEASE,
        "--selector",
        "app.kubernetes.io/name=clickup-operator",
        "--output",
        "name",
    ];
    let left = || async {
        let left = cluster.kubectl(&ours).await?;
        if left.is_empty() { Ok(()) } else { Err(left) }
    };
    wait::until(Duration::from_secs(20), "all else to go", left).await.unwrap();
    assert!(cluster.kubectl(&["get", "clusterrole", RELEASE]).await.is_err());

    // The CRD that was kept is taken over again, and goes when that is asked for.
    cluster.helm("install", &chart(), &["--set", "crds.keep=false"]).await;
    assert_eq!(cluster.connections().await, connections, "installing again touches no connection");
    cluster.uninstall().await;
    let gone = || async {
        let found = cluster.kubectl(&["get", "crd", CRD, "--ignore-not-found", "--output", "name"]).await?;
        if found.is_empty() { Ok(()) } else { Err(found) }
    };
    wait::until(Duration::from_secs(30), "the CRD to go", gone).await.unwrap();
    cluster.control_plane.stop().await.unwrap();
}

/// Who had the CRD before, by kubectl, lets Helm take it over.
#[tokio::test]
async fn a_crd_that_is_there_already_is_taken_over_when_asked() {
    let cluster = Cluster::start().await;
    test_support::stack::install_crd(&cluster.control_plane, Path::new(crate::CHECKOUT)).await.unwrap();
    cluster.connection("bot").await;
    let connections = cluster.connections().await;
    let chart_path = chart();
    let refused = cluster.helm.run(["install", RELEASE, chart_path.to_str().unwrap()]).await.unwrap_err();
    assert!(refused.contains("exists and cannot be imported"), "{refused}");
    cluster
        .helm("install", &chart_path, &["--create-namespace", "--take-ownership", "--force-conflicts"])
        .await;
    assert_eq!(cluster.connections().await, connections);
    cluster.control_plane.stop().await.unwrap();
}
