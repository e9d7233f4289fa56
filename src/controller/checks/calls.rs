//! The calls: each through the token's budget and a place among all requests, judged as it comes back.

use super::{
    asker::Asker,
    gate,
    question::{Answered, Errand, Progress},
    token::{IdentityAnswer, State, TokenState},
};
use crate::{
    api::Reason,
    clickup::{
        self, Answer, ChannelPage, Identity, Named, NoVerdict, NodeKind, NodeVerdict, RateLimit, Reply,
        Token, TokenVerdict, Urgency, User, Workspace, judge_node, judge_token,
    },
    connection::{Listed, Topic, TopicAnswer},
    observe::{Call, CheckSpan, WaitFor},
};
use futures::{FutureExt, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};
use std::{sync::Arc, time::Duration};
use tokio::sync::SemaphorePermit;

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

impl Asker {
    pub(super) async fn ask_identity(
        &self,
        state: &State,
        token: &Token,
        errand: &Errand,
    ) -> Answered<IdentityAnswer> {
        if errand.on_behalf.annotated {
            self.after_last_annotation(state, errand).await?;
        }
        let span = &errand.on_behalf.span;
        let in_outage = |no| {
            span.in_outage();
            let (asked, answer) = (state.now(), state.judge(TokenVerdict::NoVerdict(no), false));
            state.settle(asked, &answer, None);
            Some((asked, answer))
        };
        if let Err(no) = state.may_wait(self.places.available_permits() > 0) {
            return in_outage(no);
        }
        let (mut permit, _place) = self.place(state, errand, 2, true).await?;
        // The outage may have begun while thousands waited for their turn.
        if let Err(no) = state.permit() {
            return in_outage(no);
        }
        let asked = state.now();
        if errand.on_behalf.annotated {
            state.lock().annotation_at = asked + BETWEEN_ANNOTATIONS;
        }
        errand.send(asked);
        let ask = self.clickup.user(token);
        let user = self.call(state, span, &mut permit, Call::User, ask, judge_token).await;
        let verdict = match user {
            TokenVerdict::Valid(user) => self.ask_workspaces(state, span, token, user, &mut permit).await,
            TokenVerdict::Rejected => TokenVerdict::Rejected,
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(no),
        };
        let answer = state.judge(verdict, true);
        state.settle(asked, &answer, None);
        Some((asked, answer))
    }

    /// Annotations ask once in a while only, however many connections hold the token.
    async fn after_last_annotation(&self, state: &State, errand: &Errand) -> Option<()> {
        let mut waiting = None;
        loop {
            let (now, free) = (state.now(), state.lock().annotation_at);
            // One that is farther away was planned by a clock that was set back since.
            let is_over = free <= now || free > now + BETWEEN_ANNOTATIONS;
            if is_over || errand.urgency() == Urgency::Confirmation {
                return Some(());
            }
            // The budget does not hold it up meanwhile, but a limit may.
            let awaits_reset = state.lock().budget.blocked_until(now).is_some();
            errand.advance(if awaits_reset { Progress::Held } else { Progress::Queued });
            waiting.get_or_insert_with(|| errand.on_behalf.span.wait(WaitFor::Annotation));
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
        span: &CheckSpan,
        token: &Token,
        user: User,
        permit: &mut gate::Permit,
    ) -> TokenVerdict<Arc<Identity>> {
        let ask = self.clickup.workspaces(token, &user.id);
        match self.call(state, span, permit, Call::Workspaces, ask, judge_token).await {
            TokenVerdict::Valid(workspaces) => TokenVerdict::Valid(Arc::new(Identity { user, workspaces })),
            TokenVerdict::Rejected => TokenVerdict::Rejected,
            TokenVerdict::NoVerdict(no) => TokenVerdict::NoVerdict(no),
        }
    }

    pub(super) async fn ask_topic(
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
        settle_topic(state, &mut locked, topic, asked, &answer, None);
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
            if let Ok(place) = self.places.try_acquire() {
                return Some((permit, place));
            }
            let _waiting = errand.on_behalf.span.wait(WaitFor::Place);
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
        Some(self.call(state, &errand.on_behalf.span, &mut permit, call, ask(), judge_node).await)
    }

    /// Sends one request, and judges what comes back.
    async fn call<T, V: MayBeLimited>(
        &self,
        state: &State,
        span: &CheckSpan,
        permit: &mut gate::Permit,
        call: Call,
        send: impl Future<Output = Reply<T>>,
        judge: impl FnOnce(Answer<T>, Option<SignedDuration>) -> V,
    ) -> V {
        if self.term.check().is_err() {
            // Another process may ask by now. This one is about to end, and with it what waits here.
            return std::future::pending().await;
        }
        let told = span.call(call);
        let reply = send.await;
        self.metrics.answered(call, reply.status, reply.elapsed);
        let RateLimit { reset_in, .. } = reply.rate_limit;
        let verdict = judge(reply.answer, reset_in);
        told.answered(reply.status, verdict.no_verdict().map(|no| no.reason));
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

pub(super) fn settle_topic(
    state: &State,
    locked: &mut TokenState,
    topic: &Topic,
    asked: Timestamp,
    answer: &TopicAnswer,
    waited: Option<SignedDuration>,
) {
    let failures = locked.topic(topic).failures();
    let retry_at = answer.no_verdict().map(|no| state.retry_at(locked, no, failures + 1));
    locked.topic(topic).settle(asked, answer.clone(), retry_at, waited);
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
