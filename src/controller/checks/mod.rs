//! Checks: asking ClickUp about a token, once for all who hold it, in bounded number and time.

mod asker;
mod calls;
mod gate;
mod question;
mod stopwatch;
mod token;

#[cfg(test)]
mod tests;

pub(super) use token::Holding;

use super::{ConnectionRef, Term};
use crate::{
    api::Duration,
    clickup::{self, TokenKey},
    connection::{CheckOutcome, CheckRequest, Held},
    observe::{Metrics, Tracer},
};
use asker::Asker;
use calls::ClickUp;
use jiff::Timestamp;
use std::sync::Arc;
use stopwatch::Stopwatch;
use token::Tokens;
use tokio::sync::{
    Semaphore, mpsc,
    oneshot::{self, error::TryRecvError},
};
use tokio_util::{
    sync::CancellationToken,
    task::{AbortOnDropHandle, TaskTracker, task_tracker::TaskTrackerToken},
};

/// Begins checks and tells when they end.
pub(super) struct Checks {
    asker: Arc<Asker>,
    tokens: Arc<Tokens>,
    tracker: TaskTracker,
    tracer: Tracer,
    wake: mpsc::UnboundedSender<ConnectionRef>,
}

/// What the operator's flags say about checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Requests to ClickUp that are under way at the same time.
    pub(super) at_once: usize,
    /// Percent of a token's limit that routine checks may use.
    pub(super) budget_percent: u8,
}

/// A check under way, or ended and not yet acknowledged. Dropping it ends it.
pub(super) struct RunningCheck {
    outcome: oneshot::Receiver<(CheckOutcome, TaskTrackerToken)>,
    stopwatch: Arc<Stopwatch>,
    /// Keeps a shutdown waiting until the outcome is written.
    pending: Option<TaskTrackerToken>,
    _task: AbortOnDropHandle<()>,
}

/// A check ended without an outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost;

/// Tells that a check has ended, however it ended.
struct TellOnDrop {
    connection: Option<ConnectionRef>,
    wake: mpsc::UnboundedSender<ConnectionRef>,
}

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Nobody listens only when the process is about to end.
            let _ = self.wake.send(connection);
        }
    }
}

impl RunningCheck {
    /// The outcome, once there is one.
    ///
    /// # Errors
    /// None will come: the check died, or the process ends.
    pub(super) fn outcome(&mut self) -> Result<Option<CheckOutcome>, Lost> {
        match self.outcome.try_recv() {
            Ok((outcome, pending)) => {
                self.pending = Some(pending);
                Ok(Some(outcome))
            }
            Err(TryRecvError::Empty) => Ok(None),
            // Once it was taken out, nothing more is expected.
            Err(TryRecvError::Closed) if self.pending.is_some() => Ok(None),
            Err(TryRecvError::Closed) => Err(Lost),
        }
    }

    /// Since when it puts its questions, or is held up; before that it waits for a place.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.stopwatch.began()
    }

    /// Whether it is held up now.
    pub(super) fn held(&self, holding: &Holding, now: Timestamp) -> Option<Held> {
        self.stopwatch.held(holding.state.moment(), holding.awaits_reset(now))
    }
}

impl Checks {
    /// `wake` is told whose check has ended, or is to be looked at for another reason; it holds at most a few entries per
    /// connection.
    pub(super) fn new(
        clickup: clickup::Client,
        term: Term,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        limits: Limits,
        wake: mpsc::UnboundedSender<ConnectionRef>,
    ) -> Self {
        Self::with(Box::new(clickup), term, metrics, tracer, limits, wake, Timestamp::now)
    }

    fn with(
        clickup: Box<dyn ClickUp>,
        term: Term,
        metrics: Arc<Metrics>,
        tracer: Tracer,
        limits: Limits,
        wake: mpsc::UnboundedSender<ConnectionRef>,
        now: fn() -> Timestamp,
    ) -> Self {
        let Limits { at_once, budget_percent } = limits;
        Self {
            asker: Arc::new(Asker {
                clickup,
                term,
                metrics,
                places: Semaphore::new(at_once),
                stop: CancellationToken::new(),
            }),
            tokens: Tokens::new(budget_percent, wake.clone(), now),
            tracker: TaskTracker::new(),
            tracer,
            wake,
        }
    }

    /// Notes that a connection holds a token, which is known and checked together with all others who do;
    /// `good_before` is what its status says of one that this process has not asked about.
    pub(super) fn hold(
        &self,
        key: TokenKey,
        uid: &str,
        connection: &ConnectionRef,
        interval: Duration,
        good_before: bool,
    ) -> Holding {
        self.tokens.hold(key, uid, connection, interval, good_before)
    }

    /// Begins a check.
    pub(super) fn begin(
        &self,
        connection: ConnectionRef,
        holding: &Holding,
        request: CheckRequest,
    ) -> RunningCheck {
        let (sender, outcome) = oneshot::channel();
        let (asker, wake, state) = (self.asker.clone(), self.wake.clone(), holding.state.clone());
        let stopwatch = Arc::new(Stopwatch::default());
        let (times, tracker) = (stopwatch.clone(), self.tracker.clone());
        let namespace: Arc<str> = connection.namespace.as_deref().unwrap_or_default().into();
        let span = self.tracer.check(&namespace, &connection.name, request.urgency);
        let task = self.tracker.spawn(async move {
            // Told also when the task dies; declared first, it is told last.
            let _told = TellOnDrop { connection: Some(connection), wake };
            // Moved in: a receiver that finds the sender gone knows that no outcome comes.
            let sender = sender;
            let Some(outcome) = asker.check(&state, &namespace, request, &times, &span).await else {
                span.end("GivenUp");
                return;
            };
            asker.metrics.check_ended(&outcome);
            span.end(outcome.label());
            let _ = sender.send((outcome, tracker.token()));
        });
        RunningCheck { outcome, stopwatch, pending: None, _task: AbortOnDropHandle::new(task) }
    }

    /// Whether ClickUp cannot be asked about any token.
    pub(super) fn is_outage(&self) -> bool {
        self.tokens.is_outage()
    }

    /// How many tokens are in use.
    pub(super) fn tokens(&self) -> usize {
        self.tokens.count()
    }

    /// Gives up what waits, and waits until every check under way has ended and its outcome was written.
    pub(super) async fn drained(&self) {
        self.asker.stop.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}
