//! Each mode needs the rights that its role has, and no others. (The mode that watches all of the cluster is in
//! `tests/operator/access.rs`, with the role that is shipped.)

use crate::ground::{
    Account, GET_SECRETS, NAMESPACES, Right, Running, WATCH_SECRETS, case, ground, named, rights,
};
use k8s_openapi::api::rbac::v1::Role;
use serde_json::{Value, json};
use test_support::{
    case::Case,
    control_plane::audit::AuditEvent,
    rights::{granted, until_all_used},
};

/// Does what takes every right: two Events that are the same, an edit of a Secret, its end and its return, a reference from
/// another namespace.
async fn exercise(own: &Case<'_>, user: &Case<'_>, sharing: Value, labels: Value) {
    let account = own.account().await;
    own.secret("bot", &account.token.value).await;
    own.connection("bot", json!({"sharing": sharing})).await;
    user.connection("mine", json!({"connectionRef": own.reference("bot")})).await;
    for (case, name) in [(own, "bot"), (user, "mine")] {
        case.edit(name, json!({"metadata": {"labels": labels}})).await;
        case.until_ready(name, "True", "Verified").await;
    }
    for _ in 0..2 {
        own.no_secret("bot").await;
        own.until_ready("bot", "False", "SecretNotFound").await;
        user.until_ready("mine", "False", "ConnectionNotReady").await;
        own.secret("bot", &account.token.value).await;
        own.until_ready("bot", "True", "Verified").await;
        user.until_ready("mine", "True", "Verified").await;
    }
    let before = own.get("bot").await["status"]["secretResourceVersion"].clone();
    let edited = own.clickup.regenerate(&account.token.name).await.unwrap();
    own.secret("bot", &edited.value).await;
    own.until("bot", "checked with its new token", |s| s["secretResourceVersion"] != before).await;
    own.until_ready("bot", "True", "Verified").await;
    own.annotate("bot", "1").await;
    own.until_handled("bot", "1").await;
}

/// That these rights were all used, and no others wanted.
async fn uses_exactly(account: &Account, granted: &[Right]) -> Vec<AuditEvent> {
    let control_plane = &ground().await.control_plane;
    let requests = until_all_used(control_plane, &account.user(), &named(granted)).await;
    requests.unwrap_or_else(|e| panic!("{e}"))
}

async fn end(running: Running) {
    running.process.healthz().await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_watch_of_secrets_in_all_of_the_cluster() {
    let (own, account) = (case("get-all").await, Account::new("get-all").await);
    let user = own.beside("get-all-user", json!({"team": "get-all"})).await;
    let granted = rights(&[GET_SECRETS, NAMESPACES]);
    account.may_everywhere(&granted).await;
    // Other tests have connections too.
    let arguments =
        ["--secret-access=get", "--secret-poll-interval=1s", "--watch-label-selector=test in (get-all)"];
    let running = account.operator(&arguments).await;
    let selector = json!({"matchLabels": {"team": "get-all"}});
    let sharing = json!({"scope": "Namespaces", "namespaceSelector": selector});
    exercise(&own, &user, sharing, json!({"test": "get-all"})).await;
    uses_exactly(&account, &granted).await;
    end(running).await;
}

/// With Roles in two namespaces and nothing cluster-wide.
async fn in_two_namespaces(name: &str, secrets: &[Right], flags: &[&str]) {
    let (own, account) = (case(name).await, Account::new(name).await);
    let user = own.beside(&format!("{name}-user"), json!({})).await;
    let granted = rights(secrets);
    for case in [&own, &user] {
        account.may_in(&case.namespace, &granted).await;
    }
    let watch = format!("--watch-namespaces={},{}", own.namespace, user.namespace);
    let running = account.operator(&[&[watch.as_str()], flags].concat()).await;
    let sharing = json!({"scope": "Namespaces", "namespaces": [user.namespace]});
    exercise(&own, &user, sharing, json!({})).await;
    for request in uses_exactly(&account, &granted).await {
        let within = [&own.namespace, &user.namespace].contains(&&request.namespace);
        assert!(within, "outside of its namespaces: {request:?}");
    }
    end(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_roles_in_namespaces() {
    in_two_namespaces("roles", &[GET_SECRETS, WATCH_SECRETS], &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_roles_in_namespaces_and_without_the_watch_of_secrets() {
    in_two_namespaces("roles-get", &[GET_SECRETS], &["--secret-access=get", "--secret-poll-interval=1s"])
        .await;
}

/// The page shows the role of one mode; people copy it.
#[test]
fn the_role_on_the_page_is_the_one_that_is_needed() {
    let page = include_str!("../../docs/tenancy.md");
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("\n---\n").next()).unwrap();
    let role: Role = serde_saphyr::from_str(example).unwrap();
    assert_eq!(granted(&role.rules.unwrap()), named(&rights(&[GET_SECRETS])));
}
