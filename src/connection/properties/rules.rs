//! What must hold after every pass (DESIGN.md §2 and §4), as far as a status and its history show it.

use super::{
    given::{CHANNELS, Pool, SECRET, SPACES, USER, WORKSPACES},
    world::World,
};
use crate::{
    api::{ClickUpConnectionStatus, ConditionType, Reason},
    clickup::{Named, NodeVerdict, TokenKey, Urgency, Workspace},
    connection::{Answers, CheckOutcome, Demand, Finding, Findings, Listed, Verdict},
};
use ConditionType::{
    AccessVerified, Authenticated, ChannelResolved, RateLimited, Reachable, Ready, Reconciling,
    TokenAvailable, WorkspacesResolved,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc};

/// What ClickUp decides.
const ANSWERED: [ConditionType; 4] = [Authenticated, WorkspacesResolved, ChannelResolved, AccessVerified];

/// A pass that was made.
pub(super) struct Pass {
    pub(super) before: Option<ClickUpConnectionStatus>,
    /// The check that ended just before.
    pub(super) ended: Option<CheckOutcome>,
    /// Whether nothing failed in it.
    pub(super) settled: bool,
    pub(super) reads: u32,
    pub(super) begun: u32,
}

/// What is remembered to judge by.
pub(super) struct Model {
    /// Whether what is stored follows from what has happened.
    trusted: bool,
    /// Whether a check has ended since the process began.
    attempted: bool,
    /// When a check last ended in a verdict, or the process began.
    completed: Timestamp,
    /// What the stored verdicts are about, where that is sure.
    judged: Option<About>,
    /// What a check last found alive.
    good: Option<About>,
    /// Outcomes that are not written yet.
    pending: Vec<CheckOutcome>,
    /// The token that was rejected first then.
    rejected: Option<(TokenKey, Timestamp)>,
    suspended_at: Option<Timestamp>,
    /// Since Reachable turned False.
    paused: SignedDuration,
    /// What one who refers may have learnt.
    told: BTreeSet<String>,
}

/// A token, whether it is another connection's, and a demand.
type About = (TokenKey, bool, Arc<Demand>);

impl Model {
    pub(super) fn new(trusted: bool, now: Timestamp) -> Self {
        Self {
            trusted,
            attempted: false,
            completed: now,
            judged: None,
            good: None,
            pending: Vec::new(),
            rejected: None,
            suspended_at: None,
            paused: SignedDuration::ZERO,
            told: BTreeSet::new(),
        }
    }

    /// What a process remembers is lost.
    pub(super) fn restarted(&mut self, now: Timestamp) {
        (self.attempted, self.completed, self.judged) = (false, now, None);
        (self.rejected, self.suspended_at) = (None, None);
        self.pending.clear();
    }

    /// Checks a pass, and takes it in.
    pub(super) fn check(&mut self, world: &World, pass: &Pass) -> Result<(), TestCaseError> {
        let stored = world.stored();
        let demand = stored.spec.as_ref().ok().map(|spec| {
            let lent = if world.refers() { world.owner.kind } else { spec.token_type };
            Arc::new(Demand::of(spec, lent))
        });
        let about: Option<About> = world.key().zip(demand).map(|(key, demand)| (key, world.refers(), demand));
        self.take_in(world, pass, &about);
        if !pass.settled {
            prop_assert_eq!(&world.status, &pass.before, "a pass that failed has written");
            return Ok(());
        }
        let now = (Findings::stored(pass.before.as_ref()), Findings::stored(world.status.as_ref()));
        let (before, after) = (&now.0, &now.1);
        self.times(world, pass)?;
        self.texts(world)?;
        prop_assert!(pass.begun <= 1, "two checks at once");
        // What could not be written for long may leave a check due.
        let idle = world.wake.is_none_or(|at| at > world.now) || !self.pending.is_empty();
        prop_assert!(idle, "a pass leaves something to do at once");
        if world.suspended() && stored.spec.is_ok() {
            self.suspended(pass, before, after)?;
        }
        let decided = self
            .pending
            .iter()
            .any(|o| !matches!(o.verdict, Verdict::NoVerdict(_) | Verdict::Suspect { .. }));
        let refused = after.get(TokenAvailable).is_some_and(Finding::is_false);
        let invalid = after.get(Ready).is_some_and(|r| r.reason == Reason::InvalidSpec);
        let judged = decided || invalid || (refused && !world.suspended() && world.check.is_none());
        self.trusted |= judged && world.status != pass.before;
        if self.trusted {
            self.invariants(world)?;
            let ours = world.refers() && after.get(Ready).is_none_or(|r| r.reason != Reason::Checking);
            if ours && world.status.as_ref().is_some_and(|s| s.observed_generation == Some(world.generation))
            {
                self.privacy(world)?;
            }
            self.verdicts(world, pass, before, after, &about)?;
            self.lapses(world, before, after, &about)?;
        }
        self.pending.clear();
        if refused || invalid || after.get(Authenticated).is_none_or(|f| f.reason == Reason::NotChecked) {
            self.judged = None;
        }
        Ok(())
    }

