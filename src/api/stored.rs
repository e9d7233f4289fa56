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
        serde_path_to_error::deserialize(spec).map_err(|e| format!("spec.{}: {}", e.path(), e.inner()))?;
    spec.validate().map_err(|e| e.to_string())?;
    Ok(spec)
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
    use serde_json::json;

    fn stored(spec: serde_json::Value) -> StoredConnection {
        let object = json!({"metadata": {"name": "a", "managedFields": [{}], "annotations": {"x": "y", RECONCILE_REQUESTED_AT: "1"}},
            "spec": spec, "status": {"observedGeneration": "text"}});
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_bad_spec_or_status_stays_with_its_object() {
        let good = stored(json!({"tokenSecretRef": {"name": "s"}}));
        assert_eq!(good.spec.as_ref().unwrap().token_secret_ref.key, "token");
        assert_eq!(good.requested_at(), Some("1"));
        assert_eq!(good.status, Some(ClickUpConnectionStatus::default()));
        assert_eq!(good.metadata.annotations.unwrap().len(), 1);
        assert!(good.metadata.managed_fields.is_none());

        for (spec, says) in [
            (json!(null), "spec"),
            (json!({}), "tokenSecretRef"),
            (json!({"tokenSecretRef": {"name": 7}}), "tokenSecretRef.name"),
            (json!({"tokenSecretRef": {"name": "s"}, "interval": "1s"}), "interval"),
            (json!({"tokenSecretRef": {"name": "s"}, "defaultWorkspace": {}}), "exactly one of id and name"),
            (json!({"tokenSecretRef": {"name": "s"}, "timeout": "soon"}), "such as"),
        ] {
            let error = stored(spec.clone()).spec.unwrap_err();
            assert!(error.contains(says), "{spec}: {error}");
        }
    }
}
