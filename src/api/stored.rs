//! A connection as it comes from the API server: decoded so that one bad object stops no other.

use super::{ClickUpConnection, ClickUpConnectionSpec, ClickUpConnectionStatus, RECONCILE_REQUESTED_AT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// A stored connection, whose spec may not be decodable, reduced to what the operator needs of it.
#[derive(Clone, Debug)]
pub struct StoredConnection {
    /// Name, namespace, uid, generation, resourceVersion, and the annotation that asks for a check.
    pub metadata: ObjectMeta,
    /// The spec, or what is wrong with it and what to write instead.
    pub spec: Result<ClickUpConnectionSpec, String>,
    /// What the operator last wrote; absent too where it cannot be decoded.
    pub status: Option<ClickUpConnectionStatus>,
}

impl StoredConnection {
    /// The value of the annotation that asks for a check; one that is too long is ignored.
    pub fn requested_at(&self) -> Option<&str> {
        let value = self.metadata.annotations.as_ref()?.get(RECONCILE_REQUESTED_AT)?;
        (!value.is_empty() && value.len() <= 128).then_some(value)
    }

    /// The generation of the spec.
    pub fn generation(&self) -> i64 {
        self.metadata.generation.unwrap_or_default()
    }
}

impl<'de> Deserialize<'de> for StoredConnection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw {
            metadata: ObjectMeta,
            #[serde(default)]
            spec: serde_json::Value,
            #[serde(default)]
            status: Option<ClickUpConnectionStatus>,
        }
        let Raw { metadata, spec, status } = Raw::deserialize(deserializer)?;
        Ok(Self { metadata: reduce(metadata), spec: decode(spec), status })
    }
}

fn decode(spec: serde_json::Value) -> Result<ClickUpConnectionSpec, String> {
    let spec: ClickUpConnectionSpec =
        serde_path_to_error::deserialize(spec).map_err(|e| match e.path().to_string().as_str() {
            "." => format!("spec: {}", e.inner()),
            path => format!("spec.{path}: {}", e.inner()),
        })?;
    spec.validate().map_err(|e| e.to_string())?;
    // For people, who read it elsewhere.
    Ok(ClickUpConnectionSpec { display_name: None, description: None, ..spec })
}

/// Keeps ten thousand objects small: managed fields and applied manifests are most of an object.
fn reduce(metadata: ObjectMeta) -> ObjectMeta {
    let requested_at = metadata.annotations.and_then(|mut a| a.remove_entry(RECONCILE_REQUESTED_AT));
    ObjectMeta {
        name: metadata.name,
        namespace: metadata.namespace,
        uid: metadata.uid,
        generation: metadata.generation,
        resource_version: metadata.resource_version,
        annotations: requested_at.map(|entry| [entry].into()),
        ..ObjectMeta::default()
    }
}

impl Resource for StoredConnection {
    type DynamicType = ();
    type Scope = <ClickUpConnection as Resource>::Scope;

