//! What the operator found.

use super::{ConditionStatus, ConditionType, Reason, TokenType};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{self, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::{Display, IntoStaticStr};

/// What the operator found out about a connection. Written by the operator only.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct ClickUpConnectionStatus {
    /// The generation of the spec that was last evaluated; -1 before the first check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The conditions TokenAvailable, Reachable, Authenticated, WorkspacesResolved, where asked for ChannelResolved and
    /// AccessVerified, and their summary Ready; while they are True also Reconciling, Stalled and RateLimited.
    /// docs/conditions.md explains every reason.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    #[schemars(with = "Vec<v1::Condition>", extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Conditions,

    /// The ClickUp user that the token acts as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserStatus>,

    /// The kind of token that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TokenType")]
    pub token_type: Option<TokenType>,

    /// The resourceVersion of the Secret whose value was checked: tells that a rotation has been picked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_resource_version: Option<String>,

    /// How many workspaces the token can see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_count: Option<i64>,

    /// The workspaces that the token can see, sorted by id; the first 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"]))]
    pub workspaces: Vec<WorkspaceStatus>,

    /// The default workspace, as resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_workspace: Option<Resolved>,

    /// The chat channel, as resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Resolved>,

    /// ClickUp's request limit for this token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitStatus>,

    /// When a check last ended in a verdict; written together with other changes, else at most once an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_verified_time: Option<Time>,

    /// The value that the annotation `clickup-operator.dev/reconcile-requested-at` had when the last completed
    /// evaluation began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,

    /// The Secret that workloads may bind to, if spec.binding.enabled is true and it holds a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingStatus>,
}

/// The conditions, in the order in which they are judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Conditions {
    known: Box<[Condition]>,
    /// Whether others are stored that this version does not know: so that what replaces them differs, and is written.
    #[serde(skip)]
    others: bool,
}

/// A `metav1.Condition` of a type and with a reason that this version knows, held as small as ten thousand connections
/// ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// The generation of the spec that was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` changed last.
    pub last_transition_time: Time,
    /// Why.
    pub reason: Reason,
    /// One line for people.
    pub message: Box<str>,
}

impl Conditions {
    /// The condition of this type, if there is one.
    pub fn get(&self, type_: ConditionType) -> Option<&Condition> {
        self.known.iter().find(|condition| condition.type_ == type_)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Condition> {
        self.known.iter()
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

impl FromIterator<Condition> for Conditions {
    fn from_iter<I: IntoIterator<Item = Condition>>(conditions: I) -> Self {
        Self { known: conditions.into_iter().collect(), others: false }
    }
}

/// What this version does not know is left out.
impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Vec::<serde_json::Value>::deserialize(deserializer)?;
        let count = stored.len();
        let known: Box<[_]> = stored.into_iter().filter_map(|c| Condition::deserialize(c).ok()).collect();
        Ok(Self { others: known.len() < count, known })
    }
}

/// A provisioned service of the Service Binding specification.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub struct BindingStatus {
    /// The Secret's name.
    pub name: String,
}

/// A ClickUp user.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub struct UserStatus {
    /// The user's id.
    pub id: String,

    /// The user's name, if the operator runs with --status-username.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A workspace that the token can see.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub struct WorkspaceStatus {
    /// The workspace's id.
    pub id: String,

    /// The workspace's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,

    /// The role of the token's user in it; left out where ClickUp does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WorkspaceRole")]
    pub role: Option<WorkspaceRole>,
}

/// A user's role in a workspace.
#[derive(
    JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Display, IntoStaticStr,
)]
#[schemars(inline)]
pub enum WorkspaceRole {
    /// ClickUp's role 1.
    Owner,
    /// ClickUp's role 2.
    Admin,
    /// ClickUp's role 3.
    Member,
    /// ClickUp's role 4.
    Guest,
    /// A role that the workspace defined itself.
    Custom,
    /// A role that this version of the operator does not know.
    Other,
}

/// What a reference resolved to.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub struct Resolved {
    /// Its id.
    pub id: String,

    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// ClickUp's request limit for a token.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub struct RateLimitStatus {
    /// Requests per minute that ClickUp grants this token, shared by all that use it.
    pub limit: i64,
}

impl Serialize for ClickUpConnectionStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// A status that cannot be decoded counts as absent: it is the operator's own, and is written anew.
impl<'de> Deserialize<'de> for ClickUpConnectionStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self::deserialize(value).unwrap_or_default())
    }
}
