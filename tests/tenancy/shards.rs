//! Operators that share the connections by labels, and the syntax of such selectors.

use crate::ground::{Account, GET_SECRETS, LEASES, Running, WATCH_SECRETS, case, rights};
use clickup_operator::controller::LabelSelector;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use test_support::{
    case::{Case, SOON},
    control_plane::audit::AuditEvent,
    process::Signal,
};

fn shard(shard: Value) -> Value {
    json!({"metadata": {"labels": {"shard": shard}}})
}

/// Who has written the status of a connection, each once, since so many writes.
async fn writers(case: &Case<'_>, name: &str, since: usize) -> (BTreeSet<String>, usize) {
    let events = case.control_plane.audit_events().unwrap();
    let of_it =
        |e: &&AuditEvent| e.namespace == case.namespace && e.name == name && e.subresource == "status";
    let users: Vec<_> = events.iter().filter(of_it).map(|e| e.user.clone()).collect();
    (users[since..].iter().cloned().collect(), users.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_connection_is_the_matter_of_its_shard_alone() {
    let case = case("shards").await;
    let (a, b) = (Account::new("shard-a").await, Account::new("shard-b").await);
    let watch = format!("--watch-namespaces={}", case.namespace);
    let mut operators = Vec::new();
    for (account, selector) in [(&a, "shard=a"), (&b, "shard in (b),old!=true")] {
        account.may_in(&case.namespace, &rights(&[GET_SECRETS, WATCH_SECRETS])).await;
        operators.push(account.operator(&[&watch, &format!("--watch-label-selector={selector}")]).await);
    }
    let only = |account: &Account| BTreeSet::from([account.user()]);
    let mut tokens = Vec::new();
    for name in ["one", "two", "nobody"] {
        let token = case.account().await.token;
        case.secret(name, &token.value).await;
        case.connection(name, json!({"sharing": {"scope": "Cluster"}})).await;
        tokens.push(token);
    }
    for (name, of, account) in [("one", "a", &a), ("two", "b", &b)] {
        case.edit(name, shard(json!(of))).await;
        case.until_ready(name, "True", "Verified").await;
        assert_eq!(writers(&case, name, 0).await.0, only(account));
    }
    // Who refers belongs where the owner is.
    for (name, of, (status, reason)) in
        [("near", "a", ("True", "Verified")), ("far", "b", ("False", "ConnectionNotShared"))]
    {
        case.connection(name, json!({"connectionRef": case.reference("one")})).await;
        case.edit(name, shard(json!(of))).await;
        case.until_ready(name, status, reason).await;
    }

    // It moves: the other takes it where it stands, and the first writes no more, whatever happens.
    case.edit("one", shard(json!("b"))).await;
    case.until_ready("far", "True", "Verified").await;
    case.until_ready("near", "False", "ConnectionNotShared").await;
    assert_eq!(
        case.clickup.requests(&tokens[0].name, "/v2/user").await.unwrap(),
        2,
        "one check, for who was new"
    );
    let (_, before) = writers(&case, "one", 0).await;
    case.annotate("one", "1").await;
    case.until_handled("one", "1").await;
    case.no_secret("one").await;
    case.until_ready("one", "False", "SecretNotFound").await;
    // The first has come by all of it: it does what came after.
    case.annotate("near", "2").await;
    case.until_handled("near", "2").await;
    assert_eq!(writers(&case, "one", before).await.0, only(&b));
    let metrics = operators[0].process.metrics().await.unwrap();
    assert!(metrics.contains("name=\"near\"") && !metrics.contains("name=\"one\""), "{metrics}");

    // Out of both, it stands still.
    let (_, before) = writers(&case, "two", 0).await;
    case.edit("two", shard(Value::Null)).await;
    case.annotate("two", "1").await;
    case.annotate("far", "1").await;
    case.until_handled("far", "1").await;
    assert_eq!(writers(&case, "two", before).await.0, BTreeSet::new());
    assert_eq!(case.clickup.requests(&tokens[2].name, "/v2/user").await.unwrap(), 0, "in no shard");
    assert!(case.get("nobody").await["status"]["conditions"].is_null());
    for operator in operators {
        operator.stop().await;
    }
}

/// One of two processes that stand for the Lease of a shard.
struct Replica {
    account: Account,
    running: Running,
}

impl Replica {
    /// Short enough to be waited for, long enough for a busy machine to renew in.
    const SHORT_LEASE: Duration = Duration::from_secs(6);
    /// Of a leader that is to stay.
    const LONG_LEASE: Duration = Duration::from_secs(90);

    async fn start(case: &Case<'_>, shard: &str, lease: Duration, role: &str) -> Self {
        let (namespace, account) = (&case.namespace, Account::new(&format!("shard-{shard}-{role}")).await);
        let needed = [GET_SECRETS, WATCH_SECRETS].into_iter().chain(LEASES).collect::<Vec<_>>();
        account.may_in(namespace, &rights(&needed)).await;
        let flags = [
            format!("--watch-namespaces={namespace}"),
            format!("--watch-label-selector=shard={shard}"),
            "--leader-elect".to_owned(),
            format!("--leader-election-id=shard-{shard}"),
            format!("--leader-election-namespace={namespace}"),
            format!("--leader-election-lease-duration={}s", lease.as_secs()),
        ];
        let running = account.operator(&flags.each_ref().map(String::as_str)).await;
        Self { account, running }
    }

    /// One that leads, and one that stands by.
    async fn pair(case: &Case<'_>, shard: &str, lease: Duration) -> [Self; 2] {
        let leader = Self::start(case, shard, lease, "leader").await;
        leader.running.process.until_leads(SOON).await.unwrap();
        let standby = Self::start(case, shard, lease, "standby").await;
        assert!(!standby.leads().await);
        [leader, standby]
    }

    async fn leads(&self) -> bool {
        self.running.process.leads().await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_whose_leader_is_killed_is_taken_over_and_the_other_does_not_notice() {
    const CONNECTIONS: [(&str, &str); 4] = [("a-1", "a"), ("a-2", "a"), ("b-1", "b"), ("b-2", "b")];
    let case = case("leases").await;
    let ([a, heir_of_a], [b, heir_of_b]) = tokio::join!(
        Replica::pair(&case, "a", Replica::SHORT_LEASE),
        Replica::pair(&case, "b", Replica::LONG_LEASE)
    );
    assert!(a.leads().await && b.leads().await, "both shards have a leader at the same time");
    let lease = async |shard: &str| {
        let leases: Api<Lease> = Api::namespaced(case.client.clone(), &case.namespace);
        let spec = leases.get(&format!("shard-{shard}")).await.unwrap().spec.unwrap();
        (spec.holder_identity.unwrap(), spec.lease_transitions.unwrap())
    };
    let [of_a, of_b] = [lease("a").await, lease("b").await];
    let mut tokens = Vec::new();
    for (name, of) in CONNECTIONS {
        let token = case.account().await.token;
        case.secret(name, &token.value).await;
        case.connection(name, json!({})).await;
        case.edit(name, shard(json!(of))).await;
        tokens.push(token.name);
    }
    let mut written = Vec::new();
    for (name, of) in CONNECTIONS {
        case.until_ready(name, "True", "Verified").await;
        let (by, writes) = writers(&case, name, 0).await;
        assert_eq!(by, [if of == "a" { &a } else { &b }.account.user()].into(), "{name}");
        written.push(writes);
    }

    a.running.process.process().signal(Signal::Kill).unwrap();
    for (name, _) in CONNECTIONS {
        case.annotate(name, "one leader is dead").await;
    }
    for name in ["b-1", "b-2"] {
        case.until_handled(name, "one leader is dead").await;
    }
    heir_of_a.running.process.until_leads(Replica::SHORT_LEASE * 2).await.unwrap();
    for name in ["a-1", "a-2"] {
        case.until_handled(name, "one leader is dead").await;
    }
    for (((name, of), token), before) in CONNECTIONS.iter().zip(&tokens).zip(written) {
        let (by, _) = writers(&case, name, before).await;
        assert_eq!(by, [if *of == "a" { &heir_of_a } else { &b }.account.user()].into(), "{name}");
        let asked = case.clickup.requests(token, "/v2/user").await.unwrap();
        assert_eq!(asked, 2, "{name}: once by each leader, or twice by the one that stayed");
    }
    assert_eq!(lease("b").await, of_b, "who holds the other Lease holds it still");
    assert_ne!(lease("a").await.0, of_a.0);
    assert!(b.leads().await && !heir_of_b.leads().await);
    for (replica, others) in [(&a, "b-"), (&heir_of_a, "b-"), (&b, "a-"), (&heir_of_b, "a-")] {
        let requests = replica.account.requests().await;
        assert!(!requests.is_empty(), "the test is void");
        let strayed: Vec<_> = requests.iter().filter(|e| e.name.starts_with(others)).collect();
        assert!(strayed.is_empty(), "{}: {strayed:?}", replica.account.user());
    }
    for replica in [a, heir_of_a, b, heir_of_b] {
        replica.running.stop().await;
    }
}

/// What passes at the start is understood by the API server, and what it refuses does not pass.
#[tokio::test(flavor = "multi_thread")]
async fn selectors_are_what_the_api_server_understands() {
    let case = case("selectors").await;
    let (long, longer) = ("x".repeat(63), "x".repeat(64));
    let rows = [
        "shard=a",
        "shard==a",
        "shard != a",
        "shard=",
        "shard",
        "!shard",
        " ! shard ",
        "shard in (a)",
        "shard in (a,b),other",
        "shard notin ( a , b )",
        "shard in ()",
        "shard in (a,)",
        "n>1",
        "n < 20",
        "example.com/shard=a",
        "a.b_c-d=1.0",
        "shard=a,",
        ",",
        "=a",
        "shard=a=b",
        "shard=a b",
        "my shard",
        "shard in a",
        "shard in (a",
        "shard in (a)b",
        "shard of (a)",
        "in (a)",
        "shard (a)",
        "shard=-a",
        "shard=a-",
        "-shard=a",
        "shard=a/b",
        "a/b/c=d",
        "/shard",
        "Example.com/shard",
        "shard>x",
        "shard>",
        "!",
        "!shard=a",
        "shard=(a)",
        "shard=a;b",
        "shard in (a b)",
        "n>-1",
        "n>+1",
        &format!("{long}=a"),
        &format!("{longer}=a"),
        &format!("shard={long}"),
        &format!("shard={longer}"),
    ];
    for text in rows {
        let list = case.connections().list(&ListParams::default().labels(text)).await;
        let served = match list {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 400 => false,
            Err(error) => panic!("{text:?}: {error}"),
        };
        let ours = text.parse::<LabelSelector>();
        assert_eq!(ours.is_ok(), served, "{text:?}: {ours:?}");
    }
}
