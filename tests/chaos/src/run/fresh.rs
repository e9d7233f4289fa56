//! The end: all faults are over, and every status must be the one that a fresh operator gives.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use test_support::wait;

use super::{Run, RunError, settle::timeless};
use crate::{
    checker::{
        footprint::Footprint,
        rules::Allowed,
        traffic::OPERATOR,
        watch::{Broken, Watch},
    },
    cluster::ClusterFault,
    ground::connections,
    world::{Change, Key},
};

const TITLE: &str = "a fresh operator";
/// Until idle connections are closed and freed memory is given back.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long is long enough to say that nothing goes on.
const QUIET: Duration = Duration::from_secs(3);

impl Run<'_> {
    /// Resumes who is suspended, compares the footprint with the first one, then every status with that of a fresh operator.
    pub(super) async fn compare_with_fresh(&mut self) -> Result<(), RunError> {
        let suspended = self.world.connections.iter().filter(|(_, c)| c.suspended);
        let resumed: Vec<_> = suspended.map(|(key, _)| Change::Suspend(key.clone(), false)).collect();
        self.begin_watching()?;
        for change in resumed {
            let touched = self.world.apply(&change);
            for key in touched {
                self.watch.records().allow(&key, &self.anything(&key));
            }
            self.ground.perform(&change, &self.world).await?;
        }
        self.settle(0, TITLE, Duration::from_secs(75)).await?;
        self.is_quiet().await?;
        self.footprint_is_back().await?;

        let before = self.statuses();
        let began = Instant::now();
        self.cluster.begin(&ClusterFault::OperatorTerminated).await?;
        self.forget_statuses().await?;
        self.cluster.end(&ClusterFault::OperatorTerminated).await?;
        self.settle(0, TITLE, Duration::from_secs(120)).await?;
        let differs = |(key, status): (&Key, &Value)| {
            let now = self.watch.records().get(key).map(|object| timeless(&object["status"]));
            (now.as_ref() != Some(status)).then(|| (key.clone(), status.clone(), now.unwrap_or_default()))
        };
        if let Some((key, then, now)) = before.iter().find_map(differs) {
            let rule = "a fresh operator gives another status, the second one".to_owned();
            let broken = Broken { rule, object: Some(key), history: vec![then, now] };
            return Err(self.finding(0, TITLE, broken));
        }
        let compared = before.len();
        println!("{compared} statuses are those of a fresh operator, {:.1} s", began.elapsed().as_secs_f64());
        self.report.compared = compared;
        Ok(())
    }

    fn statuses(&self) -> BTreeMap<Key, Value> {
        let records = self.watch.records();
        let of = |key: &Key| Some((key.clone(), timeless(&records.get(key)?["status"])));
        self.world.connections.keys().filter_map(of).collect()
    }

    /// Without an operator nobody writes them again.
    async fn forget_statuses(&mut self) -> Result<(), RunError> {
        for key in self.world.connections.keys() {
            let api = connections(&self.ground.client, Some(&key.namespace_name()));
            let patch = Patch::Merge(json!({"status": null}));
            api.patch_status(&key.name, &PatchParams::default(), &patch).await?;
        }
        // What follows is the first history of new statuses.
        self.watch = Watch::start(&self.ground.client);
        self.begin_watching()?;
        for key in self.world.connections.keys() {
            self.watch.records().allow(key, &self.anything(key));
        }
        Ok(())
    }

    /// With nothing to do, nothing is asked of the API server: no task goes on trying.
    async fn is_quiet(&self) -> Result<(), RunError> {
        let quiet = wait::until(PATIENCE, "the operator to be quiet", || async {
            let mark = self.cluster.control_plane().audit_mark().map_err(|e| e.to_string())?;
            tokio::time::sleep(QUIET).await;
            let since = self.cluster.control_plane().audit_events_since(mark).map_err(|e| e.to_string())?;
            match since.iter().find(|e| e.user == OPERATOR && e.verb != "watch") {
                Some(request) => Err(format!("{} {}", request.verb, request.uri)),
                None => Ok(()),
            }
        });
        let broken =
            |busy: wait::TimedOut| Broken { rule: busy.to_string(), object: None, history: Vec::new() };
        quiet.await.map_err(|busy| self.finding(0, TITLE, broken(busy)))
    }

    async fn footprint_is_back(&mut self) -> Result<(), RunError> {
        let pid = self.cluster.operator().process().pid();
        let Some(before) = self.footprints.get(&pid).copied() else { return Ok(()) };
        let back = wait::until(PATIENCE, "memory, files and threads to be back", || async {
            let now = Footprint::of(pid).map_err(|e| e.to_string())?;
            now.is_back_at(&before).map(|()| now)
        });
        match back.await {
            Ok(now) => {
                println!("the operator's process: {now}; at its beginning {before}");
                self.report.footprints = Some((before, now));
                Ok(())
            }
            Err(grown) => {
                let broken = Broken { rule: grown.to_string(), object: None, history: Vec::new() };
                Err(self.finding(0, TITLE, broken))
            }
        }
    }

    /// What may be seen of a connection that is checked as if for the first time.
    pub(super) fn anything(&self, key: &Key) -> Allowed {
        let expected = self.world.expected(key);
        Allowed {
            ready: [expected.ready(), ("Unknown", "Checking"), ("Unknown", "NotChecked")].into(),
            users: expected.user.map(|user| user.to_string()).into_iter().collect(),
            writes: true,
        }
    }
}
