//! The CRD against a real API server: what it accepts, refuses, fills in and shows, and in which words.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod constraints;
mod edits;
mod rows;
mod statuses;
mod stored;

use constraints::{constraints, defaults, types};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use test_support::control_plane::{ControlPlane, ControlPlaneError, Options};
use test_support::stack::install_crd;
use tokio::sync::OnceCell;

const OPERATOR: &str = env!("CARGO_BIN_EXE_clickup-operator");
const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

async fn control_plane() -> &'static ControlPlane {
    static SHARED: OnceCell<Result<ControlPlane, ControlPlaneError>> = OnceCell::const_new();
    let start = || async {
        let control_plane = ControlPlane::start(Options::default()).await?;
        install_crd(&control_plane, Path::new(CHECKOUT)).await?;
        Ok(control_plane)
    };
    SHARED.get_or_init(start).await.as_ref().unwrap()
}

/// The connections of a namespace of one's own.
struct Connections {
    api: Api<DynamicObject>,
    client: kube::Client,
    namespace: String,
}

impl Connections {
    async fn new() -> Self {
        let control_plane = control_plane().await;
        let namespace = control_plane.fresh_namespace("schema").await.unwrap();
        let client = control_plane.client().await.unwrap();
        let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
        let resource = ApiResource::from_gvk_with_plural(&kind, "clickupconnections");
        Self { api: Api::namespaced_with(client.clone(), &namespace, &resource), client, namespace }
    }

    /// Creates one, dry, from the least that is good and these changes.
    async fn try_create(&self, patch: &Value) -> Result<Value, String> {
        self.create(patch, &PostParams { dry_run: true, ..PostParams::default() }).await
    }

    async fn create(&self, patch: &Value, params: &PostParams) -> Result<Value, String> {
        let object = serde_json::from_value(merged(good(), patch)).unwrap();
        outcome(self.api.create(params, &object).await)
    }

    async fn patch_status(&self, patch: &Value, params: &PatchParams) -> Result<Value, String> {
        outcome(self.api.patch_status("a", params, &Patch::Merge(patch)).await)
    }

    /// Creates with `fieldValidation=Strict`, as kubectl does.
    async fn try_create_strictly(&self, patch: &Value) -> Result<Value, String> {
        let url = format!(
            "/apis/clickup-operator.dev/v1alpha1/namespaces/{}/clickupconnections?dryRun=All&fieldValidation=Strict",
            self.namespace
        );
        let body = merged(good(), patch).to_string().into_bytes();
        let request =
            hyper::Request::post(url).header("content-type", "application/json").body(body).unwrap();
        match self.client.request(request).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(error) => panic!("{error}"),
        }
    }
}

fn outcome(result: kube::Result<DynamicObject>) -> Result<Value, String> {
    match result {
        Ok(object) => Ok(serde_json::to_value(object).unwrap()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => panic!("{error}"),
    }
}

fn good() -> Value {
    json!({
        "apiVersion": "clickup-operator.dev/v1alpha1",
        "kind": "ClickUpConnection",
        "metadata": {"name": "a"},
        "spec": {"tokenSecretRef": {"name": "clickup-token"}},
    })
}

fn merged(mut into: Value, patch: &Value) -> Value {
    match (&mut into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (name, value) in patch {
                let old = into.remove(name).unwrap_or_default();
                into.insert(name.clone(), merged(old, value));
            }
        }
        _ => into = patch.clone(),
    }
    into
}

