//! The examples, applied to a real API server.

use crate::pages::{CHECKOUT, for_users, read};
use clickup_operator::{
    api::{ClickUpConnection, StoredConnection, TokenType},
    connection::{SecretContent, token_of},
};
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};
use test_support::{
    control_plane::{ControlPlane, Options},
    stack::install_crd,
};

/// Kinds of other projects.
const FOREIGN: [&str; 4] = ["fluxcd.io/", "argoproj.io/", "external-secrets.io/", "bitnami.com/"];

/// The fenced YAML blocks of a page as they are written, each as its documents.
fn examples(page: &str) -> Vec<Vec<String>> {
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let mut within = false;
    for line in read(page).lines() {
        match (within, line) {
            (false, "```yaml") => blocks.push(vec![String::new()]),
            (true, "---") => blocks.last_mut().unwrap().push(String::new()),
            (true, "```") | (false, _) => {}
            (true, line) => {
                let document = blocks.last_mut().unwrap().last_mut().unwrap();
                document.push_str(line);
                document.push('\n');
            }
        }
        within = if within { line != "```" } else { line == "```yaml" };
    }
    blocks
}

fn parsed(document: &str) -> Value {
    serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{e}:\n{document}"))
}

#[test]
fn the_example_is_a_secret_and_a_connection_that_uses_it() {
    let blocks = examples("README.md");
    let [example] = blocks.as_slice() else { panic!("not one example") };
    let documents: Vec<_> = example.iter().map(|document| parsed(document)).collect();
    let [secret, connection] = documents.as_slice() else { panic!("not two documents") };
    assert_eq!((&secret["apiVersion"], &secret["kind"]), (&"v1".into(), &"Secret".into()));
    let secret: Secret = serde_json::from_value(secret.clone()).unwrap();
    let connection: ClickUpConnection = serde_json::from_value(connection.clone()).unwrap();
    connection.spec.validate().unwrap();
    let source = connection.spec.token_secret_ref.as_ref().unwrap();
    assert_eq!(secret.metadata.name.as_ref(), Some(&source.name));
    let content = SecretContent {
        type_: "Opaque".to_owned(),
        token_type_label: None,
        data: secret
            .string_data
            .unwrap()
            .into_iter()
            .map(|(key, value)| (key, value.into_bytes().into()))
            .collect(),
    };
    assert_eq!(connection.spec.token_type, TokenType::Personal);
    if let Err(problem) = token_of(&content, source, connection.spec.token_type) {
        panic!("{problem:?}");
    }
}

#[tokio::test]
async fn every_example_applies_as_it_is_written() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    install_crd(&control_plane, Path::new(CHECKOUT)).await.unwrap();
    let file = control_plane.scratch().path().join("example.yaml");
    let kubectl = async |arguments: &[&str]| {
        control_plane.run_kubectl(arguments).await.unwrap_or_else(|e| panic!("{e}"))
    };
    let (mut namespaces, mut connections) = (BTreeSet::new(), 0);
    for (n, page) in for_users().iter().enumerate() {
        for (m, documents) in examples(page).iter().enumerate() {
            for document in documents {
                let value = parsed(document);
                let of = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let (kind, name) = (of("/kind"), of("/metadata/name"));
                if of("/apiVersion").starts_with("servicebinding.io/") {
                    assert!(
                        publishes(page, &value["spec"]["service"]),
                        "{page}: nothing to bind to:\n{document}"
                    );
                    continue;
                }
                // With their CRDs, tests/gitops applies these.
                if FOREIGN.iter().any(|group| of("/apiVersion").contains(group)) {
                    continue;
                }
                // What names no namespace gets one that only its block has.
                let namespace = match (kind, of("/metadata/namespace")) {
                    ("Namespace", _) => name.to_owned(),
                    (_, "") => format!("example-{n}-{m}"),
                    (_, named) => named.to_owned(),
                };
                if namespaces.insert(namespace.clone()) && kind != "Namespace" {
                    kubectl(&["create", "namespace", &namespace]).await;
                }
                fs::write(&file, document).unwrap();
                let mut apply = vec!["apply", "--validate=strict", "--filename", file.to_str().unwrap()];
                if kind != "Namespace" {
                    apply.extend(["--namespace", &namespace]);
                }
                kubectl(&apply).await;
                if kind == "ClickUpConnection" {
                    let get =
                        ["get", "clickupconnections", name, "--namespace", &namespace, "--output", "json"];
                    let stored: Value = serde_json::from_str(&kubectl(&get).await).unwrap();
                    let written = &value["spec"];
                    assert!(holds(&stored["spec"], written), "{page}, {name}: {stored:#}, not {written:#}");
                    let stored: StoredConnection = serde_json::from_value(stored).unwrap();
                    stored.spec.unwrap_or_else(|e| panic!("{page}, {name}: {e}")).validate().unwrap();
                    connections += 1;
                }
            }
        }
    }
    assert!(connections > 5, "only {connections} connections found");
    control_plane.stop().await.unwrap();
}

/// Whether an example of the page publishes its Secret under the name that a binding gives.
fn publishes(page: &str, service: &Value) -> bool {
    let documents = examples(page).into_iter().flatten();
    documents.map(|document| parsed(&document)).any(|connection| {
        let same = |field: &str| connection[field] == service[field];
        let published = connection["spec"]["binding"]["enabled"] == true;
        published && same("apiVersion") && same("kind") && connection["metadata"]["name"] == service["name"]
    })
}

/// Whether all that is written is there; the API server adds defaults.
fn holds(stored: &Value, written: &Value) -> bool {
    match (stored, written) {
        (Value::Object(stored), Value::Object(written)) => {
            written.iter().all(|(name, value)| stored.get(name).is_some_and(|stored| holds(stored, value)))
        }
        (Value::Array(stored), Value::Array(written)) => {
            stored.len() == written.len() && stored.iter().zip(written).all(|(s, w)| holds(s, w))
        }
        (stored, written) => stored == written,
    }
}

/// The part of the book whose pages are for one capability each.
const CAPABILITIES: &str = "What it can do";

#[test]
fn every_page_of_a_capability_begins_with_an_example_and_ends_with_pitfalls() {
    let (readme, mut seen) = (read("README.md"), 0);
    for (page, part) in book::summary::chapters(Path::new(CHECKOUT)).unwrap() {
        if part != CAPABILITIES {
            continue;
        }
        assert!(readme.contains(&format!("]({page}")), "the README has no link to {page}");
        let text = read(&page);
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings.last(), Some(&"Pitfalls"), "{page}");
        let before = text.split("\n## ").next().unwrap();
        assert!(before.contains("```yaml\n"), "{page}: no example before its first heading");
        seen += 1;
    }
    assert!(seen > 3, "only {seen} pages in the part {CAPABILITIES:?} of {}", book::summary::PATH);
}
