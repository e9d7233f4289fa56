//! What the values say is in what is rendered.

use crate::{
    CHECKOUT,
    chart::{Helm, container, id, only, read_values, value_files, values_of},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};

fn labels(object: &Value) -> &Value {
    &object["metadata"]["labels"]
}

#[tokio::test]
async fn common_labels_and_annotations_are_on_all_that_the_chart_has() {
    let objects = Helm::new().await.objects_of(&values_of("everything")).await;
    for object in objects.iter().filter(|object| !id(object).contains("-as-a-")) {
        let (labels, name) = (labels(object), id(object));
        assert_eq!(labels["team"], "platform", "{name}");
        assert_eq!(object["metadata"]["annotations"]["example.com/owner"], "platform", "{name}");
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{name}");
    }
    let pod = &only(&objects, "Deployment")["spec"]["template"]["metadata"];
    assert_eq!((&pod["labels"]["team"], &pod["labels"]["tier"]), (&json!("platform"), &json!("tools")));
    assert_eq!(pod["annotations"], json!({"example.com/owner": "platform", "example.com/checked": "yes"}));
}

#[tokio::test]
async fn extra_objects_are_templates_as_maps_and_as_texts() {
    let objects = Helm::new().await.objects_of(&values_of("everything")).await;
    let found: BTreeSet<_> = objects.iter().map(id).filter(|id| id.contains("-as-a-")).collect();
    let expected = ["ConfigMap/clickup-operator-as-a-map", "ConfigMap/clickup-shard-a-as-a-text"];
    assert_eq!(found, expected.map(str::to_owned).into());
}

/// A selector that named all releases would have two of them fight over Pods.
#[tokio::test]
async fn selectors_are_of_the_release_and_match_its_pods() {
    let helm = Helm::new().await;
    for (name, file) in value_files() {
        let objects = helm.objects_of(&file).await;
        let pod = &only(&objects, "Deployment")["spec"]["template"]["metadata"]["labels"];
        let mut selectors = 0;
        for object in &objects {
            let spec = &object["spec"];
            let selector = match object["kind"].as_str().unwrap() {
                "Deployment" | "PodDisruptionBudget" | "PodMonitor" => &spec["selector"]["matchLabels"],
                "NetworkPolicy" => &spec["podSelector"]["matchLabels"],
                "Service" => &spec["selector"],
                _ => continue,
            };
            let selector = selector.as_object().unwrap();
            assert!(selector.contains_key("app.kubernetes.io/instance"), "{name}, {}", id(object));
            assert!(
                selector.iter().all(|(key, value)| pod[key] == *value),
                "{name}, {}: {selector:?}",
                id(object)
            );
            selectors += 1;
        }
        assert!(selectors >= 2, "{name}: {selectors}");
        if let Some(monitor) = objects.iter().find(|object| object["kind"] == "ServiceMonitor") {
            let (service, selector) =
                (only(&objects, "Service"), &monitor["spec"]["selector"]["matchLabels"]);
            let selector = selector.as_object().unwrap();
            assert!(selector.iter().all(|(key, value)| labels(service)[key] == *value), "{selector:?}");
        }
    }
}

#[tokio::test]
async fn a_constraint_without_selector_counts_the_pods_of_the_release() {
    let objects = Helm::new().await.objects_of(&values_of("everything")).await;
    let constraints = &only(&objects, "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"];
    let ours = json!({"app.kubernetes.io/name": "clickup", "app.kubernetes.io/instance": "clickup-operator"});
    assert_eq!(constraints[0]["labelSelector"]["matchLabels"], ours);
    assert_eq!(constraints[1]["labelSelector"]["matchLabels"], json!({"tier": "tools"}));
}

/// The rules are the shipped ones, but for where their pages are and after how many days a token is old.
#[tokio::test]
async fn alerts_are_those_that_are_shipped() {
    let helm = Helm::new().await;
    let shipped: Vec<_> = ["alerts", "token-age"]
        .iter()
        .map(|name| Path::new(CHECKOUT).join(format!("deploy/monitoring/{name}.yaml")))
        .flat_map(|file| read_values(&file)["groups"].as_array().unwrap().clone())
        .collect();
    let rendered = |objects: &[Value]| only(objects, "PrometheusRule")["spec"]["groups"].clone();
    let as_they_are = ["--set", "prometheusRule.enabled=true,prometheusRule.tokenAge=true"];
    assert_eq!(rendered(&helm.objects(&as_they_are).await), json!(shipped));
    let without = helm.objects(&["--set", "prometheusRule.enabled=true"]).await;
    assert_eq!(rendered(&without), json!(shipped[..shipped.len() - 1]));

    let text = json!(shipped).to_string();
    let text =
        text.replace("https://clickup-operator.dev/docs/runbooks/", "https://wiki.example.com/clickup/");
    let text = text.replace("90 * 86400", "30 * 86400");
    assert!(text.matches("wiki.example.com").count() > 5 && text.contains("30 * 86400"), "{text}");
    let otherwise = helm.objects_of(&values_of("everything")).await;
    assert_eq!(rendered(&otherwise), serde_json::from_str::<Value>(&text).unwrap());
}

