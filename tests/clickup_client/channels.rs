//! The chat channels of a workspace, page by page.

use crate::harness::{Account, Call, client, client_for, on_node, options, simulator};
use clickup_operator::clickup::{Answer, ChannelPage, Client, ClientOptions, Reply};
use clickup_simulator::messages::{PlaceChange, WorkspaceChange};
use clickup_simulator::state::{Channel, ChannelKind, Id, LastCursor, Refusal};
use serde_json::{Value, json};

fn page(reply: Reply<ChannelPage>) -> ChannelPage {
    match reply.answer {
        Answer::Good(page) => page,
        other => panic!("{other:?}"),
    }
}

fn names(page: &ChannelPage) -> Vec<&str> {
    page.channels.iter().filter_map(|channel| channel.name.as_deref()).collect()
}

/// All names, and how many pages they took.
async fn walk(client: &Client, account: &Account) -> (Vec<String>, usize) {
    let (mut all, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let page = page(client.channels(&account.token, &account.workspace, cursor.as_deref()).await);
        all.extend(names(&page).into_iter().map(str::to_owned));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() || pages > 10 {
            return (all, pages);
        }
    }
}

#[tokio::test]
async fn pages_are_followed_to_any_of_three_ends() {
    let (account, client) = (Account::new().await, client());
    let workspace = Id(account.workspace.parse().unwrap());
    for number in 1..=199 {
        account.control.add_channel(workspace, Channel::named(format!("channel-{number}"))).await.unwrap();
    }
    for end in [LastCursor::Empty, LastCursor::Null, LastCursor::Missing] {
        let change = WorkspaceChange { last_cursor: Some(end), ..WorkspaceChange::default() };
        account.control.change_workspace(workspace, change).await.unwrap();
        account.control.reset_log(Some(&account.name)).await.unwrap();
        let (mut all, pages) = walk(&client, &account).await;
        assert_eq!((all.len(), pages), (200, 2), "{end:?}");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200, "{end:?}: some twice");
        let asked = account.asked().await;
        let queries: Vec<_> = asked.iter().map(|(_, query)| query.as_str()).collect();
        assert!(queries[0] == "limit=100" && queries[1].starts_with("limit=100&cursor="), "{queries:?}");
    }
    // One more makes a page more.
    account.control.add_channel(workspace, Channel::named("the last")).await.unwrap();
    let (all, pages) = walk(&client, &account).await;
    assert_eq!((all.len(), pages), (201, 3));
}

#[tokio::test]
async fn direct_messages_and_archived_channels_are_left_out() {
    let (account, client) = (Account::new().await, client());
    let workspace = Id(account.workspace.parse().unwrap());
    let direct = |kind, name: &str| Channel { kind, members: vec![account.user], ..Channel::named(name) };
    for channel in [
        direct(ChannelKind::Dm, ""),
        direct(ChannelKind::GroupDm, ""),
        Channel { archived: true, ..Channel::named("old") },
        Channel { private: true, members: vec![account.user], ..Channel::named("private") },
        Channel::named("general"),
    ] {
        account.control.add_channel(workspace, channel).await.unwrap();
    }
    let first = page(client.channels(&account.token, &account.workspace, None).await);
    let mut seen = names(&first);
    seen.sort_unstable();
    assert_eq!(seen, ["general", "private", "releases"]);
    assert_eq!(first.next, None);
    account.control.change_channel(&account.channel, PlaceChange::archived(true)).await.unwrap();
    let first = page(client.channels(&account.token, &account.workspace, None).await);
    assert!(first.channels.iter().all(|channel| channel.id != account.channel));
}

