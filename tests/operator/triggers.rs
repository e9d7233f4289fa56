//! What makes the operator look again: edits of spec, Secret and annotation, and suspend.

use crate::case;
use clickup_simulator::state::{Member, Role, Workspace};
use serde_json::json;
use test_support::case::is;

#[tokio::test(flavor = "multi_thread")]
async fn secrets_created_edited_and_deleted_are_noticed() {
    let case = case("secrets").await;
    let account = case.account().await;
    case.connection("bot", json!({})).await;
    case.until_ready("bot", "False", "SecretNotFound").await;
    case.secret("bot", &account.token.value).await;
    case.until_ready("bot", "True", "Verified").await;
    case.secret("bot", "nonsense").await;
    let object = case.until_ready("bot", "False", "TokenTypeMismatch").await;
    assert!(object["status"]["user"].is_null());
    case.secret("bot", &account.token.value).await;
    case.until_ready("bot", "True", "Verified").await;
    case.no_secret("bot").await;
    case.until_ready("bot", "False", "SecretNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_that_leaves_the_value_spends_no_check() {
    let case = case("relabelled").await;
    let account = case.verified("bot", json!({})).await;
    let before = case.get("bot").await["status"]["secretResourceVersion"].clone();
    case.secret_with(
        "bot",
        json!({"metadata": {"labels": {"team": "a"}}, "stringData": {"token": account.token.value}}),
    )
    .await;
    case.until("bot", "at the new version", |s| s["secretResourceVersion"] != before).await;
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
    assert_eq!(case.status_writes(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spec_edit_is_judged_anew() {
    let case = case("edited").await;
    let account = case.verified("bot", json!({})).await;
    case.edit("bot", json!({"spec": {"requiredWorkspaces": [{"name": "Later"}]}})).await;
    let object = case.until_ready("bot", "False", "WorkspaceNotFound").await;
    assert_eq!(object["status"]["observedGeneration"], 2);
    let members = vec![Member::new(account.user, Role::MEMBER)];
    case.clickup
        .add_workspace(Workspace { name: "Later".into(), members, ..Workspace::default() })
        .await
        .unwrap();
    case.annotate("bot", "1").await;
    let object = case.until_ready("bot", "True", "Verified").await;
    assert_eq!(object["status"]["workspaces"][1]["role"], "Member");
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_nothing_is_asked() {
    let case = case("suspended").await;
    let account = case.verified("bot", json!({})).await;
    case.edit("bot", json!({"spec": {"suspend": true}})).await;
    case.until("bot", "observed", |s| s["observedGeneration"] == 2).await;
    case.clickup.revoke(&account.token.name).await.unwrap();
    case.annotate("bot", "1").await;
    case.no_secret("bot").await;
    // Another connection, treated after these edits, shows that they were seen.
    case.verified("other", json!({})).await;
    let object = case.get("bot").await;
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
    assert!(object["status"]["lastHandledReconcileAt"].is_null());
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
    case.edit("bot", json!({"spec": {"requiredWorkspaces": [{"id": "1"}]}})).await;
    case.until_ready("bot", "Unknown", "Suspended").await;
    case.edit("bot", json!({"spec": {"suspend": false}})).await;
    case.until_ready("bot", "False", "SecretNotFound").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_born_suspended_is_not_checked() {
    let case = case("born-suspended").await;
    let account = case.account().await;
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({"suspend": true})).await;
    let object = case.until_ready("bot", "Unknown", "Suspended").await;
    assert_eq!(is(&object["status"], "TokenAvailable"), ("Unknown", "NotChecked"));
    assert_eq!(case.clickup.counts(Some(&account.token.name)).await.unwrap(), []);
    case.edit("bot", json!({"spec": {"suspend": false}})).await;
    case.until_ready("bot", "True", "Verified").await;
}
