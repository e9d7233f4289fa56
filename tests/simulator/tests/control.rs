//! The log, the counts, and what the control API says to nonsense.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::time::Duration;

use clickup_simulator::client::ClientError;
use clickup_simulator::messages::{LogQuery, NodeChange, PlaceChange, Sent};
use clickup_simulator::state::{
    Channel, Folder, Id, List, Member, Role, Space, Task, Token, User, Workspace,
};
use clickup_simulator::{Fault, SimulatorClient};
use harness::*;
use serde_json::{Value, json};

fn of(token: &str) -> LogQuery {
    LogQuery { token: Some(token.to_owned()), ..LogQuery::default() }
}

#[tokio::test]
async fn the_log_knows_who_asked_for_what() {
    let control = control();
    let account = account().await;
    let (name, value) = (&account.token.name, &account.token.value);
    let space = format!("/v2/team/{}/space?archived=false", account.workspace);
    for path in ["/v2/user", "/v2/team", &space] {
        assert_eq!(status(value, path).await, 200);
    }
    let page = control.log(&of(name)).await.unwrap();
    let seen: Vec<_> = page.entries.iter().map(|entry| (entry.path.as_str(), entry.query.as_str())).collect();
    let space_path = format!("/v2/team/{}/space", account.workspace);
    assert_eq!(seen, [("/v2/user", ""), ("/v2/team", ""), (space_path.as_str(), "archived=false")]);
    assert!(page.entries.is_sorted_by_key(|entry| entry.seq));
    assert!(page.entries.is_sorted_by_key(|entry| entry.time_ms));
    for entry in &page.entries {
        assert_eq!(
            (entry.status, entry.live, entry.sent, entry.method.as_str()),
            (Some(200), true, Sent::Raw, "GET")
        );
    }
    let text = serde_json::to_string(&page).unwrap();
    assert!(!text.contains(value), "the log never holds a token");
    let later = LogQuery { since: Some(page.entries[1].seq), ..of(name) };
    assert_eq!(control.log(&later).await.unwrap().entries, page.entries[2..]);
    let by_path = LogQuery { path: Some("/v2/team".to_owned()), ..of(name) };
    assert_eq!(control.log(&by_path).await.unwrap().entries, page.entries[1..]);
}

#[tokio::test]
async fn counts_are_exact_and_can_be_reset_for_one_token() {
    let control = control();
    let (mine, other) = (account().await.token, account().await.token);
    control.add_fault(Fault::for_token(&mine.name).times(1).error(500, "", "x")).await.unwrap();
    for _ in 0..5 {
        status(&mine.value, "/v2/user").await;
    }
    status(&other.value, "/v2/team").await;
    let counts = control.counts(Some(&mine.name)).await.unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].requests, counts[0].path.as_str()), (5, "/v2/user"));
    assert_eq!(counts[0].statuses.iter().collect::<Vec<_>>(), [(&200, &4), (&500, &1)]);
    assert_eq!(control.requests(&mine.name, "/v2/team").await.unwrap(), 0);
    control.reset_log(Some(&mine.name)).await.unwrap();
    assert_eq!(control.requests(&mine.name, "/v2/user").await.unwrap(), 0);
    assert!(control.log(&of(&mine.name)).await.unwrap().entries.is_empty());
    assert_eq!(control.requests(&other.name, "/v2/team").await.unwrap(), 1);
}

#[tokio::test]
async fn strangers_have_no_name_of_their_own() {
    let control = control();
    let path = "/v2/strangers/only";
    for authorization in ["pk_1_A", "Bearer abc", ""] {
        status(authorization, path).await;
    }
    let query = LogQuery { path: Some(path.to_owned()), ..LogQuery::default() };
    let page = control.log(&query).await.unwrap();
    let seen: Vec<_> =
        page.entries.iter().map(|entry| (entry.token.as_str(), entry.sent, entry.live)).collect();
    assert_eq!(
        seen,
        [("unknown", Sent::Raw, false), ("unknown", Sent::Bearer, false), ("none", Sent::None, false)]
    );
}

