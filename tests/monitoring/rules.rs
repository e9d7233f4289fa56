//! The alerts: what promtool says of them, and that each has what who is woken by it needs.

use crate::{CHECKOUT, promtool, read};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path};
use test_support::scratch::ScratchDir;

/// Rule files, and the resources that they are wrapped in.
const FILES: [(&str, &str); 2] = [
    ("deploy/monitoring/alerts.yaml", "deploy/monitoring/prometheusrule.yaml"),
    ("deploy/monitoring/token-age.yaml", "deploy/monitoring/prometheusrule-token-age.yaml"),
];
const CASES: &str = "tests/monitoring/alerts.test.yaml";
const RUNBOOKS: &str = "https://clickup-operator.dev/docs/runbooks";

fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value[field].as_array().into_iter().flatten()
}

/// Every alert by its name.
fn alerts() -> BTreeMap<String, Value> {
    let mut alerts = BTreeMap::new();
    for (file, _) in FILES {
        for rule in list(&yaml(file), "groups").flat_map(|group| list(group, "rules")) {
            let name = rule["alert"].as_str().unwrap().to_owned();
            assert!(alerts.insert(name.clone(), rule.clone()).is_none(), "{name} comes twice");
        }
    }
    alerts
}

#[tokio::test]
async fn promtool_accepts_the_rules_and_their_cases() {
    for (file, _) in FILES {
        let (content, said) = promtool(&["check", "rules", "--lint=all", "--lint-fatal", file], "").await;
        assert!(content, "{said}");
    }
    let (content, said) = promtool(&["test", "rules", CASES], "").await;
    assert!(content, "{said}");
}

/// What the page gives each of two shards, of which one works.
#[tokio::test]
async fn the_expression_for_a_shard_notices_that_it_is_down() {
    let page = read("docs/monitoring.md");
    let expression = page.lines().map(str::trim).find(|line| line.starts_with("absent(")).unwrap();
    let scratch = ScratchDir::create("shards").unwrap();
    let rule = json!({"alert": "ShardDown", "expr": expression});
    let rules = json!({"groups": [{"name": "shards", "rules": [rule]}]});
    std::fs::write(scratch.join("rules.yaml"), rules.to_string()).unwrap();
    let case = |shard: &str, fires: bool| {
        let series = format!(
            "clickup_operator_work_lag_seconds{{pod=\"clickup-shard-{shard}-clickup-operator-7d9f-x2c\"}}"
        );
        let alerts = if fires { json!([{}]) } else { json!([]) };
        json!({"interval": "1m", "input_series": [{"series": series, "values": "0x5"}],
            "alert_rule_test": [{"eval_time": "5m", "alertname": "ShardDown", "exp_alerts": alerts}]})
    };
    let cases = json!({"rule_files": ["rules.yaml"], "tests": [case("a", false), case("b", true)]});
    let file = scratch.join("cases.yaml");
    std::fs::write(&file, cases.to_string()).unwrap();
    let (content, said) = promtool(&["test", "rules", file.to_str().unwrap()], "").await;
    assert!(content, "{said}");
    scratch.remove().await.unwrap();
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent() {
    let mut cases = BTreeMap::<_, (usize, usize)>::new();
    for case in list(&yaml(CASES), "tests").flat_map(|test| list(test, "alert_rule_test")) {
        let of = cases.entry(case["alertname"].as_str().unwrap().to_owned()).or_default();
        let fires = list(case, "exp_alerts").count() > 0;
        *(if fires { &mut of.0 } else { &mut of.1 }) += 1;
    }
    assert_eq!(cases.keys().collect::<Vec<_>>(), alerts().keys().collect::<Vec<_>>());
    assert!(cases.values().all(|(fires, silent)| *fires > 0 && *silent > 0), "{cases:?}");
}

#[test]
fn every_alert_says_how_bad_it_is_whom_it_concerns_and_what_to_read() {
    let page = read("docs/monitoring.md");
    let alerts = alerts();
    for (name, rule) in &alerts {
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let annotation = |key: &str| rule["annotations"][key].as_str().unwrap_or_default();
        assert!(!annotation("description").is_empty(), "{name}");
        let expr = rule["expr"].as_str().unwrap();
        if expr.contains("clickup_operator_connection_") {
            let (summary, who) = (annotation("summary"), "{{ $labels.namespace }}/{{ $labels.name }}");
            assert!(summary.contains(who), "{name}: {summary}");
        }
        assert_eq!(annotation("runbook_url"), format!("{RUNBOOKS}/{name}.html"));
        let row = format!("| [{name}](runbooks/{name}.md) | {severity} | ");
        assert!(page.contains(&row), "docs/monitoring.md has no row {row}");

        let runbook = read(&format!("docs/runbooks/{name}.md"));
        let headings: Vec<_> = runbook.lines().filter(|line| line.starts_with('#')).collect();
        let title = format!("# {name}");
        assert_eq!(headings, [&*title, "## Meaning", "## Cause", "## How to see it", "## Cure"]);
    }
    let pages = std::fs::read_dir(Path::new(CHECKOUT).join("docs/runbooks")).unwrap();
    let mut pages: Vec<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
    pages.sort();
    assert_eq!(pages, alerts.keys().map(|name| format!("{name}.md")).collect::<Vec<_>>());
}

/// Links of the runbooks, and what they say the metrics are called.
#[test]
fn runbooks_lead_somewhere() {
    let metrics = read("docs/metrics.md");
    for name in alerts().keys() {
        let page = format!("docs/runbooks/{name}.md");
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            let file = Path::new(CHECKOUT).join("docs/runbooks").join(path);
            assert!(file.exists(), "{page}: the link to {target} leads nowhere");
        }
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for metric in words.filter(|word| word.starts_with("clickup_operator_")) {
            assert!(metrics.contains(&format!("| `{metric}` |")), "{page}: there is no {metric}");
        }
    }
}

#[test]
fn the_resources_wrap_the_rules() {
    for (rules, resource) in FILES {
        let (rules, wrapped) = (yaml(rules), yaml(resource));
        assert_eq!(wrapped["spec"], rules, "{resource} has drifted: make generate");
        let is = (&wrapped["apiVersion"], &wrapped["kind"]);
        assert_eq!(is, (&"monitoring.coreos.com/v1".into(), &"PrometheusRule".into()), "{resource}");
    }
}
