//! The first check, what it writes, and that nothing more is written or asked than needed.

use crate::case;
use clickup_simulator::fault::Fault;
use serde_json::json;
use std::time::Duration;
use test_support::case::is;

#[tokio::test(flavor = "multi_thread")]
async fn a_good_connection_becomes_ready_with_one_write() {
    let case = case("good").await;
    let account = case.account().await;
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({"defaultWorkspace": {"id": account.workspace.to_string()}, "requiredWorkspaces": [{"name": case.namespace}]})).await;
    let object = case.until_ready("bot", "True", "Verified").await;
    let status = &object["status"];
    for condition in ["TokenAvailable", "Reachable", "Authenticated", "WorkspacesResolved"] {
        assert_eq!(is(status, condition).0, "True", "{condition}");
    }
    assert_eq!(status["observedGeneration"], 1);
    assert_eq!(status["user"], json!({"id": account.user.to_string()}), "the id, not the name");
    let workspace = json!({"id": account.workspace.to_string(), "name": case.namespace, "role": "Owner"});
    assert_eq!(status["workspaces"], json!([workspace]));
    assert_eq!((&status["workspaceCount"], &status["tokenType"]), (&json!(1), &json!("Personal")));
    assert_eq!(
        status["defaultWorkspace"],
        json!({"id": account.workspace.to_string(), "name": case.namespace})
    );
    assert_eq!(status["rateLimit"], json!({"limit": 100}));
    let secret = case.secrets().get("bot").await.unwrap();
    assert_eq!(status["secretResourceVersion"].as_str(), secret.metadata.resource_version.as_deref());
    assert!(status["lastVerifiedTime"].is_string());
    assert_eq!(case.status_writes(), 1);
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/team").await.unwrap(), 1);
    let probe = format!("/v2/team/{}/space", account.workspace);
    assert_eq!(
        case.clickup.requests(&account.token.name, &probe).await.unwrap(),
        1,
        "default and required are one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_with_one_token_share_a_check() {
    let case = case("shared-token").await;
    let account = case.account().await;
    let slow = Fault::for_token(&account.token.name).delay(Duration::from_millis(500));
    case.clickup.add_fault(slow).await.unwrap();
    let names: Vec<_> = (0..8).map(|n| format!("c{n}")).collect();
    for name in &names {
        case.secret(name, &account.token.value).await;
    }
    for name in &names {
        case.connection(name, json!({})).await;
    }
    for name in &names {
        case.until_ready(name, "True", "Verified").await;
    }
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/team").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_first_check_is_announced() {
    let case = case("slow").await;
    let account = case.account().await;
    let fault = Fault::for_token(&account.token.name).on("/v2/user").times(1);
    case.clickup.add_fault(fault.delay(Duration::from_secs(4))).await.unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({})).await;
    let object = case.until_ready("bot", "Unknown", "Checking").await;
    assert_eq!(object["status"]["observedGeneration"], -1, "GitOps tools go on waiting");
    assert_eq!(is(&object["status"], "Reconciling"), ("True", "Checking"));
    let object = case.until_ready("bot", "True", "Verified").await;
    assert_eq!(is(&object["status"], "Reconciling"), ("", ""));
    assert_eq!(case.status_writes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_requested_check_that_finds_nothing_new_writes_its_acknowledgement_only() {
    let case = case("requested").await;
    let account = case.verified("bot", json!({})).await;
    case.annotate("bot", "one").await;
    let object = case.until_handled("bot", "one").await;
    assert_eq!(case.status_writes(), 2);
    assert_eq!(
        case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(),
        2,
        "a check of its own"
    );
    let transitions: Vec<_> = object["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["lastTransitionTime"].clone())
        .collect();
    case.annotate("bot", "two").await;
    let object = case.until_handled("bot", "two").await;
    let later: Vec<_> = object["status"]["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["lastTransitionTime"].clone())
        .collect();
    assert_eq!(transitions, later, "transition times move only with a status");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_never_hangs_and_a_namesake_starts_anew() {
    let case = case("deleted").await;
    case.verified("bot", json!({})).await;
    let api = case.connections();
    assert!(api.get("bot").await.unwrap().metadata.finalizers.is_none());
    api.delete("bot", &Default::default()).await.unwrap();
    assert!(api.get_opt("bot").await.unwrap().is_none(), "gone at once");
    case.connection("bot", json!({})).await;
    case.until_ready("bot", "True", "Verified").await;
}
