//! What the operator remembers of one connection between two passes, and what follows from it: the next step, the status,
//! the next point in time. The order of events is free: edits, Secrets and checks come when they come.

use super::{
    CheckOutcome, Demand, Evaluation, Finding, Findings, StatusOptions, TokenProblem, Verdict, schedule,
    schedule::Phase,
    status::{self, Facts, Touched},
};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, SecretKeyRef,
        StoredConnection, TokenType,
    },
    clickup::{Token, TokenKey},
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// What reading the Secret came to.
#[derive(Clone, Debug)]
pub enum TokenReading {
    /// A token that may be sent.
    Found {
        /// What it is known by.
        key: TokenKey,
        /// The token.
        token: Arc<Token>,
        /// The Secret's resourceVersion.
        version: String,
    },
    /// No token.
    Unavailable {
        /// Why.
        problem: TokenProblem,
        /// The Secret's resourceVersion, if there is a Secret.
        version: Option<String>,
    },
}

impl TokenReading {
    /// The Secret's resourceVersion, if there is a Secret.
    fn version(&self) -> Option<&str> {
        match self {
            Self::Found { version, .. } => Some(version),
            Self::Unavailable { version, .. } => version.as_deref(),
        }
    }
}

/// A check that is to begin.
#[derive(Clone, Debug)]
pub struct CheckRequest {
    /// What the token is known by.
    pub key: TokenKey,
    /// The token.
    pub token: Arc<Token>,
    /// What it is checked for.
    pub demand: Demand,
    /// The annotation's value.
    pub requested_at: Option<String>,
    /// An answer to a question asked before this does not do.
    pub not_before: Timestamp,
    /// For the calls of the check together.
    pub timeout: Duration,
    /// Whether the status says that ClickUp accepted this token before.
    pub good_before: bool,
}

/// What a pass does next.
#[derive(Debug)]
pub enum Step {
    /// Read the Secret.
    ReadToken {
        /// As it is now, not as the watch saw it last: somebody asks for a check now.
        anew: bool,
    },
    /// Begin a check.
    Check(Box<CheckRequest>),
    /// Nothing but the status.
    Settle,
}

/// The memory of one connection.
#[derive(Debug)]
pub struct Session {
    phase: Phase,
    /// The last spec seen, and with it what an edit can touch.
    seen: Option<Seen>,
    touched: Touched,
    reading: Option<TokenReading>,
    /// The token that the stored verdicts are about, once it was read.
    key: Option<TokenKey>,
    /// Something asks for a check now.
    wanted: bool,
    not_before: Option<Timestamp>,
    requested_at: Option<String>,
    due: Timestamp,
    reread_at: Option<Timestamp>,
    read_anew: bool,
    checking: Option<Checking>,
    outcome: Option<CheckOutcome>,
    failures: u32,
    /// Whether this process asked ClickUp at all: until then nothing lapses.
    attempted: bool,
    last_verdict: Option<Timestamp>,
    waiting_since: Option<Timestamp>,
    suspended_at: Option<Timestamp>,
    paused: SignedDuration,
}

#[derive(Debug)]
struct Seen {
    generation: i64,
    demand: Demand,
    source: SecretKeyRef,
    suspend: bool,
}

#[derive(Debug)]
struct Checking {
    key: TokenKey,
    demand: Demand,
    requested_at: Option<String>,
}

impl Session {
    /// The memory of a connection that this process has not seen before: what its status says, for what is unchanged.
    pub fn recall(stored: &StoredConnection, now: Timestamp) -> Self {
        let phase = Phase::of(stored.metadata.uid.as_deref().unwrap_or_default());
        let status = stored.status.as_ref();
        let unchanged = status.is_some_and(|s| s.observed_generation == Some(stored.generation()));
        let mut session = Self {
            phase,
            seen: None,
            touched: Touched { token: !unchanged, demand: !unchanged },
            reading: None,
            key: None,
            wanted: true,
            not_before: None,
            requested_at: status.and_then(|s| s.last_handled_reconcile_at.clone()),
            due: now,
            reread_at: None,
            read_anew: false,
            checking: None,
            outcome: None,
            failures: 0,
            attempted: false,
            last_verdict: status.and_then(|s| s.last_verified_time.as_ref()).map(|t| t.0),
            waiting_since: None,
            suspended_at: None,
            paused: SignedDuration::ZERO,
        };
        if let (true, Some(status), Ok(spec)) = (unchanged, status, &stored.spec) {
            session.resume(status, spec, now);
        }
        session
    }

    /// Goes on where an earlier process stopped, without a burst.
    fn resume(&mut self, status: &ClickUpConnectionStatus, spec: &ClickUpConnectionSpec, now: Timestamp) {
        let findings = Findings::of(&status.conditions);
        let is = |condition, reason| findings.get(condition).is_some_and(|f| f.reason == reason);
        let token_found = findings.holds(ConditionType::TokenAvailable);
        let suspended = is(ConditionType::Ready, Reason::Suspended);
        // Without a token, reading the Secret tells; what was never judged is due now.
        self.wanted = !token_found || suspended || findings.get(ConditionType::Ready).is_none();
        let period = if is(ConditionType::Authenticated, Reason::TokenRejected) {
            schedule::rejected_period(spec.interval)
        } else {
            spec.interval
        };
        let reached = findings.holds(ConditionType::Reachable);
        let next =
            self.last_verdict.filter(|_| reached).map(|last| schedule::routine(last, period, self.phase));
        let retry = spec.interval.min(Duration::from_mins(5));
        self.due = match next {
            Some(next) => schedule::resumed(next, now, spec.interval, self.phase),
            None => schedule::resumed(now, now, retry, self.phase),
        };
    }

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
            let findings = Findings::of(status.map(|s| s.conditions.as_slice()).unwrap_or_default());
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
        let findings = Findings::of(status.map(|s| s.conditions.as_slice()).unwrap_or_default());
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
                let ready = Findings::of(status.map(|s| s.conditions.as_slice()).unwrap_or_default())
                    .holds(ConditionType::Ready);
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
        self.outcome = Some(outcome);
    }

    /// The check under way has ended without telling.
    pub fn check_lost(&mut self, interval: Duration, now: Timestamp) {
        self.checking = None;
        self.failures = self.failures.saturating_add(1);
        self.due = now + schedule::backoff(self.failures, interval, self.phase);
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
        let findings = Findings::of(previous.map(|p| p.conditions.as_slice()).unwrap_or_default());
        let judged = findings.get(ConditionType::Ready).is_some_and(|r| r.reason != Reason::Checking);
        let found = matches!(self.reading, Some(TokenReading::Found { .. }));
        found && (self.touched.token || !judged || !findings.holds(ConditionType::TokenAvailable))
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
        let ready = Findings::of(status.map(|s| s.conditions.as_slice()).unwrap_or_default())
            .holds(ConditionType::Ready);
        let lapse = status
            .filter(|_| ready && self.attempted && self.touched == Touched::default())
            .and_then(|s| status::grace_ends(s, spec.outage_grace_period, self.paused));
        [due, announce, lapse, self.reread_at].into_iter().flatten().min()
    }

    /// Whether a check is under way whose end is awaited.
    pub fn awaits_check(&self) -> bool {
        self.checking.is_some()
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
