//! The samples: applied to a real API server, without drift, and checked without a cluster by kubeconform.

use crate::{generated::SCHEMA, read};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use test_support::{go_tools, stack};
use tokio::{io::AsyncWriteExt, process::Command};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// All samples, the connections among them marked.
fn samples() -> Vec<(PathBuf, Value)> {
    let files = fs::read_dir(Path::new(CHECKOUT).join("deploy/samples")).unwrap();
    let mut samples: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.clone(), serde_saphyr::from_str(&fs::read_to_string(&path).unwrap()).unwrap()))
        .collect();
    samples.sort_by(|(one, _), (other, _)| one.cmp(other));
    samples
}

fn connections() -> impl Iterator<Item = (PathBuf, Value)> {
    samples().into_iter().filter(|(_, sample)| sample["kind"] == "ClickUpConnection")
}

#[test]
fn every_connection_names_its_schema_to_editors() {
    assert!(connections().count() >= 5, "the test is void");
    for (path, _) in connections() {
        let text = fs::read_to_string(&path).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=");
        let schema =
            path.parent().unwrap().join(schema.unwrap_or_else(|| panic!("{}: none", path.display())));
        let expected = Path::new(CHECKOUT).join(SCHEMA).canonicalize().unwrap();
        assert_eq!(schema.canonicalize().unwrap(), expected, "{}", path.display());
    }
}

/// Defaults and the status that the operator writes are no difference to what was applied.
#[tokio::test(flavor = "multi_thread")]
async fn every_sample_applies_and_does_not_drift() {
    let stack = stack::Stack::start(stack::StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator")));
    let stack = stack.await.unwrap_or_else(|e| panic!("{e}"));
    for namespace in ["platform", "web", "samples"] {
        stack.control_plane.run_kubectl(["create", "namespace", namespace]).await.unwrap();
    }
    for server_side in ["--server-side=true", "--server-side=false"] {
        for (path, sample) in samples() {
            let file = path.to_str().unwrap();
            let namespace = sample["metadata"]["namespace"].as_str().unwrap_or("samples");
            let kubectl = async |arguments: &[&str]| {
                let all = [arguments, &["--namespace", namespace, "--filename", file]].concat();
                stack.control_plane.run_kubectl(all).await.unwrap_or_else(|e| panic!("{e}"))
            };
            kubectl(&["apply", "--validate=strict", server_side]).await;
            if sample["kind"] == "ClickUpConnection" {
                let target = format!("cuc/{}", sample["metadata"]["name"].as_str().unwrap());
                let observed = "--for=jsonpath={.status.observedGeneration}=1";
                let wait = ["wait", &target, observed, "--timeout=30s", "--namespace", namespace];
                stack.control_plane.run_kubectl(wait).await.unwrap_or_else(|e| panic!("{e}"));
            }
            // Ends with 1 where there is a difference.
            assert_eq!(kubectl(&["diff", server_side]).await, "", "{file} {server_side}");
            if server_side == "--server-side=true" {
                kubectl(&["delete"]).await;
            }
        }
    }
    // And where there is one, it is seen, unless the file does not have the field.
    for (name, drifts) in [("everything", true), ("minimal", false)] {
        let edit = r#"--patch={"spec":{"interval":"20m"}}"#;
        let patch = ["patch", "cuc", name, "--namespace=samples", "--type=merge", edit];
        stack.control_plane.run_kubectl(patch).await.unwrap();
        let file = Path::new(CHECKOUT).join(format!("deploy/samples/{name}.yaml"));
        let diff = ["diff", "--namespace=samples", "--filename", file.to_str().unwrap()];
        assert_eq!(stack.control_plane.run_kubectl(diff).await.is_err(), drifts, "{name}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn kubeconform_accepts_the_samples_and_refuses_mistakes() {
    for (path, sample) in connections() {
        assert_eq!(kubeconform(&sample).await, Ok(()), "{}", path.display());
    }
    let (_, good) = connections().find(|(path, _)| path.ends_with("everything.yaml")).unwrap();
    // What is changed, and what kubeconform must name.
    let rows = [
        ("/spec/tokenSecretRefs", json!({"name": "x"}), "tokenSecretRefs"),
        ("/spec/interval", json!("soon"), "/spec/interval"),
        ("/spec/interval", json!(600), "/spec/interval"),
        ("/spec/minimumRole", json!("Boss"), "/spec/minimumRole"),
        ("/spec/access/0/list", json!({"id": "x y"}), "/spec/access/0/list/id"),
        ("/spec/tokenSecretRef", json!({"key": "token"}), "name"),
        ("/spec/description", json!("x".repeat(1025)), "/spec/description"),
        ("/apiVersion", json!("clickup-operator.dev/v1alpha1"), ""),
    ];
    for (pointer, value, names) in rows {
        let mut broken = good.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[field] = value.clone();
        match kubeconform(&broken).await {
            Ok(()) => assert_eq!(names, "", "{pointer}: {value} passes"),
            Err(said) => assert!(!names.is_empty() && said.contains(names), "{pointer}: {value}: {said}"),
        }
    }
}

/// Runs it as docs/gitops/pipelines.md does.
async fn kubeconform(object: &Value) -> Result<(), String> {
    let program = go_tools::KUBECONFORM.find_or_build().await.unwrap_or_else(|e| panic!("{e}"));
    let mut command = Command::new(program);
    command.current_dir(CHECKOUT).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let location = "deploy/schemas/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json";
    let mut process = command.args(["-strict", "-schema-location", location]).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    stdin.write_all(object.to_string().as_bytes()).await.unwrap();
    drop(stdin);
    let output = process.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

/// What the page tells to run is what is tested.
#[test]
fn the_page_shows_the_same_call_of_kubeconform() {
    let page = read("docs/gitops/pipelines.md");
    let call = "kubeconform -strict -schema-location 'deploy/schemas/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json'";
    assert!(page.contains(call));
}
