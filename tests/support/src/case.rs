//! One test's corner of a control plane: a namespace, and what the test does with Secrets and connections in it. A step
//! that fails ends the test with what was seen.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a test ends where a step fails"
)]

use crate::{control_plane::ControlPlane, invariants, simulator::SimulatorProcess, wait};
use clickup_simulator::client::{Account, SimulatorClient};
use k8s_openapi::api::{
    core::v1::{Namespace, Secret},
    events::v1::Event,
};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::time::Duration;

/// A namespace of its own.
pub struct Case<'a> {
    /// Where it is.
    pub control_plane: &'a ControlPlane,
    /// An administrator of it.
    pub client: Client,
    /// Control over ClickUp.
    pub clickup: SimulatorClient,
    /// The namespace's name.
    pub namespace: String,
}

/// What the watch, ClickUp and a write may take together, with a machine that is busy with other tests.
pub const SOON: Duration = Duration::from_secs(20);

impl<'a> Case<'a> {
    /// Makes the namespace.
    pub async fn new(name: &str, control_plane: &'a ControlPlane, simulator: &SimulatorProcess) -> Self {
        let namespace = control_plane.fresh_namespace(name).await.unwrap();
        Self::in_namespace(namespace, control_plane, simulator).await
    }

    /// Goes on in a namespace that is there.
    pub async fn in_namespace(
        namespace: String,
        control_plane: &'a ControlPlane,
        simulator: &SimulatorProcess,
    ) -> Self {
        let client = control_plane.client().await.unwrap();
        Self { control_plane, client, clickup: simulator.client().unwrap(), namespace }
    }

    /// Another namespace beside this one, with these labels.
    pub async fn beside(&self, name: &str, labels: Value) -> Self {
        let namespace = self.control_plane.fresh_namespace(name).await.unwrap();
        let other = Self { namespace, client: self.client.clone(), clickup: self.clickup.clone(), ..*self };
        other.label(labels).await;
        other
    }

    /// Sets labels of the namespace; null removes one.
    pub async fn label(&self, labels: Value) {
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.patch(&self.namespace, &PatchParams::default(), &patch).await.unwrap();
    }

    /// A user who owns a workspace with the name of the namespace, and a token.
    pub async fn account(&self) -> Account {
        self.clickup.add_account(&self.namespace).await.unwrap()
    }

    /// The connections, undecoded.
    pub fn connections(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("clickup-operator.dev", "v1alpha1", "ClickUpConnection");
        Api::namespaced_with(self.client.clone(), &self.namespace, &ApiResource::from_gvk(&kind))
    }

    /// The Secrets.
    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates or replaces the Secret.
    pub async fn secret(&self, name: &str, token: &str) {
        self.secret_with(name, json!({"stringData": {"token": token}})).await;
    }

