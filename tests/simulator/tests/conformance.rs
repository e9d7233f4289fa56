//! Answers against ClickUp's two OpenAPI documents, read strictly: what they do not name is an error, too.
//! Where a document is wrong it is corrected here, error by error, and each correction has to be needed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::io::Write;
use std::path::PathBuf;

use clickup_simulator::client::Account;
use clickup_simulator::messages::WorkspaceChange;
use clickup_simulator::state::{
    Channel, ChannelKind, CustomRole, Folder, Id, LastCursor, List, Member, Plan, Role, Space, Task, User,
};
use harness::*;
use serde_json::{Value, json};

const USER: &str = "/v2/user";
const TEAM: &str = "/v2/team";
const SPACES: &str = "/v2/team/{team_id}/space";
const SPACE: &str = "/v2/space/{space_id}";
const PLAN: &str = "/v2/team/{team_id}/plan";
const SEATS: &str = "/v2/team/{team_id}/seats";
const FOLDER: &str = "/v2/folder/{folder_id}";
const LIST: &str = "/v2/list/{list_id}";
const TASK: &str = "/v2/task/{task_id}";
const CHANNELS: &str = "/api/v3/workspaces/{workspace_id}/chat/channels";
const CHANNELS_REFUSED: &str = "errors of /api/v3/workspaces/{workspace_id}/chat/channels";

/// One of the documents, and what it is wrong about.
struct Document {
    file: &'static str,
    known_errors: &'static [Known],
}

const DOCUMENTS: [Document; 2] = [
    Document { file: "openapi-v2.json", known_errors: V2_ERRORS },
    Document { file: "openapi-v3.json", known_errors: V3_ERRORS },
];

