//! The way of a request through the token's budget, in turn with others.

use super::{
    question::{Errand, Progress},
    token::State,
};
use crate::{
    clickup::{Next, RateLimit, TurnId, Want},
    observe::WaitFor,
};
use jiff::Timestamp;
use std::sync::{Arc, Weak};
use tokio::sync::oneshot;
use tokio_util::task::AbortOnDropHandle;

/// Requests that may be sent. Those that were not answered when it is dropped are given back.
pub(super) struct Permit {
    state: State,
    left: u32,
}

impl Permit {
    /// An answer has come, and tells this about the limit.
    pub(super) fn answered(&mut self, told: &RateLimit) {
        if self.left > 0 {
            self.left -= 1;
            self.state.lock().budget.answered(told, self.state.now());
        }
        pump(&self.state);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        give_back(&self.state, self.left);
    }
}

fn give_back(state: &State, requests: u32) {
    if requests > 0 {
        let mut locked = state.lock();
        (0..requests).for_each(|_| locked.budget.unanswered());
        drop(locked);
        pump(state);
    }
}

/// Waits until the budget admits these requests.
pub(super) async fn admit(state: &State, errand: &Errand, requests: u32, identity: bool) -> Permit {
    let permit = || Permit { state: state.clone(), left: requests };
    let (turn, granted) = {
        let mut locked = state.lock();
        // Who joins raises it under this lock too.
        let want = Want { urgency: errand.urgency(), requests, identity };
        if locked.turns.is_empty() && locked.budget.admit(want, state.now()).is_ok() {
            return permit();
        }
        let (grant, granted) = oneshot::channel();
        let on_behalf = &errand.on_behalf;
        let turn = locked.turns.push(&on_behalf.namespace, on_behalf.last_verdict, want, grant);
        errand.queued(Some(turn));
        (turn, granted)
    };
    errand.advance(Progress::Held);
    let _waiting = errand.on_behalf.span.wait(WaitFor::Budget);
    let mut place = Place { state, turn, requests, granted: false };
    pump(state);
    // The queue lives as long as the state, which is held here.
    let _ = granted.await;
    place.granted = true;
    errand.queued(None);
    permit()
}

/// A place in the queue, left when nobody waits any more.
struct Place<'a> {
    state: &'a State,
    turn: TurnId,
    requests: u32,
    granted: bool,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.granted {
            return;
        }
        if self.state.lock().turns.remove(self.turn).is_none() {
            // It was granted a moment ago.
            give_back(self.state, self.requests);
        } else {
            // It may have been what the others waited for.
            pump(self.state);
        }
    }
}

/// Lets through whom the budget admits, and sees to it that this happens again when it admits more.
pub(super) fn pump(state: &State) {
    let mut locked = state.lock();
    loop {
        let now = state.now();
        let next = {
            let super::token::TokenState { turns, budget, .. } = &mut *locked;
            turns.next(budget, now)
        };
        match next {
            // Who does not wait any more leaves the queue before.
            Next::Go(grant) => drop(grant.send(())),
            Next::Nobody => return,
            Next::At(at) => {
                let planned =
                    locked.pump_at.as_ref().is_some_and(|(planned, _)| (now..=at).contains(planned));
                if !planned {
                    locked.pump_at = Some((at, later(Arc::downgrade(state), at, now)));
                }
                return;
            }
        }
    }
}

fn later(state: Weak<super::token::TokenCell>, at: Timestamp, now: Timestamp) -> AbortOnDropHandle<()> {
    let wait = std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default();
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        if let Some(state) = state.upgrade() {
            // This very task: it must not end itself before it is done.
            let this = state.lock().pump_at.take();
            pump(&state);
            drop(this);
        }
    }))
}
