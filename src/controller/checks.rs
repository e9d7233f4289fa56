//! Checks: asking ClickUp about a token, once for all who hold it, in bounded number and time.

use super::{
    ConnectionRef,
    token_state::{IdentityAnswer, TokenState, TokenStates, lock},
};
use crate::{
    api::Reason,
    clickup::{
        self, Answer, Identity, NoVerdict, NodeVerdict, Reply, Token, TokenKey, TokenVerdict, judge_node,
        judge_token,
    },
    connection::{CheckOutcome, CheckRequest, Judgement, Verdict, resolve},
    observe::{Call, Metrics},
};
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock},
};
use tokio::{
    sync::{
        Semaphore, mpsc,
        oneshot::{self, error::TryRecvError},
    },
    time::{Instant, timeout_at},
};
use tokio_util::task::{AbortOnDropHandle, TaskTracker, task_tracker::TaskTrackerToken};

/// Workspaces that one check tries at the same time.
const PROBES_AT_ONCE: usize = 4;

/// What is known of a token, for who holds it.
pub(super) type State = Arc<Mutex<TokenState>>;

/// Begins checks and tells when they end.
pub(super) struct Checks {
    asker: Arc<Asker>,
    tokens: TokenStates,
    slots: Arc<Semaphore>,
    tracker: TaskTracker,
    ended: mpsc::UnboundedSender<ConnectionRef>,
}

/// A check under way, or ended and not yet acknowledged. Dropping it ends it.
pub(super) struct RunningCheck {
    outcome: oneshot::Receiver<(CheckOutcome, TaskTrackerToken)>,
    since: Arc<OnceLock<Timestamp>>,
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
    ended: mpsc::UnboundedSender<ConnectionRef>,
}

impl Drop for TellOnDrop {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Nobody listens only when the process is about to end.
            let _ = self.ended.send(connection);
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

    /// Since when it puts its questions; before that it waits for a place.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.since.get().copied()
    }
}

impl Checks {
    /// At most `at_once` checks run at the same time. `ended` is told whose check has ended; it holds at most one entry
    /// per connection and end of a check.
    pub(super) fn new(
        clickup: clickup::Client,
        metrics: Arc<Metrics>,
        at_once: usize,
        ended: mpsc::UnboundedSender<ConnectionRef>,
    ) -> Self {
        Self {
            asker: Arc::new(Asker { clickup, metrics }),
            tokens: TokenStates::default(),
            slots: Arc::new(Semaphore::new(at_once)),
            tracker: TaskTracker::new(),
            ended,
        }
    }

    /// What is known of a token. Whoever holds it keeps it.
    pub(super) fn token(&self, key: TokenKey, good_before: bool) -> State {
        self.tokens.of(key, good_before)
    }

    /// Until when nothing may be sent with a token.
    pub(super) fn limited_until(state: &State, now: Timestamp) -> Option<Timestamp> {
        lock(state).limited_until(now)
    }

    /// Begins a check.
    pub(super) fn begin(
        &self,
        connection: ConnectionRef,
        state: State,
        request: CheckRequest,
    ) -> RunningCheck {
        let (sender, outcome) = oneshot::channel();
        let (asker, slots, ended) = (self.asker.clone(), self.slots.clone(), self.ended.clone());
        let since = Arc::new(OnceLock::new());
        let began = since.clone();
        let tracker = self.tracker.clone();
        let task = self.tracker.spawn(async move {
            // Told also when the task dies; declared first, it is told last.
            let _told = TellOnDrop { connection: Some(connection), ended };
            // Moved in: a receiver that finds the sender gone knows that no outcome comes.
            let sender = sender;
            // Waiting for a place does not count against the timeout.
            let Ok(_slot) = slots.acquire_owned().await else { return };
            let pending = tracker.token();
            let _ = began.set(Timestamp::now());
            let outcome = asker.check(&state, request).await;
            asker.metrics.check_ended(&outcome);
            let _ = sender.send((outcome, pending));
        });
        RunningCheck { outcome, since, pending: None, _task: AbortOnDropHandle::new(task) }
    }

