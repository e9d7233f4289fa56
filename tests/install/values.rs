//! values.yaml, its schema and the sets of values for tests belong together, and what is wrong is said well.

use crate::chart::{Helm, chart, copy, only, read_values, value_files};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs};
use test_support::{chart::parse_values, scratch::ScratchDir};

fn documented() -> Vec<test_support::chart::Value> {
    parse_values(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap()
}

/// What the schema has by path: all that has a description.
fn described(prefix: &str, schema: &Value, found: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        if let Some(text) = property["description"].as_str() {
            found.push((path, text.to_owned()));
        } else if property["const"].is_null() {
            assert_eq!(property["additionalProperties"], false, "{path} lets unknown keys through");
            described(&format!("{path}."), property, found);
        }
    }
}

#[test]
fn the_schema_has_what_the_values_have() {
    let (schema, mut found) = (schema(), Vec::new());
    assert_eq!(schema["additionalProperties"], false);
    described("", &schema, &mut found);
    // What Helm gives a chart that another depends on.
    let of_a_parent = |path: &str| ["global", "enabled"].contains(&path);
    let found: BTreeSet<_> = found.into_iter().filter(|(path, _)| !of_a_parent(path)).collect();
    let expected = documented().into_iter().map(|value| (value.path, value.meaning)).collect();
    assert_eq!(found, expected, "values.schema.json against values.yaml");
}

/// Helm drops a key without a value before it asks the schema, and a template makes of that what is worse than nothing:
/// `{}`, for example, which as a rule of a NetworkPolicy lets everything out.
#[tokio::test]
async fn a_key_without_a_value_is_refused_by_its_name() {
    let mut paths = BTreeSet::new();
    for value in documented() {
        let ends = value.path.match_indices('.').map(|(at, _)| at).chain([value.path.len()]);
        paths.extend(ends.map(|end| value.path[..end].to_owned()));
    }
    let (new, old) = (Helm::new().await, Helm::three().await);
    // One depth after the other: of what is gone as a whole, the parts are not missed.
    for depth in 0..3 {
        let paths: Vec<_> = paths.iter().filter(|path| path.matches('.').count() == depth).collect();
        let set = paths.iter().map(|path| format!("{path}=null")).collect::<Vec<_>>().join(",");
        let refused = async |helm: &Helm| helm.template(&["--set", &set]).await.unwrap_err();
        let (new, old) = (refused(&new).await, refused(&old).await);
        for path in &paths {
            let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
            let place =
                if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
            let missed = |line: &str| {
                let line = line.trim();
                line.starts_with(&format!("- at '{place}': missing propert"))
                    && line.contains(&format!("'{key}'"))
            };
            assert!(new.lines().any(missed), "{path}: {new}");
            let parent = if parent.is_empty() { "(root)" } else { parent };
            assert!(old.contains(&format!("- {parent}: {key} is required\n")), "{path}: {old}");
        }
    }
}

