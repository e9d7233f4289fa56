//! What the operator remembers of one connection between two passes, and what follows from it. The order of events is free:
//! edits, Secrets and checks come when they come (`take_in`); the next step, the status and the next point in time follow
//! (`outlook`).

mod outlook;
mod take_in;

use super::{
    Beat, CheckOutcome, Demand, Findings, TokenProblem, TokenSource, demand::Touched,
    rejection::SECOND_AFTER_AT_MOST, schedule, schedule::Phase,
};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, StoredConnection,
    },
    clickup::{Token, TokenKey, Urgency},
};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// How long an annotation waits after the last one, where another's token is used.
const BETWEEN_ANNOTATIONS: SignedDuration = SignedDuration::from_mins(1);

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
    pub demand: Arc<Demand>,
    /// The annotation's value.
    pub requested_at: Option<String>,
    /// An answer to a question asked before this does not do.
    pub not_before: Timestamp,
    /// For the calls of the check together.
    pub timeout: Duration,
    /// Whether it can wait.
    pub urgency: Urgency,
    /// Whether the annotation asks for it.
    pub annotated: bool,
    /// When a check last ended in a verdict: among equals, who waits longest comes first.
    pub last_verdict: Option<Timestamp>,
}

/// Why a check that has begun sends nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// ClickUp wants no request with this token until its limit resets; else the operator's own budget is spent.
    pub by_reset: bool,
    /// For how long the budget held it up so far; awaiting a reset does not count.
    pub lasting: SignedDuration,
}

/// The end of an outage: what failed in it is not to wait for its backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// Since when ClickUp answers again.
    pub since: Timestamp,
    /// When to ask again.
    pub retry_at: Timestamp,
}

/// What all who hold a token have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// When they are checked together.
    pub beat: Option<Beat>,
    /// The end of the last outage.
    pub recovery: Option<Recovery>,
    /// When ClickUp was asked for the answer that told something new about the token.
    pub news_at: Option<Timestamp>,
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
    /// Since when something asks for a check now.
    wanted: Option<Timestamp>,
    not_before: Option<Timestamp>,
    requested_at: Option<String>,
    /// Until when an annotation waits: who uses another's token asks once a minute at most.
    quiet_until: Option<Timestamp>,
    next: Next,
    /// When those who hold the token are checked together, once it is known who they are.
    beat: Option<Beat>,
    reread_at: Option<Timestamp>,
    read_anew: bool,
    checking: Option<Box<Checking>>,
    /// Boxed: it is there for a moment only, and there are many sessions.
    outcome: Option<Box<CheckOutcome>>,
    failures: u32,
    /// When the last check ended, if without a verdict.
    failed_at: Option<Timestamp>,
    /// When the answer was asked for that the last check was about.
    answered_at: Option<Timestamp>,
    /// Whether this process asked ClickUp at all: until then nothing lapses.
    attempted: bool,
    last_verdict: Option<Timestamp>,
    /// When a check last ended in a verdict, or this process began: a status tells it only with its heartbeat's precision.
    completed_at: Timestamp,
    waiting_since: Option<Timestamp>,
    held: Option<Held>,
    /// The last check was held up too long.
    limited: bool,
    suspended_at: Option<Timestamp>,
    paused: SignedDuration,
}

#[derive(Debug)]
struct Seen {
    generation: i64,
    demand: Arc<Demand>,
    /// `None` where a connection is referred to that is not shared with this one.
    source: Option<TokenSource>,
    suspended: bool,
    /// The connection's own, or the longer one of the connection that it refers to.
    interval: Duration,
}

/// When the next check is due, unless something asks for one before.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Then.
    At(Timestamp),
    /// Then, to confirm a rejection.
    Confirm(Timestamp),
    /// At the beat, after the last verdict.
    Routine { last: Timestamp, dead: bool },
}

