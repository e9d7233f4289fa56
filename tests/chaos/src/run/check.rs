//! What is checked after a step: requests, logs, metrics, Events, and the operator's process.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use clickup_simulator::messages::LogQuery;
use k8s_openapi::api::events::v1::Event;
use kube::{Api, api::ListParams};
use test_support::wait;

use super::{Run, RunError, step::Before};
use crate::{
    checker::{
        leaks::Leaks,
        traffic::{self, Occasion, Resets},
        watch::Broken,
    },
    plan::{Fault, Step},
    trouble::Trouble,
    world::{Key, token_name},
};

impl Run<'_> {
    /// Everything that is not told by one status alone.
    pub(super) async fn check(
        &mut self,
        number: usize,
        step: &Step,
        before: &Before,
        concerned: HashMap<Key, usize>,
    ) -> Result<(), RunError> {
        let restarted = match &step.fault {
            Fault::Cluster(fault, _) => fault.restarts_operator(),
            _ => false,
        };
        let occasion = Occasion {
            concerned,
            lasted: before.began.elapsed(),
            faulty: step.fault != Fault::None,
            starts: if restarted { 2 } else { 0 },
        };
        let rules = self.rules(step, before, &occasion, restarted).await?;
        let events = number.is_multiple_of(5) || !step.changes.is_empty();
        let events = if events { self.events().await? } else { String::new() };
        let texts = [
            ("log", self.log.more()?),
            ("metrics", self.cluster.operator().metrics().await?),
            ("Events", events),
        ];
        let leaks = Leaks::of(self.ground.secrets())?;
        let leak = texts.iter().find_map(|(what, text)| {
            leaks.find(text).map(|place| format!("a secret stands in the {what}, after {place:?}"))
        });
        let panic = texts[0].1.lines().find(|line| line.contains("panicked at"));
        let panic = panic.map(|line| format!("the operator panicked: {line}"));
        let broken =
            rules.err().or(leak).or(panic).map(|rule| Broken { rule, object: None, history: Vec::new() });
        let broken = broken.or_else(|| self.watch.records().broken().cloned());
        match broken {
            Some(broken) => Err(self.finding(number, &step.title, broken)),
            None => {
                self.remember_footprint()?;
                Ok(())
            }
        }
    }

    async fn rules(
        &self,
        step: &Step,
        before: &Before,
        occasion: &Occasion,
        restarted: bool,
    ) -> Result<Result<(), String>, RunError> {
        let pid = self.cluster.operator().process().pid();
        if pid != before.pid && !restarted {
            return Ok(Err("the operator is another process, though nobody killed it".to_owned()));
        }
        if let Err(unhealthy) = self.cluster.operator().healthz().await {
            return Ok(Err(format!("unhealthy: {unhealthy}")));
        }
        let since = Some(before.clickup);
        let log = self.ground.clickup.log(&LogQuery { since, ..LogQuery::default() }).await?.entries;
        let clickup = traffic::to_clickup(&log, [&before.world, &self.world], occasion, &resets(&step.fault));
        let audit = self.cluster.control_plane().audit_events_since(before.audit)?;
        let moved = self.watch.records().moved().cloned();
        let connections = self.world.connections.len();
        let api = traffic::to_api_server(&audit, moved.as_ref(), occasion, connections);
        Ok(clickup.and(api).and(self.readiness_is_told().await?))
    }

    /// The metrics say of each connection what its status says.
    async fn readiness_is_told(&self) -> Result<Result<(), String>, RunError> {
        let told = wait::until(Duration::from_secs(20), "the metrics to follow", || async {
            let metrics = self.cluster.operator().metrics().await.map_err(|e| e.to_string())?;
            let lines = metrics.lines().filter(|l| l.starts_with("clickup_operator_connection_ready{"));
            let told: BTreeSet<_> = lines.map(str::to_owned).collect();
            let line = |key: &Key| {
                let value = match self.world.expected(key).ready().0 {
                    "True" => 1,
                    "False" => 0,
                    _ => -1,
                };
                let (namespace, name) = (key.namespace_name(), &key.name);
                format!(
                    "clickup_operator_connection_ready{{namespace=\"{namespace}\",name=\"{name}\"}} {value}"
                )
            };
            let wanted: BTreeSet<_> = self.world.connections.keys().map(line).collect();
            match told.symmetric_difference(&wanted).next() {
                None => Ok(()),
                Some(odd) => Err(odd.clone()),
            }
        });
        Ok(told.await.map_err(|e| e.to_string()))
    }

    async fn events(&self) -> Result<String, RunError> {
        let events: Api<Event> = Api::all(self.ground.client.clone());
        let events = events.list(&ListParams::default()).await?.items;
        let text = |event: &Event| {
            let Event { reason, note, .. } = event;
            format!("{} {}", reason.as_deref().unwrap_or_default(), note.as_deref().unwrap_or_default())
        };
        Ok(events.iter().map(text).collect::<Vec<_>>().join("\n"))
    }
}

/// How long each token must wait after a 429.
fn resets(fault: &Fault) -> Resets {
    let Fault::Dealt(dealt) = fault else { return Resets::new() };
    let stated = dealt.iter().filter(|d| matches!(d.trouble, Trouble::Limited | Trouble::LimitedBare));
    stated.map(|d| (token_name(d.account), d.trouble.blocks())).collect()
}
