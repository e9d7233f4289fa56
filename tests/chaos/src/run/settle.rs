//! Waiting until every connection is as the model says.

use std::time::Duration;

use serde_json::Value;
use test_support::wait;

use super::{Run, RunError};
use crate::{
    checker::watch::{Broken, Records},
    ground::ASK,
    world::Key,
};

impl Run<'_> {
    /// Waits until all are as they must be.
    pub(super) async fn settle(
        &mut self,
        step: usize,
        title: &str,
        patience: Duration,
    ) -> Result<(), RunError> {
        let settled = wait::until(patience, "all connections to settle", || async {
            match self.look(true) {
                Ok(()) => Ok(Ok(())),
                // There is no need to wait for what was broken already.
                Err(broken @ Unsettled::Broken(_)) => Ok(Err(broken)),
                Err(Unsettled::Not(key, why)) => Err(format!("{key} {why}")),
            }
        });
        match settled.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Unsettled::Broken(broken))) => Err(self.finding(step, title, *broken)),
            Ok(Err(Unsettled::Not(key, rule))) => Err(self.unsettled(step, title, key, rule)),
            Err(_) => match self.look(true) {
                Ok(()) => Ok(()),
                Err(Unsettled::Broken(broken)) => Err(self.finding(step, title, *broken)),
                Err(Unsettled::Not(key, rule)) => {
                    let rule = format!("not settled after {patience:?}: {rule}");
                    Err(self.unsettled(step, title, key, rule))
                }
            },
        }
    }

    fn unsettled(&self, step: usize, title: &str, key: Key, rule: String) -> RunError {
        let history = self.watch.records().history(&key);
        self.finding(step, title, Broken { rule, object: Some(key), history })
    }

    /// Whether all are as they must be.
    pub(super) fn look(&self, alive: bool) -> Result<(), Unsettled> {
        let records = self.watch.records();
        if let Some(broken) = records.broken() {
            return Err(Unsettled::Broken(Box::new(broken.clone())));
        }
        if let Some(exit) = self.cluster.operator().process().exited().filter(|_| alive) {
            let tail = self.cluster.operator().process().log_tail(5);
            let rule = format!("the operator ended by itself, with {exit}: {tail}");
            return Err(Unsettled::Broken(Box::new(Broken { rule, object: None, history: Vec::new() })));
        }
        for key in self.world.connections.keys() {
            self.is_settled(key, &records).map_err(|why| Unsettled::Not(key.clone(), why))?;
        }
        match records.keys().find(|key| !self.world.connections.contains_key(key)) {
            Some(key) => Err(Unsettled::Not(key.clone(), "is still there".to_owned())),
            None => Ok(()),
        }
    }

    fn is_settled(&self, key: &Key, records: &Records) -> Result<(), String> {
        let Some(object) = records.get(key) else { return Err("is not there".to_owned()) };
        let (status, metadata) = (&object["status"], &object["metadata"]);
        self.world.expected(key).compare(status)?;
        let observed = &status["observedGeneration"];
        if *observed != metadata["generation"] {
            return Err(format!("observed {observed} of {}", metadata["generation"]));
        }
        if self.world.is_suspended(key) {
            return Ok(());
        }
        let asked = &metadata["annotations"][ASK];
        if !asked.is_null() && *asked != status["lastHandledReconcileAt"] {
            return Err(format!("the check {asked} is not acknowledged"));
        }
        let secret = self.world.secret_of(key).filter(|_| self.world.is_owner(key));
        let version = secret.as_ref().and_then(|secret| self.ground.version_of(secret));
        if version.is_some() && version != status["secretResourceVersion"].as_str() {
            let seen = &status["secretResourceVersion"];
            return Err(format!("the Secret has version {version:?}, the status says {seen}"));
        }
        Ok(())
    }
}

/// Why it is not over.
pub(super) enum Unsettled {
    /// A rule was broken.
    Broken(Box<Broken>),
    /// Somebody is not as it must be.
    Not(Key, String),
}

/// A status without what differs between two operators: times.
pub(super) fn timeless(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(status) = status.as_object_mut() {
        status.remove("lastVerifiedTime");
    }
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"].take();
    }
    status
}
