//! Spaces, folders, lists and tasks by their ids.

use hyper::http::StatusCode;
use serde_json::{Value, json};

use super::reply::Reply;
use super::route::{Call, No, Unseen, number};
use super::views;
use crate::state::{Id, Scope};
use crate::world::{Folder, List, Space, Task, Workspace, World};

// ClickUp refuses what is not to be seen in many ways, and nobody has written down which is whose. Each kind
// of node has ways of its own here, so that a client which knows all of these knows enough.
const FOREIGN: Unseen = (StatusCode::UNAUTHORIZED, "Team not authorized", "OAUTH_027");
const HIDDEN_FOLDER: Unseen = (StatusCode::NOT_FOUND, "Folder not found", "ACCESS_999");
const HIDDEN_LIST: Unseen = (StatusCode::UNAUTHORIZED, "You do not have access to this List", "ACCESS_002");
const MISSING_LIST: Unseen = (StatusCode::NOT_FOUND, "List not found", "ACCESS_999");
const HIDDEN_TASK: Unseen = (StatusCode::NOT_FOUND, "Task not found", "ITEM_015");
const MISSING_TASK: Unseen = (StatusCode::NOT_FOUND, "Task not found, deleted", "ITEM_013");

/// Ids of tasks that are longer break something behind the door.
const LONGEST_TASK_ID: usize = 64;

type Where<'a> = (&'a Workspace, &'a Space);

impl<'a> Call<'a> {
    pub(super) fn space(&self, id: &str) -> Result<Reply, No<'a>> {
        let (_, space) = self.enter(Id(number(id)?), FOREIGN)?;
        Ok(Reply::json(StatusCode::OK, &views::space(space)))
    }

    pub(super) fn folder(&self, id: &str) -> Result<Reply, No<'a>> {
        let folder = self.world.folder(Id(number(id)?)).ok_or(No::Unseen(FOREIGN))?;
        let place = self.enter(folder.space, HIDDEN_FOLDER)?;
        Ok(Reply::json(StatusCode::OK, &folder_view(self.world, place, folder)))
    }

    pub(super) fn list(&self, id: &str) -> Result<Reply, No<'a>> {
        let list = self.world.list(Id(number(id)?)).ok_or(No::Unseen(MISSING_LIST))?;
        let place = self.enter(list.space, HIDDEN_LIST)?;
        Ok(Reply::json(StatusCode::OK, &list_view(self.world, place, list)))
    }

    pub(super) fn task(&self, id: &str) -> Result<Reply, No<'a>> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(No::MalformedId);
        }
        if id.len() > LONGEST_TASK_ID {
            return Err(No::OverlongId);
        }
        let task = if self.asks_for("custom_task_ids=true") {
            let workspace = self.workspace(self.asked("team_id"), "OAUTH_027")?;
            self.world.task_by_custom_id(workspace.id, id)
        } else {
            self.world.task(id)
        };
        let task = task.ok_or(No::Unseen(MISSING_TASK))?;
        let list = self.world.list(task.list).ok_or(No::Unseen(MISSING_TASK))?;
        let place = self.enter(list.space, HIDDEN_TASK)?;
        Ok(Reply::json(StatusCode::OK, &task_view(self.world, place, list, task)))
    }

    /// The space that a node is in, if the user sees it; `hidden` is for members of the workspace who do not.
    fn enter(&self, space: Id, hidden: Unseen) -> Result<Where<'a>, No<'a>> {
        let (workspace, space) = self.world.space(space).ok_or(No::Unseen(FOREIGN))?;
        self.world.workspace_for(self.person, workspace.id.0).ok_or(No::Unseen(FOREIGN))?;
        self.admitted(workspace, Scope::Workspace)?;
        match workspace.shows(&space.place, self.person.id) {
            true => Ok((workspace, space)),
            false => Err(No::Unseen(hidden)),
        }
    }

    /// What the query has under a name.
    fn asked(&self, name: &str) -> &'a str {
        let pairs = self.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(other, _)| *other == name).map(|(_, value)| value).next().unwrap_or_default()
    }
}

