//! What the status has no place for.

use super::{Row, row};
use serde_json::{Value, json};

/// Merged into a status, which only the operator writes.
pub fn refused() -> Vec<Row> {
    let condition = |member: &str, value: Value| {
        let mut condition = json!({"type": "Ready", "status": "True", "reason": "Verified", "message": "",
            "lastTransitionTime": "2026-11-23T10:00:00Z"});
        condition[member] = value;
        json!({"status": {"conditions": [condition]}})
    };
    let workspace = |workspace: Value| json!({"status": {"workspaces": [workspace]}});
    let hundred_and_one: Vec<_> = (0..101).map(|id| json!({"id": id.to_string()})).collect();
    let twice = json!([
        {"type": "Ready", "status": "True", "reason": "Verified", "message": "", "lastTransitionTime": "2026-11-23T10:00:00Z"},
        {"type": "Ready", "status": "False", "reason": "TokenRejected", "message": "", "lastTransitionTime": "2026-11-23T10:00:00Z"}
    ]);
    let mut rows = vec![
        row("status.conditions map by type", json!({"status": {"conditions": twice}}), &["Duplicate value"]),
        row(
            "status.conditions[].lastTransitionTime format",
            condition("lastTransitionTime", json!("now")),
            &["date-time"],
        ),
        row("status.lastVerifiedTime format", json!({"status": {"lastVerifiedTime": "now"}}), &["date-time"]),
        row("status.tokenType enum", json!({"status": {"tokenType": "Other"}}), &["supported values"]),
        row(
            "status.workspaces maxItems",
            json!({"status": {"workspaces": hundred_and_one}}),
            &["at most 100"],
        ),
        row(
            "status.workspaces map by id",
            json!({"status": {"workspaces": [{"id": "1"}, {"id": "1"}]}}),
            &["Duplicate value"],
        ),
        row(
            "status.workspaces[].role enum",
            workspace(json!({"id": "1", "role": "Boss"})),
            &["supported values"],
        ),
        row("status.workspaces[] required id", workspace(json!({"name": "a"})), &["id: Required value"]),
    ];
    for (field, member) in [
        ("user", "id"),
        ("defaultWorkspace", "id"),
        ("channel", "id"),
        ("rateLimit", "limit"),
        ("binding", "name"),
    ] {
        rows.push(row(
            &format!("status.{field} required {member}"),
            json!({"status": {field: {}}}),
            &[&format!("status.{field}.{member}: Required value")],
        ));
    }
    for member in ["type", "status", "reason", "message", "lastTransitionTime"] {
        rows.push(row(
            &format!("status.conditions[] required {member}"),
            condition(member, Value::Null),
            &["Required value"],
        ));
    }
    rows
}
