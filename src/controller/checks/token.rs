//! What is known of a token, shared by all connections that hold it; it goes with the last of them.

use super::{gate, question::Question, stopwatch::Moment};
use crate::{
    api::{Duration, Reason},
    clickup::{Breaker, Budget, Identity, NoVerdict, TokenKey, TokenVerdict, Turns},
    connection::{Beat, Common, Judgement, Recovery, TokenHistory, Topic, TopicAnswer, retry_after},
    controller::{ConnectionRef, Place, lock},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, Weak},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

/// The answer to `GET /v2/user` and `GET /v2/team`, judged in the light of the token's past.
pub(super) type IdentityAnswer = Judgement<Arc<Identity>>;

/// What is known of a token, for who holds it.
pub(super) type State = Arc<TokenCell>;

/// Connections that come to hold a token, or cease to, change when all are checked; they are told so together.
const REALIGN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// After an outage, those who failed in it are checked within this time.
const RECOVERY: SignedDuration = SignedDuration::from_secs(20);

/// How often ClickUp is tried in an outage; the breaker sees to it.
const TRIES_PER_SECOND: i32 = 5;

/// With few tokens ClickUp's return is noticed so soon.
const SHORTEST_TURN: SignedDuration = SignedDuration::from_secs(20);

/// Answers about ids that nobody has asked for so long are forgotten.
const FORGET_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// A token's past, its limit, who holds it, and the questions under way about it.
pub(super) struct TokenState {
    pub(super) history: TokenHistory,
    pub(super) identity: Question<IdentityAnswer>,
    /// Few: a list is smaller than a map.
    topics: Vec<(Topic, Box<Question<TopicAnswer>>)>,
    /// Whether anybody was ever interested in the names that a workspace lists.
    pub(super) names: bool,
    pub(super) budget: Budget,
    /// How long nothing could be sent until a limit had reset, all of the wait under way included.
    awaited: SignedDuration,
    pub(super) turns: Turns<oneshot::Sender<()>>,
    pub(super) pump_at: Option<(Timestamp, AbortOnDropHandle<()>)>,
    /// When an annotation may ask again.
    pub(super) annotation_at: Timestamp,
    recovery: Option<Recovery>,
    /// What ClickUp said last: whose it is, or that it is dead.
    verdict: Option<Option<Arc<Identity>>>,
    /// When that was asked, if it was news.
    news_at: Option<Timestamp>,
    /// By uid.
    holders: Vec<HeldBy>,
    beat: Option<Beat>,
    realigning: Option<AbortOnDropHandle<()>>,
}

/// A token's state, and what is the same for all tokens.
pub(super) struct TokenCell {
    pub(super) key: TokenKey,
    tokens: Arc<Tokens>,
    state: Mutex<TokenState>,
}

/// A connection that holds a token.
struct HeldBy {
    uid: Box<str>,
    interval: Duration,
    connection: Place,
}

/// All tokens in use.
pub(super) struct Tokens {
    states: Mutex<HashMap<TokenKey, Weak<TokenCell>>>,
    breaker: Mutex<Breaker>,
    budget_percent: u8,
    wake: mpsc::UnboundedSender<ConnectionRef>,
    now: fn() -> Timestamp,
}

/// That a connection holds a token; dropping it ends that.
pub(in crate::controller) struct Holding {
    pub(super) state: State,
    uid: Box<str>,
}

