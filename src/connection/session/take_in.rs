//! What happens to a connection, as it comes.

use super::{BETWEEN_ANNOTATIONS, CheckRequest, Checking, Held, Next, Seen, Session, TokenReading};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Reason, StoredConnection,
        compare_versions,
    },
    connection::{
        Beat, CheckOutcome, Demand, Finding, Findings, TokenProblem, TokenSource, Verdict, demand::Touched,
        schedule,
    },
};
use jiff::{SignedDuration, Timestamp};
use std::{cmp::Ordering, sync::Arc};

impl Session {
    /// Takes in the spec, where its token comes from (`None` if the connection that it refers to is not shared with it),
    /// and the annotation.
    pub fn notice(
        &mut self,
        stored: &StoredConnection,
        spec: &ClickUpConnectionSpec,
        source: Option<TokenSource>,
        status: Option<&ClickUpConnectionStatus>,
        now: Timestamp,
    ) {
        self.follow_clock(now);
        let lender = source.as_ref().and_then(|s| s.lender.as_ref());
        let token_type = source.as_ref().map_or(spec.token_type, |s| s.token_type);
        let demand = Demand::of(spec, token_type);
        let suspended = spec.suspend || lender.is_some_and(|l| l.suspended);
        let interval = lender.map_or(spec.interval, |l| l.interval.max(spec.interval));
        let before = self.seen.take();
        let was_suspended = before.as_ref().is_some_and(|s| s.suspended);
        if let (None, Next::At(at), Some(last)) = (&before, &mut self.next, self.last_verdict)
            && interval > spec.interval
            && Findings::stored(status).holds(ConditionType::Reachable)
        {
            // What was planned when only its own interval was known.
            let slower = schedule::routine(last, interval, Beat::new(interval, self.phase));
            *at = schedule::resumed(slower, now, interval, self.phase).max(*at);
        }
        let demand = match before {
            None => Arc::new(demand),
            Some(before) => {
                let edited = before.demand.edited(&demand);
                let moved = edited.token || !same_secret(before.source.as_ref(), source.as_ref());
                self.touched |= edited;
                // What may be told about a token depends on whose it is, and nothing was known while it was not shared.
                self.touched.token |= lends(before.source.as_ref()) != lends(source.as_ref());
                if moved {
                    self.reading = None;
                }
                if moved || before.generation != stored.generation() {
                    self.wanted.get_or_insert(now);
                }
                if *before.demand == demand { before.demand } else { Arc::new(demand) }
            }
        };
        let referring = spec.connection_ref.is_some();
        let shared = source.is_some();
        self.seen = Some(Seen { generation: stored.generation(), demand, source, suspended, interval });
        if shared {
            self.suspend(was_suspended, suspended, status, now);
            self.notice_annotation(stored, referring, now);
        } else {
            self.refused();
            // Nothing is asked for it, but the evaluation is complete.
            if let Some(requested) = stored.requested_at().filter(|_| !suspended) {
                self.requested_at = Some(requested.into());
            }
        }
    }

    fn notice_annotation(&mut self, stored: &StoredConnection, referring: bool, now: Timestamp) {
        let requested = stored.requested_at();
        if requested.is_none() || requested == self.requested_at.as_deref() || self.is_suspended() {
            return;
        }
        if self.quiet_until.is_some_and(|until| until > now) {
            return;
        }
        self.quiet_until = referring.then(|| now + BETWEEN_ANNOTATIONS);
        self.requested_at = requested.map(Into::into);
        self.wanted.get_or_insert(now);
        self.not_before = Some(now);
        // The Secret may have been edited just before, and the watch of Secrets may be behind.
        self.reread_at = Some(Timestamp::MIN);
        self.read_anew = true;
    }

