//! Connections that fail, and answers that break off or never come.

use crate::harness::{
    Account, Call, PATIENCE, assert_speakable, client, client_for, on_token, options, simulator,
};
use clickup_operator::clickup::{Answer, Failure};
use clickup_simulator::fault::{Body, Delivery, Fault};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Instant, timeout};

const UNEXPECTED: &str = "UnexpectedResponse";

/// What is good for every call and longer than what is decoded in one piece.
fn large(padding: &str) -> Value {
    json!({"user": {"id": 1}, "teams": [], "spaces": [], "data": [], "id": "1", "x": padding})
}

#[tokio::test]
async fn no_connection_is_connect_failed() {
    let account = Account::new().await;
    // Bound, but not listening: nobody else can take the port meanwhile.
    let refusing = TcpSocket::new_v4().unwrap();
    refusing.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refusing = format!("http://{}", refusing.local_addr().unwrap());
    // A label of 64 characters is no name: the resolver refuses it without asking anybody.
    let nameless = format!("http://{}.invalid", "x".repeat(64));
    for (url, cause) in [
        (refusing.as_str(), "connection refused"),
        (&refusing.replace("http", "https"), "connection refused"),
        (&nameless, "its name could not be resolved"),
    ] {
        let ends = account.ask_all(&client_for(options(url))).await;
        ends.assert("ConnectFailed", "ConnectFailed", url);
        let message =
            format!("cannot connect to ClickUp, {cause}: see DNS, proxy, firewall and network policies");
        assert_eq!(ends.messages, [message.as_str(); 8], "{url}");
    }
}

#[tokio::test]
async fn broken_answers() {
    let (account, client) = (Account::new().await, client());
    let cut = |keep, reset| Delivery::Truncated { keep, reset };
    let large = large(&"x".repeat(300_000));
    type Change<'a> = Box<dyn Fn(Fault) -> Fault + 'a>;
    let rows: Vec<(&str, Change, &str, &str)> = vec![
        ("reset", Box::new(Fault::reset), "ConnectFailed", "the connection was reset"),
        ("close", Box::new(Fault::close), "ConnectFailed", "closed without an answer"),
        ("garbage", Box::new(Fault::garbage), UNEXPECTED, "garbled or ends early"),
        ("no body at all", Box::new(|f| f.truncated(0)), UNEXPECTED, "garbled or ends early"),
        ("10 bytes", Box::new(|f| f.truncated(10)), UNEXPECTED, "garbled or ends early"),
        (
            "the last byte is missing",
            Box::new(|f| f.truncated(u64::MAX)),
            UNEXPECTED,
            "garbled or ends early",
        ),
        (
            "cut within a large body",
            Box::new(|f| f.json(200, large.clone()).truncated(150_000)),
            UNEXPECTED,
            "garbled or ends early",
        ),
        (
            "reset within the body",
            Box::new(|f| f.delivered(cut(10, true))),
            "ConnectFailed",
            "the connection was reset",
        ),
        (
            "reset within a large body",
            Box::new(|f| f.json(200, large.clone()).delivered(cut(150_000, true))),
            "ConnectFailed",
            "the connection was reset",
        ),
        (
            "an error that is cut",
            Box::new(|f| f.error(401, "OAUTH_025", "made up").truncated(5)),
            "RequestRefused",
            "without saying that the token is dead",
        ),
        (
            "an error that is reset",
            Box::new(|f| f.error(500, "", "made up").delivered(cut(5, true))),
            "ServerError",
            "HTTP 500",
        ),
        (
            "a redirect that is cut",
            Box::new(|f| f.answer(302, Body::Html).truncated(5)),
            UNEXPECTED,
            "a redirect",
        ),
    ];
    for (row, change, reason, says) in &rows {
        let ends = account.ends(&client, change).await;
        ends.assert(reason, reason, row);
        for message in &ends.messages {
            assert!(message.contains(says), "{row}: {message}");
        }
    }
    println!("{} rows of broken answers, 8 calls each", rows.len());
}

/// A port where something else listens.
#[tokio::test]
async fn a_port_that_speaks_no_http() {
    let account = Account::new().await;
    let ends = account.ask_all(&client_for(options(&simulator().endpoints().garbage))).await;
    ends.assert(UNEXPECTED, UNEXPECTED, "garbage");
}

/// The check's own deadline cuts what is slow, wherever it is slow, and the client can be used again at once.
#[tokio::test]
async fn slow_answers_meet_the_deadline_of_the_check() {
    let (account, client) = (Account::new().await, client());
    let large = large(&"x".repeat(300_000));
    let hour = Duration::from_secs(3600);
    type Change<'a> = Box<dyn Fn(Fault) -> Fault + 'a>;
    let rows: Vec<(&str, Change)> = vec![
        ("no answer", Box::new(|f| f.delay(hour))),
        ("head", Box::new(|f| f.slow_head(hour))),
        ("body", Box::new(|f| f.slow_body(1, hour))),
        ("large body", Box::new(|f| f.json(200, large.clone()).slow_body(100_000, hour))),
        ("body of an error", Box::new(|f| f.error(401, "OAUTH_025", "made up").slow_body(5, hour))),
    ];
    let short = Duration::from_millis(300);
    for (row, change) in &rows {
        for call in Call::ALL {
            account.arm(change).await;
            assert!(timeout(short, account.ask(&client, call)).await.is_err(), "{row}: {call:?}");
            account.disarm().await;
        }
        let again = timeout(PATIENCE, client.user(&account.token)).await.unwrap();
        assert_eq!(on_token(again).0, "Valid", "{row}");
    }
}

#[tokio::test]
async fn slow_answers_within_the_deadline_are_good() {
    let (account, client) = (Account::new().await, client());
    let short = Duration::from_millis(1);
    let ends = account.ends(&client, |fault| fault.slow_head(short)).await;
    ends.assert("Valid", "Granted", "head");
    let ends = account.ends(&client, |fault| fault.slow_body(7, short)).await;
    ends.assert("Valid", "Granted", "body");
    let large = large(&"ü€😀".repeat(30_000));
    let ends = account.ends(&client, |fault| fault.json(200, large.clone()).slow_body(4_999, short)).await;
    ends.assert("Valid", "Granted", "a large body, cut within characters");
}

/// A host that takes the connection and then says nothing, not even about TLS.
#[tokio::test]
async fn connecting_has_a_deadline_of_its_own() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let account = Account::new().await;
    let client = client_for(options(&format!("https://{}", silent.local_addr().unwrap())));
    let started = Instant::now();
    let reply = timeout(PATIENCE, client.user(&account.token)).await.unwrap();
    assert_eq!(reply.answer, Answer::Failed(Failure::TimedOut));
    assert!((9..20).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    assert!(reply.elapsed >= Duration::from_secs(9));
    let (reason, message) = on_token(reply);
    assert_eq!(reason, "TimedOut");
    assert_speakable(&message);
}

/// Takes a minute, beside all others.
#[tokio::test]
async fn the_head_of_an_answer_has_a_deadline_of_its_own() {
    let (account, client) = (Account::new().await, client());
    account.arm(|fault| fault.delay(Duration::from_secs(3600))).await;
    let reply = timeout(3 * PATIENCE, client.user(&account.token)).await.unwrap();
    assert_eq!(on_token(reply).0, "TimedOut");
}