impl TokenCell {
    pub(super) fn lock(&self) -> MutexGuard<'_, TokenState> {
        lock(&self.state)
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.tokens.now)()
    }

    /// The time, as a stopwatch wants it.
    pub(super) fn moment(&self) -> Moment {
        let (now, locked) = (self.now(), self.lock());
        let left = locked.budget.blocked_until(now).map_or(SignedDuration::ZERO, |at| at.duration_since(now));
        Moment { now, awaited: locked.awaited - left }
    }

    /// Judges a verdict about the token, and tells the breaker.
    pub(super) fn judge<T>(&self, verdict: TokenVerdict<T>, asked: bool) -> Judgement<T> {
        let now = self.now();
        match &verdict {
            TokenVerdict::NoVerdict(no) if asked => self.tokens.failed(self.key, no, now),
            TokenVerdict::NoVerdict(_) => {}
            TokenVerdict::Valid(_) | TokenVerdict::Rejected => self.tokens.answered(now),
        }
        self.lock().history.judge(verdict, now, self.key.spread())
    }

    /// Takes in an answer about the token, whoever asked for it.
    pub(super) fn settle(&self, asked: Timestamp, answer: &IdentityAnswer, waited: Option<SignedDuration>) {
        let mut locked = self.lock();
        let no = match answer {
            Judgement::NoVerdict(no) | Judgement::RejectedOnce(no) => Some(no),
            Judgement::Valid(_) | Judgement::Rejected | Judgement::Suspect { .. } => None,
        };
        let failures = locked.identity.failures();
        let retry_at = no.map(|no| self.retry_at(&locked, no, failures + 1));
        // What was asked before and is told after is no news.
        let newest = locked.identity.settle(asked, answer.clone(), retry_at, waited);
        if newest && locked.is_news(asked, answer) {
            locked.wake(&self.tokens.wake);
        }
    }

    /// When a question is asked again that came to no verdict so many times. In an outage the tokens take turns.
    pub(super) fn retry_at(&self, locked: &TokenState, no: &NoVerdict, failures: u32) -> Timestamp {
        let now = self.now();
        if let Some(reset) = no.reset_in.filter(|_| no.reason == Reason::RateLimited) {
            return now + reset;
        }
        let interval = locked.beat.map_or(Duration::from_mins(10), |beat| beat.period);
        let backoff = retry_after(failures, interval, self.key.seed());
        now + self
            .tokens
            .turn()
            .map_or(backoff, |turn| backoff.min(turn.mul_f64(0.5 + self.key.spread() / 2.0)))
    }

    /// Whether ClickUp may be asked about the token now, or is known not to answer.
    pub(super) fn permit(&self) -> Result<(), NoVerdict> {
        lock(&self.tokens.breaker).permit(self.now())
    }

    /// Whether a question may wait until it may be asked.
    pub(super) fn may_wait(&self, its_turn: bool) -> Result<(), NoVerdict> {
        lock(&self.tokens.breaker).may_wait(its_turn, self.now())
    }
}

impl Drop for TokenCell {
    fn drop(&mut self) {
        let mut states = lock(&self.tokens.states);
        if states.get(&self.key).is_some_and(|state| state.strong_count() == 0) {
            states.remove(&self.key);
        }
    }
}

impl TokenState {
    /// The question about an id.
    pub(super) fn topic(&mut self, topic: &Topic) -> &mut Question<TopicAnswer> {
        let place = self.topics.iter().position(|(known, _)| known == topic).unwrap_or_else(|| {
            self.topics.reserve_exact(1);
            self.topics.push((topic.clone(), Box::default()));
            self.topics.len() - 1
        });
        &mut self.topics[place].1
    }

    /// The question about an id, if it was asked lately.
    pub(super) fn known_topic(&self, topic: &Topic) -> Option<&Question<TopicAnswer>> {
        self.topics.iter().find_map(|(known, question)| (known == topic).then_some(&**question))
    }

    /// Forgets the answers that nobody asks for any more.
    pub(super) fn forget_old_answers(&mut self, now: Timestamp) {
        let longest = self.beat.map_or(FORGET_AFTER, |beat| beat.period.signed().max(FORGET_AFTER));
        self.topics.retain(|(_, question)| question.is_fresh(now - longest));
    }

