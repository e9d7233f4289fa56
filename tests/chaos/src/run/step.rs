//! One step: a fault begins, things are done, the fault is felt and ends, all settles, and everything is checked.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use clickup_simulator::{fault::Fault as ClickUpFault, messages::LogQuery};
use test_support::{case::is, wait};

use super::{Run, RunError, exposure::Exposure, settle::Unsettled};
use crate::{
    checker::{leaks::Leaks, rules::Allowed, watch::Broken},
    cluster::{ClusterError, ClusterFault, Explains},
    plan::{Dealt, Fault, RESTORES, Skew, Step},
    report::StepReport,
    trouble::{Call, Effect},
    world::{Change, Key, World, token_name},
};

/// What was there before a step, to be compared with what is after it.
pub(super) struct Before {
    pub(super) world: World,
    pub(super) audit: u64,
    pub(super) clickup: u64,
    pub(super) pid: u32,
    pub(super) began: Instant,
}

impl Run<'_> {
    /// Does a step.
    pub(super) async fn step(&mut self, number: usize, step: &Step) -> Result<StepReport, RunError> {
        let exposure = Exposure::of(step, &self.world);
        self.begin_watching()?;
        for (key, more) in exposure.allowed(&self.world) {
            self.watch.records().allow(&key, &more);
        }
        let before = Before {
            world: self.world.clone(),
            audit: self.cluster.control_plane().audit_mark()?,
            clickup: self.ground.clickup.log(&LogQuery::default()).await?.last,
            pid: self.cluster.operator().process().pid(),
            began: Instant::now(),
        };
        let mut concerned = HashMap::new();
        let (first, rest) = step.changes.split_at(step.changes.len() / 2);
        let (no_server, lasting) = (step.fault.leaves_no_server(), step.fault.worked_under());
        // Where there is nobody to take them, some come just before, some right after.
        if no_server {
            self.change(first, &exposure, &mut concerned).await?;
        }
        let faults = self.begin(&step.fault).await?;
        if !no_server {
            self.change(first, &exposure, &mut concerned).await?;
            // How long the fault lasts before more is done.
            tokio::time::sleep(lasting).await;
            self.change(rest, &exposure, &mut concerned).await?;
        }
        let struck = self.feel(number, step, &exposure).await?;
        let dealt = self.shown(&step.fault);
        for fault in faults {
            self.ground.clickup.remove_fault(fault).await?;
        }
        if let Fault::Cluster(fault, _) = &step.fault {
            self.cluster.end(fault).await?;
        }
        let healed = Instant::now();
        if no_server {
            self.change(rest, &exposure, &mut concerned).await?;
        }
        self.change(&step.after, &exposure, &mut concerned).await?;
        self.settle(number, &step.title, step.patience()).await?;
        let settled = healed.elapsed();
        let everybody = exposure.allowed(&self.world).into_keys();
        everybody.for_each(|key| *concerned.entry(key).or_default() += 1);
        self.check(number, step, &before, concerned).await?;
        let seen = self.watch.records().seen().clone();
        Ok(StepReport {
            title: step.report_title(),
            lasted: healed - before.began,
            settled,
            seen,
            struck,
            restores: step.restores(),
            dealt,
        })
    }

    /// From now on only this may be seen: what must be, and what the last step may have left.
    pub(super) fn begin_watching(&mut self) -> Result<(), RunError> {
        let mut allowed: HashMap<Key, Allowed> = HashMap::new();
        for key in self.world.connections.keys() {
            let expected = self.world.expected(key);
            let users = expected.user.map(|user| user.to_string()).into_iter().collect();
            allowed.insert(key.clone(), Allowed { ready: [expected.ready()].into(), users, writes: false });
        }
        for (key, late) in std::mem::take(&mut self.late) {
            allowed.entry(key).or_default().join(&late);
        }
        let leaks = Leaks::of(self.ground.secrets())?;
        self.watch.records().begin(allowed, leaks);
        Ok(())
    }

    async fn begin(&mut self, fault: &Fault) -> Result<Vec<u64>, RunError> {
        let mut armed = Vec::new();
        let clickup = &self.ground.clickup;
        match fault {
            Fault::None => {}
            Fault::Cluster(fault, _) => self.cluster.begin(fault).await?,
            Fault::Dealt(dealt) => {
                for one in dealt {
                    let token = Some(token_name(one.account));
                    let fault = ClickUpFault { token, ..one.trouble.fault(one.call) };
                    armed.push(clickup.add_fault(fault).await?);
                }
            }
            Fault::Outage(trouble) => {
                let fault = ClickUpFault { path: None, ..trouble.fault(Call::User) };
                armed.push(clickup.add_fault(fault).await?);
            }
            Fault::Skew(skew) => armed.push(clickup.add_fault(skew.fault()).await?),
        }
        Ok(armed)
    }

    async fn change(
        &mut self,
        changes: &[Change],
        exposure: &Exposure,
        concerned: &mut HashMap<Key, usize>,
    ) -> Result<(), RunError> {
        for change in changes {
            let before = self.world.clone();
            for key in self.world.apply(change) {
                *concerned.entry(key.clone()).or_default() += 1;
                if before.is_suspended(&key) && self.world.is_suspended(&key) {
                    // Whatever happens waits.
                    continue;
                }
                let now = self.world.expected(&key);
                let mut more = Allowed { writes: true, ..Allowed::default() };
                let then = before.connections.contains_key(&key).then(|| before.expected(&key));
                for expected in then.iter().chain([&now]) {
                    more.ready.insert(expected.ready());
                    more.users.extend(expected.user.map(|user| user.to_string()));
                }
                if !matches!(change, Change::Ask(_)) {
                    // Another token or another demand: nothing is known until it was checked.
                    more.ready.extend([("Unknown", "Checking"), ("Unknown", "NotChecked")]);
                    more.ready.extend(exposure.unknown(&key));
                }
                self.watch.records().allow(&key, &more);
                if !matches!(change, Change::Ask(_)) {
                    self.late.entry(key).or_default().join(&more);
                }
            }
            self.ground.perform(change, &self.world).await?;
            if matches!(change, Change::Put(..) | Change::Regenerate(_)) {
                let leaks = Leaks::of(self.ground.secrets())?;
                self.watch.records().look_for(leaks);
            }
        }
        Ok(())
    }

    /// Waits until the fault was felt. Tells whether the operator was killed at the write that was wanted.
    async fn feel(&mut self, number: usize, step: &Step, exposure: &Exposure) -> Result<bool, RunError> {
        if exposure.is_to_be_shown() {
            self.until_shown(number, step, exposure).await?;
        }
        let Fault::Cluster(fault, lasting) = &step.fault else { return Ok(false) };
        match fault {
            ClusterFault::OperatorKilledAtWrite { .. } => return self.until_struck(number, step).await,
            _ if fault.explains() == Explains::Delay => {
                // It only takes longer: all must settle while it lasts.
                self.settle(number, &step.title, step.patience()).await?;
            }
            // How long the fault lasts.
            _ => tokio::time::sleep(*lasting).await,
        }
        Ok(false)
    }

    async fn until_shown(&self, number: usize, step: &Step, exposure: &Exposure) -> Result<(), RunError> {
        let patience = step.patience();
        let shown = wait::until(patience, "the fault to be seen", || async {
            let records = self.watch.records();
            if let Some(broken) = records.broken() {
                return Ok(Err(broken.clone()));
            }
            match exposure.is_shown(&self.world, |key| records.get(key)) {
                Ok(()) => Ok(Ok(())),
                Err((key, why)) => Err(format!("{key}: {why}")),
            }
        });
        let broken = match shown.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(broken)) => broken,
            Err(failed) => {
                let records = self.watch.records();
                let odd = exposure.is_shown(&self.world, |key| records.get(key)).err().map(|(key, _)| key);
                let history = odd.as_ref().map(|key| records.history(key)).unwrap_or_default();
                Broken { rule: failed.to_string(), object: odd, history }
            }
        };
        Err(self.finding(number, &step.title, broken))
    }

    /// What became of each wrong answer, as the first connection shows that had to.
    fn shown(&self, fault: &Fault) -> Vec<(String, String)> {
        let Fault::Dealt(dealt) = fault else { return Vec::new() };
        let records = self.watch.records();
        let one = |one: &Dealt| {
            let status = &records.get(one.shown_by.first()?)?["status"];
            let condition = match one.trouble.effect(one.call) {
                Effect::NoVerdict(_) => "Reachable",
                Effect::No(denial) => denial.condition,
            };
            let (value, reason) = is(status, condition);
            Some((one.trouble.to_string(), format!("{condition}={value}/{reason}")))
        };
        dealt.iter().filter_map(one).collect()
    }

    async fn until_struck(&mut self, number: usize, step: &Step) -> Result<bool, RunError> {
        let end = Instant::now() + step.patience();
        loop {
            match self.cluster.until_struck(Duration::from_millis(300)).await {
                Ok(_) => return Ok(true),
                Err(ClusterError::NotStruck(_)) => {}
                Err(error) => return Err(error.into()),
            }
            // The operator may die between two looks, as is wanted.
            match self.look(false) {
                Ok(()) => return Ok(false),
                Err(Unsettled::Broken(broken)) => return Err(self.finding(number, &step.title, *broken)),
                Err(Unsettled::Not(..)) if Instant::now() < end => {}
                Err(Unsettled::Not(key, why)) => {
                    let broken = Broken { rule: why, object: Some(key), history: Vec::new() };
                    return Err(self.finding(number, &step.title, broken));
                }
            }
        }
    }
}

