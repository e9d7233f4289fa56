//! A check: what is asked, in which order, and what is made of it. Every question is asked once for all who hold the token.

use super::{
    gate,
    question::{Answered, Errand, OnBehalf, Progress, Ticket},
    stopwatch::Stopwatch,
    token::{IdentityAnswer, State, TokenState},
};
use crate::{
    api::Reason,
    clickup::{
        self, Answer, ChannelPage, Identity, Named, NoVerdict, NodeKind, NodeVerdict, RateLimit, Reply,
        Token, TokenVerdict, Urgency, User, Workspace, judge_node, judge_token,
    },
    connection::{
        Answers, CheckOutcome, CheckRequest, Judgement, Listed, Topic, TopicAnswer, TopicOf, Verdict,
        resolve, topics,
    },
    observe::{Call, Metrics},
};
use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// Questions about ids that one check asks at the same time.
const QUESTIONS_AT_ONCE: usize = 4;

/// Between two checks of a token that annotations ask for.
const BETWEEN_ANNOTATIONS: SignedDuration = SignedDuration::from_secs(10);

/// A list of channels that has not ended after so many pages is none: ten thousand of them.
const MAX_PAGES: usize = 100;

/// The calls, as far as checks need them.
pub(super) trait ClickUp: Send + Sync + 'static {
    fn user<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Reply<User>>;
    fn workspaces<'a>(&'a self, token: &'a Token, user_id: &'a str) -> BoxFuture<'a, Reply<Vec<Workspace>>>;
    fn spaces<'a>(&'a self, token: &'a Token, workspace: &'a str) -> BoxFuture<'a, Reply<Vec<Named>>>;
    fn channels<'a>(
        &'a self,
        token: &'a Token,
        workspace: &'a str,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Reply<ChannelPage>>;
    fn node<'a>(&'a self, token: &'a Token, kind: NodeKind, id: &'a str) -> BoxFuture<'a, Reply<()>>;
}

/// Puts the questions.
pub(super) struct Asker {
    pub(super) clickup: Box<dyn ClickUp>,
    pub(super) metrics: Arc<Metrics>,
    /// Places for requests that are under way at the same time, of all tokens together.
    pub(super) places: Semaphore,
    /// The process is about to end: what waits is given up.
    pub(super) stop: CancellationToken,
}

/// One check, while it is asked.
struct Check<'a> {
    state: &'a State,
    request: &'a CheckRequest,
    on_behalf: OnBehalf,
    stopwatch: &'a Arc<Stopwatch>,
}

/// An answer to this check; none where its own time was up.
type InTime<T> = Option<(Timestamp, T)>;

/// The process ends before there is an answer.
struct Ended;

impl Asker {
    /// Asks; nothing comes of it where the process ends meanwhile.
    pub(super) async fn check(
        self: &Arc<Self>,
        state: &State,
        namespace: &Arc<str>,
        request: CheckRequest,
        stopwatch: &Arc<Stopwatch>,
    ) -> Option<CheckOutcome> {
        let on_behalf = OnBehalf {
            namespace: namespace.clone(),
            last_verdict: request.last_verdict,
            urgency: request.urgency,
            annotated: request.annotated,
        };
        let check = Check { state, request: &request, on_behalf, stopwatch };
        let (asked, verdict, retry_at) = self.verdict(&check).await.ok()?;
        let now = state.now();
        let rate_limit = {
            let mut locked = state.lock();
            locked.forget_old_answers(now);
            locked.budget.limit()
        };
        let CheckRequest { key, demand, requested_at, .. } = request;
        let held = stopwatch.held_for(now);
        Some(CheckOutcome {
            key,
            demand,
            requested_at,
            verdict,
            rate_limit,
            held,
            asked,
            retry_at,
            ended: now,
        })
    }