    fn take_in(&mut self, world: &World, pass: &Pass, about: &Option<About>) {
        let now = world.now;
        // What was not shared for a moment counts as another token.
        if self.judged != *about || (world.refers() && !world.owner.shares) {
            self.judged = None;
        }
        if let Some(outcome) = &pass.ended {
            self.attempted = true;
            if outcome.no_verdict().is_none() && !matches!(outcome.verdict, Verdict::Suspect { .. }) {
                self.completed = now;
            }
            let of = (outcome.key, world.refers(), outcome.demand.clone());
            match &outcome.verdict {
                Verdict::Suspect { .. } => {
                    self.rejected = Some(
                        self.rejected.filter(|(key, _)| *key == outcome.key).unwrap_or((outcome.key, now)),
                    );
                }
                Verdict::Valid { identity, answers } => {
                    self.rejected = None;
                    self.learn(&outcome.demand, &identity.workspaces, answers, world);
                    self.good = Some(of);
                }
                Verdict::NoVerdict(_) => {}
                Verdict::Rejected | Verdict::RejectedOnce(_) => self.good = None,
            }
            self.pending.push(outcome.clone());
        }
        if world.suspended() {
            self.suspended_at.get_or_insert(now);
        } else if let Some(since) = self.suspended_at.take() {
            self.paused += now.duration_since(since);
        }
    }

    /// What a demand names, what that resolves to, and a sole workspace.
    fn learn(&mut self, demand: &Demand, workspaces: &[Workspace], answers: &Answers, world: &World) {
        if !world.refers() {
            return;
        }
        let workspaces: Vec<_> =
            workspaces.iter().map(|w| Named { id: w.id.clone(), name: w.name.clone() }).collect();
        if let [only] = &workspaces[..] {
            self.told.extend([Some(&only.id), only.name.as_ref()].into_iter().flatten().cloned());
        }
        let mut named = |id: &Option<String>, name: &Option<String>, seen: &[Named]| {
            self.told.extend([id, name].into_iter().flatten().cloned());
            let is = |s: &&Named| Some(&s.id) == id.as_ref() || (name.is_some() && s.name == *name);
            let hits: Vec<_> = seen.iter().filter(is).collect();
            if let [one] = hits[..] {
                self.told.extend([Some(&one.id), one.name.as_ref()].into_iter().flatten().cloned());
            }
        };
        if let Some(wanted) = &demand.default_workspace {
            named(&wanted.id, &wanted.name, &workspaces);
        }
        for wanted in &demand.required_workspaces {
            named(&wanted.id, &wanted.name, &workspaces);
        }
        let listed = |answer: &Option<NodeVerdict<Listed>>| match answer {
            Some(NodeVerdict::Granted(listed)) => listed.to_vec(),
            _ => Vec::new(),
        };
        if let Some(wanted) = &demand.channel {
            named(&wanted.id, &wanted.name, &listed(&answers.channels));
        }
        for wanted in demand.access.iter().filter_map(|a| a.space.as_ref()) {
            named(&wanted.id, &wanted.name, &listed(&answers.spaces));
        }
    }

    /// The checker of all tests, on the object as the API server would give it.
    fn invariants(&self, world: &World) -> Result<(), TestCaseError> {
        let spec = world.stored().spec.ok().map_or(json!(null), |spec| json!(spec));
        let object =
            json!({"metadata": {"generation": world.generation}, "spec": spec, "status": world.status});
        let kept = test_support::invariants::check(&object);
        kept.map_err(|broken| TestCaseError::fail(format!("{broken}: {:#}", object["status"])))
    }

