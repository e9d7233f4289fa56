//! What all who hold a token have in common: one check for all, its answers and its end.

use super::*;

#[tokio::test(start_paused = true)]
async fn many_connections_on_one_token_cost_no_more_than_one() {
    let mut rounds = Vec::new();
    for n in [1, 10, 1000] {
        let clickup = Simulated::new(100);
        let stories = live(&clickup, 10, 7200, on_one_token(n, |_| json!({"interval": "10m"}))).await;
        assert!(
            stories.iter().all(|s| s.ready == "True/Verified" && s.limited.is_empty()),
            "{:?}",
            stories[0]
        );
        // Half an interval at the begin may bring one round more.
        let checks = clickup.to("user");
        assert!((12..=13).contains(&checks), "{n} connections: {checks} checks in two hours at 10m");
        assert_eq!((clickup.to("team"), clickup.to("team/90/space")), (checks, checks));
        rounds.push(clickup.requests() / checks);
    }
    assert_eq!(rounds, [3, 3, 3], "requests of a round");
}

#[tokio::test(start_paused = true)]
async fn the_shortest_interval_leads_and_longer_ones_ride_along() {
    let clickup = Simulated::new(100);
    let spec = |i: usize| match i {
        0 => json!({"interval": "5m"}),
        i => json!({"interval": "30m", "access": [{"list": {"id": i.to_string()}}]}),
    };
    let stories = live(&clickup, 10, 7200, on_one_token(5, spec)).await;
    assert!((24..=26).contains(&clickup.to("user")), "{}", clickup.to("user"));
    for (i, story) in stories.iter().enumerate().skip(1) {
        let probes = clickup.to(&format!("list/{i}"));
        assert!((4..=5).contains(&probes), "list {i}: {probes} times in two hours at 30m");
        assert_eq!(story.ready, "True/Verified");
    }
}

#[tokio::test(start_paused = true)]
async fn who_wants_the_names_gets_them_also_from_a_call_of_who_does_not() {
    let clickup = Simulated::new(100);
    let spec = |i: usize| match i {
        0 => json!({}),
        _ => json!({"defaultWorkspace": {"id": "90"}, "access": [{"space": {"name": "Engineering"}}]}),
    };
    let stories = live(&clickup, 10, 60, on_one_token(2, spec)).await;
    assert_eq!(stories[1].ready, "True/Verified");
    assert_eq!(clickup.to("team/90/space"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dead_token_is_asked_about_once_for_all_and_slowly() {
    let clickup = Simulated::new(100);
    let death = async {
        sleep(StdDuration::from_secs(900)).await;
        clickup.world(|w| w.rejects = true);
    };
    let connections = on_one_token(100, |_| json!({"interval": "2m"}));
    let stories = during(death, live(&clickup, 10, 3600, connections)).await;
    assert!(stories.iter().all(|s| s.ready == "False/TokenRejected"), "{:?}", stories[0]);
    let after = clickup.world(|w| w.log.iter().filter(|(at, ..)| *at >= 900).count());
    // Twice to be sure, and then every ten minutes.
    assert!((4..=8).contains(&after), "{after} requests in 45 minutes");
}