#[tokio::test]
async fn ports_follow_the_addresses() {
    let objects = Helm::new().await.objects_of(&values_of("everything")).await;
    let ports = &container(&objects)["ports"];
    assert_eq!((&ports[0]["containerPort"], &ports[1]["containerPort"]), (&json!(9090), &json!(9091)));
    let ingress = &only(&objects, "NetworkPolicy")["spec"]["ingress"];
    assert_eq!(
        (&ingress[0]["ports"][0]["port"], &ingress[1]["ports"][0]["port"]),
        (&json!(9090), &json!(9091))
    );
    assert_eq!(only(&objects, "Service")["spec"]["ports"][0]["port"], 9090);
}

#[tokio::test]
async fn the_crd_is_kept_unless_it_is_told_otherwise() {
    let helm = Helm::new().await;
    let policy = |objects: &[Value]| {
        only(objects, "CustomResourceDefinition")["metadata"]["annotations"]["helm.sh/resource-policy"]
            .clone()
    };
    assert_eq!(policy(&helm.objects(&[]).await), "keep");
    assert_eq!(policy(&helm.objects(&["--set", "crds.keep=false"]).await), Value::Null);
    let without = helm.objects(&["--set", "crds.enabled=false"]).await;
    assert!(without.iter().all(|object| object["kind"] != "CustomResourceDefinition"));
}

/// Of three shapes: nothing but what a mode needs, and in namespaces no ClusterRole for the operator at all.
#[tokio::test]
async fn rights_are_as_narrow_as_the_mode() {
    let helm = Helm::new().await;
    let secrets = |role: &Value| {
        let rules = role["rules"].as_array().unwrap().iter();
        rules
            .filter(|rule| rule["resources"][0] == "secrets")
            .map(|rule| rule["verbs"].clone())
            .collect::<Vec<_>>()
    };
    let bound = |objects: &[Value]| {
        let bindings = objects.iter().filter(|object| object["kind"] == "ClusterRoleBinding");
        bindings.map(|binding| binding["roleRef"]["name"].clone()).collect::<Vec<_>>()
    };
    let cluster_role = |objects: &[Value]| {
        objects
            .iter()
            .find(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == "clickup-operator")
            .cloned()
    };
    let all = helm.objects(&[]).await;
    assert_eq!(secrets(&cluster_role(&all).unwrap()), [json!(["get", "watch"])]);
    assert_eq!(bound(&all), ["clickup-operator"]);

    let get = helm.objects_of(&values_of("get")).await;
    assert_eq!(secrets(&cluster_role(&get).unwrap()), [json!(["get"])]);

    let namespaced = helm.objects_of(&values_of("namespaced")).await;
    assert_eq!((bound(&namespaced).len(), cluster_role(&namespaced)), (0, None));
    for namespace in ["team-a", "team-b"] {
        let id_of = format!("{namespace}/Role/clickup-operator");
        let role = namespaced.iter().find(|object| id(object) == id_of).unwrap();
        assert_eq!(secrets(role), [json!(["get"])]);
        assert!(!role.to_string().contains("namespaces\""), "{role}");
    }
}

