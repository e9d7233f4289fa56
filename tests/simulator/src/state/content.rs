//! What a workspace holds: spaces with folders, lists and tasks, and the channels of its chat.

use serde::{Deserialize, Serialize};

use super::Id;

/// A space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Space {
    /// Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Need not be unique.
    pub name: String,
    /// Visible only to the users in `members`. Guests always need to be there.
    pub private: bool,
    /// Ids of the users who were added to the space.
    pub members: Vec<u64>,
    /// Left out of `GET /v2/team/{id}/space?archived=false`.
    pub archived: bool,
    /// Its folders.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folders: Vec<Folder>,
    /// Its lists that are in no folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<List>,
}

/// A folder, visible to those who see its space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Folder {
    /// Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Need not be unique.
    pub name: String,
    /// Answered as it is: an archived folder is still found.
    pub archived: bool,
    /// Its lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<List>,
}

/// A list, visible to those who see its space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct List {
    /// Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Id>,
    /// Need not be unique.
    pub name: String,
    /// Answered as it is: an archived list is still found.
    pub archived: bool,
    /// Its tasks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<Task>,
}

/// A task, visible to those who see its space.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Task {
    /// Letters, digits, `-` and `_`, such as `86abc123`. Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The workspace's own id for it, such as `DEV-42`: found by
    /// `GET /v2/task/DEV-42?custom_task_ids=true&team_id=…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_id: Option<String>,
    /// Need not be unique.
    pub name: String,
    /// Answered as it is: an archived task is still found.
    pub archived: bool,
}

/// A channel of a workspace's chat, or a direct message, which ClickUp lists among them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Channel {
    /// Letters, digits, `-` and `_`, such as `6-901300000001-8`. Chosen by the simulator when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Need not be unique. Direct messages have none.
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Visible only to the users in `members`, as direct messages always are. Guests always need to be there.
    pub private: bool,
    /// Ids of the users who were added to the channel.
    pub members: Vec<u64>,
    /// Listed all the same.
    pub archived: bool,
}

impl Channel {
    /// An open channel with an id that the simulator chooses.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// ClickUp's types of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChannelKind {
    /// With a name.
    #[default]
    Channel,
    /// Between two.
    Dm,
    /// Among a few.
    GroupDm,
}

/// How the last page of the channels says that it is the last one: all three have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastCursor {
    /// `"next_cursor": ""`
    Empty,
    /// `"next_cursor": null`
    Null,
    /// No `next_cursor` at all.
    Missing,
}
