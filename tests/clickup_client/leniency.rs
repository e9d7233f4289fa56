//! ClickUp's JSON is not what its documentation says.

use crate::harness::{Account, client};
use clickup_operator::api::StandardRole::{Admin, Guest, Member, Owner};
use clickup_operator::clickup::Role::{self, Custom, Standard, Unknown};
use clickup_operator::clickup::{Answer, NodeKind};
use serde_json::{Value, json};

#[tokio::test]
async fn users() {
    let (account, client) = (Account::new().await, client());
    let rows = [
        (
            json!({"user": {"id": 1234567, "username": "Ada Example", "email": "ada@example.com"}}),
            "1234567",
            Some("Ada Example"),
        ),
        (json!({"user": {"id": "1234567", "username": "Ada"}}), "1234567", Some("Ada")),
        (json!({"user": {"id": u64::MAX}}), "18446744073709551615", None),
        (
            json!({"user": {"id": 1, "username": null, "email": null, "color": null, "timezone": null}}),
            "1",
            None,
        ),
        (
            json!({"user": {"username": "Ada", "more": {"id": 2}, "id": 1}, "new": [{"user": {"id": 3}}]}),
            "1",
            Some("Ada"),
        ),
        (json!({"user": {"id": 1, "username": ""}}), "1", Some("")),
        (json!({"user": {"id": 1, "username": 5}}), "1", None),
        (json!({"user": {"id": 1, "username": {"first": "Ada"}}}), "1", None),
        (json!({"user": {"id": 1, "username": ["Ada"]}}), "1", None),
        (json!({"user": {"id": 1, "username": "A\u{0}d\u{1b}[31m\r\na\u{85}"}}), "1", Some("Ad[31ma")),
        (json!({"a": null, "b": [[[]]], "user": {"id": 1}, "c": 1.5e300}), "1", None),
    ];
    for (body, id, name) in &rows {
        account.arm(|fault| fault.json(200, body.clone())).await;
        match client.user(&account.token).await.answer {
            Answer::Good(user) => {
                assert_eq!((user.id.as_str(), user.name.as_deref()), (*id, *name), "{body}")
            }
            other => panic!("{body}: {other:?}"),
        }
    }
    let long = json!({"user": {"id": 1, "username": "語".repeat(1000)}});
    account.arm(|fault| fault.json(200, long)).await;
    let Answer::Good(user) = client.user(&account.token).await.answer else { panic!("no user") };
    assert_eq!(user.name.unwrap(), "語".repeat(256));
    println!("{} users", rows.len() + 1);
}

#[tokio::test]
async fn workspaces() {
    type Expected = (&'static str, Option<&'static str>, Option<Role>);
    let (account, client) = (Account::new().await, client());
    let member = |id: Value, role: Value| json!({"user": {"id": id, "role": role, "username": null}, "invited_by": null});
    let rows: Vec<(Value, Vec<Expected>)> = vec![
        (json!([]), vec![]),
        (json!([{"id": "9012345678", "name": "Acme"}]), vec![("9012345678", Some("Acme"), None)]),
        (json!([{"id": 9_012_345_678_u64, "name": "Acme"}]), vec![("9012345678", Some("Acme"), None)]),
        (json!([{"id": "1", "name": null, "members": null, "avatar": null}]), vec![("1", None, None)]),
        (json!([{"id": "1", "members": []}]), vec![("1", None, None)]),
        (
            json!([{"members": [member(json!(7), json!(1))], "name": "A", "id": "1"}]),
            vec![("1", Some("A"), Some(Standard(Owner)))],
        ),
        (
            json!([{"id": "1", "members": [member(json!(8), json!(1)), member(json!("7"), json!("2")), member(json!(9), json!(4))]}]),
            vec![("1", None, Some(Standard(Admin)))],
        ),
        (
            json!([{"id": "1", "members": [member(json!(7), json!(3))]}]),
            vec![("1", None, Some(Standard(Member)))],
        ),
        (
            json!([{"id": "1", "members": [member(json!(7), json!(4))]}]),
            vec![("1", None, Some(Standard(Guest)))],
        ),
        (json!([{"id": "1", "members": [member(json!(7), json!(5))]}]), vec![("1", None, Some(Unknown))]),
        (json!([{"id": "1", "members": [member(json!(7), json!(null))]}]), vec![("1", None, None)]),
        (
            json!([{"id": "1", "members": [{"user": null}, {}, {"user": {}}, member(json!(null), json!(1))]}]),
            vec![("1", None, None)],
        ),
        (json!([{"id": "1", "members": [member(json!(7), json!(-1))]}]), vec![("1", None, Some(Unknown))]),
        (
            json!([{"id": "1", "name": 7}, {"id": "2", "name": {}}]),
            vec![("1", None, None), ("2", None, None)],
        ),
        (
            json!([{"id": "1", "members": [{"user": {"id": 7, "role": 3, "custom_role": {"id": 99, "name": "x", "inherited_role": 4}}}]}]),
            vec![("1", None, Some(Custom { inherits: Some(Guest) }))],
        ),
        (
            json!([{"id": "1", "members": [{"user": {"id": 7, "role": 3, "custom_role": {"id": 99, "inherited_role": null}}}]}]),
            vec![("1", None, Some(Custom { inherits: None }))],
        ),
        // Sorted as numbers, and none twice.
        (
            json!([{"id": "90"}, {"id": 8, "name": "x"}, {"id": "100"}, {"id": "90"}]),
            vec![("8", Some("x"), None), ("90", None, None), ("100", None, None)],
        ),
        (
            json!([{"id": "1", "name": "Same"}, {"id": "2", "name": "Same"}]),
            vec![("1", Some("Same"), None), ("2", Some("Same"), None)],
        ),
    ];
    for (teams, expected) in &rows {
        let body = json!({"new": {"teams": 1}, "teams": teams, "more": null});
        account.arm(|fault| fault.json(200, body)).await;
        match client.workspaces(&account.token, "7").await.answer {
            Answer::Good(workspaces) => {
                let seen: Vec<_> =
                    workspaces.iter().map(|w| (w.id.as_str(), w.name.as_deref(), w.role)).collect();
                assert_eq!(&seen, expected, "{teams}");
            }
            other => panic!("{teams}: {other:?}"),
        }
    }
    println!("{} lists of workspaces", rows.len());
}

