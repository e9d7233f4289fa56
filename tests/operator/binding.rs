//! The Secret as a provisioned service of the Service Binding specification.

use crate::{OPERATOR, case, stack};
use clickup_simulator::fault::Fault;
use k8s_openapi::{
    api::{
        authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
        core::v1::{Secret, ServiceAccount},
        rbac::v1::{ClusterRole, RoleBinding},
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::path::Path;
use test_support::{
    case::{Case, SOON, is},
    stack::{Stack, StackOptions},
    wait,
};

fn bound() -> Value {
    json!({"binding": {"enabled": true}})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_published_while_its_token_is_found() {
    let case = case("bound").await;
    let label = json!({"labels": {"clickup-operator.dev/token-type": "OAuth"}});
    // What becomes of the Secret; the reason, and whether it is still published.
    let rows = [
        ("empty", Some(json!({"stringData": {"token": " "}})), "TokenEmpty", false),
        ("malformed", Some(json!({"stringData": {"token": "Bearer x"}})), "TokenMalformed", false),
        (
            "mismatch",
            Some(json!({"metadata": label, "stringData": {"token": "opaque"}})),
            "TokenTypeMismatch",
            false,
        ),
        ("no-key", Some(json!({"data": {"token": null, "other": "eA=="}})), "SecretKeyNotFound", false),
        ("deleted", None, "SecretNotFound", false),
        // There is a token to bind to; that ClickUp does not take it is another matter.
        ("dead", Some(json!({"stringData": {"token": "pk_1_NOBODYKNOWSTHIS"}})), "TokenRejected", true),
    ];
    for (name, secret, reason, published) in rows {
        let account = case.verified(name, bound()).await;
        assert_eq!(case.get(name).await["status"]["binding"], json!({"name": name}), "{name}");
        match secret {
            // An apply takes nothing out of `data`.
            Some(secret) if name == "no-key" => {
                case.secrets().patch(name, &PatchParams::default(), &Patch::Merge(secret)).await.unwrap();
            }
            Some(secret) => case.secret_with(name, secret).await,
            None => case.no_secret(name).await,
        }
        let object = case.until_ready(name, "False", reason).await;
        assert_eq!(object["status"]["binding"]["name"] == name, published, "{name}");
        assert_eq!(object["status"]["binding"].is_null(), !published, "{name}");
        case.secret(name, &account.token.value).await;
        let object = case.until_ready(name, "True", "Verified").await;
        assert_eq!(object["status"]["binding"], json!({"name": name}), "{name}, restored");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_publishes_and_withdraws() {
    let case = case("bound-edits").await;
    let account = case.verified("bot", json!({})).await;
    assert!(case.get("bot").await["status"]["binding"].is_null());
    case.secret("other", &account.token.value).await;
    let steps = [
        (bound(), Some("bot")),
        (json!({"suspend": true}), Some("bot")),
        (json!({"suspend": false}), Some("bot")),
        (json!({"tokenSecretRef": {"name": "other"}}), Some("other")),
        (json!({"binding": {"enabled": false}}), None),
        (bound(), Some("other")),
        (json!({"binding": null}), None),
    ];
    for ((patch, published), generation) in steps.into_iter().zip(2..) {
        case.edit("bot", json!({"spec": patch})).await;
        let object = case.until("bot", "observed", |s| s["observedGeneration"] == generation).await;
        assert_eq!(object["status"]["binding"]["name"], json!(published), "{patch}");
        assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"), "{patch}");
    }
    case.secret("new", &account.token.value).await;
    case.connection("new", json!({"binding": {"enabled": true}, "suspend": true})).await;
    let object = case.until_ready("new", "Unknown", "Suspended").await;
    assert!(object["status"]["binding"].is_null(), "nothing was looked at yet");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_withdraws_nothing() {
    let case = case("bound-outage").await;
    let account = case.account().await;
    let down = Fault::for_token(&account.token.name).on("/v2/team/*").error(503, "", "down");
    case.clickup.add_fault(down).await.unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", bound()).await;
    let object = case.until_ready("bot", "Unknown", "ServerError").await;
    assert_eq!(object["status"]["binding"], json!({"name": "bot"}));
}

/// Needs a control plane of its own: elsewhere nothing may be refused to the operator.
#[tokio::test(flavor = "multi_thread")]
async fn that_the_operator_may_not_look_withdraws_nothing() {
    let stack = Stack::start(StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator"))).await.unwrap();
    let case = Case::new("bound-denied", &stack.control_plane, &stack.simulator).await;
    let account = case.verified("bot", bound()).await;
    may_read_secrets(&case, false).await;
    case.annotate("bot", "1").await;
    let object = case.until_ready("bot", "Unknown", "SecretAccessDenied").await;
    let status = &object["status"];
    assert_eq!(status["binding"], json!({"name": "bot"}), "kept");
    assert_eq!(is(status, "Authenticated"), ("True", "TokenAccepted"));
    assert_eq!(status["user"]["id"], account.user.to_string());
    // What was never found is not published.
    case.secret("new", &account.token.value).await;
    case.connection("new", bound()).await;
    let object = case.until_ready("new", "Unknown", "SecretAccessDenied").await;
    assert!(object["status"]["binding"].is_null());
    case.edit("bot", json!({"spec": {"binding": {"enabled": false}}})).await;
    case.until("bot", "withdrawn by its owner", |s| s["binding"].is_null()).await;
    case.edit("bot", json!({"spec": {"binding": {"enabled": true}}})).await;
    may_read_secrets(&case, true).await;
    for name in ["bot", "new"] {
        case.annotate(name, "2").await;
        let object = case.until_ready(name, "True", "Verified").await;
        assert_eq!(object["status"]["binding"], json!({"name": name}));
    }
    drop(case);
    stack.stop().await.unwrap();
}

/// Lets the operator read Secrets, or no longer, and waits until the API server acts on it.
async fn may_read_secrets(case: &Case<'_>, may: bool) {
    let roles: Api<ClusterRole> = Api::all(case.client.clone());
    let mut role = roles.get("clickup-operator").await.unwrap();
    let of_secrets = |r: &&mut k8s_openapi::api::rbac::v1::PolicyRule| {
        r.resources.iter().flatten().any(|resource| resource == "secrets")
    };
    let rule = role.rules.iter_mut().flatten().find(of_secrets).unwrap();
    rule.verbs = if may { vec!["get".into(), "watch".into()] } else { vec!["watch".into()] };
    roles.replace("clickup-operator", &PostParams::default(), &role).await.unwrap();
    wait::until(SOON, "the API server to know", || async {
        let reviewed = allowed(&case.client, OPERATOR, "get", "", "secrets", &case.namespace).await;
        if reviewed == may { Ok(()) } else { Err(format!("allowed: {reviewed}")) }
    })
    .await
    .unwrap_or_else(|e| panic!("{e}"));
}

async fn allowed(
    client: &Client,
    user: &str,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: &str,
) -> bool {
    let attributes = ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        namespace: Some(namespace.to_owned()),
        ..ResourceAttributes::default()
    };
    let spec = SubjectAccessReviewSpec {
        user: Some(user.to_owned()),
        resource_attributes: Some(attributes),
        ..SubjectAccessReviewSpec::default()
    };
    let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
    answer.status.is_some_and(|status| status.allowed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_binding_controller_finds_the_kind_and_may_read_it() {
    let case = case("bound-controller").await;
    case.verified("bot", bound()).await;
    let crds: Api<CustomResourceDefinition> = Api::all(case.client.clone());
    let provisioned = ListParams::default().labels("servicebinding.io/provisioned-service=true");
    let found: Vec<_> =
        crds.list(&provisioned).await.unwrap().items.into_iter().map(|c| c.spec.names.kind).collect();
    assert_eq!(found, ["ClickUpConnection"]);

    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base/roles.yaml");
    let apply = ["apply".as_ref(), "--filename".as_ref(), roles.as_os_str()];
    stack().await.control_plane.run_kubectl(apply).await.unwrap();
    let roles: Api<ClusterRole> = Api::all(case.client.clone());
    let controller = ListParams::default().labels("servicebinding.io/controller=true");
    let roles = roles.list(&controller).await.unwrap().items;
    assert_eq!(roles.len(), 1);

    // What the controller's own role aggregates; here there is nobody who aggregates roles.
    let accounts: Api<ServiceAccount> = Api::namespaced(case.client.clone(), &case.namespace);
    let account = serde_json::from_value(json!({"metadata": {"name": "binder"}})).unwrap();
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(case.client.clone(), &case.namespace);
    for role in &roles {
        let role = role.metadata.name.as_deref().unwrap();
        let binding = json!({"metadata": {"name": role},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": "binder", "namespace": case.namespace}]});
        let binding = serde_json::from_value(binding).unwrap();
        bindings.create(&PostParams::default(), &binding).await.unwrap();
    }
    let kubeconfig = case.control_plane.service_account_kubeconfig(&case.namespace, "binder").await.unwrap();
    let client = case.control_plane.client_for(&kubeconfig).await.unwrap();
    let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
    let connections: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &case.namespace, &ApiResource::from_gvk(&kind));
    let connection = wait::until(SOON, "the controller to be let in", || async {
        connections.get("bot").await.map_err(|e| e.to_string())
    })
    .await
    .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(connection.data["status"]["binding"]["name"], "bot");
    assert_eq!(connections.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let user = format!("system:serviceaccount:{}:binder", case.namespace);
    let group = "clickup-operator.dev";
    for (verb, may) in [("get", true), ("list", true), ("watch", true), ("update", false), ("delete", false)]
    {
        let is = allowed(&case.client, &user, verb, group, "clickupconnections", &case.namespace).await;
        assert_eq!(is, may, "{verb}");
    }
    // The name is all that it learns.
    let secrets: Api<Secret> = Api::namespaced(client, &case.namespace);
    assert!(secrets.get("bot").await.is_err());
    let patch = Patch::Merge(json!({"spec": {"suspend": true}}));
    assert!(connections.patch("bot", &PatchParams::default(), &patch).await.is_err());
}
