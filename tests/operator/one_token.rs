//! One token, one check: however many connections hold it, ClickUp is asked once, and its limit is kept together.

use crate::case;
use clickup_simulator::{
    messages::{LogQuery, TokenChange},
    state::{List, Space},
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use test_support::case::{Case, is};

/// Requests with a token so far: to `/user`, to `/team`, and all others.
async fn asked(case: &Case<'_>, token: &str) -> [u64; 3] {
    let counts = case.clickup.counts(Some(token)).await.unwrap();
    let of = |path: &str| counts.iter().filter(|c| c.path == path).map(|c| c.requests).sum::<u64>();
    let all: u64 = counts.iter().map(|c| c.requests).sum();
    let (user, team) = (of("/v2/user"), of("/v2/team"));
    [user, team, all - user - team]
}

/// Does something for many at once.
async fn for_all<T, F: Future<Output = ()>>(items: impl IntoIterator<Item = T>, action: impl Fn(T) -> F) {
    stream::iter(items).for_each_concurrent(16, action).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_connections_in_five_namespaces_cost_one_check() {
    let first = case("crowd").await;
    let account = first.account().await;
    let other = first.account().await;
    let mut cases = vec![first];
    for n in 1..5 {
        let next = cases[0].beside(&format!("crowd-{n}"), json!({})).await;
        cases.push(next);
    }
    for case in &cases {
        case.secret("mine", &account.token.value).await;
        case.secret("another", &other.token.value).await;
    }
    let names: Vec<_> = (0..10).map(|n| format!("c{n}")).collect();
    let all = || cases.iter().flat_map(|case| names.iter().map(move |name| (case, name)));
    let spec = json!({"tokenSecretRef": {"name": "mine"}, "interval": "1m", "sharing": {"scope": "Cluster"}});
    for_all(all(), |(case, name)| case.connection(name, spec.clone())).await;
    // One of another token, and one that borrows this one.
    let lone = json!({"tokenSecretRef": {"name": "another"}, "interval": "1m"});
    cases[0].connection("lone", lone).await;
    cases[1]
        .connection("borrower", json!({"connectionRef": cases[0].reference("c0"), "interval": "1m"}))
        .await;
    for (case, name) in all() {
        case.until_ready(name, "True", "Verified").await;
    }
    cases[0].until_ready("lone", "True", "Verified").await;
    cases[1].until_ready("borrower", "True", "Verified").await;
    let (token, clickup) = (&account.token.name, &cases[0]);
    assert_eq!(asked(clickup, token).await, [1, 1, 1], "user, team and the sole workspace");
    assert_eq!(asked(clickup, &other.token.name).await, [1, 1, 1], "two tokens share nothing");

    // An edit is served by what was found a moment ago, the annotation by a new check.
    cases[2].edit("c1", json!({"spec": {"interval": "5m"}})).await;
    cases[3].edit("c2", json!({"spec": {"defaultWorkspace": {"name": cases[0].namespace}}})).await;
    for (case, name) in [(&cases[2], "c1"), (&cases[3], "c2")] {
        case.until(name, "judged anew", |s| s["observedGeneration"] == 2 && is(s, "Ready").0 == "True").await;
    }
    assert_eq!(asked(clickup, token).await, [1, 1, 1]);
    let writes: Vec<_> = cases.iter().map(Case::status_writes).collect();
    cases[4].annotate("c3", "now").await;
    cases[4].until_handled("c3", "now").await;
    assert_eq!(asked(clickup, token).await, [2, 2, 2]);
    assert_eq!(asked(clickup, &other.token.name).await, [1, 1, 1]);

    let mut after: Vec<_> = cases.iter().map(Case::status_writes).collect();
    after[4] -= 1;
    assert_eq!(after, writes, "nobody but the one that asked had anything to write");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_used_up_by_others_is_waited_for_together() {
    let case = case("used-up").await;
    let account = case.account().await;
    let token = &account.token.name;
    case.secret("bot", &account.token.value).await;
    let names: Vec<_> = (0..8).map(|n| format!("c{n}")).collect();
    for_all(&names, |name| case.connection(name, json!({"tokenSecretRef": {"name": "bot"}}))).await;
    for name in &names {
        case.until_ready(name, "True", "Verified").await;
    }
    // A short window, and all of it gone.
    let gone = TokenChange { window_seconds: Some(8), spend: Some(100), ..TokenChange::default() };
    case.clickup.change_token(token, TokenChange { spend: None, ..gone.clone() }).await.unwrap();
    case.clickup.change_token(token, TokenChange { window_seconds: None, ..gone }).await.unwrap();
    let reset = case.clickup.token(token).await.unwrap().reset;
    for_all(&names, |name| case.annotate(name, "1")).await;
    for name in &names {
        let object = case.until(name, "limited", |s| is(s, "RateLimited").0 == "True").await;
        let status = &object["status"];
        assert_eq!(is(status, "Ready"), ("True", "Verified"), "{name}");
    }
    for name in &names {
        case.annotate(name, "2").await;
    }
    for name in &names {
        let object = case.until_handled(name, "2").await;
        let status = &object["status"];
        assert_eq!((is(status, "RateLimited"), is(status, "Reachable").0), (("", ""), "True"), "{name}");
    }
    let log =
        case.clickup.log(&LogQuery { token: Some(token.clone()), ..LogQuery::default() }).await.unwrap();
    let refused: Vec<_> = log.entries.iter().filter(|e| e.status == Some(429)).collect();
    assert_eq!(refused.len(), 1, "{refused:?}");
    let after: Vec<_> = log.entries.iter().filter(|e| e.seq > refused[0].seq).map(|e| e.time_ms).collect();
    assert!(after.iter().all(|at| *at >= reset * 1000), "sent before the reset at {reset}: {after:?}");
    assert!(after.len() <= 6, "one check, or two: {after:?}");
    eprintln!("after the reset: {:?} ms", after.iter().map(|at| at - reset * 1000).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_too_small_says_so_and_is_kept() {
    const LISTS: usize = 5;
    let case = case("narrow").await;
    let account = case.account().await;
    let token = &account.token.name;
    let space = Space { name: "S".into(), ..Space::default() };
    let space = case.clickup.add_space(account.workspace, space).await.unwrap();
    let mut lists = Vec::new();
    for n in 0..LISTS {
        let list = List { name: format!("L{n}"), ..List::default() };
        lists.push(case.clickup.add_list_to_space(space, list).await.unwrap());
    }
    let narrow = TokenChange { limit: Some(10), window_seconds: Some(12), ..TokenChange::default() };
    case.clickup.change_token(token, narrow).await.unwrap();
    case.secret("bot", &account.token.value).await;
    let began = Instant::now();
    let spec = |n: usize| json!({"tokenSecretRef": {"name": "bot"}, "access": [{"list": {"id": lists[n].to_string()}}]});
    for n in 0..LISTS {
        case.connection(&format!("c{n}"), spec(n)).await;
    }
    let late = |s: &Value| is(s, "RateLimited").0 == "True";
    let mut seen = 0;
    let patience = Duration::from_secs(90);
    for n in 0..LISTS {
        let name = format!("c{n}");
        let told = |s: &Value| late(s) || is(s, "Ready").0 == "True";
        let object = case.until_within(patience, &name, "checked, or late", told).await;
        if late(&object["status"]) && is(&object["status"], "Ready").0 != "True" {
            assert_eq!(is(&object["status"], "Ready"), ("Unknown", "Checking"), "{name}");
            seen += 1;
        }
    }
    assert!(seen > 0, "nobody was late");
    for n in 0..LISTS {
        case.until_within(patience, &format!("c{n}"), "verified", |s| is(s, "Ready").0 == "True").await;
    }
    eprintln!("{LISTS} probes with a limit of 10 in 12 s: {:?}, {seen} late", began.elapsed());
    let counts = case.clickup.counts(Some(token)).await.unwrap();
    assert!(counts.iter().all(|c| !c.statuses.contains_key(&429)), "never over the limit: {counts:?}");
    // Each is rid of it with its next check that is not late: in a new window, and with a larger limit.
    let wait = test_support::wait::until(patience, "a window with room", || async {
        match case.clickup.token(token).await {
            Ok(t) if t.remaining >= 10 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    wait.await.unwrap_or_else(|e| panic!("{e}"));
    let wide = TokenChange { limit: Some(1000), ..TokenChange::default() };
    case.clickup.change_token(token, wide).await.unwrap();
    let mut late_ones = Vec::new();
    for n in 0..LISTS {
        let name = format!("c{n}");
        if late(&case.get(&name).await["status"]) {
            late_ones.push(name);
        }
    }
    let one = late_ones.first().expect("the test is void");
    case.annotate(one, "1").await;
    let object =
        case.until_within(patience, one, "checked again", |s| s["lastHandledReconcileAt"] == "1").await;
    assert_eq!((is(&object["status"], "RateLimited"), is(&object["status"], "Ready").0), (("", ""), "True"));
}
