//! What is sent: how the token travels, and to which paths.

use crate::harness::{Account, Call, NODES, client, client_for, on_token, options, simulator};
use clickup_simulator::messages::{LogQuery, Sent};
use clickup_simulator::state::Kind;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_personal_token_is_sent_raw_and_an_oauth_token_as_bearer() {
    for (kind, sent) in [(Kind::Personal, Sent::Raw), (Kind::Oauth, Sent::Bearer)] {
        let (account, client) = (Account::with(kind).await, client());
        account.ask_all(&client).await.assert("Valid", "Granted", sent);
        let of_token = LogQuery { token: Some(account.name.clone()), ..LogQuery::default() };
        let log = account.control.log(&of_token).await.unwrap().entries;
        assert!(log.iter().all(|entry| entry.sent == sent && entry.method == "GET"), "{log:?}");
        let asked: Vec<_> = log.into_iter().map(|entry| (entry.path, entry.query)).collect();
        let queries = ["", "", "archived=false", "limit=100", "", "", "", ""];
        let expected = Call::ALL.map(|call| account.path(call)).into_iter().zip(queries.map(str::to_owned));
        assert_eq!(asked, expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn ids_are_encoded_in_paths() {
    let (account, client) = (Account::new().await, client());
    let token = &account.token;
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
        client.spaces(token, id).await;
        client.channels(token, id, None).await;
        for kind in NODES {
            client.node(token, kind, id).await;
        }
        let expected = [
            (format!("/v2/team/{segment}/space"), "archived=false".to_owned()),
            (format!("/v3/workspaces/{segment}/chat/channels"), "limit=100".to_owned()),
            (format!("/v2/space/{segment}"), String::new()),
            (format!("/v2/folder/{segment}"), String::new()),
            (format!("/v2/list/{segment}"), String::new()),
            (format!("/v2/task/{segment}"), String::new()),
        ];
        assert_eq!(account.asked().await, expected, "{id}");
    }
}

#[tokio::test]
async fn cursors_are_encoded_in_queries() {
    let (account, client) = (Account::new().await, client());
    for (cursor, sent) in [
        ("abc-_.~9", "abc-_.%7E9"),
        ("a+/==", "a%2B%2F%3D%3D"),
        ("a&limit=1#x", "a%26limit%3D1%23x"),
        ("%41", "%2541"),
        ("a b\n", "a+b%0A"),
        ("ü", "%C3%BC"),
    ] {
        account.control.reset_log(Some(&account.name)).await.unwrap();
        client.channels(&account.token, &account.workspace, Some(cursor)).await;
        let asked = account.asked().await;
        assert_eq!(asked, [(account.path(Call::Channels), format!("limit=100&cursor={sent}"))], "{cursor:?}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_base_changes_nothing() {
    let account = Account::new().await;
    let url = format!("{}/", simulator().clickup_url());
    let client = client_for(options(&url));
    account.ask_all(&client).await.assert("Valid", "Granted", url);
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
