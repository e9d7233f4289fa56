//! Spaces, folders, lists and tasks by their ids: who finds them, and what is said to the others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use clickup_simulator::client::Account;
use clickup_simulator::messages::{NodeChange, PlaceChange};
use clickup_simulator::state::{
    Folder, Id, List, Member, Refusal, Role, Space, State, Task, Token, User, Workspace,
};
use clickup_simulator::{Fault, Options, Simulator};
use harness::*;
use serde_json::{Value, json};

/// A space, and one of everything in it.
struct Nodes {
    space: Id,
    folder: Id,
    list: Id,
    loose_list: Id,
    task: String,
}

impl Nodes {
    async fn add(workspace: Id, space: Space) -> Self {
        let control = control();
        let space = control.add_space(workspace, space).await.unwrap();
        let folder = Folder { name: "Folder".to_owned(), ..Folder::default() };
        let folder = control.add_folder(space, folder).await.unwrap();
        let list = |name: &str| List { name: name.to_owned(), ..List::default() };
        let loose_list = control.add_list_to_space(space, list("Loose")).await.unwrap();
        let list = control.add_list_to_folder(folder, list("List")).await.unwrap();
        let task = Task { name: "Task".to_owned(), ..Task::default() };
        let task = control.add_task(list, task).await.unwrap();
        Self { space, folder, list, loose_list, task }
    }

    fn paths(&self) -> [String; 5] {
        let Self { space, folder, list, loose_list, task } = self;
        [
            format!("/v2/space/{space}"),
            format!("/v2/folder/{folder}"),
            format!("/v2/list/{list}"),
            format!("/v2/list/{loose_list}"),
            format!("/v2/task/{task}"),
        ]
    }

    async fn verdicts(&self, token: &str) -> Vec<(u16, String)> {
        let mut verdicts = Vec::new();
        for path in self.paths() {
            verdicts.push(verdict(token, &path).await);
        }
        verdicts
    }
}

fn named(name: &str) -> Space {
    Space { name: name.to_owned(), ..Space::default() }
}

fn said(verdicts: [(u16, &str); 5]) -> Vec<(u16, String)> {
    verdicts.into_iter().map(|(status, ecode)| (status, ecode.to_owned())).collect()
}

const FOUND: [(u16, &str); 5] = [(200, ""); 5];
const FOREIGN: [(u16, &str); 5] = [(401, "OAUTH_027"); 5];
const HIDDEN: [(u16, &str); 5] =
    [(401, "OAUTH_027"), (404, "ACCESS_999"), (401, "ACCESS_002"), (401, "ACCESS_002"), (404, "ITEM_015")];
const GONE: [(u16, &str); 5] =
    [(401, "OAUTH_027"), (401, "OAUTH_027"), (404, "ACCESS_999"), (404, "ACCESS_999"), (404, "ITEM_013")];

async fn member(account: &Account, role: Role) -> (u64, String) {
    let user = control().add_user(User::default()).await.unwrap();
    control().put_member(account.workspace, Member::new(user, role)).await.unwrap();
    (user, control().add_token(Token::personal(user)).await.unwrap().value)
}

#[tokio::test]
async fn each_node_says_what_it_is_and_what_it_is_in() {
    let account = account().await;
    let nodes = Nodes::add(account.workspace, named("Space")).await;
    let Nodes { space, folder, list, loose_list, task } = &nodes;
    let text = |id: &Id| json!(id.to_string());
    let mut bodies = Vec::new();
    for path in nodes.paths() {
        let (status, body) = ask(&account.token.value, &path).await;
        assert_eq!(status, 200, "{path}: {body}");
        bodies.push(body);
    }
    let [space_body, folder_body, list_body, loose_body, task_body] = bodies.try_into().unwrap();
    assert_eq!((&space_body["id"], &space_body["name"]), (&text(space), &json!("Space")));
    assert_eq!((&folder_body["id"], &folder_body["name"]), (&text(folder), &json!("Folder")));
    assert_eq!(folder_body["task_count"], "1");
    assert_eq!(folder_body["lists"].as_array().unwrap().len(), 1, "only the list that is in it");
    assert_eq!(
        (&folder_body["lists"][0]["id"], &folder_body["lists"][0]["name"]),
        (&text(list), &json!("List"))
    );
    assert_eq!((&list_body["id"], &list_body["name"]), (&text(list), &json!("List")));
    let in_folder = json!({"id": text(folder), "name": "Folder", "hidden": false, "access": true});
    assert_eq!(list_body["folder"], in_folder);
    assert_eq!(loose_body["id"], text(loose_list));
    assert_eq!(loose_body["folder"]["hidden"], true, "a list in no folder is in a hidden one");
    assert_eq!((&task_body["id"], &task_body["name"]), (&json!(task), &json!("Task")));
    assert_eq!(task_body["list"]["id"], text(list));
    assert_eq!(task_body["folder"], in_folder);
    assert_eq!(task_body["team_id"], text(&account.workspace));
    for body in [&folder_body, &list_body, &loose_body, &task_body] {
        assert_eq!(body["space"]["id"], text(space));
    }
}