    async fn verdict(
        self: &Arc<Self>,
        check: &Check<'_>,
    ) -> Result<(Timestamp, Verdict, Option<Timestamp>), Ended> {
        let (asked, identity) =
            self.identity(check, check.request.not_before, check.on_behalf.clone()).await?;
        let identity = match identity {
            Judgement::Valid(identity) => identity,
            other => return Ok((asked, without_identity(other), check.state.lock().identity.retry_at())),
        };
        let (answers, retry_at) = self.answers(check, &identity).await?;
        if !answers.iter().any(|(_, answer)| matches!(answer, NodeVerdict::TokenDead)) {
            return Ok((asked, valid(identity, answers), retry_at));
        }
        // A call on an id cannot reject a token; the token itself is asked about again at once.
        let at_once = OnBehalf { annotated: false, ..check.on_behalf.clone() };
        match self.identity(check, check.state.now(), at_once).await? {
            (asked, Judgement::Valid(_)) => Ok((asked, valid(identity, answers), retry_at)),
            (asked, other) => Ok((asked, without_identity(other), check.state.lock().identity.retry_at())),
        }
    }

    /// Whose token it is.
    async fn identity(
        self: &Arc<Self>,
        check: &Check<'_>,
        not_before: Timestamp,
        on_behalf: OnBehalf,
    ) -> Result<(Timestamp, IdentityAnswer), Ended> {
        let state = check.state;
        let ticket = state.lock().identity.join(
            not_before,
            state.now(),
            on_behalf,
            |_| true,
            |errand| {
                let (asker, state, token) = (self.clone(), state.clone(), check.request.token.clone());
                async move { asker.ask_identity(&state, &token, &errand).await }.boxed()
            },
        );
        let errand = ticket.errand.as_ref().map(Errand::trace);
        if let Some(answer) = check.wait(ticket).await? {
            return Ok(answer);
        }
        // Its own time was up. If nobody waits any more, that is what came of the question; else only of this check.
        let (now, no) = (state.now(), TokenVerdict::NoVerdict(NoVerdict::timed_out()));
        let abandoned = errand.filter(|errand| state.lock().identity.is_abandoned(errand));
        let Some(errand) = abandoned else {
            return Ok((now, state.lock().history.clone().judge(no, now, state.key.spread())));
        };
        let answer = state.judge(no, true);
        state.settle(errand.sent().unwrap_or(now), &answer);
        Ok((now, answer))
    }

    async fn ask_identity(&self, state: &State, token: &Token, errand: &Errand) -> Answered<IdentityAnswer> {
        if errand.on_behalf.annotated {
            self.after_last_annotation(state, errand).await?;
        }
        if let Err(no) = state.permit() {
            let (asked, answer) = (state.now(), state.judge(TokenVerdict::NoVerdict(no), false));
            state.settle(asked, &answer);
            return Some((asked, answer));
        }
        let (mut permit, _place) = self.place(state, errand, 2, true).await?;
        let asked = state.now();
        if errand.on_behalf.annotated {
            state.lock().annotation_at = asked + BETWEEN_ANNOTATIONS;
        }
        errand.send(asked);
        let user = self.call(state, &mut permit, Call::User, self.clickup.user(token), judge_token).await;
        let verdict = match user {
            TokenVerdict::Valid(user) => self.ask_workspaces(state, token, user, &mut permit).await,
            TokenVerdict::Rejected => TokenVerdict::Rejected,
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(no),
        };
        let answer = state.judge(verdict, true);
        state.settle(asked, &answer);
        Some((asked, answer))
    }

