//! Every way to fail, through real connections.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use clickup_simulator::fault::{Body, Delivery};
use clickup_simulator::messages::{LogQuery, TokenValue};
use clickup_simulator::{Fault, SimulatorClient};
use harness::*;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

async fn armed(fault: impl FnOnce(Fault) -> Fault) -> (SimulatorClient, TokenValue) {
    let control = control();
    let token = account().await.token;
    control.add_fault(fault(Fault::for_token(&token.name))).await.unwrap();
    (control, token)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn any_status_and_code_can_be_answered() {
    let cases = [
        (400, "OAUTH_017"),
        (401, "OAUTH_018"),
        (401, "OAUTH_019"),
        (401, "OAUTH_021"),
        (401, "OAUTH_025"),
        (401, "OAUTH_077"),
        (401, "OAUTH_027"),
        (401, "ACCESS_083"),
        (403, "ACCESS_083"),
        (403, "TEAM_110"),
        (404, "ITEM_013"),
        (404, "ITEM_015"),
        (404, "ACCESS_999"),
        (429, "APP_002"),
        (401, "APP_002"),
        (500, "SHARD_001"),
        (502, ""),
        (503, ""),
        (504, ""),
    ];
    let (control, token) = armed(|fault| fault.delay(Duration::ZERO)).await;
    for (status, ecode) in cases {
        control
            .add_fault(Fault::for_token(&token.name).times(1).error(status, ecode, "made up"))
            .await
            .unwrap();
        let (answered, body) = ask(&token.value, "/v2/user").await;
        assert_eq!((answered, body["ECODE"].as_str().unwrap_or_default()), (status, ecode));
        assert_eq!(body["err"], "made up");
        assert_eq!(body.get("ECODE").is_some(), !ecode.is_empty());
    }
    assert_eq!(status(&token.value, "/v2/user").await, 200);
}

#[tokio::test]
async fn faults_hit_only_their_token_and_path_and_only_so_often() {
    let (control, token) = armed(|fault| fault.on("/v2/team/*/space").after(1).times(2).html(502)).await;
    let other = account().await.token;
    let path = "/v2/team/1/space";
    let mut seen = Vec::new();
    for _ in 0..4 {
        assert_eq!(status(&token.value, "/v2/user").await, 200);
        assert_eq!(status(&other.value, path).await, 401);
        seen.push(status(&token.value, path).await);
    }
    assert_eq!(seen, [401, 502, 502, 401]);
    assert!(control.faults(Some(&token.name)).await.unwrap().is_empty());
}

#[tokio::test]
async fn faults_are_listed_and_removed() {
    let (control, token) = armed(|fault| fault.html(500)).await;
    let second = control.add_fault(Fault::for_token(&token.name).html(503)).await.unwrap();
    assert_eq!(status(&token.value, "/v2/user").await, 500);
    let list = control.faults(Some(&token.name)).await.unwrap();
    assert_eq!(list.iter().map(|armed| armed.hits).collect::<Vec<_>>(), [1, 0]);
    control.remove_fault(list[0].id).await.unwrap();
    assert_eq!(status(&token.value, "/v2/user").await, 503);
    control.clear_faults(Some(&token.name)).await.unwrap();
    assert_eq!(status(&token.value, "/v2/user").await, 200);
    let error = control.remove_fault(second).await.unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("no fault"), "{error}");
}

#[tokio::test]
async fn strangers_and_the_nameless_can_be_hit_too() {
    let control = control();
    for (name, authorization) in [("unknown", "pk_1_STRANGER"), ("none", "")] {
        // These names are everybody's, so a path of its own keeps the other tests out of it.
        let path = format!("/v2/only/{name}");
        control.add_fault(Fault::for_token(name).on(&path).html(418)).await.unwrap();
        assert_eq!(status(authorization, &path).await, 418);
    }
}

