//! A status in the making: what is kept of the one before, and the parts that evaluations are made of.

use super::{Facts, Limit, grace_ends};
use crate::{
    api::{BindingStatus, ClickUpConnectionStatus, Condition, ConditionType, Conditions, Reason},
    clickup::NoVerdict,
    connection::{Audience, Finding, Findings, demand::Touched, summary},
};
use ConditionType::{Authenticated, RateLimited, Reachable, Ready, TokenAvailable};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// A status in the making.
pub(super) struct Draft<'a> {
    pub(super) facts: &'a Facts<'a>,
    pub(super) stored: Findings,
    pub(super) findings: Findings,
    pub(super) status: ClickUpConnectionStatus,
}

impl<'a> Draft<'a> {
    /// Starts from what is stored, less what an edit has made void.
    pub(super) fn new(facts: &'a Facts<'a>) -> Self {
        let previous = facts.previous.cloned().unwrap_or_default();
        Self {
            facts,
            stored: Findings::of(&previous.conditions),
            findings: Findings::default(),
            status: previous,
        }
    }

    /// The verdicts that the spec asks for.
    pub(super) fn verdicts(&self) -> impl Iterator<Item = ConditionType> + use<> {
        let asked =
            ConditionType::VERDICTS.map(|c| self.facts.demand.is_none_or(|d| d.concerns(c)).then_some(c));
        asked.into_iter().flatten()
    }

    pub(super) fn token_found(&mut self) {
        let message = match self.facts.audience {
            Audience::Owner => "the Secret holds a token of the declared type",
            Audience::Referrer => "the connection that spec.connectionRef names shares its token",
        };
        self.findings.set(TokenAvailable, Finding::yes(Reason::TokenFound, message));
        self.bind(self.facts.binding);
    }

    /// Publishes the Secret to bind to.
    pub(super) fn bind(&mut self, secret: Option<&str>) {
        let secret = secret.filter(|_| self.facts.audience == Audience::Owner);
        self.status.binding = secret.map(|name| BindingStatus { name: name.to_owned() });
    }

    /// What was published stays; what is new waits for a check.
    pub(super) fn keep_binding(&mut self) {
        let published = self.facts.previous.and_then(|p| p.binding.as_ref()).map(|b| b.name.as_str());
        self.bind(published.filter(|name| self.facts.binding == Some(name)));
    }

    pub(super) fn secret_version(&mut self) {
        let version = self.facts.secret_version.filter(|_| self.facts.audience == Audience::Owner);
        self.status.secret_resource_version = version.map(Into::into);
    }

    /// That checks are held up is a condition of its own.
    pub(super) fn limited(&mut self) {
        let Some(limit) = self.facts.limited.filter(|_| self.findings.get(RateLimited).is_none()) else {
            return;
        };
        let message = match limit {
            Limit::Reset => NoVerdict::rate_limited(None).message,
            Limit::Budget => "checks of this token are put off so that most of its request limit stays with its users: ask for longer intervals or for less, or use another user's token; see docs/budget.md".to_owned(),
        };
        self.findings.set(RateLimited, Finding::yes(Reason::RateLimited, message));
    }

    pub(super) fn sum_up(&mut self) {
        let ready = summary::ready(&self.findings, self.grace_runs());
        // Once it was too old, only a check makes it new.
        let lapsed =
            self.findings.get(Ready).is_some_and(|r| !r.is_true() && r.reason == Reason::RateLimited);
        let overdue =
            self.findings.get(RateLimited).filter(|_| (self.facts.overdue || lapsed) && ready.is_true());
        let ready = overdue.map(|f| Finding::unknown(f.reason, &f.message)).unwrap_or(ready);
        self.complete(ready, true);
    }

    pub(super) fn reached(&mut self) {
        self.findings
            .set(Reachable, Finding::yes(Reason::ResponseReceived, "ClickUp answered the last check"));
    }

    pub(super) fn unreachable(&mut self, no: &NoVerdict) {
        self.findings.set(Reachable, Finding::no(no.reason, &no.message));
        if no.reason == Reason::RateLimited {
            self.findings.set(RateLimited, Finding::yes(no.reason, &no.message));
        }
    }

