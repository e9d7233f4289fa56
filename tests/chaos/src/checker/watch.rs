//! A watch of our own, straight to the API server, that judges every version of every connection.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use kube::{
    Client, ResourceExt,
    api::DynamicObject,
    runtime::watcher::{self, Event},
};
use serde_json::Value;
use test_support::invariants;
use tokio::task::JoinHandle;

use super::{
    leaks::Leaks,
    rules::{self, Allowed},
};
use crate::{ground::connections, world::Key};

/// Versions of an object that are kept, for whoever has to find out what happened.
const KEPT: usize = 6;

/// A rule that was broken.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which, and how.
    pub rule: String,
    /// Of whom, if of one connection.
    pub object: Option<Key>,
    /// Its last statuses, oldest first.
    pub history: Vec<Value>,
}

/// Judges until it is dropped.
pub struct Watch {
    records: Arc<Mutex<Records>>,
    task: JoinHandle<()>,
}

/// What was seen.
#[derive(Default)]
pub struct Records {
    objects: HashMap<Key, Tracked>,
    allowed: HashMap<Key, Allowed>,
    leaks: Option<Leaks>,
    broken: Vec<Broken>,
    /// Versions with another status, since the step began.
    moved: HashMap<Key, usize>,
    /// Conditions that were not True, since the step began.
    seen: BTreeMap<String, usize>,
    /// Whether the watch began anew since the step began: versions may have been missed.
    gap: bool,
    listing: Vec<Key>,
}

struct Tracked {
    last: Value,
    history: VecDeque<Value>,
}

impl Watch {
    /// Begins to watch all connections.
    pub fn start(client: &Client) -> Self {
        let records = Arc::new(Mutex::new(Records::default()));
        let task = tokio::spawn({
            let (api, records) = (connections(client, None), records.clone());
            async move {
                let mut events = watcher::watcher(api, watcher::Config::default()).boxed();
                while let Some(event) = events.next().await {
                    match event {
                        Ok(event) => lock(&records).take(event),
                        // The API server is down, and the watcher begins anew at once.
                        Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                    }
                }
            }
        });
        Self { records, task }
    }

    /// What was seen so far.
    pub fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(records: &Mutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Records {
    /// A step begins, in which this is allowed.
    pub fn begin(&mut self, allowed: HashMap<Key, Allowed>, leaks: Leaks) {
        self.allowed = allowed;
        self.leaks = Some(leaks);
        self.moved.clear();
        self.seen.clear();
        self.gap = false;
    }

    /// Allows more of a connection.
    pub fn allow(&mut self, key: &Key, more: &Allowed) {
        self.allowed.entry(key.clone()).or_default().join(more);
    }

    /// Looks for these from now on.
    pub fn look_for(&mut self, leaks: Leaks) {
        self.leaks = Some(leaks);
    }

    /// What is allowed of a connection now.
    pub fn allowed(&self, key: &Key) -> Option<&Allowed> {
        self.allowed.get(key)
    }

    /// A connection as it was seen last.
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key).map(|tracked| &tracked.last)
    }

    /// All connections that are there.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.objects.keys()
    }

    /// How many statuses each connection had since the step began; none where some may have been missed.
    pub fn moved(&self) -> Option<&HashMap<Key, usize>> {
        (!self.gap).then_some(&self.moved)
    }

    /// Which conditions were not True since the step began, and how often.
    pub fn seen(&self) -> &BTreeMap<String, usize> {
        &self.seen
    }

    /// The first rule that was broken.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.first()
    }

    /// The last statuses of a connection, oldest first.
    pub fn history(&self, key: &Key) -> Vec<Value> {
        self.objects.get(key).map(|tracked| tracked.history.iter().cloned().collect()).unwrap_or_default()
    }

    fn take(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Apply(object) => self.applied(&object),
            Event::Delete(object) => drop(self.objects.remove(&key_of(&object))),
            Event::Init => {
                // Not at the first list: nothing was before it.
                self.gap |= !self.objects.is_empty();
                self.listing.clear();
            }
            Event::InitApply(object) => {
                self.listing.push(key_of(&object));
                self.applied(&object);
            }
            Event::InitDone => {
                let listing = std::mem::take(&mut self.listing);
                self.objects.retain(|key, _| listing.contains(key));
            }
        }
    }

    fn applied(&mut self, object: &DynamicObject) {
        let key = key_of(object);
        let Ok(object) = serde_json::to_value(object) else { return };
        let same = |tracked: &&Tracked| tracked.last["metadata"]["uid"] == object["metadata"]["uid"];
        let before = self.objects.get(&key).filter(same).map(|tracked| tracked.last.clone());
        if before
            .as_ref()
            .is_some_and(|b| b["metadata"]["resourceVersion"] == object["metadata"]["resourceVersion"])
        {
            return;
        }
        let moved = before.as_ref().is_none_or(|before| rules::status_moved(before, &object));
        let judged = self.judge(&key, before.as_ref(), &object, moved);
        let history =
            before.and(self.objects.remove(&key)).map(|tracked| tracked.history).unwrap_or_default();
        let mut tracked = Tracked { last: object, history };
        if moved {
            self.note(&key, &tracked.last["status"]);
            tracked.history.push_back(tracked.last["status"].clone());
            if tracked.history.len() > KEPT {
                tracked.history.pop_front();
            }
        }
        self.objects.insert(key.clone(), tracked);
        if let Err(rule) = judged {
            let history = self.history(&key);
            self.broken.push(Broken { rule, object: Some(key), history });
        }
    }

    fn judge(&self, key: &Key, before: Option<&Value>, after: &Value, moved: bool) -> Result<(), String> {
        invariants::check(after)?;
        match before {
            // Where versions may have been missed, nothing can be told from two.
            Some(before) if !self.gap => rules::successive(before, after)?,
            _ => {}
        }
        let status = &after["status"];
        if let Some(place) = self.leaks.as_ref().and_then(|leaks| leaks.find(&status.to_string())) {
            return Err(format!("a secret stands in the status, after {place:?}"));
        }
        let Some(allowed) = self.allowed.get(key).filter(|_| moved) else { return Ok(()) };
        allowed.judge(status)?;
        let born = before.is_none();
        if !allowed.writes && !born {
            return Err("a status was written though nothing has happened to this connection".to_owned());
        }
        Ok(())
    }

    fn note(&mut self, key: &Key, status: &Value) {
        *self.moved.entry(key.clone()).or_default() += 1;
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let of = |field: &str| condition[field].as_str().unwrap_or_default();
            let telling = ["Ready", "Reachable"].contains(&of("type")) && of("status") != "True";
            if telling {
                let seen = format!("{}={}/{}", of("type"), of("status"), of("reason"));
                *self.seen.entry(seen).or_default() += 1;
            }
        }
    }
}

fn key_of(object: &DynamicObject) -> Key {
    let namespace = object.namespace().unwrap_or_default();
    let number = namespace.strip_prefix("chaos-").and_then(|n| n.parse().ok());
    Key::new(number.unwrap_or(usize::MAX), object.name_any())
}