#[tokio::test]
async fn nodes_are_found_by_those_who_see_their_space() {
    let (account, stranger) = (account().await, account().await.token.value);
    let (guest, guest_token) = member(&account, Role::GUEST).await;
    let (user, user_token) = member(&account, Role::MEMBER).await;
    let owner = &account.token.value;
    let cases = [
        ("open", named("open"), FOUND, FOUND, HIDDEN),
        ("private", Space { private: true, ..named("x") }, HIDDEN, HIDDEN, HIDDEN),
        ("a member's", Space { private: true, members: vec![user], ..named("x") }, HIDDEN, FOUND, HIDDEN),
        ("a guest's", Space { members: vec![guest], ..named("x") }, FOUND, FOUND, FOUND),
        ("archived", Space { archived: true, ..named("x") }, FOUND, FOUND, HIDDEN),
    ];
    for (case, space, for_owner, for_user, for_guest) in cases {
        let nodes = Nodes::add(account.workspace, space).await;
        assert_eq!(nodes.verdicts(owner).await, said(for_owner), "{case}: owner");
        assert_eq!(nodes.verdicts(&user_token).await, said(for_user), "{case}: member");
        assert_eq!(nodes.verdicts(&guest_token).await, said(for_guest), "{case}: guest");
        assert_eq!(nodes.verdicts(&stranger).await, said(FOREIGN), "{case}: stranger");
    }
}

#[tokio::test]
async fn a_refused_token_finds_nothing() {
    let account = account().await;
    let (name, token, workspace) = (&account.token.name, &account.token.value, account.workspace);
    let nodes = Nodes::add(workspace, named("Space")).await;
    control().refuse(name, Refusal::by(workspace)).await.unwrap();
    assert_eq!(nodes.verdicts(token).await, said([(403, "ACCESS_083"); 5]));
    control().admit(name, workspace).await.unwrap();
    control().refuse(name, Refusal::by_chat_of(workspace)).await.unwrap();
    assert_eq!(nodes.verdicts(token).await, said(FOUND), "only the chat is closed");
}

#[tokio::test]
async fn ids_that_are_none_are_refused() {
    let token = account().await.token.value;
    let long = "9".repeat(65);
    let cases = [
        ("space/1", 401, "OAUTH_027"),
        ("folder/1", 401, "OAUTH_027"),
        ("list/1", 404, "ACCESS_999"),
        ("task/86nothing", 404, "ITEM_013"),
        ("task/DEV-42", 404, "ITEM_013"),
        ("task/with_all-123", 404, "ITEM_013"),
        ("folder/x", 400, "INPUT_003"),
        ("folder/", 400, "INPUT_003"),
        ("list/1.0", 400, "INPUT_003"),
        ("list/-1", 400, "INPUT_003"),
        ("task/", 400, "INPUT_003"),
        ("task/a%20b", 400, "INPUT_003"),
        ("task/a.b", 400, "INPUT_003"),
        ("space/99999999999999999999", 500, "SHARD_001"),
        ("folder/99999999999999999999", 500, "SHARD_001"),
        ("list/99999999999999999999", 500, "SHARD_001"),
        (&format!("task/{long}"), 500, "SHARD_001"),
        ("task/1/comment", 404, "APP_001"),
    ];
    for (path, status, ecode) in cases {
        assert_eq!(verdict(&token, &format!("/v2/{path}")).await, (status, ecode.to_owned()), "{path}");
    }
    let delete = http().delete(format!("{}/v2/user", simulator().clickup_url()));
    let response = delete.header("authorization", &token).send().await.unwrap();
    assert_eq!(response.status(), 404, "the simulator only reads");
}

