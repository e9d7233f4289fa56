//! Two operators that share the connections by labels, and the syntax of such selectors.

use crate::ground::{Account, GET_SECRETS, WATCH_SECRETS, case, rights};
use clickup_operator::controller::LabelSelector;
use kube::api::ListParams;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use test_support::{case::Case, control_plane::audit::AuditEvent};

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
