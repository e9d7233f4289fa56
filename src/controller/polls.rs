//! Secrets without a watch: of each that connections refer to, the metadata is read once an interval, evenly spread, to
//! notice edits. That takes no right but to read them by name.

use super::{
    ApiError, ConnectionRef, Place,
    index::{SecretIndex, Seen},
    lock,
    secrets::READ_TIMEOUT,
};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Client,
    api::GetParams,
    core::{Request, Resource},
};
use serde::Deserialize;
use std::{
    collections::HashSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Mutex,
    time::Duration,
};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{info, warn};

/// Reads at the same time. They share a connection with everything else.
const AT_ONCE: usize = 8;

/// How often it is looked whose turn it is.
const TICK: Duration = Duration::from_millis(250);

/// Follows the versions of the Secrets that connections refer to, and tells `changed` whom an edit concerns. Never ends; a
/// read that fails is tried again at its next turn and stops nothing else.
pub(super) async fn follow(
    client: Client,
    index: &Mutex<SecretIndex>,
    every: Duration,
    changed: impl Fn(&ConnectionRef),
) {
    let began = Instant::now();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut trouble = Trouble::default();
    let mut from = Duration::ZERO;
    loop {
        ticks.tick().await;
        let to = began.elapsed();
        let due = lock(index).picked(|place| is_due(phase(place, every), every, from, to));
        from = to;
        let mut polls = stream::iter(due)
            .map(|(place, before)| {
                let client = &client;
                async move {
                    let found = version(client, &place, before.as_ref()).await;
                    (place, before, found)
                }
            })
            .buffer_unordered(AT_ONCE);
        while let Some((place, before, found)) = polls.next().await {
            trouble.note(&place, found.as_ref().err());
            if let Ok(found) = found {
                let concerned = lock(index).learned(&place, before.as_ref(), found);
                concerned.iter().for_each(&changed);
            }
        }
        trouble.forget(|place| lock(index).is_referred_to(place));
    }
}

