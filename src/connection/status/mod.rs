//! The whole status, computed from what is there, what was observed, and the time.

mod draft;

use super::{
    Audience, CheckOutcome, Demand, Finding, TokenProblem, Verdict,
    access::{Access, DefaultWorkspace, Node},
    channel::find_channel,
    demand::Touched,
    resolve, summary,
};
use crate::{
    api::{
        ClickUpConnectionStatus, ConditionStatus, ConditionType, Duration, RateLimitStatus, Reason,
        UserStatus, WorkspaceStatus,
    },
    clickup::{Identity, NoVerdict},
};
use ConditionType::{
    AccessVerified, Authenticated, ChannelResolved, RateLimited, Reachable, Ready, Reconciling, Stalled,
    TokenAvailable, WorkspacesResolved,
};
use draft::Draft;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

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

/// What besides the evaluation goes into a status.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) previous: Option<&'a ClickUpConnectionStatus>,
    pub(super) generation: i64,
    /// What is asked for; of a spec that cannot be understood nothing is known.
    pub(super) demand: Option<&'a Demand>,
    pub(super) audience: Audience,
    /// The Secret to publish for binding.
    pub(super) binding: Option<&'a str>,
    pub(super) secret_version: Option<&'a str>,
    pub(super) requested_at: Option<&'a str>,
    pub(super) touched: Touched,
    pub(super) grace_period: Duration,
    /// How long the connection was suspended since ClickUp was last reached: that time does not count.
    pub(super) paused: SignedDuration,
    /// Whether ClickUp was asked since the process began.
    pub(super) attempted: bool,
    /// What has held up a check for too long.
    pub(super) limited: Option<Limit>,
    /// Whether the verdicts are too old to stand any longer while that is so.
    pub(super) overdue: bool,
    pub(super) last_verdict: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// What holds up checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// ClickUp's limit for the token, until it resets.
    Reset,
    /// The operator's own share of it.
    Budget,
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
        Evaluation::TimePassed => return draft.put_off(),
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
    let reachable = status.conditions.get(Reachable)?;
    (reachable.status == ConditionStatus::False)
        .then(|| reachable.last_transition_time.0 + grace.signed() + paused)
}