/// What the experimental API may come to answer.
#[tokio::test]
async fn pages_are_read_leniently() {
    let (account, client) = (Account::new().await, client());
    type Expected<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>);
    let rows: Vec<(Value, Expected)> = vec![
        (json!({"data": [], "next_cursor": ""}), (&[], None)),
        (json!({"data": [], "next_cursor": null}), (&[], None)),
        (json!({"data": []}), (&[], None)),
        (json!({"next_cursor": "bmV4dA+/==", "data": []}), (&[], Some("bmV4dA+/=="))),
        (json!({"data": [], "next_cursor": 100}), (&[], Some("100"))),
        (
            json!({"data": [{"id": "6-901-8", "name": "releases", "parent": {"id": "1", "name": "x"}, "new": []}], "total": 1}),
            (&[("6-901-8", "releases")], None),
        ),
        (
            json!({"data": [{"id": 7, "name": "a\u{7}b", "type": null, "archived": null}]}),
            (&[("7", "ab")], None),
        ),
        (json!({"data": [{"id": "1", "name": "x", "type": "NEW"}]}), (&[("1", "x")], None)),
        (
            json!({"data": [null, 1, "x", [], {}, {"id": "1"}, {"name": "x"}, {"id": "1", "name": {}}, {"id": {}, "name": "x"}]}),
            (&[], None),
        ),
        (
            json!({"data": [{"id": "a-10", "name": "x"}, {"id": "a-9", "name": "y"}, {"id": "a-9", "name": "z"}]}),
            (&[("a-9", "y"), ("a-10", "x")], None),
        ),
    ];
    for (body, (channels, next)) in &rows {
        account.arm(|fault| fault.json(200, body.clone())).await;
        let page = page(client.channels(&account.token, "1", Some("before")).await);
        let seen: Vec<_> =
            page.channels.iter().map(|c| (c.id.as_str(), c.name.as_deref().unwrap_or_default())).collect();
        assert_eq!((seen.as_slice(), page.next.as_deref()), (*channels, *next), "{body}");
    }
    println!("{} pages", rows.len());
}

#[tokio::test]
async fn wrong_pages_are_no_verdict() {
    let (account, client) = (Account::new().await, client());
    for body in [
        json!({"next_cursor": ""}),
        json!({"data": {"id": "1", "name": "x"}}),
        json!([{"id": "1", "name": "x"}]),
        json!({"data": [], "next_cursor": {"after": "x"}}),
        json!({"data": [], "next_cursor": true}),
        json!({"data": [], "next_cursor": "c".repeat(1025)}),
        // It would never end.
        json!({"data": [], "next_cursor": "before"}),
    ] {
        account.arm(|fault| fault.json(200, body.clone())).await;
        let (reason, message) = on_node(client.channels(&account.token, "1", Some("before")).await);
        assert_eq!(reason, "UnexpectedResponse", "{body}");
        assert!(message.contains("JSON of another shape"), "{message}");
    }
}

/// The rows that need no fault.
#[tokio::test]
async fn who_may_not_see_the_chat() {
    let (account, stranger, client) = (Account::new().await, Account::new().await, client());
    let workspace = Id(account.workspace.parse().unwrap());
    let overlong = "9".repeat(20);
    for (id, ends) in [
        (account.workspace.as_str(), "Granted"),
        (&stranger.workspace, "Denied"),
        ("1", "Denied"),
        ("abc", "NotFound"),
        (&overlong, "NotFound"),
    ] {
        assert_eq!(on_node(client.channels(&account.token, id, None).await).0, ends, "{id}");
    }
    for status in [401, 403] {
        let refusal = Refusal { status, ..Refusal::by_chat_of(workspace) };
        account.control.refuse(&account.name, refusal).await.unwrap();
        assert_eq!(account.ask(&client, Call::Channels).await.0, "Denied");
        assert_eq!(account.ask(&client, Call::Spaces).await.0, "Granted");
    }
    account.control.admit(&account.name, workspace).await.unwrap();
    account.control.set_chat(workspace, false).await.unwrap();
    assert_eq!(account.ask(&client, Call::Channels).await.0, "PlanRequired");
}

#[tokio::test]
async fn a_page_over_the_cap_is_given_up() {
    let account = Account::new().await;
    let url = simulator().clickup_url();
    let client = client_for(ClientOptions { max_body: 100_000, ..options(url) });
    let topic = "x".repeat(1000);
    let data: Vec<_> = (0..200).map(|id| json!({"id": id, "name": "x", "topic": topic})).collect();
    account.arm(|fault| fault.json(200, json!({"data": data}))).await;
    let (reason, message) = on_node(client.channels(&account.token, "1", None).await);
    assert_eq!(reason, "UnexpectedResponse");
    assert!(message.contains("a body larger than --max-body"), "{message}");
}