    fn kind(dt: &()) -> Cow<'_, str> {
        ClickUpConnection::kind(dt)
    }

    fn group(dt: &()) -> Cow<'_, str> {
        ClickUpConnection::group(dt)
    }

    fn version(dt: &()) -> Cow<'_, str> {
        ClickUpConnection::version(dt)
    }

    fn plural(dt: &()) -> Cow<'_, str> {
        ClickUpConnection::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SharingScope, TokenType};
    use serde_json::{Value, json};

    fn stored(spec: Value) -> StoredConnection {
        let annotations = json!({"x": "y", RECONCILE_REQUESTED_AT: "1"});
        let object = json!({"metadata": {"name": "a", "managedFields": [{}], "annotations": annotations},
            "spec": spec, "status": {"observedGeneration": "text"}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        let good = stored(json!({"tokenSecretRef": {"name": "s"}}));
        let spec = good.spec.as_ref().unwrap();
        assert_eq!(spec.token_secret_ref.as_ref().unwrap().key, "token");
        assert_eq!(
            (spec.token_type, spec.binding.enabled, spec.suspend),
            (TokenType::Personal, false, false)
        );
        let [interval, timeout, grace] = [spec.interval, spec.timeout, spec.outage_grace_period];
        assert_eq!([interval, timeout, grace].map(|d| d.to_string()), ["10m", "30s", "30m"]);
        assert_eq!(good.requested_at(), Some("1"));
        assert_eq!(good.status, Some(ClickUpConnectionStatus::default()));
        assert_eq!(good.metadata.annotations.unwrap().len(), 1);
        assert!(good.metadata.managed_fields.is_none());

        let shared = stored(json!({"tokenSecretRef": {"name": "s"}, "sharing": {}})).spec.unwrap();
        assert_eq!(shared.sharing.unwrap().scope, SharingScope::Private);
        let all = json!({"scope": "Namespaces", "namespaceSelector": {}});
        let shared = stored(json!({"tokenSecretRef": {"name": "s"}, "sharing": all})).spec.unwrap();
        assert!(shared.sharing.unwrap().namespace_selector.unwrap().selects(&[].into()));

        let refers = stored(json!({"connectionRef": {"namespace": "n", "name": "o"}})).spec.unwrap();
        assert_eq!(refers.connection_ref.unwrap().namespace, "n");
        assert!(refers.token_secret_ref.is_none());
    }

    #[test]
    fn of_metadata_is_kept_what_the_operator_needs() {
        let kept = json!({"name": "a", "namespace": "n", "uid": "u", "generation": 7, "resourceVersion": "9",
            "annotations": {RECONCILE_REQUESTED_AT: "1"}});
        let mut metadata = kept.clone();
        metadata["labels"] = json!({"x": "y"});
        metadata["finalizers"] = json!(["z"]);
        let stored: StoredConnection = serde_json::from_value(json!({"metadata": metadata})).unwrap();
        assert_eq!(serde_json::to_value(&stored.metadata).unwrap(), kept);
        assert_eq!(stored.generation(), 7);
    }

    #[test]
    fn an_annotation_that_is_too_long_is_ignored() {
        for (value, read) in [("1", true), ("", false), (&"x".repeat(128), true), (&"x".repeat(129), false)] {
            let object = json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: value}}});
            let stored: StoredConnection = serde_json::from_value(object).unwrap();
            assert_eq!(stored.requested_at().is_some(), read, "{value}");
        }
    }

    /// A table of every rule is in `tests/schema`, which compares with what the API server refuses.
    #[test]
    fn a_bad_spec_stays_with_its_object_and_says_where() {
        let with_secret = |patch: Value| {
            let mut spec = json!({"tokenSecretRef": {"name": "s"}});
            spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            spec
        };
        let refers = |member: &str, value: Value| json!({"connectionRef": {"namespace": "n", "name": "o"}, member: value});
        for (spec, says) in [
            (json!(null), "spec: invalid type: null"),
            (json!({}), "spec: write exactly one of tokenSecretRef and connectionRef"),
            (json!({"tokenSecretRef": {"name": 7}}), "spec.tokenSecretRef.name: invalid type"),
            (
                json!({"tokenSecretRef": {"name": "../x"}}),
                "spec.tokenSecretRef.name: write the name of a Secret",
            ),
            (with_secret(json!({"interval": "1s"})), "spec.interval: write a duration from 1m to 24h"),
            (with_secret(json!({"timeout": "soon"})), "spec.timeout: \"soon\" is not a duration"),
            (
                with_secret(json!({"defaultWorkspace": {}})),
                "spec.defaultWorkspace: write exactly one of id and name",
            ),
            (
                with_secret(json!({"access": [{"list": {"id": "1"}}, {"task": {"id": "a/b"}}]})),
                "spec.access[1].task.id: write an id",
            ),
            (
                with_secret(json!({"sharing": {"scope": "Namespaces", "namespaces": ["a", "B"]}})),
                "spec.sharing.namespaces[1]: write the name",
            ),
            (with_secret(json!({"minimumRole": "Boss"})), "spec.minimumRole: unknown variant"),
            (
                refers("tokenSecretRef", json!({"name": "s"})),
                "spec: write exactly one of tokenSecretRef and connectionRef",
            ),
            (refers("sharing", json!({})), "spec.sharing: leave it out beside connectionRef"),
            (refers("tokenType", json!("OAuth")), "spec.tokenType: leave it out beside connectionRef"),
            (refers("binding", json!({"enabled": true})), "spec.binding: leave it out beside connectionRef"),
        ] {
            let stored = stored(spec.clone());
            let error = stored.spec.unwrap_err();
            assert!(error.starts_with(says), "{spec}: {error}");
            assert_eq!(stored.metadata.name.as_deref(), Some("a"));
        }
    }
}