fn schema() -> Value {
    let crd: Value = serde_json::to_value(clickup_operator::api::crd()).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

#[test]
fn the_file_is_what_the_program_prints() {
    let printed = Command::new(OPERATOR).arg("crd").output().unwrap();
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let file = std::fs::read_to_string(Path::new(CHECKOUT).join("crds/clickupconnections.yaml")).unwrap();
    let same = file == String::from_utf8(printed.stdout).unwrap();
    assert!(
        same,
        "crds/clickupconnections.yaml is not what `clickup-operator crd` prints: run `make generate`"
    );
}

#[test]
fn every_constraint_has_a_row() {
    let rows = rows::refused().into_iter().chain(rows::refused_statuses());
    let tested: BTreeSet<_> = rows.map(|row| row.breaks).collect();
    let found = constraints(&schema());
    let untested: Vec<_> = found.difference(&tested).collect();
    let gone: Vec<_> = tested.difference(&found).collect();
    assert!(untested.is_empty(), "constraints that no row of tests/schema/rows.rs breaks: {untested:#?}");
    assert!(
        gone.is_empty(),
        "rows of tests/schema/rows.rs for constraints that the CRD does not have: {gone:#?}"
    );
}

#[test]
fn nothing_is_nullable_and_every_rule_has_a_message() {
    let text = serde_json::to_string(&schema()).unwrap();
    assert!(!text.contains("nullable"));
    assert!(!text.contains("x-kubernetes-preserve-unknown-fields"));
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_with_what_to_write() {
    let connections = Connections::new().await;
    let rows = rows::refused();
    let mut wrong = Vec::new();
    for row in &rows {
        match connections.try_create(&row.patch).await {
            Ok(_) => wrong.push(format!("{}: accepted {}", row.breaks, row.patch)),
            Err(message) if is_as_expected(&message, row) => {}
            Err(message) => wrong.push(format!("{}: {}\n  {message}", row.breaks, row.patch)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
    println!("{} refused", rows.len());
}

fn is_as_expected(message: &str, row: &rows::Row) -> bool {
    // A rule that cannot be evaluated says so in words that are for programmers.
    let confuses = ["evaluating rule", "rule evaluation error", "conversion error", "no such"];
    let named = message.contains(row.place());
    named
        && row.says.iter().all(|part| message.contains(part))
        && !confuses.iter().any(|part| message.contains(part))
}

#[tokio::test]
async fn what_keeps_the_rules_is_accepted() {
    let connections = Connections::new().await;
    let patches = rows::accepted();
    for patch in &patches {
        if let Err(message) = connections.try_create(patch).await {
            panic!("{patch}: {message}");
        }
    }
    println!("{} accepted", patches.len());
}

/// Puts a value at a place such as `spec.requiredWorkspaces[].id`; in a map it is of the label `any`.
fn at(path: &str, value: Value) -> Value {
    path.replace('*', "any").rsplit('.').fold(value, |value, name| match name.strip_suffix("[]") {
        Some(name) => json!({name: [value]}),
        None => json!({name: value}),
    })
}

#[tokio::test]
async fn other_types_are_refused_everywhere() {
    let connections = Connections::new().await;
    let types = types(&schema());
    assert!(types.iter().any(|(path, _)| path == "spec.requiredWorkspaces[].id"), "{types:?}");
    for (path, kind) in types.iter().filter(|(path, _)| path.starts_with("spec")) {
        let wrong = if kind == "string" { json!(7) } else { json!("text") };
        let error = connections.try_create(&at(path, wrong)).await.unwrap_err();
        assert!(error.contains(&format!("must be of type {kind}")), "{path}: {error}");
    }
}

/// A null counts as left out: the default stands in, or the field is required, or it is gone. In a list it is refused.
#[tokio::test]
async fn a_null_is_never_stored() {
    let connections = Connections::new().await;
    let (types, defaults) = (types(&schema()), defaults(&schema()));
    let paths = types.iter().map(|(path, _)| path).filter(|path| path.starts_with("spec"));
    let (mut refused, mut replaced, mut dropped) = (0, 0, 0);
    for path in paths {
        let pointer = format!("/{}", path.replace("[]", "/0").replace('*', "any").replace('.', "/"));
        // Nothing but the null is wrong.
        let around = match path.split('.').nth(1) {
            Some("connectionRef") => json!({"spec": {"tokenSecretRef": null}}),
            Some("sharing") if path != "spec.sharing" && path != "spec.sharing.scope" => {
                json!({"spec": {"sharing": {"scope": "Namespaces"}}})
            }
            _ => json!({}),
        };
        match connections.try_create(&merged(around, &at(path, Value::Null))).await {
            Err(error) => {
                refused += 1;
                let says =
                    ["Required value", "must be of type", "write exactly one of", "say which namespaces"];
                assert!(says.iter().any(|part| error.contains(part)), "{path}: {error}");
            }
            Ok(object) => match defaults.iter().find(|(place, _)| place == path) {
                Some((_, default)) => {
                    replaced += 1;
                    assert_eq!(object.pointer(&pointer), Some(default), "{path}");
                }
                None => {
                    dropped += 1;
                    assert_eq!(object.pointer(&pointer), None, "{path}: {object}");
                }
            },
        }
    }
    assert!(refused > 0 && replaced > 0 && dropped > 0, "{refused} {replaced} {dropped}");
    // Were it dropped, the selector would select all.
    let selector = json!({"matchLabels": {"team": null}});
    let sharing = json!({"scope": "Namespaces", "namespaceSelector": selector});
    let object = connections.try_create(&json!({"spec": {"sharing": sharing}})).await.unwrap();
    let kept = object.pointer("/spec/sharing/namespaceSelector/matchLabels");
    assert_eq!(kept, Some(&json!({"team": ""})));
}

#[tokio::test]
async fn defaults_are_filled_in() {
    let connections = Connections::new().await;
    let created = connections.create(&json!({}), &PostParams::default()).await.unwrap();
    let expected = json!({
        "tokenSecretRef": {"name": "clickup-token", "key": "token"},
        "tokenType": "Personal",
        "interval": "10m",
        "timeout": "30s",
        "outageGracePeriod": "30m",
        "suspend": false,
        "binding": {"enabled": false},
    });
    assert_eq!(created["spec"], expected);
    assert_eq!(created["status"], json!({"observedGeneration": -1}), "until the first check");
    assert_eq!(created["metadata"]["generation"], 1);
    let mut places: Vec<_> = defaults(&schema()).into_iter().map(|(path, _)| path).collect();
    places.sort();
    assert_eq!(
        places,
        [
            "spec.binding",
            "spec.binding.enabled",
            "spec.interval",
            "spec.outageGracePeriod",
            "spec.sharing.namespaceSelector.matchLabels.*",
            "spec.sharing.scope",
            "spec.suspend",
            "spec.timeout",
            "spec.tokenSecretRef.key",
            "spec.tokenType",
            "status"
        ]
    );
}

#[tokio::test]
async fn what_comes_back_with_its_defaults_can_be_applied() {
    let connections = Connections::new().await;
    let shared = connections.try_create(&json!({"spec": {"sharing": {}, "binding": {}}})).await.unwrap();
    assert_eq!(shared["spec"]["sharing"], json!({"scope": "Private"}));
    assert_eq!(shared["spec"]["binding"], json!({"enabled": false}));
    let referrer = connections.try_create(&rows::example_of_a_referrer()).await.unwrap();
    let reference = json!({"namespace": "platform", "name": "release-bot"});
    assert_eq!(referrer["spec"]["connectionRef"], reference);
    assert_eq!(referrer["spec"].get("tokenSecretRef"), None);
    assert_eq!(referrer["spec"]["tokenType"], "Personal");

    for created in [shared, referrer] {
        let mut patch = json!({"spec": created["spec"]});
        if patch.pointer("/spec/connectionRef").is_some() {
            patch["spec"]["tokenSecretRef"] = Value::Null;
        }
        let again = connections.try_create(&patch).await.unwrap();
        assert_eq!(again["spec"], created["spec"]);
    }
}

#[tokio::test]
async fn unknown_fields_are_dropped_or_refused() {
    let connections = Connections::new().await;
    for (place, pointer) in [
        ("spec.requiredWorkspace", "/spec/requiredWorkspace"),
        ("spec.tokenSecretRef.namespace", "/spec/tokenSecretRef/namespace"),
        ("spec.token", "/spec/token"),
        ("spec.channels", "/spec/channels"),
        ("spec.sharing.namespace", "/spec/sharing/namespace"),
        ("spec.binding.secret", "/spec/binding/secret"),
    ] {
        let patch = at(place, json!("x"));
        let created = connections.try_create(&patch).await.unwrap();
        assert_eq!(created.pointer(pointer), None, "{place}");
        let error = connections.try_create_strictly(&patch).await.unwrap_err();
        assert!(error.contains(&format!("unknown field \"{place}\"")), "{place}: {error}");
    }
    connections.try_create_strictly(&json!({})).await.unwrap();
}

/// By this label reconcilers of the Service Binding specification find the kinds that have a status.binding.name.
#[tokio::test]
async fn it_is_a_provisioned_service() {
    let select = "--selector=servicebinding.io/provisioned-service=true";
    let found = control_plane().await.run_kubectl(["get", "crd", "--output=name", select]).await.unwrap();
    let name = "clickupconnections.clickup-operator.dev";
    assert_eq!(found.trim(), format!("customresourcedefinition.apiextensions.k8s.io/{name}"));
}

#[tokio::test]
async fn columns_short_name_and_category() {
    let control_plane = control_plane().await;
    let connections = Connections::new().await;
    connections.create(&json!({}), &PostParams::default()).await.unwrap();
    let status = json!({"status": {
        "observedGeneration": 1,
        "conditions": [
            {"type": "Reachable", "status": "True", "reason": "ResponseReceived", "message": "no", "lastTransitionTime": "2026-11-23T10:00:00Z"},
            {"type": "Ready", "status": "False", "reason": "TokenRejected", "message": "make a new token", "lastTransitionTime": "2026-11-23T10:00:00Z"},
        ],
        "user": {"id": "183"},
        "workspaceCount": 2,
        "defaultWorkspace": {"id": "9012345678", "name": "Acme"},
        "lastVerifiedTime": "2020-01-01T00:00:00Z",
    }});
    connections.patch_status(&status, &PatchParams::default()).await.unwrap();

    let get = async |arguments: &[&str]| {
        let in_namespace = ["get", "--namespace", &connections.namespace];
        control_plane.run_kubectl(in_namespace.iter().chain(arguments)).await.unwrap()
    };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let short = get(&["cuc"]).await;
    let lines: Vec<_> = short.lines().map(words).collect();
    assert_eq!(lines[0], ["NAME", "READY", "REASON", "WORKSPACE", "USER", "AGE"]);
    assert_eq!(lines[1][..5], ["a", "False", "TokenRejected", "Acme", "183"]);

    let wide = get(&["clickup", "--output", "wide"]).await;
    let lines: Vec<_> = wide.lines().map(words).collect();
    let narrow = ["NAME", "READY", "REASON", "WORKSPACE", "USER", "AGE"];
    let more = ["WORKSPACES", "INTERVAL", "SUSPENDED", "VERIFIED", "MESSAGE"];
    assert_eq!(lines[0], [&narrow[..], &more[..]].concat());
    assert_eq!(lines[1][6..9], ["2", "10m", "false"]);
    assert!(lines[1][9].contains('y'), "how long ago: {}", lines[1][9]);
    assert_eq!(lines[1][10..].join(" "), "make a new token");
    for name in
        ["clickupconnection", "clickupconnections", "clickupconnections.v1alpha1.clickup-operator.dev"]
    {
        assert_eq!(words(&get(&[name, "--output=name"]).await), ["clickupconnection.clickup-operator.dev/a"]);
    }
}

/// What a person reads at the prompt.
#[tokio::test]
async fn kubectl_shows_the_message() {
    let control_plane = control_plane().await;
    let connections = Connections::new().await;
    let mut object = merged(good(), &json!({"spec": {"interval": "10 minutes"}}));
    let file = control_plane.scratch().path().join(format!("{}.json", connections.namespace));
    for (patch, says) in [
        (json!({}), "interval must be a duration from 1m to 24h: write whole hours"),
        (json!({"spec": {"interval": "10m", "intervall": "10m"}}), "unknown field \"spec.intervall\""),
    ] {
        object = merged(object, &patch);
        std::fs::write(&file, object.to_string()).unwrap();
        let apply = ["apply", "--namespace", &connections.namespace, "--filename", file.to_str().unwrap()];
        let error = control_plane.run_kubectl(apply).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
