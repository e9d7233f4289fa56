//! How long a check's calls may take.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_check_whose_time_is_up_sends_nothing_more() {
    let clickup = Simulated::new(100);
    clickup.world(|w| w.slow_lists = true);
    live(&clickup, 10, 4, on_one_token(1, |_| json!({"timeout": "1s", "access": lists(0..20)}))).await;
    // Of two calls and a probe, and four lists at the same time.
    let sent = clickup.world(|w| w.order.len());
    assert!(sent <= 7, "{sent} requests within one second of calls");
}

#[tokio::test(start_paused = true)]
async fn a_short_timeout_is_ones_own() {
    let clickup = Simulated::new(1000);
    clickup.world(|w| w.user_takes = 3000);
    let spec = |i: usize| match i {
        0 => json!({"interval": "10m", "timeout": "1s"}),
        _ => json!({"interval": "10m", "timeout": "30s"}),
    };
    let stories = live(&clickup, 10, 7200, on_one_token(2, spec)).await;
    assert_eq!(stories[1].ready, "True/Verified");
    assert!(stories[1].writes <= 4, "{:?}", stories[1]);
}
