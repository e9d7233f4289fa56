//! What the simulated ClickUp answers, and how it follows changes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use clickup_simulator::messages::{Sent, WorkspaceChange};
use clickup_simulator::state::{CustomRole, Id, Member, Plan, Refusal, Role, Space, Token, User, Workspace};
use harness::*;
use serde_json::{Value, json};

async fn names(token: &str, path: &str, list: &str) -> Vec<String> {
    let (status, body) = ask(token, path).await;
    assert_eq!(status, 200, "{body}");
    body[list].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_owner_of_a_token_is_shown() {
    let control = control();
    let user = User {
        name: Some("Ada Example".to_owned()),
        email: Some("ada@example.com".to_owned()),
        timezone: Some("America/Chicago".to_owned()),
        ..User::default()
    };
    let user = control.add_user(user).await.unwrap();
    let token = control.add_token(Token::personal(user)).await.unwrap();
    let (status, body) = ask(&token.value, "/v2/user").await;
    assert_eq!(status, 200);
    let expected = json!({
        "id": user, "username": "Ada Example", "email": "ada@example.com", "color": "#40BC86",
        "profilePicture": null, "initials": "AE", "week_start_day": null, "global_font_support": false,
        "timezone": "America/Chicago", "undocumented_by_clickup": {"simulated": true},
    });
    assert_eq!(body["user"], expected);
    assert!(token.value.starts_with(&format!("pk_{user}_")), "{}", token.value);
}

#[tokio::test]
async fn workspaces_come_with_all_their_members() {
    let control = control();
    let owner =
        control.add_user(User { name: Some("Grace Example".to_owned()), ..User::default() }).await.unwrap();
    let pending = control.add_user(User { pending: true, ..User::default() }).await.unwrap();
    let bot = control.add_user(User::default()).await.unwrap();
    let odd = control.add_user(User::default()).await.unwrap();
    let other = control.add_user(User::default()).await.unwrap();
    let role = CustomRole { id: 998_877, name: "Automation".to_owned(), inherited_role: Some(Role::MEMBER) };
    let rootless = CustomRole { name: "Rootless".to_owned(), inherited_role: None, ..role.clone() };
    let workspace = Workspace {
        name: "Acme".to_owned(),
        members: vec![
            Member::new(owner, Role::OWNER),
            Member::new(pending, Role::MEMBER),
            Member { custom_role: Some(role), invited_by: Some(bot), ..Member::new(bot, Role(998_877)) },
            Member::new(odd, Role(17)),
            Member { custom_role: Some(rootless), ..Member::new(other, Role::MEMBER) },
        ],
        ..Workspace::default()
    };
    let id = control.add_workspace(workspace).await.unwrap();
    let token = control.add_token(Token::personal(owner)).await.unwrap();
    let (status, body) = ask(&token.value, "/v2/team").await;
    assert_eq!(status, 200);
    let team = &body["teams"][0];
    assert_eq!(team["id"], Value::String(id.to_string()), "workspace ids are text");
    assert!(id.0 > u64::from(u32::MAX), "and larger than 32 bits");
    let members = team["members"].as_array().unwrap();
    assert_eq!(members.len(), 5);
    assert_eq!(members[0]["user"]["id"], json!(owner), "user ids are numbers");
    assert_eq!(members[0]["user"]["role"], 1);
    assert_eq!(members[0]["user"]["role_key"], "owner");
    assert!(members[0].get("invited_by").is_none());
    for field in ["username", "color", "last_active", "date_joined", "profilePicture", "custom_role"] {
        assert_eq!(members[1]["user"][field], Value::Null, "{field}");
    }
    assert_eq!(members[1]["invited_by"]["id"], json!(owner));
    let custom = json!({"id": 998_877, "name": "Automation", "inherited_role": 3});
    assert_eq!(members[2]["user"]["custom_role"], custom);
    assert_eq!(members[2]["user"]["role"], 998_877);
    assert_eq!(members[3]["user"]["role"], 17);
    assert_eq!(members[3]["user"]["custom_role"], Value::Null);
    let rootless = json!({"id": 998_877, "name": "Rootless", "inherited_role": null});
    assert_eq!(members[4]["user"]["custom_role"], rootless);
    assert_eq!((&members[4]["user"]["role"], &members[4]["user"]["role_key"]), (&json!(3), &json!("custom")));
}

#[tokio::test]
async fn every_way_to_fail_with_a_token_has_its_code() {
    let personal = account().await.token;
    let oauth = control().add_token(Token::oauth(personal.user)).await.unwrap();
    let bearer = |value: &str| format!("Bearer {value}");
    let cases = [
        (String::new(), 400, "OAUTH_017"),
        (" ".to_owned(), 400, "OAUTH_017"),
        (personal.value.clone(), 200, ""),
        (bearer(&personal.value), 401, "OAUTH_019"),
        (personal.value[..20].to_owned(), 401, "OAUTH_025"),
        ("pk_1_NOBODY".to_owned(), 401, "OAUTH_025"),
        (bearer(&oauth.value), 200, ""),
        (oauth.value.clone(), 401, "OAUTH_019"),
        (bearer("nonsense"), 401, "OAUTH_019"),
        ("nonsense".to_owned(), 401, "OAUTH_019"),
        (format!("\"{}\"", personal.value), 401, "OAUTH_019"),
    ];
    for (authorization, status, ecode) in cases {
        for path in ["/v2/user", "/v2/team", "/v2/team/1/space", "/v2/nothing"] {
            if status != 200 || path == "/v2/user" {
                assert_eq!(
                    verdict(&authorization, path).await,
                    (status, ecode.to_owned()),
                    "{authorization:?} {path}"
                );
            }
        }
    }
    let (_, body) = ask("pk_1_NOBODY", "/v2/user").await;
    assert_eq!(body, json!({"err": "Token invalid", "ECODE": "OAUTH_025"}));
}

#[tokio::test]
async fn foreign_malformed_and_unknown_things_are_refused() {
    let (mine, other) = (account().await, account().await);
    let space = Space { name: "Theirs".to_owned(), ..Space::default() };
    let theirs = control().add_space(other.workspace, space).await.unwrap();
    let foreign = other.workspace;
    let cases = [
        (format!("/v2/team/{foreign}/space?archived=false"), 401, "OAUTH_027"),
        (format!("/v2/team/{foreign}/plan"), 401, "OAUTH_023"),
        (format!("/v2/team/{foreign}/seats"), 401, "OAUTH_023"),
        ("/v2/team/1/space".to_owned(), 401, "OAUTH_027"),
        ("/v2/team/abc/space".to_owned(), 400, "INPUT_003"),
        ("/v2/team//space".to_owned(), 400, "INPUT_003"),
        ("/v2/team/99999999999999999999/space".to_owned(), 500, "SHARD_001"),
        (format!("/v2/space/{theirs}"), 401, "OAUTH_027"),
        ("/v2/space/1".to_owned(), 401, "OAUTH_027"),
        ("/v2/space/x".to_owned(), 400, "INPUT_003"),
        ("/v2/nothing".to_owned(), 404, "APP_001"),
    ];
    for (path, status, ecode) in cases {
        assert_eq!(verdict(&mine.token.value, &path).await, (status, ecode.to_owned()), "{path}");
    }
    let post = http().post(format!("{}/v2/user", simulator().clickup_url()));
    let response = post.header("authorization", &mine.token.value).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn spaces_are_shown_to_those_who_may_see_them() {
    let control = control();
    let account = account().await;
    let guest = control.add_user(User::default()).await.unwrap();
    control.put_member(account.workspace, Member::new(guest, Role::GUEST)).await.unwrap();
    let guest_token = control.add_token(Token::personal(guest)).await.unwrap().value;
    let space = |name: &str, private, members, archived| Space {
        id: None,
        name: name.to_owned(),
        private,
        members,
        archived,
        ..Space::default()
    };
    let mut ids = Vec::new();
    for space in [
        space("open", false, vec![], false),
        space("private", true, vec![], false),
        space("mine", true, vec![account.user], false),
        space("guest's", false, vec![guest], false),
        space("old", false, vec![], true),
    ] {
        ids.push(control.add_space(account.workspace, space).await.unwrap());
    }
    let owner = &account.token.value;
    let path = format!("/v2/team/{}/space?archived=false", account.workspace);
    assert_eq!(names(owner, &path, "spaces").await, ["open", "mine", "guest's"]);
    assert_eq!(names(&guest_token, &path, "spaces").await, ["guest's"]);
    let archived = path.replace("false", "true");
    assert_eq!(names(owner, &archived, "spaces").await, ["old"]);
    assert_eq!(status(owner, &format!("/v2/space/{}", ids[1])).await, 401);
    assert_eq!(status(&guest_token, &format!("/v2/space/{}", ids[0])).await, 401);
    let (_, body) = ask(owner, &format!("/v2/space/{}", ids[2])).await;
    assert_eq!(body["id"], Value::String(ids[2].to_string()));
    assert_eq!(body["name"], "mine");
    control.remove_space(ids[2]).await.unwrap();
    assert_eq!(names(owner, &path, "spaces").await, ["open", "guest's"]);
}

#[tokio::test]
async fn a_workspace_can_refuse_a_valid_token() {
    let control = control();
    let account = account().await;
    let (token, name, workspace) = (&account.token.value, &account.token.name, account.workspace);
    let space = control.add_space(workspace, Space::default()).await.unwrap();
    let path = format!("/v2/team/{workspace}/space?archived=false");
    for (http_status, ecode) in [(401, "ACCESS_083"), (403, "ACCESS_083"), (403, "ACCESS_999")] {
        let refusal = Refusal { status: http_status, ecode: ecode.to_owned(), ..Refusal::by(workspace) };
        control.refuse(name, refusal).await.unwrap();
        let (status, body) = ask(token, &path).await;
        assert_eq!((status, body["ECODE"].as_str()), (http_status, Some(ecode)));
        assert_eq!(body["invalid_permissions"], json!(["can_use_public_api_dev_key"]));
        assert_eq!(status_of_all(token, workspace, space).await, [http_status; 3]);
        assert_eq!(status_of_user_and_team(token).await, [200, 200]);
    }
    control.admit(name, workspace).await.unwrap();
    assert_eq!(status(token, &path).await, 200);
}

async fn status_of_all(token: &str, workspace: Id, space: Id) -> [u16; 3] {
    [
        status(token, &format!("/v2/team/{workspace}/plan")).await,
        status(token, &format!("/v2/team/{workspace}/seats")).await,
        status(token, &format!("/v2/space/{space}")).await,
    ]
}

async fn status_of_user_and_team(token: &str) -> [u16; 2] {
    [status(token, "/v2/user").await, status(token, "/v2/team").await]
}

#[tokio::test]
async fn tokens_die_and_are_born() {
    let control = control();
    let old = account().await.token;
    assert_eq!(status(&old.value, "/v2/user").await, 200);
    let new = control.regenerate(&old.name).await.unwrap();
    assert_ne!(new.value, old.value);
    assert_eq!(verdict(&old.value, "/v2/user").await, (401, "OAUTH_025".to_owned()));
    assert_eq!(status(&new.value, "/v2/user").await, 200);
    control.revoke(&old.name).await.unwrap();
    assert_eq!(verdict(&new.value, "/v2/user").await, (401, "OAUTH_025".to_owned()));
    assert!(!control.token(&old.name).await.unwrap().live);
    let newest = control.regenerate(&old.name).await.unwrap();
    assert_eq!(status(&newest.value, "/v2/user").await, 200);
    let log = control.wait_for_requests(&old.name, "/v2/user", 5, PATIENCE).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.live).collect::<Vec<_>>(), [true, false, true, false, true]);
    let oauth = control.add_token(Token::oauth(old.user)).await.unwrap();
    control.revoke(&oauth.name).await.unwrap();
    let bearer = format!("Bearer {}", oauth.value);
    assert_eq!(verdict(&bearer, "/v2/user").await, (401, "OAUTH_019".to_owned()));
    assert_eq!(control.log(&query(&oauth.name)).await.unwrap().entries[0].sent, Sent::Bearer);
}