/// So that no template has a branch that nothing renders.
#[test]
fn every_value_is_set_otherwise_in_a_set_for_tests() {
    let defaults = read_values(&chart().join("values.yaml"));
    let sets: Vec<_> = value_files().iter().map(|(_, path)| read_values(path)).collect();
    for value in documented() {
        let pointer = format!("/{}", value.path.replace('.', "/"));
        let default = defaults.pointer(&pointer).unwrap();
        let differs = |set: &Value| set.pointer(&pointer).is_some_and(|set| set != default);
        assert!(sets.iter().any(differs), "no file of ci/ sets {} to anything but {default}", value.path);
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_said() {
    let helm = Helm::new().await;
    let rows: &[(&[&str], &[&str])] = &[
        (&["replicaCount=2"], &["replicaCount", "write replicas"]),
        (&["nodeselector.a=b"], &["'nodeselector' not allowed"]),
        (&["image.name=a"], &["at '/image'", "'name' not allowed"]),
        (&["networkPolicy.apiServer.port=1"], &["at '/networkPolicy/apiServer'", "'port' not allowed"]),
        (&["secretAccess=list"], &["at '/secretAccess'", "'watch', 'get'"]),
        (&["image.digest=latest"], &["at '/image/digest'", "sha256:"]),
        (&["log.level=verbose"], &["at '/log/level'", "'debug'"]),
        (&["leaderElection.leaseDuration=15"], &["at '/leaderElection/leaseDuration'"]),
        (&["budgetPercent=101"], &["at '/budgetPercent'", "100"]),
        (
            &["fullnameOverride=connections-of-the-department-for-everything"],
            &["at '/fullnameOverride'", "43"],
        ),
        (&["watchNamespaces={Team}"], &["at '/watchNamespaces/0'"]),
        (&["replicas=2", "leaderElection.enabled=false"], &["Set leaderElection.enabled=true"]),
        (&["podMonitor.enabled=true", "serviceMonitor.enabled=true"], &["scraped twice"]),
        (&["clickup.url=http://localhost"], &["clickup.allowInsecureHttp=true"]),
        (&["watchNamespaces={a,a}"], &["names a namespace twice"]),
        (&["serviceAccount.create=false"], &["serviceAccount.name"]),
        (&["image.repository=reg:5000/x:1.0"], &["image.repository is reg:5000/x:1.0", "image.tag"]),
        (&["leaderElection.id=Shard_A"], &["at '/leaderElection/id'"]),
        (&["leaderElection.leaseDuration=2s"], &["leaderElection.leaseDuration is 2s", "3s to 10m"]),
        (&["leaderElection.leaseDuration=10m1s"], &["leaderElection.leaseDuration is 10m1s", "3s to 10m"]),
        (&["secretPollInterval=0s"], &["secretPollInterval is 0s", "1s to 24h"]),
        (&["secretPollInterval=23h60m1s"], &["secretPollInterval is 23h60m1s", "1s to 24h"]),
        (&["metrics.addr=127.0.0.1:8081"], &["metrics.addr and health.addr", "8081"]),
        (
            &["updateStrategy.type=RollingUpdate", "leaderElection.enabled=false"],
            &["updateStrategy", "both would"],
        ),
        (&["updateStrategy.rollingUpdate.maxSurge=0", "leaderElection.enabled=false"], &["updateStrategy"]),
        (&["prometheusRule.runbookUrl=https://wiki/"], &["at '/prometheusRule/runbookUrl'"]),
        (&["livenessProbe.successThreshold=2"], &["at '/livenessProbe/successThreshold'", "1"]),
        (
            &["extraArgs={--log-level,--watch-namespaces=a}"],
            &["extraArgs has --log-level", "the value log.level"],
        ),
    ];
    for (sets, expected) in rows {
        let sets: Vec<_> = sets.iter().flat_map(|set| ["--set", set]).collect();
        let said = helm.template(&sets).await.expect_err(&format!("{sets:?} is taken"));
        assert!(expected.iter().all(|text| said.contains(text)), "{sets:?}: {said}");
    }
}

/// A condition is a value of the chart that it switches off.
#[tokio::test]
async fn a_parent_chart_can_leave_it_out() {
    let parent = ScratchDir::create("parent").unwrap();
    copy(&chart(), &parent.join("charts/clickup-operator"));
    let definition = json!({"apiVersion": "v2", "name": "parent", "version": "1.0.0", "dependencies": [
        {"name": "clickup-operator", "version": env!("CARGO_PKG_VERSION"), "condition": "clickup-operator.enabled"}]});
    fs::write(parent.join("Chart.yaml"), definition.to_string()).unwrap();
    for helm in [Helm::new().await, Helm::three().await] {
        let deployments = async |set: &str| {
            let path = parent.path().to_str().unwrap();
            let words = ["template", "tools", path, "--kube-version", "1.34.0", "--set", set];
            helm.run(words).await.map(|manifests| manifests.matches("kind: Deployment").count())
        };
        assert_eq!(deployments("clickup-operator.enabled=true,global.region=a").await, Ok(1));
        assert_eq!(deployments("clickup-operator.enabled=false").await, Ok(0));
        let refused = deployments("clickup-operator.enable=true").await.unwrap_err();
        assert!(refused.contains("enable"), "{refused}");
    }
    parent.remove().await.unwrap();
}

/// The bounds of what is refused.
#[tokio::test]
async fn what_is_just_right_is_taken() {
    let helm = Helm::new().await;
    for set in [
        "image.repository=reg:5000/x",
        "podSecurityContext.runAsUser=null,resources.limits=null",
        "image.repository=reg.example.com/tools/x",
        "leaderElection.leaseDuration=3s,secretPollInterval=1s",
        "leaderElection.leaseDuration=9m60s,secretPollInterval=24h",
        "updateStrategy.type=Recreate,leaderElection.enabled=false",
        "updateStrategy.type=RollingUpdate,livenessProbe.successThreshold=1",
        "extraArgs={--log-levels=a}",
    ] {
        helm.template(&["--set", set]).await.unwrap_or_else(|e| panic!("{set}: {e}"));
    }
}

#[tokio::test]
async fn lint_has_nothing_to_say() {
    let helm = Helm::new().await;
    for (name, file) in value_files() {
        let chart = chart();
        let lint = ["lint", "--strict", chart.to_str().unwrap(), "--values", file.to_str().unwrap()];
        let said = helm.run(lint).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(said.contains("1 chart(s) linted, 0 chart(s) failed"), "{name}: {said}");
        assert!(!said.contains("[WARNING]") && !said.contains("[ERROR]"), "{name}: {said}");
    }
}

#[tokio::test]
async fn a_digest_decides_what_is_pulled() {
    let helm = Helm::new().await;
    let image = async |sets: &str| {
        let objects = helm.objects(&["--set", sets]).await;
        only(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    assert_eq!(image("image.tag=").await, format!("clickup-operator:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(image("image.repository=r:5000/a,image.tag=v2").await, "r:5000/a:v2");
    assert_eq!(
        image(&format!("image.tag=v2,image.digest={digest}")).await,
        format!("clickup-operator:v2@{digest}")
    );
}