#[derive(Debug)]
struct Checking {
    key: TokenKey,
    demand: Arc<Demand>,
    requested_at: Option<String>,
    not_before: Timestamp,
    urgency: Urgency,
    began: Timestamp,
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
            touched: if unchanged { Touched::default() } else { Touched::ALL },
            reading: None,
            key: None,
            wanted: Some(now),
            not_before: None,
            requested_at: status.and_then(|s| s.last_handled_reconcile_at.clone()),
            quiet_until: None,
            next: Next::At(now),
            beat: None,
            reread_at: None,
            read_anew: false,
            checking: None,
            outcome: None,
            failures: 0,
            failed_at: None,
            answered_at: None,
            attempted: false,
            // It was written by another machine's clock.
            last_verdict: status.and_then(|s| s.last_verified_time.as_ref()).map(|t| t.0.min(now)),
            completed_at: now,
            waiting_since: None,
            held: None,
            limited: false,
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
        let unjudged = !token_found || suspended || findings.get(ConditionType::Ready).is_none();
        self.wanted = unjudged.then_some(now);
        let own = Beat::new(spec.interval, self.phase);
        let (period, beat) = if is(ConditionType::Authenticated, Reason::TokenRejected) {
            (schedule::rejected_period(spec.interval), own.slowly())
        } else {
            (spec.interval, own)
        };
        let reached = findings.holds(ConditionType::Reachable);
        let next = self.last_verdict.filter(|_| reached).map(|last| schedule::routine(last, period, beat));
        let retry = spec.interval.min(Duration::from_mins(5));
        self.next = Next::At(match next {
            Some(next) => schedule::resumed(next, now, spec.interval, self.phase),
            None => schedule::resumed(now, now, retry, self.phase),
        });
    }

    /// Whether a check is under way whose end is awaited.
    pub fn awaits_check(&self) -> bool {
        self.checking.is_some()
    }

    /// When a check last ended in a verdict.
    pub fn last_verdict(&self) -> Option<Timestamp> {
        self.last_verdict
    }

    /// How often this connection wants to be checked, once its spec was seen.
    pub fn interval(&self) -> Option<Duration> {
        self.seen.as_ref().map(|seen| seen.interval)
    }

    /// The same, where something must be planned before a spec was seen too.
    fn period(&self) -> Duration {
        self.interval().unwrap_or(Duration::from_mins(10))
    }

    /// The token that was read, if there is one that may be sent, and whether the status says that it was good before.
    pub fn holds(&self, status: Option<&ClickUpConnectionStatus>) -> Option<(TokenKey, bool)> {
        match &self.reading {
            Some(TokenReading::Found { key, .. }) => Some((*key, self.good_before(status))),
            // What may not be read was read before, and stands.
            Some(TokenReading::Unavailable { problem, .. }) if problem.is_denied() => {
                self.key.map(|key| (key, false))
            }
            _ => None,
        }
    }

    fn good_before(&self, status: Option<&ClickUpConnectionStatus>) -> bool {
        !self.touched.token && Findings::stored(status).holds(ConditionType::Authenticated)
    }

    /// Takes over what all who hold the token have in common.
    pub fn follow(&mut self, common: Common, now: Timestamp) {
        let Common { beat, recovery, news_at } = common;
        self.beat = beat;
        if let Next::Confirm(_) = self.next {
            return;
        }
        if let (Next::At(at), Some(Recovery { since, retry_at })) = (&mut self.next, recovery)
            && self.failed_at.is_some_and(|failed| failed < since)
        {
            *at = retry_at.min(*at);
        }
        if self.answered_at.is_some_and(|answered| news_at.is_some_and(|news| answered < news)) {
            self.next = Next::At(now);
            // What it knows besides is no older than before.
            self.not_before = self.not_before.max(self.answered_at);
        }
    }

    /// A clock that was set back must not put off what was planned by the time before.
    fn follow_clock(&mut self, now: Timestamp) {
        let Some(interval) = self.interval() else { return };
        let longest = schedule::longest_wait(interval);
        match &mut self.next {
            Next::At(at) => *at = (*at).min(now + longest),
            Next::Confirm(at) => *at = (*at).min(now + SECOND_AFTER_AT_MOST),
            Next::Routine { last, .. } => *last = (*last).min(now),
        }
        self.not_before = self.not_before.map(|at| at.min(now + SECOND_AFTER_AT_MOST));
        self.reread_at = self.reread_at.map(|at| at.min(now + schedule::reread(false)));
        self.quiet_until = self.quiet_until.filter(|until| *until <= now + BETWEEN_ANNOTATIONS);
    }

    fn due(&self) -> Timestamp {
        match self.next {
            Next::At(at) | Next::Confirm(at) => at,
            Next::Routine { last, dead } => {
                let interval = self.period();
                let beat = self.beat.unwrap_or(Beat::new(interval, self.phase));
                if dead {
                    schedule::routine(last, schedule::rejected_period(interval), beat.slowly())
                } else {
                    schedule::routine(last, interval, beat)
                }
            }
        }
    }

    /// Whether nothing is checked because its spec, or that of the connection that it refers to, says so.
    pub fn is_suspended(&self) -> bool {
        self.seen.as_ref().is_some_and(|seen| seen.suspended)
    }

    fn unshared(&self) -> bool {
        matches!(&self.reading, Some(TokenReading::Unavailable { problem, .. }) if problem.is_not_shared())
    }

    /// The Secret to read, if the connection that is referred to shares it.
    pub fn token_source(&self) -> Option<&TokenSource> {
        self.seen.as_ref()?.source.as_ref()
    }

    /// How long a check may be held up before that is a condition of its own.
    fn patience(&self, urgency: Urgency) -> SignedDuration {
        match urgency {
            Urgency::Routine => self.period().signed(),
            Urgency::Asked | Urgency::Confirmation => SignedDuration::from_secs(10),
        }
    }

    /// Whether the check under way is held up for too long.
    fn late(&self) -> bool {
        let patience = self.checking.as_ref().map(|c| self.patience(c.urgency));
        self.held.zip(patience).is_some_and(|(held, patience)| held.by_reset || held.lasting > patience)
    }
}