    /// Takes in what ClickUp says about the token. Returns whether that is news to those who hold it: they are to take over
    /// an answer that one of them has asked for.
    fn is_news(&mut self, asked: Timestamp, answer: &IdentityAnswer) -> bool {
        let verdict = match answer {
            Judgement::Valid(identity) => Some(identity.clone()),
            Judgement::Rejected => None,
            Judgement::RejectedOnce(_) | Judgement::Suspect { .. } | Judgement::NoVerdict(_) => return false,
        };
        let news = match self.verdict.replace(verdict.clone()) {
            // Whoever comes to hold a token asks for himself.
            None => verdict.is_none(),
            Some(before) => before != verdict,
        };
        if news {
            self.news_at = Some(asked);
        }
        news && self.holders.len() > 1
    }

    /// Takes in a 429, and says what comes of it.
    pub(super) fn limited(&mut self, no: &NoVerdict, now: Timestamp) -> NoVerdict {
        let awaited_until = self.budget.blocked_until(now).unwrap_or(now);
        let until = self.budget.limited(no.reset_in, now);
        self.awaited += until.duration_since(awaited_until);
        NoVerdict::rate_limited(Some(until.duration_since(now)))
    }

    /// All are checked at the shortest interval among them, in the phase of the smallest uid.
    fn find_beat(&self, period: Option<Duration>) -> Option<Beat> {
        let period = period.or_else(|| self.holders.iter().map(|h| h.interval).min())?;
        Some(Beat::of(period, &self.holders.first()?.uid))
    }

    fn place_of(&self, uid: &str) -> Result<usize, usize> {
        self.holders.binary_search_by(|h| (*h.uid).cmp(uid))
    }
}

impl Tokens {
    pub(super) fn new(
        budget_percent: u8,
        wake: mpsc::UnboundedSender<ConnectionRef>,
        now: fn() -> Timestamp,
    ) -> Arc<Self> {
        let (states, breaker) = (Mutex::default(), Mutex::default());
        Arc::new(Self { states, breaker, budget_percent, wake, now })
    }

    /// Notes that a connection holds a token; `good_before` is what its status says of one that this process has not asked
    /// about.
    pub(super) fn hold(
        self: &Arc<Self>,
        key: TokenKey,
        uid: &str,
        connection: &ConnectionRef,
        interval: Duration,
        good_before: bool,
    ) -> Holding {
        let state = self.state(key);
        let mut locked = state.lock();
        if good_before && locked.history == TokenHistory::Unknown {
            locked.history = TokenHistory::Good;
        }
        let place = locked.place_of(uid).unwrap_or_else(|place| place);
        locked.holders.insert(place, HeldBy { uid: uid.into(), interval, connection: Place::of(connection) });
        let period = locked.beat.map_or(interval, |beat| beat.period.min(interval));
        self.realign(&state, &mut locked, Some(period));
        drop(locked);
        Holding { state, uid: uid.into() }
    }

    fn state(self: &Arc<Self>, key: TokenKey) -> State {
        let mut states = lock(&self.states);
        if let Some(state) = states.get(&key).and_then(Weak::upgrade) {
            return state;
        }
        let state = TokenState {
            history: TokenHistory::Unknown,
            identity: Question::default(),
            topics: Vec::new(),
            names: false,
            budget: Budget::new(self.budget_percent),
            awaited: SignedDuration::ZERO,
            turns: Turns::new(),
            pump_at: None,
            annotation_at: Timestamp::MIN,
            recovery: None,
            verdict: None,
            news_at: None,
            holders: Vec::with_capacity(1),
            beat: None,
            realigning: None,
        };
        let state = Arc::new(TokenCell { key, tokens: self.clone(), state: Mutex::new(state) });
        states.insert(key, Arc::downgrade(&state));
        state
    }

