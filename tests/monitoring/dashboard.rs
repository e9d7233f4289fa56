//! Every query of the dashboard gives data, and every rule can be evaluated, in a Prometheus that scrapes the operator.

use crate::{CHECKOUT, case, stack};
use serde_json::json;
use std::{path::Path, time::Duration};
use test_support::{
    dashboard,
    prometheus::{PrometheusProcess, Series},
    wait,
};

const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn every_query_gives_data_and_every_rule_can_be_evaluated() {
    let case = case("dashboard").await;
    let user = case.beside("dashboard-user", json!({})).await;
    case.verified("good", json!({"sharing": {"scope": "Cluster"}})).await;
    user.connection("refers", json!({"connectionRef": case.reference("good")})).await;
    case.connection("missing", json!({})).await;
    case.connection("paused", json!({"suspend": true})).await;

    let stack = stack().await;
    let files = ["alerts.yaml", "token-age.yaml"];
    let rules = files.map(|file| Path::new(CHECKOUT).join("deploy/monitoring").join(file));
    let scratch = stack.control_plane.scratch();
    let prometheus = PrometheusProcess::start(stack.operator.metrics_url(), &rules, scratch).await;
    let prometheus = prometheus.unwrap_or_else(|e| panic!("{e}"));

    let panels = dashboard::panels(&Path::new(CHECKOUT).join("deploy/monitoring/dashboard.json")).unwrap();
    let queries =
        panels.iter().flat_map(|panel| panel.targets.iter().map(|target| (&panel.title, target.filled())));
    // What falls back to zero would always give data.
    let mut open: Vec<_> =
        queries.map(|(title, query)| (title, query.trim_end_matches(" or vector(0)").to_owned())).collect();
    assert!(open.len() > 25, "only {} queries", open.len());
    let (mut round, deadline) = (0, tokio::time::Instant::now() + PATIENCE);
    while !open.is_empty() {
        // So that what is counted grows.
        round += 1;
        case.annotate("good", &round.to_string()).await;
        case.until_handled("good", &round.to_string()).await;
        let mut without = Vec::new();
        for (title, query) in open {
            let series = prometheus.query(&query).await.unwrap_or_else(|e| panic!("{title}: {e}"));
            if !has_data(&series) {
                without.push((title, query));
            }
        }
        open = without;
        assert!(tokio::time::Instant::now() < deadline, "no data for {open:#?}");
    }

    let evaluated = || async {
        let rules = prometheus.rules().await.map_err(|e| e.to_string())?;
        let bad: Vec<_> = rules.iter().filter(|rule| rule["health"] != "ok").collect();
        if rules.len() == 11 && bad.is_empty() {
            Ok(())
        } else {
            Err(format!("{} rules, {bad:#?}", rules.len()))
        }
    };
    wait::until(PATIENCE, "every rule to be evaluated", evaluated).await.unwrap_or_else(|e| panic!("{e}"));
    prometheus.stop().await.unwrap();
}

fn has_data(series: &[Series]) -> bool {
    series.iter().flat_map(|series| &series.points).any(|(_, value)| value.is_finite())
}
