//! Several watches, one per namespace, as one: what comes out is what a single watch of all of them would show. kube's
//! store is one, and the list of one namespace must not take the others' objects out of it.

use super::scope::Scope;
use crate::api::StoredConnection;
use kube::runtime::{reflector::Store, watcher::Event};
use std::collections::HashSet;

/// What the watch of one namespace says.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is passed on, never kept")]
pub(super) enum Said {
    /// An event.
    Event(Event<StoredConnection>),
    /// The operator has no right to watch there, or there is no such namespace.
    Refused,
}

/// What all watches together show.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is passed on, never kept")]
pub(super) enum Shown {
    /// An event.
    Event(Event<StoredConnection>),
    /// Everything there is in this scope has been shown.
    Listed(Scope),
    /// This one cannot be watched, and nobody is to wait for it.
    Refused(Scope),
}

/// The watches.
pub(super) struct Union {
    parts: Vec<Part>,
    /// What was shown.
    store: Store<StoredConnection>,
    /// Whether every part was listed or refused once: before that nothing is shown, for who refers to an owner that another
    /// watch is about to show would be told that there is none.
    begun: bool,
}

struct Part {
    scope: Scope,
    /// Of the list under way.
    list: Vec<StoredConnection>,
    /// What there is, before the union has begun.
    first: Option<Vec<StoredConnection>>,
    refused: bool,
}

impl Union {
    /// Of the watches of these scopes.
    pub(super) fn new(scopes: &[Scope], store: Store<StoredConnection>) -> Self {
        let part =
            |scope: &Scope| Part { scope: scope.clone(), list: Vec::new(), first: None, refused: false };
        Self { parts: scopes.iter().map(part).collect(), store, begun: false }
    }

    /// Takes in what the watch of the n-th scope says. What came out before must have reached the store.
    pub(super) fn take_in(&mut self, n: usize, said: Said) -> Vec<Shown> {
        // One watch is its own union.
        let alone = self.parts.len() == 1;
        let Some(part) = self.parts.get_mut(n) else { return Vec::new() };
        match said {
            Said::Refused => {
                part.refused = true;
                let refused = Shown::Refused(part.scope.clone());
                self.begin().into_iter().chain([refused]).collect()
            }
            Said::Event(Event::InitDone) if alone => {
                vec![Shown::Event(Event::InitDone), Shown::Listed(part.scope.clone())]
            }
            Said::Event(event) if alone => vec![Shown::Event(event)],
            Said::Event(Event::Init) => {
                part.list = Vec::new();
                Vec::new()
            }
            Said::Event(Event::InitApply(stored)) => {
                part.list.push(stored);
                Vec::new()
            }
            Said::Event(Event::InitDone) if self.begun => self.listed_again(n),
            Said::Event(Event::InitDone) => {
                part.first = Some(std::mem::take(&mut part.list));
                self.begin()
            }
            Said::Event(event) if self.begun => vec![Shown::Event(event)],
            Said::Event(event) => {
                part.change(event);
                Vec::new()
            }
        }
    }

    /// Shows everything, once every part is known or refused.
    fn begin(&mut self) -> Vec<Shown> {
        let open = |part: &Part| part.first.is_none() && !part.refused;
        if self.begun || self.parts.len() == 1 || self.parts.iter().any(open) {
            return Vec::new();
        }
        self.begun = true;
        let (mut shown, mut listed) = (vec![Shown::Event(Event::Init)], Vec::new());
        for part in &mut self.parts {
            if let Some(first) = part.first.take() {
                shown.extend(first.into_iter().map(|stored| Shown::Event(Event::InitApply(stored))));
                listed.push(Shown::Listed(part.scope.clone()));
            }
        }
        shown.push(Shown::Event(Event::InitDone));
        shown.extend(listed);
        shown
    }

    /// Shows how a list of one part differs from what was shown of it.
    fn listed_again(&mut self, n: usize) -> Vec<Shown> {
        let Some(part) = self.parts.get_mut(n) else { return Vec::new() };
        let (scope, mut list) = (part.scope.clone(), std::mem::take(&mut part.list));
        let there: HashSet<_> = list.iter().filter_map(|stored| stored.metadata.uid.clone()).collect();
        let is_gone = |stored: &StoredConnection| {
            scope.covers(stored.metadata.namespace.as_deref().unwrap_or_default())
                && stored.metadata.uid.as_ref().is_none_or(|uid| !there.contains(uid))
        };
        let gone = self.store.state().into_iter().filter(|stored| is_gone(stored));
        let gone: Vec<_> = gone.map(|stored| Event::Delete((*stored).clone())).collect();
        // Owners before those who refer to them, who would else be told that there is none.
        list.sort_by_key(|stored| stored.spec.as_ref().is_ok_and(|spec| spec.connection_ref.is_some()));
        let events = gone.into_iter().chain(list.into_iter().map(Event::Apply));
        events.map(Shown::Event).chain([Shown::Listed(scope)]).collect()
    }
}

impl Part {
    /// Takes in an event after its list and before the union has begun.
    fn change(&mut self, event: Event<StoredConnection>) {
        let first = self.first.get_or_insert_default();
        if let Event::Apply(stored) | Event::Delete(stored) = &event {
            first.retain(|known| known.metadata.name != stored.metadata.name);
        }
        if let Event::Apply(stored) = event {
            first.push(stored);
        }
    }
}

#[cfg(test)]
mod tests;
