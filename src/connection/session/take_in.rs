//! What happens to a connection, as it comes.

use super::{CheckRequest, Checking, Seen, Session, TokenReading};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, StoredConnection,
    },
    connection::{CheckOutcome, Demand, Finding, Findings, Verdict, schedule, status::Touched},
};
use jiff::{SignedDuration, Timestamp};

impl Session {
    /// Takes in the spec and the annotation.
    pub fn notice(
        &mut self,
        stored: &StoredConnection,
        spec: &ClickUpConnectionSpec,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) {
        let next = Seen {
            generation: stored.generation(),
            demand: Demand::from(spec),
            source: spec.token_secret_ref.clone(),
            suspend: spec.suspend,
        };
        let was_suspended = self.seen.as_ref().is_some_and(|s| s.suspend);
        if let Some(seen) = &self.seen {
            let retyped = seen.demand.token_type != next.demand.token_type;
            self.touched.demand |= seen.demand != next.demand;
            self.touched.token |= retyped;
            self.wanted |= seen.generation != next.generation;
            if retyped || seen.source != next.source {
                self.reading = None;
            }
        }
        self.suspend(was_suspended, next.suspend, status, now);
        let requested = stored.requested_at();
        if requested.is_some() && requested != self.requested_at.as_deref() {
            self.requested_at = requested.map(Into::into);
            self.wanted = true;
            self.not_before = Some(now);
            // The Secret may have been edited just before, and the watch of Secrets may be behind.
            self.reread_at = Some(Timestamp::MIN);
            self.read_anew = true;
        }
        self.seen = Some(next);
    }

    fn suspend(
        &mut self,
        before: bool,
        after: bool,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) {
        if after {
            self.suspended_at.get_or_insert(now);
            self.forget_check();
            self.waiting_since = None;
        } else if before {
            let pause = self.suspended_at.take().map(|at| now.duration_since(at)).unwrap_or_default();
            // A grace that did not run was not held up.
            let findings = Findings::stored(status);
            if findings.get(ConditionType::Reachable).is_some_and(Finding::is_false) {
                self.paused += pause;
            }
            self.wanted = true;
            // What happened to the Secret meanwhile has waited too.
            self.reading = None;
        }
    }

    /// Forgets everything about an object that cannot be understood.
    pub fn void(&mut self) {
        self.forget_check();
        self.seen = None;
        self.touched = Touched { token: true, demand: true };
        self.reading = None;
        self.wanted = true;
        self.suspended_at = None;
        self.paused = SignedDuration::ZERO;
    }

    /// Takes in the version of the Secret that the watch saw last; `None` if it saw it go.
    pub fn secret_seen(&mut self, version: Option<&str>, status: Option<&ClickUpConnectionStatus>) {
        let known = match &self.reading {
            Some(reading) => reading.version(),
            None => status.and_then(|s| s.secret_resource_version.as_deref()),
        };
        let stale = match (known, version) {
            (Some(known), Some(seen)) => is_newer(seen, known),
            (known, seen) => known.is_some() != seen.is_some(),
        };
        if stale {
            self.reread_at = Some(Timestamp::MIN);
        }
    }

    /// A check has begun.
    pub fn check_began(&mut self, request: &CheckRequest) {
        self.checking = Some(Checking {
            key: request.key,
            demand: request.demand.clone(),
            requested_at: request.requested_at.clone(),
        });
        self.wanted = false;
        self.not_before = None;
    }

    /// The check under way has a place since then, and puts its questions.
    pub fn check_runs(&mut self, since: Timestamp) {
        self.waiting_since.get_or_insert(since);
    }

    /// Nothing may be sent with this token until then.
    pub fn put_off(&mut self, until: Timestamp, now: Timestamp) {
        self.waiting_since.get_or_insert(now);
        self.due = until;
        self.wanted = false;
    }

    /// Takes in what reading the Secret came to.
    pub fn token_read(
        &mut self,
        reading: TokenReading,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) {
        self.reread_at = None;
        self.read_anew = false;
        let known = self.reading.as_ref().map(TokenReading::version);
        match &reading {
            TokenReading::Found { key, version, .. } => {
                let recalled = status.and_then(|s| s.secret_resource_version.as_deref()) == Some(version);
                let same = match self.key {
                    Some(known) => known == *key,
                    None => recalled && !self.touched.token,
                };
                let ready = Findings::stored(status).holds(ConditionType::Ready);
                if !same {
                    self.touched.token = true;
                    self.failures = 0;
                }
                let edited = known.is_some_and(|known| known != Some(version));
                self.wanted |= !same || (edited && !ready && self.checking.is_none());
                self.key = Some(*key);
            }
            TokenReading::Unavailable { problem, .. } => {
                self.forget_check();
                self.wanted = false;
                self.reread_at = Some(now + schedule::reread(problem.is_denied()));
                if !problem.is_denied() {
                    self.key = None;
                }
            }
        }
        self.reading = Some(reading);
    }

    /// Takes in the end of a check.
    pub fn check_ended(&mut self, outcome: CheckOutcome, spec: &ClickUpConnectionSpec) {
        self.checking = None;
        self.attempted = true;
        let (now, interval) = (outcome.ended, spec.interval);
        let current = self.key == Some(outcome.key) && outcome.demand == Demand::from(spec);
        if !current {
            self.wanted = true;
            return;
        }
        if let Verdict::Suspect { again_at } = outcome.verdict {
            self.due = again_at;
            self.not_before = Some(again_at);
            return;
        }
        match outcome.no_verdict() {
            Some(no) => {
                self.failures = self.failures.saturating_add(1);
                // An older answer is no answer to the next try.
                self.not_before = Some(now);
                let limited = no.reset_in.filter(|_| no.reason == Reason::RateLimited);
                self.due =
                    now + limited.unwrap_or_else(|| schedule::backoff(self.failures, interval, self.phase));
            }
            None => {
                let dead = matches!(outcome.verdict, Verdict::Rejected);
                let period = if dead { schedule::rejected_period(interval) } else { interval };
                self.failures = 0;
                self.last_verdict = Some(now);
                self.due = schedule::routine(now, period, self.phase);
                self.paused = SignedDuration::ZERO;
            }
        }
        self.wanted |= outcome.requested_at != self.requested_at;
        self.outcome = Some(Box::new(outcome));
    }

    /// The check under way has ended without telling.
    pub fn check_lost(&mut self, interval: Duration, now: Timestamp) {
        self.checking = None;
        self.failures = self.failures.saturating_add(1);
        self.due = now + schedule::backoff(self.failures, interval, self.phase);
    }

    /// The status was written, or is as it should be: the marks of edits are in it now.
    pub fn acknowledge(&mut self, stored: &StoredConnection) {
        let suspended = stored.spec.as_ref().is_ok_and(|s| s.suspend);
        let unavailable = matches!(self.reading, Some(TokenReading::Unavailable { .. }));
        if self.outcome.take().is_some() || unavailable || suspended {
            self.waiting_since = None;
            self.touched = Touched::default();
        }
    }

    /// The check under way is not waited for any more.
    fn forget_check(&mut self) {
        self.checking = None;
        self.outcome = None;
    }
}

/// Resource versions are compared as numbers; what is none counts as newer if it differs.
fn is_newer(seen: &str, known: &str) -> bool {
    match (seen.parse::<u128>(), known.parse::<u128>()) {
        (Ok(seen), Ok(known)) => seen > known,
        _ => seen != known,
    }
}
