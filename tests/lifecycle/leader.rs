//! Two operators and one Lease: who works, and what happens when that one is killed, stands still, ends or is deposed.

use crate::{OPERATOR, Parts};
use clickup_simulator::{fault::Fault, messages::LogQuery};
use futures::StreamExt;
use k8s_openapi::api::{coordination::v1::Lease, rbac::v1::Role};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams},
    core::{ApiResource, GroupVersionKind},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use test_support::{
    case::{Case, SOON, is},
    control_plane::audit::AuditEvent,
    operator::{OperatorOptions, OperatorProcess},
    process::{Exit, Signal},
    scratch::ScratchDir,
    stack, wait,
};
use tokio::task::JoinHandle;

const NAMESPACE: &str = stack::OPERATOR;

/// Short enough not to be waited for, long enough for a busy machine to renew in.
const SHORT: Duration = Duration::from_secs(6);

/// A cluster with two accounts for operators, so that the audit log tells them apart.
struct Ground {
    parts: Parts,
    second: PathBuf,
}

/// An operator that stands for election, and where it works.
struct Candidate {
    operator: OperatorProcess,
    user: String,
    _scratch: ScratchDir,
}

impl Ground {
    async fn start() -> Self {
        let parts = Parts::start().await;
        stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
        let account = format!("--serviceaccount={NAMESPACE}:second");
        for command in [
            &["create", "serviceaccount", "second", "--namespace", NAMESPACE][..],
            &["create", "clusterrolebinding", "second", "--clusterrole=clickup-operator", &account],
            &[
                "create",
                "rolebinding",
                "second",
                "--role=clickup-operator-leader-election",
                &account,
                "--namespace",
                NAMESPACE,
            ],
        ] {
            parts.control_plane.run_kubectl(command).await.unwrap();
        }
        let second = parts.control_plane.service_account_kubeconfig(NAMESPACE, "second").await.unwrap();
        Self { parts, second }
    }

    async fn case(&self, name: &str) -> Case<'_> {
        Case::new(name, &self.parts.control_plane, &self.parts.simulator).await
    }

    async fn first(&self, lease: Duration) -> Candidate {
        self.candidate(NAMESPACE, &self.parts.kubeconfig, lease).await
    }

    async fn second(&self, lease: Duration) -> Candidate {
        self.candidate("second", &self.second, lease).await
    }

    async fn candidate(&self, account: &str, kubeconfig: &Path, lease: Duration) -> Candidate {
        let scratch = ScratchDir::create(account).unwrap();
        let duration = format!("{}s", lease.as_secs());
        let options = OperatorOptions {
            binary: OPERATOR.into(),
            clickup_url: self.parts.simulator.endpoints().clickup_url.clone(),
            kubeconfig: kubeconfig.to_owned(),
            log_level: "debug".to_owned(),
            args: vec!["--leader-elect".into(), "--leader-election-lease-duration".into(), duration],
            env: vec![("POD_NAME".into(), format!("pod-of-{account}"))],
        };
        let operator = OperatorProcess::start(options, &scratch).await.unwrap();
        let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
        Candidate { operator, user, _scratch: scratch }
    }

    async fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.parts.control_plane.client().await.unwrap(), NAMESPACE)
    }

    /// The writes of an operator, as the API server saw them.
    fn writes(&self, of: &Candidate) -> Vec<String> {
        let events = self.parts.control_plane.audit_events().unwrap();
        let theirs = events.iter().filter(|e| e.user == of.user);
        let writes = theirs.filter(|e| !["get", "list", "watch"].contains(&e.verb.as_str()));
        writes
            .map(|e| format!("{} {} {}/{} at {}", e.verb, e.resource, e.namespace, e.name, e.received))
            .collect()
    }
}

impl Candidate {
    async fn until_it_leads(&self, patience: Duration) {
        self.operator.until_leads(patience).await.unwrap_or_else(|e| panic!("{e}"));
    }

