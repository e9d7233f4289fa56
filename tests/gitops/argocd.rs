//! The health check that Argo CD runs, in a Lua like its own, and the files that bring it there.

use crate::{generated::WRITE, states::State};
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

/// Where argo-cd has its own checks, this one stands so.
const FOLDER: &str = "deploy/gitops/argocd/resource_customizations/clickup-operator.dev/ClickUpConnection";
pub const CONFIG_MAP: &str = "deploy/gitops/argocd/argocd-cm.yaml";
pub const KEY: &str = "resource.customizations.health.clickup-operator.dev_ClickUpConnection";

/// The connections of [`crate::states`] that argo-cd's own tests would look at.
const CASES: [&str; 15] = [
    "created",
    "checking",
    "edited-good",
    "verified",
    "within-grace",
    "rate-limited",
    "rejected",
    "invalid",
    "missing",
    "nowhere",
    "server-error",
    "paused",
    "paused-refused",
    "paused-stalled",
    "born-paused",
];

/// What Argo CD shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub status: String,
    pub message: String,
}

#[derive(Serialize, Deserialize)]
struct Cases {
    tests: Vec<Expected>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expected {
    health_status: Health,
    input_path: String,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(name)
}

pub fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Argo CD gives a check of its ConfigMap the object, the base functions and `table`; no strings, no files.
pub fn health(object: &Value) -> Health {
    let lua = Lua::new_with(StdLib::TABLE, LuaOptions::default()).unwrap();
    lua.globals().set("obj", lua.to_value(object).unwrap()).unwrap();
    let health: mlua::Value = lua.load(read("health.lua")).set_name("health.lua").eval().unwrap();
    let health: Health = lua.from_value(health).unwrap();
    let known = ["Healthy", "Progressing", "Degraded", "Suspended"].contains(&health.status.as_str());
    assert!(known && !health.message.is_empty(), "{health:?} of {object:#}");
    health
}

#[test]
fn the_cases_are_judged_as_they_say() {
    let Cases { tests } = serde_saphyr::from_str(&read("health_test.yaml")).unwrap();
    let seen: std::collections::BTreeSet<_> = tests.iter().map(|t| t.health_status.status.clone()).collect();
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["Degraded", "Healthy", "Progressing", "Suspended"]);
    let mut listed: Vec<_> = tests.iter().map(|test| test.input_path.clone()).collect();
    for test in tests {
        let object: Value = serde_saphyr::from_str(&read(&test.input_path)).unwrap();
        assert_eq!(health(&object), test.health_status, "{}", test.input_path);
    }
    let files = fs::read_dir(path("testdata")).unwrap();
    let mut there: Vec<_> =
        files.map(|f| format!("testdata/{}", f.unwrap().file_name().to_str().unwrap())).collect();
    listed.sort();
    there.sort();
    assert_eq!(there, listed, "testdata against health_test.yaml");
}

/// A patch of Argo CD's ConfigMap that holds the check.
pub fn config_map() -> String {
    let head = "# Made from the health.lua beside it by `make generate`. Merge it into Argo CD's ConfigMap, see docs/gitops/argocd.md.\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\ndata:\n";
    let check: String =
        read("health.lua").lines().map(|line| format!("    {line}\n").replace("    \n", "\n")).collect();
    format!("{head}  {KEY}: |\n{check}")
}

/// The cases have the same conditions as the operator has written just now.
pub fn compare_cases(states: &[State]) {
    let find = |name: &&str| states.iter().find(|state| state.name() == *name);
    let cases: Vec<&State> =
        CASES.iter().map(|name| find(name).unwrap_or_else(|| panic!("no {name}"))).collect();
    if std::env::var_os(WRITE).is_some() {
        write_cases(&cases);
    }
    for case in cases {
        let name = format!("testdata/{}.yaml", case.name());
        let written: Value = serde_saphyr::from_str(&read(&name)).unwrap();
        let now = normal(&case.object);
        let stale = format!("{name} is not up to date: {WRITE}=1 cargo test --test gitops every_state");
        assert_eq!(written["spec"], now["spec"], "{stale}");
        assert_eq!(outline(&written), outline(&now), "{stale}");
    }
}

fn write_cases(cases: &[&State]) {
    let _ = fs::remove_dir_all(path("testdata"));
    fs::create_dir(path("testdata")).unwrap();
    let mut tests = Vec::new();
    for case in cases {
        let (object, input_path) = (normal(&case.object), format!("testdata/{}.yaml", case.name()));
        fs::write(path(&input_path), serde_saphyr::to_string(&object).unwrap()).unwrap();
        tests.push(Expected { health_status: health(&object), input_path });
    }
    fs::write(path("health_test.yaml"), serde_saphyr::to_string(&Cases { tests }).unwrap()).unwrap();
}

/// Without what is another in every run.
fn normal(object: &Value) -> Value {
    let mut object = object.clone();
    let (name, generation) = (&object["metadata"]["name"], &object["metadata"]["generation"]);
    object["metadata"] = json!({"name": name, "namespace": "platform", "generation": generation});
    let time = json!("2026-11-23T10:00:00Z");
    let conditions = object.pointer_mut("/status/conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        condition["lastTransitionTime"] = time.clone();
    }
    for (field, value) in [("lastVerifiedTime", time), ("secretResourceVersion", json!("41237"))] {
        if let Some(there) = object["status"].get_mut(field) {
            *there = value;
        }
    }
    object
}

/// What a check can look at, without the ids that messages name.
fn outline(object: &Value) -> Value {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let conditions: Vec<_> =
        conditions.map(|c| json!([c["type"], c["status"], c["reason"], c["observedGeneration"]])).collect();
    json!([object["metadata"]["generation"], object["status"]["observedGeneration"], conditions])
}
