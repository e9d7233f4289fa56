//! Whether what somebody wants to add fits: no id twice, no reference to nothing, before anything is added.

use std::collections::HashSet;

use super::{World, WorldError};
use crate::state::{Channel, Folder, Id, List, Space, Task};

/// The ids that one request brings along.
pub(super) struct Claims<'a> {
    world: &'a World,
    /// Where it adds something, unless that is new itself.
    workspace: Option<Id>,
    claimed: HashSet<(&'static str, String)>,
}

type Fits = Result<(), WorldError>;

impl<'a> Claims<'a> {
    pub(super) fn new(world: &'a World, workspace: Option<Id>) -> Self {
        Self { world, workspace, claimed: HashSet::new() }
    }

    pub(super) fn space(&mut self, space: &Space) -> Fits {
        self.world.check_users(&space.members)?;
        self.id("space", space.id, |world, id| world.spaces.contains_key(&id.0))?;
        space.folders.iter().try_for_each(|folder| self.folder(folder))?;
        space.lists.iter().try_for_each(|list| self.list(list))
    }

    pub(super) fn folder(&mut self, folder: &Folder) -> Fits {
        self.id("folder", folder.id, |world, id| world.folder(id).is_some())?;
        folder.lists.iter().try_for_each(|list| self.list(list))
    }

    pub(super) fn list(&mut self, list: &List) -> Fits {
        self.id("list", list.id, |world, id| world.list(id).is_some())?;
        list.tasks.iter().try_for_each(|task| self.task(task))
    }

    pub(super) fn task(&mut self, task: &Task) -> Fits {
        self.text_id("task", task.id.as_deref(), |world, id| world.task(id).is_some())?;
        let workspace = self.workspace;
        self.text_id("task with custom id", task.custom_id.as_deref(), |world, id| {
            workspace.is_some_and(|workspace| world.task_by_custom_id(workspace, id).is_some())
        })
    }

    pub(super) fn channel(&mut self, channel: &Channel) -> Fits {
        self.world.check_users(&channel.members)?;
        self.text_id("channel", channel.id.as_deref(), |world, id| world.channels.contains_key(id))
    }

    fn id(&mut self, kind: &'static str, id: Option<Id>, taken: impl Fn(&World, Id) -> bool) -> Fits {
        id.map_or(Ok(()), |id| self.claim(kind, id.to_string(), taken(self.world, id)))
    }

    fn text_id(
        &mut self,
        kind: &'static str,
        id: Option<&str>,
        taken: impl Fn(&World, &str) -> bool,
    ) -> Fits {
        let Some(id) = id else { return Ok(()) };
        if !is_text_id(id) {
            return Err(WorldError::Bad(format!(
                "{id:?} is no id of a {kind}: use up to 64 of A-Z a-z 0-9 - _, or leave it out"
            )));
        }
        self.claim(kind, id.to_owned(), taken(self.world, id))
    }

    fn claim(&mut self, kind: &'static str, id: String, taken: bool) -> Fits {
        if taken || !self.claimed.insert((kind, id.clone())) {
            return Err(WorldError::Taken(kind, id));
        }
        Ok(())
    }
}

/// Whether a text can be the id of a task or channel.
fn is_text_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
