//! Install, upgrade and uninstall by Helm on a real API server. There is no kubelet, so no Pod becomes ready, and nothing waits.

use crate::chart::{Helm, RELEASE, chart, copy};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use test_support::{
    control_plane::{ControlPlane, Options},
    wait,
};

const CRD: &str = "clickupconnections.clickup-operator.dev";

/// No version was released yet, so there is no previous chart: this is today's, made older, without the short name of the CRD
/// and a value, and with a field that is gone since. Once there is a release, its chart belongs here.
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
    edit("values.yaml", "  tokenAgeDays: 90\n", "");
    edit("values.schema.json", "\"tokenAge\",\n        \"tokenAgeDays\"\n", "\"tokenAge\"\n");
    edit("templates/serviceaccount.yaml", "metadata:\n", "metadata:\n  finalizers: []\n");
}

struct Cluster {
    control_plane: ControlPlane,
    helm: Helm,
}

impl Cluster {
    async fn start(helm: Helm) -> Cluster {
        let control_plane = ControlPlane::start(Options::default()).await.unwrap();
        let helm = helm.on(control_plane.admin_kubeconfig());
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
        self.control_plane.until_served(&[&format!("crd/{CRD}")]).await.unwrap();
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
    outlive_upgrade_and_uninstall(Helm::new().await).await;
}

#[tokio::test]
async fn connections_outlive_upgrade_and_uninstall_by_helm_3() {
    outlive_upgrade_and_uninstall(Helm::three().await).await;
}

async fn outlive_upgrade_and_uninstall(helm: Helm) {
    let cluster = Cluster::start(helm).await;
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

    // With the values of the older chart alone, those that are new would be none.
    let path = chart();
    let reused = ["upgrade", RELEASE, path.to_str().unwrap(), "--namespace", RELEASE, "--reuse-values"];
    let refused = cluster.helm.run(reused).await.unwrap_err();
    assert!(refused.contains("tokenAgeDays"), "{refused}");

    // The release brings its CRD along: what Helm does not do for the folder crds/.
    let said = cluster.helm("upgrade", &chart(), &["--reset-then-reuse-values", "--set", "replicas=2"]).await;
    assert!(said.contains("REVISION: 2"), "{said}");
    let by_short_name = || cluster.kubectl(&["get", "cuc"]);
    wait::until(Duration::from_secs(20), "the new CRD to be served", by_short_name).await.unwrap();
    assert_eq!(cluster.connections().await, connections, "an upgrade touches no connection");
    let replicas =
        ["get", "deployment", RELEASE, "--namespace", RELEASE, "--output", "jsonpath={.spec.replicas}"];
    assert_eq!(cluster.kubectl(&replicas).await.unwrap(), "2");

    // Back to the older operator without the older CRD.
    cluster.helm("upgrade", &older, &["--set", "crds.enabled=false"]).await;
    assert_eq!(cluster.kubectl(&replicas).await.unwrap(), "1");
    cluster.kubectl(&["get", "cuc"]).await.expect("the newer CRD stays");
    assert_eq!(cluster.connections().await, connections, "a downgrade touches no connection");
    cluster.helm("upgrade", &chart(), &["--reset-then-reuse-values", "--set", "crds.enabled=true"]).await;
    let manifest = cluster.helm.run(["get", "manifest", RELEASE, "--namespace", RELEASE]).await.unwrap();
    assert!(manifest.contains("kind: CustomResourceDefinition"), "the release has its CRD again");

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
    // It was applied client-side, and Helm 4 applies server-side.
    take_over(Helm::new().await, &["--take-ownership", "--force-conflicts"]).await;
}

#[tokio::test]
async fn a_crd_that_is_there_already_is_taken_over_when_asked_by_helm_3() {
    take_over(Helm::three().await, &["--take-ownership"]).await;
}

async fn take_over(helm: Helm, asked: &[&str]) {
    let cluster = Cluster::start(helm).await;
    test_support::stack::install_crd(&cluster.control_plane, Path::new(crate::CHECKOUT)).await.unwrap();
    cluster.connection("bot").await;
    let connections = cluster.connections().await;
    let chart_path = chart();
    let refused = cluster.helm.run(["install", RELEASE, chart_path.to_str().unwrap()]).await.unwrap_err();
    assert!(refused.contains("exists and cannot be imported"), "{refused}");
    let install = ["--create-namespace"].into_iter().chain(asked.iter().copied()).collect::<Vec<_>>();
    cluster.helm("install", &chart_path, &install).await;
    assert_eq!(cluster.connections().await, connections);

    // What a release of another name has left is Helm's already.
    cluster.uninstall().await;
    let other = ["install", "other", chart_path.to_str().unwrap(), "--namespace", RELEASE];
    let refused = cluster.helm.run(other).await.unwrap_err();
    assert!(refused.contains("exists and cannot be imported"), "{refused}");
    cluster.helm.run(other.into_iter().chain(["--take-ownership"])).await.unwrap();
    assert_eq!(cluster.connections().await, connections);
    cluster.control_plane.stop().await.unwrap();
}

/// Pasted as they stand there, with the indent, and a token typed when the first asks for it.
#[tokio::test]
async fn the_commands_of_the_notes_make_a_connection() {
    let cluster = Cluster::start(Helm::new().await).await;
    let said = cluster
        .helm("install", &chart(), &["--create-namespace", "--set", "watchLabelSelector=shard=a"])
        .await;
    cluster.served().await;
    let commands = said.lines().filter(|line| line.starts_with("  ")).collect::<Vec<_>>().join("\n");
    // There is neither kubelet nor operator that these could wait for.
    let script = format!(
        r#"kubectl() {{ case "$3" in rollout|wait) echo "$@";; *) "$KUBECTL" "$@";; esac; }}
        {commands}"#
    );
    let token = cluster.control_plane.scratch().join("token");
    fs::write(&token, "pk_1\n").unwrap();
    let output = tokio::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .env("KUBECTL", cluster.control_plane.kubectl_path())
        .env("KUBECONFIG", cluster.control_plane.admin_kubeconfig())
        .env("KUBECACHEDIR", cluster.control_plane.kubectl_cache())
        .stdin(fs::File::open(token).unwrap())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (printed(&output.stdout), printed(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}\n{script}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        lines,
        [
            "--namespace clickup-operator rollout status deployment/clickup-operator",
            "secret/clickup-token created",
            "clickupconnection.clickup-operator.dev/first created",
            "--namespace default wait --for=condition=Ready clickupconnection/first --timeout=60s",
        ],
        "{err}"
    );
    let token = ["get", "secret", "clickup-token", "--output", "jsonpath={.data.token}"];
    assert_eq!(cluster.kubectl(&token).await.unwrap(), "cGtfMQ==");
    let uses = ["get", "clickupconnection", "first", "--output", "jsonpath={.spec.tokenSecretRef.name}"];
    assert_eq!(cluster.kubectl(&uses).await.unwrap(), "clickup-token");
    let shard = ["get", "clickupconnection", "first", "--output", "jsonpath={.metadata.labels.shard}"];
    assert_eq!(cluster.kubectl(&shard).await.unwrap(), "a", "else this release would not check it");
    cluster.control_plane.stop().await.unwrap();
}
