//! The channels of a workspace's chat: pages, who sees what, and how they are refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use clickup_simulator::Fault;
use clickup_simulator::client::Account;
use clickup_simulator::messages::{PlaceChange, WorkspaceChange};
use clickup_simulator::state::{
    Channel, ChannelKind, CustomRole, Id, LastCursor, Member, Refusal, Role, Token, User, Workspace,
};
use harness::*;
use serde_json::{Value, json};

fn path_of(workspace: Id) -> String {
    format!("/v3/workspaces/{workspace}/chat/channels")
}

/// One page, and its cursor if there is another.
async fn page(token: &str, path: &str, query: &[(&str, &str)]) -> (Value, Option<String>) {
    let url = format!("{}{path}", simulator().clickup_url());
    let url = reqwest::Url::parse_with_params(&url, query).unwrap();
    let response = http().get(url).header("authorization", token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let page: Value = response.json().await.unwrap();
    let cursor = page["next_cursor"].as_str().filter(|cursor| !cursor.is_empty()).map(str::to_owned);
    (page, cursor)
}

fn names_in(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|channel| channel["name"].as_str().unwrap().to_owned()).collect()
}

async fn names(token: &str, workspace: Id) -> Vec<String> {
    names_in(&page(token, &path_of(workspace), &[("limit", "100")]).await.0)
}

async fn with_channels(channels: Vec<Channel>) -> Account {
    let workspace = Workspace { channels, ..Workspace::default() };
    control().add_account_with(workspace, |token| token.limit = Some(10_000)).await.unwrap()
}

fn numbered(count: usize) -> Vec<Channel> {
    (0..count).map(|number| Channel::named(format!("c{number}"))).collect()
}

#[tokio::test]
async fn a_channel_is_shown_with_what_it_is() {
    let account = with_channels(vec![
        Channel { id: Some("6-77-8".to_owned()), ..Channel::named("general") },
        Channel { archived: true, ..Channel::named("old") },
    ])
    .await;
    let (workspace, owner) = (account.workspace, account.user);
    let direct = |kind| Channel { kind, members: vec![owner], ..Channel::named("") };
    for channel in [direct(ChannelKind::Dm), direct(ChannelKind::GroupDm), Channel::named("general")] {
        control().add_channel(workspace, channel).await.unwrap();
    }
    let (page, _) = page(&account.token.value, &path_of(workspace), &[]).await;
    let data = page["data"].as_array().unwrap();
    let seen: Vec<_> = data
        .iter()
        .map(|channel| json!([channel["name"], channel["type"], channel["visibility"], channel["archived"]]))
        .collect();
    let expected = json!([
        ["general", "CHANNEL", "PUBLIC", false],
        ["old", "CHANNEL", "PUBLIC", true],
        ["", "DM", "PRIVATE", false],
        ["", "GROUP_DM", "PRIVATE", false],
        ["general", "CHANNEL", "PUBLIC", false],
    ]);
    assert_eq!(Value::Array(seen), expected);
    assert_eq!(data[0]["id"], "6-77-8");
    assert_ne!(data[0]["id"], data[4]["id"]);
    for channel in data {
        assert_eq!(channel["workspace_id"], json!(workspace.to_string()));
        assert_eq!(channel["creator"], json!(owner.to_string()));
    }
}

#[tokio::test]
async fn pages_follow_each_other_by_their_cursors() {
    // Channels, limit (none: the default), and how many a page holds.
    let cases: [(usize, Option<&str>, &[usize]); 9] = [
        (0, None, &[0]),
        (1, Some("1"), &[1]),
        (5, Some("2"), &[2, 2, 1]),
        (4, Some("2"), &[2, 2]),
        (3, Some("3"), &[3]),
        (50, None, &[50]),
        (51, None, &[50, 1]),
        (100, Some("100"), &[100]),
        (101, Some("100"), &[100, 1]),
    ];
    for (channels, limit, expected) in cases {
        let account = with_channels(numbered(channels)).await;
        let (mut sizes, mut seen, mut cursor) = (Vec::new(), Vec::new(), None::<String>);
        loop {
            let query: Vec<_> =
                [("limit", limit), ("cursor", cursor.as_deref())].into_iter().filter_map(both).collect();
            let (page, next) = page(&account.token.value, &path_of(account.workspace), &query).await;
            sizes.push(names_in(&page).len());
            seen.append(&mut names_in(&page));
            let Some(next) = next else { break };
            assert_ne!(cursor.as_ref(), Some(&next));
            cursor = Some(next);
        }
        assert_eq!(sizes, expected, "{channels} by {limit:?}");
        let all: Vec<_> = (0..channels).map(|number| format!("c{number}")).collect();
        assert_eq!(seen, all);
    }
}