impl Draft<'_> {
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
        let touched = self.facts.touched;
        for condition in self.verdicts() {
            self.carry(condition, condition == Reachable || !touched.covers(condition));
        }
        self.clear_touched();
        let stands = |r: &&Finding| !matches!(r.reason, Reason::Checking | Reason::InvalidSpec);
        let ready = self.stored.get(Ready).filter(stands).filter(|_| touched.is_none()).cloned();
        if let (Some(_), Some(limit)) = (&ready, self.stored.get(RateLimited)) {
            // It stands still with what it made of Ready.
            self.findings.set(RateLimited, limit.clone());
        }
        let ready = ready.unwrap_or_else(|| {
            let whose = match self.facts.audience {
                Audience::Owner => "set spec.suspend to false",
                Audience::Referrer => {
                    "set spec.suspend to false, here or in the connection that spec.connectionRef names"
                }
            };
            let message = format!("checking is suspended and this spec was not checked: {whose}");
            Finding::unknown(Reason::Suspended, message)
        });
        self.keep_binding();
        self.complete(ready, false);
    }

    fn unavailable(&mut self, problem: &TokenProblem) {
        self.findings.set(TokenAvailable, problem.finding());
        if problem.is_denied() {
            // That the operator may not look says nothing about what it saw before.
            self.carry_verdicts();
            self.clear_touched();
            self.keep_binding();
        } else {
            for condition in self.verdicts().filter(|c| *c != TokenAvailable) {
                self.findings.set(condition, Finding::not_checked());
            }
            self.clear_identity();
            self.secret_version();
            self.bind(None);
        }
        self.evaluated();
        self.sum_up();
    }

    fn checking(&mut self) {
        self.token_found();
        self.carry_verdicts();
        if self.facts.touched.token {
            self.clear_identity();
        }
        self.limited();
        self.complete(Finding::unknown(Reason::Checking, "the first check of this token is under way"), true);
    }

    fn checked(&mut self, outcome: &CheckOutcome, options: StatusOptions) {
        self.token_found();
        self.carry_verdicts();
        self.clear_touched();
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
        self.limited();
        self.status.rate_limit = outcome
            .rate_limit
            .map(|limit| RateLimitStatus { limit: limit.into() })
            .or(self.status.rate_limit)
            .filter(|_| self.facts.audience == Audience::Owner);
        self.secret_version();
        self.status.token_type = Some(outcome.demand.token_type);
        self.evaluated();
        self.sum_up();
    }

    /// Whether time alone can change what is summed up; takes over a new version of an unchanged Secret in any case.
    fn may_lapse(&mut self) -> bool {
        let untouched = self.facts.touched.is_none();
        if untouched && self.stored.holds(TokenAvailable) && self.facts.secret_version.is_some() {
            self.secret_version();
        }
        let stands = |ready: &Finding| ready.is_true() || ready.reason == Reason::RateLimited;
        let asked = self.facts.attempted || self.facts.limited.is_some();
        untouched && asked && self.stored.get(Ready).is_some_and(stands)
    }

    /// A verdict that stands is summed up again: its grace may have ended, or the patience with a check that is held up.
    fn time_passed(&mut self) {
        self.findings = self.stored.clone();
        self.findings.remove(Reconciling);
        self.limited();
        self.sum_up();
    }

    /// What was found stands, also where it is not about the present demand; but its check may be held up.
    fn put_off(mut self) -> ClickUpConnectionStatus {
        // Of what was invalid nothing was checked either.
        let first = self.stored.get(Ready).is_none_or(|ready| ready.reason == Reason::InvalidSpec);
        if self.facts.audience == Audience::Referrer {
            self.clear_what_only_owners_see();
        }
        if self.facts.limited.is_some() && !first {
            self.findings = self.stored.clone();
            self.limited();
            if let Some(limit) = self.findings.get(RateLimited).cloned()
                && self.facts.overdue
                && self.stored.holds(Ready)
            {
                let ready = Finding::unknown(limit.reason, limit.message);
                summary::add_abnormal(&mut self.findings, &ready, true);
                self.findings.set(Ready, ready);
            }
            self.status.conditions = self.conditions(self.facts.generation);
        }
        self.status
    }

    fn identified(&mut self, identity: &Identity, outcome: &CheckOutcome, options: StatusOptions) {
        let Verdict::Valid { answers, .. } = &outcome.verdict else { return };
        let audience = self.facts.audience;
        let accepted = match audience {
            Audience::Owner => format!("ClickUp accepts the token as that of user {}", identity.user.id),
            Audience::Referrer => "ClickUp accepts the token".to_owned(),
        };
        self.findings.set(Authenticated, Finding::yes(Reason::TokenAccepted, accepted));
        match outcome.no_verdict() {
            None => self.reached(),
            Some(no) => self.unreachable(no),
        }
        let (demand, workspaces) = (&outcome.demand, &identity.workspaces);
        let resolution = resolve(demand, workspaces);
        let default = resolution.default.as_ref();
        self.judged(WorkspacesResolved, resolution.judge(&answers.workspaces, audience).map_err(Some));
        if let Some(wanted) = &demand.channel {
            let found = match (default, &answers.channels) {
                (Some(workspace), Some(listed)) => {
                    find_channel(wanted, workspace, listed, audience).map_err(Some)
                }
                _ => Err(None),
            };
            match &found {
                Ok((_, channel)) => self.status.channel.clone_from(channel),
                Err(None) => self.status.channel = None,
                Err(Some(_)) => {}
            }
            self.judged(ChannelResolved, found.map(|(finding, _)| finding));
        }
        if demand.concerns(AccessVerified) {
            let role = default.and_then(|d| workspaces.iter().find(|w| w.id == d.id)).and_then(|w| w.role);
            let default = default.map(|resolved| DefaultWorkspace { resolved: resolved.clone(), role });
            let wanted: Vec<_> = demand.access.iter().filter_map(Node::of).collect();
            let access = Access {
                wanted: &wanted,
                minimum: demand.minimum_role,
                default: default.as_ref(),
                nodes: &answers.nodes,
                spaces: answers.spaces.as_ref(),
                audience,
            };
            self.judged(AccessVerified, access.judge());
        }
        let named = resolution.probes();
        let shown =
            workspaces.iter().filter(|w| audience == Audience::Owner || named.contains(&w.id.as_str()));
        self.status.workspaces = shown
            .take(MAX_WORKSPACES)
            .map(|w| WorkspaceStatus { id: w.id.clone(), name: w.name.clone(), role: w.role.map(Into::into) })
            .collect();
        if audience == Audience::Owner {
            self.status.user = Some(UserStatus {
                id: identity.user.id.clone(),
                name: identity.user.name.clone().filter(|_| options.username),
            });
            self.status.workspace_count = i64::try_from(workspaces.len()).ok();
        }
        self.status.default_workspace = resolution.default;
    }

    /// Takes in what was found about a condition. Without a verdict the one that stands is kept.
    fn judged(&mut self, condition: ConditionType, found: Result<Finding, Option<NoVerdict>>) {
        match found {
            Ok(finding) => self.findings.set(condition, finding),
            Err(None) => self.findings.set(condition, Finding::not_checked()),
            Err(Some(no)) => {
                let open = self.findings.get(condition);
                if open.is_none_or(|f| !f.is_true() && !f.is_false()) {
                    self.findings.set(condition, Finding::unknown(no.reason, no.message));
                }
            }
        }
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
    // What lies ahead was written by a clock that was ahead.
    let old = written.as_ref().is_none_or(|t| t.0 > exact || exact.duration_since(t.0) >= heartbeat);
    if changed || old { Some(Time(exact)) } else { written }
}
