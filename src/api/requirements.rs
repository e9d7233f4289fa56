//! What must be reachable with a connection's token.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{Display, IntoStaticStr};

/// A workspace, by its id or by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.id) != has(self.name)").message("write exactly one of id and name"))]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
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

/// A chat channel of the default workspace, by its id or by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.id) != has(self.name)").message("write exactly one of id and name"))]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ChannelRef {
    /// The channel's id: the last part of its address in the web app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')")
        .message("write the channel's id, 1 to 64 letters, digits, '-' and '_': the last part of its address in the web app"))]
    pub id: Option<String>,

    /// The channel's name, exactly as ClickUp shows it, without a `#`. It must be unique among the channels that are not
    /// archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,
}

/// One thing that the token must reach: exactly one of a space, a folder, a list and a task.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("[has(self.space), has(self.folder), has(self.list), has(self.task)].filter(x, x).size() == 1")
    .message("write exactly one of space, folder, list and task in each entry"))]
#[serde(rename_all = "camelCase")]
pub struct AccessRef {
    /// A space, by its id, or by its name in the default workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<SpaceRef>,

    /// A folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<NodeRef>,

    /// A list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<NodeRef>,

    /// A task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskRef>,
}

/// A space, by its id, or by its name in the default workspace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.id) != has(self.name)").message("write exactly one of id and name"))]
#[serde(rename_all = "camelCase")]
pub struct SpaceRef {
    /// The space's id: the number in its address in the web app. Write it in quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), regex(pattern = "^[0-9]{1,20}$"))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,20}$')")
        .message("write the space's id, 1 to 20 digits in quotes: the number in its address in the web app"))]
    pub id: Option<String>,

    /// The space's name, exactly as ClickUp shows it. It must be unique among the default workspace's spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub name: Option<String>,
}

/// A folder or a list, by its id.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeRef {
    /// The number in its address in the web app. Write it in quotes.
    #[schemars(length(max = 256), regex(pattern = "^[0-9]{1,20}$"))]
    #[x_kube(validation = Rule::new("self.matches('^[0-9]{1,20}$')")
        .message("write the id, 1 to 20 digits in quotes: the number in its address in the web app"))]
    pub id: String,
}

/// A task, by its id.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRef {
    /// The last part of the task's address in the web app, such as 86abc123.
    #[schemars(length(max = 256), regex(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')")
        .message("write the task's id, 1 to 64 letters, digits, '-' and '_': the last part of its address in the web app, such as 86abc123"))]
    pub id: String,
}

/// A role that ClickUp defines, the least first.
#[derive(
    JsonSchema,
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
)]
#[schemars(inline)]
pub enum StandardRole {
    /// ClickUp's role 4.
    Guest,
    /// ClickUp's role 3.
    Member,
    /// ClickUp's role 2.
    Admin,
    /// ClickUp's role 1.
    Owner,
}
