//! The chart knows every flag of the operator, and its defaults.

use crate::{
    OPERATOR,
    chart::{Helm, arguments, chart, read_values, values_of},
};
use serde_json::Value;
use std::{collections::BTreeMap, process::Command};

/// Each flag and the value that becomes it.
const FLAGS: &[(&str, &str)] = &[
    ("clickup-url", "clickup.url"),
    ("allow-insecure-http", "clickup.allowInsecureHttp"),
    ("ca-file", "clickup.caFile"),
    ("proxy", "clickup.proxy"),
    ("max-body", "clickup.maxBody"),
    ("watch-namespaces", "watchNamespaces"),
    ("watch-label-selector", "watchLabelSelector"),
    ("secret-access", "secretAccess"),
    ("secret-poll-interval", "secretPollInterval"),
    ("concurrency", "concurrency"),
    ("budget-percent", "budgetPercent"),
    ("status-heartbeat", "status.heartbeat"),
    ("status-username", "status.username"),
    ("leader-elect", "leaderElection.enabled"),
    ("leader-election-id", "leaderElection.id"),
    ("leader-election-namespace", "leaderElection.namespace"),
    ("leader-election-lease-duration", "leaderElection.leaseDuration"),
    ("metrics-addr", "metrics.addr"),
    ("health-addr", "health.addr"),
    ("log-format", "log.format"),
    ("log-level", "log.level"),
    ("otel", "otel.enabled"),
];

/// The operator's flags with their defaults, empty where there is none.
fn flags() -> BTreeMap<String, String> {
    let help = Command::new(OPERATOR).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = BTreeMap::new();
    let mut last = String::new();
    for line in help.lines().map(str::trim) {
        if let Some(flag) = line.strip_prefix("--") {
            last = flag.split_whitespace().next().unwrap().to_owned();
            flags.insert(last.clone(), String::new());
        }
        if let Some((_, default)) = line.split_once("[default: ") {
            flags.insert(last.clone(), default.trim_end_matches(']').to_owned());
        }
    }
    assert!(flags.len() >= 15, "{help}");
    flags
}

fn at<'a>(values: &'a Value, path: &str) -> &'a Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    values.pointer(&pointer).unwrap_or_else(|| panic!("no value {path}"))
}

/// As it stands on a command line.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => words.iter().map(word).collect::<Vec<_>>().join(","),
        Value::Bool(false) => String::new(),
        other => other.to_string(),
    }
}

#[test]
fn every_flag_is_a_value_with_the_default_of_the_operator() {
    let flags = flags();
    let known: BTreeMap<_, _> = FLAGS.iter().copied().collect();
    let names: Vec<_> = known.keys().collect();
    assert_eq!(flags.keys().collect::<Vec<_>>(), names, "`run --help` against FLAGS");
    let values = read_values(&chart().join("values.yaml"));
    for (flag, default) in &flags {
        match flag.as_str() {
            // On in the chart, so that no rollout has two work at a time.
            "leader-elect" => assert_eq!(at(&values, known[flag.as_str()]), true),
            // The name of the Deployment, which is the same where the release has the chart's name.
            "leader-election-id" => assert_eq!(at(&values, known[flag.as_str()]), ""),
            _ => assert_eq!(&word(at(&values, known[flag.as_str()])), default, "--{flag}"),
        }
    }
}

#[tokio::test]
async fn every_value_of_a_flag_reaches_the_operator_and_defaults_do_not() {
    let helm = Helm::new().await;
    assert_eq!(arguments(&helm.objects(&[]).await), ["run", "--leader-elect"]);

    let file = values_of("everything");
    let values = read_values(&file);
    let namespaces = ["--set", "watchNamespaces={team-a,team-b}", "--values", file.to_str().unwrap()];
    let rendered = arguments(&helm.objects(&namespaces).await);
    let given: BTreeMap<_, _> = rendered
        .iter()
        .skip(1)
        .map(|argument| argument.trim_start_matches("--"))
        .map(|argument| argument.split_once('=').unwrap_or((argument, "true")))
        .collect();
    for (flag, path) in FLAGS {
        let expected = match *flag {
            "watch-namespaces" => "team-a,team-b".to_owned(),
            // On by default, and left out of the set.
            "leader-elect" => "true".to_owned(),
            _ => word(at(&values, path)),
        };
        assert_eq!(given.get(flag), Some(&expected.as_str()), "--{flag} in {rendered:?}");
    }
    assert_eq!(
        rendered.len(),
        FLAGS.len() + 1,
        "a flag is given twice, which the operator refuses: {rendered:?}"
    );
}

/// Roles, the Lease's name and ports are made from values: an argument beside them would part from these.
#[tokio::test]
async fn no_flag_that_has_a_value_is_taken_as_an_extra_argument() {
    let helm = Helm::new().await;
    for (flag, path) in FLAGS {
        let extra = format!("extraArgs={{--{flag}=1}}");
        let refused = helm.template(&["--set", &extra]).await.expect_err(&extra);
        let expected = format!("extraArgs has --{flag}: set the value {path} instead");
        assert!(refused.contains(&expected), "{refused}");
    }
}

/// An argument that it does not know, or whose value it does not take, ends it with 2.
#[tokio::test]
async fn the_operator_takes_the_arguments_as_they_are_rendered() {
    let helm = Helm::new().await;
    let file = values_of("everything");
    let all = ["--set", "watchNamespaces={team-a,team-b}", "--values", file.to_str().unwrap()];
    for more in [&[][..], &all] {
        let arguments = arguments(&helm.objects(more).await);
        let mut operator = Command::new(OPERATOR);
        operator.args(arguments.iter().filter(|argument| !argument.contains("-addr=")));
        operator.args(["--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0"]);
        operator.env("KUBECONFIG", "/nonexistent").env_remove("KUBERNETES_SERVICE_HOST");
        let output = operator.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "ended by what is not there: {said}");
        assert!(
            said.contains(if more.is_empty() { "no Kubernetes cluster" } else { "/etc/clickup/ca.crt" }),
            "{said}"
        );
    }
}
