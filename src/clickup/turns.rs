//! Turns: in which order those who wait for the budget of one token get it.

use super::{Budget, Urgency, Want};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// A place in the queue. Ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(u64);

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<W> {
    /// This one's requests, which the budget has counted as sent.
    Go(W),
    /// Nobody before then; an answer may make it earlier.
    At(Timestamp),
    /// Nobody waits.
    Nobody,
}

/// Those who wait for the budget of one token: the most urgent first, in turn between namespaces, the oldest verdict
/// first within one.
#[derive(Debug)]
pub struct Turns<W> {
    waiting: BTreeMap<TurnId, Waiting<W>>,
    lines: BTreeMap<(Urgency, Arc<str>), Line>,
    /// The lines in which somebody waits, in the order in which they are served.
    rotation: BTreeMap<(Urgency, Turn), Arc<str>>,
    /// Of `waiting`, the routine ones that ask whether the token is alive.
    looks: u32,
    clock: u64,
}

#[derive(Debug)]
struct Waiting<W> {
    namespace: Arc<str>,
    last_verdict: Option<Timestamp>,
    want: Want,
    waiter: W,
}

/// Who waits in a namespace, with the same urgency.
#[derive(Debug)]
struct Line {
    turn: Turn,
    order: BTreeSet<(Option<Timestamp>, TurnId)>,
}

/// Lines that were never served come first, as they came; then those served longest ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Came(u64),
    Served(u64),
}

impl<W> Default for Turns<W> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            lines: BTreeMap::new(),
            rotation: BTreeMap::new(),
            looks: 0,
            clock: 0,
        }
    }
}

impl<W> Turns<W> {
    /// An empty queue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues up. Who was never verified (`last_verdict` None) comes before those who were.
    pub fn push(
        &mut self,
        namespace: &str,
        last_verdict: Option<Timestamp>,
        want: Want,
        waiter: W,
    ) -> TurnId {
        let id = TurnId(self.tick());
        self.join(id, Waiting { namespace: namespace.into(), last_verdict, want, waiter });
        id
    }

    /// Somebody more urgent has joined this one. Who is gone, or as urgent already, stays as it is.
    pub fn raise(&mut self, id: TurnId, urgency: Urgency) {
        if self.waiting.get(&id).is_some_and(|w| urgency < w.want.urgency)
            && let Some(waiting) = self.leave(id)
        {
            self.join(id, Waiting { want: Want { urgency, ..waiting.want }, ..waiting });
        }
    }

    /// This one wants nothing any more.
    pub fn remove(&mut self, id: TurnId) -> Option<W> {
        let waiting = self.leave(id)?;
        self.forget();
        Some(waiting.waiter)
    }

