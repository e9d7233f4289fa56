//! Spaces, folders, lists and tasks by their ids: the rows that need no fault.

use crate::harness::{Account, Call, NODES, client, on_node, on_token};
use clickup_operator::clickup::NodeKind::{self, Folder, List, Space, Task};
use clickup_simulator::messages::{NodeChange, PlaceChange};
use clickup_simulator::state::{Id, Member, Role};

fn id(text: &str) -> Id {
    Id(text.parse().unwrap())
}

#[tokio::test]
async fn what_there_is_can_be_reached() {
    let (account, client) = (Account::new().await, client());
    for kind in NODES {
        assert_eq!(account.ask(&client, Call::Node(kind)).await.0, "Granted", "{kind}");
    }
    let archived = NodeChange::archived(true);
    account.control.change_folder(id(&account.folder), archived.clone()).await.unwrap();
    account.control.change_list(id(&account.list), archived.clone()).await.unwrap();
    account.control.change_task(&account.task, archived).await.unwrap();
    for kind in NODES {
        assert_eq!(account.ask(&client, Call::Node(kind)).await.0, "Granted", "{kind}, archived");
    }
}

#[tokio::test]
async fn foreign_missing_and_malformed_ids() {
    let (account, stranger, client) = (Account::new().await, Account::new().await, client());
    let digits = "9".repeat(20);
    let overlong = "x".repeat(65);
    let rows: [(NodeKind, &str, &str); 12] = [
        (Space, &stranger.space, "Denied"),
        (Space, "1", "Denied"),
        (Space, "abc", "NotFound"),
        (Space, &digits, "NotFound"),
        (Folder, &stranger.folder, "Denied"),
        (Folder, "1", "Denied"),
        (Folder, "a/b", "NotFound"),
        (List, &stranger.list, "Denied"),
        (List, "1", "NotFound"),
        (Task, &stranger.task, "Denied"),
        (Task, "86zzz", "NotFound"),
        (Task, &overlong, "NotFound"),
    ];
    for (kind, id, ends) in rows {
        assert_eq!(on_node(client.node(&account.token, kind, id).await).0, ends, "{kind} {id}");
    }
    assert_eq!(on_token(client.user(&account.token).await).0, "Valid");
}

#[tokio::test]
async fn a_private_space_hides_what_is_in_it() {
    let (account, client) = (Account::new().await, client());
    let other = Account::new().await;
    let workspace = id(&account.workspace);
    account.control.put_member(workspace, Member::new(other.user, Role::MEMBER)).await.unwrap();
    for kind in NODES {
        let reply = client.node(&other.token, kind, account.node(kind)).await;
        assert_eq!(on_node(reply).0, "Granted", "{kind}");
    }
    let private =
        PlaceChange { private: Some(true), members: Some(vec![account.user]), ..PlaceChange::default() };
    account.control.change_space(id(&account.space), private).await.unwrap();
    for (kind, ends) in [(Space, "Denied"), (Folder, "NotFound"), (List, "Denied"), (Task, "NotFound")] {
        assert_eq!(account.ask(&client, Call::Node(kind)).await.0, "Granted", "{kind}");
        let reply = client.node(&other.token, kind, account.node(kind)).await;
        assert_eq!(on_node(reply).0, ends, "{kind}");
    }
    let spaces = client.spaces(&other.token, &account.workspace).await;
    assert_eq!(on_node(spaces).0, "Granted", "the workspace itself can be used");
}
