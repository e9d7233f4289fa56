//! The labels of namespaces, by which connections may be shared: watched as metadata, and only while a connection selects
//! namespaces.

use super::{
    lock,
    scope::Scope,
    watches::{self, Trouble, is_forbidden},
};
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::PartialObjectMeta,
    runtime::{WatchStreamExt, watcher},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;
use tracing::info;

/// The labels of a namespace.
pub(super) type Labels = BTreeMap<String, String>;

/// What is known of the namespaces.
pub(super) struct Namespaces {
    /// None until they were listed.
    labels: Mutex<Option<HashMap<String, Labels>>>,
    /// The API server does not let the operator see them.
    denied: AtomicBool,
    wanted: watch::Sender<bool>,
}

/// Whose labels have changed.
pub(super) enum Changed {
    /// Those of one namespace.
    One(String),
    /// Possibly any.
    All,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { labels: Mutex::default(), denied: AtomicBool::new(false), wanted: watch::Sender::new(false) }
    }
}

impl Namespaces {
    /// Says whether anybody selects namespaces.
    pub(super) fn want(&self, wanted: bool) {
        self.wanted.send_if_modified(|known| std::mem::replace(known, wanted) != wanted);
    }

    /// The labels of a namespace; `None` while they are not known.
    pub(super) fn labels(&self, namespace: &str) -> Option<Labels> {
        let labels = lock(&self.labels);
        labels.as_ref()?.get(namespace).cloned()
    }

    /// Whether the labels are not known because the operator may not see them.
    pub(super) fn are_denied(&self) -> bool {
        self.denied.load(Ordering::Relaxed) && lock(&self.labels).is_none()
    }

    /// Follows the labels while anybody selects namespaces, and tells `changed`. Never ends.
    pub(super) async fn watch(&self, client: Client, changed: impl Fn(Changed)) {
        let mut wanted = self.wanted.subscribe();
        loop {
            if wanted.wait_for(|wanted| *wanted).await.is_err() {
                return;
            }
            info!("watching the labels of Namespaces");
            tokio::select! {
                () = self.follow(client.clone(), &changed) => {}
                _ = wanted.wait_for(|wanted| !*wanted) => {}
            }
            *lock(&self.labels) = None;
            self.denied.store(false, Ordering::Relaxed);
            info!("no connection selects Namespaces any more");
        }
    }

    async fn follow(&self, client: Client, changed: &impl Fn(Changed)) {
        let api: Api<PartialObjectMeta<Namespace>> = Api::all(client);
        let events = watcher(api, watcher::Config::default().streaming_lists()).backoff(watches::backoff());
        pin_mut!(events);
        let mut trouble =
            Trouble::new(&Scope::Cluster, "Namespaces", "who is selected by labels is noticed late");
        let mut listed = HashMap::new();
        while let Some(event) = events.next().await {
            trouble.note(&event);
            match event {
                Ok(watcher::Event::Init) => listed = HashMap::new(),
                Ok(watcher::Event::InitApply(namespace)) => {
                    let (name, labels) = name_and_labels(namespace);
                    listed.insert(name, labels);
                }
                Ok(watcher::Event::InitDone) => {
                    self.denied.store(false, Ordering::Relaxed);
                    *lock(&self.labels) = Some(std::mem::take(&mut listed));
                    changed(Changed::All);
                }
                Ok(watcher::Event::Apply(namespace)) => {
                    let (name, labels) = name_and_labels(namespace);
                    let mut known = lock(&self.labels);
                    let before = known.get_or_insert_default().insert(name.clone(), labels.clone());
                    drop(known);
                    if before.as_ref() != Some(&labels) {
                        changed(Changed::One(name));
                    }
                }
                Ok(watcher::Event::Delete(namespace)) => {
                    let (name, _) = name_and_labels(namespace);
                    lock(&self.labels).get_or_insert_default().remove(&name);
                    changed(Changed::One(name));
                }
                Err(error) => {
                    if is_forbidden(&error) && !self.denied.swap(true, Ordering::Relaxed) {
                        changed(Changed::All);
                    }
                }
            }
        }
    }
}

fn name_and_labels(namespace: PartialObjectMeta<Namespace>) -> (String, Labels) {
    (namespace.metadata.name.unwrap_or_default(), namespace.metadata.labels.unwrap_or_default())
}
