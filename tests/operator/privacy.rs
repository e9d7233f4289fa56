//! What a connection that uses another's token learns: a rich world, connections that ask for all sorts of things in it,
//! and a search of all that is written about them for every name and id that they must not know.

use crate::{OPERATOR, case};
use clickup_simulator::{
    client::Account,
    fault::Fault,
    messages::TokenChange,
    state::{Channel, Folder, List, Member, Refusal, Role, Space, Task, User, Workspace},
};
use serde_json::{Value, json};
use test_support::case::{Case, is, message};

/// ClickUp as the token sees it, with names that occur nowhere else.
struct World {
    account: Account,
    /// Every name, id and number in it.
    marks: Vec<String>,
    main: String,
    side: String,
    closed: String,
    mute: String,
    space: String,
    hidden: String,
    list: String,
    task: String,
    foreign: String,
    channel: String,
}

const LIMIT: u64 = 84_731;

impl World {
    async fn new(case: &Case<'_>) -> Self {
        let clickup = &case.clickup;
        let people = ["Wombat-User", "Wombat-Colleague"];
        let mut users = Vec::new();
        for name in people {
            let email = Some(format!("{}@wombat.example", name.to_lowercase()));
            users.push(
                clickup.add_user(User { name: Some(name.into()), email, ..User::default() }).await.unwrap(),
            );
        }
        let (user, colleague) = (users[0], users[1]);
        let token = clickup.add_token(clickup_simulator::state::Token::personal(user)).await.unwrap();
        let limit = TokenChange { limit: Some(LIMIT), ..TokenChange::default() };
        clickup.change_token(&token.name, limit).await.unwrap();
        let workspace = async |name: &str, role: Role| {
            let members = vec![Member::new(colleague, Role::OWNER), Member::new(user, role)];
            clickup
                .add_workspace(Workspace { name: name.into(), members, ..Workspace::default() })
                .await
                .unwrap()
        };
        let main = workspace("Wombat-Main", Role::MEMBER).await;
        let side = workspace("Wombat-Side", Role::GUEST).await;
        let twins =
            [workspace("Wombat-Twin", Role::ADMIN).await, workspace("Wombat-Twin", Role::MEMBER).await];
        let closed = workspace("Wombat-Closed", Role::MEMBER).await;
        clickup.refuse(&token.name, Refusal::by(closed)).await.unwrap();
        let mute = workspace("Wombat-Mute", Role::MEMBER).await;
        clickup.set_chat(mute, false).await.unwrap();
        let foreign = clickup
            .add_workspace(Workspace {
                name: "Wombat-Foreign".into(),
                members: vec![Member::new(colleague, Role::OWNER)],
                ..Workspace::default()
            })
            .await
            .unwrap();
        let named = |name: &str| Space { name: name.into(), ..Space::default() };
        let space = clickup.add_space(main, named("Wombat-Space")).await.unwrap();
        let pair = [
            clickup.add_space(main, named("Wombat-Pair")).await.unwrap(),
            clickup.add_space(main, named("Wombat-Pair")).await.unwrap(),
        ];
        let private = Space { private: true, members: vec![colleague], ..named("Wombat-Hidden") };
        let hidden = clickup.add_space(main, private).await.unwrap();
        let outside = clickup.add_space(foreign, named("Wombat-Outside")).await.unwrap();
        let folder = Folder { name: "Wombat-Folder".into(), ..Folder::default() };
        let folder = clickup.add_folder(space, folder).await.unwrap();
        let a_list = |name: &str| List { name: name.into(), ..List::default() };
        let list = clickup.add_list_to_folder(folder, a_list("Wombat-List")).await.unwrap();
        let foreign_list = clickup.add_list_to_space(outside, a_list("Wombat-Foreign-List")).await.unwrap();
        let task = Task { name: "Wombat-Task".into(), ..Task::default() };
        let task = clickup.add_task(list, task).await.unwrap();
        let mut channels = Vec::new();
        for name in ["Wombat-Channel", "Wombat-Double", "Wombat-Double", "Wombat-Other-Channel"] {
            channels.push(clickup.add_channel(main, Channel::named(name)).await.unwrap());
        }
        let ids =
            [main, side, twins[0], twins[1], closed, mute, foreign, space, pair[0], pair[1], hidden, outside];
        let mut marks: Vec<_> =
            ids.iter().chain([&folder, &list, &foreign_list]).map(ToString::to_string).collect();
        marks.extend(users.iter().map(ToString::to_string));
        marks.extend(channels.iter().cloned().chain([task.clone(), LIMIT.to_string(), token.value.clone()]));
        marks.extend(token.value.rsplit('_').next().map(str::to_owned));
        let names = [
            "Main",
            "Side",
            "Twin",
            "Closed",
            "Mute",
            "Foreign",
            "Space",
            "Pair",
            "Hidden",
            "Outside",
            "Folder",
            "List",
            "Foreign-List",
            "Task",
            "Channel",
            "Double",
            "Other-Channel",
            "User",
            "Colleague",
            "Error",
        ];
        marks.extend(names.iter().map(|name| format!("Wombat-{name}")));
        marks.extend(
            ["wombat.example", "Wombat-Display", "Wombat-Purpose", "wombat-secret", "wombat-key"]
                .map(Into::into),
        );
        let text = |id: &dyn ToString| id.to_string();
        Self {
            main: text(&main),
            side: text(&side),
            closed: text(&closed),
            mute: text(&mute),
            space: text(&space),
            hidden: text(&hidden),
            list: text(&list),
            foreign: text(&foreign_list),
            channel: channels[0].clone(),
            task,
            marks,
            account: Account { user, workspace: main, token },
        }
    }