/// Members are values of their own: what is odd about one says nothing about the token or the workspace.
#[tokio::test]
async fn odd_members_spoil_nothing() {
    let (account, client) = (Account::new().await, client());
    let me = json!({"user": {"id": 7, "role": 2}});
    for odd in [
        json!(null),
        json!(1),
        json!("text"),
        json!([]),
        json!({"user": 1}),
        json!({"user": []}),
        json!({"user": {"id": "abc", "role": 3}}),
        json!({"user": {"id": 1.5}}),
        json!({"user": {"id": true}}),
        json!({"user": {"id": {}, "role": []}}),
        json!({"user": {"id": 8, "role": "admin"}}),
        json!({"user": {"id": 8, "role": 2.5}}),
        json!({"user": {"id": 8, "custom_role": [{"inherited_role": 1}]}}),
        json!({"user": {"id": 8, "custom_role": {"inherited_role": {"id": 1}}}}),
    ] {
        let body = json!({"teams": [{"id": "1", "name": "Acme", "members": [odd, me]}]});
        account.arm(|fault| fault.json(200, body)).await;
        match client.workspaces(&account.token, "7").await.answer {
            Answer::Good(workspaces) => assert_eq!(workspaces[0].role, Some(Standard(Admin)), "{odd}"),
            other => panic!("{odd}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn spaces() {
    let (account, client) = (Account::new().await, client());
    let rows = [
        (json!({"spaces": []}), vec![]),
        (
            json!({"spaces": [{"id": 1}, null, "text", [], {}, {"id": null, "name": "x"}], "more": null}),
            vec![("1", None)],
        ),
        (
            json!({"spaces": [{"id": "90", "name": "B", "features": {"id": 1, "name": "x"}}, {"name": "A\r\n", "id": 8}]}),
            vec![("8", Some("A")), ("90", Some("B"))],
        ),
        // None twice, and as large as bodies that are decoded while they arrive.
        (
            json!({"x": {}, "spaces": vec![json!({"id": "1", "name": "x".repeat(100)}); 2000]}),
            vec![("1", None)],
        ),
    ];
    for (body, expected) in &rows {
        account.arm(|fault| fault.json(200, body.clone())).await;
        let Answer::Good(spaces) = client.spaces(&account.token, "1").await.answer else { panic!("{body}") };
        let ids = |space: &(&'static str, Option<&'static str>)| space.0;
        assert_eq!(
            spaces.iter().map(|space| space.id.as_str()).collect::<Vec<_>>(),
            expected.iter().map(ids).collect::<Vec<_>>()
        );
        for (space, (_, name)) in spaces.iter().zip(expected).filter(|(_, (_, name))| name.is_some()) {
            assert_eq!(space.name.as_deref(), *name, "{body}");
        }
    }
}

#[tokio::test]
async fn nodes() {
    let (account, client) = (Account::new().await, client());
    for body in [
        json!({"id": "1", "name": "x"}),
        json!({"id": 1, "name": null, "lists": {}, "new": [{"id": null}]}),
        json!({"archived": true, "x": "x".repeat(300_000), "id": null}),
    ] {
        for kind in [NodeKind::Space, NodeKind::Task] {
            account.arm(|fault| fault.json(200, body.clone())).await;
            let reply = client.node(&account.token, kind, "1").await;
            assert_eq!(reply.answer, Answer::Good(()), "{kind}");
        }
    }
}
