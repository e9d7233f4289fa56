//! What must be reachable.

use super::{Place, Row};
use serde_json::{Value, json};

const WORKSPACE_ID: &str = "write the workspace's id, 1 to 20 digits in quotes: the number that follows the host name in the web app's address";
const SPACE_ID: &str =
    "write the space's id, 1 to 20 digits in quotes: the number in its address in the web app";
const NODE_ID: &str = "write the id, 1 to 20 digits in quotes: the number in its address in the web app";
const CHANNEL_ID: &str = "write the channel's id, 1 to 64 letters, digits, '-' and '_': the last part of its address in the web app";
const TASK_ID: &str = "write the task's id, 1 to 64 letters, digits, '-' and '_': the last part of its address in the web app, such as 86abc123";

const NO_NUMBERS: &[&str] = &["", "12a", "-1", "1.5", " 1", "1 ", "٣", "123456789012345678901", "team/1"];
const NO_WORDS: &[&str] = &["", "a b", "a/b", "#1", "ü", "a\n", "../a"];

/// What is no id, and the message that says so.
type Ids = (&'static [&'static str], &'static str);

/// An entry of spec.access that has this member, behind a good one.
fn access(member: &str) -> impl Fn(Value) -> Value {
    move |node| json!({"spec": {"access": [{"list": {"id": "1"}}, {member: node}]}})
}

pub fn refused() -> Vec<Row> {
    let mut rows = Vec::new();
    let default = |workspace| json!({"spec": {"defaultWorkspace": workspace}});
    let required = |workspace| json!({"spec": {"requiredWorkspaces": [{"id": "1"}, workspace]}});
    let channel = |channel| json!({"spec": {"channel": channel}});
    let workspace: Ids = (NO_NUMBERS, WORKSPACE_ID);
    for (place, ids) in [
        (Place { name: "spec.defaultWorkspace", put: &default }, workspace),
        (Place { name: "spec.requiredWorkspaces[]", put: &required }, workspace),
        (Place { name: "spec.channel", put: &channel }, (NO_WORDS, CHANNEL_ID)),
        (Place { name: "spec.access[].space", put: &access("space") }, (NO_NUMBERS, SPACE_ID)),
    ] {
        rows.extend(by_id_or_name(&place, ids));
    }
    for (member, ids) in
        [("folder", (NO_NUMBERS, NODE_ID)), ("list", (NO_NUMBERS, NODE_ID)), ("task", (NO_WORDS, TASK_ID))]
    {
        let node = Place { name: &format!("spec.access[].{member}"), put: &access(member) };
        rows.push(node.row("required id", json!({}), &format!("{member}.id: Required value")));
        rows.push(node.row("required id", json!({"name": "a"}), &format!("{member}.id: Required value")));
        rows.extend(id(&node, ids));
    }
    rows.extend(entries());

    let required = Place {
        name: "spec.requiredWorkspaces",
        put: &|value| json!({"spec": {"requiredWorkspaces": value}}),
    };
    rows.push(required.too_many(20, |_| json!({"id": "1"})));
    let role = Place { name: "spec.minimumRole", put: &|value| json!({"spec": {"minimumRole": value}}) };
    rows.extend(
        role.not_in(&["member", "Custom", "Other", "3", ""], r#""Guest", "Member", "Admin", "Owner""#),
    );
    rows
}

fn by_id_or_name(place: &Place<'_>, ids: Ids) -> Vec<Row> {
    let mut rows = place.rule(
        "write exactly one of id and name",
        [json!({}), json!({"id": "1", "name": "Acme"}), json!({"id": null}), json!({"unknown": 1})],
    );
    rows.extend(id(place, ids));
    let name = |name| (place.put)(json!({"name": name}));
    let name = Place { name: &format!("{}.name", place.name), put: &name };
    rows.extend([name.too_short(), name.too_long(256)]);
    rows
}

fn id(place: &Place<'_>, (bad, hint): Ids) -> Vec<Row> {
    let id = |id| (place.put)(json!({"id": id}));
    let id = Place { name: &format!("{}.id", place.name), put: &id };
    let mut rows = id.texts(hint, bad);
    rows.extend(id.texts(hint, &[&"1".repeat(65)]));
    rows.extend([id.pattern("a b"), id.too_long(256)]);
    rows
}

fn entries() -> Vec<Row> {
    let access = Place { name: "spec.access", put: &|value| json!({"spec": {"access": value}}) };
    let mut rows = vec![access.too_many(50, |_| json!({"list": {"id": "1"}}))];
    let entry = |value| json!({"spec": {"access": [{"list": {"id": "1"}}, value]}});
    let entry = Place { name: "spec.access[]", put: &entry };
    rows.extend(entry.rule(
        "write exactly one of space, folder, list and task in each entry",
        [
            json!({}),
            json!({"space": null}),
            json!({"unknown": {"id": "1"}}),
            json!({"space": {"id": "1"}, "folder": {"id": "1"}}),
            json!({"list": {"id": "1"}, "task": {"id": "1"}}),
            json!({"space": {"name": "a"}, "folder": {"id": "1"}, "list": {"id": "1"}, "task": {"id": "1"}}),
        ],
    ));
    rows
}

pub fn accepted() -> Vec<Value> {
    let most = "12345678901234567890";
    let names = ["A".to_owned(), "x".repeat(256), "語".repeat(256), " Acme \u{1f600} / Labs ".to_owned()];
    let mut references: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    references.extend([json!({"id": "0"}), json!({"id": most})]);
    let mut words = vec!["0", most, "86abc123", "6-901-8", "A_b-9", "-", "CUSTOM-123"];
    let long = "x".repeat(64);
    words.push(&long);
    let mut patches = vec![
        json!({"spec": {"requiredWorkspaces": []}}),
        json!({"spec": {"requiredWorkspaces": vec![json!({"id": most}); 20]}}),
        json!({"spec": {"requiredWorkspaces": references}}),
        json!({"spec": {"access": []}}),
        json!({"spec": {"access": vec![json!({"space": {"name": "語".repeat(256)}}); 50]}}),
        json!({"spec": {"access": [
            {"space": {"id": "1"}}, {"space": {"name": "a"}}, {"folder": {"id": "1"}}, {"list": {"id": "1"}}, {"task": {"id": "a"}},
        ]}}),
        json!({"spec": {"channel": {"name": "#releases"}}}),
    ];
    for reference in references {
        let space = json!({"space": reference});
        patches.push(json!({"spec": {"defaultWorkspace": reference, "access": [space]}}));
    }
    patches.extend(names.iter().map(|name| json!({"spec": {"channel": {"name": name}}})));
    for word in words {
        patches.push(json!({"spec": {"channel": {"id": word}, "access": [{"task": {"id": word}}]}}));
    }
    for id in ["0", most] {
        patches.push(json!({"spec": {"access": [{"folder": {"id": id}}, {"list": {"id": id}}]}}));
    }
    patches.extend(["Guest", "Member", "Admin", "Owner"].map(|role| json!({"spec": {"minimumRole": role}})));
    patches
}
