//! How long an edit takes to show in the status: from the API server's answer to the edit, to the status in a watch of the
//! benchmark's own. One edit after the other, so that nothing waits for anything but its own work.

use std::time::{Duration, Instant};

use clickup_simulator::messages::GeneratedToken;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::fleet::{Place, connections};
use crate::measure::Meter;
use crate::operator::Operator;
use crate::phases::{Bench, side};
use crate::report::Edits;
use crate::{Failure, progress};

const EDITS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The connection asks for a space too, about which ClickUp is to be asked.
    Spec,
    /// The Secret gets another token, about which ClickUp is to be asked everything.
    Secret,
}

/// Edits connections spread over all of them, each once.
pub(crate) async fn measure(bench: &Bench, operator: &Operator, kind: Kind) -> Result<Edits, Failure> {
    let count = EDITS.min(bench.size());
    let step = bench.size() / count;
    let chosen: Vec<_> = (0..count).map(|number| number * step).collect();
    let patches = match kind {
        Kind::Spec => spaces(bench, &chosen).await?,
        Kind::Secret => tokens(bench, &chosen).await?,
    };
    progress(match kind {
        Kind::Spec => format!("measuring {count} edits of connections"),
        Kind::Secret => format!("measuring {count} edits of Secrets"),
    });
    let mut sightings = Sightings::start(bench).await?;
    bench.ground.quiet().await?;
    let before = operator.used(&bench.ground)?;
    let meter = Meter::start(&bench.ground).await?;
    let mut latencies_ms = Vec::new();
    for (index, patch) in chosen.iter().zip(patches) {
        let place = &bench.fleet.places[*index];
        let edited = edit(bench, kind, place, patch).await?;
        let answered = Instant::now();
        let seen = sightings.until(place, |object| edited.shows_in(object)).await?;
        let latency = seen.saturating_duration_since(answered).as_secs_f64() * 1000.0;
        latencies_ms.push((latency * 100.0).round() / 100.0);
    }
    let used = operator.used(&bench.ground)?;
    let cost = meter.stop(&bench.ground, used.usage.cpu.saturating_sub(before.usage.cpu)).await?;
    latencies_ms.sort_by(f64::total_cmp);
    Ok(Edits { latencies_ms, side: side(cost, used) })
}

/// What each connection is to ask for: a space that its token sees.
async fn spaces(bench: &Bench, chosen: &[usize]) -> Result<Vec<Value>, Failure> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut patches = Vec::new();
    for index in chosen {
        let GeneratedToken { value, workspace, .. } = &bench.ground.tokens[*index];
        let url = format!("{}/v2/team/{workspace}/space?archived=false", bench.ground.clickup_url());
        let request = http.get(url).header(reqwest::header::AUTHORIZATION, value);
        let answer: Value = request.send().await?.error_for_status()?.json().await?;
        let id = answer["spaces"][0]["id"].as_str().ok_or("the token sees no space")?;
        patches.push(json!({"spec": {"access": [{"space": {"id": id}}]}}));
    }
    Ok(patches)
}

/// New tokens, each with a user of its own. The spaces that were asked for are those of the old tokens.
async fn tokens(bench: &Bench, chosen: &[usize]) -> Result<Vec<Value>, Failure> {
    let as_before = json!({"spec": {"access": null}});
    for index in chosen {
        edit(bench, Kind::Spec, &bench.fleet.places[*index], as_before.clone()).await?;
    }
    let tokens = bench.ground.generate("rotated", chosen.len() as u64).await?;
    Ok(tokens.into_iter().map(|token| json!({"stringData": {"token": token.value}})).collect())
}

/// An edit that the API server has answered.
enum Edited {
    /// The generation since then.
    Spec(i64),
    /// The Secret's version since then.
    Secret(String),
}

async fn edit(bench: &Bench, kind: Kind, place: &Place, patch: Value) -> Result<Edited, Failure> {
    let (Place { namespace, name }, client) = (place, bench.ground.admin.clone());
    let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
    Ok(match kind {
        Kind::Spec => {
            let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &connections());
            Edited::Spec(api.patch(name, &params, &patch).await?.metadata.generation.unwrap_or_default())
        }
        Kind::Secret => {
            let api: Api<Secret> = Api::namespaced(client, namespace);
            let secret = api.patch(name, &params, &patch).await?;
            Edited::Secret(secret.metadata.resource_version.unwrap_or_default())
        }
    })
}

impl Edited {
    /// Whether the status is that of after the edit, and good.
    fn shows_in(&self, object: &DynamicObject) -> bool {
        let status = &object.data["status"];
        let taken_in = match self {
            Edited::Spec(generation) => status["observedGeneration"] == *generation,
            Edited::Secret(version) => status["secretResourceVersion"] == version.as_str(),
        };
        let mut conditions = status["conditions"].as_array().into_iter().flatten();
        taken_in && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    }
}

/// A watch of all connections, with the time at which each state of one was seen.
struct Sightings {
    seen: mpsc::UnboundedReceiver<(Instant, DynamicObject)>,
    /// Ends with this.
    _watch: JoinSet<()>,
}

impl Sightings {
    async fn start(bench: &Bench) -> Result<Sightings, Failure> {
        let api: Api<DynamicObject> = Api::all_with(bench.ground.admin.clone(), &connections());
        // From now on: nothing of what was before is sent.
        let list = api.list_metadata(&ListParams::default().limit(1)).await?;
        let version = list.metadata.resource_version.unwrap_or_default();
        let mut events = Box::pin(api.watch(&WatchParams::default(), &version).await?);
        let (send, seen) = mpsc::unbounded_channel();
        let mut watch = JoinSet::new();
        watch.spawn(async move {
            // A watch that ends shows as one that sees nothing.
            while let Some(Ok(event)) = events.next().await {
                if let WatchEvent::Modified(object) = event
                    && send.send((Instant::now(), object)).is_err()
                {
                    return;
                }
            }
        });
        Ok(Sightings { seen, _watch: watch })
    }

    /// When that connection was first seen so.
    async fn until(
        &mut self,
        place: &Place,
        is_so: impl Fn(&DynamicObject) -> bool,
    ) -> Result<Instant, Failure> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let Place { namespace, name } = place;
        loop {
            let next = tokio::time::timeout_at(deadline, self.seen.recv()).await;
            let Ok(Some((at, object))) = next else {
                let seconds = PATIENCE.as_secs();
                return Err(format!("the edit of {namespace}/{name} does not show within {seconds} s").into());
            };
            let (of, called) = (object.metadata.namespace.as_ref(), object.metadata.name.as_ref());
            if of == Some(namespace) && called == Some(name) && is_so(&object) {
                return Ok(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_shows_when_it_is_taken_in_and_good() {
        let object = |generation: i64, version: &str, ready: &str| {
            let conditions = json!([{"type": "Ready", "status": ready}]);
            let status = json!({"observedGeneration": generation, "secretResourceVersion": version, "conditions": conditions});
            DynamicObject::new("a", &connections()).data(json!({"status": status}))
        };
        let spec = Edited::Spec(2);
        assert!(spec.shows_in(&object(2, "5", "True")));
        assert!(!spec.shows_in(&object(1, "5", "True")));
        assert!(!spec.shows_in(&object(2, "5", "Unknown")));
        let secret = Edited::Secret("6".to_owned());
        assert!(secret.shows_in(&object(1, "6", "True")));
        assert!(!secret.shows_in(&object(1, "5", "True")));
    }
}
