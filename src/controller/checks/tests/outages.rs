//! ClickUp fails, for all tokens or for one.

use super::*;

fn each_its_token(n: u32, spec: Value) -> Vec<Connection> {
    (0..n).map(|i| Connection::new(&format!("t{i:04}"), i, spec.clone())).collect()
}

/// After twenty minutes ClickUp is down for so many seconds.
async fn outage(clickup: &Simulated, seconds: u64) {
    sleep(StdDuration::from_secs(1200)).await;
    clickup.world(|w| w.down = true);
    sleep(StdDuration::from_secs(seconds)).await;
    clickup.world(|w| w.down = false);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_event_and_ends_at_once_for_all() {
    let clickup = Simulated::new(1000);
    let tokens = 500;
    let connections = each_its_token(tokens, json!({"interval": "10m"}));
    let stories = during(outage(&clickup, 300), live(&clickup, 10, 1800, connections)).await;
    // While it lasts, five requests a second, after the first few.
    let during = clickup.world(|w| w.log.iter().filter(|(at, ..)| (1210..1500).contains(at)).count());
    assert!(during <= 5 * 290 + 10, "{during} requests in 290 s of outage");
    let noticed: Vec<_> = stories.iter().filter(|s| s.writes > 1).collect();
    let back = |s: &&Story| s.verdicts.iter().find(|at| **at >= 1500).copied();
    let latest = noticed.iter().filter_map(back).max();
    assert!(noticed.len() > 100, "only {} noticed", noticed.len());
    assert!(latest.is_some_and(|at| at <= 1560), "the last was checked at {latest:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_long_outage_is_noticed_with_few_tokens_too() {
    for tokens in [1_u32, 3, 10] {
        let clickup = Simulated::new(1000);
        let begin = second();
        let connections = each_its_token(tokens, json!({"interval": "10m"}));
        let stories = during(outage(&clickup, 1800), live(&clickup, 10, 3300, connections)).await;
        let back = begin + 3000;
        let after: Vec<_> =
            stories.iter().map(|s| s.verdicts.iter().find(|at| **at >= back).map(|at| at - back)).collect();
        let first = after.iter().flatten().min().copied().unwrap_or(i64::MAX);
        let all = after.iter().all(|s| s.is_some_and(|s| s <= first + 21));
        // One of few may just have failed; the first to get through fetches the others.
        let most = if tokens == 3 { 300 } else { 60 };
        assert!(all && first <= most, "{tokens} tokens: {after:?} s after it");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outage_in_which_requests_hang_ends_for_all_within_a_minute() {
    let clickup = Simulated::new(1000);
    clickup.world(|w| w.hangs = true);
    let tokens = 100;
    let connections = each_its_token(tokens, json!({"interval": "10m"}));
    let stories = during(outage(&clickup, 1800), live(&clickup, 10, 3600, connections)).await;
    let mut after: Vec<_> =
        stories.iter().map(|s| s.verdicts.iter().find(|at| **at >= 3000).map(|at| at - 3000)).collect();
    after.sort();
    assert!(after.iter().all(|at| at.is_some_and(|at| at <= 60)), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_met_at_the_start_is_told_to_all_who_wait_for_their_turn() {
    let clickup = Simulated::new(1000);
    clickup.world(|w| (w.hangs, w.down) = (true, true));
    // The first hang for half a minute, and then the first probes.
    let stories = live(&clickup, 10, 70, each_its_token(1000, json!({"interval": "10m"}))).await;
    let untold: Vec<_> = stories.iter().filter(|s| s.ready != "Unknown/TimedOut").collect();
    assert!(untold.is_empty(), "{} of 1000, such as {:?}", untold.len(), untold[0]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_behind_requests_that_hang_in_an_outage() {
    let clickup = Simulated::new(1000);
    clickup.world(|w| w.hangs = true);
    // Five are due in a second and hang for a minute: more than there are places.
    let connections = each_its_token(600, json!({"interval": "2m", "timeout": "1m"}));
    let begin = 1200;
    let stories =
        during(outage(&clickup, 3600), live(&clickup, 10, begin + 120 + 60 + 10, connections)).await;
    let untold = stories.iter().filter(|s| s.writes < 2).count();
    assert_eq!(untold, 0, "of 600, an interval and a timeout after it began");
}

#[tokio::test(start_paused = true)]
async fn a_token_that_fails_alone_keeps_its_backoff() {
    let clickup = Simulated::new(1000);
    clickup.world(|w| w.fails = Some(0));
    live(&clickup, 10, 7200, each_its_token(10, json!({"interval": "5m"}))).await;
    let asked = clickup.world(|w| w.order.iter().filter(|w| **w == "mine").count());
    assert!(asked <= 7200 / 150 + 10, "{asked} requests in two hours");
}
