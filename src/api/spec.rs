//! What a connection asks for.
#![allow(clippy::duplicated_attributes, reason = "columns of the same type are no duplicates")]

use super::{
    AccessRef, Binding, ChannelRef, Duration, SecretKeyRef, SharedConnectionRef, Sharing, StandardRole,
    TokenType, WorkspaceRef, status::ClickUpConnectionStatus,
};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// A connection to ClickUp: the token to check, and what must be reachable with it.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "clickup-operator.dev",
    version = "v1alpha1",
    kind = "ClickUpConnection",
    plural = "clickupconnections",
    shortname = "cuc",
    category = "clickup",
    namespaced,
    status = "ClickUpConnectionStatus",
    doc = "A ClickUpConnection names a Secret that holds a ClickUp API token. The operator checks the token with ClickUp, resolves the workspaces, the channel and whatever else the connection asks for, keeps checking, and writes what it found into status.conditions.",
    derive = "PartialEq",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether what the connection asks for works"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is ready or not"
    ),
    printcolumn(
        name = "Workspace",
        type_ = "string",
        json_path = ".status.defaultWorkspace.name",
        description = "The default workspace"
    ),
    printcolumn(
        name = "User",
        type_ = "string",
        json_path = ".status.user.id",
        description = "The ClickUp user that the token acts as"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Workspaces",
        type_ = "integer",
        json_path = ".status.workspaceCount",
        description = "How many workspaces the token can see",
        priority = 1
    ),
    printcolumn(
        name = "Interval",
        type_ = "string",
        json_path = ".spec.interval",
        description = "How often a good connection is checked again",
        priority = 1
    ),
    printcolumn(
        name = "Suspended",
        type_ = "boolean",
        json_path = ".spec.suspend",
        description = "Whether checking is suspended",
        priority = 1
    ),
    printcolumn(
        name = "Verified",
        type_ = "date",
        json_path = ".status.lastVerifiedTime",
        description = "Time since a check that ended in a verdict, as last written",
        priority = 1
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        description = "What to know or to do",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    // Of what is no duration the rules of the two fields speak.
    validation = Rule::new(format!("[self.timeout, self.interval].exists(d, {}) || duration(self.timeout) <= duration(self.interval)", no_duration("d")))
        .message("timeout must not be longer than interval: write a shorter timeout or a longer interval"),
    validation = Rule::new("has(self.tokenSecretRef) != has(self.connectionRef)")
        .message("write exactly one of tokenSecretRef, for a token in a Secret of this namespace, and connectionRef, for the token of a connection that shares it"),
    validation = Rule::new("!(has(self.sharing) && has(self.connectionRef))")
        .message("a connection that uses another's token by connectionRef cannot share it on: leave out sharing"),
    validation = Rule::new("!(has(self.connectionRef) && self.tokenType != 'Personal')")
        .message("the connection that holds the token declares its type: leave out tokenType beside connectionRef"),
    validation = Rule::new("!(has(self.connectionRef) && self.binding.enabled)")
        .message("there is no Secret of this namespace to bind to beside connectionRef: leave out binding, or use tokenSecretRef")
)]
pub struct ClickUpConnectionSpec {
    /// A name of the connection for people. At most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub display_name: Option<String>,

    /// What the connection is for and who owns it, for people. At most 1024 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub description: Option<String>,

    /// The Secret, in the connection's own namespace, that holds the ClickUp token. Write this or `connectionRef`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_secret_ref: Option<SecretKeyRef>,

    /// What the Secret's value is. Personal: a personal API token; it starts with `pk_`. OAuth: an access token that
    /// ClickUp issued to an OAuth app; the Secret must carry the label `clickup-operator.dev/token-type: OAuth`.
    #[serde(default)]
    pub token_type: TokenType,

    /// Another connection whose token is used; it must share it with this namespace (`sharing`). Write this or
    /// `tokenSecretRef`. The token itself stays where it is: this connection gets a status, never a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_ref: Option<Box<SharedConnectionRef>>,

    /// Who may use this connection's token by `connectionRef`. Left out, only connections in its own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Box<Sharing>>,

    /// The workspace that is used where none is named. Left out, the token's only workspace becomes the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_workspace: Option<Box<WorkspaceRef>>,

    /// Workspaces in which the token must be usable, besides the default. At most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub required_workspaces: Vec<WorkspaceRef>,

    /// A chat channel of the default workspace that the token must see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Box<ChannelRef>>,

    /// Spaces, folders, lists and tasks that the token must reach. At most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub access: Vec<AccessRef>,

    /// The least role that the token's user must have in the default workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "StandardRole")]
    pub minimum_role: Option<StandardRole>,

    /// How often a good connection is checked again: hours, minutes and seconds such as `10m` or `1h30m`, from 1m to 24h.
    #[serde(default = "default_interval")]
    #[x_kube(validation = Rule::new(from_to("1m", "24h"))
        .message("interval must be a duration from 1m to 24h: write whole hours, minutes and seconds in this order, such as 10m or 1h30m"))]
    pub interval: Duration,

    /// How long the calls of one check may take together, from 1s to 5m and at most `interval`.
    #[serde(default = "default_timeout")]
    #[x_kube(validation = Rule::new(from_to("1s", "5m"))
        .message("timeout must be a duration from 1s to 5m: write whole hours, minutes and seconds in this order, such as 30s or 1m30s"))]
    pub timeout: Duration,

    /// How long Ready stays True while ClickUp cannot be asked, from 0s to 24h.
    #[serde(default = "default_outage_grace_period")]
    #[x_kube(validation = Rule::new(from_to("0s", "24h"))
        .message("outageGracePeriod must be a duration from 0s to 24h: write whole hours, minutes and seconds in this order, such as 30m or 1h30m"))]
    pub outage_grace_period: Duration,

    /// Stop checking: nothing is asked of ClickUp, the Secret is not read, and the status stands still.
    #[serde(default)]
    pub suspend: bool,

    /// Whether workloads may bind to the token's Secret as the Service Binding specification describes.
    #[serde(default)]
    pub binding: Binding,
}

/// What `duration()` of CEL surely cannot read, or not without an overflow.
fn no_duration(value: &str) -> String {
    format!("({value} == '' || !{value}.matches('^([0-9]{{1,5}}h)?([0-9]{{1,7}}m)?([0-9]{{1,9}}s)?$'))")
}

fn from_to(min: &str, max: &str) -> String {
    format!(
        "!{} && duration(self) >= duration('{min}') && duration(self) <= duration('{max}')",
        no_duration("self")
    )
}

const fn default_interval() -> Duration {
    Duration::from_mins(10)
}

const fn default_timeout() -> Duration {
    Duration::from_secs(30)
}

const fn default_outage_grace_period() -> Duration {
    Duration::from_mins(30)
}
