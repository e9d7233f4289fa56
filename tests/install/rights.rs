//! The operator as a process, with the arguments and under the rights that the chart renders, in each of four shapes.

use crate::{
    OPERATOR,
    chart::{Helm, arguments, chart, objects, values_of},
};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use test_support::{
    case::Case,
    control_plane::{ControlPlane, Options},
    operator::{OperatorOptions, OperatorProcess},
    rights,
    simulator::{SimulatorOptions, SimulatorProcess},
};

struct Shape {
    /// Of the release, and of its namespace.
    name: &'static str,
    /// Beside the chart; none for its defaults.
    values: Option<&'static str>,
    namespaced: bool,
}

const SHAPES: [Shape; 4] = [
    Shape { name: "cluster-wide", values: None, namespaced: false },
    Shape { name: "cluster-wide-get", values: Some("get"), namespaced: false },
    Shape { name: "namespaced", values: None, namespaced: true },
    Shape { name: "namespaced-get", values: Some("namespaced"), namespaced: true },
];

struct Ground {
    control_plane: ControlPlane,
    simulator: SimulatorProcess,
    helm: Helm,
}

#[tokio::test(flavor = "multi_thread")]
async fn in_each_shape_every_right_is_used_and_none_is_missing() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let simulator = SimulatorProcess::start(
        SimulatorOptions {
            binary: std::path::Path::new(OPERATOR).with_file_name("clickup-simulator"),
            ..Default::default()
        },
        control_plane.scratch(),
    );
    let simulator = simulator.await.unwrap();
    let helm = Helm::of(control_plane.admin_kubeconfig()).await;
    let ground = Ground { control_plane, simulator, helm };
    for (n, shape) in SHAPES.iter().enumerate() {
        let granted = ground.run(shape, n == 0).await;
        println!("{}: {}", shape.name, granted.into_iter().collect::<Vec<_>>().join(", "));
    }
    ground.simulator.stop().await.unwrap();
    ground.control_plane.stop().await.unwrap();
}

impl Ground {
    /// Installs the shape, runs the operator as it says, and returns the rights that it has, and used.
    async fn run(&self, shape: &Shape, crds: bool) -> BTreeSet<String> {
        let case = Case::new(shape.name, &self.control_plane, &self.simulator).await;
        let beside = case.beside("other", json!({"team": "rights"})).await;
        let manifests = self.install(shape, crds, [&case.namespace, &beside.namespace]).await;
        let account = format!("{}-clickup-operator", shape.name);
        let kubeconfig = self.control_plane.service_account_kubeconfig(shape.name, &account).await.unwrap();
        let options = OperatorOptions {
            binary: OPERATOR.into(),
            clickup_url: self.simulator.endpoints().clickup_url.clone(),
            kubeconfig,
            log_level: "debug".to_owned(),
            args: arguments(&manifests).split_off(1),
            env: vec![
                ("POD_NAME".to_owned(), account.clone()),
                ("POD_NAMESPACE".to_owned(), shape.name.to_owned()),
            ],
        };
        let operator = OperatorProcess::start(options, self.control_plane.scratch()).await.unwrap();
        // Whom labels select, it watches Namespaces for, unless it may look at a few only.
        let sharing =
            json!({"scope": "Namespaces", "namespaceSelector": {"matchLabels": {"team": "rights"}}});
        let spec = if shape.namespaced { json!({}) } else { json!({"sharing": sharing}) };
        case.exercise("bot", spec).await;

        let user = format!("system:serviceaccount:{}:{account}", shape.name);
        let granted = granted(&manifests, shape);
        let used = rights::until_all_used(&self.control_plane, &user, &granted).await;
        let used = used.unwrap_or_else(|e| panic!("{}: {e}", shape.name));
        if shape.namespaced {
            let namespaces: BTreeSet<_> = used.into_iter().map(|request| request.namespace).collect();
            let known = [shape.name.to_owned(), case.namespace.clone(), beside.namespace.clone()];
            assert_eq!(namespaces, known.into(), "nothing cluster-wide");
        }
        assert!(operator.terminate().await.unwrap().success());
        self.helm.run(["uninstall", shape.name, "--namespace", shape.name]).await.unwrap();
        granted
    }

    async fn install(&self, shape: &Shape, crds: bool, namespaces: [&String; 2]) -> Vec<Value> {
        let (chart, file) = (chart(), shape.values.map(values_of));
        // Quick enough for a test; polls and renewals are what matters.
        let mut sets = format!("crds.enabled={crds},secretPollInterval=1s,leaderElection.leaseDuration=3s");
        if shape.namespaced {
            sets += &format!(",watchNamespaces={{{},{}}}", namespaces[0], namespaces[1]);
        }
        let mut words = vec![shape.name, chart.to_str().unwrap(), "--namespace", shape.name, "--set", &sets];
        if let Some(file) = &file {
            words.extend(["--values", file.to_str().unwrap()]);
        }
        let run = async |verb: &[&str]| {
            let words = verb.iter().chain(&words).copied().collect::<Vec<_>>();
            self.helm.run(words).await.unwrap_or_else(|e| panic!("{}: {e}", shape.name))
        };
        run(&["install", "--create-namespace"]).await;
        self.control_plane.until_served(&["crd/clickupconnections.clickup-operator.dev"]).await.unwrap();
        objects(&run(&["template"]).await)
    }
}

/// What the roles grant that are bound to the operator.
fn granted(manifests: &[Value], shape: &Shape) -> BTreeSet<String> {
    let bindings = manifests.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Binding"));
    let rules = bindings.flat_map(|binding| {
        let role = &binding["roleRef"];
        assert!(!shape.namespaced || binding["kind"] == "RoleBinding" && role["kind"] == "Role", "{binding}");
        let role = manifests
            .iter()
            .find(|object| object["kind"] == role["kind"] && object["metadata"]["name"] == role["name"]);
        let rules = role.expect("a binding to a role that is not there")["rules"].clone();
        serde_json::from_value::<Vec<PolicyRule>>(rules).unwrap()
    });
    rights::granted(&rules.collect::<Vec<_>>())
}
