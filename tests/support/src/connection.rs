//! A ClickUpConnection as anybody sees it who reads the API, on purpose without the operator's own types.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ApiResource, GroupVersionKind};
use kube::core::Object;
use serde::{Deserialize, Serialize};

/// The whole object; the spec is only what was applied.
pub type Connection = Object<serde_json::Value, Status>;

/// The part of the status that demo and `make try` check.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Status {
    /// -1 until the first check has ended.
    pub observed_generation: i64,
    /// What was found.
    pub conditions: Vec<Condition>,
    /// How many workspaces the token sees.
    pub workspace_count: Option<i64>,
    /// The default workspace.
    pub default_workspace: Option<Resolved>,
    /// The chat channel.
    pub channel: Option<Resolved>,
    /// All else.
    #[serde(flatten)]
    pub others: BTreeMap<String, serde_json::Value>,
}

/// A workspace or a channel of the status.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Resolved {
    /// As ClickUp numbers it.
    pub id: String,
    /// As its people call it.
    pub name: String,
}

/// The connections of the client's default namespace.
pub fn connections(client: kube::Client) -> Api<Connection> {
    Api::default_namespaced_with(client, &resource())
}

/// The connections of a namespace.
pub fn connections_in(client: kube::Client, namespace: &str) -> Api<Connection> {
    Api::namespaced_with(client, namespace, &resource())
}

fn resource() -> ApiResource {
    let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
    ApiResource::from_gvk_with_plural(&kind, "clickupconnections")
}

/// The condition of this type, if there is one.
pub fn condition<'a>(connection: &'a Connection, type_: &str) -> Option<&'a Condition> {
    let conditions = connection.status.as_ref().map_or(&[][..], |status| &status.conditions);
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether there is a condition of this type with this status and reason.
pub fn has(connection: &Connection, type_: &str, status: &str, reason: &str) -> bool {
    condition(connection, type_).is_some_and(|it| it.status == status && it.reason == reason)
}

/// All conditions in one line, for messages.
pub fn summary(connection: &Connection) -> String {
    let conditions = connection.status.as_ref().map_or(&[][..], |status| &status.conditions);
    if conditions.is_empty() {
        return "no conditions".to_string();
    }
    let word = |it: &Condition| format!("{}={} ({})", it.type_, it.status, it.reason);
    conditions.iter().map(word).collect::<Vec<_>>().join(", ")
}
