//! What the operator remembers of one connection between two passes, and what follows from it. The order of events is free:
//! edits, Secrets and checks come when they come (`take_in`); the next step, the status and the next point in time follow
//! (`outlook`).

mod outlook;
mod take_in;

use super::{CheckOutcome, Demand, Findings, TokenProblem, schedule, schedule::Phase, status::Touched};
use crate::{
    api::{
        ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, Duration, Reason, SecretKeyRef,
        StoredConnection,
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
    /// Boxed: it is there for a moment only, and there are many sessions.
    outcome: Option<Box<CheckOutcome>>,
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

    /// Whether a check is under way whose end is awaited.
    pub fn awaits_check(&self) -> bool {
        self.checking.is_some()
    }
}