fn query(token: &str) -> clickup_simulator::messages::LogQuery {
    clickup_simulator::messages::LogQuery { token: Some(token.to_owned()), ..Default::default() }
}

#[tokio::test]
async fn workspaces_change_under_a_token() {
    let control = control();
    let account = account().await;
    let token = &account.token.value;
    assert_eq!(names(token, "/v2/team", "teams").await, ["Acme"]);
    control.rename_workspace(account.workspace, "Acme Ltd").await.unwrap();
    let second = Workspace { name: "Second".to_owned(), ..Workspace::default() };
    let second = control.add_workspace(second).await.unwrap();
    assert_eq!(names(token, "/v2/team", "teams").await, ["Acme Ltd"]);
    control.put_member(second, Member::new(account.user, Role::GUEST)).await.unwrap();
    assert_eq!(names(token, "/v2/team", "teams").await, ["Acme Ltd", "Second"]);
    control.put_member(second, Member::new(account.user, Role::ADMIN)).await.unwrap();
    let (_, body) = ask(token, "/v2/team").await;
    assert_eq!(body["teams"][1]["members"].as_array().unwrap().len(), 1);
    assert_eq!(body["teams"][1]["members"][0]["user"]["role"], 2);
    let custom = CustomRole { id: 5, name: "Auditor".to_owned(), inherited_role: Some(Role(9)) };
    let auditor = Member { custom_role: Some(custom), ..Member::new(account.user, Role(9)) };
    control.put_member(second, auditor).await.unwrap();
    let (_, body) = ask(token, "/v2/team").await;
    let user = &body["teams"][1]["members"][0]["user"];
    assert_eq!(user["role"], 9);
    assert_eq!(user["custom_role"], json!({"id": 5, "name": "Auditor", "inherited_role": 9}));
    control.remove_member(account.workspace, account.user).await.unwrap();
    assert_eq!(names(token, "/v2/team", "teams").await, ["Second"]);
    assert_eq!(status(token, &format!("/v2/team/{}/space", account.workspace)).await, 401);
    control.remove_workspace(second).await.unwrap();
    assert_eq!(names(token, "/v2/team", "teams").await, Vec::<String>::new());
}