fn both<'a>((name, value): (&'a str, Option<&'a str>)) -> Option<(&'a str, &'a str)> {
    value.map(|value| (name, value))
}

#[tokio::test]
async fn the_last_page_ends_in_each_of_three_ways() {
    let cases = [
        (LastCursor::Empty, Some(json!(""))),
        (LastCursor::Null, Some(Value::Null)),
        (LastCursor::Missing, None),
    ];
    let control = control();
    let account = with_channels(numbered(2)).await;
    let path = path_of(account.workspace);
    for (last_cursor, expected) in cases {
        let change = WorkspaceChange { last_cursor: Some(last_cursor), ..WorkspaceChange::default() };
        control.change_workspace(account.workspace, change).await.unwrap();
        let (first, cursor) = page(&account.token.value, &path, &[("limit", "1")]).await;
        assert!(first["next_cursor"].is_string());
        let query = [("limit", "1"), ("cursor", cursor.as_deref().unwrap())];
        let (last, _) = page(&account.token.value, &path, &query).await;
        assert_eq!(names_in(&last), ["c1"]);
        assert_eq!(last.get("next_cursor"), expected.as_ref(), "{last_cursor:?}");
    }
    // Workspaces that do not choose differ, by their ids.
    let mut ends = std::collections::BTreeSet::new();
    for id in [9_400_000_000, 9_400_000_001, 9_400_000_002] {
        let members = vec![Member::new(account.user, Role::OWNER)];
        let workspace = Workspace { id: Some(Id(id)), members, ..Workspace::default() };
        control.add_workspace(workspace).await.unwrap();
        let (page, _) = page(&account.token.value, &path_of(Id(id)), &[]).await;
        ends.insert(page.get("next_cursor").map(Value::to_string));
    }
    assert_eq!(ends.len(), 3, "{ends:?}");
}

#[tokio::test]
async fn what_changes_between_two_pages_makes_them_neither_skip_nor_repeat() {
    let control = control();
    let account = with_channels(numbered(5)).await;
    let (token, path) = (&account.token.value, path_of(account.workspace));
    let (first, cursor) = page(token, &path, &[("limit", "2")]).await;
    for gone in [&first["data"][0]["id"], &first["data"][1]["id"]] {
        control.remove_channel(gone.as_str().unwrap()).await.unwrap();
    }
    control.add_channel(account.workspace, Channel::named("new")).await.unwrap();
    let (second, _) = page(token, &path, &[("cursor", cursor.as_deref().unwrap())]).await;
    assert_eq!(names_in(&second), ["c2", "c3", "c4", "new"]);
}

#[tokio::test]
async fn channels_are_shown_to_those_who_may_see_them() {
    let control = control();
    let guest = control.add_user(User::default()).await.unwrap();
    let custom = control.add_user(User::default()).await.unwrap();
    let from_guest = CustomRole { id: 9, name: "Client".to_owned(), inherited_role: Some(Role::GUEST) };
    let workspace = Workspace {
        members: vec![
            Member::new(guest, Role::GUEST),
            Member { custom_role: Some(from_guest), ..Member::new(custom, Role(17)) },
        ],
        channels: vec![
            Channel::named("open"),
            Channel { private: true, ..Channel::named("private") },
            Channel { members: vec![guest, custom], ..Channel::named("guests") },
            Channel { kind: ChannelKind::Dm, members: vec![guest], ..Channel::named("theirs") },
        ],
        ..Workspace::default()
    };
    let account = control.add_account_with(workspace, |_| {}).await.unwrap();
    let mine = Channel { private: true, members: vec![account.user], ..Channel::named("mine") };
    control.add_channel(account.workspace, mine).await.unwrap();
    let token_of = async |user| control.add_token(Token::personal(user)).await.unwrap().value;
    let cases: [(String, &[&str]); 3] = [
        (account.token.value.clone(), &["open", "guests", "mine"]),
        (token_of(guest).await, &["guests", "theirs"]),
        (token_of(custom).await, &["guests"]),
    ];
    for (token, expected) in cases {
        assert_eq!(names(&token, account.workspace).await, expected);
    }
}