/// How the document is wrong about one thing.
enum Error {
    /// May be null.
    Null,
    /// Has another name.
    Misspelt(&'static str),
    /// Is not named, and has this type.
    Unnamed(&'static str),
    /// Has another type.
    Type(&'static str, &'static str),
    /// May be left out.
    Optional,
}

use Error::{Misspelt, Null, Optional, Type, Unnamed};

/// The place of a property: the schema of an answer, and the way into it.
struct Known {
    call: &'static str,
    inside: &'static str,
    property: &'static str,
    error: Error,
}

const fn known(call: &'static str, inside: &'static str, property: &'static str, error: Error) -> Known {
    Known { call, inside, property, error }
}

/// Schemas that others refer to: a task's status is also that of a list; a member's user is the schema of `GET /v2/user`, a listed space's member that of
/// `GET /v2/team`.
const MEMBER: &str = "/properties/teams/items/properties/members/items";
const ONE_SPACE: &str = "/properties/spaces/items";

const V2_ERRORS: &[Known] = &[
    known(USER, "/properties/user", "timezeone", Misspelt("timezone")),
    known(USER, "/properties/user", "timezone", Null),
    known(USER, "/properties/user", "username", Null),
    known(USER, "/properties/user", "color", Null),
    known(USER, "/properties/user", "profilePicture", Null),
    known(USER, "/properties/user", "week_start_day", Null),
    known(USER, "/properties/user", "undocumented_by_clickup", Unnamed("object")),
    known(USER, "/properties/user", "role", Unnamed("integer")),
    known(USER, "/properties/user", "role_subtype", Unnamed("integer")),
    known(USER, "/properties/user", "role_key", Unnamed("string")),
    known(USER, "/properties/user", "custom_role", Unnamed("object")),
    known(USER, "/properties/user", "custom_role", Null),
    known(USER, "/properties/user", "last_active", Unnamed("string")),
    known(USER, "/properties/user", "last_active", Null),
    known(USER, "/properties/user", "date_joined", Unnamed("string")),
    known(USER, "/properties/user", "date_joined", Null),
    known(USER, "/properties/user", "date_invited", Unnamed("string")),
    known(TEAM, "/properties/teams/items", "avatar", Null),
    known(TEAM, MEMBER, "invited_by", Unnamed("object")),
    known(SPACES, ONE_SPACE, "color", Null),
    known(SPACES, ONE_SPACE, "avatar", Null),
    known(SPACES, "/properties/spaces/items/properties/features", "sprints", Unnamed("object")),
    known(SPACE, "", "color", Unnamed("string")),
    known(SPACE, "", "color", Null),
    known(SPACE, "", "avatar", Unnamed("string")),
    known(SPACE, "", "avatar", Null),
    known(SPACE, "", "admin_can_manage", Unnamed("boolean")),
    known(SPACE, "", "archived", Unnamed("boolean")),
    // `GET /v2/space/{id}` refers to the features of the request that changes a space.
    known("PUT /v2/space/{space_id}", "/properties/features", "sprints", Unnamed("object")),
    known(FOLDER, "", "archived", Unnamed("boolean")),
    known(FOLDER, "/properties/lists/items", "", Type("string", "object")),
    known(LIST, "", "status", Null),
    known(LIST, "", "priority", Null),
    known(LIST, "", "due_date", Null),
    known(TASK, "", "priority", Null),
    // Ids in paths are texts of digits, often too large for the number that the document wants.
    known("parameters of /v2/team/{team_id}/space", "", "team_id", Type("number", "string")),
    known("parameters of /v2/space/{space_id}", "", "space_id", Type("number", "string")),
    known("parameters of /v2/folder/{folder_id}", "", "folder_id", Type("number", "string")),
    known("parameters of /v2/list/{list_id}", "", "list_id", Type("number", "string")),
];

const ONE_CHANNEL: &str = "/properties/data/items";

const V3_ERRORS: &[Known] = &[
    known(CHANNELS, "", "next_cursor", Null),
    known(CHANNELS, "", "next_cursor", Optional),
    known(CHANNELS, ONE_CHANNEL, "topic", Null),
];

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

/// Where the schema of a call's answer is (or, for the odd names above, of its request, parameter or refusals).
fn pointer(call: &str) -> String {
    if let Some(path) = call.strip_prefix("PUT ") {
        return format!("/paths/{}/put/requestBody/content/application~1json/schema", escaped(path));
    }
    if let Some(path) = call.strip_prefix("parameters of ") {
        return format!("/paths/{}/get/parameters/0/schema", escaped(path));
    }
    if let Some(path) = call.strip_prefix("errors of ") {
        return format!("/paths/{}/get/responses/default/content/application~1json/schema", escaped(path));
    }
    format!("/paths/{}/get/responses/200/content/application~1json/schema", escaped(call))
}

/// The same place, without references on the way.
fn resolved(document: &Value, pointer: &str) -> String {
    let mut at = String::new();
    for step in pointer.split('/').skip(1) {
        at = format!("{at}/{step}");
        while let Some(target) = document.pointer(&at).and_then(|place| place["$ref"].as_str()) {
            at = target.trim_start_matches('#').to_owned();
        }
    }
    at
}

/// Corrects the document in one point. The document must be wrong exactly so.
fn correct(document: &mut Value, Known { call, inside, property, error }: &Known) {
    let at = resolved(document, &format!("{}{inside}", pointer(call)));
    let schema = document.pointer_mut(&at).unwrap_or_else(|| panic!("the document has no {at}"));
    match error {
        Type(wrong, right) => {
            assert_eq!(schema["type"], json!(wrong), "{at}");
            schema["type"] = json!(right);
        }
        Misspelt(right) => {
            let moved = schema["properties"].as_object_mut().unwrap().remove(*property);
            schema["properties"][*right] = moved.unwrap_or_else(|| panic!("no longer misspelt: {property}"));
        }
        Unnamed(kind) => {
            let before = schema["properties"]
                .as_object_mut()
                .unwrap()
                .insert((*property).to_owned(), json!({"type": kind}));
            assert!(before.is_none(), "{at}/{property} is named by now");
        }
        Null => {
            // One that was left out as an experiment has no schema to be made nullable.
            if let Some(kind) =
                schema["properties"].get_mut(*property).and_then(|schema| schema.get_mut("type"))
            {
                *kind = json!([kind.clone(), "null"]);
            }
        }
        Optional => {
            let required = schema["required"].as_array_mut().unwrap();
            let before = required.len();
            required.retain(|name| name != property);
            assert!(required.len() < before, "{at}/{property} is optional by now");
        }
    }
}

/// Makes one object of those that say together what an answer is: closed one by one they would refuse each other.
fn join(document: &mut Value, call: &str) {
    let at = resolved(document, &pointer(call));
    let parts = document.pointer(&at).and_then(|schema| schema["allOf"].as_array()).cloned();
    let mut whole = json!({"type": "object", "properties": {}, "required": []});
    for part in parts.unwrap_or_else(|| panic!("{at} is no longer in parts")) {
        let part = part["$ref"].as_str().map_or(Some(&part), |place| document.pointer(&place[1..])).unwrap();
        whole["properties"].as_object_mut().unwrap().extend(part["properties"].as_object().cloned().unwrap());
        let required = part["required"].as_array().cloned().unwrap_or_default();
        whole["required"].as_array_mut().unwrap().extend(required);
    }
    *document.pointer_mut(&at).unwrap() = whole;
}

/// Refuses properties that are not named.
fn close(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let has_properties = object.get("properties").is_some_and(Value::is_object);
            if has_properties && object.get("type") == Some(&json!("object")) {
                object.entry("additionalProperties").or_insert(json!(false));
            }
            object.values_mut().for_each(close);
        }
        Value::Array(array) => array.iter_mut().for_each(close),
        _ => {}
    }
}

