//! What the documents for people say is true: tables against the code, the example against a real API server, commands,
//! flags and links against what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use clickup_operator::{
    api::{ClickUpConnection, ConditionType, Duration, StoredConnection, TokenType},
    clickup::{Budget, Next, RateLimit, Turns, Urgency, Want},
    connection::{SecretContent, token_of},
};
use jiff::{SignedDuration, Timestamp};
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
const FOR_DEVELOPERS: [&str; 2] = ["CONTRIBUTING.md", "tests/control-plane/README.md"];

/// What users read: the README and every page of `docs/`.
fn for_users() -> Vec<String> {
    let files = fs::read_dir(Path::new(CHECKOUT).join("docs")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<_> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    pages.sort();
    pages.insert(0, "README.md".to_owned());
    pages
}

fn all_pages() -> Vec<String> {
    FOR_DEVELOPERS.iter().map(|page| (*page).to_owned()).chain(for_users()).collect()
}

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

#[test]
fn every_page_of_a_capability_begins_with_an_example_and_ends_with_pitfalls() {
    let readme = read("README.md");
    for page in for_users() {
        if page == "README.md" {
            continue;
        }
        assert!(readme.contains(&format!("]({page}")), "the README has no link to {page}");
        if page == "docs/conditions.md" {
            continue;
        }
        let text = read(&page);
        let headings: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings.last(), Some(&"Pitfalls"), "{page}");
        let before = text.split("\n## ").next().unwrap();
        assert!(before.contains("```yaml\n"), "{page}: no example before its first heading");
    }
}

/// A field of the spec, as its row shows it.
#[derive(Debug, PartialEq)]
struct Field {
    /// What stands in the column of defaults.
    default: String,
    /// Whether nothing is below it.
    is_leaf: bool,
}

/// Every field by its path; those of a list's entries stand below the list.
fn spec_fields() -> BTreeMap<String, Field> {
    let crd: Value = serde_saphyr::from_str(&read("crds/clickupconnections.yaml")).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = BTreeMap::new();
    collect("", spec, &mut fields);
    fields
}

fn collect(prefix: &str, schema: &Value, fields: &mut BTreeMap<String, Field>) {
    let entry = schema.get("items").unwrap_or(schema);
    let required = entry["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in entry["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let before = fields.len();
        collect(&format!("{path}."), property, fields);
        let is_leaf = fields.len() == before;
        let default = match &property["default"] {
            Value::String(text) => format!("`{text}`"),
            // Of an object its fields tell.
            other if is_leaf && !other.is_null() => format!("`{other}`"),
            _ if required.contains(&name.as_str().into()) => "required".to_owned(),
            _ => String::new(),
        };
        fields.insert(path, Field { default, is_leaf });
    }
}