    /// Begins no more checks, and waits until every one under way has ended and its outcome was written.
    pub(super) async fn drained(&self) {
        self.slots.close();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Puts the questions.
struct Asker {
    clickup: clickup::Client,
    metrics: Arc<Metrics>,
}

impl Asker {
    async fn check(self: &Arc<Self>, state: &State, request: CheckRequest) -> CheckOutcome {
        let deadline = Instant::now() + request.timeout.into();
        let verdict = match self.identity(state, &request, request.not_before, deadline).await {
            Judgement::Valid(identity) => self.probe(state, &request, identity, deadline).await,
            Judgement::Rejected => Verdict::Rejected,
            Judgement::RejectedOnce(no) => Verdict::RejectedOnce(no),
            Judgement::Suspect { again_at } => Verdict::Suspect { again_at },
            Judgement::NoVerdict(no) => Verdict::NoVerdict(no),
        };
        let CheckRequest { key, demand, requested_at, .. } = request;
        let rate_limit = lock(state).limit;
        CheckOutcome { key, demand, requested_at, verdict, rate_limit, ended: Timestamp::now() }
    }

    /// Whose token it is, asked once for all who want to know at the same time.
    async fn identity(
        self: &Arc<Self>,
        state: &State,
        request: &CheckRequest,
        not_before: Timestamp,
        deadline: Instant,
    ) -> IdentityAnswer {
        let ticket = lock(state).identity.join(not_before, Timestamp::now(), || {
            let (asker, state, token, key) =
                (self.clone(), state.clone(), request.token.clone(), request.key);
            async move { asker.ask_identity(&state, &token, key).await }.boxed()
        });
        let Ok(answer) = timeout_at(deadline, ticket.answer).await else {
            let timed_out = TokenVerdict::NoVerdict(NoVerdict::timed_out());
            return lock(state).judge(timed_out, request.key, Timestamp::now());
        };
        if matches!(answer, Judgement::Valid(_) | Judgement::Rejected) {
            lock(state).identity.remember(ticket.begun, answer.clone());
        }
        answer
    }

    async fn ask_identity(&self, state: &State, token: &Token, key: TokenKey) -> IdentityAnswer {
        let user = match self.ask(state, Call::User, self.clickup.user(token), judge_token).await {
            TokenVerdict::Valid(user) => user,
            TokenVerdict::Rejected => {
                return lock(state).judge(TokenVerdict::Rejected, key, Timestamp::now());
            }
            TokenVerdict::NoVerdict(no) => {
                return lock(state).judge(TokenVerdict::NoVerdict(no), key, Timestamp::now());
            }
        };
        let workspaces = self.clickup.workspaces(token, &user.id);
        let verdict = match self.ask(state, Call::Workspaces, workspaces, judge_token).await {
            TokenVerdict::Valid(workspaces) => TokenVerdict::Valid(Arc::new(Identity { user, workspaces })),
            TokenVerdict::Rejected => TokenVerdict::Rejected,
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(no),
        };
        lock(state).judge(verdict, key, Timestamp::now())
    }

    /// Tries the token in the workspaces that the demand names.
    async fn probe(
        self: &Arc<Self>,
        state: &State,
        request: &CheckRequest,
        identity: Arc<Identity>,
        deadline: Instant,
    ) -> Verdict {
        let resolution = resolve(&request.demand, &identity.workspaces);
        let ids: Vec<_> = resolution.probes().into_iter().map(str::to_owned).collect();
        let probes: BTreeMap<_, _> = stream::iter(ids)
            .map(|id| async move {
                let verdict = self.probe_one(state, request, &id, deadline).await;
                (id, verdict)
            })
            .buffer_unordered(PROBES_AT_ONCE)
            .collect()
            .await;
        if probes.values().any(|p| *p == NodeVerdict::TokenDead) {
            // A call on an id cannot reject a token; the token itself is asked about again at once.
            match self.identity(state, request, Timestamp::now(), deadline).await {
                Judgement::Valid(_) => {}
                Judgement::Rejected => return Verdict::Rejected,
                Judgement::RejectedOnce(no) => return Verdict::RejectedOnce(no),
                Judgement::Suspect { again_at } => return Verdict::Suspect { again_at },
                Judgement::NoVerdict(no) => return Verdict::NoVerdict(no),
            }
        }
        let probes = probes.into_iter().map(|(id, verdict)| match verdict {
            NodeVerdict::TokenDead => (id, NodeVerdict::NoVerdict(NoVerdict::refused())),
            other => (id, other),
        });
        Verdict::Valid { identity, probes: probes.collect() }
    }

    async fn probe_one(
        self: &Arc<Self>,
        state: &State,
        request: &CheckRequest,
        id: &str,
        deadline: Instant,
    ) -> NodeVerdict {
        let ticket = lock(state).probe(id).join(request.not_before, Timestamp::now(), || {
            let (asker, state, token, id) =
                (self.clone(), state.clone(), request.token.clone(), id.to_owned());
            let judge = |answer: Answer<()>, reset| judge_node(&answer, reset);
            async move {
                    asker.ask(&state, Call::Spaces, asker.clickup.probe_workspace(&token, &id), judge).await
                }
                .boxed()
        });
        let Ok(verdict) = timeout_at(deadline, ticket.answer).await else {
            return NodeVerdict::NoVerdict(NoVerdict::timed_out());
        };
        if !matches!(verdict, NodeVerdict::NoVerdict(_) | NodeVerdict::TokenDead) {
            lock(state).probe(id).remember(ticket.begun, verdict.clone());
        }
        verdict
    }

    /// Sends one request, unless the token's limit forbids it, and judges what comes back.
    async fn ask<T, V: Limited>(
        &self,
        state: &State,
        call: Call,
        send: impl Future<Output = Reply<T>>,
        judge: impl FnOnce(Answer<T>, Option<jiff::SignedDuration>) -> V,
    ) -> V {
        if let Some(no) = lock(state).refusal(Timestamp::now()) {
            return V::of(no);
        }
        let reply = send.await;
        self.metrics.answered(call, reply.status, reply.elapsed);
        let verdict = judge(reply.answer, reply.rate_limit.reset_in);
        let mut state = lock(state);
        state.limit = reply.rate_limit.limit.or(state.limit);
        match verdict.limited() {
            Some(no) => V::of(state.limited(no, Timestamp::now())),
            None => verdict,
        }
    }
}

/// A verdict that may be that the limit is used up.
trait Limited {
    fn of(no: NoVerdict) -> Self;

    fn no_verdict(&self) -> Option<&NoVerdict>;

    fn limited(&self) -> Option<NoVerdict> {
        self.no_verdict().filter(|no| no.reason == Reason::RateLimited).cloned()
    }
}

impl<T> Limited for TokenVerdict<T> {
    fn of(no: NoVerdict) -> Self {
        Self::NoVerdict(no)
    }

    fn no_verdict(&self) -> Option<&NoVerdict> {
        if let Self::NoVerdict(no) = self { Some(no) } else { None }
    }
}

impl Limited for NodeVerdict {
    fn of(no: NoVerdict) -> Self {
        Self::NoVerdict(no)
    }

    fn no_verdict(&self) -> Option<&NoVerdict> {
        if let Self::NoVerdict(no) = self { Some(no) } else { None }
    }
}