#[tokio::test]
async fn channels_come_change_and_go() {
    let control = control();
    let account = with_channels(vec![]).await;
    let (token, workspace) = (&account.token.value, account.workspace);
    let id = control.add_channel(workspace, Channel::named("alerts")).await.unwrap();
    let twin = control.add_channel(workspace, Channel::named("alerts")).await.unwrap();
    assert_ne!(id, twin);
    assert_eq!(names(token, workspace).await, ["alerts", "alerts"]);
    control.rename_channel(&id, "alarms").await.unwrap();
    assert_eq!(names(token, workspace).await, ["alarms", "alerts"]);
    control.archive_channel(&id, true).await.unwrap();
    let archived = async || page(token, &path_of(workspace), &[]).await.0["data"][0]["archived"].clone();
    assert_eq!(archived().await, true);
    control.archive_channel(&id, false).await.unwrap();
    assert_eq!(archived().await, false);
    let hidden = PlaceChange { private: Some(true), ..PlaceChange::default() };
    control.change_channel(&id, hidden).await.unwrap();
    assert_eq!(names(token, workspace).await, ["alerts"]);
    let invited = PlaceChange { members: Some(vec![account.user]), ..PlaceChange::default() };
    control.change_channel(&id, invited).await.unwrap();
    assert_eq!(names(token, workspace).await, ["alarms", "alerts"]);
    control.rename_channel(&id, "still mine").await.unwrap();
    assert_eq!(names(token, workspace).await, ["still mine", "alerts"]);
    control.remove_channel(&id).await.unwrap();
    assert_eq!(names(token, workspace).await, ["alerts"]);
    assert!(control.remove_channel(&id).await.is_err(), "it is gone");
    let direct = Channel { kind: ChannelKind::Dm, ..Channel::named("others") };
    let direct = control.add_channel(workspace, direct).await.unwrap();
    let open = PlaceChange { private: Some(false), ..PlaceChange::default() };
    control.change_channel(&direct, open).await.unwrap();
    assert_eq!(names(token, workspace).await, ["alerts"], "a direct message is never open");
    control.remove_workspace(workspace).await.unwrap();
    let gone = control.rename_channel(&twin, "x").await.unwrap_err().to_string();
    assert!(gone.contains("no channel"), "{gone}");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_in_the_form_of_version_3() {
    let account = with_channels(numbered(3)).await;
    let other = with_channels(numbered(3)).await;
    let (_, cursor) = page(&other.token.value, &path_of(other.workspace), &[("limit", "1")]).await;
    let foreign_cursor = cursor.unwrap().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let mine = path_of(account.workspace);
    let cases = [
        (path_of(other.workspace), 401, "Team not authorized"),
        (path_of(Id(1)), 401, "Team not authorized"),
        ("/v3/workspaces/abc/chat/channels".to_owned(), 400, "numeric string"),
        ("/v3/workspaces//chat/channels".to_owned(), 400, "numeric string"),
        (format!("{mine}?limit=0"), 400, "limit"),
        (format!("{mine}?limit=101"), 400, "limit"),
        (format!("{mine}?limit=-1"), 400, "limit"),
        (format!("{mine}?limit=many"), 400, "limit"),
        (format!("{mine}?cursor=nonsense"), 400, "cursor"),
        (format!("{mine}?cursor={foreign_cursor}"), 400, "cursor"),
    ];
    for (path, status, message) in cases {
        let (answered, body) = ask(&account.token.value, &path).await;
        assert_eq!(answered, status, "{path}: {body}");
        assert_eq!(body["status"], status, "{path}");
        assert!(body["message"].as_str().unwrap().contains(message), "{path}: {body}");
        assert!(body["trace_id"].is_u64() && body["timestamp"].is_u64(), "{body}");
        assert!(body.get("ECODE").is_none() && body.get("err").is_none(), "{body}");
    }
    // Escaped or not at all: a raw `+` in a query is a blank.
    let (_, cursor) = page(&account.token.value, &mine, &[("limit", "1")]).await;
    let raw = format!("{mine}?cursor={}", cursor.unwrap());
    assert_eq!(status(&account.token.value, &raw).await, 400);
}

#[tokio::test]
async fn what_the_front_door_refuses_has_a_code() {
    let control = control();
    let account = with_channels(numbered(1)).await;
    let (name, token, workspace) = (&account.token.name, &account.token.value, account.workspace);
    let path = path_of(workspace);
    let overlong = "/v3/workspaces/99999999999999999999/chat/channels";
    for (authorization, path, expected) in [
        ("", path.as_str(), (400, "OAUTH_017")),
        ("pk_1_NOBODY", &path, (401, "OAUTH_025")),
        ("Bearer nonsense", &path, (401, "OAUTH_019")),
        (token, overlong, (500, "SHARD_001")),
        (token, "/v3/workspaces/1/chat", (404, "APP_001")),
    ] {
        let (status, ecode) = verdict(authorization, path).await;
        assert_eq!((status, ecode.as_str()), expected, "{authorization} {path}");
    }
    let space = format!("/v2/team/{workspace}/space");
    let both = async || (verdict(token, &path).await, status(token, &space).await);
    let said = |status, ecode: &str, elsewhere| ((status, ecode.to_owned()), elsewhere);

    control.set_chat(workspace, false).await.unwrap();
    assert_eq!(both().await, said(403, "TEAM_110", 200));
    control.set_chat(workspace, true).await.unwrap();
    assert_eq!(both().await, said(200, "", 200));

    control.refuse(name, Refusal::by_chat_of(workspace)).await.unwrap();
    assert_eq!(both().await, said(403, "ACCESS_083", 200));
    let other = Refusal { status: 401, ecode: "ACCESS_999".to_owned(), ..Refusal::by_chat_of(workspace) };
    control.refuse(name, other).await.unwrap();
    assert_eq!(both().await, said(401, "ACCESS_999", 200));
    control.refuse(name, Refusal { ecode: "ACCESS_001".to_owned(), ..Refusal::by(workspace) }).await.unwrap();
    assert_eq!(both().await, said(403, "ACCESS_001", 403));
    control.refuse(name, Refusal::by_chat_of(workspace)).await.unwrap();
    assert_eq!(both().await, said(403, "ACCESS_001", 403));
    control.admit(name, workspace).await.unwrap();
    assert_eq!(both().await, said(200, "", 200));

    control.set_limit(name, 0).await.unwrap();
    assert_eq!(both().await, said(429, "APP_002", 429));
}

#[tokio::test]
async fn faults_and_the_log_know_the_channels() {
    let control = control();
    let account = with_channels(numbered(3)).await;
    let (name, token, path) = (&account.token.name, &account.token.value, path_of(account.workspace));
    let fault = Fault::for_token(name).on("/v3/workspaces/*/chat/channels").after(1).times(1);
    control.add_fault(fault.error(503, "", "later")).await.unwrap();
    let mut seen = Vec::new();
    for query in ["?limit=1", "?limit=2", "?limit=3"] {
        assert_eq!(status(token, "/v2/user").await, 200);
        seen.push(status(token, &format!("{path}{query}")).await);
    }
    assert_eq!(seen, [200, 503, 200]);
    assert_eq!(control.requests(name, &path).await.unwrap(), 3);
    let log = control.wait_for_requests(name, "/v3/", 3, PATIENCE).await.unwrap();
    assert_eq!(
        log.iter().map(|entry| entry.query.as_str()).collect::<Vec<_>>(),
        ["limit=1", "limit=2", "limit=3"]
    );
}