    /// Transition times move with a status only, and `observedGeneration` with `Ready`.
    fn times(&self, world: &World, pass: &Pass) -> Result<(), TestCaseError> {
        let Some(after) = &world.status else { return Ok(()) };
        let before = pass.before.clone().unwrap_or_default();
        let second = Timestamp::from_second(world.now.as_second()).unwrap();
        for condition in after.conditions.iter().filter(|_| world.status != pass.before) {
            let same =
                before.conditions.iter().find(|c| c.type_ == condition.type_ && c.status == condition.status);
            let since = same.map_or(second, |c| c.last_transition_time.0);
            prop_assert_eq!(condition.last_transition_time.0, since, "{}", &condition.type_);
        }
        let (old, new) = (before.observed_generation, after.observed_generation);
        let reason = |wanted: Reason| {
            let findings = Findings::stored(world.status.as_ref());
            findings.get(Ready).is_some_and(|r| r.reason == wanted)
        };
        let ready = after.conditions.iter().find(|c| c.type_.to_string() == "Ready");
        if new != old && new != Some(-1) {
            prop_assert_eq!(ready.and_then(|r| r.observed_generation), new, "not together with Ready");
            prop_assert_eq!(new, Some(world.generation));
        }
        if self.trusted {
            prop_assert!(
                old.unwrap_or(-1) <= new.unwrap_or(-1),
                "observedGeneration goes back, {old:?} to {new:?}"
            );
        }
        if reason(Reason::Checking) && world.status != pass.before {
            prop_assert_eq!(new, old.or(Some(-1)), "a check that is announced is no evaluation");
        }
        if after.last_handled_reconcile_at != before.last_handled_reconcile_at {
            let handled = after.last_handled_reconcile_at.as_deref();
            prop_assert!(!reason(Reason::Checking), "acknowledged before it was evaluated");
            let invalid = reason(Reason::InvalidSpec);
            let asked = handled.map_or(invalid, |h| h.starts_with("at ") || h == "healed");
            prop_assert!(asked, "{handled:?} was never asked");
        }
        Ok(())
    }

    /// No token, and no part of one.
    fn texts(&self, world: &World) -> Result<(), TestCaseError> {
        prop_assert!(!format!("{:?}", world.status).contains(SECRET), "a token: {:?}", world.status);
        prop_assert!(!format!("{:?}", world.session).contains(SECRET), "a token: {:?}", world.session);
        Ok(())
    }

    /// Nothing is asked, and what stands stands still.
    fn suspended(&self, pass: &Pass, before: &Findings, after: &Findings) -> Result<(), TestCaseError> {
        prop_assert_eq!((pass.reads, pass.begun), (0, 0), "something is asked while it is suspended");
        if after.get(TokenAvailable).is_some_and(|f| f.reason == Reason::ConnectionNotShared) {
            return Ok(());
        }
        prop_assert!(after.get(Reconciling).is_none());
        for condition in ConditionType::VERDICTS {
            let (was, is) = (before.get(condition), after.get(condition));
            let open = is.is_none_or(|f| f.reason == Reason::NotChecked);
            prop_assert!(open || was == is, "{condition} moves from {was:?} to {is:?} while it is suspended");
        }
        let (was, is) = (before.get(Ready), after.get(Ready));
        let open = is.is_some_and(|r| r.reason == Reason::Suspended);
        prop_assert!(open || was == is, "Ready moves from {was:?} to {is:?} while it is suspended");
        Ok(())
    }

    /// One who refers learns nothing of what its spec does not name.
    fn privacy(&self, world: &World) -> Result<(), TestCaseError> {
        let text = json!(world.status).to_string().replace("\\\\u{200b}", "\u{200b}").replace('\\', "");
        let all = |pool: Pool| pool.into_iter().chain([USER]).flat_map(|(id, name)| [id, name]);
        for known in [WORKSPACES, CHANNELS, SPACES].into_iter().flat_map(all) {
            prop_assert!(self.told.contains(known) || !text.contains(known), "{known} is told: {text}");
        }
        Ok(())
    }