    pub(super) fn rejected(&mut self) {
        let message = match self.facts.audience {
            Audience::Owner => {
                "ClickUp says that the token is dead, revoked or regenerated: store a new one in the Secret"
            }
            Audience::Referrer => {
                "ClickUp says that the token of the connection that spec.connectionRef names is dead: ask its owner to store a new one"
            }
        };
        self.findings.set(Authenticated, Finding::no(Reason::TokenRejected, message));
        for condition in self.verdicts().filter(|c| *c > Authenticated) {
            self.findings.set(condition, Finding::not_checked());
        }
        self.clear_identity();
    }

    /// Keeps a stored verdict if it is about this token and this demand.
    pub(super) fn carry(&mut self, condition: ConditionType, stands: bool) {
        let kept = self.stored.get(condition).filter(|_| stands).cloned();
        self.findings.set(condition, kept.unwrap_or_else(Finding::not_checked));
    }

    pub(super) fn carry_verdicts(&mut self) {
        for condition in self.verdicts().filter(|c| *c != TokenAvailable) {
            self.carry(condition, !self.facts.touched.covers(condition));
        }
    }

    /// Clears what was found for another token or another demand.
    pub(super) fn clear_touched(&mut self) {
        let Touched { token, workspaces, channel, access: _ } = self.facts.touched;
        if token {
            self.clear_identity();
        }
        if workspaces {
            self.status.default_workspace = None;
        }
        if channel {
            self.status.channel = None;
        }
    }

    pub(super) fn clear_identity(&mut self) {
        self.clear_what_only_owners_see();
        self.status.token_type = None;
        self.status.workspaces.clear();
        self.status.default_workspace = None;
        self.status.channel = None;
    }

    pub(super) fn clear_what_only_owners_see(&mut self) {
        self.status.user = None;
        self.status.secret_resource_version = None;
        self.status.workspace_count = None;
        self.status.rate_limit = None;
    }

    /// The evaluation is complete, and acknowledges what asked for it.
    pub(super) fn evaluated(&mut self) {
        if let Some(value) = self.facts.requested_at {
            self.status.last_handled_reconcile_at = Some(value.to_owned());
        }
    }

    /// Whether the grace of an outage runs; it began when Reachable turned False, or begins now.
    pub(super) fn grace_runs(&self) -> bool {
        let turned = self
            .stored
            .get(Reachable)
            .is_some_and(Finding::is_false)
            .then_some(self.facts.previous)
            .flatten();
        let ends = turned.and_then(|p| grace_ends(p, self.facts.grace_period, self.facts.paused));
        // After a restart it ends only with an attempt.
        !self.facts.attempted
            || self.facts.now < ends.unwrap_or(self.facts.now + self.facts.grace_period.signed())
    }

    pub(super) fn complete(&mut self, ready: Finding, retried: bool) {
        if matches!(ready.reason, Reason::Checking) {
            self.status.observed_generation = self.status.observed_generation.or(Some(-1));
        } else {
            self.status.observed_generation = Some(self.facts.generation);
        }
        summary::add_abnormal(&mut self.findings, &ready, retried);
        self.findings.set(Ready, ready);
    }

    pub(super) fn finish(mut self) -> ClickUpConnectionStatus {
        self.status.conditions = self.conditions(self.facts.generation);
        self.status
    }

    /// The findings as conditions: a transition time moves only when a status does.
    pub(super) fn conditions(&self, generation: i64) -> Conditions {
        let now = Time(Timestamp::from_second(self.facts.now.as_second()).unwrap_or(self.facts.now));
        let condition = |(type_, finding): (ConditionType, &Finding)| {
            let before = self.facts.previous.and_then(|p| p.conditions.get(type_));
            let before = before.filter(|c| c.status == finding.status);
            Condition {
                type_,
                status: finding.status,
                reason: finding.reason,
                message: finding.message.as_str().into(),
                observed_generation: Some(generation),
                last_transition_time: before.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
            }
        };
        self.findings.iter().map(condition).collect()
    }
}
