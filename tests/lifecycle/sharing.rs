//! Sharing, where a test needs a cluster to itself.

use crate::{Parts, proxy::Proxy, start};
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    rbac::v1::ClusterRole,
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    case::{Case, is, message},
    control_plane::audit::{AuditEvent, Stage},
    stack, wait,
};

/// As the audit log knows the operator.
const OPERATOR: &str = "system:serviceaccount:clickup-operator:clickup-operator";

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_watched_as_metadata_and_only_while_any_are_selected() {
    let parts = Parts::start().await;
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let proxy = Proxy::start(&parts.control_plane, &parts.kubeconfig, None).await;
    let operator = parts.operator(&proxy.kubeconfig).await;
    let own = Case::new("selecting", &parts.control_plane, &parts.simulator).await;
    let user = own.beside("selected", json!({})).await;
    // Stages of the operator's requests for Namespaces.
    let stages = |of: Stage| {
        let events = parts.control_plane.audit_events().unwrap();
        let asked = |e: &&AuditEvent| e.user == OPERATOR && e.resource == "namespaces" && e.stage == of;
        let asked: Vec<_> = events.into_iter().filter(|e| asked(&e)).collect();
        assert!(asked.iter().all(|e| e.verb == "watch" && e.name.is_empty()), "{asked:?}");
        asked.len()
    };
    let sharing = |sharing: Value| json!({"spec": {"sharing": sharing}});
    let select = json!({"scope": "Namespaces", "namespaceSelector": {"matchLabels": {"team": "a"}}});
    own.verified("bot", json!({"sharing": {"scope": "Cluster"}})).await;
    user.connection("mine", json!({"connectionRef": own.reference("bot")})).await;
    user.until_ready("mine", "True", "Verified").await;
    // Whom a list names, and a selector that selects all, can be told without labels.
    let lists = json!({"scope": "Namespaces", "namespaces": [user.namespace]});
    let everybody = json!({"scope": "Namespaces", "namespaces": null, "namespaceSelector": {}});
    for (generation, who) in [(2, lists), (3, everybody)] {
        own.edit("bot", sharing(who)).await;
        own.until("bot", "edited", |s| s["observedGeneration"] == generation).await;
    }
    user.connection("later", json!({"connectionRef": own.reference("bot")})).await;
    user.until_ready("later", "True", "Verified").await;
    assert_eq!(stages(Stage::ResponseStarted), 0, "nobody has selected any");

    for round in [1, 2] {
        own.edit("bot", sharing(select.clone())).await;
        user.until_ready("mine", "False", "ConnectionNotShared").await;
        user.label(json!({"team": "a"})).await;
        user.until_ready("mine", "True", "Verified").await;
        assert_eq!(stages(Stage::ResponseStarted), round, "one watch");
        // The last selector goes with an edit, or with its connection.
        match round {
            1 => own.edit("bot", sharing(json!({"scope": "Cluster", "namespaceSelector": null}))).await,
            _ => own.no_connection("bot").await,
        }
        let ended = wait::until(Duration::from_secs(20), "the watch to end", || async {
            match stages(Stage::ResponseComplete) {
                n if n == round => Ok(()),
                n => Err(format!("{n} of {round} have ended")),
            }
        });
        ended.await.unwrap_or_else(|e| panic!("{e}"));
        user.label(json!({"team": null})).await;
    }
    user.until_ready("mine", "False", "ConnectionNotShared").await;
    assert_eq!(stages(Stage::ResponseStarted), 2);
    let forms = proxy.forms("/namespaces");
    assert_eq!(forms.len(), 2);
    let metadata = |form: &String| form.starts_with("application/json;as=PartialObjectMetadata;");
    assert!(forms.iter().all(metadata), "{forms:?}");
    assert!(!proxy.forms("/secrets").is_empty() && proxy.forms("/secrets").iter().all(metadata));
    operator.stop().await.unwrap();
}

