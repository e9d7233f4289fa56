//! Starts and ends of the operator, and what it meets that it cannot decode. Each test has a control plane of its own.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod cluster;
mod collector;
mod crowds;
mod leader;
mod proxy;
mod sharing;
mod traces;

use clickup_simulator::fault::Fault;
use serde_json::json;
use std::{
    path::Path,
    time::{Duration, Instant},
};
use test_support::{
    case::{Case, is, message},
    control_plane::{ControlPlane, Options},
    operator::{OperatorOptions, OperatorProcess},
    process::{Exit, Signal},
    simulator::{SimulatorOptions, SimulatorProcess},
    stack::{self, Stack, StackOptions},
    wait,
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_clickup-operator");

async fn start() -> Stack {
    Stack::start(StackOptions::new(OPERATOR))
        .await
        .unwrap_or_else(|e| panic!("the stack does not start: {e}"))
}

/// Each of these takes a minute or more, and waits for most of it. The harness runs only as many tests at a time as there
/// are processors, which would have nothing to do meanwhile.
#[test]
fn a_minute_is_waited_for_side_by_side() {
    let tests: [fn(); 4] = [
        cluster::a_token_that_was_replaced_in_its_file_is_used,
        crowds::a_thousand_connections_on_one_token_cost_one_check_a_round,
        crowds::an_outage_is_one_event_and_ends_for_all,
        leader::a_leader_that_stood_still_writes_nothing,
    ];
    std::thread::scope(|scope| {
        for test in tests {
            scope.spawn(test);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_checks_what_changed_and_nothing_else() {
    let mut stack = start().await;
    let case = Case::new("restart", &stack.control_plane, &stack.simulator).await;
    let mut tokens = Vec::new();
    for name in ["same", "edited", "gone"] {
        tokens.push(case.verified(name, json!({})).await.token);
    }
    let edited = case.clickup.regenerate(&tokens[1].name).await.unwrap();

    let metrics = stack.operator.metrics().await.unwrap();
    assert!(metrics.contains("clickup_operator_connection_ready{"), "{metrics}");
    stack.operator.healthz().await.unwrap();
    let asked = Instant::now();
    assert!(stack.operator.terminate().await.unwrap().success(), "SIGTERM ends it with 0");
    assert!(asked.elapsed() < Duration::from_secs(10));

    case.secret("edited", &edited.value).await;
    case.no_secret("gone").await;
    let before = case.get("edited").await["status"]["secretResourceVersion"].clone();
    let case_namespace = case.namespace.clone();
    let Stack { operator, simulator, control_plane } = &mut stack;
    operator.restart(control_plane.scratch()).await.unwrap();
    let case = Case::in_namespace(case_namespace, control_plane, simulator).await;
    case.until("edited", "checked with its new token", |s| {
        s["secretResourceVersion"] != before && is(s, "Ready").0 == "True"
    })
    .await;
    case.until_ready("gone", "False", "SecretNotFound").await;
    assert_eq!(case.clickup.requests(&tokens[0].name, "/v2/user").await.unwrap(), 1, "unchanged, not asked");
    assert_eq!(case.clickup.requests(&tokens[1].name, "/v2/user").await.unwrap(), 2);
    stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_at_the_end_is_finished_and_written() {
    let stack = start().await;
    let case = Case::new("drain", &stack.control_plane, &stack.simulator).await;
    let account = case.account().await;
    let slow = Fault::for_token(&account.token.name).on("/v2/user").delay(Duration::from_secs(2));
    case.clickup.add_fault(slow).await.unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({})).await;
    let name = &account.token.name;
    let begun = || async {
        match case.clickup.requests(name, "/v2/user").await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait::until(Duration::from_secs(10), "the check to begin", begun).await.unwrap();
    let asked = Instant::now();
    assert_eq!(stack.operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(case.clickup.requests(name, "/v2/user").await.unwrap(), 1);
    assert_eq!(
        is(&case.get("bot").await["status"], "Ready"),
        ("True", "Verified"),
        "the check that ran was written"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_hangs_does_not_hold_up_the_end() {
    let stack = start().await;
    let case = Case::new("hang", &stack.control_plane, &stack.simulator).await;
    let account = case.account().await;
    case.clickup
        .add_fault(Fault::for_token(&account.token.name).delay(Duration::from_secs(60)))
        .await
        .unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({"timeout": "1m"})).await;
    case.until_ready("bot", "Unknown", "Checking").await;
    // An API server that does not answer is no reason to be restarted, nor to hang at the end.
    stack.control_plane.apiserver().signal(Signal::Stop).unwrap();
    stack.operator.healthz().await.unwrap();
    let asked = Instant::now();
    assert_eq!(stack.operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    stack.control_plane.apiserver().signal(Signal::Continue).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_stored_before_a_schema_change_say_so_and_stop_no_other() {
    let parts = Parts::start().await;
    stack::install_loose_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let case = Case::new("invalid", &parts.control_plane, &parts.simulator).await;
    let rows = [
        ("wrong-value", json!({"interval": "soon"}), "spec.interval"),
        ("out-of-bounds", json!({"interval": "1s"}), "from 1m to 24h"),
        ("wrong-type", json!({"requiredWorkspaces": "Acme"}), "spec.requiredWorkspaces"),
        ("no-reference", json!({"tokenSecretRef": null}), "tokenSecretRef"),
        ("two-names", json!({"defaultWorkspace": {"id": "1", "name": "x"}}), "exactly one"),
    ];
    for (name, spec, _) in &rows {
        case.connection(name, spec.clone()).await;
    }
    let status = json!({"status": {"observedGeneration": "one", "user": {"id": 7}, "workspaces": "none"}});
    let params = kube::api::PatchParams::default();
    case.connections().patch_status("wrong-type", &params, &kube::api::Patch::Merge(status)).await.unwrap();
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let operator = parts.operator(&parts.kubeconfig).await;
    case.verified("good", json!({})).await;
    for (name, _, says) in &rows {
        let object = case.until_ready(name, "False", "InvalidSpec").await;
        let said = message(&object["status"], "Ready");
        assert!(said.contains(says), "{name}: {said}");
        assert_eq!(is(&object["status"], "Stalled"), ("True", "InvalidSpec"));
        assert!(object["status"]["user"].is_null() && object["status"]["workspaces"].is_null(), "{name}");
    }
    let writes = case.status_writes();
    // Corrected, it is an object like any other.
    let account = case.account().await;
    case.secret("wrong-value", &account.token.value).await;
    case.edit("wrong-value", json!({"spec": {"interval": "10m"}})).await;
    case.until_ready("wrong-value", "True", "Verified").await;
    assert_eq!(case.status_writes(), writes + 2, "cleared and written; the others were written once");
    let account = case.account().await;
    case.secret("wrong-type", &account.token.value).await;
    case.edit("wrong-type", json!({"spec": {"requiredWorkspaces": []}})).await;
    let object = case.until_ready("wrong-type", "True", "Verified").await;
    assert_eq!(is(&object["status"], "Stalled"), ("", ""), "what was merged is gone too");
    operator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_cannot_be_decoded_is_not_logged() {
    let parts = Parts::start().await;
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let case = Case::new("garbled", &parts.control_plane, &parts.simulator).await;
    let account = case.account().await;
    let secret_part = account.token.value.rsplit('_').next().unwrap().to_owned();
    let proxy =
        proxy::Proxy::start(&parts.control_plane, &parts.kubeconfig, Some(&account.token.value)).await;
    let operator = parts.operator(&proxy.kubeconfig).await;
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({})).await;
    let log = || async {
        let log = operator.process().log();
        if log.contains("cannot be decoded") { Ok(log) } else { Err("nothing about it") }
    };
    let log = wait::until(Duration::from_secs(20), "the failed read in the log", log).await.unwrap();
    assert!(!log.contains(&secret_part), "the answer stands in the log");
    let object = case.get("bot").await;
    assert_eq!(
        object["status"],
        json!({"observedGeneration": -1}),
        "an API server that fails a GET changes nothing"
    );
    let metrics = operator.metrics().await.unwrap();
    let counted = metrics.lines().find_map(|line| {
        line.strip_prefix("clickup_operator_reconciles_total{outcome=\"read_secret\"} ")?.parse::<u64>().ok()
    });
    assert!(counted.is_some_and(|count| count > 0), "{metrics}");
    proxy.tell_the_truth();
    case.until_ready("bot", "True", "Verified").await;
    assert!(!operator.process().log().contains(&secret_part));
    operator.stop().await.unwrap();
}

/// A stack that is put together by the test.
struct Parts {
    control_plane: ControlPlane,
    simulator: SimulatorProcess,
    checkout: std::path::PathBuf,
    kubeconfig: std::path::PathBuf,
}

impl Parts {
    async fn start() -> Self {
        let options = StackOptions::new(OPERATOR);
        let control_plane = ControlPlane::start(Options::default()).await.unwrap();
        let simulator = SimulatorOptions {
            binary: Path::new(OPERATOR).with_file_name("clickup-simulator"),
            ..SimulatorOptions::default()
        };
        let simulator = SimulatorProcess::start(simulator, control_plane.scratch()).await.unwrap();
        let kubeconfig = stack::install_rbac(&control_plane, &options.checkout).await.unwrap();
        Self { control_plane, simulator, checkout: options.checkout, kubeconfig }
    }

    async fn operator(&self, kubeconfig: &Path) -> OperatorProcess {
        let options = OperatorOptions {
            binary: OPERATOR.into(),
            clickup_url: self.simulator.endpoints().clickup_url.clone(),
            kubeconfig: kubeconfig.to_owned(),
            log_level: "trace".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
        };
        OperatorProcess::start(options, self.control_plane.scratch()).await.unwrap()
    }
}
