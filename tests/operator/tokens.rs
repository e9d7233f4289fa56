//! Which Secrets and values are used as tokens, and that a token appears nowhere.

use crate::{case, stack};
use clickup_simulator::state::Token;
use serde_json::json;
use test_support::case::{is, message};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_surely_a_token_is_never_sent() {
    let case = case("unusable").await;
    let account = case.account().await;
    let good = &account.token.value;
    let oauth = json!({"tokenType": "OAuth"});
    let labels = json!({"labels": {"clickup-operator.dev/token-type": "OAuth"}});
    let rows = [
        (
            "empty",
            json!({"stringData": {"token": " \n"}}),
            json!({}),
            "TokenEmpty",
            "store the ClickUp token",
        ),
        (
            "quoted",
            json!({"stringData": {"token": format!("\"{good}\"")}}),
            json!({}),
            "TokenMalformed",
            "quotes",
        ),
        (
            "bearer",
            json!({"stringData": {"token": format!("Bearer {good}")}}),
            json!({}),
            "TokenMalformed",
            "Bearer",
        ),
        ("spaced", json!({"stringData": {"token": "pk_1 2"}}), json!({}), "TokenMalformed", "on one line"),
        ("password", json!({"stringData": {"token": "hunter2"}}), json!({}), "TokenTypeMismatch", "pk_"),
        (
            "other-key",
            json!({"stringData": {"other": good}}),
            json!({}),
            "SecretKeyNotFound",
            "spec.tokenSecretRef.key",
        ),
        (
            "other-type",
            json!({"type": "kubernetes.io/basic-auth", "stringData": {"username": "a", "password": "b", "token": good}}),
            json!({}),
            "TokenTypeMismatch",
            "Opaque",
        ),
        (
            "no-consent",
            json!({"stringData": {"token": "opaque-value"}}),
            oauth.clone(),
            "TokenTypeMismatch",
            "clickup-operator.dev/token-type",
        ),
        (
            "wrong-kind",
            json!({"metadata": labels, "stringData": {"token": good}}),
            oauth.clone(),
            "TokenTypeMismatch",
            "tokenType: Personal",
        ),
    ];
    for (name, secret, spec, _, _) in &rows {
        case.secret_with(name, secret.clone()).await;
        case.connection(name, spec.clone()).await;
    }
    case.connection("missing", json!({})).await;
    for (name, _, _, reason, says) in &rows {
        let object = case.until_ready(name, "False", reason).await;
        let said = message(&object["status"], "TokenAvailable");
        assert!(said.contains(says) && !said.contains("other\""), "{name}: {said}");
        let stalled = *reason != "SecretKeyNotFound";
        assert_eq!(is(&object["status"], "Stalled").0 == "True", stalled, "{name}");
    }
    case.until_ready("missing", "False", "SecretNotFound").await;
    assert_eq!(case.clickup.counts(Some(&account.token.name)).await.unwrap(), [], "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_of_token_are_sent_as_clickup_wants_them() {
    let case = case("kinds").await;
    let account = case.account().await;
    let oauth = case.clickup.add_token(Token::oauth(account.user)).await.unwrap();
    case.secret("personal", &format!("  {}\n", account.token.value)).await;
    case.connection("personal", json!({})).await;
    let label = json!({"labels": {"clickup-operator.dev/token-type": "OAuth"}});
    case.secret_with("oauth", json!({"metadata": label, "stringData": {"access": oauth.value}})).await;
    case.connection(
        "oauth",
        json!({"tokenType": "OAuth", "tokenSecretRef": {"name": "oauth", "key": "access"}}),
    )
    .await;
    case.until_ready("personal", "True", "Verified").await;
    let object = case.until_ready("oauth", "True", "Verified").await;
    assert_eq!(object["status"]["tokenType"], "OAuth");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_dead_token_is_rejected_at_once() {
    let case = case("dead").await;
    case.secret("bot", "pk_1_NOBODYKNOWSTHIS").await;
    case.connection("bot", json!({})).await;
    let object = case.until_ready("bot", "False", "TokenRejected").await;
    assert_eq!(is(&object["status"], "Reachable"), ("True", "ResponseReceived"));
    assert_eq!(is(&object["status"], "Stalled"), ("True", "TokenRejected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_logged_at_the_highest_level() {
    let case = case("logs").await;
    let account = case.account().await;
    // Applied as people do: the Secret's annotation holds a copy of it.
    let manifest = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "bot", "namespace": case.namespace},
        "stringData": {"token": account.token.value}});
    let file = case.control_plane.scratch().join(format!("{}.json", case.namespace));
    std::fs::write(&file, manifest.to_string()).unwrap();
    case.control_plane
        .run_kubectl(["apply".as_ref(), "--filename".as_ref(), file.as_os_str()])
        .await
        .unwrap();
    case.connection("bot", json!({})).await;
    case.until_ready("bot", "True", "Verified").await;
    let applied = case.secrets().get("bot").await.unwrap().metadata.annotations.unwrap_or_default();
    assert!(applied.values().any(|a| a.contains(&account.token.value)), "the test is void");
    let log = stack().await.operator.process().log();
    assert!(log.contains(&case.namespace), "the test is void");
    let secret_part = account.token.value.rsplit('_').next().unwrap();
    assert!(!log.contains(secret_part), "a token stands in the log");
    let metrics = stack().await.operator.metrics().await.unwrap();
    assert!(!metrics.contains(secret_part));
}
