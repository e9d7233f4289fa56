//! What is known of a token, shared by all connections that hold it; it goes with the last of them.

use super::flight::Flight;
use crate::{
    clickup::{Identity, NoVerdict, NodeVerdict, TokenKey, TokenVerdict, wait_after_429},
    connection::{Judgement, TokenHistory},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

/// The answer to `GET /v2/user` and `GET /v2/team`, judged in the light of the token's past.
pub(super) type IdentityAnswer = Judgement<Arc<Identity>>;

/// A token's past, its limit, and the questions under way about it.
#[derive(Default)]
pub(super) struct TokenState {
    pub(super) history: TokenHistory,
    pub(super) identity: Flight<IdentityAnswer>,
    probes: Vec<(String, Flight<NodeVerdict>)>,
    /// Requests per minute, as the last answer told.
    pub(super) limit: Option<u32>,
    limited_until: Option<Timestamp>,
    stated_long: bool,
}

impl TokenState {
    /// Nothing is sent between a 429 and its reset.
    pub(super) fn limited_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.limited_until.filter(|until| *until > now)
    }

    /// The question whether the token can be used in a workspace. There are few of them.
    pub(super) fn probe(&mut self, workspace: &str) -> &mut Flight<NodeVerdict> {
        let known = self.probes.iter().position(|(id, _)| id == workspace);
        let at = known.unwrap_or_else(|| {
            self.probes.push((workspace.to_owned(), Flight::default()));
            self.probes.len() - 1
        });
        &mut self.probes[at].1
    }

    /// Judges a verdict about the token.
    pub(super) fn judge<T>(
        &mut self,
        verdict: TokenVerdict<T>,
        key: TokenKey,
        now: Timestamp,
    ) -> Judgement<T> {
        self.history.judge(verdict, now, key.spread())
    }

    /// Takes in a 429, and says what comes of it.
    pub(super) fn limited(&mut self, no: NoVerdict, now: Timestamp) -> NoVerdict {
        let stated = no.reset_in;
        let wait = wait_after_429(stated, self.stated_long);
        self.stated_long = stated.is_some_and(|s| s > SignedDuration::from_mins(2));
        let until = (now + wait).max(self.limited_until.unwrap_or(now));
        self.limited_until = Some(until);
        NoVerdict::rate_limited(Some(until.duration_since(now)))
    }

    /// What a question is answered with while nothing may be sent.
    pub(super) fn refusal(&self, now: Timestamp) -> Option<NoVerdict> {
        self.limited_until(now).map(|until| NoVerdict::rate_limited(Some(until.duration_since(now))))
    }
}

/// The states of all tokens in use.
#[derive(Default)]
pub(super) struct TokenStates {
    states: Mutex<HashMap<TokenKey, Weak<Mutex<TokenState>>>>,
}

impl TokenStates {
    /// The state of a token; `good_before` is what a status says about one that this process has not asked about.
    pub(super) fn of(&self, key: TokenKey, good_before: bool) -> Arc<Mutex<TokenState>> {
        let mut states = lock(&self.states);
        if let Some(state) = states.get(&key).and_then(Weak::upgrade) {
            let history = &mut lock(&state).history;
            if good_before && *history == TokenHistory::Unknown {
                *history = TokenHistory::Good;
            }
            return state.clone();
        }
        if states.len() == states.capacity() {
            // Before the map would grow, those that nobody uses any more make room.
            states.retain(|_, state| state.strong_count() > 0);
        }
        let history = if good_before { TokenHistory::Good } else { TokenHistory::Unknown };
        let state = Arc::new(Mutex::new(TokenState { history, ..TokenState::default() }));
        states.insert(key, Arc::downgrade(&state));
        state
    }
}

/// Locks; what a panic left behind is still good, for every change of these values is a whole one.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::TokenType,
        clickup::{Token, TokenKeys},
    };

    #[test]
    fn a_tokens_state_goes_with_its_last_user() {
        let keys = TokenKeys::generate().unwrap();
        let key =
            |n: u32| keys.key(&Token::parse(format!("pk_{n}").as_bytes(), TokenType::Personal).unwrap());
        let states = TokenStates::default();
        let held = states.of(key(0), true);
        lock(&held).limit = Some(7);
        assert_eq!(lock(&states.of(key(0), false)).limit, Some(7), "shared");
        for n in 1..10_000 {
            drop(states.of(key(n), false));
        }
        assert!(lock(&states.states).len() < 100, "unused entries make room");
        assert_eq!(lock(&states.of(key(0), false)).history, TokenHistory::Good, "a used one stays");
        let new = states.of(key(1), false);
        states.of(key(1), true);
        assert_eq!(lock(&new).history, TokenHistory::Good, "who comes first decides nothing");
        lock(&new).history = TokenHistory::Dead;
        states.of(key(1), true);
        assert_eq!(lock(&new).history, TokenHistory::Dead, "what this process was told counts more");
    }

    #[test]
    fn a_long_wait_is_believed_the_second_time() {
        let (mut state, now) = (TokenState::default(), Timestamp::from_second(0).unwrap());
        let stated = || NoVerdict::rate_limited(Some(SignedDuration::from_mins(10)));
        let mins = |no: NoVerdict| no.reset_in.map(|d| d.as_mins());
        assert_eq!(mins(state.limited(stated(), now)), Some(2));
        assert_eq!(mins(state.limited(stated(), now)), Some(10));
        assert!(state.limited_until(now + SignedDuration::from_mins(9)).is_some());
        assert!(state.limited_until(now + SignedDuration::from_mins(10)).is_none());
    }
}