    /// Annotations ask once in a while only, however many connections hold the token.
    async fn after_last_annotation(&self, state: &State, errand: &Errand) -> Option<()> {
        loop {
            let (now, free) = (state.now(), state.lock().annotation_at);
            if free <= now || errand.urgency() == Urgency::Confirmation {
                return Some(());
            }
            errand.advance(Progress::Held);
            let wait = Duration::try_from(free.duration_since(now)).unwrap_or_default();
            tokio::select! {
                // Now and then it looks whether somebody has joined who must not wait.
                () = tokio::time::sleep(wait.min(Duration::from_secs(1))) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    async fn ask_workspaces(
        &self,
        state: &State,
        token: &Token,
        user: User,
        permit: &mut gate::Permit,
    ) -> TokenVerdict<Arc<Identity>> {
        let ask = self.clickup.workspaces(token, &user.id);
        match self.call(state, permit, Call::Workspaces, ask, judge_token).await {
            TokenVerdict::Valid(workspaces) => TokenVerdict::Valid(Arc::new(Identity { user, workspaces })),
            TokenVerdict::Rejected => TokenVerdict::Rejected,
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(no),
        }
    }

    /// Asks about everything else that the demand names. Once a limit stops one question, the rest waits for its reset too.
    async fn answers(
        self: &Arc<Self>,
        check: &Check<'_>,
        identity: &Identity,
    ) -> Result<(Vec<(TopicOf, TopicAnswer)>, Option<Timestamp>), Ended> {
        let demand = &check.request.demand;
        let mut open = topics(demand, &resolve(demand, &identity.workspaces));
        let asked = open.clone();
        let mut answering = stream::iter(asked)
            .map(|of| async move {
                let answer = self.answer(check, &of).await;
                (of, answer)
            })
            .buffer_unordered(QUESTIONS_AT_ONCE);
        let (mut answers, mut retry_at) = (Vec::with_capacity(open.len()), None::<Timestamp>);
        while let Some((of, answer)) = answering.next().await {
            let answer = answer?;
            if let NodeVerdict::NoVerdict(_) = &answer {
                let at = check.state.lock().topic(&of.topic).retry_at();
                retry_at = retry_at.into_iter().chain(at).min();
            }
            let limit = answer.no_verdict().filter(|no| no.reason == Reason::RateLimited).cloned();
            open.retain(|known| *known != of);
            answers.push((of, answer));
            if let Some(limit) = limit {
                answers.extend(open.drain(..).map(|of| (of, NodeVerdict::NoVerdict(limit.clone()))));
                break;
            }
        }
        Ok((answers, retry_at))
    }

    async fn answer(self: &Arc<Self>, check: &Check<'_>, of: &TopicOf) -> Result<TopicAnswer, Ended> {
        let (state, request) = (check.state, check.request);
        if check.stopwatch.left(Duration::from(request.timeout)).is_zero() {
            return Ok(NodeVerdict::NoVerdict(NoVerdict::timed_out()));
        }
        let ticket = {
            let mut locked = state.lock();
            locked.names |= of.names;
            let serves = |answer: &TopicAnswer| !of.names || !matches!(answer, NodeVerdict::Granted(None));
            let question = locked.topic(&of.topic);
            // Only whether the token is dead cannot wait.
            let urgency = check.on_behalf.urgency.max(Urgency::Asked);
            let on_behalf = OnBehalf { urgency, ..check.on_behalf.clone() };
            question.join(request.not_before, state.now(), on_behalf, serves, |errand| {
                let (asker, state, token, topic) =
                    (self.clone(), state.clone(), request.token.clone(), of.topic.clone());
                async move { asker.ask_topic(&state, &token, &topic, &errand).await }.boxed()
            })
        };
        let errand = ticket.errand.as_ref().map(Errand::trace);
        if let Some((_, answer)) = check.wait(ticket).await? {
            return Ok(answer);
        }
        let (now, answer) = (state.now(), NodeVerdict::NoVerdict(NoVerdict::timed_out()));
        let mut locked = state.lock();
        if let Some(errand) = errand.filter(|errand| locked.topic(&of.topic).is_abandoned(errand)) {
            settle_topic(state, &mut locked, &of.topic, errand.sent().unwrap_or(now), &answer);
        }
        Ok(answer)
    }

    async fn ask_topic(
        &self,
        state: &State,
        token: &Token,
        topic: &Topic,
        errand: &Errand,
    ) -> Answered<TopicAnswer> {
        let keep = |listed: Vec<Named>| Some(Listed::from(listed));
        let answer = match topic {
            Topic::Workspace(id) => {
                self.node(state, errand, Call::Spaces, || self.clickup.spaces(token, id)).await?.map(keep)
            }
            Topic::Channels(id) => self.channels(state, token, id, errand).await?,
            Topic::Node(kind, id) => {
                let call = Call::from(*kind);
                self.node(state, errand, call, || self.clickup.node(token, *kind, id)).await?.map(|()| None)
            }
        };
        let asked = errand.sent().unwrap_or(state.now());
        // Who wants the names has said so by now, or comes too late for this flight and asks again.
        let mut locked = state.lock();
        let names = locked.names;
        let answer = answer.map(|listed| listed.filter(|_| names));
        settle_topic(state, &mut locked, topic, asked, &answer);
        locked.topic(topic).ended(errand);
        Some((asked, answer))
    }

    /// All pages of a workspace's channels.
    async fn channels(
        &self,
        state: &State,
        token: &Token,
        workspace: &str,
        errand: &Errand,
    ) -> Option<TopicAnswer> {
        let (mut channels, mut cursor) = (Vec::new(), None::<String>);
        for _ in 0..MAX_PAGES {
            let at = cursor.as_deref();
            let ask = || self.clickup.channels(token, workspace, at);
            match self.node(state, errand, Call::Channels, ask).await? {
                NodeVerdict::Granted(page) => {
                    channels.extend(page.channels);
                    cursor = page.next;
                    if cursor.is_none() {
                        Named::sort(&mut channels);
                        return Some(NodeVerdict::Granted(Some(channels.into())));
                    }
                }
                // The workspace had a first page: this is about the cursor.
                NodeVerdict::NotFound | NodeVerdict::Denied | NodeVerdict::PlanRequired
                    if cursor.is_some() =>
                {
                    return Some(NodeVerdict::NoVerdict(NoVerdict::unending_list()));
                }
                other => return Some(other.map(|_| None)),
            }
        }
        Some(NodeVerdict::NoVerdict(NoVerdict::unending_list()))
    }

    /// Waits for the budget, and then for a place; gives up when the process ends.
    async fn place(
        &self,
        state: &State,
        errand: &Errand,
        requests: u32,
        identity: bool,
    ) -> Option<(gate::Permit, SemaphorePermit<'_>)> {
        let wait = async {
            let permit = gate::admit(state, errand, requests, identity).await;
            errand.advance(Progress::Queued);
            Some((permit, self.places.acquire().await.ok()?))
        };
        tokio::select! {
            biased;
            place = wait => place,
            () = self.stop.cancelled() => None,
        }
    }

    /// One call on an id, through budget and places.
    async fn node<'a, T>(
        &self,
        state: &State,
        errand: &Errand,
        call: Call,
        ask: impl FnOnce() -> BoxFuture<'a, Reply<T>>,
    ) -> Option<NodeVerdict<T>> {
        let (mut permit, _place) = self.place(state, errand, 1, false).await?;
        errand.send(state.now());
        Some(self.call(state, &mut permit, call, ask(), judge_node).await)
    }

    /// Sends one request, and judges what comes back.
    async fn call<T, V: MayBeLimited>(
        &self,
        state: &State,
        permit: &mut gate::Permit,
        call: Call,
        send: impl Future<Output = Reply<T>>,
        judge: impl FnOnce(Answer<T>, Option<SignedDuration>) -> V,
    ) -> V {
        let reply = send.await;
        self.metrics.answered(call, reply.status, reply.elapsed);
        let RateLimit { reset_in, .. } = reply.rate_limit;
        let verdict = judge(reply.answer, reset_in);
        // First the 429, then who waits: nothing goes out in between.
        let verdict = match verdict.no_verdict().filter(|no| no.reason == Reason::RateLimited) {
            Some(no) => V::of(state.lock().limited(no, state.now())),
            None => verdict,
        };
        if reply.status.is_some() {
            permit.answered(&reply.rate_limit);
        }
        verdict
    }
}

impl Check<'_> {
    /// Waits for an answer as long as the check's calls may take; not counted is what the budget holds up.
    async fn wait<T: Clone + Send + Sync + 'static>(&self, ticket: Ticket<T>) -> Result<InTime<T>, Ended> {
        let Ticket { errand: _, mut progress, mut flight, raised } = ticket;
        if let Some(turn) = raised {
            self.state.lock().turns.raise(turn, self.on_behalf.urgency);
            gate::pump(self.state);
        }
        let limit = Duration::from(self.request.timeout);
        let mut watching = self.stopwatch.watch(self.state.clock());
        loop {
            watching.see(*progress.borrow_and_update());
            let left = self.stopwatch.left(limit);
            tokio::select! {
                biased;
                answer = &mut flight => return answer.map(Some).ok_or(Ended),
                changed = progress.changed() => if changed.is_err() {
                    return flight.await.map(Some).ok_or(Ended);
                },
                () = tokio::time::sleep(left), if watching.is_sent() => {
                    if self.stopwatch.left(limit).is_zero() {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

fn valid(identity: Arc<Identity>, answered: Vec<(TopicOf, TopicAnswer)>) -> Verdict {
    let mut answers = Answers::default();
    for (of, answer) in answered {
        answers.insert(
            of,
            match answer {
                // The token was asked about again, and is alive.
                NodeVerdict::TokenDead => NodeVerdict::NoVerdict(NoVerdict::refused()),
                other => other,
            },
        );
    }
    Verdict::Valid { identity, answers: Box::new(answers) }
}

fn without_identity(answer: IdentityAnswer) -> Verdict {
    match answer {
        Judgement::Valid(identity) => valid(identity, Vec::new()),
        Judgement::Rejected => Verdict::Rejected,
        Judgement::RejectedOnce(no) => Verdict::RejectedOnce(no),
        Judgement::Suspect { again_at } => Verdict::Suspect { again_at },
        Judgement::NoVerdict(no) => Verdict::NoVerdict(no),
    }
}

fn settle_topic(
    state: &State,
    locked: &mut TokenState,
    topic: &Topic,
    asked: Timestamp,
    answer: &TopicAnswer,
) {
    let failures = locked.topic(topic).failures();
    let retry_at = answer.no_verdict().map(|no| state.retry_at(locked, no, failures + 1));
    locked.topic(topic).settle(asked, answer.clone(), retry_at);
}

/// A verdict that may be that the limit is used up.
trait MayBeLimited {
    fn of(no: NoVerdict) -> Self;
    fn no_verdict(&self) -> Option<&NoVerdict>;
}

impl<T> MayBeLimited for TokenVerdict<T> {
    fn of(no: NoVerdict) -> Self {
        Self::NoVerdict(no)
    }

    fn no_verdict(&self) -> Option<&NoVerdict> {
        if let Self::NoVerdict(no) = self { Some(no) } else { None }
    }
}

impl<T> MayBeLimited for NodeVerdict<T> {
    fn of(no: NoVerdict) -> Self {
        Self::NoVerdict(no)
    }

    fn no_verdict(&self) -> Option<&NoVerdict> {
        NodeVerdict::no_verdict(self)
    }
}

impl ClickUp for clickup::Client {
    fn user<'a>(&'a self, token: &'a Token) -> BoxFuture<'a, Reply<User>> {
        Self::user(self, token).boxed()
    }

    fn workspaces<'a>(&'a self, token: &'a Token, user_id: &'a str) -> BoxFuture<'a, Reply<Vec<Workspace>>> {
        Self::workspaces(self, token, user_id).boxed()
    }

    fn spaces<'a>(&'a self, token: &'a Token, workspace: &'a str) -> BoxFuture<'a, Reply<Vec<Named>>> {
        Self::spaces(self, token, workspace).boxed()
    }

    fn channels<'a>(
        &'a self,
        token: &'a Token,
        workspace: &'a str,
        cursor: Option<&'a str>,
    ) -> BoxFuture<'a, Reply<ChannelPage>> {
        Self::channels(self, token, workspace, cursor).boxed()
    }

    fn node<'a>(&'a self, token: &'a Token, kind: NodeKind, id: &'a str) -> BoxFuture<'a, Reply<()>> {
        Self::node(self, token, kind, id).boxed()
    }
}