#[tokio::test]
async fn custom_ids_are_known_in_their_workspace_only() {
    let control = control();
    let (account, other) = (account().await, account().await);
    let token = &account.token.value;
    let custom =
        |name: &str| Task { custom_id: Some("DEV-42".to_owned()), name: name.to_owned(), ..Task::default() };
    let list = |name| List { tasks: vec![custom(name)], ..List::default() };
    for (workspace, name) in [(account.workspace, "mine"), (other.workspace, "theirs")] {
        control.add_space(workspace, Space { lists: vec![list(name)], ..Space::default() }).await.unwrap();
    }
    let (mine, theirs) = (account.workspace, other.workspace);
    let cases = [
        (format!("custom_task_ids=true&team_id={mine}"), 200, "mine"),
        (format!("custom_task_ids=true&team_id={theirs}"), 401, "OAUTH_027"),
        ("custom_task_ids=true".to_owned(), 400, "INPUT_003"),
        ("custom_task_ids=true&team_id=x".to_owned(), 400, "INPUT_003"),
        (format!("custom_task_ids=false&team_id={mine}"), 404, "ITEM_013"),
        (String::new(), 404, "ITEM_013"),
    ];
    for (query, status, expected) in cases {
        let (answered, body) = ask(token, &format!("/v2/task/DEV-42?{query}")).await;
        let said = if status == 200 { &body["name"] } else { &body["ECODE"] };
        assert_eq!((answered, said), (status, &json!(expected)), "{query}");
    }
}

#[tokio::test]
async fn nodes_change_and_go_with_what_they_are_in() {
    let control = control();
    let account = account().await;
    let token = &account.token.value;
    let name = async |path: &str| ask(token, path).await.1["name"].clone();
    let nodes = Nodes::add(account.workspace, named("Space")).await;
    let [space, folder, list, _, task] = nodes.paths();
    control.rename_space(nodes.space, "s").await.unwrap();
    control.change_folder(nodes.folder, NodeChange::name("f")).await.unwrap();
    control.change_list(nodes.list, NodeChange::name("l")).await.unwrap();
    control.change_task(&nodes.task, NodeChange::name("t")).await.unwrap();
    for (path, expected) in [(&space, "s"), (&folder, "f"), (&list, "l"), (&task, "t")] {
        assert_eq!(name(path).await, expected);
    }
    control.change_space(nodes.space, PlaceChange::archived(true)).await.unwrap();
    control.change_folder(nodes.folder, NodeChange::archived(true)).await.unwrap();
    control.change_list(nodes.list, NodeChange::archived(true)).await.unwrap();
    control.change_task(&nodes.task, NodeChange::archived(true)).await.unwrap();
    for (path, expected) in [(&space, "s"), (&folder, "f"), (&list, "l"), (&task, "t")] {
        let (_, body) = ask(token, path).await;
        assert_eq!((&body["archived"], &body["name"]), (&json!(true), &json!(expected)));
    }
    control.change_list(nodes.list, NodeChange::name("new")).await.unwrap();
    let (_, body) = ask(token, &list).await;
    assert_eq!((&body["archived"], &body["name"]), (&json!(true), &json!("new")));
    let hidden = PlaceChange { private: Some(true), ..PlaceChange::default() };
    control.change_space(nodes.space, hidden).await.unwrap();
    assert_eq!(nodes.verdicts(token).await, said(HIDDEN));

    let elsewhere = Nodes::add(account.workspace, named("Elsewhere")).await.list;
    // Removed: which one, and which of the five are gone with it.
    let cases: [(&str, [bool; 5]); 5] = [
        ("task", [false, false, false, false, true]),
        ("list", [false, false, true, false, true]),
        ("folder", [false, true, true, false, true]),
        ("space", [true; 5]),
        ("workspace", [true; 5]),
    ];
    for (removed, gone) in cases {
        let account = control.add_account("Short-lived").await.unwrap();
        let nodes = Nodes::add(account.workspace, named("Space")).await;
        match removed {
            "task" => control.remove_task(&nodes.task).await.unwrap(),
            "list" => control.remove_list(nodes.list).await.unwrap(),
            "folder" => control.remove_folder(nodes.folder).await.unwrap(),
            "space" => control.remove_space(nodes.space).await.unwrap(),
            _ => control.remove_workspace(account.workspace).await.unwrap(),
        }
        let verdict = |(index, gone): (usize, bool)| if gone { GONE[index] } else { FOUND[index] };
        let expected: Vec<_> = gone.into_iter().enumerate().map(verdict).collect();
        let seen = nodes.verdicts(&account.token.value).await;
        assert_eq!(seen, said(expected.try_into().unwrap()), "without the {removed}");
        let again = Task { id: Some(nodes.task), ..Task::default() };
        control.add_task(elsewhere, again).await.unwrap_or_else(|error| panic!("{removed}: {error}"));
    }
}