    /// Creates or replaces the Secret, with more than a token.
    pub async fn secret_with(&self, name: &str, content: Value) {
        let mut secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}});
        merge(&mut secret, content);
        let params = PatchParams::apply("test").force();
        self.secrets().patch(name, &params, &Patch::Apply(secret)).await.unwrap();
    }

    /// Deletes the Secret.
    pub async fn no_secret(&self, name: &str) {
        self.secrets().delete(name, &Default::default()).await.unwrap();
    }

    /// Creates a connection that refers to the Secret of its own name, unless it refers to another connection.
    pub async fn connection(&self, name: &str, spec: Value) {
        let own = spec["connectionRef"].is_null();
        let mut all = if own { json!({"tokenSecretRef": {"name": name}}) } else { json!({}) };
        merge(&mut all, spec);
        let object = json!({"apiVersion": "clickup-operator.dev/v1alpha1", "kind": "ClickUpConnection",
            "metadata": {"name": name, "namespace": self.namespace}, "spec": all});
        let object = serde_json::from_value(object).unwrap();
        self.connections().create(&PostParams::default(), &object).await.unwrap();
    }

    /// Deletes the connection.
    pub async fn no_connection(&self, name: &str) {
        self.connections().delete(name, &Default::default()).await.unwrap();
    }

    /// What a connection of another namespace writes to use the token of this one's.
    pub fn reference(&self, name: &str) -> Value {
        json!({"namespace": self.namespace, "name": name})
    }

    /// Merges into the connection.
    pub async fn edit(&self, name: &str, patch: Value) {
        self.connections().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// Asks for a check now.
    pub async fn annotate(&self, name: &str, value: &str) {
        let annotations = json!({"clickup-operator.dev/reconcile-requested-at": value});
        self.edit(name, json!({"metadata": {"annotations": annotations}})).await;
    }

    /// The connection, after the invariants were checked.
    pub async fn get(&self, name: &str) -> Value {
        let object = serde_json::to_value(self.connections().get(name).await.unwrap()).unwrap();
        invariants::check(&object).unwrap_or_else(|broken| panic!("{broken}: {:#}", object["status"]));
        object
    }

    /// Waits until the connection's status is as wanted.
    pub async fn until(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_within(SOON, name, what, wanted).await
    }

    /// The same with more patience.
    pub async fn until_within(
        &self,
        patience: Duration,
        name: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let wanted = &wanted;
        wait::until(patience, format!("{name} in {} to be {what}", self.namespace), || async move {
            let object = self.get(name).await;
            if wanted(&object["status"]) { Ok(object) } else { Err(format!("{:#}", object["status"])) }
        })
        .await
        .unwrap_or_else(|e| panic!("{e}"))
    }

    /// Waits until Ready has this status and reason.
    pub async fn until_ready(&self, name: &str, status: &str, reason: &str) -> Value {
        self.until(name, &format!("{status}/{reason}"), |s| is(s, "Ready") == (status, reason)).await
    }

    /// Waits until the check asked for with this annotation is acknowledged.
    pub async fn until_handled(&self, name: &str, value: &str) -> Value {
        self.until(name, &format!("checked at {value}"), |s| s["lastHandledReconcileAt"] == value).await
    }

    /// A Secret and a connection, verified.
    pub async fn verified(&self, name: &str, spec: Value) -> Account {
        let account = self.account().await;
        self.secret(name, &account.token.value).await;
        self.connection(name, spec).await;
        self.until_ready(name, "True", "Verified").await;
        account
    }

    /// Has the operator use each of its rights for a connection: on the second round its Events become series, which are
    /// patched. Namespaces it watches only for a `spec` that is shared by labels.
    pub async fn exercise(&self, name: &str, spec: Value) {
        let account = self.verified(name, spec).await;
        for round in ["1", "2"] {
            self.no_secret(name).await;
            self.until_ready(name, "False", "SecretNotFound").await;
            self.secret(name, &account.token.value).await;
            self.until_ready(name, "True", "Verified").await;
            self.annotate(name, round).await;
            self.until_handled(name, round).await;
        }
    }

    /// The Events about connections of this namespace.
    pub async fn published_events(&self) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        api.list(&Default::default()).await.unwrap().items
    }

    /// Statuses that the operator has written in this namespace.
    pub fn status_writes(&self) -> usize {
        let events = self.control_plane.audit_events().unwrap();
        let of_this = events
            .iter()
            .filter(|e| e.namespace == self.namespace && e.subresource == "status" && e.verb == "patch");
        of_this.count()
    }
}

/// Status and reason of a condition; empty where it is absent.
pub fn is<'a>(status: &'a Value, condition: &str) -> (&'a str, &'a str) {
    let text = |c: &'a Value, field: &str| c[field].as_str().unwrap_or_default();
    found(status, condition).map_or(("", ""), |c| (text(c, "status"), text(c, "reason")))
}

/// The message of a condition.
pub fn message<'a>(status: &'a Value, condition: &str) -> &'a str {
    found(status, condition).and_then(|c| c["message"].as_str()).unwrap_or_default()
}

fn found<'a>(status: &'a Value, condition: &str) -> Option<&'a Value> {
    status["conditions"].as_array()?.iter().find(|c| c["type"] == condition)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
