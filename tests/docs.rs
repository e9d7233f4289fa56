//! What the documents for people say is true: tables against the code, the example against a real API server, commands,
//! flags and links against what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use clickup_operator::{
    api::{ClickUpConnection, ConditionType, TokenType},
    connection::{SecretContent, token_of},
};
use k8s_openapi::api::{core::v1::Secret, rbac::v1::ClusterRole};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use strum::VariantArray;
use test_support::{
    control_plane::{ControlPlane, Options},
    stack::install_crd,
};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
const PAGES: [&str; 4] =
    ["README.md", "CONTRIBUTING.md", "docs/conditions.md", "tests/control-plane/README.md"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The rows of all tables whose first column is headed so, each with the second-level heading above it.
fn rows(page: &str, first_column: &str) -> Vec<(String, Vec<String>)> {
    let (mut section, mut within, mut rows) = (String::new(), false, Vec::new());
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading.to_owned();
        }
        let Some(cells) = line.strip_prefix("| ").and_then(|l| l.strip_suffix(" |")) else {
            within = false;
            continue;
        };
        let cells: Vec<_> = cells.split('|').map(|cell| cell.trim().to_owned()).collect();
        if cells[0] == first_column {
            within = true;
        } else if within && !cells[0].starts_with("---") {
            rows.push((section.clone(), cells));
        }
    }
    rows
}

fn unquoted(cell: &str) -> &str {
    cell.trim_matches('`')
}

/// What stands between backticks, and every line of code blocks.
fn code(page: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim());
        } else {
            found.extend(line.split('`').skip(1).step_by(2));
        }
    }
    found
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| c.is_whitespace() || "=,;()[]\"'".contains(c)).filter(|word| !word.is_empty())
}

#[test]
fn every_reason_has_a_row_with_cause_and_cure() {
    let page = read("docs/conditions.md");
    let mut documented = Vec::new();
    for (section, cells) in rows(&page, "reason") {
        let [reason, status, cause, cure] = cells.as_slice() else {
            panic!("{section}: not four cells: {cells:?}")
        };
        assert!(
            ["True", "False", "Unknown"].contains(&status.as_str()),
            "{section}, {reason}: status {status:?}"
        );
        assert!(!cause.is_empty(), "{section}, {reason}: no cause");
        assert!(!cure.is_empty(), "{section}, {reason}: no cure");
        documented.push(format!("{section} {}", unquoted(reason)));
    }
    let pairs =
        ConditionType::VARIANTS.iter().flat_map(|c| c.reasons().iter().map(move |r| format!("{c} {r}")));
    assert_eq!(documented, pairs.collect::<Vec<_>>(), "docs/conditions.md against ConditionType::reasons()");

    let listed: Vec<_> = rows(&page, "condition").into_iter().map(|(_, cells)| cells[0].clone()).collect();
    let expected =
        ConditionType::VARIANTS.iter().map(|c| format!("[`{c}`](#{})", c.to_string().to_lowercase()));
    assert_eq!(listed, expected.collect::<Vec<_>>(), "the table at the top of docs/conditions.md");
}

#[test]
fn what_ready_takes_over_is_listed() {
    let page = read("docs/conditions.md");
    let ready = page.split("\n## ").find(|section| section.starts_with("Ready\n")).unwrap();
    let of = |status: &str| {
        let line = ready.lines().find_map(|line| line.strip_prefix(&format!("- {status}: "))).unwrap();
        line.split(", ").map(|reason| unquoted(reason).to_owned()).collect::<BTreeSet<_>>()
    };
    let (no, open) = (of("False"), of("Unknown"));
    let expected: BTreeMap<String, &str> = ConditionType::VERDICTS
        .iter()
        .flat_map(|c| rows(&page, "reason").into_iter().filter(move |(section, _)| *section == c.to_string()))
        .filter(|(_, cells)| cells[1] != "True")
        // Not being able to ask is not a no.
        .map(|(section, cells)| {
            let no = cells[1] == "False" && section != ConditionType::Reachable.to_string();
            (unquoted(&cells[0]).to_owned(), if no { "False" } else { "Unknown" })
        })
        .collect();
    let with = |status| expected.iter().filter(|(_, s)| **s == status).map(|(r, _)| r.clone()).collect();
    assert_eq!((no, open), (with("False"), with("Unknown")));
}

/// The example of the README as it is written.
fn example() -> String {
    let readme = read("README.md");
    let blocks: Vec<_> = readme.split("```yaml\n").skip(1).collect();
    assert_eq!(blocks.len(), 1, "one example");
    blocks[0].split("```").next().unwrap().to_owned()
}

#[test]
fn the_example_is_a_secret_and_a_connection_that_uses_it() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&example()).unwrap();
    let [secret, connection] = documents.as_slice() else { panic!("not two documents") };
    assert_eq!((&secret["apiVersion"], &secret["kind"]), (&"v1".into(), &"Secret".into()));
    let secret: Secret = serde_json::from_value(secret.clone()).unwrap();
    let connection: ClickUpConnection = serde_json::from_value(connection.clone()).unwrap();
    connection.spec.validate().unwrap();
    let source = &connection.spec.token_secret_ref;
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
async fn the_example_applies_as_it_is_written() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    install_crd(&control_plane, Path::new(CHECKOUT)).await.unwrap();
    let file = control_plane.scratch().path().join("connection.yaml");
    fs::write(&file, example()).unwrap();
    let apply = ["apply", "--validate=strict", "--filename", file.to_str().unwrap()];
    let applied = control_plane.run_kubectl(apply).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(applied.lines().filter(|line| line.ends_with(" created")).count(), 2, "{applied}");

    let get = ["get", "clickupconnections", "--output", "jsonpath={.items[*].spec}"];
    let stored: Value = serde_json::from_str(&control_plane.run_kubectl(get).await.unwrap()).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&example()).unwrap();
    for (field, value) in documents[1]["spec"].as_object().unwrap() {
        assert_eq!(stored[field], *value, "spec.{field} is stored as written");
    }
    control_plane.stop().await.unwrap();
}