/// What a document, with all corrections but one, says against answers by call.
fn complaints(
    (known_errors, document): &(&[Known], Value),
    left_out: Option<usize>,
    answers: &[(&str, Value)],
) -> Vec<String> {
    let mut document = document.clone();
    let corrections = known_errors.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
    corrections.for_each(|(_, known)| correct(&mut document, known));
    close(&mut document);
    // The whole document is the schema, so that its references work: one property for each answer.
    let named = |index: usize| index.to_string();
    let answers = answers.iter().filter(|(call, _)| document.pointer(&pointer(call)).is_some());
    let (calls, answers): (Vec<&str>, Vec<&Value>) = answers.map(|(call, answer)| (*call, answer)).unzip();
    let schemas = calls.iter().map(|call| json!({"$ref": format!("#{}", in_uri(&pointer(call)))}));
    document["properties"] = schemas.enumerate().map(|(index, schema)| (named(index), schema)).collect();
    let bodies: Value =
        answers.into_iter().enumerate().map(|(index, body)| (named(index), body.clone())).collect();
    let validator = jsonschema::draft202012::new(&document).unwrap();
    let errors = validator.iter_errors(&bodies);
    errors.map(|error| format!("{calls:?} {}: {error}", error.instance_path())).collect()
}

fn in_uri(pointer: &str) -> String {
    pointer.replace('{', "%7B").replace('}', "%7D")
}

/// The documents and their known errors, without those that are nowhere near.
fn documents() -> Vec<(&'static [Known], Value)> {
    DOCUMENTS
        .iter()
        .filter_map(|Document { file, known_errors }| Some((*known_errors, read(file)?)))
        .collect()
}

fn read(file: &str) -> Option<Value> {
    let wanted = std::env::var_os("CLICKUP_OPENAPI_DIR").map(PathBuf::from);
    let must = wanted.is_some() || std::env::var_os("CI").is_some();
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/clickup");
    let file = wanted.unwrap_or(beside).join(file);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let mut document = serde_json::from_str(&text).unwrap();
            if file.ends_with("openapi-v3.json") {
                join(&mut document, CHANNELS);
            }
            Some(document)
        }
        Err(error) if must => panic!("{}: {error}", file.display()),
        Err(error) => {
            // Past the test runner, which swallows what a passing test prints.
            let warning = format!(
                "\nNOT CHECKED: the simulator's answers were not compared with ClickUp's OpenAPI document: {}: {error}\n\
                 Put it there, or name its folder in CLICKUP_OPENAPI_DIR. (With CI set this is an error.)\n\n",
                file.display()
            );
            std::io::stderr().write_all(warning.as_bytes()).unwrap();
            None
        }
    }
}

