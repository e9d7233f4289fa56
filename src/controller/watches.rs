//! What all watches have in common: when a broken one is tried again, and what is said about it.

use super::ApiError;
use backon::ExponentialBuilder;
use kube::runtime::watcher::{self, ExponentialBackoff};
use std::time::Duration;

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