impl Skew {
    fn fault(self) -> ClickUpFault {
        let now = jiff::Timestamp::now();
        let hour = 3_600;
        let mut fault = ClickUpFault::default();
        if self.date != 0 {
            let then = now + jiff::SignedDuration::from_hours(self.date);
            fault = fault.set_header("date", then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        }
        if self.reset != 0 {
            let reset = now.as_second() + 60 + self.reset * hour;
            fault = fault.set_header("x-ratelimit-reset", reset.to_string());
        }
        fault
    }
}

impl Step {
    /// Steps of the same kind stand in one line of the report.
    fn report_title(&self) -> String {
        match &self.fault {
            Fault::Cluster(ClusterFault::OperatorKilledAtWrite { before, .. }, _) => {
                format!("operator killed {} a write, each in turn", if *before { "before" } else { "after" })
            }
            _ => self.title.clone(),
        }
    }

    /// Of the kills at each write: before it, or after.
    pub(super) fn sweep_side(&self) -> Option<bool> {
        match &self.fault {
            Fault::Cluster(ClusterFault::OperatorKilledAtWrite { before, .. }, _) if self.sweep => {
                Some(*before)
            }
            _ => None,
        }
    }

    /// Whether it only puts things back.
    pub(super) fn restores(&self) -> bool {
        self.title == RESTORES
    }
}
