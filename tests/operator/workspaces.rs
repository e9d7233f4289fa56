//! Workspaces: found, missing, ambiguous, refusing.

use crate::case;
use clickup_simulator::{
    fault::Fault,
    state::{Member, Refusal, Role, Token, User, Workspace},
};
use serde_json::json;
use test_support::case::{is, message};

#[tokio::test(flavor = "multi_thread")]
async fn every_way_a_workspace_can_fail_has_its_reason() {
    let case = case("workspaces").await;
    let account = case.account().await;
    let owner = vec![Member::new(account.user, Role::OWNER)];
    for _ in 0..2 {
        let twin = Workspace { name: "Twin".into(), members: owner.clone(), ..Workspace::default() };
        case.clickup.add_workspace(twin).await.unwrap();
    }
    let rows = [
        ("by-name", json!({"defaultWorkspace": {"name": case.namespace}}), "True", "Verified", ""),
        ("no-default", json!({}), "True", "Verified", ""),
        ("unknown-id", json!({"defaultWorkspace": {"id": "404"}}), "False", "WorkspaceNotFound", "id 404"),
        (
            "unknown-name",
            json!({"requiredWorkspaces": [{"name": "acme"}]}),
            "False",
            "WorkspaceNotFound",
            "\"acme\"",
        ),
        (
            "ambiguous",
            json!({"defaultWorkspace": {"name": "Twin"}}),
            "False",
            "WorkspaceAmbiguous",
            "write the id",
        ),
    ];
    for (name, spec, ..) in &rows {
        case.secret(name, &account.token.value).await;
        case.connection(name, spec.clone()).await;
    }
    for (name, _, status, reason, says) in &rows {
        let object = case.until_ready(name, status, reason).await;
        let said = message(&object["status"], "WorkspacesResolved");
        assert!(said.contains(says), "{name}: {said}");
        assert_eq!(is(&object["status"], "Authenticated"), ("True", "TokenAccepted"));
        assert_eq!(object["status"]["workspaceCount"], 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_workspaces_says_so() {
    let case = case("lonely").await;
    let user = case.clickup.add_user(User::default()).await.unwrap();
    let token = case.clickup.add_token(Token::personal(user)).await.unwrap();
    case.secret("bot", &token.value).await;
    case.connection("bot", json!({})).await;
    let object = case.until_ready("bot", "False", "NoWorkspaces").await;
    assert_eq!(object["status"]["user"]["id"], user.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_refuses_tokens_is_found_out() {
    let case = case("refused").await;
    let account = case.verified("bot", json!({})).await;
    // The only workspace is the default, and is tried.
    case.clickup.refuse(&account.token.name, Refusal::by(account.workspace)).await.unwrap();
    case.annotate("bot", "1").await;
    let object = case.until_ready("bot", "False", "WorkspaceAccessDenied").await;
    assert!(object["status"]["defaultWorkspace"]["id"].is_string());
    case.clickup.admit(&account.token.name, account.workspace).await.unwrap();
    let probe = format!("/v2/team/{}/space", account.workspace);
    case.clickup
        .add_fault(Fault::for_token(&account.token.name).on(&probe).times(1).plan_required())
        .await
        .unwrap();
    case.annotate("bot", "2").await;
    case.until_ready("bot", "False", "PlanRequired").await;
    case.annotate("bot", "3").await;
    case.until_ready("bot", "True", "Verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_on_an_id_never_rejects_a_token() {
    let case = case("probe").await;
    let account = case.verified("bot", json!({})).await;
    let probe = format!("/v2/team/{}/space", account.workspace);
    let dead = Fault::for_token(&account.token.name).on(&probe).times(1).error(
        401,
        "OAUTH_019",
        "Oauth token not found",
    );
    case.clickup.add_fault(dead).await.unwrap();
    case.annotate("bot", "1").await;
    let object = case.until_handled("bot", "1").await;
    let status = &object["status"];
    assert_eq!(
        (is(status, "Ready"), is(status, "Reachable")),
        (("True", "Verified"), ("False", "RequestRefused"))
    );
    assert_eq!(is(status, "Authenticated"), ("True", "TokenAccepted"));
    assert_eq!(
        case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(),
        3,
        "asked about itself again at once"
    );
}