    /// Waits until it has ended because it leads no more, and returns its log.
    async fn until_deposed(&self) -> String {
        let exit = self.operator.process().wait(SOON).await.unwrap();
        assert_eq!(exit, Exit::Code(1), "so that Kubernetes starts it again, and says why");
        self.operator.process().log()
    }
}

/// Waits until ClickUp was asked with a token.
async fn until_asked(case: &Case<'_>, token: &str) {
    let asked = || async {
        match case.clickup.requests(token, "/v2/user").await {
            Ok(1) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait::until(SOON, "the check to begin", asked).await.unwrap();
}

/// Everything that Ready has said of a namespace's connections, as `name status/reason`.
struct Diary(JoinHandle<()>, std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Diary {
    fn begin(case: &Case<'_>) -> Self {
        let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
        let api: Api<DynamicObject> =
            Api::namespaced_with(case.client.clone(), &case.namespace, &ApiResource::from_gvk(&kind));
        let lines = std::sync::Arc::default();
        let seen: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::clone(&lines);
        let watch = watcher(api, watcher::Config::default()).default_backoff().applied_objects();
        let watch = tokio::spawn(watch.for_each(move |object| {
            if let Ok(object) = object {
                let (name, uid) = (object.metadata.name.unwrap(), object.metadata.uid.unwrap());
                let status = &object.data["status"];
                let (ready, reason) = is(status, "Ready");
                let user = &status["user"]["id"];
                seen.lock().unwrap().push(format!("{name} {uid} {ready}/{reason} user {user}"));
            }
            std::future::ready(())
        }));
        Self(watch, lines)
    }

    fn lines(&self) -> Vec<String> {
        self.1.lock().unwrap().clone()
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_leader_is_replaced_within_the_time_of_its_lease() {
    const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let ground = Ground::start().await;
    let case = ground.case("killed").await;
    let first = ground.first(SHORT).await;
    first.until_it_leads(SOON).await;
    let second = ground.second(SHORT).await;
    assert!(!second.operator.leads().await.unwrap(), "ready, and not the leader");
    let mut tokens = Vec::new();
    for name in NAMES {
        let account = case.account().await;
        // Long enough to be seen twice at the same time, if it were.
        let slow = Fault::for_token(&account.token.name).delay(Duration::from_millis(300));
        case.clickup.add_fault(slow).await.unwrap();
        case.secret(name, &account.token.value).await;
        case.connection(name, json!({})).await;
        tokens.push(account.token.name);
    }
    for name in NAMES {
        case.until_ready(name, "True", "Verified").await;
    }
    assert!(first.operator.metrics().await.unwrap().contains("clickup_operator_connection_ready{"));
    let standby = second.operator.metrics().await.unwrap();
    assert!(!standby.contains("connection_ready"), "the connections are the leader's to tell of: {standby}");
    assert_eq!(ground.writes(&second), Vec::<String>::new());

    let ask = async |round| {
        for name in NAMES {
            case.annotate(name, round).await;
        }
    };
    let until_handled = async |round| {
        for name in NAMES {
            case.until_handled(name, round).await;
        }
    };
    let diary = Diary::begin(&case);
    ask("while the leader is killed").await;
    first.operator.process().signal(Signal::Kill).unwrap();
    let killed = Instant::now();
    second.until_it_leads(SHORT * 2).await;
    let took = killed.elapsed();
    println!("take-over {:.1} s after the kill, with a Lease of {} s", took.as_secs_f64(), SHORT.as_secs());
    assert!(took <= SHORT + Duration::from_secs(2), "{took:?}");
    until_handled("while the leader is killed").await;
    ask("after").await;
    until_handled("after").await;
    for token in &tokens {
        let most = case.clickup.token(token).await.unwrap().max_in_flight;
        assert_eq!(most, 1, "{token} was checked twice at the same time");
    }
    let diary = diary.lines();
    assert!(diary.len() > NAMES.len(), "the test is void: {diary:#?}");
    assert!(diary.iter().all(|line| line.contains(" True/Verified ")), "a status flapped: {diary:#?}");
    assert_eq!(second.operator.terminate().await.unwrap(), Exit::Code(0));
}

/// It stands still for a minute, with a check on its way, another that falls due, and a third that is asked for.
#[tokio::main(flavor = "multi_thread")]
pub(crate) async fn a_leader_that_stood_still_writes_nothing() {
    const MINUTE: Duration = Duration::from_secs(60);
    let ground = Ground::start().await;
    let case = ground.case("stopped").await;
    let first = ground.first(SHORT).await;
    first.until_it_leads(SOON).await;
    let second = ground.second(SHORT).await;
    let asked = case.verified("asked", json!({})).await.token.name;
    let due = case.verified("due", json!({"interval": "1m"})).await.token.name;
    let account = case.account().await;
    // Stopped in the midst of a check: its first answer is on its way.
    let slow = Fault::for_token(&account.token.name).on("/v2/user").times(1).delay(Duration::from_secs(3));
    case.clickup.add_fault(slow).await.unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({})).await;
    until_asked(&case, &account.token.name).await;
    first.operator.process().signal(Signal::Stop).unwrap();
    let stopped = Instant::now();
    let probe = tokio::time::timeout(Duration::from_secs(1), first.operator.healthz()).await;
    assert!(!matches!(probe, Ok(Ok(_))), "what does not run does not answer its probe");
    let before = ground.writes(&first);
    second.until_it_leads(SHORT * 2).await;
    case.until_ready("bot", "True", "Verified").await;

    // Another of the same name, of which the one that stands still knows nothing.
    let diary = Diary::begin(&case);
    case.no_connection("bot").await;
    case.no_secret("bot").await;
    case.connection("bot", json!({})).await;
    let anew = case.until_ready("bot", "False", "SecretNotFound").await;
    let uid = anew["metadata"]["uid"].as_str().unwrap().to_owned();
    case.annotate("asked", "while it stands still").await;
    case.until_handled("asked", "while it stands still").await;
    // Both have the same points in time: what is due to the second now will be due to the first, too.
    let routine = || async {
        match (case.clickup.requests(&due, "/v2/user").await, stopped.elapsed() >= MINUTE) {
            (Ok(2), true) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    };
    wait::until(MINUTE * 2, "a minute, and a routine check", routine).await.unwrap();

    first.operator.process().signal(Signal::Continue).unwrap();
    let log = first.until_deposed().await;
    assert!(log.contains("no longer the leader"), "{log}");
    // Whatever it may have sent the API server has seen before this.
    case.annotate("asked", "since").await;
    case.until_handled("asked", "since").await;
    assert_eq!(ground.writes(&first), before, "nothing is written after it stood still");
    for (token, checks) in [(&due, 2), (&asked, 3)] {
        let asked = case.clickup.requests(token, "/v2/user").await.unwrap();
        assert_eq!(asked, checks, "{token}: all but the first by the second");
    }
    // The second's alone: what the first had begun it did not go on with.
    let of_token = LogQuery { token: Some(account.token.name.clone()), ..LogQuery::default() };
    let log = case.clickup.log(&of_token).await.unwrap();
    let paths: Vec<_> = log.entries.into_iter().map(|entry| entry.path).collect();
    assert_eq!(paths.iter().filter(|path| *path == "/v2/user").count(), 2, "both began: {paths:?}");
    assert_eq!(paths.iter().filter(|path| *path == "/v2/team").count(), 1, "one went on: {paths:?}");
    let of_new: Vec<_> = diary.lines().into_iter().filter(|line| line.contains(&uid)).collect();
    assert!(!of_new.is_empty() && of_new.iter().all(|line| line.ends_with("user null")), "{of_new:#?}");
    assert_eq!(is(&case.get("bot").await["status"], "Ready"), ("False", "SecretNotFound"));
    assert!(second.operator.leads().await.unwrap());
    second.operator.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_to_stop_hands_over_at_once_and_who_is_deposed_ends() {
    let ground = Ground::start().await;
    let case = ground.case("handed").await;
    // So long that nobody waits for it to run out.
    const LONG: Duration = Duration::from_secs(120);
    let first = ground.first(LONG).await;
    first.until_it_leads(SOON).await;
    let account = case.verified("bot", json!({})).await;
    let second = ground.second(LONG).await;
    let holder = ground.leases().await.get(NAMESPACE).await.unwrap().spec.unwrap().holder_identity.unwrap();
    assert!(holder.starts_with(&format!("pod-of-{NAMESPACE}_")), "{holder}");
    let asked = Instant::now();
    assert_eq!(first.operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let ended = Instant::now();
    second.until_it_leads(SOON).await;
    println!(
        "take-over {:.2} s after the end of a leader that was asked to stop",
        ended.elapsed().as_secs_f64()
    );
    case.annotate("bot", "by the second").await;
    case.until_handled("bot", "by the second").await;
    let asked = case.clickup.requests(&account.token.name, "/v2/user").await.unwrap();
    assert_eq!(asked, 2, "by the annotation; another leader is no reason");

    // One that stands by and is asked to stop has nothing to hand over.
    let first = ground.first(LONG).await;
    assert!(!first.operator.leads().await.unwrap());
    assert_eq!(first.operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(second.operator.leads().await.unwrap());

    let usurper = Patch::Merge(json!({"spec": {"holderIdentity": "somebody"}}));
    ground.leases().await.patch(NAMESPACE, &PatchParams::default(), &usurper).await.unwrap();
    let log = second.until_deposed().await;
    assert!(log.contains("taken by somebody"), "{log}");
    assert_eq!(
        ground.leases().await.get(NAMESPACE).await.unwrap().spec.unwrap().holder_identity.unwrap(),
        "somebody"
    );

    // Deleted, it is made anew by the next.
    ground.leases().await.delete(NAMESPACE, &Default::default()).await.unwrap();
    let first = ground.first(LONG).await;
    first.until_it_leads(SOON).await;
    ground.leases().await.delete(NAMESPACE, &Default::default()).await.unwrap();
    let log = first.until_deposed().await;
    assert!(log.contains("the Lease was deleted"), "{log}");
    rights_are_exactly_those_used(&ground, &first).await;
}

/// Of the Role of the election, by what the API server has seen in this test.
async fn rights_are_exactly_those_used(ground: &Ground, of: &Candidate) {
    let client = ground.parts.control_plane.client().await.unwrap();
    let roles: Api<Role> = Api::namespaced(client, NAMESPACE);
    let role = roles.get("clickup-operator-leader-election").await.unwrap();
    let mut granted = BTreeSet::new();
    for rule in role.rules.unwrap() {
        assert_eq!(rule.api_groups.as_deref(), Some(&["coordination.k8s.io".to_owned()][..]));
        assert_eq!(rule.resources.as_deref(), Some(&["leases".to_owned()][..]));
        let named = rule.resource_names.is_some();
        assert_eq!(named, rule.verbs != ["create"], "all but the creation of the one Lease alone");
        granted.extend(rule.verbs);
    }
    let events = ground.parts.control_plane.audit_events().unwrap();
    let ours: Vec<_> = events.iter().filter(|e| e.user == of.user).collect();
    let refused: Vec<_> = ours.iter().filter(|e| e.code == Some(403)).collect();
    assert!(refused.is_empty(), "refused: {refused:?}");
    let used: BTreeSet<_> = ours.iter().filter(|e| e.resource == "leases").map(|e| e.verb.clone()).collect();
    assert_eq!(used, granted);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_restarts_costs_no_leadership() {
    let mut ground = Ground::start().await;
    // Of its two thirds, what is left before the next renewal is enough for a restart on a busy machine.
    let leader = ground.first(Duration::from_secs(90)).await;
    leader.until_it_leads(SOON).await;
    let case = ground.case("restarted").await;
    case.verified("bot", json!({})).await;
    let namespace = case.namespace.clone();
    let mark = ground.parts.control_plane.audit_mark().unwrap();
    ground.parts.control_plane.kill_apiserver().await.unwrap();
    leader.operator.healthz().await.unwrap();
    ground.parts.control_plane.restart_apiserver().await.unwrap();
    let case = Case::in_namespace(namespace, &ground.parts.control_plane, &ground.parts.simulator).await;
    case.annotate("bot", "after the restart").await;
    case.until_handled("bot", "after the restart").await;
    let renewed = || async {
        let events = ground.parts.control_plane.audit_events_since(mark).unwrap();
        let renewal = |e: &AuditEvent| e.resource == "leases" && e.verb == "patch" && e.code == Some(200);
        if events.iter().any(renewal) { Ok(()) } else { Err("no renewal") }
    };
    wait::until(Duration::from_secs(60), "a renewal", renewed).await.unwrap();
    assert!(leader.operator.leads().await.unwrap());
    assert_eq!(leader.operator.terminate().await.unwrap(), Exit::Code(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_cannot_be_renewed_ends_the_process() {
    let ground = Ground::start().await;
    let leader = ground.first(SHORT).await;
    leader.until_it_leads(SOON).await;
    ground.parts.control_plane.apiserver().signal(Signal::Stop).unwrap();
    let frozen = Instant::now();
    let log = leader.until_deposed().await;
    assert!(frozen.elapsed() < SHORT, "before another may take over: {:?}", frozen.elapsed());
    assert!(log.contains("not renewed in time") && log.contains("the Lease cannot be written"), "{log}");
    ground.parts.control_plane.apiserver().signal(Signal::Continue).unwrap();
}

/// Without an election, too: what was begun for a connection that is gone is not written to its successor.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_made_anew_never_gets_the_status_of_the_old_one() {
    let parts = Parts::start().await;
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let case = Case::new("anew", &parts.control_plane, &parts.simulator).await;
    let operator = parts.operator(&parts.kubeconfig).await;
    let diary = Diary::begin(&case);
    let mut successors = BTreeSet::new();
    for _ in 0..5 {
        let account = case.account().await;
        let slow = Fault::for_token(&account.token.name).on("/v2/user").delay(Duration::from_secs(1));
        case.clickup.add_fault(slow).await.unwrap();
        case.secret("old", &account.token.value).await;
        case.connection("bot", json!({"tokenSecretRef": {"name": "old"}})).await;
        until_asked(&case, &account.token.name).await;
        operator.process().signal(Signal::Stop).unwrap();
        case.no_connection("bot").await;
        case.connection("bot", json!({"tokenSecretRef": {"name": "new"}})).await;
        // With the answer to the old one's check there, it goes on, and learns of both only now.
        let answered = LogQuery {
            token: Some(account.token.name.clone()),
            at_least: Some(1),
            wait_ms: Some(10_000),
            ..LogQuery::default()
        };
        case.clickup.log(&answered).await.unwrap();
        operator.process().signal(Signal::Continue).unwrap();
        let object = case.until_ready("bot", "False", "SecretNotFound").await;
        successors.insert(object["metadata"]["uid"].as_str().unwrap().to_owned());
        case.no_connection("bot").await;
    }
    let of_successors: Vec<_> =
        diary.lines().into_iter().filter(|line| successors.iter().any(|uid| line.contains(uid))).collect();
    assert!(of_successors.len() >= 5, "the test is void: {of_successors:#?}");
    let right = |line: &String| line.ends_with("user null") && !line.contains("Verified");
    assert!(of_successors.iter().all(right), "{of_successors:#?}");
    operator.stop().await.unwrap();
}