    /// The connection that is referred to does not share its token.
    fn refused(&mut self) {
        if !self.unshared() {
            self.forget_check();
            self.wanted = None;
            self.reread_at = None;
            self.key = None;
            self.touched.token = true;
            self.suspended_at = None;
            self.paused = SignedDuration::ZERO;
            self.reading =
                Some(TokenReading::Unavailable { problem: TokenProblem::not_shared(), version: None });
        }
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
            self.wanted.get_or_insert(now);
            // What happened to the Secret meanwhile has waited too.
            self.reading = None;
        }
    }

    /// Forgets everything about an object that cannot be understood.
    pub fn void(&mut self, now: Timestamp) {
        self.forget_check();
        self.seen = None;
        self.touched = Touched::ALL;
        self.reading = None;
        self.wanted.get_or_insert(now);
        self.suspended_at = None;
        self.paused = SignedDuration::ZERO;
    }

    /// Takes in the version of the Secret that the watch saw last; `None` if it saw it go.
    pub fn secret_seen(&mut self, version: Option<&str>, status: Option<&ClickUpConnectionStatus>) {
        if self.unshared() {
            return;
        }
        let known = match &self.reading {
            Some(reading) => reading.version(),
            None => self.recalled_version(status),
        };
        let stale = match (known, version) {
            (Some(known), Some(seen)) => is_newer(seen, known),
            (known, seen) => known.is_some() != seen.is_some(),
        };
        if stale {
            self.reread_at = Some(Timestamp::MIN);
        }
    }

    /// The version of the Secret that the stored verdicts are about.
    fn recalled_version<'a>(&'a self, status: Option<&'a ClickUpConnectionStatus>) -> Option<&'a str> {
        match self.token_source().and_then(|s| s.lender.as_ref()) {
            Some(lender) => lender.recalled_version.as_deref(),
            None => status.and_then(|s| s.secret_resource_version.as_deref()),
        }
    }

    /// A check has begun.
    pub fn check_began(&mut self, request: &CheckRequest, now: Timestamp) {
        self.checking = Some(Box::new(Checking {
            key: request.key,
            demand: request.demand.clone(),
            requested_at: request.requested_at.clone(),
            not_before: request.not_before,
            urgency: request.urgency,
            began: now,
        }));
        self.wanted = None;
        self.not_before = None;
        self.held = None;
    }

    /// The check under way has put its first question then, or has been held up from doing so since then; and whether it
    /// is held up now.
    pub fn check_runs(&mut self, since: Timestamp, held: Option<Held>) {
        self.waiting_since.get_or_insert(since);
        self.held = held;
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
        let reading = match reading {
            TokenReading::Found { key, token, version } => {
                let recalled = self.recalled_version(status) == Some(version.as_str());
                let same = match self.key {
                    Some(known) => known == key,
                    None => recalled && !self.touched.token,
                };
                let ready = Findings::stored(status).holds(ConditionType::Ready);
                if !same {
                    self.touched.token = true;
                    self.failures = 0;
                    if let Next::Confirm(_) = self.next {
                        // That was to be asked about the old one.
                        self.next = Next::At(now);
                        self.not_before = self.not_before.filter(|at| *at <= now);
                    }
                }
                let edited = known.is_some_and(|known| known != Some(&version));
                if !same || (edited && !ready && self.checking.is_none()) {
                    self.wanted.get_or_insert(now);
                }
                self.key = Some(key);
                TokenReading::Found { key, token, version }
            }
            TokenReading::Unavailable { problem, version } => {
                let lent = self.token_source().is_some_and(|s| s.lender.is_some());
                let problem = if lent { problem.for_referrers() } else { problem };
                self.forget_check();
                self.wanted = None;
                self.reread_at = Some(now + schedule::reread(problem.is_denied()));
                if !problem.is_denied() {
                    self.key = None;
                }
                TokenReading::Unavailable { problem, version }
            }
        };
        self.reading = Some(reading);
    }

    /// Takes in the end of a check.
    pub fn check_ended(&mut self, outcome: CheckOutcome) {
        let (Some(checking), Some(seen)) = (self.checking.take(), &self.seen) else { return };
        let (now, interval) = (outcome.ended, seen.interval);
        let current = self.key == Some(outcome.key) && outcome.demand == seen.demand;
        self.attempted = true;
        self.answered_at = Some(outcome.asked);
        self.limited = outcome.held > self.patience(checking.urgency);
        self.held = None;
        if !current {
            self.wanted.get_or_insert(now);
            return;
        }
        if let Verdict::Suspect { again_at } = outcome.verdict {
            self.next = Next::Confirm(again_at);
            self.not_before = Some(again_at);
            return;
        }
        match outcome.no_verdict() {
            Some(no) => {
                self.failures = self.failures.saturating_add(1);
                self.failed_at = Some(now);
                let reset = no.reset_in.filter(|_| no.reason == Reason::RateLimited);
                // What a check has when the limit stops it, it keeps; else an older answer is no answer to the next try.
                let kept = if reset.is_some() { checking.not_before } else { now };
                self.not_before = self.not_before.max(Some(kept));
                let own = || now + schedule::retry_after(self.failures, interval, self.phase.0);
                let retry = reset.map(|reset| now + reset).or(outcome.retry_at);
                self.next = Next::At(retry.filter(|at| *at > now).unwrap_or_else(own));
            }
            None => {
                let dead = matches!(outcome.verdict, Verdict::Rejected);
                self.failures = 0;
                self.failed_at = None;
                self.last_verdict = Some(outcome.asked);
                self.completed_at = now;
                self.next = Next::Routine { last: outcome.asked, dead };
                self.paused = SignedDuration::ZERO;
            }
        }
        if outcome.requested_at != self.requested_at {
            self.wanted.get_or_insert(now);
        }
        self.outcome = Some(Box::new(outcome));
    }

    /// The check under way has ended without telling.
    pub fn check_lost(&mut self, now: Timestamp) {
        self.checking = None;
        self.held = None;
        self.answered_at = Some(now);
        self.failures = self.failures.saturating_add(1);
        self.next = Next::At(now + schedule::retry_after(self.failures, self.period(), self.phase.0));
    }

    /// The status was written, or is as it should be: the marks of edits are in it now.
    pub fn acknowledge(&mut self) {
        let unavailable = matches!(self.reading, Some(TokenReading::Unavailable { .. }));
        if self.outcome.take().is_some() || unavailable || self.is_suspended() {
            self.waiting_since = None;
            self.touched = Touched::default();
        }
    }

    /// The check under way is not waited for any more.
    fn forget_check(&mut self) {
        self.checking = None;
        self.outcome = None;
        self.held = None;
        self.limited = false;
    }
}

/// Whether the token is another connection's, if there is one.
fn lends(source: Option<&TokenSource>) -> Option<bool> {
    source.map(|s| s.lender.is_some())
}

/// Whether the token is still read from the same place, with the same right to it.
fn same_secret(before: Option<&TokenSource>, now: Option<&TokenSource>) -> bool {
    match (before, now) {
        (Some(a), Some(b)) => {
            (&a.namespace, &a.secret) == (&b.namespace, &b.secret) && lends(before) == lends(now)
        }
        (before, now) => before.is_none() && now.is_none(),
    }
}

/// What cannot be compared counts as newer if it differs.
fn is_newer(seen: &str, known: &str) -> bool {
    compare_versions(seen, known).map_or(seen != known, Ordering::is_gt)
}
