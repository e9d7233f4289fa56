//! What the simulator knows at its start: the YAML file, and the same types one by one in the control API.

mod content;

use std::fmt;

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

pub use self::content::{Channel, ChannelKind, Folder, LastCursor, List, Space, Task};
use crate::fault::Fault;

/// The state that `--print-state` prints and that is used when no file is given.
pub const DEFAULT_STATE: &str = include_str!("state/default.yaml");

/// A whole state. Every list may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct State {
    /// Requests that a token may send in one window, unless the token says otherwise.
    pub limit: u64,
    /// Length of a window of the rate limit, in seconds, unless the token says otherwise.
    pub window_seconds: u64,
    /// Time that every answer takes, in milliseconds.
    pub latency_ms: u64,
    /// The people.
    pub users: Vec<User>,
    /// The workspaces with their members and spaces.
    pub workspaces: Vec<Workspace>,
    /// The tokens.
    pub tokens: Vec<Token>,
    /// Faults that are armed from the start.
    pub faults: Vec<Fault>,
    /// Many users, workspaces and tokens at once.
    pub generate: Option<Generate>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            limit: 100,
            window_seconds: 60,
            latency_ms: 0,
            users: Vec::new(),
            workspaces: Vec::new(),
            tokens: Vec::new(),
            faults: Vec::new(),
            generate: None,
        }
    }
}

/// Why a text is no state.
#[derive(Debug, thiserror::Error)]
#[error("this is not a state of the simulator (`clickup-simulator --print-state` shows a good one): {0}")]
pub struct ParseError(#[from] serde_saphyr::Error);

impl State {
    /// Reads a state from YAML. References between its parts are checked when a simulator starts with it.
    ///
    /// # Errors
    /// Text that is not YAML, unknown fields, wrong types: each with its place.
    pub fn from_yaml(text: &str) -> Result<Self, ParseError> {
        Ok(serde_saphyr::from_str(text)?)
    }

    /// The built-in state.
    ///
    /// # Errors
    /// Never, unless the simulator itself was built with a broken default.
    pub fn built_in() -> Result<Self, ParseError> {
        Self::from_yaml(DEFAULT_STATE)
    }
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    /// Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Made from the id when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Made from the id when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Null in the answers when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Invited and never logged in: ClickUp then answers null for the name and almost everything else.
    pub pending: bool,
}

/// A workspace, which version 2 of the API calls a team.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workspace {
    /// Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Need not be unique.
    pub name: String,
    /// Answered by `GET /v2/team/{id}/plan`.
    pub plan: Plan,
    /// Who belongs to it, and as what.
    pub members: Vec<Member>,
    /// So many made-up members more, which only make the answers larger.
    pub extra_members: u64,
    /// Its spaces.
    pub spaces: Vec<Space>,
    /// The channels of its chat.
    pub channels: Vec<Channel>,
    /// Its plan does not include the chat: `TEAM_110` instead of channels.
    pub without_chat: bool,
    /// How its last page of channels ends. Depends on its id when left out, so that clients meet them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cursor: Option<LastCursor>,
}

/// What is paid for a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// ClickUp's number of the plan.
    pub id: u64,
    /// ClickUp's name of it.
    pub name: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { id: 1, name: "Free Forever".to_owned() }
    }
}

/// A user's membership of a workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The user's id.
    pub user: u64,
    /// What the user may do.
    #[serde(default)]
    pub role: Role,
    /// Named roles of the higher plans; `role` then is what the answer has as number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_role: Option<CustomRole>,
    /// The user who invited; the first member when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<u64>,
}

impl Member {
    /// A member with one of the usual roles.
    #[must_use]
    pub fn new(user: u64, role: Role) -> Self {
        Self { user, role, custom_role: None, invited_by: None }
    }

    /// Whether the role, or the one that the custom role was made from, is a guest's.
    pub(crate) fn is_guest(&self) -> bool {
        let inherited = self.custom_role.as_ref().and_then(|custom| custom.inherited_role);
        self.role == Role::GUEST || inherited == Some(Role::GUEST)
    }
}

/// A role that a workspace defined itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomRole {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The usual role that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherited_role: Option<Role>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// What the control API, the faults and the log call it. Made from the user's id when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the user that it acts as.
    pub user: u64,
    /// How it is sent.
    #[serde(default)]
    pub kind: Kind,
    /// The token itself. Made from its name when left out, always the same from the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Requests in one window; the state's `limit` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Length of its window in seconds; the state's `window_seconds` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<u64>,
    /// Workspaces that refuse it though its user is a member.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<Refusal>,
}