#[tokio::test]
async fn faults_and_counts_know_the_nodes() {
    let control = control();
    let account = account().await;
    let (name, token) = (&account.token.name, &account.token.value);
    let nodes = Nodes::add(account.workspace, named("Space")).await;
    let [space, folder, list, _, task] = nodes.paths();
    for (kind, path) in [("space", &space), ("folder", &folder), ("list", &list), ("task", &task)] {
        let fault = Fault::for_token(name).on(format!("/v2/{kind}/*")).times(1);
        control.add_fault(fault.error(500, "SHARD_001", "x")).await.unwrap();
        assert_eq!(status(token, "/v2/user").await, 200);
        assert_eq!(verdict(token, path).await, (500, "SHARD_001".to_owned()), "{path}");
        assert_eq!(status(token, path).await, 200);
        assert_eq!(control.requests(name, path).await.unwrap(), 2);
    }
}

#[tokio::test]
async fn the_built_in_state_has_one_of_everything() {
    let state = State::built_in().unwrap();
    let simulator = Simulator::start(Options::default().with_state(state)).await.unwrap();
    let control = simulator.client().unwrap();
    let get = async |name: &str, path: &str| {
        let token = control.token(name).await.unwrap().value;
        let url = format!("{}{path}", simulator.clickup_url());
        let response = http().get(url).header("authorization", token).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap())
    };
    // Token, path, and what its answer has: a name, a custom id or a code.
    let cases = [
        ("ada", "/v2/space/90120000001", 200, "Engineering"),
        ("ada", "/v2/folder/90121000001", 200, "Releases"),
        ("ada", "/v2/folder/90121000002", 200, "Old releases"),
        ("ada", "/v2/list/901220000001", 200, "Version 1"),
        ("ada", "/v2/list/901220000002", 200, "Inbox"),
        ("ada", "/v2/list/901220000003", 200, "Old inbox"),
        ("ada", "/v2/list/901220000004", 200, "Minutes"),
        ("large", "/v2/list/901220000004", 401, "ACCESS_002"),
        ("linus", "/v2/list/901220000005", 200, "Requests"),
        ("linus", "/v2/folder/90121000001", 404, "ACCESS_999"),
        ("lonely", "/v2/list/901220000002", 401, "OAUTH_027"),
        ("ada", "/v2/task/86abc1230", 200, "Write the release notes"),
        ("ada", "/v2/task/DEV-42?custom_task_ids=true&team_id=9012345678", 200, "Write the release notes"),
        ("ada", "/v2/task/86abc1231", 200, "Tag the release"),
        ("large", "/v2/task/86abc1232", 404, "ITEM_015"),
        ("ada", "/v2/folder/90871000001", 200, "Trials"),
        ("ada", "/v2/list/901270000001", 200, "Ideas"),
        ("large", "/v3/workspaces/9055555555/chat/channels", 403, "TEAM_110"),
        ("refused", "/v3/workspaces/9012345678/chat/channels", 403, "ACCESS_083"),
        ("lonely", "/v3/workspaces/9012345678/chat/channels", 401, "Team not authorized"),
    ];
    for (token, path, status, expected) in cases {
        let (answered, body) = get(token, path).await;
        let said = ["name", "ECODE", "message"].into_iter().find_map(|key| body[key].as_str());
        assert_eq!((answered, said), (status, Some(expected)), "{token} {path}");
    }
    let acme: &[&str] =
        &["general", "deployments", "alerts", "alerts", "launch-2019", "board", "guests", "", ""];
    for (token, workspace, expected) in [
        ("ada", "9012345678", acme),
        ("linus", "9012345678", &["guests"]),
        ("ada", "9087654321", &["experiments"]),
    ] {
        let (_, body) = get(token, &format!("/v3/workspaces/{workspace}/chat/channels")).await;
        let names: Vec<_> = body["data"].as_array().unwrap().iter().map(|channel| &channel["name"]).collect();
        assert_eq!(names, expected, "{token} {workspace}");
    }
}

#[tokio::test]
async fn a_whole_workspace_can_be_added_at_once() {
    let task = |id: &str| Task { id: Some(id.to_owned()), ..Task::default() };
    let list = |id: &str| List { tasks: vec![task(id)], ..List::default() };
    let folder = Folder { lists: vec![list("whole-1"), list("whole_2")], ..Folder::default() };
    let space = Space { folders: vec![folder], lists: vec![list("DEV-9")], ..Space::default() };
    let workspace = Workspace { spaces: vec![space], ..Workspace::default() };
    let account =
        control().add_account_with(workspace, |token| token.window_seconds = Some(5)).await.unwrap();
    for id in ["whole-1", "whole_2", "DEV-9"] {
        assert_eq!(status(&account.token.value, &format!("/v2/task/{id}")).await, 200, "{id}");
    }
}
