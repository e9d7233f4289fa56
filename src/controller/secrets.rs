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
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{GetParams, PartialObjectMeta},
    core::{Request, Resource},
    runtime::{WatchStreamExt, watcher},
};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long one read of a Secret may take.
pub(super) const READ_TIMEOUT: Duration = Duration::from_secs(10);

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
) -> Result<TokenReading, ApiError> {
    let TokenSource { namespace, secret: source, token_type: kind, lender: _ } = source;
    let params = seen.map(GetParams::at).unwrap_or_default();
    let path = Secret::url_path(&(), Some(namespace));
    let request =
        Request::new(path).get(&source.name, &params).map_err(|e| ApiError::Transport(e.to_string()))?;
    let unavailable = |problem| Ok(TokenReading::Unavailable { problem, version: None });
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
    Ok(match token_of(&secret.content(), source, *kind) {
        Ok(token) => TokenReading::Found { key: keys.key(&token), token: Arc::new(token), version },
        Err(problem) => TokenReading::Unavailable { problem, version: Some(version) },
    })
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
