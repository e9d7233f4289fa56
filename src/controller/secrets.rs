//! Secrets: read by name when a token is needed, and watched as metadata, of which only names and versions survive.

use super::{
    ApiError, ConnectionRef, Place,
    index::{SecretIndex, Seen},
    lock,
    scope::Scope,
    watches::{self, Trouble},
};
use crate::{
    api::TOKEN_TYPE_LABEL,
    clickup::TokenKeys,
    connection::{SecretContent, TokenProblem, TokenReading, TokenSource, token_of},
};
use futures::{StreamExt, pin_mut};
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::Time};
use kube::{
    Api, Client,
    api::{GetParams, PartialObjectMeta},
    core::{Request, Resource},
    runtime::{WatchStreamExt, watcher},
};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long one read of a Secret may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// What a read came to.
pub(super) struct Read {
    pub(super) token: TokenReading,
    /// When the key that holds the token was last written, at the latest; unknown where the Secret does not tell.
    pub(super) token_written: Option<Timestamp>,
}

/// Reads the token of a connection. `seen` is the version that the watch saw last: at least that one is read, which the
/// API server may then answer from its cache.
///
/// # Errors
/// The API server failed the read, which says nothing about the Secret.
pub(super) async fn read_token(
    client: &Client,
    keys: &TokenKeys,
    source: &TokenSource,
    seen: Option<&str>,
) -> Result<Read, ApiError> {
    let TokenSource { namespace, secret: source, token_type: kind, lender: _ } = source;
    let params = seen.map(GetParams::at).unwrap_or_default();
    let path = Secret::url_path(&(), Some(namespace));
    let request =
        Request::new(path).get(&source.name, &params).map_err(|e| ApiError::Transport(e.to_string()))?;
    let unavailable = |problem| {
        Ok(Read { token: TokenReading::Unavailable { problem, version: None }, token_written: None })
    };
    let secret =
        match timeout(READ_TIMEOUT, client.request::<TokenSecret>(request)).await?.map_err(ApiError::from) {
            Ok(secret) => secret,
            Err(error) => {
                return match error.code() {
                    Some(404) => unavailable(TokenProblem::secret_not_found(source)),
                    Some(403) => unavailable(TokenProblem::access_denied(source)),
                    _ => Err(error),
                };
            }
        };
    let version = secret.metadata.resource_version.clone().unwrap_or_default();
    let token_written = secret.metadata.written(&source.key);
    let token = match token_of(&secret.content(), source, *kind) {
        Ok(token) => TokenReading::Found { key: keys.key(&token), token: Arc::new(token), version },
        Err(problem) => TokenReading::Unavailable { problem, version: Some(version) },
    };
    Ok(Read { token, token_written })
}

/// A Secret without its annotations, in which `kubectl apply` keeps a copy of it.
#[derive(Clone, Deserialize)]
struct TokenSecret {
    metadata: TokenSecretMetadata,
    #[serde(rename = "type", default)]
    type_: String,
    #[serde(default)]
    data: Option<BTreeMap<String, ByteString>>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenSecretMetadata {
    resource_version: Option<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    managed_fields: Option<Vec<ManagedFields>>,
}

/// Who wrote what, of which only the keys of the data matter.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields {
    #[serde(default)]
    time: Option<Time>,
    #[serde(default)]
    fields_v1: Option<WrittenFields>,
}

#[derive(Clone, Deserialize)]
struct WrittenFields {
    #[serde(rename = "f:data", default)]
    data: Option<BTreeMap<String, IgnoredAny>>,
    /// What was applied under this name becomes data, and keeps the name here.
    #[serde(rename = "f:stringData", default)]
    string_data: Option<BTreeMap<String, IgnoredAny>>,
}

impl TokenSecretMetadata {
    /// When the key was last written, at the latest: whoever manages it moves the time also by writing another field.
    fn written(&self, key: &str) -> Option<Timestamp> {
        let field = format!("f:{key}");
        let holds = |managed: &&ManagedFields| {
            let fields = managed.fields_v1.as_ref().map(|fields| [&fields.data, &fields.string_data]);
            fields.into_iter().flatten().flatten().any(|data| data.contains_key(&field))
        };
        let managers = || self.managed_fields.iter().flatten();
        let time = |managed: &ManagedFields| managed.time.as_ref().map(|time| time.0);
        // Where nobody says that the key is his, it may have been whoever wrote last.
        managers().filter(holds).filter_map(time).max().or_else(|| managers().filter_map(time).max())
    }
}

