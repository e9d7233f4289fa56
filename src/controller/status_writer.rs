//! Writes a status: server-side apply, one field manager, and only over the version that it was computed from.

use super::{ApiError, MANAGER, ReconcileError};
use crate::api::{ClickUpConnectionStatus, StoredConnection};
use kube::{
    Api, Client, Resource,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Writes the status over the version `over`, and returns the version made; `None` if the object is gone.
///
/// # Errors
/// A conflict if the object has another version by now; else that the write failed.
pub(super) async fn write(
    client: &Client,
    stored: &StoredConnection,
    over: Option<&str>,
    status: &ClickUpConnectionStatus,
) -> Result<Option<String>, ReconcileError> {
    let meta = &stored.metadata;
    let (name, namespace) =
        (meta.name.as_deref().unwrap_or_default(), meta.namespace.as_deref().unwrap_or_default());
    let api: Api<StoredConnection> = Api::namespaced(client.clone(), namespace);
    // The uid is not checked on /status, a stale resourceVersion is.
    let apply = Patch::Apply(json!({
        "apiVersion": StoredConnection::api_version(&()),
        "kind": StoredConnection::kind(&()),
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": over},
        "status": status,
    }));
    let applied = patch(&api, name, &PatchParams::apply(MANAGER).force(), &apply).await;
    let written = match applied {
        // What the API server itself cannot decode, it cannot apply to.
        Err(error) if stored.spec.is_err() && !matches!(error.code(), None | Some(404 | 409)) => {
            let merge =
                Patch::Merge(json!({"metadata": {"resourceVersion": over}, "status": replacing(status)}));
            let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            patch(&api, name, &params, &merge).await
        }
        other => other,
    };
    match written {
        Ok(object) => Ok(object.metadata.resource_version),
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) if error.code() == Some(409) => Err(ReconcileError::Conflict),
        Err(error) => Err(ReconcileError::WriteStatus(error)),
    }
}

async fn patch(
    api: &Api<StoredConnection>,
    name: &str,
    params: &PatchParams,
    patch: &Patch<Value>,
) -> Result<StoredConnection, ApiError> {
    Ok(timeout(WRITE_TIMEOUT, api.patch_status(name, params, patch)).await??)
}

/// A merge patch keeps what it does not name: so that nothing stays, every field is named.
fn replacing(status: &ClickUpConnectionStatus) -> Value {
    let fields = [
        "user",
        "tokenType",
        "secretResourceVersion",
        "workspaceCount",
        "workspaces",
        "defaultWorkspace",
        "rateLimit",
        "lastVerifiedTime",
        "lastHandledReconcileAt",
    ];
    let mut patch = json!(status);
    if let Some(map) = patch.as_object_mut() {
        for field in fields {
            map.entry(field).or_insert(Value::Null);
        }
    }
    patch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crd;

    #[test]
    fn a_merge_patch_names_every_field() {
        let crd = serde_json::to_value(crd()).unwrap();
        let schema =
            &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"];
        let known: Vec<_> = schema
            .as_object()
            .unwrap()
            .keys()
            .filter(|k| !["conditions", "observedGeneration"].contains(&k.as_str()))
            .cloned()
            .collect();
        let patch = replacing(&ClickUpConnectionStatus::default());
        assert_eq!(patch.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), known);
    }
}