#[tokio::test]
async fn requests_are_waited_for() {
    let control = control();
    let token = account().await.token;
    let waiting = {
        let (control, name) = (control.clone(), token.name.clone());
        tokio::spawn(async move { control.wait_for_requests(&name, "/v2/user", 2, PATIENCE).await })
    };
    status(&token.value, "/v2/user").await;
    status(&token.value, "/v2/team").await;
    assert!(!waiting.is_finished());
    status(&token.value, "/v2/user").await;
    assert_eq!(waiting.await.unwrap().unwrap().len(), 2);
    let late = control.wait_for_requests(&token.name, "/v2/user", 3, Duration::from_millis(30)).await;
    let Err(ClientError::Waited { seen: 2, wanted: 3, .. }) = late else { panic!("{late:?}") };
}

#[tokio::test]
async fn requests_at_the_same_time_are_counted() {
    let control = control();
    let token = account().await.token;
    let fault = Fault::for_token(&token.name).delay(Duration::from_millis(300));
    control.add_fault(fault).await.unwrap();
    let ask = || status(&token.value, "/v2/user");
    tokio::join!(ask(), ask(), ask());
    let now = || async { control.token(&token.name).await.unwrap() };
    let status = eventually("all have left", now, |status| status.in_flight == 0).await;
    assert_eq!(status.max_in_flight, 3);
    control.reset_log(Some(&token.name)).await.unwrap();
    assert_eq!(control.token(&token.name).await.unwrap().max_in_flight, 0);
}

