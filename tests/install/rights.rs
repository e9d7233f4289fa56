//! The operator as a process, with the arguments and under the rights that the chart renders, in each of three shapes.

use crate::{
    OPERATOR,
    chart::{Helm, arguments, chart, objects, values_of},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use test_support::{
    case::Case,
    control_plane::{ControlPlane, Options, audit::AuditEvent},
    operator::{OperatorOptions, OperatorProcess},
    simulator::{SimulatorOptions, SimulatorProcess},
    wait,
};

struct Shape {
    /// Of the release, and of its namespace.
    name: &'static str,
    /// Beside the chart; none for its defaults.
    values: Option<&'static str>,
    namespaced: bool,
}

const SHAPES: [Shape; 3] = [
    Shape { name: "cluster-wide", values: None, namespaced: false },
    Shape { name: "get-only", values: Some("get"), namespaced: false },
    Shape { name: "namespaced", values: Some("namespaced"), namespaced: true },
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
        let used = ground.run(shape, n == 0).await;
        println!("{}: {}", shape.name, used.into_iter().collect::<Vec<_>>().join(", "));
    }
    ground.simulator.stop().await.unwrap();
    ground.control_plane.stop().await.unwrap();
}

impl Ground {
    /// Installs the shape, runs the operator as it says, and returns the rights that it used.
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
        exercise(&case, shape).await;

        let user = format!("system:serviceaccount:{}:{account}", shape.name);
        let granted = granted(&manifests);
        assert!(granted.len() >= 7, "the test is void: {granted:?}");
        let what = format!("every right of {} to be used", shape.name);
        let used = wait::until(Duration::from_secs(30), what, || async {
            let events = self.control_plane.audit_events().map_err(|e| e.to_string())?;
            let ours: Vec<_> = events.iter().filter(|event| event.user == user).collect();
            let refused: Vec<_> = ours.iter().filter(|event| event.code == Some(403)).collect();
            assert!(refused.is_empty(), "{}: refused: {refused:?}", shape.name);
            let used: BTreeSet<_> = ours.iter().map(|event| right(event)).collect();
            let unused: Vec<_> = granted.difference(&used).collect();
            if unused.is_empty() {
                Ok((used, ours.iter().map(|e| e.namespace.clone()).collect()))
            } else {
                Err(format!("not used: {unused:?}, of {used:?}"))
            }
        });
        let (used, namespaces): (_, BTreeSet<String>) = used.await.unwrap_or_else(|e| panic!("{e}"));
        if shape.namespaced {
            let known = [shape.name.to_owned(), case.namespace.clone(), beside.namespace.clone()];
            assert_eq!(namespaces, known.into(), "nothing cluster-wide");
        }
        assert!(operator.terminate().await.unwrap().success());
        self.helm.run(["uninstall", shape.name, "--namespace", shape.name]).await.unwrap();
        used
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
        let established = [
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            "crd/clickupconnections.clickup-operator.dev",
        ];
        self.control_plane.run_kubectl(established).await.unwrap();
        objects(&run(&["template"]).await)
    }
}

/// What makes the operator use each of its rights.
async fn exercise(case: &Case<'_>, shape: &Shape) {
    // Whom labels select, it watches Namespaces for, unless it may look at a few only.
    let sharing = json!({"scope": "Namespaces", "namespaceSelector": {"matchLabels": {"team": "rights"}}});
    let spec = if shape.namespaced { json!({}) } else { json!({"sharing": sharing}) };
    let account = case.verified("bot", spec).await;
    for round in ["1", "2"] {
        case.no_secret("bot").await;
        case.until_ready("bot", "False", "SecretNotFound").await;
        case.secret("bot", &account.token.value).await;
        case.until_ready("bot", "True", "Verified").await;
        case.annotate("bot", round).await;
        case.until_handled("bot", round).await;
    }
}

/// What the roles grant that are bound to the operator.
fn granted(manifests: &[Value]) -> BTreeSet<String> {
    let bindings = manifests.iter().filter(|object| object["kind"].as_str().unwrap().ends_with("Binding"));
    let mut granted = BTreeSet::new();
    for binding in bindings {
        let role = manifests.iter().find(|object| {
            object["kind"] == binding["roleRef"]["kind"]
                && object["metadata"]["name"] == binding["roleRef"]["name"]
        });
        for rule in role.expect("a binding to a role that is not there")["rules"].as_array().unwrap() {
            let words = |field: &str| rule[field].as_array().cloned().unwrap_or_default();
            let of = |value: &Value| value.as_str().unwrap().to_owned();
            for (group, resource) in words("apiGroups")
                .iter()
                .flat_map(|g| words("resources").into_iter().map(move |r| (of(g), of(&r))))
            {
                granted.extend(words("verbs").iter().map(|verb| format!("{} {resource}.{group}", of(verb))));
            }
        }
    }
    granted
}

fn right(event: &AuditEvent) -> String {
    let slash = if event.subresource.is_empty() { "" } else { "/" };
    format!("{} {}{slash}{}.{}", event.verb, event.resource, event.subresource, event.group)
}