/// Whether the operator may read Secrets, and waits until the API server knows it.
async fn let_read_secrets(case: &Case<'_>, may: bool) {
    let roles: Api<ClusterRole> = Api::all(case.client.clone());
    let mut role = roles.get("clickup-operator").await.unwrap();
    for rule in role.rules.iter_mut().flatten() {
        if rule.resources.iter().flatten().any(|r| r == "secrets") {
            rule.verbs = if may { vec!["get".into(), "watch".into()] } else { vec!["watch".into()] };
        }
    }
    let rules = Patch::Merge(json!({"rules": role.rules}));
    roles.patch("clickup-operator", &PatchParams::default(), &rules).await.unwrap();
    let reviews: Api<SubjectAccessReview> = Api::all(case.client.clone());
    let resource_attributes = ResourceAttributes {
        resource: Some("secrets".into()),
        verb: Some("get".into()),
        namespace: Some(case.namespace.clone()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(OPERATOR.into()),
        resource_attributes: Some(resource_attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let known = wait::until(Duration::from_secs(20), "the right to be known", || async {
        let review = reviews.create(&PostParams::default(), &review).await.map_err(|e| e.to_string())?;
        let allowed = review.status.is_some_and(|s| s.allowed);
        if allowed == may { Ok(()) } else { Err(format!("allowed: {allowed}")) }
    });
    known.await.unwrap_or_else(|e| panic!("{e}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_may_not_be_read_stands_still_for_all_who_use_it() {
    let stack = start().await;
    let own = Case::new("forbidden", &stack.control_plane, &stack.simulator).await;
    let user = own.beside("forbidden-user", json!({})).await;
    let account = own.verified("bot", json!({"sharing": {"scope": "Cluster"}})).await;
    let reference = json!({"connectionRef": own.reference("bot")});
    user.connection("mine", reference.clone()).await;
    user.until_ready("mine", "True", "Verified").await;
    let_read_secrets(&own, false).await;
    own.annotate("bot", "1").await;
    user.annotate("mine", "1").await;
    user.connection("born", reference).await;
    for (case, name) in [(&own, "bot"), (&user, "mine"), (&user, "born")] {
        let object = case.until_ready(name, "Unknown", "SecretAccessDenied").await;
        let status = &object["status"];
        assert_eq!(is(status, "TokenAvailable"), ("Unknown", "SecretAccessDenied"), "{name}");
        let known = if name == "born" { ("Unknown", "NotChecked") } else { ("True", "TokenAccepted") };
        assert_eq!(is(status, "Authenticated"), known, "{name}: it says nothing about the token");
        assert_eq!(status["defaultWorkspace"].is_null(), name == "born", "{name}");
        let said = message(status, "TokenAvailable");
        assert_eq!(said.contains("\"bot\""), name == "bot", "{said}");
        assert_eq!(said.contains("ask its owner"), name != "bot", "{said}");
    }
    let_read_secrets(&own, true).await;
    let labels = json!({"metadata": {"labels": {"x": "y"}}, "stringData": {"token": account.token.value}});
    own.secret_with("bot", labels).await;
    for (case, name) in [(&own, "bot"), (&user, "mine"), (&user, "born")] {
        case.until_ready(name, "True", "Verified").await;
    }
    stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_cannot_be_understood_shares_with_nobody() {
    let parts = Parts::start().await;
    stack::install_loose_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let own = Case::new("muddled", &parts.control_plane, &parts.simulator).await;
    let user = own.beside("muddled-user", json!({})).await;
    own.secret("bot", &own.account().await.token.value).await;
    own.connection("bot", json!({"sharing": {"scope": "Cluster"}, "interval": "soon"})).await;
    own.connection("scope", json!({"tokenSecretRef": {"name": "bot"}, "sharing": {"scope": "Galaxy"}})).await;
    for (name, of) in [("mine", "bot"), ("far", "scope"), ("missing", "missing")] {
        user.connection(name, json!({"connectionRef": own.reference(of)})).await;
    }
    stack::install_crd(&parts.control_plane, &parts.checkout).await.unwrap();
    let operator = parts.operator(&parts.kubeconfig).await;
    let mut seen = Vec::new();
    for name in ["mine", "far", "missing"] {
        let object = user.until_ready(name, "False", "ConnectionNotShared").await;
        let mut status = object["status"].clone();
        for condition in status["conditions"].as_array_mut().unwrap() {
            condition["lastTransitionTime"].take();
        }
        seen.push(status);
    }
    assert!(seen.iter().all(|status| *status == seen[2]), "{seen:#?}");
    own.edit("bot", json!({"spec": {"interval": "10m"}})).await;
    user.until_ready("mine", "True", "Verified").await;
    operator.stop().await.unwrap();
}
