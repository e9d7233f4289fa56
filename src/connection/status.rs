//! The whole status, computed from what is there, what was observed, and the time.

use super::{CheckOutcome, Finding, Findings, TokenProblem, Verdict, resolve, summary};
use crate::{
    api::{
        ClickUpConnectionStatus, ConditionType, Duration, RateLimitStatus, Reason, TokenType, UserStatus,
        WorkspaceStatus,
    },
    clickup::{Identity, NoVerdict},
};
use ConditionType::{
    Authenticated, RateLimited, Reachable, Ready, Stalled, TokenAvailable, WorkspacesResolved,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

const MAX_WORKSPACES: usize = 100;

/// What the operator's flags say about the status.
#[derive(Clone, Copy, Debug)]
pub struct StatusOptions {
    /// Whether the name of the token's user, which is personal data, is written.
    pub username: bool,
    /// How old lastVerifiedTime may get while nothing else changes.
    pub heartbeat: SignedDuration,
}

/// What a pass has to say about a connection.
#[derive(Clone, Copy, Debug)]
pub enum Evaluation<'a> {
    /// The stored object cannot be understood.
    InvalidSpec(&'a str),
    /// Nothing is asked.
    Suspended,
    /// There is no token to check.
    TokenUnavailable(&'a TokenProblem),
    /// The first check of this token takes a while.
    Checking,
    /// A check ended.
    Checked(&'a CheckOutcome),
    /// Nothing new, but time has passed.
    TimePassed,
}

/// What of the stored verdicts an edit has made void, until an evaluation is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// They are about another token.
    pub(super) token: bool,
    /// They are about another demand.
    pub(super) demand: bool,
}

/// What besides the evaluation goes into a status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) previous: Option<&'a ClickUpConnectionStatus>,
    pub(super) generation: i64,
    pub(super) token_type: TokenType,
    pub(super) secret_version: Option<&'a str>,
    pub(super) requested_at: Option<&'a str>,
    pub(super) touched: Touched,
    pub(super) grace_period: Duration,
    /// How long the connection was suspended since ClickUp was last reached: that time does not count.
    pub(super) paused: SignedDuration,
    pub(super) last_verdict: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// Computes the status. Equal to the previous one, times included, where nothing changed.
pub(super) fn compose(
    evaluation: Evaluation<'_>,
    facts: &Facts<'_>,
    options: StatusOptions,
) -> ClickUpConnectionStatus {
    let mut draft = Draft::new(facts);
    match evaluation {
        Evaluation::InvalidSpec(error) => return draft.invalid(error),
        Evaluation::Suspended => draft.suspended(),
        Evaluation::TokenUnavailable(problem) => draft.unavailable(problem),
        Evaluation::Checking => draft.checking(),
        Evaluation::Checked(outcome) => draft.checked(outcome, options),
        Evaluation::TimePassed if draft.may_lapse() => draft.time_passed(),
        Evaluation::TimePassed => return draft.status,
    }
    let mut next = draft.finish();
    next.last_verified_time = last_verified(&next, facts, options.heartbeat);
    next
}

/// How long a verified connection stays ready from now on; none if it is reachable or was not verified.
pub(super) fn grace_ends(
    status: &ClickUpConnectionStatus,
    grace: Duration,
    paused: SignedDuration,
) -> Option<Timestamp> {
    let reachable = status.conditions.iter().find(|c| c.type_ == <&str>::from(Reachable))?;
    (reachable.status == "False").then(|| reachable.last_transition_time.0 + grace.signed() + paused)
}

/// A status in the making.
struct Draft<'a> {
    facts: &'a Facts<'a>,
    stored: Findings,
    findings: Findings,
    status: ClickUpConnectionStatus,
}

impl<'a> Draft<'a> {
    /// Starts from what is stored, less what an edit has made void.
    fn new(facts: &'a Facts<'a>) -> Self {
        let previous = facts.previous.cloned().unwrap_or_default();
        Self {
            facts,
            stored: Findings::of(&previous.conditions),
            findings: Findings::default(),
            status: previous,
        }
    }

    fn invalid(mut self, error: &str) -> ClickUpConnectionStatus {
        let message = format!("the stored object is not valid, {error}: correct it and apply it again");
        let ready = Finding::no(Reason::InvalidSpec, message);
        self.findings.set(Stalled, Finding::yes(Reason::InvalidSpec, &ready.message));
        self.findings.set(Ready, ready);
        ClickUpConnectionStatus {
            observed_generation: Some(self.facts.generation),
            conditions: self.conditions(self.facts.generation),
            ..ClickUpConnectionStatus::default()
        }
    }

    fn suspended(&mut self) {
        let Touched { token, demand } = self.facts.touched;
        for (condition, touched) in [
            (TokenAvailable, token),
            (Reachable, false),
            (Authenticated, token),
            (WorkspacesResolved, token || demand),
        ] {
            self.carry(condition, !touched);
        }
        if token {
            self.clear_identity();
        } else if demand {
            self.status.default_workspace = None;
        }
        let ready = self
            .stored
            .get(Ready)
            .filter(|r| !matches!(r.reason, Reason::Checking | Reason::InvalidSpec) && !token && !demand);
        let ready = ready.cloned().unwrap_or_else(|| {
            Finding::unknown(
                Reason::Suspended,
                "checking is suspended and this spec was not checked: set spec.suspend to false",
            )
        });
        self.complete(ready, false);
    }

    fn unavailable(&mut self, problem: &TokenProblem) {
        self.findings.set(TokenAvailable, problem.finding());
        if problem.is_denied() {
            // That the operator may not look says nothing about what it saw before.
            self.carry_verdicts();
            if self.facts.touched.token {
                self.clear_identity();
            }
        } else {
            for condition in [Reachable, Authenticated, WorkspacesResolved] {
                self.findings.set(condition, Finding::not_checked());
            }
            self.clear_identity();
            self.status.secret_resource_version = self.facts.secret_version.map(Into::into);
        }
        self.evaluated();
        let ready = summary::ready(&self.findings, self.grace_runs());
        self.complete(ready, true);
    }

    fn checking(&mut self) {
        self.token_found();
        self.carry_verdicts();
        if self.facts.touched.token {
            self.clear_identity();
        }
        self.complete(Finding::unknown(Reason::Checking, "the first check of this token is under way"), true);
    }

    fn checked(&mut self, outcome: &CheckOutcome, options: StatusOptions) {
        let Touched { token, demand } = self.facts.touched;
        self.token_found();
        self.carry_verdicts();
        if token {
            self.clear_identity();
        } else if demand {
            self.status.default_workspace = None;
        }
        match &outcome.verdict {
            Verdict::Valid { identity, .. } => self.identified(identity, outcome, options),
            Verdict::Rejected => {
                self.reached();
                self.rejected();
            }
            Verdict::RejectedOnce(no) => {
                self.unreachable(no);
                self.rejected();
            }
            // A first rejection is not acknowledged; the session holds such outcomes back.
            Verdict::Suspect { .. } => {}
            Verdict::NoVerdict(no) => self.unreachable(no),
        }
        if let Some(limit) = outcome.rate_limit {
            self.status.rate_limit = Some(RateLimitStatus { limit: limit.into() });
        }
        self.status.secret_resource_version = self.facts.secret_version.map(Into::into);
        self.status.token_type = Some(self.facts.token_type);
        self.evaluated();
        let ready = summary::ready(&self.findings, self.grace_runs());
        self.complete(ready, true);
    }

    /// Whether time alone can change what is summed up; takes over a new version of an unchanged Secret in any case.
    fn may_lapse(&mut self) -> bool {
        let untouched = self.facts.touched == Touched::default();
        if untouched && self.stored.holds(TokenAvailable) && self.facts.secret_version.is_some() {
            self.status.secret_resource_version = self.facts.secret_version.map(Into::into);
        }
        untouched && self.stored.holds(Ready)
    }

    /// A verdict that stands is summed up again: its grace may have ended.
    fn time_passed(&mut self) {
        for (condition, finding) in self.stored.iter() {
            self.findings.set(condition, finding.clone());
        }
        let ready = summary::ready(&self.findings, self.grace_runs());
        self.complete(ready, true);
    }

    fn identified(&mut self, identity: &Identity, outcome: &CheckOutcome, options: StatusOptions) {
        let Verdict::Valid { probes, .. } = &outcome.verdict else { return };
        let accepted = format!("ClickUp accepts the token as that of user {}", identity.user.id);
        self.findings.set(Authenticated, Finding::yes(Reason::TokenAccepted, accepted));
        match outcome.no_verdict() {
            None => self.reached(),
            Some(no) => self.unreachable(no),
        }
        let resolution = resolve(&outcome.demand, &identity.workspaces);
        match resolution.judge(probes) {
            Ok(finding) => self.findings.set(WorkspacesResolved, finding),
            Err(first) => {
                let no = outcome.no_verdict().cloned().unwrap_or(first);
                self.unreachable(&no);
                let open = self.findings.get(WorkspacesResolved);
                if open.is_none_or(|f| !f.is_true() && !f.is_false()) {
                    self.findings.set(WorkspacesResolved, Finding::unknown(no.reason, no.message));
                }
            }
        }
        self.status.user = Some(UserStatus {
            id: identity.user.id.clone(),
            name: identity.user.name.clone().filter(|_| options.username),
        });
        self.status.workspaces = identity
            .workspaces
            .iter()
            .take(MAX_WORKSPACES)
            .map(|w| WorkspaceStatus { id: w.id.clone(), name: w.name.clone(), role: w.role })
            .collect();
        self.status.workspace_count = i64::try_from(identity.workspaces.len()).ok();
        self.status.default_workspace = resolution.default;
    }

    fn token_found(&mut self) {
        self.findings.set(
            TokenAvailable,
            Finding::yes(Reason::TokenFound, "the Secret holds a token of the declared type"),
        );
    }

    fn reached(&mut self) {
        self.findings
            .set(Reachable, Finding::yes(Reason::ResponseReceived, "ClickUp answered the last check"));
    }

    fn unreachable(&mut self, no: &NoVerdict) {
        self.findings.set(Reachable, Finding::no(no.reason, &no.message));
        if no.reason == Reason::RateLimited {
            self.findings.set(RateLimited, Finding::yes(no.reason, &no.message));
        }
    }

    fn rejected(&mut self) {
        let message =
            "ClickUp says that the token is dead, revoked or regenerated: store a new one in the Secret";
        self.findings.set(Authenticated, Finding::no(Reason::TokenRejected, message));
        self.findings.set(WorkspacesResolved, Finding::not_checked());
        self.clear_identity();
    }

    /// Keeps a stored verdict if it is about this token and this demand.
    fn carry(&mut self, condition: ConditionType, stands: bool) {
        let kept = self.stored.get(condition).filter(|_| stands).cloned();
        self.findings.set(condition, kept.unwrap_or_else(Finding::not_checked));
    }

    fn carry_verdicts(&mut self) {
        let Touched { token, demand } = self.facts.touched;
        self.carry(Reachable, !token);
        self.carry(Authenticated, !token);
        self.carry(WorkspacesResolved, !token && !demand);
    }

    fn clear_identity(&mut self) {
        self.status.user = None;
        self.status.token_type = None;
        self.status.secret_resource_version = None;
        self.status.workspaces.clear();
        self.status.workspace_count = None;
        self.status.default_workspace = None;
        self.status.rate_limit = None;
    }

    /// The evaluation is complete, and acknowledges what asked for it.
    fn evaluated(&mut self) {
        if let Some(value) = self.facts.requested_at {
            self.status.last_handled_reconcile_at = Some(value.to_owned());
        }
    }

    /// Whether the grace of an outage runs; it began when Reachable turned False, or begins now.
    fn grace_runs(&self) -> bool {
        let turned = self
            .stored
            .get(Reachable)
            .is_some_and(Finding::is_false)
            .then_some(self.facts.previous)
            .flatten();
        let ends = turned.and_then(|p| grace_ends(p, self.facts.grace_period, self.facts.paused));
        self.facts.now < ends.unwrap_or(self.facts.now + self.facts.grace_period.signed())
    }

    fn complete(&mut self, ready: Finding, retried: bool) {
        if matches!(ready.reason, Reason::Checking) {
            self.status.observed_generation = self.status.observed_generation.or(Some(-1));
        } else {
            self.status.observed_generation = Some(self.facts.generation);
        }
        summary::add_abnormal(&mut self.findings, &ready, retried);
        self.findings.set(Ready, ready);
    }

    fn finish(mut self) -> ClickUpConnectionStatus {
        self.status.conditions = self.conditions(self.facts.generation);
        self.status
    }

    /// The findings as conditions: a transition time moves only when a status does.
    fn conditions(&self, generation: i64) -> Vec<Condition> {
        let now = Time(Timestamp::from_second(self.facts.now.as_second()).unwrap_or(self.facts.now));
        let stored = self.facts.previous.map(|p| p.conditions.as_slice()).unwrap_or_default();
        let condition = |(type_, finding): (ConditionType, &Finding)| {
            let before = stored
                .iter()
                .find(|c| c.type_ == <&str>::from(type_) && c.status == <&str>::from(finding.status));
            Condition {
                type_: type_.to_string(),
                status: finding.status.to_string(),
                reason: finding.reason.to_string(),
                message: finding.message.clone(),
                observed_generation: Some(generation),
                last_transition_time: before.map_or_else(|| now.clone(), |c| c.last_transition_time.clone()),
            }
        };
        self.findings.iter().map(condition).collect()
    }
}

/// Written with other changes, else only when it has grown old: a status that changes at every check wakes others for
/// nothing.
fn last_verified(
    next: &ClickUpConnectionStatus,
    facts: &Facts<'_>,
    heartbeat: SignedDuration,
) -> Option<Time> {
    let written = facts.previous.and_then(|p| p.last_verified_time.clone());
    let Some(exact) = facts.last_verdict.and_then(|t| Timestamp::from_second(t.as_second()).ok()) else {
        return written;
    };
    let changed = facts.previous != Some(next);
    let old = written.as_ref().is_none_or(|t| exact.duration_since(t.0) >= heartbeat);
    if changed || old { Some(Time(exact)) } else { written }
}