    /// Finds the beat anew, its period if it is not known; if it has changed, the other holders are woken to follow it.
    fn realign(&self, state: &State, locked: &mut TokenState, period: Option<Duration>) {
        let beat = locked.find_beat(period);
        if std::mem::replace(&mut locked.beat, beat) == beat || locked.holders.len() < 2 {
            return;
        }
        if locked.realigning.is_none() {
            let (state, wake) = (Arc::downgrade(state), self.wake.clone());
            locked.realigning = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                tokio::time::sleep(REALIGN_AFTER).await;
                let Some(state) = state.upgrade() else { return };
                let this = state.lock().realigning.take();
                state.lock().wake(&wake);
                drop(this);
            })));
        }
    }

    /// Whether nobody gets an answer.
    pub(super) fn is_outage(&self) -> bool {
        lock(&self.breaker).is_open()
    }

    /// How many tokens are in use.
    pub(super) fn count(&self) -> usize {
        lock(&self.states).len()
    }

    /// While nobody gets an answer: how long it takes until every token had its turn to try.
    fn turn(&self) -> Option<SignedDuration> {
        let tokens = lock(&self.states).len();
        let each = SignedDuration::from_secs(1) / TRIES_PER_SECOND;
        let all = each.saturating_mul(i32::try_from(tokens).unwrap_or(i32::MAX));
        lock(&self.breaker).is_open().then_some(all.max(SHORTEST_TURN))
    }

    /// ClickUp could not be asked about a token.
    fn failed(&self, key: TokenKey, no: &NoVerdict, now: Timestamp) {
        let tokens = lock(&self.states).len();
        if lock(&self.breaker).failed(key, no, tokens, now) {
            warn!(reason = %no.reason, "ClickUp cannot be asked about any token: it is tried five times a second at most");
        }
    }

    /// ClickUp has answered; after an outage all who failed in it are checked soon.
    fn answered(&self, now: Timestamp) {
        let tokens = lock(&self.states).len();
        if !lock(&self.breaker).verdict(tokens, now) {
            return;
        }
        info!("ClickUp answers again");

        let states: Vec<_> = lock(&self.states).values().filter_map(Weak::upgrade).collect();
        for state in states {
            let mut locked = state.lock();
            locked.identity.forget_failure();
            locked.topics.iter_mut().for_each(|(_, question)| question.forget_failure());
            locked.recovery =
                Some(Recovery { since: now, retry_at: now + RECOVERY.mul_f64(state.key.spread()) });
            locked.wake(&self.wake);
        }
    }
}

impl TokenState {
    fn wake(&self, wake: &mpsc::UnboundedSender<ConnectionRef>) {
        for holder in &self.holders {
            // Nobody listens only when the process is about to end.
            let _ = wake.send(holder.connection.connection());
        }
    }
}

impl Holding {
    /// The token.
    pub(in crate::controller) fn key(&self) -> TokenKey {
        self.state.key
    }

    /// Follows an edit of the connection's interval.
    pub(in crate::controller) fn set_interval(&self, interval: Duration) {
        let mut locked = self.state.lock();
        let Ok(place) = locked.place_of(&self.uid) else { return };
        if locked.holders[place].interval != interval {
            locked.holders[place].interval = interval;
            self.state.tokens.realign(&self.state, &mut locked, None);
        }
    }

    /// What all who hold the token have in common.
    pub(in crate::controller) fn common(&self) -> Common {
        let (now, locked) = (self.state.now(), self.state.lock());
        // News that lie ahead, where the clock was set back, would be news again and again.
        let news_at = locked.news_at.filter(|at| *at <= now);
        Common { beat: locked.beat, recovery: locked.recovery, news_at }
    }

    /// The token's limit, and what was left of it when ClickUp last answered.
    pub(in crate::controller) fn limit(&self) -> (Option<u32>, Option<u32>) {
        let locked = self.state.lock();
        (locked.budget.limit(), locked.budget.remaining())
    }

    /// Whether nothing may be sent with the token until its limit resets.
    pub(in crate::controller) fn awaits_reset(&self, now: Timestamp) -> bool {
        self.state.lock().budget.blocked_until(now).is_some()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut locked = self.state.lock();
        if let Ok(place) = locked.place_of(&self.uid) {
            let gone = locked.holders.remove(place);
            let period = locked.beat.map(|beat| beat.period).filter(|period| *period < gone.interval);
            self.state.tokens.realign(&self.state, &mut locked, period);
        }
        drop(locked);
        gate::pump(&self.state);
    }
}
