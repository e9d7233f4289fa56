//! What the API server refuses: each constraint of the CRD, a value that breaks it, and what a person then reads.

use serde_json::{Value, json};

/// A value that breaks a constraint.
pub struct Row {
    /// The constraint, as `constraints` names it.
    pub breaks: String,
    /// Merged into a good object.
    pub patch: Value,
    /// Parts of the message, which tell what to write.
    pub says: Vec<&'static str>,
}

fn row(breaks: &str, patch: Value, says: &[&'static str]) -> Row {
    Row { breaks: breaks.to_owned(), patch, says: says.to_vec() }
}

const ID_HINT: &str = "write the workspace's id, 1 to 20 digits in quotes: the number that follows the host name in the web app's address";
const NAME_HINT: &str =
    "write the name of a Secret: lower case letters, digits, '-' and '.', such as clickup-token";
const KEY_HINT: &str = "write a key of the Secret's data: letters, digits, '-', '_' and '.', such as token";
const ORDER_HINT: &str =
    "timeout must not be longer than interval: write a shorter timeout or a longer interval";

pub fn refused() -> Vec<Row> {
    let text = |length| "x".repeat(length);
    let mut rows = vec![
        row(
            "spec.displayName maxLength",
            json!({"spec": {"displayName": text(129)}}),
            &["may not be more than 128"],
        ),
        row(
            "spec.description maxLength",
            json!({"spec": {"description": text(1025)}}),
            &["may not be more than 1024"],
        ),
        row(
            "spec.tokenType enum",
            json!({"spec": {"tokenType": "personal"}}),
            &[r#"supported values: "Personal", "OAuth""#],
        ),
        row("spec.tokenType enum", json!({"spec": {"tokenType": ""}}), &[r#"supported values: "Personal""#]),
        row(
            "spec.requiredWorkspaces maxItems",
            json!({"spec": {"requiredWorkspaces": vec![json!({"id": "1"}); 21]}}),
            &["Too many: 21: must have at most 20 items"],
        ),
        row(" required spec", json!({"spec": null}), &["spec: Required value"]),
        row(
            "spec required tokenSecretRef",
            json!({"spec": {"tokenSecretRef": null}}),
            &["spec.tokenSecretRef: Required value"],
        ),
        row(
            "spec.tokenSecretRef required name",
            json!({"spec": {"tokenSecretRef": {"name": null}}}),
            &["spec.tokenSecretRef.name: Required value"],
        ),
    ];
    rows.extend(secret_reference());
    rows.extend(workspaces());
    rows.extend(durations());
    rows
}

fn secret_reference() -> Vec<Row> {
    let mut rows = Vec::new();
    let secret = |member: &str, value: &str| json!({"spec": {"tokenSecretRef": {member: value}}});
    let rule = |member: &str, hint: &str| format!("spec.tokenSecretRef.{member} rule: {hint}");
    for name in ["Clickup", "a_b", "-a", "a-", "a..b", ".a", "a.", "a b", "ü", "a/b", ""] {
        rows.push(row(&rule("name", NAME_HINT), secret("name", name), &[NAME_HINT]));
    }
    for key in ["a b", "a/b", "ü", ""] {
        rows.push(row(&rule("key", KEY_HINT), secret("key", key), &[KEY_HINT]));
    }
    for (member, bad) in [("name", "A_b"), ("key", "a b")] {
        let of = |keyword| format!("spec.tokenSecretRef.{member} {keyword}");
        rows.push(row(&of("pattern"), secret(member, bad), &["should match"]));
        rows.push(row(&of("minLength"), secret(member, ""), &["should be at least 1 chars long"]));
        rows.push(row(&of("maxLength"), secret(member, &"x".repeat(254)), &["may not be more than 253"]));
    }
    rows
}

/// The same type stands in two places.
fn workspaces() -> Vec<Row> {
    let mut rows = Vec::new();
    type Place = (&'static str, fn(Value) -> Value);
    let places: [Place; 2] = [
        ("spec.defaultWorkspace", |workspace| json!({"spec": {"defaultWorkspace": workspace}})),
        (
            "spec.requiredWorkspaces[]",
            |workspace| json!({"spec": {"requiredWorkspaces": [{"id": "1"}, workspace]}}),
        ),
    ];
    for (place, put) in places {
        let one = "write exactly one of id and name";
        for both in
            [json!({}), json!({"id": "1", "name": "Acme"}), json!({"id": null}), json!({"unknown": 1})]
        {
            rows.push(row(&format!("{place} rule: {one}"), put(both), &[one]));
        }
        for id in ["", "12a", "-1", "1.5", " 1", "1 ", "٣", "123456789012345678901", "team/1"] {
            rows.push(row(&format!("{place}.id rule: {ID_HINT}"), put(json!({"id": id})), &[ID_HINT]));
        }
        rows.push(row(
            &format!("{place}.id pattern"),
            put(json!({"id": "x"})),
            &["should match '^[0-9]{1,20}$'"],
        ));
        let too_long = "1".repeat(257);
        rows.push(row(
            &format!("{place}.id maxLength"),
            put(json!({"id": too_long})),
            &["may not be more than 256"],
        ));
        let too_long = "x".repeat(257);
        rows.push(row(
            &format!("{place}.name maxLength"),
            put(json!({"name": too_long})),
            &["may not be more than 256"],
        ));
        rows.push(row(
            &format!("{place}.name minLength"),
            put(json!({"name": ""})),
            &["should be at least 1 chars long"],
        ));
    }
    rows
}

fn durations() -> Vec<Row> {
    const NO_DURATIONS: [&str; 18] = [
        "",
        "10",
        "m",
        "10 m",
        "10M",
        "1m1h",
        "1h1h",
        "-5m",
        "+5m",
        "1.5h",
        "500ms",
        "1d",
        "1h 30m",
        "PT10M",
        "ten minutes",
        "5m\n",
        "99999999999999999999s",
        "９m",
    ];
    let fields: [(&str, &str, &[&str]); 3] = [
        (
            "interval",
            "interval must be a duration from 1m to 24h: write whole hours, minutes and seconds in this order, such as 10m or 1h30m",
            &["0s", "59s", "24h1s", "86401s", "1441m", "99999999h", "99999h99m", "9999999m"],
        ),
        (
            "timeout",
            "timeout must be a duration from 1s to 5m: write whole hours, minutes and seconds in this order, such as 30s or 1m30s",
            &["0s", "5m1s", "301s", "99999999h", "24h"],
        ),
        (
            "outageGracePeriod",
            "outageGracePeriod must be a duration from 0s to 24h: write whole hours, minutes and seconds in this order, such as 30m or 1h30m",
            &["24h1s", "25h", "99999999h"],
        ),
    ];
    let mut rows = Vec::new();
    for (field, hint, out_of_bounds) in fields {
        let put = |value: &str| json!({"spec": {field: value}});
        for value in NO_DURATIONS.iter().chain(out_of_bounds) {
            rows.push(row(&format!("spec.{field} rule: {hint}"), put(value), &[hint]));
        }
        rows.push(row(&format!("spec.{field} pattern"), put("10 m"), &["should match", hint]));
        rows.push(row(
            &format!("spec.{field} minLength"),
            put(""),
            &["should be at least 2 chars long", hint],
        ));
        rows.push(row(
            &format!("spec.{field} maxLength"),
            put(&format!("{}1m", "0".repeat(64))),
            &["may not be more than 64"],
        ));
    }
    for (interval, timeout) in [("1m", "61s"), ("60s", "1m1s"), ("2m", "5m"), ("1m", "5m")] {
        let patch = json!({"spec": {"interval": interval, "timeout": timeout}});
        rows.push(row(&format!("spec rule: {ORDER_HINT}"), patch, &[ORDER_HINT]));
    }
    rows
}

/// Merged into a good object: all of it is accepted.
pub fn accepted() -> Vec<Value> {
    let mut patches = vec![
        json!({}),
        json!({"spec": {"displayName": "x".repeat(128), "description": "x".repeat(1024)}}),
        // Characters, not bytes.
        json!({"spec": {"displayName": "ü".repeat(128), "description": "語".repeat(1024)}}),
        json!({"spec": {"displayName": "", "description": ""}}),
        json!({"spec": {"tokenSecretRef": {"name": "a", "key": "A.b_c-9"}}}),
        json!({"spec": {"tokenSecretRef": {"name": "0.a-b.c9"}}}),
        json!({"spec": {"tokenSecretRef": {"name": "x".repeat(253), "key": "x".repeat(253)}}}),
        json!({"spec": {"tokenType": "Personal"}}),
        json!({"spec": {"tokenType": "OAuth"}}),
        json!({"spec": {"requiredWorkspaces": []}}),
        json!({"spec": {"requiredWorkspaces": vec![json!({"id": "12345678901234567890"}); 20]}}),
        json!({"spec": {"requiredWorkspaces": [{"name": "x".repeat(256)}, {"name": "語".repeat(256)}, {"id": "0"}]}}),
        json!({"spec": {"defaultWorkspace": {"name": " Acme \u{1f600} / Labs "}}}),
        json!({"spec": {"defaultWorkspace": {"name": "A"}}}),
        json!({"spec": {"interval": "1m", "timeout": "1m"}}),
        json!({"spec": {"interval": "60s", "timeout": "1m"}}),
        json!({"spec": {"suspend": true}}),
    ];
    let durations: [(&str, &[&str]); 3] = [
        ("interval", &["1m", "60s", "24h", "86400s", "23h59m60s", "1h30m", "1h1s", "0h1m0s", "0000001m"]),
        ("timeout", &["1s", "5m", "300s", "4m60s", "0h0m1s"]),
        ("outageGracePeriod", &["0s", "0m", "0h", "24h", "1440m", "1h"]),
    ];
    for (field, values) in durations {
        patches.extend(values.iter().map(|value| json!({"spec": {field: value}})));
    }
    patches
}

/// The same for a status, which only the operator writes.
pub fn refused_statuses() -> Vec<Row> {
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
        row("status.user required id", json!({"status": {"user": {}}}), &["status.user.id: Required value"]),
        row(
            "status.defaultWorkspace required id",
            json!({"status": {"defaultWorkspace": {}}}),
            &["status.defaultWorkspace.id: Required value"],
        ),
        row(
            "status.rateLimit required limit",
            json!({"status": {"rateLimit": {}}}),
            &["status.rateLimit.limit: Required value"],
        ),
    ];
    for member in ["type", "status", "reason", "message", "lastTransitionTime"] {
        rows.push(row(
            &format!("status.conditions[] required {member}"),
            condition(member, Value::Null),
            &["Required value"],
        ));
    }
    rows
}
