//! Secrets that are polled: what is asked for, when, and what comes of it.

use crate::{
    ground::{Account, GET_SECRETS, case, ground, rights},
    proxy::Proxy,
};
use serde_json::json;
use std::time::Duration;
use test_support::{
    case::{Case, SOON, is},
    wait,
};

/// How often a Secret was asked for, its metadata alone and with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reads {
    metadata: usize,
    value: usize,
}

fn reads(proxy: &Proxy, case: &Case<'_>, secret: &str) -> Reads {
    let forms = proxy.forms(&format!("/namespaces/{}/secrets/{secret}", case.namespace));
    let metadata =
        forms.iter().filter(|f| f.starts_with("application/json;as=PartialObjectMetadata;")).count();
    Reads { metadata, value: forms.len() - metadata }
}

/// Waits for so many polls more.
async fn until_polled(proxy: &Proxy, case: &Case<'_>, secret: &str, times: usize) -> Reads {
    let before = reads(proxy, case, secret);
    let polled = wait::until(SOON, format!("{times} polls of {secret}"), || async {
        let now = reads(proxy, case, secret);
        if now.metadata >= before.metadata + times { Ok(now) } else { Err(format!("{now:?}")) }
    });
    polled.await.unwrap_or_else(|e| panic!("{e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_are_noticed_by_metadata_and_values_fetched_only_then() {
    let (case, account) = (case("polled").await, Account::new("polled").await);
    account.may_in(&case.namespace, &rights(&[GET_SECRETS])).await;
    let proxy = Proxy::start(&ground().await.control_plane, account.kubeconfig(), None).await;
    let watch = format!("--watch-namespaces={}", case.namespace);
    let arguments = [watch.as_str(), "--secret-access=get", "--secret-poll-interval=1s"];
    let running = account.operator_by(&proxy.kubeconfig, &arguments).await;
    case.secret("unrelated", "pk_1_UNRELATED").await;
    let bot = case.verified("bot", json!({})).await;
    case.verified("other", json!({})).await;
    assert_eq!(until_polled(&proxy, &case, "bot", 3).await.value, 1, "one value for one check");
    assert_eq!(case.clickup.requests(&bot.token.name, "/v2/user").await.unwrap(), 1);

    // An edit that leaves the token as it is, then another token.
    let before = case.get("bot").await["status"]["secretResourceVersion"].clone();
    let labels = json!({"metadata": {"labels": {"x": "y"}}, "stringData": {"token": bot.token.value}});
    case.secret_with("bot", labels).await;
    let labelled = case.until("bot", "seen again", |s| s["secretResourceVersion"] != before).await;
    assert_eq!(case.clickup.requests(&bot.token.name, "/v2/user").await.unwrap(), 1, "no check is spent");
    assert_eq!(until_polled(&proxy, &case, "bot", 2).await.value, 2);
    let edited = case.clickup.regenerate(&bot.token.name).await.unwrap();
    case.secret("bot", &edited.value).await;
    let version = labelled["status"]["secretResourceVersion"].clone();
    case.until("bot", "checked with its new token", |s| {
        s["secretResourceVersion"] != version && is(s, "Ready") == ("True", "Verified")
    })
    .await;
    assert_eq!(until_polled(&proxy, &case, "bot", 2).await.value, 3);

    case.no_secret("bot").await;
    case.until_ready("bot", "False", "SecretNotFound").await;
    case.secret("bot", &edited.value).await;
    case.until_ready("bot", "True", "Verified").await;

    // Of what is suspended nothing is asked, and its end is noticed.
    case.edit("bot", json!({"spec": {"suspend": true}})).await;
    case.until("bot", "suspended", |s| s["observedGeneration"] == 2).await;
    let polled = until_polled(&proxy, &case, "other", 1).await;
    let suspended = reads(&proxy, &case, "bot");
    assert!(until_polled(&proxy, &case, "other", 3).await.metadata > polled.metadata);
    assert_eq!(reads(&proxy, &case, "bot"), suspended, "asked while suspended");
    case.no_secret("bot").await;
    case.edit("bot", json!({"spec": {"suspend": false}})).await;
    case.until_ready("bot", "False", "SecretNotFound").await;
    assert_eq!(reads(&proxy, &case, "unrelated"), Reads { metadata: 0, value: 0 });
    assert_eq!(proxy.forms("/secrets"), [""; 0], "no list, no watch");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn between_polls_checks_and_annotations_read_the_secret() {
    let (case, account) = (case("rare").await, Account::new("rare").await);
    account.may_in(&case.namespace, &rights(&[GET_SECRETS])).await;
    let watch = format!("--watch-namespaces={}", case.namespace);
    let arguments = [watch.as_str(), "--secret-access=get", "--secret-poll-interval=24h"];
    let running = account.operator(&arguments).await;
    let token = case.verified("bot", json!({"interval": "1m"})).await.token;
    let version = case.get("bot").await["status"]["secretResourceVersion"].clone();
    let edited = case.clickup.regenerate(&token.name).await.unwrap();
    case.secret("bot", &edited.value).await;
    case.annotate("bot", "1").await;
    let object = case.until_handled("bot", "1").await;
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
    let annotated = &object["status"]["secretResourceVersion"];
    assert_ne!(*annotated, version, "the annotation's check had the old token");

    let edited = case.clickup.regenerate(&token.name).await.unwrap();
    case.secret("bot", &edited.value).await;
    // A check is due within one and a half intervals.
    let patience = Duration::from_secs(110);
    case.until_within(patience, "bot", "checked with its new token", |s| {
        s["secretResourceVersion"] != *annotated && is(s, "Authenticated") == ("True", "TokenAccepted")
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_may_not_be_read_are_told_of_once() {
    let (case, account) = (case("denied").await, Account::new("denied").await);
    account.may_in(&case.namespace, &rights(&[GET_SECRETS])).await;
    let watch = format!("--watch-namespaces={}", case.namespace);
    let arguments = [watch.as_str(), "--secret-access=get", "--secret-poll-interval=1s"];
    let running = account.operator(&arguments).await;
    let token = case.verified("bot", json!({})).await.token;
    case.verified("other", json!({})).await;

    account.may_in(&case.namespace, &rights(&[])).await;
    let refused = || async {
        let requests = account.requests().await;
        let refused = requests.iter().filter(|e| e.resource == "secrets" && e.code == Some(403)).count();
        if refused >= 6 { Ok(()) } else { Err(format!("{refused}")) }
    };
    wait::until(SOON, "polls to be refused again and again", refused).await.unwrap();
    assert_eq!(running.logged("Secrets may not be read"), 1);
    case.annotate("bot", "1").await;
    let object = case.until_ready("bot", "Unknown", "SecretAccessDenied").await;
    assert_eq!(
        is(&object["status"], "Authenticated"),
        ("True", "TokenAccepted"),
        "it says nothing about that"
    );
    running.process.healthz().await.unwrap();

    account.may_in(&case.namespace, &rights(&[GET_SECRETS])).await;
    let labels = json!({"metadata": {"labels": {"x": "y"}}, "stringData": {"token": token.value}});
    case.secret_with("bot", labels).await;
    case.until_ready("bot", "True", "Verified").await;
    let told = || async {
        match running.logged("Secrets may be read again") {
            1 => Ok(()),
            n => Err(format!("{n} times")),
        }
    };
    wait::until(SOON, "the end of it in the log", told).await.unwrap();
    running.stop().await;
}
