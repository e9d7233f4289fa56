//! Spaces and what is in them: folders, lists and tasks, each of which knows what it is in.

use std::collections::BTreeMap;

use super::claims::Claims;
use super::{Place, Space, Workspace, World, WorldError};
use crate::messages::{NodeChange, PlaceChange};
use crate::state::{self, Id};

const FIRST_SPACE: u64 = 90_200_000_000;
const FIRST_FOLDER: u64 = 90_210_000_000;
const FIRST_LIST: u64 = 901_200_000_000;
/// In hexadecimal it gives ids of the length that ClickUp's have.
const FIRST_TASK: u64 = 0x10_0000;

/// All folders, lists and tasks.
#[derive(Default)]
pub(super) struct Nodes {
    folders: BTreeMap<u64, Folder>,
    lists: BTreeMap<u64, List>,
    tasks: BTreeMap<String, Task>,
}

/// What folders, lists and tasks have in common.
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) archived: bool,
}

/// A folder.
pub(crate) struct Folder {
    pub(crate) id: Id,
    pub(crate) about: About,
    pub(crate) space: Id,
}

/// A list.
pub(crate) struct List {
    pub(crate) id: Id,
    pub(crate) about: About,
    pub(crate) space: Id,
    pub(crate) folder: Option<Id>,
}

/// A task.
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) custom_id: Option<String>,
    pub(crate) about: About,
    pub(crate) list: Id,
}

impl About {
    fn change(&mut self, change: NodeChange) {
        let NodeChange { name, archived } = change;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.archived = archived.unwrap_or(self.archived);
    }
}

impl Nodes {
    /// Forgets what is in a space, and so on downwards.
    fn remove_space(&mut self, space: Id) {
        self.folders.retain(|_, folder| folder.space != space);
        self.lists.retain(|_, list| list.space != space);
        self.remove_orphans();
    }

    fn remove_orphans(&mut self) {
        self.tasks.retain(|_, task| self.lists.contains_key(&task.list.0));
    }
}

impl World {
    /// A space and its workspace, whoever asks.
    pub(crate) fn space(&self, id: Id) -> Option<(&Workspace, &Space)> {
        let workspace = self.workspaces.get(self.spaces.get(&id.0)?)?;
        Some((workspace, workspace.spaces.iter().find(|space| space.id == id)?))
    }

    pub(crate) fn folder(&self, id: Id) -> Option<&Folder> {
        self.nodes.folders.get(&id.0)
    }

    pub(crate) fn list(&self, id: Id) -> Option<&List> {
        self.nodes.lists.get(&id.0)
    }

    pub(crate) fn lists_of(&self, folder: Id) -> impl Iterator<Item = &List> {
        self.nodes.lists.values().filter(move |list| list.folder == Some(folder))
    }

    pub(crate) fn task(&self, id: &str) -> Option<&Task> {
        self.nodes.tasks.get(id)
    }

    pub(crate) fn tasks_of(&self, list: Id) -> impl Iterator<Item = &Task> {
        self.nodes.tasks.values().filter(move |task| task.list == list)
    }

    pub(crate) fn task_by_custom_id(&self, workspace: Id, id: &str) -> Option<&Task> {
        let named = self.nodes.tasks.values().filter(|task| task.custom_id.as_deref() == Some(id));
        let there = |task: &&Task| {
            let space = self.list(task.list).map(|list| list.space.0);
            space.and_then(|space| self.spaces.get(&space)) == Some(&workspace.0)
        };
        named.into_iter().find(there)
    }

    pub(crate) fn add_space(&mut self, workspace: Id, space: state::Space) -> Result<Id, WorldError> {
        self.workspace_mut(workspace)?;
        Claims::new(self, Some(workspace)).space(&space)?;
        let state::Space { id, name, private, members, archived, folders, lists } = space;
        let id = match id {
            Some(id) => id,
            None => Id(self.free_id(FIRST_SPACE, |world, id| world.spaces.contains_key(&id))),
        };
        self.spaces.insert(id.0, workspace.0);
        let place = Place { name, private, members, archived };
        self.workspace_mut(workspace)?.spaces.push(Space { id, place });
        folders.into_iter().try_for_each(|folder| self.add_folder(id, folder).map(|_| ()))?;
        lists.into_iter().try_for_each(|list| self.add_list_to_space(id, list).map(|_| ()))?;
        Ok(id)
    }

    pub(crate) fn change_space(&mut self, id: Id, change: PlaceChange) -> Result<(), WorldError> {
        self.check_users(change.members.as_deref().unwrap_or_default())?;
        let workspace = self.workspace_of_space(id)?;
        let spaces = &mut self.workspace_mut(workspace)?.spaces;
        if let Some(space) = spaces.iter_mut().find(|space| space.id == id) {
            space.place.change(change);
        }
        Ok(())
    }