#[tokio::test]
async fn html_and_wrong_json() {
    let (control, token) = armed(|fault| fault.times(1).html(200)).await;
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let next = Fault::for_token(&token.name).times(1);
    control.add_fault(next.clone().broken_json("{\"user\": {\"id\"")).await.unwrap();
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.text().await.unwrap(), "{\"user\": {\"id\"");
    control.add_fault(next.clone().json(200, json!({"teams": "none"}))).await.unwrap();
    assert_eq!(ask(&token.value, "/v2/team").await, (200, json!({"teams": "none"})));
    control.add_fault(next.answer(200, Body::Empty)).await.unwrap();
    assert_eq!(get(&token.value, "/v2/team").await.unwrap().text().await.unwrap(), "");
}

#[tokio::test]
async fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let (control, token) = armed(|fault| fault.times(1).reset()).await;
    let (heard, end) = raw(&token.value, "/v2/user").await;
    assert_eq!(heard, b"");
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    control.add_fault(Fault::for_token(&token.name).times(1).close()).await.unwrap();
    let (heard, end) = raw(&token.value, "/v2/user").await;
    assert_eq!(heard, b"");
    end.unwrap();
    let log = control.wait_for_requests(&token.name, "/v2/user", 2, PATIENCE).await.unwrap();
    assert!(log.iter().all(|entry| entry.status.is_none() && entry.faults.len() == 1));
    assert_eq!(control.counts(Some(&token.name)).await.unwrap()[0].statuses[&0], 2);
}

#[tokio::test]
async fn garbage_is_no_http() {
    let (_, token) = armed(Fault::garbage).await;
    let (heard, end) = raw(&token.value, "/v2/user").await;
    end.unwrap();
    assert!(!heard.is_empty() && !heard.starts_with(b"HTTP"), "{}", text(&heard));
    assert!(get(&token.value, "/v2/user").await.is_err());
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_promised() {
    let (control, token) = armed(|fault| fault.times(2).truncated(10)).await;
    let (heard, end) = raw(&token.value, "/v2/user").await;
    end.unwrap();
    let heard = text(&heard);
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("x-ratelimit-limit: 100\r\n"), "{head}");
    let promised: usize =
        head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), 10);
    assert!(promised > 200, "{promised}");
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err());
    // More than there is to keep still leaves one byte out; a chunked original is promised a length too.
    for (keep, path) in [(1_000_000, "/v2/user"), (5, "/v2/team")] {
        control.add_fault(Fault::for_token(&token.name).times(1).truncated(keep)).await.unwrap();
        assert!(get(&token.value, path).await.unwrap().text().await.is_err(), "{path}");
    }
    let reset = Delivery::Truncated { keep: 10, reset: true };
    control.add_fault(Fault::for_token(&token.name).times(1).delivered(reset)).await.unwrap();
    let (_, end) = raw(&token.value, "/v2/user").await;
    assert_eq!(end.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(status(&token.value, "/v2/user").await, 200);
}

#[tokio::test]
async fn a_slow_head_comes_byte_by_byte() {
    let every = Duration::from_millis(2);
    let (_, token) = armed(|fault| fault.slow_head(every)).await;
    let start = Instant::now();
    let mut stream = raw_request(&token.value, "/v2/user").await;
    let mut first = [0; 4096];
    let heard = stream.read(&mut first).await.unwrap();
    assert!((1..20).contains(&heard), "{heard} bytes at once");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let whole = [&first[..heard], &rest].concat();
    let head = text(&whole).find("\r\n\r\n").unwrap() as u32;
    assert!(start.elapsed() >= every * head, "{:?} for {head} bytes", start.elapsed());
    let response = get(&token.value, "/v2/user").await.unwrap();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(body["user"]["id"], json!(token.user), "the answer is right all the same");
}

#[tokio::test]
async fn a_slow_body_comes_in_pieces() {
    let every = Duration::from_millis(5);
    let (_, token) = armed(|fault| fault.slow_body(16, every)).await;
    let start = Instant::now();
    let response = get(&token.value, "/v2/user").await.unwrap();
    let promised = response.content_length().unwrap();
    let body = response.bytes().await.unwrap();
    assert_eq!(body.len() as u64, promised);
    assert!(start.elapsed() >= every * (body.len() / 16) as u32, "{:?}", start.elapsed());
    serde_json::from_slice::<Value>(&body).unwrap();
}