impl TokenSecret {
    fn content(self) -> SecretContent {
        let label = self.metadata.labels.and_then(|mut labels| labels.remove(TOKEN_TYPE_LABEL));
        let data = self.data.unwrap_or_default();
        SecretContent {
            type_: self.type_,
            token_type_label: label,
            data: data.into_iter().map(|(key, value)| (key, Zeroizing::new(value.0))).collect(),
        }
    }
}

/// Follows the versions of the Secrets in a scope that connections refer to. Tells `changed` whom an event concerns, and
/// `settled` when all are known, or when it is clear that they may not be. Never ends; a watch that the API server refuses is
/// tried again and stops nothing else.
pub(super) async fn watch_versions(
    client: Client,
    scope: &Scope,
    index: &Mutex<SecretIndex>,
    changed: impl Fn(&ConnectionRef),
    settled: impl Fn(),
) {
    let api: Api<PartialObjectMeta<Secret>> = scope.api(client);
    // A streamed list arrives one by one: ten thousand Secrets are never held at once.
    let events = watcher(api, watcher::Config::default().streaming_lists()).backoff(watches::backoff());
    pin_mut!(events);
    let mut missing = HashSet::new();
    let mut trouble = Trouble::new(scope, "Secrets", "edits of Secrets are noticed late");
    while let Some(event) = events.next().await {
        trouble.note(&event);
        let concerned = match event {
            Ok(watcher::Event::Init) => {
                missing = lock(index).referred_to();
                missing.retain(|place| scope.covers(place.namespace()));
                Vec::new()
            }
            Ok(watcher::Event::InitApply(secret) | watcher::Event::Apply(secret)) => match place(&secret) {
                Some((place, version)) => {
                    missing.remove(&place);
                    lock(index).saw(&place, Seen::Version(version.into()))
                }
                None => Vec::new(),
            },
            Ok(watcher::Event::InitDone) => {
                settled();
                let mut index = lock(index);
                std::mem::take(&mut missing).iter().flat_map(|place| index.saw(place, Seen::Gone)).collect()
            }
            Ok(watcher::Event::Delete(secret)) => match place(&secret) {
                Some((place, _)) => lock(index).saw(&place, Seen::Gone),
                None => Vec::new(),
            },
            Err(error) => {
                if scope.namespace().is_some() && watches::is_forbidden(&error) {
                    settled();
                }
                Vec::new()
            }
        };
        concerned.iter().for_each(&changed);
    }
}

fn place(secret: &PartialObjectMeta<Secret>) -> Option<(Place, String)> {
    let metadata = secret.meta();
    let place = Place::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?);
    Some((place, metadata.resource_version.clone()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(managed: Value) -> Option<String> {
        let metadata = json!({"creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": managed});
        let metadata: TokenSecretMetadata = serde_json::from_value(metadata).unwrap();
        metadata.written("token").map(|at| at.to_string())
    }

    #[test]
    fn a_token_was_written_when_a_manager_of_its_key_wrote_last() {
        let by = |time: &str, fields: Value| json!({"manager": "m", "operation": "Update", "time": time, "fieldsV1": fields});
        let token = json!({"f:data": {".": {}, "f:token": {}}, "f:type": {}});
        let other = json!({"f:data": {"f:other": {}}, "f:metadata": {"f:labels": {"f:token": {}}}});
        let rows = [
            (
                json!([
                    by("2026-03-01T00:00:00Z", token.clone()),
                    by("2026-02-01T00:00:00Z", token.clone()),
                    by("2026-04-01T00:00:00Z", other.clone())
                ]),
                Some("2026-03-01T00:00:00Z"),
            ),
            (
                json!([
                    by("2026-02-01T00:00:00Z", json!({"f:stringData": {"f:token": {}}})),
                    by("2026-04-01T00:00:00Z", other.clone())
                ]),
                Some("2026-02-01T00:00:00Z"),
            ),
            (
                json!([by("2026-04-01T00:00:00Z", other), by("2026-02-01T00:00:00Z", json!({}))]),
                Some("2026-04-01T00:00:00Z"),
            ),
            (json!([{"manager": "m", "fieldsV1": token}]), None),
            (Value::Null, None),
        ];
        for (managed, wanted) in rows {
            assert_eq!(written(managed.clone()).as_deref(), wanted, "{managed:#}");
        }
    }
}
