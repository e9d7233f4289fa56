//! What a connection asks for besides its token: a channel, nodes, a role.

mod no_verdict;

use crate::case;
use clickup_simulator::{
    client::Account,
    fault::Fault,
    messages::{LogQuery, PlaceChange},
    state::{Channel, ChannelKind, CustomRole, Folder, List, Member, Refusal, Role, Space, Task, Workspace},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use test_support::case::{Case, is, message};

/// A space, and one of everything in it.
struct Nodes {
    space: String,
    folder: String,
    list: String,
    task: String,
}

impl Nodes {
    /// The entries of `access`.
    fn all(&self) -> Vec<Value> {
        let Self { space, folder, list, task } = self;
        let entries = [("space", space), ("folder", folder), ("list", list), ("task", task)];
        entries.map(|(kind, id)| json!({kind: {"id": id}})).to_vec()
    }
}

trait Requirements {
    async fn owner(&self, workspace: Workspace) -> Account;
    async fn nodes(&self, account: &Account, space: Space) -> Nodes;
    async fn demand(&self, name: &str, account: &Account, spec: Value);
    async fn asked(&self, account: &Account) -> BTreeMap<String, u64>;
    async fn fault(&self, fault: Fault);
}

impl Requirements for Case<'_> {
    /// The owner of this workspace, and a token with room for many checks.
    async fn owner(&self, workspace: Workspace) -> Account {
        let workspace = Workspace { name: self.namespace.clone(), ..workspace };
        self.clickup.add_account_with(workspace, |token| token.limit = Some(10_000)).await.unwrap()
    }

    /// Adds a space.
    async fn nodes(&self, account: &Account, space: Space) -> Nodes {
        let space = self.clickup.add_space(account.workspace, space).await.unwrap();
        let folder = self.clickup.add_folder(space, Folder::default()).await.unwrap();
        let list = self.clickup.add_list_to_folder(folder, List::default()).await.unwrap();
        let task = Task { id: Some(format!("{}_T-{space}", self.namespace)), ..Task::default() };
        let task = self.clickup.add_task(list, task).await.unwrap();
        Nodes { space: space.to_string(), folder: folder.to_string(), list: list.to_string(), task }
    }

    /// A Secret and a connection.
    async fn demand(&self, name: &str, account: &Account, spec: Value) {
        self.secret(name, &account.token.value).await;
        self.connection(name, spec).await;
    }

    /// Requests so far, by path.
    async fn asked(&self, account: &Account) -> BTreeMap<String, u64> {
        let counts = self.clickup.counts(Some(&account.token.name)).await.unwrap();
        counts.into_iter().map(|count| (count.path, count.requests)).collect()
    }

    async fn fault(&self, fault: Fault) {
        assert!(fault.token.is_some(), "a fault for everybody");
        self.clickup.add_fault(fault).await.unwrap();
    }
}

/// What every check asks.
fn basic(account: &Account, times: u64) -> BTreeMap<String, u64> {
    let paths =
        ["/v2/user".to_owned(), "/v2/team".to_owned(), format!("/v2/team/{}/space", account.workspace)];
    paths.map(|path| (path, times)).into()
}

