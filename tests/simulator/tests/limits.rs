//! Rate limits, latency and generated tokens.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::time::{Duration, Instant, SystemTime};

use clickup_simulator::Fault;
use clickup_simulator::messages::TokenChange;
use clickup_simulator::state::{Generate, Member, Role, State, Token, Workspace};
use clickup_simulator::{Options, Simulator};
use harness::*;
use serde_json::{Value, json};

async fn header(token: &str, name: &str) -> Option<u64> {
    let response = get(token, "/v2/user").await.unwrap();
    response.headers().get(name).map(|value| value.to_str().unwrap().parse().unwrap())
}

fn epoch() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn every_answer_says_where_the_token_stands() {
    let token = account().await.token.value;
    let before = epoch();
    let response = get(&token, "/v2/user").await.unwrap();
    let number = |name: &str| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!((number("X-RateLimit-Limit"), number("X-RateLimit-Remaining")), (100, 99));
    assert!((before + 60..=epoch() + 61).contains(&number("X-RateLimit-Reset")));
    let date = response.headers()["date"].to_str().unwrap();
    let age = SystemTime::now().duration_since(httpdate::parse_http_date(date).unwrap()).unwrap();
    assert!(age < Duration::from_secs(30));
    for path in ["/v2/team", "/v2/team/1/space", "/v2/nothing"] {
        assert!(get(&token, path).await.unwrap().headers().contains_key("x-ratelimit-remaining"), "{path}");
    }
    assert_eq!(header(&token, "x-ratelimit-remaining").await, Some(95));
    assert_eq!(header("", "x-ratelimit-remaining").await, Some(99));
    assert_eq!(header("pk_1_NOBODY", "x-ratelimit-remaining").await, Some(99));
    assert_eq!(header("pk_1_NOBODY", "x-ratelimit-remaining").await, Some(99), "strangers share nothing");
}

#[tokio::test]
async fn over_the_limit_is_refused_until_the_window_ends() {
    let control = control();
    let account = account().await;
    let limits = TokenChange { limit: Some(2), window_seconds: Some(2), spend: None };
    control.change_token(&account.token.name, limits).await.unwrap();
    let token = &account.token.value;
    // The rest runs within one window of two seconds unless the machine stalls, and then tries the next.
    let reset = eventually(
        "two good answers and a refusal",
        || async {
            let mut seen = Vec::new();
            for _ in 0..3 {
                let response = get(token, "/v2/user").await.unwrap();
                let reset: u64 = response.headers()["x-ratelimit-reset"].to_str().unwrap().parse().unwrap();
                seen.push((response.status().as_u16(), reset));
            }
            seen
        },
        |seen| seen.iter().map(|(status, _)| *status).eq([200, 200, 429]),
    )
    .await[2]
        .1;
    let (status, body) = eventually(
        "an answer while it is refused",
        || ask(token, "/v2/team"),
        |(status, _)| *status == 429 || epoch() >= reset,
    )
    .await;
    if status == 429 {
        assert_eq!(body, json!({"err": "Rate limit reached", "ECODE": "APP_002"}));
    }
    eventually("the next window", || status_of(token), |status| *status == 200).await;
    assert!(epoch() >= reset, "the window ended before the announced time");
    let other = control.add_token(Token::oauth(account.user)).await.unwrap();
    let bearer = format!("Bearer {}", other.value);
    assert_eq!(
        header(&bearer, "x-ratelimit-remaining").await,
        Some(99),
        "the limit is the token's, not the user's"
    );
}

async fn status_of(token: &str) -> u16 {
    status(token, "/v2/user").await
}

#[tokio::test]
async fn others_spend_the_same_budget() {
    let control = control();
    let token = account().await.token;
    control.spend(&token.name, 98).await.unwrap();
    assert_eq!(header(&token.value, "x-ratelimit-remaining").await, Some(1));
    assert_eq!(control.token(&token.name).await.unwrap().remaining, 1);
    control.spend(&token.name, 1).await.unwrap();
    assert_eq!(status_of(&token.value).await, 429);
    control.set_limit(&token.name, 10_000).await.unwrap();
    assert_eq!(header(&token.value, "x-ratelimit-limit").await, Some(10_000));
    assert_eq!(status_of(&token.value).await, 200);
}

