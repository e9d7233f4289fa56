//! What follows: the next step, the status, the next point in time.

use super::{CheckRequest, Checking, Next, Session, Step, TokenReading};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, StoredConnection,
    },
    clickup::Urgency,
    connection::{
        Audience, Evaluation, Findings, StatusOptions, schedule,
        status::{self, Facts, Limit},
    },
};
use jiff::{SignedDuration, Timestamp};

/// A result so old serves new connections and edits.
const RECENT: SignedDuration = SignedDuration::from_secs(60);

/// A routine check is served by a result that is so old at most, and half an interval: where many come to hold a token one
/// after the other, such as after a restart, ClickUp is asked once.
const THIS_ROUND: SignedDuration = SignedDuration::from_mins(5);

/// How often a check that takes long is looked at.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(10);

impl Session {
    /// What to do next.
    pub fn step(
        &mut self,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Step {
        let Some(demand) = self.seen.as_ref().filter(|s| !s.suspended).map(|s| s.demand.clone()) else {
            return Step::Settle;
        };
        if self.unshared() {
            return Step::Settle;
        }
        if self.outcome.as_ref().is_some_and(|o| Some(o.key) != self.key || o.demand != demand) {
            // It could not be written before an edit made it void.
            self.outcome = None;
            self.wanted.get_or_insert(now);
        }
        let known = self.reading.is_some();
        if known && self.outcome.as_ref().is_some_and(|o| o.requested_at == self.requested_at) {
            // Answers that are still to be written serve an edit too.
            self.wanted = None;
        }
        let ask = self.wanted.is_some() || self.due() <= now;
        if self.reread_at.is_some_and(|at| at <= now) || (ask && self.reading.is_none()) {
            return Step::ReadToken { anew: self.read_anew };
        }
        let Some(TokenReading::Found { key, token, .. }) = &self.reading else { return Step::Settle };
        let current =
            |c: &Checking| c.key == *key && c.demand == demand && c.requested_at == self.requested_at;
        if self.checking.as_deref().is_some_and(current) {
            self.wanted = None;
            return Step::Settle;
        }
        if !ask || self.outcome.is_some() {
            return Step::Settle;
        }
        let findings = Findings::stored(status);
        let urgency = self.urgency(&findings);
        let period = self.beat.map_or(spec.interval, |beat| beat.period).signed();
        let recent = if self.wanted.is_some() { RECENT } else { THIS_ROUND.min(period / 2) };
        Step::Check(Box::new(CheckRequest {
            key: *key,
            token: token.clone(),
            demand,
            requested_at: self.requested_at.clone(),
            not_before: self.not_before(now - recent),
            timeout: spec.timeout,
            urgency,
            annotated: urgency != Urgency::Confirmation
                && self.requested_at.is_some()
                && self.requested_at != status.and_then(|s| s.last_handled_reconcile_at.clone()),
            last_verdict: self.last_verdict,
        }))
    }

    /// What a check keeps of an earlier one may be older than what serves an edit.
    fn not_before(&self, recent: Timestamp) -> Timestamp {
        match self.not_before {
            Some(at) if self.wanted.is_some() => at.max(recent),
            Some(at) => at,
            None => recent,
        }
    }

    /// A check that somebody waits for is more urgent than one that keeps a verdict fresh.
    fn urgency(&self, findings: &Findings) -> Urgency {
        let judged = findings.get(ConditionType::Ready).is_some_and(|r| r.is_true() || r.is_false());
        match self.next {
            Next::Confirm(_) => Urgency::Confirmation,
            _ if self.wanted.is_some() || !judged => Urgency::Asked,
            _ => Urgency::Routine,
        }
    }

    /// The status that follows.
    pub fn status(
        &self,
        stored: &StoredConnection,
        previous: Option<&ClickUpConnectionStatus>,
        options: StatusOptions,
        now: Timestamp,
    ) -> Option<ClickUpConnectionStatus> {
        let evaluation = self.evaluation(stored, previous, now)?;
        let spec = stored.spec.as_ref().ok();
        let observed = previous.and_then(|p| p.observed_generation);
        let time_only = matches!(evaluation, Evaluation::TimePassed);
        let source = self.token_source();
        let audience = spec.map_or(Audience::Owner, Audience::of);
        let grace_period = spec.map_or(Duration::from_secs(0), |s| s.outage_grace_period);
        let facts = Facts {
            previous,
            generation: observed.filter(|at| time_only && *at >= 0).unwrap_or(stored.generation()),
            demand: self.seen.as_ref().map(|s| s.demand.as_ref()),
            audience,
            binding: source
                .filter(|_| spec.is_some_and(|s| s.binding.enabled))
                .map(|s| s.secret.name.as_str()),
            secret_version: self.reading.as_ref().and_then(TokenReading::version),
            requested_at: self
                .outcome
                .as_ref()
                .map_or(self.requested_at.as_deref(), |o| o.requested_at.as_deref()),
            touched: self.touched,
            grace_period,
            paused: self.paused,
            attempted: self.attempted,
            limited: self.limit(),
            overdue: self.overdue_at(grace_period).is_some_and(|at| at <= now),
            last_verdict: self.last_verdict,
            now,
        };
        Some(status::compose(evaluation, &facts, options))
    }

    fn evaluation<'a>(
        &'a self,
        stored: &'a StoredConnection,
        previous: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Option<Evaluation<'a>> {
        if let Err(error) = &stored.spec {
            return Some(Evaluation::InvalidSpec(error));
        }
        if let Some(TokenReading::Unavailable { problem, .. }) = &self.reading
            && (problem.is_not_shared() || !self.is_suspended())
        {
            return Some(Evaluation::TokenUnavailable(problem));
        }
        if self.is_suspended() {
            return Some(Evaluation::Suspended);
        }
        if let Some(outcome) = &self.outcome {
            return Some(Evaluation::Checked(outcome));
        }
        if self.announces_at(previous).is_some_and(|at| at <= now) {
            return Some(Evaluation::Checking);
        }
        // After a restart nothing lapses before one attempt.
        ((self.attempted || self.late()) && self.reading.is_some()).then_some(Evaluation::TimePassed)
    }