    pub(crate) fn remove_space(&mut self, id: Id) -> Result<(), WorldError> {
        let workspace = self.workspace_of_space(id)?;
        self.forget_space(id);
        self.workspace_mut(workspace)?.spaces.retain(|space| space.id != id);
        Ok(())
    }

    /// Forgets a space of a workspace that is changed or removed by the caller.
    pub(super) fn forget_space(&mut self, id: Id) {
        self.spaces.remove(&id.0);
        self.nodes.remove_space(id);
    }

    pub(crate) fn add_folder(&mut self, space: Id, folder: state::Folder) -> Result<Id, WorldError> {
        let workspace = self.workspace_of_space(space)?;
        Claims::new(self, Some(workspace)).folder(&folder)?;
        let state::Folder { id, name, archived, lists } = folder;
        let id = match id {
            Some(id) => id,
            None => Id(self.free_id(FIRST_FOLDER, |world, id| world.folder(Id(id)).is_some())),
        };
        self.nodes.folders.insert(id.0, Folder { id, about: About { name, archived }, space });
        lists.into_iter().try_for_each(|list| self.add_list(space, Some(id), list).map(|_| ()))?;
        Ok(id)
    }

    pub(crate) fn change_folder(&mut self, id: Id, change: NodeChange) -> Result<(), WorldError> {
        let folder = self.nodes.folders.get_mut(&id.0);
        folder.ok_or_else(|| missing("folder", id))?.about.change(change);
        Ok(())
    }

    pub(crate) fn remove_folder(&mut self, id: Id) -> Result<(), WorldError> {
        self.nodes.folders.remove(&id.0).ok_or_else(|| missing("folder", id))?;
        self.nodes.lists.retain(|_, list| list.folder != Some(id));
        self.nodes.remove_orphans();
        Ok(())
    }

    pub(crate) fn add_list_to_space(&mut self, space: Id, list: state::List) -> Result<Id, WorldError> {
        self.add_list(space, None, list)
    }

    pub(crate) fn add_list_to_folder(&mut self, folder: Id, list: state::List) -> Result<Id, WorldError> {
        let space = self.folder(folder).ok_or_else(|| missing("folder", folder))?.space;
        self.add_list(space, Some(folder), list)
    }

    fn add_list(&mut self, space: Id, folder: Option<Id>, list: state::List) -> Result<Id, WorldError> {
        let workspace = self.workspace_of_space(space)?;
        Claims::new(self, Some(workspace)).list(&list)?;
        let state::List { id, name, archived, tasks } = list;
        let id = match id {
            Some(id) => id,
            None => Id(self.free_id(FIRST_LIST, |world, id| world.list(Id(id)).is_some())),
        };
        self.nodes.lists.insert(id.0, List { id, about: About { name, archived }, space, folder });
        tasks.into_iter().try_for_each(|task| self.add_task(id, task).map(|_| ()))?;
        Ok(id)
    }

    pub(crate) fn change_list(&mut self, id: Id, change: NodeChange) -> Result<(), WorldError> {
        self.nodes.lists.get_mut(&id.0).ok_or_else(|| missing("list", id))?.about.change(change);
        Ok(())
    }

    pub(crate) fn remove_list(&mut self, id: Id) -> Result<(), WorldError> {
        self.nodes.lists.remove(&id.0).ok_or_else(|| missing("list", id))?;
        self.nodes.remove_orphans();
        Ok(())
    }

    pub(crate) fn add_task(&mut self, list: Id, task: state::Task) -> Result<String, WorldError> {
        let space = self.list(list).ok_or_else(|| missing("list", list))?.space;
        let workspace = self.workspace_of_space(space)?;
        Claims::new(self, Some(workspace)).task(&task)?;
        let state::Task { id, custom_id, name, archived } = task;
        let id = id.unwrap_or_else(|| {
            let text = |number: u64| format!("86{number:x}");
            text(self.free_id(FIRST_TASK, |world, number| world.task(&text(number)).is_some()))
        });
        let new = Task { id: id.clone(), custom_id, about: About { name, archived }, list };
        self.nodes.tasks.insert(id.clone(), new);
        Ok(id)
    }

    pub(crate) fn change_task(&mut self, id: &str, change: NodeChange) -> Result<(), WorldError> {
        self.nodes.tasks.get_mut(id).ok_or_else(|| missing("task", id))?.about.change(change);
        Ok(())
    }

    pub(crate) fn remove_task(&mut self, id: &str) -> Result<(), WorldError> {
        self.nodes.tasks.remove(id).ok_or_else(|| missing("task", id)).map(|_| ())
    }

    fn workspace_of_space(&self, id: Id) -> Result<Id, WorldError> {
        self.spaces.get(&id.0).copied().map(Id).ok_or_else(|| missing("space", id))
    }
}

fn missing(kind: &'static str, id: impl ToString) -> WorldError {
    WorldError::Missing(kind, id.to_string())
}