    /// Nothing is decided without an answer, and nothing forgotten for the lack of one.
    fn verdicts(
        &mut self,
        world: &World,
        pass: &Pass,
        before: &Findings,
        after: &Findings,
        about: &Option<About>,
    ) -> Result<(), TestCaseError> {
        let is_no = |findings: &Findings, c| findings.get(c).is_some_and(Finding::is_false);
        let of = |wanted: fn(&Verdict) -> bool| self.pending.iter().any(|o| wanted(&o.verdict));
        let rejected = of(|v| matches!(v, Verdict::Rejected | Verdict::RejectedOnce(_)));
        let valid = of(|v| matches!(v, Verdict::Valid { .. }));
        for condition in ANSWERED {
            let by = if condition == Authenticated { rejected } else { valid };
            let turned = is_no(after, condition) && !is_no(before, condition);
            prop_assert!(
                by || !turned,
                "{condition} turns False without an answer: {:?}",
                after.get(condition)
            );
            let turned = after.holds(condition) && !before.holds(condition);
            prop_assert!(
                valid || !turned,
                "{condition} turns True without an answer: {:?}",
                after.get(condition)
            );
        }
        let evaluated = of(|v| !matches!(v, Verdict::Suspect { .. }));
        let stands = evaluated || before.holds(Ready);
        prop_assert!(stands || !after.holds(Ready), "Ready turns True without a check");
        if is_no(after, Authenticated) && before.holds(Authenticated) && self.judged.is_some() {
            let first = self.rejected.filter(|(key, _)| about.as_ref().is_some_and(|a| a.0 == *key));
            let ended = self.pending.last().map_or(Timestamp::MIN, |o| o.ended);
            let waited = first.map(|(_, at)| ended.duration_since(at).as_secs());
            prop_assert!(waited.is_some_and(|w| w >= 10), "a good token is dead after {waited:?} s");
        }
        let Some(outcome) = self.pending.last() else { return Ok(()) };
        let current = about.as_ref().is_some_and(|a| (a.0, &a.2) == (outcome.key, &outcome.demand));
        let written = current && !matches!(outcome.verdict, Verdict::Suspect { .. });
        if !written || !after.holds(TokenAvailable) || world.suspended() {
            return Ok(());
        }
        let reason = |c| after.get(c).map(|f| f.reason);
        match outcome.no_verdict() {
            Some(no) => {
                prop_assert!(
                    is_no(after, Reachable) && reason(Reachable) == Some(no.reason),
                    "{no:?}: {after:?}"
                );
                let pair = self.good.as_ref().zip(about.as_ref());
                let verified = pair.is_some_and(|(good, now)| covers(good, now));
                prop_assert!(verified || !after.holds(Ready), "the grace covers what was not verified");
            }
            None => prop_assert_eq!(reason(Reachable), Some(Reason::ResponseReceived)),
        }
        let limited = outcome.no_verdict().is_some_and(|no| no.reason == Reason::RateLimited);
        if !limited && outcome.held <= SignedDuration::from_secs(10) {
            prop_assert!(pass.begun > 0 || after.get(RateLimited).is_none(), "no check is late");
        }
        if matches!(outcome.verdict, Verdict::NoVerdict(_)) && self.judged == *about {
            for condition in ANSWERED {
                prop_assert_eq!(
                    before.get(condition),
                    after.get(condition),
                    "{} without a verdict",
                    condition
                );
            }
        }
        self.judged.clone_from(about);
        Ok(())
    }

    /// What was verified does not stand for ever.
    fn lapses(
        &mut self,
        world: &World,
        before: &Findings,
        after: &Findings,
        about: &Option<About>,
    ) -> Result<(), TestCaseError> {
        let is_no = |findings: &Findings| findings.get(Reachable).is_some_and(Finding::is_false);
        if !is_no(before) || !is_no(after) {
            self.paused = SignedDuration::ZERO;
        }
        let sure = self.attempted && self.judged.is_some() && self.judged == *about && !world.suspended();
        let Some(status) = world.status.as_ref().filter(|_| sure && after.holds(Ready)) else {
            return Ok(());
        };
        let grace = world.spec.outage_grace_period.signed();
        let since = status
            .conditions
            .iter()
            .find(|c| c.type_.to_string() == "Reachable")
            .map(|c| c.last_transition_time.0);
        if let Some(since) = since.filter(|_| is_no(after)) {
            let ends = since + grace + self.paused;
            prop_assert!(world.now < ends, "the grace has ended at {ends}, it is {}", world.now);
            prop_assert!(world.wake.is_some_and(|at| at <= ends), "nobody looks when the grace ends");
        }
        let patience = world.check.as_ref().map(|check| match check.urgency {
            Urgency::Routine => world.interval().signed(),
            _ => SignedDuration::from_secs(10),
        });
        let late = world
            .held()
            .zip(patience)
            .is_some_and(|(held, patience)| held.by_reset || held.lasting > patience);
        if late {
            prop_assert!(after.get(RateLimited).is_some(), "a check is held up, and nothing says so");
            let ends = self.completed + world.interval().signed() + grace;
            prop_assert!(world.now < ends, "a verdict of {} stands, it is {}", self.completed, world.now);
        }
        Ok(())
    }
}

/// Whether what was verified is what is asked for, or more: a condition that is not asked for any more is gone.
fn covers(good: &About, now: &About) -> bool {
    let mut demand = Demand::clone(&good.2);
    if now.2.channel.is_none() {
        demand.channel = None;
    }
    if now.2.access.is_empty() && now.2.minimum_role.is_none() {
        (demand.access, demand.minimum_role) = (Vec::new(), None);
    }
    (good.0, good.1, &demand) == (now.0, now.1, &*now.2)
}