/// Two releases for two shards share nothing but the CRD, which one of them leaves out; also if they differ only at the
/// end of names that are too long.
#[tokio::test]
async fn two_releases_have_no_object_in_common() {
    let helm = Helm::new().await;
    let ids = async |release: &str| {
        let chart = crate::chart::chart();
        let more = ["--set", "crds.enabled=false", "--namespace", "shards"];
        let words = ["template", release, chart.to_str().unwrap()].into_iter().chain(more);
        let objects = crate::chart::objects(&helm.run(words).await.unwrap());
        let lease =
            crate::chart::arguments(&objects).into_iter().find(|a| a.contains("election-id")).unwrap();
        objects.iter().map(id).chain([lease]).collect::<BTreeSet<_>>()
    };
    let long = "connections-of-the-department-for-everything-shard-";
    for prefix in ["shard-", long] {
        let (a, b) = (ids(&format!("{prefix}a")).await, ids(&format!("{prefix}b")).await);
        assert!(a.is_disjoint(&b), "{:?}", a.intersection(&b).collect::<Vec<_>>());
        let lease = format!("--leader-election-id={prefix}a-clickup-operator");
        assert_eq!(a.contains(&lease), prefix != long, "{a:?}");
        let names = a.iter().filter_map(|id| id.rsplit_once('/'));
        assert!(names.clone().count() > 5 && names.clone().all(|(_, name)| name.len() <= 63), "{a:?}");
    }
}

/// Kubernetes takes `1e3` for a name, and YAML, where it is not quoted, for a number.
#[tokio::test]
async fn names_that_look_like_numbers_stay_names() {
    let (helm, chart) = (Helm::new().await, crate::chart::chart());
    let names = "fullnameOverride=123,nameOverride=1e3,serviceAccount.name=1,leaderElection.id=1e3,\
                 leaderElection.namespace=1,priorityClassName=1e3";
    let namespaces = "watchNamespaces={1,1e3}";
    for (set, file) in value_files() {
        for more in [&["--set-string", names, "--set-string", namespaces][..], &[]] {
            let values = ["--namespace", "1", "--values", file.to_str().unwrap()];
            let words = ["template", "1e3", chart.to_str().unwrap()].into_iter().chain(values);
            let manifests = helm.run(words.chain(more.iter().copied())).await.unwrap();
            let mut seen = 0;
            let mut objects = crate::chart::objects(&manifests);
            // Its fields have schemas, not values.
            objects.retain(|object| object["kind"] != "CustomResourceDefinition");
            for object in objects {
                count_names(&object, &mut seen, &format!("{set}, {}", id(&object)));
            }
            assert!(seen > 20, "{set}: only {seen} names");
        }
    }
}

/// Names, labels and what refers to them, all of which must be texts.
fn count_names(value: &Value, seen: &mut usize, place: &str) {
    for (key, value) in value.as_object().into_iter().flatten() {
        let named = match key.as_str() {
            "name" | "namespace" | "serviceAccountName" | "priorityClassName" => vec![value],
            "resourceNames" => value.as_array().unwrap().iter().collect(),
            "labels" | "matchLabels" | "annotations" => value.as_object().unwrap().values().collect(),
            _ => vec![],
        };
        for name in named {
            assert!(name.is_string(), "{place}: {key} is {name}");
            *seen += 1;
        }
        count_names(value, seen, place);
    }
    for value in value.as_array().into_iter().flatten() {
        count_names(value, seen, place);
    }
}

#[tokio::test]
async fn the_notes_tell_the_next_step() {
    let helm = Helm::new().await;
    let notes = async |more: &[&str]| {
        let chart = crate::chart::chart();
        let dry = [
            "install",
            "clickup-operator",
            chart.to_str().unwrap(),
            "--dry-run=client",
            "--namespace",
            "tools",
        ];
        let said = helm.run(dry.into_iter().chain(more.iter().copied())).await.unwrap();
        said.split_once("NOTES:\n").unwrap().1.to_owned()
    };
    let plain = notes(&[]).await;
    assert!(
        plain.contains("kubectl --namespace tools rollout status deployment/clickup-operator"),
        "{plain}"
    );
    assert!(plain.contains("kubectl --namespace default apply"), "{plain}");
    assert!(!plain.contains("EVERY") && !plain.contains("only:"), "{plain}");
    let other =
        notes(&["--set", "watchNamespaces={team-a,team-b},crds.keep=false,networkPolicy.enabled=false"])
            .await;
    assert!(other.contains("only: team-a, team-b."), "{other}");
    assert!(other.contains("kubectl --namespace team-a apply"), "{other}");
    assert!(other.contains("EVERY ClickUpConnection") && other.contains("may talk to anybody"), "{other}");
}

#[tokio::test]
async fn helm_3_renders_the_same() {
    let (new, old) = (Helm::new().await, Helm::three().await);
    for (name, file) in value_files() {
        let values = ["--values", file.to_str().unwrap()];
        assert_eq!(old.objects(&values).await, new.objects(&values).await, "{name}");
    }
    let refused = old.template(&["--set", "replicaCount=2"]).await.unwrap_err();
    assert!(refused.contains("write replicas"), "{refused}");
}