/// Answers of the simulator that show all it can say, by the document's name of the call.
async fn answers() -> Vec<(&'static str, Value)> {
    let control = control();
    let account = account().await;
    let (workspace, token) = (account.workspace, &account.token.value);
    let change = WorkspaceChange {
        plan: Some(Plan { id: 4, name: "Enterprise".to_owned() }),
        extra_members: Some(5),
        ..WorkspaceChange::default()
    };
    control.change_workspace(workspace, change).await.unwrap();
    let zone = User { timezone: Some("Europe/London".to_owned()), ..User::default() };
    let pending = User { pending: true, ..User::default() };
    for user in [zone, pending] {
        let user = control.add_user(user).await.unwrap();
        let custom_role = CustomRole { id: 5, name: "Custom".to_owned(), inherited_role: None };
        let member = Member { custom_role: Some(custom_role), ..Member::new(user, Role::GUEST) };
        control.put_member(workspace, member).await.unwrap();
    }
    let nodes = nodes(workspace).await;
    let mut answers = Vec::new();
    for (call, path) in [
        (USER, "/v2/user".to_owned()),
        (TEAM, "/v2/team".to_owned()),
        (SPACES, format!("/v2/team/{workspace}/space?archived=false")),
        (PLAN, format!("/v2/team/{workspace}/plan")),
        (SEATS, format!("/v2/team/{workspace}/seats")),
    ]
    .into_iter()
    .chain(nodes)
    {
        let (status, body) = ask(token, &path).await;
        assert_eq!(status, 200, "{path}: {body}");
        answers.push((call, body));
    }
    for (call, id) in [
        ("parameters of /v2/team/{team_id}/space", workspace),
        ("parameters of /v2/space/{space_id}", Id(90_120_000_001)),
        ("parameters of /v2/folder/{folder_id}", Id(90_121_000_001)),
        ("parameters of /v2/list/{list_id}", Id(901_220_000_001)),
    ] {
        answers.push((call, json!(id)));
    }
    answers.extend(channels(&account).await);
    answers
}

/// The calls for a space and what is in it.
async fn nodes(workspace: Id) -> Vec<(&'static str, String)> {
    let control = control();
    let task = Task { custom_id: Some("DEV-42".to_owned()), ..Task::default() };
    let list = List { name: "List".to_owned(), tasks: vec![task, Task::default()], ..List::default() };
    let space = Space { lists: vec![List::default()], ..Space::default() };
    let space = control.add_space(workspace, space).await.unwrap();
    let folder = Folder { lists: vec![list.clone()], ..Folder::default() };
    let folder = control.add_folder(space, folder).await.unwrap();
    let list = List { tasks: Vec::new(), ..list };
    let in_folder = control.add_list_to_folder(folder, list.clone()).await.unwrap();
    let in_space = control.add_list_to_space(space, list).await.unwrap();
    let task = control.add_task(in_folder, Task::default()).await.unwrap();
    let loose = control.add_task(in_space, Task::default()).await.unwrap();
    vec![
        (SPACE, format!("/v2/space/{space}")),
        (FOLDER, format!("/v2/folder/{folder}")),
        (LIST, format!("/v2/list/{in_folder}")),
        (LIST, format!("/v2/list/{in_space}")),
        (TASK, format!("/v2/task/{task}")),
        (TASK, format!("/v2/task/{loose}")),
        (TASK, format!("/v2/task/DEV-42?custom_task_ids=true&team_id={workspace}")),
    ]
}

