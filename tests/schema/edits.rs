//! One apply is enough to go from one good spec to another: nothing of the old one stays to break a rule.

use super::{Connections, control_plane, good, merged, outcome};
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

fn owner() -> Value {
    json!({
        "tokenSecretRef": {"name": "clickup-token"},
        "tokenType": "OAuth",
        "defaultWorkspace": {"name": "Acme"},
        "channel": {"id": "6-901-8"},
        "sharing": {"scope": "Namespaces", "namespaces": ["payments"], "namespaceSelector": {"matchLabels": {"a": "b"}}},
        "binding": {"enabled": true},
    })
}

fn referrer() -> Value {
    json!({"connectionRef": {"namespace": "platform", "name": "release-bot"}, "defaultWorkspace": {"id": "1"}, "channel": {"name": "releases"}})
}

/// Specs that follow each other.
fn edits() -> Vec<Value> {
    let secret =
        |sharing: Value| json!({"tokenSecretRef": {"name": "other", "key": "k"}, "sharing": sharing});
    vec![
        json!({"tokenSecretRef": {"name": "clickup-token"}}),
        referrer(),
        owner(),
        referrer(),
        secret(json!({"scope": "Cluster"})),
        referrer(),
        secret(json!({})),
        referrer(),
        secret(json!({"scope": "Namespaces", "namespaceSelector": {}})),
        secret(json!({"scope": "Namespaces", "namespaces": ["a", "b"]})),
        secret(json!({"scope": "Private"})),
        owner(),
    ]
}

/// What comes back has all that was written.
fn holds(stored: &Value, written: &Value) -> bool {
    match (stored, written) {
        (Value::Object(stored), Value::Object(written)) => {
            written.iter().all(|(name, value)| stored.get(name).is_some_and(|s| holds(s, value)))
        }
        _ => stored == written,
    }
}

fn check(stored: &Value, written: &Value) {
    assert!(holds(&stored["spec"], written), "{written}: {}", stored["spec"]);
    for exclusive in ["tokenSecretRef", "connectionRef", "sharing"] {
        let names = |spec: &Value| spec.get(exclusive).is_some();
        assert_eq!(names(&stored["spec"]), names(written), "{exclusive} of {written}: {}", stored["spec"]);
    }
}

#[tokio::test]
async fn by_server_side_apply() {
    let connections = Connections::new().await;
    let mut object = good();
    for spec in edits() {
        object["spec"] = spec.clone();
        let params = PatchParams::apply("gitops");
        let applied = connections.api.patch("a", &params, &Patch::Apply(&object)).await;
        check(&outcome(applied).unwrap_or_else(|error| panic!("{spec}: {error}")), &spec);
    }
}

#[tokio::test]
async fn by_kubectl_apply() {
    let control_plane = control_plane().await;
    let connections = Connections::new().await;
    let file = control_plane.scratch().path().join(format!("{}-edits.json", connections.namespace));
    let mut object = good();
    for spec in edits() {
        object["spec"] = spec;
        std::fs::write(&file, object.to_string()).unwrap();
        let apply = ["apply", "--namespace", &connections.namespace, "--filename", file.to_str().unwrap()];
        let applied = control_plane.run_kubectl(apply).await;
        applied.unwrap_or_else(|error| panic!("{}: {error}", object["spec"]));
        let stored = serde_json::to_value(connections.api.get("a").await.unwrap()).unwrap();
        check(&stored, &object["spec"]);
    }
}

/// Whoever applies a reference means all of it: an id or a key that somebody else wrote does not stay beside it.
#[tokio::test]
async fn a_reference_is_replaced_as_a_whole() {
    let connections = Connections::new().await;
    let written = json!({"spec": {"tokenSecretRef": {"key": "k"}, "defaultWorkspace": {"id": "1"}, "channel": {"id": "1"},
        "sharing": {"scope": "Namespaces", "namespaces": ["a"], "namespaceSelector": {"matchLabels": {"a": "b"}}}}});
    connections.create(&written, &PostParams::default()).await.unwrap();
    let spec = json!({
        "tokenSecretRef": {"name": "other"},
        "defaultWorkspace": {"name": "Acme"},
        "channel": {"name": "releases"},
        "sharing": {"scope": "Namespaces", "namespaces": ["b"], "namespaceSelector": {"matchLabels": {"c": "d"}}},
    });
    let object = merged(good(), &json!({"spec": spec}));
    let applied =
        connections.api.patch("a", &PatchParams::apply("gitops").force(), &Patch::Apply(&object)).await;
    let applied = outcome(applied).unwrap();
    assert_eq!(applied["spec"]["tokenSecretRef"], json!({"name": "other", "key": "token"}));
    for reference in ["defaultWorkspace", "channel"] {
        assert_eq!(applied["spec"][reference], spec[reference]);
    }
    let sharing = &applied["spec"]["sharing"];
    assert_eq!(sharing["namespaceSelector"], json!({"matchLabels": {"c": "d"}}));
    assert_eq!(sharing["namespaces"], json!(["a", "b"]), "a set: each manager keeps its own");
}