fn chat(account: &Account) -> String {
    format!("/v3/workspaces/{}/chat/channels", account.workspace)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_found_by_id_or_name_or_it_is_said_why_not() {
    let case = case("channels").await;
    let (account, stranger) = (case.owner(Workspace::default()).await, case.account().await);
    let add = async |channel: Channel| case.clickup.add_channel(account.workspace, channel).await.unwrap();
    add(Channel::named("general")).await;
    let releases = add(Channel::named("releases")).await;
    let twins = [add(Channel::named("twin")).await, add(Channel::named("twin")).await];
    let archived = Channel { archived: true, ..Channel::named("phoenix") };
    let old = add(archived.clone()).await;
    let phoenix = add(Channel::named("phoenix")).await;
    let attic = add(Channel { name: "attic".into(), ..archived }).await;
    let board = add(Channel { private: true, ..Channel::named("board") }).await;
    let direct = Channel { kind: ChannelKind::Dm, members: vec![account.user], ..Channel::default() };
    let direct = add(direct).await;
    let group = Channel { kind: ChannelKind::GroupDm, members: vec![account.user], ..Channel::named("us") };
    add(group).await;
    let foreign = case.clickup.add_channel(stranger.workspace, Channel::named("far")).await.unwrap();
    let found = |id: &str, name: &str| json!({"id": id, "name": name});
    let near = format!("but \"releases\" ({releases})");
    let both = format!("{}, {}", twins[0], twins[1]);
    let rows = [
        ("by-name", json!({"name": "releases"}), "ChannelFound", found(&releases, "releases"), ""),
        ("by-id", json!({"id": twins[1]}), "ChannelFound", found(&twins[1], "twin"), ""),
        ("namesake-archived", json!({"name": "phoenix"}), "ChannelFound", found(&phoenix, "phoenix"), ""),
        ("ambiguous", json!({"name": "twin"}), "ChannelAmbiguous", Value::Null, both.as_str()),
        ("misspelt", json!({"name": "Relaeses"}), "ChannelNotFound", Value::Null, near.as_str()),
        ("archived", json!({"name": "attic"}), "ChannelNotFound", Value::Null, "unless it is archived"),
        ("archived-id", json!({"id": attic}), "ChannelNotFound", Value::Null, attic.as_str()),
        ("archived-twin", json!({"id": old}), "ChannelNotFound", Value::Null, old.as_str()),
        ("direct", json!({"id": direct}), "ChannelNotFound", Value::Null, direct.as_str()),
        ("group", json!({"name": "us"}), "ChannelNotFound", Value::Null, "\"us\""),
        ("private", json!({"id": board}), "ChannelNotFound", Value::Null, "add the token's user"),
        ("foreign", json!({"id": foreign}), "ChannelNotFound", Value::Null, foreign.as_str()),
    ];
    for (name, channel, ..) in &rows {
        case.demand(name, &account, json!({"channel": channel})).await;
    }
    for (name, _, reason, channel, says) in &rows {
        let ready = if channel.is_null() { ("False", *reason) } else { ("True", "Verified") };
        let object = case.until_ready(name, ready.0, ready.1).await;
        let status = &object["status"];
        assert_eq!(is(status, "ChannelResolved"), (ready.0, *reason), "{name}");
        assert_eq!(status["channel"], *channel, "{name}");
        let said = message(status, "ChannelResolved");
        assert!(said.contains(says) && !said.contains("board"), "{name}: {said}");
        assert_eq!(is(status, "WorkspacesResolved"), ("True", "WorkspacesFound"), "{name}");
    }
    let mut expected = basic(&account, 1);
    expected.insert(chat(&account), 1);
    assert_eq!(case.asked(&account).await, expected, "one list for all, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_cannot_be_read_says_why() {
    let case = case("chat").await;
    for (name, reason) in
        [("plan", "PlanRequired"), ("refused", "ChannelAccessDenied"), ("malformed", "ChannelAccessDenied")]
    {
        let account = case.owner(Workspace::default()).await;
        let (workspace, token) = (account.workspace, &account.token.name);
        match name {
            "plan" => case.clickup.set_chat(workspace, false).await.unwrap(),
            "refused" => case.clickup.refuse(token, Refusal::by_chat_of(workspace)).await.unwrap(),
            _ => case.fault(Fault::for_token(token).on(chat(&account)).error(400, "INPUT_003", "no")).await,
        }
        case.demand(name, &account, json!({"channel": {"name": "general"}})).await;
        let object = case.until_ready(name, "False", reason).await;
        assert_eq!(is(&object["status"], "ChannelResolved"), ("False", reason), "{name}");
        assert_eq!(is(&object["status"], "WorkspacesResolved").0, "True", "{name}");
        assert_eq!(is(&object["status"], "Reachable").0, "True", "{name}: an answer");
    }
    let account = case.owner(Workspace::default()).await;
    case.clickup.refuse(&account.token.name, Refusal::by(account.workspace)).await.unwrap();
    case.demand("all", &account, json!({"channel": {"name": "general"}})).await;
    let object = case.until_ready("all", "False", "WorkspaceAccessDenied").await;
    assert_eq!(is(&object["status"], "ChannelResolved"), ("False", "ChannelAccessDenied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_pages_of_channels_are_read_each_once() {
    let case = case("pages").await;
    let name = |n| if n == 110 || n == 229 { "twin".to_owned() } else { format!("c{n:03}") };
    // The first page holds nothing of use, and is not the last for that.
    let channel = |n| Channel { archived: n < 100, ..Channel::named(name(n)) };
    let channels = (0..230).map(channel).collect();
    let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
    case.demand("last", &account, json!({"channel": {"name": "c228"}})).await;
    case.until_ready("last", "True", "Verified").await;
    case.demand("twins", &account, json!({"channel": {"name": "twin"}})).await;
    case.until_ready("twins", "False", "ChannelAmbiguous").await;
    let pages = async || {
        let token = Some(account.token.name.clone());
        let query = LogQuery { token, path: Some(chat(&account)), ..LogQuery::default() };
        let entries = case.clickup.log(&query).await.unwrap().entries;
        entries.into_iter().map(|entry| entry.query).collect::<Vec<_>>()
    };
    let first = pages().await;
    assert_eq!((first.len(), first[0].as_str()), (3, "limit=100"));
    let cursor = |q: &String| q.starts_with("limit=100&cursor=") && q.ends_with("%2B%2F%3D%3D");
    assert!(first[1..].iter().all(cursor) && first[1] != first[2], "{first:?}");
    // A page that cannot be had leaves the list unread.
    let broken = Fault::for_token(&account.token.name).on(chat(&account)).after(1).times(1);
    case.fault(broken.error(400, "INPUT_003", "Invalid cursor")).await;
    case.annotate("last", "1").await;
    let object = case.until_handled("last", "1").await;
    assert_eq!(pages().await[3..], first[..2], "no page twice");
    assert_eq!(is(&object["status"], "ChannelResolved"), ("True", "ChannelFound"));
    assert_eq!(is(&object["status"], "Reachable"), ("False", "UnexpectedResponse"));
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
    // It is asked again by itself, from the first page on.
    case.until("last", "reached again", |s| is(s, "Reachable").0 == "True").await;
    assert_eq!(pages().await[5..], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_looked_up_anew_at_every_check() {
    let case = case("channel-life").await;
    let releases = || Some(Channel::named("releases"));
    let archived = Some(Channel { archived: true, ..Channel::named("releases") });
    let (renamed, packed) = (PlaceChange::name("launches"), PlaceChange::archived(true));
    // The channel, what becomes of it (nothing: it is made or deleted), and the names shown before and after.
    let rows = [
        ("created", None, None, None, Some("releases")),
        ("renamed", releases(), Some(renamed.clone()), Some("releases"), None),
        ("renamed-by-id", releases(), Some(renamed), Some("releases"), Some("launches")),
        ("archived", releases(), Some(packed.clone()), Some("releases"), None),
        ("archived-by-id", releases(), Some(packed), Some("releases"), None),
        ("unpacked", archived, Some(PlaceChange::archived(false)), None, Some("releases")),
        ("deleted", releases(), None, Some("releases"), None),
        ("deleted-by-id", releases(), None, Some("releases"), None),
    ];
    for (name, channel, change, before, after) in rows {
        let account = case.owner(Workspace::default()).await;
        let add = async |channel| case.clickup.add_channel(account.workspace, channel).await.unwrap();
        let mut id = match channel {
            Some(channel) => Some(add(channel).await),
            None => None,
        };
        let by_id = name.ends_with("by-id");
        let wanted = if by_id { json!({"id": id}) } else { json!({"name": "releases"}) };
        case.demand(name, &account, json!({"channel": wanted})).await;
        for (shown, check) in [(before, ""), (after, "1")] {
            if check == "1" {
                match (&id, &change) {
                    (Some(id), Some(change)) => {
                        case.clickup.change_channel(id, change.clone()).await.unwrap();
                    }
                    (Some(id), None) => case.clickup.remove_channel(id).await.unwrap(),
                    (None, _) => id = Some(add(Channel::named("releases")).await),
                }
                case.annotate(name, check).await;
                case.until_handled(name, check).await;
            }
            let (ready, expected) = match shown {
                Some(_) => (("True", "Verified"), ("True", "ChannelFound")),
                None => (("False", "ChannelNotFound"), ("False", "ChannelNotFound")),
            };
            let object = case.until_ready(name, ready.0, ready.1).await;
            assert_eq!(is(&object["status"], "ChannelResolved"), expected, "{name}");
            let shown = shown.map(|name| json!({"id": id, "name": name}));
            assert_eq!(object["status"]["channel"], shown.unwrap_or_default(), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_goes_with_its_workspace() {
    let case = case("channel-lost").await;
    let channels = vec![Channel::named("general")];
    let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
    let default = json!({"name": case.namespace});
    case.demand("bot", &account, json!({"defaultWorkspace": default, "channel": {"name": "general"}})).await;
    let object = case.until_ready("bot", "True", "Verified").await;
    assert_eq!(object["status"]["channel"]["name"], "general");
    case.clickup.rename_workspace(account.workspace, "Renamed").await.unwrap();
    case.annotate("bot", "1").await;
    let object = case.until_ready("bot", "False", "WorkspaceNotFound").await;
    assert_eq!(is(&object["status"], "ChannelResolved"), ("Unknown", "NotChecked"));
    assert!(object["status"]["channel"].is_null() && object["status"]["defaultWorkspace"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_is_asked_once_per_check_and_nothing_else() {
    let case = case("reached").await;
    let account = case.owner(Workspace::default()).await;
    let nodes = case.nodes(&account, Space { name: "Engineering".into(), ..Space::default() }).await;
    assert!(nodes.task.contains('_') && nodes.task.contains('-'), "the test is void");
    let mut access = nodes.all();
    access.extend([json!({"space": {"name": "Engineering"}}), json!({"list": {"id": nodes.list}})]);
    case.demand("bot", &account, json!({"access": access, "minimumRole": "Owner"})).await;
    for times in [1, 2] {
        if times == 2 {
            case.annotate("bot", "1").await;
            case.until_handled("bot", "1").await;
        }
        let object = case.until_ready("bot", "True", "Verified").await;
        assert_eq!(is(&object["status"], "AccessVerified"), ("True", "AccessGranted"));
        let mut expected = basic(&account, times);
        let Nodes { space, folder, list, task } = &nodes;
        let paths = [("space", space), ("folder", folder), ("list", list), ("task", task)];
        expected.extend(paths.map(|(kind, id)| (format!("/v2/{kind}/{id}"), times)));
        assert_eq!(case.asked(&account).await, expected);
    }
    assert_eq!(case.status_writes(), 2, "the verdict and the acknowledgement");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_not_reached_are_named_with_the_reason() {
    let case = case("denied").await;
    let (account, stranger) =
        (case.owner(Workspace::default()).await, case.owner(Workspace::default()).await);
    let space = |name: &str| Space { name: name.into(), ..Space::default() };
    let foreign = case.nodes(&stranger, space("Elsewhere")).await;
    let hidden = case.nodes(&account, Space { private: true, ..space("Board") }).await;
    let twins = [case.nodes(&account, space("Twin")).await, case.nodes(&account, space("Twin")).await];
    let open = case.nodes(&account, space("Engineering")).await;
    let attic = Space { archived: true, ..space("Attic") };
    case.nodes(&account, attic).await;
    let single = |node: Value| vec![node];
    let all = || -> Vec<Value> { foreign.all().into_iter().chain(hidden.all()).chain(open.all()).collect() };
    let lists = |range: std::ops::Range<u32>| range.map(|n| json!({"list": {"id": n.to_string()}})).collect();
    let (found, shard) = (format!("but \"Engineering\" ({})", open.space), "9".repeat(20));
    let ids = format!("with the ids {}, {}", twins[0].space, twins[1].space);
    // Which one says what is the simulator's choice: ClickUp's is not known.
    let each: Vec<_> = [
        format!("folder {}, list 7, task {}, task unknown", hidden.folder, hidden.task),
        format!("list {}", hidden.list),
        format!("space {}", foreign.space),
        format!("folder {}", foreign.folder),
        format!("task {}", foreign.task),
        "(refused)".to_owned(),
        "(not found)".to_owned(),
    ]
    .into();
    let mut many = all();
    many.extend([json!({"list": {"id": "7"}}), json!({"task": {"id": "unknown"}})]);
    let reversed = many.iter().rev().cloned().collect();
    let rows: [(&str, Vec<Value>, Vec<String>); 8] = [
        ("many", many, each.clone()),
        ("reversed", reversed, each),
        (
            "misspelt",
            single(json!({"space": {"name": "Enginering"}})),
            vec!["none of this name".into(), found],
        ),
        ("ambiguous", single(json!({"space": {"name": "Twin"}})), vec!["several of this name".into(), ids]),
        ("archived", single(json!({"space": {"name": "Attic"}})), vec!["space \"Attic\"".into()]),
        ("malformed", single(json!({"list": {"id": shard}})), vec![shard.clone(), "(not found)".into()]),
        ("fifty", lists(100..150), vec!["list 100, list 101".into(), " more".into()]),
        (
            "one-of-two",
            vec![open.all().remove(2), json!({"list": {"id": "8"}})],
            vec!["list 8 (not found)".into()],
        ),
    ];
    for (name, access, _) in &rows {
        case.demand(name, &account, json!({"access": access})).await;
    }
    let mut messages = BTreeMap::new();
    for (name, _, says) in &rows {
        let object = case.until_ready(name, "False", "AccessDenied").await;
        let said = message(&object["status"], "AccessVerified").to_owned();
        assert!(says.iter().all(|part| said.contains(part)), "{name}: {said}, not {says:?}");
        assert!(!said.contains(&open.list) && said.contains("spec.access"), "{name}: {said}");
        assert_eq!(is(&object["status"], "Reachable"), ("True", "ResponseReceived"), "{name}: an answer");
        messages.insert(*name, said);
    }
    assert_eq!(messages["many"], messages["reversed"], "in an order of their own");
    let asked = case.asked(&account).await;
    // The list of spaces is asked for again by the first who wants their names.
    let spaces = format!("/v2/team/{}/space", account.workspace);
    let twice: Vec<_> = asked.iter().filter(|(path, times)| **times != 1 && **path != spaces).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!((100..150).all(|n| asked.contains_key(&format!("/v2/list/{n}"))), "all are tried");
    let writes = case.status_writes();
    case.annotate("fifty", "1").await;
    let object = case.until_handled("fifty", "1").await;
    assert_eq!(message(&object["status"], "AccessVerified"), messages["fifty"], "stable");
    assert_eq!(case.status_writes(), writes + 1, "the acknowledgement");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_enough_too_low_or_not_known() {
    let case = case("roles").await;
    let account = case.owner(Workspace::default()).await;
    let custom = |inherited_role| Some(CustomRole { id: 7, name: "Auditor".into(), inherited_role });
    let made_from = |role| custom(Some(role));
    let rows = [
        ("owner", Role::OWNER, None, "Owner", "Owner", true, "has the role Owner"),
        ("admin", Role::ADMIN, None, "Owner", "Admin", false, "has the role Admin"),
        ("member", Role::MEMBER, None, "Member", "Member", true, "has the role Member"),
        ("guest", Role::GUEST, None, "Member", "Guest", false, "asks for Member"),
        ("least", Role::GUEST, None, "Guest", "Guest", true, "has the role Guest"),
        (
            "made",
            Role::MEMBER,
            made_from(Role::ADMIN),
            "Admin",
            "Custom",
            true,
            "custom role made from Admin",
        ),
        ("low", Role::OWNER, made_from(Role::GUEST), "Member", "Custom", false, "made from Guest"),
        ("custom", Role::MEMBER, custom(None), "Guest", "Custom", false, "not known from which"),
        ("unknown", Role(9), None, "Guest", "Other", false, "not known to this version"),
    ];
    let mut ids = BTreeMap::new();
    for (name, role, custom_role, ..) in &rows {
        let member = Member { custom_role: custom_role.clone(), ..Member::new(account.user, *role) };
        let workspace = Workspace { name: (*name).into(), members: vec![member], ..Workspace::default() };
        let id = case.clickup.add_workspace(workspace).await.unwrap();
        ids.insert(*name, id);
    }
    for (name, _, _, minimum, ..) in &rows {
        let spec = json!({"defaultWorkspace": {"id": ids[name].to_string()}, "minimumRole": minimum});
        case.demand(name, &account, spec).await;
    }
    for (name, _, _, minimum, shown, enough, says) in &rows {
        let expected = if *enough { ("True", "AccessGranted") } else { ("False", "RoleTooLow") };
        let object = case.until(name, expected.1, |s| is(s, "AccessVerified") == expected).await;
        let status = &object["status"];
        let said = message(status, "AccessVerified");
        assert!(said.contains(says) && said.contains(&format!("asks for {minimum}")), "{name}: {said}");
        assert_eq!(is(status, "Ready").1, if *enough { "Verified" } else { "RoleTooLow" }, "{name}");
        let id = ids[name].to_string();
        let workspaces = status["workspaces"].as_array().unwrap();
        let workspace = workspaces.iter().find(|w| w["id"] == id.as_str()).unwrap();
        assert_eq!(workspace["role"], *shown, "{name}");
    }
    case.clickup.put_member(ids["guest"], Member::new(account.user, Role::ADMIN)).await.unwrap();
    case.annotate("guest", "2").await;
    case.until_ready("guest", "True", "Verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_failures_ready_tells_the_first_and_each_has_its_condition() {
    let case = case("several").await;
    let account = case.owner(Workspace::default()).await;
    case.clickup.put_member(account.workspace, Member::new(account.user, Role::MEMBER)).await.unwrap();
    let nodes = case.nodes(&account, Space::default()).await;
    let channel = case.clickup.add_channel(account.workspace, Channel::named("general")).await.unwrap();
    let spec = json!({"requiredWorkspaces": [{"name": "Nowhere"}], "channel": {"name": "nope"},
        "access": [{"list": {"id": "9"}}], "minimumRole": "Owner"});
    case.demand("bot", &account, spec).await;
    let (workspaces, found) = (["WorkspaceNotFound", "WorkspacesFound"], ["ChannelNotFound", "ChannelFound"]);
    let access = ["AccessDenied", "RoleTooLow", "AccessGranted"];
    let steps = [
        (json!({}), "WorkspaceNotFound", [workspaces[0], found[0], access[0]]),
        (json!({"requiredWorkspaces": null}), "ChannelNotFound", [workspaces[1], found[0], access[0]]),
        (
            json!({"channel": {"id": channel, "name": null}}),
            "AccessDenied",
            [workspaces[1], found[1], access[0]],
        ),
        (json!({"access": nodes.all()}), "RoleTooLow", [workspaces[1], found[1], access[1]]),
        (json!({"minimumRole": "Member"}), "Verified", [workspaces[1], found[1], access[2]]),
    ];
    for (patch, ready, reasons) in steps {
        case.edit("bot", json!({"spec": patch})).await;
        let status = if ready == "Verified" { "True" } else { "False" };
        let object = case.until_ready("bot", status, ready).await;
        let conditions = ["WorkspacesResolved", "ChannelResolved", "AccessVerified"];
        assert_eq!(conditions.map(|condition| is(&object["status"], condition).1), reasons);
    }
    // Without a token all of them are open.
    case.secret("bot", "pk_1_NOBODYKNOWSTHIS").await;
    let object = case.until_ready("bot", "False", "TokenRejected").await;
    for condition in ["WorkspacesResolved", "ChannelResolved", "AccessVerified"] {
        assert_eq!(is(&object["status"], condition), ("Unknown", "NotChecked"), "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_default_workspace_asks_to_select_one() {
    let case = case("not-selected").await;
    let channels = vec![Channel::named("general")];
    let account = case.owner(Workspace { channels, ..Workspace::default() }).await;
    let nodes = case.nodes(&account, Space { name: "Engineering".into(), ..Space::default() }).await;
    let members = vec![Member::new(account.user, Role::GUEST)];
    let other = Workspace { name: "Other".into(), members, ..Workspace::default() };
    let other = case.clickup.add_workspace(other).await.unwrap();
    let by_name = json!([{"space": {"name": "Engineering"}}]);
    let rows = [
        ("channel", json!({"channel": {"name": "general"}}), "ChannelResolved"),
        ("space", json!({"access": by_name}), "AccessVerified"),
        ("role", json!({"minimumRole": "Guest"}), "AccessVerified"),
    ];
    case.demand("ids", &account, json!({"access": nodes.all()})).await;
    for (name, spec, _) in &rows {
        case.demand(name, &account, spec.clone()).await;
    }
    let mixed = json!({"access": [{"list": {"id": "9"}}, {"space": {"name": "Engineering"}}]});
    case.demand("mixed", &account, mixed).await;
    for (name, _, condition) in &rows {
        let object = case.until_ready(name, "False", "WorkspaceNotSelected").await;
        assert_eq!(is(&object["status"], condition), ("Unknown", "NotChecked"), "{name}");
        let said = message(&object["status"], "WorkspacesResolved");
        let named = [account.workspace.to_string(), other.to_string(), "spec.defaultWorkspace".into()];
        assert!(named.iter().all(|part| said.contains(part)), "{name}: {said}");
        let default = json!({"spec": {"defaultWorkspace": {"id": account.workspace.to_string()}}});
        case.edit(name, default).await;
        let object = case.until_ready(name, "True", "Verified").await;
        assert_eq!(is(&object["status"], condition).0, "True", "{name}");
    }
    let object = case.until_ready("mixed", "False", "WorkspaceNotSelected").await;
    assert_eq!(is(&object["status"], "AccessVerified"), ("False", "AccessDenied"), "one No decides");
    let object = case.until_ready("ids", "True", "Verified").await;
    assert!(object["status"]["defaultWorkspace"].is_null(), "ids need no default");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_not_found_brings_the_nearest_names() {
    let case = case("nearest").await;
    let account = case.owner(Workspace::default()).await;
    let members = vec![Member::new(account.user, Role::MEMBER)];
    let labs = Workspace { name: "Acme Labs".into(), members, ..Workspace::default() };
    let labs = case.clickup.add_workspace(labs).await.unwrap();
    for (name, field, value) in [
        ("default", "defaultWorkspace", json!({"name": "acme labs"})),
        ("required", "requiredWorkspaces", json!([{"name": "Acme Lab"}])),
        ("by-id", "defaultWorkspace", json!({"id": format!("{labs}0")})),
    ] {
        case.demand(name, &account, json!({field: value})).await;
        let object = case.until_ready(name, "False", "WorkspaceNotFound").await;
        let said = message(&object["status"], "WorkspacesResolved");
        let near = format!("but \"Acme Labs\" ({labs})");
        assert!(said.contains(&near) && said.contains(&format!("spec.{field}")), "{name}: {said}");
    }
}
