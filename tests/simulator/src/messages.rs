//! What the control API takes and answers, beside the types of the state and of the faults.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::credentials::Sent;
pub use crate::fault::ArmedFault;
use crate::state::{Id, Kind, LastCursor, Plan};

/// Name in the log for tokens that the simulator does not know.
pub const UNKNOWN: &str = "unknown";
/// Name in the log for requests without a token.
pub const NO_TOKEN: &str = "none";

/// The id that a new user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAdded {
    /// The user's id.
    pub id: u64,
}

/// The id that a new workspace, space, folder or list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Added {
    /// The id.
    pub id: Id,
}

/// The id that a new channel or task has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextAdded {
    /// The id.
    pub id: String,
}

/// A token as its user knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenValue {
    /// What the control API, the faults and the log call it.
    pub name: String,
    /// The token itself.
    pub value: String,
    /// Id of the user that it acts as.
    pub user: u64,
    /// How it is sent.
    pub kind: Kind,
}

/// One of many generated tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratedToken {
    /// What the control API, the faults and the log call it.
    pub name: String,
    /// The token itself.
    pub value: String,
    /// Id of the user that it acts as.
    pub user: u64,
    /// The only workspace of that user.
    pub workspace: Id,
}

/// How a token stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenStatus {
    /// What the control API, the faults and the log call it.
    pub name: String,
    /// Id of the user that it acts as.
    pub user: u64,
    /// How it is sent.
    pub kind: Kind,
    /// Whether it is accepted.
    pub live: bool,
    /// The token itself, also when it is no longer accepted.
    pub value: String,
    /// Requests in one window.
    pub limit: u64,
    /// What is left of them.
    pub remaining: u64,
    /// End of the window in epoch seconds.
    pub reset: u64,
    /// Requests that are being answered now.
    pub in_flight: u64,
    /// The most there were at once.
    pub max_in_flight: u64,
}

/// Changes to a token. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenChange {
    /// Requests in one window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Length of a window; the next request begins a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// So many requests more are gone from the window, as if somebody else had used the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spend: Option<u64>,
}

/// Changes to a workspace. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkspaceChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// Made-up members that only make the answers larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_members: Option<u64>,
    /// Whether its plan lacks the chat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_chat: Option<bool>,
    /// How its last page of channels ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cursor: Option<LastCursor>,
}

/// Changes to a space or a channel. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlaceChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether only its members see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    /// Ids of all users who were added to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<u64>>,
    /// Whether it is archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}

impl PlaceChange {
    /// Another name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Into the archive, or out of it.
    #[must_use]
    pub fn archived(archived: bool) -> Self {
        Self { archived: Some(archived), ..Self::default() }
    }
}

/// Changes to a folder, list or task. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeChange {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}

impl NodeChange {
    /// Another name.
    #[must_use]
    pub fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Into the archive, or out of it.
    #[must_use]
    pub fn archived(archived: bool) -> Self {
        Self { archived: Some(archived), ..Self::default() }
    }
}

/// Number of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultAdded {
    /// Removes it again.
    pub id: u64,
}

/// What all answers have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Time that every answer takes, in milliseconds.
    pub latency_ms: u64,
}

/// Whether the API's plain listener takes connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListenerState {
    /// False: connections are refused, those that were open are cut.
    pub up: bool,
}

/// Which part of the log is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogQuery {
    /// Name of a token, `unknown` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Beginning of the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Only entries with a larger number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Answer only once there are so many answered entries, or `wait_ms` have passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<usize>,
    /// The longest wait for `at_least`, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<u64>,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// Oldest first.
    pub entries: Vec<LogEntry>,
    /// The last number given to any request: `since` for the next query.
    pub last: u64,
    /// Entries that were dropped since the last reset because the log is full. Counts stay exact.
    pub dropped: u64,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its number: grows by one with each request.
    pub seq: u64,
    /// When it arrived, in milliseconds since the epoch.
    pub time_ms: u64,
    /// Name of the token, `unknown` or `none`. A revoked or regenerated value keeps its name.
    pub token: String,
    /// Whether the token was accepted then.
    pub live: bool,
    /// How it was sent.
    pub sent: Sent,
    /// GET, mostly.
    pub method: String,
    /// Path without `/api` (whole, when it is outside of that) and without the query.
    pub path: String,
    /// What followed `?`.
    pub query: String,
    /// Status answered; null while it is not, where a fault let none arrive, and where the client gave up.
    pub status: Option<u16>,
    /// Whether the request was dealt with: answered, cut by a fault, or given up by its client.
    pub answered: bool,
    /// Numbers of the faults that hit.
    pub faults: Vec<u64>,
}

/// How often a path was asked for with a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Name of the token, `unknown` or `none`.
    pub token: String,
    /// Path without `/api`.
    pub path: String,
    /// Requests.
    pub requests: u64,
    /// Of them, how many got which status; `0` where a fault let none arrive.
    pub statuses: BTreeMap<u16, u64>,
}

/// Whose counts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenQuery {
    /// Name of a token; all when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Why the control API refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What is wrong and what to do.
    pub error: String,
}