/// When in each interval a Secret has its turn.
fn phase(place: &Place, every: Duration) -> Duration {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    every.mul_f64((hasher.finish() >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Whether a turn comes in this span of time; one that took long is made up for with one turn.
fn is_due(phase: Duration, every: Duration, from: Duration, to: Duration) -> bool {
    let [phase, every, from, to] = [phase, every, from, to].map(|d| d.as_nanos());
    let wait = (phase + every - from % every) % every;
    from + wait < to
}

/// The version of a Secret. The API server may answer from its cache, with what is no older than what was seen.
async fn version(client: &Client, place: &Place, seen: Option<&Seen>) -> Result<Seen, ApiError> {
    let params = match seen {
        Some(Seen::Version(version)) => GetParams::at(version),
        Some(Seen::Gone) | None => GetParams::default(),
    };
    let path = Secret::url_path(&(), Some(place.namespace()));
    let request = Request::new(path).get_metadata(place.name(), &params);
    let request = request.map_err(|e| ApiError::Transport(e.to_string()))?;
    match timeout(READ_TIMEOUT, client.request::<Polled>(request)).await?.map_err(ApiError::from) {
        Ok(secret) => Ok(Seen::Version(secret.metadata.resource_version)),
        Err(error) if error.code() == Some(404) => Ok(Seen::Gone),
        Err(error) => Err(error),
    }
}

/// All that is taken from a Secret's metadata, whose annotations may hold a copy of it.
#[derive(Clone, Deserialize)]
struct Polled {
    metadata: PolledMetadata,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolledMetadata {
    resource_version: Box<str>,
}

/// What the log says of polls: one line when the first fails, and one when all work again. That one Secret may not be read
/// is not the others' matter, and told once for each namespace.
#[derive(Default)]
struct Trouble {
    failing: HashSet<Place>,
    refused: HashSet<Place>,
}

impl Trouble {
    fn note(&mut self, place: &Place, error: Option<&ApiError>) {
        let namespace = place.namespace();
        match error {
            Some(error) if error.code() == Some(403) => {
                let known = self.is_refused(namespace);
                self.refused.insert(place.clone());
                self.failing.remove(place);
                if !known {
                    let name = place.name();
                    warn!(namespace, name, %error, "Secrets may not be read: what changes in them is not noticed; it is tried again");
                }
            }
            Some(error) => {
                if self.failing.is_empty() {
                    warn!(%error, "polls of Secrets fail, edits of Secrets are noticed late: they go on");
                }
                self.failing.insert(place.clone());
            }
            None => {
                self.works(place);
                if self.refused.remove(place) && !self.is_refused(namespace) {
                    info!(namespace, "Secrets may be read again");
                }
            }
        }
    }

    fn works(&mut self, place: &Place) {
        if self.failing.remove(place) && self.failing.is_empty() {
            info!("polls of Secrets work again");
        }
    }

    fn is_refused(&self, namespace: &str) -> bool {
        self.refused.iter().any(|place| place.namespace() == namespace)
    }

    /// Forgets Secrets that nobody refers to any more.
    fn forget(&mut self, is_referred_to: impl Fn(&Place) -> bool) {
        self.refused.retain(&is_referred_to);
        self.failing.retain(is_referred_to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_turn_in_every_interval() {
        let seconds = Duration::from_secs_f64;
        let every = seconds(60.0);
        for n in 0..100 {
            let phase = phase(&Place::new("ns", &format!("s{n}")), every);
            assert!(phase < every);
            // Looked at unevenly, as it comes.
            let (mut turns, mut from, mut step) = (0, Duration::ZERO, 0.1);
            while from < 10 * every {
                let to = (from + seconds(step)).min(10 * every);
                turns += u32::from(is_due(phase, every, from, to));
                (from, step) = (to, if step > 40.0 { 0.1 } else { step * 1.7 });
            }
            assert_eq!(turns, 10, "{phase:?}");
        }
        // After a standstill each has one turn.
        assert!(is_due(seconds(3.0), every, seconds(100.0), seconds(400.0)));
        assert!(!is_due(seconds(3.0), every, seconds(3.1), seconds(63.0)));
    }

    #[test]
    fn turns_are_even() {
        let every = Duration::from_secs(60);
        let mut tenths = [0; 10];
        for n in 0..10_000 {
            let phase = phase(&Place::new(&format!("ns-{}", n % 7), &format!("secret-{n}")), every);
            tenths[(phase.as_secs_f64() / 6.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (800..1200).contains(n)), "{tenths:?}");
    }

    #[test]
    fn one_refusal_is_told_for_a_namespace_and_not_again() {
        let mut trouble = Trouble::default();
        let refused = ApiError::Status { code: 403, reason: "Forbidden".into(), message: String::new() };
        let (a, b) = (Place::new("x", "a"), Place::new("x", "b"));
        trouble.note(&a, Some(&refused));
        trouble.note(&b, Some(&refused));
        trouble.note(&Place::new("y", "c"), None);
        assert!(trouble.is_refused("x") && !trouble.is_refused("y") && trouble.failing.is_empty());
        trouble.note(&a, None);
        assert!(trouble.is_refused("x"), "b is refused still");
        trouble.forget(|place| *place != b);
        assert!(!trouble.is_refused("x"));
    }

    #[test]
    fn what_fails_here_and_there_is_one_trouble() {
        let mut trouble = Trouble::default();
        let (a, b) = (Place::new("x", "a"), Place::new("x", "b"));
        trouble.note(&a, Some(&ApiError::TimedOut));
        trouble.note(&b, None);
        assert!(!trouble.failing.is_empty() && !trouble.is_refused("x"), "a fails still");
        trouble.note(&a, None);
        assert!(trouble.failing.is_empty());
        trouble.note(&a, Some(&ApiError::TimedOut));
        trouble.forget(|place| *place != a);
        assert!(trouble.failing.is_empty(), "nobody refers to it any more");
    }
}
