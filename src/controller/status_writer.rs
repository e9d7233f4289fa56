//! Writes a status: server-side apply, one field manager, and only over the version that it was computed from.

use super::{ApiError, MANAGER, ReconcileError};
use crate::api::{ClickUpConnectionStatus, Reason, StoredConnection};
use kube::{
    Client, Resource,
    api::{PartialObjectMeta, Patch, PatchParams},
    core::Request,
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
    before: Option<&ClickUpConnectionStatus>,
    status: &ClickUpConnectionStatus,
) -> Result<Option<String>, ReconcileError> {
    let meta = &stored.metadata;
    let (name, namespace) =
        (meta.name.as_deref().unwrap_or_default(), meta.namespace.as_deref().unwrap_or_default());
    let request = Request::new(StoredConnection::url_path(&(), Some(namespace)));
    let merge = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let mut over = over.map(str::to_owned);
    if stored.spec.is_ok() && before.is_some_and(was_invalid) {
        // What may have been merged is not ours to apply away.
        let clear =
            Patch::Merge(json!({"metadata": {"resourceVersion": over}, "status": {"conditions": null}}));
        match written(patch(client, &request, name, &merge, &clear).await)? {
            Some(version) => over = Some(version),
            None => return Ok(None),
        }
    }
    // The uid is not checked on /status, a stale resourceVersion is.
    let apply = Patch::Apply(json!({
        "apiVersion": StoredConnection::api_version(&()),
        "kind": StoredConnection::kind(&()),
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": over},
        "status": status,
    }));
    let applied = patch(client, &request, name, &PatchParams::apply(MANAGER).force(), &apply).await;
    written(match applied {
        // What the API server itself cannot decode, it cannot apply to.
        Err(error) if stored.spec.is_err() && !matches!(error.code(), None | Some(404 | 409)) => {
            let replace = json!({"metadata": {"resourceVersion": over}, "status": replacing(status)});
            patch(client, &request, name, &merge, &Patch::Merge(replace)).await
        }
        other => other,
    })
}

fn was_invalid(status: &ClickUpConnectionStatus) -> bool {
    status.conditions.iter().any(|c| c.reason == Reason::InvalidSpec)
}

/// The version made; `None` if the object is gone.
fn written(
    patched: Result<PartialObjectMeta<StoredConnection>, ApiError>,
) -> Result<Option<String>, ReconcileError> {
    match patched {
        Ok(object) => Ok(object.metadata.resource_version),
        Err(error) if error.code() == Some(404) => Ok(None),
        Err(error) if error.code() == Some(409) => Err(ReconcileError::Conflict),
        Err(error) => Err(ReconcileError::WriteStatus(error)),
    }
}

/// Patches the status. Only the metadata comes back: the rest is known, and costs both sides the time to encode it.
async fn patch(
    client: &Client,
    request: &Request,
    name: &str,
    params: &PatchParams,
    patch: &Patch<Value>,
) -> Result<PartialObjectMeta<StoredConnection>, ApiError> {
    let request = request.patch_metadata(&format!("{name}/status"), params, patch);
    let request = request.map_err(|e| ApiError::Transport(e.to_string()))?;
    Ok(timeout(WRITE_TIMEOUT, client.request(request)).await??)
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
        "channel",
        "rateLimit",
        "lastVerifiedTime",
        "lastHandledReconcileAt",
        "binding",
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
