//! What befalls the way to ClickUp, as the operator tells it.

use crate::ground::{back, cluster};
use chaos::cluster::{BadCertificate, ClusterFault, Explains};
use serde_json::json;
use std::time::Instant;
use test_support::case::{Case, is};

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_says_what_is_wrong_on_the_way_to_clickup() {
    let mut cluster = cluster().await;
    let faults = [
        ClusterFault::ClickUpRefuses,
        ClusterFault::TlsFails(BadCertificate::Expired),
        ClusterFault::ClickUpResets,
        ClusterFault::TlsFails(BadCertificate::WrongHost),
        ClusterFault::ClickUpSilent,
        ClusterFault::TlsFails(BadCertificate::UnknownAuthority),
        ClusterFault::DnsFails,
    ];
    let case = Case::new("way", cluster.control_plane(), cluster.simulator()).await;
    let namespace = case.namespace.clone();
    // A connection for each: one that failed before waits longer, and a single token is an outage by itself.
    let name = |round: usize| format!("bot-{round}");
    for round in 0..faults.len() {
        case.verified(&name(round), json!({"timeout": "2s"})).await;
    }
    for (round, fault) in faults.iter().enumerate() {
        let Explains::Unreachable(reason) = fault.explains() else { panic!("{fault}") };
        let (name, began) = (name(round), Instant::now());
        cluster.begin(fault).await.unwrap();
        let case = back(&cluster, &namespace).await;
        case.annotate(&name, "now").await;
        let what = format!("unreachable, because: {fault}");
        let object = case.until(&name, &what, |s| is(s, "Reachable") == ("False", reason)).await;
        assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"), "{fault}");
        let seen = began.elapsed();
        cluster.end(fault).await.unwrap();
        let case = back(&cluster, &namespace).await;
        case.edit(&name, json!({"spec": {"description": "checked at once"}})).await;
        case.until(&name, "reachable again", |s| is(s, "Reachable").0 == "True").await;
        eprintln!("{fault}: seen after {seen:?}, reached again {:?} after its begin", began.elapsed());
    }
    cluster.stop().await.unwrap();
}
