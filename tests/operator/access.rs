//! The operator's rights: what `deploy/` grants is what it uses.

use crate::{OPERATOR, case};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use serde_json::json;
use test_support::rights;

#[tokio::test(flavor = "multi_thread")]
async fn every_right_is_used_and_none_is_missing() {
    let case = case("rights").await;
    let selector = json!({"matchLabels": {"team": "rights"}});
    let sharing = json!({"scope": "Namespaces", "namespaceSelector": selector});
    case.exercise("bot", json!({"sharing": sharing})).await;
    let role: ClusterRole = Api::all(case.client.clone()).get("clickup-operator").await.unwrap();
    let rules = role.rules.unwrap();
    assert!(rules.iter().all(|rule| rule.resource_names.is_none() && rule.non_resource_urls.is_none()));
    let granted = rights::granted(&rules);
    rights::until_all_used(case.control_plane, OPERATOR, &granted).await.unwrap_or_else(|e| panic!("{e}"));
}
