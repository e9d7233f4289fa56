//! What a connection asks for.
#![allow(clippy::duplicated_attributes, reason = "columns of the same type are no duplicates")]

use super::{Duration, status::ClickUpConnectionStatus};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

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
    doc = "A ClickUpConnection names a Secret that holds a ClickUp API token. The operator checks the token with ClickUp, resolves the workspaces, keeps checking, and writes what it found into status.conditions.",
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
        .message("timeout must not be longer than interval: write a shorter timeout or a longer interval")
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

    /// The Secret, in the connection's own namespace, that holds the ClickUp token.
    pub token_secret_ref: SecretKeyRef,

    /// What the Secret's value is. Personal: a personal API token; it starts with `pk_`. OAuth: an access token that
    /// ClickUp issued to an OAuth app; the Secret must carry the label `clickup-operator.dev/token-type: OAuth`.
    #[serde(default)]
    pub token_type: TokenType,

    /// The workspace that is used where none is named. Left out, the token's only workspace becomes the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_workspace: Option<WorkspaceRef>,

    /// Workspaces in which the token must be usable, besides the default. At most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub required_workspaces: Vec<WorkspaceRef>,

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

/// A key of a Secret in the connection's own namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()")
        .message("write the name of a Secret: lower case letters, digits, '-' and '.', such as clickup-token"))]
    pub name: String,

    /// The key of the Secret's data that holds the token.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("write a key of the Secret's data: letters, digits, '-', '_' and '.', such as token"))]
    pub key: String,
}

fn default_key() -> String {
    "token".to_owned()
}

/// The kinds of ClickUp tokens.
#[derive(
    JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
)]
#[schemars(inline)]
pub enum TokenType {
    /// A personal API token; ClickUp promises that it starts with `pk_`.
    #[default]
    Personal,
    /// An access token issued to an OAuth app; it has no documented shape.
    OAuth,
}

/// A workspace, by its id or by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.id) != has(self.name)").message("write exactly one of id and name"))]
#[serde(rename_all = "camelCase")]
pub struct WorkspaceRef {
    /// The workspace's id: the number that follows the host name in the web app's address. Write it in quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[0-9]{1,20}$"))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,20}$')")
        .message("write the workspace's id, 1 to 20 digits in quotes: the number that follows the host name in the web app's address"))]
    pub id: Option<String>,

    /// The workspace's name, exactly as ClickUp shows it. It must be unique among the token's workspaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,
}

/// A stored spec that breaks a rule which the API server enforces today.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.{field}: {rule}")]
pub struct InvalidSpec {
    field: &'static str,
    rule: &'static str,
}

impl ClickUpConnectionSpec {
    /// Checks the rules that the operator relies on, for objects stored before the schema had them.
    ///
    /// # Errors
    /// Names the first field that breaks a rule, and what to write.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        let within = |value: Duration, min: Duration, max: Duration| value >= min && value <= max;
        let one_name = |r: &WorkspaceRef| r.id.is_some() != r.name.is_some();
        let digits = |r: &WorkspaceRef| {
            r.id.as_ref()
                .is_none_or(|id| (1..=20).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()))
        };
        let (minute, day) = (Duration::from_mins(1), Duration::from_mins(24 * 60));
        let workspaces = || self.default_workspace.iter().chain(&self.required_workspaces);
        let rules = [
            (within(self.interval, minute, day), "interval", "write a duration from 1m to 24h"),
            (
                within(self.timeout, Duration::from_secs(1), Duration::from_mins(5)),
                "timeout",
                "write a duration from 1s to 5m",
            ),
            (self.timeout <= self.interval, "timeout", "write a duration that is not longer than interval"),
            (self.outage_grace_period <= day, "outageGracePeriod", "write a duration from 0s to 24h"),
            (self.required_workspaces.len() <= 20, "requiredWorkspaces", "write at most 20"),
            (
                workspaces().all(one_name),
                "defaultWorkspace and requiredWorkspaces",
                "write exactly one of id and name",
            ),
            (workspaces().all(digits), "defaultWorkspace and requiredWorkspaces", "an id has 1 to 20 digits"),
            (!self.token_secret_ref.name.is_empty(), "tokenSecretRef.name", "write the Secret's name"),
        ];
        rules
            .into_iter()
            .find(|(holds, ..)| !holds)
            .map_or(Ok(()), |(_, field, rule)| Err(InvalidSpec { field, rule }))
    }
}