#[tokio::test]
async fn ids_and_names_are_made_up_when_left_out_and_kept_when_not() {
    let control = control();
    let (first, second) = (account().await, account().await);
    assert_ne!(first.user, second.user);
    assert_ne!(first.workspace, second.workspace);
    assert_ne!(first.token.name, second.token.name);
    let id = control.add_user(User { id: Some(7_000_001), ..User::default() }).await.unwrap();
    assert_eq!(id, 7_000_001);
    let token = Token {
        name: Some("chosen".to_owned()),
        value: Some("pk_7000001_CHOSEN".to_owned()),
        limit: Some(10_000),
        ..Token::personal(id)
    };
    let token = control.add_token(token).await.unwrap();
    assert_eq!((token.name.as_str(), token.value.as_str()), ("chosen", "pk_7000001_CHOSEN"));
    assert_eq!(control.token("chosen").await.unwrap().limit, 10_000);
    assert!(control.tokens().await.unwrap().contains(&token));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_a_reason() {
    let control = control();
    let account = account().await;
    let workspace = account.workspace;
    let missing = Id(1);
    let space = control.add_space(workspace, Space::default()).await.unwrap();
    let custom = Task { custom_id: Some("A-1".to_owned()), ..Task::default() };
    let list = List { tasks: vec![custom.clone()], ..List::default() };
    let list = control.add_list_to_space(space, list).await.unwrap();
    let strangers = PlaceChange { members: Some(vec![1]), ..PlaceChange::default() };
    let cases = [
        (control.put_member(missing, Member::new(account.user, Role::MEMBER)).await, 404, "no workspace 1"),
        (control.put_member(workspace, Member::new(1, Role::MEMBER)).await, 404, "no user 1"),
        (control.remove_member(workspace, 1).await, 404, "no member 1"),
        (control.remove_workspace(missing).await, 404, "no workspace 1"),
        (control.remove_space(missing).await, 404, "no space 1"),
        (control.rename_space(missing, "x").await, 404, "no space 1"),
        (control.change_space(space, strangers.clone()).await, 404, "no user 1"),
        (control.add_folder(missing, Folder::default()).await.map(|_| ()), 404, "no space 1"),
        (control.change_folder(missing, NodeChange::name("x")).await, 404, "no folder 1"),
        (control.remove_folder(missing).await, 404, "no folder 1"),
        (control.add_list_to_space(missing, List::default()).await.map(|_| ()), 404, "no space 1"),
        (control.add_list_to_folder(missing, List::default()).await.map(|_| ()), 404, "no folder 1"),
        (control.change_list(missing, NodeChange::name("x")).await, 404, "no list 1"),
        (control.remove_list(missing).await, 404, "no list 1"),
        (control.add_task(missing, Task::default()).await.map(|_| ()), 404, "no list 1"),
        (control.add_task(list, custom).await.map(|_| ()), 409, "custom id A-1 already"),
        (control.change_task("none", NodeChange::name("x")).await, 404, "no task none"),
        (control.remove_task("none").await, 404, "no task none"),
        (control.add_channel(missing, Channel::named("x")).await.map(|_| ()), 404, "no workspace 1"),
        (
            control
                .add_channel(workspace, Channel { id: Some("a/b".to_owned()), ..Channel::named("x") })
                .await
                .map(|_| ()),
            400,
            "no id of a channel",
        ),
        (control.change_channel("none", strangers).await, 404, "no user 1"),
        (control.rename_channel("none", "x").await, 404, "no channel none"),
        (control.remove_channel("none").await, 404, "no channel none"),
        (control.set_chat(missing, false).await, 404, "no workspace 1"),
        (control.set_limit("nobody", 1).await, 404, "no token nobody"),
        (control.revoke("nobody").await, 404, "no token nobody"),
        (control.regenerate("nobody").await.map(|_| ()), 404, "no token nobody"),
        (control.token("nobody").await.map(|_| ()), 404, "no token nobody"),
        (control.add_token(Token::personal(account.user)).await.map(|_| ()), 409, "regenerate that one"),
        (
            control.add_user(User { id: Some(account.user), ..User::default() }).await.map(|_| ()),
            409,
            "choose another",
        ),
        (
            control
                .add_workspace(Workspace { id: Some(workspace), ..Workspace::default() })
                .await
                .map(|_| ()),
            409,
            "choose another",
        ),
    ];
    for (outcome, expected, why) in cases {
        let Err(ClientError::Refused { status, error, .. }) = outcome else { panic!("{why}: {outcome:?}") };
        assert_eq!(status, expected, "{error}");
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn what_is_refused_leaves_nothing_behind() {
    let control = control();
    let account = account().await;
    let twice = |id: &str| vec![Task { id: Some(id.to_owned()), ..Task::default() }; 2];
    let lists = || vec![List { tasks: twice("twice"), ..List::default() }];
    let space = || Space { lists: lists(), ..Space::default() };
    let channels = vec![Channel { id: Some("twice".to_owned()), ..Channel::named("x") }; 2];
    let members = vec![Member::new(account.user, Role::MEMBER)];
    let workspace = Workspace { members, ..Workspace::default() };
    for refused in [
        control.add_workspace(Workspace { spaces: vec![space()], ..workspace.clone() }).await,
        control.add_workspace(Workspace { channels, ..workspace }).await,
        control.add_space(account.workspace, space()).await,
    ] {
        assert!(refused.unwrap_err().to_string().contains("twice already"));
    }
    let (_, body) = ask(&account.token.value, "/v2/team").await;
    assert_eq!(body["teams"].as_array().unwrap().len(), 1);
    let (_, body) = ask(&account.token.value, &format!("/v2/team/{}/space", account.workspace)).await;
    assert_eq!(body, json!({"spaces": []}));
}

#[tokio::test]
async fn nonsense_gets_a_json_error() {
    let control = &simulator().endpoints().control;
    let cases = [
        ("POST", "/users", "{\"nam\": 1}", "unknown field `nam`"),
        ("POST", "/users", "nonsense", "cannot read the body"),
        ("GET", "/log?tok=a", "", "unknown field `tok`"),
        ("DELETE", "/workspaces/abc", "", "cannot read the path"),
        ("POST", "/workspaces/1/channels", "{\"type\": \"room\"}", "unknown variant `room`"),
        ("PATCH", "/channels/c", "{\"type\": \"DM\"}", "unknown field `type`"),
        ("PATCH", "/tasks/t", "{\"private\": true}", "unknown field `private`"),
        ("GET", "/nothing", "", "README.md"),
        ("PUT", "/latency", "{}", "latency_ms"),
    ];
    for (method, path, body, expected) in cases {
        let method = method.parse().unwrap();
        let response = http().request(method, format!("{control}{path}")).body(body).send().await.unwrap();
        assert!(response.status().is_client_error());
        let body: Value = response.json().await.unwrap();
        assert!(body["error"].as_str().unwrap().contains(expected), "{path}: {body}");
    }
    let elsewhere = SimulatorClient::new("http://127.0.0.1:1").unwrap();
    let error = elsewhere.endpoints().await.unwrap_err().to_string();
    assert!(error.contains("is it running?"), "{error}");
    assert!(SimulatorClient::new("nonsense").is_err());
}

#[tokio::test]
async fn the_endpoints_are_told() {
    let endpoints = control().endpoints().await.unwrap();
    assert_eq!(&endpoints, simulator().endpoints());
    let value = serde_json::to_value(&endpoints).unwrap();
    assert_eq!(value["clickup_url"], json!(format!("{}/api", endpoints.api)));
}
