//! The status: a subresource that has room for all that the operator writes.

use super::{Connections, good, is_as_expected, outcome, rows};
use clickup_operator::api::{
    BindingStatus, ClickUpConnectionStatus, Condition, ConditionStatus, ConditionType, Conditions,
    RateLimitStatus, Reason, Resolved, TokenType, UserStatus, WorkspaceRole, WorkspaceStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Patch, PatchParams, PostParams, ValidationDirective};
use serde_json::json;
use strum::VariantArray;

#[tokio::test]
async fn statuses_have_rules_too() {
    let connections = Connections::new().await;
    connections.create(&json!({}), &PostParams::default()).await.unwrap();
    let rows = rows::refused_statuses();
    for row in &rows {
        match connections.patch_status(&row.patch, &PatchParams::default()).await {
            Ok(_) => panic!("{}: accepted {}", row.breaks, row.patch),
            Err(message) => assert!(is_as_expected(&message, row), "{}: {message}", row.breaks),
        }
    }
    println!("{} statuses refused", rows.len());
}

#[tokio::test]
async fn the_status_is_a_subresource() {
    let connections = Connections::new().await;
    let forged = json!({"status": {"user": {"id": "7"}}});
    let created = connections.create(&forged, &PostParams::default()).await.unwrap();
    assert_eq!(created["status"], json!({"observedGeneration": -1}), "only /status writes it");

    let written =
        json!({"spec": {"suspend": true}, "status": {"observedGeneration": 1, "user": {"id": "7"}}});
    let object = connections.patch_status(&written, &PatchParams::default()).await.unwrap();
    assert_eq!(object["spec"]["suspend"], false, "/status writes nothing else");
    assert_eq!(object["metadata"]["generation"], 1);

    let edit = json!({"spec": {"suspend": true}, "status": null});
    let edited = connections.api.patch("a", &PatchParams::default(), &Patch::Merge(&edit)).await;
    let edited = outcome(edited).unwrap();
    assert_eq!((&edited["spec"]["suspend"], &edited["metadata"]["generation"]), (&json!(true), &json!(2)));
    assert_eq!(edited["status"], json!({"observedGeneration": 1, "user": {"id": "7"}}));
}

#[tokio::test]
async fn conditions_are_a_map_by_type() {
    let connections = Connections::new().await;
    connections.create(&json!({}), &PostParams::default()).await.unwrap();
    for (manager, kind) in [("one", "Ready"), ("two", "Reachable"), ("one", "Ready")] {
        let condition = json!({"type": kind, "status": "True", "reason": "R", "message": manager,
            "lastTransitionTime": "2026-11-23T10:00:00Z", "observedGeneration": 1});
        let status = json!({"apiVersion": good()["apiVersion"], "kind": good()["kind"], "status": {"conditions": [condition]}});
        let apply = Patch::Apply(&status);
        connections.api.patch_status("a", &PatchParams::apply(manager), &apply).await.unwrap();
    }
    let object = serde_json::to_value(connections.api.get("a").await.unwrap()).unwrap();
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let kinds: Vec<_> = conditions.iter().map(|c| c["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["Ready", "Reachable"], "each manager keeps its own");
}

fn conditions() -> Conditions {
    let condition = |kind: &ConditionType| Condition {
        type_: *kind,
        status: ConditionStatus::Unknown,
        reason: Reason::NotChecked,
        message: "x".repeat(512).into(),
        last_transition_time: Time("2026-11-23T10:00:00Z".parse().unwrap()),
        observed_generation: Some(i64::MAX),
    };
    ConditionType::VARIANTS.iter().map(condition).collect()
}

/// Every field, as large as it may be.
fn largest() -> ClickUpConnectionStatus {
    use WorkspaceRole::{Admin, Custom, Guest, Member, Other, Owner};
    let name = || Some("語".repeat(256));
    let roles = [Some(Owner), Some(Admin), Some(Member), Some(Guest), Some(Custom), Some(Other), None];
    let workspace = |(i, role)| WorkspaceStatus { id: format!("{i:020}"), name: name(), role };
    ClickUpConnectionStatus {
        observed_generation: Some(i64::MAX),
        conditions: conditions(),
        user: Some(UserStatus { id: "183".into(), name: name() }),
        token_type: Some(TokenType::OAuth),
        secret_resource_version: Some(u64::MAX.to_string()),
        workspace_count: Some(i64::MAX),
        workspaces: (0..100).zip(roles.into_iter().cycle()).map(workspace).collect(),
        default_workspace: Some(Resolved { id: "9".repeat(20), name: name() }),
        channel: Some(Resolved { id: "x".repeat(64), name: name() }),
        rate_limit: Some(RateLimitStatus { limit: 10_000 }),
        last_verified_time: Some(Time("2026-11-23T10:00:00Z".parse().unwrap())),
        last_handled_reconcile_at: Some("語".repeat(42)),
        binding: Some(BindingStatus { name: "x".repeat(253) }),
    }
}

#[tokio::test]
async fn there_is_room_for_all_that_the_operator_writes() {
    let connections = Connections::new().await;
    connections.create(&json!({}), &PostParams::default()).await.unwrap();
    let bare = ClickUpConnectionStatus {
        user: Some(UserStatus { id: "183".into(), name: None }),
        workspaces: vec![WorkspaceStatus { id: "1".into(), name: None, role: None }],
        default_workspace: Some(Resolved { id: "1".into(), name: None }),
        channel: Some(Resolved { id: "6-901-8".into(), name: None }),
        ..ClickUpConnectionStatus::default()
    };
    let waiting =
        ClickUpConnectionStatus { observed_generation: Some(-1), ..ClickUpConnectionStatus::default() };
    for status in [largest(), bare, waiting, largest()] {
        let object = json!({"apiVersion": good()["apiVersion"], "kind": good()["kind"], "status": status});
        let params = PatchParams {
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply("operator").force()
        };
        let applied = connections.api.patch_status("a", &params, &Patch::Apply(&object)).await;
        let stored = outcome(applied).unwrap();
        assert_eq!(stored["status"], serde_json::to_value(&status).unwrap());
        assert_eq!(
            serde_json::from_value::<ClickUpConnectionStatus>(stored["status"].clone()).unwrap(),
            status
        );
    }
}
