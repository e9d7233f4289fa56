//! Events on transitions of Ready: best effort, in a queue behind the status writes.

use super::{MANAGER, pod_name};
use crate::{
    api::{ClickUpConnectionStatus, Condition, ConditionStatus, ConditionType, Reason, StoredConnection},
    observe::Metrics,
};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Client, Resource,
    runtime::events::{Event, EventType, Recorder, Reporter},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

/// Events that wait; what does not fit is dropped and counted: the status says it all.
const QUEUE: usize = 1024;

const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// The reason of the Event that tells an owner of references that were refused; see docs/sharing.md.
const SHARING_REFUSED: &str = "SharingRefused";

/// The reason of the Event that tells an owner of a selector that selects nobody; see docs/tenancy.md.
const SELECTOR_IGNORED: &str = "SelectorIgnored";

/// Tells of transitions: one line in the log and one Event each.
#[derive(Clone)]
pub(super) struct Transitions {
    queue: mpsc::Sender<(Event, ObjectReference)>,
    metrics: Arc<Metrics>,
}

/// Starts the queue. It ends when the last sender is gone and everything was sent.
pub(super) fn start(client: Client, metrics: Arc<Metrics>) -> (Transitions, AbortOnDropHandle<()>) {
    let (queue, mut waiting) = mpsc::channel::<(Event, ObjectReference)>(QUEUE);
    let reporter = Reporter { controller: MANAGER.to_owned(), instance: pod_name() };
    let recorder = Recorder::new(client, reporter);
    let counters = metrics.clone();
    let worker = tokio::spawn(async move {
        while let Some((event, about)) = waiting.recv().await {
            let sent = matches!(timeout(PUBLISH_TIMEOUT, recorder.publish(&event, &about)).await, Ok(Ok(())));
            counters.event(if sent { "sent" } else { "failed" });
            if !sent {
                debug!(namespace = about.namespace, name = about.name, "an Event could not be written");
            }
        }
    });
    (Transitions { queue, metrics }, AbortOnDropHandle::new(worker))
}

impl Transitions {
    /// Tells what changed between two statuses, if Ready or its reason did. That ClickUp cannot be asked, or can be
    /// again, is a line in the log also where Ready stands.
    pub(super) fn tell(
        &self,
        stored: &StoredConnection,
        before: Option<&ClickUpConnectionStatus>,
        after: &ClickUpConnectionStatus,
    ) {
        let change = |of| {
            let (before, now) = (before.and_then(|s| s.conditions.get(of)), after.conditions.get(of)?);
            let state = |c: &Condition| (c.status, c.reason);
            (before.map(state) != Some(state(now))).then_some((before, now))
        };
        let first = before.and_then(|s| s.observed_generation).is_none_or(|observed| observed < 0);
        if let Some((before, now)) = change(ConditionType::Ready) {
            log(stored, before, now, "connection changed");
            if is_news(first, now) {
                self.send(event(now), stored);
            }
        } else if let Some((before, now)) = change(ConditionType::Reachable) {
            log(stored, before, now, "connection stands, but ClickUp's reachability changed");
        }
    }

    /// Tells an owner which namespaces refer to the connection without being allowed to.
    pub(super) fn refused(&self, owner: &StoredConnection, namespaces: &[String]) {
        let (namespace, name, list) =
            (&owner.metadata.namespace, &owner.metadata.name, namespaces.join(", "));
        info!(namespace, name, refused = list, "references to a connection that is not shared with them");
        let note = format!(
            "connections in namespaces that this one is not shared with refer to it, among them {list}: allow them in spec.sharing, or have the references removed"
        );
        self.send(about_sharing(SHARING_REFUSED, note), owner);
    }

    /// Tells an owner that labels of namespaces cannot be seen.
    pub(super) fn selector_ignored(&self, owner: &StoredConnection) {
        let (namespace, name) = (&owner.metadata.namespace, &owner.metadata.name);
        info!(namespace, name, "namespaceSelector selects none where single namespaces are watched");
        let note = "the operator watches single namespaces and does not see their labels, so spec.sharing.namespaceSelector selects none: list the namespaces in spec.sharing.namespaces";
        self.send(about_sharing(SELECTOR_IGNORED, note.to_owned()), owner);
    }

    fn send(&self, event: Event, about: &StoredConnection) {
        if self.queue.try_send((event, about.object_ref(&()))).is_err() {
            self.metrics.event("dropped");
        }
    }
}

fn log(stored: &StoredConnection, before: Option<&Condition>, now: &Condition, what: &str) {
    info!(
        namespace = stored.metadata.namespace,
        name = stored.metadata.name,
        condition = <&str>::from(now.type_),
        status = <&str>::from(now.status),
        reason = <&str>::from(now.reason),
        before = before.map_or("", |c| c.reason.into()),
        detail = &*now.message,
        "{what}"
    );
}

/// That a first check is under way, and that it succeeds, is no news: the status says it.
fn is_news(first: bool, now: &Condition) -> bool {
    now.reason != Reason::Checking && !(first && now.status == ConditionStatus::True)
}

fn about_sharing(reason: &str, note: String) -> Event {
    Event {
        type_: EventType::Warning,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Share".to_owned(),
        secondary: None,
    }
}

fn event(ready: &Condition) -> Event {
    Event {
        type_: if ready.status == ConditionStatus::True { EventType::Normal } else { EventType::Warning },
        reason: ready.reason.to_string(),
        note: Some(ready.message.to_string()),
        action: "Check".to_owned(),
        secondary: None,
    }
}