    /// What has held up checks for too long.
    fn limit(&self) -> Option<Limit> {
        match self.held {
            Some(held) if self.late() => Some(if held.by_reset { Limit::Reset } else { Limit::Budget }),
            _ => self.limited.then_some(Limit::Budget),
        }
    }

    /// When a first check that still runs is announced.
    fn announces_at(&self, previous: Option<&ClickUpConnectionStatus>) -> Option<Timestamp> {
        self.waiting_since.filter(|_| self.is_first(previous)).map(|since| since + schedule::ANNOUNCE_AFTER)
    }

    /// Whether no verdict about the token at hand stands.
    fn is_first(&self, previous: Option<&ClickUpConnectionStatus>) -> bool {
        let findings = Findings::stored(previous);
        let judged = findings.get(ConditionType::Ready).is_some_and(|r| r.reason != Reason::Checking);
        let found = matches!(self.reading, Some(TokenReading::Found { .. }));
        found && (self.touched.token || !judged || !findings.holds(ConditionType::TokenAvailable))
    }

    /// When a verdict is too old to stand while checks are put off.
    fn overdue_at(&self, grace: Duration) -> Option<Timestamp> {
        Some(self.completed_at + self.interval()?.signed() + grace.signed())
    }

    /// When to look again without an event.
    pub fn next_wake(
        &self,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if self.is_suspended() || self.unshared() {
            return None;
        }
        let found = matches!(self.reading, Some(TokenReading::Found { .. }) | None);
        let due = if self.wanted.is_some() { now } else { self.due() };
        let due = (found && self.checking.is_none()).then_some(due);
        let announce = self.announces_at(status).filter(|at| *at > now);
        let ready = Findings::stored(status).holds(ConditionType::Ready);
        let lapse = status
            .filter(|_| ready && self.attempted && self.touched.is_none())
            .and_then(|s| status::grace_ends(s, spec.outage_grace_period, self.paused));
        let annotation = self.quiet_until.filter(|until| *until > now);
        [due, announce, self.look_after_check(spec, status, now), lapse, self.reread_at, annotation]
            .into_iter()
            .flatten()
            .min()
    }

    /// When to see whether the check under way has been held up for too long.
    fn look_after_check(
        &self,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let checking = self.checking.as_deref()?;
        let soon = Some(checking.began + schedule::ANNOUNCE_AFTER).filter(|at| *at > now);
        // It waits for a place; that it has one is seen at the next look.
        let queued = self.waiting_since.is_none() && self.is_first(status);
        let again = queued.then_some(now + schedule::ANNOUNCE_AFTER);
        let late = match self.held {
            Some(held) => Some(now + (self.patience(checking.urgency) - held.lasting)),
            // Whether it has come to be held up.
            None => Some(now + LOOK_AGAIN),
        };
        // A little more: patience ends after, not at that moment.
        let late = late.map(|at| at + SignedDuration::from_millis(1)).filter(|at| *at > now);
        let overdue = self.late().then(|| self.overdue_at(spec.outage_grace_period)).flatten();
        [soon, again, late, overdue.filter(|at| *at > now)].into_iter().flatten().min()
    }
}