#[tokio::test]
async fn plans_and_seats() {
    let control = control();
    let account = account().await;
    let plan = Plan { id: 4, name: "Enterprise".to_owned() };
    let change = WorkspaceChange { plan: Some(plan), extra_members: Some(9), ..WorkspaceChange::default() };
    control.change_workspace(account.workspace, change).await.unwrap();
    let guest = control.add_user(User::default()).await.unwrap();
    control.put_member(account.workspace, Member::new(guest, Role::GUEST)).await.unwrap();
    let (_, plan) = ask(&account.token.value, &format!("/v2/team/{}/plan", account.workspace)).await;
    assert_eq!(plan, json!({"plan_name": "Enterprise", "plan_id": 4}));
    let (_, seats) = ask(&account.token.value, &format!("/v2/team/{}/seats", account.workspace)).await;
    assert_eq!(seats["members"]["filled_members_seats"], 10);
    assert_eq!(seats["guests"]["filled_guest_seats"], 1);
    assert_eq!(seats["guests"]["total_guest_seats"], "Infinity");
}

#[tokio::test]
async fn ten_thousand_members_arrive_whole() {
    let control = control();
    let account = account().await;
    let change = WorkspaceChange { extra_members: Some(10_000), ..WorkspaceChange::default() };
    control.change_workspace(account.workspace, change).await.unwrap();
    let response = get(&account.token.value, "/v2/team").await.unwrap();
    let body = response.bytes().await.unwrap();
    assert!((4_000_000..5_000_000).contains(&body.len()), "{}", body.len());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["teams"][0]["members"].as_array().unwrap().len(), 10_001);
}
