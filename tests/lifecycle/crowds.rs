//! Many connections: on one token, and on many while ClickUp is down.

use crate::{OPERATOR, start};
use clickup_simulator::{fault::Fault, messages::LogQuery, state::Generate};
use futures::{StreamExt, stream};
use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_support::{
    case::{Case, is},
    invariants,
    process::Signal,
    stack::{Stack, StackOptions},
    wait,
};

/// Does something for many at once.
async fn for_all<T, F: Future<Output = ()>>(items: impl IntoIterator<Item = T>, action: impl Fn(T) -> F) {
    stream::iter(items).for_each_concurrent(16, action).await;
}

/// Waits until so many connections of a namespace are as wanted.
async fn until_all(
    case: &Case<'_>,
    count: usize,
    patience: Duration,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) {
    let api: Api<DynamicObject> = case.connections();
    let wanted = &wanted;
    let all = wait::until(patience, format!("{count} connections to be {what}"), || {
        let api = api.clone();
        async move {
            let list = api.list(&ListParams::default()).await.map_err(|e| e.to_string())?;
            let objects: Vec<_> = list.items.iter().map(|o| serde_json::to_value(o).unwrap()).collect();
            let broken = objects.iter().find_map(|o| invariants::check(o).err());
            assert!(broken.is_none(), "{broken:?}");
            let done = objects.iter().filter(|o| wanted(&o["status"])).count();
            if done == count { Ok(()) } else { Err(format!("{done} are")) }
        }
    });
    all.await.unwrap_or_else(|e| panic!("{e}"));
}

fn ready(status: &Value) -> bool {
    is(status, "Ready") == ("True", "Verified")
}