/// Pages of channels in all their forms, and refusals.
async fn channels(account: &Account) -> Vec<(&'static str, Value)> {
    let control = control();
    let (workspace, token) = (account.workspace, &account.token.value);
    let members = vec![account.user];
    for kind in [ChannelKind::Channel, ChannelKind::Dm, ChannelKind::GroupDm] {
        let channel = Channel { kind, members: members.clone(), ..Channel::named("") };
        control.add_channel(workspace, channel).await.unwrap();
    }
    let path = format!("/v3/workspaces/{workspace}/chat/channels");
    let mut answers = Vec::new();
    for last_cursor in [LastCursor::Empty, LastCursor::Null, LastCursor::Missing] {
        let change = WorkspaceChange { last_cursor: Some(last_cursor), ..WorkspaceChange::default() };
        control.change_workspace(workspace, change).await.unwrap();
        for query in ["", "?limit=1"] {
            answers.push((CHANNELS, ask(token, &format!("{path}{query}")).await.1));
        }
    }
    for refused in
        ["/v3/workspaces/1/chat/channels", "/v3/workspaces/x/chat/channels", &format!("{path}?limit=x")]
    {
        answers.push((CHANNELS_REFUSED, ask(token, refused).await.1));
    }
    answers
}

#[tokio::test]
async fn answers_are_as_documented_and_every_known_error_of_the_documents_is_one() {
    let documents = documents();
    let answers = if documents.is_empty() { Vec::new() } else { answers().await };
    for document in &documents {
        let complaints_now = complaints(document, None, &answers);
        assert!(complaints_now.is_empty(), "{complaints_now:#?}");
        for (index, Known { call, inside, property, .. }) in document.0.iter().enumerate() {
            let needed = !complaints(document, Some(index), &answers).is_empty();
            assert!(needed, "{call} {inside}/{property}: no longer an error of the document");
        }
    }
}

#[test]
fn a_wrong_answer_would_be_noticed() {
    let documents = documents();
    let error = |key: &str, value: Value| {
        let mut error = json!({"status": 401, "message": "x", "trace_id": 1, "timestamp": 1});
        error[key] = value;
        (CHANNELS_REFUSED, error)
    };
    let wrong = [
        (USER, json!({"user": {"id": "7"}})),
        (USER, json!({"user": {"id": 7, "nickname": "x"}})),
        (TEAM, json!({"teams": [{"id": 9, "name": "x", "color": "x", "avatar": null, "members": []}]})),
        (TEAM, json!({})),
        (SPACES, json!({"spaces": [{"id": "1", "name": "x"}]})),
        (SPACE, json!({})),
        (PLAN, json!({"plan_id": "4"})),
        (SEATS, json!({"members": {}, "guests": {}})),
        (FOLDER, json!({})),
        (LIST, json!({"id": 1})),
        (LIST, json!({"folder": {"id": "1"}})),
        (TASK, json!({"id": 1})),
        (TASK, json!({"nickname": "x"})),
        (CHANNELS, json!({"data": [{}]})),
        (CHANNELS, json!({"data": [], "cursor": "x"})),
        (CHANNELS, json!({"data": [], "next_cursor": 7})),
        error("status", json!("401")),
        error("ECODE", json!("OAUTH_027")),
    ];
    for answer in wrong {
        let (call, body) = &answer;
        let Some(document) =
            documents.iter().find(|(_, document)| document.pointer(&pointer(call)).is_some())
        else {
            assert!(documents.len() < DOCUMENTS.len(), "{call} is in neither document");
            continue;
        };
        assert!(!complaints(document, None, std::slice::from_ref(&answer)).is_empty(), "{call}: {body}");
    }
}

#[test]
fn errors_are_documented_nowhere_but_in_version_3() {
    for (_, document) in documents() {
        for call in [USER, TEAM, SPACES, SPACE, PLAN, SEATS, FOLDER, LIST, TASK, CHANNELS] {
            let Some(responses) = document["paths"][call]["get"]["responses"].as_object() else { continue };
            let expected: &[&str] = if call == CHANNELS { &["200", "default"] } else { &["200"] };
            let statuses: Vec<_> = responses.keys().collect();
            assert_eq!(statuses, expected, "{call}: check the simulator's errors too");
        }
    }
}
