//! What is sent: how the token travels, and to which paths.

use crate::harness::{Account, client, client_for, on_node, on_token, options, simulator};
use clickup_simulator::messages::{LogQuery, Sent};
use clickup_simulator::state::Kind;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_personal_token_is_sent_raw_and_an_oauth_token_as_bearer() {
    for (kind, sent) in [(Kind::Personal, Sent::Raw), (Kind::Oauth, Sent::Bearer)] {
        let (account, client) = (Account::with(kind).await, client());
        assert_eq!(on_token(client.user(&account.token).await).0, "Valid");
        assert_eq!(on_token(client.workspaces(&account.token, &account.user.to_string()).await).0, "Valid");
        assert_eq!(on_node(&client.probe_workspace(&account.token, &account.workspace).await).0, "Granted");
        let of_token = LogQuery { token: Some(account.name.clone()), ..LogQuery::default() };
        let log = account.control.log(&of_token).await.unwrap().entries;
        assert!(log.iter().all(|entry| entry.sent == sent && entry.method == "GET"), "{log:?}");
        let asked: Vec<_> = log.iter().map(|entry| (entry.path.as_str(), entry.query.as_str())).collect();
        let space = format!("/v2/team/{}/space", account.workspace);
        assert_eq!(asked, [("/v2/user", ""), ("/v2/team", ""), (space.as_str(), "archived=false")]);
    }
}

#[tokio::test]
async fn ids_are_encoded_in_paths() {
    let (account, client) = (Account::new().await, client());
    for (id, segment) in [
        ("a/b", "a%2Fb"),
        ("../user", "..%2Fuser"),
        ("1?archived=true", "1%3Farchived=true"),
        ("1#x", "1%23x"),
        ("1%2F2", "1%252F2"),
        ("a b", "a%20b"),
        ("ü", "%C3%BC"),
        ("a\\b", "a%5Cb"),
        ("6-901-8", "6-901-8"),
        ("a_B", "a_B"),
    ] {
        account.control.reset_log(Some(&account.name)).await.unwrap();
        client.probe_workspace(&account.token, id).await;
        let of_token = LogQuery { token: Some(account.name.clone()), ..LogQuery::default() };
        let log = account.control.log(&of_token).await.unwrap().entries;
        let asked: Vec<_> = log.iter().map(|entry| (entry.path.as_str(), entry.query.as_str())).collect();
        assert_eq!(asked, [(format!("/v2/team/{segment}/space").as_str(), "archived=false")], "{id}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_base_changes_nothing() {
    let account = Account::new().await;
    let url = format!("{}/", simulator().clickup_url());
    let client = client_for(options(&url));
    assert_eq!(on_token(client.user(&account.token).await).0, "Valid");
    assert_eq!(on_node(&client.probe_workspace(&account.token, &account.workspace).await).0, "Granted");
}

/// Whole heads, as they arrive.
#[tokio::test]
async fn heads_say_who_asks_and_no_more() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            seen.lock().unwrap().push(String::from_utf8(head).unwrap());
            let answer =
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 17\r\n\r\n{\"user\":{\"id\":1}}";
            stream.write_all(answer).await.unwrap();
        }
    });
    let account = Account::new().await;
    let (client, host) = (client_for(options(&url)), url.trim_start_matches("http://").to_owned());
    assert_eq!(on_token(client.user(&account.token).await).0, "Valid");
    server.abort();
    let heads = heads.lock().unwrap();
    let mut lines: Vec<_> = heads[0].trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /v2/user HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept-encoding: gzip".to_owned(),
            "accept: */*".to_owned(),
            format!("authorization: {}", account.value),
            format!("host: {host}"),
            concat!("user-agent: clickup-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
        ]
    );
}