/// Checks of connections that have ended.
async fn checks(stack: &Stack) -> u64 {
    let metrics = stack.operator.metrics().await.unwrap();
    let lines = metrics.lines().filter(|line| line.starts_with("clickup_operator_checks_total{"));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

#[tokio::main(flavor = "multi_thread")]
pub(crate) async fn a_thousand_connections_on_one_token_cost_one_check_a_round() {
    const EACH: usize = 250;
    let options = StackOptions { log_level: "info".to_owned(), ..StackOptions::new(OPERATOR) };
    let stack = Stack::start(options).await.unwrap_or_else(|e| panic!("the stack does not start: {e}"));
    let first = Case::new("thousand", &stack.control_plane, &stack.simulator).await;
    let account = first.account().await;
    let mut cases = vec![first];
    for n in 1..4 {
        let next = cases[0].beside(&format!("thousand-{n}"), json!({})).await;
        cases.push(next);
    }
    let began = Instant::now();
    for case in &cases {
        case.secret("bot", &account.token.value).await;
    }
    let names: Vec<_> = (0..EACH).map(|n| format!("c{n}")).collect();
    // It stands still meanwhile: on a machine that takes half an interval for it, a second round would begin.
    stack.operator.process().signal(Signal::Stop).unwrap();
    let all = cases.iter().flat_map(|case| names.iter().map(move |name| (case, name)));
    let spec = json!({"tokenSecretRef": {"name": "bot"}, "interval": "1m"});
    for_all(all, |(case, name)| case.connection(name, spec.clone())).await;
    let created = began.elapsed();
    stack.operator.process().signal(Signal::Continue).unwrap();
    let patience = Duration::from_secs(50);
    for case in &cases {
        until_all(case, EACH, patience, "ready", ready).await;
    }
    eprintln!("1,000 connections on one token: created in {created:?}, ready after {:?}", began.elapsed());
    let (clickup, token) = (&cases[0].clickup, &account.token.name);
    let asked = || async {
        let counts = clickup.counts(Some(token)).await.unwrap();
        counts.iter().map(|c| c.requests).collect::<Vec<_>>()
    };
    assert_eq!(asked().await, [1, 1, 1], "one check");
    let writes: Vec<_> = cases.iter().map(Case::status_writes).collect();
    assert_eq!(writes, [EACH; 4]);
    // One round more: within one and a half intervals, and then all are checked.
    let round = wait::until(Duration::from_secs(120), "another round", || async {
        let ended = checks(&stack).await;
        if ended >= 8 * EACH as u64 { Ok(ended) } else { Err(format!("{ended} checks")) }
    });
    let ended = round.await.unwrap_or_else(|e| panic!("{e}"));
    let asked = asked().await;
    eprintln!("{ended} checks of connections, {asked:?} requests");
    assert_eq!(asked, [2, 2, 2], "one check more for {ended} connections");
    assert_eq!(cases.iter().map(Case::status_writes).collect::<Vec<_>>(), writes, "and nothing to write");
    stack.stop().await.unwrap();
}

#[tokio::main(flavor = "multi_thread")]
pub(crate) async fn an_outage_is_one_event_and_ends_for_all() {
    const TOKENS: usize = 30;
    const DOWN: &str = "ClickUp cannot be asked about any token";
    let mut stack = start().await;
    let namespace = stack.control_plane.fresh_namespace("outage").await.unwrap();
    let case = Case::in_namespace(namespace.clone(), &stack.control_plane, &stack.simulator).await;
    let tokens = case.clickup.generate(Generate::tokens(TOKENS as u64)).await.unwrap();
    let names: Vec<_> = (0..TOKENS).map(|n| format!("c{n}")).collect();
    let patience = Duration::from_secs(60);
    for_all(names.iter().zip(&tokens), |(name, token)| {
        let case = &case;
        async move {
            case.secret(name, &token.value).await;
            case.connection(name, json!({})).await;
        }
    })
    .await;
    until_all(&case, TOKENS, patience, "ready", ready).await;
    // One tenant's token, and ids that ClickUp stumbles over, are no outage.
    let tenant = Fault::for_token(&tokens[0].name).on("/v2/user").error(503, "", "down");
    let tenant = case.clickup.add_fault(tenant).await.unwrap();
    case.annotate("c0", "alone").await;
    let ids = json!({"spec": {"access": [{"list": {"id": "99999999999999999999"}}]}});
    for_all(&names[1..6], |name| case.edit(name, ids.clone())).await;
    for name in &names[1..6] {
        case.until_ready(name, "False", "AccessDenied").await;
        let shard = case.clickup.counts(Some(&tokens[1].name)).await.unwrap();
        assert!(shard.iter().any(|c| c.statuses.contains_key(&500)), "the test is void: {shard:?}");
        case.edit(name, json!({"spec": {"access": null}})).await;
    }
    case.until_handled("c0", "alone").await;
    case.clickup.remove_fault(tenant).await.unwrap();
    case.annotate("c0", "alone no more").await;
    until_all(&case, TOKENS, patience, "ready again", |s| ready(s) && is(s, "Reachable").0 == "True").await;
    assert!(!stack.operator.process().log().contains(DOWN), "one tenant is no outage");

    // An operator that starts in an outage has no answer to think of.
    stack.operator.terminate().await.unwrap();
    let outage = Fault { token: None, ..Fault::for_token("") }.error(503, "", "down");
    let outage = case.clickup.add_fault(outage).await.unwrap();
    let Stack { operator, simulator, control_plane } = &mut stack;
    operator.restart(control_plane.scratch()).await.unwrap();
    let case = Case::in_namespace(namespace, control_plane, simulator).await;
    let down = |s: &Value| ready(s) && is(s, "Reachable") == ("False", "ServerError");
    for_all(&names, |name| case.annotate(name, "0")).await;
    until_all(&case, TOKENS, patience, "unreachable and ready", down).await;
    let log = operator.process().log();
    assert_eq!(log.matches(DOWN).count(), 1, "one event");
    // However often it is asked for, ClickUp gets about five requests a second.
    let opened = case.clickup.log(&LogQuery::default()).await.unwrap().last;
    let began = Instant::now();
    for round in ["1", "2"] {
        for_all(&names, |name| case.annotate(name, round)).await;
        for name in &names {
            case.until_handled(name, round).await;
        }
    }
    let (lasted, since) = (began.elapsed(), Some(opened));
    let sent = case.clickup.log(&LogQuery { since, ..LogQuery::default() }).await.unwrap().entries;
    eprintln!("breaker open: {} requests in {lasted:?} for {} checks asked for", sent.len(), 2 * TOKENS);
    let times: Vec<_> = sent.iter().map(|e| e.time_ms).collect();
    // Five are let go in a second; on their way those of two seconds may come nearer.
    let most =
        times.iter().map(|from| times.iter().filter(|t| (*from..from + 1000).contains(t)).count()).max();
    assert!(most <= Some(10), "{most:?} in a second: {times:?}");
    assert!(sent.len() as f64 <= 5.0 * (lasted.as_secs_f64() + 1.0), "{} in {lasted:?}", sent.len());
    assert!(!sent.is_empty(), "somebody has to try");
    until_all(&case, TOKENS, patience, "still unreachable and ready", down).await;

    case.clickup.remove_fault(outage).await.unwrap();
    let back = Instant::now();
    until_all(&case, TOKENS, patience, "reached again", |s| ready(s) && is(s, "Reachable").0 == "True").await;
    eprintln!("reached again, {TOKENS} tokens: {:?}", back.elapsed());
    let log = operator.process().log();
    assert_eq!((log.matches(DOWN).count(), log.matches("ClickUp answers again").count()), (1, 1));
    let events = case.published_events().await;
    let about_outage: Vec<_> = events.iter().filter(|e| e.reason.as_deref() == Some("ServerError")).collect();
    assert!(about_outage.is_empty(), "nobody's Ready has changed: {about_outage:?}");
    stack.stop().await.unwrap();
}
