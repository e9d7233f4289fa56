//! A token's limit and its budget.

use super::*;

#[tokio::test(start_paused = true)]
async fn after_a_429_fifty_connections_are_served_without_another() {
    let clickup = Simulated::new(100);
    // Somebody else has used the limit up.
    clickup.world(|w| w.window.insert("foreign".into(), (0, 0)));
    let connections = on_one_token(50, |i| json!({"interval": "5m", "access": lists(i * 10..i * 10 + 4)}));
    clickup.world(|w| w.foreign = 100);
    let others = async {
        sleep(StdDuration::from_secs(30)).await;
        // From the next minute on they leave most of it.
        clickup.world(|w| w.foreign = 20);
    };
    let stories = during(others, live(&clickup, 10, 660, connections)).await;
    let refused: Vec<_> =
        clickup.world(|w| w.log.iter().filter(|(.., over)| *over).map(|(at, ..)| *at).collect());
    assert!(!refused.is_empty() && refused.iter().all(|at| *at < 60), "429 at {refused:?}");
    let first: Vec<_> = stories.iter().map(|s| s.verdicts.first().copied()).collect();
    assert!(first.iter().all(|at| at.is_some_and(|at| at <= 660)), "starved: {first:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_out_after_a_429_that_tells_nothing() {
    let clickup = Simulated::new(10);
    clickup.world(|w| w.bare = true);
    live(&clickup, 10, 50, on_one_token(30, |i| json!({"access": lists(i * 10..i * 10 + 4)}))).await;
    let order = clickup.world(|w| w.order.clone());
    let first = order.iter().position(|what| *what == "429").expect("a 429");
    assert!(!order[first..].contains(&"sent"), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn the_shortest_interval_that_a_budget_reaches_is_that_of_the_formula() {
    // (2 + questions) requests a round, limit * percent / 100 of them a minute: docs/budget.md.
    let (limit, percent, n) = (100, 10, 30);
    let clickup = Simulated::new(limit);
    let spec = |i: usize| json!({"interval": "1m", "access": lists([i])});
    let hours = 6;
    let stories = live(&clickup, percent, hours * 3600, on_one_token(n, spec)).await;
    let spent: usize = clickup.world(|w| w.log.iter().filter(|(at, ..)| *at > 1200).count());
    let minutes = (hours * 60 - 20) as usize;
    let allowed = limit as usize * usize::from(percent) / 100 * minutes;
    assert!(spent <= allowed, "{spent} of {allowed} requests");
    assert!(spent * 10 >= allowed * 8, "{spent} of {allowed} requests: the budget is not used");
    assert!(stories.iter().all(|s| !s.limited.is_empty()), "checks are late, and say so");
    // Every connection is served, and no one much more often than another.
    let counts: Vec<_> = (0..n).map(|i| clickup.to(&format!("list/{i}"))).collect();
    let (least, most) = (*counts.iter().min().unwrap(), *counts.iter().max().unwrap());
    assert!(most <= least * 2, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_waited_for_a_reset_was_not_late() {
    let clickup = Simulated::new(100);
    // One of the first's lists meets a 429, while most of the second's have yet to be asked about.
    clickup.world(|w| w.refuses = Some("list/0"));
    let connections = on_one_token(2, |i| json!({"access": if i == 0 { lists([0]) } else { lists(1..20) }}));
    let stories = live(&clickup, 10, 90, connections).await;
    for Story { verdicts, limited, is_limited, ready, .. } in &stories {
        assert!(limited.len() == 1 && limited[0] < 60, "while the reset is awaited it says so: {limited:?}");
        assert!(verdicts.len() == 1 && (60..70).contains(&verdicts[0]), "{verdicts:?}");
        assert_eq!((ready.as_str(), is_limited), ("True/Verified", &false));
    }
}
