//! Calls that change what is in the workspaces: spaces, folders, lists, tasks and channels.

use axum::extract::State;
use axum::routing::{patch, post};
use axum::{Json, Router};
use serde_json::Value;

use super::{Answer, At, Body, Control, Here, done};
use crate::messages::{Added, NodeChange, PlaceChange, TextAdded};
use crate::state::{Channel, Folder, Id, List, Space, Task};

pub(super) fn router() -> Router<std::sync::Arc<Control>> {
    Router::new()
        .route("/workspaces/{id}/spaces", post(add_space))
        .route("/spaces/{id}", patch(change_space).delete(remove_space))
        .route("/spaces/{id}/folders", post(add_folder))
        .route("/spaces/{id}/lists", post(add_list_to_space))
        .route("/folders/{id}", patch(change_folder).delete(remove_folder))
        .route("/folders/{id}/lists", post(add_list_to_folder))
        .route("/lists/{id}", patch(change_list).delete(remove_list))
        .route("/lists/{id}/tasks", post(add_task))
        .route("/tasks/{id}", patch(change_task).delete(remove_task))
        .route("/workspaces/{id}/channels", post(add_channel))
        .route("/channels/{id}", patch(change_channel).delete(remove_channel))
}

async fn add_space(State(control): Here, At(id): At<u64>, Body(space): Body<Space>) -> Answer<Added> {
    let id = control.shared.world().add_space(Id(id), space)?;
    Ok(Json(Added { id }))
}

async fn change_space(
    State(control): Here,
    At(id): At<u64>,
    Body(change): Body<PlaceChange>,
) -> Answer<Value> {
    control.shared.world().change_space(Id(id), change)?;
    done()
}

async fn remove_space(State(control): Here, At(id): At<u64>) -> Answer<Value> {
    control.shared.world().remove_space(Id(id))?;
    done()
}

async fn add_folder(State(control): Here, At(id): At<u64>, Body(folder): Body<Folder>) -> Answer<Added> {
    let id = control.shared.world().add_folder(Id(id), folder)?;
    Ok(Json(Added { id }))
}

async fn change_folder(
    State(control): Here,
    At(id): At<u64>,
    Body(change): Body<NodeChange>,
) -> Answer<Value> {
    control.shared.world().change_folder(Id(id), change)?;
    done()
}

async fn remove_folder(State(control): Here, At(id): At<u64>) -> Answer<Value> {
    control.shared.world().remove_folder(Id(id))?;
    done()
}

async fn add_list_to_space(State(control): Here, At(id): At<u64>, Body(list): Body<List>) -> Answer<Added> {
    let id = control.shared.world().add_list_to_space(Id(id), list)?;
    Ok(Json(Added { id }))
}

async fn add_list_to_folder(State(control): Here, At(id): At<u64>, Body(list): Body<List>) -> Answer<Added> {
    let id = control.shared.world().add_list_to_folder(Id(id), list)?;
    Ok(Json(Added { id }))
}

async fn change_list(State(control): Here, At(id): At<u64>, Body(change): Body<NodeChange>) -> Answer<Value> {
    control.shared.world().change_list(Id(id), change)?;
    done()
}

async fn remove_list(State(control): Here, At(id): At<u64>) -> Answer<Value> {
    control.shared.world().remove_list(Id(id))?;
    done()
}

async fn add_task(State(control): Here, At(id): At<u64>, Body(task): Body<Task>) -> Answer<TextAdded> {
    let id = control.shared.world().add_task(Id(id), task)?;
    Ok(Json(TextAdded { id }))
}

async fn change_task(
    State(control): Here,
    At(id): At<String>,
    Body(change): Body<NodeChange>,
) -> Answer<Value> {
    control.shared.world().change_task(&id, change)?;
    done()
}

async fn remove_task(State(control): Here, At(id): At<String>) -> Answer<Value> {
    control.shared.world().remove_task(&id)?;
    done()
}

async fn add_channel(
    State(control): Here,
    At(id): At<u64>,
    Body(channel): Body<Channel>,
) -> Answer<TextAdded> {
    let id = control.shared.world().add_channel(Id(id), channel)?;
    Ok(Json(TextAdded { id }))
}

async fn change_channel(
    State(control): Here,
    At(id): At<String>,
    Body(change): Body<PlaceChange>,
) -> Answer<Value> {
    control.shared.world().change_channel(&id, change)?;
    done()
}

async fn remove_channel(State(control): Here, At(id): At<String>) -> Answer<Value> {
    control.shared.world().remove_channel(&id)?;
    done()
}