/// A field has a row, or is named in the row of what it belongs to; with a default it has one of its own.
#[test]
fn the_field_table_has_every_field_and_its_default() {
    let rows = rows(&read("README.md"), "field of `spec`");
    let documented: BTreeMap<_, _> =
        rows.iter().map(|(_, cells)| (unquoted(&cells[0]), (cells[1].as_str(), cells[2].as_str()))).collect();
    assert_eq!(rows.len(), documented.len(), "a field has two rows");
    let (fields, mut wrong) = (spec_fields(), Vec::new());
    for (path, (default, meaning)) in &documented {
        match fields.get(*path) {
            None => wrong.push(format!("there is no spec.{path}")),
            Some(field) if field.default != *default => {
                wrong.push(format!("the default of spec.{path} is {:?}, not {default:?}", field.default));
            }
            Some(_) if meaning.is_empty() => wrong.push(format!("nothing is said about spec.{path}")),
            Some(_) => {}
        }
    }
    for (path, field) in fields.iter().filter(|(_, field)| field.is_leaf) {
        let above = path.match_indices('.').map(|(end, _)| &path[..end]);
        let Some(row) = above.chain([path.as_str()]).rfind(|p| documented.contains_key(p)) else {
            wrong.push(format!("spec.{path} has no row"));
            continue;
        };
        let unnamed = path[row.len()..]
            .split('.')
            .find(|name| !name.is_empty() && !documented[row].1.contains(&format!("`{name}`")));
        if let Some(name) = unnamed {
            wrong.push(format!("spec.{path} has no row, and that of {row} does not name `{name}`"));
        } else if row != path && !["", "required"].contains(&field.default.as_str()) {
            wrong.push(format!("spec.{path} has a default and no row"));
        }
    }
    assert!(wrong.is_empty(), "README against crds/clickupconnections.yaml: {wrong:#?}");
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
    for page in all_pages() {
        for line in code(&read(&page)) {
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
    for page in for_users() {
        let text = read(&page);
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
    for page in all_pages() {
        let text = read(&page);
        let folder = Path::new(CHECKOUT).join(&page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            seen += 1;
            let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
            let file: PathBuf =
                if path.is_empty() { Path::new(CHECKOUT).join(&page) } else { folder.join(path) };
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
    for page in all_pages() {
        for path in code(&read(&page)) {
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

/// Limits of the columns of the table of intervals.
const LIMITS: [u32; 3] = [100, 1000, 10_000];
const PERCENT: u8 = 10;

/// The formula of docs/budget.md, a tenth more, in whole minutes.
fn shortest_interval(limit: u32, questions: u32) -> Duration {
    let minutes = (11 * (2 + questions) * 100).div_ceil(10 * limit * u32::from(PERCENT));
    Duration::from_mins(minutes.max(1).into())
}

/// How long one of these questions waits for the budget at most, where all are asked every `interval`.
fn longest_wait(limit: u32, questions: u32, interval: SignedDuration) -> SignedDuration {
    let begin = Timestamp::from_second(1_800_000_000).unwrap();
    let end = begin + SignedDuration::from_hours(3).max(interval * 8);
    let (mut budget, mut turns) = (Budget::new(PERCENT), Turns::new());
    let (mut window_ends, mut used) = (begin, 0);
    let (mut waiting, mut last) = (BTreeMap::new(), BTreeMap::new());
    let (mut now, mut beat, mut longest) = (begin, begin, SignedDuration::ZERO);
    // The look at the token, upon which the questions follow.
    const LOOK: u32 = 0;
    while now < end {
        if now >= beat {
            beat += interval;
            if waiting.insert(LOOK, now).is_none() {
                let want = Want { urgency: Urgency::Routine, requests: 2, identity: true };
                turns.push("n", last.get(&LOOK).copied(), want, LOOK);
            }
        }
        match turns.next(&mut budget, now) {
            Next::Nobody => now = beat,
            Next::At(at) => now = at.min(beat),
            Next::Go(question) => {
                let since: Timestamp = waiting.remove(&question).unwrap();
                longest = longest.max(now.duration_since(since));
                last.insert(question, now);
                if now >= window_ends {
                    (window_ends, used) = (now + SignedDuration::from_mins(1), 0);
                }
                for _ in 0..if question == LOOK { 2 } else { 1 } {
                    used += 1;
                    let remaining = Some(limit.checked_sub(used).expect("more than the limit was sent"));
                    let reset_in = Some(window_ends.duration_since(now));
                    budget.answered(&RateLimit { limit: Some(limit), remaining, reset_in }, now);
                }
                for question in (question + 1..=questions).take_while(|_| question == LOOK) {
                    waiting.entry(question).or_insert_with(|| {
                        let want = Want { urgency: Urgency::Routine, requests: 1, identity: false };
                        turns.push("n", last.get(&question).copied(), want, question);
                        since
                    });
                }
            }
        }
    }
    longest
}

#[test]
fn the_intervals_of_the_table_can_be_kept_and_shorter_ones_cannot() {
    let page = read("docs/budget.md");
    assert!(page.contains("\n| different questions | limit 100 | limit 1,000 | limit 10,000 |\n"));
    let rows = rows(&page, "different questions");
    assert_eq!(rows.len(), 4);
    for (_, cells) in rows {
        let questions = cells[0].replace(',', "").parse().unwrap();
        for (limit, cell) in LIMITS.into_iter().zip(&cells[1..]) {
            let interval = shortest_interval(limit, questions);
            assert_eq!(unquoted(cell), interval.to_string(), "{questions} questions, limit {limit}");
            let waited = longest_wait(limit, questions, interval.signed());
            assert!(waited <= interval.signed(), "{questions} questions, limit {limit}: {waited}");
            // Four fifths of what the formula says, where the schema admits that.
            let seconds = 48 * 100 * (2 + questions) / (limit * u32::from(PERCENT));
            let short = SignedDuration::from_secs(seconds.into());
            if short >= SignedDuration::from_mins(1) {
                let waited = longest_wait(limit, questions, short);
                assert!(waited > short, "{questions} questions, limit {limit}: {waited} in {short}");
            }
        }
    }
}
