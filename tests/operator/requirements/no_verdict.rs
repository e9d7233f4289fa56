//! What is kept and what is decided where ClickUp cannot be asked about an id.

use super::{Nodes, Requirements};
use crate::case;
use clickup_simulator::{
    fault::Fault,
    state::{Channel, Member, Role, Space, Workspace},
};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::case::{SOON, is, message};

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_during_an_outage_touches_what_it_is_about() {
    let case = case("touched").await;
    let channels = vec![Channel::named("general"), Channel::named("random")];
    let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
    let (first, second) =
        (case.nodes(&account, Space::default()).await, case.nodes(&account, Space::default()).await);
    let list = |nodes: &Nodes| json!([{"list": {"id": nodes.list}}]);
    let here = json!({"id": account.workspace.to_string()});
    let spec = json!({"defaultWorkspace": here, "channel": {"name": "general"}, "access": list(&first),
        "minimumRole": "Member"});
    case.demand("bot", &account, spec).await;
    case.until_ready("bot", "True", "Verified").await;
    for path in ["/v2/team/*", "/v2/list/*", "/v3/*"] {
        case.fault(Fault::for_token(&account.token.name).on(path).error(503, "", "down")).await;
    }
    case.annotate("bot", "1").await;
    let object = case.until_handled("bot", "1").await;
    let since = |object: &Value| {
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let reachable = conditions.iter().find(|c| c["type"] == "Reachable").unwrap();
        (reachable["status"].clone(), reachable["lastTransitionTime"].clone())
    };
    let outage = since(&object);
    assert_eq!(outage.0, "False");
    let (general, none) = (json!("general"), Value::Null);
    let (stands, open, absent) = ("True", "Unknown", "");
    // The edit; Ready, WorkspacesResolved, ChannelResolved, AccessVerified; the channel shown.
    let steps = [
        (json!({"displayName": "x", "interval": "20m"}), stands, [stands, stands, stands], &general),
        (json!({"channel": {"name": "random"}}), open, [stands, open, stands], &none),
        (json!({"channel": null}), stands, [stands, absent, stands], &none),
        (json!({"access": list(&second)}), open, [stands, absent, open], &none),
        // The role is known from what was answered.
        (json!({"access": null}), stands, [stands, absent, stands], &none),
        (json!({"minimumRole": null}), stands, [stands, absent, absent], &none),
        (json!({"requiredWorkspaces": [here]}), open, [open, absent, absent], &none),
    ];
    for ((patch, ready, conditions, channel), generation) in steps.into_iter().zip(2..) {
        case.edit("bot", json!({"spec": patch})).await;
        let object = case.until("bot", "observed", |s| s["observedGeneration"] == generation).await;
        let status = &object["status"];
        assert_eq!(is(status, "Ready").0, ready, "{patch}");
        let types = ["WorkspacesResolved", "ChannelResolved", "AccessVerified"];
        assert_eq!(types.map(|condition| is(status, condition).0), conditions, "{patch}");
        assert_eq!(status["channel"]["name"], *channel, "{patch}");
        assert_eq!(is(status, "Authenticated").0, "True", "{patch}");
        assert_eq!(since(&object), outage, "{patch}: one outage");
    }
    case.clickup.clear_faults(Some(&account.token.name)).await.unwrap();
    case.annotate("bot", "2").await;
    case.until_ready("bot", "True", "Verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_about_an_id_is_no_answer_about_it() {
    let case = case("no-verdict").await;
    let fault = || Fault::for_token("");
    let rows = [
        ("space", "/v2/space/*", fault().error(503, "", "down"), "ServerError"),
        ("folder", "/v2/folder/*", fault().error(403, "", "no"), "RequestRefused"),
        ("list", "/v2/list/*", fault().html(200), "UnexpectedResponse"),
        ("task", "/v2/task/*", fault().reset(), "ConnectFailed"),
        ("slow", "/v2/task/*", fault().delay(Duration::from_secs(30)), "TimedOut"),
        ("limit", "/v2/list/*", fault().rate_limited().set_header("retry-after", "30"), "RateLimited"),
        ("chat", "/v3/*", fault().error(500, "", "down"), "ServerError"),
        ("spaces", "/v2/team/*", fault().truncated(5), "UnexpectedResponse"),
    ];
    for (name, path, fault, reason) in &rows {
        let channels = vec![Channel::named("general")];
        let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
        let nodes = case.nodes(&account, Space { name: "Engineering".into(), ..Space::default() }).await;
        let mut access = nodes.all();
        access.push(json!({"space": {"name": "Engineering"}}));
        let spec = json!({"channel": {"name": "general"}, "access": access, "timeout": "3s"});
        case.demand(name, &account, spec.clone()).await;
        case.until_ready(name, "True", "Verified").await;
        let fault = Fault { token: Some(account.token.name.clone()), ..fault.clone() };
        case.fault(fault.on(*path)).await;
        case.annotate(name, "1").await;
        let object = case.until_handled(name, "1").await;
        let status = &object["status"];
        assert_eq!(is(status, "Ready"), ("True", "Verified"), "{name}: the grace runs");
        assert_eq!(is(status, "Reachable"), ("False", *reason), "{name}");
        for condition in ["Authenticated", "WorkspacesResolved", "ChannelResolved", "AccessVerified"] {
            assert_eq!(is(status, condition).0, "True", "{name} {condition}");
        }
        assert_eq!(status["channel"]["name"], "general", "{name}");
        // Who was never verified has no grace.
        case.demand(&format!("{name}-new"), &account, spec).await;
        let object = case.until_ready(&format!("{name}-new"), "Unknown", reason).await;
        let about = match *name {
            "chat" => "ChannelResolved",
            "spaces" => "WorkspacesResolved",
            _ => "AccessVerified",
        };
        assert_eq!(is(&object["status"], about), ("Unknown", *reason), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_no_decides_whatever_the_others_could_not_say() {
    let case = case("one-no").await;
    for (name, path, condition, reason) in [
        ("access", "/v2/task/*", "AccessVerified", "AccessDenied"),
        ("role", "/v2/task/*", "AccessVerified", "RoleTooLow"),
        ("workspaces", "/v2/team/*", "WorkspacesResolved", "WorkspaceNotFound"),
        ("malformed", "/v2/task/*", "AccessVerified", "AccessDenied"),
    ] {
        let account = case.owner(Workspace::default()).await;
        case.clickup.put_member(account.workspace, Member::new(account.user, Role::MEMBER)).await.unwrap();
        let nodes = case.nodes(&account, Space::default()).await;
        let spec = match name {
            "access" => json!({"access": [{"task": {"id": nodes.task}}, {"list": {"id": "9"}}]}),
            "role" => json!({"access": [{"task": {"id": nodes.task}}], "minimumRole": "Admin"}),
            "workspaces" => json!({"requiredWorkspaces": [{"id": "404"}]}),
            _ => json!({"access": [{"task": {"id": nodes.task}}]}),
        };
        let down = Fault::for_token(&account.token.name).on(path);
        let answer = name == "malformed";
        let fault = if answer { down.error(400, "INPUT_003", "bad id") } else { down.error(503, "", "down") };
        case.fault(fault).await;
        case.demand(name, &account, spec).await;
        let object = case.until_ready(name, "False", reason).await;
        assert_eq!(is(&object["status"], condition), ("False", reason), "{name}");
        let reachable = if answer { ("True", "ResponseReceived") } else { ("False", "ServerError") };
        assert_eq!(is(&object["status"], "Reachable"), reachable, "{name}");
        if answer {
            let said = message(&object["status"], condition);
            assert!(said.contains(&format!("task {} (not found)", nodes.task)), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_seems_dead_to_an_id_is_asked_about_itself_at_once() {
    let case = case("seems-dead").await;
    let rows = [("list", "/v2/list/*"), ("space", "/v2/space/*"), ("chat", "/v3/*"), ("gone", "/v2/task/*")];
    for (name, path) in rows {
        let channels = vec![Channel::named("general")];
        let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
        let nodes = case.nodes(&account, Space::default()).await;
        let spec = json!({"channel": {"name": "general"}, "access": nodes.all()});
        case.demand(name, &account, spec).await;
        case.until_ready(name, "True", "Verified").await;
        let token = &account.token.name;
        let dead = |fault: Fault| fault.error(401, "OAUTH_025", "Token invalid");
        case.fault(dead(Fault::for_token(token).on(path).times(1))).await;
        if name == "gone" {
            // It dies between the question about itself and the one about the task.
            case.fault(dead(Fault::for_token(token).on("/v2/user").after(1))).await;
        }
        case.annotate(name, "1").await;
        let users = case.clickup.wait_for_requests(token, "/v2/user", 3, SOON).await.unwrap();
        let (second, third) = (users[1].time_ms, users[2].time_ms);
        assert!(third - second < 5000, "{name}: at once, not after {} ms", third - second);
        if name == "gone" {
            let object = case.until_ready(name, "False", "TokenRejected").await;
            assert_eq!(is(&object["status"], "ChannelResolved"), ("Unknown", "NotChecked"));
            let users = case.clickup.wait_for_requests(token, "/v2/user", 4, SOON).await.unwrap();
            assert!(users.len() == 4 && users[3].time_ms - third >= 10_000, "a second rejection: {users:?}");
            continue;
        }
        let object = case.until_handled(name, "1").await;
        let status = &object["status"];
        assert_eq!(is(status, "Ready"), ("True", "Verified"), "{name}");
        assert_eq!(is(status, "Authenticated"), ("True", "TokenAccepted"), "{name}");
        assert_eq!(is(status, "Reachable"), ("False", "RequestRefused"), "{name}");
        assert_eq!(case.clickup.requests(token, "/v2/user").await.unwrap(), 3, "{name}: once more");
    }
}