impl Token {
    /// A personal token with a name, value and limits that the simulator chooses.
    #[must_use]
    pub fn personal(user: u64) -> Self {
        Self {
            name: None,
            user,
            kind: Kind::Personal,
            value: None,
            limit: None,
            window_seconds: None,
            refused_by: Vec::new(),
        }
    }

    /// The same, of the other kind.
    #[must_use]
    pub fn oauth(user: u64) -> Self {
        Self { kind: Kind::Oauth, ..Self::personal(user) }
    }
}

/// The two kinds of token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Starts with `pk_` and is sent raw. A user has at most one.
    #[default]
    Personal,
    /// Opaque, sent after `Bearer `.
    Oauth,
}

/// A workspace or role that keeps its users from the API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Id of the workspace.
    pub workspace: Id,
    /// Status of the refusal: 401 and 403 have both been seen.
    #[serde(default = "Refusal::default_status")]
    pub status: u16,
    /// Its `ECODE`.
    #[serde(default = "Refusal::default_ecode")]
    pub ecode: String,
    /// What it keeps the token from.
    #[serde(default)]
    pub scope: Scope,
}

/// How much of a workspace is closed to a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All of it.
    #[default]
    Workspace,
    /// Its chat only.
    Chat,
}

impl Refusal {
    fn default_status() -> u16 {
        403
    }

    fn default_ecode() -> String {
        "ACCESS_083".to_owned()
    }

    /// The refusal as it is mostly seen.
    #[must_use]
    pub fn by(workspace: Id) -> Self {
        Self {
            workspace,
            status: Self::default_status(),
            ecode: Self::default_ecode(),
            scope: Scope::default(),
        }
    }

    /// The same, of nothing but the chat.
    #[must_use]
    pub fn by_chat_of(workspace: Id) -> Self {
        Self { scope: Scope::Chat, ..Self::by(workspace) }
    }
}

/// Many tokens at once, each of a user of its own, with names and values that are the same in every run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generate {
    /// How many tokens (and users).
    pub tokens: u64,
    /// How many workspaces they are spread over; one for each token when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<u64>,
    /// Made-up members more in each of these workspaces.
    #[serde(default)]
    pub extra_members: u64,
    /// Requests in one window of each token; 1,000,000 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Tokens are called `<prefix>-0`, `<prefix>-1`, …
    #[serde(default = "Generate::default_prefix")]
    pub prefix: String,
}

impl Generate {
    fn default_prefix() -> String {
        "generated".to_owned()
    }

    /// So many tokens, each with a workspace of its own.
    #[must_use]
    pub fn tokens(tokens: u64) -> Self {
        Self { tokens, workspaces: None, extra_members: 0, limit: None, prefix: Self::default_prefix() }
    }
}

/// An id that ClickUp writes as a text of digits. Read from a text or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id: a text of digits, such as \"9012345678\"")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Id, E> {
        Ok(Id(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Id, E> {
        u64::try_from(value).map(Id).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Id, E> {
        value.parse().map(Id).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

/// What a member may do: one of four names, or any number, as ClickUp may send one that nobody knows yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role(pub u64);

impl Role {
    /// 1
    pub const OWNER: Self = Self(1);
    /// 2
    pub const ADMIN: Self = Self(2);
    /// 3
    pub const MEMBER: Self = Self(3);
    /// 4
    pub const GUEST: Self = Self(4);

    /// The name of one of the four.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        ROLES.iter().find(|(_, role)| *role == self).map(|(name, _)| *name)
    }
}

const ROLES: [(&str, Role); 4] =
    [("owner", Role::OWNER), ("admin", Role::ADMIN), ("member", Role::MEMBER), ("guest", Role::GUEST)];

impl Default for Role {
    fn default() -> Self {
        Self::MEMBER
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.serialize_u64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RoleVisitor)
    }
}

struct RoleVisitor;

impl Visitor<'_> for RoleVisitor {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("owner, admin, member, guest or a number")
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Role, E> {
        Ok(Role(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Role, E> {
        u64::try_from(value).map(Role).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Role, E> {
        ROLES
            .iter()
            .find(|(name, _)| *name == value)
            .map(|(_, role)| *role)
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}
