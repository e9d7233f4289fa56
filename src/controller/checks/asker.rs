//! A check: what is asked, in which order, and what is made of it. Every question is asked once for all who hold the token.

use super::{
    calls::{ClickUp, settle_topic},
    gate,
    question::{Errand, OnBehalf, Question, Ticket},
    stopwatch::Stopwatch,
    token::{IdentityAnswer, State},
};
use crate::{
    api::Reason,
    clickup::{Identity, NoVerdict, NodeVerdict, TokenVerdict, Urgency},
    connection::{
        Answers, CheckOutcome, CheckRequest, Judgement, TopicAnswer, TopicOf, Verdict, resolve, topics,
    },
    controller::Term,
    observe::{CheckSpan, Metrics},
};
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Questions about ids that one check asks at the same time.
const QUESTIONS_AT_ONCE: usize = 4;

/// Puts the questions.
pub(super) struct Asker {
    pub(super) clickup: Box<dyn ClickUp>,
    /// Until when this process may ask.
    pub(super) term: Term,
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
        span: &CheckSpan,
    ) -> Option<CheckOutcome> {
        let on_behalf = OnBehalf {
            namespace: namespace.clone(),
            last_verdict: request.last_verdict,
            urgency: request.urgency,
            annotated: request.annotated,
            timeout: request.timeout.signed(),
            span: span.clone(),
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
        let held = stopwatch.held_for(state.moment());
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
        // A call on an id cannot reject a token; the token itself is asked about again at once, ahead of the budget.
        let at_once =
            OnBehalf { annotated: false, urgency: Urgency::Confirmation, ..check.on_behalf.clone() };
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
            // Judged by the token's past, and not remembered: for the others it goes on.
            let mut history = state.lock().history;
            return Ok((now, history.judge(no, now, state.key.spread())));
        };
        let answer = state.judge(no, true);
        let asked = errand.sent().unwrap_or(now);
        state.settle(asked, &answer, Some(now.duration_since(asked)));
        Ok((now, answer))
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
                let at = check.state.lock().known_topic(&of.topic).and_then(Question::retry_at);
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
        let question = locked.known_topic(&of.topic);
        if let Some(errand) = errand.filter(|errand| question.is_some_and(|q| q.is_abandoned(errand))) {
            let asked = errand.sent().unwrap_or(now);
            settle_topic(state, &mut locked, &of.topic, asked, &answer, Some(now.duration_since(asked)));
        }
        Ok(answer)
    }
}

impl Check<'_> {
    /// Waits for an answer as long as the check's calls may take; not counted is what the budget holds up.
    async fn wait<T: Clone + Send + Sync + 'static>(&self, ticket: Ticket<T>) -> Result<InTime<T>, Ended> {
        // The errand is held until the end: whether anybody still holds it tells whether the flight is given up.
        let Ticket { errand, mut progress, mut flight, raised } = ticket;
        let asker = errand.as_ref().map(|errand| &errand.on_behalf.span);
        let _waiting = asker.map(|asker| self.on_behalf.span.wait_for_answer_to(asker));
        if let (Some(turn), Some(errand)) = (raised, &errand) {
            self.state.lock().turns.raise(turn, errand.urgency());
            gate::pump(self.state);
        }
        let limit = Duration::from(self.request.timeout);
        let mut watching = self.stopwatch.watch(|| self.state.moment());
        loop {
            let come = *progress.borrow_and_update();
            watching.see(come);
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
