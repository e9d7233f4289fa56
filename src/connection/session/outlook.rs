//! What follows: the next step, the status, the next point in time.

use super::{CheckRequest, Checking, Session, Step, TokenReading};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, StoredConnection,
        TokenType,
    },
    connection::{
        Demand, Evaluation, Findings, StatusOptions, schedule,
        status::{self, Facts, Touched},
    },
};
use jiff::{SignedDuration, Timestamp};

impl Session {
    /// What to do next.
    pub fn step(
        &mut self,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Step {
        if spec.suspend {
            return Step::Settle;
        }
        let demand = Demand::from(spec);
        if self.outcome.as_ref().is_some_and(|o| Some(o.key) != self.key || o.demand != demand) {
            // It could not be written before an edit made it void.
            self.outcome = None;
            self.wanted = true;
        }
        if self.outcome.as_ref().is_some_and(|o| o.requested_at == self.requested_at) {
            // Answers that are still to be written serve an edit too.
            self.wanted = false;
        }
        let ask = self.wanted || self.due <= now;
        if self.reread_at.is_some_and(|at| at <= now) || (ask && self.reading.is_none()) {
            return Step::ReadToken { anew: self.read_anew };
        }
        let Some(TokenReading::Found { key, token, .. }) = &self.reading else { return Step::Settle };
        let current =
            |c: &Checking| c.key == *key && c.demand == demand && c.requested_at == self.requested_at;
        if self.checking.as_ref().is_some_and(current) {
            self.wanted = false;
            return Step::Settle;
        }
        if !ask || self.outcome.is_some() {
            return Step::Settle;
        }
        let findings = Findings::stored(status);
        // An answer that is on its way, or came a moment ago, does for everybody but who asked for a new one.
        let recent = spec.interval.signed().min(SignedDuration::from_mins(2)) / 2;
        Step::Check(Box::new(CheckRequest {
            key: *key,
            token: token.clone(),
            demand,
            requested_at: self.requested_at.clone(),
            not_before: self.not_before.unwrap_or(now - recent),
            timeout: spec.timeout,
            good_before: !self.touched.token && findings.holds(ConditionType::Authenticated),
        }))
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
        let facts = Facts {
            previous,
            generation: observed.filter(|_| time_only).unwrap_or(stored.generation()),
            token_type: spec.map_or(TokenType::default(), |s| s.token_type),
            secret_version: self.reading.as_ref().and_then(TokenReading::version),
            requested_at: self
                .outcome
                .as_ref()
                .map_or(self.requested_at.as_deref(), |o| o.requested_at.as_deref()),
            touched: self.touched,
            grace_period: spec.map_or(Duration::from_secs(0), |s| s.outage_grace_period),
            paused: self.paused,
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
        let spec = match &stored.spec {
            Ok(spec) => spec,
            Err(error) => return Some(Evaluation::InvalidSpec(error)),
        };
        if spec.suspend {
            return Some(Evaluation::Suspended);
        }
        if let Some(TokenReading::Unavailable { problem, .. }) = &self.reading {
            return Some(Evaluation::TokenUnavailable(problem));
        }
        if let Some(outcome) = &self.outcome {
            return Some(Evaluation::Checked(outcome));
        }
        if self.announces_at(previous).is_some_and(|at| at <= now) {
            return Some(Evaluation::Checking);
        }
        // After a restart nothing lapses before one attempt.
        (self.attempted && self.reading.is_some()).then_some(Evaluation::TimePassed)
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

    /// When to look again without an event.
    pub fn next_wake(
        &self,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if spec.suspend {
            return None;
        }
        let found = matches!(self.reading, Some(TokenReading::Found { .. }) | None);
        let due = if self.wanted { now } else { self.due };
        let due = (found && self.checking.is_none()).then_some(due);
        let queued = self.checking.is_some() && self.waiting_since.is_none() && self.is_first(status);
        let announce = match self.announces_at(status) {
            // It waits for a place; that it has one is seen at the next look.
            None => queued.then_some(now + schedule::ANNOUNCE_AFTER),
            Some(at) => Some(at).filter(|at| *at > now),
        };
        let ready = Findings::stored(status).holds(ConditionType::Ready);
        let lapse = status
            .filter(|_| ready && self.attempted && self.touched == Touched::default())
            .and_then(|s| status::grace_ends(s, spec.outage_grace_period, self.paused));
        [due, announce, lapse, self.reread_at].into_iter().flatten().min()
    }
}