/// Every field with its default, objects of which only one form is a choice (by id or by name) not taken apart.
fn spec_fields() -> BTreeMap<String, String> {
    let crd: Value = serde_saphyr::from_str(&read("crds/clickupconnections.yaml")).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = BTreeMap::new();
    collect("", spec, &mut fields);
    fields
}

fn collect(prefix: &str, schema: &Value, fields: &mut BTreeMap<String, String>) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().unwrap() {
        let path = format!("{prefix}{name}");
        if property["required"].is_array() {
            collect(&format!("{path}."), property, fields);
            continue;
        }
        let default = match &property["default"] {
            Value::String(text) => format!("`{text}`"),
            Value::Null if required.contains(&name.as_str().into()) => "required".to_owned(),
            Value::Null => String::new(),
            other => format!("`{other}`"),
        };
        fields.insert(path, default);
    }
}

#[test]
fn the_field_table_has_every_field_and_its_default() {
    let rows = rows(&read("README.md"), "field of `spec`");
    let documented: BTreeMap<_, _> =
        rows.iter().map(|(_, cells)| (unquoted(&cells[0]).to_owned(), cells[1].clone())).collect();
    assert_eq!(rows.len(), documented.len(), "a field has two rows");
    assert_eq!(documented, spec_fields(), "README against crds/clickupconnections.yaml");
    assert!(rows.iter().all(|(_, cells)| !cells[2].is_empty()));
}

#[test]
fn the_permissions_are_those_of_the_role() {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read("deploy/base/rbac.yaml")).unwrap();
    let role = documents.into_iter().find(|document| document["kind"] == "ClusterRole").unwrap();
    let role: ClusterRole = serde_json::from_value(role).unwrap();
    let granted: BTreeMap<_, _> = role
        .rules
        .unwrap()
        .into_iter()
        .flat_map(|rule| {
            let verbs = rule.verbs.join(", ");
            rule.resources.unwrap().into_iter().map(move |resource| (resource, verbs.clone()))
        })
        .collect();
    let documented: BTreeMap<_, _> = rows(&read("README.md"), "resource")
        .into_iter()
        .map(|(_, cells)| (unquoted(&cells[0]).to_owned(), cells[1].clone()))
        .collect();
    assert_eq!(documented, granted, "README against deploy/base/rbac.yaml");
}

#[test]
fn every_make_target_exists() {
    let makefile = read("Makefile");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':').filter(|(_, rest)| !rest.starts_with('=')))
        .map(|(target, _)| target)
        .collect();
    let mut named = BTreeSet::new();
    for page in PAGES {
        for line in code(&read(page)) {
            let Some(target) = line.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next())
            else {
                continue;
            };
            assert!(targets.contains(target), "{page}: `make {target}` is not in the Makefile");
            named.insert(target.to_owned());
        }
    }
    for target in ["demo", "try", "dev", "test", "install", "uninstall", "image"] {
        assert!(named.contains(target), "nothing is said about `make {target}`");
    }
}

#[test]
fn every_flag_and_its_variable_exist() {
    let help = Command::new(env!("CARGO_BIN_EXE_clickup-operator")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let is_ours = |word: &str| {
        let flag =
            word.strip_prefix("--").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        flag || word.starts_with("CLICKUP_OPERATOR_")
    };
    let known: BTreeSet<_> = words(&help).map(|word| word.trim_end_matches([':', '.'])).collect();
    let mut seen = 0;
    for page in ["README.md", "docs/conditions.md"] {
        let text = read(page);
        // Flags of other programs stand behind their names.
        let code = code(&text).into_iter().filter(|c| is_ours(c) || c.contains("clickup-operator run"));
        for word in code.flat_map(words).filter(|word| is_ours(word)) {
            seen += 1;
            assert!(known.contains(word), "{page}: `clickup-operator run --help` does not know {word}");
        }
    }
    assert!(seen > 5, "only {seen} flags found");
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || "- _".contains(*c))
        .collect::<String>();
    kept.replace(' ', "-")
}

#[test]
fn every_relative_link_resolves() {
    let mut seen = 0;
    for page in PAGES {
        let text = read(page);
        let folder = Path::new(CHECKOUT).join(page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            seen += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file: PathBuf =
                if path.is_empty() { Path::new(CHECKOUT).join(page) } else { folder.join(path) };
            assert!(file.exists(), "{page}: the link to {target} leads nowhere");
            if !fragment.is_empty() {
                let linked = fs::read_to_string(&file).unwrap();
                let headings = linked
                    .lines()
                    .filter(|l| l.starts_with('#'))
                    .map(|l| anchor(l.trim_start_matches('#').trim()));
                assert!(headings.into_iter().any(|h| h == fragment), "{page}: {target} has no such heading");
            }
        }
    }
    assert!(seen > 10, "only {seen} links found");
}

#[test]
fn every_path_named_exists() {
    let mut seen = 0;
    for page in PAGES {
        for path in code(&read(page)) {
            let ours =
                ["src/", "tests/", "deploy/", "docs/", "crds/"].iter().any(|folder| path.starts_with(folder));
            if ours && !path.contains(char::is_whitespace) {
                seen += 1;
                assert!(Path::new(CHECKOUT).join(path).exists(), "{page}: there is no {path}");
            }
        }
    }
    assert!(seen > 10, "only {seen} paths found");
}
