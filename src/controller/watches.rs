//! What all watches have in common: when a broken one is tried again, and what is said about it.

use super::{ApiError, scope::Scope};
use backon::ExponentialBuilder;
use kube::runtime::watcher::{self, Event, ExponentialBackoff};
use std::time::Duration;
use tracing::{info, warn};

/// Between two attempts to watch. While a watch is broken, edits are not noticed: no attempt waits long for the next.
/// (kube's own strategy waits up to half a minute, which is what it takes to spare an API server from thousands of clients.)
const SHORTEST: Duration = Duration::from_millis(400);
const LONGEST: Duration = Duration::from_secs(5);

/// How long a broken watch waits for its next attempt.
pub(super) fn backoff() -> ExponentialBackoff {
    let delays = ExponentialBuilder::default().with_min_delay(SHORTEST).with_max_delay(LONGEST);
    delays.with_factor(2.0).with_jitter().without_max_times().into()
}

/// Whether the API server does not know what is to be watched.
pub(super) fn is_unknown(error: &watcher::Error) -> bool {
    use watcher::Error::*;
    match error {
        InitialListFailed(error) | WatchStartFailed(error) => ApiError::from(error).code() == Some(404),
        WatchFailed(_) | WatchError(_) | NoResourceVersion => false,
    }
}

/// What a watch's error says, without quoting what the API server sent.
pub(super) fn watch_error(error: &watcher::Error) -> String {
    use watcher::Error::*;
    match error {
        InitialListFailed(error) => format!("cannot list: {}", ApiError::from(error)),
        WatchStartFailed(error) => format!("cannot watch: {}", ApiError::from(error)),
        WatchFailed(error) => format!("the watch broke: {}", ApiError::from(error)),
        WatchError(status) => {
            format!("the API server ended the watch: HTTP {} {}", status.code, status.reason)
        }
        NoResourceVersion => "the API server's answer lacks a resourceVersion".to_owned(),
    }
}

/// Whether the operator has no right to this watch. Of a namespace that does not exist the API server says the same, where
/// rights are given by Roles.
pub(super) fn is_forbidden(error: &watcher::Error) -> bool {
    use watcher::Error::*;
    match error {
        InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error) => {
            ApiError::from(error).code() == Some(403)
        }
        WatchError(status) => status.code == 403,
        NoResourceVersion => false,
    }
}

/// What the log says of a watch: a line when it begins to fail, and one when it works again.
pub(super) struct Trouble {
    scope: Scope,
    what: &'static str,
    consequence: &'static str,
    failing: bool,
}

impl Trouble {
    /// Of the watch of these objects.
    pub(super) fn new(scope: &Scope, what: &'static str, consequence: &'static str) -> Self {
        Self { scope: scope.clone(), what, consequence, failing: false }
    }

    /// Takes in what the watch says.
    pub(super) fn note<K>(&mut self, event: &Result<Event<K>, watcher::Error>) {
        let Self { scope, what, consequence, failing } = self;
        match event {
            Ok(_) if std::mem::take(failing) => info!(%scope, "the watch of {what} works again"),
            Ok(_) => {}
            Err(_) if std::mem::replace(failing, true) => {}
            Err(error) if is_unknown(error) => {
                warn!(%scope, "the API server does not know {what}, and they are waited for: apply the CRD of this version, which `clickup-operator crd` prints");
            }
            Err(error) => {
                let missing = scope.namespace().is_some() && is_forbidden(error);
                let hint =
                    if missing { ": give the operator a Role there, if the namespace exists" } else { "" };
                let error = watch_error(error);
                warn!(%scope, error, "the watch of {what} fails, {consequence}: it is tried again{hint}");
            }
        }
    }
}