#[tokio::test]
async fn an_account_can_have_limits_of_its_own_from_the_start() {
    let user = account().await.user;
    let members = vec![Member::new(user, Role::GUEST)];
    let workspace = Workspace { name: "Small".to_owned(), members, ..Workspace::default() };
    let limits = |token: &mut Token| {
        token.limit = Some(7);
        token.window_seconds = Some(1000);
    };
    let account = control().add_account_with(workspace, limits).await.unwrap();
    let response = get(&account.token.value, "/v2/team").await.unwrap();
    let number = |name: &str| response.headers()[name].to_str().unwrap().parse::<u64>().unwrap();
    assert_eq!((number("x-ratelimit-limit"), number("x-ratelimit-remaining")), (7, 6));
    assert!(number("x-ratelimit-reset") > epoch() + 900);
    let body: Value = response.json().await.unwrap();
    let members = body["teams"][0]["members"].as_array().unwrap();
    let seen: Vec<_> =
        members.iter().map(|member| json!([member["user"]["id"], member["user"]["role"]])).collect();
    assert_eq!(seen, [json!([account.user, 1]), json!([user, 4])]);
}

#[tokio::test]
async fn a_simulated_refusal_leaves_the_window_alone() {
    let control = control();
    let token = account().await.token;
    let fault = Fault::for_token(&token.name).times(1).rate_limited().set_header("retry-after", "7");
    control.add_fault(fault).await.unwrap();
    let response = get(&token.value, "/v2/user").await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(status_of(&token.value).await, 200);
}

#[tokio::test]
async fn latency_is_everybodys_and_delays_are_one_tokens() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let control = simulator.client().unwrap();
    let (slow, fast) = (control.add_account("A").await.unwrap(), control.add_account("B").await.unwrap());
    let took = async |token: &str| {
        let url = format!("{}/v2/user", simulator.clickup_url());
        let start = Instant::now();
        let response = http().get(url).header("authorization", token).send().await.unwrap();
        assert_eq!(response.status(), 200);
        start.elapsed()
    };
    control.set_latency(Duration::from_millis(20)).await.unwrap();
    assert!(took(&fast.token.value).await >= Duration::from_millis(20));
    let delay = Fault::for_token(&slow.token.name).on("/v2/user").delay(Duration::from_millis(200));
    control.add_fault(delay).await.unwrap();
    assert!(took(&slow.token.value).await >= Duration::from_millis(220));
    let quick =
        eventually("a quick answer", || took(&fast.token.value), |took| *took < Duration::from_millis(200));
    assert!(quick.await >= Duration::from_millis(20));
}

#[tokio::test]
async fn thousands_of_tokens_at_once() {
    let wanted = Generate { extra_members: 3, prefix: "bench".to_owned(), ..Generate::tokens(10_000) };
    let tokens = control().generate(wanted.clone()).await.unwrap();
    assert_eq!(tokens.len(), 10_000);
    let last = tokens.last().unwrap();
    assert_eq!(last.name, "bench-9999");
    let (status, body) = ask(&last.value, "/v2/team").await;
    assert_eq!(status, 200);
    assert_eq!(body["teams"][0]["id"], json!(last.workspace));
    assert_eq!(body["teams"][0]["members"].as_array().unwrap().len(), 4);
    assert_eq!(header(&last.value, "x-ratelimit-limit").await, Some(1_000_000));
    let again = control().generate(wanted).await.unwrap_err().to_string();
    assert!(again.contains("bench-0 already"), "{again}");
}

#[tokio::test]
async fn a_state_brings_generated_tokens_that_are_the_same_every_time() {
    let state = State { generate: Some(Generate::tokens(3)), ..State::default() };
    let options = || Options::default().with_state(state.clone());
    let (first, second) =
        (Simulator::start(options()).await.unwrap(), Simulator::start(options()).await.unwrap());
    let tokens = first.client().unwrap().tokens().await.unwrap();
    assert_eq!(tokens.len(), 3);
    assert_eq!(tokens, second.client().unwrap().tokens().await.unwrap());
}