#[tokio::test]
async fn a_delay_outlasts_a_client_that_gives_up() {
    let (control, token) = armed(|fault| fault.times(1).delay(Duration::from_secs(3600))).await;
    let url = format!("{}/v2/user", simulator().clickup_url());
    let request = http().get(url).header("authorization", &token.value).timeout(Duration::from_millis(50));
    assert!(request.send().await.unwrap_err().is_timeout());
    let log = control.wait_for_requests(&token.name, "/v2/user", 1, PATIENCE).await.unwrap();
    assert_eq!(log[0].status, None);
    assert_eq!(control.token(&token.name).await.unwrap().in_flight, 0);
}

#[tokio::test]
async fn a_huge_body_is_exactly_that_long_plain_or_packed() {
    const BYTES: u64 = 70_000_000;
    let (control, token) = armed(|fault| fault.times(1).huge(BYTES)).await;
    let mut response = get(&token.value, "/v2/team").await.unwrap();
    assert_eq!(response.content_length(), Some(BYTES));
    let mut heard = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        heard += chunk.len() as u64;
    }
    assert_eq!(heard, BYTES);
    control.add_fault(Fault::for_token(&token.name).huge(2_000_000).gzip()).await.unwrap();
    let response = get(&token.value, "/v2/team").await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let packed = response.bytes().await.unwrap();
    assert!(packed.len() < 100_000, "{}", packed.len());
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut plain).unwrap();
    assert_eq!(plain.len(), 2_000_000);
}

#[tokio::test]
async fn a_true_answer_can_be_packed() {
    let (_, token) = armed(Fault::gzip).await;
    let packed = get(&token.value, "/v2/user").await.unwrap().bytes().await.unwrap();
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&plain).unwrap()["user"]["id"], json!(token.user));
}

#[tokio::test]
async fn a_redirect_shows_who_follows_it_with_the_token() {
    let control = control();
    let token = account().await.token;
    let target = format!("/redirect-target/{}", token.name);
    let location = format!("{}{target}", simulator().endpoints().api);
    control.add_fault(Fault::for_token(&token.name).on("/v2/*").redirect(302, &location)).await.unwrap();
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], location.as_str());
    let at_target = LogQuery { path: Some(target.clone()), ..LogQuery::default() };
    assert!(control.log(&at_target).await.unwrap().entries.is_empty());
    let careless = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v2/user", simulator().clickup_url());
    careless.get(url).header("authorization", &token.value).send().await.unwrap();
    let entries = control.log(&at_target).await.unwrap().entries;
    assert_eq!(entries.iter().map(|entry| &entry.token).collect::<Vec<_>>(), [&token.name]);
}

#[tokio::test]
async fn headers_go_missing_or_turn_odd() {
    let (control, token) = armed(|fault| fault.times(1).omit_rate_limit_headers().omit_header("Date")).await;
    let response = get(&token.value, "/v2/user").await.unwrap();
    let names: Vec<_> = response.headers().keys().map(reqwest::header::HeaderName::as_str).collect();
    assert_eq!(names, ["content-type", "content-length"]);
    let odd = Fault::for_token(&token.name)
        .set_header("X-RateLimit-Reset", "1795463076000")
        .set_header("Retry-After", "3")
        .omit_header("content-type");
    control.add_fault(odd).await.unwrap();
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-ratelimit-reset"], "1795463076000");
    assert_eq!(response.headers()["retry-after"], "3");
    assert!(!response.headers().contains_key("content-type"));
}

#[tokio::test]
async fn nonsense_faults_are_refused() {
    let control = control();
    let cases = [
        (Fault::default().times(0), "times: 0"),
        (Fault::default().html(99), "no status"),
        (Fault::default().set_header("a b", "c"), "no name of a header"),
        (Fault::default().set_header("a", "b\nc"), "no value of a header"),
    ];
    for (fault, expected) in cases {
        let error = control.add_fault(fault).await.unwrap_err().to_string();
        assert!(error.contains("400") && error.contains(expected), "{error}");
    }
}