    /// The marks in a text that are neither named by a spec nor what it resolves to.
    fn told(&self, text: &str, spec: &Value, resolved: &[&str]) -> Vec<&str> {
        let spec = spec.to_string();
        let knows = |mark: &str| mentions(&spec, mark) || resolved.contains(&mark);
        self.marks.iter().map(String::as_str).filter(|mark| mentions(text, mark) && !knows(mark)).collect()
    }
}

/// Whether a mark stands in a text, and not only as a part of another word or number.
fn mentions(text: &str, mark: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    text.match_indices(mark)
        .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + mark.len()..].chars().next()))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uses_anothers_token_learns_only_about_what_its_spec_names() {
    let own = case("private-world").await;
    let user = own.beside("curious", json!({})).await;
    let world = World::new(&own).await;
    let World { main, side, closed, mute, space, hidden, list, task, foreign, channel, .. } = &world;
    own.secret_with("wombat-secret", json!({"stringData": {"wombat-key": world.account.token.value}})).await;
    let at_home = json!({"displayName": "Wombat-Display", "description": "Wombat-Purpose", "sharing": {"scope": "Cluster"},
        "tokenSecretRef": {"name": "wombat-secret", "key": "wombat-key"}, "defaultWorkspace": {"name": "Wombat-Mian"},
        "channel": {"name": "Wombat-Channel"}});
    own.connection("wombat-owner", at_home.clone()).await;
    let object = own.until_ready("wombat-owner", "False", "WorkspaceNotFound").await;
    let told = world.told(&object["status"].to_string(), &at_home, &[]);
    assert!(told.contains(&"Wombat-Main") && told.contains(&main.as_str()), "the test is void: {told:?}");

    let in_main = |more: Value| {
        let mut spec = json!({"defaultWorkspace": {"id": main}});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let named_main = ["Wombat-Main"];
    // What is asked for, how that ends, and what it resolves to.
    let rows: Vec<(&str, Value, &str, Vec<&str>)> = vec![
        ("nothing", json!({}), "Verified", vec![]),
        ("by-name", json!({"defaultWorkspace": {"name": "Wombat-Main"}}), "Verified", vec![main]),
        ("by-id", in_main(json!({})), "Verified", named_main.into()),
        ("misspelt", json!({"defaultWorkspace": {"name": "Wombat-Mian"}}), "WorkspaceNotFound", vec![]),
        ("lower-case", json!({"defaultWorkspace": {"name": "wombat-side"}}), "WorkspaceNotFound", vec![]),
        ("id-cut", json!({"defaultWorkspace": {"id": &main[1..]}}), "WorkspaceNotFound", vec![]),
        ("twin", json!({"defaultWorkspace": {"name": "Wombat-Twin"}}), "WorkspaceAmbiguous", vec![]),
        (
            "closed",
            json!({"defaultWorkspace": {"id": closed}}),
            "WorkspaceAccessDenied",
            vec!["Wombat-Closed"],
        ),
        (
            "required",
            json!({"requiredWorkspaces": [{"id": main}, {"name": "Wombat-Side"}, {"name": "Wombat-Twin"}, {"name": "Wombat-Cloesd"}]}),
            "WorkspaceAmbiguous",
            vec!["Wombat-Main", side],
        ),
        ("role-without-default", json!({"minimumRole": "Guest"}), "WorkspaceNotSelected", vec![]),
        (
            "role",
            json!({"defaultWorkspace": {"name": "Wombat-Side"}, "minimumRole": "Admin"}),
            "RoleTooLow",
            vec![side],
        ),
        ("channel-nowhere", json!({"channel": {"name": "Wombat-Channel"}}), "WorkspaceNotSelected", vec![]),
        (
            "channel",
            in_main(json!({"channel": {"name": "Wombat-Channel"}})),
            "Verified",
            vec!["Wombat-Main", channel],
        ),
        (
            "channel-by-id",
            in_main(json!({"channel": {"id": channel}})),
            "Verified",
            vec!["Wombat-Main", "Wombat-Channel"],
        ),
        (
            "channel-misspelt",
            in_main(json!({"channel": {"name": "Wombat-Chanel"}})),
            "ChannelNotFound",
            named_main.into(),
        ),
        (
            "channel-twice",
            in_main(json!({"channel": {"name": "Wombat-Double"}})),
            "ChannelAmbiguous",
            named_main.into(),
        ),
        (
            "channel-unpaid",
            json!({"defaultWorkspace": {"id": mute}, "channel": {"name": "Wombat-Channel"}}),
            "PlanRequired",
            vec!["Wombat-Mute"],
        ),
        (
            "channel-closed",
            json!({"defaultWorkspace": {"id": closed}, "channel": {"id": "6-1-8"}}),
            "WorkspaceAccessDenied",
            vec!["Wombat-Closed"],
        ),
        (
            "spaces",
            in_main(
                json!({"access": [{"space": {"name": "Wombat-Space"}}, {"list": {"id": list}}, {"task": {"id": task}}]}),
            ),
            "Verified",
            vec!["Wombat-Main", space],
        ),
        (
            "space-misspelt",
            in_main(
                json!({"access": [{"space": {"name": "Wombat-Spaec"}}, {"space": {"name": "wombat-hidden"}}]}),
            ),
            "AccessDenied",
            named_main.into(),
        ),
        (
            "space-twice",
            in_main(json!({"access": [{"space": {"name": "Wombat-Pair"}}]})),
            "AccessDenied",
            named_main.into(),
        ),
        (
            "not-to-be-seen",
            json!({"access": [{"space": {"id": hidden}}, {"list": {"id": foreign}}, {"folder": {"id": "7"}}, {"task": {"id": "none"}}]}),
            "AccessDenied",
            vec![],
        ),
        (
            "not-its-space",
            json!({"access": [{"space": {"name": "Wombat-Space"}}]}),
            "WorkspaceNotSelected",
            vec![],
        ),
    ];
    for (name, spec, ..) in &rows {
        let mut spec = spec.clone();
        spec["connectionRef"] = own.reference("wombat-owner");
        // Its name is known, being in the reference.
        user.connection(name, spec).await;
    }
    let check = async |round: &str, wanted: &dyn Fn(&Value, &str) -> bool| {
        for (name, spec, reason, resolved) in &rows {
            let object = user.until(name, &format!("judged {round}"), |s| wanted(s, reason)).await;
            let told = world.told(&object["status"].to_string(), spec, resolved);
            assert_eq!(told, [""; 0], "{name} {round}: {:#}", object["status"]);
            let all = object["status"].to_string();
            let known = resolved.iter().filter(|r| mentions(&all, r)).count();
            // What it may know it is told; of a space by its name the id is of no use.
            assert!(
                round != "at first"
                    || known + usize::from(resolved.contains(&space.as_str())) >= resolved.len(),
                "{name}: {all}"
            );
        }
    };
    check("at first", &|s, reason| is(s, "Ready").1 == reason).await;

    // What ClickUp says of itself is not passed on either.
    let broken =
        Fault::for_token(&world.account.token.name).error(503, "WOMBAT", "Wombat-Error in Wombat-Twin");
    let fault = own.clickup.add_fault(broken).await.unwrap();
    for (name, ..) in &rows {
        user.annotate(name, "1").await;
    }
    check("in an outage", &|s, _| {
        s["lastHandledReconcileAt"] == "1" && is(s, "Reachable").1 == "ServerError"
    })
    .await;
    own.clickup.remove_fault(fault).await.unwrap();
    let dead = own.clickup.regenerate(&world.account.token.name).await.unwrap();
    own.secret_with("wombat-secret", json!({"stringData": {"wombat-key": "pk_1_WOMBAT"}})).await;
    check("with a dead token", &|s, _| is(s, "Ready").1 == "TokenRejected").await;
    own.secret_with("wombat-secret", json!({"stringData": {"wombat-key": format!("\"{}\"", dead.value)}}))
        .await;
    check("without a token", &|s, _| is(s, "Ready").1 == "ConnectionNotReady").await;
    own.no_secret("wombat-secret").await;
    own.until_ready("wombat-owner", "False", "SecretNotFound").await;
    check("without a Secret", &|s, _| is(s, "Ready").1 == "ConnectionNotReady").await;
    own.edit("wombat-owner", json!({"spec": {"sharing": null}})).await;
    check("when not shared", &|s, _| is(s, "Ready").1 == "ConnectionNotShared").await;
    let said = message(&user.get("nothing").await["status"], "Ready").to_owned();
    assert!(!said.contains("wombat") && !said.contains(&own.namespace), "{said}");

    let events = user.published_events().await;
    assert!(events.len() > rows.len(), "the test is void: {events:?}");
    for event in events {
        let name = event.regarding.as_ref().and_then(|r| r.name.clone()).unwrap_or_default();
        let (_, spec, _, resolved) = rows.iter().find(|(n, ..)| *n == name).unwrap();
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(world.told(&text, spec, resolved), [""; 0], "{text}");
    }
    let secrets = user.secrets().list(&Default::default()).await.unwrap().items;
    assert!(secrets.is_empty(), "the token is never copied");
    let audit = own.control_plane.audit_events().unwrap();
    let touched: Vec<_> = audit
        .iter()
        .filter(|e| e.user == OPERATOR && e.resource == "secrets" && e.namespace == user.namespace)
        .collect();
    assert!(touched.is_empty(), "{touched:?}");
}
