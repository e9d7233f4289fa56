//! What is in the workspaces: spaces, folders, lists, tasks and channels.

use reqwest::Method;

use super::{Outcome, SimulatorClient};
use crate::messages::{Added, NodeChange, PlaceChange, TextAdded, WorkspaceChange};
use crate::state::{Channel, Folder, Id, List, Space, Task};

#[allow(clippy::missing_errors_doc)]
impl SimulatorClient {
    /// Adds a space, with all that is in it, and returns its id.
    pub async fn add_space(&self, workspace: Id, space: Space) -> Outcome<Id> {
        let Added { id } = self.with(Method::POST, &format!("workspaces/{workspace}/spaces"), &space).await?;
        Ok(id)
    }

    /// Changes a space.
    pub async fn change_space(&self, space: Id, change: PlaceChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("spaces/{space}"), &change).await
    }

    /// Renames a space.
    pub async fn rename_space(&self, space: Id, name: &str) -> Outcome<()> {
        self.change_space(space, PlaceChange::name(name)).await
    }

    /// Removes a space and all that is in it.
    pub async fn remove_space(&self, space: Id) -> Outcome<()> {
        self.remove(&format!("spaces/{space}")).await
    }

    /// Adds a folder, with all that is in it, and returns its id.
    pub async fn add_folder(&self, space: Id, folder: Folder) -> Outcome<Id> {
        let Added { id } = self.with(Method::POST, &format!("spaces/{space}/folders"), &folder).await?;
        Ok(id)
    }

    /// Changes a folder.
    pub async fn change_folder(&self, folder: Id, change: NodeChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("folders/{folder}"), &change).await
    }

    /// Removes a folder and all that is in it.
    pub async fn remove_folder(&self, folder: Id) -> Outcome<()> {
        self.remove(&format!("folders/{folder}")).await
    }

    /// Adds a list that is in no folder, with its tasks, and returns its id.
    pub async fn add_list_to_space(&self, space: Id, list: List) -> Outcome<Id> {
        let Added { id } = self.with(Method::POST, &format!("spaces/{space}/lists"), &list).await?;
        Ok(id)
    }

    /// Adds a list to a folder, with its tasks, and returns its id.
    pub async fn add_list_to_folder(&self, folder: Id, list: List) -> Outcome<Id> {
        let Added { id } = self.with(Method::POST, &format!("folders/{folder}/lists"), &list).await?;
        Ok(id)
    }

    /// Changes a list.
    pub async fn change_list(&self, list: Id, change: NodeChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("lists/{list}"), &change).await
    }

    /// Removes a list and its tasks.
    pub async fn remove_list(&self, list: Id) -> Outcome<()> {
        self.remove(&format!("lists/{list}")).await
    }

    /// Adds a task and returns its id.
    pub async fn add_task(&self, list: Id, task: Task) -> Outcome<String> {
        let TextAdded { id } = self.with(Method::POST, &format!("lists/{list}/tasks"), &task).await?;
        Ok(id)
    }

    /// Changes a task.
    pub async fn change_task(&self, task: &str, change: NodeChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("tasks/{task}"), &change).await
    }

    /// Removes a task.
    pub async fn remove_task(&self, task: &str) -> Outcome<()> {
        self.remove(&format!("tasks/{task}")).await
    }

    /// Adds a channel and returns its id.
    pub async fn add_channel(&self, workspace: Id, channel: Channel) -> Outcome<String> {
        let TextAdded { id } =
            self.with(Method::POST, &format!("workspaces/{workspace}/channels"), &channel).await?;
        Ok(id)
    }

    /// Changes a channel.
    pub async fn change_channel(&self, channel: &str, change: PlaceChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("channels/{channel}"), &change).await
    }

    /// Renames a channel.
    pub async fn rename_channel(&self, channel: &str, name: &str) -> Outcome<()> {
        self.change_channel(channel, PlaceChange::name(name)).await
    }

    /// Puts a channel into the archive, or takes it out again.
    pub async fn archive_channel(&self, channel: &str, archived: bool) -> Outcome<()> {
        self.change_channel(channel, PlaceChange::archived(archived)).await
    }

    /// Removes a channel.
    pub async fn remove_channel(&self, channel: &str) -> Outcome<()> {
        self.remove(&format!("channels/{channel}")).await
    }

    /// Whether the plan of a workspace includes the chat.
    pub async fn set_chat(&self, workspace: Id, included: bool) -> Outcome<()> {
        let change = WorkspaceChange { without_chat: Some(!included), ..WorkspaceChange::default() };
        self.change_workspace(workspace, change).await
    }
}
