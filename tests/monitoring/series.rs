//! What the series of a connection say, to whom, and for how long.

use crate::{
    case,
    scrape::{self, Family},
};
use serde_json::json;
use std::{collections::BTreeMap, time::SystemTime};
use test_support::{case::SOON, wait};

const FAMILIES: [&str; 7] = [
    "ready",
    "reason",
    "check_interval_seconds",
    "last_verified_timestamp_seconds",
    "token_written_timestamp_seconds",
    "rate_limit_requests",
    "rate_limit_remaining_requests",
];
/// What only the owner of a token is told.
const OWNERS: [&str; 3] =
    ["token_written_timestamp_seconds", "rate_limit_requests", "rate_limit_remaining_requests"];

fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// What is told of a connection, by the ends of the names.
fn told(families: &BTreeMap<String, Family>, namespace: &str, name: &str) -> BTreeMap<&'static str, f64> {
    let of = |end: &'static str| {
        let family = &families[&format!("clickup_operator_connection_{end}")];
        Some((end, family.of(namespace, name)?))
    };
    FAMILIES.into_iter().filter_map(of).collect()
}

/// Waits until what is told is as wanted.
async fn until(
    namespace: &str,
    name: &str,
    wanted: impl Fn(&BTreeMap<&'static str, f64>) -> bool,
) -> BTreeMap<&'static str, f64> {
    let wanted = &wanted;
    let look = || async move {
        let told = told(&scrape::families().await, namespace, name);
        if wanted(&told) { Ok(told) } else { Err(format!("{told:?}")) }
    };
    wait::until(SOON, format!("the series of {name}"), look).await.unwrap_or_else(|e| panic!("{e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_told_of_an_owner_and_less_of_who_uses_its_token() {
    let owner = case("series-owner").await;
    let user = owner.beside("series-user", json!({})).await;
    let began = now().floor();
    let sharing = json!({"scope": "Namespaces", "namespaces": [user.namespace]});
    let account = owner.verified("bot", json!({"interval": "7m", "sharing": sharing})).await;
    user.connection("bot", json!({"connectionRef": owner.reference("bot"), "interval": "3m"})).await;
    user.until_ready("bot", "True", "Verified").await;

    let own = until(&owner.namespace, "bot", |told| told.len() == FAMILIES.len()).await;
    assert_eq!((own["ready"], own["reason"], own["check_interval_seconds"]), (1.0, 1.0, 420.0));
    for time in ["last_verified_timestamp_seconds", "token_written_timestamp_seconds"] {
        assert!((began..=now()).contains(&own[time]), "{time}: {own:?}, began at {began}");
    }
    let limit = own["rate_limit_requests"];
    assert!((0.0..limit).contains(&own["rate_limit_remaining_requests"]), "{own:?}");

    let users =
        until(&user.namespace, "bot", |told| told.contains_key("last_verified_timestamp_seconds")).await;
    assert_eq!(users["check_interval_seconds"], 420.0, "no more often than its owner");
    assert!(OWNERS.iter().all(|family| !users.contains_key(family)), "{users:?}");

    // What others use of the limit is seen at the next check.
    owner.clickup.spend(&account.token.name, 50).await.unwrap();
    owner.annotate("bot", "now").await;
    until(&owner.namespace, "bot", |told| told["rate_limit_remaining_requests"] <= limit - 50.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_a_missing_one_and_a_suspended_connection_are_told_apart() {
    let case = case("series-states").await;
    let (suspended, dead) = (json!({"suspend": true}), case.account().await);
    case.clickup.revoke(&dead.token.name).await.unwrap();
    for name in ["dead", "paused"] {
        case.secret(name, &dead.token.value).await;
    }
    case.connection("dead", json!({})).await;
    case.connection("missing", json!({})).await;
    case.connection("paused", suspended).await;
    let reason = |name: &'static str, reason: &'static str, ready: f64| {
        let namespace = case.namespace.clone();
        async move {
            let look = || async {
                let families = scrape::families().await;
                let reasons = &families["clickup_operator_connection_reason"].samples;
                let of_it = reasons.iter().filter(|s| s.labels["namespace"] == namespace);
                let of_it: Vec<_> = of_it.filter(|s| s.labels["name"] == name).collect();
                let told = families["clickup_operator_connection_ready"].of(&namespace, name);
                let [one] = of_it.as_slice() else { return Err(format!("{of_it:?}")) };
                let right = one.labels["reason"] == reason && told == Some(ready);
                if right { Ok(()) } else { Err(format!("{of_it:?}, {told:?}")) }
            };
            wait::until(SOON, format!("{name} to be {reason}"), look).await.unwrap_or_else(|e| panic!("{e}"));
        }
    };
    reason("dead", "TokenRejected", 0.0).await;
    reason("missing", "SecretNotFound", 0.0).await;
    reason("paused", "Suspended", -1.0).await;
    until(&case.namespace, "paused", |told| told.get("check_interval_seconds") == Some(&0.0)).await;
    let missing = until(&case.namespace, "missing", |told| told.contains_key("check_interval_seconds")).await;
    assert!(OWNERS.iter().all(|family| !missing.contains_key(family)), "there is no token: {missing:?}");

    case.no_connection("dead").await;
    until(&case.namespace, "dead", BTreeMap::is_empty).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_young() {
    let case = case("series-age").await;
    let account = case.verified("bot", json!({})).await;
    let written = "token_written_timestamp_seconds";
    let first = until(&case.namespace, "bot", |told| told.contains_key(written)).await[written];
    // The API server writes whole seconds.
    let later = || async { if now() > first + 2.0 { Ok(()) } else { Err("not yet") } };
    wait::until(SOON, "the next second", later).await.unwrap();
    let next = case.clickup.regenerate(&account.token.name).await.unwrap();
    case.secret("bot", &next.value).await;
    until(&case.namespace, "bot", |told| told.get(written).is_some_and(|at| *at > first)).await;
}
