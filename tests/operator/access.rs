//! The operator's rights: what `deploy/` grants is what it uses.

use crate::{OPERATOR, case};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use test_support::wait;

#[tokio::test(flavor = "multi_thread")]
async fn every_right_is_used_and_none_is_missing() {
    let case = case("rights").await;
    // Whom labels select, it watches Namespaces for.
    let selector = json!({"matchLabels": {"team": "rights"}});
    let sharing = json!({"scope": "Namespaces", "namespaceSelector": selector});
    let account = case.verified("bot", json!({"sharing": sharing})).await;
    for round in ["1", "2"] {
        case.no_secret("bot").await;
        case.until_ready("bot", "False", "SecretNotFound").await;
        case.secret("bot", &account.token.value).await;
        case.until_ready("bot", "True", "Verified").await;
        case.annotate("bot", round).await;
        case.until_handled("bot", round).await;
    }
    let role: ClusterRole = Api::all(case.client.clone()).get("clickup-operator").await.unwrap();
    let mut granted = BTreeSet::new();
    for rule in role.rules.unwrap_or_default() {
        assert!(rule.resource_names.is_none() && rule.non_resource_urls.is_none());
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                granted.extend(rule.verbs.iter().map(|verb| format!("{verb} {resource}.{group}")));
            }
        }
    }
    assert!(granted.len() >= 7, "the test is void: {granted:?}");
    wait::until(Duration::from_secs(20), "every right to be used", || async {
        let events = case.control_plane.audit_events().map_err(|e| e.to_string())?;
        let ours: Vec<_> = events.iter().filter(|e| e.user == OPERATOR).collect();
        let refused: Vec<_> = ours.iter().filter(|e| e.code == Some(403)).collect();
        assert!(refused.is_empty(), "refused: {refused:?}");
        let used: BTreeSet<_> = ours
            .iter()
            .map(|e| {
                let slash = if e.subresource.is_empty() { "" } else { "/" };
                format!("{} {}{slash}{}.{}", e.verb, e.resource, e.subresource, e.group)
            })
            .collect();
        let unused: Vec<_> = granted.difference(&used).collect();
        if unused.is_empty() { Ok(()) } else { Err(format!("not used: {unused:?}, of {used:?}")) }
    })
    .await
    .unwrap_or_else(|e| panic!("{e}"));
}