    /// The next whose requests may be sent now. To be called until it does not say [`Next::Go`], and again after every
    /// answer.
    pub fn next(&mut self, budget: &mut Budget, now: Timestamp) -> Next<W> {
        let mut again = Timestamp::MAX;
        // Each urgency has an allowance of its own: one that is held does not hold the others.
        for urgency in [Urgency::Confirmation, Urgency::Asked, Urgency::Routine] {
            for attempt in [Self::attempt_head, Self::attempt_look] {
                match attempt(self, urgency, budget, now) {
                    Ok(Some(waiter)) => return Next::Go(waiter),
                    Ok(None) => {}
                    Err(at) => again = again.min(at),
                }
            }
        }
        if self.is_empty() { Next::Nobody } else { Next::At(again) }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn in_order(&self, urgency: Urgency) -> impl Iterator<Item = TurnId> {
        let lines = self.rotation.range((urgency, Turn::Came(0))..=(urgency, Turn::Served(u64::MAX)));
        lines
            .filter_map(move |(_, namespace)| self.lines.get(&(urgency, namespace.clone())))
            .flat_map(|line| line.order.iter().map(|(_, id)| *id))
    }

    fn attempt_head(
        &mut self,
        urgency: Urgency,
        budget: &mut Budget,
        now: Timestamp,
    ) -> Result<Option<W>, Timestamp> {
        let head = self.in_order(urgency).next();
        self.attempt(head, budget, now)
    }

    /// A look at the token that the average does not hold need not wait behind the head.
    fn attempt_look(
        &mut self,
        urgency: Urgency,
        budget: &mut Budget,
        now: Timestamp,
    ) -> Result<Option<W>, Timestamp> {
        if urgency != Urgency::Routine || self.looks == 0 {
            return Ok(None);
        }
        let due = budget.look_due();
        if due > now {
            return Err(due);
        }
        let is_look = |id: &TurnId| self.waiting.get(id).is_some_and(|w| w.want.identity);
        let look = self.in_order(urgency).find(is_look);
        self.attempt(look, budget, now)
    }

    fn attempt(
        &mut self,
        id: Option<TurnId>,
        budget: &mut Budget,
        now: Timestamp,
    ) -> Result<Option<W>, Timestamp> {
        let Some((id, waiting)) = id.and_then(|id| self.waiting.get_key_value(&id)) else { return Ok(None) };
        let id = *id;
        budget.admit(waiting.want, now)?;
        Ok(self.serve(id))
    }

    fn join(&mut self, id: TurnId, waiting: Waiting<W>) {
        let key = (waiting.want.urgency, waiting.namespace.clone());
        let new = || Line { turn: Turn::Came(id.0), order: BTreeSet::new() };
        let line = self.lines.entry(key.clone()).or_insert_with(new);
        line.order.insert((waiting.last_verdict, id));
        self.rotation.insert((key.0, line.turn), key.1);
        self.looks += u32::from(waiting.is_routine_look());
        self.waiting.insert(id, waiting);
    }

    /// A line that was served stays, for it knows when.
    fn leave(&mut self, id: TurnId) -> Option<Waiting<W>> {
        let waiting = self.waiting.remove(&id)?;
        self.looks -= u32::from(waiting.is_routine_look());
        let urgency = waiting.want.urgency;
        let key = (urgency, waiting.namespace.clone());
        if let Some(line) = self.lines.get_mut(&key) {
            line.order.remove(&(waiting.last_verdict, id));
            if line.order.is_empty() {
                self.rotation.remove(&(urgency, line.turn));
                if matches!(line.turn, Turn::Came(_)) {
                    self.lines.remove(&key);
                }
            }
        }
        Some(waiting)
    }

    fn serve(&mut self, id: TurnId) -> Option<W> {
        let served = Turn::Served(self.tick());
        let waiting = self.waiting.get(&id)?;
        let (urgency, namespace) = (waiting.want.urgency, waiting.namespace.clone());
        if let Some(line) = self.lines.get_mut(&(urgency, namespace.clone())) {
            self.rotation.remove(&(urgency, line.turn));
            line.turn = served;
            self.rotation.insert((urgency, served), namespace);
        }
        self.remove(id)
    }

    /// Forgets lines in which nobody waits and whose memory would change nothing.
    fn forget(&mut self) {
        if self.waiting.is_empty() {
            self.lines.clear();
        } else if self.lines.len() > 2 * self.rotation.len() + 16 {
            let rotation = &self.rotation;
            let first = |urgency| rotation.range((urgency, Turn::Came(0))..).next().map(|(first, _)| *first);
            // Who was served before the first in turn would be the first anyway.
            self.lines.retain(|(urgency, _), line| {
                let key = (*urgency, line.turn);
                !line.order.is_empty()
                    || first(*urgency).is_some_and(|first| first.0 == *urgency && key > first)
            });
        }
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }
}

impl<W> Waiting<W> {
    fn is_routine_look(&self) -> bool {
        self.want.identity && self.want.urgency == Urgency::Routine
    }
}

#[cfg(test)]
mod tests;