fn folder_view(world: &World, (_, space): Where, folder: &Folder) -> Value {
    let tasks: usize = world.lists_of(folder.id).map(|list| world.tasks_of(list.id).count()).sum();
    let lists: Vec<_> = world.lists_of(folder.id).map(|list| brief_list(world, space, list)).collect();
    json!({
        "id": folder.id,
        "name": folder.about.name,
        "orderindex": 0,
        "override_statuses": false,
        "hidden": false,
        "space": brief_space(space),
        "task_count": tasks.to_string(),
        "archived": folder.about.archived,
        "lists": lists,
    })
}

fn brief_space(space: &Space) -> Value {
    json!({"id": space.id, "name": space.place.name, "access": true})
}

/// A list within its folder.
fn brief_list(world: &World, space: &Space, list: &List) -> Value {
    json!({
        "id": list.id,
        "name": list.about.name,
        "orderindex": 0,
        "status": null,
        "priority": null,
        "assignee": null,
        "task_count": world.tasks_of(list.id).count(),
        "due_date": null,
        "start_date": null,
        "space": brief_space(space),
        "archived": list.about.archived,
        "override_statuses": null,
        "permission_level": "create",
    })
}

fn list_view(world: &World, (_, space): Where, list: &List) -> Value {
    json!({
        "id": list.id,
        "name": list.about.name,
        "orderindex": 0,
        "content": "",
        "status": null,
        "priority": null,
        "assignee": null,
        "task_count": world.tasks_of(list.id).count().to_string(),
        "due_date": null,
        "start_date": null,
        "folder": folder_of(world, list),
        "space": brief_space(space),
        "inbound_address": format!("add.task.{}.u-1.simulated@tasks.example.com", list.id),
        "archived": list.about.archived,
        "override_statuses": false,
        "statuses": views::statuses(),
        "permission_level": "create",
    })
}

/// A list in no folder is in a hidden one, which has an id too.
fn folder_of(world: &World, list: &List) -> Value {
    match list.folder.and_then(|id| world.folder(id)) {
        Some(folder) => {
            json!({"id": folder.id, "name": folder.about.name, "hidden": false, "access": true})
        }
        None => json!({"id": list.id, "name": "hidden", "hidden": true, "access": true}),
    }
}

fn task_view(world: &World, (workspace, space): Where, list: &List, task: &Task) -> Value {
    const CREATED: &str = "1679495899000";
    let creator = workspace.members.first().and_then(|member| world.user(member.user));
    let statuses = views::statuses();
    json!({
        "id": task.id,
        "custom_id": task.custom_id,
        "custom_item_id": 0,
        "name": task.about.name,
        "text_content": "",
        "description": "",
        "status": statuses[0],
        "orderindex": "1.00000000000000000000000000000000",
        "date_created": CREATED,
        "date_updated": CREATED,
        "date_closed": null,
        "date_done": null,
        "archived": task.about.archived,
        "creator": creator.map(views::creator),
        "assignees": [],
        "group_assignees": [],
        "watchers": [],
        "checklists": [],
        "tags": [],
        "parent": null,
        "top_level_parent": null,
        "priority": null,
        "due_date": null,
        "start_date": null,
        "points": null,
        "time_estimate": null,
        "custom_fields": [],
        "dependencies": [],
        "linked_tasks": [],
        "locations": [],
        "team_id": workspace.id,
        "url": format!("https://app.clickup.example/t/{}", task.id),
        "sharing": {
            "public": false, "public_share_expires_on": null, "public_fields": [], "token": null,
            "seo_optimized": false,
        },
        "permission_level": "create",
        "list": {"id": list.id, "name": list.about.name, "access": true},
        "project": folder_of(world, list),
        "folder": folder_of(world, list),
        "space": {"id": space.id},
        "attachments": [],
    })
}
